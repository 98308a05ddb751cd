//! A data map that changed: the plan is made anew, and so are its tasks.
//!
//! Papers of each plan have names of their own in the vault, so that what was written under one data
//! map is never taken for another's.

use quittance_core::fault::Fault;
use quittance_core::outcome::TaskOutcome;
use quittance_core::plan;
use quittance_core::request::{Event, Happening, Plan, Request, Right, Stage};
use quittance_core::task::Task;

use super::gate::SOON;
use super::{Step, Worker};
use crate::change::Change;
use crate::ledger::Version;
use crate::papers::to_json;
use crate::{reading, vault};

/// Under which data map a request was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planned {
    /// The one in force here, or it does not matter at its stage.
    AsHere,
    /// An earlier one, as far as is known: it is planned anew.
    Before,
    /// A later one: this process is about to be gone, and leaves the request to others. Between
    /// them, an old and a new process would plan it anew in turn.
    Later,
}

impl Worker {
    /// Pins the data map in force, as one plan more than before.
    pub(super) fn pin_map(&self, change: &mut Change) {
        let data_map = self.map.digest();
        let stores = u32::try_from(self.map.stores.len()).unwrap_or(u32::MAX);
        let before = change.request.plan.as_ref();
        change.request.plan = Some(Plan {
            data_map,
            in_force_since: self.map.in_force_since(),
            generation: before.map_or(0, |plan| plan.generation.saturating_add(1)),
            stores,
            digest: None,
        });
        change.request.gate = None;
        change.request.wake_at = self.soon(SOON);
        change.note(self.clock.now(), Happening::Planned(data_map));
    }

    /// Compares the plan that a request has with the data map in force here.
    pub(super) fn planned(&self, request: &Request) -> Planned {
        let matters = matches!(
            request.stage,
            Stage::Locating | Stage::Gated | Stage::Acting
        );
        let Some(plan) = request.plan.as_ref().filter(|_| matters) else {
            return Planned::AsHere;
        };
        if plan.data_map == self.map.digest() {
            return Planned::AsHere;
        }
        match (plan.in_force_since, self.map.in_force_since()) {
            (Some(there), Some(here)) if there > here => Planned::Later,
            _ => Planned::Before,
        }
    }

    /// Plans anew under the data map in force: every store is located again, and gated again. What
    /// was resolved stays known; what was done stays counted.
    pub(super) async fn replan(&self, request: Request, version: Version) -> Result<Step, Fault> {
        let found = reading::tasks(&*self.ledger, request.id).await?;
        let tasks: Vec<Task> = found.into_iter().map(|(task, _)| task).collect();
        let papers = self.papers(&request).await?;
        let known = self.all_identifiers(&request, &papers, &tasks).await?;
        let mut change = Change::new(request, version);
        change.go(Event::Replanned)?;
        self.pin_map(&mut change);
        if let Some(plan) = &change.request.plan {
            let name = vault::resolved(plan.generation);
            self.vault
                .keep(change.request.id, &name, &to_json(&known)?)
                .await?;
        }
        change.commit(&*self.ledger).await?;
        Ok(Step::Afresh)
    }

    /// Brings a task up to the plan that stands: it begins anew, with what it did still counted.
    pub(super) async fn renew(
        &self,
        request: &Request,
        found: &[(Task, Version)],
    ) -> Result<bool, Fault> {
        let generation = request.plan.as_ref().map_or(0, |plan| plan.generation);
        let mut renewed = false;
        for (old, version) in found
            .iter()
            .filter(|(task, _)| task.generation != generation)
        {
            let fresh = match self.map.store(&old.store) {
                Some(store) => plan::task(&self.map, store, request.id, self.right()),
                // It finds out when it is worked on, and is blocked.
                None => Task::new(request.id, old.store.clone(), old.wave),
            };
            let kept = match self.right() {
                // What was copied is copied again.
                Right::Access => TaskOutcome::default(),
                Right::Deletion | Right::OptOut => TaskOutcome {
                    exempt: None,
                    check: None,
                    ..old.outcome.clone()
                },
            };
            let outcome = TaskOutcome {
                exempt: fresh.outcome.exempt.clone(),
                ..kept
            };
            let task = Task {
                generation,
                outcome,
                // Who waits goes on waiting; a sweep that it is a member of counts what it does.
                sweep: old.sweep,
                swept: old.swept.clone(),
                ..fresh
            };
            self.replace_task(task, *version).await?;
            renewed = true;
        }
        Ok(renewed)
    }
}
