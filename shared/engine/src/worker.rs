//! Carrying a request through its stages, for one right.
//!
//! A worker is woken by messages, reads the ledger, and makes the next step; every step ends in one
//! commit, so that a second delivery, or a crash anywhere, changes nothing about the result. What is
//! decided is in `quittance_core::{request, task, plan}`.

mod act;
mod amend;
mod batch;
mod collect;
mod gate;
mod left;
mod locate;
mod question;
mod replan;
mod seal;
mod step;
mod sweep;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use quittance_core::data_map::DataMap;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::{RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::request::{Outcome, Request, Right, Stage};
use quittance_core::task::{Amendment, Task, TaskStage};

use crate::batch::Consumer;
use crate::keys::TagKeys;
use crate::ledger::{Item, Version, Write};
use crate::ports::{
    Clock, Deposit, Evidence, Ledger, Mailer, Queues, RecordEraser, RecordReader, StoreEraser,
    StoreFlagger, StoreReader, Vault,
};
use crate::reading;
use crate::statement::Handler;
use crate::stuck;

pub(crate) use self::step::KEEP_AFTER_CLOSE;

/// What a worker may do to customers' stores beyond reading: this is the right it serves.
#[derive(Clone, Debug)]
pub enum Hand {
    /// Nothing: access.
    Copy,
    /// Delete and mask, single things and rows of shared objects: deletion.
    Erase(Arc<dyn StoreEraser>, Arc<dyn RecordEraser>),
    /// Set flags: opt-out.
    Flag(Arc<dyn StoreFlagger>),
}

impl Hand {
    /// Returns the right this hand serves.
    pub const fn right(&self) -> Right {
        match self {
            Self::Copy => Right::Access,
            Self::Erase(..) => Right::Deletion,
            Self::Flag(_) => Right::OptOut,
        }
    }
}

/// The use-cases of one right, with the ports they may use and no others.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What may be done to stores.
    pub hand: Hand,
    /// Where stores are searched and read.
    pub reader: Arc<dyn StoreReader>,
    /// Where objects that hold rows of many subjects are read.
    pub records: Arc<dyn RecordReader>,
    /// Requests and tasks.
    pub ledger: Arc<dyn Ledger>,
    /// Wakes tasks, requests and the sequencer.
    pub queues: Arc<dyn Queues>,
    /// Papers, manifests, collected data.
    pub vault: Arc<dyn Vault>,
    /// Where the papers of sweeps go in.
    pub deposit: Arc<dyn Deposit>,
    /// Statements and receipts.
    pub evidence: Arc<dyn Evidence>,
    /// Answers.
    pub mailer: Arc<dyn Mailer>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// Subject and suppression tags.
    pub keys: TagKeys,
    /// The data map in force.
    pub map: Arc<DataMap>,
    /// What the receipts say about the software.
    pub handler: Handler,
    /// How long one run of this function lasts at the most: whoever gave no sign of life for longer
    /// is dead, and a message to it lost.
    pub longest_run: SignedDuration,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The ledger changed: look again.
    Again,
    /// The same, and tasks that were announced before must be announced again.
    Afresh,
    /// Nothing more to do for now.
    Rest,
}

/// The tasks of one wave, going up (locating) or down (acting): they are announced together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Neighbours {
    wave: u32,
    locating: bool,
}

impl Worker {
    /// Handles one message. A fault that time may cure is answered with a delayed message of the
    /// same kind, so that receive counts are burnt by crashes only.
    ///
    /// # Errors
    /// `Fault::Reject` for a message that can never be handled: quarantine it. `Fault::Retry` only
    /// when not even the delayed message could be sent.
    pub async fn handle(&self, message: &Message, until: Timestamp) -> Result<(), Fault> {
        let handled = match message {
            Message::Request { id } => self.advance(*id, None, until).await,
            Message::Task { id, store } => self.work(*id, store, until).await,
            Message::Sweep { store } => self.sweep(store, until).await,
            Message::Shard { store, n, k } => self.shard(store, *n, *k, until).await,
            Message::Statements => Err(Fault::reject("this message belongs to the sequencer")),
        };
        let after = match handled {
            Ok(()) => return Ok(()),
            Err(Fault::Conflict) => 1,
            Err(Fault::Retry {
                after_seconds,
                detail,
            }) => {
                tracing::info!(fault = %detail, "trying again later");
                after_seconds
            }
            Err(refused @ (Fault::Block(_) | Fault::Reject { .. })) => return Err(refused),
        };
        self.queues
            .send(self.right(), message, after.min(900))
            .await
    }

    /// Returns the right this worker serves.
    pub const fn right(&self) -> Right {
        self.hand.right()
    }

    /// Makes steps until there is nothing more to do. `after` is the task that was just worked on:
    /// its neighbours are announced already.
    async fn advance(
        &self,
        id: RequestId,
        mut after: Option<Neighbours>,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let mut conflicts = 0;
        loop {
            self.mind_the_time(until)?;
            match self.step(id, after, until).await {
                Ok(Step::Again) => {}
                Ok(Step::Afresh) => after = None,
                Ok(Step::Rest) => return Ok(()),
                Err(Fault::Conflict) if conflicts < CONFLICTS => conflicts += 1,
                Err(fault) => return self.stumble(id, fault).await,
            }
        }
    }

    /// Works on one task as far as it goes, then looks at the request.
    async fn work(&self, id: RequestId, store: &StoreId, until: Timestamp) -> Result<(), Fault> {
        let mut after = None;
        if let Some(found) = self.workable(id, store).await? {
            let locating = found.stage == TaskStage::Pending;
            after = Some(Neighbours {
                wave: found.wave,
                locating,
            });
            self.work_through(id, store, until).await?;
        }
        self.advance(id, after, until).await
    }

    /// Works on a task until it is settled or blocked.
    async fn work_through(
        &self,
        id: RequestId,
        store: &StoreId,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let mut conflicts = 0;
        loop {
            let fault = match self.work_once(id, store, until).await {
                Ok(Step::Again | Step::Afresh) => continue,
                Ok(Step::Rest) => return Ok(()),
                Err(fault) => fault,
            };
            match fault {
                Fault::Conflict if conflicts < CONFLICTS => conflicts += 1,
                Fault::Block(reason) => self.block(id, store, reason).await?,
                Fault::Retry {
                    after_seconds,
                    detail,
                } if detail != TIME_OUT => {
                    let (ledger, now) = (&*self.ledger, self.clock.now());
                    let attempts = stuck::count_task(ledger, now, id, store).await?;
                    return Err(Fault::Retry {
                        after_seconds: stuck::pause(attempts, after_seconds),
                        detail,
                    });
                }
                Fault::Reject { ref detail } => {
                    // Trying again changes nothing: a person must look.
                    tracing::error!(request.id = %id, store.id = %store, fault = detail.as_str(), "a task cannot be worked on");
                    self.block(id, store, BlockReason::RetriesExhausted).await?;
                }
                Fault::Conflict | Fault::Retry { .. } => return Err(fault),
            }
        }
    }

    /// Makes one step of a task.
    async fn work_once(
        &self,
        id: RequestId,
        store: &StoreId,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        self.mind_the_time(until)?;
        let Some((request, version)) = reading::request(&*self.ledger, id).await? else {
            return Ok(Step::Rest);
        };
        let Some((task, task_version)) = reading::task(&*self.ledger, id, store).await? else {
            return Ok(Step::Rest);
        };
        if self.planned(&request) != replan::Planned::AsHere || !is_workable(&request, &task) {
            return Ok(Step::Rest);
        }
        match task.stage {
            TaskStage::Pending => self.locate(&request, task, task_version).await,
            TaskStage::Located => self.begin(request, version, task, task_version).await,
            TaskStage::Acting => self.act(&request, task, task_version).await,
            TaskStage::Done | TaskStage::Exempt | TaskStage::Blocked(_) => Ok(Step::Rest),
        }
    }

    async fn workable(&self, id: RequestId, store: &StoreId) -> Result<Option<Task>, Fault> {
        let Some((request, _)) = reading::request(&*self.ledger, id).await? else {
            return Ok(None);
        };
        if request.right != self.right() {
            return Err(Fault::reject(OTHER_RIGHT));
        }
        let found = reading::task(&*self.ledger, id, store).await?;
        Ok(found.map(|(task, _)| task))
    }

    /// Commits that a task cannot go on.
    async fn block(
        &self,
        id: RequestId,
        store: &StoreId,
        reason: BlockReason,
    ) -> Result<(), Fault> {
        stuck::block_task(&*self.ledger, self.clock.now(), id, store, reason).await
    }

    /// Sees to a request whose own next step failed: it is tried again, ever more rarely, and blocked
    /// when that cannot help.
    async fn stumble(&self, id: RequestId, fault: Fault) -> Result<(), Fault> {
        let (ledger, now) = (&*self.ledger, self.clock.now());
        match fault {
            Fault::Block(reason) => stuck::block_request(ledger, now, id, reason).await,
            Fault::Reject { ref detail } if detail != OTHER_RIGHT => {
                tracing::error!(request.id = %id, fault = detail.as_str(), "a request cannot go on");
                stuck::block_request(ledger, now, id, BlockReason::RetriesExhausted).await
            }
            Fault::Retry {
                after_seconds,
                detail,
            } if detail != TIME_OUT => {
                let attempts = stuck::count_request(ledger, now, id).await?;
                Err(Fault::Retry {
                    after_seconds: stuck::pause(attempts, after_seconds),
                    detail,
                })
            }
            Fault::Conflict | Fault::Retry { .. } | Fault::Reject { .. } => Err(fault),
        }
    }

    async fn replace_task(&self, task: Task, version: Version) -> Result<(), Fault> {
        self.ledger
            .commit(&[Write::Replace(Item::Task(task), version)])
            .await
    }

    /// Stops between two commits when the time is nearly out; a continuation goes on.
    fn mind_the_time(&self, until: Timestamp) -> Result<(), Fault> {
        if self.clock.now() >= until {
            return Err(Fault::Retry {
                after_seconds: 0,
                detail: TIME_OUT.to_owned(),
            });
        }
        Ok(())
    }

    fn soon(&self, wait: SignedDuration) -> Option<Timestamp> {
        self.clock.now().saturating_add(wait).ok()
    }
}

#[async_trait]
impl Consumer for Worker {
    async fn handle(&self, message: &Message, until: Timestamp) -> Result<(), Fault> {
        Self::handle(self, message, until).await
    }

    /// A panic counts as a try: what makes a function panic each time ends as a block.
    async fn stumbled(&self, message: &Message) -> Result<(), Fault> {
        let (ledger, now) = (&*self.ledger, self.clock.now());
        let attempts = match message {
            Message::Request { id } => stuck::count_request(ledger, now, *id).await?,
            Message::Task { id, store } => stuck::count_task(ledger, now, *id, store).await?,
            // Announced again by the clock, or by the sweep, which counts that.
            Message::Sweep { .. } | Message::Shard { .. } => return Ok(()),
            Message::Statements => return Err(Fault::reject(OTHER_RIGHT)),
        };
        let pause = stuck::pause(attempts, 2);
        self.queues.send(self.right(), message, pause).await
    }
}

/// Whether a task may be worked on, given where its request stands.
fn is_workable(request: &Request, task: &Task) -> bool {
    // Looking is allowed under a hold; touching is not.
    let held = request.hold.is_some() && task.stage != TaskStage::Pending;
    if request.ending.is_some() || held {
        return false;
    }
    let generation = request.plan.as_ref().map_or(0, |plan| plan.generation);
    if task.generation != generation {
        return false;
    }
    match (request.stage, task.stage) {
        (Stage::Locating, TaskStage::Pending)
        | (Stage::Acting, TaskStage::Located | TaskStage::Acting) => true,
        (
            Stage::Sealing(Outcome::Partial) | Stage::Closed(Outcome::Partial),
            TaskStage::Pending,
        ) => task.amendment == Amendment::Owed,
        // Touching wants the gate, after sealing too.
        (
            Stage::Sealing(Outcome::Partial) | Stage::Closed(Outcome::Partial),
            TaskStage::Located | TaskStage::Acting,
        ) => task.amendment == Amendment::Cleared,
        (
            Stage::Draft
            | Stage::Accepted
            | Stage::Locating
            | Stage::Gated
            | Stage::Acting
            | Stage::Sealing(_)
            | Stage::Closed(_),
            TaskStage::Pending
            | TaskStage::Located
            | TaskStage::Acting
            | TaskStage::Done
            | TaskStage::Exempt
            | TaskStage::Blocked(_),
        ) => false,
    }
}

/// As long as a function on Lambda can run.
pub const LONGEST_RUN: SignedDuration = SignedDuration::from_mins(15);
const TIME_OUT: &str = "time nearly out";
pub(crate) const OTHER_RIGHT: &str = "this message belongs to another right";
const CONFLICTS: usize = 16;
