//! What stays of a file besides its rows: members, headers, marks, missing ends.

use proptest::prelude::*;

use super::*;

fn nobody() -> Arc<MatchSet> {
    set(&["id"], Normalise::Exact, &["nobody"])
}

/// The members of a gzip file: file name and content.
fn members(mut object: &[u8]) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
    let mut members = Vec::new();
    while !object.is_empty() {
        let mut decoder = flate2::bufread::GzDecoder::new(object);
        let mut bytes = Vec::new();
        decoder.read_to_end(&mut bytes).unwrap();
        let name = decoder
            .header()
            .and_then(|header| header.filename())
            .map(<[u8]>::to_vec);
        members.push((name, bytes));
        object = decoder.into_inner();
    }
    members
}

#[test]
fn members_stay_members_and_keep_their_names() {
    let parts: [&[u8]; 3] = [b"{\"id\":1}\n{\"id\":", b"2}\n", b"{\"id\":3}\n{\"id\":4}"];
    let object = packed(GZIP, &parts);
    let who = set(&["id"], Normalise::Exact, &["2"]);
    let done = rewrite(GZIP, &object, &who, Action::Drop).unwrap();
    let name = Some(b"rows.jsonl".to_vec());
    let left = [
        (name.clone(), b"{\"id\":1}\n".to_vec()),
        (name, b"{\"id\":3}\n{\"id\":4}".to_vec()),
    ];
    assert_eq!(members(&done.bytes), left, "the emptied one is gone");
    assert_eq!(done.bytes[4..8], 1_700_000_000_u32.to_le_bytes());
}

#[test]
fn the_level_is_the_one_that_the_header_gives_away() {
    let row = |n: u32| format!("{{\"id\":{n},\"x\":{}}}\n", n % 977);
    let rows: String = (0..20_000).map(row).collect();
    for (level, extra) in [(1, 4), (6, 0), (9, 2)] {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        writer.write_all(rows.as_bytes()).unwrap();
        let object = writer.finish().unwrap();
        assert_eq!(object[8], extra);
        let done = rewrite(GZIP, &object, &nobody(), Action::Drop).unwrap();
        assert_eq!(unpacked(GZIP, &done.bytes), rows.as_bytes());
        let (before, after) = (object.len(), done.bytes.len());
        assert!(
            after.abs_diff(before) * 50 < before,
            "level {level}: {before} to {after}"
        );
    }
}

#[test]
fn every_field_of_a_header_is_read_and_old_sizes_are_dropped() {
    let plain = packed(GZIP, &[b"{\"id\":1}\n"]);
    let data = &plain[10 + "rows.jsonl\0".len()..];
    let mut object = vec![0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 1, 2, 3, 4, 0, 3];
    object.extend(b"\x06\0BC\x02\0\x1b\0a.jsonl\0a remark\0\xff\xff");
    object.extend(data);
    for pieces in [[1], [1000]] {
        let limits = Limits::default();
        let rewriter = Rewriter::new(source(GZIP), nobody(), Action::Drop, limits).unwrap();
        let done = run(rewriter, &object, &pieces).unwrap();
        assert_eq!(done.bytes[..10], [0x1f, 0x8b, 8, 8 | 16, 1, 2, 3, 4, 0, 3]);
        assert_eq!(&done.bytes[10..27], b"a.jsonl\0a remark\0");
        assert_eq!(unpacked(GZIP, &done.bytes), b"{\"id\":1}\n");
    }
}

#[test]
fn what_is_emptied_is_a_valid_file() {
    let who = set(&["id"], Normalise::Exact, &["1"]);
    for compression in [NONE, GZIP, SNAPPY, ZSTD] {
        let object = packed(compression, &[b"{\"id\":1}\n{\"id\":\"1\"}"]);
        let done = rewrite(compression, &object, &who, Action::Drop).unwrap();
        assert_eq!(unpacked(compression, &done.bytes), b"");
        assert_eq!(done.bytes.is_empty(), compression == NONE);
        assert_eq!(done.report.rows_after, 0);
        assert_eq!(done.report.bytes_out, wide(done.bytes.len()));
    }
}

#[test]
fn an_object_without_a_byte_stays_one() {
    for compression in [NONE, GZIP, SNAPPY, ZSTD] {
        let done = rewrite(compression, b"", &nobody(), Action::Drop).unwrap();
        assert_eq!(done.bytes, b"");
        assert_eq!(done.report, Report::default());
    }
}

#[test]
fn the_mark_and_the_missing_end_stay() {
    let who = set(&["id"], Normalise::Exact, &["1"]);
    for (rows, left) in [
        ("\u{feff}{\"id\":1}\n{\"id\":2}", "\u{feff}{\"id\":2}"),
        ("\u{feff}{\"id\":2}\n{\"id\":1}", "\u{feff}{\"id\":2}\n"),
        ("\u{feff}", "\u{feff}"),
        ("\n\n", "\n\n"),
        ("{\"id\":2}\r\n{\"id\":1}\r\n", "{\"id\":2}\r\n"),
    ] {
        for compression in [NONE, GZIP, SNAPPY, ZSTD] {
            let object = packed(compression, &[rows.as_bytes()]);
            let done = rewrite(compression, &object, &who, Action::Drop).unwrap();
            assert_eq!(
                unpacked(compression, &done.bytes),
                left.as_bytes(),
                "{rows:?}"
            );
            if compression == GZIP {
                assert_eq!(members(&done.bytes).len(), 1);
            }
        }
    }
}

#[test]
fn zeros_after_the_last_member_are_padding() {
    let mut object = packed(GZIP, &[b"{\"id\":1}\n"]);
    object.extend([0; 1000]);
    let done = rewrite(GZIP, &object, &nobody(), Action::Drop).unwrap();
    assert_eq!(unpacked(GZIP, &done.bytes), b"{\"id\":1}\n");
    assert_eq!(done.report.bytes_in, wide(object.len()));
}

#[test]
fn frames_without_data_are_skipped() {
    let mut object = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    object.extend(packed(ZSTD, &[b"{\"id\":1}\n", b"{\"id\":2}\n"]));
    object.extend(b"\x5e\x2a\x4d\x18\x01\0\0\0x");
    let done = rewrite(ZSTD, &object, &nobody(), Action::Drop).unwrap();
    assert_eq!(unpacked(ZSTD, &done.bytes), b"{\"id\":1}\n{\"id\":2}\n");
}

#[test]
fn long_pieces_without_a_match_can_be_copied_by_s3() {
    let row = |n: usize| format!("{{\"id\":{n},\"pad\":\"{}\"}}\n", "x".repeat(1000));
    let rows: String = (0..3_000).map(row).collect();
    let who = set(&["id"], Normalise::Exact, &["1500", "1501", "2999"]);
    let limits = Limits {
        untouched_bytes: 1_000_000,
        ..Limits::default()
    };
    for action in [Action::Drop, Action::Find] {
        let rewriter = Rewriter::new(source(NONE), Arc::clone(&who), action, limits).unwrap();
        let done = run(rewriter, rows.as_bytes(), &[100_000]).unwrap();
        let first = wide((0..1500).map(|n| row(n).len()).sum());
        let touched = wide(row(1500).len() + row(1501).len());
        let last = wide(rows.len() - row(2999).len());
        let pieces = [
            Untouched {
                source: 0..first,
                output_at: 0,
            },
            Untouched {
                source: first + touched..last,
                output_at: first,
            },
        ];
        assert_eq!(done.report.untouched, pieces);
    }
}

#[test]
fn a_push_stops_when_there_is_something_to_take_away() {
    let rows = "{\"id\":1}\n".repeat(1_000_000);
    for (compression, action) in [
        (NONE, Action::Drop),
        (GZIP, Action::HandOut),
        (NONE, Action::HandOut),
        (SNAPPY, Action::Drop),
    ] {
        let object = packed(compression, &[rows.as_bytes()]);
        let who = if action == Action::Drop {
            nobody()
        } else {
            set(&["id"], Normalise::Exact, &["1"])
        };
        let limits = Limits::default();
        let mut rewriter = Rewriter::new(source(compression), who, action, limits).unwrap();
        let (mut out, mut rest, mut largest) = (Output::default(), &object[..], 0);
        while !rest.is_empty() {
            let took = rewriter.push(rest, &mut out).unwrap();
            rest = &rest[took..];
            largest = largest.max(out.bytes.len()).max(out.rows.len());
            out.bytes.clear();
            out.rows.clear();
        }
        assert!(
            largest <= 1024 * 1024 + 256 * 1024 && largest > 1024,
            "{largest}"
        );
        assert_eq!(rewriter.finish(&mut out).unwrap().rows_before, 1_000_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever arrives: an error or a result, never a panic, and never more than the limits.
    #[test]
    fn any_bytes_are_answered(
        compression in prop::sample::select(vec![NONE, GZIP, SNAPPY, ZSTD]),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..20,
        insert in prop::collection::vec(any::<u8>(), 0..20),
        pieces in prop::collection::vec(1_usize..100, 1..3),
    ) {
        let rows = "{\"id\":1,\"t\":\"x\\u00e4\"}\n{\"id\":[2,{\"id\":3}]}\r\n\n{\"i\\u0064\":4}\n";
        let mut object = packed(compression, &[rows.as_bytes(), rows.as_bytes()]);
        let start = at.index(object.len());
        let end = (start + cut).min(object.len());
        object.splice(start..end, insert);
        let who = set(&["id"], Normalise::Exact, &["1", "4"]);
        let limits = Limits { row_bytes: 64, ..Limits::default() };
        let rewriter = Rewriter::new(source(compression), who, Action::Drop, limits).unwrap();
        if let Err(error) = run(rewriter, &object, &pieces) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
