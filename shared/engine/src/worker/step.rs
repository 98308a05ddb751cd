//! One step of a request: what its stage asks for, ending in one commit.

use jiff::{SignedDuration, Timestamp};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::plan::{self, Next};
use quittance_core::request::{Event, Outcome, Request, Right, Stage};
use quittance_core::task::{Amendment, Task, TaskEvent, TaskStage};

use super::batch::attestation;
use super::gate::SOON;
use super::replan::Planned;
use super::{Neighbours, Step, Worker};
use crate::change::Change;
use crate::ledger::{Item, Version, Write};
use crate::{mails, reading};

impl Worker {
    /// Makes the next step of a request.
    pub(super) async fn step(
        &self,
        id: RequestId,
        after: Option<Neighbours>,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        let Some((request, version)) = reading::request(&*self.ledger, id).await? else {
            return Ok(Step::Rest);
        };
        if request.right != self.right() {
            return Err(Fault::reject(super::OTHER_RIGHT));
        }
        if let Some(members) = request.members().cloned() {
            return match request.block {
                Some(_) => Ok(Step::Rest),
                None => self.batch(request, version, members).await,
            };
        }
        if request.ending.is_none() {
            match self.planned(&request) {
                Planned::AsHere => {}
                Planned::Before => return self.replan(request, version).await,
                Planned::Later => return Ok(Step::Rest),
            }
        }
        if request.block.is_some() {
            // Staff lets it try again, a decision to end it does, or a corrected data map.
            return Ok(Step::Rest);
        }
        if let Some(ending) = request.ending {
            return match request.stage {
                Stage::Accepted | Stage::Locating | Stage::Gated | Stage::Acting => {
                    self.settle(request, version, &[], ending.outcome()).await
                }
                Stage::Sealing(_) => self.close(request, version).await,
                Stage::Draft | Stage::Closed(_) => Ok(Step::Rest),
            };
        }
        match request.stage {
            Stage::Draft => Ok(Step::Rest),
            Stage::Accepted => self.plan(request, version).await,
            Stage::Locating => self.locating(request, version, after, until).await,
            Stage::Gated => self.gate(request, version).await,
            Stage::Acting => self.acting(request, version, after, until).await,
            Stage::Sealing(_) => match self.amend(&request, version, until).await? {
                Step::Rest => self.close(request, version).await,
                again @ (Step::Again | Step::Afresh) => Ok(again),
            },
            Stage::Closed(_) => self.amend(&request, version, until).await,
        }
    }

    /// Makes the plan. Its tasks are derivable, so this one commit is enough to begin.
    async fn plan(&self, request: Request, version: Version) -> Result<Step, Fault> {
        let papers = self.papers(&request).await?;
        if self.right() == Right::OptOut {
            // An opt-out waits for nothing. A suppression entry is an effect: the commit before it
            // ends the time in which the request could be withdrawn.
            if request.first_effect_at.is_none() {
                let mut change = Change::new(request, version);
                change.request.first_effect_at = Some(self.clock.now());
                change.commit(&*self.ledger).await?;
                return Ok(Step::Again);
            }
            self.suppress(&request, &papers, &[]).await?;
        }
        if let Some(mail) = mails::acknowledgement(&request, &papers, &self.map.controller) {
            self.send_mail(&mail).await?;
        }
        let mut change = Change::new(request, version);
        change.go(Event::Planned)?;
        self.pin_map(&mut change);
        change.commit(&*self.ledger).await?;
        Ok(Step::Again)
    }

    /// Goes up the waves until everything is located.
    async fn locating(
        &self,
        request: Request,
        version: Version,
        after: Option<Neighbours>,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        let found = reading::tasks(&*self.ledger, request.id).await?;
        if self.renew(&request, &found).await?
            || self.create_missing(&request, &found).await?
            || self.wake_blocked(&request, version, &found).await?
        {
            return Ok(Step::Afresh);
        }
        let tasks: Vec<Task> = found.iter().map(|(task, _)| task.clone()).collect();
        // An opt-out does what it can at once, and what is blocked when it is released.
        let give_up = request.partial_at.is_some() || self.right() == Right::OptOut;
        if give_up && self.cut_off(&found).await? {
            return Ok(Step::Again);
        }
        match plan::next_to_locate(&tasks, give_up) {
            Next::AllLocated | Next::AllSettled => self.located(request, version, &tasks).await,
            Next::Locate(stores) | Next::Act(stores) => {
                self.set_going(&request, &tasks, stores, after, until).await
            }
            Next::Wait => self.wait(request, version, &tasks).await,
        }
    }

    /// Goes down the waves until everything is settled.
    async fn acting(
        &self,
        request: Request,
        version: Version,
        after: Option<Neighbours>,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        if request.hold.is_some() {
            return self.wait(request, version, &[]).await;
        }
        let found = reading::tasks(&*self.ledger, request.id).await?;
        if self.wake_blocked(&request, version, &found).await? {
            return Ok(Step::Afresh);
        }
        let tasks: Vec<Task> = found.iter().map(|(task, _)| task.clone()).collect();
        if tasks.iter().any(|task| task.stage == TaskStage::Pending) {
            // Released after it was given up on: it is located and gated like every other.
            let mut change = Change::new(request, version);
            change.go(Event::Replanned)?;
            change.request.wake_at = self.soon(SOON);
            change.commit(&*self.ledger).await?;
            return Ok(Step::Afresh);
        }
        let give_up = request.partial_at.is_some();
        match plan::next_to_act(&tasks, give_up) {
            Next::Act(stores) | Next::Locate(stores) => {
                self.set_going(&request, &tasks, stores, after, until).await
            }
            Next::Wait => self.wait(request, version, &tasks).await,
            Next::AllSettled | Next::AllLocated => {
                if self.look_once_more(&found).await? {
                    return Ok(Step::Afresh);
                }
                let partial = tasks.iter().any(|task| task.stage.is_blocked());
                let outcome = if partial {
                    Outcome::Partial
                } else {
                    Outcome::Completed
                };
                self.settle(request, version, &tasks, outcome).await
            }
        }
    }

    /// Sends the tasks on their way; an opt-out works them off here, in one invocation.
    async fn set_going(
        &self,
        request: &Request,
        tasks: &[Task],
        stores: Vec<StoreId>,
        after: Option<Neighbours>,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        if self.right() == Right::OptOut {
            for store in &stores {
                self.work_through(request.id, store, until).await?;
            }
            return Ok(Step::Again);
        }
        let Some(stores) = self.without_waiting(request, tasks, stores).await? else {
            return Ok(Step::Afresh);
        };
        let first = tasks.iter().find(|task| stores.contains(&task.store));
        let locating = request.stage == Stage::Locating;
        let ours = first.map(|task| Neighbours {
            wave: task.wave,
            locating,
        });
        if ours.is_some() && ours == after {
            // Neighbours of the task just worked on were announced with it.
            return Ok(Step::Rest);
        }
        for store in stores {
            let message = Message::Task {
                id: request.id,
                store,
            };
            self.queues.send(self.right(), &message, 0).await?;
        }
        Ok(Step::Rest)
    }

    /// Puts the tasks of stores that have none; whoever puts one first, it is the same.
    async fn create_missing(
        &self,
        request: &Request,
        found: &[(Task, Version)],
    ) -> Result<bool, Fault> {
        let generation = request.plan.as_ref().map_or(0, |plan| plan.generation);
        let missing: Vec<Write> = self
            .map
            .stores
            .iter()
            .filter(|store| !found.iter().any(|(task, _)| task.store == store.id))
            .map(|store| Task {
                generation,
                ..plan::task(&self.map, store, request.id, self.right())
            })
            .map(|task| Write::Create(Item::Task(task)))
            .collect();
        for chunk in missing.chunks(crate::ledger::MAX_WRITES) {
            self.ledger.commit(chunk).await?;
        }
        Ok(!missing.is_empty())
    }

    /// Sends back to its look what was looked at before others were done: what arrived meanwhile
    /// must not be missed.
    async fn look_once_more(&self, found: &[(Task, Version)]) -> Result<bool, Fault> {
        if self.right() == Right::Access {
            return Ok(false);
        }
        let mut again = false;
        for (task, version) in found {
            let mut others = found.iter().filter(|(other, _)| other.store != task.store);
            let stale = others.any(|(other, _)| plan::is_stale(task, other));
            if !stale {
                continue;
            }
            let task = Task {
                stage: super::act::stage_after(task, TaskEvent::Reopened)?,
                round: task.rounds,
                cursor: u32::MAX,
                ..task.clone()
            };
            self.replace_task(task, *version).await?;
            again = true;
        }
        Ok(again)
    }

    /// Lets blocked tasks go on whose time has come: at a date, with an attestation, or because what
    /// leads to them goes on. The request changes too, so that nobody seals at the same moment.
    pub(super) async fn wake_blocked(
        &self,
        request: &Request,
        version: Version,
        found: &[(Task, Version)],
    ) -> Result<bool, Fault> {
        let now = self.clock.now();
        let tasks: Vec<Task> = found.iter().map(|(task, _)| task.clone()).collect();
        let mut change = Change::new(request.clone(), version);
        let mut woken = false;
        for (task, task_version) in found {
            let Some(block) = &task.block else { continue };
            let due = block.until.is_some_and(|at| at <= now);
            // An attestation may have come between looking for it and committing the block.
            let attested = block.reason == BlockReason::AwaitingAttestation
                && attestation(&*self.vault, request, &task.store)
                    .await?
                    .is_some();
            let follows = block.reason == BlockReason::UpstreamBlocked
                && !plan::is_cut_off(&self.map, &tasks, &task.store);
            let mut task = task.clone();
            let lifted =
                block.reason == BlockReason::StoreHeld && !self.is_store_held(&task.store).await?;
            if (due || attested || follows || lifted) && plan::release(&mut task) {
                if request.stage.outcome().is_some() {
                    task.amendment = Amendment::Owed;
                }
                change.also(Write::Replace(Item::Task(task), *task_version));
                woken = true;
            }
        }
        if woken {
            change.request.wake_at = Some(now);
            change.commit(&*self.ledger).await?;
        }
        Ok(woken)
    }

    /// Blocks what can no longer be located properly once a yielding store is given up on.
    pub(super) async fn cut_off(&self, found: &[(Task, Version)]) -> Result<bool, Fault> {
        let tasks: Vec<Task> = found.iter().map(|(task, _)| task.clone()).collect();
        let cut = plan::cut_off(&self.map, &tasks);
        for store in &cut {
            let Some(task) = tasks.iter().find(|task| task.store == *store) else {
                continue;
            };
            if task.stage.after(TaskEvent::Blocked).is_ok() {
                self.block(task.request, store, BlockReason::UpstreamBlocked)
                    .await?;
            }
        }
        Ok(!cut.is_empty())
    }

    /// Rests until the next date, or until the clock looks again.
    pub(super) async fn wait(
        &self,
        request: Request,
        version: Version,
        tasks: &[Task],
    ) -> Result<Step, Fault> {
        let patient = self.soon(PATIENT);
        let wake_at = plan::next_release(tasks).into_iter().chain(patient).min();
        // The clock moves the hour on with each look; only an earlier date is worth a commit.
        if wake_at < request.wake_at || request.wake_at.is_some_and(|at| at <= self.clock.now()) {
            let mut change = Change::new(request, version);
            change.request.wake_at = wake_at;
            change.commit(&*self.ledger).await?;
        }
        Ok(Step::Rest)
    }

    /// Closes a sealing request once its receipt is stored.
    pub(super) async fn close(&self, request: Request, version: Version) -> Result<Step, Fault> {
        let leaf = LeafId::Outcome(request.id);
        let sequenced = reading::leaf(&*self.ledger, leaf)
            .await?
            .and_then(|leaf| leaf.sequenced);
        let receipt = match sequenced {
            Some(_) => {
                self.evidence
                    .read(&crate::sequencer::paths::receipt(&leaf))
                    .await?
            }
            None => None,
        };
        if receipt.is_none() {
            self.queues
                .send(self.right(), &Message::Statements, 0)
                .await?;
            return Ok(Step::Rest);
        }
        let mut change = Change::new(request, version);
        change.go(Event::Sealed)?;
        self.keep_closed(&mut change).await?;
        change.commit(&*self.ledger).await?;
        Ok(Step::Again)
    }

    /// Says when the clock looks at a request that is closed now: for an amendment it owes, or when
    /// its papers have been kept long enough.
    pub(super) async fn keep_closed(&self, change: &mut Change) -> Result<(), Fault> {
        let now = self.clock.now();
        change.request.closed_at = Some(now);
        let tasks = reading::tasks(&*self.ledger, change.request.id).await?;
        let owes = tasks
            .iter()
            .any(|(task, _)| matches!(task.amendment, Amendment::Owed | Amendment::Cleared));
        change.request.wake_at = if owes {
            self.soon(SOON)
        } else {
            now.saturating_add(KEEP_AFTER_CLOSE).ok()
        };
        Ok(())
    }
}

const PATIENT: SignedDuration = SignedDuration::from_hours(1);
/// How long identifiers, manifests and exports outlive the request (ARCHITECTURE, retention).
pub(crate) const KEEP_AFTER_CLOSE: SignedDuration = SignedDuration::from_hours(24 * 30);
