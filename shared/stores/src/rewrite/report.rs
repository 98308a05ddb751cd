//! What a pass over an object found and did: counts, and which bytes of the source can stay.

use std::collections::BTreeMap;
use std::ops::Range;

use quittance_core::matching::Members;
use serde::{Deserialize, Serialize};

/// What a pass over one object found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The rows of the source; blank lines are none.
    pub rows_before: u64,
    /// The rows of the output; in a find pass, as many as before.
    pub rows_after: u64,
    /// The rows that are a member's.
    pub rows_matched: u64,
    /// The rows that were dropped, or redacted and were not so before.
    pub rows_changed: u64,
    /// The matched rows that stay as they are because an excluded member owns them, too.
    pub rows_held: u64,
    /// The source's bytes.
    pub bytes_in: u64,
    /// The source's bytes after unpacking.
    pub bytes_unpacked: u64,
    /// The output's bytes; none in a find pass.
    pub bytes_out: u64,
    /// What each member has here, for those who have anything.
    pub by_member: BTreeMap<u32, MemberRows>,
    /// The long pieces of an uncompressed source that are byte-identical in the output (in a find
    /// pass: that hold no matched row), in order. Empty for compressed sources.
    pub untouched: Vec<Untouched>,
    /// What the object's beginning says of its rows, if it says anything.
    pub opening: Option<Opening>,
}

/// What the beginning of an object says of all its rows: which column is which. Who goes on in the
/// middle of it must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// How many columns there are.
    pub(super) width: usize,
    /// Where each rule's columns are.
    pub(super) rules: Vec<Vec<usize>>,
    /// Where the masked columns are, in the order of their paths.
    pub(super) masks: Vec<usize>,
}

/// The rows of one member in an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberRows {
    /// The rows that are theirs.
    pub matched: u64,
    /// Those of them that are another member's, too.
    pub shared: u64,
    /// Those of them that stay because an excluded member owns them, too.
    pub held: u64,
}

/// A piece of the source that S3 can copy by itself: `UploadPartCopy` with this range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untouched {
    /// Where it stands in the source.
    pub source: Range<u64>,
    /// Where it begins in the output; what the output has between such pieces is to be uploaded.
    pub output_at: u64,
}

impl Report {
    /// Counts a matched row.
    pub(super) fn matched(&mut self, members: &Members, is_held: bool) {
        add(&mut self.rows_matched);
        if is_held {
            add(&mut self.rows_held);
        }
        let is_shared = members.as_slice().len() > 1;
        for member in members.as_slice() {
            let rows = self.by_member.entry(*member).or_default();
            add(&mut rows.matched);
            if is_shared {
                add(&mut rows.shared);
            }
            if is_held {
                add(&mut rows.held);
            }
        }
    }
}

/// The pieces of the source without a touched row, as they come by.
#[derive(Debug)]
pub(super) struct Runs {
    from: u64,
    output_at: u64,
    shortest: u64,
    found: Vec<Untouched>,
}

impl Runs {
    pub(super) const fn new(shortest: u64) -> Self {
        Self {
            from: 0,
            output_at: 0,
            shortest,
            found: Vec::new(),
        }
    }

    /// Ends the run before a touched row at `row` and begins another after it, which will stand at
    /// `output_at` in the output.
    pub(super) fn touched(&mut self, row: Range<u64>, output_at: u64) {
        self.end(row.start);
        self.from = row.end;
        self.output_at = output_at;
    }

    /// Ends the last run where the source ends.
    pub(super) fn finish(mut self, end: u64) -> Vec<Untouched> {
        self.end(end);
        self.found
    }

    fn end(&mut self, end: u64) {
        if end.saturating_sub(self.from) >= self.shortest.max(1) {
            self.found.push(Untouched {
                source: self.from..end,
                output_at: self.output_at,
            });
        }
    }
}

/// Counts one more.
pub(super) fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
