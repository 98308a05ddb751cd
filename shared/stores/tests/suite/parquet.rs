//! Record stores of Parquet: searched, copied, rewritten in place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::record::RowAccessor as _;
use ::parquet::schema::parser::parse_message_type;
use aws_sdk_s3::types::BucketVersioningStatus;
use quittance_core::data_map::Store;
use quittance_core::fault::{BlockReason, Fault};
use quittance_engine::ports::{MemberRows, RecordEraser as _, RecordReader as _, Wanted};
use quittance_engine::record::{Datum, Record};

use crate::lake::{ANN, BOB, MARKER, MIB, forgotten, roster};
use crate::world::{World, store};

const SCHEMA: &str = "message m {
    required int64 n;
    optional group user { required binary email (UTF8); }
    optional binary secret (UTF8);
    required binary noise;
}";

/// The store of Parquet under `events/`.
fn events(deletion: &str) -> Store {
    store(&format!(
        "s3: {{ bucket: lake, prefix: events/, format: parquet }}
         find: [ {{ email: {{ field: user.email }} }} ]
         access: {{ exclude: [secret, noise] }}
         deletion: {deletion}"
    ))
}

/// Row groups of rows of these people; `noise` makes each row as long.
fn file(groups: &[Vec<&str>], compression: Compression, noise: usize) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder().set_compression(compression);
    let properties = Arc::new(properties.set_dictionary_enabled(noise == 0).build());
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut n = 0_i64;
    for people in groups {
        let ids: Vec<i64> = people.iter().zip(n..).map(|(_, id)| id).collect();
        n += i64::try_from(ids.len()).unwrap();
        let mut group = file.next_row_group().unwrap();
        let mut at = 0;
        while let Some(mut column) = group.next_column().unwrap() {
            let texts = |text: &dyn Fn(usize) -> String| -> Vec<ByteArray> {
                let all = (0..people.len()).map(|at| ByteArray::from(text(at).as_str()));
                all.collect()
            };
            match (column.untyped(), at) {
                (ColumnWriter::Int64ColumnWriter(column), _) => {
                    column.write_batch(&ids, None, None).unwrap();
                }
                (ColumnWriter::ByteArrayColumnWriter(column), at) => {
                    let values = match at {
                        1 => texts(&|at| people[at].to_owned()),
                        2 => texts(&|at| format!("s{}", ids[at])),
                        _ => texts(&|at| format!("{}{}", ids[at], "x".repeat(noise))),
                    };
                    let def = vec![1; people.len()];
                    let def = (at < 3).then_some(def.as_slice());
                    column.write_batch(&values, def, None).unwrap();
                }
                (_, at) => panic!("column {at}"),
            }
            column.close().unwrap();
            at += 1;
        }
        group.close().unwrap();
    }
    file.close().unwrap();
    bytes
}

/// Who stands in which row, with the number and the secret of it.
fn people(file: Vec<u8>) -> Vec<(i64, Option<String>, Option<String>)> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    let row = |row: ::parquet::record::Row| {
        let email = row
            .get_group(1)
            .and_then(|user| user.get_string(0).cloned());
        let secret = row.get_string(2).cloned().ok();
        (row.get_long(0).unwrap(), email.ok(), secret)
    };
    rows.map(row).collect()
}

fn ids(file: Vec<u8>) -> Vec<i64> {
    people(file).into_iter().map(|(id, _, _)| id).collect()
}

const CODECS: [Compression; 3] = [
    Compression::UNCOMPRESSED,
    Compression::SNAPPY,
    Compression::LZ4_RAW,
];

#[tokio::test]
async fn rows_are_counted_and_copied() {
    let world = World::lake(None).await;
    let store = events("delete_rows");
    for codec in CODECS {
        let groups = [vec![BOB, "ANN@example.test"], vec![BOB], vec![ANN]];
        world.rows("events/a", file(&groups, codec, 0)).await;
        let object = world.current(&store, "events/a").await;
        let who = roster(&[ANN]);
        let found = world.count(&store, &object, &who).await.unwrap();
        let ann = MemberRows {
            member: 0,
            rows: 2,
            shared: 0,
        };
        assert_eq!((found.rows, found.matched), (4, vec![ann]), "{codec}");
        let copies = world.stores.search(&store, &object, &who, Wanted::Copies);
        let copies = copies.await.unwrap();
        assert_eq!(copies.records.len(), 2);
        let email = Datum::Text(ANN.to_owned());
        let last = [
            ("n".to_owned(), Datum::Number("3".to_owned())),
            (
                "user".to_owned(),
                Datum::Map(BTreeMap::from([("email".to_owned(), email)])),
            ),
        ];
        assert_eq!(copies.records[1], (0, Record::Item(last.into())));
    }
}

#[tokio::test]
async fn a_sweep_leaves_nobodys_row() {
    swept(None).await;
}

where_it_can_be! {
#[tokio::test]
async fn a_sweep_leaves_nobodys_row_and_no_older_version() {
    swept(Some(BucketVersioningStatus::Enabled)).await;
}
}

async fn swept(versioning: Option<BucketVersioningStatus>) {
    let world = World::lake(versioning).await;
    let store = events("delete_rows");
    let groups = [vec![BOB, ANN, BOB], vec![BOB], vec![ANN, ANN]];
    world.rows("events/a", file(&groups, CODECS[1], 0)).await;
    world
        .rows("events/b", file(&[vec![BOB]], CODECS[1], 0))
        .await;
    world
        .rows("events/c", file(&[vec![ANN]], CODECS[1], 0))
        .await;
    let untouched = world.bytes("events/b").await;
    assert_eq!(world.sweep(&store, &roster(&[ANN])).await, 4);
    assert_eq!(ids(world.bytes("events/a").await.unwrap()), [0, 2, 3]);
    assert_eq!(world.bytes("events/b").await, untouched);
    assert_eq!(ids(world.bytes("events/c").await.unwrap()), [0_i64; 0]);
    assert_eq!(world.listed(&store).await.unwrap().0.len(), 3);
}

#[tokio::test]
async fn a_row_that_is_anothers_too_stays_when_the_other_is_under_a_hold() {
    let world = World::lake(None).await;
    let store = store(
        "s3: { bucket: lake, prefix: events/, format: parquet }
         find: [ { email: { field: user.email } }, { email: { field: secret } } ]
         deletion: delete_rows",
    );
    let groups = [vec![BOB, ANN]];
    world.rows("events/a", file(&groups, CODECS[0], 0)).await;
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN, BOB]);
    let held = BTreeSet::from([1]);
    let draft = world.stores.prepare(&store, &object, &who, &held).await;
    let draft = draft.unwrap();
    assert_eq!(forgotten(&draft).rows, BTreeMap::from([(0, 1)]));
    let done = world.stores.complete(&store, &object, &draft, MARKER);
    done.await.unwrap();
    assert_eq!(ids(world.bytes("events/a").await.unwrap()), [0]);
}

#[tokio::test]
async fn masks_are_put_into_the_named_columns() {
    let world = World::lake(None).await;
    let store = events("{ redact: { user.email: mask, secret: null } }");
    let groups = [vec![BOB], vec![ANN, BOB]];
    world.rows("events/a", file(&groups, CODECS[1], 0)).await;
    let who = roster(&[ANN]);
    assert_eq!(world.sweep(&store, &who).await, 1);
    let left = people(world.bytes("events/a").await.unwrap());
    let row = |id, email: &str, secret: Option<&str>| {
        (id, Some(email.to_owned()), secret.map(str::to_owned))
    };
    assert_eq!(
        left,
        [
            row(0, BOB, Some("s0")),
            row(1, "***", None),
            row(2, BOB, Some("s2")),
        ]
    );
}

where_it_can_be! {
#[tokio::test]
async fn long_row_groups_without_a_row_of_anybodys_are_copied_inside_s3() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled)).await;
    // Seven MiB of noise in each row group, which is not compressed.
    let crowd = vec![BOB; 7];
    let mut one = crowd.clone();
    one[3] = ANN;
    let groups = [&crowd, &crowd, &one, &crowd, &crowd].map(Clone::clone);
    let body = file(&groups, CODECS[0], MIB);
    let bytes = u64::try_from(body.len()).unwrap();
    world.rows("events/a", body).await;
    let store = events("delete_rows");
    let object = world.current(&store, "events/a").await;
    world.wire.log();
    world
        .forget(&store, &object, &roster(&[ANN]))
        .await
        .unwrap();
    let log = world.wire.log();
    let got = log.iter().filter(|sent| sent.operation.contains("GET"));
    let fetched: u64 = got.map(|sent| sent.fetched).sum();
    let sent: u64 = log.iter().map(|sent| sent.sent).sum();
    let mib = u64::try_from(MIB).unwrap();
    // The group, and what a part lacks; the noise of the others never passes.
    assert!(
        fetched < 13 * mib && sent < 12 * mib,
        "{fetched} {sent} of {bytes}"
    );
    let copies = log
        .iter()
        .filter(|sent| sent.operation.contains("PUT copy"));
    assert_eq!(copies.count(), 2, "{log:?}");
    let left = ids(world.bytes("events/a").await.unwrap());
    let but_one: Vec<i64> = (0..35).filter(|id| *id != 17).collect();
    assert_eq!(left, but_one);
    assert_eq!(world.listed(&store).await.unwrap().0.len(), 1);
}
}

#[tokio::test]
async fn a_writer_in_between_is_never_overwritten() {
    let world = World::lake(None).await;
    let store = events("delete_rows");
    world
        .rows("events/a", file(&[vec![ANN, BOB]], CODECS[0], 0))
        .await;
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN]);
    let draft = world.prepare(&store, &object, &who).await.unwrap();
    let newer = file(&[vec![BOB, ANN, BOB]], CODECS[0], 0);
    world.rows("events/a", newer.clone()).await;
    let done = world.stores.complete(&store, &object, &draft, MARKER);
    assert_eq!(done.await, Err(Fault::Conflict));
    assert_eq!(world.bytes("events/a").await, Some(newer));
    assert_eq!(world.sweep(&store, &who).await, 1);
    assert_eq!(ids(world.bytes("events/a").await.unwrap()), [0, 2]);
}

#[tokio::test]
async fn what_cannot_be_read_for_certain_blocks_and_stays() {
    let world = World::lake(None).await;
    let sane = file(&[vec![ANN, BOB]], CODECS[0], 0);
    let end = sane.len();
    let without = |at: std::ops::Range<usize>| [&sane[..at.start], &sane[at.end..]].concat();
    let unreadable = BlockReason::UnreadableData;
    let deletes = events("delete_rows");
    let masks = events("{ redact: { noise: null } }");
    let elsewhere = store(
        "s3: { bucket: lake, prefix: events/, format: parquet }
         find: [ { email: { field: user.mail } } ]
         deletion: delete_rows",
    );
    for (name, body, store, reason) in [
        (
            "text",
            b"n,mail\n1,ann@example.test\n".to_vec(),
            &deletes,
            unreadable,
        ),
        ("empty", Vec::new(), &deletes, unreadable),
        ("cut", sane[..end - 5].to_vec(), &deletes, unreadable),
        ("shorter", without(10..40), &deletes, unreadable),
        (
            "encrypted",
            [&sane[..end - 4], b"PARE"].concat(),
            &deletes,
            BlockReason::UnsupportedStore,
        ),
        (
            "other",
            sane.clone(),
            &elsewhere,
            BlockReason::SchemaMismatch,
        ),
        (
            "required",
            sane.clone(),
            &masks,
            BlockReason::SchemaMismatch,
        ),
    ] {
        world.rows("events/a", body.clone()).await;
        let object = world.current(store, "events/a").await;
        let who = roster(&[ANN]);
        let blocked = world.prepare(store, &object, &who).await.map(|_| ());
        let counted = world.count(store, &object, &who).await.map(|_| ());
        assert_eq!(blocked, Err(Fault::Block(reason)), "{name}");
        assert_eq!(counted, Err(Fault::Block(reason)), "{name}");
        assert_eq!(world.bytes("events/a").await, Some(body), "{name}");
    }
}
