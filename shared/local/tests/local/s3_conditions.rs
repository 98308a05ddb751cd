//! Conditions on reads, writes, deletes and copies of objects.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::BucketVersioningStatus;
use futures::future::join_all;

use crate::s3_objects::{BUCKET, bucket, put, text};
use crate::{World, code};

#[tokio::test]
async fn reads_obey_their_conditions() {
    let world = World::new().await;
    bucket(&world, None).await;
    let (etag, _) = put(&world, "k", "x").await;
    let get = || world.s3.get_object().bucket(BUCKET).key("k");
    get().if_match(&etag).send().await.unwrap();
    assert_eq!(
        code(get().if_match("\"other\"").send().await),
        "PreconditionFailed"
    );
    let unchanged = get().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
}

#[tokio::test]
async fn if_match_writes_only_over_the_version_that_was_read() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    let (first, _) = put(&world, "k", "1").await;
    let write = |key: &str, etag: &str| {
        let body = ByteStream::from_static(b"2");
        world
            .s3
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body)
            .if_match(etag)
    };
    write("k", &first).send().await.unwrap();
    assert_eq!(code(write("k", &first).send().await), "PreconditionFailed");
    assert_eq!(code(write("absent", &first).send().await), "NoSuchKey");
    world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(write("k", &first).send().await),
        "NoSuchKey",
        "a marker is no object"
    );
}

#[tokio::test]
async fn if_none_match_writes_only_what_is_not_there() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    let create = || {
        let body = ByteStream::from_static(b"x");
        world
            .s3
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(body)
            .if_none_match("*")
    };
    create().send().await.unwrap();
    assert_eq!(code(create().send().await), "PreconditionFailed");
    world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    create().send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_racing_conditional_writers_exactly_one_wins() {
    let world = World::new().await;
    bucket(&world, None).await;
    let create = |n: usize| {
        let body = ByteStream::from(n.to_string().into_bytes());
        world
            .s3
            .put_object()
            .bucket(BUCKET)
            .key("new")
            .body(body)
            .if_none_match("*")
            .send()
    };
    let done = join_all((0..24).map(create)).await;
    assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);

    let (etag, _) = put(&world, "old", "before").await;
    let replace = |n: usize| {
        let body = ByteStream::from(n.to_string().into_bytes());
        world
            .s3
            .put_object()
            .bucket(BUCKET)
            .key("old")
            .body(body)
            .if_match(&etag)
            .send()
    };
    let done = join_all((0..24).map(replace)).await;
    let winners: Vec<usize> = (0..24).filter(|n| done[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(text(&world, "old").await, winners[0].to_string());
}

#[tokio::test]
async fn if_match_deletes_only_the_version_that_was_read() {
    let world = World::new().await;
    bucket(&world, None).await;
    let (etag, _) = put(&world, "k", "1").await;
    put(&world, "k", "2").await;
    let stale = world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .if_match(etag)
        .send()
        .await;
    assert_eq!(code(stale), "PreconditionFailed");
    assert_eq!(text(&world, "k").await, "2");
    let head = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let now = head.e_tag().unwrap();
    world
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .if_match(now)
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(world.s3.get_object().bucket(BUCKET).key("k").send().await),
        "NoSuchKey"
    );
}

#[tokio::test]
async fn a_copy_obeys_the_conditions_on_its_source() {
    let world = World::new().await;
    bucket(&world, None).await;
    let (etag, _) = put(&world, "from", "1").await;
    let copy = || {
        world
            .s3
            .copy_object()
            .bucket(BUCKET)
            .key("to")
            .copy_source(format!("{BUCKET}/from"))
    };
    copy().copy_source_if_match(&etag).send().await.unwrap();
    put(&world, "from", "2").await;
    assert_eq!(
        code(copy().copy_source_if_match(&etag).send().await),
        "PreconditionFailed"
    );
    let onto_itself = world
        .s3
        .copy_object()
        .bucket(BUCKET)
        .key("from")
        .copy_source(format!("{BUCKET}/from"));
    assert_eq!(code(onto_itself.send().await), "InvalidRequest");
}
