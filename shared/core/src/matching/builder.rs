//! Building a [`MatchSet`]: the ways to find, then the members' identifiers, however they are known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::filter::{Filter, fold};
use super::table::Table;
use super::{Looked, MatchSet, Pool, Rule, identity, spelling};
use crate::data_map::{Find, IdentifierRule};
use crate::digest::{Digest, HmacKey, Tag};
use crate::fault::BlockReason;
use crate::subject::{IdentifierKind, Identifiers, NormaliseError};

/// Collects members and their identifiers. `Debug` prints sizes only.
///
/// A member's number is the caller's; a member may be added as often as it has identifiers.
pub struct MatchSetBuilder {
    rules: Vec<Rule>,
    pools: Vec<Open>,
}

/// A pool that is being filled.
struct Open {
    kinds: Vec<IdentifierKind>,
    spellings: Vec<IdentifierRule>,
    token_key: Option<HmacKey>,
    table: Table,
    /// What the first column's guesses are looked up in, while every identifier came as text.
    texts: Option<Filter>,
}

/// Why identifiers cannot be compared with a store's rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The store is asked by key: it has no rows to compare.
    #[error("a find by key has no column to compare; find by field in stores of rows")]
    ByKey,
    /// A text is no identifier of its kind.
    #[error("{0}")]
    NotAnIdentifier(#[from] NormaliseError),
    /// More identifiers than positions.
    #[error("there are too many identifiers for one pass; make several sweeps")]
    TooMany,
    /// A member's values make too many tuples.
    #[error("one member's identifiers make more than {limit} tuples; split them over members")]
    TooManyTuples {
        /// The limit.
        limit: usize,
    },
    /// No rule finds by these kinds in this order.
    #[error("no find of this store compares {kinds}; add one to the data map")]
    NotFoundBy {
        /// The kinds, for people.
        kinds: String,
    },
    /// The data map does not declare an identifier.
    #[error("the identifier {0} is not declared in the data map")]
    Undeclared(IdentifierKind),
}

impl MatchError {
    /// Returns why a task that meets it is blocked.
    pub const fn block_reason(&self) -> BlockReason {
        match self {
            Self::ByKey | Self::NotFoundBy { .. } | Self::Undeclared(_) => {
                BlockReason::SchemaMismatch
            }
            Self::NotAnIdentifier(_) => BlockReason::UnsafeIdentifier,
            Self::TooMany | Self::TooManyTuples { .. } => BlockReason::TooLarge,
        }
    }
}

impl MatchSetBuilder {
    /// Begins a set for a store's ways to find, with room for about so many identifiers; more are
    /// taken too, at some cost in time.
    ///
    /// # Errors
    /// [`MatchError::ByKey`] and [`MatchError::Undeclared`].
    pub fn new(
        finds: &[Find],
        identifiers: &BTreeMap<IdentifierKind, IdentifierRule>,
        expected: usize,
    ) -> Result<Self, MatchError> {
        let mut builder = Self {
            rules: Vec::new(),
            pools: Vec::new(),
        };
        for find in finds {
            let columns = find.columns();
            if columns.is_empty() {
                return Err(MatchError::ByKey);
            }
            let spellings = columns
                .iter()
                .map(|column| {
                    let rule = identifiers.get(&column.kind).cloned();
                    rule.ok_or_else(|| MatchError::Undeclared(column.kind.clone()))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let kinds: Vec<IdentifierKind> = columns.iter().map(|c| c.kind.clone()).collect();
            let known = builder.pools.iter().position(|pool| pool.kinds == kinds);
            let pool = known.unwrap_or(builder.pools.len());
            if known.is_none() {
                builder
                    .pools
                    .push(Open::new(kinds, spellings.clone(), expected));
            }
            builder.rules.push(Rule {
                columns,
                spellings,
                pools: vec![pool],
            });
        }
        // Of several, nobody knows which one gets how many.
        if let [alone] = builder.pools.as_mut_slice() {
            alone.table = Table::with_room_for(expected);
        }
        Ok(builder)
    }

    /// Also compares keyed hashes, [`crate::subject::suppression_token`], of every rule with one
    /// column; they are added with [`Self::add_token`].
    #[must_use]
    pub fn with_token_key(mut self, key: &HmacKey) -> Self {
        let single: Vec<(usize, Open)> = self
            .pools
            .iter()
            .enumerate()
            .filter(|(_, pool)| pool.kinds.len() == 1 && pool.token_key.is_none())
            .map(|(index, pool)| {
                let mut keyed = Open::new(pool.kinds.clone(), pool.spellings.clone(), 0);
                keyed.token_key = Some(key.clone());
                keyed.texts = None;
                (index, keyed)
            })
            .collect();
        for (plain, keyed) in single {
            let index = self.pools.len();
            self.pools.push(keyed);
            for rule in &mut self.rules {
                if rule.pools.contains(&plain) {
                    rule.pools.push(index);
                }
            }
        }
        self
    }

    /// Adds what is known of a member: for each rule, every tuple of its values.
    ///
    /// # Errors
    /// [`MatchError::TooManyTuples`] and [`MatchError::TooMany`].
    pub fn add(&mut self, member: u32, identifiers: &Identifiers) -> Result<(), MatchError> {
        for pool in self
            .pools
            .iter_mut()
            .filter(|pool| pool.token_key.is_none())
        {
            let mut tuples: Vec<Vec<&str>> = vec![Vec::new()];
            for kind in &pool.kinds {
                let longer = tuples.iter().flat_map(|tuple| {
                    identifiers.of(kind).map(move |value| {
                        let mut tuple = tuple.clone();
                        tuple.push(value.expose());
                        tuple
                    })
                });
                tuples = longer.take(MAX_TUPLES.saturating_add(1)).collect();
                if tuples.len() > MAX_TUPLES {
                    return Err(MatchError::TooManyTuples { limit: MAX_TUPLES });
                }
            }
            for tuple in tuples {
                pool.add_normal(member, &tuple)?;
            }
        }
        Ok(())
    }

    /// Adds one tuple as texts that are not yet normalised, one for each kind. Unlike a person's
    /// identifier, a text may be empty where its spelling allows it.
    ///
    /// # Errors
    /// [`MatchError::NotAnIdentifier`], [`MatchError::NotFoundBy`] and [`MatchError::TooMany`].
    pub fn add_texts(
        &mut self,
        member: u32,
        kinds: &[IdentifierKind],
        texts: &[&str],
    ) -> Result<(), MatchError> {
        let pool = self.pool_mut(kinds, Keyed::No)?;
        if texts.len() != kinds.len() {
            return Err(not_found_by(kinds));
        }
        let normal = pool
            .spellings
            .iter()
            .zip(texts)
            .map(|(spelling, text)| spelling::normal(spelling, text))
            .collect::<Result<Vec<String>, NormaliseError>>()?;
        let normal: Vec<&str> = normal.iter().map(String::as_str).collect();
        pool.add_normal(member, &normal)
    }

    /// Adds an identifier that arrived hashed: SHA-256 of the normalised text; for a tuple, SHA-256
    /// over the Base64 texts of its parts' hashes.
    ///
    /// # Errors
    /// [`MatchError::NotFoundBy`] and [`MatchError::TooMany`].
    pub fn add_hash(
        &mut self,
        member: u32,
        kinds: &[IdentifierKind],
        hash: &Digest,
    ) -> Result<(), MatchError> {
        let pool = self.pool_mut(kinds, Keyed::No)?;
        pool.texts = None;
        pool.push(hash.as_bytes(), member)
    }

    /// Adds an identifier that is known by its keyed hash only.
    ///
    /// # Errors
    /// [`MatchError::NotFoundBy`], also without [`Self::with_token_key`], and
    /// [`MatchError::TooMany`].
    pub fn add_token(
        &mut self,
        member: u32,
        kind: &IdentifierKind,
        token: &Tag,
    ) -> Result<(), MatchError> {
        let kinds = std::slice::from_ref(kind);
        self.pool_mut(kinds, Keyed::Yes)?
            .push(token.as_bytes(), member)
    }

    /// Lists the tuples of kinds that rules compare, each once.
    pub fn compared(&self) -> BTreeSet<Vec<IdentifierKind>> {
        self.pools.iter().map(|pool| pool.kinds.clone()).collect()
    }

    /// Sorts what was added.
    pub fn build(self) -> MatchSet {
        let Self { rules, pools } = self;
        let hashed_first = |index: usize| {
            let mut rules = rules.iter().filter(|rule| rule.pools.contains(&index));
            rules.all(|rule| rule.columns.first().is_some_and(|c| c.hash.is_some()))
        };
        let pools = pools
            .into_iter()
            .enumerate()
            .map(|(index, pool)| pool.seal(hashed_first(index)))
            .collect();
        MatchSet { rules, pools }
    }

    fn pool_mut(
        &mut self,
        kinds: &[IdentifierKind],
        keyed: Keyed,
    ) -> Result<&mut Open, MatchError> {
        let wanted = |pool: &&mut Open| {
            pool.kinds == kinds && pool.token_key.is_some() == (keyed == Keyed::Yes)
        };
        let pool = self.pools.iter_mut().find(wanted);
        pool.ok_or_else(|| not_found_by(kinds))
    }
}

/// Whether a pool compares keyed hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyed {
    No,
    Yes,
}

impl Open {
    fn new(kinds: Vec<IdentifierKind>, spellings: Vec<IdentifierRule>, expected: usize) -> Self {
        Self {
            kinds,
            spellings,
            token_key: None,
            table: Table::default(),
            texts: Some(Filter::with_room_for(expected)),
        }
    }

    /// Adds a tuple of normalised texts.
    fn add_normal(&mut self, member: u32, texts: &[&str]) -> Result<(), MatchError> {
        if let (Some(filter), Some(first), Some(spelling)) =
            (&mut self.texts, texts.first(), self.spellings.first())
        {
            match spelling::guessed(spelling.normalise, first) {
                Some(guess) => filter.insert(fold(guess)),
                // From now on guesses at this pool's texts cannot be trusted.
                None => self.texts = None,
            }
        }
        let parts: Vec<Digest> = texts.iter().map(|t| Digest::of(t.as_bytes())).collect();
        self.push(identity::joined(&parts).as_bytes(), member)
    }

    fn push(&mut self, compared: &[u8; 32], member: u32) -> Result<(), MatchError> {
        let added = self.table.push(compared, member);
        added.then_some(()).ok_or(MatchError::TooMany)
    }

    fn seal(self, hashed_first: bool) -> Pool {
        let Self {
            kinds,
            token_key,
            mut table,
            texts,
            ..
        } = self;
        table.seal();
        let filter = match texts {
            Some(filter) if !hashed_first => Looked::AtText(filter),
            Some(_) | None => Looked::AtIdentity(table.filter()),
        };
        Pool {
            kinds,
            token_key,
            table,
            filter,
        }
    }
}

impl fmt::Debug for MatchSetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identities: usize = self.pools.iter().map(|pool| pool.table.len()).sum();
        f.debug_struct("MatchSetBuilder")
            .field("rules", &self.rules.len())
            .field("identities", &identities)
            .finish_non_exhaustive()
    }
}

fn not_found_by(kinds: &[IdentifierKind]) -> MatchError {
    let names: Vec<&str> = kinds.iter().map(IdentifierKind::as_str).collect();
    MatchError::NotFoundBy {
        kinds: names.join(" with "),
    }
}

/// The most tuples that one member's identifiers may make for one rule.
const MAX_TUPLES: usize = 1_024;
