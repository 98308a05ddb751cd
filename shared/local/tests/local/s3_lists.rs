//! Listings, page by page.

use aws_sdk_s3::types::{BucketVersioningStatus, EncodingType};
use futures::StreamExt as _;

use crate::World;
use crate::s3_objects::{BUCKET, bucket, put};

async fn put_all(world: &World, keys: &[String]) {
    let puts = keys.iter().map(|key| put(world, key, "x"));
    futures::stream::iter(puts)
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await;
}

#[tokio::test]
async fn pages_show_every_object_once_in_order() {
    let world = World::new().await;
    bucket(&world, None).await;
    let keys: Vec<String> = (0..57).map(|n| format!("k{n:03}")).collect();
    put_all(&world, &keys).await;
    put_all(&world, &["a".into(), "l".into()]).await;
    let list = world
        .s3
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix("k")
        .max_keys(10);
    let mut pages = list.into_paginator().send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        seen.extend(
            page.unwrap()
                .contents()
                .iter()
                .map(|object| object.key().unwrap().to_owned()),
        );
    }
    assert_eq!(seen, keys);
    let after = world
        .s3
        .list_objects_v2()
        .bucket(BUCKET)
        .start_after("k054")
        .send()
        .await
        .unwrap();
    let seen: Vec<_> = after
        .contents()
        .iter()
        .map(|object| object.key().unwrap())
        .collect();
    assert_eq!(seen, ["k055", "k056", "l"]);
}

#[tokio::test]
async fn a_delimiter_groups_keys_across_pages() {
    let world = World::new().await;
    bucket(&world, None).await;
    let mut keys: Vec<String> = (0..30).map(|n| format!("dir{}/f{n}", n % 3)).collect();
    keys.extend(["root1".into(), "a/b/c".into(), "dir1".into()]);
    put_all(&world, &keys).await;
    let list = world
        .s3
        .list_objects_v2()
        .bucket(BUCKET)
        .delimiter("/")
        .max_keys(2);
    let mut pages = list.into_paginator().send();
    let (mut names, mut sizes) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.key_count().unwrap());
        names.extend(
            page.contents()
                .iter()
                .map(|object| object.key().unwrap().to_owned()),
        );
        names.extend(
            page.common_prefixes()
                .iter()
                .map(|prefix| prefix.prefix().unwrap().to_owned()),
        );
    }
    names.sort();
    assert_eq!(names, ["a/", "dir0/", "dir1", "dir1/", "dir2/", "root1"]);
    assert_eq!(sizes, [2, 2, 2]);
    let below = world
        .s3
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix("a/")
        .delimiter("/")
        .send()
        .await
        .unwrap();
    assert_eq!(below.common_prefixes()[0].prefix(), Some("a/b/"));
}

#[tokio::test]
async fn more_than_a_thousand_versions_are_paged_without_loss() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    let mut keys = Vec::new();
    for n in 0..1040 {
        keys.push(format!("p/k{:02}", n % 21));
    }
    put_all(&world, &keys).await;
    for n in 0..21 {
        world
            .s3
            .delete_object()
            .bucket(BUCKET)
            .key(format!("p/k{n:02}"))
            .send()
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let (mut latest, mut markers) = (0, 0);
    let (mut key, mut id) = (None, None);
    loop {
        let list = world
            .s3
            .list_object_versions()
            .bucket(BUCKET)
            .prefix("p/")
            .max_keys(37);
        let page = list
            .set_key_marker(key)
            .set_version_id_marker(id)
            .send()
            .await
            .unwrap();
        seen.extend(page.versions().iter().map(|v| {
            (
                v.key().unwrap().to_owned(),
                v.version_id().unwrap().to_owned(),
            )
        }));
        latest += page
            .versions()
            .iter()
            .filter(|v| v.is_latest() == Some(true))
            .count();
        markers += page
            .delete_markers()
            .iter()
            .filter(|m| m.is_latest() == Some(true))
            .count();
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!((seen.len(), latest, markers), (1040, 0, 21));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1040);
}

#[tokio::test]
async fn versions_deleted_between_pages_hide_no_others() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    for _ in 0..20 {
        put(&world, "one", "x").await;
    }
    let mut deleted = 0;
    let (mut key, mut id) = (None, None);
    loop {
        let list = world.s3.list_object_versions().bucket(BUCKET).max_keys(3);
        let page = list
            .set_key_marker(key)
            .set_version_id_marker(id)
            .send()
            .await
            .unwrap();
        for version in page.versions() {
            let delete = world.s3.delete_object().bucket(BUCKET).key("one");
            delete
                .version_id(version.version_id().unwrap())
                .send()
                .await
                .unwrap();
            deleted += 1;
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(deleted, 20);
    world
        .s3
        .delete_bucket()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn versions_are_grouped_by_a_delimiter_too() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    for key in ["a/1", "a/2", "b", "c/1", "b"] {
        put(&world, key, "x").await;
    }
    let (mut names, mut groups) = (Vec::new(), Vec::new());
    let (mut key, mut id) = (None, None);
    loop {
        let list = world
            .s3
            .list_object_versions()
            .bucket(BUCKET)
            .delimiter("/")
            .max_keys(1);
        let page = list
            .set_key_marker(key)
            .set_version_id_marker(id)
            .send()
            .await
            .unwrap();
        names.extend(page.versions().iter().map(|v| v.key().unwrap().to_owned()));
        groups.extend(
            page.common_prefixes()
                .iter()
                .map(|p| p.prefix().unwrap().to_owned()),
        );
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(
        (names, groups),
        (
            vec!["b".into(), "b".into()],
            vec!["a/".to_owned(), "c/".to_owned()]
        )
    );
}

#[tokio::test]
async fn names_are_encoded_when_asked() {
    let world = World::new().await;
    bucket(&world, None).await;
    put(&world, "a b+ü/c", "x").await;
    let listed = world
        .s3
        .list_objects_v2()
        .bucket(BUCKET)
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.contents()[0].key(), Some("a%20b%2B%C3%BC/c"));
    let listed = world.s3.list_objects().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.contents()[0].key(), Some("a b+ü/c"));
}
