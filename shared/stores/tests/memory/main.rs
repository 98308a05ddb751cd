//! Memory stays bounded, however large the object and its rows. A program of its own: the allocator
//! counts everything in it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: whatever does not fit is a finding"
)]

#[cfg(test)]
mod parquet;

use std::alloc::System;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use cap::Cap;
use quittance_core::data_map::{
    Compression, Dialect, FieldPath, Find, FindHow, IdentifierRule, Line, Mask, RecordFormat,
};
use quittance_core::matching::{MatchSet, MatchSetBuilder};
use quittance_core::subject::{IdentifierKind, Normalise};
use quittance_stores::rewrite::{Action, Limits, Output, Rewriter, Source};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const MIB: usize = 1024 * 1024;
const JSONL: RecordFormat = RecordFormat::Jsonl;

fn set(identifiers: u32) -> Arc<MatchSet> {
    let kind = IdentifierKind::parse("email").unwrap();
    let rule = IdentifierRule {
        normalise: Normalise::Email,
        asked: true,
        many: false,
        region: None,
        line: Line(1),
    };
    let find = Find {
        kind: kind.clone(),
        how: FindHow::Field(FieldPath::parse("user.email").unwrap()),
        line: Line(1),
    };
    let rules = BTreeMap::from([(kind.clone(), rule)]);
    let expected = usize::try_from(identifiers).unwrap();
    let mut builder = MatchSetBuilder::new(&[find], &rules, expected).unwrap();
    let kinds = [kind];
    for n in 0..identifiers {
        let email = format!("person{n}@example.org");
        builder.add_texts(n, &kinds, &[&email]).unwrap();
    }
    Arc::new(builder.build())
}

/// A MiB of rows; about one in a thousand is the first member's.
fn rows() -> Vec<u8> {
    let mut rows = Vec::with_capacity(MIB);
    for n in 0.. {
        let who = if n % 1000 == 0 { 0 } else { 50_000_000 + n };
        let row = format!("{{\"n\":{n},\"user\":{{\"email\":\"person{who}@example.org\"}}}}\n");
        if rows.len() + row.len() > MIB {
            return rows;
        }
        rows.extend(row.into_bytes());
    }
    rows
}

/// Packs as much of the same rows, without having them in memory at once.
fn packed(compression: Compression, rows: &[u8], times: usize) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let level = flate2::Compression::fast();
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
            (0..times).for_each(|_| writer.write_all(rows).unwrap());
            writer.finish().unwrap()
        }
        Compression::Zstd => {
            let mut writer = zstd::Encoder::new(Vec::new(), 1).unwrap();
            (0..times).for_each(|_| writer.write_all(rows).unwrap());
            writer.finish().unwrap()
        }
        Compression::Snappy => {
            let mut writer = snap::write::FrameEncoder::new(Vec::new());
            (0..times).for_each(|_| writer.write_all(rows).unwrap());
            writer.into_inner().unwrap()
        }
        Compression::None => Vec::new(),
    }
}

/// Rewrites with so many bytes more than there are now, and returns how many rows matched. The first
/// byte beyond ends the program.
fn within<'p>(
    bytes: usize,
    set: &Arc<MatchSet>,
    (format, compression): (RecordFormat, Compression),
    action: Action,
    pieces: impl Iterator<Item = &'p [u8]>,
) -> u64 {
    let source = Source {
        format,
        compression,
    };
    HEAP.set_limit(HEAP.allocated() + bytes).unwrap();
    let mut rewriter = Rewriter::new(source, Arc::clone(set), action, Limits::default()).unwrap();
    let mut out = Output::default();
    for mut piece in pieces {
        while !piece.is_empty() {
            let took = rewriter.push(piece, &mut out).unwrap();
            piece = &piece[took..];
            out.bytes.clear();
            out.rows.clear();
        }
    }
    let report = rewriter.finish(&mut out).unwrap();
    HEAP.set_limit(usize::MAX).unwrap();
    report.rows_matched
}

/// One test, because the heap is everybody's.
#[test]
fn memory_is_bounded_whatever_the_size() {
    let before = HEAP.allocated();
    let set = set(1_000_000);
    let needed = HEAP.max_allocated() - before;
    assert!(
        needed < 24 * MIB,
        "{needed} bytes for building a set of a million"
    );
    let held = HEAP.allocated() - before;
    assert!(held < 20 * MIB, "{held} bytes for a set of a million");

    let rows = rows();
    for action in [Action::Drop, Action::HandOut] {
        let pieces = std::iter::repeat_n(&rows[..], 96);
        let plain = within(
            6 * MIB,
            &set,
            (JSONL, Compression::None),
            action.clone(),
            pieces,
        );
        assert!(plain > 96 * 10);
        for compression in [Compression::Gzip, Compression::Snappy, Compression::Zstd] {
            let object = packed(compression, &rows, 96);
            let pieces = object.chunks(MIB);
            let matched = within(6 * MIB, &set, (JSONL, compression), action.clone(), pieces);
            assert_eq!(matched, plain);
        }
    }

    // The longest rows that are taken, one after the other, each of them a member's.
    let long = format!(
        "{{\"user\":{{\"email\":\"person0@example.org\"}},\"x\":\"{}\"}}\n",
        "x".repeat(16 * MIB - 100)
    );
    let pieces = || (0..4).flat_map(|_| long.as_bytes().chunks(100_000));
    let none = (JSONL, Compression::None);
    assert_eq!(within(40 * MIB, &set, none, Action::HandOut, pieces()), 4);
    assert_eq!(within(40 * MIB, &set, none, Action::Drop, pieces()), 4);
    let masks = BTreeMap::from([(FieldPath::parse("x").unwrap(), Mask::Fixed)]);
    let redact = Action::Redact(masks.into());
    assert_eq!(within(40 * MIB, &set, none, redact, pieces()), 4);

    let csv = (RecordFormat::Csv(Dialect::default()), Compression::None);
    let long = format!(
        "person0@example.org,\"{}\"\n",
        "\"\"\n,".repeat(4 * MIB - 100)
    );
    let header = "user.email,x\n".as_bytes();
    let pieces =
        || std::iter::once(header).chain((0..4).flat_map(|_| long.as_bytes().chunks(100_000)));
    assert_eq!(within(40 * MIB, &set, csv, Action::Drop, pieces()), 4);
    let masks = BTreeMap::from([(FieldPath::parse("x").unwrap(), Mask::Fixed)]);
    assert_eq!(
        within(40 * MIB, &set, csv, Action::Redact(masks.into()), pieces()),
        4
    );
    // As many fields as fit into a row: they are counted, not kept.
    let commas = ",".repeat(16 * MIB - 1);
    let pieces = || {
        [header, commas.as_bytes()]
            .into_iter()
            .flat_map(|text| text.chunks(100_000))
    };
    HEAP.set_limit(HEAP.allocated() + 40 * MIB).unwrap();
    let source = Source {
        format: csv.0,
        compression: csv.1,
    };
    let rewriter = Rewriter::new(source, Arc::clone(&set), Action::Find, Limits::default());
    let (mut rewriter, mut out) = (rewriter.unwrap(), Output::default());
    for piece in pieces() {
        rewriter.push(piece, &mut out).unwrap();
    }
    assert!(rewriter.finish(&mut out).is_err());
    HEAP.set_limit(usize::MAX).unwrap();

    parquet::is_bounded_by_the_row_group(&set);
    parquet::is_not_asked_for_by_what_a_file_says(&set);
}
