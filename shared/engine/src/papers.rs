//! A request's papers: what intake deposits in the vault, and nobody keeps anywhere else.

use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_core::subject::Identifiers;
use serde::{Deserialize, Serialize};

use crate::ports::Vault;
use crate::vault::PAPERS;

/// Identifiers and secrets of one request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Papers {
    /// Format version, 1.
    pub v: u8,
    /// What the person gave, normalised.
    pub identifiers: Identifiers,
    /// Where answers go; none when no mailbox was given (an opt-out by phone number, say).
    pub mail_to: Option<Address>,
    /// What a batch's list calls this member.
    #[serde(default)]
    pub label: Option<String>,
    /// Opens the subject commitment; the person gets a copy with the acknowledgement.
    pub subject_key: HmacKey,
    /// Keys the evidence tree; never given out.
    pub evidence_key: HmacKey,
}

/// A mail address. `Debug` prints a mask.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(pub String);

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(***)")
    }
}

impl Papers {
    /// Reads a request's papers; none once they were shredded.
    ///
    /// # Errors
    /// What the vault reports; `Fault::Reject` for papers that nobody here wrote.
    pub async fn read(vault: &dyn Vault, request: RequestId) -> Result<Option<Self>, Fault> {
        let Some(bytes) = vault.read(request, PAPERS).await? else {
            return Ok(None);
        };
        parse_json(&bytes).map(Some)
    }
}

/// Reads JSON that we wrote into the vault ourselves.
///
/// # Errors
/// `Fault::Reject`, without the content, when it is not what we wrote.
pub(crate) fn parse_json<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes)
        .map_err(|error| Fault::reject(format!("vault: unreadable paper: {:?}", error.classify())))
}

/// Writes JSON for the vault.
///
/// # Errors
/// `Fault::Reject` when a value cannot be written, which would be a bug.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|_| Fault::reject("vault: a paper cannot be written"))
}
