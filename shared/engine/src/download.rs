//! Handing one export to its person: a fresh code each time, and a note in the timeline.
//!
//! This is the only public use-case that can open the vault; it is a function of its own, with a
//! role of its own.

use std::sync::Arc;

use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_core::request::Happening;

use crate::change::Change;
use crate::intake::{IntakeError, find_request, spend_try, status};
use crate::ports::{Clock, Ledger, Vault};
use crate::secrets::CODE_LIFE;
use crate::vault;

/// The use-case of the download.
#[derive(Clone, Debug)]
pub struct Download {
    /// Requests and challenges.
    pub ledger: Arc<dyn Ledger>,
    /// Where the export lies.
    pub vault: Arc<dyn Vault>,
    /// Codes.
    pub key: HmacKey,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Download {
    /// Returns the ZIP. The code is spent first: it opens one download.
    ///
    /// # Errors
    /// [`IntakeError::NotFound`] when there is no export; wrong and dead codes as for confirming.
    pub async fn export(&self, reference: &str, code: &str) -> Result<Vec<u8>, IntakeError> {
        for _ in 0..CONFLICTS {
            match self.try_export(reference, code).await {
                // Somebody else was at the request: read again, decide again.
                Err(IntakeError::Fault(Fault::Conflict)) => {}
                done => return done,
            }
        }
        Err(Fault::retry("download: a request kept changing").into())
    }

    async fn try_export(&self, reference: &str, code: &str) -> Result<Vec<u8>, IntakeError> {
        let (request, version) = find_request(&*self.ledger, reference).await?;
        let now = self.clock.now();
        spend_try(&*self.ledger, &self.key, &request, version, code, now).await?;
        if !status(&request).export_ready {
            return Err(IntakeError::NotFound);
        }
        // The code that confirmed the request was for that: a download wants one of its own.
        let sent_at = request
            .challenge
            .as_ref()
            .and_then(|challenge| challenge.expires_at.saturating_sub(CODE_LIFE).ok());
        if sent_at < request.responded_at {
            return Err(IntakeError::DeadCode);
        }
        let id = request.id;
        let state = request.answer.ok_or(IntakeError::NotFound)?;
        let zip = self
            .vault
            .read(id, &vault::export(&state))
            .await?
            .ok_or(IntakeError::NotFound)?;
        let mut change = Change::new(request, version);
        change.request.challenge = None;
        change.request.codes_sent = 0;
        change.note(now, Happening::Downloaded);
        // A crash from here on costs the person a new code, never a silent disclosure.
        change.commit(&*self.ledger).await?;
        Ok(zip)
    }
}

const CONFLICTS: usize = 8;
