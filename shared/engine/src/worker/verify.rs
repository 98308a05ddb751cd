//! Looking back: the same question as of the snapshot. What remains must be nothing.
//!
//! A match that is still there unchanged is a residual; one that came or changed since is an arrival
//! and gets at most two more rounds. Evidence of all rounds becomes one tree.

use std::collections::BTreeMap;

use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Locator, Match, Part};
use quittance_core::outcome::{Check, CheckMethod};
use quittance_core::task::{Task, TaskEvent};
use quittance_tlog::hash;

use super::act::{Touched, located, stage_after};
use super::{Hand, Step, Worker};
use crate::ledger::Version;
use crate::papers::{parse_json, to_json};
use crate::ports::Question;
use crate::vault;

/// What a look back found.
struct Remains {
    method: CheckMethod,
    residual: u64,
    arrived: Vec<Match>,
}

impl Worker {
    /// Looks again; settles the task, or begins another round over what arrived.
    pub(super) async fn look_back(
        &self,
        question: Question<'_>,
        mut task: Task,
        version: Version,
    ) -> Result<Step, Fault> {
        let at = self.clock.now();
        let as_of = located(&task)?.as_of;
        let remains = match &self.hand {
            // What was copied is read back from the vault part by part as it is kept.
            Hand::Copy => Remains {
                method: CheckMethod::ReadBack,
                residual: 0,
                arrived: Vec::new(),
            },
            Hand::Erase(..) | Hand::Flag(_) => self.remains(question, &task).await?,
        };
        if remains.residual > 0 {
            return self.once_more(task, version).await;
        }
        let arrived_since = u64::try_from(remains.arrived.len()).unwrap_or(u64::MAX);
        if arrived_since > 0 && task.round < MAX_ROUNDS {
            return self
                .another_round(task, version, as_of, remains.arrived)
                .await;
        }
        let leaves = self.evidence(&task).await?;
        task.outcome.evidence_root = (!leaves.is_empty()).then(|| evidence_root(&leaves));
        task.outcome.check = Some(Check {
            method: remains.method,
            as_of,
            at,
            residual_matches: 0,
            arrived_since,
        });
        tracing::info!(
            request.id = %task.request,
            store.id = %task.store,
            count = task.outcome.matched,
            "store done and looked at again"
        );
        task.stage = stage_after(&task, TaskEvent::Done)?;
        task.attempts = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Asks the store again and tells residuals from arrivals.
    async fn remains(&self, question: Question<'_>, task: &Task) -> Result<Remains, Fault> {
        let listed = self.listed(task).await?;
        let mut remains = Remains {
            method: CheckMethod::Key,
            residual: 0,
            arrived: Vec::new(),
        };
        let mut from = None;
        loop {
            let found = self.reader.locate(question, from.as_ref()).await?;
            remains.method = found.method;
            for found in found.matches.into_iter().filter(|found| !found.settled) {
                if listed.get(&found.locator) == Some(&found.fingerprint) {
                    remains.residual += 1;
                } else {
                    remains.arrived.push(found);
                }
            }
            from = found.next;
            if from.is_none() {
                return Ok(remains);
            }
        }
    }

    /// Everything the manifests of all rounds list.
    async fn listed(&self, task: &Task) -> Result<BTreeMap<Locator, Digest>, Fault> {
        let mut listed = BTreeMap::new();
        for round in 1..=task.round {
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
        // Round 1 runs again over the same manifest; its evidence stands already, so the counts
        // start again from nothing.
        task.repeats += 1;
        task.round = 1;
        task.cursor = 0;
        task.outcome = quittance_core::outcome::TaskOutcome {
            matched: located(&task)?.matched,
            ..quittance_core::outcome::TaskOutcome::default()
        };
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Writes what arrived into a manifest of its own, then commits to act on it.
    async fn another_round(
        &self,
        mut task: Task,
        version: Version,
        as_of: jiff::Timestamp,
        arrived: Vec<Match>,
    ) -> Result<Step, Fault> {
        let round = task.round + 1;
        let part = Part {
            v: 1,
            store: task.store.clone(),
            round,
            part: 0,
            as_of,
            matches: arrived,
            next: None,
        };
        let name = vault::manifest_part(&task.store, round, 0);
        let kept = self
            .vault
            .keep(task.request, &name, &to_json(&part)?)
            .await?;
        let kept: Part = parse_json(&kept)?;
        task.outcome.matched += u64::try_from(kept.matches.len()).unwrap_or(u64::MAX);
        task.round = round;
        task.cursor = 0;
        task.attempts = 0;
        self.replace_task(task, version).await?;
        Ok(Step::Again)
    }

    /// Keeps the evidence of one sweep for a task in a record store, and takes all that it has so
    /// far into one tree. The task's cursor counts the pieces.
    pub(super) async fn keep_sweep_evidence(
        &self,
        task: &mut Task,
        leaves: Vec<quittance_core::digest::Tag>,
    ) -> Result<(), Fault> {
        let touched = to_json(&Touched { v: 1, leaves })?;
        let name = vault::evidence_part(&task.store, 1, task.cursor);
        self.vault.keep(task.request, &name, &touched).await?;
        task.cursor = task.cursor.saturating_add(1);
        let mut all = Vec::new();
        for part in 0..task.cursor {
            let name = vault::evidence_part(&task.store, 1, part);
            if let Some(bytes) = self.vault.read(task.request, &name).await? {
                let touched: Touched = parse_json(&bytes)?;
                all.extend(touched.leaves);
            }
        }
        task.outcome.evidence_root = Some(evidence_root(&all));
        task.outcome.evidence_count = u64::try_from(all.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Reads the evidence of all rounds, in order.
    async fn evidence(&self, task: &Task) -> Result<Vec<quittance_core::digest::Tag>, Fault> {
        let mut leaves = Vec::new();
        for round in 1..=task.round {
            let parts = if round == 1 { located(task)?.parts } else { 1 };
            for part in 0..parts {
                let name = vault::evidence_part(&task.store, round, part);
                if let Some(bytes) = self.vault.read(task.request, &name).await? {
                    let touched: Touched = parse_json(&bytes)?;
                    leaves.extend(touched.leaves);
                }
            }
        }
        Ok(leaves)
    }
}

/// RFC 6962 root over the evidence leaves: one of them can be opened without the rest.
fn evidence_root(leaves: &[quittance_core::digest::Tag]) -> Digest {
    let hashes: Vec<hash::Hash> = leaves
        .iter()
        .map(|leaf| hash::leaf_hash(leaf.as_bytes()))
        .collect();
    Digest::new(*hash::tree_root(&hashes).as_bytes())
}

/// Rounds over a store that keeps filling up: the first, and two more.
const MAX_ROUNDS: u8 = 3;
/// Repeats over matches that do not go away.
const MAX_REPEATS: u8 = 3;
