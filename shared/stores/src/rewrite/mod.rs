//! Rewriting objects of rows, piece by piece: find members' rows, drop them, or mask fields in them.
//!
//! Pure: bytes in, bytes out, no I/O. One [`Rewriter`] reads one object from its beginning to its
//! end in bounded memory, whatever the object's size. What is looked for is a
//! [`MatchSet`]; where objects come from and go to is the caller's.
//!
//! ```text
//! let mut rewriter = Rewriter::new(source, set.clone(), Action::Drop, Limits::default())?;
//! let mut out = Output::default();
//! for piece in object {                       // of any length
//!     let mut rest = &piece[..];
//!     while !rest.is_empty() {
//!         rest = &rest[rewriter.push(rest, &mut out)?..];
//!         upload(out.bytes.drain(..)).await;  // about a MiB at a time
//!     }
//! }
//! let report = rewriter.finish(&mut out)?;    // only now is the output whole
//! ```
//!
//! Parquet is read from its end and in ranges, so it is no stream: a [`Table`].
//!
//! Invariant: what survives is byte-identical and in order, packed as it came. An error is final,
//! and only a [`Report`] says that the output is whole.

mod codec;
mod csv;
mod error;
mod jsonl;
mod masks;
mod parquet;
mod pass;
mod report;
mod rows;

use std::fmt;
use std::sync::Arc;

use quittance_core::data_map::{Compression, DeletionRule, RecordFormat, S3Records};
use quittance_core::matching::MatchSet;
use quittance_core::pseudonym::Pseudonyms;

use self::codec::{Unpacker, wide};
use self::pass::Pass;

pub use self::error::{RewriteError, RowProblem};
pub use self::jsonl::Copier;
pub use self::masks::Masks;
pub use self::parquet::{Pieces, Ranges, Table, TableProblem};
pub use self::report::{MemberRows, Opening, Report, Untouched};

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// How its rows are written.
    pub format: RecordFormat,
    /// How it is compressed as a whole.
    pub compression: Compression,
}

impl From<&S3Records> for Source {
    fn from(place: &S3Records) -> Self {
        Self {
            format: place.format,
            compression: place.compression,
        }
    }
}

/// What to do with members' rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take them out.
    Drop,
    /// Count them; nothing is written.
    Find,
    /// Count them and hand them out, in [`Output::rows`]; nothing is written.
    HandOut,
    /// Change these fields of them.
    Redact(Masks),
    /// Count those that [`Self::Redact`] would change; nothing is written.
    Unmasked(Masks),
}

impl Action {
    /// What deletion does in a store of rows, with the key of its pseudonyms; none when they are
    /// retained.
    pub fn of(rule: &DeletionRule, pseudonyms: Option<Pseudonyms>) -> Option<Self> {
        match rule {
            DeletionRule::DeleteItem => Some(Self::Drop),
            DeletionRule::Redact { fields, .. } => {
                Some(Self::Redact(Masks::new(fields.clone(), pseudonyms)))
            }
            DeletionRule::Retain(_) => None,
        }
    }

    /// Counts what deletion would still change in a store of rows. What is retained is counted as
    /// it is.
    pub fn to_find(rule: &DeletionRule, pseudonyms: Option<Pseudonyms>) -> Self {
        match rule {
            DeletionRule::DeleteItem | DeletionRule::Retain(_) => Self::Find,
            DeletionRule::Redact { fields, .. } => {
                Self::Unmasked(Masks::new(fields.clone(), pseudonyms))
            }
        }
    }
}

/// What an object may ask of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest row, with its end. Two of them may be in memory.
    pub row_bytes: usize,
    /// How deep a row that is taken apart may be nested.
    pub depth: usize,
    /// How many times its size an object may unpack to, beyond the first 16 MiB.
    pub ratio: u64,
    /// The largest window of zstd.
    pub window_bytes: u64,
    /// The shortest piece that is worth a copy inside S3.
    pub untouched_bytes: u64,
    /// The largest row group of Parquet that is taken into memory.
    pub group_bytes: u64,
}

impl Default for Limits {
    /// 16 MiB for a row, depth 128, ratio 500, 32 MiB for a window, pieces of 5 MiB and
    /// more, 256 MiB for a row group.
    fn default() -> Self {
        Self {
            row_bytes: 16 * MIB,
            depth: 128,
            ratio: 500,
            window_bytes: wide(32 * MIB),
            untouched_bytes: wide(5 * MIB),
            group_bytes: wide(256 * MIB),
        }
    }
}

/// What a rewriter hands out; the caller takes it away between pushes. `Debug` prints lengths.
#[derive(Default)]
pub struct Output {
    /// The next bytes of the new object.
    pub bytes: Vec<u8>,
    /// The next rows of members.
    pub rows: Vec<Row>,
}

/// A row of members. `Debug` prints a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// In which line of the object it stands, from 1.
    pub line: u64,
    /// Whose it is.
    pub members: Vec<u32>,
    /// A JSON object: of JSON Lines its bytes without the line's end, of CSV each column's text by
    /// its name.
    pub bytes: Vec<u8>,
}

/// Reads one object and writes it anew. `Debug` prints what it counted.
pub struct Rewriter {
    unpacker: Unpacker,
    buffer: Vec<u8>,
    pass: Pass,
    /// Whether a member of the input ended. The output's goes on until the next one has bytes, for
    /// a row may not have ended yet.
    ended: bool,
    stopped: bool,
}

impl Rewriter {
    /// Begins an object.
    ///
    /// # Errors
    /// [`RewriteError::NoStream`] for Parquet, which is a [`Table`], [`RewriteError::Position`] for a path into a position
    /// of a list, [`RewriteError::Column`] for one that can be no column, and
    /// [`RewriteError::NoKey`] for pseudonyms without their key.
    pub fn new(
        source: Source,
        matches: Arc<MatchSet>,
        action: Action,
        limits: Limits,
    ) -> Result<Self, RewriteError> {
        Ok(Self {
            unpacker: Unpacker::new(source.compression, limits.window_bytes)?,
            buffer: vec![0; BUFFER],
            pass: Pass::new(source, matches, action, limits)?,
            ended: false,
            stopped: false,
        })
    }

    /// Leaves every row alone that is one of these members', even if it is another's too: they are
    /// under a hold, or have withdrawn.
    #[must_use]
    pub fn without(mut self, members: impl IntoIterator<Item = u32>) -> Self {
        self.pass.exclude(members);
        self
    }

    /// Begins in the middle of an object, where a row begins, knowing what a pass over the whole has
    /// reported of its beginning.
    #[must_use]
    pub fn after(mut self, opening: &Opening) -> Self {
        self.pass.go_on(opening);
        self
    }

    /// Takes some bytes of the object, and returns how many: fewer than given when the output has
    /// grown by about a MiB, which is the moment to take it away.
    ///
    /// # Errors
    /// [`RewriteError`], and from then on [`RewriteError::Stopped`].
    pub fn push(&mut self, input: &[u8], out: &mut Output) -> Result<usize, RewriteError> {
        self.unless_stopped()?;
        let result = self.take(input, out);
        self.stopped = result.is_err();
        result
    }

    /// Ends the object and returns what was found and done; the output is whole now.
    ///
    /// # Errors
    /// [`RewriteError`] when the object ends too early, its last row is wrong, or an earlier push
    /// failed.
    pub fn finish(self, out: &mut Output) -> Result<Report, RewriteError> {
        self.unless_stopped()?;
        self.unpacker.finish()?;
        self.pass.finish(&self.unpacker, out)
    }

    fn unless_stopped(&self) -> Result<(), RewriteError> {
        if self.stopped {
            return Err(RewriteError::Stopped);
        }
        Ok(())
    }

    fn take(&mut self, input: &[u8], out: &mut Output) -> Result<usize, RewriteError> {
        let mut taken = 0_usize;
        // Whether the unpacker may have more to give without more input.
        let mut is_full = false;
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            if out.is_long() || (rest.is_empty() && !is_full) {
                return Ok(taken);
            }
            let (took, made) = match &mut self.unpacker {
                // What is not packed is read where it lies.
                Unpacker::Plain => {
                    let piece = rest.get(..rest.len().min(BUFFER)).unwrap_or_default();
                    self.pass.piece(piece, &self.unpacker, out)?;
                    (piece.len(), 0)
                }
                packed @ (Unpacker::Gzip(_) | Unpacker::Snappy(_) | Unpacker::Zstd(_)) => {
                    let step = packed.step(rest, &mut self.buffer)?;
                    if step.made > 0 && std::mem::take(&mut self.ended) {
                        self.pass.end_member(out)?;
                    }
                    self.ended |= step.ended;
                    let piece = self.buffer.get(..step.made).unwrap_or_default();
                    self.pass.piece(piece, &self.unpacker, out)?;
                    (step.took, step.made)
                }
            };
            taken = taken.saturating_add(took);
            is_full = made == self.buffer.len();
            self.pass.count_input(took)?;
            if took == 0 && made == 0 {
                return Ok(taken);
            }
        }
    }
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter")
            .field("report", self.pass.report())
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// Whether it is time to take it away.
    fn is_long(&self) -> bool {
        let rows = || self.rows.iter().map(|row| row.bytes.len()).sum::<usize>();
        self.bytes.len() >= MIB || self.rows.len() >= MAX_ROWS || rows() >= MIB
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("bytes", &self.bytes.len())
            .field("rows", &self.rows.len())
            .finish()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row(***)")
    }
}

const MIB: usize = 1024 * 1024;
/// How much is unpacked in one step.
const BUFFER: usize = 256 * 1024;
const MAX_ROWS: usize = 4_096;

#[cfg(test)]
mod tests;
