//! What verifying found: the checks by their names, and what the receipt says.
//!
//! How the checks are made is in [`super`]. Names and words in JSON never change.

use std::collections::BTreeMap;

use quittance_tlog::{Opened, TlogProof};
use serde::Serialize;

use crate::receipt::statement::{Kind, Statement};
use crate::receipt::words::Minute;
use crate::request::{Outcome, Right};

/// What verifying found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every check passed.
    pub ok: bool,
    /// Whose keys it was verified with.
    pub trust: Trust,
    /// The checks, always all of them, in this order.
    pub checks: Vec<CheckLine>,
    /// What the receipt says; only if every check passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

impl Report {
    /// Returns the first check that failed.
    pub fn failed(&self) -> Option<&CheckLine> {
        self.checks
            .iter()
            .find(|check| check.verdict == CheckVerdict::Failed)
    }
}

/// Whose keys a receipt is verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The file's own: this shows that it agrees with itself, and nothing else.
    Embedded,
    /// Those of a policy that the caller trusts.
    Policy,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckLine {
    /// Which.
    pub name: CheckName,
    /// What came of it.
    pub verdict: CheckVerdict,
    /// One line for people.
    pub explanation: String,
}

/// The checks, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// The file is canonical JSON with exactly the known keys.
    Canonical,
    /// The payload is a canonical statement of a known type.
    Statement,
    /// A signer of the policy signed it.
    Signature,
    /// The log entry is the one of this statement, signature and key.
    Leaf,
    /// The entry is in the tree of the checkpoint.
    Inclusion,
    /// A log of the policy signed the checkpoint.
    Checkpoint,
    /// Enough witnesses of the policy cosigned it.
    Policy,
    /// The keys and policy inside the file are those of its signatures.
    EmbeddedKeys,
    /// The commands inside the file are the known ones.
    Commands,
    /// The link back to the acceptance is possible.
    Acceptance,
}

impl CheckName {
    /// All checks, in order.
    pub const ALL: [Self; 10] = [
        Self::Canonical,
        Self::Statement,
        Self::Signature,
        Self::Leaf,
        Self::Inclusion,
        Self::Checkpoint,
        Self::Policy,
        Self::EmbeddedKeys,
        Self::Commands,
        Self::Acceptance,
    ];

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Canonical => "canonical",
            Self::Statement => "statement",
            Self::Signature => "signature",
            Self::Leaf => "leaf",
            Self::Inclusion => "inclusion",
            Self::Checkpoint => "checkpoint",
            Self::Policy => "policy",
            Self::EmbeddedKeys => "embedded_keys",
            Self::Commands => "commands",
            Self::Acceptance => "acceptance",
        }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// It passed.
    Ok,
    /// It did not pass.
    Failed,
    /// It could not be made, because an earlier one failed.
    NotRun,
}

/// What a receipt says, for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The kind of statement.
    pub kind: Kind,
    /// The request's reference; none for a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Who answers for the data.
    pub controller: String,
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Minute>,
    /// When an answer was due, extension included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Minute>,
    /// When the person was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responded_at: Option<Minute>,
    /// The log's name.
    pub log: String,
    /// The entry's index in the log.
    pub leaf_index: u64,
    /// How many entries the log had.
    pub tree_size: u64,
    /// The witnesses that cosigned, by the policy's names, and when (seconds since 1970).
    pub witnesses: BTreeMap<String, u64>,
    /// How many people it is for, if it is a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// Everything the statement says.
    #[serde(skip)]
    pub statement: Statement,
}

impl Summary {
    pub(super) fn of(statement: Statement, proof: &TlogProof, opened: Opened) -> Self {
        let mut summary = Self {
            kind: statement.kind(),
            reference: statement.request().map(|id| id.reference().to_string()),
            controller: String::new(),
            right: None,
            outcome: None,
            accepted_at: None,
            due_at: None,
            responded_at: None,
            log: opened.log.name().to_owned(),
            leaf_index: proof.index,
            tree_size: opened.checkpoint.size(),
            witnesses: opened.cosigned,
            members: None,
            statement: statement.clone(),
        };
        match statement {
            Statement::Acceptance(_, says) => {
                summary.controller = says.controller.name.to_string();
                summary.right = Some(says.right);
                summary.members = says.members;
                summary.accepted_at = Some(says.accepted_at);
                summary.due_at = Some(says.due_at);
            }
            Statement::Receipt(_, says) | Statement::Amendment(_, says) => {
                summary.controller = says.controller.name.to_string();
                summary.right = Some(says.right);
                summary.outcome = Some(says.outcome);
                summary.members = says.members.map(|members| members.count);
                summary.accepted_at = Some(says.accepted_at);
                summary.due_at = Some(says.extended_to.unwrap_or(says.due_at));
                summary.responded_at = Some(says.responded_at);
            }
            Statement::Manifest(says) => summary.controller = says.controller.name.to_string(),
        }
        summary
    }
}

/// The checks made so far.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<CheckLine>);

impl Checks {
    pub(super) fn add(&mut self, name: CheckName, found: Result<String, String>) {
        let (verdict, explanation) = match found {
            Ok(explanation) => (CheckVerdict::Ok, explanation),
            Err(explanation) => (CheckVerdict::Failed, explanation),
        };
        self.0.push(CheckLine {
            name,
            verdict,
            explanation,
        });
    }

    pub(super) fn not_run(&mut self, name: CheckName) {
        self.0.push(CheckLine {
            name,
            verdict: CheckVerdict::NotRun,
            explanation: "not made, because an earlier check failed".to_owned(),
        });
    }

    pub(super) fn finish(mut self, trust: Trust, summary: Option<Summary>) -> Report {
        for name in CheckName::ALL.into_iter().skip(self.0.len()) {
            self.not_run(name);
        }
        let ok = self.0.iter().all(|check| check.verdict == CheckVerdict::Ok);
        Report {
            ok,
            trust,
            checks: self.0,
            summary: summary.filter(|_| ok),
        }
    }
}
