//! Codes: sent to the one mailbox that is looked up, and spent.

use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_core::request::Request;

use super::{CONFLICTS, Intake, IntakeError, is_lapsed, parse};
use crate::change::Change;
use crate::ledger::Version;
use crate::ports::Ledger;
use crate::secrets::Attempt;
use crate::{mails, secrets};

impl Intake {
    pub(super) async fn try_send_code(
        &self,
        reference: &str,
        address: &str,
    ) -> Result<(), IntakeError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.find(reference).await?;
            let own = parse::own_address(&request, address, &self.map, &self.key);
            let Some(own) = own
                .filter(|_| request.purged_at.is_none() && !is_lapsed(&request, self.clock.now()))
            else {
                return Err(IntakeError::NotFound);
            };
            let id = request.id;
            match self.new_code(request, version, Some(&own)).await {
                Err(IntakeError::Fault(Fault::Conflict)) => {}
                Err(IntakeError::Fault(fault)) => {
                    // Told to the person, it would say that reference and address fit.
                    tracing::error!(request.id = %id, fault = %fault, "a code was not sent");
                    return Ok(());
                }
                done => return done,
            }
        }
        tracing::error!("a code was not sent: its request kept changing");
        Ok(())
    }

    /// Commits a new challenge, then mails its code: a code that was mailed always works.
    pub(super) async fn new_code(
        &self,
        mut request: Request,
        version: Version,
        to: Option<&str>,
    ) -> Result<(), IntakeError> {
        let now = self.clock.now();
        if request.codes_sent >= MAX_CODES {
            if !has_cooled(&request, now) {
                return Err(IntakeError::TooManyCodes);
            }
            request.codes_sent = 0;
        }
        request.challenge = Some(secrets::challenge(now));
        request.codes_sent += 1;
        let change = Change::new(request.clone(), version);
        let version = change.commit(&*self.ledger).await?;
        // From here on the code works; the same form sent again mails it if this process dies.
        self.mail_code(request, version, to).await
    }

    /// Mails the code of the challenge that stands, then says so.
    pub(super) async fn mail_code(
        &self,
        mut request: Request,
        version: Version,
        to: Option<&str>,
    ) -> Result<(), IntakeError> {
        let (Some(to), Some(challenge)) = (to, &request.challenge) else {
            return Ok(());
        };
        let code = secrets::code(&self.key, request.id, challenge);
        self.mailer.send(&mails::code(&request, &code, to)).await?;
        if let Some(challenge) = &mut request.challenge {
            challenge.mailed = true;
        }
        match Change::new(request, version).commit(&*self.ledger).await {
            Ok(_) => {}
            // The mail is out, and that is what counts: at worst the same mail goes out again.
            Err(fault) => tracing::info!(fault = %fault, "a mailed code is not marked as mailed"),
        }
        Ok(())
    }
}

/// Compares a typed code. A wrong try is counted down before anybody is told, or guessing in
/// parallel would be free.
///
/// # Errors
/// [`IntakeError::WrongCode`], [`IntakeError::DeadCode`]; a conflict means: read again.
pub async fn spend_try(
    ledger: &dyn Ledger,
    key: &HmacKey,
    request: &Request,
    version: Version,
    typed: &str,
    now: Timestamp,
) -> Result<(), IntakeError> {
    match secrets::attempt(key, request.id, request.challenge.as_ref(), typed, now) {
        Attempt::Right => Ok(()),
        Attempt::Dead => Err(IntakeError::DeadCode),
        Attempt::Wrong(left) => {
            let mut change = Change::new(request.clone(), version);
            if let Some(challenge) = &mut change.request.challenge {
                challenge.tries_left = left;
            }
            change.commit(ledger).await?;
            Err(IntakeError::WrongCode(left))
        }
    }
}

/// Whether the last code is so old that codes may be sent again: nobody's mailbox is flooded.
fn has_cooled(request: &Request, now: Timestamp) -> bool {
    let last = request
        .challenge
        .as_ref()
        .map(|challenge| challenge.expires_at);
    last.and_then(|at| at.saturating_add(COOLING).ok())
        .is_none_or(|at| at <= now)
}

const MAX_CODES: u8 = 5;
/// With the life of a code: five codes an hour.
const COOLING: SignedDuration = SignedDuration::from_mins(50);
