//! The public halves of the signer's two keys, parsed.

use quittance_core::fault::Fault;
use quittance_core::receipt::{ReceiptKey, is_log_name};
use quittance_tlog::{Checkpoint, VerifierKey};

use crate::ports::Signer;

/// What the sequencer verifies its own work with.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) statement: ReceiptKey,
    pub(super) log: VerifierKey,
}

impl Keys {
    /// Parses the signer's keys.
    ///
    /// # Errors
    /// `Fault::Reject` when they are not of the right kinds, the log's key is another log's, or no
    /// receipt could name the log.
    pub(super) fn of(signer: &dyn Signer, origin: &str) -> Result<Self, Fault> {
        if !is_log_name(origin) {
            return Err(Fault::reject(
                "log: its name must be 1 to 128 of A-Z a-z 0-9 . _ : / -",
            ));
        }
        let statement = ReceiptKey::from_spki_pem(signer.statement_key_pem())
            .map_err(|error| Fault::reject(format!("statement key: {error}")))?;
        let log = VerifierKey::parse(signer.log_vkey())
            .map_err(|error| Fault::reject(format!("log key: {error}")))?;
        if log.name() == origin {
            Ok(Self { statement, log })
        } else {
            Err(Fault::reject(format!(
                "log: the key is {}'s, not {origin}'s",
                log.name()
            )))
        }
    }

    /// Parses a checkpoint that this log must have signed.
    ///
    /// # Errors
    /// `Fault::Reject` when it did not.
    pub(super) fn open(&self, bytes: &[u8]) -> Result<Checkpoint, Fault> {
        Checkpoint::open(bytes, &self.log)
            .map(|(checkpoint, _)| checkpoint)
            .map_err(|error| Fault::reject(format!("log: halted: checkpoint: {error}")))
    }
}
