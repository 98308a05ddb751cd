//! What goes wrong says what to do about it, and nothing about anybody.

use quittance_core::fault::{BlockReason, Fault};
use quittance_core::request::Right;
use quittance_engine::ports::{Effect, StoreEraser as _, StoreFlagger as _, StoreReader as _};

use crate::world::{EMAIL, World, ask, at, identifiers, item, store, text};

#[tokio::test]
async fn what_is_not_there_is_told_from_what_is_not_as_mapped() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    let who = identifiers(&[("email", EMAIL)]);
    for (lines, reason) in [
        (
            "dynamodb: { table: no_such_table }\nfind: [ { email: { key: pk } } ]",
            BlockReason::StoreMissing,
        ),
        (
            "dynamodb: { table: customers }
             find: [ { email: { index: no_such_index, key: email, coverage: complete } } ]",
            BlockReason::SchemaMismatch,
        ),
        (
            "dynamodb: { table: customers }\nfind: [ { email: { key: not_the_key } } ]",
            BlockReason::SchemaMismatch,
        ),
        (
            "s3: { bucket: no-such-bucket, objects: \"people/{email}/\" }",
            BlockReason::StoreMissing,
        ),
    ] {
        let store = store(lines);
        let found = world.search(ask(&store, &who, Right::Access)).await;
        assert_eq!(found.err(), Some(Fault::Block(reason)), "{lines}");
    }
}

#[tokio::test]
async fn denied_access_blocks_whatever_the_call() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    world
        .put(
            "customers",
            item(&[("pk", text(EMAIL)), ("name", text("Ann"))]),
        )
        .await;
    let store = store(FLAGGED);
    let who = identifiers(&[("email", EMAIL)]);
    let denied = dynamodb_error("AccessDeniedException");
    let blocked = Some(Fault::Block(BlockReason::AccessDenied));
    for call in ["DescribeTable", "Query"] {
        world.wire.answer(call, 1, 400, &denied);
        let found = world.search(ask(&store, &who, Right::Access)).await;
        assert_eq!(found.err(), blocked, "{call}");
    }
    world.wire.answer("GetItem", 1, 400, &denied);
    let read = world
        .stores
        .read(ask(&store, &who, Right::Access), &at(EMAIL, ""))
        .await;
    assert_eq!(read.err(), blocked);
    world.wire.answer("DeleteItem", 1, 400, &denied);
    let erased = world
        .stores
        .erase(ask(&store, &who, Right::Deletion), &at(EMAIL, ""))
        .await;
    assert_eq!(erased.err(), blocked);
    world.wire.answer("UpdateItem", 1, 400, &denied);
    let flagged = world
        .stores
        .flag(ask(&store, &who, Right::OptOut), &at(EMAIL, ""))
        .await;
    assert_eq!(flagged.err(), blocked);
    assert!(world.wire.is_played());
}

#[tokio::test]
async fn throttles_and_server_errors_are_tried_again_later() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    let store = store(FLAGGED);
    let who = identifiers(&[("email", EMAIL)]);
    for (status, code) in [
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (500, "InternalServerError"),
        (400, "SomethingNobodyHasSeen"),
    ] {
        // As often as the SDK itself tries.
        world.wire.answer("Query", 3, status, &dynamodb_error(code));
        let found = world.search(ask(&store, &who, Right::Access)).await;
        let Some(Fault::Retry { detail, .. }) = found.err() else {
            panic!("{code} is no retry")
        };
        assert_eq!(detail, format!("dynamodb Query on customers: {code}"));
        world.wire.clear();
    }
}

#[tokio::test]
async fn a_passing_throttle_changes_nothing() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    world.put("customers", item(&[("pk", text(EMAIL))])).await;
    let store = store(FLAGGED);
    let who = identifiers(&[("email", EMAIL)]);
    world
        .wire
        .answer("Query", 1, 400, &dynamodb_error("ThrottlingException"));
    let found = world
        .search(ask(&store, &who, Right::Access))
        .await
        .unwrap();
    assert_eq!(found.matches.len(), 1);
    assert!(world.wire.is_played());
}

#[tokio::test]
async fn an_unknown_outcome_is_read_before_it_is_decided() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    world.put("customers", item(&[("pk", text(EMAIL))])).await;
    let store = store(FLAGGED);
    let who = identifiers(&[("email", EMAIL)]);
    // The delete happened, but its answer says otherwise.
    world.wire.lose_answer("DeleteItem");
    let question = ask(&store, &who, Right::Deletion);
    let effect = world.stores.erase(question, &at(EMAIL, "")).await;
    assert_eq!(effect, Ok(Effect::Already));
    assert!(world.wire.is_played());
}

#[tokio::test]
async fn nothing_that_prints_contains_the_subject() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    world
        .put(
            "customers",
            item(&[("pk", text(EMAIL)), ("name", text(EMAIL))]),
        )
        .await;
    world.bucket("people", None).await;
    world
        .object("people", &format!("people/{EMAIL}/a"), EMAIL)
        .await;
    let who = identifiers(&[("email", EMAIL)]);
    let objects = store("s3: { bucket: people, objects: \"people/{email}/\" }");
    let mut printed = vec![format!("{:?}", world.stores)];
    for store in [&store(FLAGGED), &objects] {
        let question = ask(store, &who, Right::Access);
        let found = world.stores.locate(question, None).await.unwrap();
        assert_eq!(found.matches.len(), 1);
        let read = world
            .stores
            .read(question, &found.matches[0].locator)
            .await
            .unwrap();
        assert!(read.is_some());
        printed.push(format!("{question:?} {found:?} {read:?}"));
    }
    let store = store(FLAGGED);
    for code in [
        "AccessDeniedException",
        "ValidationException",
        "ResourceNotFoundException",
        "ThrottlingException",
        "InternalServerError",
        "Unheard",
    ] {
        world.wire.answer("Query", 3, 400, &dynamodb_error(code));
        let fault = world
            .search(ask(&store, &who, Right::Access))
            .await
            .err()
            .unwrap();
        printed.push(format!("{fault:?} {fault}"));
        world.wire.clear();
        let body = format!("<Error><Code>{code}</Code><Message>{EMAIL}</Message></Error>");
        world.wire.answer("GET versions", 3, 500, &body);
        let fault = world
            .search(ask(&objects, &who, Right::Access))
            .await
            .err()
            .unwrap();
        printed.push(format!("{fault:?} {fault}"));
        world.wire.clear();
    }
    for printed in printed {
        assert!(!printed.contains("ann.canary"), "{printed}");
    }
}

#[tokio::test]
async fn stores_that_cannot_be_reached_yet_block_as_unsupported() {
    let world = World::start().await;
    let who = identifiers(&[("email", EMAIL)]);
    for lines in [
        "dynamodb: { table: customers }
         find: [ { email: { key: pk } } ]
         account: { region: eu-central-1 }",
        "s3: { bucket: lake, prefix: events/, format: jsonl, compression: gzip }
         find: [ { email: { field: user.email } } ]
         sweep: { every: 6h }",
        "attested: { by: crm-team, within: 10d }",
    ] {
        let store = store(lines);
        let found = world.search(ask(&store, &who, Right::Access)).await;
        assert_eq!(
            found.err(),
            Some(Fault::Block(BlockReason::UnsupportedStore)),
            "{lines}"
        );
    }
}

/// An error as DynamoDB words it, at its most talkative.
fn dynamodb_error(code: &str) -> String {
    format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"key {EMAIL} is odd"}}"#
    )
}

const FLAGGED: &str = "dynamodb: { table: customers }
    find: [ { email: { key: pk } } ]
    deletion: delete_item
    opt_out: { set: { do_not_sell: true } }";
