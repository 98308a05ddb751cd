//! Parquet: whose a row is, by the columns that are compared only; and a file written anew in which
//! every row group without such a row stays as it is.
//!
//! A file is read from its end, in ranges; what survives whole is named, not read ([`Pieces::keep`]),
//! so that S3 copies it by itself. A row group with rows that go is taken apart value by value, below
//! the level at which values have a meaning: types that nobody here knows survive, and what is left
//! out is in no dictionary, statistic, filter or index of the new group.

mod columns;
mod footer;
mod group;
mod json;
mod judge;
mod pages;
mod problem;
mod schema;
mod thrift;
mod value;
mod write;

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::RowGroupMetaData;
use quittance_core::data_map::{FieldPath, Mask};
use quittance_core::matching::{MatchSet, Members};

use self::columns::Edit;
use self::footer::Footer;
use super::codec::wide;
use super::error::RewriteError;
use super::masks::Names;
use super::report::Report;
use super::{Action, Limits, Output, Row};

pub use self::problem::TableProblem;

/// Where a file's bytes come from.
pub trait Ranges: Sync {
    /// Why they do not.
    type Error: From<RewriteError> + Send;

    /// Reads a range that is in the file.
    fn read(&self, range: Range<u64>) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;
}

/// Where a new file's pieces go, in order.
pub trait Pieces: Send {
    /// Why they do not.
    type Error;

    /// Appends a range of the file that is read, as it is.
    fn keep(&mut self, range: Range<u64>) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Appends bytes.
    fn make(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A file of Parquet that is looked through, and perhaps written anew. `Debug` prints what it
/// counted.
pub struct Table {
    footer: Footer,
    matches: Arc<MatchSet>,
    duty: Duty,
    /// The columns of each rule.
    rules: Vec<Vec<usize>>,
    /// What becomes of which column of a member's row.
    edits: Vec<(usize, Edit)>,
    names: Names,
    excluded: BTreeSet<u32>,
    limits: Limits,
    report: Report,
}

/// What is done with a member's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    Drop,
    Find,
    HandOut,
    Redact,
    Unmasked,
}

impl Table {
    /// Reads the footer of a file of so many bytes.
    ///
    /// # Errors
    /// [`RewriteError::Table`] when it is not Parquet, damaged, or has not the columns that are
    /// compared or masked; what reading says.
    pub async fn open<R: Ranges>(
        from: &R,
        bytes: u64,
        matches: Arc<MatchSet>,
        action: Action,
        limits: Limits,
    ) -> Result<Self, R::Error> {
        let footer = footer::read(from, bytes).await?;
        let problem = |problem: TableProblem| R::Error::from(RewriteError::Table(problem));
        let (duty, masks) = match action {
            Action::Drop => (Duty::Drop, None),
            Action::Find => (Duty::Find, None),
            Action::HandOut => (Duty::HandOut, None),
            Action::Redact(masks) if masks.lack_a_key() => return Err(RewriteError::NoKey.into()),
            Action::Redact(masks) => (Duty::Redact, Some(masks)),
            Action::Unmasked(masks) => (Duty::Unmasked, Some(masks)),
        };
        let masks = masks.unwrap_or_default();
        let schema = footer.metadata.file_metadata().schema();
        let rules = matches.rules().iter().map(|rule| {
            let columns = rule.columns().iter();
            columns
                .map(|column| schema::column(schema, &column.field))
                .collect()
        });
        let rules = rules.collect::<Result<_, _>>().map_err(problem)?;
        let mut edits = Vec::new();
        for (path, mask) in &masks.fields {
            edits.extend(masked(&footer, path, *mask).map_err(problem)?);
        }
        let report = Report {
            bytes_in: bytes,
            ..Report::default()
        };
        Ok(Self {
            footer,
            matches,
            duty,
            rules,
            edits,
            names: masks.names,
            excluded: BTreeSet::new(),
            limits,
            report,
        })
    }

    /// Leaves every row alone that is one of these members', even if it is another's too.
    #[must_use]
    pub fn without(mut self, members: impl IntoIterator<Item = u32>) -> Self {
        self.excluded.extend(members);
        self
    }

    /// How many row groups there are.
    pub fn groups(&self) -> usize {
        self.footer.metadata.num_row_groups()
    }

    /// Looks through one row group, and returns whether anything of it is to change. Rows that are
    /// handed out are in `out`.
    ///
    /// # Errors
    /// [`RewriteError::Table`]; what reading says.
    pub async fn look<R: Ranges>(
        &mut self,
        from: &R,
        group: usize,
        out: &mut Output,
    ) -> Result<bool, R::Error> {
        Ok(!self.rows(from, group, out).await?.is_empty())
    }

    /// Writes the file anew: rows of members go or are masked in these row groups, which are those
    /// of which [`Self::look`] said so.
    ///
    /// # Errors
    /// [`RewriteError::Table`]; what reading and writing say.
    pub async fn rewrite<R: Ranges, P: Pieces<Error = R::Error>>(
        mut self,
        from: &R,
        groups: &BTreeSet<usize>,
        pieces: &mut P,
    ) -> Result<Report, R::Error> {
        write::rewrite(&mut self, from, groups, pieces).await?;
        Ok(self.finish())
    }

    /// Ends the pass, and returns what was found.
    pub fn finish(self) -> Report {
        self.report
    }

    /// Looks through one row group, counts, and returns the rows in it that are to change, in order.
    async fn rows<R: Ranges>(
        &mut self,
        from: &R,
        group: usize,
        out: &mut Output,
    ) -> Result<Vec<u64>, R::Error> {
        let problem = |problem: RewriteError| R::Error::from(problem);
        let metadata = self.footer.metadata.row_group(group).clone();
        let before = self.report.rows_before;
        let rows = u64::try_from(metadata.num_rows()).unwrap_or_default();
        self.report.rows_before = before.saturating_add(rows);
        self.report.rows_after = self.report.rows_after.saturating_add(rows);
        let unpacked = u64::try_from(metadata.total_byte_size()).unwrap_or_default();
        self.report.bytes_unpacked = self.report.bytes_unpacked.saturating_add(unpacked);
        let is_empty = metadata.columns().iter().all(|c| c.num_values() == 0);
        if (rows == 0 && is_empty) || self.matches.is_empty() {
            return Ok(Vec::new());
        }
        let compared: BTreeSet<usize> = self.rules.iter().flatten().copied().collect();
        let mut reading = Reading {
            metadata: &metadata,
            group,
            limit: self.limits.group_bytes,
        };
        let chunks = reading.chunks(from, compared).await?;
        let mut found =
            judge::judge(&reading, &chunks, &self.matches, &self.rules).map_err(problem)?;
        drop(chunks);
        if self.duty != Duty::HandOut {
            let texts = self.footer.metadata.file_metadata().key_value_metadata();
            judge::refuse_repeated(&found, texts).map_err(|e| problem(RewriteError::Table(e)))?;
        }
        if self.duty == Duty::Unmasked && !found.rows.is_empty() {
            let masked = self.edits.iter().map(|(column, _)| *column).collect();
            let chunks = reading.chunks(from, masked).await?;
            let rows: Vec<u64> = found.rows.keys().copied().collect();
            let changed = group::changed(&reading, &chunks, (&self.edits, &self.names), &rows);
            let changed = changed.map_err(|e| problem(RewriteError::Table(e)))?;
            found.rows.retain(|row, _| changed.contains(row));
        }
        if self.duty == Duty::HandOut && !found.rows.is_empty() {
            let all = (0..metadata.num_columns()).collect();
            reading.limit = self.limits.group_bytes;
            let chunks = reading.chunks(from, all).await?;
            let rows: Vec<u64> = found.rows.keys().copied().collect();
            let schema = self.footer.metadata.file_metadata().schema();
            let copied = group::copied(&reading, &chunks, schema, &rows);
            let copied = copied.map_err(|e| problem(RewriteError::Table(e)))?;
            for ((row, members), bytes) in found.rows.iter().zip(copied) {
                out.rows.push(Row {
                    line: before.saturating_add(*row).saturating_add(1),
                    members: members.as_slice().to_vec(),
                    bytes,
                });
            }
        }
        let mut touched = Vec::new();
        for (row, members) in &found.rows {
            let is_held = self.is_held(members);
            self.report.matched(members, is_held);
            if !is_held {
                touched.push(*row);
            }
        }
        Ok(touched)
    }

    fn is_held(&self, members: &Members) -> bool {
        let mut members = members.as_slice().iter();
        members.any(|member| self.excluded.contains(member))
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// One row group that is read.
struct Reading<'g> {
    metadata: &'g RowGroupMetaData,
    group: usize,
    limit: u64,
}

impl Reading<'_> {
    /// How many rows it has.
    fn rows(&self) -> usize {
        usize::try_from(self.metadata.num_rows()).unwrap_or(usize::MAX)
    }

    /// Reads some of its columns, in one go where they stand together, and looks over their pages.
    async fn chunks<R: Ranges>(
        &self,
        from: &R,
        columns: BTreeSet<usize>,
    ) -> Result<group::Chunks, R::Error> {
        let problem = |problem: TableProblem| R::Error::from(RewriteError::Table(problem));
        let places = columns.into_iter().map(|column| {
            let place = footer::place(self.metadata.column(column))?;
            Ok((column, place))
        });
        let mut places = places
            .collect::<Result<Vec<_>, TableProblem>>()
            .map_err(problem)?;
        places.sort_by_key(|(_, place)| place.start);
        let all = places.iter().map(|(_, place)| length(place)).sum::<u64>();
        if all > self.limit {
            return Err(problem(TableProblem::LargeGroup {
                group: self.group,
                limit: self.limit,
            }));
        }
        let mut chunks = group::Chunks::new();
        let mut rest = places.as_slice();
        while let Some((_, first)) = rest.first() {
            // As many as follow each other closely.
            let mut end = first.end;
            let near = rest.iter().take_while(|(_, place)| {
                let is_near = place.start <= end.saturating_add(NEAR);
                if is_near {
                    end = end.max(place.end);
                }
                is_near
            });
            let (together, later) = rest.split_at(near.count());
            let run = first.start..end;
            let bytes = from.read(run.clone()).await?;
            for (column, place) in together {
                let at = |place: u64| usize::try_from(place.saturating_sub(run.start));
                let (Ok(start), Ok(stop)) = (at(place.start), at(place.end)) else {
                    continue;
                };
                if stop > bytes.len() {
                    return Err(problem(problem::damaged("the place of a column")));
                }
                let chunk = columns::Chunk {
                    at: place.start,
                    bytes: bytes.slice(start..stop),
                };
                pages::walk(&chunk.bytes, self.group, self.limit).map_err(problem)?;
                chunks.insert(*column, chunk);
            }
            rest = later;
        }
        Ok(chunks)
    }
}

/// Finds what a mask changes: which columns, and how.
fn masked(
    footer: &Footer,
    path: &FieldPath,
    mask: Mask,
) -> Result<Vec<(usize, Edit)>, TableProblem> {
    let metadata = footer.metadata.file_metadata();
    let refused = |why| TableProblem::NotMaskable {
        field: path.clone(),
        why,
    };
    match mask {
        Mask::Fixed | Mask::Pseudonym => {
            let column = schema::column(metadata.schema(), path)?;
            let description = metadata.schema_descr().column(column);
            if !value::holds_texts(&description) {
                return Err(refused("its values are no texts; mask it with null"));
            }
            let edit = if mask == Mask::Fixed {
                Edit::Fixed
            } else {
                Edit::Pseudonym
            };
            Ok(vec![(column, edit)])
        }
        Mask::Null | Mask::Remove | Mask::TakeOut => {
            let node = schema::find(metadata.schema(), path)?;
            if !node.is_optional() {
                return Err(refused(
                    "it is required and cannot be null; use a fixed text, or delete the row",
                ));
            }
            let edit = Edit::Null {
                def: node.def,
                rep: node.rep,
            };
            Ok(node.columns().map(|column| (column, edit)).collect())
        }
    }
}

fn length(place: &Range<u64>) -> u64 {
    place.end.saturating_sub(place.start)
}

/// What stands so near is read along.
const NEAR: u64 = 64 * 1024;
