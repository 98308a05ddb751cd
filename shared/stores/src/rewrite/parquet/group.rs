//! One row group: which rows a mask changes, rows in JSON, and the group written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::writer::ColumnWriter;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::super::masks::Names;
use super::Reading;
use super::columns::{self, Chunk, Edit, Rewrite, Told};
use super::json;
use super::pages::{self, PageKind};
use super::problem::{TableProblem, damaged, guarded};
use super::schema::Node;

/// Columns of a row group, by their number.
pub(super) type Chunks = BTreeMap<usize, Chunk>;

/// Returns which of these rows a mask would change.
pub(super) fn changed(
    reading: &Reading<'_>,
    chunks: &Chunks,
    (edits, names): (&[(usize, Edit)], &Names),
    rows: &[u64],
) -> Result<BTreeSet<u64>, TableProblem> {
    let mut all = BTreeSet::new();
    for (column, edit) in edits {
        let chunk = chunks.get(column).ok_or(damaged("a column"))?;
        let metadata = reading.metadata.column(*column);
        let rewrite = Rewrite {
            column: metadata,
            count: super::wide(reading.rows()),
            rows,
            edit: *edit,
            names,
        };
        let mut changed = Vec::new();
        guarded("a column that is masked", || {
            let reader = columns::open(metadata, chunk, reading.rows())?;
            rewrite.run(reader, None, &mut changed)
        })?;
        all.extend(changed);
    }
    Ok(all)
}

/// Returns these rows, each as a JSON object.
pub(super) fn copied(
    reading: &Reading<'_>,
    chunks: &Chunks,
    schema: &Type,
    rows: &[u64],
) -> Result<Vec<Vec<u8>>, TableProblem> {
    let mut columns: Vec<Vec<Vec<Told>>> = Vec::new();
    for (column, chunk) in chunks {
        let metadata = reading.metadata.column(*column);
        columns.push(guarded("a column", || {
            let mut reader = columns::open(metadata, chunk, reading.rows())?;
            columns::told(&mut reader, metadata, rows)
        })?);
    }
    let row = |at: usize| {
        let of_row = |column: &Vec<Vec<Told>>| column.get(at).cloned().unwrap_or_default();
        let of_row: Vec<Vec<Told>> = columns.iter().map(of_row).collect();
        let of_row: Vec<&[Told]> = of_row.iter().map(Vec::as_slice).collect();
        let mut out = Vec::new();
        json::write(&Node::root(schema), &of_row, &mut out);
        out
    };
    Ok((0..rows.len()).map(row).collect())
}

/// A row group that was written anew, as a file of its own.
pub(super) struct Written {
    pub(super) file: Bytes,
    pub(super) metadata: ParquetMetaData,
    /// How many rows changed, or went.
    pub(super) changed: u64,
}

/// Writes a row group anew: these rows go, or some of their columns are masked.
pub(super) fn rewritten(
    reading: &Reading<'_>,
    file: &FileMetaData,
    chunks: &Chunks,
    (edits, names): (Option<&[(usize, Edit)]>, &Names),
    rows: &[u64],
) -> Result<Written, TableProblem> {
    let is_v2 = match chunks.values().next() {
        Some(chunk) => {
            let pages = pages::walk(&chunk.bytes, reading.group, reading.limit)?;
            pages.iter().any(|page| page.kind == PageKind::DataV2)
        }
        None => false,
    };
    let mut changed = BTreeSet::new();
    let mut bytes = Vec::new();
    guarded("a row group", || {
        let properties = Arc::new(properties(reading, is_v2));
        let schema = file.schema_descr().root_schema_ptr();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties)?;
        let mut group = writer.next_row_group()?;
        for (at, metadata) in reading.metadata.columns().iter().enumerate() {
            let Some((mut out, chunk)) = group.next_column()?.zip(chunks.get(&at)) else {
                continue;
            };
            let reader = columns::open(metadata, chunk, reading.rows())?;
            let masks = edits.into_iter().flatten();
            let mut masks = masks.filter(|(column, _)| *column == at);
            let mut of_column = Vec::new();
            let rewrite = Rewrite {
                column: metadata,
                count: super::wide(reading.rows()),
                rows,
                edit: match edits {
                    None => Edit::Drop,
                    Some(_) => masks.next().map_or(Edit::Keep, |(_, edit)| *edit),
                },
                names,
            };
            let typed: &mut ColumnWriter<'_> = out.untyped();
            rewrite.run(reader, Some(typed), &mut of_column)?;
            out.close()?;
            changed.extend(of_column);
        }
        group.close()?;
        writer.close().map(drop)
    })?;
    let file = Bytes::from(bytes);
    let metadata = guarded("a row group", || {
        ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_metadata_options(Some(
                parquet::file::metadata::ParquetMetaDataOptions::new()
                    .with_encoding_stats_as_mask(false),
            ))
            .parse_and_finish(&file)
    })?;
    Ok(Written {
        file,
        metadata,
        changed: super::wide(changed.len()),
    })
}

/// Says how a row group is written: as it was.
fn properties(reading: &Reading<'_>, is_v2: bool) -> WriterProperties {
    let group = reading.metadata;
    let has_offsets = |column: &ColumnChunkMetaData| column.offset_index_offset().is_some();
    let mut builder = WriterProperties::builder()
        .set_writer_version(if is_v2 {
            WriterVersion::PARQUET_2_0
        } else {
            WriterVersion::PARQUET_1_0
        })
        .set_offset_index_disabled(!group.columns().iter().any(has_offsets))
        .set_sorting_columns(group.sorting_columns().cloned());
    for column in group.columns() {
        let path = column.column_path().clone();
        let dictionary = column.dictionary_page_offset().filter(|at| *at > 0);
        let statistics = if column.column_index_offset().is_some() {
            EnabledStatistics::Page
        } else if column.statistics().is_some() {
            EnabledStatistics::Chunk
        } else {
            EnabledStatistics::None
        };
        builder = builder
            .set_column_compression(path.clone(), column.compression())
            .set_column_dictionary_enabled(path.clone(), dictionary.is_some())
            .set_column_statistics_enabled(path.clone(), statistics);
        if let Some(at) = dictionary {
            // As large a dictionary as there was is let grow again.
            let packed = column.data_page_offset().saturating_sub(at);
            let room = usize::try_from(packed.saturating_mul(4)).unwrap_or_default();
            let room = room.clamp(LEAST_DICTIONARY, MOST_DICTIONARY);
            builder = builder.set_column_dictionary_page_size_limit(path.clone(), room);
        }
        let mut encodings = column.encodings();
        let encoding = encodings.find(|encoding| {
            matches!(
                encoding,
                Encoding::DELTA_BINARY_PACKED
                    | Encoding::DELTA_LENGTH_BYTE_ARRAY
                    | Encoding::DELTA_BYTE_ARRAY
                    | Encoding::BYTE_STREAM_SPLIT
            )
        });
        builder = builder.set_column_encoding(path.clone(), encoding.unwrap_or(Encoding::PLAIN));
        if column.bloom_filter_offset().is_some() {
            let values = u64::try_from(column.num_values())
                .unwrap_or_default()
                .max(1);
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, values);
        }
    }
    builder.build()
}

const LEAST_DICTIONARY: usize = 1024 * 1024;
const MOST_DICTIONARY: usize = 64 * 1024 * 1024;
