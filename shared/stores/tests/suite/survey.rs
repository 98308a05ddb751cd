//! Where a data map and an account differ is found, and nothing else.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
use aws_sdk_s3::types as s3;
use quittance_core::data_map::DataMap;
use quittance_stores::survey::{Finding, FindingKind, survey};

use crate::world::World;

fn map(stores: &str) -> DataMap {
    let text = format!(
        "version: 1
controller: {{ id: shop, name: Shop, contact: privacy@example.test, role: controller }}
identifiers:
  email: {{ normalise: email }}
  customer_id: {{ normalise: exact, asked: true }}
stores:
{stores}"
    );
    DataMap::parse(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn customers(find: &str) -> DataMap {
    map(&format!(
        "  - id: customers
    public_name: Account
    dynamodb: {{ table: customers }}
    find: [ {find} ]
    residency: us
"
    ))
}

async fn found(world: &World, map: &DataMap, own: &[&str]) -> Vec<Finding> {
    let own: BTreeSet<String> = own.iter().map(|name| (*name).to_owned()).collect();
    survey(&world.stores, map, &own).await.unwrap()
}

fn kinds(findings: &[Finding]) -> Vec<(FindingKind, String)> {
    let kind = |finding: &Finding| (finding.kind, finding.place.clone());
    findings.iter().map(kind).collect()
}

async fn shop() -> World {
    let world = World::start().await;
    let index: (&str, &[&str]) = ("by_email", &["email:S"]);
    world.table("customers", &["pk:S", "sk:S"], &[index]).await;
    world.table("ledger", &["pk:S"], &[]).await;
    world.bucket("lake", None).await;
    world
}

#[tokio::test]
async fn a_map_that_is_right_and_complete_differs_nowhere() {
    let world = shop().await;
    let all = map("  - id: customers
    public_name: Account
    dynamodb: { table: customers }
    find:
      - email: { index: by_email, key: email, coverage: complete }
      - customer_id: { key: pk, sort: { key: sk, equals: PROFILE } }
    residency: us-east-1
  - id: events
    public_name: Events
    s3: { bucket: lake, prefix: e/, format: jsonl }
    find: [ { email: { field: email } } ]
");
    assert_eq!(found(&world, &all, &["ledger"]).await, []);
}

#[tokio::test]
async fn places_that_no_store_names_are_listed_but_for_our_own() {
    let world = shop().await;
    let one = customers("{ customer_id: { key: pk } }");
    let findings = found(&world, &one, &["ledger"]).await;
    assert_eq!(
        kinds(&findings),
        [(FindingKind::Unmapped, "bucket lake".to_owned())]
    );
    let findings = found(&world, &one, &["lake"]).await;
    assert_eq!(
        kinds(&findings),
        [(FindingKind::Unmapped, "table ledger".to_owned())]
    );
    // Many, over pages.
    for n in 0..110 {
        world.table(&format!("other-{n:03}"), &["pk:S"], &[]).await;
    }
    assert_eq!(found(&world, &one, &["ledger", "lake"]).await.len(), 110);
}

#[tokio::test]
async fn keys_and_indexes_that_are_otherwise_are_told() {
    let world = shop().await;
    for (find, says) in [
        (
            "{ customer_id: { key: id } }",
            "the table's key is pk, and the map says key: id; correct the map",
        ),
        (
            "{ customer_id: { key: pk, type: number } }",
            "pk is of type S, and the map asks for N",
        ),
        (
            "{ customer_id: { key: pk, sort: { key: kind, equals: X } } }",
            "the sort key of the table's key is sk, and the map says sort: { key: kind, equals: … }",
        ),
        (
            "{ email: { index: by_mail, key: email, coverage: complete } }",
            "has no index by_mail",
        ),
        (
            "{ email: { index: by_email, key: mail, coverage: complete } }",
            "the key of by_email is email",
        ),
    ] {
        let findings = found(&world, &customers(find), &["ledger", "lake"]).await;
        assert_eq!(
            kinds(&findings),
            [(FindingKind::Mismatch, "table customers".to_owned())],
            "{find}"
        );
        assert!(findings[0].says.starts_with(says), "{}", findings[0].says);
        assert!(findings[0].kind.is_drift());
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_lies_elsewhere_is_told() {
    let world = shop().await;
    let gone = map("  - id: customers
    public_name: Account
    dynamodb: { table: clients }
    find: [ { customer_id: { key: pk } } ]
  - id: media
    public_name: Media
    s3: { bucket: no-such-media, objects: \"a/{customer_id}/\" }
");
    let findings = found(&world, &gone, &["customers", "ledger", "lake"]).await;
    let missing = |place: &str| (FindingKind::Missing, place.to_owned());
    assert_eq!(
        kinds(&findings),
        [missing("table clients"), missing("bucket no-such-media")]
    );
    let european = map("  - id: customers
    public_name: Account
    dynamodb: { table: customers }
    find: [ { customer_id: { key: pk } } ]
    residency: eu
  - id: events
    public_name: Events
    s3: { bucket: lake, prefix: e/, format: jsonl }
    find: [ { email: { field: email } } ]
    residency: de
");
    let findings = found(&world, &european, &["ledger"]).await;
    let elsewhere = |place: &str| (FindingKind::Residency, place.to_owned());
    assert_eq!(
        kinds(&findings),
        [elsewhere("table customers"), elsewhere("bucket lake")]
    );
    assert!(
        findings[0]
            .says
            .starts_with("is in us-east-1, and the map says residency: eu")
    );
}

#[tokio::test]
async fn what_rewrites_set_off_and_what_keeps_objects_is_told_and_is_no_drift() {
    let world = shop().await;
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::OldImage)
        .build()
        .unwrap();
    let on = world.dynamodb.update_table().table_name("customers");
    on.stream_specification(stream).send().await.unwrap();
    let events = s3::EventBridgeConfiguration::builder().build();
    let told = s3::NotificationConfiguration::builder().event_bridge_configuration(events);
    let put = world.s3.put_bucket_notification_configuration();
    put.bucket("lake")
        .notification_configuration(told.build())
        .send()
        .await
        .unwrap();
    world.replicated("lake").await;
    let archive = s3::Transition::builder()
        .days(30)
        .storage_class(s3::TransitionStorageClass::DeepArchive);
    let filter = s3::LifecycleRuleFilter::builder().prefix("e/old/").build();
    let rule = s3::LifecycleRule::builder()
        .id("old")
        .status(s3::ExpirationStatus::Enabled)
        .filter(filter)
        .transitions(archive.build());
    let rules = s3::BucketLifecycleConfiguration::builder().rules(rule.build().unwrap());
    let put = world.s3.put_bucket_lifecycle_configuration().bucket("lake");
    put.lifecycle_configuration(rules.build().unwrap())
        .send()
        .await
        .unwrap();
    let lake = |prefix: &str, copies: &str| {
        map(&format!(
            "  - id: customers
    public_name: Account
    dynamodb: {{ table: customers }}
    find: [ {{ customer_id: {{ key: pk }} }} ]
  - id: events
    public_name: Events
    s3: {{ bucket: lake, prefix: {prefix}, format: jsonl }}
    find: [ {{ email: {{ field: email }} }} ]
{copies}"
        ))
    };
    let findings = found(&world, &lake("e/", ""), &["ledger"]).await;
    let of = |kind, place: &str| (kind, place.to_owned());
    assert_eq!(
        kinds(&findings),
        [
            of(FindingKind::Fires, "table customers"),
            of(FindingKind::Copies, "bucket lake"),
            of(FindingKind::Fires, "bucket lake"),
            of(FindingKind::Blocks, "bucket lake"),
        ]
    );
    assert!(findings.iter().all(|finding| !finding.kind.is_drift()));
    // What the map speaks of is not told again, nor a rule about other keys.
    let known = lake("f/", "    copies: { replica: indefinite }");
    let findings = found(&world, &known, &["ledger"]).await;
    assert_eq!(
        kinds(&findings),
        [
            of(FindingKind::Fires, "table customers"),
            of(FindingKind::Fires, "bucket lake"),
        ]
    );
}

#[tokio::test]
async fn a_question_that_is_refused_is_told_and_never_taken_for_a_no() {
    let world = shop().await;
    let denied = r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException"}"#;
    world.wire.answer("ListTables", 1, 400, denied);
    let body = "<Error><Code>AccessDenied</Code></Error>";
    for question in [
        "GET replication",
        "GET notification",
        "GET object-lock",
        "GET lifecycle",
    ] {
        world.wire.answer(question, 1, 403, body);
    }
    let lake = map("  - id: events
    public_name: Events
    s3: { bucket: lake, prefix: e/, format: jsonl }
    find: [ { email: { field: email } } ]
");
    let findings = found(&world, &lake, &[]).await;
    assert!(world.wire.is_played());
    assert_eq!(findings.len(), 5, "{findings:?}");
    for finding in findings {
        assert_eq!(finding.kind, FindingKind::Unasked);
        assert!(finding.kind.is_drift());
        assert!(finding.says.contains("; allow "), "{}", finding.says);
    }
}
