//! One pass over an object's lines: whose each is, what becomes of it, and the counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use quittance_core::data_map::Compression;
use quittance_core::matching::{MatchSet, Members};

use super::codec::{Packer, Unpacker, wide};
use super::error::{RewriteError, RowProblem};
use super::masks::Masks;
use super::report::{Opening, Runs, add};
use super::rows::{BYTE_ORDER_MARK, Line, Rows};
use super::{Action, Limits, Output, Report, Row, Source};

/// Everything that lines change.
pub(super) struct Pass {
    rows: Rows,
    duty: Duty,
    excluded: BTreeSet<u32>,
    limits: Limits,
    packer: Packer,
    /// The beginning of a line whose end is still to come.
    begun: Vec<u8>,
    members: Members,
    /// What stands in the place of the line at hand.
    instead: Vec<u8>,
    runs: Option<Runs>,
    report: Report,
    /// The number of the line at hand, and of how many lines it is made.
    line: u64,
    height: u64,
    /// Where the line at hand stands in the unpacked source.
    at: u64,
    /// How many unpacked bytes survived before it.
    kept: u64,
}

/// What is done with a member's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    Drop,
    Find,
    HandOut,
    Redact,
    Unmasked,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Something else stands in its place, or nothing.
    Changes,
    /// It is somebody's, and nothing is written.
    Found,
    /// It stays as it is.
    Stays,
}

impl Pass {
    pub(super) fn new(
        source: Source,
        matches: Arc<MatchSet>,
        action: Action,
        limits: Limits,
    ) -> Result<Self, RewriteError> {
        let (duty, masks) = match action {
            Action::Drop => (Duty::Drop, Masks::default()),
            Action::Find => (Duty::Find, Masks::default()),
            Action::HandOut => (Duty::HandOut, Masks::default()),
            Action::Redact(masks) if masks.lack_a_key() => return Err(RewriteError::NoKey),
            Action::Redact(masks) => (Duty::Redact, masks),
            Action::Unmasked(masks) => (Duty::Unmasked, masks),
        };
        let runs = match source.compression {
            Compression::None => Some(Runs::new(limits.untouched_bytes)),
            Compression::Gzip | Compression::Snappy | Compression::Zstd => None,
        };
        Ok(Self {
            rows: Rows::new(source.format, matches, masks, limits)?,
            duty,
            excluded: BTreeSet::new(),
            limits,
            packer: Packer::new(source.compression)?,
            begun: Vec::new(),
            members: Members::default(),
            instead: Vec::new(),
            runs,
            report: Report::default(),
            line: 0,
            height: 1,
            at: 0,
            kept: 0,
        })
    }

    pub(super) fn exclude(&mut self, members: impl IntoIterator<Item = u32>) {
        self.excluded.extend(members);
    }

    pub(super) fn go_on(&mut self, opening: &Opening) {
        self.rows.go_on(opening);
    }

    /// What was counted so far.
    pub(super) const fn report(&self) -> &Report {
        &self.report
    }

    /// Handles the lines that end in an unpacked piece, and keeps the beginning of the next one.
    pub(super) fn piece(
        &mut self,
        mut piece: &[u8],
        from: &Unpacker,
        out: &mut Output,
    ) -> Result<(), RewriteError> {
        if !self.begun.is_empty() {
            let end = self.rows.end(piece);
            let (head, rest) = piece.split_at(end.unwrap_or(piece.len()).min(piece.len()));
            self.keep(head)?;
            if end.is_none() {
                return Ok(());
            }
            let mut line = std::mem::take(&mut self.begun);
            self.one(&line, from, out)?;
            line.clear();
            self.begun = line;
            piece = rest;
        }
        let whole = self.lines(piece, from, out)?;
        self.keep(piece.get(whole..).unwrap_or_default())
    }

    /// Counts what was taken of the source, and refuses what unpacks to far more.
    pub(super) fn count_input(&mut self, took: usize) -> Result<(), RewriteError> {
        self.report.bytes_in = self.report.bytes_in.saturating_add(wide(took));
        let unpacked = self.at.saturating_add(wide(self.begun.len()));
        let most = self.report.bytes_in.saturating_mul(self.limits.ratio);
        if unpacked > most.max(ANY_RATIO_BYTES) {
            return Err(RewriteError::Bomb {
                limit: self.limits.ratio,
            });
        }
        Ok(())
    }

    /// Ends the output's member.
    pub(super) fn end_member(&mut self, out: &mut Output) -> Result<(), RewriteError> {
        let before = out.bytes.len();
        self.packer.end_member(&mut out.bytes)?;
        self.count_output(before, out);
        Ok(())
    }

    /// Handles the last line, if its end is missing, and ends the output.
    pub(super) fn finish(
        mut self,
        from: &Unpacker,
        out: &mut Output,
    ) -> Result<Report, RewriteError> {
        let last = std::mem::take(&mut self.begun);
        self.one(&last, from, out)?;
        self.end_member(out)?;
        if self.writes() && self.report.bytes_in > 0 && self.report.bytes_out == 0 {
            // Nothing is left: an empty member is a valid file, and no byte at all is not.
            let before = out.bytes.len();
            self.packer.write(&[], from, &mut out.bytes)?;
            self.packer.end_member(&mut out.bytes)?;
            self.count_output(before, out);
        }
        let mut report = self.report;
        report.bytes_unpacked = self.at;
        report.opening = self.rows.opening().cloned();
        let runs = self.runs.map(|runs| runs.finish(self.at));
        report.untouched = runs.unwrap_or_default();
        Ok(report)
    }

    /// Keeps the beginning of a line.
    fn keep(&mut self, bytes: &[u8]) -> Result<(), RewriteError> {
        let most = self.limits.row_bytes;
        let length = self.begun.len().saturating_add(bytes.len());
        if length > most {
            return Err(self.too_long());
        }
        if length > self.begun.capacity() {
            // Twofold, but never beyond what a row may be.
            let room = self.begun.capacity().saturating_mul(2).clamp(length, most);
            let more = room.saturating_sub(self.begun.len());
            self.begun.reserve_exact(more);
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }

    /// Handles one line that is whole, or the last one.
    fn one(&mut self, line: &[u8], from: &Unpacker, out: &mut Output) -> Result<(), RewriteError> {
        if line.is_empty() {
            return Ok(());
        }
        let fate = self.judge(line, out)?;
        if fate == Fate::Changes {
            let instead = std::mem::take(&mut self.instead);
            self.write(&instead, from, out)?;
            self.instead = instead;
        } else {
            self.write(line, from, out)?;
        }
        self.pass_by(line.len(), fate);
        Ok(())
    }

    /// Handles the whole lines of a piece, and returns how long they are; what stays between two
    /// that change is written in one go.
    fn lines(
        &mut self,
        lines: &[u8],
        from: &Unpacker,
        out: &mut Output,
    ) -> Result<usize, RewriteError> {
        let (mut run, mut at) = (0, 0_usize);
        while let Some(end) = self.rows.end(lines.get(at..).unwrap_or_default()) {
            let next = at.saturating_add(end);
            let line = lines.get(at..next).unwrap_or_default();
            let fate = self.judge(line, out)?;
            if fate == Fate::Changes {
                self.write(lines.get(run..at).unwrap_or_default(), from, out)?;
                let instead = std::mem::take(&mut self.instead);
                self.write(&instead, from, out)?;
                self.instead = instead;
                run = next;
            }
            self.pass_by(end, fate);
            at = next;
        }
        self.write(lines.get(run..at).unwrap_or_default(), from, out)?;
        Ok(at)
    }

    /// Counts the bytes of a line that was handled.
    fn pass_by(&mut self, length: usize, fate: Fate) {
        let start = self.at;
        self.at = start.saturating_add(wide(length));
        let survive = match fate {
            Fate::Changes => self.instead.len(),
            // As if it were dropped.
            Fate::Found => 0,
            Fate::Stays => length,
        };
        self.kept = self.kept.saturating_add(wide(survive));
        match (fate, &mut self.runs) {
            (Fate::Changes | Fate::Found, Some(runs)) => runs.touched(start..self.at, self.kept),
            (Fate::Stays, _) | (_, None) => {}
        }
    }

    /// Says what becomes of a line, and prepares what stands in its place.
    fn judge(&mut self, line: &[u8], out: &mut Output) -> Result<Fate, RewriteError> {
        self.line = self.line.saturating_add(self.height);
        self.height = self.rows.lines(line);
        if line.len() > self.limits.row_bytes {
            return Err(self.at_line(RowProblem::TooLong {
                limit: self.limits.row_bytes,
            }));
        }
        let mut members = std::mem::take(&mut self.members);
        let judged = self.rows.judge(line, &mut members);
        let fate = match judged.map_err(|problem| self.at_line(problem))? {
            Line::NoRow => Fate::Stays,
            Line::Row => {
                add(&mut self.report.rows_before);
                add(&mut self.report.rows_after);
                if members.is_empty() {
                    Fate::Stays
                } else {
                    self.matched(line, &members, out)?
                }
            }
        };
        self.members = members;
        Ok(fate)
    }

    fn matched(
        &mut self,
        line: &[u8],
        members: &Members,
        out: &mut Output,
    ) -> Result<Fate, RewriteError> {
        let is_held = members.as_slice().iter().any(|m| self.excluded.contains(m));
        self.instead.clear();
        if self.duty == Duty::Unmasked {
            let changed = self.rows.redact(line, &mut self.instead);
            self.instead.clear();
            if !changed.map_err(|problem| self.at_line(problem))? {
                return Ok(Fate::Stays);
            }
        }
        self.report.matched(members, is_held);
        match self.duty {
            Duty::Find | Duty::Unmasked => Ok(Fate::Found),
            Duty::HandOut => {
                let bytes = self.rows.copy(line);
                out.rows.push(Row {
                    line: self.line,
                    members: members.as_slice().to_vec(),
                    bytes: bytes.map_err(|problem| self.at_line(problem))?,
                });
                Ok(Fate::Found)
            }
            Duty::Drop | Duty::Redact if is_held => Ok(Fate::Stays),
            Duty::Drop => {
                // The mark at a file's beginning is the file's, not the row's.
                if line.starts_with(BYTE_ORDER_MARK) {
                    self.instead.extend_from_slice(BYTE_ORDER_MARK);
                }
                add(&mut self.report.rows_changed);
                self.report.rows_after = self.report.rows_after.saturating_sub(1);
                Ok(Fate::Changes)
            }
            Duty::Redact => {
                let changed = self.rows.redact(line, &mut self.instead);
                if !changed.map_err(|problem| self.at_line(problem))? {
                    return Ok(Fate::Stays);
                }
                add(&mut self.report.rows_changed);
                Ok(Fate::Changes)
            }
        }
    }

    fn write(
        &mut self,
        bytes: &[u8],
        from: &Unpacker,
        out: &mut Output,
    ) -> Result<(), RewriteError> {
        if bytes.is_empty() || !self.writes() {
            return Ok(());
        }
        let before = out.bytes.len();
        self.packer.write(bytes, from, &mut out.bytes)?;
        self.count_output(before, out);
        Ok(())
    }

    fn count_output(&mut self, before: usize, out: &Output) {
        let more = wide(out.bytes.len().saturating_sub(before));
        self.report.bytes_out = self.report.bytes_out.saturating_add(more);
    }

    const fn writes(&self) -> bool {
        match self.duty {
            Duty::Drop | Duty::Redact => true,
            Duty::Find | Duty::HandOut | Duty::Unmasked => false,
        }
    }

    /// The line that was begun is too long.
    const fn too_long(&self) -> RewriteError {
        RewriteError::Row {
            line: self.line.saturating_add(self.height),
            problem: RowProblem::TooLong {
                limit: self.limits.row_bytes,
            },
        }
    }

    const fn at_line(&self, problem: RowProblem) -> RewriteError {
        RewriteError::Row {
            line: self.line,
            problem,
        }
    }
}

/// Up to here any ratio is taken: it costs nobody much.
const ANY_RATIO_BYTES: u64 = 16 * 1024 * 1024;
