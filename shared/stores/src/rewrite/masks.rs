//! What becomes of which fields of a member's row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quittance_core::data_map::{FieldPath, Mask};
use quittance_core::pseudonym::{self, Pseudonyms};

/// Fields and their masks, with the key of the pseudonyms among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    pub(super) fields: BTreeMap<FieldPath, Mask>,
    pub(super) names: Names,
}

/// The pseudonyms of one store, for whoever may make them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(Option<Pseudonyms>);

impl Masks {
    /// Puts masks together. Without a key what looks like a pseudonym counts as one, and none can be
    /// made.
    pub const fn new(fields: BTreeMap<FieldPath, Mask>, pseudonyms: Option<Pseudonyms>) -> Self {
        Self {
            fields,
            names: Names(pseudonyms),
        }
    }

    /// Whether a key is missing to apply them.
    pub(super) fn lack_a_key(&self) -> bool {
        self.names.0.is_none() && self.fields.values().any(|mask| *mask == Mask::Pseudonym)
    }
}

impl From<BTreeMap<FieldPath, Mask>> for Masks {
    fn from(fields: BTreeMap<FieldPath, Mask>) -> Self {
        Self::new(fields, None)
    }
}

impl Names {
    /// Returns what stands in a value's place; none when it may stay: it is empty, or a pseudonym.
    pub(super) fn instead(&self, value: &str) -> Option<Cow<'static, str>> {
        if value.is_empty() {
            return None;
        }
        match &self.0 {
            Some(names) if names.made(value) => None,
            Some(names) => Some(Cow::Owned(names.of(value))),
            None if pseudonym::looks_like_one(value) => None,
            // Only counted: see [`Masks::lack_a_key`].
            None => Some(Cow::Borrowed(Mask::TEXT)),
        }
    }
}
