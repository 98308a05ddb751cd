//! Verifying a receipt file against a policy, offline, check by check.
//!
//! Every check has a name that never changes and says in one line what was found. A receipt counts
//! only if all of them pass; one that could not be made because an earlier one failed is *not run*.
//! Nothing here panics, whatever the bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quittance_tlog::{Opened, TlogProof, VerifierKey, leaf_hash};
use serde::Serialize;

use super::commands::verify_commands;
use super::dsse::{OpenedEnvelope, ReceiptKey, pae};
use super::file::{ReceiptFile, embedded_policy};
use super::leaf::entry_bytes;
use super::policy::Policy;
use super::statement::{Kind, Statement};
use super::words::Minute;
use crate::request::{Outcome, Right};

/// Verifies the bytes of a receipt file against a policy that the caller trusts.
pub fn verify(bytes: &[u8], policy: &Policy) -> Report {
    let mut run = Run {
        checks: Vec::new(),
        policy,
    };
    let file = match ReceiptFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => {
            run.add(CheckName::Canonical, Err(error.to_string()));
            return run.finish(None);
        }
    };
    run.passed(
        CheckName::Canonical,
        "the file is canonical, with exactly the known keys",
    );
    let opened = file.dsse.opened().ok();
    let statement = run.statement(opened.as_ref());
    let signer = run.signature(opened.as_ref());
    let is_leaf_right = run.leaf(&file, opened.as_ref(), signer);
    let proof = run.inclusion(&file, is_leaf_right);
    let checkpoint = run.checkpoint(proof.as_ref());
    run.quorum(checkpoint.as_ref());
    run.embedded_keys(&file, signer, proof.as_ref(), checkpoint.as_ref());
    run.commands(&file, statement.as_ref());
    run.acceptance(statement.as_ref(), proof.as_ref(), checkpoint.as_ref());
    let summary = match (statement, proof, checkpoint) {
        (Some(statement), Some(proof), Some(checkpoint)) => {
            Some(Summary::of(statement, &proof, checkpoint))
        }
        _ => None,
    };
    run.finish(summary)
}

/// What verifying found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every check passed.
    pub ok: bool,
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
    /// Everything the statement says.
    #[serde(skip)]
    pub statement: Statement,
}

impl Summary {
    fn of(statement: Statement, proof: &TlogProof, opened: Opened) -> Self {
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
            statement: statement.clone(),
        };
        match statement {
            Statement::Acceptance(_, says) => {
                summary.controller = says.controller.name.to_string();
                summary.right = Some(says.right);
                summary.accepted_at = Some(says.accepted_at);
                summary.due_at = Some(says.due_at);
            }
            Statement::Receipt(_, says) | Statement::Amendment(_, says) => {
                summary.controller = says.controller.name.to_string();
                summary.right = Some(says.right);
                summary.outcome = Some(says.outcome);
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
struct Run<'p> {
    checks: Vec<CheckLine>,
    policy: &'p Policy,
}

impl<'p> Run<'p> {
    fn statement(&mut self, opened: Option<&OpenedEnvelope<'_>>) -> Option<Statement> {
        let Some(opened) = opened else {
            self.failed(
                CheckName::Statement,
                "the envelope is not one over an in-toto payload",
            );
            return None;
        };
        match Statement::parse(&opened.payload) {
            Ok(statement) => {
                let found = format!("a canonical statement of kind {}", statement.kind().name());
                self.add(CheckName::Statement, Ok(found));
                Some(statement)
            }
            Err(error) => {
                self.add(CheckName::Statement, Err(error.to_string()));
                None
            }
        }
    }

    fn signature(&mut self, opened: Option<&OpenedEnvelope<'_>>) -> Option<&'p ReceiptKey> {
        let Some(opened) = opened else {
            self.not_run(CheckName::Signature);
            return None;
        };
        let Some(signer) = self.policy.signer(opened.keyid) else {
            self.failed(
                CheckName::Signature,
                "no signer of the policy has this key id",
            );
            return None;
        };
        match signer.key.verify(&pae(&opened.payload), &opened.signature) {
            Ok(()) => {
                let found = format!("signed by the policy's signer {}", signer.name);
                self.add(CheckName::Signature, Ok(found));
                Some(&signer.key)
            }
            Err(error) => {
                self.add(CheckName::Signature, Err(error.to_string()));
                None
            }
        }
    }

    fn leaf(
        &mut self,
        file: &ReceiptFile,
        opened: Option<&OpenedEnvelope<'_>>,
        signer: Option<&ReceiptKey>,
    ) -> bool {
        let (Some(opened), Some(signer)) = (opened, signer) else {
            self.not_run(CheckName::Leaf);
            return false;
        };
        let expected = entry_bytes(&pae(&opened.payload), &opened.signature, signer);
        let agrees = expected.is_ok_and(|expected| STANDARD.encode(expected) == file.leaf);
        if agrees {
            self.passed(
                CheckName::Leaf,
                "the log entry is made from this statement and signature",
            );
        } else {
            self.failed(CheckName::Leaf, "the log entry is about something else");
        }
        agrees
    }

    fn inclusion(&mut self, file: &ReceiptFile, is_leaf_right: bool) -> Option<TlogProof> {
        let Ok(proof) = TlogProof::parse(&file.tlog_proof) else {
            self.failed(
                CheckName::Inclusion,
                "not a proof of the format c2sp.org/tlog-proof@v1",
            );
            return None;
        };
        if proof.extra.is_some() || proof.to_string() != file.tlog_proof {
            self.failed(
                CheckName::Inclusion,
                "the proof carries data that nothing authenticates",
            );
            return None;
        }
        if !is_leaf_right {
            self.not_run(CheckName::Inclusion);
            return Some(proof);
        }
        let leaf = STANDARD.decode(&file.leaf).unwrap_or_default();
        match proof.verify_inclusion(&leaf_hash(&leaf)) {
            Ok(checkpoint) => {
                let found = format!("entry {} of {}", proof.index, checkpoint.size());
                self.add(CheckName::Inclusion, Ok(found));
            }
            Err(error) => self.add(CheckName::Inclusion, Err(error.to_string())),
        }
        Some(proof)
    }

    fn checkpoint(&mut self, proof: Option<&TlogProof>) -> Option<Opened> {
        let Some(proof) = proof else {
            self.not_run(CheckName::Checkpoint);
            return None;
        };
        match self.policy.log_policy().open(&proof.checkpoint) {
            Ok(opened) => {
                let found = format!("signed by the policy's log {}", opened.log.name());
                self.add(CheckName::Checkpoint, Ok(found));
                Some(opened)
            }
            Err(error) => {
                self.add(CheckName::Checkpoint, Err(error.to_string()));
                None
            }
        }
    }

    fn quorum(&mut self, opened: Option<&Opened>) {
        let Some(opened) = opened else {
            self.not_run(CheckName::Policy);
            return;
        };
        if self.policy.log_policy().is_quorum(opened) {
            let found = match opened.cosigned.len() {
                0 => "the policy asks for no witness".to_owned(),
                n => format!("cosigned by {n} of the policy's witnesses, as it asks"),
            };
            self.add(CheckName::Policy, Ok(found));
        } else {
            self.failed(
                CheckName::Policy,
                "too few witnesses cosigned the checkpoint",
            );
        }
    }

    fn embedded_keys(
        &mut self,
        file: &ReceiptFile,
        signer: Option<&ReceiptKey>,
        proof: Option<&TlogProof>,
        opened: Option<&Opened>,
    ) {
        let (Some(signer), Some(proof), Some(opened)) = (signer, proof, opened) else {
            self.not_run(CheckName::EmbeddedKeys);
            return;
        };
        if is_policy_of_signatures(file, signer, proof, &opened.log) {
            let found = "the keys and policy inside the file are those of its signatures";
            self.passed(CheckName::EmbeddedKeys, found);
        } else {
            let found = "the keys or policy inside the file are not those of its signatures";
            self.failed(CheckName::EmbeddedKeys, found);
        }
    }

    fn commands(&mut self, file: &ReceiptFile, statement: Option<&Statement>) {
        match statement {
            None => self.not_run(CheckName::Commands),
            Some(statement) if file.verify == verify_commands(&statement.file_name()) => {
                self.passed(
                    CheckName::Commands,
                    "the commands inside the file are the known ones",
                );
            }
            Some(_) => {
                self.failed(
                    CheckName::Commands,
                    "the commands inside the file are not the known ones",
                );
            }
        }
    }

    fn acceptance(
        &mut self,
        statement: Option<&Statement>,
        proof: Option<&TlogProof>,
        opened: Option<&Opened>,
    ) {
        let (Some(statement), Some(proof), Some(opened)) = (statement, proof, opened) else {
            self.not_run(CheckName::Acceptance);
            return;
        };
        let result = match statement {
            Statement::Acceptance(..) => Ok("this is the acceptance itself"),
            Statement::Receipt(_, says) | Statement::Amendment(_, says) => {
                let head = says.acceptance.checkpoint;
                let root = opened.checkpoint.root();
                let is_own_head = head.size == opened.checkpoint.size();
                let is_possible = says.acceptance.leaf_index < head.size
                    && says.acceptance.leaf_index < proof.index
                    && says.supersedes.is_none_or(|leaf| leaf < proof.index)
                    && head.size <= opened.checkpoint.size()
                    && (!is_own_head || head.root.as_bytes() == root.as_bytes());
                is_possible
                    .then_some("the acceptance is named as an earlier entry of the log")
                    .ok_or("the acceptance named cannot be an earlier entry of the log")
            }
            Statement::Manifest(says) => {
                let is_possible =
                    says.checkpoint.size <= proof.index && says.log == opened.checkpoint.origin();
                is_possible
                    .then_some("the account covers an earlier head of this log")
                    .ok_or("the account is of another log or a later head")
            }
        };
        self.add(
            CheckName::Acceptance,
            result.map(str::to_owned).map_err(str::to_owned),
        );
    }

    fn passed(&mut self, name: CheckName, found: &str) {
        self.add(name, Ok(found.to_owned()));
    }

    fn failed(&mut self, name: CheckName, found: &str) {
        self.add(name, Err(found.to_owned()));
    }

    fn add(&mut self, name: CheckName, found: Result<String, String>) {
        let (verdict, explanation) = match found {
            Ok(explanation) => (CheckVerdict::Ok, explanation),
            Err(explanation) => (CheckVerdict::Failed, explanation),
        };
        self.checks.push(CheckLine {
            name,
            verdict,
            explanation,
        });
    }

    fn not_run(&mut self, name: CheckName) {
        let explanation = "not run, because an earlier check failed".to_owned();
        self.checks.push(CheckLine {
            name,
            verdict: CheckVerdict::NotRun,
            explanation,
        });
    }

    fn finish(mut self, summary: Option<Summary>) -> Report {
        for name in CheckName::ALL.into_iter().skip(self.checks.len()) {
            self.not_run(name);
        }
        let ok = self
            .checks
            .iter()
            .all(|check| check.verdict == CheckVerdict::Ok);
        Report {
            ok,
            checks: self.checks,
            summary: summary.filter(|_| ok),
        }
    }
}

/// Whether the file's keys and policy are made from the keys that signed: the log's line first, then
/// each witness of the embedded policy in its order, and no further line.
fn is_policy_of_signatures(
    file: &ReceiptFile,
    signer: &ReceiptKey,
    proof: &TlogProof,
    log: &VerifierKey,
) -> bool {
    let Ok(embedded) = file.embedded_policy() else {
        return false;
    };
    let witnesses: Vec<VerifierKey> = embedded
        .log_policy()
        .witnesses()
        .iter()
        .map(|witness| witness.key.clone())
        .collect();
    let lines = proof.checkpoint.signatures();
    let each_signed_its_line = lines.len() == 1 + witnesses.len()
        && std::iter::once(log)
            .chain(&witnesses)
            .zip(lines)
            .all(|(key, line)| key.made(line));
    // The comparisons come first: they are cheap, and the signatures are worth checking only then.
    each_signed_its_line
        && file.keys.log_vkey == log.to_string()
        && file.keys.signer_pem == signer.to_pem()
        && embedded_policy(log, &witnesses, signer).is_some_and(|text| text == file.policy)
        && embedded.log_policy().evaluate(&proof.checkpoint).is_ok()
}
