//! How rows of CSV are written, and that the fields of such a store can be columns.

use super::super::path::{FieldPath, Segment};
use super::super::reading::{Field, Fields, Reader};
use super::super::rule::DeletionRule;
use super::super::store::{Delimiter, Dialect, Find, Place, RecordFormat, Store};
use super::optional;

/// Reads the dialect of a store of rows in this format; none when it is wrong.
pub(super) fn dialect(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    format: Option<RecordFormat>,
) -> Option<Dialect> {
    match format {
        Some(RecordFormat::Jsonl | RecordFormat::Parquet) => {
            fields.refuse(reader, "csv", "only rows in CSV have it; leave it out");
            return Some(Dialect::default());
        }
        Some(RecordFormat::Csv(_)) | None => {}
    }
    let Some(field) = fields.optional("csv") else {
        return Some(Dialect::default());
    };
    let mut fields = reader.fields(&field, "{ header: true, delimiter: \",\" }")?;
    let header = optional(&mut fields, "header", |field| reader.boolean(field));
    let delimiter = optional(&mut fields, "delimiter", |field| {
        let delimiters = [
            (",", Delimiter::Comma),
            (";", Delimiter::Semicolon),
            ("tab", Delimiter::Tab),
            ("|", Delimiter::Pipe),
        ];
        reader.word(field, &delimiters)
    });
    reader.finish(&fields);
    let usual = Dialect::default();
    Some(Dialect {
        header: header.ok()?.unwrap_or(usual.header),
        delimiter: delimiter.ok()?.unwrap_or(usual.delimiter),
    })
}

/// Notes every field of a store of CSV that can be no column.
pub(super) fn check(reader: &mut Reader, field: &Field<'_>, store: &Store) {
    let Place::S3Records(place) = &store.place else {
        return;
    };
    let RecordFormat::Csv(dialect) = place.format else {
        return;
    };
    let found: Vec<_> = store.find.iter().flat_map(Find::columns).collect();
    let masked = match &store.deletion {
        DeletionRule::Redact { fields: masks, .. } => Some(masks.keys()),
        DeletionRule::DeleteItem | DeletionRule::Retain(_) => None,
    };
    let paths = found.iter().map(|column| &column.field);
    let paths = paths.chain(store.yields.values());
    let paths = paths.chain(&store.access.exclude);
    for path in paths.chain(masked.into_iter().flatten()) {
        if !dialect.header && position(path).is_none() {
            let message = format!(
                "{path} is no position; without a header, columns are called \"1\", \"2\" and so on"
            );
            reader.wrong(field, message);
        } else if !is_name(path) {
            let message = format!("{path} has a list; a column of CSV holds one text: name it");
            reader.wrong(field, message);
        }
    }
}

fn is_name(path: &FieldPath) -> bool {
    let mut segments = path.segments().iter();
    segments.all(|segment| matches!(segment, Segment::Name(_)))
}

/// One spelling per position: no `07`, no `+7`.
fn position(path: &FieldPath) -> Option<u16> {
    let position: u16 = path.as_str().parse().ok()?;
    (position > 0 && position.to_string() == path.as_str()).then_some(position)
}
