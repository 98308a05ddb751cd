//! Acting: the effects on what the manifest lists, part by part, under the hold and the versions.
//!
//! Effects are idempotent, so a part may run again after a crash. What was touched is written into
//! the vault as keyed evidence, first write wins, and the counts are taken from what stands there.

use futures::future::try_join_all;
use quittance_core::data_map::{DeletionRule, Store};
use quittance_core::digest::HmacKey;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::hold::HoldOn;
use quittance_core::id::StoreId;
use quittance_core::manifest::{Match, Part};
use quittance_core::outcome::{Attested, TaskOutcome};
use quittance_core::plan;
use quittance_core::receipt::evidence_leaf;
use quittance_core::request::{Request, Right};
use quittance_core::task::{Located, Task, TaskEvent};

use super::batch::attestation;
use super::left::exemption;
use super::{Hand, Step, Worker};
use crate::evidence::Touched;
use crate::ledger::{Item, Key, Version, Write};
use crate::papers::{parse_json, to_json};
use crate::ports::{Effect, Question};
use crate::{reading, vault};

impl Worker {
    /// Commits `Located → Acting`, the request's first effect, and that nothing holds or ends it.
    /// Whoever loses this commit (a hold, a revocation) finds out here, before any effect.
    pub(super) async fn begin(
        &self,
        request: Request,
        version: Version,
        mut task: Task,
        task_version: Version,
    ) -> Result<Step, Fault> {
        let map = self.map.clone();
        let store = map
            .store(&task.store)
            .ok_or(Fault::Block(BlockReason::StoreGone))?;
        if plan::is_retained(store, self.right()) {
            return self.exempt(&request, store, task, task_version).await;
        }
        self.mind_the_hold(&task).await?;
        task.stage = stage_after(&task, TaskEvent::ActingBegun)?;
        task.cursor = 0;
        let guard = if request.first_effect_at.is_none() {
            let first = Request {
                first_effect_at: Some(self.clock.now()),
                ..request
            };
            Write::Replace(Item::Request(first), version)
        } else {
            Write::Check(Key::Request(request.id), version)
        };
        self.ledger
            .commit(&[guard, Write::Replace(Item::Task(task), task_version)])
            .await?;
        Ok(Step::Again)
    }

    /// Makes the effects of one part, or looks back when all parts of the round are done.
    pub(super) async fn act(
        &self,
        request: &Request,
        mut task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        let map = self.map.clone();
        let store = map
            .store(&task.store)
            .ok_or(Fault::Block(BlockReason::StoreGone))?;
        self.mind_the_hold(&task).await?;
        if plan::is_record_store(store) && self.right() == Right::Deletion {
            return self.await_sweep(request, task, version).await;
        }
        let papers = self.papers(request).await?;
        if plan::is_attested(store) {
            return self
                .attested(request, &papers.evidence_key, task, version)
                .await;
        }
        let known = self.asked(request, &papers, &task).await?;
        let question = Question {
            store,
            identifiers: &known,
            right: self.right(),
        };
        if task.cursor >= Self::parts_of_round(&task)? {
            return self.after_round(request, question, task, version).await;
        }
        let part = self.manifest_part(&task, task.round, task.cursor).await?;
        let touched = self
            .touch(question, &papers.evidence_key, &task, &part)
            .await?;
        let leaves = u64::try_from(touched.leaves.len()).unwrap_or(u64::MAX);
        task.outcome.evidence_count += leaves;
        *self.counter(store, &mut task.outcome) += if plan::is_record_store(store) {
            part.matches.iter().map(|found| found.rows).sum()
        } else {
            leaves
        };
        task.cursor += 1;
        task.attempts = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Returns the number that this right's effects in this store are counted by.
    pub(super) fn counter<'a>(&self, store: &Store, outcome: &'a mut TaskOutcome) -> &'a mut u64 {
        match (&self.hand, &store.deletion) {
            (Hand::Copy, _) => &mut outcome.exported,
            (Hand::Flag(_), _) => &mut outcome.flagged,
            (Hand::Erase(..), DeletionRule::Redact { .. }) if store.deletion.pseudonymises() => {
                &mut outcome.pseudonymised
            }
            (Hand::Erase(..), DeletionRule::Redact { .. }) => &mut outcome.redacted,
            (Hand::Erase(..), DeletionRule::DeleteItem | DeletionRule::Retain(_)) => {
                &mut outcome.deleted
            }
        }
    }

    /// How many parts the manifest of the task's round has: arrivals are written as one.
    fn parts_of_round(task: &Task) -> Result<u32, Fault> {
        let parts = located(task)?.parts;
        Ok(if task.round == 1 { parts } else { 1 })
    }

    /// Goes on with the next round that stands already, or looks back after the last.
    async fn after_round(
        &self,
        request: &Request,
        question: Question<'_>,
        mut task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        if task.round >= task.rounds {
            return self.look_back(request, question, task, version).await;
        }
        task.round += 1;
        task.cursor = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Touches everything a part lists and keeps the evidence.
    async fn touch(
        &self,
        question: Question<'_>,
        key: &HmacKey,
        task: &Task,
        part: &Part,
    ) -> Result<Touched, Fault> {
        let effects: Vec<Effect> = match &self.hand {
            // The find sweep copied the rows already.
            Hand::Copy if plan::is_record_store(question.store) => {
                vec![Effect::Made; part.matches.len()]
            }
            Hand::Copy => self.collect(question, task, part).await?,
            Hand::Erase(..) | Hand::Flag(_) => {
                let mut effects = Vec::with_capacity(part.matches.len());
                for some in part.matches.chunks(EFFECTS_AT_ONCE) {
                    let mut running = Vec::with_capacity(some.len());
                    for found in some {
                        running.push(self.effect(question, found));
                    }
                    effects.extend(try_join_all(running).await?);
                }
                effects
            }
        };
        let leaves = part
            .matches
            .iter()
            .zip(effects)
            .filter(|(_, effect)| *effect != Effect::NotTheirs)
            .map(|(found, _)| evidence_leaf(key, self.right(), &task.store, &found.locator))
            .collect();
        let name = vault::evidence_part(task, task.generation, task.round, part.part);
        let touched = to_json(&Touched { v: 1, leaves })?;
        parse_json(&self.vault.keep(task.request, &name, &touched).await?)
    }

    async fn effect(&self, question: Question<'_>, found: &Match) -> Result<Effect, Fault> {
        match &self.hand {
            _ if found.settled => Ok(Effect::Already),
            Hand::Copy => Ok(Effect::Already),
            Hand::Erase(eraser, _) => eraser.erase(question, &found.locator).await,
            Hand::Flag(flagger) => flagger.flag(question, &found.locator).await,
        }
    }

    /// Settles a store that the law makes us keep: located and counted, never touched.
    async fn exempt(
        &self,
        request: &Request,
        store: &Store,
        mut task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        if let Some(kept) = store.deletion.retention() {
            task.outcome.exempt = Some(exemption(kept, request, task.outcome.matched));
        }
        task.stage = stage_after(&task, TaskEvent::Exempted)?;
        task.settled_at = Some(self.clock.now());
        task.attempts = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Stops before a store in which nothing may be deleted.
    async fn mind_the_hold(&self, task: &Task) -> Result<(), Fault> {
        if self.right() == Right::Deletion && self.is_store_held(&task.store).await? {
            return Err(Fault::Block(BlockReason::StoreHeld));
        }
        Ok(())
    }

    /// Whether a hold forbids to delete anything in a store.
    pub(super) async fn is_store_held(&self, store: &StoreId) -> Result<bool, Fault> {
        reading::hold(&*self.ledger, HoldOn::Store(store.clone())).await
    }

    /// Settles a store outside AWS, once its team has signed for it.
    async fn attested(
        &self,
        request: &Request,
        key: &HmacKey,
        mut task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        let Some(statement) = attestation(&*self.vault, request, &task.store).await? else {
            return Err(Fault::Block(BlockReason::AwaitingAttestation));
        };
        task.outcome.attested = Some(Attested {
            statement: key.tag("dsr-attestation/v1", &[&statement]),
            at: self.clock.now(),
        });
        task.stage = stage_after(&task, TaskEvent::Done)?;
        task.settled_at = Some(self.clock.now());
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }
}

pub(super) fn stage_after(
    task: &Task,
    event: TaskEvent,
) -> Result<quittance_core::task::TaskStage, Fault> {
    task.stage
        .after(event)
        .map_err(|illegal| Fault::reject(illegal.to_string()))
}

pub(super) fn located(task: &Task) -> Result<&Located, Fault> {
    task.located
        .as_ref()
        .ok_or_else(|| Fault::reject("a task acts that was never located"))
}

/// How many effects of one part are in flight.
const EFFECTS_AT_ONCE: usize = 8;
