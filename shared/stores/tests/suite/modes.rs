//! What deletion may do to an item beside deleting it: pseudonyms, and elements taken out of what
//! several people share. And how much of a table it may use.

use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::StoreId;
use quittance_core::pseudonym::Pseudonyms;
use quittance_core::request::Right;
use quittance_engine::ports::{Effect, StoreEraser as _};

use crate::world::{EMAIL, PSEUDONYM_KEY, World, ask, at, identifiers, item, number, store, text};

const BOB: &str = "bob@example.test";

fn set(texts: &[&str]) -> AttributeValue {
    AttributeValue::Ss(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn list(texts: &[&str]) -> AttributeValue {
    AttributeValue::L(texts.iter().map(|t| text(t)).collect())
}

#[tokio::test]
async fn a_field_gets_the_same_pseudonym_for_the_same_value_and_keeps_it() {
    let world = World::start().await;
    world.table("orders", &["pk:S"], &[]).await;
    let row = |pk: &str, email: AttributeValue| {
        let phone = AttributeValue::B(Blob::new(*b"\x00\xff"));
        item(&[
            ("pk", text(pk)),
            ("who", email),
            ("age", number("42")),
            ("raw", phone),
            ("ok", AttributeValue::Bool(true)),
            ("none", AttributeValue::Null(true)),
            ("sum", number("9.5")),
        ])
    };
    for pk in ["1", "2"] {
        world.put("orders", row(pk, text(EMAIL))).await;
    }
    world.put("orders", row("3", text(BOB))).await;
    let store = store(
        "dynamodb: { table: orders }
         find: [ { customer_id: { key: pk } } ]
         deletion: { redact: { who: pseudonym, age: pseudonym, raw: pseudonym, ok: pseudonym, none: pseudonym } }",
    );
    for pk in ["1", "2"] {
        let who = identifiers(&[("customer_id", pk)]);
        let question = ask(&store, &who, Right::Deletion);
        for expected in [Effect::Made, Effect::Already] {
            let effect = world.stores.erase(question, &at(pk, "")).await;
            assert_eq!(effect, Ok(expected));
        }
        let found = world.search(question).await.unwrap();
        assert!(found.matches[0].settled);
    }
    let names = Pseudonyms::of_store(&PSEUDONYM_KEY, &StoreId::parse("store").unwrap());
    let after = world.dump("orders").await;
    for pk in ["1", "2"] {
        let mut wanted = row(pk, text(&names.of(EMAIL)));
        wanted.insert("age".to_owned(), text(&names.of("42")));
        wanted.insert("raw".to_owned(), text(&names.of("AP8=")));
        wanted.insert("ok".to_owned(), text(&names.of("true")));
        assert_eq!(after[pk], wanted);
    }
    assert_eq!(after["3"], row("3", text(BOB)));
    // Of a list or a map nobody would know which value the name is for.
    world.put("orders", row("4", list(&["a"]))).await;
    let who = identifiers(&[("customer_id", "4")]);
    let question = ask(&store, &who, Right::Deletion);
    let effect = world.stores.erase(question, &at("4", "")).await;
    assert_eq!(effect, Err(Fault::Block(BlockReason::SchemaMismatch)));
}

#[tokio::test]
async fn one_subjects_elements_go_out_of_a_set_and_a_list_and_the_others_stay() {
    let world = World::start().await;
    world.table("groups", &["pk:S"], &[]).await;
    let contact =
        |email: &str| AttributeValue::M(item(&[("email", text(email)), ("note", text("n"))]));
    let group = |members: AttributeValue, mails: AttributeValue, contacts: Vec<AttributeValue>| {
        item(&[
            ("pk", text("1")),
            ("members", members),
            ("mails", mails),
            ("contacts", AttributeValue::L(contacts)),
        ])
    };
    let upper = EMAIL.to_uppercase();
    world
        .put(
            "groups",
            group(
                set(&[EMAIL, &upper, BOB]),
                list(&[BOB, EMAIL, "x"]),
                vec![contact(EMAIL), contact(BOB)],
            ),
        )
        .await;
    let store = store(
        "dynamodb: { table: groups }
         find: [ { email: { field: \"members[]\" } }, { email: { field: \"mails[]\" } }, { email: { field: \"contacts[].email\" } } ]",
    );
    for (path, expected) in [
        (
            "members[]",
            group(
                set(&[BOB]),
                list(&[BOB, EMAIL, "x"]),
                vec![contact(EMAIL), contact(BOB)],
            ),
        ),
        (
            "mails[]",
            group(
                set(&[BOB]),
                list(&[BOB, "x"]),
                vec![contact(EMAIL), contact(BOB)],
            ),
        ),
        (
            "contacts[]",
            group(set(&[BOB]), list(&[BOB, "x"]), vec![contact(BOB)]),
        ),
    ] {
        let field = if path == "contacts[]" {
            "contacts[].email"
        } else {
            path
        };
        let one = crate::world::store(&format!(
            "dynamodb: {{ table: groups }}
             find: [ {{ email: {{ field: \"{field}\" }} }} ]
             deletion: {{ redact: {{ \"{path}\": take_out }} }}"
        ));
        let who = identifiers(&[("email", EMAIL)]);
        let question = ask(&one, &who, Right::Deletion);
        let found = world.search(question).await.unwrap();
        assert!(!found.matches[0].settled, "{path}");
        for effect in [Effect::Made, Effect::Already] {
            let made = world.stores.erase(question, &at("1", "")).await;
            assert_eq!(made, Ok(effect), "{path}");
        }
        assert_eq!(world.dump("groups").await["1"], expected, "{path}");
        assert!(world.search(question).await.unwrap().matches.is_empty());
    }
    let who = identifiers(&[("email", EMAIL)]);
    let left = world.search(ask(&store, &who, Right::Deletion)).await;
    assert!(left.unwrap().matches.is_empty());
}

#[tokio::test]
async fn the_last_element_goes_with_its_set_and_a_writer_in_between_loses_nothing() {
    let world = World::start().await;
    world.table("groups", &["pk:S"], &[]).await;
    let group = |members: &[&str]| item(&[("pk", text("1")), ("members", set(members))]);
    world.put("groups", group(&[EMAIL])).await;
    let store = store(
        "dynamodb: { table: groups }
         find: [ { email: { field: \"members[]\" } } ]
         deletion: { redact: { \"members[]\": take_out } }",
    );
    let who = identifiers(&[("email", EMAIL)]);
    let question = ask(&store, &who, Right::Deletion);
    world.just_before("UpdateItem", "groups", group(&[EMAIL, BOB]));
    let made = world.stores.erase(question, &at("1", "")).await;
    assert_eq!(made, Ok(Effect::Made));
    assert!(world.wire.is_played());
    assert_eq!(world.dump("groups").await["1"], group(&[BOB]));
    world.put("groups", group(&[EMAIL])).await;
    let made = world.stores.erase(question, &at("1", "")).await;
    assert_eq!(made, Ok(Effect::Made));
    assert_eq!(world.dump("groups").await["1"], item(&[("pk", text("1"))]));
}

#[tokio::test]
async fn a_tables_budget_is_kept_over_time() {
    let world = World::start().await;
    world.table("orders", &["pk:S"], &[]).await;
    let row = |n: usize| {
        item(&[
            ("pk", text(&n.to_string())),
            ("email", text(EMAIL)),
            ("pad", text(&"x".repeat(4_000))),
        ])
    };
    for n in 0..40 {
        world.put("orders", row(n)).await;
    }
    let with = |budget: &str| {
        store(&format!(
            "dynamodb: {{ table: orders{budget} }}\nfind: [ {{ customer_id: {{ key: pk }} }}, {{ email: {{ field: email }} }} ]"
        ))
    };
    let who = identifiers(&[("email", EMAIL)]);
    // A scan of 160 KB, consistent: 40 units, a minute at this rate.
    let store = with(", budget: { read: 1, write: 1000 }");
    let question = ask(&store, &who, Right::Deletion);
    let begun = tokio::time::timeout(Duration::from_millis(300), world.search(question));
    assert!(begun.await.is_err(), "more than the budget was used");
    let store = with(", budget: { read: 4000, write: 1000 }");
    let question = ask(&store, &who, Right::Deletion);
    assert_eq!(world.search(question).await.unwrap().matches.len(), 40);
    let unlimited = with("");
    let question = ask(&unlimited, &who, Right::Deletion);
    assert_eq!(world.search(question).await.unwrap().matches.len(), 40);
}

/// What P9 asks: of a list of which one in a hundred is there, looking first costs a fifth of deleting
/// blindly, in money. A consistent read of up to 4 KB is one unit, at a fifth of a write's price.
#[tokio::test]
async fn looking_first_costs_less_than_deleting_blindly() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    for n in 0..2 {
        let row = item(&[("pk", text(&n.to_string())), ("name", text("n"))]);
        world.put("customers", row).await;
    }
    let store = store("dynamodb: { table: customers }\nfind: [ { customer_id: { key: pk } } ]");
    world.wire.log();
    let mut deleted = 0;
    for n in 0..200 {
        let who = identifiers(&[("customer_id", &n.to_string())]);
        let question = ask(&store, &who, Right::Deletion);
        for found in world.search(question).await.unwrap().matches {
            deleted += 1;
            let made = world.stores.erase(question, &found.locator).await;
            assert_eq!(made, Ok(Effect::Made));
            // The look back.
            assert!(world.search(question).await.unwrap().matches.is_empty());
        }
    }
    assert_eq!(deleted, 2);
    let log = world.wire.log();
    let count = |operation: &str| log.iter().filter(|r| r.operation == operation).count();
    let reads = count("Query") + count("GetItem");
    let writes = count("DeleteItem");
    assert_eq!((reads, writes), (204, 2));
    // In eighths of a dollar per million: a read 1, a write 5. Blindly, each of the 200 costs a write, and
    // a read to prove that it is gone.
    let ours = reads + 5 * writes;
    let blindly = 200 * (5 + 1);
    assert!(blindly >= 5 * ours, "{blindly} to {ours}");
}
