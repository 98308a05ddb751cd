//! Masking fields of a row; every other byte of it stays.

use std::borrow::Cow;
use std::ops::Range;

use quittance_core::data_map::Mask;

use super::super::error::{RewriteError, RowProblem};
use super::super::masks::{Masks, Names};
use super::once;
use super::scan::{Scan, Token};
use super::tree::{ROOT, Tree};

/// Which fields become what.
#[derive(Debug)]
pub(in crate::rewrite) struct Redaction {
    tree: Option<Tree<Mask>>,
    names: Names,
    max_depth: usize,
}

/// A piece of a row and what stands in its place.
type Edit = (Range<usize>, Cow<'static, str>);

impl Redaction {
    pub(in crate::rewrite) fn new(masks: &Masks, max_depth: usize) -> Result<Self, RewriteError> {
        let fields = masks.fields.iter();
        let fields = fields.map(|(path, mask)| (path.clone(), *mask));
        Ok(Self {
            tree: Tree::new(fields)?,
            names: masks.names.clone(),
            max_depth,
        })
    }

    /// Appends the row as it is to be; whether that is otherwise than before.
    pub(in crate::rewrite) fn apply(
        &self,
        line: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<bool, RowProblem> {
        let text = std::str::from_utf8(line).map_err(|_| RowProblem::NotUtf8)?;
        let start = text.find('{').ok_or(RowProblem::NotAnObject)?;
        let row = text.get(start..).unwrap_or_default();
        let mut edits = Vec::new();
        if let Some(tree) = &self.tree {
            let mut scan = Scan::new(row, self.max_depth);
            let mut editing = Editing {
                tree,
                names: &self.names,
                edits: &mut edits,
            };
            editing.value(&mut scan, ROOT)?;
            scan.end()?;
        }
        edits.sort_by_key(|(place, _)| place.start);
        let before = out.len();
        out.extend_from_slice(text.get(..start).unwrap_or_default().as_bytes());
        let mut at = 0;
        for (place, instead) in edits {
            out.extend_from_slice(row.get(at..place.start).unwrap_or_default().as_bytes());
            out.extend_from_slice(instead.as_bytes());
            at = place.end;
        }
        out.extend_from_slice(row.get(at..).unwrap_or_default().as_bytes());
        Ok(out.get(before..) != Some(line))
    }
}

/// What is to change in one row.
struct Editing<'e> {
    tree: &'e Tree<Mask>,
    names: &'e Names,
    edits: &'e mut Vec<Edit>,
}

impl Editing<'_> {
    /// Reads a value that paths lead into, and notes what is to change in it.
    fn value(&mut self, scan: &mut Scan<'_>, node: usize) -> Result<(), RowProblem> {
        match scan.value()? {
            Token::Object => self.object(scan, node),
            Token::List => {
                let mut first = true;
                while scan.element(&mut first)? {
                    match self.tree.each(node) {
                        None => scan.skip()?,
                        Some(each) => match self.tree.ends(each).first() {
                            None => self.value(scan, each)?,
                            // An element that went away would move the others: it becomes null.
                            Some(mask) => self.replace(scan, *mask)?,
                        },
                    }
                }
                Ok(())
            }
            Token::Text(_) | Token::Bare(_) | Token::Null => Ok(()),
        }
    }

    fn object(&mut self, scan: &mut Scan<'_>, node: usize) -> Result<(), RowProblem> {
        let mut members: Vec<(Range<usize>, Stays)> = Vec::new();
        let mut seen = Vec::new();
        let mut first = true;
        while let Some(key) = scan.key(&mut first)? {
            // The key's quote.
            let start = key.place.start.saturating_sub(1);
            let below = self.tree.down(node, &scan.text(&key));
            if let Some(below) = below {
                once(self.tree, below, &mut seen)?;
            }
            let mask = below.and_then(|below| self.tree.ends(below).first());
            let mut stays = Stays::Yes;
            match (below, mask) {
                (None, _) => scan.skip()?,
                (Some(below), None) => self.value(scan, below)?,
                (Some(_), Some(Mask::Remove | Mask::TakeOut)) => {
                    scan.skip()?;
                    stays = Stays::No;
                }
                (Some(_), Some(mask @ (Mask::Fixed | Mask::Null | Mask::Pseudonym))) => {
                    self.replace(scan, *mask)?;
                }
            }
            members.push((start..scan.at(), stays));
        }
        let gone = removals(&members).map(|place| (place, Cow::Borrowed("")));
        self.edits.extend(gone);
        Ok(())
    }

    /// Reads a value and notes what stands in its place.
    fn replace(&mut self, scan: &mut Scan<'_>, mask: Mask) -> Result<(), RowProblem> {
        let start = scan.at();
        scan.skip()?;
        let place = start..scan.at();
        let instead = match mask {
            Mask::Fixed => Some(Cow::Borrowed(MASKED)),
            Mask::Null | Mask::Remove | Mask::TakeOut => Some(Cow::Borrowed("null")),
            Mask::Pseudonym => {
                let written = scan.bare(&place).trim();
                // A text by what it says; anything else as it is written.
                let text: Option<String> = serde_json::from_str(written).ok();
                let value = match &text {
                    Some(text) => text,
                    None if written == "null" => "",
                    None => written,
                };
                let name = self.names.instead(value);
                name.map(|name| Cow::Owned(format!("\"{name}\"")))
            }
        };
        self.edits.extend(instead.map(|instead| (place, instead)));
        Ok(())
    }
}

/// Whether a member of an object stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    Yes,
    No,
}

/// The pieces that take members away with their commas: those before the first one that stays
/// with the comma after them, the others with the comma before.
fn removals(members: &[(Range<usize>, Stays)]) -> impl Iterator<Item = Range<usize>> + '_ {
    let leading = members.iter().take_while(|(_, stays)| *stays == Stays::No);
    let leading = leading.count();
    let start = members.first().filter(|_| leading > 0);
    let end = match members.get(leading) {
        Some((next, _)) => Some(next.start),
        None => members.last().map(|(last, _)| last.end),
    };
    let head = start.zip(end).map(|((first, _), end)| first.start..end);
    let later = members
        .iter()
        .zip(members.iter().skip(1))
        .skip(leading)
        .filter(|(_, (_, stays))| *stays == Stays::No)
        .map(|((before, _), (gone, _))| before.end..gone.end);
    head.into_iter().chain(later)
}

/// [`Mask::TEXT`] as JSON.
const MASKED: &str = "\"***\"";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use proptest::sample::select;
    use quittance_core::data_map::FieldPath;
    use serde_json::Value;

    use super::*;

    fn redaction(masks: &[(&str, Mask)]) -> Redaction {
        let masks = masks
            .iter()
            .map(|(path, mask)| (FieldPath::parse(path).unwrap(), *mask));
        Redaction::new(&masks.collect::<BTreeMap<_, _>>().into(), 64).unwrap()
    }

    fn redacted(masks: &[(&str, Mask)], row: &str) -> String {
        let mut out = Vec::new();
        let changed = redaction(masks).apply(row.as_bytes(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(changed, out != row);
        out
    }

    #[test]
    fn only_the_named_fields_change() {
        let masks = [
            ("name", Mask::Fixed),
            ("user.phone", Mask::Null),
            ("notes", Mask::Remove),
            ("mails[].at", Mask::Remove),
            ("tags[]", Mask::Remove),
        ];
        for (row, after) in [
            (
                "{ \"name\" : \"Ann\" , \"x\":1.00}\r\n",
                "{ \"name\" : \"***\" , \"x\":1.00}\r\n",
            ),
            (
                r#"{"user":{"phone":[1,{"a":2}]},"x":0}"#,
                r#"{"user":{"phone":null},"x":0}"#,
            ),
            (r#"{"user.phone":"1"}"#, r#"{"user.phone":null}"#),
            (r#"{"notes":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":2 , "notes":1 }"#, r#"{"a":2 }"#),
            (r#"{ "notes":1 }"#, "{  }"),
            (
                r#"{"mails":[{"at":1,"b":2},{"b":3,"at":4},7]}"#,
                r#"{"mails":[{"b":2},{"b":3},7]}"#,
            ),
            (r#"{"tags":["a","b"]}"#, r#"{"tags":[null,null]}"#),
            (r#"{"n\u0061me":"Ann"}"#, r#"{"n\u0061me":"***"}"#),
            (r#"{"other":{"name":"Ann"}}"#, r#"{"other":{"name":"Ann"}}"#),
            (r#"{"name":"***"}"#, r#"{"name":"***"}"#),
        ] {
            assert_eq!(redacted(&masks, row), after);
        }
    }

    #[test]
    fn a_field_that_stands_twice_is_not_masked_by_halves() {
        let mut out = Vec::new();
        let twice = redaction(&[("a", Mask::Null)]).apply(br#"{"a":1,"\u0061":2}"#, &mut out);
        assert!(matches!(twice, Err(RowProblem::DuplicateKey(_))));
    }

    proptest! {
        #[test]
        fn any_members_can_be_removed(
            names in prop::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..=5),
            gone in prop::sample::subsequence(vec!["a", "b", "c", "d", "e"], 1..=5),
            blank in select(vec!["", " ", "\t "]),
        ) {
            let members: Vec<String> =
                names.iter().map(|n| format!("{blank}\"{n}\"{blank}:{blank}[\"{n}\"]{blank}")).collect();
            let row = format!("{{{}}}", members.join(","));
            let masks: Vec<(&str, Mask)> = gone.iter().map(|n| (*n, Mask::Remove)).collect();
            let mut naive: Value = serde_json::from_str(&row).unwrap();
            for name in &gone {
                naive.as_object_mut().unwrap().remove(*name);
            }
            let after: Value = serde_json::from_str(&redacted(&masks, &row)).unwrap();
            prop_assert_eq!(after, naive);
        }
    }
}
