//! Objects: put, get, head, delete, copy, in buckets with and without versions.

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, Delete, MetadataDirective,
    ObjectIdentifier, StorageClass, TaggingDirective, VersioningConfiguration,
};

use crate::{World, code};

pub(crate) const BUCKET: &str = "a-bucket";

pub(crate) async fn bucket(world: &World, versioning: Option<BucketVersioningStatus>) {
    world
        .s3
        .create_bucket()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    if let Some(status) = versioning {
        set_versioning(world, status).await;
    }
}

pub(crate) async fn set_versioning(world: &World, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    let put = world
        .s3
        .put_bucket_versioning()
        .bucket(BUCKET)
        .versioning_configuration(configuration);
    put.send().await.unwrap();
}

pub(crate) async fn put(world: &World, key: &str, body: &str) -> (String, Option<String>) {
    let body = ByteStream::from(body.as_bytes().to_vec());
    let done = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .body(body)
        .send()
        .await
        .unwrap();
    (done.e_tag.unwrap(), done.version_id)
}

pub(crate) async fn text(world: &World, key: &str) -> String {
    let got = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key(key)
        .send()
        .await
        .unwrap();
    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn an_object_comes_back_with_everything_that_was_said_of_it() {
    let world = World::new().await;
    bucket(&world, None).await;
    let key = "päth/with space+plus&%.jsonl";
    world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .body(ByteStream::from_static(b"hello"))
        .content_type("application/json")
        .cache_control("max-age=1")
        .content_encoding("gzip")
        .content_disposition("attachment")
        .content_language("de")
        .metadata("made-by", "a test")
        .storage_class(StorageClass::StandardIa)
        .tagging("team=privacy&note=a%20b")
        .send()
        .await
        .unwrap();

    let got = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key(key)
        .send()
        .await
        .unwrap();

    assert_eq!(got.content_type(), Some("application/json"));
    assert_eq!(got.cache_control(), Some("max-age=1"));
    assert_eq!(got.content_encoding(), Some("gzip"));
    assert_eq!(got.content_disposition(), Some("attachment"));
    assert_eq!(got.content_language(), Some("de"));
    assert_eq!(got.metadata().unwrap()["made-by"], "a test");
    assert_eq!(got.storage_class(), Some(&StorageClass::StandardIa));
    assert_eq!(got.tag_count(), Some(2));
    assert_eq!(got.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(got.version_id(), None);
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    let tags = world
        .s3
        .get_object_tagging()
        .bucket(BUCKET)
        .key(key)
        .send()
        .await
        .unwrap();
    let tags: Vec<_> = tags
        .tag_set()
        .iter()
        .map(|tag| (tag.key(), tag.value()))
        .collect();
    assert_eq!(tags, [("note", "a b"), ("team", "privacy")]);
    let head = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key(key)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.content_length(), head.cache_control()),
        (Some(5), Some("max-age=1"))
    );
}

#[tokio::test]
async fn every_checksum_is_compared_kept_and_echoed() {
    let world = World::new().await;
    bucket(&world, None).await;
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"].map(ChecksumAlgorithm::from)
    {
        let body = ByteStream::from_static(b"hello");
        let put = world
            .s3
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(body)
            .checksum_algorithm(algorithm.clone());
        put.send().await.unwrap();
        let get = world
            .s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .checksum_mode(ChecksumMode::Enabled);
        let got = get.send().await.unwrap();
        let echoed = [
            got.checksum_crc32(),
            got.checksum_crc32_c(),
            got.checksum_crc64_nvme(),
            got.checksum_sha1(),
            got.checksum_sha256(),
        ];
        assert_eq!(
            echoed.iter().flatten().count(),
            1,
            "{algorithm}: {echoed:?}"
        );
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    }
    let body = ByteStream::from_static(b"hello");
    let wrong = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(body)
        .checksum_crc32("AAAAAA==");
    assert_eq!(code(wrong.send().await), "BadDigest");
    let body = ByteStream::from_static(b"hello");
    let wrong = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(body)
        .content_md5("XrY7u+Ae7tCTyyK7j1rNww==");
    assert_eq!(code(wrong.send().await), "BadDigest");
}

#[tokio::test]
async fn a_body_of_unknown_origin_streams_through_unchanged() {
    let world = World::new().await;
    bucket(&world, None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    let bytes: Vec<u8> = (0..3_500_000_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    std::fs::write(&file, &bytes).unwrap();
    let body = ByteStream::from_path(&file).await.unwrap();
    world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("big")
        .body(body)
        .send()
        .await
        .unwrap();
    let got = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("big")
        .send()
        .await
        .unwrap();
    assert!(
        got.body.collect().await.unwrap().to_vec() == bytes,
        "the bytes differ"
    );
}

#[tokio::test]
async fn ranges_from_the_start_the_middle_and_the_end_are_served() {
    let world = World::new().await;
    bucket(&world, None).await;
    put(&world, "k", "0123456789").await;
    for (range, bytes, header) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=4-", "456789", "bytes 4-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let got = world
            .s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .range(range)
            .send()
            .await
            .unwrap();
        assert_eq!(got.content_range(), Some(header));
        assert_eq!(
            got.body.collect().await.unwrap().to_vec(),
            bytes.as_bytes(),
            "{range}"
        );
    }
    let beyond = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=10-")
        .send()
        .await;
    assert_eq!(code(beyond), "InvalidRange");
}

#[tokio::test]
async fn many_deletes_report_each_key() {
    let world = World::new().await;
    bucket(&world, None).await;
    for key in ["a", "b", "c"] {
        put(&world, key, key).await;
    }
    let named = |key: &str, etag: Option<&str>| {
        ObjectIdentifier::builder()
            .key(key)
            .set_e_tag(etag.map(str::to_owned))
            .build()
            .unwrap()
    };
    let objects = vec![
        named("a", None),
        named("b", Some("\"stale\"")),
        named("never", None),
    ];
    let delete = Delete::builder()
        .set_objects(Some(objects))
        .build()
        .unwrap();
    let done = world
        .s3
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete)
        .send()
        .await
        .unwrap();
    let deleted: Vec<_> = done.deleted().iter().map(|d| d.key().unwrap()).collect();
    assert_eq!(deleted, ["a", "never"]);
    assert_eq!(
        (done.errors()[0].key(), done.errors()[0].code()),
        (Some("b"), Some("PreconditionFailed"))
    );
    assert_eq!(text(&world, "b").await, "b");
}

#[tokio::test]
async fn a_copy_keeps_or_replaces_what_is_said_of_the_object() {
    let world = World::new().await;
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    let body = ByteStream::from_static(b"hello");
    let put = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("from")
        .body(body)
        .metadata("a", "1")
        .tagging("t=1");
    let put = put.content_type("text/x").send().await.unwrap();
    let source = format!("{BUCKET}/from?versionId={}", put.version_id().unwrap());

    let copied = world
        .s3
        .copy_object()
        .bucket(BUCKET)
        .key("same")
        .copy_source(&source)
        .send()
        .await
        .unwrap();
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), put.e_tag());
    assert_eq!(copied.copy_source_version_id(), put.version_id());
    let same = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key("same")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (same.content_type(), same.metadata().unwrap()["a"].as_str()),
        (Some("text/x"), "1")
    );

    let copy = world
        .s3
        .copy_object()
        .bucket(BUCKET)
        .key("other")
        .copy_source(&source)
        .metadata("b", "2");
    let copy = copy
        .metadata_directive(MetadataDirective::Replace)
        .content_type("text/y");
    copy.tagging_directive(TaggingDirective::Replace)
        .tagging("u=2")
        .send()
        .await
        .unwrap();
    let other = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key("other")
        .send()
        .await
        .unwrap();
    assert_eq!(other.content_type(), Some("text/y"));
    assert_eq!(other.metadata().unwrap().keys().collect::<Vec<_>>(), ["b"]);
    let tags = world
        .s3
        .get_object_tagging()
        .bucket(BUCKET)
        .key("other")
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tag_set()[0].key(), "u");
}

#[tokio::test]
async fn an_archived_object_can_be_seen_but_not_read() {
    let world = World::new().await;
    bucket(&world, None).await;
    let body = ByteStream::from_static(b"x");
    let put = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(body)
        .storage_class(StorageClass::Glacier);
    put.send().await.unwrap();
    let head = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(head.storage_class(), Some(&StorageClass::Glacier));
    assert_eq!(
        code(world.s3.get_object().bucket(BUCKET).key("k").send().await),
        "InvalidObjectState"
    );
}

#[tokio::test]
async fn a_presigned_url_works_until_it_expires_or_is_changed() {
    let world = World::new().await;
    bucket(&world, None).await;
    put(&world, "k", "hello").await;
    let presigned = |seconds: u64| {
        let config = PresigningConfig::expires_in(std::time::Duration::from_secs(seconds)).unwrap();
        world
            .s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .presigned(config)
    };
    let url = presigned(60).await.unwrap().uri().to_owned();
    let answer = get_url(&url).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
    let changed = get_url(&url.replace("/k?", "/other?")).await;
    assert!(changed.starts_with("HTTP/1.1 403"), "{changed}");
    let expired = url.replace("X-Amz-Expires=60", "X-Amz-Expires=0");
    assert!(get_url(&expired).await.starts_with("HTTP/1.1 403"));
}

/// A plain GET, by hand: an SDK would sign it.
async fn get_url(url: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
