//! Multipart uploads.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use futures::future::join_all;
use quittance_local::ACCESS_KEY_ID;

use crate::s3_objects::{BUCKET, bucket, put, text};
use crate::{World, code};

const PART: usize = 5 * 1024 * 1024;

async fn create(world: &World) -> String {
    let create = world.s3.create_multipart_upload().bucket(BUCKET).key("k");
    create
        .content_type("text/parts")
        .metadata("a", "b")
        .tagging("t=1")
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap()
}

async fn upload(world: &World, id: &str, number: i32, bytes: Vec<u8>) -> CompletedPart {
    let part = world
        .s3
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(id)
        .part_number(number);
    let done = part.body(ByteStream::from(bytes)).send().await.unwrap();
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(done.e_tag)
        .set_checksum_crc32(done.checksum_crc32)
        .set_checksum_crc64_nvme(done.checksum_crc64_nvme)
        .build()
}

fn listed(parts: &[CompletedPart]) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder()
        .set_parts(Some(parts.to_vec()))
        .build()
}

#[tokio::test]
async fn parts_become_one_object_with_everything_said_at_the_start() {
    let world = World::new().await;
    bucket(&world, None).await;
    let id = create(&world).await;
    // Out of order, and one of them twice: the last upload of a number counts.
    let second = upload(&world, &id, 2, b"tail".to_vec()).await;
    upload(&world, &id, 1, vec![b'x'; PART]).await;
    let first = upload(&world, &id, 1, vec![b'a'; PART]).await;

    let there = world
        .s3
        .list_parts()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .max_parts(1)
        .send()
        .await
        .unwrap();
    assert_eq!((there.parts().len(), there.is_truncated()), (1, Some(true)));
    let uploads = world
        .s3
        .list_multipart_uploads()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    let upload = &uploads.uploads()[0];
    assert_eq!(upload.upload_id(), Some(id.as_str()));
    let began = upload.initiator().unwrap().id().unwrap();
    assert!(began.ends_with(&format!("/{ACCESS_KEY_ID}")), "{began}");

    let complete = || {
        world
            .s3
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("k")
            .upload_id(&id)
    };
    let wrong_order = complete()
        .multipart_upload(listed(&[second.clone(), first.clone()]))
        .send()
        .await;
    assert_eq!(code(wrong_order), "InvalidPartOrder");
    let stale = CompletedPart::builder()
        .part_number(1)
        .e_tag("\"stale\"")
        .build();
    assert_eq!(
        code(complete().multipart_upload(listed(&[stale])).send().await),
        "InvalidPart"
    );
    let done = complete()
        .multipart_upload(listed(&[first, second]))
        .send()
        .await
        .unwrap();
    assert!(
        done.e_tag().unwrap().ends_with("-2\""),
        "{:?}",
        done.e_tag()
    );

    let got = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (got.content_type(), got.metadata().unwrap()["a"].as_str()),
        (Some("text/parts"), "b")
    );
    assert_eq!(got.tag_count(), Some(1));
    let bytes = got.body.collect().await.unwrap().to_vec();
    assert!(
        bytes.len() == PART + 4 && bytes[0] == b'a' && bytes.ends_with(b"tail"),
        "{} bytes",
        bytes.len()
    );
    let part = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .part_number(2)
        .send()
        .await
        .unwrap();
    assert_eq!(part.parts_count(), Some(2));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"tail");
    let again = world
        .s3
        .list_parts()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .send()
        .await;
    assert_eq!(code(again), "NoSuchUpload");
}

#[tokio::test]
async fn a_part_before_the_last_must_be_five_mebibytes() {
    let world = World::new().await;
    bucket(&world, None).await;
    let id = create(&world).await;
    let parts = [
        upload(&world, &id, 1, vec![0; 10]).await,
        upload(&world, &id, 2, vec![0; 10]).await,
    ];
    let complete = world
        .s3
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id);
    assert_eq!(
        code(complete.multipart_upload(listed(&parts)).send().await),
        "EntityTooSmall"
    );
}

#[tokio::test]
async fn the_checksum_of_the_whole_is_kept_when_asked_for() {
    let world = World::new().await;
    bucket(&world, None).await;
    let create = world.s3.create_multipart_upload().bucket(BUCKET).key("k");
    let create = create
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .checksum_type(ChecksumType::FullObject);
    let id = create.send().await.unwrap().upload_id.unwrap();
    let part = |number: i32, bytes: Vec<u8>| {
        let part = world
            .s3
            .upload_part()
            .bucket(BUCKET)
            .key("k")
            .upload_id(&id)
            .part_number(number);
        part.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .body(ByteStream::from(bytes))
            .send()
    };
    let mut parts = Vec::new();
    for (number, bytes) in [(1, vec![7; PART]), (2, b"end".to_vec())] {
        let done = part(number, bytes).await.unwrap();
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(done.e_tag)
                .build(),
        );
    }
    let complete = world
        .s3
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id);
    let done = complete
        .multipart_upload(listed(&parts))
        .send()
        .await
        .unwrap();
    let mut whole = vec![7; PART];
    whole.extend(b"end");
    let same = world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("same")
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
    let same = same.body(ByteStream::from(whole)).send().await.unwrap();
    assert_eq!(done.checksum_crc64_nvme(), same.checksum_crc64_nvme());
    assert!(done.checksum_crc64_nvme().is_some());
}

#[tokio::test]
async fn a_completion_obeys_if_match_and_if_none_match() {
    let world = World::new().await;
    bucket(&world, None).await;
    let (etag, _) = put(&world, "k", "1").await;
    let id = create(&world).await;
    let parts = [upload(&world, &id, 1, b"new".to_vec()).await];
    let complete = || {
        world
            .s3
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("k")
            .upload_id(&id)
            .multipart_upload(listed(&parts))
    };
    put(&world, "k", "2").await;
    assert_eq!(
        code(complete().if_match(&etag).send().await),
        "PreconditionFailed"
    );
    assert_eq!(
        code(complete().if_none_match("*").send().await),
        "PreconditionFailed"
    );
    let head = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    complete()
        .if_match(head.e_tag().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(text(&world, "k").await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_completions_exactly_one_wins() {
    let world = World::new().await;
    bucket(&world, None).await;
    let mut uploads = Vec::new();
    for n in 0..6 {
        let id = create(&world).await;
        let part = upload(&world, &id, 1, vec![b'0' + n]).await;
        uploads.push((id, part));
    }
    let done = join_all(uploads.iter().map(|(id, part)| {
        let complete = world
            .s3
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("k")
            .upload_id(id)
            .if_none_match("*");
        complete
            .multipart_upload(listed(std::slice::from_ref(part)))
            .send()
    }))
    .await;
    assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_part_can_be_copied_from_a_range_of_an_unchanged_source() {
    let world = World::new().await;
    bucket(&world, None).await;
    let (etag, _) = put(&world, "from", "0123456789").await;
    let id = create(&world).await;
    let copy = |number: i32, range: &str| {
        let copy = world
            .s3
            .upload_part_copy()
            .bucket(BUCKET)
            .key("k")
            .upload_id(&id)
            .part_number(number);
        copy.copy_source(format!("{BUCKET}/from"))
            .copy_source_range(range)
            .copy_source_if_match(&etag)
    };
    let copied = copy(1, "bytes=2-5").send().await.unwrap();
    assert_eq!(code(copy(2, "bytes=8-10").send().await), "InvalidArgument");
    put(&world, "from", "changed").await;
    assert_eq!(
        code(copy(2, "bytes=0-1").send().await),
        "PreconditionFailed"
    );
    let etag = copied.copy_part_result.unwrap().e_tag;
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(etag)
        .build();
    let complete = world
        .s3
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id);
    complete
        .multipart_upload(listed(&[part]))
        .send()
        .await
        .unwrap();
    assert_eq!(text(&world, "k").await, "2345");
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let world = World::new().await;
    bucket(&world, None).await;
    let id = create(&world).await;
    upload(&world, &id, 1, b"x".to_vec()).await;
    world
        .s3
        .abort_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .send()
        .await
        .unwrap();
    let again = world
        .s3
        .abort_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .send()
        .await;
    assert_eq!(code(again), "NoSuchUpload");
    assert!(
        world
            .s3
            .list_multipart_uploads()
            .bucket(BUCKET)
            .send()
            .await
            .unwrap()
            .uploads()
            .is_empty()
    );
}
