//! Sweeps: opening one for everybody who waits, telling its members, and going from stage to stage.
//!
//! Everything here is woken by messages and decided on the ledger, like the rest of the worker; each
//! step ends in one commit. Lost messages are made good by the members' requests, which the clock
//! announces again and again.

mod papers;
mod settle;
mod shards;
mod work;

use jiff::{SignedDuration, Timestamp};
use quittance_core::data_map::Store;
use quittance_core::fault::Fault;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::plan;
use quittance_core::request::{Request, Stage};
use quittance_core::sweep::{
    self, Exclusion, Purpose, Sweep, SweepEvent, SweepId, SweepStage, SweepVault, Waiting,
};
use quittance_core::task::{Membership, Task, TaskStage};

use self::papers::{Member, Members};
use super::{Step, Worker};
use crate::ledger::{Item, Key, Listing, Stored, Version, Write};
use crate::reading;

impl Worker {
    /// Puts a task among those who wait for the next sweep of its store.
    pub(super) async fn await_sweep(
        &self,
        request: &Request,
        mut task: Task,
        version: Version,
        purpose: Purpose,
    ) -> Result<Step, Fault> {
        let store = task.store.clone();
        if task.sweep == Membership::Outside {
            let waiting = Waiting {
                request: request.id,
                store: store.clone(),
                right: self.right(),
                purpose,
                since: self.clock.now(),
                due_at: request
                    .extended_to
                    .or(request.due_at)
                    .unwrap_or(Timestamp::MAX),
            };
            task.sweep = Membership::Waiting;
            self.ledger
                .commit(&[
                    Write::Replace(Item::Task(task), version),
                    Write::Create(Item::Waiting(waiting)),
                ])
                .await?;
        }
        let message = Message::Sweep { store };
        self.queues.send(self.right(), &message, 0).await?;
        Ok(Step::Rest)
    }

    /// Goes on with a store's open sweep, or opens the next one, as far as it goes.
    pub(super) async fn sweep(&self, store: &StoreId, until: Timestamp) -> Result<(), Fault> {
        let mut conflicts = 0;
        loop {
            self.mind_the_time(until)?;
            match self.sweep_once(store, until).await {
                Ok(Step::Again) => {}
                Ok(Step::Rest) => return Ok(()),
                Err(Fault::Conflict) if conflicts < super::CONFLICTS => conflicts += 1,
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn sweep_once(&self, id: &StoreId, until: Timestamp) -> Result<Step, Fault> {
        let latest = self.latest_sweep(id).await?;
        let map = self.map.clone();
        let Some(store) = map.store(id).filter(|store| plan::is_swept(store)) else {
            // The members' own tasks find out, and are blocked.
            return Ok(Step::Rest);
        };
        if self.is_paused(id).await? {
            return Ok(Step::Rest);
        }
        match latest {
            Some((sweep, version)) => match sweep.stage {
                SweepStage::Opened => self.mark(sweep, version).await,
                SweepStage::Sharding => self.list_into_shard(store, sweep, version).await,
                SweepStage::Working => self.gather(sweep, version).await,
                SweepStage::Settling => self.settle_members(store, sweep, version, until).await,
                SweepStage::Done => self.open(store, sweep.id.n.saturating_add(1)).await,
            },
            None => self.open(store, 1).await,
        }
    }

    async fn latest_sweep(&self, store: &StoreId) -> Result<Option<(Sweep, Version)>, Fault> {
        let listing = Listing::Sweeps(store.clone(), self.right());
        let page = self.ledger.list(&listing, None, 1).await?;
        Ok(page.items.into_iter().find_map(|stored| match stored {
            Stored {
                item: Item::Sweep(sweep),
                version,
            } => Some((sweep, version)),
            _ => None,
        }))
    }

    pub(super) async fn is_paused(&self, store: &StoreId) -> Result<bool, Fault> {
        let key = Key::Pause(store.clone());
        Ok(self.ledger.load(&key).await?.is_some())
    }

    /// Opens the next sweep, when its time has come: the member file first, then the item that
    /// names it. Of two who open at once one wins; the other's file belongs to nothing.
    async fn open(&self, store: &Store, n: u32) -> Result<Step, Fault> {
        let waiting = self.candidates(&store.id).await?;
        let every = store
            .sweep
            .map(|sweep| SignedDuration::from_mins(i64::from(sweep.every_minutes)));
        let now = self.clock.now();
        let Some(opens_at) = sweep::opens_at(&waiting, every) else {
            return Ok(Step::Rest);
        };
        if opens_at > now {
            let wait = opens_at.duration_since(now).as_secs().clamp(1, 900);
            let store = store.id.clone();
            self.queues
                .send(
                    self.right(),
                    &Message::Sweep { store },
                    u32::try_from(wait).unwrap_or(900),
                )
                .await?;
            return Ok(Step::Rest);
        }
        let Some((purpose, chosen)) = sweep::members_of(&waiting) else {
            return Ok(Step::Rest);
        };
        let mut members = Vec::with_capacity(chosen.len());
        for waiting in chosen {
            if let Some(member) = self.member(waiting).await? {
                members.push(member);
            }
        }
        if members.is_empty() {
            return Ok(Step::Rest);
        }
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let (vault, tag) = self.deposit_members(Members { v: 1, members }).await?;
        let id = SweepId {
            store: store.id.clone(),
            right: self.right(),
            n,
        };
        let opened = Sweep {
            id: id.clone(),
            vault,
            purpose,
            stage: SweepStage::Opened,
            opened_at: now,
            members: count,
            members_tag: tag,
            cursor: 0,
            round: 1,
            round_at: None,
            shards: 0,
            first_shard: 0,
            done_at: None,
        };
        self.ledger
            .commit(&[
                Write::Create(Item::Sweep(opened)),
                Write::Create(Item::SweepVault(SweepVault { vault, sweep: id })),
            ])
            .await?;
        tracing::info!(store.id = %store.id, count = count, "sweep opened");
        Ok(Step::Again)
    }

    /// Lists who waits and may be served; who no longer needs it is taken off the list.
    async fn candidates(&self, store: &StoreId) -> Result<Vec<Waiting>, Fault> {
        let listing = Listing::Waiting(store.clone(), self.right());
        let mut candidates = Vec::new();
        for stored in reading::everything(&*self.ledger, &listing).await? {
            let Item::Waiting(waiting) = stored.item else {
                continue;
            };
            let Some((request, _)) = reading::request(&*self.ledger, waiting.request).await? else {
                continue;
            };
            if request.ending.is_some() || matches!(request.stage, Stage::Closed(_)) {
                let gone = Write::Delete(
                    Key::Waiting(store.clone(), self.right(), waiting.request),
                    stored.version,
                );
                match self.ledger.commit(&[gone]).await {
                    Ok(()) | Err(Fault::Conflict) => continue,
                    Err(fault) => return Err(fault),
                }
            }
            // Looking is allowed under a hold; touching is not.
            if request.hold.is_none() || waiting.purpose == Purpose::Find {
                candidates.push(waiting);
            }
        }
        Ok(candidates)
    }

    /// Draws what a sweep must know about one who waits.
    async fn member(&self, waiting: &Waiting) -> Result<Option<Member>, Fault> {
        let found = reading::request(&*self.ledger, waiting.request).await?;
        let task = reading::task(&*self.ledger, waiting.request, &waiting.store).await?;
        let (Some((request, _)), Some((task, _))) = (found, task) else {
            return Ok(None);
        };
        let papers = self.papers(&request).await?;
        let identifiers = self
            .identifiers_below(&request, &papers, task.wave)
            .await?;
        Ok(Some(Member {
            request: request.id,
            identifiers,
            found_by: task.located.as_ref().and_then(|located| located.sweep),
        }))
    }

    /// Tells each member's task that it is one. Whoever may not be touched any more is excluded
    /// before the first shard exists.
    async fn mark(&self, mut sweep: Sweep, version: Version) -> Result<Step, Fault> {
        let members = self.members(&sweep).await?;
        let from = usize::try_from(sweep.cursor).unwrap_or(usize::MAX);
        for member in members.members.iter().skip(from).take(MEMBERS_AT_ONCE) {
            self.mark_one(&sweep, member.request).await?;
            sweep.cursor = sweep.cursor.saturating_add(1);
        }
        if sweep.cursor >= sweep.members {
            sweep.stage = stage_after(&sweep, SweepEvent::Marked)?;
            sweep.cursor = 0;
        }
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }

    async fn mark_one(&self, sweep: &Sweep, id: RequestId) -> Result<(), Fault> {
        let store = &sweep.id.store;
        let found = reading::request(&*self.ledger, id).await?;
        let task = reading::task(&*self.ledger, id, store).await?;
        let (Some((request, version)), Some((task, task_version))) = (found, task) else {
            return self.exclude(sweep, id).await;
        };
        if task.sweep == Membership::Member(sweep.id.n) {
            return Ok(());
        }
        let waits = match sweep.purpose {
            Purpose::Find => task.stage == TaskStage::Pending,
            Purpose::Forget => task.stage == TaskStage::Acting && request.hold.is_none(),
        };
        let key = Key::Waiting(store.clone(), self.right(), id);
        let entry = self.ledger.load(&key).await?;
        let (true, Some(entry), Membership::Waiting) =
            (waits && request.ending.is_none(), entry, task.sweep)
        else {
            return self.exclude(sweep, id).await;
        };
        let told = Task {
            sweep: Membership::Member(sweep.id.n),
            attempts: 0,
            ..task
        };
        // A hold that comes at the same moment changes the request: one of the two reads again.
        self.ledger
            .commit(&[
                Write::Replace(Item::Task(told), task_version),
                Write::Delete(key, entry.version),
                Write::Check(Key::Request(id), version),
            ])
            .await
    }

    async fn exclude(&self, sweep: &Sweep, request: RequestId) -> Result<(), Fault> {
        let key = Key::Exclusion(sweep.id.clone(), request);
        if self.ledger.load(&key).await?.is_some() {
            return Ok(());
        }
        let out = Exclusion {
            sweep: sweep.id.clone(),
            request,
            at: self.clock.now(),
        };
        self.ledger
            .commit(&[Write::Create(Item::Exclusion(out))])
            .await
    }

    pub(super) async fn replace_sweep(&self, sweep: Sweep, version: Version) -> Result<(), Fault> {
        self.ledger
            .commit(&[Write::Replace(Item::Sweep(sweep), version)])
            .await
    }
}

pub(super) fn stage_after(sweep: &Sweep, event: SweepEvent) -> Result<SweepStage, Fault> {
    sweep
        .stage
        .after(event)
        .map_err(|illegal| Fault::reject(illegal.to_string()))
}

/// A sweep whose papers are gone cannot go on; nobody is harmed, for nothing was promised.
pub(super) fn gone(what: &str) -> Fault {
    Fault::reject(format!("vault: a sweep's {what} is gone"))
}

/// How many members are told, or get their results, between two commits of the cursor.
const MEMBERS_AT_ONCE: usize = 25;
