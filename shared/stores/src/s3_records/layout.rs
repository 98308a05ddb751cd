//! Which pieces a new object is made of: ranges that S3 copies by itself, and ranges that are read
//! and written anew.
//!
//! Every part of an upload but the last must have 5 MiB, so what is written anew takes its first
//! 5 MiB from the untouched range that follows, or all of it when too little would be left to copy.

use std::ops::Range;

/// A piece of the new object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A range that S3 copies.
    Copy(Range<u64>),
    /// Whole rows that are judged, and the untouched bytes after them.
    Make {
        /// The rows.
        rows: Range<u64>,
        /// What follows them as it is.
        then: Range<u64>,
    },
}

/// Lays out an object of so many bytes, of which these ranges stay as they are.
pub(super) fn pieces(untouched: &[Range<u64>], bytes: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let worth = worth(bytes);
    // Where what is written anew began.
    let mut from = 0;
    for run in untouched {
        let shared = if run.start == from { 0 } else { LEAST_PART };
        let copied = run.start.saturating_add(shared)..run.end;
        if copied.end.saturating_sub(copied.start) < worth {
            continue;
        }
        if shared > 0 {
            pieces.push(Piece::Make {
                rows: from..run.start,
                then: run.start..copied.start,
            });
        }
        from = copied.end;
        pieces.extend(in_parts(copied).map(Piece::Copy));
    }
    if from < bytes || pieces.is_empty() {
        pieces.push(Piece::Make {
            rows: from..bytes,
            then: bytes..bytes,
        });
    }
    pieces
}

/// From how many bytes on a range is copied: the longer the object, the longer a range must be, or
/// there would be too many parts.
pub(super) fn worth(bytes: u64) -> u64 {
    bytes.div_ceil(MOST_RANGES).max(LEAST_PART)
}

/// Cuts a range into equal parts that S3 copies in one request each.
pub(super) fn in_parts(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let bytes = range.end.saturating_sub(range.start);
    let count = bytes.div_ceil(COPY_MOST).max(1);
    let place = move |n: u64| {
        let whole = bytes.checked_div(count).unwrap_or(bytes);
        let end = if n == count {
            bytes
        } else {
            whole.saturating_mul(n)
        };
        range.start.saturating_add(end)
    };
    (0..count).map(move |n| place(n)..place(n.saturating_add(1)))
}

/// The least that a part has, unless it is the last.
pub(super) const LEAST_PART: u64 = 5 * 1024 * 1024;
/// The most ranges that are copied, each with a piece that is made before it.
const MOST_RANGES: u64 = 2_000;
/// The most that is copied at once; S3 allows 5 GiB.
const COPY_MOST: u64 = 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn make(rows: Range<u64>, then: Range<u64>) -> Piece {
        Piece::Make { rows, then }
    }

    #[test]
    fn without_untouched_ranges_all_is_made() {
        assert_eq!(pieces(&[], 100), [make(0..100, 100..100)]);
        assert_eq!(pieces(&[], 0), [make(0..0, 0..0)]);
    }

    #[test]
    fn what_is_made_takes_5_mib_of_what_follows() {
        let long = 20 * MIB;
        let all = pieces(&[0..long, long + 7..2 * long], 2 * long);
        let shared = long + 7 + LEAST_PART;
        assert_eq!(
            all,
            [
                Piece::Copy(0..long),
                make(long..long + 7, long + 7..shared),
                Piece::Copy(shared..2 * long),
            ]
        );
    }

    #[test]
    fn a_range_too_short_to_share_is_made_as_well() {
        let run = 100..100 + 2 * LEAST_PART - 1;
        let end = run.end + 50;
        assert_eq!(pieces(&[run], end), [make(0..end, end..end)]);
    }

    #[test]
    fn however_many_rows_are_touched_the_parts_are_few_enough() {
        for gib in [1, 20, 150] {
            let bytes = gib * 1024 * MIB;
            let runs: Vec<_> = (0..bytes / (11 * MIB))
                .map(|n| n * 11 * MIB + 100..(n + 1) * 11 * MIB)
                .collect();
            let pieces = pieces(&runs, bytes);
            assert!(pieces.len() <= 4_001, "{} pieces", pieces.len());
            let copied = pieces.iter().any(|piece| matches!(piece, Piece::Copy(_)));
            assert_eq!(copied, gib <= 10, "{gib} GiB");
        }
    }

    #[test]
    fn the_pieces_follow_each_other_and_no_part_is_too_small() {
        let runs = [
            (10, 5 * MIB + 10),
            (5 * MIB + 20, 25 * MIB),
            (25 * MIB + 1, 25 * MIB + 3 * 1024 * MIB),
        ];
        let runs: Vec<Range<u64>> = runs.into_iter().map(|(from, to)| from..to).collect();
        let bytes = 25 * MIB + 3 * 1024 * MIB + 9;
        let mut at = 0;
        let all = pieces(&runs, bytes);
        let (_, but_last) = all.split_last().unwrap();
        for piece in &all {
            let (start, end, least) = match piece {
                Piece::Copy(range) => (range.start, range.end, range.end - range.start),
                // All of its rows may go.
                Piece::Make { rows, then } => {
                    assert_eq!(rows.end, then.start);
                    (rows.start, then.end, then.end - then.start)
                }
            };
            assert_eq!(start, at);
            assert!(end - start <= 5 * 1024 * MIB);
            assert!(
                !but_last.contains(piece) || least >= LEAST_PART,
                "{piece:?}"
            );
            at = end;
        }
        assert_eq!(at, bytes);
        let copied = |piece: &&Piece| matches!(piece, Piece::Copy(_));
        assert_eq!(all.iter().filter(copied).count(), 4);
    }
}
