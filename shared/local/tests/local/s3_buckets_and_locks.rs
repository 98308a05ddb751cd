//! Buckets, Object Lock, kept settings, and what is refused.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, Delete, Event, NotificationConfiguration,
    ObjectIdentifier, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold,
    ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode,
    ObjectLockRule, QueueConfiguration,
};

use crate::s3_objects::{BUCKET, bucket, put};
use crate::{World, code, machine_ms};

const HOUR_MS: i64 = 3_600_000;

async fn locked_bucket(world: &World) {
    world
        .s3
        .create_bucket()
        .bucket(BUCKET)
        .object_lock_enabled_for_bucket(true)
        .send()
        .await
        .unwrap();
}

async fn put_locked(world: &World, mode: ObjectLockMode, until_ms: i64) -> String {
    let put = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(ByteStream::from_static(b"x"));
    let put = put
        .object_lock_mode(mode)
        .object_lock_retain_until_date(DateTime::from_millis(until_ms));
    put.send().await.unwrap().version_id.unwrap()
}

#[tokio::test]
async fn a_bucket_is_made_once_named_found_and_removed_only_when_empty() {
    let world = World::new().await;
    bucket(&world, None).await;
    let again = world.s3.create_bucket().bucket(BUCKET).send().await;
    assert_eq!(code(again), "BucketAlreadyOwnedByYou");
    world.s3.head_bucket().bucket(BUCKET).send().await.unwrap();
    assert!(
        world
            .s3
            .head_bucket()
            .bucket("absent")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_found()
    );
    let listed = world.s3.list_buckets().send().await.unwrap();
    assert_eq!(listed.buckets()[0].name(), Some(BUCKET));
    put(&world, "k", "x").await;
    assert_eq!(
        code(world.s3.delete_bucket().bucket(BUCKET).send().await),
        "BucketNotEmpty"
    );
    world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    world
        .s3
        .delete_bucket()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(world.s3.list_objects_v2().bucket(BUCKET).send().await),
        "NoSuchBucket"
    );
}

#[tokio::test]
async fn versioning_is_what_was_set_last() {
    let world = World::new().await;
    bucket(&world, None).await;
    let versioning = || world.s3.get_bucket_versioning().bucket(BUCKET).send();
    assert_eq!(versioning().await.unwrap().status(), None);
    crate::s3_objects::set_versioning(&world, BucketVersioningStatus::Enabled).await;
    assert_eq!(
        versioning().await.unwrap().status(),
        Some(&BucketVersioningStatus::Enabled)
    );
    crate::s3_objects::set_versioning(&world, BucketVersioningStatus::Suspended).await;
    assert_eq!(
        versioning().await.unwrap().status(),
        Some(&BucketVersioningStatus::Suspended)
    );
}

#[tokio::test]
async fn compliance_keeps_a_version_until_its_date_whoever_asks() {
    let world = World::new().await;
    locked_bucket(&world).await;
    let id = put_locked(&world, ObjectLockMode::Compliance, machine_ms() + HOUR_MS).await;
    let delete = || {
        world
            .s3
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .version_id(&id)
    };
    assert_eq!(code(delete().send().await), "AccessDenied");
    assert_eq!(
        code(delete().bypass_governance_retention(true).send().await),
        "AccessDenied"
    );
    let object = ObjectIdentifier::builder()
        .key("k")
        .version_id(&id)
        .build()
        .unwrap();
    let many = Delete::builder().objects(object).build().unwrap();
    let many = world
        .s3
        .delete_objects()
        .bucket(BUCKET)
        .delete(many)
        .send()
        .await
        .unwrap();
    assert_eq!(many.errors()[0].code(), Some("AccessDenied"));
    let retention = |until: i64| {
        let retention = ObjectLockRetention::builder().mode(ObjectLockRetentionMode::Compliance);
        let retention = retention
            .retain_until_date(DateTime::from_millis(until))
            .build();
        world
            .s3
            .put_object_retention()
            .bucket(BUCKET)
            .key("k")
            .version_id(&id)
            .retention(retention)
            .send()
    };
    assert_eq!(
        code(retention(machine_ms() + HOUR_MS / 2).await),
        "AccessDenied"
    );
    retention(machine_ms() + 2 * HOUR_MS).await.unwrap();
    // A marker on top is no deletion, and is allowed.
    world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    world.move_clock(3 * HOUR_MS);
    delete().send().await.unwrap();
}

#[tokio::test]
async fn governance_yields_to_the_bypass_header_only() {
    let world = World::new().await;
    locked_bucket(&world).await;
    let id = put_locked(&world, ObjectLockMode::Governance, machine_ms() + HOUR_MS).await;
    let delete = || {
        world
            .s3
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .version_id(&id)
    };
    assert_eq!(code(delete().send().await), "AccessDenied");
    let told = world
        .s3
        .get_object_retention()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap()
        .retention
        .unwrap();
    assert_eq!(told.mode(), Some(&ObjectLockRetentionMode::Governance));
    delete()
        .bypass_governance_retention(true)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_legal_hold_keeps_a_version_until_it_is_lifted() {
    let world = World::new().await;
    locked_bucket(&world).await;
    let (_, id) = put(&world, "k", "x").await;
    let id = id.unwrap();
    let hold = |status| {
        let hold = ObjectLockLegalHold::builder().status(status).build();
        world
            .s3
            .put_object_legal_hold()
            .bucket(BUCKET)
            .key("k")
            .legal_hold(hold)
            .send()
    };
    hold(ObjectLockLegalHoldStatus::On).await.unwrap();
    let head = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(
        head.object_lock_legal_hold_status(),
        Some(&ObjectLockLegalHoldStatus::On)
    );
    let delete = || {
        world
            .s3
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .version_id(&id)
    };
    assert_eq!(
        code(delete().bypass_governance_retention(true).send().await),
        "AccessDenied"
    );
    hold(ObjectLockLegalHoldStatus::Off).await.unwrap();
    let told = world
        .s3
        .get_object_legal_hold()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(
        told.legal_hold().unwrap().status(),
        Some(&ObjectLockLegalHoldStatus::Off)
    );
    delete().send().await.unwrap();
}

#[tokio::test]
async fn a_default_retention_holds_every_new_version() {
    let world = World::new().await;
    locked_bucket(&world).await;
    let default = DefaultRetention::builder()
        .mode(ObjectLockRetentionMode::Compliance)
        .days(1)
        .build();
    let configuration = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(default).build())
        .build();
    let set = world
        .s3
        .put_object_lock_configuration()
        .bucket(BUCKET)
        .object_lock_configuration(configuration);
    set.send().await.unwrap();
    let told = world
        .s3
        .get_object_lock_configuration()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    let rule = told.object_lock_configuration.unwrap().rule.unwrap();
    assert_eq!(rule.default_retention().unwrap().days(), Some(1));
    let (_, id) = put(&world, "k", "x").await;
    let delete = || {
        world
            .s3
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .version_id(id.as_deref().unwrap())
    };
    assert_eq!(code(delete().send().await), "AccessDenied");
    world.move_clock(25 * HOUR_MS);
    delete().send().await.unwrap();
}

#[tokio::test]
async fn locks_need_a_bucket_with_object_lock() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    put(&world, "k", "x").await;
    let told = world
        .s3
        .get_object_retention()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await;
    assert_eq!(code(told), "InvalidRequest");
    let told = world
        .s3
        .get_object_lock_configuration()
        .bucket(BUCKET)
        .send()
        .await;
    assert_eq!(code(told), "ObjectLockConfigurationNotFoundError");
    let put = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .object_lock_mode(ObjectLockMode::Governance);
    let put = put.object_lock_retain_until_date(DateTime::from_millis(machine_ms() + HOUR_MS));
    assert_eq!(code(put.send().await), "InvalidRequest");
}

#[tokio::test]
async fn settings_are_kept_and_given_back() {
    let world = World::new().await;
    bucket(&world, None).await;
    let none = world
        .s3
        .get_bucket_notification_configuration()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    assert!(none.queue_configurations().is_empty());
    let queue = QueueConfiguration::builder().queue_arn("arn:aws:sqs:us-east-1:000000000000:q");
    let queue = queue
        .events(Event::from("s3:ObjectCreated:*"))
        .build()
        .unwrap();
    let configuration = NotificationConfiguration::builder()
        .queue_configurations(queue)
        .build();
    let set = world
        .s3
        .put_bucket_notification_configuration()
        .bucket(BUCKET);
    set.notification_configuration(configuration)
        .send()
        .await
        .unwrap();
    let told = world
        .s3
        .get_bucket_notification_configuration()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    assert_eq!(
        told.queue_configurations()[0].queue_arn(),
        "arn:aws:sqs:us-east-1:000000000000:q"
    );
    let absent = world
        .s3
        .get_bucket_replication()
        .bucket(BUCKET)
        .send()
        .await;
    assert_eq!(code(absent), "ReplicationConfigurationNotFoundError");
    let absent = world
        .s3
        .get_bucket_lifecycle_configuration()
        .bucket(BUCKET)
        .send()
        .await;
    assert_eq!(code(absent), "NoSuchLifecycleConfiguration");
}

#[tokio::test]
async fn what_is_not_emulated_answers_501() {
    let world = World::new().await;
    bucket(&world, None).await;
    let refused = world.s3.get_bucket_website().bucket(BUCKET).send().await;
    assert_eq!(code(refused), "NotImplemented");
    let refused = world
        .s3
        .get_object_acl()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 501);
}
