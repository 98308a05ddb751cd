//! A file written anew: what stays is named, what changes is made, and the footer says where all of
//! it came to stand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::page_index::PageIndexBuilder;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, RowGroupMetaData,
};
use parquet::file::page_index::index_reader::{decode_column_index, decode_offset_index};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};

use super::super::codec::wide;
use super::super::error::RewriteError;
use super::footer::Footer;
use super::group::{self, Written};
use super::problem::{TableProblem, damaged, guarded};
use super::{Duty, Pieces, Ranges, Reading, Table, footer, length};

/// A piece of the file that is read.
enum Source {
    /// A column, or a Bloom filter, of a row group that stays.
    Stays,
    /// A row group that changes.
    Changes(usize),
}

/// Where pieces came to stand, by where they stood.
type Places = BTreeMap<u64, u64>;

/// Hands out the pieces of the new file.
pub(super) async fn rewrite<R: Ranges, P: Pieces<Error = R::Error>>(
    table: &mut Table,
    from: &R,
    changing: &BTreeSet<usize>,
    pieces: &mut P,
) -> Result<(), R::Error> {
    let problem = |problem: TableProblem| R::Error::from(RewriteError::Table(problem));
    let mut sources = sources(&table.footer.metadata, changing).map_err(problem)?;
    sources.sort_by_key(|(place, _)| place.start);
    let mut out = Out {
        pieces,
        run: 0..wide(footer::MAGIC.len()),
        bytes: wide(footer::MAGIC.len()),
    };
    let mut places = Places::new();
    let mut written = BTreeMap::new();
    for (place, source) in sources {
        match source {
            Source::Stays => {
                places.insert(place.start, out.bytes);
                out.keep(place).await?;
            }
            Source::Changes(group) => {
                if let Some(anew) = anew(table, from, group).await? {
                    let at = out.bytes;
                    out.make(&anew.file, ends(&anew).map_err(problem)?).await?;
                    written.insert(group, (at, anew.metadata));
                }
            }
        }
    }
    let index = indexes(from, &table.footer, changing).await?;
    let metadata = guarded("the footer", || {
        metadata(&table.footer.metadata, changing, &places, &written, &index)
    });
    let metadata = metadata.map_err(problem)?;
    let at = out.bytes;
    let tail = footer::write(&metadata, &table.footer.raw, at).map_err(problem)?;
    out.make(&tail, tail.len()).await?;
    out.flush().await?;
    table.report.bytes_out = out.bytes;
    // What was not looked at is whole.
    for (at, group) in table.footer.metadata.row_groups().iter().enumerate() {
        if !changing.contains(&at) {
            let rows = u64::try_from(group.num_rows()).unwrap_or_default();
            let report = &mut table.report;
            report.rows_before = report.rows_before.saturating_add(rows);
            report.rows_after = report.rows_after.saturating_add(rows);
        }
    }
    Ok(())
}

fn sources(
    metadata: &ParquetMetaData,
    changing: &BTreeSet<usize>,
) -> Result<Vec<(Range<u64>, Source)>, TableProblem> {
    let mut sources = Vec::new();
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let columns = group.columns().iter().map(footer::place);
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        if changing.contains(&at) {
            let first = columns.iter().map(|place| place.start).min();
            let first = first.unwrap_or_default();
            sources.push((first..first, Source::Changes(at)));
            continue;
        }
        sources.extend(columns.into_iter().map(|place| (place, Source::Stays)));
        for column in group.columns() {
            let bloom = footer::bloom(column)?;
            sources.extend(bloom.map(|place| (place, Source::Stays)));
        }
    }
    Ok(sources)
}

/// Writes a row group anew; none when no row of it stays.
async fn anew<R: Ranges>(
    table: &mut Table,
    from: &R,
    group: usize,
) -> Result<Option<Written>, R::Error> {
    let problem = |problem: TableProblem| R::Error::from(RewriteError::Table(problem));
    let rows = table
        .rows(from, group, &mut super::Output::default())
        .await?;
    let metadata = table.footer.metadata.row_group(group).clone();
    let reading = Reading {
        metadata: &metadata,
        group,
        limit: table.limits.group_bytes,
    };
    let gone = wide(rows.len());
    if table.duty == Duty::Drop && gone == u64::try_from(metadata.num_rows()).unwrap_or_default() {
        table.report.rows_changed = table.report.rows_changed.saturating_add(gone);
        table.report.rows_after = table.report.rows_after.saturating_sub(gone);
        return Ok(None);
    }
    let all = (0..metadata.num_columns()).collect();
    let chunks = reading.chunks(from, all).await?;
    let edits = match table.duty {
        Duty::Drop => None,
        Duty::Find | Duty::HandOut | Duty::Redact | Duty::Unmasked => Some(table.edits.as_slice()),
    };
    let file = table.footer.metadata.file_metadata();
    let edits = (edits, &table.names);
    let written = group::rewritten(&reading, file, &chunks, edits, &rows).map_err(problem)?;
    table.report.rows_changed = table.report.rows_changed.saturating_add(written.changed);
    if table.duty == Duty::Drop {
        table.report.rows_after = table.report.rows_after.saturating_sub(gone);
    }
    Ok(Some(written))
}

/// Where the columns and Bloom filters of a row group that was written anew end.
fn ends(written: &Written) -> Result<usize, TableProblem> {
    let columns = written.metadata.row_groups().iter();
    let mut end = wide(footer::MAGIC.len());
    for column in columns.flat_map(RowGroupMetaData::columns) {
        end = end.max(footer::place(column)?.end);
        end = footer::bloom(column)?.map_or(end, |place| end.max(place.end));
    }
    usize::try_from(end).map_err(|_| damaged("a row group"))
}

/// The page indexes of the row groups that stay, as they are read.
type Indexes = BTreeMap<(usize, usize), (Option<Bytes>, Option<Bytes>)>;

async fn indexes<R: Ranges>(
    from: &R,
    footer: &Footer,
    changing: &BTreeSet<usize>,
) -> Result<Indexes, R::Error> {
    let problem = |problem: TableProblem| R::Error::from(RewriteError::Table(problem));
    let mut wanted = Vec::new();
    for (at, group) in footer.metadata.row_groups().iter().enumerate() {
        for (column, chunk) in group.columns().iter().enumerate() {
            if changing.contains(&at) {
                continue;
            }
            let of_column = index_place(chunk.column_index_offset(), chunk.column_index_length());
            let of_offset = index_place(chunk.offset_index_offset(), chunk.offset_index_length());
            wanted.extend(of_column.map(|place| (place, (at, column), true)));
            wanted.extend(of_offset.map(|place| (place, (at, column), false)));
        }
    }
    let start = wanted.iter().map(|(place, _, _)| place.start).min();
    let end = wanted.iter().map(|(place, _, _)| place.end).max();
    let mut indexes = Indexes::new();
    let (Some(start), Some(end)) = (start, end) else {
        return Ok(indexes);
    };
    if end > footer.start {
        return Err(problem(damaged("the page indexes")));
    }
    let sum: u64 = wanted.iter().map(|(place, _, _)| length(place)).sum();
    // All writers put them together; those of row groups that change are between them.
    let most = sum.saturating_mul(2).saturating_add(MOST_BETWEEN);
    if end.saturating_sub(start) > most || end.saturating_sub(start) > MOST_INDEXES {
        return Err(problem(TableProblem::Unsupported("scattered page indexes")));
    }
    let bytes = from.read(start..end).await?;
    for (place, at, is_column) in wanted {
        let offset = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        let range = offset(place.start)..offset(place.end);
        if range.end > bytes.len() {
            return Err(problem(damaged("the page indexes")));
        }
        let entry = indexes.entry(at).or_default();
        let slice = Some(bytes.slice(range));
        if is_column {
            entry.0 = slice;
        } else {
            entry.1 = slice;
        }
    }
    Ok(indexes)
}

fn index_place(offset: Option<i64>, bytes: Option<i32>) -> Option<Range<u64>> {
    let start = u64::try_from(offset?).ok()?;
    let bytes = u64::try_from(bytes?).ok().filter(|bytes| *bytes > 0)?;
    Some(start..start.checked_add(bytes)?)
}

/// Makes the new file's metadata, with its page indexes.
fn metadata(
    old: &ParquetMetaData,
    changing: &BTreeSet<usize>,
    places: &Places,
    written: &BTreeMap<usize, (u64, ParquetMetaData)>,
    indexes: &Indexes,
) -> Result<ParquetMetaData, ParquetError> {
    let width = old.file_metadata().schema_descr().num_columns();
    let mut groups = Vec::new();
    let mut index = PageIndexBuilder::new(old.num_row_groups(), width);
    index.allocate_column_indexes(old.num_row_groups(), width);
    index.allocate_offset_indexes(old.num_row_groups(), width);
    for (at, group) in old.row_groups().iter().enumerate() {
        let number = groups.len();
        let source = if changing.contains(&at) {
            let Some((base, anew)) = written.get(&at) else {
                continue;
            };
            // A file of its own begins with the mark, too.
            let by = shift(wide(footer::MAGIC.len()), *base);
            let Some(group) = anew.row_groups().first() else {
                continue;
            };
            for column in 0..width {
                let indexes = anew.page_index_for_row_group(0);
                if let Some(of_column) = indexes.column_index(column) {
                    index.put_column_index(of_column.clone(), number, column);
                }
                if let Some(offsets) = indexes.offset_index(column) {
                    index.put_offset_index(moved_offsets(offsets.clone(), by), number, column);
                }
            }
            let columns = group.columns().iter().map(|c| moved(c, by, by));
            (group, columns.collect::<Result<Vec<_>, _>>()?)
        } else {
            let mut columns = Vec::new();
            for (column, chunk) in group.columns().iter().enumerate() {
                let by = by(footer::place(chunk).ok(), places);
                let bloom = footer::bloom(chunk).ok().flatten();
                columns.push(moved(chunk, by, self::by(bloom, places))?);
                let (of_column, offsets) = indexes.get(&(at, column)).cloned().unwrap_or_default();
                if let Some(bytes) = of_column {
                    let decoded = decode_column_index(&bytes, chunk.column_type())?;
                    index.put_column_index(decoded, number, column);
                }
                if let Some(bytes) = offsets {
                    let decoded = decode_offset_index(&bytes)?;
                    index.put_offset_index(moved_offsets(decoded, by), number, column);
                }
            }
            (group, columns)
        };
        groups.push(regrouped(group, source, number)?);
    }
    let file = old.file_metadata();
    let rows = groups.iter().map(RowGroupMetaData::num_rows).sum();
    let file = FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaDataBuilder::new(file)
        .set_row_groups(groups)
        .set_page_index(Some(Arc::new(index.build())))
        .build())
}

/// A row group with its columns at their new places; what the old one says beside that stays.
fn regrouped(
    old: &RowGroupMetaData,
    (group, columns): (&RowGroupMetaData, Vec<ColumnChunkMetaData>),
    number: usize,
) -> Result<RowGroupMetaData, ParquetError> {
    let first = columns.iter().filter_map(|c| footer::place(c).ok());
    let first = first.map(|place| place.start).min();
    let mut builder = RowGroupMetaData::builder(old.schema_descr_ptr())
        .set_num_rows(group.num_rows())
        .set_total_byte_size(group.total_byte_size())
        .set_sorting_columns(old.sorting_columns().cloned())
        .set_column_metadata(columns);
    if old.ordinal().is_some() {
        builder = builder.set_ordinal(i32::try_from(number).unwrap_or(i32::MAX));
    }
    if let Some(first) = first.filter(|_| old.file_offset().is_some()) {
        builder = builder.set_file_offset(i64::try_from(first).unwrap_or(i64::MAX));
    }
    builder.build()
}

fn moved(
    column: &ColumnChunkMetaData,
    by: i64,
    bloom_by: i64,
) -> Result<ColumnChunkMetaData, ParquetError> {
    let dictionary = column.dictionary_page_offset().filter(|at| *at > 0);
    let later = |at: i64| at.saturating_add(by);
    column
        .clone()
        .into_builder()
        .set_data_page_offset(later(column.data_page_offset()))
        .set_dictionary_page_offset(dictionary.map(later))
        .set_index_page_offset(column.index_page_offset().map(later))
        .set_bloom_filter_offset(
            column
                .bloom_filter_offset()
                .map(|at| at.saturating_add(bloom_by)),
        )
        .set_column_index_offset(None)
        .set_column_index_length(None)
        .set_offset_index_offset(None)
        .set_offset_index_length(None)
        .build()
}

fn moved_offsets(mut offsets: OffsetIndexMetaData, by: i64) -> OffsetIndexMetaData {
    for location in &mut offsets.page_locations {
        *location = PageLocation {
            offset: location.offset.saturating_add(by),
            ..location.clone()
        };
    }
    offsets
}

/// By how much a piece moves.
fn by(place: Option<Range<u64>>, places: &Places) -> i64 {
    let place = place.and_then(|place| Some((place.start, *places.get(&place.start)?)));
    place.map_or(0, |(old, new)| shift(old, new))
}

fn shift(old: u64, new: u64) -> i64 {
    // Files have far fewer bytes than a number of 63 bits can say.
    new.wrapping_sub(old).cast_signed()
}

/// Hands pieces on, those that stay in runs.
struct Out<'p, P> {
    pieces: &'p mut P,
    run: Range<u64>,
    bytes: u64,
}

impl<P: Pieces> Out<'_, P> {
    async fn keep(&mut self, place: Range<u64>) -> Result<(), P::Error> {
        self.bytes = self.bytes.saturating_add(length(&place));
        if place.start == self.run.end {
            self.run.end = place.end;
            return Ok(());
        }
        self.flush().await?;
        self.run = place;
        Ok(())
    }

    /// Appends what a row group's file has between its mark and `end`, or a tail as a whole.
    async fn make(&mut self, file: &[u8], end: usize) -> Result<(), P::Error> {
        self.flush().await?;
        let start = if end == file.len() {
            0
        } else {
            footer::MAGIC.len()
        };
        let bytes = file.get(start..end).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(wide(bytes.len()));
        self.pieces.make(bytes).await
    }

    async fn flush(&mut self) -> Result<(), P::Error> {
        let run = std::mem::replace(&mut self.run, 0..0);
        if run.is_empty() {
            return Ok(());
        }
        self.pieces.keep(run).await
    }
}

const MOST_BETWEEN: u64 = 4 * 1024 * 1024;
const MOST_INDEXES: u64 = 256 * 1024 * 1024;
