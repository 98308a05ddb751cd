//! What support staff may do to a request: hold, deny, release, attest, allow partial; and to its
//! legal clock (in `clock`): extend, pause, resume, choose the law. Sweeps are in `sweeps`.
//!
//! Every act is one commit with a timeline entry. Nothing here touches customers' data.

mod batches;
mod clock;
mod holds;
mod openings;
mod sweeps;

use std::sync::Arc;

use jiff::Timestamp;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::{RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::plan;
use quittance_core::regime::{NoRegime, PauseReason};
use quittance_core::request::{DenialReason, Ending, Happening, Hold, Request, Right, Stage};
use quittance_core::task::{Amendment, Task};

pub use self::batches::MemberOutcome;
pub use self::clock::Unverified;
use crate::change::Change;
use crate::ledger::{Item, Listing, Version, Write};
use crate::ports::{Clock, Ledger, Queues, Vault};
use crate::{reading, vault};

/// The use-cases of support.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Requests and tasks.
    pub ledger: Arc<dyn Ledger>,
    /// Wakes the functions.
    pub queues: Arc<dyn Queues>,
    /// Where attestations are kept.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why the desk says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// There is no such request.
    #[error("there is no request {0}")]
    NoRequest(RequestId),
    /// The request has no task for this store.
    #[error("the request has no task for the store {0}")]
    NoTask(StoreId),
    /// Data was touched already.
    #[error(
        "data has been touched since {0}: a request can be denied or withdrawn only before that"
    )]
    TooLate(Timestamp),
    /// The act makes no sense at this stage.
    #[error("this cannot be done to a request that is {0}")]
    WrongStage(&'static str),
    /// The task is not blocked.
    #[error("the task of {0} is not blocked")]
    NotBlocked(StoreId),
    /// The law gives no further time for this right.
    #[error("the regime {0} knows no extension for this right")]
    NoExtension(String),
    /// The person had to be told of an extension earlier.
    #[error("an extension had to be told to the person by {0}: it can no longer be taken")]
    NoticeTooLate(Timestamp),
    /// The law's clock does not stop for this.
    #[error("the regime {law} does not stop the clock for {}", reason.code())]
    NoPause {
        /// The law.
        law: String,
        /// What for.
        reason: PauseReason,
    },
    /// The clock stands still already, or was never stopped.
    #[error("the clock is not paused")]
    NotPaused,
    /// The answer is overdue: nothing stops the clock any more.
    #[error("the answer was due at {0}: the clock can no longer be stopped")]
    PastDue(Timestamp),
    /// There are no rules of this law to go by.
    #[error(transparent)]
    NoRegime(#[from] NoRegime),
    /// Nobody confirmed the law's numbers, and nobody said that this is known.
    #[error(
        "nobody has confirmed the times of the regime {0}: accept that explicitly, or choose another"
    )]
    Unverified(String),
    /// The clock was moved under the law that applied so far.
    #[error("the clock was extended or paused under {0}: the law can no longer be changed")]
    ClockMoved(String),
    /// The request ends otherwise already.
    #[error("this request was {0} already")]
    Ended(&'static str),
    /// The task needs no statement any more.
    #[error("the task of {0} is settled: a statement would change nothing")]
    Settled(StoreId),
    /// The task waits for something that no statement replaces.
    #[error("the task of {0} is blocked by {1}: an attestation does not help; {advice}", advice = .1.advice())]
    NotAttestable(StoreId, BlockReason),
    /// There is nothing to sign for.
    #[error("the statement is empty")]
    EmptyStatement,
    /// Somebody attested otherwise before.
    #[error("another statement for {0} stands already")]
    OtherStatement(StoreId),
    /// The request itself goes on; perhaps one of its tasks is blocked.
    #[error("this request is not blocked; its tasks may be: see `dsr task list`")]
    NotStuck,
    /// The person is held, whatever becomes of this request.
    #[error("an identifier of this person is held: see `dsr hold list`, and lift that")]
    StillHeld,
    /// A batch has no way of its own: its members have.
    #[error(
        "this cannot be done to a batch: do it to its members, which `dsr batch outcomes` lists"
    )]
    OnlyMembers,
    /// It is one person's request.
    #[error("this request is no batch")]
    NoBatch,
    /// The evidence asked for cannot be opened.
    #[error("this cannot be opened: {0}")]
    NoOpening(&'static str),
    /// Something of ours failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Desk {
    /// Forbids to touch this request's data. Effects in flight finish; no further one begins.
    ///
    /// # Errors
    /// [`DeskError::WrongStage`] once the outcome is sealed.
    pub async fn hold(&self, id: RequestId) -> Result<(), DeskError> {
        self.hold_one(id).await?;
        if self.is_batch(id).await? {
            return self
                .each_member(id, async |member| self.hold_one(member).await)
                .await;
        }
        Ok(())
    }

    async fn hold_one(&self, id: RequestId) -> Result<(), DeskError> {
        self.hold_as(id, |at| Hold { at, on: None }).await
    }

    async fn hold_as(
        &self,
        id: RequestId,
        hold: impl Fn(Timestamp) -> Hold,
    ) -> Result<(), DeskError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.load(id).await?;
            require_open(&request)?;
            if request.hold.is_some() {
                return Ok(());
            }
            let now = self.clock.now();
            let mut change = Change::new(request.clone(), version);
            change.request.hold = Some(hold(now));
            change.request.wake_at = Some(now);
            change.note(now, Happening::Held);
            for write in self.exclusions(&request, now).await? {
                change.also(write);
            }
            match change.commit(&*self.ledger).await {
                Ok(_) => return self.announce(&request).await,
                Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Fault::retry("desk: a request kept changing").into())
    }

    /// Lifts the hold.
    ///
    /// # Errors
    /// [`DeskError::WrongStage`] once the outcome is sealed; [`DeskError::StillHeld`].
    pub async fn release_hold(&self, id: RequestId) -> Result<(), DeskError> {
        let (request, _) = self.load(id).await?;
        if request.right == Right::Deletion && self.is_held(&request.subject_tags).await? {
            return Err(DeskError::StillHeld);
        }
        self.release_one(id).await?;
        if self.is_batch(id).await? {
            return self
                .each_member(id, async |member| self.release_one(member).await)
                .await;
        }
        Ok(())
    }

    async fn release_one(&self, id: RequestId) -> Result<(), DeskError> {
        self.change(id, |change, now| {
            require_open(&change.request)?;
            if change.request.hold.take().is_some() {
                change.note(now, Happening::HoldReleased);
            }
            Ok(())
        })
        .await
    }

    /// Refuses the request, if nothing was touched yet.
    ///
    /// # Errors
    /// [`DeskError::TooLate`] after the first effect.
    pub async fn deny(&self, id: RequestId, reason: DenialReason) -> Result<(), DeskError> {
        self.change(id, |change, now| {
            require_open(&change.request)?;
            if let Some(at) = change.request.first_effect_at {
                return Err(DeskError::TooLate(at));
            }
            match change.request.ending {
                None => {
                    change.end(Ending::Denied(reason));
                    change.note(now, Happening::Denied(reason));
                    Ok(())
                }
                Some(Ending::Denied(given)) if given == reason => Ok(()),
                Some(Ending::Denied(_)) => Err(DeskError::Ended("denied for another reason")),
                Some(Ending::Revoked) => Err(DeskError::Ended("withdrawn by the person")),
            }
        })
        .await
    }

    /// Withdraws the request for its person, who asked for that in another way, if nothing was touched
    /// yet.
    ///
    /// # Errors
    /// [`DeskError::TooLate`] after the first effect.
    pub async fn revoke(&self, id: RequestId) -> Result<(), DeskError> {
        self.change(id, |change, now| {
            require_open(&change.request)?;
            if let Some(at) = change.request.first_effect_at {
                return Err(DeskError::TooLate(at));
            }
            match change.request.ending {
                None => {
                    change.end(Ending::Revoked);
                    change.note(now, Happening::Revoked);
                    Ok(())
                }
                Some(Ending::Revoked) => Ok(()),
                Some(Ending::Denied(_)) => Err(DeskError::Ended("denied")),
            }
        })
        .await
    }

    /// Allows the request to end without its blocked stores.
    ///
    /// # Errors
    /// [`DeskError::WrongStage`] once the outcome is sealed.
    pub async fn allow_partial(&self, id: RequestId) -> Result<(), DeskError> {
        if self.is_batch(id).await? {
            return self
                .each_member(id, async |member| self.allow_one_partial(member).await)
                .await;
        }
        self.allow_one_partial(id).await
    }

    async fn allow_one_partial(&self, id: RequestId) -> Result<(), DeskError> {
        self.change(id, |change, now| {
            require_open(&change.request)?;
            if change.request.partial_at.is_none() {
                change.request.partial_at = Some(now);
                change.note(now, Happening::PartialAllowed);
            }
            Ok(())
        })
        .await
    }

    /// Lets a request whose own next step was blocked try it again.
    ///
    /// # Errors
    /// [`DeskError::NotStuck`] when nothing blocks it.
    pub async fn retry(&self, id: RequestId) -> Result<(), DeskError> {
        self.change(id, |change, now| {
            change.request.block.take().ok_or(DeskError::NotStuck)?;
            change.request.attempts = 0;
            change.note(now, Happening::Retried);
            Ok(())
        })
        .await
    }

    /// Lets a blocked task go on. After sealing, what it does is told in an amendment.
    ///
    /// # Errors
    /// [`DeskError::NotBlocked`]; [`DeskError::NoTask`].
    pub async fn release(&self, id: RequestId, store: &StoreId) -> Result<(), DeskError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.load(id).await?;
            let (task, task_version) = reading::task(&*self.ledger, id, store)
                .await?
                .ok_or_else(|| DeskError::NoTask(store.clone()))?;
            match self.try_release(request, version, task, task_version).await {
                Err(DeskError::Fault(Fault::Conflict)) => {}
                done => return done,
            }
        }
        Err(Fault::retry("desk: a request kept changing").into())
    }

    /// Keeps a person's signed statement for a store outside AWS, and lets its task go on. A task
    /// that has not come to wait for it yet finds the statement when it does.
    ///
    /// # Errors
    /// [`DeskError::NoTask`], [`DeskError::Settled`], [`DeskError::NotAttestable`] for tasks that no
    /// statement helps; [`DeskError::EmptyStatement`]; [`DeskError::OtherStatement`].
    pub async fn attest(
        &self,
        id: RequestId,
        store: &StoreId,
        statement: &[u8],
    ) -> Result<(), DeskError> {
        if statement.trim_ascii().is_empty() {
            return Err(DeskError::EmptyStatement);
        }
        if self.is_batch(id).await? {
            return self.attest_for_all(id, store, statement).await;
        }
        for _ in 0..CONFLICTS {
            match self.try_attest(id, store, statement).await {
                Err(DeskError::Fault(Fault::Conflict)) => {}
                done => return done,
            }
        }
        Err(Fault::retry("desk: a request kept changing").into())
    }
}

impl Desk {
    async fn change(
        &self,
        id: RequestId,
        edit: impl Fn(&mut Change, Timestamp) -> Result<(), DeskError>,
    ) -> Result<(), DeskError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.load(id).await?;
            let mut change = Change::new(request, version);
            edit(&mut change, self.clock.now())?;
            if self.commit(change).await? == Committed::Yes {
                return Ok(());
            }
        }
        Err(Fault::retry("desk: a request kept changing").into())
    }

    /// Commits an act and wakes the request's function; an act that changed nothing is done already.
    async fn commit(&self, mut change: Change) -> Result<Committed, DeskError> {
        if change.is_empty() {
            return Ok(Committed::Yes);
        }
        change.request.wake_at = Some(self.clock.now());
        let request = change.request.clone();
        match change.commit(&*self.ledger).await {
            Ok(_) => {
                self.announce(&request).await?;
                Ok(Committed::Yes)
            }
            Err(Fault::Conflict) => Ok(Committed::No),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn try_release(
        &self,
        request: Request,
        version: Version,
        mut task: Task,
        task_version: Version,
    ) -> Result<(), DeskError> {
        if !plan::release(&mut task) {
            return Err(DeskError::NotBlocked(task.store));
        }
        let now = self.clock.now();
        if matches!(request.stage, Stage::Sealing(_) | Stage::Closed(_)) {
            task.amendment = Amendment::Owed;
        }
        let mut change = Change::new(request, version);
        change.request.wake_at = Some(now);
        change.note(now, Happening::Released(task.store.to_string()));
        change.also(Write::Replace(Item::Task(task), task_version));
        let request = change.request.clone();
        change.commit(&*self.ledger).await?;
        self.announce(&request).await
    }

    async fn try_attest(
        &self,
        id: RequestId,
        store: &StoreId,
        statement: &[u8],
    ) -> Result<(), DeskError> {
        let (request, version) = self.load(id).await?;
        let (mut task, task_version) = reading::task(&*self.ledger, id, store)
            .await?
            .ok_or_else(|| DeskError::NoTask(store.clone()))?;
        let name = vault::attestation(store);
        if task.stage.is_settled() {
            // The same statement again, after a lost answer, is no mistake.
            let stands = self.vault.read(id, &name).await?;
            return match stands {
                Some(stands) if stands == statement => Ok(()),
                Some(_) | None => Err(DeskError::Settled(store.clone())),
            };
        }
        let reason = task.block.as_ref().map(|block| block.reason);
        if let Some(reason) = reason
            .filter(|reason| task.stage.is_blocked() && *reason != BlockReason::AwaitingAttestation)
        {
            return Err(DeskError::NotAttestable(store.clone(), reason));
        }
        if self.vault.keep(id, &name, statement).await? != statement {
            return Err(DeskError::OtherStatement(store.clone()));
        }
        let attested = Happening::Attested(store.to_string());
        let timeline = reading::everything(&*self.ledger, &Listing::Timeline(id)).await?;
        let noted = timeline
            .iter()
            .any(|stored| matches!(&stored.item, Item::Event(event) if event.what == attested));
        let now = self.clock.now();
        let announced = request.clone();
        let sealed = matches!(request.stage, Stage::Sealing(_) | Stage::Closed(_));
        let mut change = Change::new(request, version);
        change.request.wake_at = Some(now);
        if !noted {
            change.note(now, attested);
        }
        if plan::release(&mut task) {
            if sealed {
                task.amendment = Amendment::Owed;
            }
            change.also(Write::Replace(Item::Task(task), task_version));
        }
        change.commit(&*self.ledger).await?;
        self.announce(&announced).await
    }

    /// A lost announcement is repeated by the clock: the commit before it set `wake_at` to now.
    async fn announce(&self, request: &Request) -> Result<(), DeskError> {
        let message = Message::Request { id: request.id };
        if let Err(fault) = self.queues.send(request.right, &message, 0).await {
            tracing::warn!(request.id = %request.id, fault = %fault, "announcement lost for now");
        }
        Ok(())
    }

    async fn load(&self, id: RequestId) -> Result<(Request, Version), DeskError> {
        reading::request(&*self.ledger, id)
            .await?
            .ok_or(DeskError::NoRequest(id))
    }
}

/// Whether an act stands, or somebody else was faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Committed {
    Yes,
    No,
}

fn require_open(request: &Request) -> Result<(), DeskError> {
    match request.stage {
        Stage::Accepted | Stage::Locating | Stage::Gated | Stage::Acting => Ok(()),
        Stage::Draft | Stage::Sealing(_) | Stage::Closed(_) => {
            Err(DeskError::WrongStage(request.stage.name()))
        }
    }
}

const CONFLICTS: usize = 16;
