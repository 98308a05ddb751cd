//! Taking rows out of objects: what stays as it is, and who else may write meanwhile.

use std::collections::BTreeSet;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, ServerSideEncryption,
    StorageClass,
};
use quittance_engine::ports::RecordEraser as _;

use crate::lake::{
    ANN, BOB, Forgotten, MARKER, MIB, crowd, events, forgotten, gunzip, gzip, roster, row, rows,
    snappy, unsnappy, without,
};
use crate::world::{World, store};

#[tokio::test]
async fn survivors_are_byte_identical_and_a_second_time_changes_nothing() {
    let world = World::lake(None).await;
    let text = format!(
        "\u{feff}{}\r\n{}  {{\"a\": 1}}",
        rows(&[BOB, ANN]),
        rows(&[ANN, "x@y.test"])
    );
    let left = without(&text, ANN);
    let packed = [
        gzip(&(text.clone() + "\n")),
        gzip(&rows(&[ANN])),
        gzip(&row(9, BOB)),
    ]
    .concat();
    let frames = zstd::encode_all(text.as_bytes(), 3).unwrap();
    world.rows("events/gzip", packed).await;
    world.rows("events/snappy", snappy(&text)).await;
    world.rows("events/zstd", frames).await;
    world.rows("events/none", text).await;
    for compression in ["none", "gzip", "snappy", "zstd"] {
        let store = events(compression);
        let key = format!("events/{compression}");
        let object = world.current(&store, &key).await;
        let who = roster(&[ANN]);
        let more = u64::from(compression == "gzip");
        let first = world.forget(&store, &object, &who).await.unwrap();
        let expected = Forgotten {
            before: 5 + 2 * more,
            after: 3 + more,
            rows: [(0, 2 + more)].into(),
        };
        assert_eq!(first, expected, "{key}");
        let bytes = world.bytes(&key).await.unwrap();
        match compression {
            "gzip" => assert_eq!(gunzip(&bytes), left.clone() + "\n" + &row(9, BOB)),
            "snappy" => assert_eq!(unsnappy(&bytes), left),
            "zstd" => assert_eq!(zstd::decode_all(&bytes[..]).unwrap(), left.as_bytes()),
            _ => assert_eq!(bytes, left.as_bytes()),
        }
        let again = world.forget(&store, &object, &who).await.unwrap();
        assert_eq!((again.before, again.rows.len()), (3 + more, 0));
        assert_eq!(world.bytes(&key).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn an_object_without_anybodys_rows_is_read_once_and_left_alone() {
    let world = World::lake(None).await;
    world.rows("events/a", crowd(MIB)).await;
    let store = events("none");
    let object = world.current(&store, "events/a").await;
    world.wire.log();
    let done = world
        .forget(&store, &object, &roster(&[ANN]))
        .await
        .unwrap();
    assert!(done.rows.is_empty() && done.before == done.after);
    let log = world.wire.log();
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].operation.as_str(), log[0].fetched),
        ("GET", object.bytes)
    );
}

#[tokio::test]
async fn an_object_of_which_nothing_is_left_stays_as_an_empty_one() {
    let world = World::lake(None).await;
    world.rows("events/none", rows(&[ANN])).await;
    world.rows("events/gzip", gzip(&rows(&[ANN, ANN]))).await;
    for compression in ["none", "gzip"] {
        let store = events(compression);
        let key = format!("events/{compression}");
        let object = world.current(&store, &key).await;
        let done = world
            .forget(&store, &object, &roster(&[ANN]))
            .await
            .unwrap();
        assert_eq!(done.after, 0);
        let bytes = world.bytes(&key).await.unwrap();
        assert_eq!(bytes.is_empty(), compression == "none");
        let object = world.current(&store, &key).await;
        let found = world.count(&store, &object, &roster(&[ANN])).await.unwrap();
        assert_eq!(found.rows, 0);
    }
}

where_it_can_be! {
#[tokio::test]
async fn headers_metadata_tags_class_encryption_and_checksum_stay() {
    let world = World::lake(None).await;
    let store = events("gzip");
    // One for a single request, one for an upload in parts.
    let long = gzip(&(crowd(34 * MIB) + &row(1, ANN)));
    assert!(long.len() > 14 * MIB, "{} bytes", long.len());
    for (key, body) in [
        ("events/short", gzip(&rows(&[ANN, BOB]))),
        ("events/long", long),
    ] {
        for algorithm in [
            ChecksumAlgorithm::Sha256,
            ChecksumAlgorithm::Crc32C,
            ChecksumAlgorithm::Crc64Nvme,
        ] {
            if key == "events/long" && algorithm == ChecksumAlgorithm::Crc64Nvme {
                continue;
            }
            world
                .putting(key, body.clone())
                .cache_control("no-store")
                .content_disposition("attachment")
                .content_encoding("gzip")
                .content_language("de")
                .content_type("application/x-ndjson")
                .expires(DateTime::from_secs(1_900_000_000))
                .metadata("pipeline", "v7 é")
                .metadata("quittance-rewrite", "an earlier one")
                .tagging("team=data%20lake&a%2Bb=c%26d")
                .storage_class(StorageClass::StandardIa)
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .ssekms_key_id("alias/lake")
                .bucket_key_enabled(true)
                .checksum_algorithm(algorithm.clone())
                .send()
                .await
                .unwrap();
            let before = world.head(key).await;
            let tags = world.tags(key).await;
            assert_eq!(tags.len(), 2);
            let object = world.current(&store, key).await;
            world.wire.log();
            let done = world
                .forget(&store, &object, &roster(&[ANN]))
                .await
                .unwrap();
            assert_eq!(done.rows[&0], 1);
            let parts = world.wire.log();
            let parts = parts.iter().filter(|r| r.operation == "PUT part").count();
            assert_eq!(parts > 1, key == "events/long");
            let after = world.head(key).await;
            assert_ne!(after.e_tag(), before.e_tag());
            assert_eq!(kept(&after), kept(&before));
            assert_eq!(world.tags(key).await, tags);
            let metadata = after.metadata().unwrap();
            assert_eq!(metadata["pipeline"], before.metadata().unwrap()["pipeline"]);
            assert_eq!(metadata["quittance-rewrite"], MARKER);
            assert!(sums(&after, &algorithm), "{algorithm} {after:?}");
        }
    }
}
}

where_it_can_be! {
#[tokio::test]
async fn how_checksums_of_parts_are_joined_stays() {
    let world = World::lake(None).await;
    let store = events("none");
    let text = crowd(12 * MIB) + &row(1, ANN) + &crowd(12 * MIB);
    for kind in [ChecksumType::Composite, ChecksumType::FullObject] {
        let create = world.s3.create_multipart_upload().bucket("lake");
        let create = create.key("events/a").checksum_type(kind.clone());
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let id = create.send().await.unwrap().upload_id.unwrap();
        let part = world.s3.upload_part().bucket("lake").key("events/a");
        let part = part.upload_id(&id).part_number(1);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let sent = part
            .body(text.clone().into_bytes().into())
            .send()
            .await
            .unwrap();
        let part = CompletedPart::builder().part_number(1);
        let part = part
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32);
        let parts = CompletedMultipartUpload::builder()
            .parts(part.build())
            .build();
        let complete = world.s3.complete_multipart_upload().bucket("lake");
        let complete = complete
            .key("events/a")
            .upload_id(id)
            .multipart_upload(parts);
        complete.send().await.unwrap();
        let object = world.current(&store, "events/a").await;
        world
            .forget(&store, &object, &roster(&[ANN]))
            .await
            .unwrap();
        let after = world.head("events/a").await;
        assert_eq!(after.checksum_type(), Some(&kind));
        assert!(after.checksum_crc32().is_some());
        assert_eq!(
            world.bytes("events/a").await.unwrap(),
            without(&text, ANN).as_bytes()
        );
    }
}
}

#[tokio::test]
async fn untouched_ranges_are_copied_inside_s3() {
    let world = World::lake(None).await;
    let text = [
        crowd(16 * MIB),
        row(1, ANN),
        crowd(7 * MIB),
        row(2, ANN),
        crowd(24 * MIB),
        row(3, ANN),
    ]
    .concat();
    world.rows("events/a b+c/\u{e4}", text.clone()).await;
    let store = events("none");
    let object = world.current(&store, "events/a b+c/\u{e4}").await;
    let who = roster(&[ANN]);
    let draft = world.prepare(&store, &object, &who).await.unwrap();
    assert_eq!(forgotten(&draft).rows[&0], 3);
    world.wire.log();
    let done = world.stores.complete(&store, &object, &draft, MARKER).await;
    let log = world.wire.log();
    let sum = |operation: &str, bytes: fn(&crate::wire::Request) -> u64| {
        let of = log.iter().filter(|r| r.operation == operation);
        of.map(bytes)
            .fold((0, 0), |(n, sum), more| (n + 1, sum + more))
    };
    let mib = u64::try_from(MIB).unwrap();
    let (copies, _) = sum("PUT copy", |r| r.sent);
    let (_, fetched) = sum("GET", |r| r.fetched);
    let (_, sent) = sum("PUT part", |r| r.sent);
    assert_eq!(copies, 2);
    assert!(
        fetched < 13 * mib,
        "{fetched} bytes fetched of {}",
        object.bytes
    );
    assert!(sent < 13 * mib, "{sent} bytes sent");
    let bytes = world.bytes(&object.key).await.unwrap();
    assert!(bytes == without(&text, ANN).as_bytes());
    assert_eq!(
        done.unwrap(),
        world.current(&store, &object.key).await.etag.into()
    );
    assert_eq!(world.uploads().await, 0);
}

#[tokio::test]
async fn rows_of_an_excluded_member_stay_and_are_not_counted() {
    let world = World::lake(None).await;
    let both = format!("{{\"user\":{{\"email\":[\"{ANN}\",\"{BOB}\"]}}}}\n");
    let text = rows(&[ANN, BOB, "x@example.test"]) + &both;
    world.rows("events/a", text.clone()).await;
    let store = events("none");
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN, BOB]);
    let excluded = BTreeSet::from([1]);
    let prepared = world.stores.prepare(&store, &object, &who, &excluded);
    let draft = prepared.await.unwrap();
    assert_eq!((draft.searched.rows, draft.after), (4, 3));
    assert_eq!(forgotten(&draft).rows, [(0, 1)].into());
    assert_eq!(draft.searched.matched[0].shared, 0);
    let done = world.stores.complete(&store, &object, &draft, MARKER).await;
    assert!(done.unwrap().is_some());
    let left = text.replacen(&row(0, ANN), "", 1);
    assert_eq!(world.bytes("events/a").await.unwrap(), left.as_bytes());
}

#[tokio::test]
async fn masked_rows_stay_and_are_masked_once() {
    let world = World::lake(None).await;
    world.rows("events/a", rows(&[ANN, BOB, ANN])).await;
    let store = store(
        "s3: { bucket: lake, prefix: events/, format: jsonl }
         find: [ { email: { field: user.email } } ]
         deletion: { redact: { secret: mask } }",
    );
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN]);
    let done = world.forget(&store, &object, &who).await.unwrap();
    assert_eq!((done.before, done.after, done.rows[&0]), (3, 3, 2));
    let left = rows(&[ANN, BOB, ANN]).replace("\"x0\"", "\"***\"");
    let left = left.replace("\"x2\"", "\"***\"");
    assert_eq!(world.bytes("events/a").await.unwrap(), left.as_bytes());
    assert!(
        world
            .forget(&store, &object, &who)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
    let found = world.count(&store, &object, &who).await.unwrap();
    assert!(found.matched.is_empty());
}

fn kept(head: &HeadObjectOutput) -> Vec<Option<String>> {
    let text = |text: Option<&str>| text.map(str::to_owned);
    vec![
        text(head.cache_control()),
        text(head.content_disposition()),
        text(head.content_encoding()),
        text(head.content_language()),
        text(head.content_type()),
        text(head.expires_string()),
        text(head.storage_class().map(StorageClass::as_str)),
        text(
            head.server_side_encryption()
                .map(ServerSideEncryption::as_str),
        ),
        text(head.ssekms_key_id()),
        head.bucket_key_enabled().map(|on| on.to_string()),
    ]
}

/// Whether an object has a checksum of this algorithm, and no other.
fn sums(head: &HeadObjectOutput, algorithm: &ChecksumAlgorithm) -> bool {
    let sums = [
        (head.checksum_sha256(), ChecksumAlgorithm::Sha256),
        (head.checksum_crc32_c(), ChecksumAlgorithm::Crc32C),
        (head.checksum_crc64_nvme(), ChecksumAlgorithm::Crc64Nvme),
        (head.checksum_crc32(), ChecksumAlgorithm::Crc32),
        (head.checksum_sha1(), ChecksumAlgorithm::Sha1),
    ];
    sums.iter()
        .all(|(sum, of)| sum.is_some() == (of == algorithm))
}
