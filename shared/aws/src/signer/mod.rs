//! The two keys of the receipts function, one for statements and one for the log's checkpoints; and a
//! witness's.
//!
//! [`FileSigner`] keeps them in files that only their owner may read, [`KmsSigner`] in KMS, where
//! nobody may read them. Only the receipts function holds a signer.

mod file;
mod kms;

use ed25519_dalek::VerifyingKey;
use quittance_tlog::note::{KeyKind, VerifierKey};

use crate::files::SecretFileError;
pub use file::{FileCosigner, FileSigner};
pub use kms::{KmsCosigner, KmsSigner};

/// Why a signer cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// A key file cannot be used.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// KMS does not give a public key.
    #[error("the public key {key} cannot be had: {fault}")]
    Kms {
        /// Which key.
        key: String,
        /// Why.
        fault: quittance_core::fault::Fault,
    },
    /// The key is of another kind.
    #[error("the key {key} is not {expected}")]
    Kind {
        /// Which key.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The log's name cannot stand in a verifier key.
    #[error("{0} cannot be a log's or witness's name: no blanks, no `+`")]
    Origin(String),
}

fn vkey(origin: &str, kind: KeyKind, key: &VerifyingKey) -> Result<String, SignerError> {
    VerifierKey::new(origin, kind, key.as_bytes())
        .map(|vkey| vkey.to_string())
        .map_err(|_| SignerError::Origin(origin.to_owned()))
}
