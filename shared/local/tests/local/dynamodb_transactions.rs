//! DynamoDB: transactions.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use crate::dynamodb::{TABLE, get, item, keyed, n, put, s, table};
use crate::{World, code};

/// A request that is acting and its task that is only located.
async fn ledger() -> World {
    let world = World::new().await;
    table(&world).await;
    let request = item("request", "1", &[("stage", s("Acting")), ("done", n(0))]);
    put(&world, request).await;
    put(&world, item("task", "1", &[("stage", s("Located"))])).await;
    world
}

fn finish_task(from: &str) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .set_key(Some(keyed("task", "1")))
        .update_expression("SET stage = :to")
        .condition_expression("stage = :from")
        .expression_attribute_values(":to", s("Done"))
        .expression_attribute_values(":from", s(from))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    TransactWriteItem::builder()
        .update(update.build().unwrap())
        .build()
}

fn count(pk: &str, condition: Option<&str>) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .set_key(Some(keyed(pk, "1")))
        .update_expression("SET done = done + :one")
        .set_condition_expression(condition.map(str::to_owned))
        .expression_attribute_values(":one", n(1));
    TransactWriteItem::builder()
        .update(update.build().unwrap())
        .build()
}

fn create(pk: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .set_item(Some(keyed(pk, "1")));
    TransactWriteItem::builder()
        .put(put.build().unwrap())
        .build()
}

fn check(pk: &str, condition: &str) -> TransactWriteItem {
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(keyed(pk, "1")));
    let check = check.condition_expression(condition).build().unwrap();
    TransactWriteItem::builder().condition_check(check).build()
}

#[tokio::test]
async fn a_refused_transaction_changes_nothing_and_gives_every_reason() {
    let world = ledger().await;
    let actions = vec![
        finish_task("Acting"),
        count("request", None),
        // Its expression needs an attribute that is not there: the condition must be what fails.
        count("absent", Some("attribute_exists(pk)")),
        create("outbox"),
        check("suppression", "attribute_exists(pk)"),
    ];
    let write = world
        .dynamodb
        .transact_write_items()
        .set_transact_items(Some(actions));
    let refused = write.send().await.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(refused) = refused else {
        panic!("{refused:?}")
    };
    let reasons = refused.cancellation_reasons();
    let codes: Vec<_> = reasons
        .iter()
        .map(|reason| reason.code().unwrap())
        .collect();
    let failed = "ConditionalCheckFailed";
    assert_eq!(codes, [failed, "None", failed, "None", failed]);
    assert_eq!(reasons[0].item().unwrap()["stage"], s("Located"));
    assert_eq!(get(&world, "request", "1").await.unwrap()["done"], n(0));
    assert!(get(&world, "outbox", "1").await.is_none());
}

#[tokio::test]
async fn a_transaction_does_all_its_actions() {
    let world = ledger().await;
    let delete = Delete::builder()
        .table_name(TABLE)
        .set_key(Some(keyed("gone", "1")))
        .build()
        .unwrap();
    put(&world, keyed("gone", "1")).await;
    let actions = vec![
        finish_task("Located"),
        count("request", Some("attribute_not_exists(revoked)")),
        create("outbox"),
        TransactWriteItem::builder().delete(delete).build(),
        check("absent", "attribute_not_exists(pk)"),
    ];
    world
        .dynamodb
        .transact_write_items()
        .set_transact_items(Some(actions))
        .send()
        .await
        .unwrap();
    assert_eq!(get(&world, "task", "1").await.unwrap()["stage"], s("Done"));
    assert_eq!(get(&world, "request", "1").await.unwrap()["done"], n(1));
    assert!(get(&world, "outbox", "1").await.is_some());
    assert!(get(&world, "gone", "1").await.is_none());
}

#[tokio::test]
async fn two_actions_on_one_item_are_refused() {
    let world = ledger().await;
    let actions = vec![
        count("request", None),
        check("request", "attribute_exists(pk)"),
    ];
    let write = world
        .dynamodb
        .transact_write_items()
        .set_transact_items(Some(actions));
    assert_eq!(code(write.send().await), "ValidationException");
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_transactions_count_every_winner_once() {
    let world = ledger().await;
    let race = (0..16).map(|who: usize| {
        let actions = vec![create(&format!("outbox{who}")), count("request", None)];
        world
            .dynamodb
            .transact_write_items()
            .set_transact_items(Some(actions))
            .send()
    });
    let done = futures::future::join_all(race).await;
    let winners = done.iter().filter(|result| result.is_ok()).count();
    assert!(winners > 0);
    assert_eq!(
        get(&world, "request", "1").await.unwrap()["done"],
        n(winners)
    );
}

#[tokio::test]
async fn the_same_client_token_does_a_transaction_once() {
    let world = World::new().await;
    table(&world).await;
    put(&world, item("a", "b", &[("count", n(0))])).await;
    for _ in 0..2 {
        let update = Update::builder()
            .table_name(TABLE)
            .set_key(Some(keyed("a", "b")))
            .update_expression("SET #c = #c + :one")
            .expression_attribute_names("#c", "count")
            .expression_attribute_values(":one", n(1))
            .build()
            .unwrap();
        let write = world
            .dynamodb
            .transact_write_items()
            .client_request_token("token");
        write
            .transact_items(TransactWriteItem::builder().update(update).build())
            .send()
            .await
            .unwrap();
    }
    assert_eq!(get(&world, "a", "b").await.unwrap()["count"], n(1));
}
