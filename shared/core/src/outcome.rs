//! What was done in one store, and the look back that proves it; counts only, nothing personal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Tag};
use crate::peaks::Peaks;
pub use crate::receipt::statement::{CheckMethod, ResidualKind};

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
    /// Fields replaced by keyed pseudonyms; the item remains, and remains personal data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pseudonymised: u64,
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
    /// Of a batch: the tree over the roots of its members, of which `evidence_root` is the root.
    #[serde(default, skip_serializing_if = "Peaks::is_empty")]
    pub member_roots: Peaks,
    /// The look back.
    pub check: Option<Check>,
    /// Copies that the effects did not reach.
    #[serde(default, skip_serializing_if = "Residuals::is_empty")]
    pub residuals: Residuals,
}

/// Copies that effects do not reach, by kind, and until when they last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Residuals(BTreeMap<ResidualKind, Option<Timestamp>>);

impl Residuals {
    /// Adds a kind of copy, which lasts until then; none when no end is known. Of two ends the later
    /// one counts, and no end is the latest.
    pub fn add(&mut self, what: ResidualKind, until: Option<Timestamp>) {
        let later = match self.0.get(&what) {
            Some(known) => known.zip(until).map(|(known, until)| known.max(until)),
            None => until,
        };
        self.0.insert(what, later);
    }

    /// Adds what is in the other.
    pub fn extend(&mut self, other: &Self) {
        for (what, until) in other.iter() {
            self.add(what, until);
        }
    }

    /// Lists the kinds, each with its end.
    pub fn iter(&self) -> impl Iterator<Item = (ResidualKind, Option<Timestamp>)> {
        self.0.iter().map(|(what, until)| (*what, *until))
    }

    /// Whether no copy is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
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

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_ends_the_later_counts_and_none_is_the_latest() {
        let at = |second| Timestamp::from_second(second).ok();
        let mut known = Residuals::default();
        known.add(ResidualKind::Pitr, at(5));
        known.add(ResidualKind::Pitr, at(3));
        known.add(ResidualKind::Backup, at(9));
        let mut other = Residuals::default();
        other.add(ResidualKind::Pitr, at(7));
        other.add(ResidualKind::Backup, None);
        known.extend(&other);
        known.add(ResidualKind::Backup, at(99));
        let all: Vec<_> = known.iter().collect();
        assert_eq!(
            all,
            [(ResidualKind::Backup, None), (ResidualKind::Pitr, at(7))]
        );
    }
}
