//! Rewriting as a whole, against a naive oracle: `serde_json`, line by line.

mod csv;
mod csv_random;
mod errors;
mod hostile;
mod parquet;
mod parquet_hostile;
mod pseudonyms;
mod random;
mod snappy;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

use quittance_core::data_map::{
    Column, Delimiter, Dialect, FieldPath, Find, FindHow, Hash, IdentifierRule, Line, Mask,
};
use quittance_core::matching::MatchSetBuilder;
use quittance_core::subject::{IdentifierKind, Normalise};

use super::*;

pub(super) const GZIP: Compression = Compression::Gzip;
pub(super) const NONE: Compression = Compression::None;
pub(super) const SNAPPY: Compression = Compression::Snappy;
pub(super) const ZSTD: Compression = Compression::Zstd;

pub(super) fn kind() -> IdentifierKind {
    IdentifierKind::parse("who").unwrap()
}

pub(super) fn rule(normalise: Normalise) -> IdentifierRule {
    IdentifierRule {
        normalise,
        asked: true,
        many: true,
        region: None,
        line: Line(1),
    }
}

/// Finds by each of these fields.
pub(super) fn finds(fields: &[&str], hash: Option<Hash>) -> Vec<Find> {
    let find = |field: &&str| Find {
        kind: kind(),
        how: FindHow::Columns(vec![Column {
            kind: kind(),
            field: FieldPath::parse(field).unwrap(),
            hash,
        }]),
        line: Line(1),
    };
    fields.iter().map(find).collect()
}

/// The members 0, 1, … with an identifier each, found by these fields.
pub(super) fn set(fields: &[&str], normalise: Normalise, who: &[&str]) -> Arc<MatchSet> {
    let rules = BTreeMap::from([(kind(), rule(normalise))]);
    let mut builder = MatchSetBuilder::new(&finds(fields, None), &rules, who.len()).unwrap();
    for (member, text) in (0..).zip(who) {
        builder.add_texts(member, &[kind()], &[text]).unwrap();
    }
    Arc::new(builder.build())
}

/// Counts what these masks would change.
pub(super) fn to_find(fields: BTreeMap<FieldPath, Mask>) -> Action {
    Action::to_find(&DeletionRule::Redact { fields, rest: None }, None)
}

pub(super) fn source(compression: Compression) -> Source {
    Source {
        format: RecordFormat::Jsonl,
        compression,
    }
}

/// CSV with a header and commas.
pub(super) fn csv_source(compression: Compression) -> Source {
    Source {
        format: RecordFormat::Csv(Dialect::default()),
        compression,
    }
}

/// What a rewriter made of an object.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Vec<Row>,
    pub(super) report: Report,
}

/// Pushes an object in pieces of these lengths, over and over.
pub(super) fn run(
    mut rewriter: Rewriter,
    object: &[u8],
    pieces: &[usize],
) -> Result<Done, RewriteError> {
    let mut out = Output::default();
    let (mut bytes, mut rows) = (Vec::new(), Vec::new());
    let mut rest = object;
    for length in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (mut piece, after) = rest.split_at((*length).clamp(1, rest.len()));
        while !piece.is_empty() {
            let took = rewriter.push(piece, &mut out)?;
            piece = &piece[took..];
            bytes.append(&mut out.bytes);
            rows.append(&mut out.rows);
        }
        rest = after;
    }
    let report = rewriter.finish(&mut out)?;
    bytes.append(&mut out.bytes);
    rows.append(&mut out.rows);
    Ok(Done {
        bytes,
        rows,
        report,
    })
}

/// Rewrites an object with the limits of every day.
pub(super) fn rewrite(
    compression: Compression,
    object: &[u8],
    matches: &Arc<MatchSet>,
    action: Action,
) -> Result<Done, RewriteError> {
    let limits = Limits::default();
    let rewriter = Rewriter::new(source(compression), Arc::clone(matches), action, limits)?;
    run(rewriter, object, &[7_919])
}

/// Packs as other programs do, one member for each part.
pub(super) fn packed(compression: Compression, parts: &[&[u8]]) -> Vec<u8> {
    let mut object = Vec::new();
    for part in parts {
        match compression {
            Compression::Gzip => {
                let mut writer = flate2::GzBuilder::new()
                    .filename("rows.jsonl")
                    .mtime(1_700_000_000)
                    .write(Vec::new(), flate2::Compression::default());
                writer.write_all(part).unwrap();
                object.extend(writer.finish().unwrap());
            }
            Compression::None => object.extend_from_slice(part),
            Compression::Snappy => {
                let mut writer = snap::write::FrameEncoder::new(Vec::new());
                writer.write_all(part).unwrap();
                object.extend(writer.into_inner().unwrap());
            }
            Compression::Zstd => object.extend(zstd::encode_all(*part, 1).unwrap()),
        }
    }
    object
}

/// Unpacks as other programs do.
pub(super) fn unpacked(compression: Compression, object: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let mut bytes = Vec::new();
            flate2::read::MultiGzDecoder::new(object)
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        }
        Compression::None => object.to_vec(),
        Compression::Snappy => {
            let mut bytes = Vec::new();
            snap::read::FrameDecoder::new(object)
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        }
        Compression::Zstd => zstd::decode_all(object).unwrap(),
    }
}

#[test]
fn a_members_rows_go_and_the_others_stay_as_they_are() {
    let rows = "{\"user\":{\"email\":\"ann@example.org\"},\"n\":1.0}\n\
                {\"user\": {\"email\": \"BOB@Example.org\"} }\r\n\
                \n\
                {\"n\":2,\"user.email\":\"ann@example.org\"}\n\
                {\"user\":{\"email\":[\"x@example.org\",\"Ann@example.org\"]}}\n\
                {\"user\":\"ann@example.org\"}";
    let who = set(&["user.email"], Normalise::Email, &["ann@example.org"]);
    for compression in [NONE, GZIP, SNAPPY, ZSTD] {
        let object = packed(compression, &[rows.as_bytes()]);
        let done = rewrite(compression, &object, &who, Action::Drop).unwrap();
        let left = "{\"user\": {\"email\": \"BOB@Example.org\"} }\r\n\
                    \n\
                    {\"user\":\"ann@example.org\"}";
        let bytes = unpacked(compression, &done.bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), left);
        let report = done.report;
        assert_eq!((report.rows_before, report.rows_after), (5, 2));
        assert_eq!((report.rows_matched, report.rows_changed), (3, 3));
        assert_eq!(report.by_member[&0].matched, 3);
        assert_eq!(report.bytes_in, wide(object.len()));
        assert_eq!(report.bytes_unpacked, wide(rows.len()));
        assert_eq!(report.bytes_out, wide(done.bytes.len()));
    }
}

#[test]
fn falsy_values_and_numbers_match() {
    let rows = "{\"id\":0}\n{\"id\":\"0\"}\n{\"id\":false}\n{\"id\":\"\"}\n{\"id\":null}\n\
                {\"id\":0.0}\n{\"id\":-0}\n{\"id\":00}\n{}\n{\"id\":4.2e1}\n{\"id\":\" 42\"}\n";
    let rows = rows.replace("{\"id\":00}\n", "{\"id\":\"00\"}\n");
    let who = set(&["id"], Normalise::Exact, &["0", "", "false", "42"]);
    let done = rewrite(NONE, rows.as_bytes(), &who, Action::Drop).unwrap();
    let left = "{\"id\":null}\n{\"id\":\"00\"}\n{}\n";
    assert_eq!(String::from_utf8(done.bytes).unwrap(), left);
    let matched: Vec<u64> = done.report.by_member.values().map(|m| m.matched).collect();
    assert_eq!(matched, [4, 1, 1, 2]);
}

#[test]
fn keys_that_are_spelled_otherwise_are_found() {
    let rows = "{\"\\u0065mail\":\"a\"}\n{ \"email\" \t: \"a\" }\n{\"email\":\"\\u0061\"}\n\
                {\"x\":{\"email\":\"a\"}}\n{\"x\":\"email\\\":\\\"a\"}\n";
    let who = set(&["email"], Normalise::Exact, &["a"]);
    let done = rewrite(NONE, rows.as_bytes(), &who, Action::HandOut).unwrap();
    let lines: Vec<u64> = done.rows.iter().map(|row| row.line).collect();
    assert_eq!(lines, [1, 2, 3]);
    assert!(done.bytes.is_empty(), "a find pass writes nothing");
    assert_eq!(done.rows[1].bytes, b"{ \"email\" \t: \"a\" }");
}

#[test]
fn rows_of_an_excluded_member_stay_even_if_they_are_anothers_too() {
    let rows = "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"1\"}\n{\"b\":\"2\"}\n";
    let who = set(&["a", "b"], Normalise::Exact, &["1", "2"]);
    let limits = Limits::default();
    let rewriter = Rewriter::new(source(NONE), who, Action::Drop, limits).unwrap();
    let done = run(rewriter.without([1]), rows.as_bytes(), &[1]).unwrap();
    assert_eq!(done.bytes, b"{\"a\":\"1\",\"b\":\"2\"}\n{\"b\":\"2\"}\n");
    let report = done.report;
    assert_eq!((report.rows_matched, report.rows_held), (3, 2));
    assert_eq!((report.rows_changed, report.rows_after), (1, 2));
    let both = |matched, shared, held| MemberRows {
        matched,
        shared,
        held,
    };
    assert_eq!(report.by_member[&0], both(2, 1, 1));
    assert_eq!(report.by_member[&1], both(2, 1, 2));
}

#[test]
fn masked_rows_change_in_the_named_fields_only() {
    let masks = [("user.name", Mask::Fixed), ("phone", Mask::Remove)];
    let masks = masks.map(|(path, mask)| (FieldPath::parse(path).unwrap(), mask));
    let action = Action::Redact(masks.into_iter().collect::<BTreeMap<_, _>>().into());
    let rows = "{\"user\":{\"name\":\"Ann\",\"id\":7}, \"phone\":\"1\",\"x\":1e5}\n\
                {\"user\":{\"name\":\"Bob\",\"id\":8}}\n\
                {\"user\":{\"name\":\"***\",\"id\":7}}\n";
    let who = set(&["user.id"], Normalise::Digits, &["7"]);
    let done = rewrite(NONE, rows.as_bytes(), &who, action.clone()).unwrap();
    let after = "{\"user\":{\"name\":\"***\",\"id\":7},\"x\":1e5}\n\
                 {\"user\":{\"name\":\"Bob\",\"id\":8}}\n\
                 {\"user\":{\"name\":\"***\",\"id\":7}}\n";
    assert_eq!(String::from_utf8(done.bytes.clone()).unwrap(), after);
    let report = done.report;
    assert_eq!((report.rows_matched, report.rows_changed), (2, 1));
    assert_eq!((report.rows_before, report.rows_after), (3, 3));
    let again = rewrite(NONE, &done.bytes, &who, action).unwrap();
    assert_eq!(again.bytes, done.bytes, "the second time changes nothing");
    assert_eq!(again.report.rows_changed, 0);
}

#[test]
fn what_is_masked_already_is_not_found_again() {
    let masks = BTreeMap::from([(FieldPath::parse("name").unwrap(), Mask::Fixed)]);
    let rows = "{\"name\":\"Ann\",\"id\":7}\n{\"name\":\"***\",\"id\":7}\n{\"name\":\"Bob\"}\n";
    let who = set(&["id"], Normalise::Digits, &["7"]);
    let find = to_find(masks.clone());
    let found = rewrite(NONE, rows.as_bytes(), &who, find.clone()).unwrap();
    assert!(found.bytes.is_empty());
    let report = found.report;
    assert_eq!((report.rows_before, report.rows_after), (3, 3));
    assert_eq!((report.rows_matched, report.by_member[&0].matched), (1, 1));
    let done = rewrite(NONE, rows.as_bytes(), &who, Action::Redact(masks.into())).unwrap();
    let again = rewrite(NONE, &done.bytes, &who, find).unwrap();
    assert_eq!(again.report.rows_matched, 0);
    assert!(again.report.by_member.is_empty());
}

#[test]
fn hashed_columns_and_hashed_lists_meet_raw_ones() {
    let hash = |text: &str| quittance_core::digest::Digest::of(text.as_bytes());
    let rules = BTreeMap::from([(kind(), rule(Normalise::Email))]);
    let raw = b"{\"m\":\"Ann@Example.org\"}\n{\"m\":\"bob@example.org\"}\n";
    let mut list = MatchSetBuilder::new(&finds(&["m"], None), &rules, 1).unwrap();
    list.add_hash(0, &[kind()], &hash("ann@example.org"))
        .unwrap();
    let done = rewrite(NONE, raw, &Arc::new(list.build()), Action::Drop).unwrap();
    assert_eq!(done.bytes, b"{\"m\":\"bob@example.org\"}\n");
    let hashed = format!(
        "{{\"m\":\"{}\"}}\n{{\"m\":\"{}\"}}\n",
        hash("ann@example.org").to_string().to_uppercase(),
        hash("bob@example.org")
    );
    let columns = finds(&["m"], Some(Hash::Sha256Hex));
    let mut list = MatchSetBuilder::new(&columns, &rules, 1).unwrap();
    list.add_texts(0, &[kind()], &["ANN@example.org"]).unwrap();
    let done = rewrite(
        NONE,
        hashed.as_bytes(),
        &Arc::new(list.build()),
        Action::Drop,
    )
    .unwrap();
    assert_eq!(done.report.rows_after, 1);
    assert!(
        done.bytes
            .ends_with(format!("{}\"}}\n", hash("bob@example.org")).as_bytes())
    );
}

#[test]
fn a_rewriter_moves_between_threads() {
    fn moves<T: Send + 'static>() {}
    moves::<Rewriter>();
    moves::<Output>();
    moves::<RewriteError>();
}

#[test]
fn no_debug_output_shows_a_row() {
    let who = set(&["a"], Normalise::Exact, &["canary-7f3"]);
    let limits = Limits::default();
    let rewriter = Rewriter::new(source(NONE), Arc::clone(&who), Action::HandOut, limits);
    let mut rewriter = rewriter.unwrap();
    let mut out = Output::default();
    let rows = b"{\"a\":\"canary-7f3\"}\n{\"a\":\"canary-7f3\"";
    rewriter.push(rows, &mut out).unwrap();
    assert_eq!(out.rows.len(), 1);
    for printed in [
        format!("{:?}", out.rows),
        format!("{out:?}"),
        format!("{rewriter:?}"),
    ] {
        assert!(!printed.contains("canary"), "{printed}");
        assert!(!printed.contains("99, 97, 110"), "{printed}");
    }
}
