//! JSON Lines: whose a row is, and what of it is masked.
//!
//! Nearly every row is nobody's, so a row is glimpsed at first (`glimpse`) and taken apart strictly
//! (`scan`) only when it may be somebody's. What decides nothing is not judged: a key twice, or a
//! slip in the JSON, of a row that a glimpse shows to be nobody's passes as it is.

mod glimpse;
mod record;
mod redact;
mod scan;
mod tree;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::Finder;
use quittance_core::matching::{MatchSet, Members, Rule, whole_number};

use self::glimpse::{Escapes, Glimpse, Seen};
pub use self::record::Copier;
pub(super) use self::redact::Redaction;
use self::scan::{Scan, Token};
use self::tree::{ROOT, Tree};
use super::error::{RewriteError, RowProblem};
use super::rows::{Line, without_mark};

/// Tells whose rows are.
#[derive(Debug)]
pub(super) struct Judge {
    matches: Arc<MatchSet>,
    /// Each rule's columns, among all columns.
    columns: Vec<Range<usize>>,
    glimpses: Vec<Glimpse>,
    tree: Option<Tree<usize>>,
    escapes: Escapes,
    unicode: Finder<'static>,
    max_depth: usize,
}

impl Judge {
    pub(super) fn new(matches: Arc<MatchSet>, max_depth: usize) -> Result<Self, RewriteError> {
        let mut columns = Vec::new();
        let mut paths = Vec::new();
        for rule in matches.rules() {
            let from = paths.len();
            paths.extend(rule.columns().iter().map(|column| column.field.clone()));
            columns.push(from..paths.len());
        }
        let escapes = paths.iter().map(Escapes::of).max();
        Ok(Self {
            glimpses: paths.iter().map(Glimpse::new).collect(),
            tree: Tree::new(paths.into_iter().zip(0..))?,
            escapes: escapes.unwrap_or(Escapes::OfAscii),
            unicode: Finder::new("\\u"),
            columns,
            matches,
            max_depth,
        })
    }

    /// Finds the members whose a line is.
    pub(super) fn judge(&self, line: &[u8], members: &mut Members) -> Result<Line, RowProblem> {
        members.clear();
        let row = text_of(line)?;
        if row.is_empty() {
            return Ok(Line::NoRow);
        }
        if !row.starts_with('{') || !row.ends_with('}') {
            return Err(RowProblem::NotAnObject);
        }
        if !self.matches.is_empty() && self.may_match(row) {
            self.take_apart(row, members)?;
        }
        Ok(Line::Row)
    }

    fn may_match(&self, row: &str) -> bool {
        self.escapes.stand_in(row, &self.unicode)
            || self
                .matches
                .rules()
                .iter()
                .zip(&self.columns)
                .any(|(rule, columns)| {
                    let glimpses = self.glimpses.get(columns.clone()).unwrap_or_default();
                    match glimpses {
                        [alone] => alone.seen(row).any(|seen| match seen {
                            Seen::Look => true,
                            Seen::Text(text) => self.matches.may_match(rule, &[text]),
                        }),
                        several => self.tuple_may_match(rule, several, row),
                    }
                })
    }

    fn tuple_may_match(&self, rule: &Rule, glimpses: &[Glimpse], row: &str) -> bool {
        let mut texts = Vec::with_capacity(glimpses.len());
        for glimpse in glimpses {
            let mut seen = glimpse.seen(row);
            match (seen.next(), seen.next()) {
                // Every column of a tuple must be there.
                (None, _) => return false,
                (Some(Seen::Text(text)), None) => texts.push(text),
                (Some(_), _) => return true,
            }
        }
        self.matches.may_match(rule, &texts)
    }

    fn take_apart(&self, row: &str, members: &mut Members) -> Result<(), RowProblem> {
        let Some(tree) = &self.tree else {
            return Ok(());
        };
        let mut found = Vec::new();
        let mut scan = Scan::new(row, self.max_depth);
        collect(tree, &mut scan, Some(ROOT), &[], &mut found)?;
        scan.end()?;
        for (rule, columns) in self.matches.rules().iter().zip(&self.columns) {
            let values: Vec<Vec<&str>> = columns
                .clone()
                .map(|column| {
                    let of_column = found.iter().filter(|(of, _)| *of == column);
                    of_column.map(|(_, text)| text.as_ref()).collect()
                })
                .collect();
            for tuple in tuples(&values)? {
                self.matches.members(rule, &tuple, members);
            }
        }
        Ok(())
    }
}

/// Collects the texts at the ends of paths. `ends` are those of a list that this is an element of.
fn collect<'a>(
    tree: &Tree<usize>,
    scan: &mut Scan<'a>,
    node: Option<usize>,
    ends: &[usize],
    found: &mut Vec<(usize, Cow<'a, str>)>,
) -> Result<(), RowProblem> {
    if node.is_none() && ends.is_empty() {
        return scan.skip();
    }
    let here = node.map_or(&[][..], |node| tree.ends(node));
    let ends = || here.iter().chain(ends).copied();
    match scan.value()? {
        Token::Object => {
            let mut first = true;
            let mut seen = Vec::new();
            while let Some(key) = scan.key(&mut first)? {
                let below = node.and_then(|node| tree.down(node, &scan.text(&key)));
                if let Some(below) = below {
                    once(tree, below, &mut seen)?;
                }
                collect(tree, scan, below, &[], found)?;
            }
        }
        Token::List => {
            let each = node.and_then(|node| tree.each(node));
            let ends: Vec<usize> = ends().collect();
            let mut first = true;
            while scan.element(&mut first)? {
                collect(tree, scan, each, &ends, found)?;
            }
        }
        Token::Text(quoted) => {
            let text = scan.text(&quoted);
            found.extend(ends().map(|end| (end, text.clone())));
        }
        Token::Bare(place) => {
            let text = whole_number(scan.bare(&place));
            found.extend(ends().map(|end| (end, text.clone())));
        }
        Token::Null => {}
    }
    Ok(())
}

/// Notes that a key was seen in an object, and refuses to see it twice.
fn once<T>(tree: &Tree<T>, node: usize, seen: &mut Vec<usize>) -> Result<(), RowProblem> {
    if seen.contains(&node) {
        let path = tree.path(node).cloned();
        return Err(path.map_or(RowProblem::NotJson, RowProblem::DuplicateKey));
    }
    seen.push(node);
    Ok(())
}

/// Makes every tuple of the columns' values, for every format.
pub(super) fn tuples<'a>(values: &[Vec<&'a str>]) -> Result<Vec<Vec<&'a str>>, RowProblem> {
    let mut tuples: Vec<Vec<&str>> = vec![Vec::new()];
    for column in values {
        let count = tuples.len().saturating_mul(column.len());
        if values.len() > 1 && count > MAX_TUPLES {
            return Err(RowProblem::TooManyTuples { limit: MAX_TUPLES });
        }
        let longer = tuples.iter().flat_map(|tuple| {
            column.iter().map(move |text| {
                let mut tuple = tuple.clone();
                tuple.push(*text);
                tuple
            })
        });
        tuples = longer.collect();
    }
    Ok(tuples)
}

/// Returns a line's text without its end, blanks around it, and the mark before the first.
pub(super) fn text_of(line: &[u8]) -> Result<&str, RowProblem> {
    let text = std::str::from_utf8(without_mark(line)).map_err(|_| RowProblem::NotUtf8)?;
    Ok(text.trim_ascii())
}

const MAX_TUPLES: usize = 4_096;
