//! Record stores: what is listed, and whose rows are found.

use aws_sdk_s3::types::{BucketVersioningStatus, StorageClass};
use quittance_core::data_map::Store;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{MemberRows, RecordReader as _, Wanted};
use quittance_engine::record::{Datum, Record};

use crate::lake::{ANN, BOB, MIB, events, gzip, roster, row, rows, snappy};
use crate::world::{World, store};

#[tokio::test]
async fn every_version_is_listed_to_the_end_and_no_marker() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled))
        .await
        .paged(2);
    for key in ["events/a", "events/b", "events/c/d", "eventsx"] {
        for body in ["1", "22", "333"] {
            world.rows(key, body).await;
        }
    }
    let gone = world.s3.delete_object().bucket("lake").key("events/b");
    gone.send().await.unwrap();
    let (objects, pages) = world.listed(&events("none")).await.unwrap();
    let seen: Vec<_> = objects
        .iter()
        .map(|object| (object.key.as_str(), object.bytes, object.noncurrent))
        .collect();
    let expected = [
        ("events/a", 3, false),
        ("events/a", 2, true),
        ("events/a", 1, true),
        ("events/b", 3, true),
        ("events/b", 2, true),
        ("events/b", 1, true),
        ("events/c/d", 3, false),
        ("events/c/d", 2, true),
        ("events/c/d", 1, true),
    ];
    assert_eq!(seen, expected);
    assert!(pages >= 5, "{pages} pages");
    assert!(objects.iter().all(|object| object.version.is_some()));
}

#[tokio::test]
async fn a_bucket_without_versions_is_listed_without_them() {
    let world = World::lake(None).await;
    world.rows("events/a", "1").await;
    let (objects, _) = world.listed(&events("none")).await.unwrap();
    let [object] = objects.as_slice() else {
        panic!("{} objects", objects.len())
    };
    assert!(object.version.is_none() && !object.noncurrent && object.etag.len() > 30);
}

#[tokio::test]
async fn tables_with_a_catalogue_are_refused_before_anything_is_touched() {
    let refused = Err(Fault::Block(BlockReason::TableFormat));
    for key in [
        "events/_delta_log/00000000000000000000.json",
        "events/t/.hoodie/hoodie.properties",
        "events/t/metadata/v3.metadata.json",
        // The store's prefix is a folder of the table's data.
        "_delta_log/00000000000000000000.json",
        "metadata/00001-5c.metadata.json",
    ] {
        let world = World::lake(None).await;
        world.rows("events/a", row(1, ANN)).await;
        world.rows(key, "{}").await;
        assert_eq!(world.listed(&events("none")).await, refused, "{key}");
    }
    let world = World::lake(None).await;
    world.rows("events/a", row(1, ANN)).await;
    // What lies above may be forbidden ground.
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    world.wire.answer("GET", 8, 403, denied);
    assert_eq!(world.listed(&events("none")).await.unwrap().0.len(), 1);
    assert!(world.wire.is_played());
}

#[tokio::test]
async fn rows_are_counted_by_member_whatever_packs_them() {
    let world = World::lake(None).await;
    let both = format!("{{\"user\":{{\"email\":[\"{ANN}\",\"{BOB}\"]}}}}\n");
    let text = rows(&["x@example.test", "ANN@example.test", BOB]) + &both;
    let packed = [gzip(&rows(&[ANN])), gzip(&text)].concat();
    let frames = [rows(&[ANN]), text.clone()].map(|text| zstd::encode_all(text.as_bytes(), 3));
    let frames = frames.map(Result::unwrap).concat();
    world.rows("events/plain", rows(&[ANN]) + &text).await;
    world.rows("events/gzip", packed).await;
    world.rows("events/zstd", frames).await;
    world
        .rows("events/snappy", snappy(&(rows(&[ANN]) + &text)))
        .await;
    for (compression, key) in [
        ("none", "plain"),
        ("gzip", "gzip"),
        ("snappy", "snappy"),
        ("zstd", "zstd"),
    ] {
        let store = events(compression);
        let object = world.current(&store, &format!("events/{key}")).await;
        let who = roster(&[ANN, "nobody@example.test", BOB]);
        let found = world.count(&store, &object, &who).await.unwrap();
        let of = |member, rows| MemberRows {
            member,
            rows,
            shared: 1,
        };
        assert_eq!(found.matched, [of(0, 3), of(2, 2)], "{key}");
        assert_eq!((found.rows, found.etag), (5, Some(object.etag)));
        assert!(found.records.is_empty());
    }
}

#[tokio::test]
async fn copies_are_typed_and_lack_what_access_excludes() {
    let world = World::lake(None).await;
    let text = format!(
        "{}{{\"user\":{{\"email\":\"{ANN}\",\"n\":1.50}},\"secret\":\"s\"}}\r\n",
        rows(&[BOB])
    );
    world.rows("events/a", gzip(&text)).await;
    let store = events("gzip");
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN]);
    let found = world
        .stores
        .search(&store, &object, &who, Wanted::Copies)
        .await
        .unwrap();
    let text = |text: &str| Datum::Text(text.to_owned());
    let user = [
        ("email".to_owned(), text(ANN)),
        ("n".to_owned(), Datum::Number("1.50".to_owned())),
    ];
    let fields = [("user".to_owned(), Datum::Map(user.into()))];
    assert_eq!(found.records, [(0, Record::Item(fields.into()))]);
}

#[tokio::test]
async fn more_copies_than_fit_are_refused_and_still_counted() {
    let world = World::lake(None).await;
    let long = "x".repeat(9 * MIB);
    let row = format!("{{\"user\":{{\"email\":\"{ANN}\"}},\"x\":\"{long}\"}}\n");
    let text = row.repeat(4);
    world.rows("events/a", text).await;
    let store = events("none");
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN]);
    let copied = world
        .stores
        .search(&store, &object, &who, Wanted::Copies)
        .await;
    assert_eq!(copied.err(), Some(Fault::Block(BlockReason::TooLarge)));
    let counted = world.count(&store, &object, &who).await.unwrap();
    assert_eq!(counted.matched[0].rows, 4);
}

#[tokio::test]
async fn what_cannot_be_read_for_certain_blocks_and_its_neighbours_go_on() {
    let world = World::lake(None).await;
    let whole = gzip(&rows(&[ANN, BOB]));
    let bodies: [(&str, Vec<u8>); 6] = [
        ("cut", whole[..whole.len() - 9].to_vec()),
        ("text", rows(&[ANN]).into_bytes()),
        ("array", gzip("[1]\n")),
        (
            "slip",
            gzip("{\"user\":{\"email\":\"ann@example.test\"},}\n"),
        ),
        ("latin", gzip("x").into_iter().chain(*b"\xff\xfe").collect()),
        ("good", whole.clone()),
    ];
    for (name, body) in bodies {
        world.rows(&format!("events/{name}"), body).await;
    }
    let cold = world.putting("events/cold", whole);
    let cold = cold.storage_class(StorageClass::Glacier);
    cold.send().await.unwrap();
    let store = events("gzip");
    for object in world.listed(&store).await.unwrap().0 {
        let before = world.bytes(&object.key).await;
        let who = roster(&[ANN]);
        let searched = world.count(&store, &object, &who).await;
        let forgotten = world.forget(&store, &object, &who).await;
        let name = object.key.trim_start_matches("events/");
        let reason = match name {
            "good" => {
                assert_eq!(searched.unwrap().matched[0].rows, 1);
                assert_eq!(forgotten.unwrap().after, 1);
                continue;
            }
            "cold" => BlockReason::ArchiveTier,
            _ => BlockReason::UnreadableData,
        };
        assert_eq!(searched.err(), Some(Fault::Block(reason)), "{name}");
        assert_eq!(forgotten.err(), Some(Fault::Block(reason)), "{name}");
        assert_eq!(world.bytes(&object.key).await, before, "{name}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_gone_over_blocks_as_a_whole() {
    let world = World::lake(None).await;
    let lines = "find: [ { email: { field: user.email } } ]\ndeletion: delete_rows";
    for format in ["jsonl", "csv", "parquet"] {
        let place = format!("{{ bucket: no-such, prefix: e/, format: {format} }}");
        let store = store(&format!("s3: {place}\n{lines}"));
        let listed = world.listed(&store).await;
        let missing = Some(Fault::Block(BlockReason::StoreMissing));
        assert_eq!(listed.err(), missing, "{place}");
    }
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    world.wire.answer("GET versions", 1, 403, denied);
    let listed = world.listed(&events("none")).await;
    assert_eq!(listed.err(), Some(Fault::Block(BlockReason::AccessDenied)));
}

#[tokio::test]
async fn an_object_that_is_gone_holds_nothing() {
    let world = World::lake(None).await;
    world.rows("events/a", rows(&[ANN])).await;
    let store = events("none");
    let object = world.current(&store, "events/a").await;
    let gone = world.s3.delete_object().bucket("lake").key("events/a");
    gone.send().await.unwrap();
    let who = roster(&[ANN]);
    let found = world.count(&store, &object, &who).await.unwrap();
    assert_eq!((found.etag, found.rows, found.matched.len()), (None, 0, 0));
    let draft = world.prepare(&store, &object, &who).await.unwrap();
    assert!(draft.searched.matched.is_empty());
}

#[tokio::test]
async fn no_fault_and_no_debug_output_shows_anybody() {
    let world = World::lake(None).await;
    let key = format!("events/{ANN}");
    world
        .rows(&key, format!("{{\"user\":{{\"email\":\"{ANN}\"}},}}\n"))
        .await;
    let store: Store = events("none");
    let object: ObjectRef = world.current(&store, &key).await;
    let who = roster(&[ANN]);
    let mut printed = vec![format!("{object:?} {who:?} {:?}", world.stores)];
    let fault = world.count(&store, &object, &who).await.err().unwrap();
    printed.push(format!("{fault:?} {fault}"));
    for code in ["SlowDown", "Unheard", "AccessDenied"] {
        let body = format!("<Error><Code>{code}</Code><Message>{ANN}</Message></Error>");
        world.wire.answer("GET", 3, 500, &body);
        let fault = world.count(&store, &object, &who).await.err().unwrap();
        printed.push(format!("{fault:?} {fault}"));
        world.wire.clear();
    }
    for printed in printed {
        assert!(!printed.contains("ann@"), "{printed}");
    }
}
