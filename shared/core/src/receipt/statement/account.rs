//! The predicate of a manifest: a day's account of every acceptance, answered or open.
//!
//! A manifest tells what changed since the one before, and a root over everything that is open. With
//! all of them anybody can follow each acceptance to its outcome: see [`crate::audit`]. Every entry of
//! the log stands in exactly one manifest, as an acceptance, an outcome, an amendment, or the manifest
//! before.

use serde::{Deserialize, Serialize};

use super::predicate::{Checkpoint, Controller, Handler};
use super::{LOG, Sha256Of, StatementError, Subject, canonical};
use crate::digest::Digest;
use crate::receipt::words::{Code, Day, Minute, Nonce, Slug, is_log_name};
use crate::request::{Outcome, Right};

/// The predicate of a day's account: every acceptance, answered or open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Keeps the leaf from being guessed.
    pub nonce: Nonce,
    /// Who answers for the data.
    pub controller: Controller,
    /// The log's name.
    pub log: String,
    /// The log's head that the account covers.
    pub checkpoint: Checkpoint,
    /// The day, in UTC.
    pub day: Day,
    /// The leaf of the manifest before; none in a log's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// Acceptances that are new, or of which something is new, since the manifest before, by leaf
    /// index.
    pub lines: Vec<ManifestLine>,
    /// Corrections since the manifest before, by leaf index.
    pub amendments: Vec<AmendedLine>,
    /// How many acceptances are open.
    pub open_count: u64,
    /// [`open_root`] over the lines of all that are open.
    pub open_root: Digest,
    /// What handled it.
    pub handler: Handler,
}

impl Manifest {
    pub(super) fn subject(&self) -> Subject {
        let digest = Sha256Of {
            sha256: self.checkpoint.root,
        };
        Subject {
            name: format!("{LOG}{}", self.log),
            digest,
        }
    }

    /// Whether its fields go together: a plain log name, lines in order, each open or answered.
    pub(super) fn is_coherent(&self) -> bool {
        let rises = |indices: Vec<u64>| {
            indices
                .iter()
                .zip(indices.iter().skip(1))
                .all(|(a, b)| a < b)
        };
        is_log_name(&self.log)
            && self.lines.iter().all(ManifestLine::is_coherent)
            && rises(self.lines.iter().map(|line| line.leaf_index).collect())
            && rises(self.amendments.iter().map(|line| line.leaf_index).collect())
    }
}

/// Computes the RFC 6962 root over the canonical JSON of each open acceptance's line, in the order
/// given (by leaf index).
///
/// # Errors
///
/// [`StatementError::Inconsistent`] if a line cannot be written.
pub fn open_root<'l>(
    open: impl IntoIterator<Item = &'l ManifestLine>,
) -> Result<Digest, StatementError> {
    let leaves: Result<Vec<_>, StatementError> = open
        .into_iter()
        .map(|line| canonical(line).map(|bytes| quittance_tlog::leaf_hash(&bytes)))
        .collect();
    Ok(Digest::new(*quittance_tlog::tree_root(&leaves?).as_bytes()))
}

/// One acceptance in a day's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestLine {
    /// The acceptance's leaf.
    pub leaf_index: u64,
    /// What was asked.
    pub right: Right,
    /// The law.
    pub regime: Slug,
    /// When it was accepted.
    pub accepted_at: Minute,
    /// When an answer is due, extension included.
    pub due_at: Minute,
    /// The outcome's leaf; none while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_leaf: Option<u64>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why it was denied, when it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// When the person was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responded_at: Option<Minute>,
}

impl ManifestLine {
    /// Whether the acceptance has no outcome yet.
    pub const fn is_open(&self) -> bool {
        self.outcome_leaf.is_none()
    }

    /// Whether it has all of an ending or nothing of one.
    const fn is_coherent(&self) -> bool {
        let parts = (self.outcome_leaf, self.outcome, self.responded_at);
        match parts {
            (None, None, None) => self.reason.is_none(),
            (Some(leaf), Some(_), Some(_)) => leaf > self.leaf_index,
            _ => false,
        }
    }
}

/// One correction in a day's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmendedLine {
    /// The amendment's leaf.
    pub leaf_index: u64,
    /// The leaf that it corrects.
    pub supersedes: u64,
    /// How the request has ended according to it.
    pub outcome: Outcome,
}
