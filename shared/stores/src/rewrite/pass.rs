//! One pass over an object's lines: whose each is, what becomes of it, and the counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use quittance_core::data_map::{Compression, RecordFormat};
use quittance_core::matching::{MatchSet, Members};

use super::codec::{Packer, Unpacker, wide};
use super::error::{RewriteError, RowProblem};
use super::jsonl::{BYTE_ORDER_MARK, Judge, Line, Redaction};
use super::report::{Runs, add};
use super::{Action, Limits, Output, Report, Row, Source};

/// Everything that lines change.
pub(super) struct Pass {
    judge: Judge,
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
    line: u64,
    /// Where the line at hand stands in the unpacked source.
    at: u64,
    /// How many unpacked bytes survived before it.
    kept: u64,
}

/// An action, made ready.
enum Duty {
    Drop,
    Find,
    HandOut,
    Redact(Redaction),
    Unmasked(Redaction),
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
        let judge = match source.format {
            RecordFormat::Jsonl => Judge::new(matches, limits.depth)?,
            RecordFormat::Csv | RecordFormat::Parquet => {
                return Err(RewriteError::UnsupportedFormat(source.format));
            }
        };
        let duty = match action {
            Action::Drop => Duty::Drop,
            Action::Find => Duty::Find,
            Action::HandOut => Duty::HandOut,
            Action::Redact(masks) => Duty::Redact(Redaction::new(&masks, limits.depth)?),
            Action::Unmasked(masks) => Duty::Unmasked(Redaction::new(&masks, limits.depth)?),
        };
        let runs = match source.compression {
            Compression::None => Some(Runs::new(limits.untouched_bytes)),
            Compression::Gzip | Compression::Snappy | Compression::Zstd => None,
        };
        Ok(Self {
            judge,
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
            at: 0,
            kept: 0,
        })
    }

    pub(super) fn exclude(&mut self, members: impl IntoIterator<Item = u32>) {
        self.excluded.extend(members);
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
            let end = memchr::memchr(b'\n', piece).map(|at| at.saturating_add(1));
            let (head, rest) = piece.split_at(end.unwrap_or(piece.len()).min(piece.len()));
            self.keep(head)?;
            if end.is_none() {
                return Ok(());
            }
            let mut line = std::mem::take(&mut self.begun);
            self.lines(&line, from, out)?;
            line.clear();
            self.begun = line;
            piece = rest;
        }
        let whole = memchr::memrchr(b'\n', piece).map_or(0, |at| at.saturating_add(1));
        let (lines, tail) = piece.split_at(whole.min(piece.len()));
        self.lines(lines, from, out)?;
        self.keep(tail)
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
        self.lines(&last, from, out)?;
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

    /// Handles whole lines; what stays between two that change is written in one go.
    fn lines(
        &mut self,
        lines: &[u8],
        from: &Unpacker,
        out: &mut Output,
    ) -> Result<(), RewriteError> {
        let (mut run, mut at) = (0, 0_usize);
        while let Some(rest) = lines.get(at..).filter(|rest| !rest.is_empty()) {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end.saturating_add(1));
            let line = rest.get(..end).unwrap_or_default();
            let fate = self.judge(line, out)?;
            let next = at.saturating_add(end);
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
        self.write(lines.get(run..).unwrap_or_default(), from, out)
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
        add(&mut self.line);
        if line.len() > self.limits.row_bytes {
            return Err(self.at_line(RowProblem::TooLong {
                limit: self.limits.row_bytes,
            }));
        }
        let mut members = std::mem::take(&mut self.members);
        let judged = self.judge.judge(line, &mut members);
        let fate = match judged.map_err(|problem| self.at_line(problem))? {
            Line::Blank => Fate::Stays,
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
        if let Duty::Unmasked(redaction) = &self.duty {
            let changed = redaction.apply(line, &mut self.instead);
            self.instead.clear();
            if !changed.map_err(|problem| self.at_line(problem))? {
                return Ok(Fate::Stays);
            }
        }
        self.report.matched(members, is_held);
        match &self.duty {
            Duty::Find | Duty::Unmasked(_) => Ok(Fate::Found),
            Duty::HandOut => {
                out.rows.push(Row {
                    line: self.line,
                    members: members.as_slice().to_vec(),
                    bytes: without_end(line).to_vec(),
                });
                Ok(Fate::Found)
            }
            Duty::Drop | Duty::Redact(_) if is_held => Ok(Fate::Stays),
            Duty::Drop => {
                // The mark at a file's beginning is the file's, not the row's.
                if line.starts_with(BYTE_ORDER_MARK) {
                    self.instead.extend_from_slice(BYTE_ORDER_MARK);
                }
                add(&mut self.report.rows_changed);
                self.report.rows_after = self.report.rows_after.saturating_sub(1);
                Ok(Fate::Changes)
            }
            Duty::Redact(redaction) => {
                let changed = redaction.apply(line, &mut self.instead);
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
            Duty::Drop | Duty::Redact(_) => true,
            Duty::Find | Duty::HandOut | Duty::Unmasked(_) => false,
        }
    }

    /// The line that was begun is too long.
    const fn too_long(&self) -> RewriteError {
        RewriteError::Row {
            line: self.line.saturating_add(1),
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

/// A line without its end, and without the mark before the first one.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
}

/// Up to here any ratio is taken: it costs nobody much.
const ANY_RATIO_BYTES: u64 = 16 * 1024 * 1024;
