//! Sweeps: going from stage to stage, whoever wakes them.
//!
//! Opening one is in `open`, its shards are in `shards` and `work`, its end is in `settle`; one that
//! cannot go on is given up in `failed`.
//! Everything is decided on the ledger, like the rest of the worker, and each step ends in one
//! commit. Lost messages are made good by the clock, which looks at every record store.

mod failed;
mod open;
mod papers;
mod rewrite;
mod settle;
mod shards;
mod work;

use jiff::Timestamp;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::StoreId;
use quittance_core::message::Message;
use quittance_core::plan;
use quittance_core::request::{Request, Right};
use quittance_core::sweep::{Cut, Purpose, Sweep, SweepEvent, SweepStage, Waiting};
use quittance_core::task::{Membership, Task};

use super::{Step, Worker};
use crate::ledger::{Item, Key, Listing, Version, Write};

impl Worker {
    /// Puts a task among those who wait for the next sweep of its store. Whoever waits, or is a
    /// member, has nothing to do until the sweep is settled.
    pub(super) async fn await_sweep(
        &self,
        request: &Request,
        mut task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        if self.right() == Right::OptOut {
            return Err(Fault::Block(BlockReason::UnsupportedStore));
        }
        if task.sweep != Membership::Outside {
            return Ok(Step::Rest);
        }
        let store = task.store.clone();
        let due_at = request.extended_to.or(request.due_at);
        let waiting = Waiting {
            request: request.id,
            store: store.clone(),
            right: self.right(),
            since: self.clock.now(),
            due_at: due_at.unwrap_or(Timestamp::MAX),
        };
        task.sweep = Membership::Waiting;
        self.ledger
            .commit(&[
                Write::Replace(Item::Task(task), version),
                Write::Create(Item::Waiting(waiting)),
            ])
            .await?;
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
                Ok(Step::Again | Step::Afresh) => {}
                Ok(Step::Rest) => return Ok(()),
                Err(Fault::Conflict) if conflicts < super::CONFLICTS => conflicts += 1,
                Err(fault) => return self.sweep_failed(store, fault).await,
            }
        }
    }

    async fn sweep_once(&self, id: &StoreId, until: Timestamp) -> Result<Step, Fault> {
        let map = self.map.clone();
        let store = map
            .store(id)
            .filter(|store| plan::is_swept(store, self.right()));
        let latest = self.latest_sweep(id).await?;
        let next = latest
            .as_ref()
            .map_or(1, |(sweep, _)| sweep.id.n.saturating_add(1));
        let open = latest.filter(|(sweep, _)| sweep.stage != SweepStage::Done);
        let Some((sweep, version)) = open else {
            return match store {
                Some(store) if !self.is_paused(id).await? => self.open(store, next).await,
                Some(_) | None => Ok(Step::Rest),
            };
        };
        // Settling reaches no object: neither a pause nor another data map stops it.
        if sweep.stage == SweepStage::Settling {
            return self.settle_members(sweep, version, until).await;
        }
        let Some(store) = store else {
            let gone = Cut::Blocked(BlockReason::StoreGone);
            return self.cut_short(sweep, version, gone).await;
        };
        if store.digest() != sweep.described {
            return self.cut_short(sweep, version, Cut::Redescribed).await;
        }
        if self.is_paused(id).await? {
            return Ok(Step::Rest);
        }
        // Members are told first: whoever is none would wait for the next sweep, for ever.
        let told = sweep.stage != SweepStage::Opened;
        if told && sweep.purpose == Purpose::Forget && self.is_store_held(id).await? {
            let held = Cut::Blocked(BlockReason::StoreHeld);
            return self.cut_short(sweep, version, held).await;
        }
        match sweep.stage {
            SweepStage::Opened => self.mark(sweep, version).await,
            SweepStage::Sharding => self.list_into_shard(store, sweep, version).await,
            SweepStage::Working => self.gather(sweep, version).await,
            SweepStage::Settling | SweepStage::Done => Ok(Step::Rest),
        }
    }

    async fn latest_sweep(&self, store: &StoreId) -> Result<Option<(Sweep, Version)>, Fault> {
        let listing = Listing::Sweeps(store.clone(), self.right());
        let page = self.ledger.list(&listing, None, 1).await?;
        Ok(page.items.into_iter().find_map(|stored| {
            if let Item::Sweep(sweep) = stored.item {
                Some((sweep, stored.version))
            } else {
                None
            }
        }))
    }

    /// Leaves out tasks that wait for a sweep, or are in one: there is nothing to tell them. A
    /// request that may end in part does not wait for a paused store: none when such a task was
    /// blocked.
    pub(super) async fn without_waiting(
        &self,
        request: &Request,
        tasks: &[Task],
        mut stores: Vec<StoreId>,
    ) -> Result<Option<Vec<StoreId>>, Fault> {
        let is_swept = |store| plan::is_swept(store, self.right());
        let swept = |store: &StoreId| self.map.store(store).is_some_and(is_swept);
        let waits = |task: &&Task| {
            task.sweep != Membership::Outside && stores.contains(&task.store) && swept(&task.store)
        };
        let waiting: Vec<&Task> = tasks.iter().filter(waits).collect();
        stores.retain(|store| !waiting.iter().any(|task| task.store == *store));
        let open = request.stage.outcome().is_none();
        for task in waiting
            .iter()
            .filter(|_| open && request.partial_at.is_some())
        {
            if self.is_paused(&task.store).await? {
                self.block(request.id, &task.store, BlockReason::SweepsPaused)
                    .await?;
                return Ok(None);
            }
        }
        Ok(Some(stores))
    }

    pub(super) async fn is_paused(&self, store: &StoreId) -> Result<bool, Fault> {
        let key = Key::Pause(store.clone());
        Ok(self.ledger.load(&key).await?.is_some())
    }

    /// Ends a sweep that cannot go on; what it did so far is settled.
    async fn cut_short(&self, mut sweep: Sweep, version: Version, cut: Cut) -> Result<Step, Fault> {
        sweep.stage = stage_after(&sweep, SweepEvent::CutShort)?;
        sweep.cut = Some(cut);
        sweep.cursor = 0;
        tracing::warn!(store.id = %sweep.id.store, "sweep cut short");
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }

    /// Commits progress.
    async fn replace_sweep(&self, sweep: Sweep, version: Version) -> Result<(), Fault> {
        let sweep = Sweep {
            attempts: 0,
            ..sweep
        };
        self.ledger
            .commit(&[Write::Replace(Item::Sweep(sweep), version)])
            .await
    }
}

fn stage_after(sweep: &Sweep, event: SweepEvent) -> Result<SweepStage, Fault> {
    sweep
        .stage
        .after(event)
        .map_err(|illegal| Fault::reject(illegal.to_string()))
}

/// How many members are told, or get their results, between two commits of the cursor.
const MEMBERS_AT_ONCE: usize = 25;
