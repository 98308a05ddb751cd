//! What must be true of sweeps after every step.

use std::collections::BTreeMap;

use quittance_core::id::{RequestId, StoreId};
use quittance_core::request::Right;
use quittance_core::sweep::{Shard, Sweep, SweepStage};
use quittance_core::task::{Membership, Task};
use quittance_engine::ledger::{Item, Key};
use quittance_engine::vault;
use serde_json::Value;

use crate::World;

/// Everything about sweeps in ledger and vault.
#[derive(Default)]
struct Facts {
    rights: BTreeMap<RequestId, Right>,
    tasks: Vec<Task>,
    sweeps: BTreeMap<(StoreId, Right), Vec<Sweep>>,
    shards: Vec<Shard>,
    waiting: Vec<Key>,
    papers: BTreeMap<(RequestId, String), Vec<u8>>,
}

/// Checks every invariant of sweeps.
pub(super) fn check(world: &World, findings: &mut Vec<String>) {
    let facts = Facts::gather(world);
    for task in &facts.tasks {
        facts.check_task(task, findings);
    }
    for key in &facts.waiting {
        let Key::Waiting(store, _, request) = key else {
            continue;
        };
        let waits = facts.tasks.iter().any(|task| {
            task.request == *request && task.store == *store && task.sweep == Membership::Waiting
        });
        if !waits {
            findings.push(format!("{key:?}: an entry of nobody who waits"));
        }
    }
    for ((store, right), sweeps) in &facts.sweeps {
        let numbers: Vec<usize> = sweeps
            .iter()
            .map(|sweep| usize::try_from(sweep.id.n).unwrap_or(0))
            .collect();
        if numbers != (1..=sweeps.len()).collect::<Vec<_>>() {
            findings.push(format!("{store} {right}: sweeps have gaps: {numbers:?}"));
        }
        let open = |sweep: &&Sweep| sweep.stage != SweepStage::Done;
        if sweeps.iter().filter(open).count() > 1 {
            findings.push(format!("{store} {right}: two sweeps are open at once"));
        }
        for sweep in sweeps {
            facts.check_sweep(sweep, findings);
        }
    }
}

impl Facts {
    fn gather(world: &World) -> Self {
        let mut facts = Self {
            papers: world.vault.everything().into_iter().collect(),
            ..Self::default()
        };
        for stored in world.ledger.everything() {
            let key = stored.item.key();
            match stored.item {
                Item::Request(request) => {
                    facts.rights.insert(request.id, request.right);
                }
                Item::Task(task) => facts.tasks.push(task),
                Item::Sweep(sweep) => {
                    let of = (sweep.id.store.clone(), sweep.id.right);
                    facts.sweeps.entry(of).or_default().push(sweep);
                }
                Item::Shard(shard) => facts.shards.push(shard),
                Item::Waiting(_) => facts.waiting.push(key),
                Item::Event(_)
                | Item::Reference(_)
                | Item::Token(_)
                | Item::Subject(_)
                | Item::Outbox(_)
                | Item::Leaf(_)
                | Item::Suppression(_)
                | Item::Exclusion(_)
                | Item::Pause(_)
                | Item::SweepVault(_)
                | Item::Member(_)
                | Item::Hold(_) => {}
            }
        }
        facts
    }

    fn check_task(&self, task: &Task, findings: &mut Vec<String>) {
        let mut must = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{} {}: {what}", task.request, task.store));
            }
        };
        let Some(right) = self.rights.get(&task.request).copied() else {
            return;
        };
        let store = task.store.clone();
        match task.sweep {
            Membership::Outside => {}
            Membership::Waiting => {
                let entry = Key::Waiting(store, right, task.request);
                must(self.waiting.contains(&entry), "waits without an entry");
            }
            Membership::Member(n) => {
                let sweeps = self
                    .sweeps
                    .get(&(store, right))
                    .map_or(&[][..], Vec::as_slice);
                let open = |sweep: &Sweep| sweep.id.n == n && sweep.stage != SweepStage::Done;
                must(sweeps.iter().any(open), "a member of no open sweep");
            }
        }
        if task.swept.is_empty() {
            return;
        }
        let outcome = &task.outcome;
        let gone = outcome.before.unwrap_or(0) - outcome.after.unwrap_or(0);
        must(outcome.deleted <= gone, "more deleted than is gone");
        let kept = |n: &u32| {
            let name = vault::sweep_evidence(&task.store, *n);
            self.list(task.request, &name, "leaves")
        };
        let leaves: Option<Vec<usize>> = task.swept.iter().map(kept).collect();
        let purged = !self.papers.keys().any(|(id, _)| *id == task.request);
        let counted = leaves.map(|leaves| leaves.iter().sum::<usize>());
        must(
            purged || counted == usize::try_from(outcome.evidence_count).ok(),
            "a sweep's evidence is miscounted",
        );
    }

    fn check_sweep(&self, sweep: &Sweep, findings: &mut Vec<String>) {
        let mut must = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{}: {what}", sweep.id));
            }
        };
        let over = matches!(sweep.stage, SweepStage::Settling | SweepStage::Done);
        let mine = || self.shards.iter().filter(|shard| shard.sweep == sweep.id);
        must(
            !over || sweep.cut.is_some() || mine().all(Shard::is_done),
            "over before its shards are",
        );
        must(
            mine().count() == usize::try_from(sweep.shards).unwrap_or(0),
            "shards are miscounted",
        );
        let shredded = !self.papers.keys().any(|(id, _)| *id == sweep.vault);
        if shredded && sweep.stage == SweepStage::Done {
            return;
        }
        let members = self.list(sweep.vault, vault::PAPERS, "members");
        must(
            members == usize::try_from(sweep.members).ok(),
            "a sweep without its members",
        );
        for shard in mine() {
            let pieces = (0..shard.results).map(|piece| {
                let name = vault::shard_result(sweep.id.right, shard.k, piece);
                self.list(sweep.vault, &name, "results")
            });
            let done: Option<Vec<usize>> = pieces.collect();
            must(
                done.map(|done| done.iter().sum()) == usize::try_from(shard.cursor).ok(),
                "a shard's results are not what it says",
            );
        }
    }

    /// How long a list in some paper is; none without the paper.
    fn list(&self, vault: RequestId, name: &str, field: &str) -> Option<usize> {
        let bytes = self.papers.get(&(vault, name.to_owned()))?;
        let paper: Value = serde_json::from_slice(bytes).ok()?;
        paper.get(field)?.as_array().map(Vec::len)
    }
}
