//! Taking a tree apart into expected keys and types, noting everything that is otherwise.
//!
//! A reader never stops at the first problem: what cannot be read is `None` and noted.

use std::fmt::Display;

use super::problem::Problem;
use super::yaml::{Entry, Mark, Node, Value, shown};
use crate::receipt::words::PublicName;

/// Collects problems while the tree is read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

/// A value with its path, for messages.
#[derive(Clone, Debug)]
pub(super) struct Field<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

/// A mapping of which some keys are expected.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    pub(super) mark: Mark,
    pub(super) path: String,
    entries: &'n [Entry],
    expected: Vec<&'static str>,
}

impl Reader {
    /// Notes a problem.
    pub(super) fn note(&mut self, mark: Mark, path: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            line: mark.line,
            column: mark.column,
            path: path.to_owned(),
            message: message.into(),
        });
    }

    /// Notes a problem of a field.
    pub(super) fn wrong(&mut self, field: &Field<'_>, message: impl Into<String>) {
        self.note(field.node.mark, &field.path, message);
    }

    /// Reads a mapping whose keys are known beforehand.
    pub(super) fn fields<'n>(&mut self, field: &Field<'n>, expected: &str) -> Option<Fields<'n>> {
        let entries = self.entries(field, expected)?;
        Some(Fields {
            mark: field.node.mark,
            path: field.path.clone(),
            entries,
            expected: Vec::new(),
        })
    }

    /// Reads a mapping whose keys are names given in the map; each with its field.
    pub(super) fn named<'n>(
        &mut self,
        field: &Field<'n>,
        expected: &str,
    ) -> Option<Vec<(&'n Entry, Field<'n>)>> {
        let entries = self.entries(field, expected)?;
        let inner = |entry: &'n Entry| (entry, child(&field.path, &entry.key, &entry.value));
        Some(entries.iter().map(inner).collect())
    }

    fn entries<'n>(&mut self, field: &Field<'n>, expected: &str) -> Option<&'n [Entry]> {
        let Value::Map(entries) = &field.node.value else {
            self.mismatch(field, &format!("a mapping such as {expected}"));
            return None;
        };
        Some(entries)
    }

    /// Reads a list; each element with its field.
    pub(super) fn list<'n>(&mut self, field: &Field<'n>, expected: &str) -> Option<Vec<Field<'n>>> {
        let Value::List(nodes) = &field.node.value else {
            self.mismatch(field, &format!("a list such as {expected}"));
            return None;
        };
        let inner = |(index, node)| Field {
            node,
            path: format!("{}[{index}]", field.path),
        };
        Some(nodes.iter().enumerate().map(inner).collect())
    }

    /// Reads a text: not empty, of at most 500 characters, on one line.
    pub(super) fn text(&mut self, field: &Field<'_>) -> Option<String> {
        let text = self.any_text(field)?;
        let problem = if text.trim().is_empty() {
            "must not be empty"
        } else if text.trim() != text {
            "has blanks at its ends; leave them out"
        } else if text.chars().count() > MAX_TEXT {
            "is longer than 500 characters"
        } else if text.chars().any(char::is_control) {
            "must be one line without control characters"
        } else {
            return Some(text);
        };
        self.wrong(field, problem);
        None
    }

    /// Reads a name that receipts show.
    pub(super) fn public_name(&mut self, field: &Field<'_>) -> Option<String> {
        let text = self.text(field)?;
        if PublicName::parse(&text).is_some() {
            return Some(text);
        }
        self.wrong(
            field,
            "is longer than the 80 characters that fit into a receipt",
        );
        None
    }

    /// Reads a text that may be empty.
    pub(super) fn any_text(&mut self, field: &Field<'_>) -> Option<String> {
        match &field.node.value {
            Value::Text(text) => return Some(text.clone()),
            Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => {
                let found = field.node.what();
                self.wrong(
                    field,
                    format!("expected text, found {found}; write it in quotes"),
                );
            }
            Value::Empty | Value::Null | Value::List(_) | Value::Map(_) => {
                self.mismatch(field, "text");
            }
        }
        None
    }

    /// Reads a list of texts.
    pub(super) fn texts(&mut self, field: &Field<'_>) -> Option<Vec<String>> {
        let fields = self.list(field, "[first, second]")?;
        let texts: Vec<Option<String>> = fields.iter().map(|field| self.text(field)).collect();
        texts.into_iter().collect()
    }

    /// Reads true or false.
    pub(super) fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        if let Value::Boolean(value) = &field.node.value {
            return Some(*value);
        }
        self.mismatch(field, "true or false");
        None
    }

    /// Reads a text and parses it; `advice` says how to write it.
    pub(super) fn parsed<T>(
        &mut self,
        field: &Field<'_>,
        parse: impl FnOnce(&str) -> Option<T>,
        advice: impl Display,
    ) -> Option<T> {
        let text = self.any_text(field)?;
        let value = parse(&text);
        if value.is_none() {
            self.wrong(
                field,
                format!("`{}` cannot be read; {advice}", shown(&text)),
            );
        }
        value
    }

    /// Reads one of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        field: &Field<'_>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.any_text(field)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = did_you_mean(&text, known.iter().copied());
        let message = format!(
            "`{}` is not known{hint}; use {}",
            shown(&text),
            known.join(", ")
        );
        self.wrong(field, message);
        None
    }

    /// Notes that a field is of another type.
    pub(super) fn mismatch(&mut self, field: &Field<'_>, expected: &str) {
        self.wrong(
            field,
            format!("expected {expected}, found {}", field.node.what()),
        );
    }

    /// Notes every key that was not asked for.
    pub(super) fn finish(&mut self, fields: &Fields<'_>) {
        for entry in fields.entries {
            if fields.expected.contains(&entry.key.as_str()) {
                continue;
            }
            let path = join(&fields.path, &entry.key);
            let mut known = fields.expected.clone();
            known.sort_unstable();
            let hint = did_you_mean(&entry.key, known.iter().copied());
            let message = format!("unknown key{hint}; known here: {}", known.join(", "));
            self.note(entry.mark, &path, message);
        }
    }
}

impl<'n> Fields<'n> {
    /// Returns a key's field, if it is there.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<Field<'n>> {
        self.expected.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(child(&self.path, key, &entry.value))
    }

    /// Returns a key's field, or notes that it is missing and what to add.
    pub(super) fn required(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        advice: &str,
    ) -> Option<Field<'n>> {
        let field = self.optional(key);
        if field.is_none() {
            reader.note(
                self.mark,
                &join(&self.path, key),
                format!("missing; add {advice}"),
            );
        }
        field
    }

    /// Notes that a key must not stand here, if it does.
    pub(super) fn refuse(&mut self, reader: &mut Reader, key: &'static str, why: &str) {
        if let Some(field) = self.optional(key) {
            reader.wrong(&field, why);
        }
    }

    /// Returns a key's value without expecting it.
    pub(super) fn peek(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }
}

/// Suggests the nearest known word, as ` (did you mean ...?)`, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    if word.len() > 64 {
        return String::new();
    }
    known
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance * 2 < candidate.len().max(2))
        .min()
        .map_or_else(String::new, |(_, candidate)| {
            format!(" (did you mean `{candidate}`?)")
        })
}

fn child<'n>(path: &str, key: &str, node: &'n Node) -> Field<'n> {
    Field {
        node,
        path: join(path, key),
    }
}

fn join(path: &str, key: &str) -> String {
    let key = shown(key);
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

/// How many letters to change, add or leave out to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut left = i + 1;
        for ((y, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            left = (diagonal + usize::from(x != *y))
                .min(above + 1)
                .min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

const MAX_TEXT: usize = 500;
