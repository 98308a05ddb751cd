//! Rows in JSON and CSV, packed or not: whatever comes, the rewriter ends with an answer; in pieces it
//! answers as it does at once; and what it made is read again, and holds nobody's row any more.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use quittance_core::data_map::{Compression, Delimiter, Dialect, RecordFormat};
use quittance_fuzz::rewrite::{Action, Output, Report, RewriteError, Rewriter, Source};
use quittance_fuzz::{actions, limits, who};

fuzz_target!(|input: &[u8]| {
    let [format, packing, choice, piece, object @ ..] = input else {
        return;
    };
    let headless = Dialect {
        delimiter: Delimiter::Semicolon,
        header: false,
    };
    let (format, fields, masked): (_, &[&str], _) = match format % 3 {
        0 => (RecordFormat::Jsonl, &["m", "u.m", "l[].m"], "n"),
        1 => (RecordFormat::Csv(Dialect::default()), &["m"], "n"),
        _ => (RecordFormat::Csv(headless), &["1"], "2"),
    };
    let source = Source {
        format,
        compression: match packing % 4 {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            _ => Compression::Zstd,
        },
    };
    let set = who(fields);
    let run =
        |object: &[u8], action: Action, piece: usize| -> Result<(Vec<u8>, Report), RewriteError> {
            let mut rewriter = Rewriter::new(source, Arc::clone(&set), action, limits())?;
            let mut out = Output::default();
            for mut rest in object.chunks(piece.max(1)) {
                while !rest.is_empty() {
                    let taken = rewriter.push(rest, &mut out)?;
                    rest = rest.get(taken..).unwrap_or_default();
                }
            }
            let report = rewriter.finish(&mut out)?;
            Ok((out.bytes, report))
        };
    let (action, find) = actions(*choice, masked);
    let whole = run(object, action.clone(), usize::MAX);
    let pieces = run(object, action.clone(), usize::from(*piece));
    let Ok((made, report)) = whole else {
        assert!(
            pieces.is_err(),
            "in pieces it is read, and at once it is not"
        );
        return;
    };
    let (in_pieces, of_pieces) = pieces.expect("at once it is read, and in pieces it is not");
    assert_eq!(report.rows_before, of_pieces.rows_before);
    assert_eq!(report.rows_matched, of_pieces.rows_matched);
    if source.compression == Compression::None {
        assert_eq!(made, in_pieces);
    }
    let (_, found) = run(object, find.clone(), usize::MAX).expect("it was read before");
    assert_eq!(
        found.rows_matched, report.rows_changed,
        "what is found is what is changed"
    );
    let (_, left) = run(&made, find, usize::MAX).expect("what was made cannot be read");
    assert_eq!(
        (left.rows_matched, left.rows_before),
        (0, report.rows_after)
    );
});
