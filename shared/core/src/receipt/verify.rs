//! Verifying a receipt file against a policy, offline, check by check.
//!
//! Every check has a name that never changes and says in one line what was found and, where somebody
//! can do something about it, what. A receipt counts only if all of them pass; one that could not be
//! made because an earlier one failed is *not run*. Nothing here panics, whatever the bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quittance_tlog::{NoteError, Opened, PolicyError, TlogProof, VerifierKey, leaf_hash};

use super::commands::verify_commands;
use super::dsse::{OpenedEnvelope, ReceiptKey, pae};
use super::file::{ReceiptFile, embedded_policy};
use super::leaf::entry_bytes;
use super::policy::Policy;
use super::statement::{MAX_NUMBER, Statement};
use super::words::is_log_name;
use crate::digest::Digest;

mod report;

use self::report::Checks;
pub use self::report::{CheckLine, CheckName, CheckVerdict, Report, Summary, Trust};

/// Verifies the bytes of a receipt file against a policy that the caller trusts.
pub fn verify(bytes: &[u8], policy: &Policy) -> Report {
    match ReceiptFile::parse(bytes) {
        Ok(file) => check(&file, policy, Trust::Policy),
        Err(error) => refused(error.to_string(), Trust::Policy),
    }
}

/// Verifies the bytes of a receipt file against the keys inside it: that shows whether the file agrees
/// with itself, and not whose it is.
pub fn verify_embedded(bytes: &[u8]) -> Report {
    let file = match ReceiptFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => return refused(error.to_string(), Trust::Embedded),
    };
    match file.embedded_policy() {
        Ok(policy) => check(&file, &policy, Trust::Embedded),
        Err(_) => refused("the file holds no usable keys".to_owned(), Trust::Embedded),
    }
}

/// Whether this could be the name of a receipt's log; anything else is not worth showing.
fn shown(name: &str) -> &str {
    if is_log_name(name) {
        name
    } else {
        "another log"
    }
}

/// A report about a file that could not be read.
fn refused(why: String, trust: Trust) -> Report {
    let mut checks = Checks::default();
    checks.add(CheckName::Canonical, Err(why));
    checks.finish(trust, None)
}

fn check(file: &ReceiptFile, policy: &Policy, trust: Trust) -> Report {
    let mut run = Run {
        checks: Checks::default(),
        policy,
        trust,
    };
    run.passed(
        CheckName::Canonical,
        "the file is canonical, with exactly the known keys",
    );
    let opened = file.dsse.opened().ok();
    let statement = run.statement(opened.as_ref());
    let signer = run.signature(opened.as_ref());
    let is_leaf_right = run.leaf(file, opened.as_ref(), signer);
    let proof = run.inclusion(file, is_leaf_right);
    let checkpoint = run.checkpoint(proof.as_ref());
    run.quorum(checkpoint.as_ref());
    run.embedded_keys(file, signer, proof.as_ref(), checkpoint.as_ref());
    run.commands(file, statement.as_ref());
    run.acceptance(statement.as_ref(), proof.as_ref(), checkpoint.as_ref());
    let summary = match (statement, proof, checkpoint) {
        (Some(statement), Some(proof), Some(checkpoint)) => {
            Some(Summary::of(statement, &proof, checkpoint))
        }
        _ => None,
    };
    run.checks.finish(trust, summary)
}

/// The checks of one file.
struct Run<'p> {
    checks: Checks,
    policy: &'p Policy,
    trust: Trust,
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
            let found = self.stranger(opened.keyid);
            self.add(CheckName::Signature, Err(found));
            return None;
        };
        match signer.key.verify(&pae(&opened.payload), &opened.signature) {
            Ok(()) => {
                let found = match self.trust {
                    Trust::Policy => format!("signed by the policy's signer {}", signer.name),
                    Trust::Embedded => "signed by the file's own key".to_owned(),
                };
                self.add(CheckName::Signature, Ok(found));
                Some(&signer.key)
            }
            Err(error) => {
                self.add(CheckName::Signature, Err(error.to_string()));
                None
            }
        }
    }

    /// What to say of a key id that no signer has.
    fn stranger(&self, keyid: &str) -> String {
        if Digest::parse(keyid).is_none() {
            return "the key id is not 64 hex digits".to_owned();
        }
        match self.trust {
            Trust::Policy => format!(
                "no signer of the policy has the key id {keyid}: is this the policy of the \
                 receipt's controller?"
            ),
            Trust::Embedded => "the file's own key is not the one that it names".to_owned(),
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
        let proof = match TlogProof::parse(&file.tlog_proof) {
            Ok(proof) => proof,
            Err(error) => {
                let found = format!("not a proof of the format c2sp.org/tlog-proof@v1: {error}");
                self.add(CheckName::Inclusion, Err(found));
                return None;
            }
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
            // The index is below the size.
            Ok(checkpoint) if checkpoint.size() > MAX_NUMBER => {
                self.failed(
                    CheckName::Inclusion,
                    "the proof has a number above 2^53 - 1",
                );
                return None;
            }
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
                let name = shown(opened.log.name());
                let found = match self.trust {
                    Trust::Policy => format!("signed by the policy's log {name}"),
                    Trust::Embedded => format!("signed by the file's own key for the log {name}"),
                };
                self.add(CheckName::Checkpoint, Ok(found));
                Some(opened)
            }
            Err(PolicyError::Note(NoteError::NoKnownSignature)) => {
                let found = self.other_log(proof);
                self.add(CheckName::Checkpoint, Err(found));
                None
            }
            Err(error) => {
                self.add(CheckName::Checkpoint, Err(error.to_string()));
                None
            }
        }
    }

    /// What to say of a checkpoint that no log of the policy signed.
    fn other_log(&self, proof: &TlogProof) -> String {
        let origin = proof.checkpoint.text().lines().next().unwrap_or_default();
        let logs = self.policy.log_policy().logs();
        let names: Vec<&str> = logs.iter().map(VerifierKey::name).map(shown).collect();
        if names.is_empty() {
            "the policy names no log".to_owned()
        } else if names.contains(&origin) {
            format!("the checkpoint is not signed with the policy's key of the log {origin}")
        } else {
            format!(
                "the receipt is of the log {}, the policy of {}: take the policy of the \
                 receipt's controller",
                shown(origin),
                names.join(", ")
            )
        }
    }

    fn quorum(&mut self, opened: Option<&Opened>) {
        let Some(opened) = opened else {
            self.not_run(CheckName::Policy);
            return;
        };
        if self.policy.log_policy().is_quorum(opened) {
            let found = match (self.trust, opened.cosigned.len()) {
                (Trust::Policy, 0) => "the policy asks for no witness".to_owned(),
                (Trust::Policy, n) => {
                    format!("cosigned by {n} of the policy's witnesses, as it asks")
                }
                (Trust::Embedded, 0) => "the file names no witness".to_owned(),
                (Trust::Embedded, n) => format!("cosigned by {n} keys that the file itself names"),
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
        self.checks.add(name, found);
    }

    fn not_run(&mut self, name: CheckName) {
        self.checks.not_run(name);
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
