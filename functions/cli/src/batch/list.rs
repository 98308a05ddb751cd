//! Reading a list of people: CSV with a header, or a JSON object per line.
//!
//! A column, or a member of the object, is named like an identifier of the data map; `id` is what the
//! list calls the person, unless the data map has an identifier of that name. Empty cells say nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use clap::ValueEnum;
use quittance_core::data_map::DataMap;
use quittance_core::digest::Digest;
use quittance_core::request::MAX_MEMBERS;
use quittance_core::subject::IdentifierKind;
use quittance_engine::intake::Listed;
use serde_json::Value;

use crate::printing::Failure;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated, with a header
    Csv,
    /// A JSON object on each line
    Ndjson,
}

/// A list as it was read.
pub(crate) struct Read {
    pub(crate) members: Vec<Listed>,
    /// SHA-256 of the file.
    pub(crate) digest: Digest,
}

/// Reads a list.
pub(crate) fn read(path: &Path, format: Option<Format>, map: &DataMap) -> Result<Read, Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let format = match (format, extension) {
        (Some(format), _) => format,
        (None, Some("csv")) => Format::Csv,
        (None, Some("ndjson" | "jsonl")) => Format::Ndjson,
        (None, _) => {
            return Err(Failure::usage(
                "say how the list is written: --format csv or --format ndjson",
            ));
        }
    };
    let failed = |error| Failure::failed(format!("cannot read {}: {error}", path.display()));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_BYTES) {
        return Err(Failure::usage(format!(
            "the list is larger than {} MiB: split it",
            MAX_BYTES >> 20
        )));
    }
    let label =
        IdentifierKind::parse(LABEL).is_none_or(|kind| !map.identifiers.contains_key(&kind));
    let members = match format {
        Format::Csv => csv(&bytes, label)?,
        Format::Ndjson => ndjson(&bytes, label)?,
    };
    if members.len() > MAX_MEMBERS {
        return Err(Failure::usage(format!(
            "a batch has at most {MAX_MEMBERS} people: split the list"
        )));
    }
    Ok(Read {
        members,
        digest: Digest::of(&bytes),
    })
}

fn csv(bytes: &[u8], label: bool) -> Result<Vec<Listed>, Failure> {
    // A byte order mark, as spreadsheets write it, is not part of the first name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let names = reader
        .headers()
        .map_err(|error| wrong(1, &error_of(&error)))?
        .clone();
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(wrong(1, &format!("the column {twice} stands twice")));
    }
    let mut members = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            wrong(line, &error_of(&error))
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = names.iter().zip(record.iter());
        let cells = cells.filter(|(_, cell)| !cell.is_empty());
        members.push(listed(
            line,
            cells.map(|(name, cell)| (name.to_owned(), cell.to_owned())),
            label,
        ));
    }
    Ok(members)
}

fn ndjson(bytes: &[u8], label: bool) -> Result<Vec<Listed>, Failure> {
    let mut members = Vec::new();
    for (n, line) in (1..).zip(BufReader::new(bytes).lines()) {
        let line = line.map_err(|_| wrong(n, "write the list in UTF-8"))?;
        if line.trim().is_empty() {
            continue;
        }
        let object: BTreeMap<String, Value> = serde_json::from_str(&line)
            .map_err(|_| wrong(n, "write one JSON object on each line"))?;
        let mut cells = Vec::new();
        for (name, value) in object {
            match value {
                Value::Null => {}
                Value::String(text) => cells.push((name, text)),
                Value::Number(number) => cells.push((name, number.to_string())),
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(wrong(n, "give each identifier as a text or a number"));
                }
            }
        }
        members.push(listed(n, cells.into_iter(), label));
    }
    Ok(members)
}

fn listed(line: u64, cells: impl Iterator<Item = (String, String)>, label: bool) -> Listed {
    let mut identifiers: BTreeMap<String, String> = cells.collect();
    let label = label.then(|| identifiers.remove(LABEL)).flatten();
    Listed {
        line,
        label,
        identifiers,
    }
}

/// What is wrong, without what stands there.
fn error_of(error: &csv::Error) -> String {
    if let csv::ErrorKind::Utf8 { .. } = error.kind() {
        return "write the list in UTF-8".to_owned();
    }
    if let csv::ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        return format!("it has {len} cells, and the header {expected_len}");
    }
    "this is not CSV".to_owned()
}

fn wrong(line: u64, what: &str) -> Failure {
    Failure::usage(format!("nothing was handed in; line {line}: {what}"))
}

/// The name of the column that says what the list calls a person.
const LABEL: &str = "id";
const MAX_BYTES: u64 = 256 << 20;
