//! Who a request is about: identifiers, normalised once, and the keyed traces of them.
//!
//! The same [`Normalise`] runs on what a person types and on what a store holds. Which identifiers
//! exist is said by the data map. Invariant: an [`IdentifierValue`] is never empty, bounded, free
//! of control characters, and never printed by `Debug`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, HmacKey, Tag};

mod normalise;

pub use self::normalise::{Normalise, NormaliseError, Region};

/// What an identifier is, such as `email`: 1 to 64 of `a-z 0-9 _ -`, starting with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdentifierKind(String);

impl IdentifierKind {
    /// Parses a kind.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        (text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(legal))
        .then(|| Self(text.to_owned()))
    }

    /// Returns the kind's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdentifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for IdentifierKind {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
            .ok_or("an identifier's name is 1 to 64 of a-z 0-9 _ - and starts with a letter")
    }
}

impl From<IdentifierKind> for String {
    fn from(kind: IdentifierKind) -> Self {
        kind.0
    }
}

/// An identifier's normalised text. Personal: `Debug` prints a mask.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentifierValue(String);

impl IdentifierValue {
    /// Returns the normalised text: personal data.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdentifierValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One identifier of a subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identifier {
    /// What it is.
    pub kind: IdentifierKind,
    /// Its normalised text.
    pub value: IdentifierValue,
}

/// What is known of a subject: values by kind, each once. `Debug` prints kinds and masks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identifiers(BTreeMap<IdentifierKind, BTreeSet<IdentifierValue>>);

impl Identifiers {
    /// Adds a value; whether it is new.
    pub fn insert(&mut self, kind: IdentifierKind, value: IdentifierValue) -> bool {
        self.0.entry(kind).or_default().insert(value)
    }

    /// Adds everything that `other` knows.
    pub fn union(&mut self, other: &Self) {
        for (kind, values) in &other.0 {
            if !values.is_empty() {
                self.0
                    .entry(kind.clone())
                    .or_default()
                    .extend(values.iter().cloned());
            }
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeSet::is_empty)
    }

    /// How many values are known, of all kinds.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Lists the kinds of which a value is known, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &IdentifierKind> {
        self.0
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(kind, _)| kind)
    }

    /// Lists the values of one kind, in order.
    pub fn of(&self, kind: &IdentifierKind) -> impl Iterator<Item = &IdentifierValue> + use<'_> {
        self.0.get(kind).into_iter().flatten()
    }

    /// Lists every value with its kind, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&IdentifierKind, &IdentifierValue)> {
        self.0
            .iter()
            .flat_map(|(kind, values)| values.iter().map(move |value| (kind, value)))
    }
}

impl FromIterator<Identifier> for Identifiers {
    fn from_iter<I: IntoIterator<Item = Identifier>>(identifiers: I) -> Self {
        let mut all = Self::default();
        for Identifier { kind, value } in identifiers {
            all.insert(kind, value);
        }
        all
    }
}

/// Commits a receipt to a subject: `HMAC-SHA256(k_subject, "dsr-subject/v1" ‖ 0 ‖ scheme ‖ 0 ‖
/// normalised identifier)`, where the scheme is the identifier's kind. Only whoever has the key can
/// show that a receipt is about an identifier.
pub fn commitment(k_subject: &HmacKey, kind: &IdentifierKind, value: &IdentifierValue) -> Tag {
    k_subject.tag(
        "dsr-subject/v1",
        &[kind.as_str().as_bytes(), value.expose().as_bytes()],
    )
}

/// Computes the tag by which open requests of one subject find each other in the ledger.
pub fn subject_tag(key: &HmacKey, kind: &IdentifierKind, value: &IdentifierValue) -> Tag {
    key.tag(
        "dsr-subject-index/v1",
        &[kind.as_str().as_bytes(), value.expose().as_bytes()],
    )
}

/// Computes the suppression list's token, over the scheme (the kind) and SHA-256 of the normalised
/// value, so that a deletion list that arrives hashed leads to the same token.
pub fn suppression_token(key: &HmacKey, kind: &IdentifierKind, value: &IdentifierValue) -> Tag {
    suppression_token_of_hash(key, kind, &Digest::of(value.expose().as_bytes()))
}

/// Computes the suppression list's token of an identifier known only by its SHA-256.
pub fn suppression_token_of_hash(key: &HmacKey, kind: &IdentifierKind, hash: &Digest) -> Tag {
    key.tag(
        "dsr-suppression/v1",
        &[kind.as_str().as_bytes(), hash.as_bytes()],
    )
}

#[cfg(test)]
mod tests;
