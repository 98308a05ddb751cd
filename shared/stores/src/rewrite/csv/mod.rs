//! CSV, RFC 4180: whose a row is, what of it is masked, and what is handed out.
//!
//! Every record is taken apart, because only then its columns are known; what it is made of is
//! never put together again: survivors are the bytes that were read. What a field says is a text,
//! whatever it looks like.

mod columns;
mod scan;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use quittance_core::data_map::{Dialect, Mask};
use quittance_core::matching::{MatchSet, Members, Rule};
use serde::Serialize;

use self::columns::Columns;
use self::scan::{Ends, Field};
use super::error::{RewriteError, RowProblem};
use super::masks::Masks;
use super::report::Opening;
use super::rows::{Line, without_mark};

/// Reads the records of an object.
#[derive(Debug)]
pub(super) struct Records {
    matches: Arc<MatchSet>,
    masks: Masks,
    dialect: Dialect,
    ends: Ends,
    /// Known after the first record.
    columns: Option<Columns>,
    /// The fields of the record at hand.
    fields: Vec<Field>,
}

impl Records {
    pub(super) fn new(
        dialect: Dialect,
        matches: Arc<MatchSet>,
        masks: Masks,
    ) -> Result<Self, RewriteError> {
        let of_rules = matches.rules().iter().flat_map(Rule::columns);
        let paths = of_rules
            .map(|column| &column.field)
            .chain(masks.fields.keys());
        columns::check(paths, dialect)?;
        Ok(Self {
            matches,
            masks,
            dialect,
            ends: Ends::default(),
            columns: None,
            fields: Vec::new(),
        })
    }

    pub(super) fn opening(&self) -> Option<&Opening> {
        self.columns.as_ref().map(|columns| &columns.opening)
    }

    /// Takes what is known of the object's beginning for it: no header comes.
    pub(super) fn go_on(&mut self, opening: &Opening) {
        let columns = Columns::known(opening.clone(), self.dialect, &self.masks.fields);
        self.columns = Some(columns);
    }

    /// Returns where the record at hand ends in the next piece; none when it goes on.
    pub(super) fn end(&mut self, piece: &[u8]) -> Option<usize> {
        self.ends.next(piece)
    }

    /// Finds the members whose a record is.
    pub(super) fn judge(&mut self, line: &[u8], members: &mut Members) -> Result<Line, RowProblem> {
        members.clear();
        let record = text_of(line)?;
        if record.is_empty() {
            return Ok(Line::NoRow);
        }
        let delimiter = self.dialect.delimiter.byte();
        let most = self.columns.as_ref().map_or(MAX_COLUMNS, Columns::width);
        let count = scan::fields(record, delimiter, most, &mut self.fields)?;
        if self.columns.is_none() {
            if count > MAX_COLUMNS {
                return Err(RowProblem::TooManyColumns { limit: MAX_COLUMNS });
            }
            let (matches, masks) = (&self.matches, &self.masks.fields);
            let columns = Columns::new(record, &self.fields, self.dialect, matches, masks)?;
            self.columns = Some(columns);
            if self.dialect.header {
                return Ok(Line::NoRow);
            }
        }
        if let Some(columns) = &self.columns {
            columns.check(count)?;
            self.find(record, columns, members);
        }
        Ok(Line::Row)
    }

    fn find(&self, record: &str, columns: &Columns, members: &mut Members) {
        let text = |at: &usize| self.fields.get(*at).map(|field| field.text(record));
        for (rule, places) in self.matches.rules().iter().zip(&columns.opening.rules) {
            match places.as_slice() {
                [alone] => {
                    let text = text(alone).unwrap_or_default();
                    if self.matches.may_match(rule, &[&text]) {
                        self.matches.members(rule, &[&text], members);
                    }
                }
                several => {
                    let texts: Vec<Cow<'_, str>> = several.iter().filter_map(text).collect();
                    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
                    if self.matches.may_match(rule, &texts) {
                        self.matches.members(rule, &texts, members);
                    }
                }
            }
        }
    }

    /// Appends the record that was judged last as it is to be; whether that is otherwise than
    /// before.
    pub(super) fn redact(&self, line: &[u8], out: &mut Vec<u8>) -> Result<bool, RowProblem> {
        let record = text_of(line)?;
        let mark = line.len().saturating_sub(without_mark(line).len());
        let mut at = 0_usize;
        let mut changes = false;
        let masks = self.columns.iter().flat_map(|columns| {
            let single = columns.width() == 1;
            columns.masks.iter().map(move |mask| (mask, single))
        });
        for ((place, mask), single) in masks {
            let Some(field) = self.fields.get(*place) else {
                continue;
            };
            let text = field.text(record);
            let wanted = match mask {
                Mask::Fixed => Cow::Borrowed(Mask::TEXT),
                Mask::Null | Mask::Remove | Mask::TakeOut => Cow::Borrowed(""),
                Mask::Pseudonym => match self.masks.names.instead(&text) {
                    Some(name) => name,
                    None => continue,
                },
            };
            if text == wanted {
                continue;
            }
            changes = true;
            let start = field.place.start.saturating_add(mark);
            out.extend_from_slice(line.get(at..start).unwrap_or_default());
            // A field keeps its quotes, which to some readers tell a text; and a single column
            // needs them, or else the record would be an empty line.
            let quote: &[u8] = if field.is_quoted() || (single && wanted.is_empty()) {
                b"\""
            } else {
                b""
            };
            out.extend_from_slice(quote);
            out.extend_from_slice(wanted.as_bytes());
            out.extend_from_slice(quote);
            at = field.place.end.saturating_add(mark);
        }
        out.extend_from_slice(line.get(at..).unwrap_or_default());
        Ok(changes)
    }

    /// Returns the record that was judged last as a JSON object: each column's text by its name, and
    /// a list of them where a name stands twice.
    pub(super) fn copy(&self, line: &[u8]) -> Result<Vec<u8>, RowProblem> {
        let record = text_of(line)?;
        let mut texts: BTreeMap<Cow<'_, str>, Texts<'_>> = BTreeMap::new();
        if let Some(columns) = &self.columns {
            for (at, field) in self.fields.iter().enumerate() {
                let text = field.text(record);
                let known = texts.remove(&columns.name(at));
                let now = match known {
                    None => Texts::One(text),
                    Some(Texts::One(first)) => Texts::Several(vec![first, text]),
                    Some(Texts::Several(mut several)) => {
                        several.push(text);
                        Texts::Several(several)
                    }
                };
                texts.insert(columns.name(at), now);
            }
        }
        // Maps of texts always serialise.
        Ok(serde_json::to_vec(&texts).unwrap_or_default())
    }
}

/// What the columns of one name say.
#[derive(Serialize)]
#[serde(untagged)]
enum Texts<'a> {
    One(Cow<'a, str>),
    Several(Vec<Cow<'a, str>>),
}

/// Returns a record's text without its line break and the mark before the first one.
fn text_of(line: &[u8]) -> Result<&str, RowProblem> {
    let record = match line.strip_suffix(b"\n") {
        Some(record) => record.strip_suffix(b"\r").unwrap_or(record),
        None => line,
    };
    let record = without_mark(record);
    if memchr::memchr(0, record).is_some() {
        return Err(RowProblem::Nul);
    }
    std::str::from_utf8(record).map_err(|_| RowProblem::NotUtf8)
}

const MAX_COLUMNS: usize = 16_384;
