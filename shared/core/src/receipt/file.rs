//! The receipt file: one canonical JSON object that needs no network to verify.
//!
//! Everything in it that is not signed or hashed is a function of what is, and a verifier makes it
//! again: the embedded policy asks for exactly the signatures that the checkpoint carries, and the
//! commands depend on the file's name only. Whether to believe the file is [`mod@super::verify`]'s.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quittance_tlog::{KeyKind, TlogProof, VerifierKey};
use serde::{Deserialize, Serialize};

use super::commands::verify_commands;
use super::dsse::{Envelope, ReceiptKey};
use super::leaf::leaf_bytes;
use super::policy::{Policy, PolicySigner, policy_text};
use super::statement::Statement;
use super::verify::verify;
use super::words::{Slug, is_log_name};

/// The receipt file as parsed; nothing of it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFile {
    version: u64,
    pub(super) dsse: Envelope,
    pub(super) leaf: String,
    pub(super) tlog_proof: String,
    pub(super) policy: String,
    pub(super) keys: EmbeddedKeys,
    pub(super) verify: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmbeddedKeys {
    pub(super) log_vkey: String,
    pub(super) signer_pem: String,
}

impl ReceiptFile {
    /// Builds the file's bytes and verifies them before giving them out. `proof` must carry the log's
    /// signature first, then one line per witness in the order of `witnesses`, and nothing else.
    ///
    /// # Errors
    ///
    /// [`FileError::Refused`] if the parts do not make a receipt that verifies.
    pub fn build(
        envelope: &Envelope,
        signer: &ReceiptKey,
        log: &VerifierKey,
        witnesses: &[VerifierKey],
        proof: &TlogProof,
    ) -> Result<Vec<u8>, FileError> {
        let refused = |check: &str| FileError::Refused(check.to_owned());
        let opened = envelope.opened().map_err(|_| refused("signature"))?;
        let statement = Statement::parse(&opened.payload).map_err(|_| refused("statement"))?;
        let leaf = leaf_bytes(envelope, signer).map_err(|_| refused("leaf"))?;
        let policy = embedded_policy(log, witnesses, signer).ok_or_else(|| refused("policy"))?;
        let file = Self {
            version: VERSION,
            dsse: envelope.clone(),
            leaf: STANDARD.encode(leaf),
            tlog_proof: proof.to_string(),
            policy,
            keys: EmbeddedKeys {
                log_vkey: log.to_string(),
                signer_pem: signer.to_pem(),
            },
            verify: verify_commands(&statement.file_name()),
        };
        let bytes = file.to_canonical_bytes()?;
        let policy = file.embedded_policy().map_err(|_| refused("policy"))?;
        let report = verify(&bytes, &policy);
        match report.failed() {
            None => Ok(bytes),
            Some(check) => Err(refused(check.name.code())),
        }
    }

    /// Parses the canonical bytes of a receipt file, at most [`MAX_FILE_BYTES`].
    ///
    /// # Errors
    ///
    /// [`FileError::Empty`], [`FileError::TooLong`], [`FileError::NotJson`], [`FileError::Version`] if it
    /// is of a version that is not known here, [`FileError::Malformed`] if it has not exactly the known
    /// keys, [`FileError::NotCanonical`] if it is written in another way.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.is_empty() {
            return Err(FileError::Empty);
        }
        if bytes.len() > MAX_FILE_BYTES {
            return Err(FileError::TooLong);
        }
        let file: Self = serde_json::from_slice(bytes).map_err(|_| Self::fault(bytes))?;
        if file.version != VERSION {
            return Err(FileError::Version(file.version));
        }
        if file.to_canonical_bytes()? == bytes {
            Ok(file)
        } else {
            Err(FileError::NotCanonical)
        }
    }

    /// Says why bytes are not a receipt file.
    fn fault(bytes: &[u8]) -> FileError {
        match serde_json::from_slice(bytes) {
            Ok(AnyVersion { version }) if version != VERSION => FileError::Version(version),
            Ok(_) => FileError::Malformed,
            Err(error) if error.is_data() => FileError::Malformed,
            Err(_) => FileError::NotJson,
        }
    }

    /// Parses the policy inside the file: who trusts it trusts whoever gave them the file.
    ///
    /// # Errors
    ///
    /// [`super::policy::PolicyError`] if it is not a policy.
    pub fn embedded_policy(&self) -> Result<Policy, super::policy::PolicyError> {
        Policy::parse(&self.policy)
    }

    /// Returns the statement inside the file, believed by nobody yet; none if it is none.
    pub fn statement(&self) -> Option<Statement> {
        Statement::parse(&self.dsse.opened().ok()?.payload).ok()
    }

    /// Returns the envelope inside the file.
    pub const fn envelope(&self) -> &Envelope {
        &self.dsse
    }

    /// Returns the exact bytes of the log entry; none if they are not Base64.
    pub fn entry(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.leaf).ok()
    }

    /// Returns the proof; none if it is none.
    pub fn proof(&self) -> Option<TlogProof> {
        TlogProof::parse(&self.tlog_proof).ok()
    }

    /// Returns the shell commands inside the file.
    pub fn commands(&self) -> &str {
        &self.verify
    }

    fn to_canonical_bytes(&self) -> Result<Vec<u8>, FileError> {
        serde_json_canonicalizer::to_vec(self).map_err(|_| FileError::Malformed)
    }
}

/// Writes the policy that a file with these keys carries; `None` if the keys do not make one, the log's
/// name could not stand in the shell commands, or a witness is not of the one kind that files carry.
pub(super) fn embedded_policy(
    log: &VerifierKey,
    witnesses: &[VerifierKey],
    signer: &ReceiptKey,
) -> Option<String> {
    let is_carried = |witness: &VerifierKey| witness.kind() == KeyKind::CosignatureV1;
    if !is_log_name(log.name()) || !witnesses.iter().all(is_carried) {
        return None;
    }
    let signer = PolicySigner {
        name: Slug::parse(EMBEDDED_SIGNER)?,
        key: signer.clone(),
    };
    policy_text(log, witnesses, &[signer]).ok()
}

/// What a receipt of any version has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

/// Why a file was not built or parsed; in words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// No bytes at all.
    #[error("the file is empty: fetch it again")]
    Empty,
    /// JSON, but not with exactly the keys of a receipt file.
    #[error("this is not a receipt file: it has not exactly the members of one")]
    Malformed,
    /// Written in another way than the canonical one.
    #[error(
        "the file was saved again, with other line ends, blanks or order: fetch it again, unchanged"
    )]
    NotCanonical,
    /// Not JSON, or only its beginning.
    #[error("the file is not JSON: it is no receipt, or was cut off: fetch it again")]
    NotJson,
    /// The parts do not make a receipt that verifies; the first check that failed.
    #[error("the parts do not make a receipt that verifies: {0}")]
    Refused(String),
    /// Too long.
    #[error("the file is longer than a receipt can be ({MAX_FILE_BYTES} bytes)")]
    TooLong,
    /// Of another version.
    #[error(
        "this is a receipt of version {0}, and only version {VERSION} is known here: get a newer dsr"
    )]
    Version(u64),
}

/// The media type of a receipt file.
pub const MEDIA_TYPE: &str = "application/vnd.quittance.receipt+json";
/// The longest file that is parsed.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;
const VERSION: u64 = 1;
const EMBEDDED_SIGNER: &str = "receipts";
