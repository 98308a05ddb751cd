//! Copies that no effect reaches are listed, and where they are not told, that is said.

use aws_sdk_dynamodb::types::{
    PointInTimeRecoverySpecification, StreamSpecification, StreamViewType,
};
use aws_sdk_s3::types as s3;
use jiff::{SignedDuration, Timestamp};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::outcome::ResidualKind;
use quittance_engine::ports::StoreEraser as _;

use crate::world::{World, store};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn table() -> quittance_core::data_map::Store {
    store("dynamodb: { table: customers }\nfind: [ { email: { key: pk } } ]")
}

async fn listed(
    world: &World,
    store: &quittance_core::data_map::Store,
    now: Timestamp,
) -> Vec<(ResidualKind, Option<SignedDuration>)> {
    let found = world.stores.residuals(store, now).await.unwrap();
    let lasts = |until: Timestamp| until.duration_since(now);
    found
        .iter()
        .map(|(what, until)| (what, until.map(lasts)))
        .collect()
}

#[tokio::test]
async fn a_tables_recovery_and_stream_are_listed_with_their_ends() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    let store = table();
    assert_eq!(listed(&world, &store, NOW).await, []);
    let recovery = PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .build()
        .unwrap();
    let table = &world.dynamodb;
    let on = table.update_continuous_backups().table_name("customers");
    on.point_in_time_recovery_specification(recovery)
        .send()
        .await
        .unwrap();
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::OldImage)
        .build()
        .unwrap();
    let on = table.update_table().table_name("customers");
    on.stream_specification(stream).send().await.unwrap();
    // An answer is good for ten minutes.
    assert_eq!(listed(&world, &store, NOW).await, []);
    let later = NOW + SignedDuration::from_mins(10);
    let expected = [
        (
            ResidualKind::Pitr,
            Some(SignedDuration::from_hours(35 * 24)),
        ),
        (ResidualKind::Stream, Some(SignedDuration::from_hours(24))),
    ];
    assert_eq!(listed(&world, &store, later).await, expected);
}

where_it_can_be! {
#[tokio::test]
async fn a_buckets_replicas_inventories_and_access_logs_are_listed() {
    let world = World::start().await;
    world.bucket("media", None).await;
    let store = store("s3: { bucket: media, objects: \"avatars/{customer_id}/\" }");
    assert_eq!(listed(&world, &store, NOW).await, []);
    let bucket = s3::InventoryS3BucketDestination::builder()
        .bucket("arn:aws:s3:::reports")
        .format(s3::InventoryFormat::Csv);
    let destination = s3::InventoryDestination::builder()
        .s3_bucket_destination(bucket.build().unwrap())
        .build();
    let inventory = s3::InventoryConfiguration::builder()
        .id("all")
        .is_enabled(true)
        .included_object_versions(s3::InventoryIncludedObjectVersions::All)
        .destination(destination)
        .schedule(
            s3::InventorySchedule::builder()
                .frequency(s3::InventoryFrequency::Daily)
                .build()
                .unwrap(),
        );
    let put = world.s3.put_bucket_inventory_configuration();
    put.bucket("media")
        .id("all")
        .inventory_configuration(inventory.build().unwrap())
        .send()
        .await
        .unwrap();
    let logged = s3::LoggingEnabled::builder()
        .target_bucket("logs")
        .target_prefix("media/")
        .build()
        .unwrap();
    let status = s3::BucketLoggingStatus::builder().logging_enabled(logged);
    let put = world.s3.put_bucket_logging().bucket("media");
    put.bucket_logging_status(status.build())
        .send()
        .await
        .unwrap();
    world.replicated("media").await;
    let later = NOW + SignedDuration::from_mins(10);
    let kinds = [
        ResidualKind::AccessLog,
        ResidualKind::Inventory,
        ResidualKind::Replica,
    ];
    let expected = kinds.map(|what| (what, None));
    assert_eq!(listed(&world, &store, later).await, expected);
}
}

#[tokio::test]
async fn what_a_place_will_not_tell_is_unknown_and_what_fails_is_tried_again() {
    let world = World::start().await;
    world.table("customers", &["pk:S"], &[]).await;
    world.bucket("media", None).await;
    let denied = r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException"}"#;
    let unknown = [(ResidualKind::Unknown, None)];
    world
        .wire
        .answer("DescribeContinuousBackups", 1, 400, denied);
    assert_eq!(listed(&world, &table(), NOW).await, unknown);
    let objects = store("s3: { bucket: media, objects: \"avatars/{customer_id}/\" }");
    for (question, status, code) in [
        ("GET replication", 403, "AccessDenied"),
        ("GET inventory", 501, "NotImplemented"),
        ("GET logging", 403, "AccessDenied"),
    ] {
        let world = World::start().await;
        world.bucket("media", None).await;
        let body = format!("<Error><Code>{code}</Code></Error>");
        world.wire.answer(question, 1, status, &body);
        assert_eq!(listed(&world, &objects, NOW).await, unknown, "{question}");
    }
    let later = NOW + SignedDuration::from_hours(1);
    let failing = "<Error><Code>InternalError</Code></Error>";
    world.wire.answer("GET replication", 50, 500, failing);
    let failed = world.stores.residuals(&objects, later).await;
    assert!(matches!(failed, Err(Fault::Retry { .. })), "{failed:?}");
    let gone = store("dynamodb: { table: no-such }\nfind: [ { email: { key: pk } } ]");
    let failed = world.stores.residuals(&gone, NOW).await;
    assert_eq!(failed.err(), Some(Fault::Block(BlockReason::StoreMissing)));
}
