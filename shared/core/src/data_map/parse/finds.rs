//! How a subject is found in a store, and what is found of it there.

use std::collections::BTreeMap;

use super::super::names;
use super::super::path::{FieldPath, PATH_ADVICE, Segment};
use super::super::reading::{Field, Fields, Reader};
use super::super::store::{
    Column, Coverage, Find, FindHow, Hash, KeyQuery, KeyType, Line, SortKey, SortTest,
};
use super::super::template::ValueTemplate;
use super::super::yaml::{Mark, Value};
use super::places::PlaceKind;
use super::{Declared, Noted, optional, optional_text, owned_if};
use crate::subject::IdentifierKind;

pub(super) fn finds(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
    declared: &Declared,
) -> Option<Vec<Find>> {
    let (example, advice) = match kind {
        Some(PlaceKind::Objects) => {
            let why = "objects are found by their template; leave find out";
            fields.refuse(reader, "find", why);
            return Some(Vec::new());
        }
        Some(PlaceKind::Attested) => {
            let why = "a person looks there, not this program; leave find out";
            fields.refuse(reader, "find", why);
            return Some(Vec::new());
        }
        Some(PlaceKind::Records) => (
            "[ { email: { field: user.email } } ]",
            "find: [ { email: { field: user.email } } ]",
        ),
        Some(PlaceKind::Table) => (
            "[ { customer_id: { key: pk } } ]",
            "find: [ { customer_id: { key: pk } } ]",
        ),
        None => {
            // Its place is wrong, which is noted: whether it needs a find is unknown.
            fields.optional("find");
            return None;
        }
    };
    let field = fields.required(reader, "find", advice)?;
    let entries = reader.list(&field, example)?;
    if entries.is_empty() {
        reader.wrong(
            &field,
            format!("names no way to find a subject; write {advice}"),
        );
        return None;
    }
    let finds: Vec<Option<Find>> = entries
        .iter()
        .map(|entry| find(reader, entry, kind, declared))
        .collect();
    finds.into_iter().collect()
}

fn find(
    reader: &mut Reader,
    field: &Field<'_>,
    place: Option<PlaceKind>,
    declared: &Declared,
) -> Option<Find> {
    if place == Some(PlaceKind::Records) {
        return columns(reader, field, declared);
    }
    let entries = reader.named(field, "{ customer_id: { key: pk } }")?;
    let [(entry, inner)] = entries.as_slice() else {
        reader.wrong(
            field,
            "name one identifier per entry; any of the entries finds a subject",
        );
        return None;
    };
    let kind = declared.kind(reader, &entry.key, entry.mark, &inner.path);
    let has = |key: &str| match &inner.node.value {
        Value::Map(entries) => entries.iter().any(|entry| entry.key == key),
        Value::Empty
        | Value::Null
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_) => false,
    };
    let is_field = has("field") && !has("key") && !has("index");
    let how = if is_field {
        field_of(reader, inner, place)
    } else {
        table_key(reader, inner, kind.as_ref())
    };
    Some(Find {
        kind: kind?,
        how: how?,
        line: Line(entry.mark.line),
    })
}

/// Reads a find by columns of a row. Several in one entry are a tuple: all must match.
fn columns(reader: &mut Reader, field: &Field<'_>, declared: &Declared) -> Option<Find> {
    let entries = reader.named(field, "{ email: { field: user.email } }")?;
    let columns: Vec<Option<Column>> = entries
        .iter()
        .map(|(entry, inner)| {
            let kind = declared.kind(reader, &entry.key, entry.mark, &inner.path);
            column(reader, inner, kind)
        })
        .collect();
    let Some((first, _)) = entries.first() else {
        reader.wrong(
            field,
            "names no column; write { email: { field: user.email } }",
        );
        return None;
    };
    if entries.len() > MAX_COLUMNS {
        let message = format!("has more than {MAX_COLUMNS} columns; name fewer");
        reader.wrong(field, message);
        return None;
    }
    let columns = columns.into_iter().collect::<Option<Vec<Column>>>()?;
    let kind = columns.first()?.kind.clone();
    let how = match columns.as_slice() {
        [
            Column {
                kind: _,
                field,
                hash: None,
            },
        ] => FindHow::Field(field.clone()),
        _ => FindHow::Columns(columns),
    };
    Some(Find {
        kind,
        how,
        line: Line(first.mark.line),
    })
}

fn column(reader: &mut Reader, field: &Field<'_>, kind: Option<IdentifierKind>) -> Option<Column> {
    let mut fields = reader.fields(field, "{ field: user.email }")?;
    let path = fields
        .required(reader, "field", "field: and its path, such as user.email")
        .and_then(|field| path_of(reader, &field, Some(PlaceKind::Records)));
    let hash = optional(&mut fields, "hash", |field| {
        reader.word(
            field,
            &[
                ("sha256_hex", Hash::Sha256Hex),
                ("sha256_base64", Hash::Sha256Base64),
            ],
        )
    });
    reader.finish(&fields);
    Some(Column {
        kind: kind?,
        field: path?,
        hash: hash.ok()?,
    })
}

/// Reads a find by a field of each item in a table.
fn field_of(reader: &mut Reader, field: &Field<'_>, place: Option<PlaceKind>) -> Option<FindHow> {
    let mut fields = reader.fields(field, "{ field: user.email }")?;
    let path = fields
        .required(reader, "field", "field: and its path, such as user.email")
        .and_then(|field| path_of(reader, &field, place));
    let why = "in tables, columns are compared as they are; declare an identifier for the hash";
    fields.refuse(reader, "hash", why);
    reader.finish(&fields);
    path.map(FindHow::Field)
}

fn table_key(
    reader: &mut Reader,
    field: &Field<'_>,
    kind: Option<&IdentifierKind>,
) -> Option<FindHow> {
    let mut fields = reader.fields(field, "{ key: pk }")?;
    let key = fields
        .required(
            reader,
            "key",
            "key: and the attribute that is the partition key, or field: to read the whole table",
        )
        .and_then(|field| attribute(reader, &field));
    let why = "searches go by key or by field, not by both; make two entries";
    fields.refuse(reader, "field", why);
    let key_type = optional(&mut fields, "type", |field| {
        reader.word(
            field,
            &[("string", KeyType::String), ("number", KeyType::Number)],
        )
    });
    let value = optional(&mut fields, "value", |field| key_value(reader, field, kind));
    let sort = optional(&mut fields, "sort", |field| sort_key(reader, field));
    let index = optional(&mut fields, "index", |field| {
        let advice = "an index's name is 3 to 255 of A-Z a-z 0-9 _ - .";
        reader.parsed(field, |text| owned_if(text, names::is_table), advice)
    });
    let coverages = [
        ("complete", Coverage::Complete),
        ("partial", Coverage::Partial),
    ];
    let coverage = if fields.has("index") {
        fields
            .required(reader, "coverage", COVERAGE)
            .and_then(|field| reader.word(&field, &coverages))
            .map(Some)
            .ok_or(Noted)
    } else {
        fields.refuse(
            reader,
            "coverage",
            "only an index can leave items out; leave it out, or add index:",
        );
        Ok(None)
    };
    reader.finish(&fields);
    let value = match value.ok()? {
        Some(template) => template,
        None => ValueTemplate::bare(kind?.clone()),
    };
    let key_type = key_type.ok()?.unwrap_or(KeyType::String);
    let query = KeyQuery {
        key: key?,
        key_type,
        value,
        sort: sort.ok()?,
    };
    Some(match (index.ok()?, coverage.ok()?) {
        (Some(index), Some(coverage)) => FindHow::Index {
            index,
            coverage,
            query,
        },
        (Some(_) | None, Some(_) | None) => FindHow::Key(query),
    })
}

fn key_value(
    reader: &mut Reader,
    field: &Field<'_>,
    kind: Option<&IdentifierKind>,
) -> Option<ValueTemplate> {
    let text = reader.text(field)?;
    let template = match ValueTemplate::parse(&text) {
        Ok(template) => template,
        Err(error) => {
            reader.wrong(field, error.to_string());
            return None;
        }
    };
    if let Some(kind) = kind.filter(|kind| *kind != template.kind()) {
        let other = template.kind();
        let message =
            format!("holds {{{other}}}, but this entry finds by {kind}; write {{{kind}}}");
        reader.wrong(field, message);
        return None;
    }
    Some(template)
}

fn sort_key(reader: &mut Reader, field: &Field<'_>) -> Option<SortKey> {
    let mut fields = reader.fields(field, "{ key: sk, begins_with: \"INVOICE#\" }")?;
    let key = fields
        .required(reader, "key", "key: and the attribute that is the sort key")
        .and_then(|field| attribute(reader, &field));
    let equals = optional_text(reader, &mut fields, "equals");
    let begins_with = optional_text(reader, &mut fields, "begins_with");
    reader.finish(&fields);
    let test = match (equals.ok()?, begins_with.ok()?) {
        (Some(text), None) => SortTest::Equals(text),
        (None, Some(text)) => SortTest::BeginsWith(text),
        (Some(_), Some(_)) | (None, None) => {
            let message = "needs equals: or begins_with:, one of the two";
            reader.wrong(field, message);
            return None;
        }
    };
    Some(SortKey { key: key?, test })
}

pub(super) fn yields(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
    declared: &Declared,
) -> Option<BTreeMap<IdentifierKind, FieldPath>> {
    let mut yields = BTreeMap::new();
    match kind {
        Some(PlaceKind::Objects) => {
            fields.refuse(
                reader,
                "yields",
                "objects have no fields to yield from; leave it out",
            );
            return Some(yields);
        }
        Some(PlaceKind::Attested) => {
            fields.refuse(reader, "yields", "nothing is read there; leave it out");
            return Some(yields);
        }
        Some(PlaceKind::Table | PlaceKind::Records) | None => {}
    }
    let Some(field) = fields.optional("yields") else {
        return Some(yields);
    };
    let mut is_right = true;
    for (entry, field) in reader.named(&field, "{ customer_id: id }")? {
        let identifier = declared.kind(reader, &entry.key, entry.mark, &field.path);
        let path = path_of(reader, &field, kind);
        match (identifier, path) {
            (Some(identifier), Some(path)) => {
                yields.insert(identifier, path);
            }
            (Some(_) | None, Some(_) | None) => is_right = false,
        }
    }
    is_right.then_some(yields)
}

/// Reads a path that can lead somewhere in this kind of place.
pub(super) fn path_of(
    reader: &mut Reader,
    field: &Field<'_>,
    kind: Option<PlaceKind>,
) -> Option<FieldPath> {
    let path = reader.parsed(field, FieldPath::parse, PATH_ADVICE)?;
    check_path(reader, field.node.mark, &field.path, &path, kind).then_some(path)
}

/// Notes a path that can lead nowhere in this kind of place.
pub(super) fn check_path(
    reader: &mut Reader,
    mark: Mark,
    at: &str,
    path: &FieldPath,
    kind: Option<PlaceKind>,
) -> bool {
    let has_position = path
        .segments()
        .iter()
        .any(|segment| matches!(segment, Segment::At(_)));
    if kind != Some(PlaceKind::Records) || !has_position {
        return true;
    }
    let problem = "in records, lists are searched as a whole; write [] instead of a position";
    reader.note(mark, at, problem);
    false
}

fn attribute(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let advice = "a key attribute's name has 1 to 255 bytes";
    reader.parsed(field, |text| owned_if(text, names::is_attribute), advice)
}

const MAX_COLUMNS: usize = 8;
const COVERAGE: &str = "coverage: complete (every item that has the identifier is in the index, \
                        in its normalised spelling) or coverage: partial";
