//! Rows of either kind of text: where each ends, whose it is, what of it is masked.

use std::sync::Arc;

use quittance_core::data_map::RecordFormat;
use quittance_core::matching::{MatchSet, Members};

use super::codec::wide;
use super::error::{RewriteError, RowProblem};
use super::masks::Masks;
use super::report::Opening;
use super::{Limits, csv, jsonl};

/// Reads the rows of one object.
#[derive(Debug)]
pub(super) enum Rows {
    Csv(Box<csv::Records>),
    Jsonl(Box<jsonl::Judge>, jsonl::Redaction),
}

/// What a line, or what a quoted line break makes of several, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing but blanks, or a header.
    NoRow,
    /// A row.
    Row,
}

impl Rows {
    /// Makes a reader of a format; `masks` says what [`Self::redact`] changes.
    pub(super) fn new(
        format: RecordFormat,
        matches: Arc<MatchSet>,
        masks: Masks,
        limits: Limits,
    ) -> Result<Self, RewriteError> {
        match format {
            RecordFormat::Csv(dialect) => {
                let records = csv::Records::new(dialect, matches, masks)?;
                Ok(Self::Csv(Box::new(records)))
            }
            RecordFormat::Jsonl => {
                let judge = jsonl::Judge::new(matches, limits.depth)?;
                let redaction = jsonl::Redaction::new(&masks, limits.depth)?;
                Ok(Self::Jsonl(Box::new(judge), redaction))
            }
            RecordFormat::Parquet => Err(RewriteError::NoStream),
        }
    }

    /// What the object's beginning says of its rows; none while it is unknown, or nothing.
    pub(super) fn opening(&self) -> Option<&Opening> {
        match self {
            Self::Csv(records) => records.opening(),
            Self::Jsonl(..) => None,
        }
    }

    /// Takes what is known of the object's beginning for it.
    pub(super) fn go_on(&mut self, opening: &Opening) {
        match self {
            Self::Csv(records) => records.go_on(opening),
            Self::Jsonl(..) => {}
        }
    }

    /// Returns how much of the next piece belongs to the row at hand, its end included; none when
    /// it goes on after the piece.
    pub(super) fn end(&mut self, piece: &[u8]) -> Option<usize> {
        match self {
            Self::Csv(records) => records.end(piece),
            Self::Jsonl(..) => memchr::memchr(b'\n', piece).map(|at| at.saturating_add(1)),
        }
    }

    /// Finds the members whose a row is.
    pub(super) fn judge(&mut self, line: &[u8], members: &mut Members) -> Result<Line, RowProblem> {
        match self {
            Self::Csv(records) => records.judge(line, members),
            Self::Jsonl(judge, _) => judge.judge(line, members),
        }
    }

    /// Appends the row that was judged last as it is to be; whether that is otherwise than before.
    pub(super) fn redact(&self, line: &[u8], out: &mut Vec<u8>) -> Result<bool, RowProblem> {
        match self {
            Self::Csv(records) => records.redact(line, out),
            Self::Jsonl(_, redaction) => redaction.apply(line, out),
        }
    }

    /// Returns the row that was judged last as a JSON object.
    pub(super) fn copy(&self, line: &[u8]) -> Result<Vec<u8>, RowProblem> {
        match self {
            Self::Csv(records) => records.copy(line),
            Self::Jsonl(..) => Ok(without_end(line).to_vec()),
        }
    }

    /// How many lines of the object a row is.
    pub(super) fn lines(&self, line: &[u8]) -> u64 {
        match self {
            Self::Csv(_) => wide(memchr::memchr_iter(b'\n', line).count()),
            Self::Jsonl(..) => 1,
        }
    }
}

/// A line without its end, and without the mark before the first one.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    without_mark(line)
}

/// A line without the mark before it. There may be several: when files that begin with one are put
/// together, and what stood between is taken out.
pub(super) fn without_mark(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
        line = rest;
    }
    line
}

/// What some writers put before the first row of a file in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
