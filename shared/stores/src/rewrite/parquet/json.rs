//! A row of columns as one JSON object, for access.

use super::columns::Told;
use super::schema::{Inside, Node};
use super::value::write_text;

/// Appends what stands in a node, of one row: `columns` has the entries of every column below it.
pub(super) fn write(node: &Node<'_>, columns: &[&[Told]], out: &mut Vec<u8>) {
    let first = columns.first().and_then(|column| column.first());
    if node.is_optional() && first.is_none_or(|entry| entry.def < node.def) {
        out.extend_from_slice(b"null");
        return;
    }
    match node.inside() {
        Inside::Value => match first {
            Some(entry) if !entry.json.is_empty() => out.extend_from_slice(&entry.json),
            Some(_) | None => out.extend_from_slice(b"null"),
        },
        Inside::Fields(fields) => {
            out.push(b'{');
            let mut comma: &[u8] = b"";
            for field in fields {
                out.extend_from_slice(comma);
                write_text(field.ty.name(), out);
                out.push(b':');
                write(&field, below(node, &field, columns), out);
                comma = b",";
            }
            out.push(b'}');
        }
        Inside::Elements { repeats, each } => {
            out.push(b'[');
            if first.is_some_and(|entry| entry.def >= repeats.def) {
                let mut comma: &[u8] = b"";
                let mut rest: Vec<&[Told]> = columns.to_vec();
                while rest.first().is_some_and(|column| !column.is_empty()) {
                    out.extend_from_slice(comma);
                    let element: Vec<&[Told]> = rest
                        .iter_mut()
                        .map(|column| take_element(column, repeats.rep))
                        .collect();
                    write(&each, below(&repeats, &each, &element), out);
                    comma = b",";
                }
            }
            out.push(b']');
        }
    }
}

/// Those of a node's columns that are below a node in it.
fn below<'c, 'e>(node: &Node<'_>, inner: &Node<'_>, columns: &'c [&'e [Told]]) -> &'c [&'e [Told]] {
    let from = inner.first.saturating_sub(node.first);
    let to = from.saturating_add(inner.columns().len());
    columns.get(from..to).unwrap_or_default()
}

/// Takes the entries of the next element away from a column's.
fn take_element<'e>(column: &mut &'e [Told], rep: i16) -> &'e [Told] {
    let later = column.iter().skip(1);
    let more = later.take_while(|entry| entry.rep > rep).count();
    let (element, rest) = column.split_at(more.saturating_add(1).min(column.len()));
    *column = rest;
    element
}
