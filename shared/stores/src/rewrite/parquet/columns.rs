//! Reading and writing one column of one row group, record by record.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use quittance_core::data_map::Mask;

use super::super::codec::wide;
use super::super::masks::Names;
use super::value::{Cell, Kind};

/// A column's bytes, at their place in the file.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) at: u64,
    pub(super) bytes: Bytes,
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.at.saturating_add(wide(self.bytes.len()))
    }
}

impl ChunkReader for Chunk {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let from = start
            .checked_sub(self.at)
            .and_then(|from| usize::try_from(from).ok());
        let from = from.filter(|from| *from <= self.bytes.len());
        let from = from.ok_or_else(outside)?;
        Ok(self.bytes.slice(from..).reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let rest = self.get_read(start)?.into_inner();
        if length > rest.len() {
            return Err(outside());
        }
        Ok(rest.slice(..length))
    }
}

fn outside() -> ParquetError {
    ParquetError::EOF("outside of its column".to_owned())
}

/// Begins to read a column of so many rows.
pub(super) fn pages(
    column: &ColumnChunkMetaData,
    chunk: &Chunk,
    rows: usize,
) -> Result<Box<dyn PageReader>> {
    let pages = SerializedPageReader::new(Arc::new(chunk.clone()), column, rows, None)?;
    Ok(Box::new(pages))
}

/// Begins to read a column's records.
pub(super) fn open(
    column: &ColumnChunkMetaData,
    chunk: &Chunk,
    rows: usize,
) -> Result<ColumnReader> {
    let pages = pages(column, chunk, rows)?;
    Ok(get_column_reader(column.column_descr_ptr(), pages))
}

/// Some records of a column.
pub(super) struct Batch<T> {
    pub(super) values: Vec<T>,
    def: Vec<i16>,
    rep: Vec<i16>,
    records: usize,
    max_def: i16,
    max_rep: i16,
}

/// One entry of a column: a value, or where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) rep: i16,
    pub(super) def: i16,
    /// Which value of the batch, if any.
    pub(super) value: Option<usize>,
}

impl<T: Cell> Batch<T> {
    pub(super) fn new(column: &ColumnChunkMetaData) -> Self {
        Self {
            values: Vec::new(),
            def: Vec::new(),
            rep: Vec::new(),
            records: 0,
            max_def: column.column_descr().max_def_level(),
            max_rep: column.column_descr().max_rep_level(),
        }
    }

    /// Reads the next records; how many: none at the end.
    pub(super) fn read<D: DataType<T = T>>(
        &mut self,
        reader: &mut ColumnReaderImpl<D>,
        records: usize,
    ) -> Result<usize> {
        self.values.clear();
        self.def.clear();
        self.rep.clear();
        let def = (self.max_def > 0).then_some(&mut self.def);
        let rep = (self.max_rep > 0).then_some(&mut self.rep);
        let (read, _, _) = reader.read_records(records, def, rep, &mut self.values)?;
        self.records = read;
        Ok(read)
    }

    /// Hands out the entries, each with the number of its record in the batch.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, Entry)> + '_ {
        let count = if self.max_def > 0 {
            self.def.len()
        } else if self.max_rep > 0 {
            self.rep.len()
        } else {
            self.values.len()
        };
        let mut next_value = 0_usize;
        let mut record = 0_usize;
        (0..count).map(move |at| {
            let rep = if self.max_rep > 0 {
                self.rep.get(at).copied().unwrap_or_default()
            } else {
                0
            };
            let def = if self.max_def > 0 {
                self.def.get(at).copied().unwrap_or_default()
            } else {
                0
            };
            if at > 0 && rep == 0 {
                record = record.saturating_add(1);
            }
            let value = (def == self.max_def).then(|| {
                let value = next_value;
                next_value = next_value.saturating_add(1);
                value
            });
            (record, Entry { rep, def, value })
        })
    }
}

/// The texts of some records of a column.
#[derive(Default)]
pub(super) struct Texts {
    arena: String,
    /// To which record of the batch each belongs, and where it stands.
    places: Vec<(usize, std::ops::Range<usize>)>,
}

impl Texts {
    /// Returns each text with its record.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        let text =
            |place: &std::ops::Range<usize>| self.arena.get(place.clone()).unwrap_or_default();
        self.places
            .iter()
            .map(move |(record, place)| (*record, text(place)))
    }

    /// Returns where the texts of a record begin and end, when those before are passed.
    pub(super) fn of(&self, from: usize, record: usize) -> std::ops::Range<usize> {
        let later = self.places.get(from..).unwrap_or_default();
        let count = later.iter().take_while(|(of, _)| *of == record).count();
        from..from.saturating_add(count)
    }

    pub(super) fn get(&self, places: std::ops::Range<usize>) -> impl Iterator<Item = &str> {
        let places = self.places.get(places).unwrap_or_default().iter();
        places.map(|(_, place)| self.arena.get(place.clone()).unwrap_or_default())
    }
}

/// Calls a function with a column's reader, whatever its type.
macro_rules! typed {
    ($reader:expr, $typed:ident => $body:expr) => {
        match $reader {
            ColumnReader::BoolColumnReader($typed) => $body,
            ColumnReader::Int32ColumnReader($typed) => $body,
            ColumnReader::Int64ColumnReader($typed) => $body,
            ColumnReader::Int96ColumnReader($typed) => $body,
            ColumnReader::FloatColumnReader($typed) => $body,
            ColumnReader::DoubleColumnReader($typed) => $body,
            ColumnReader::ByteArrayColumnReader($typed) => $body,
            ColumnReader::FixedLenByteArrayColumnReader($typed) => $body,
        }
    };
}

/// Reads the texts of the next records; of how many.
pub(super) fn texts(
    reader: &mut ColumnReader,
    column: &ColumnChunkMetaData,
    records: usize,
    out: &mut Texts,
) -> Result<usize> {
    fn read<D: DataType>(
        reader: &mut ColumnReaderImpl<D>,
        column: &ColumnChunkMetaData,
        records: usize,
        out: &mut Texts,
    ) -> Result<usize>
    where
        D::T: Cell,
    {
        let kind = Kind::of(column.column_descr());
        let mut batch = Batch::new(column);
        let read = batch.read(reader, records)?;
        out.arena.clear();
        out.places.clear();
        for (record, entry) in batch.entries() {
            let value = entry.value.and_then(|at| batch.values.get(at));
            if let Some(text) = value.and_then(|value| value.stored().text(kind)) {
                let start = out.arena.len();
                out.arena.push_str(&text);
                out.places.push((record, start..out.arena.len()));
            }
        }
        Ok(read)
    }
    typed!(reader, reader => read(reader, column, records, out))
}

/// What becomes of the values of a column in the rows that are somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// The rows go.
    Drop,
    /// Nothing.
    Keep,
    /// A fixed text stands instead.
    Fixed,
    /// A pseudonym stands instead.
    Pseudonym,
    /// The node that is there at this definition level, and goes on at this repetition level, is null.
    Null { def: i16, rep: i16 },
}

/// Entries of a record as they are to be.
struct Edited<'e, T> {
    edit: Edit,
    names: &'e Names,
    kind: Kind,
    def: &'e mut Vec<i16>,
    rep: &'e mut Vec<i16>,
    values: &'e mut Vec<T>,
    changed: bool,
}

impl<T: Cell + Clone + PartialEq> Edited<'_, T> {
    fn push(&mut self, entry: Entry, value: Option<&T>) {
        self.rep.push(entry.rep);
        self.def.push(entry.def);
        self.values.extend(value.cloned());
    }

    fn edit(&mut self, entry: Entry, value: Option<&T>) {
        match self.edit {
            Edit::Drop => self.changed = true,
            Edit::Fixed => {
                let masked = value.and_then(|_| T::of_text(Mask::TEXT));
                self.changed |= masked.is_some() && masked.as_ref() != value;
                self.push(entry, masked.as_ref());
            }
            Edit::Pseudonym => {
                let name = value.and_then(|value| match value.stored().text(self.kind) {
                    Some(text) => self.names.instead(&text),
                    // No text after all: nothing of it may stay.
                    None => Some(Cow::Borrowed(Mask::TEXT)),
                });
                let named = name.and_then(|name| T::of_text(&name));
                self.changed |= named.is_some() && named.as_ref() != value;
                self.push(entry, named.as_ref().or(value));
            }
            Edit::Null { def, rep } if entry.def >= def => {
                self.changed = true;
                // What goes on inside the node goes with it.
                if entry.rep <= rep {
                    let null = Entry {
                        rep: entry.rep,
                        def: def.saturating_sub(1),
                        value: None,
                    };
                    self.push(null, None);
                }
            }
            Edit::Keep | Edit::Null { .. } => self.push(entry, value),
        }
    }
}

/// How one column of a row group is written anew.
pub(super) struct Rewrite<'r> {
    pub(super) column: &'r ColumnChunkMetaData,
    /// How many rows there are.
    pub(super) count: u64,
    /// Those that are somebody's, in order.
    pub(super) rows: &'r [u64],
    pub(super) edit: Edit,
    pub(super) names: &'r Names,
}

impl Rewrite<'_> {
    /// Reads a column, and writes it anew if there is somewhere to; hands the rows that change, in
    /// order, to `changed`.
    pub(super) fn run(
        &self,
        reader: ColumnReader,
        writer: Option<&mut ColumnWriter<'_>>,
        changed: &mut Vec<u64>,
    ) -> Result<()> {
        use {ColumnReader as R, ColumnWriter as W};
        macro_rules! pairs {
            ($(($reads:ident, $writes:ident)),* $(,)?) => {
                match (reader, writer) {
                    $((R::$reads(reader), None) => self.go(reader, None, changed),)*
                    $((R::$reads(reader), Some(W::$writes(writer))) => {
                        self.go(reader, Some(writer), changed)
                    })*
                    (_, Some(_)) => Err(ParquetError::General("another type".to_owned())),
                }
            };
        }
        pairs!(
            (BoolColumnReader, BoolColumnWriter),
            (Int32ColumnReader, Int32ColumnWriter),
            (Int64ColumnReader, Int64ColumnWriter),
            (Int96ColumnReader, Int96ColumnWriter),
            (FloatColumnReader, FloatColumnWriter),
            (DoubleColumnReader, DoubleColumnWriter),
            (ByteArrayColumnReader, ByteArrayColumnWriter),
            (FixedLenByteArrayColumnReader, FixedLenByteArrayColumnWriter),
        )
    }

    fn go<D: DataType>(
        &self,
        mut reader: ColumnReaderImpl<D>,
        mut writer: Option<&mut ColumnWriterImpl<'_, D>>,
        changed: &mut Vec<u64>,
    ) -> Result<()>
    where
        D::T: Cell,
    {
        let mut batch = Batch::new(self.column);
        let (mut def, mut rep, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = 0_u64;
        let mut rows = self.rows.iter().copied().peekable();
        loop {
            let read = batch.read(&mut reader, RECORDS)?;
            if read == 0 {
                return if first == self.count {
                    Ok(())
                } else {
                    Err(ParquetError::General("another number of rows".to_owned()))
                };
            }
            def.clear();
            rep.clear();
            values.clear();
            let mut edited = Edited {
                edit: self.edit,
                names: self.names,
                kind: Kind::of(self.column.column_descr()),
                def: &mut def,
                rep: &mut rep,
                values: &mut values,
                changed: false,
            };
            for (record, entry) in batch.entries() {
                let row = first.saturating_add(wide(record));
                while rows.next_if(|touched| *touched < row).is_some() {}
                let value = entry.value.and_then(|at| batch.values.get(at));
                if rows.peek() == Some(&row) {
                    edited.edit(entry, value);
                    if std::mem::take(&mut edited.changed) && changed.last() != Some(&row) {
                        changed.push(row);
                    }
                } else {
                    edited.push(entry, value);
                }
            }
            first = first.saturating_add(wide(read));
            if let Some(writer) = &mut writer
                && !rep.is_empty()
            {
                let def = (batch.max_def > 0).then_some(def.as_slice());
                let rep = (batch.max_rep > 0).then_some(rep.as_slice());
                writer.write_batch(&values, def, rep)?;
            }
        }
    }
}

/// One entry of a row that is handed out, with its value in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) rep: i16,
    pub(super) def: i16,
    pub(super) json: Vec<u8>,
}

/// Reads the entries of these rows, in order, of one column.
pub(super) fn told(
    reader: &mut ColumnReader,
    column: &ColumnChunkMetaData,
    rows: &[u64],
) -> Result<Vec<Vec<Told>>> {
    fn read<D: DataType>(
        reader: &mut ColumnReaderImpl<D>,
        column: &ColumnChunkMetaData,
        rows: &[u64],
    ) -> Result<Vec<Vec<Told>>>
    where
        D::T: Cell,
    {
        let kind = Kind::of(column.column_descr());
        let mut batch = Batch::new(column);
        let mut told: Vec<Vec<Told>> = rows.iter().map(|_| Vec::new()).collect();
        let mut first = 0_u64;
        let mut at = 0_usize;
        loop {
            let read = batch.read(reader, RECORDS)?;
            if read == 0 {
                return Ok(told);
            }
            for (record, entry) in batch.entries() {
                let row = first.saturating_add(wide(record));
                while rows.get(at).is_some_and(|wanted| *wanted < row) {
                    at = at.saturating_add(1);
                }
                if rows.get(at) == Some(&row)
                    && let Some(entries) = told.get_mut(at)
                {
                    let value = entry.value.and_then(|at| batch.values.get(at));
                    let mut json = Vec::new();
                    if let Some(value) = value {
                        value.stored().write_json(kind, &mut json);
                    }
                    entries.push(Told {
                        rep: entry.rep,
                        def: entry.def,
                        json,
                    });
                }
            }
            first = first.saturating_add(wide(read));
        }
    }
    typed!(reader, reader => read(reader, column, rows))
}

/// How many records are in memory at once.
pub(super) const RECORDS: usize = 4_096;
