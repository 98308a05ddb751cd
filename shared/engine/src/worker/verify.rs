//! Looking back: the same question as of the snapshot. What remains must be nothing.
//!
//! A match that is still there unchanged is a residual; one that came or changed since is an arrival
//! and gets at most two more rounds. Evidence of all rounds becomes one tree.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Locator, Match, Part};
use quittance_core::outcome::{Check, CheckMethod};
use quittance_core::plan;
use quittance_core::receipt::evidence_root;
use quittance_core::request::Request;
use quittance_core::task::{Task, TaskEvent};

use super::act::{located, stage_after};
use super::{Hand, Step, Worker};
use crate::ledger::Version;
use crate::papers::{parse_json, to_json};
use crate::ports::Question;
use crate::{evidence, vault};

/// What a look back found.
pub(super) struct Remains {
    method: CheckMethod,
    residual: u64,
    arrived: Vec<Match>,
}

impl Remains {
    const fn new(method: CheckMethod) -> Self {
        Self {
            method,
            residual: 0,
            arrived: Vec::new(),
        }
    }

    /// Sorts what is still there into what was listed, and what came or changed since.
    fn sort(&mut self, listed: &BTreeMap<Locator, Digest>, found: Vec<Match>) {
        for found in found.into_iter().filter(|found| !found.settled) {
            if listed.get(&found.locator) == Some(&found.fingerprint) {
                self.residual = self.residual.saturating_add(1);
            } else {
                self.arrived.push(found);
            }
        }
    }
}

impl Worker {
    /// Looks again, or waits for the next sweep to do so.
    pub(super) async fn look_back(
        &self,
        request: &Request,
        question: Question<'_>,
        task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        let at = self.clock.now();
        let remains = match &self.hand {
            // What was copied is read back from the vault part by part as it is kept.
            Hand::Copy => Remains::new(CheckMethod::ReadBack),
            Hand::Erase(..) | Hand::Flag(_) if plan::is_swept(question.store, self.right()) => {
                return self.await_sweep(request, task, version).await;
            }
            Hand::Erase(..) | Hand::Flag(_) => self.remains(question, &task).await?,
        };
        self.conclude(request, task, version, remains, at).await
    }

    /// Takes what a look, begun at `at`, has found: settles the task, or begins another round over
    /// what arrived.
    pub(super) async fn conclude(
        &self,
        request: &Request,
        mut task: Task,
        version: Version,
        remains: Remains,
        at: Timestamp,
    ) -> Result<Step, Fault> {
        let as_of = located(&task)?.as_of;
        if remains.residual > 0 {
            return self.once_more(task, version).await;
        }
        let arrived_since = u64::try_from(remains.arrived.len()).unwrap_or(u64::MAX);
        if arrived_since > 0 && task.rounds < MAX_ROUNDS {
            return self
                .another_round(task, version, as_of, remains.arrived)
                .await;
        }
        let leaves = evidence::leaves(&*self.vault, &task).await?;
        task.outcome.evidence_root = (!leaves.is_empty()).then(|| evidence_root(&leaves));
        task.outcome.check = Some(Check {
            method: remains.method,
            as_of,
            at,
            residual_matches: 0,
            arrived_since,
        });
        self.note_what_is_left(request, &mut task, at).await?;
        tracing::info!(
            request.id = %task.request,
            store.id = %task.store,
            count = task.outcome.matched,
            "store done and looked at again"
        );
        task.stage = stage_after(&task, TaskEvent::Done)?;
        task.settled_at = task.settled_at.or(Some(at));
        task.attempts = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Asks the store again and tells residuals from arrivals.
    async fn remains(&self, question: Question<'_>, task: &Task) -> Result<Remains, Fault> {
        let listed = self.listed(task).await?;
        let mut remains = Remains::new(CheckMethod::Key);
        let mut from = None;
        loop {
            let found = self.reader.locate(question, from.as_ref()).await?;
            remains.method = found.method;
            remains.sort(&listed, found.matches);
            from = found.next;
            if from.is_none() {
                return Ok(remains);
            }
        }
    }

    /// Judges what a sweep over a table found of somebody whose items were acted on.
    pub(super) async fn remains_of(
        &self,
        task: &Task,
        found: Vec<Match>,
    ) -> Result<Remains, Fault> {
        let mut remains = Remains::new(CheckMethod::Scan);
        remains.sort(&self.listed(task).await?, found);
        Ok(remains)
    }

    /// Everything the manifests of all rounds list.
    async fn listed(&self, task: &Task) -> Result<BTreeMap<Locator, Digest>, Fault> {
        let mut listed = BTreeMap::new();
        for round in 1..=task.rounds {
            let mut part = 0;
            while round > 1 || part < located(task)?.parts {
                let manifest = self.manifest_part(task, round, part).await?;
                for found in manifest.matches {
                    listed.insert(found.locator, found.fingerprint);
                }
                if manifest.next.is_none() {
                    break;
                }
                part += 1;
            }
        }
        Ok(listed)
    }

    /// Something that should be gone is still there: make the effects again, a few times.
    async fn once_more(&self, mut task: Task, version: Version) -> Result<Step, Fault> {
        if task.repeats >= MAX_REPEATS {
            return Err(Fault::Block(BlockReason::ResidualMatches));
        }
        // Every round runs again over its manifest; the evidence stands already, so what these
        // rounds counted is counted again from nothing.
        let counted = self.counted(&task).await?;
        let store = self.map.store(&task.store);
        let store = store.ok_or(Fault::Block(BlockReason::StoreGone))?;
        let done = self.counter(store, &mut task.outcome);
        *done = done.saturating_sub(counted);
        task.outcome.evidence_count = task.outcome.evidence_count.saturating_sub(counted);
        task.repeats += 1;
        task.round = 1;
        task.cursor = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Writes what arrived into a manifest of its own, then commits to act on it.
    async fn another_round(
        &self,
        mut task: Task,
        version: Version,
        as_of: Timestamp,
        arrived: Vec<Match>,
    ) -> Result<Step, Fault> {
        let round = task.rounds + 1;
        let part = Part {
            v: 1,
            store: task.store.clone(),
            round,
            part: 0,
            as_of,
            matches: arrived,
            next: None,
        };
        let name = vault::manifest_part(&task, round, 0);
        let kept = self
            .vault
            .keep(task.request, &name, &to_json(&part)?)
            .await?;
        let kept: Part = parse_json(&kept)?;
        task.outcome.matched += u64::try_from(kept.matches.len()).unwrap_or(u64::MAX);
        task.rounds = round;
        task.round = round;
        task.cursor = 0;
        task.attempts = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// How much the rounds of this data map touched so far.
    async fn counted(&self, task: &Task) -> Result<u64, Fault> {
        let leaves = evidence::leaves_under(&*self.vault, task, task.generation).await?;
        Ok(u64::try_from(leaves.len()).unwrap_or(u64::MAX))
    }
}

/// Rounds over a store that keeps filling up: the first, and two more.
const MAX_ROUNDS: u8 = 3;
/// Repeats over matches that do not go away.
const MAX_REPEATS: u8 = 3;
