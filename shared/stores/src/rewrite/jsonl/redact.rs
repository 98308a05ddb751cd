//! Masking fields of a row; every other byte of it stays.

use std::collections::BTreeMap;
use std::ops::Range;

use quittance_core::data_map::{FieldPath, Mask};

use super::super::error::{RewriteError, RowProblem};
use super::once;
use super::scan::{Scan, Token};
use super::tree::{ROOT, Tree};

/// Which fields become what.
#[derive(Debug)]
pub(in crate::rewrite) struct Redaction {
    tree: Option<Tree<Mask>>,
    max_depth: usize,
}

/// A piece of a row and what stands in its place.
type Edit = (Range<usize>, &'static str);

impl Redaction {
    pub(in crate::rewrite) fn new(
        masks: &BTreeMap<FieldPath, Mask>,
        max_depth: usize,
    ) -> Result<Self, RewriteError> {
        let masks = masks.iter().map(|(path, mask)| (path.clone(), *mask));
        Ok(Self {
            tree: Tree::new(masks)?,
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
            edit(tree, &mut scan, ROOT, &mut edits)?;
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

/// Reads a value that paths lead into, and notes what is to change in it.
fn edit(
    tree: &Tree<Mask>,
    scan: &mut Scan<'_>,
    node: usize,
    edits: &mut Vec<Edit>,
) -> Result<(), RowProblem> {
    match scan.value()? {
        Token::Object => object(tree, scan, node, edits),
        Token::List => {
            let mut first = true;
            while scan.element(&mut first)? {
                match tree.each(node) {
                    None => scan.skip()?,
                    Some(each) => match tree.ends(each).first() {
                        None => edit(tree, scan, each, edits)?,
                        // An element that went away would move the others: it becomes null.
                        Some(mask) => replace(scan, *mask, edits)?,
                    },
                }
            }
            Ok(())
        }
        Token::Text(_) | Token::Bare(_) | Token::Null => Ok(()),
    }
}

fn object(
    tree: &Tree<Mask>,
    scan: &mut Scan<'_>,
    node: usize,
    edits: &mut Vec<Edit>,
) -> Result<(), RowProblem> {
    let mut members: Vec<(Range<usize>, Stays)> = Vec::new();
    let mut seen = Vec::new();
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        // The key's quote.
        let start = key.place.start.saturating_sub(1);
        let below = tree.down(node, &scan.text(&key));
        if let Some(below) = below {
            once(tree, below, &mut seen)?;
        }
        let mask = below.and_then(|below| tree.ends(below).first());
        let mut stays = Stays::Yes;
        match (below, mask) {
            (None, _) => scan.skip()?,
            (Some(below), None) => edit(tree, scan, below, edits)?,
            (Some(_), Some(Mask::Remove)) => {
                scan.skip()?;
                stays = Stays::No;
            }
            (Some(_), Some(mask @ (Mask::Fixed | Mask::Null))) => replace(scan, *mask, edits)?,
        }
        members.push((start..scan.at(), stays));
    }
    edits.extend(removals(&members).map(|place| (place, "")));
    Ok(())
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

/// Reads a value and notes what stands in its place.
fn replace(scan: &mut Scan<'_>, mask: Mask, edits: &mut Vec<Edit>) -> Result<(), RowProblem> {
    let start = scan.at();
    scan.skip()?;
    let instead = match mask {
        Mask::Fixed => MASKED,
        Mask::Null | Mask::Remove => "null",
    };
    edits.push((start..scan.at(), instead));
    Ok(())
}

/// [`Mask::TEXT`] as JSON.
const MASKED: &str = "\"***\"";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::Value;

    use super::*;

    fn redaction(masks: &[(&str, Mask)]) -> Redaction {
        let masks = masks
            .iter()
            .map(|(path, mask)| (FieldPath::parse(path).unwrap(), *mask));
        Redaction::new(&masks.collect(), 64).unwrap()
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
