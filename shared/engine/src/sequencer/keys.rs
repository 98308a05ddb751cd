//! The public halves of the log's keys, parsed: the two that sign, and those that did before.
//!
//! A key is changed by telling the sequencer another one to sign with and this one as earlier
//! (`docs/adr/0014-changing-keys.md`). What an earlier key signed stays good, wherever it is met; the
//! only way to sign is the [`Signer`]'s, and it has the present keys alone.

use data_encoding::BASE64;
use quittance_core::fault::Fault;
use quittance_core::receipt::{Envelope, ReceiptKey, is_log_name};
use quittance_tlog::{Checkpoint, KeyKind, Note, VerifierKey};

use super::Config;
use crate::ports::Signer;

/// Keys that verify and do not sign: those of before a change, and, while one is being prepared, those of
/// after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlierKeys {
    statements: Vec<ReceiptKey>,
    logs: Vec<VerifierKey>,
}

impl EarlierKeys {
    /// Parses both lists, in words between blanks: statement keys as in a policy's line (`SubjectPublicKeyInfo`
    /// DER in Base64), log keys as vkeys of the log's name.
    ///
    /// # Errors
    /// `Fault::Reject` when a word is no such key.
    pub fn parse(statement_keys: &str, log_vkeys: &str) -> Result<Self, Fault> {
        let statement = |(n, text): (usize, &str)| {
            let der = BASE64.decode(text.as_bytes()).ok();
            let key = der.and_then(|der| ReceiptKey::from_spki_der(&der).ok());
            key.ok_or_else(|| {
                let n = n + 1;
                Fault::reject(format!(
                    "earlier statement key {n}: not an ECDSA P-256 key, SPKI DER in Base64"
                ))
            })
        };
        let log = |(n, text): (usize, &str)| {
            let key = VerifierKey::parse(text).ok();
            let key = key.filter(|key| key.kind() == KeyKind::Ed25519);
            key.ok_or_else(|| Fault::reject(format!("earlier log key {}: no vkey of a log", n + 1)))
        };
        let words = |text| str::split_whitespace(text).enumerate();
        Ok(Self {
            statements: words(statement_keys)
                .map(statement)
                .collect::<Result<_, _>>()?,
            logs: words(log_vkeys).map(log).collect::<Result<_, _>>()?,
        })
    }

    /// Returns the statement keys.
    pub fn statements(&self) -> &[ReceiptKey] {
        &self.statements
    }

    /// Returns the log's keys.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }
}

/// What the sequencer verifies its own work with.
#[derive(Debug)]
pub(super) struct Keys {
    /// What is signed from now on is signed with this one.
    pub(super) statement: ReceiptKey,
    /// So are checkpoints.
    pub(super) log: VerifierKey,
    /// And with this one beside it, if there is one.
    pub(super) post_quantum: Option<VerifierKey>,
    /// With the earlier ones.
    statements: Vec<ReceiptKey>,
    logs: Vec<VerifierKey>,
}

/// A checkpoint of this log, and which of its keys signed it.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) checkpoint: Checkpoint,
    pub(super) note: Note,
    pub(super) log: VerifierKey,
}

impl Keys {
    /// Parses the signer's keys, and puts the earlier ones beside them.
    ///
    /// # Errors
    /// `Fault::Reject` when they are not of the right kinds, the log's key is another log's, or no
    /// receipt could name the log.
    pub(super) fn of(signer: &dyn Signer, config: &Config) -> Result<Self, Fault> {
        let origin = &config.origin;
        if !is_log_name(origin) {
            return Err(Fault::reject(
                "log: its name must be 1 to 128 of A-Z a-z 0-9 . _ : / -",
            ));
        }
        let statement = ReceiptKey::from_spki_pem(signer.statement_key_pem())
            .map_err(|error| Fault::reject(format!("statement key: {error}")))?;
        let log = VerifierKey::parse(signer.log_vkey())
            .map_err(|error| Fault::reject(format!("log key: {error}")))?;
        let is_other = |key: &&VerifierKey| key.name() != origin;
        if let Some(other) = std::iter::once(&log)
            .chain(config.earlier.logs())
            .find(is_other)
        {
            return Err(Fault::reject(format!(
                "log: the key is {}'s, not {origin}'s",
                other.name()
            )));
        }
        let post_quantum = match signer.post_quantum_vkey() {
            None => None,
            Some(vkey) => {
                let key = VerifierKey::parse(vkey).ok();
                let is_right = |key: &VerifierKey| {
                    key.kind() == KeyKind::CosignatureMlDsa44 && key.name() == origin
                };
                let wrong = || Fault::reject("post-quantum key: no ML-DSA-44 vkey of this log");
                Some(key.filter(is_right).ok_or_else(wrong)?)
            }
        };
        let statements = std::iter::once(&statement).chain(config.earlier.statements());
        let logs = std::iter::once(&log).chain(config.earlier.logs());
        Ok(Self {
            statements: statements.cloned().collect(),
            logs: logs.cloned().collect(),
            statement,
            log,
            post_quantum,
        })
    }

    /// Opens a checkpoint that this log must have signed, with whichever of its keys.
    ///
    /// # Errors
    /// `Fault::Reject` when it did not. An old process meets that, too, while a new one signs with a key
    /// that the old one was never told: it stops, and has written nothing.
    pub(super) fn open(&self, bytes: &[u8]) -> Result<Signed, Fault> {
        let (checkpoint, note, log) = Checkpoint::open_any(bytes, &self.logs)
            .map_err(|error| Fault::reject(format!("log: halted: checkpoint: {error}")))?;
        Ok(Signed {
            checkpoint,
            note,
            log: log.clone(),
        })
    }

    /// Finds the key that an envelope says it is signed with; whether it did is another question.
    pub(super) fn signer_of(&self, envelope: &Envelope) -> Option<&ReceiptKey> {
        let opened = envelope.opened().ok()?;
        self.statements.iter().find(|key| key.id() == opened.keyid)
    }
}
