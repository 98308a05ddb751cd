//! Stores in other accounts and regions.

use quittance_core::fault::{BlockReason, Fault};
use quittance_core::request::Right;
use quittance_engine::ports::{Effect, StoreEraser as _, StoreReader as _};
use quittance_local::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

use crate::world::{EMAIL, World, ask, identifiers, item, store, text};

const ROLE: &str = "arn:aws:iam::123456789012:role/quittance";

/// A table in another account.
const TABLE: &str = "dynamodb: { table: tickets }
    find: [ { email: { key: pk } } ]
    deletion: delete_item
    account: { role_arn: \"arn:aws:iam::123456789012:role/quittance\", external_id: shop-4711, region: eu-west-1 }";

async fn world(right: Right) -> World {
    let world = World::start().await.reaching(right).await;
    world.table("tickets", &["pk:S"], &[]).await;
    world.put("tickets", item(&[("pk", text(EMAIL))])).await;
    world
}

/// What STS answers; the emulator takes any key with its own secret.
fn session() -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials><AccessKeyId>ASIAELSEWHERE</AccessKeyId><SecretAccessKey>{SECRET_ACCESS_KEY}</SecretAccessKey>\
         <SessionToken>a-token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>ARO:quittance</AssumedRoleId><Arn>{ROLE}</Arn></AssumedRoleUser>\
         </AssumeRoleResult></AssumeRoleResponse>"
    )
}

#[tokio::test]
async fn a_store_in_another_account_is_reached_under_its_role_and_for_nothing_else() {
    let world = world(Right::Deletion).await;
    world.wire.answer("AssumeRole", 9, 200, &session());
    let store = store(TABLE);
    let who = identifiers(&[("email", EMAIL)]);
    let question = ask(&store, &who, Right::Deletion);
    let found = world.search(question).await.unwrap();
    assert_eq!(found.matches.len(), 1);
    let locator = &found.matches[0].locator;
    let made = world.stores.erase(question, locator).await.unwrap();
    assert_eq!(made, Effect::Made);
    assert!(world.dump("tickets").await.is_empty());

    let log = world.wire.log();
    let asked: Vec<_> = log.iter().filter(|line| !line.asked.is_empty()).collect();
    assert!(
        (1..=2).contains(&asked.len()),
        "asked {} times",
        asked.len()
    );
    for line in &asked {
        assert!(
            line.signed.starts_with(&format!("{ACCESS_KEY_ID}/")),
            "{line:?}"
        );
        for part in [
            "ExternalId=shop-4711",
            "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fquittance",
            "table%2Ftickets",
            "dynamodb%3ADeleteItem",
        ] {
            assert!(line.asked.contains(part), "{part} is not in {}", line.asked);
        }
    }
    let there: Vec<_> = log.iter().filter(|line| line.asked.is_empty()).collect();
    assert!(there.len() >= 3, "{there:?}");
    for line in there {
        assert!(line.signed.starts_with("ASIAELSEWHERE/"), "{line:?}");
        assert!(line.signed.contains("/eu-west-1/dynamodb/"), "{line:?}");
    }
}

#[tokio::test]
async fn a_store_in_another_region_is_reached_there_under_our_own_role() {
    let world = world(Right::Access).await;
    let store = store(
        "dynamodb: { table: tickets }
         find: [ { email: { key: pk } } ]
         deletion: delete_item
         account: { region: eu-west-1 }",
    );
    let who = identifiers(&[("email", EMAIL)]);
    let found = world.search(ask(&store, &who, Right::Access)).await;
    assert_eq!(found.unwrap().matches.len(), 1);
    for line in world.wire.log() {
        let region = "/eu-west-1/dynamodb/";
        assert!(
            line.signed.starts_with(&format!("{ACCESS_KEY_ID}/")),
            "{line:?}"
        );
        assert!(line.signed.contains(region), "{line:?}");
    }
}

#[tokio::test]
async fn a_role_that_refuses_us_blocks_and_one_that_cannot_be_asked_is_asked_again() {
    let world = world(Right::Access).await;
    let store = store(TABLE);
    let who = identifiers(&[("email", EMAIL)]);
    let question = ask(&store, &who, Right::Deletion);
    let refusal = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                   <Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>";
    world.wire.answer("AssumeRole", 1, 403, refusal);
    let refused = world.stores.locate(question, None).await;
    assert!(
        matches!(refused, Err(Fault::Block(BlockReason::AccessDenied))),
        "{refused:?}"
    );
    world.wire.answer("AssumeRole", 9, 500, "");
    let failed = world.stores.locate(question, None).await;
    assert!(matches!(failed, Err(Fault::Retry { .. })), "{failed:?}");
    world.wire.clear();
    world.wire.answer("AssumeRole", 9, 200, &session());
    assert_eq!(world.search(question).await.unwrap().matches.len(), 1);
}

#[tokio::test]
async fn without_a_way_to_reach_them_stores_elsewhere_are_blocked() {
    let world = World::start().await;
    let store = store(TABLE);
    let who = identifiers(&[("email", EMAIL)]);
    let question = ask(&store, &who, Right::Deletion);
    let blocked = world.stores.locate(question, None).await;
    assert!(
        matches!(blocked, Err(Fault::Block(BlockReason::UnsupportedStore))),
        "{blocked:?}"
    );
}

#[tokio::test]
async fn whoever_copies_asks_for_no_session_that_could_change_anything() {
    let world = world(Right::Access).await;
    world.wire.answer("AssumeRole", 9, 200, &session());
    let store = store(TABLE);
    let who = identifiers(&[("email", EMAIL)]);
    let found = world.search(ask(&store, &who, Right::Access)).await;
    assert_eq!(found.unwrap().matches.len(), 1);
    let log = world.wire.log();
    let asked: Vec<_> = log.iter().filter(|line| !line.asked.is_empty()).collect();
    assert!(!asked.is_empty());
    for line in asked {
        assert!(line.asked.contains("dynamodb%3AQuery"), "{}", line.asked);
        for verb in ["Delete", "Update", "Put", "GenerateDataKey"] {
            assert!(!line.asked.contains(verb), "{verb}: {}", line.asked);
        }
    }
}
