//! DynamoDB: queries, scans and indexes, page by page.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::dynamodb::{TABLE, item, keyed, n, put, s, table};
use crate::{World, code};

#[tokio::test]
async fn a_query_is_paged_in_order_and_filtered_after_the_key() {
    let world = World::new().await;
    table(&world).await;
    for number in 0..25 {
        put(
            &world,
            item(
                "p",
                &format!("event#{number:03}"),
                &[("even", AttributeValue::Bool(number % 2 == 0))],
            ),
        )
        .await;
    }
    put(&world, item("p", "request", &[])).await;
    let mut seen = Vec::new();
    let mut start = None;
    loop {
        let page = world
            .dynamodb
            .query()
            .table_name(TABLE)
            .key_condition_expression("pk = :p AND begins_with(sk, :s)")
            .filter_expression("even = :yes")
            .expression_attribute_values(":p", s("p"))
            .expression_attribute_values(":s", s("event#"))
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .consistent_read(true)
            .limit(4)
            .set_exclusive_start_key(start.take())
            .send()
            .await
            .unwrap();
        assert!(page.scanned_count() <= 4);
        seen.extend(
            page.items()
                .iter()
                .map(|item| item["sk"].as_s().unwrap().clone()),
        );
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..25)
        .filter(|n| n % 2 == 0)
        .map(|n| format!("event#{n:03}"))
        .collect();
    assert_eq!(seen, expected);
    let backwards = world
        .dynamodb
        .query()
        .table_name(TABLE)
        .key_condition_expression("pk = :p AND sk BETWEEN :a AND :b");
    let backwards = backwards
        .expression_attribute_values(":p", s("p"))
        .expression_attribute_values(":a", s("event#003"));
    let backwards = backwards
        .expression_attribute_values(":b", s("event#005"))
        .scan_index_forward(false);
    let keys: Vec<_> = backwards
        .send()
        .await
        .unwrap()
        .items()
        .iter()
        .map(|i| i["sk"].as_s().unwrap().clone())
        .collect();
    assert_eq!(keys, ["event#005", "event#004", "event#003"]);
}

#[tokio::test]
async fn a_page_ends_at_one_megabyte() {
    let world = World::new().await;
    table(&world).await;
    for number in 0..4 {
        put(
            &world,
            item(
                "p",
                &number.to_string(),
                &[("big", s(&"x".repeat(390_000)))],
            ),
        )
        .await;
    }
    let query = || {
        let query = world
            .dynamodb
            .query()
            .table_name(TABLE)
            .key_condition_expression("pk = :p");
        query.expression_attribute_values(":p", s("p"))
    };
    let page = query().send().await.unwrap();
    assert!(page.count() < 4, "four items are more than a megabyte");
    let page_count = page.count();
    let next = query()
        .set_exclusive_start_key(page.last_evaluated_key)
        .send()
        .await
        .unwrap();
    assert_eq!(page_count + next.count(), 4);
    assert_eq!(next.last_evaluated_key, None);
}

#[tokio::test]
async fn a_sparse_index_shows_only_items_with_its_key_in_number_order() {
    let world = World::new().await;
    table(&world).await;
    for (sk, at) in [("a", 10), ("b", 9), ("c", -1)] {
        put(
            &world,
            item("p", sk, &[("wake", s("h")), ("wake_at", n(at))]),
        )
        .await;
    }
    put(&world, item("p", "asleep", &[])).await;
    let query = || {
        let query = world
            .dynamodb
            .query()
            .table_name(TABLE)
            .index_name("wake")
            .limit(2);
        let query = query.key_condition_expression("wake = :h AND wake_at < :t");
        query
            .expression_attribute_values(":h", s("h"))
            .expression_attribute_values(":t", n(100))
    };
    let first = query().send().await.unwrap();
    let second = query()
        .set_exclusive_start_key(first.last_evaluated_key.clone())
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = first
        .items()
        .iter()
        .chain(second.items())
        .map(|item| item["sk"].as_s().unwrap().as_str())
        .collect();
    assert_eq!(keys, ["c", "b", "a"]);
    let wake_up = world
        .dynamodb
        .update_item()
        .table_name(TABLE)
        .set_key(Some(keyed("p", "c")));
    wake_up
        .update_expression("REMOVE wake, wake_at")
        .send()
        .await
        .unwrap();
    assert_eq!(query().send().await.unwrap().count(), 2);
    let consistent = query().consistent_read(true).send().await;
    assert_eq!(
        code(consistent),
        "ValidationException",
        "an index cannot be read consistently"
    );
}

#[tokio::test]
async fn scan_segments_cover_the_table_once() {
    let world = World::new().await;
    table(&world).await;
    for number in 0..50 {
        put(&world, item(&format!("p{number}"), "s", &[])).await;
    }
    let mut seen = Vec::new();
    for segment in 0..4 {
        let scan = world
            .dynamodb
            .scan()
            .table_name(TABLE)
            .segment(segment)
            .total_segments(4)
            .limit(5);
        let mut pages = scan.into_paginator().send();
        while let Some(page) = pages.next().await {
            seen.extend(
                page.unwrap()
                    .items()
                    .iter()
                    .map(|item| item["pk"].as_s().unwrap().clone()),
            );
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 50);
}
