//! Taking requests in: submit, confirm, ask for a code, read the status, revoke.
//!
//! Intake can put a request's papers into the vault and never read them again; a person who comes
//! back types the address once more, and it is compared by its keyed tag. Answers never say whether
//! an address is known.

mod accept;
mod codes;
mod members;
mod parse;
mod pass;
mod status;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use quittance_core::data_map::DataMap;
use quittance_core::digest::{HmacKey, Tag};
use quittance_core::fault::Fault;
use quittance_core::id::{Reference, RequestId};
use quittance_core::message::Message;
use quittance_core::request::{Ending, Happening, Request, Stage};
use serde::Serialize;

pub use self::codes::spend_try;
pub use self::members::{List, Listed};
use self::parse::Form;
pub use self::parse::{FieldError, Submission};
pub use self::status::{Status, status};
use crate::change::Change;
use crate::keys::TagKeys;
use crate::ledger::{ClientToken, Item, Key, ReferenceEntry, Stored, Version, Write};
use crate::papers::{Address, Papers, to_json};
use crate::ports::{Clock, Deposit, Evidence, Ledger, Mailer, Queues};
use crate::statement::Handler;
use crate::{reading, secrets};

/// The use-cases of the public door, with the ports they may use and no others.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Requests and tokens.
    pub ledger: Arc<dyn Ledger>,
    /// Where papers go in.
    pub deposit: Arc<dyn Deposit>,
    /// Where acceptance statements wait.
    pub evidence: Arc<dyn Evidence>,
    /// Wakes the functions.
    pub queues: Arc<dyn Queues>,
    /// Sends codes.
    pub mailer: Arc<dyn Mailer>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// Subject tags.
    pub keys: TagKeys,
    /// Client tokens, codes, status secrets: the door's own key, which no worker has.
    pub key: HmacKey,
    /// The data map: which identifiers are asked for.
    pub map: Arc<DataMap>,
    /// The law applied when a form names none.
    pub default_regime: String,
    /// What the receipts say about the software.
    pub handler: Handler,
}

/// What a submission comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Submitted {
    /// The request's public name.
    pub reference: Reference,
    /// The secret that reads the status and revokes. Not for URLs.
    pub status_token: String,
    /// `draft` until the code is typed back; `accepted` for an opt-out.
    pub stage: &'static str,
    /// When an unconfirmed draft is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_by: Option<Timestamp>,
    /// The legal due date, once accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

/// Why intake says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Fields to correct.
    #[error("the form has {} field(s) to correct", .0.len())]
    Invalid(Vec<FieldError>),
    /// The client token was used with another body.
    #[error("this client token was used for another request")]
    TokenReused,
    /// No such request, or not the right secret: nobody can tell which.
    #[error("there is no request with this reference and secret")]
    NotFound,
    /// The code is not the one that was sent.
    #[error("this is not the code that was sent; {0} tries left")]
    WrongCode(u8),
    /// The code is too old, was tried too often, or was never sent.
    #[error("this code no longer works; ask for a new one")]
    DeadCode,
    /// Too many codes were asked for.
    #[error("too many codes were sent for this request; wait an hour, or submit the form again")]
    TooManyCodes,
    /// Data has been touched already; revoking is too late.
    #[error("your data has been touched since {0}: the request can no longer be withdrawn")]
    TooLate(Timestamp),
    /// It is closed; there is nothing to withdraw.
    #[error("this request is closed, or was refused: there is nothing left to withdraw")]
    Closed,
    /// Something of ours failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Intake {
    /// Takes a form. The same token with the same body gives the same answer, as often as it comes.
    ///
    /// # Errors
    /// [`IntakeError::Invalid`] names every field to correct; [`IntakeError::TokenReused`].
    pub async fn submit(&self, submission: &Submission) -> Result<Submitted, IntakeError> {
        let now = self.clock.now();
        let form = Form::parse(submission, &self.map, &self.default_regime, now)
            .map_err(IntakeError::Invalid)?;
        let token = self
            .key
            .tag("dsr-client-token/v1", &[form.client_token.as_bytes()]);
        let body = self
            .key
            .tag("dsr-client-body/v1", &[&form.canonical_body()]);
        for _ in 0..CONFLICTS {
            match self.try_submit(&form, token, body).await {
                // Somebody sent the same form at the same moment: theirs counts.
                Err(IntakeError::Fault(Fault::Conflict)) => {}
                done => return done,
            }
        }
        Err(Fault::retry("intake: a token kept changing").into())
    }

    /// Confirms a draft with the code from the mailbox. The same code again says so again.
    ///
    /// # Errors
    /// [`IntakeError::WrongCode`] counts down; [`IntakeError::DeadCode`]; [`IntakeError::NotFound`].
    pub async fn confirm(&self, reference: &str, code: &str) -> Result<Status, IntakeError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.find(reference).await?;
            // The code comes first: without it not even the stage of a request is told.
            let now = self.clock.now();
            if is_lapsed(&request, now) {
                return Err(IntakeError::NotFound);
            }
            match spend_try(&*self.ledger, &self.key, &request, version, code, now).await {
                Ok(()) => {}
                Err(IntakeError::Fault(Fault::Conflict)) => continue,
                Err(error) => return Err(error),
            }
            if request.stage != Stage::Draft {
                // A person who presses the button twice gets the same answer twice.
                return Ok(status(&request));
            }
            match self.accept(request, version, Happening::Verified).await {
                Ok(request) => return Ok(status(&request)),
                Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Fault::retry("intake: a request kept changing").into())
    }

    /// Confirms a draft whose person was identified by other means than the code: staff answer for
    /// it, and the timeline says so. Again says so again.
    ///
    /// # Errors
    /// [`IntakeError::NotFound`], also for a draft that is too old.
    pub async fn confirm_identity(&self, reference: &str) -> Result<Status, IntakeError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.find(reference).await?;
            // Lists and their members are accepted as a whole, by whoever handed them in.
            if request.batch.is_some() || is_lapsed(&request, self.clock.now()) {
                return Err(IntakeError::NotFound);
            }
            if request.stage != Stage::Draft {
                return Ok(status(&request));
            }
            let how = Happening::IdentityConfirmed;
            match self.accept(request, version, how).await {
                Ok(request) => return Ok(status(&request)),
                Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Fault::retry("intake: a request kept changing").into())
    }

    /// Sends a fresh code to the address, if it is the request's own. The answer is always the same.
    ///
    /// # Errors
    /// Only faults of ours before anything was compared: whether reference and address fit is never
    /// told. A code that could not be sent is in the log; the person asks again.
    pub async fn send_code(&self, reference: &str, address: &str) -> Result<(), IntakeError> {
        match self.try_send_code(reference, address).await {
            Ok(()) | Err(IntakeError::NotFound | IntakeError::TooManyCodes) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells where a request stands, to whoever has its status token or a pass.
    ///
    /// # Errors
    /// [`IntakeError::NotFound`] for an unknown reference and for a wrong secret alike.
    pub async fn status(&self, reference: &str, secret: &str) -> Result<Status, IntakeError> {
        let (request, _) = self.find_with(reference, secret).await?;
        Ok(status(&request))
    }

    /// Withdraws a request, if nothing was touched yet.
    ///
    /// # Errors
    /// [`IntakeError::TooLate`] after the first effect; [`IntakeError::Closed`].
    pub async fn revoke(&self, reference: &str, secret: &str) -> Result<Status, IntakeError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.find_with(reference, secret).await?;
            match self.try_revoke(request, version).await {
                Err(IntakeError::Fault(Fault::Conflict)) => {}
                done => return done,
            }
        }
        Err(Fault::retry("intake: a request kept changing").into())
    }
}

impl Intake {
    async fn try_submit(
        &self,
        form: &Form,
        token: Tag,
        body: Tag,
    ) -> Result<Submitted, IntakeError> {
        match self.known(token, body).await? {
            Known::Request(id) => self.again(id, form).await,
            Known::Nothing => {
                self.opened(self.begin(form, token, body).await?, form)
                    .await
            }
            Known::Stale(old) => {
                // Tokens never change: the old one goes, and the next look begins anew.
                let forget = Write::Delete(Key::Token(token), old);
                self.ledger.commit(&[forget]).await?;
                Err(Fault::Conflict.into())
            }
        }
    }

    /// Looks a token up; another body under it is refused while its request is there.
    async fn known(&self, token: Tag, body: Tag) -> Result<Known, IntakeError> {
        let now = self.clock.now();
        let (known, version) = match self.ledger.load(&Key::Token(token)).await? {
            Some(Stored {
                item: Item::Token(known),
                version,
            }) => (known, version),
            Some(_) => return Err(IntakeError::TokenReused),
            None => return Ok(Known::Nothing),
        };
        let request = reading::request(&*self.ledger, known.request).await?;
        let gone = request.is_none_or(|(request, _)| is_lapsed(&request, now));
        if gone || known.expires_at <= now {
            Ok(Known::Stale(version))
        } else if secrets::same(&known.body, &body) {
            Ok(Known::Request(known.request))
        } else {
            Err(IntakeError::TokenReused)
        }
    }

    /// Deposits the papers, then commits the request: from there on it exists.
    async fn begin(&self, form: &Form, token: Tag, body: Tag) -> Result<Request, Fault> {
        let now = self.clock.now();
        let [id, subject_key, evidence_key] = [(); 3].map(|()| self.clock.random());
        let id = RequestId::new(first_half(id));
        let papers = Papers {
            v: 1,
            identifiers: form.identifiers.clone(),
            mail_to: form.mail_to.clone().map(Address),
            label: None,
            subject_key: HmacKey::new(subject_key),
            evidence_key: HmacKey::new(evidence_key),
        };
        self.deposit.deposit(id, &to_json(&papers)?).await?;
        // A crash here leaves papers without a request: the clock shreds them after a day.
        let request = form.request(id, &papers, (&self.keys, &self.key), now);
        let mut writes = vec![
            Write::Create(Item::Token(ClientToken {
                token,
                request: id,
                body,
                expires_at: Form::token_life(now),
            })),
            Write::Create(Item::Reference(ReferenceEntry {
                reference: id.reference(),
                request: id,
            })),
        ];
        let request = if form.right.needs_proof() {
            writes.push(Write::Create(Item::Request(request.clone())));
            request
        } else {
            self.accepted_from_nothing(request, &mut writes).await?
        };
        self.ledger.commit(&writes).await?;
        // From here on the request exists; the mail or message that follows may be lost and is
        // made good by the same form sent again, or by the clock.
        Ok(request)
    }

    async fn opened(&self, request: Request, form: &Form) -> Result<Submitted, IntakeError> {
        if request.stage == Stage::Draft {
            let (request, version) = self.load(request.id).await?;
            self.new_code(request, version, form.mail_to.as_deref())
                .await?;
        } else {
            self.announce(&request).await;
        }
        Ok(self.submitted(&request, form))
    }

    async fn again(&self, id: RequestId, form: &Form) -> Result<Submitted, IntakeError> {
        let (request, version) = self.load(id).await?;
        let submitted = self.submitted(&request, form);
        if request.stage != Stage::Draft {
            return Ok(submitted);
        }
        let to = form.mail_to.as_deref();
        let mailed = match &request.challenge {
            Some(alive) if self.clock.now() < alive.expires_at => {
                if alive.mailed {
                    return Ok(submitted);
                }
                // Somebody died between promising the code and mailing it.
                self.mail_code(request, version, to).await
            }
            Some(_) | None => self.new_code(request, version, to).await,
        };
        match mailed {
            Ok(()) | Err(IntakeError::TooManyCodes) => Ok(submitted),
            Err(error) => Err(error),
        }
    }

    fn submitted(&self, request: &Request, form: &Form) -> Submitted {
        Submitted {
            reference: request.id.reference(),
            status_token: secrets::status_token(&self.key, request.id, &form.client_token),
            stage: request.stage.name(),
            confirm_by: (request.stage == Stage::Draft).then(|| {
                request
                    .submitted_at
                    .saturating_add(DRAFT_LIFE)
                    .unwrap_or(Timestamp::MAX)
            }),
            due_at: request.due_at,
        }
    }

    async fn try_revoke(&self, request: Request, version: Version) -> Result<Status, IntakeError> {
        if matches!(request.stage, Stage::Draft) {
            return Err(IntakeError::NotFound);
        }
        if request.ending == Some(Ending::Revoked) {
            return Ok(status(&request));
        }
        if let Some(at) = request.first_effect_at {
            return Err(IntakeError::TooLate(at));
        }
        if !status::is_revocable(&request) {
            return Err(IntakeError::Closed);
        }
        let now = self.clock.now();
        let mut change = Change::new(request, version);
        change.end(Ending::Revoked);
        change.request.wake_at = Some(now);
        change.note(now, Happening::Revoked);
        let request = change.request.clone();
        // The first effect and this commit exclude each other by the request's version.
        change.commit(&*self.ledger).await?;
        self.announce(&request).await;
        Ok(status(&request))
    }

    /// Wakes the request's function. A lost announcement is repeated by the clock.
    pub(crate) async fn announce(&self, request: &Request) {
        let message = Message::Request { id: request.id };
        if let Err(fault) = self.queues.send(request.right, &message, 0).await {
            tracing::warn!(request.id = %request.id, fault = %fault, "announcement lost for now");
        }
    }

    async fn load(&self, id: RequestId) -> Result<(Request, Version), IntakeError> {
        reading::request(&*self.ledger, id)
            .await?
            .ok_or(IntakeError::NotFound)
    }

    async fn find(&self, reference: &str) -> Result<(Request, Version), IntakeError> {
        find_request(&*self.ledger, reference).await
    }

    async fn find_with(
        &self,
        reference: &str,
        secret: &str,
    ) -> Result<(Request, Version), IntakeError> {
        let found = self.find(reference).await?;
        let given = secrets::status_tag(&self.key, secret);
        let now = self.clock.now();
        if secrets::same(&given, &found.0.status_token)
            || pass::is_pass(&self.key, found.0.id, secret, now)
        {
            Ok(found)
        } else {
            Err(IntakeError::NotFound)
        }
    }
}

/// What a client token stands for.
enum Known {
    /// It was never seen.
    Nothing,
    /// Its time is over, or its request was forgotten.
    Stale(Version),
    /// It made this request.
    Request(RequestId),
}

/// Whether a draft is too old to be confirmed: the clock may forget it at any moment.
fn is_lapsed(request: &Request, now: Timestamp) -> bool {
    let end = request.submitted_at.saturating_add(DRAFT_LIFE);
    request.stage == Stage::Draft && end.is_ok_and(|end| end <= now)
}

/// Finds a request by its reference.
///
/// # Errors
/// [`IntakeError::NotFound`] for anything that is no reference, or nobody's.
pub async fn find_request(
    ledger: &dyn Ledger,
    reference: &str,
) -> Result<(Request, Version), IntakeError> {
    let reference = Reference::parse(reference).ok_or(IntakeError::NotFound)?;
    match ledger.load(&Key::Reference(reference)).await? {
        Some(Stored {
            item: Item::Reference(entry),
            ..
        }) => reading::request(ledger, entry.request)
            .await?
            .ok_or(IntakeError::NotFound),
        Some(_) | None => Err(IntakeError::NotFound),
    }
}

fn first_half(bytes: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    half
}

/// How long an unconfirmed draft lives.
pub const DRAFT_LIFE: SignedDuration = SignedDuration::from_hours(24);
const CONFLICTS: usize = 8;
