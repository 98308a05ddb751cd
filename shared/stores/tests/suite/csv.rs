//! Record stores of CSV: searched, copied, rewritten in place.

use std::fmt::Write as _;

use aws_sdk_s3::types::BucketVersioningStatus;
use quittance_core::data_map::Store;
use quittance_core::fault::{BlockReason, Fault};
use quittance_engine::ports::{MemberRows, RecordReader as _, Wanted};
use quittance_engine::record::{Datum, Record};

use crate::lake::{ANN, BOB, MIB, gunzip, gzip, roster, snappy};
use crate::world::{World, store};

/// The store of CSV under `events/`.
fn events(rest: &str, deletion: &str) -> Store {
    store(&format!(
        "s3: {{ bucket: lake, prefix: events/, format: csv{rest} }}
         find: [ {{ email: {{ field: mail }} }} ]
         access: {{ exclude: [secret] }}
         deletion: {deletion}"
    ))
}

const HEADER: &str = "n,mail,secret,note\r\n";

/// A row of somebody's, with a line break in it.
fn row(n: usize, email: &str) -> String {
    format!("{n},{email},s{n},\"a \"\"note\"\"\n, of {n}\"\r\n")
}

fn rows(emails: &[&str]) -> String {
    let mut text = HEADER.to_owned();
    for (n, email) in emails.iter().enumerate() {
        text.push_str(&row(n, email));
    }
    text
}

#[tokio::test]
async fn rows_are_counted_and_copied_whatever_packs_them() {
    let world = World::lake(None).await;
    let text = rows(&[BOB, "ANN@example.test", "x@example.test", ANN]);
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    for (compression, body) in [
        ("none", text.clone().into_bytes()),
        ("gzip", gzip(&text)),
        ("snappy", snappy(&text)),
        ("zstd", zstd),
    ] {
        world.rows("events/a", body).await;
        let store = events(&format!(", compression: {compression}"), "delete_rows");
        let object = world.current(&store, "events/a").await;
        let who = roster(&[ANN]);
        let found = world.count(&store, &object, &who).await.unwrap();
        let ann = MemberRows {
            member: 0,
            rows: 2,
            shared: 0,
        };
        assert_eq!((found.rows, found.matched), (4, vec![ann]), "{compression}");
        let copies = world
            .stores
            .search(&store, &object, &who, Wanted::Copies)
            .await
            .unwrap();
        let text = |name: &str, text: &str| (name.to_owned(), Datum::Text(text.to_owned()));
        let last = [
            text("n", "3"),
            text("mail", ANN),
            text("note", "a \"note\"\n, of 3"),
        ];
        assert_eq!(copies.records.len(), 2);
        assert_eq!(copies.records[1], (0, Record::Item(last.into())));
    }
}

#[tokio::test]
async fn a_sweep_leaves_nobodys_row_and_every_other_byte() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled)).await;
    let store = events(", compression: gzip", "delete_rows");
    let members = [gzip(&rows(&[ANN])), gzip(&row(7, BOB)), gzip(&row(8, ANN))].concat();
    world.rows("events/a", members).await;
    world.rows("events/b", gzip(&rows(&[BOB]))).await;
    let untouched = world.bytes("events/b").await;
    assert_eq!(world.sweep(&store, &roster(&[ANN])).await, 2);
    let left = world.bytes("events/a").await.unwrap();
    assert_eq!(gunzip(&left), HEADER.to_owned() + &row(7, BOB));
    assert_eq!(world.bytes("events/b").await, untouched);
    let (objects, _) = world.listed(&store).await.unwrap();
    assert_eq!(objects.len(), 2, "no older version is left");
}

#[tokio::test]
async fn masks_are_put_into_the_named_columns() {
    let world = World::lake(None).await;
    let deletion = "{ redact: { mail: mask, note: null } }";
    let store = events("", deletion);
    world.rows("events/a", rows(&[BOB, ANN])).await;
    let who = roster(&[ANN]);
    let object = world.current(&store, "events/a").await;
    world.forget(&store, &object, &who).await.unwrap();
    let left = String::from_utf8(world.bytes("events/a").await.unwrap()).unwrap();
    assert_eq!(left, rows(&[BOB]) + "1,***,s1,\"\"\r\n");
    let object = world.current(&store, "events/a").await;
    let found = world.count(&store, &object, &who).await.unwrap();
    assert!(found.matched.is_empty());
}

#[tokio::test]
async fn long_pieces_without_a_row_of_anybodys_are_copied_inside_s3() {
    let world = World::lake(None).await;
    let mut crowd = String::new();
    for n in 0.. {
        if crowd.len() > 7 * MIB {
            break;
        }
        let noise = format!("{n:>600}");
        write!(crowd, "{n},p{n}@example.org,s,\"{noise}\n\"\n").unwrap();
    }
    let text = format!("{HEADER}{crowd}{}{crowd}{crowd}", row(1, ANN));
    world.rows("events/a", text.clone()).await;
    let store = events("", "delete_rows");
    let object = world.current(&store, "events/a").await;
    world.wire.log();
    world
        .forget(&store, &object, &roster(&[ANN]))
        .await
        .unwrap();
    let log = world.wire.log();
    let copies = log
        .iter()
        .filter(|sent| sent.operation.contains("PUT copy"));
    let left = world.bytes("events/a").await.unwrap();
    assert_eq!(left, format!("{HEADER}{crowd}{crowd}{crowd}").into_bytes());
    assert_eq!(copies.count(), 2, "{log:?}");
}

#[tokio::test]
async fn what_cannot_be_read_for_certain_blocks_and_stays() {
    let world = World::lake(None).await;
    let store = events("", "delete_rows");
    for (name, body, reason) in [
        (
            "no-column",
            "n,email\n1,ann@example.test\n",
            BlockReason::SchemaMismatch,
        ),
        (
            "twice",
            "mail,mail\n1,ann@example.test\n",
            BlockReason::UnreadableData,
        ),
        (
            "ragged",
            "n,mail\n1,ann@example.test,3\n",
            BlockReason::UnreadableData,
        ),
        (
            "quote",
            "n,mail\n1,ann@exam\"ple.test\n",
            BlockReason::UnreadableData,
        ),
        (
            "open",
            "n,mail\n\"1,ann@example.test\n",
            BlockReason::UnreadableData,
        ),
        (
            "return",
            "n,mail\r1,ann@example.test\r",
            BlockReason::UnreadableData,
        ),
        ("nul", "n\0,\0m\0", BlockReason::UnreadableData),
    ] {
        let key = format!("events/{name}");
        world.rows(&key, body).await;
        let object = world.current(&store, &key).await;
        let who = roster(&[ANN]);
        let blocked = Some(Fault::Block(reason));
        assert_eq!(
            world.count(&store, &object, &who).await.err(),
            blocked,
            "{name}"
        );
        assert_eq!(
            world.forget(&store, &object, &who).await.err(),
            blocked,
            "{name}"
        );
        assert_eq!(
            world.bytes(&key).await,
            Some(body.as_bytes().to_vec()),
            "{name}"
        );
    }
}
