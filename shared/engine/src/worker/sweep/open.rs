//! Opening a sweep for everybody who waits, and telling its members.
//!
//! The member file comes first, then the item that names it, then each member's task. Nobody joins
//! later: whoever is not in the file waits for the next sweep.

use jiff::SignedDuration;
use quittance_core::data_map::Store;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_core::sweep::{
    self, Candidate, Exclusion, Purpose, Sweep, SweepEvent, SweepId, SweepStage, SweepVault,
    Waiting,
};
use quittance_core::task::{Membership, Task, TaskStage};

use super::super::replan::Planned;
use super::super::{Step, Worker, is_workable};
use super::papers::{Member, Members};
use super::{MEMBERS_AT_ONCE, stage_after};
use crate::ledger::{Item, Key, Listing, Stored, Version, Write};
use crate::reading;

impl Worker {
    /// Opens the next sweep, when its time has come. Of two who open at once one wins; the other's
    /// file belongs to nothing, and is shredded.
    pub(super) async fn open(&self, store: &Store, n: u32) -> Result<Step, Fault> {
        let now = self.clock.now();
        let every = store
            .sweep
            .map(|sweep| SignedDuration::from_mins(i64::from(sweep.every_minutes)));
        let is_time = |waiting: &[Waiting]| {
            sweep::opens_at(waiting, every).is_some_and(|opens_at| opens_at <= now)
        };
        let listing = Listing::Waiting(store.id.clone(), self.right());
        let mut waiting = Vec::new();
        let mut versions = Vec::new();
        for stored in reading::everything(&*self.ledger, &listing).await? {
            if let Item::Waiting(entry) = stored.item {
                waiting.push(entry);
                versions.push(stored.version);
            }
        }
        if !is_time(&waiting) {
            return Ok(Step::Rest);
        }
        let mut candidates = Vec::new();
        for (entry, version) in waiting.into_iter().zip(versions) {
            candidates.extend(self.candidate(entry, version).await?);
        }
        // Those who may not be served now do not hurry the others.
        let waiting: Vec<Waiting> = candidates.iter().map(|one| one.waiting.clone()).collect();
        let chosen = sweep::members_of(candidates).filter(|_| is_time(&waiting));
        let Some((purpose, chosen)) = chosen else {
            return Ok(Step::Rest);
        };
        let mut members = Vec::with_capacity(chosen.len());
        for candidate in chosen {
            members.extend(self.member(&candidate.waiting).await?);
        }
        if members.is_empty() {
            return Ok(Step::Rest);
        }
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let (vault, tag) = self.deposit_members(&Members { v: 1, members }).await?;
        let id = SweepId {
            store: store.id.clone(),
            right: self.right(),
            n,
        };
        let opened = Sweep {
            id: id.clone(),
            vault,
            purpose,
            described: store.digest(),
            stage: SweepStage::Opened,
            cut: None,
            opened_at: now,
            members: count,
            members_tag: tag,
            cursor: 0,
            round: 1,
            round_at: None,
            shards: 0,
            first_shard: 0,
            attempts: 0,
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

    /// Says what a waiting task needs, if it may be served now. Who needs nothing any more is taken
    /// off the list.
    async fn candidate(
        &self,
        waiting: Waiting,
        version: Version,
    ) -> Result<Option<Candidate>, Fault> {
        let found = reading::request(&*self.ledger, waiting.request).await?;
        let task = reading::task(&*self.ledger, waiting.request, &waiting.store).await?;
        let (Some((request, _)), Some((task, task_version))) = (found, task) else {
            return Ok(None);
        };
        let over = request.ending.is_some() || request.purged_at.is_some();
        if over || task.stage.is_settled() {
            let key = Key::Waiting(waiting.store, waiting.right, waiting.request);
            let task = Task {
                sweep: Membership::Outside,
                ..task
            };
            let writes = [
                Write::Delete(key, version),
                Write::Replace(Item::Task(task), task_version),
            ];
            return match self.ledger.commit(&writes).await {
                Ok(()) | Err(Fault::Conflict) => Ok(None),
                Err(fault) => Err(fault),
            };
        }
        let purpose = self.purpose_of(&task);
        let now = is_workable(&request, &task) && self.planned(&request) == Planned::AsHere;
        Ok(purpose
            .filter(|_| now)
            .map(|purpose| Candidate { waiting, purpose }))
    }

    /// Draws what a sweep must know about one who waits.
    async fn member(&self, waiting: &Waiting) -> Result<Option<Member>, Fault> {
        let found = reading::request(&*self.ledger, waiting.request).await?;
        let task = reading::task(&*self.ledger, waiting.request, &waiting.store).await?;
        let (Some((request, _)), Some((task, _))) = (found, task) else {
            return Ok(None);
        };
        let papers = self.papers(&request).await?;
        Ok(Some(Member {
            request: request.id,
            generation: task.generation,
            identifiers: self.asked(&request, &papers, &task).await?,
            found_by: task.located.as_ref().and_then(|located| located.sweep),
        }))
    }

    /// Tells each member's task that it is one. Whoever may not be touched any more is excluded
    /// before the first shard exists.
    pub(super) async fn mark(&self, mut sweep: Sweep, version: Version) -> Result<Step, Fault> {
        let members = self.members(&sweep).await?;
        let from = usize::try_from(sweep.cursor).unwrap_or(usize::MAX);
        for member in members.members.iter().skip(from).take(MEMBERS_AT_ONCE) {
            self.mark_one(&sweep, member).await?;
            sweep.cursor = sweep.cursor.saturating_add(1);
        }
        if sweep.cursor >= sweep.members {
            sweep.stage = stage_after(&sweep, SweepEvent::Marked)?;
            sweep.cursor = 0;
        }
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }

    async fn mark_one(&self, sweep: &Sweep, member: &Member) -> Result<(), Fault> {
        let store = &sweep.id.store;
        let id = member.request;
        let found = reading::request(&*self.ledger, id).await?;
        let task = reading::task(&*self.ledger, id, store).await?;
        let (Some((request, version)), Some((task, task_version))) = (found, task) else {
            return self.exclude(sweep, id).await;
        };
        if task.sweep == Membership::Member(sweep.id.n) {
            return Ok(());
        }
        let key = Key::Waiting(store.clone(), self.right(), id);
        let entry = self.ledger.load(&key).await?;
        let fits = is_workable(&request, &task)
            && task.generation == member.generation
            && self.purpose_of(&task) == Some(sweep.purpose);
        let (true, Membership::Waiting, Some(Stored { version: entry, .. })) =
            (fits, task.sweep, entry)
        else {
            // It waits for the next one.
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
                Write::Delete(key, entry),
                Write::Check(Key::Request(id), version),
            ])
            .await
    }

    /// What a task needs from a sweep where it stands. Items of a table are acted on one by one:
    /// only the look back is left to do.
    fn purpose_of(&self, task: &Task) -> Option<Purpose> {
        let is_table = self.map.store(&task.store).is_some_and(Store::is_scanned);
        match task.stage {
            TaskStage::Pending => Some(Purpose::Find),
            TaskStage::Acting if is_table => Some(Purpose::Find),
            TaskStage::Acting => Some(Purpose::Forget),
            TaskStage::Located | TaskStage::Done | TaskStage::Exempt | TaskStage::Blocked(_) => {
                None
            }
        }
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
}
