//! The same records as a table: one row each, nested names joined by dots.
//!
//! Maps become columns (`address.city`; a dot or backslash inside a name is written `\.` or `\\`);
//! lists and sets stay in one cell as JSON. The CSV is RFC 4180 with CRLF and a byte-order mark
//! (spreadsheets need it to read UTF-8). Texts that a spreadsheet would run as a formula get an
//! apostrophe in front; typed numbers do not, so `-5` stays a number. JSON is the lossless copy.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::ExportError;
use super::json::{self, escaped_name};
use super::shown::{Body, Fields, Shown, ShownObject, ShownRecord, ShownStore};

/// A table's cell: numbers need no escape, texts do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    /// Safe as it is: made by us, or a number.
    Plain(Cow<'a, str>),
    /// Text of somebody else.
    Text(Cow<'a, str>),
    /// A sentence in place of a value.
    Withheld(String),
    /// A path inside the package.
    File(&'a str),
}

impl Cell<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Text(text) => text,
            Self::Withheld(sentence) => sentence,
            Self::File(path) => path,
        }
    }
}

/// A record's cells by column name.
pub(super) type Row<'a> = BTreeMap<String, Cell<'a>>;

impl ShownStore<'_> {
    /// Returns the first `most` rows.
    pub(super) fn rows(&self, most: usize) -> Vec<Row<'_>> {
        self.records.iter().take(most).map(row).collect()
    }
}

/// Returns every column that a row has: those of stored files first, then by name.
pub(super) fn columns<'r>(rows: &'r [Row<'_>]) -> Vec<&'r str> {
    let columns: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.keys().map(String::as_str))
        .collect();
    let mut columns: Vec<&str> = columns.into_iter().collect();
    let of_files = |column: &&str| {
        OBJECT_COLUMNS
            .iter()
            .position(|name| name == column)
            .unwrap_or(OBJECT_COLUMNS.len())
    };
    columns.sort_by_key(of_files);
    columns
}

/// Writes the rows as CSV.
pub(super) fn csv(rows: &[Row<'_>]) -> Result<Vec<u8>, ExportError> {
    let columns = columns(rows);
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(BYTE_ORDER_MARK.to_vec());
    let failed = |error: csv::Error| ExportError::Table(error.to_string());
    writer
        .write_record(columns.iter().map(|name| defused(name).into_owned()))
        .map_err(failed)?;
    for row in rows {
        let cells = columns.iter().map(|name| match row.get(*name) {
            Some(Cell::Text(text)) => defused(text),
            Some(cell) => Cow::Borrowed(cell.as_str()),
            None => Cow::Borrowed(""),
        });
        writer
            .write_record(cells.map(Cow::into_owned))
            .map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|error| ExportError::Table(error.to_string()))
}

/// Puts an apostrophe before a text that a spreadsheet would run. A text that already looks so
/// defused gets one more, so that taking one away always gives the original.
pub(super) fn defused(text: &str) -> Cow<'_, str> {
    if text.trim_start_matches('\'').starts_with(RUNS) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

fn row<'a>(record: &'a ShownRecord<'_>) -> Row<'a> {
    let mut row = Row::new();
    match record {
        ShownRecord::Item(fields) => flatten(fields, "", &mut row),
        ShownRecord::Object(object) => object_row(object, &mut row),
    }
    row
}

fn flatten<'a>(fields: &'a Fields<'_>, above: &str, row: &mut Row<'a>) {
    for (name, value) in fields {
        let column = format!("{above}{}", column_name(name, above));
        if let Shown::Map(inner) = value
            && !inner.is_empty()
        {
            flatten(inner, &format!("{column}."), row);
        } else {
            row.insert(column, cell(value));
        }
    }
}

/// Only a whole column's first `$` can be taken for one of ours.
fn column_name(name: &str, above: &str) -> String {
    let name = name.replace('\\', "\\\\").replace('.', "\\.");
    if above.is_empty() {
        escaped_name(&name).into_owned()
    } else {
        name
    }
}

fn cell<'a>(value: &'a Shown<'_>) -> Cell<'a> {
    match value {
        Shown::Null => Cell::Plain("".into()),
        Shown::Bool(true) => Cell::Plain("true".into()),
        Shown::Bool(false) => Cell::Plain("false".into()),
        Shown::Number(text) if json::is_number(text) => Cell::Plain((*text).into()),
        Shown::Number(text) | Shown::Text(text) => Cell::Text((*text).into()),
        Shown::Bytes(bytes) => Cell::Text(data_encoding::BASE64.encode(bytes).into()),
        Shown::List(_) | Shown::Map(_) => Cell::Text(json::compact(value).into()),
        Shown::Set(all) => Cell::Text(set_cell(all).into()),
        Shown::Withheld(notice) => Cell::Withheld(notice.sentence()),
        Shown::Masked { text, .. } => Cell::Text(text.as_str().into()),
    }
}

/// A set reads like a list here; that it is one, JSON says.
fn set_cell(all: &[Shown<'_>]) -> String {
    let cells: Vec<String> = all.iter().map(json::compact).collect();
    format!("[{}]", cells.join(","))
}

fn object_row<'a>(object: &'a ShownObject<'_>, row: &mut Row<'a>) {
    let mut put = |name: &str, cell: Cell<'a>| {
        row.insert(name.to_owned(), cell);
    };
    put(OBJECT_KEY, cell(&object.key));
    if let Some(version) = object.version {
        put(OBJECT_VERSION, Cell::Text(version.into()));
    }
    put(OBJECT_MEDIA_TYPE, Cell::Text(object.media_type.into()));
    match &object.body {
        Body::File { path, bytes } => {
            put(OBJECT_FILE, Cell::File(path));
            put(OBJECT_BYTES, Cell::Plain(bytes.len().to_string().into()));
        }
        Body::Withheld(notice) => put(OBJECT_FILE, Cell::Withheld(notice.sentence())),
    }
}

/// No genuine column starts with a single `$`.
pub(super) const OBJECT_KEY: &str = "$object.key";
pub(super) const OBJECT_FILE: &str = "$object.file";
pub(super) const OBJECT_MEDIA_TYPE: &str = "$object.media_type";
pub(super) const OBJECT_BYTES: &str = "$object.bytes";
pub(super) const OBJECT_VERSION: &str = "$object.version";
const OBJECT_COLUMNS: &[&str] = &[
    OBJECT_KEY,
    OBJECT_FILE,
    OBJECT_MEDIA_TYPE,
    OBJECT_BYTES,
    OBJECT_VERSION,
];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What starts a formula in common spreadsheets, their full-width twins among them.
const RUNS: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_defused_and_can_be_restored() {
        for text in [
            "=1+1", "+49", "-x", "@a", "\tx", "\r=", "'=1", "''+2", "＝1",
        ] {
            let safe = defused(text);
            assert!(safe.starts_with('\''), "{text}");
            assert_eq!(safe.strip_prefix('\''), Some(text));
        }
        for text in ["", "a=b", "'s-Gravenhage", "1-2", " x", "[1]"] {
            assert_eq!(defused(text), text);
        }
    }
}
