//! Objects that nobody should be made to read: each blocks with its reason and stays as it is, and
//! its neighbour goes on.

use std::io::Write as _;

use quittance_core::data_map::Store;
use quittance_core::fault::{BlockReason, Fault};

use crate::lake::{ANN, BOB, MIB, gzip, roster, row, rows, snappy};
use crate::world::{World, store};

/// A store under `events/`.
fn events(format: &str, compression: &str) -> Store {
    store(&format!(
        "s3: {{ bucket: lake, prefix: events/, format: {format}, compression: {compression} }}
         find: [ {{ email: {{ field: user.email }} }} ]
         deletion: delete_rows"
    ))
}

/// Rows of one of Ann's and one of Bob's in a format.
fn sane(format: &str) -> String {
    match format {
        "jsonl" => rows(&[ANN, BOB]),
        _ => format!("n,user.email\n1,{ANN}\n2,{BOB}\n"),
    }
}

fn zstd(text: &str) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn packed(compression: &str, text: &str) -> Vec<u8> {
    match compression {
        "gzip" => gzip(text),
        "snappy" => snappy(text),
        "zstd" => zstd(text),
        _ => text.as_bytes().to_vec(),
    }
}

/// Without its last bytes.
fn cut(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 5);
    bytes
}

/// With its last byte but four turned round.
fn bent(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.len() - 5;
    bytes[at] ^= 0xff;
    bytes
}

/// A frame that asks for a window of 128 MiB.
fn wide_window(text: &str) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// What each is, in which format and compression, and its bytes, which are refused as unreadable.
fn unreadable() -> Vec<(&'static str, &'static str, &'static str, Vec<u8>)> {
    let mut all = Vec::new();
    for compression in ["gzip", "snappy", "zstd"] {
        for format in ["jsonl", "csv"] {
            let good = packed(compression, &sane(format));
            all.push(("cut off", format, compression, cut(good.clone())));
            all.push(("bent", format, compression, bent(good)));
            let bare = sane(format).into_bytes();
            all.push(("not packed", format, compression, bare));
        }
    }
    let raw = snap::raw::Encoder::new().compress_vec(sane("jsonl").as_bytes());
    let raw = raw.unwrap();
    all.push(("raw snappy", "jsonl", "snappy", raw));
    let email = format!("\"user.email\":\"{ANN}\"");
    for (what, format, text) in [
        (
            "a key twice",
            "jsonl",
            format!("{{{email},{email}}}\n").into_bytes(),
        ),
        ("a slip", "jsonl", format!("{{{email},}}\n").into_bytes()),
        ("a list", "jsonl", b"[1]\n".to_vec()),
        ("another format", "jsonl", sane("csv").into_bytes()),
        ("no UTF-8", "jsonl", b"{\"user.email\":\"\xff\"}\n".to_vec()),
        ("no UTF-8", "csv", b"n,user.email\n\xff,x\n".to_vec()),
        ("UTF-16", "csv", b"n\0,\0u\0\n\0".to_vec()),
        (
            "a stray quote",
            "csv",
            format!("n,user.email\n1\",{ANN}\n").into_bytes(),
        ),
        (
            "an open quote",
            "csv",
            format!("n,user.email\n\"1,{ANN}\n").into_bytes(),
        ),
        (
            "a field too many",
            "csv",
            format!("n,user.email\n1,{ANN},\n").into_bytes(),
        ),
        (
            "a field too few",
            "csv",
            format!("n,user.email\n{ANN}\n").into_bytes(),
        ),
        (
            "a column twice",
            "csv",
            format!("user.email,user.email\n1,{ANN}\n").into_bytes(),
        ),
        (
            "carriage returns",
            "csv",
            format!("n,user.email\r1,{ANN}\r").into_bytes(),
        ),
    ] {
        all.push((what, format, "none", text));
    }
    all
}

#[tokio::test]
async fn what_is_unreadable_blocks_and_stays_and_its_neighbour_goes_on() {
    for (what, format, compression, body) in unreadable() {
        refused(format, compression, body, BlockReason::UnreadableData, what).await;
    }
}

#[tokio::test]
async fn what_is_too_much_blocks_and_stays_and_its_neighbour_goes_on() {
    let too_large = BlockReason::TooLarge;
    let bomb = "\n".repeat(32 * MIB);
    refused("jsonl", "gzip", gzip(&bomb), too_large, "a bomb").await;
    refused("csv", "zstd", zstd(&bomb), too_large, "a bomb").await;
    let window = wide_window(&sane("jsonl"));
    refused("jsonl", "zstd", window, too_large, "a wide window").await;
    let deep = format!(
        "{{\"user.email\":\"{ANN}\",\"x\":{}{}}}\n",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    refused("jsonl", "none", deep.into_bytes(), too_large, "deep").await;
    let long = row(1, &"x".repeat(17 * MIB));
    refused("jsonl", "snappy", snappy(&long), too_large, "a long row").await;
    let long = format!("n,user.email\n1,\"{}", "x\n".repeat(9 * MIB));
    refused("csv", "none", long.into_bytes(), too_large, "a long row").await;
    let columns = format!("user.email{}\n", ",".repeat(20_000));
    refused("csv", "none", columns.into_bytes(), too_large, "columns").await;
    let reason = BlockReason::SchemaMismatch;
    let other = b"n,mail\n1,2\n".to_vec();
    refused("csv", "none", other, reason, "another table").await;
}

/// Looks through an object and tries to rewrite it, and does so with a good one beside it.
async fn refused(format: &str, compression: &str, body: Vec<u8>, reason: BlockReason, what: &str) {
    let world = World::lake(None).await;
    let store = events(format, compression);
    let what = format!("{what}: {format} in {compression}");
    world.rows("events/hostile", body.clone()).await;
    world
        .rows("events/good", packed(compression, &sane(format)))
        .await;
    let who = roster(&[ANN]);
    let hostile = world.current(&store, "events/hostile").await;
    let blocked = Some(Fault::Block(reason));
    assert_eq!(
        world.count(&store, &hostile, &who).await.err(),
        blocked,
        "{what}"
    );
    assert_eq!(
        world.forget(&store, &hostile, &who).await.err(),
        blocked,
        "{what}"
    );
    assert!(world.bytes("events/hostile").await == Some(body), "{what}");
    let good = world.current(&store, "events/good").await;
    let done = world.forget(&store, &good, &who).await.unwrap();
    assert_eq!((done.before, done.after), (2, 1), "{what}");
}
