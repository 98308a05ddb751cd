//! Versions and delete markers.

use aws_sdk_s3::types::BucketVersioningStatus;

use crate::s3_objects::{BUCKET, bucket, put, set_versioning, text};
use crate::{World, code};

#[tokio::test]
async fn a_versioned_delete_only_adds_a_marker() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    let (_, first) = put(&world, "k", "1").await;
    let hidden = world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(hidden.delete_marker(), Some(true));
    let marker = hidden.version_id().unwrap();

    assert_eq!(
        code(world.s3.get_object().bucket(BUCKET).key("k").send().await),
        "NoSuchKey"
    );
    let by_marker = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(marker)
        .send()
        .await;
    assert_eq!(code(by_marker), "MethodNotAllowed");
    let old = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(first.unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"1");

    let unmarked = world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(marker)
        .send()
        .await
        .unwrap();
    assert_eq!(unmarked.delete_marker(), Some(true));
    assert_eq!(text(&world, "k").await, "1");
}

#[tokio::test]
async fn a_deleted_version_is_gone_and_deleting_it_again_succeeds() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    let (_, first) = put(&world, "k", "1").await;
    put(&world, "k", "2").await;
    let first = first.unwrap();
    let delete = || {
        world
            .s3
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .version_id(&first)
            .send()
    };
    delete().await.unwrap();
    delete().await.unwrap();
    let gone = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(&first)
        .send()
        .await;
    assert_eq!(code(gone), "NoSuchVersion");
    assert_eq!(text(&world, "k").await, "2");
}

#[tokio::test]
async fn suspended_versioning_replaces_only_the_null_version() {
    let world = World::new().await;
    bucket(&world, None).await;
    put(&world, "k", "before versions").await;
    set_versioning(&world, BucketVersioningStatus::Enabled).await;
    let (_, kept) = put(&world, "k", "with versions").await;
    set_versioning(&world, BucketVersioningStatus::Suspended).await;
    let (_, null) = put(&world, "k", "suspended").await;
    assert_eq!(null.as_deref(), Some("null"));

    let listed = world
        .s3
        .list_object_versions()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    let ids: Vec<_> = listed
        .versions()
        .iter()
        .map(|v| v.version_id().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["null".to_owned(), kept.unwrap()]);
    world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let listed = world
        .s3
        .list_object_versions()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.versions().len(), 1);
    assert_eq!(listed.delete_markers()[0].version_id(), Some("null"));
}
