//! After sealing: what was released later is located, gated, done, and told in amendments.
//!
//! The request is closed and stays so; its tasks go through the same waves and the same gate as
//! before, and nothing is touched that the gate did not open for.

use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::message::Message;
use quittance_core::plan::{self, Next};
use quittance_core::request::{Happening, Outcome, Place, Request, Right};
use quittance_core::task::{Amendment, Task, TaskStage};

use super::{Step, Worker};
use crate::change::Change;
use crate::ledger::{Item, Version, Write};
use crate::{reading, statement};

impl Worker {
    /// Works on what was released after sealing, and tells it in amendments.
    pub(super) async fn amend(
        &self,
        request: &Request,
        version: Version,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        if request.stage.outcome() != Some(Outcome::Partial) || request.purged_at.is_some() {
            return Ok(Step::Rest);
        }
        let found = reading::tasks(&*self.ledger, request.id).await?;
        if self.wake_blocked(request, version, &found).await? || self.cut_off(&found).await? {
            return Ok(Step::Afresh);
        }
        if let Some((task, task_version)) = found.iter().find(|(task, _)| is_to_be_told(task)) {
            return self
                .amend_one(request, version, &found, task, *task_version)
                .await;
        }
        let tasks: Vec<Task> = found.iter().map(|(task, _)| task.clone()).collect();
        let stores = match plan::next_to_locate(&tasks, true) {
            Next::Locate(stores) => stores,
            Next::AllLocated | Next::AllSettled | Next::Act(_) | Next::Wait => {
                let cleared: Vec<Task> = tasks
                    .iter()
                    .filter(|task| task.amendment == Amendment::Cleared)
                    .cloned()
                    .collect();
                match plan::next_to_act(&cleared, true) {
                    Next::Act(stores) => stores,
                    Next::AllLocated | Next::AllSettled | Next::Locate(_) | Next::Wait => {
                        return self.clear(request, version, &found).await;
                    }
                }
            }
        };
        let Some(stores) = self.without_waiting(request, &tasks, stores).await? else {
            return Ok(Step::Afresh);
        };
        for store in stores {
            if self.right() == Right::OptOut {
                self.work_through(request.id, &store, until).await?;
                continue;
            }
            let message = Message::Task {
                id: request.id,
                store,
            };
            self.queues.send(self.right(), &message, 0).await?;
        }
        Ok(if self.right() == Right::OptOut {
            Step::Again
        } else {
            Step::Rest
        })
    }

    /// Opens the gate for what was located since, if nothing stops it.
    async fn clear(
        &self,
        request: &Request,
        version: Version,
        found: &[(Task, Version)],
    ) -> Result<Step, Fault> {
        let located = |task: &Task| {
            task.amendment == Amendment::Owed
                && matches!(task.stage, TaskStage::Located | TaskStage::Acting)
        };
        if !found.iter().any(|(task, _)| located(task)) {
            return Ok(Step::Rest);
        }
        let now = self.clock.now();
        let mut change = Change::new(request.clone(), version);
        if let Some(reason) = self.stopped_by(request).await? {
            if request.gate == Some(reason) {
                return Ok(Step::Rest);
            }
            change.request.gate = Some(reason);
            change.note(now, Happening::GateShut(reason));
            change.commit(&*self.ledger).await?;
            return Ok(Step::Rest);
        }
        let papers = self.papers(request).await?;
        let tasks: Vec<Task> = found.iter().map(|(task, _)| task.clone()).collect();
        let known = self.all_identifiers(request, &papers, &tasks).await?;
        if let Some(plan) = &mut change.request.plan {
            let key = &papers.evidence_key;
            let digest = plan::digest(key, self.right(), plan.data_map, &known, &tasks);
            plan.digest = Some(digest);
            change.note(now, Happening::GateOpened(digest));
        }
        change.request.gate = None;
        for (task, task_version) in found.iter().filter(|(task, _)| located(task)) {
            let cleared = Task {
                amendment: Amendment::Cleared,
                ..task.clone()
            };
            change.also(Write::Replace(Item::Task(cleared), *task_version));
        }
        change.commit(&*self.ledger).await?;
        Ok(Step::Afresh)
    }

    async fn amend_one(
        &self,
        request: &Request,
        version: Version,
        found: &[(Task, Version)],
        task: &Task,
        task_version: Version,
    ) -> Result<Step, Fault> {
        if let Some(place) = request.place() {
            return self
                .amend_for_batch(request, version, found, task, task_version, place)
                .await;
        }
        let leaf = reading::leaf(&*self.ledger, LeafId::Outcome(request.id)).await?;
        let Some(outcome_leaf) = leaf.and_then(|leaf| leaf.sequenced) else {
            self.queues
                .send(self.right(), &Message::Statements, 0)
                .await?;
            return Ok(Step::Rest);
        };
        let leaf = reading::leaf(&*self.ledger, LeafId::Acceptance(request.id)).await?;
        let Some(accepted) = leaf.and_then(|leaf| leaf.sequenced) else {
            return Ok(Step::Rest);
        };
        let tasks: Vec<Task> = found.iter().map(|(task, _)| task.clone()).collect();
        let blocked = tasks.iter().any(|task| !task.stage.is_settled());
        let outcome = if blocked {
            Outcome::Partial
        } else {
            Outcome::Completed
        };
        let state = self.state(&tasks, outcome);
        if request.answer != Some(state) {
            return self
                .answer(request.clone(), version, &tasks, outcome, state)
                .await;
        }
        let disclosed = self.disclosed(request, outcome).await?;
        let tasks = self.with_what_is_left(request, &tasks).await?;
        let mut change = Change::new(request.clone(), version);
        change.request.amendments += 1;
        let n = change.request.amendments;
        let bytes = statement::amendment(
            &statement::Sealed {
                request,
                tasks: &tasks,
                map: &self.map,
                outcome,
                accepted: &accepted,
                disclosed: disclosed.map(|d| (d.bytes, d.manifest)),
                handler: &self.handler,
                completed_at: self.clock.now(),
                nonce: self.clock.random(),
            },
            n,
            outcome_leaf.index,
        )?;
        let leaf = LeafId::Amendment(request.id, n);
        self.put_leaf(&mut change, leaf, &bytes, self.clock.now())
            .await?;
        let told = Task {
            amendment: Amendment::Made,
            ..task.clone()
        };
        change.also(Write::Replace(Item::Task(told), task_version));
        change.commit(&*self.ledger).await?;
        self.queues
            .send(self.right(), &Message::Statements, 0)
            .await?;
        Ok(Step::Again)
    }
}

impl Worker {
    /// A batch's member tells what it did later to its batch: what is told there is everybody's.
    async fn amend_for_batch(
        &self,
        request: &Request,
        version: Version,
        found: &[(Task, Version)],
        task: &Task,
        task_version: Version,
        place: Place,
    ) -> Result<Step, Fault> {
        let blocked = found.iter().any(|(task, _)| !task.stage.is_settled());
        let outcome = if blocked {
            Outcome::Partial
        } else {
            Outcome::Completed
        };
        let mut change = Change::new(request.clone(), version);
        let told = Task {
            amendment: Amendment::Made,
            ..task.clone()
        };
        change.also(Write::Replace(Item::Task(told), task_version));
        self.amend_member(change, place, outcome).await
    }
}

/// Whether what a task did after sealing is done and not told yet.
fn is_to_be_told(task: &Task) -> bool {
    matches!(task.stage, TaskStage::Done | TaskStage::Exempt)
        && matches!(task.amendment, Amendment::Owed | Amendment::Cleared)
}
