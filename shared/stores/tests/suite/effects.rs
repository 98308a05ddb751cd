//! Deleting, redacting and flagging items.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::data_map::Store;
use quittance_core::fault::Fault;
use quittance_core::request::Right;
use quittance_core::subject::Identifiers;
use quittance_engine::ports::{Effect, StoreEraser as _, StoreFlagger as _};

use crate::world::{EMAIL, Item, World, ask, at, identifiers, item, number, store, text};

#[tokio::test]
async fn deleting_twice_succeeds_twice_and_touches_nobody_else() {
    let world = customers().await;
    let (store, who) = (by_email("deletion: delete_item"), ann());
    let before = others(&world).await;
    let found = world
        .search(ask(&store, &who, Right::Deletion))
        .await
        .unwrap();
    assert_eq!(found.places(), [at("1", ""), at("2", "")].into());
    assert!(found.matches.iter().all(|found| !found.settled));
    for expected in [Effect::Made, Effect::Already] {
        for place in found.places() {
            let effect = world
                .stores
                .erase(ask(&store, &who, Right::Deletion), &place)
                .await;
            assert_eq!(effect, Ok(expected));
        }
    }
    assert_eq!(others(&world).await, before);
    assert_eq!(world.dump("customers").await, before);
    let after = world
        .search(ask(&store, &who, Right::Deletion))
        .await
        .unwrap();
    assert!(after.matches.is_empty());
}

#[tokio::test]
async fn an_item_that_changed_hands_after_the_search_is_left_alone() {
    let world = customers().await;
    let (store, who) = (by_email("deletion: delete_item"), ann());
    let bobs = item(&[("pk", text("1")), ("email", text("bob@example.test"))]);
    world.put("customers", bobs.clone()).await;
    let effect = world
        .stores
        .erase(ask(&store, &who, Right::Deletion), &at("1", ""))
        .await;
    assert_eq!(effect, Ok(Effect::NotTheirs));
    assert_eq!(world.dump("customers").await["1"], bobs);
}

#[tokio::test]
async fn an_item_that_changes_hands_under_the_delete_is_left_alone() {
    let world = customers().await;
    let (store, who) = (by_email("deletion: delete_item"), ann());
    let bobs = item(&[("pk", text("1")), ("email", text("bob@example.test"))]);
    world.just_before("DeleteItem", "customers", bobs.clone());
    let effect = world
        .stores
        .erase(ask(&store, &who, Right::Deletion), &at("1", ""))
        .await;
    assert_eq!(effect, Ok(Effect::NotTheirs));
    assert!(world.wire.is_played());
    assert_eq!(world.dump("customers").await["1"], bobs);
}

#[tokio::test]
async fn an_item_that_its_subject_updates_under_the_delete_is_deleted() {
    let world = customers().await;
    let (store, who) = (by_email("deletion: delete_item"), ann());
    let updated = item(&[
        ("pk", text("1")),
        ("email", text(EMAIL)),
        ("seen", text("now")),
    ]);
    world.just_before("DeleteItem", "customers", updated);
    let effect = world
        .stores
        .erase(ask(&store, &who, Right::Deletion), &at("1", ""))
        .await;
    assert_eq!(effect, Ok(Effect::Made));
    assert!(world.wire.is_played());
    assert!(!world.dump("customers").await.contains_key("1"));
}

#[tokio::test]
async fn a_conflict_that_never_ends_is_reported_as_one() {
    let world = customers().await;
    let (store, who) = (by_email("deletion: delete_item"), ann());
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
    world.wire.answer("DeleteItem", 50, 400, body);
    let effect = world
        .stores
        .erase(ask(&store, &who, Right::Deletion), &at("1", ""))
        .await;
    assert_eq!(effect, Err(Fault::Conflict));
}

#[tokio::test]
async fn redacting_keeps_everything_else_and_is_settled_afterwards() {
    let world = customers().await;
    let store = by_email(
        "deletion: { redact: { name: mask, \"address.street\": remove, note: null, absent: mask, \
         \"phones[0].number\": mask, \"phones[1]\": remove } }",
    );
    let who = ann();
    let before = others(&world).await;
    let original = world.dump("customers").await["1"].clone();
    let deletion = ask(&store, &who, Right::Deletion);
    for expected in [Effect::Made, Effect::Already] {
        assert_eq!(
            world.stores.erase(deletion, &at("1", "")).await,
            Ok(expected)
        );
    }
    let mut wanted = original;
    wanted.insert("name".to_owned(), text("***"));
    wanted.insert("note".to_owned(), AttributeValue::Null(true));
    wanted.insert(
        "address".to_owned(),
        AttributeValue::M(item(&[("city", text("Oslo"))])),
    );
    let masked = AttributeValue::M(item(&[("number", text("***")), ("kind", text("home"))]));
    let phones = AttributeValue::L(vec![masked, AttributeValue::Null(true)]);
    wanted.insert("phones".to_owned(), phones);
    assert_eq!(world.dump("customers").await["1"], wanted);
    assert_eq!(others(&world).await, before);
    let found = world.search(deletion).await.unwrap();
    let settled = |pk: &str| {
        found
            .matches
            .iter()
            .find(|found| found.locator == at(pk, ""))
            .map(|found| found.settled)
    };
    assert_eq!(settled("1"), Some(true));
    assert_eq!(settled("2"), Some(false));
}

#[tokio::test]
async fn redacting_the_identity_itself_is_made_once_and_known_the_second_time() {
    let world = customers().await;
    let (store, who) = (
        by_email("deletion: { redact: { email: mask, name: mask } }"),
        ann(),
    );
    let deletion = ask(&store, &who, Right::Deletion);
    for expected in [Effect::Made, Effect::Already] {
        assert_eq!(
            world.stores.erase(deletion, &at("1", "")).await,
            Ok(expected)
        );
    }
    // Bob's item was never masked: it is not Ann's, and not taken for one of hers.
    assert_eq!(
        world.stores.erase(deletion, &at("3", "")).await,
        Ok(Effect::NotTheirs)
    );
    assert_eq!(
        world.dump("customers").await["3"]["email"],
        text("bob@example.test")
    );
}

#[tokio::test]
async fn redacting_more_than_one_update_holds_masks_the_identity_last() {
    let world = customers().await;
    let message = |n: usize| AttributeValue::M(item(&[("text", text(&format!("said {n}")))]));
    let mut long = world.dump("customers").await["1"].clone();
    long.insert(
        "messages".to_owned(),
        AttributeValue::L((0..60).map(message).collect()),
    );
    world.put("customers", long).await;
    let (store, who) = (
        by_email("deletion: { redact: { email: mask, \"messages[].text\": mask } }"),
        ann(),
    );
    let deletion = ask(&store, &who, Right::Deletion);
    for expected in [Effect::Made, Effect::Already] {
        assert_eq!(
            world.stores.erase(deletion, &at("1", "")).await,
            Ok(expected)
        );
    }
    let after = world.dump("customers").await["1"].clone();
    let masked = AttributeValue::M(item(&[("text", text("***"))]));
    assert_eq!(after["email"], text("***"));
    assert_eq!(after["messages"], AttributeValue::L(vec![masked; 60]));
}

#[tokio::test]
async fn an_update_never_brings_back_what_was_deleted_meanwhile() {
    let redacting = by_email("deletion: { redact: { name: mask } }");
    let flagging = by_email("deletion: delete_item\nopt_out: { set: { do_not_sell: true } }");
    for (store, right) in [(&redacting, Right::Deletion), (&flagging, Right::OptOut)] {
        let world = customers().await;
        let table = world.dynamodb.clone();
        world.wire.before("UpdateItem", 1, move || {
            let delete = table
                .delete_item()
                .table_name("customers")
                .key("pk", text("1"));
            async move { drop(delete.send().await.unwrap()) }
        });
        let who = ann();
        let effect = match right {
            Right::OptOut => {
                world
                    .stores
                    .flag(ask(store, &who, right), &at("1", ""))
                    .await
            }
            Right::Access | Right::Deletion => {
                world
                    .stores
                    .erase(ask(store, &who, right), &at("1", ""))
                    .await
            }
        };
        assert_eq!(effect, Ok(Effect::Already));
        assert!(world.wire.is_played());
        assert!(!world.dump("customers").await.contains_key("1"));
    }
}

#[tokio::test]
async fn a_concurrent_change_to_a_list_moves_no_mask_to_the_wrong_element() {
    let world = customers().await;
    let store = by_email("deletion: { redact: { \"phones[0].number\": mask } }");
    let phone = |number: &str| AttributeValue::M(item(&[("number", text(number))]));
    let mut changed = world.dump("customers").await["1"].clone();
    changed.insert(
        "phones".to_owned(),
        AttributeValue::L(vec![phone("new"), phone("old")]),
    );
    world.just_before("UpdateItem", "customers", changed.clone());
    let who = ann();
    let effect = world
        .stores
        .erase(ask(&store, &who, Right::Deletion), &at("1", ""))
        .await;
    assert_eq!(effect, Ok(Effect::Made));
    assert!(world.wire.is_played());
    changed.insert(
        "phones".to_owned(),
        AttributeValue::L(vec![phone("***"), phone("old")]),
    );
    assert_eq!(world.dump("customers").await["1"], changed);
}

#[tokio::test]
async fn flags_are_set_once_beside_what_is_there() {
    let world = customers().await;
    let store = by_email(
        "deletion: delete_item\nopt_out: { set: { do_not_sell: true, \"prefs.sharing\": 0, value: no } }",
    );
    let who = ann();
    let question = ask(&store, &who, Right::OptOut);
    let before = others(&world).await;
    let mut wanted = world.dump("customers").await["1"].clone();
    for expected in [Effect::Made, Effect::Already] {
        assert_eq!(
            world.stores.flag(question, &at("1", "")).await,
            Ok(expected)
        );
    }
    wanted.insert("do_not_sell".to_owned(), AttributeValue::Bool(true));
    let prefs = item(&[("sharing", number("0"))]);
    wanted.insert("prefs".to_owned(), AttributeValue::M(prefs));
    wanted.insert("value".to_owned(), text("no"));
    assert_eq!(world.dump("customers").await["1"], wanted);
    assert_eq!(others(&world).await, before);
    let found = world.search(question).await.unwrap();
    let settled: BTreeMap<_, _> = found
        .matches
        .iter()
        .map(|found| (found.locator.clone(), found.settled))
        .collect();
    assert_eq!(settled, [(at("1", ""), true), (at("2", ""), false)].into());
    assert_eq!(
        world.stores.flag(question, &at("3", "")).await,
        Ok(Effect::NotTheirs)
    );
}

#[tokio::test]
async fn no_right_has_another_rights_effect() {
    let world = customers().await;
    let plain = by_email("deletion: delete_item");
    let retained = by_email("deletion: { retain: { basis: tax_law, until: 10y } }");
    let before = world.dump("customers").await;
    let who = ann();
    for (store, right) in [
        (&plain, Right::Access),
        (&plain, Right::OptOut),
        (&retained, Right::Deletion),
    ] {
        let effect = world
            .stores
            .erase(ask(store, &who, right), &at("1", ""))
            .await;
        assert!(matches!(effect, Err(Fault::Reject { .. })), "{right}");
    }
    for right in [Right::Access, Right::Deletion, Right::OptOut] {
        let effect = world
            .stores
            .flag(ask(&plain, &who, right), &at("1", ""))
            .await;
        assert!(matches!(effect, Err(Fault::Reject { .. })), "{right}");
    }
    assert_eq!(world.dump("customers").await, before);
}

/// Two items of Ann's and many of others, among them near namesakes.
async fn customers() -> World {
    let world = World::start().await;
    world
        .table("customers", &["pk:S"], &[("by_email", &["email:S"])])
        .await;
    let phone =
        |number: &str| AttributeValue::M(item(&[("number", text(number)), ("kind", text("home"))]));
    let row = |pk: &str, email: &str| {
        item(&[
            ("pk", text(pk)),
            ("email", text(email)),
            ("name", text("A Person")),
            ("note", text("likes jazz")),
            ("points", number("12345678901234567890123456789012345678")),
            ("tags", AttributeValue::Ss(vec!["a".to_owned()])),
            ("phones", AttributeValue::L(vec![phone("1"), phone("2")])),
            (
                "address",
                AttributeValue::M(item(&[("street", text("Main St")), ("city", text("Oslo"))])),
            ),
        ])
    };
    world.put("customers", row("1", EMAIL)).await;
    world.put("customers", row("2", EMAIL)).await;
    world.put("customers", row("3", "bob@example.test")).await;
    for n in 10..30 {
        world
            .put("customers", row(&n.to_string(), &format!("{n}.{EMAIL}")))
            .await;
    }
    world
}

async fn others(world: &World) -> BTreeMap<String, Item> {
    let mut items = world.dump("customers").await;
    items.retain(|pk, _| pk != "1" && pk != "2");
    assert_eq!(items.len(), 21);
    items
}

fn ann() -> Identifiers {
    identifiers(&[("email", EMAIL)])
}

fn by_email(rules: &str) -> Store {
    store(&format!(
        "dynamodb: {{ table: customers }}
         find: [ {{ email: {{ index: by_email, key: email, coverage: complete }} }} ]
         {rules}"
    ))
}
