//! Keeping the account of all acceptances: what a day's manifest says, from what the log's leaves say.
//!
//! The controller's side. Whether an account holds, anybody can find out from the public log alone:
//! that is [`crate::audit`]. Invariant: a [`Book`] after a day is a function of the book before and the
//! leaves since, so that whoever writes a day's manifest writes the same lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{LeafId, RequestId};
use crate::receipt::{
    AmendedLine, Code, ManifestLine, Minute, Slug, Statement, StatementError, open_root,
};
use crate::request::{Outcome, Right};

/// What one leaf says, as far as an account needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fact {
    /// A request was accepted.
    Acceptance {
        /// What was asked.
        right: Right,
        /// The law.
        regime: Slug,
        /// When.
        accepted_at: Minute,
        /// When an answer is due.
        due_at: Minute,
    },
    /// What became of it.
    Outcome {
        /// The acceptance's leaf.
        acceptance: u64,
        /// The law.
        regime: Slug,
        /// When an answer was due, extension included.
        due_at: Minute,
        /// How it ended.
        outcome: Outcome,
        /// Why it was denied, when it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Code>,
        /// When the person was answered.
        responded_at: Minute,
    },
    /// A correction.
    Amendment {
        /// The leaf that it corrects.
        supersedes: u64,
        /// How the request has ended according to it.
        outcome: Outcome,
    },
    /// A day's account.
    Manifest,
}

impl Fact {
    /// Reads a statement.
    pub fn of(statement: &Statement) -> Self {
        match statement {
            Statement::Acceptance(_, says) => Self::Acceptance {
                right: says.right,
                regime: says.regime.id.clone(),
                accepted_at: says.accepted_at,
                due_at: says.due_at,
            },
            Statement::Receipt(_, says) => Self::Outcome {
                acceptance: says.acceptance.leaf_index,
                regime: says.regime.id.clone(),
                due_at: says.extended_to.unwrap_or(says.due_at),
                outcome: says.outcome,
                reason: says.reason.clone(),
                responded_at: says.responded_at,
            },
            Statement::Amendment(_, says) => Self::Amendment {
                supersedes: says.supersedes.unwrap_or(0),
                outcome: says.outcome,
            },
            Statement::Manifest(_) => Self::Manifest,
        }
    }
}

/// One entry of the log: whose, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which leaf.
    pub id: LeafId,
    /// What it says.
    pub says: Fact,
}

/// What is open after the manifests so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// How many leaves are accounted for.
    pub size: u64,
    /// The open acceptances, by leaf index.
    pub open: Vec<OpenCase>,
}

/// An open acceptance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCase {
    /// The request: inside only, never in a manifest.
    pub request: RequestId,
    /// What the manifests said last.
    pub line: ManifestLine,
}

/// What a manifest says, and the book after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    /// The book after it.
    pub book: Book,
    /// What is new about acceptances.
    pub lines: Vec<ManifestLine>,
    /// Corrections.
    pub amendments: Vec<AmendedLine>,
}

impl Book {
    /// Takes in the entries that follow, which begin at [`Self::size`], and the due dates of open
    /// requests as they are now.
    #[must_use]
    pub fn advance<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e Entry>,
        due: &BTreeMap<RequestId, Minute>,
    ) -> Advanced {
        let mut open: BTreeMap<u64, OpenCase> = self
            .open
            .iter()
            .map(|case| (case.line.leaf_index, case.clone()))
            .collect();
        let mut lines = BTreeMap::new();
        let mut amendments = Vec::new();
        let mut size = self.size;
        for entry in entries {
            take_in(entry, size, &mut open, &mut lines, &mut amendments);
            size += 1;
        }
        for (index, case) in &mut open {
            if let Some(due_at) = due.get(&case.request).filter(|at| **at != case.line.due_at) {
                case.line.due_at = *due_at;
                lines.insert(*index, case.line.clone());
            }
        }
        Advanced {
            book: Self {
                size,
                open: open.into_values().collect(),
            },
            lines: lines.into_values().collect(),
            amendments,
        }
    }

    /// Returns the root over what is open.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if a line cannot be written.
    pub fn open_root(&self) -> Result<Digest, StatementError> {
        open_root(self.open.iter().map(|case| &case.line))
    }
}

fn take_in(
    entry: &Entry,
    leaf_index: u64,
    open: &mut BTreeMap<u64, OpenCase>,
    lines: &mut BTreeMap<u64, ManifestLine>,
    amendments: &mut Vec<AmendedLine>,
) {
    match (&entry.says, entry.id.request()) {
        (
            Fact::Acceptance {
                right,
                regime,
                accepted_at,
                due_at,
            },
            Some(request),
        ) => {
            let line = ManifestLine {
                leaf_index,
                right: *right,
                regime: regime.clone(),
                accepted_at: *accepted_at,
                due_at: *due_at,
                outcome_leaf: None,
                outcome: None,
                reason: None,
                responded_at: None,
            };
            lines.insert(leaf_index, line.clone());
            open.insert(leaf_index, OpenCase { request, line });
        }
        (
            Fact::Outcome {
                acceptance,
                regime,
                due_at,
                outcome,
                reason,
                responded_at,
            },
            _,
        ) => {
            // An outcome without its acceptance stays unaccounted for, and an audit says so.
            if let Some(case) = open.remove(acceptance) {
                let line = ManifestLine {
                    regime: regime.clone(),
                    due_at: *due_at,
                    outcome_leaf: Some(leaf_index),
                    outcome: Some(*outcome),
                    reason: reason.clone(),
                    responded_at: Some(*responded_at),
                    ..case.line
                };
                lines.insert(*acceptance, line);
            }
        }
        (
            Fact::Amendment {
                supersedes,
                outcome,
            },
            _,
        ) => amendments.push(AmendedLine {
            leaf_index,
            supersedes: *supersedes,
            outcome: *outcome,
        }),
        (Fact::Manifest, _) | (Fact::Acceptance { .. }, None) => {}
    }
}
