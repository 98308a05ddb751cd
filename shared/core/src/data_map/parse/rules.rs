//! What each right does in a store.

use std::collections::BTreeMap;

use super::super::names;
use super::super::path::{FieldPath, PATH_ADVICE, Segment};
use super::super::reading::{Field, Fields, Reader};
use super::super::rule::{
    AccessRule, Basis, DeletionRule, Mask, OptOutRule, RetainUntil, Retention, ScalarValue,
};
use super::super::store::{Find, FindHow, KeyQuery, KeyType};
use super::super::yaml::{Mark, Value, shown};
use super::finds::{check_path, path_of};
use super::places::PlaceKind;
use super::{ID_ADVICE, optional};

pub(super) fn access(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
) -> Option<AccessRule> {
    let why = match kind {
        Some(PlaceKind::Objects) => "objects are exported whole; leave access out",
        Some(PlaceKind::Attested) => "nothing is read there; leave access out",
        Some(PlaceKind::Table | PlaceKind::Records) | None => "",
    };
    if !why.is_empty() {
        fields.refuse(reader, "access", why);
        return Some(AccessRule::default());
    }
    let Some(field) = fields.optional("access") else {
        return Some(AccessRule::default());
    };
    let mut fields = reader.fields(&field, "{ exclude: [password_hash] }")?;
    let exclude = optional(&mut fields, "exclude", |field| {
        let fields = reader.list(field, "[password_hash]")?;
        let paths: Vec<Option<FieldPath>> = fields
            .iter()
            .map(|field| path_of(reader, field, kind))
            .collect();
        let mut paths = paths.into_iter().collect::<Option<Vec<FieldPath>>>()?;
        paths.sort();
        paths.dedup();
        Some(paths)
    });
    reader.finish(&fields);
    Some(AccessRule {
        exclude: exclude.ok()?.unwrap_or_default(),
    })
}

pub(super) fn deletion(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
    finds: &[Find],
) -> Option<DeletionRule> {
    let Some(field) = fields.optional("deletion") else {
        return Some(DeletionRule::DeleteItem);
    };
    let (word, example) = match kind {
        Some(PlaceKind::Table) | None => (
            "delete_item",
            "delete_item, { redact: { name: mask } } or { retain: { basis: tax_law, until: 10y } }",
        ),
        Some(PlaceKind::Records) => (
            "delete_rows",
            "delete_rows, { redact: { name: mask } } or { retain: { basis: tax_law, until: 10y } }",
        ),
        Some(PlaceKind::Objects) => (
            "delete_objects",
            "delete_objects or { retain: { basis: tax_law, until: 10y } }",
        ),
        Some(PlaceKind::Attested) => (
            "",
            "{ retain: { basis: tax_law, until: 10y } }, or leave it out: the person who attests deletes",
        ),
    };
    match &field.node.value {
        Value::Text(text) if text == word => return Some(DeletionRule::DeleteItem),
        Value::Map(_) => {}
        Value::Text(text) => {
            reader.wrong(
                &field,
                format!("`{}` is not known here; write {example}", shown(text)),
            );
            return None;
        }
        Value::Empty
        | Value::Null
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Number(_)
        | Value::List(_) => {
            reader.mismatch(&field, example);
            return None;
        }
    }
    let mut fields = reader.fields(&field, example)?;
    let redact = fields.optional("redact");
    let retain = fields.optional("retain");
    reader.finish(&fields);
    match (redact, retain) {
        (Some(redact), retain) => match kind {
            Some(PlaceKind::Table | PlaceKind::Records) | None => {
                let rest = retain.map(|retain| retention(reader, &retain));
                let fields = redaction(reader, &redact, kind, finds);
                let rest = match rest {
                    None => None,
                    Some(rest) => Some(rest?),
                };
                fields.map(|fields| DeletionRule::Redact { fields, rest })
            }
            Some(PlaceKind::Objects | PlaceKind::Attested) => {
                reader.wrong(
                    &redact,
                    format!("there are no fields to redact here; write {example}"),
                );
                None
            }
        },
        (None, Some(retain)) => retention(reader, &retain).map(DeletionRule::Retain),
        (None, None) => {
            reader.wrong(&field, format!("needs redact: or retain:; write {example}"));
            None
        }
    }
}

fn redaction(
    reader: &mut Reader,
    field: &Field<'_>,
    kind: Option<PlaceKind>,
    finds: &[Find],
) -> Option<BTreeMap<FieldPath, Mask>> {
    let mut masks = BTreeMap::new();
    let entries = reader.named(field, "{ name: mask, notes: remove, phone: null }")?;
    if entries.is_empty() {
        reader.wrong(field, "names no field; write { name: mask }");
        return None;
    }
    let mut is_right = true;
    for (entry, field) in entries {
        let path = change_path(reader, &entry.key, entry.mark, &field.path, kind, &masks);
        let mask = if matches!(field.node.value, Value::Null) {
            Some(Mask::Null)
        } else {
            let masks = [
                ("mask", Mask::Fixed),
                ("null", Mask::Null),
                ("pseudonym", Mask::Pseudonym),
                ("remove", Mask::Remove),
                ("take_out", Mask::TakeOut),
            ];
            reader.word(&field, &masks)
        };
        let (Some(path), Some(mask)) = (path, mask) else {
            is_right = false;
            continue;
        };
        let problem = redaction_problem(&path, mask, finds)
            .or_else(|| taking_problem(&path, mask, kind, finds));
        if let Some(problem) = problem {
            reader.note(entry.mark, &field.path, problem);
            is_right = false;
        }
        masks.insert(path, mask);
    }
    is_right.then_some(masks)
}

/// Says what `DynamoDB` would refuse about masking a key attribute.
fn redaction_problem(path: &FieldPath, mask: Mask, finds: &[Find]) -> Option<&'static str> {
    if is_primary_key(path, finds) {
        return Some("is a key attribute, which no update can change; use deletion: delete_item");
    }
    let index_key = finds.iter().find_map(|find| match &find.how {
        FindHow::Index { query, .. } if query.key == path.as_str() => Some(query.key_type),
        FindHow::Index { query, .. } if is_sort_key(query, path) => Some(KeyType::String),
        FindHow::Columns(_) | FindHow::Field(_) | FindHow::Index { .. } | FindHow::Key(_) => None,
    })?;
    match (mask, index_key) {
        (Mask::Null, KeyType::String | KeyType::Number)
        | (Mask::Fixed | Mask::Pseudonym, KeyType::Number) => {
            Some("is the key of an index, which must keep its type; use remove")
        }
        (Mask::Remove | Mask::TakeOut, KeyType::String | KeyType::Number)
        | (Mask::Fixed | Mask::Pseudonym, KeyType::String) => None,
    }
}

/// Says why nothing could be taken out at a path.
fn taking_problem(
    path: &FieldPath,
    mask: Mask,
    kind: Option<PlaceKind>,
    finds: &[Find],
) -> Option<&'static str> {
    if mask != Mask::TakeOut {
        return None;
    }
    if kind == Some(PlaceKind::Records) {
        return Some("is in rows, where elements stay in their places; use mask, null or remove");
    }
    if path.segments().last() != Some(&Segment::Each) {
        return Some("is no list or set; write [] after its name, as in members[]");
    }
    let is_inside = |find: &Find| match &find.how {
        FindHow::Field(field) => field.segments().starts_with(path.segments()),
        FindHow::Columns(_) | FindHow::Index { .. } | FindHow::Key(_) => false,
    };
    // Or else an item would be found for ever, with nothing in it to take out.
    (!finds.iter().all(is_inside))
        .then_some("does not hold what the items are found by; find them by a field inside it only")
}

fn retention(reader: &mut Reader, field: &Field<'_>) -> Option<Retention> {
    let mut fields = reader.fields(field, "{ basis: tax_law, until: 10y }")?;
    let advice = "basis: and a code for the legal reason, such as tax_law";
    let basis = fields
        .required(reader, "basis", advice)
        .and_then(|field| reader.parsed(&field, Basis::parse, ID_ADVICE));
    let until = optional(&mut fields, "until", |field| {
        let advice = "write a day such as 2031-12-31, a time such as 10y, 6m or 90d, or indefinite";
        reader.parsed(field, retain_until, advice)
    });
    reader.finish(&fields);
    Some(Retention {
        basis: basis?,
        until: until.ok()?.unwrap_or(RetainUntil::Indefinite),
    })
}

pub(super) fn retain_until(text: &str) -> Option<RetainUntil> {
    if text == "indefinite" {
        return Some(RetainUntil::Indefinite);
    }
    if let Some(period) = names::period(text) {
        return Some(RetainUntil::After(period));
    }
    // Only the plain spelling: the library reads more.
    let date: jiff::civil::Date = text.parse().ok()?;
    (date.to_string() == text).then_some(RetainUntil::Date(date))
}

pub(super) fn opt_out(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
    finds: &[Find],
) -> Option<OptOutRule> {
    let Some(field) = fields.optional("opt_out") else {
        return Some(OptOutRule::NoFlag);
    };
    let advice = match kind {
        Some(PlaceKind::Table) | None => "{ set: { do_not_sell: true } }",
        Some(PlaceKind::Attested) => "attest",
        Some(PlaceKind::Objects) => {
            reader.wrong(&field, "objects have no fields to set; leave opt_out out");
            return None;
        }
        Some(PlaceKind::Records) => {
            reader.wrong(
                &field,
                "record stores are not rewritten for flags; leave opt_out out and \
                                  flag the subject in the table that its readers ask",
            );
            return None;
        }
    };
    match (&field.node.value, kind) {
        (Value::Text(text), Some(PlaceKind::Attested)) if text == "attest" => {
            Some(OptOutRule::Attest)
        }
        (Value::Map(_), Some(PlaceKind::Table) | None) => flags(reader, &field, kind, finds),
        _ => {
            reader.mismatch(&field, advice);
            None
        }
    }
}

fn flags(
    reader: &mut Reader,
    field: &Field<'_>,
    kind: Option<PlaceKind>,
    finds: &[Find],
) -> Option<OptOutRule> {
    let example = "{ set: { do_not_sell: true } }";
    let mut fields = reader.fields(field, example)?;
    let set = fields.required(reader, "set", "set: { do_not_sell: true }");
    reader.finish(&fields);
    let set = set?;
    let entries = reader.named(&set, "{ do_not_sell: true }")?;
    if entries.is_empty() {
        reader.wrong(&set, "names no field; write { do_not_sell: true }");
        return None;
    }
    let mut flags = BTreeMap::new();
    let mut is_right = true;
    for (entry, field) in entries {
        let path = change_path(reader, &entry.key, entry.mark, &field.path, kind, &flags);
        let value = scalar(reader, &field);
        let (Some(path), Some(value)) = (path, value) else {
            is_right = false;
            continue;
        };
        let is_index_key = finds.iter().any(|find| match &find.how {
            FindHow::Index { query, .. } => query.key == path.as_str(),
            FindHow::Columns(_) | FindHow::Field(_) | FindHow::Key(_) => false,
        });
        if is_primary_key(&path, finds) || is_index_key {
            let message = "is a key attribute, by which subjects are found; set another field";
            reader.note(entry.mark, &field.path, message);
            is_right = false;
        }
        flags.insert(path, value);
    }
    is_right.then_some(OptOutRule::Set(flags))
}

fn scalar(reader: &mut Reader, field: &Field<'_>) -> Option<ScalarValue> {
    match &field.node.value {
        Value::Boolean(value) => Some(ScalarValue::Boolean(*value)),
        Value::Integer(value) if value.unsigned_abs() <= MAX_EXACT => {
            Some(ScalarValue::Integer(*value))
        }
        Value::Text(_) => reader.text(field).map(ScalarValue::Text),
        Value::Integer(_) | Value::Number(_) => {
            reader.wrong(
                field,
                "only whole numbers up to 2^53 can be set; write others in quotes, as text",
            );
            None
        }
        Value::Empty | Value::Null | Value::List(_) | Value::Map(_) => {
            reader.mismatch(field, "true, false, a whole number or text");
            None
        }
    }
}

/// Reads the path of a field that is changed, and notes one that overlaps another.
fn change_path<T>(
    reader: &mut Reader,
    text: &str,
    mark: Mark,
    at: &str,
    kind: Option<PlaceKind>,
    others: &BTreeMap<FieldPath, T>,
) -> Option<FieldPath> {
    let Some(path) = FieldPath::parse(text) else {
        reader.note(
            mark,
            at,
            format!("`{}` cannot be read; {PATH_ADVICE}", shown(text)),
        );
        return None;
    };
    if !check_path(reader, mark, at, &path, kind) {
        return None;
    }
    let overlapping = others.keys().find(|other| other.overlaps(&path));
    if let Some(other) = overlapping {
        let message =
            format!("overlaps {other}: one lies inside the other; name the outer one only");
        reader.note(mark, at, message);
        return None;
    }
    Some(path)
}

fn is_primary_key(path: &FieldPath, finds: &[Find]) -> bool {
    finds.iter().any(|find| match &find.how {
        FindHow::Key(query) => query.key == path.as_str() || is_sort_key(query, path),
        FindHow::Columns(_) | FindHow::Field(_) | FindHow::Index { .. } => false,
    })
}

fn is_sort_key(query: &KeyQuery, path: &FieldPath) -> bool {
    query
        .sort
        .as_ref()
        .is_some_and(|sort| sort.key == path.as_str())
}

/// Beyond this, JSON readers disagree about whole numbers.
const MAX_EXACT: u64 = 1 << 53;
