//! What was done in one store, and the look back that proves it; counts only, nothing personal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Tag};
pub use crate::receipt::statement::CheckMethod;

/// What a task did. Every number counts items, objects or versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOutcome {
    /// What matched, over all rounds.
    pub matched: u64,
    /// How much of that is another subject's too, in a record store.
    #[serde(default)]
    pub shared: u64,
    /// Rows of the touched objects before, in a record store.
    #[serde(default)]
    pub before: Option<u64>,
    /// Rows of the touched objects after.
    #[serde(default)]
    pub after: Option<u64>,
    /// Deleted, and gone when looked for again.
    pub deleted: u64,
    /// Fields removed or masked; the item remains.
    pub redacted: u64,
    /// Copied into the export.
    pub exported: u64,
    /// Flags set.
    pub flagged: u64,
    /// Kept for a reason.
    pub exempt: Option<Exemption>,
    /// Attested by a named person, for stores outside AWS: digest of the signed statement.
    pub attested: Option<Attested>,
    /// Root of the keyed evidence tree, one leaf per thing touched.
    pub evidence_root: Option<Digest>,
    /// How many leaves that tree has.
    pub evidence_count: u64,
    /// The look back.
    pub check: Option<Check>,
}

/// Data that a law makes us keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// The data map's code for the legal basis.
    pub reason: String,
    /// How many things are kept.
    pub count: u64,
    /// Until when, where the basis ends at a date.
    pub until: Option<Timestamp>,
}

/// A person's word for a store that we cannot reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// Keyed hash of the signed statement in the vault.
    pub statement: Tag,
    /// When it was made.
    pub at: Timestamp,
}

/// The same question asked again after the effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// How we looked.
    pub method: CheckMethod,
    /// What existed then must be gone.
    pub as_of: Timestamp,
    /// When we looked again.
    pub at: Timestamp,
    /// Matches that existed at `as_of` and remain: must be 0.
    pub residual_matches: u64,
    /// Matches that came later and remain.
    pub arrived_since: u64,
}
