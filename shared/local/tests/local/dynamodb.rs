//! DynamoDB: what the ledger and the connectors need.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, KeysAndAttributes, PointInTimeRecoverySpecification, Projection, ProjectionType,
    PutRequest, ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TimeToLiveSpecification,
    WriteRequest,
};
use futures::future::join_all;

use crate::{World, code};

pub(crate) const TABLE: &str = "ledger";

pub(crate) async fn table(world: &World) {
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
            .unwrap()
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .unwrap()
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("wake")
        .key_schema(key("wake", KeyType::Hash))
        .key_schema(key("wake_at", KeyType::Range))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::All)
                .build(),
        )
        .build()
        .unwrap();
    world
        .dynamodb
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .attribute_definitions(attribute("wake", ScalarAttributeType::S))
        .attribute_definitions(attribute("wake_at", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(index)
        .send()
        .await
        .unwrap();
}

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn n(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn keyed(pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))])
}

pub(crate) fn item(
    pk: &str,
    sk: &str,
    more: &[(&str, AttributeValue)],
) -> HashMap<String, AttributeValue> {
    let mut item = keyed(pk, sk);
    item.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    item
}

pub(crate) async fn put(world: &World, item: HashMap<String, AttributeValue>) {
    world
        .dynamodb
        .put_item()
        .table_name(TABLE)
        .set_item(Some(item))
        .send()
        .await
        .unwrap();
}

pub(crate) async fn get(
    world: &World,
    pk: &str,
    sk: &str,
) -> Option<HashMap<String, AttributeValue>> {
    let get = world
        .dynamodb
        .get_item()
        .table_name(TABLE)
        .set_key(Some(keyed(pk, sk)))
        .consistent_read(true);
    get.send().await.unwrap().item
}

#[tokio::test]
async fn every_type_comes_back_as_it_was() {
    let world = World::new().await;
    table(&world).await;
    let whole = item(
        "a",
        "b",
        &[
            ("number", n("12345678901234567890123456789012345678")),
            ("small", n("-0.00000000000000000000000000000000000012345")),
            ("binary", AttributeValue::B(Blob::new([0, 255, 1]))),
            ("strings", AttributeValue::Ss(vec!["x".into(), "y".into()])),
            (
                "numbers",
                AttributeValue::Ns(vec!["1".into(), "2.5".into()]),
            ),
            (
                "binaries",
                AttributeValue::Bs(vec![Blob::new([1]), Blob::new([2])]),
            ),
            ("nothing", AttributeValue::Null(true)),
            ("yes", AttributeValue::Bool(true)),
            ("empty", s("")),
            (
                "steps",
                AttributeValue::L(vec![
                    s("1"),
                    AttributeValue::M(HashMap::from([("k".into(), n(1))])),
                ]),
            ),
        ],
    );
    put(&world, whole.clone()).await;
    let mut got = get(&world, "a", "b").await.unwrap();
    // Sets have no order; numbers are compared as numbers below.
    for name in ["strings", "numbers", "binaries", "small"] {
        assert!(got.contains_key(name), "{name}");
    }
    let small = got.remove("small").unwrap();
    assert_eq!(
        small.as_n().unwrap().parse::<f64>().unwrap().to_string(),
        "-0.00000000000000000000000000000000000012345"
    );
    let sorted = |value: &AttributeValue| {
        let mut members = value.as_ns().or_else(|_| value.as_ss()).unwrap().clone();
        members.sort();
        members
    };
    assert_eq!(sorted(&got.remove("numbers").unwrap()), ["1", "2.5"]);
    assert_eq!(sorted(&got.remove("strings").unwrap()), ["x", "y"]);
    for (name, value) in got {
        assert_eq!(Some(&value), whole.get(&name), "{name}");
    }
}

#[tokio::test]
async fn numbers_are_compared_with_all_38_digits() {
    let world = World::new().await;
    table(&world).await;
    put(
        &world,
        item(
            "a",
            "b",
            &[("v", n("12345678901234567890123456789012345678"))],
        ),
    )
    .await;
    let update = |expected: &str| {
        let update = world
            .dynamodb
            .update_item()
            .table_name(TABLE)
            .set_key(Some(keyed("a", "b")));
        let update = update
            .update_expression("SET v = v + :one")
            .condition_expression("v = :v");
        update
            .expression_attribute_values(":v", n(expected))
            .expression_attribute_values(":one", n(1))
            .send()
    };
    let wrong = update("12345678901234567890123456789012345679").await;
    assert_eq!(code(wrong), "ConditionalCheckFailedException");
    update("12345678901234567890123456789012345678")
        .await
        .unwrap();
    let got = get(&world, "a", "b").await.unwrap();
    assert_eq!(got["v"], n("12345678901234567890123456789012345679"));
}

#[tokio::test]
async fn a_put_if_absent_has_one_winner_who_is_shown_to_the_losers() {
    let world = World::new().await;
    table(&world).await;
    let create = |who: usize| {
        let put = world
            .dynamodb
            .put_item()
            .table_name(TABLE)
            .set_item(Some(item("a", "b", &[("who", n(who))])));
        let put = put.condition_expression("attribute_not_exists(pk)");
        put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    let done = join_all((0..16).map(create)).await;
    let winner = (0..16).filter(|who| done[*who].is_ok()).collect::<Vec<_>>();
    assert_eq!(winner.len(), 1);
    for lost in done.into_iter().filter_map(Result::err) {
        let error = lost.into_service_error();
        assert!(error.is_conditional_check_failed_exception(), "{error:?}");
        if let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(error) = error {
            assert_eq!(error.item().unwrap()["who"], n(winner[0]));
        }
    }
}

#[tokio::test]
async fn updates_reach_nested_paths_lists_and_sets() {
    let world = World::new().await;
    table(&world).await;
    let inner = HashMap::from([("email".to_owned(), s("x")), ("keep".to_owned(), s("y"))]);
    let start = item(
        "a",
        "b",
        &[
            ("user", AttributeValue::M(inner)),
            ("steps", AttributeValue::L(vec![s("0"), s("1"), s("2")])),
            ("set", AttributeValue::Ss(vec!["a".into(), "b".into()])),
            ("x", n(1)),
            ("y", n(2)),
        ],
    );
    put(&world, start).await;
    world
        .dynamodb
        .update_item()
        .table_name(TABLE)
        .set_key(Some(keyed("a", "b")))
        .update_expression(
            "SET #u.#n = :v, steps[0] = :v, x = y, y = x REMOVE #u.email, steps[1] DELETE #s :gone",
        )
        .expression_attribute_names("#u", "user")
        .expression_attribute_names("#n", "dotted.name")
        .expression_attribute_names("#s", "set")
        .expression_attribute_values(":v", s("new"))
        .expression_attribute_values(":gone", AttributeValue::Ss(vec!["a".into()]))
        .send()
        .await
        .unwrap();
    let got = get(&world, "a", "b").await.unwrap();
    let user = got["user"].as_m().unwrap();
    assert_eq!(
        (user.len(), &user["dotted.name"], &user["keep"]),
        (2, &s("new"), &s("y"))
    );
    assert_eq!(got["steps"], AttributeValue::L(vec![s("new"), s("2")]));
    assert_eq!(got["set"], AttributeValue::Ss(vec!["b".into()]));
    assert_eq!(
        (&got["x"], &got["y"]),
        (&n(2), &n(1)),
        "every operand is the value before the update"
    );
    let orphan = world
        .dynamodb
        .update_item()
        .table_name(TABLE)
        .set_key(Some(keyed("a", "b")));
    let orphan = orphan
        .update_expression("SET nowhere.deep = :v")
        .expression_attribute_values(":v", n(1));
    assert_eq!(code(orphan.send().await), "ValidationException");
}

#[tokio::test]
async fn batches_write_and_read_many_items() {
    let world = World::new().await;
    table(&world).await;
    let request = |number: usize| {
        let put = PutRequest::builder()
            .set_item(Some(keyed("batch", &number.to_string())))
            .build()
            .unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let write = world
        .dynamodb
        .batch_write_item()
        .request_items(TABLE, (0..25).map(request).collect());
    assert!(
        write
            .send()
            .await
            .unwrap()
            .unprocessed_items
            .unwrap_or_default()
            .is_empty()
    );
    let keys = (0..30)
        .map(|number: usize| keyed("batch", &number.to_string()))
        .collect();
    let keys = KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .consistent_read(true)
        .build()
        .unwrap();
    let read = world
        .dynamodb
        .batch_get_item()
        .request_items(TABLE, keys)
        .send()
        .await
        .unwrap();
    assert_eq!(read.responses().unwrap()[TABLE].len(), 25);
    let too_many = world
        .dynamodb
        .batch_write_item()
        .request_items(TABLE, (0..26).map(request).collect());
    assert_eq!(code(too_many.send().await), "ValidationException");
}

#[tokio::test]
async fn a_table_tells_what_it_is_and_takes_an_expiry() {
    let world = World::new().await;
    table(&world).await;
    let told = world
        .dynamodb
        .describe_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap()
        .table
        .unwrap();
    assert_eq!(told.table_status().unwrap().as_str(), "ACTIVE");
    assert_eq!(
        told.global_secondary_indexes()[0].index_name(),
        Some("wake")
    );
    let expiry = TimeToLiveSpecification::builder()
        .attribute_name("expires_at")
        .enabled(true)
        .build()
        .unwrap();
    let set = world
        .dynamodb
        .update_time_to_live()
        .table_name(TABLE)
        .time_to_live_specification(expiry);
    set.send().await.unwrap();
    let told = world
        .dynamodb
        .describe_time_to_live()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
    assert_eq!(
        told.time_to_live_description().unwrap().attribute_name(),
        Some("expires_at")
    );
    let on = PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .build()
        .unwrap();
    let set = world
        .dynamodb
        .update_continuous_backups()
        .table_name(TABLE)
        .point_in_time_recovery_specification(on);
    set.send().await.unwrap();
    let told = world
        .dynamodb
        .describe_continuous_backups()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
    let told = told.continuous_backups_description.unwrap();
    let status = told
        .point_in_time_recovery_description()
        .unwrap()
        .point_in_time_recovery_status()
        .unwrap();
    assert_eq!(status.as_str(), "ENABLED");
}

#[tokio::test]
async fn an_unknown_table_and_an_unknown_operation_are_refused_loudly() {
    let world = World::new().await;
    let absent = world
        .dynamodb
        .describe_table()
        .table_name("absent")
        .send()
        .await;
    assert_eq!(code(absent), "ResourceNotFoundException");
    let unknown = world.dynamodb.describe_limits().send().await.unwrap_err();
    assert_eq!(unknown.raw_response().unwrap().status().as_u16(), 501);
}

#[tokio::test]
async fn reserved_words_need_placeholders() {
    let world = World::new().await;
    table(&world).await;
    let update = |name: &str| {
        let update = world
            .dynamodb
            .update_item()
            .table_name(TABLE)
            .set_key(Some(keyed("a", "b")));
        update
            .update_expression(format!("SET {name} = :v"))
            .expression_attribute_values(":v", n(1))
    };
    assert_eq!(code(update("date").send().await), "ValidationException");
    update("#d")
        .expression_attribute_names("#d", "date")
        .send()
        .await
        .unwrap();
}
