//! The data map: which stores hold data of subjects, how to find it, what each right does there.
//!
//! A YAML text becomes these types, or the list of everything that is wrong with it, by line.
//! Reaching the stores is not here (`quittance-stores`). Invariant: in a parsed map every
//! identifier is declared, every store can be reached from what a person gives, and the order of
//! waves has no cycle.

mod names;
mod parse;
mod path;
mod problem;
mod reading;
pub mod residency;
mod rule;
mod store;
mod template;
mod warnings;
mod waves;
mod yaml;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub use self::path::{FieldPath, Segment};
pub use self::problem::{Problem, Problems};
pub use self::rule::{
    AccessRule, Basis, DeletionRule, Mask, OptOutRule, Period, PeriodUnit, RetainUntil, Retention,
    ScalarValue,
};
pub use self::store::{
    About, Account, Attested, Budget, Column, Compression, Coverage, Delimiter, Dialect,
    DynamodbItems, Find, FindHow, Hash, KeyQuery, KeyType, Line, Place, RecordFormat, S3Objects,
    S3Records, SortKey, SortTest, Store, Sweep,
};
pub use self::template::{FilledKey, KeyTemplate, TemplateError, UnsafeValue, ValueTemplate};
use crate::calendar::Zone;
use crate::digest::Digest;
use crate::id::StoreId;
use crate::subject::{IdentifierKind, IdentifierValue, Normalise, NormaliseError, Region};

/// A parsed data map. Built by [`DataMap::parse`] only; its digest and waves belong to the fields
/// as they were parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataMap {
    /// Who answers requests.
    pub controller: Controller,
    /// The identifiers that stores are searched by.
    pub identifiers: BTreeMap<IdentifierKind, IdentifierRule>,
    /// The stores, in the order of the text.
    pub stores: Vec<Store>,
    waves: BTreeMap<StoreId, u32>,
    digest: Digest,
    /// When it was put where functions read it, where that is known. No part of the digest.
    written_at: Option<Timestamp>,
}

impl DataMap {
    /// Says since when it is in force: of two data maps the later one counts.
    #[must_use]
    pub const fn written_at(mut self, at: Option<Timestamp>) -> Self {
        self.written_at = at;
        self
    }

    /// Returns since when it is in force, if that is known.
    pub const fn in_force_since(&self) -> Option<Timestamp> {
        self.written_at
    }

    /// Parses a data map.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong, by line.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        parse::parse(text)
    }

    /// Parses a data map that may not even be text.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong, by line.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Problems> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = before.split(|b| *b == b'\n').count();
                let message = format!(
                    "byte {} is not UTF-8; save the file as UTF-8",
                    error.valid_up_to().saturating_add(1)
                );
                Err(Problems(vec![Problem {
                    line,
                    column: 1,
                    path: String::new(),
                    message,
                }]))
            }
        }
    }

    /// Returns the store of this id.
    pub fn store(&self, id: &StoreId) -> Option<&Store> {
        self.stores.iter().find(|store| store.id == *id)
    }

    /// Returns the digest of what the map says: comments, and the order of keys and stores, do not
    /// matter.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the wave a store locates in; it acts in reverse. None for a store not in the map.
    pub fn wave_of(&self, store: &StoreId) -> Option<u32> {
        self.waves.get(store).copied()
    }

    /// Lists the stores of each wave, by id.
    pub fn waves(&self) -> Vec<Vec<StoreId>> {
        let mut waves: BTreeMap<u32, Vec<StoreId>> = BTreeMap::new();
        for (store, wave) in &self.waves {
            waves.entry(*wave).or_default().push(store.clone());
        }
        waves.into_values().collect()
    }

    /// Lists the identifiers that a person may give in a request.
    pub fn asked_kinds(&self) -> Vec<IdentifierKind> {
        self.kinds(|rule| rule.asked)
    }

    /// Lists the identifiers whose possession a person can prove: asked, and mail reaches them.
    pub fn provable_kinds(&self) -> Vec<IdentifierKind> {
        self.kinds(|rule| rule.asked && rule.normalise == Normalise::Email)
    }

    /// Lists what is allowed but probably not meant, in the order of the text.
    pub fn warnings(&self) -> Vec<Problem> {
        warnings::warnings(self)
    }

    fn build(
        controller: Controller,
        identifiers: BTreeMap<IdentifierKind, IdentifierRule>,
        stores: Vec<Store>,
        waves: BTreeMap<StoreId, u32>,
    ) -> Self {
        let mut sorted: Vec<&Store> = stores.iter().collect();
        sorted.sort_by(|a, b| a.id.cmp(&b.id));
        let canonical = Canonical {
            version: 1,
            controller: &controller,
            identifiers: &identifiers,
            stores: sorted,
        };
        // Strings, integers and maps with text keys always serialise.
        let digest = Digest::of(&serde_json_canonicalizer::to_vec(&canonical).unwrap_or_default());
        Self {
            controller,
            identifiers,
            stores,
            waves,
            digest,
            written_at: None,
        }
    }

    fn kinds(&self, wanted: impl Fn(&IdentifierRule) -> bool) -> Vec<IdentifierKind> {
        let rules = self.identifiers.iter().filter(|(_, rule)| wanted(rule));
        rules.map(|(kind, _)| kind.clone()).collect()
    }
}

/// What the digest covers.
#[derive(Serialize)]
struct Canonical<'a> {
    version: u8,
    controller: &'a Controller,
    identifiers: &'a BTreeMap<IdentifierKind, IdentifierRule>,
    stores: Vec<&'a Store>,
}

/// Who answers requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Controller {
    /// A short name for machines, in receipts.
    pub id: String,
    /// The company's name, as people know it.
    pub name: String,
    /// Where questions go: a mailbox or an address.
    pub contact: String,
    /// Whether they decide about the data or process it for somebody.
    pub role: Role,
    /// Where days are counted, if not where each law counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// Where to complain, if the controller names an authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What the controller says about automated decisions, Art. 15(1)(h) GDPR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automated_decisions: Option<String>,
}

/// A controller decides about the data; a processor handles them for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decides.
    Controller,
    /// Handles them for a controller.
    Processor,
}

/// What is declared about one kind of identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentifierRule {
    /// How it is spelled the same everywhere.
    pub normalise: Normalise,
    /// Whether a person may give it in a request.
    pub asked: bool,
    /// Whether one subject may have several. Two values of another kind are an ambiguity.
    pub many: bool,
    /// For phone numbers without country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Where it stands in the data map's text.
    #[serde(skip)]
    pub line: Line,
}

impl IdentifierRule {
    /// Normalises what was typed or read.
    ///
    /// # Errors
    /// [`NormaliseError`], which says what to correct.
    pub fn normalise(&self, raw: &str) -> Result<IdentifierValue, NormaliseError> {
        self.normalise.apply_in(raw, self.region)
    }
}

#[cfg(test)]
mod tests;
