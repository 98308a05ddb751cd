//! Whose the rows of a row group are.

use std::collections::{BTreeMap, BTreeSet};

use parquet::basic::Type;
use parquet::column::page::Page;
use parquet::column::reader::ColumnReader;
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue};
use quittance_core::matching::{MatchSet, Members, Rule};

use super::super::codec::wide;
use super::super::error::{RewriteError, RowProblem};
use super::super::jsonl::tuples;
use super::Reading;
use super::columns::{self, Chunk, RECORDS, Texts};
use super::group::Chunks;
use super::pages::{self, PageKind};
use super::problem::{TableProblem, damaged, guarded};
use super::value::Kind;

/// The rows of a row group that are somebody's.
#[derive(Default)]
pub(super) struct Found {
    /// Each by its number in the group, with whose it is.
    pub(super) rows: BTreeMap<u64, Members>,
    /// By which texts, of those that are long enough to be told from others.
    texts: BTreeSet<String>,
}

/// Finds the members whose rows are.
pub(super) fn judge(
    reading: &Reading<'_>,
    chunks: &Chunks,
    matches: &MatchSet,
    rules: &[Vec<usize>],
) -> Result<Found, RewriteError> {
    let rows = reading.rows();
    let mut open = Vec::new();
    for (rule, of_rule) in matches.rules().iter().zip(rules) {
        if may_match(reading, chunks, matches, (rule, of_rule))? {
            open.push((rule, of_rule));
        }
    }
    let mut columns: BTreeMap<usize, (ColumnReader, Texts)> = BTreeMap::new();
    let wanted: BTreeSet<usize> = open.iter().flat_map(|(_, of)| of.iter().copied()).collect();
    for (column, chunk) in chunks.iter().filter(|(column, _)| wanted.contains(column)) {
        let metadata = reading.metadata.column(*column);
        let reader = guarded(PART, || columns::open(metadata, chunk, rows))?;
        columns.insert(*column, (reader, Texts::default()));
    }
    let mut found = Found::default();
    let mut first = 0_usize;
    while first < rows && !open.is_empty() {
        let records = rows.saturating_sub(first).min(RECORDS);
        for (column, (reader, texts)) in &mut columns {
            let metadata = reading.metadata.column(*column);
            let read = guarded(PART, || columns::texts(reader, metadata, records, texts))?;
            if read != records {
                return Err(damaged("the number of a column's rows").into());
            }
        }
        for (rule, of_rule) in &open {
            let of_rule = of_rule.iter().filter_map(|column| columns.get(column));
            let texts: Vec<&Texts> = of_rule.map(|(_, texts)| texts).collect();
            let batch = Batch {
                matches,
                rule,
                first: wide(first),
            };
            match texts.as_slice() {
                [alone] => batch.singles(alone, &mut found),
                several => batch.tuples(several, records, &mut found)?,
            }
        }
        first = first.saturating_add(records);
    }
    // Rows that the footer does not count are somebody's too.
    for (column, (reader, texts)) in &mut columns {
        let metadata = reading.metadata.column(*column);
        if guarded(PART, || columns::texts(reader, metadata, 1, texts))? > 0 {
            return Err(damaged("the number of a column's rows").into());
        }
    }
    Ok(found)
}

/// Whether a rule may match any row. Where all pages of the only column that it compares are proven
/// to be coded by a dictionary, that tells, and no row has to be looked at.
fn may_match(
    reading: &Reading<'_>,
    chunks: &Chunks,
    matches: &MatchSet,
    (rule, columns): (&Rule, &[usize]),
) -> Result<bool, TableProblem> {
    let [column] = columns else {
        return Ok(true);
    };
    let metadata = reading.metadata.column(*column);
    let Some(chunk) = chunks.get(column) else {
        return Ok(true);
    };
    if !is_all_by_dictionary(reading, metadata, chunk)? {
        return Ok(true);
    }
    let page = guarded(PART, || {
        columns::pages(metadata, chunk, reading.rows())?.get_next_page()
    })?;
    let Some(Page::DictionaryPage { buf, .. }) = page else {
        return Ok(true);
    };
    let mut rest = &buf[..];
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((text, later)) = after.split_at_checked(length) else {
            return Err(damaged(PART));
        };
        if std::str::from_utf8(text).is_ok_and(|text| matches.may_match(rule, &[text])) {
            return Ok(true);
        }
        rest = later;
    }
    Ok(false)
}

/// Whether all that a column says is in its dictionary, of texts. The pages themselves tell: what a
/// footer says of them is not trusted, for somebody's rows would be passed over.
fn is_all_by_dictionary(
    reading: &Reading<'_>,
    column: &ColumnChunkMetaData,
    chunk: &Chunk,
) -> Result<bool, TableProblem> {
    if column.column_type() != Type::BYTE_ARRAY || Kind::of(column.column_descr()) != Kind::Plain {
        return Ok(false);
    }
    let pages = pages::walk(&chunk.bytes, reading.group, reading.limit)?;
    let Some((first, data)) = pages.split_first() else {
        return Ok(false);
    };
    Ok(first.kind == PageKind::Dictionary && data.iter().all(|page| page.is_by_dictionary))
}

struct Batch<'b> {
    matches: &'b MatchSet,
    rule: &'b Rule,
    first: u64,
}

impl Batch<'_> {
    fn singles(&self, texts: &Texts, found: &mut Found) {
        for (record, text) in texts.all() {
            if self.matches.may_match(self.rule, &[text]) {
                self.members(record, &[text], found);
            }
        }
    }

    fn tuples(
        &self,
        columns: &[&Texts],
        records: usize,
        found: &mut Found,
    ) -> Result<(), RewriteError> {
        let mut at = vec![0_usize; columns.len()];
        for record in 0..records {
            let mut values = Vec::with_capacity(columns.len());
            for (texts, at) in columns.iter().zip(&mut at) {
                let places = texts.of(*at, record);
                *at = places.end;
                values.push(texts.get(places).collect::<Vec<&str>>());
            }
            if values.iter().any(Vec::is_empty) {
                continue;
            }
            let line = self.first.saturating_add(wide(record)).saturating_add(1);
            let tuples = tuples(&values)
                .map_err(|problem: RowProblem| RewriteError::Row { line, problem })?;
            for tuple in tuples {
                if self.matches.may_match(self.rule, &tuple) {
                    self.members(record, &tuple, found);
                }
            }
        }
        Ok(())
    }

    fn members(&self, record: usize, texts: &[&str], found: &mut Found) {
        let mut members = Members::default();
        self.matches.members(self.rule, texts, &mut members);
        if members.is_empty() {
            return;
        }
        let row = found.rows.entry(self.first.saturating_add(wide(record)));
        let row = row.or_default();
        for member in members.as_slice() {
            row.insert(*member);
        }
        let told = texts.iter().filter(|text| text.len() >= LEAST_TOLD);
        found.texts.extend(told.map(|text| (*text).to_owned()));
    }
}

/// Refuses a file whose own metadata, which is kept, repeats what somebody was found by.
pub(super) fn refuse_repeated(
    found: &Found,
    metadata: Option<&Vec<KeyValue>>,
) -> Result<(), TableProblem> {
    let mut told = metadata.into_iter().flatten();
    let repeats = |told: &KeyValue| {
        let value = told.value.as_deref().unwrap_or_default();
        let mut texts = found.texts.iter();
        texts.any(|text| value.contains(text.as_str()) || told.key.contains(text.as_str()))
    };
    if told.any(repeats) {
        return Err(TableProblem::InMetadata);
    }
    Ok(())
}

const PART: &str = "a column that is compared";
/// Shorter texts stand in any metadata by chance.
const LEAST_TOLD: usize = 6;
