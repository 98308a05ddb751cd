//! The footer: read within bounds, checked against the file, written anew.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder,
    ParquetMetaDataOptions, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::schema::types::SchemaDescriptor;

use super::super::codec::wide;
use super::super::error::RewriteError;
use super::problem::{TableProblem, damaged, guarded};
use super::thrift::{self, LIST};
use super::{Ranges, pages, schema};

/// A file's footer.
pub(super) struct Footer {
    pub(super) metadata: ParquetMetaData,
    /// What is kept as it is written there.
    pub(super) raw: Raw,
    /// Where it begins.
    pub(super) start: u64,
}

/// Fields of a footer that are kept as they are written.
pub(super) struct Raw {
    /// The schema: the library knows no types that came after it, and so cannot write them.
    schema: Vec<u8>,
    /// How the writer said that values are ordered: the library would say what it does itself, of
    /// values that it did not write.
    orders: Option<Vec<u8>>,
}

/// Reads the footer of a file of so many bytes.
pub(super) async fn read<R: Ranges>(from: &R, bytes: u64) -> Result<Footer, R::Error> {
    let problem = |problem: TableProblem| R::Error::from(RewriteError::Table(problem));
    if bytes < LEAST_FILE {
        return Err(problem(TableProblem::NotParquet));
    }
    let guess = bytes.saturating_sub(GUESS)..bytes;
    let tail = from.read(guess.clone()).await?;
    let length = length(&tail).map_err(problem)?;
    let start = bytes
        .checked_sub(length.saturating_add(TAIL))
        .filter(|start| *start >= wide(MAGIC.len()))
        .ok_or_else(|| problem(damaged("the footer's length")))?;
    if length > MOST_FOOTER {
        return Err(problem(TableProblem::Wide {
            limit: usize::try_from(MOST_FOOTER).unwrap_or(usize::MAX),
            what: "bytes of footer",
        }));
    }
    let tail = if start < guess.start {
        from.read(start..bytes).await?
    } else {
        let skipped = start.saturating_sub(guess.start);
        tail.slice(usize::try_from(skipped).unwrap_or_default()..)
    };
    let mut footer = parse(&tail, start).map_err(problem)?;
    measure_blooms(from, &mut footer).await?;
    check_places(&footer).map_err(problem)?;
    Ok(footer)
}

fn length(tail: &[u8]) -> Result<u64, TableProblem> {
    let Some((rest, magic)) = tail.split_last_chunk::<4>() else {
        return Err(TableProblem::NotParquet);
    };
    match magic {
        MAGIC => {}
        b"PARE" => return Err(TableProblem::Encrypted),
        _ => return Err(TableProblem::NotParquet),
    }
    let (_, length) = rest
        .split_last_chunk::<4>()
        .ok_or(TableProblem::NotParquet)?;
    Ok(u64::from(u32::from_le_bytes(*length)))
}

fn parse(tail: &Bytes, end: u64) -> Result<Footer, TableProblem> {
    let length = tail
        .len()
        .saturating_sub(usize::try_from(TAIL).unwrap_or_default());
    // Bounded in what it counts, which the library is not.
    let walked = thrift::find(tail.get(..length).unwrap_or_default(), i64::MAX);
    walked.ok_or(damaged("the footer"))?;
    let metadata = guarded("the footer", || {
        // What pages are encoded as is written again, so all of it is read.
        let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
        let footer = tail.get(..length).unwrap_or_default();
        ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))
    })?;
    let raw = |field| {
        let found = thrift::find(tail.get(..length).unwrap_or_default(), field);
        let found = found.ok_or(damaged("the footer"))?;
        Ok(found.and_then(|found| tail.get(found.value).map(<[u8]>::to_vec)))
    };
    let raw = Raw {
        // Without one nothing would be a file.
        schema: raw(SCHEMA)?.ok_or(damaged("the schema"))?,
        orders: raw(COLUMN_ORDERS)?,
    };
    schema::check(metadata.file_metadata().schema())?;
    let width = metadata.file_metadata().schema_descr().num_columns();
    let mut groups = metadata.row_groups().iter();
    if groups.any(|group| group.num_columns() != width || group.num_rows() < 0) {
        return Err(damaged("a row group"));
    }
    Ok(Footer {
        metadata: known(metadata)?,
        raw,
        start: end,
    })
}

/// Metadata of types that the library can write.
fn known(metadata: ParquetMetaData) -> Result<ParquetMetaData, TableProblem> {
    let file = metadata.file_metadata();
    let Some(schema) = guarded("the schema", || schema::known(file.schema()))? else {
        return Ok(metadata);
    };
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        Arc::new(SchemaDescriptor::new(schema)),
        None,
    );
    let groups = metadata.row_groups().to_vec();
    Ok(ParquetMetaDataBuilder::new(file)
        .set_row_groups(groups)
        .build())
}

/// Finds out how long Bloom filters are of which only old writers say where they begin.
async fn measure_blooms<R: Ranges>(from: &R, footer: &mut Footer) -> Result<(), R::Error> {
    let problem = |problem: TableProblem| R::Error::from(RewriteError::Table(problem));
    let lengthless = |column: &ColumnChunkMetaData| {
        column.bloom_filter_offset().is_some() && column.bloom_filter_length().is_none()
    };
    let mut groups = footer.metadata.row_groups().to_vec();
    for column in groups.iter_mut().flat_map(RowGroupMetaData::columns_mut) {
        if !lengthless(column) {
            continue;
        }
        let at = u64::try_from(column.bloom_filter_offset().unwrap_or_default());
        let at = at.ok().filter(|at| *at < footer.start);
        let at = at.ok_or_else(|| problem(BLOOM))?;
        let head = from
            .read(at..at.saturating_add(BLOOM_HEAD).min(footer.start))
            .await?;
        let length = pages::bloom_length(&head).and_then(|length| i32::try_from(length).ok());
        let length = length.ok_or_else(|| problem(BLOOM))?;
        let measured = column
            .clone()
            .into_builder()
            .set_bloom_filter_length(Some(length));
        *column = guarded("a Bloom filter", || measured.build()).map_err(problem)?;
    }
    let builder = ParquetMetaDataBuilder::new(footer.metadata.file_metadata().clone());
    footer.metadata = builder.set_row_groups(groups).build();
    Ok(())
}

/// Checks that each column and filter stands alone in front of the footer: otherwise nothing could be
/// moved.
fn check_places(footer: &Footer) -> Result<(), TableProblem> {
    let mut places = Vec::new();
    let groups = footer.metadata.row_groups().iter();
    for column in groups.flat_map(RowGroupMetaData::columns) {
        places.push(place(column)?);
        places.extend(bloom(column)?);
    }
    places.sort_unstable_by_key(|place| (place.start, place.end));
    let mut free = wide(MAGIC.len());
    for place in places.into_iter().filter(|place| !place.is_empty()) {
        if place.start < free || place.end > footer.start {
            return Err(damaged("the place of a column"));
        }
        free = place.end;
    }
    Ok(())
}

/// Where a column of a row group stands.
pub(super) fn place(column: &ColumnChunkMetaData) -> Result<Range<u64>, TableProblem> {
    if column.file_path().is_some() {
        return Err(TableProblem::Unsupported("columns in other files"));
    }
    let no_place = damaged("the place of a column");
    // Some writers say 0 where there is no dictionary.
    let dictionary = column.dictionary_page_offset().filter(|at| *at > 0);
    let first = column.data_page_offset();
    let start = u64::try_from(dictionary.map_or(first, |at| at.min(first)));
    let length = u64::try_from(column.compressed_size());
    match (start, length) {
        (Ok(start), Ok(length)) => Ok(start..start.checked_add(length).ok_or(no_place)?),
        (Err(_), _) | (_, Err(_)) => Err(no_place),
    }
}

/// Where a column's Bloom filter stands.
pub(super) fn bloom(column: &ColumnChunkMetaData) -> Result<Option<Range<u64>>, TableProblem> {
    let Some(at) = column.bloom_filter_offset() else {
        return Ok(None);
    };
    let length = column.bloom_filter_length().ok_or(BLOOM)?;
    match (u64::try_from(at), u64::try_from(length)) {
        (Ok(at), Ok(length)) => Ok(Some(at..at.saturating_add(length))),
        (Err(_), _) | (_, Err(_)) => Err(BLOOM),
    }
}

/// Writes the page indexes and the footer of a file that has so many bytes before them. The
/// metadata's own places of page indexes do not count: `metadata` has the indexes.
///
/// # Errors
/// `Damaged` when what was written cannot be read again as it was meant.
pub(super) fn write(
    metadata: &ParquetMetaData,
    raw: &Raw,
    before: u64,
) -> Result<Bytes, TableProblem> {
    let tail = guarded("the footer", || written(metadata, raw, before))?;
    let tail = Bytes::from(tail);
    check(&tail, before, metadata)?;
    Ok(tail)
}

fn written(metadata: &ParquetMetaData, raw: &Raw, before: u64) -> Result<Vec<u8>, ParquetError> {
    // The library counts from where it begins to write. So the indexes are written first, and where
    // they came to stand is read back and moved.
    let mut indexes = Vec::new();
    ParquetMetaDataWriter::new(&mut indexes, metadata)
        .with_preserve_page_index_locations(false)
        .finish()?;
    let tail = usize::try_from(TAIL).unwrap_or_default();
    let length = usize::try_from(length(&indexes).unwrap_or_default()).unwrap_or_default();
    let footer_at = indexes.len().saturating_sub(length.saturating_add(tail));
    let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
    let written = ParquetMetaDataReader::decode_metadata_with_options(
        indexes
            .get(footer_at..footer_at.saturating_add(length))
            .unwrap_or_default(),
        Some(&options),
    )?;
    let groups = metadata.row_groups().iter().zip(written.row_groups());
    let moved = groups.map(|(group, written)| moved(group, written, before));
    let moved = moved.collect::<Result<Vec<_>, _>>()?;
    let metadata = ParquetMetaDataBuilder::new(metadata.file_metadata().clone())
        .set_row_groups(moved)
        .build();
    indexes.truncate(footer_at);
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
    footer.truncate(footer.len().saturating_sub(tail));
    splice(&mut footer, COLUMN_ORDERS, raw.orders.as_deref());
    splice(&mut footer, SCHEMA, Some(&raw.schema));
    let length = u32::try_from(footer.len())?;
    indexes.extend(footer);
    indexes.extend(length.to_le_bytes());
    indexes.extend(MAGIC);
    Ok(indexes)
}

/// Reads the end of a file that was written as if it were a stranger's. What a bent file says of its
/// schema may be more to the library than to us, and would make of a file that can be read one that
/// cannot.
fn check(tail: &Bytes, before: u64, meant: &ParquetMetaData) -> Result<(), TableProblem> {
    let length = length(tail)?.saturating_add(TAIL);
    let skipped = wide(tail.len()).saturating_sub(length);
    let start = before.saturating_add(skipped);
    let skipped = usize::try_from(skipped).unwrap_or_default();
    let footer = parse(&tail.slice(skipped..), start)?;
    check_places(&footer)?;
    let said = |metadata: &ParquetMetaData| -> Result<Vec<_>, TableProblem> {
        let columns = metadata.row_groups().iter().flat_map(|group| {
            let rows = group.num_rows();
            group.columns().iter().map(move |column| (rows, column))
        });
        let said = columns.map(|(rows, column)| {
            let values = (rows, column.num_values());
            Ok((values, place(column)?, bloom(column)?))
        });
        said.collect()
    };
    if said(&footer.metadata)? != said(meant)? {
        return Err(damaged("the footer"));
    }
    Ok(())
}

/// Puts a list as it was written in the place of what the library says of it, or takes it away. The
/// one that may go away is the last field, so that no other field's number depends on it.
fn splice(footer: &mut Vec<u8>, field: i64, raw: Option<&[u8]>) {
    let Some(Some(found)) = thrift::find(footer, field) else {
        return;
    };
    let step = u8::try_from(field.saturating_sub(found.after)).unwrap_or_default();
    let head = step.wrapping_shl(4) | LIST;
    let instead = raw.map(|raw| [&[head], raw].concat());
    footer.splice(found.whole, instead.unwrap_or_default());
}

/// A row group that knows where its page indexes came to stand.
fn moved(
    group: &RowGroupMetaData,
    written: &RowGroupMetaData,
    before: u64,
) -> Result<RowGroupMetaData, ParquetError> {
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let later = |at: i64| at.saturating_add(before);
    let columns = group.columns().iter().zip(written.columns());
    let columns = columns.map(|(column, written)| {
        let column = column.clone().into_builder();
        column
            .set_column_index_offset(written.column_index_offset().map(later))
            .set_column_index_length(written.column_index_length())
            .set_offset_index_offset(written.offset_index_offset().map(later))
            .set_offset_index_length(written.offset_index_length())
            .build()
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    group
        .clone()
        .into_builder()
        .set_column_metadata(columns)
        .build()
}

/// Fields of `FileMetaData`.
const SCHEMA: i64 = 2;
const COLUMN_ORDERS: i64 = 7;
/// How every file begins and ends.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";
/// The footer's length and the mark after it.
const TAIL: u64 = 8;
const LEAST_FILE: u64 = 12;
/// How much is read at first, in the hope that the footer is in it.
const GUESS: u64 = 64 * 1024;
const MOST_FOOTER: u64 = 64 * 1024 * 1024;
const BLOOM: TableProblem = damaged("the place of a Bloom filter");
/// What a Bloom filter's header has at most.
const BLOOM_HEAD: u64 = 64;
