//! The clock's rounds: wake what waits, forget drafts, shred what nobody needs any more.
//!
//! Everything is found from the ledger's `wake_at`, so a lost message is only a delay. Each request
//! is looked at in a commit of its own; a round that dies half-way is made good by the next.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use quittance_core::fault::Fault;
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::plan;
use quittance_core::receipt::Day;
use quittance_core::request::{Happening, Request, Right, Stage, Urgency};
use quittance_core::task::{Amendment, Task};

use crate::change::Change;
use crate::intake::DRAFT_LIFE;
use crate::ledger::{Item, Key, Listing, Stored, Version, Write};
use crate::ports::{Clock, Ledger, Mailer, Queues, Shredder};
use crate::{mails, reading, stuck};

/// The use-cases of the clock.
#[derive(Clone, Debug)]
pub struct Ticker {
    /// Requests by the time they wake.
    pub ledger: Arc<dyn Ledger>,
    /// Wakes the functions.
    pub queues: Arc<dyn Queues>,
    /// Destroys keys.
    pub shredder: Arc<dyn Shredder>,
    /// Reminds of due dates.
    pub mailer: Arc<dyn Mailer>,
    /// Whom: the controller's contact.
    pub contact: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The record stores of the data map: whoever waits for a sweep of one is never forgotten.
    pub swept: Vec<StoreId>,
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Requests announced again.
    pub announced: u32,
    /// Drafts forgotten.
    pub forgotten: u32,
    /// Requests whose personal data was destroyed.
    pub shredded: u32,
}

impl Ticker {
    /// Makes one round. Requests that cannot be handled now are left for the next.
    ///
    /// # Errors
    /// Only when nothing could be done at all.
    pub async fn tick(&self) -> Result<Round, Fault> {
        let mut round = Round::default();
        let now = self.clock.now();
        for stored in reading::everything(&*self.ledger, &Listing::Waking(now)).await? {
            let Item::Request(request) = stored.item else {
                continue;
            };
            match self.wake(request.id, &mut round).await {
                Ok(()) | Err(Fault::Conflict) => {}
                Err(fault) => {
                    tracing::warn!(request.id = %request.id, fault = %fault, "left for later");
                }
            }
        }
        // Whether it is time for a sweep, or one goes on, is seen by whoever looks.
        for store in &self.swept {
            for right in plan::SWEEPING {
                let store = store.clone();
                self.queues
                    .send(right, &Message::Sweep { store }, 0)
                    .await?;
            }
        }
        // The sequencer may have lost its wake-up too.
        let waiting = self.ledger.list(&Listing::Outbox, None, 1).await?;
        if !waiting.items.is_empty() || self.lacks_account(now).await? {
            self.queues
                .send(Right::Access, &Message::Statements, 0)
                .await?;
        }
        Ok(round)
    }

    /// Whether yesterday's manifest is not made: the receipts function makes it when it wakes.
    async fn lacks_account(&self, now: Timestamp) -> Result<bool, Fault> {
        let Some(yesterday) = Day::of(now).before() else {
            return Ok(false);
        };
        let leaf = Key::Leaf(LeafId::Manifest(yesterday));
        Ok(self.ledger.load(&leaf).await?.is_none())
    }

    /// Commits what a dead letter was about as blocked, so that a person looks at it.
    ///
    /// # Errors
    /// What the ledger reports: keep the letter, and bury it later.
    pub async fn bury(&self, message: &Message) -> Result<(), Fault> {
        for _ in 0..CONFLICTS {
            match stuck::bury(&*self.ledger, self.clock.now(), message).await {
                Err(Fault::Conflict) => {}
                done => return done,
            }
        }
        Err(Fault::Conflict)
    }

    async fn wake(&self, id: RequestId, round: &mut Round) -> Result<(), Fault> {
        // The listing may lag: what counts is the item itself.
        let Some((request, version)) = reading::request(&*self.ledger, id).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        if request.wake_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        match request.stage {
            Stage::Draft if self.is_awaited(&request).await? => {
                let mut change = Change::new(request, version);
                change.request.wake_at = now.saturating_add(A_DAY).ok();
                change.commit(&*self.ledger).await?;
            }
            Stage::Draft => {
                self.forget(&request, version).await?;
                round.forgotten += 1;
            }
            Stage::Closed(_) if self.may_shred(&request).await? => {
                self.shred(request, version).await?;
                round.shredded += 1;
            }
            Stage::Accepted
            | Stage::Locating
            | Stage::Gated
            | Stage::Acting
            | Stage::Sealing(_)
            | Stage::Closed(_) => {
                self.announce(request, version).await?;
                round.announced += 1;
            }
        }
        Ok(())
    }

    /// Announces a request again, and looks at it again later.
    async fn announce(&self, request: Request, version: Version) -> Result<(), Fault> {
        let right = request.right;
        let message = Message::Request { id: request.id };
        let mut change = Change::new(request, version);
        let now = self.clock.now();
        let pause = self.pause(&change.request, now).await?;
        change.request.wake_at = now.saturating_add(pause).ok();
        if nearly_due(&change.request, now) && change.request.partial_at.is_none() {
            // Better a truthful part in time than everything too late.
            change.request.partial_at = Some(now);
            change.note(now, Happening::PartialAllowed);
        }
        self.remind(&mut change, now).await;
        change.commit(&*self.ledger).await?;
        self.queues.send(right, &message, 0).await
    }

    /// Reminds staff of a due date, each time that it has become more urgent. A mail that cannot be
    /// sent is sent with the next look; one sent twice after a crash is one mail.
    async fn remind(&self, change: &mut Change, now: Timestamp) {
        let request = &change.request;
        let due = request.extended_to.or(request.due_at);
        let waits = request.stage.is_open()
            && request.responded_at.is_none()
            && request.paused_at.is_none()
            // A batch reminds for its members.
            && request.place().is_none();
        let Some(due) = due.filter(|_| waits) else {
            return;
        };
        let Some(urgency) = Urgency::of(due, now) else {
            // An extension made it far again.
            change.request.reminded = None;
            return;
        };
        if request.reminded >= Some(urgency) {
            return;
        }
        let mail = mails::reminder(request, due, urgency, &self.contact);
        match self.mailer.send(&mail).await {
            Ok(()) => {
                change.request.reminded = Some(urgency);
                change.note(now, Happening::Reminded(urgency));
            }
            Err(fault) => {
                tracing::warn!(request.id = %request.id, fault = %fault, "a reminder could not be sent");
            }
        }
    }

    /// How long until the next look: a quarter of the time since anything was noted about the request,
    /// a minute at least and an hour at most. A closed request that owes no amendment only waits for
    /// somebody to release a store: once a day is enough.
    async fn pause(&self, request: &Request, now: Timestamp) -> Result<SignedDuration, Fault> {
        if matches!(request.stage, Stage::Closed(_)) {
            let tasks = reading::tasks(&*self.ledger, request.id).await?;
            if !tasks.iter().any(|(task, _)| owes(task)) {
                return Ok(A_DAY);
            }
        }
        let last = Key::Event(request.id, request.events);
        let since = match self.ledger.load(&last).await? {
            Some(Stored {
                item: Item::Event(event),
                ..
            }) => event.at,
            Some(_) | None => request.accepted_at.unwrap_or(request.submitted_at),
        };
        Ok((now.duration_since(since) / 4).clamp(AGAIN, AT_MOST))
    }

    /// Whether a draft is a member of a batch that still stands: then it waits to be let go.
    async fn is_awaited(&self, request: &Request) -> Result<bool, Fault> {
        let Some(place) = request.place() else {
            return Ok(false);
        };
        let batch = reading::request(&*self.ledger, place.batch).await?;
        Ok(batch.is_some_and(|(batch, _)| batch.ending.is_none()))
    }

    /// Forgets a draft that nobody confirmed: the item first, guarded by its version, or a draft that
    /// is confirmed at this moment would lose its papers. A crash in between leaves an orphan.
    async fn forget(&self, request: &Request, version: Version) -> Result<(), Fault> {
        let mut writes = vec![Write::Delete(Key::Request(request.id), version)];
        let key = Key::Reference(request.id.reference());
        if let Some(Stored { version, .. }) = self.ledger.load(&key).await? {
            writes.push(Write::Delete(key, version));
        }
        if let Some(key) = request.place().map(Key::of_member)
            && let Some(Stored { version, .. }) = self.ledger.load(&key).await?
        {
            writes.push(Write::Delete(key, version));
        }
        self.ledger.commit(&writes).await?;
        self.shredder.shred(request.id).await
    }

    /// A partly closed request keeps its papers while a blocked store may still be released, or an
    /// amendment is owed; but not for ever.
    async fn may_shred(&self, request: &Request) -> Result<bool, Fault> {
        let now = self.clock.now();
        let is_past = |kept| {
            let closed_at = request.closed_at;
            let due = closed_at.and_then(|at: Timestamp| at.saturating_add(kept).ok());
            due.is_some_and(|due| due <= now)
        };
        if !is_past(crate::worker::KEEP_AFTER_CLOSE) {
            return Ok(false);
        }
        if request.ending.is_some() || is_past(KEEP_AT_MOST) {
            return Ok(true);
        }
        let tasks = reading::tasks(&*self.ledger, request.id).await?;
        Ok(tasks
            .iter()
            .all(|(task, _)| task.stage.is_settled() && !owes(task)))
    }

    /// Destroys everything personal about a request, then says so.
    async fn shred(&self, request: Request, version: Version) -> Result<(), Fault> {
        self.shredder.shred(request.id).await?;
        let mut change = Change::new(request, version);
        change.request.purged_at = Some(self.clock.now());
        change.request.wake_at = None;
        change.request.challenge = None;
        change.commit(&*self.ledger).await?;
        Ok(())
    }

    /// Whether it is the time of the day to look for orphans: ten minutes, so that every schedule of
    /// ten minutes or less meets it. A day that is left out is made good by the next.
    pub fn is_time_to_sweep(&self) -> bool {
        let minute = self.clock.now().as_second().div_euclid(60);
        SWEEP_MINUTES.contains(&minute.rem_euclid(24 * 60))
    }

    /// Shreds papers whose request was never committed: intake died in between. Once a day is often
    /// enough.
    ///
    /// # Errors
    /// What ledger and shredder report; the next sweep begins anew.
    pub async fn sweep_orphans(&self) -> Result<u32, Fault> {
        let mut shredded = 0;
        let Ok(before) = self.clock.now().saturating_sub(DRAFT_LIFE) else {
            return Ok(0);
        };
        let mut after = None;
        loop {
            let page = self
                .shredder
                .keys_before(before, after, ORPHANS_AT_ONCE)
                .await?;
            let Some(last) = page.last().copied() else {
                return Ok(shredded);
            };
            for id in page {
                if self.is_orphan(id).await? {
                    self.shredder.shred(id).await?;
                    shredded += 1;
                }
            }
            after = Some(last);
        }
    }
}

impl Ticker {
    /// Whether a vault belongs to no request, and to no sweep that may still need it.
    async fn is_orphan(&self, id: RequestId) -> Result<bool, Fault> {
        if self.ledger.load(&Key::Request(id)).await?.is_some() {
            return Ok(false);
        }
        let Some(Stored {
            item: Item::SweepVault(owner),
            ..
        }) = self.ledger.load(&Key::SweepVault(id)).await?
        else {
            return Ok(true);
        };
        let sweep = self.ledger.load(&Key::Sweep(owner.sweep)).await?;
        let Some(Stored {
            item: Item::Sweep(sweep),
            ..
        }) = sweep
        else {
            return Ok(true);
        };
        let now = self.clock.now();
        let kept = crate::worker::KEEP_AFTER_CLOSE;
        Ok(sweep
            .done_at
            .and_then(|at| at.saturating_add(kept).ok())
            .is_some_and(|end| end <= now))
    }
}

fn owes(task: &Task) -> bool {
    matches!(task.amendment, Amendment::Owed | Amendment::Cleared)
}

/// Whether the clock should let a request end without its blocked stores.
fn nearly_due(request: &Request, now: Timestamp) -> bool {
    let due = request.extended_to.or(request.due_at);
    // While the law's clock stands still, the date is not known yet.
    let counts = request.members().is_none()
        && request.paused_at.is_none()
        && matches!(request.stage, Stage::Locating | Stage::Acting);
    counts
        && due
            .and_then(|due| due.saturating_sub(BEFORE_DUE).ok())
            .is_some_and(|at| at <= now)
}

/// How long before the due date blocked stores are given up on.
const BEFORE_DUE: SignedDuration = SignedDuration::from_hours(48);
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
const AT_MOST: SignedDuration = SignedDuration::from_hours(1);
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// Two years after closing, papers are destroyed whatever is still blocked.
const KEEP_AT_MOST: SignedDuration = SignedDuration::from_hours(24 * 730);
/// From ten past three at night, UTC.
const SWEEP_MINUTES: std::ops::Range<i64> = 190..200;
const CONFLICTS: usize = 8;
const ORPHANS_AT_ONCE: usize = 100;
