//! Whatever bytes arrive, in every format and compression: an answer, the same one from every pass.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// A few bytes that take the place of others.
#[derive(Clone, Debug)]
struct Slip {
    at: Index,
    gone: usize,
    instead: Vec<u8>,
}

fn slips(most: usize) -> impl Strategy<Value = Vec<Slip>> {
    let bytes = prop_oneof![
        4 => select(b"\",\n\r{}:[]\\ 14ai\0\xff\xef\xbb\xbf".to_vec()),
        1 => any::<u8>(),
    ];
    let slip = (any::<Index>(), 0_usize..6, vec(bytes, 0..5));
    let slip = slip.prop_map(|(at, gone, instead)| Slip { at, gone, instead });
    vec(slip, 0..most)
}

fn slip(bytes: &mut Vec<u8>, slips: &[Slip]) {
    for Slip { at, gone, instead } in slips {
        let start = at.index(bytes.len() + 1);
        let end = (start + gone).min(bytes.len());
        bytes.splice(start..end, instead.iter().copied());
    }
}

/// What a format's files look like before anything slips.
fn sane(format: RecordFormat) -> &'static str {
    match format {
        RecordFormat::Jsonl => {
            "\u{feff}{\"1\":1,\"t\":\"x\\u00e4\"}\n{\"1\":[2,{\"1\":3}]}\r\n\n{\"\\u0031\":4}\n{\"1\":\"a\"}\n"
        }
        RecordFormat::Csv(_) => "\u{feff}1,\"t\"\"\n\"\r\n4,\"a,\n\"\n\na,\n5,x\r\n\"4\",\n",
        RecordFormat::Parquet => unreachable!("no text"),
    }
}

/// What a pass over some bytes came to.
fn passed(
    source: Source,
    action: Action,
    object: &[u8],
    pieces: &[usize],
) -> Result<Done, RewriteError> {
    let who = set(&["1"], Normalise::Exact, &["1", "4", "a"]);
    let limits = Limits {
        row_bytes: 64,
        untouched_bytes: 1,
        ..Limits::default()
    };
    run(Rewriter::new(source, who, action, limits)?, object, pieces)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn passes_agree_and_what_is_dropped_is_gone(
        headless in any::<bool>(),
        is_csv in any::<bool>(),
        compression in select(vec![NONE, GZIP, SNAPPY, ZSTD]),
        inside in slips(4),
        outside in slips(2),
        cut in any::<Index>(),
        pieces in vec(1_usize..100, 1..3),
    ) {
        let dialect = Dialect { header: !headless, ..Dialect::default() };
        let format = if is_csv { RecordFormat::Csv(dialect) } else { RecordFormat::Jsonl };
        let source = Source { format, compression };
        let mut rows = sane(format).as_bytes().to_vec();
        slip(&mut rows, &inside);
        let (one, other) = rows.split_at(cut.index(rows.len() + 1));
        let mut object = packed(compression, &[one, other]);
        if compression != NONE {
            slip(&mut object, &outside);
        }
        let found = passed(source, Action::Find, &object, &pieces);
        let dropped = passed(source, Action::Drop, &object, &pieces);
        let whole = passed(source, Action::HandOut, &object, &[object.len()]);
        match (found, dropped, whole) {
            (Ok(found), Ok(dropped), Ok(whole)) => {
                prop_assert_eq!(&found.report.by_member, &dropped.report.by_member);
                prop_assert_eq!(&found.report.by_member, &whole.report.by_member);
                prop_assert_eq!(found.report.rows_matched, dropped.report.rows_changed);
                for row in &whole.rows {
                    prop_assert!(Copier::new(&[], 128).unwrap().copy(&row.bytes).is_ok());
                }
                let again = passed(source, Action::Find, &dropped.bytes, &pieces);
                let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(again.report.rows_matched, 0);
                prop_assert_eq!(again.report.rows_before, dropped.report.rows_after);
                let idle = passed(source, Action::Drop, &dropped.bytes, &pieces).unwrap();
                let bytes = |done: &Done| unpacked(compression, &done.bytes);
                prop_assert_eq!(bytes(&idle), bytes(&dropped));
            }
            (Err(found), Err(dropped), Err(whole)) => {
                prop_assert_eq!(&found, &dropped);
                // Of a slip in the rows and one in what packs them, either may be met first.
                if compression == NONE || outside.is_empty() {
                    prop_assert_eq!(&found, &whole);
                }
                prop_assert!(!found.to_string().is_empty());
            }
            // libzstd takes another way through a frame that lies there as a whole, and is stricter
            // on it about frames without a checksum.
            (Ok(_), Ok(_), Err(_)) if compression == ZSTD && !outside.is_empty() => {}
            (found, dropped, whole) => {
                return Err(TestCaseError::fail(format!(
                    "{:?} {:?} {:?}", found.err(), dropped.err(), whole.err()
                )));
            }
        }
    }
}
