//! Which members of a sweep a row belongs to: one to ten million identifiers, a few nanoseconds each row.
//!
//! A [`MatchSet`] is built from a record store's `find` rules and the members' identifiers, raw or
//! hashed. A reader of rows takes each rule's columns out of a row as texts, asks
//! [`MatchSet::may_match`], which is quick and never misses, and then [`MatchSet::members`], which
//! is exact. Taking rows apart is not here (`quittance_stores::rewrite`).
//!
//! Invariant: both sides are brought to one spelling and then to one identity, SHA-256 of the
//! normalised text, so that raw rows match hashed lists and hashed rows match raw lists. 96 bits of
//! it are compared: of ten million identifiers and a hundred thousand million rows, one row in a
//! hundred thousand million such sweeps would be taken for another's.

mod builder;
mod filter;
mod identity;
mod number;
mod spelling;
mod table;

use std::fmt;

use self::filter::{Filter, fold};
use self::spelling::Candidate;
use self::table::Table;
use crate::data_map::{Column, IdentifierRule};
use crate::digest::{Digest, HmacKey};
use crate::subject::IdentifierKind;

pub use self::builder::{MatchError, MatchSetBuilder};
pub use self::number::whole_number;

/// The identifiers of a sweep's members, ready to be compared with rows. Made by a
/// [`MatchSetBuilder`], shared in an `Arc`. `Debug` prints sizes only.
pub struct MatchSet {
    rules: Vec<Rule>,
    pools: Vec<Pool>,
}

/// One way in which a row can match: all of its columns must.
#[derive(Clone, Debug)]
pub struct Rule {
    columns: Vec<Column>,
    spellings: Vec<IdentifierRule>,
    /// Which pools hold identities of these kinds.
    pools: Vec<usize>,
}

impl Rule {
    /// Returns the columns whose texts are asked about, in this order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Lists the columns with how their identifiers are spelled, and the texts found in them.
    fn with<'a>(
        &'a self,
        texts: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a Column, &'a IdentifierRule, &'a str)> {
        let columns = self.columns.iter().zip(&self.spellings);
        columns
            .zip(texts)
            .map(|((column, spelling), text)| (column, spelling, *text))
    }

    /// Returns the identity that these texts are, exactly; none when they are none.
    fn identity(&self, texts: &[&str]) -> Option<Digest> {
        self.joined(texts, |spelling, text| {
            let normal = spelling::normal(spelling, text).ok()?;
            Some(Digest::of(normal.as_bytes()))
        })
    }

    /// Returns the identity that these texts would be if they are any.
    fn guess(&self, texts: &[&str]) -> Option<Digest> {
        let mut buffer = [0; 320];
        self.joined(texts, |spelling, text| {
            match spelling::candidate(spelling, text, &mut buffer) {
                Candidate::Never => None,
                Candidate::Text(text) => Some(Digest::of(text)),
                Candidate::Ending(_) | Candidate::Unknown => {
                    let normal = spelling::normal(spelling, text).ok()?;
                    Some(Digest::of(normal.as_bytes()))
                }
            }
        })
    }

    fn joined(
        &self,
        texts: &[&str],
        mut digest: impl FnMut(&IdentifierRule, &str) -> Option<Digest>,
    ) -> Option<Digest> {
        if texts.len() != self.columns.len() {
            return None;
        }
        if let ([column], [spelling], [text]) = (&*self.columns, &*self.spellings, texts) {
            return match column.hash {
                Some(hash) => hash.read(text),
                None => digest(spelling, text),
            };
        }
        let parts = self
            .with(texts)
            .map(|(column, spelling, text)| match column.hash {
                Some(hash) => hash.read(text),
                None => digest(spelling, text),
            })
            .collect::<Option<Vec<Digest>>>()?;
        Some(identity::joined(&parts))
    }
}

/// Identities of one tuple of kinds, as they are or under a key.
struct Pool {
    kinds: Vec<IdentifierKind>,
    token_key: Option<HmacKey>,
    table: Table,
    filter: Looked,
}

/// How a pool looks first.
enum Looked {
    /// At the guessed text of a rule's first column.
    AtText(Filter),
    /// At the guessed identity.
    AtIdentity(Filter),
}

impl Pool {
    /// Whether these texts may be somebody's; never false when they are.
    fn may_hold(&self, rule: &Rule, texts: &[&str]) -> bool {
        if self.table.len() == 0 {
            return false;
        }
        if let Looked::AtText(filter) = &self.filter
            && let Some((Column { hash: None, .. }, spelling, text)) = rule.with(texts).next()
        {
            let mut buffer = [0; 320];
            return match spelling::candidate(spelling, text, &mut buffer) {
                Candidate::Never => false,
                Candidate::Text(guess) | Candidate::Ending(guess) => filter.has(fold(guess)),
                Candidate::Unknown => spelling::normal(spelling, text).is_ok_and(|normal| {
                    spelling::guessed(spelling.normalise, &normal)
                        .is_none_or(|guess| filter.has(fold(guess)))
                }),
            };
        }
        rule.guess(texts).is_some_and(|identity| {
            let compared = self.compared(&identity);
            let passes = match &self.filter {
                Looked::AtIdentity(filter) => filter.has(table::hash(&compared)),
                Looked::AtText(_) => true,
            };
            passes && self.table.members(&compared).next().is_some()
        })
    }

    fn compared(&self, identity: &Digest) -> [u8; 32] {
        identity::compared(identity, self.token_key.as_ref().zip(self.kinds.first()))
    }
}

impl MatchSet {
    /// Returns the ways in which a row can match: what matches any of them is a member's.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many identities there are.
    pub fn len(&self) -> usize {
        self.pools.iter().map(|pool| pool.table.len()).sum()
    }

    /// Whether nobody can match.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether these texts, one for each of the rule's columns, may be somebody's. Quick; never
    /// false when they are.
    pub fn may_match(&self, rule: &Rule, texts: &[&str]) -> bool {
        self.pools_of(rule).any(|pool| pool.may_hold(rule, texts))
    }

    /// Adds the members whose these texts are, one for each of the rule's columns. Exact.
    pub fn members(&self, rule: &Rule, texts: &[&str], found: &mut Members) {
        let Some(identity) = rule.identity(texts) else {
            return;
        };
        for pool in self.pools_of(rule) {
            for member in pool.table.members(&pool.compared(&identity)) {
                found.insert(member);
            }
        }
    }

    fn pools_of<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = &'a Pool> {
        rule.pools.iter().filter_map(|index| self.pools.get(*index))
    }
}

impl fmt::Debug for MatchSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatchSet")
            .field("rules", &self.rules.len())
            .field("identities", &self.len())
            .finish_non_exhaustive()
    }
}

/// The members that a row belongs to, each once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<u32>);

impl Members {
    /// Adds a member.
    pub fn insert(&mut self, member: u32) {
        if let Err(at) = self.0.binary_search(&member) {
            self.0.insert(at, member);
        }
    }

    /// Forgets everybody, and keeps the room.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the members' numbers.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// Whether the row is nobody's.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
