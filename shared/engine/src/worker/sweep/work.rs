//! Working on one shard: object after object, with a committed cursor. Rewriting one is in `rewrite`.

use jiff::Timestamp;
use quittance_core::data_map::Store;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::StoreId;
use quittance_core::sweep::{MAX_ROUNDS, ObjectRef, Purpose, Shard, Sweep, SweepId, SweepStage};

use super::super::{Hand, Step, TIME_OUT, Worker};
use super::papers::{Members, ObjectResult, Piece, roster};
use crate::ledger::{Item, Key, Stored, Version, Write};
use crate::papers::{parse_json, to_json};
use crate::ports::{Roster, Searched, Wanted};
use crate::stuck::{self, MAX_ATTEMPTS};
use crate::vault;

/// Everything that working on a shard needs to know.
pub(super) struct Job<'a> {
    pub(super) store: &'a Store,
    pub(super) sweep: Sweep,
    pub(super) members: Members,
    pub(super) roster: Roster,
    pub(super) shard: Shard,
}

/// Why working on a shard stops before its end.
enum Stop {
    Paused,
    Fault(Fault),
}

impl Worker {
    /// Works on a shard as far as it goes, then looks at its sweep.
    pub(in crate::worker) async fn shard(
        &self,
        store: &StoreId,
        n: u32,
        k: u32,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let id = SweepId {
            store: store.clone(),
            right: self.right(),
            n,
        };
        let mut conflicts = 0;
        loop {
            self.mind_the_time(until)?;
            match self.shard_once(&id, k, until).await {
                Ok(Step::Again | Step::Afresh) => {}
                Ok(Step::Rest) => return self.sweep(store, until).await,
                Err(Fault::Conflict) if conflicts < super::super::CONFLICTS => conflicts += 1,
                Err(Fault::Reject { detail }) => {
                    // Its papers cannot be read: not a matter of one object.
                    tracing::error!(store.id = %store, fault = detail.as_str(), "a shard cannot be worked on");
                    return self.give_up(store).await;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Works on the next piece of a shard, and commits how far it got.
    async fn shard_once(&self, id: &SweepId, k: u32, until: Timestamp) -> Result<Step, Fault> {
        let map = self.map.clone();
        let Some((sweep, shard, version)) = self.open_shard(id, k).await? else {
            return Ok(Step::Rest);
        };
        let described = |store: &&Store| store.digest() == sweep.described;
        let Some(store) = map.store(&id.store).filter(described) else {
            return Ok(Step::Rest);
        };
        let name = vault::shard_result(id.right, k, shard.results);
        // A piece that stands already needs no work: whoever kept it died before the commit.
        if let Some(bytes) = self.vault.read(sweep.vault, &name).await? {
            return self
                .commit_piece(shard, version, &parse_json(&bytes)?)
                .await;
        }
        let members = self.members(&sweep).await?;
        let job = Job {
            store,
            roster: roster(&sweep, &members),
            members,
            sweep,
            shard,
        };
        let results = if job.shard.attempts >= MAX_ATTEMPTS {
            self.given_up(&job).await?
        } else {
            match self.objects(&job, until).await? {
                (results, Some(Stop::Fault(fault))) if results.is_empty() => {
                    return self.no_progress(job.shard, version, fault).await;
                }
                (results, _) if results.is_empty() => return Ok(Step::Rest),
                (results, _) => results,
            }
        };
        let piece = Piece {
            v: 1,
            round: job.sweep.round,
            results,
        };
        // First write wins: what stands is what counts.
        let kept = self
            .vault
            .keep(job.sweep.vault, &name, &to_json(&piece)?)
            .await?;
        self.commit_piece(job.shard, version, &parse_json(&kept)?)
            .await
    }

    /// Reads a shard that has something left to do, with its sweep.
    pub(super) async fn open_shard(
        &self,
        id: &SweepId,
        k: u32,
    ) -> Result<Option<(Sweep, Shard, Version)>, Fault> {
        let sweep = self.ledger.load(&Key::Sweep(id.clone())).await?;
        let shard = self.ledger.load(&Key::Shard(id.clone(), k)).await?;
        let (
            Some(Stored {
                item: Item::Sweep(sweep),
                ..
            }),
            Some(Stored {
                item: Item::Shard(shard),
                version,
            }),
        ) = (sweep, shard)
        else {
            return Ok(None);
        };
        let works = sweep.stage == SweepStage::Working && k >= sweep.first_shard;
        Ok((works && !shard.is_done()).then_some((sweep, shard, version)))
    }

    /// Works on some objects, and says why it stopped early, if it did.
    async fn objects(
        &self,
        job: &Job<'_>,
        until: Timestamp,
    ) -> Result<(Vec<ObjectResult>, Option<Stop>), Fault> {
        let file = self.shard_file(&job.sweep, job.shard.k).await?;
        let mut results = Vec::new();
        let mut bytes = 0;
        for (index, object) in (0..).zip(&file.objects).skip(index_of(job.shard.cursor)) {
            if results.len() >= OBJECTS_AT_ONCE || bytes >= BYTES_AT_ONCE {
                break;
            }
            match self.object(job, index, object, until).await {
                Ok(Some(result)) => {
                    bytes += size_of(&result);
                    results.push(result);
                }
                Ok(None) => return Ok((results, Some(Stop::Paused))),
                Err(fault) => return Ok((results, Some(Stop::Fault(fault)))),
            }
        }
        Ok((results, None))
    }

    /// Commits how far a piece got.
    async fn commit_piece(
        &self,
        mut shard: Shard,
        version: Version,
        piece: &Piece,
    ) -> Result<Step, Fault> {
        let objects = u32::try_from(piece.results.len()).unwrap_or(u32::MAX);
        shard.cursor = shard.cursor.saturating_add(objects);
        shard.results = shard.results.saturating_add(1);
        shard.matched += piece.results.iter().map(matched_rows).sum::<u64>();
        shard.attempts = 0;
        shard.announced_at = Some(self.clock.now());
        self.ledger
            .commit(&[Write::Replace(Item::Shard(shard), version)])
            .await?;
        Ok(Step::Again)
    }

    /// Says of the object that was tried too often that it is blocked.
    async fn given_up(&self, job: &Job<'_>) -> Result<Vec<ObjectResult>, Fault> {
        let file = self.shard_file(&job.sweep, job.shard.k).await?;
        let object = file.objects.get(index_of(job.shard.cursor));
        let object = object.map(|object| blocked(object, BlockReason::RetriesExhausted));
        Ok(object.into_iter().collect())
    }

    /// Counts a try that came to nothing.
    async fn no_progress(
        &self,
        mut shard: Shard,
        version: Version,
        fault: Fault,
    ) -> Result<Step, Fault> {
        let (after_seconds, detail) = match fault {
            Fault::Retry {
                after_seconds,
                ref detail,
            } if detail != TIME_OUT => (after_seconds, detail.clone()),
            Fault::Conflict | Fault::Retry { .. } | Fault::Block(_) | Fault::Reject { .. } => {
                return Err(fault);
            }
        };
        shard.attempts = shard.attempts.saturating_add(1);
        shard.announced_at = Some(self.clock.now());
        let after_seconds = stuck::pause(shard.attempts, after_seconds);
        self.ledger
            .commit(&[Write::Replace(Item::Shard(shard), version)])
            .await?;
        Err(Fault::Retry {
            after_seconds,
            detail,
        })
    }

    /// Works on one object; none when the store is paused or held.
    async fn object(
        &self,
        job: &Job<'_>,
        index: u32,
        object: &ObjectRef,
        until: Timestamp,
    ) -> Result<Option<ObjectResult>, Fault> {
        self.mind_the_time(until)?;
        let forgets = job.sweep.purpose == Purpose::Forget;
        if self.is_paused(&job.store.id).await?
            || forgets && self.is_store_held(&job.store.id).await?
        {
            return Ok(None);
        }
        let done = match (&self.hand, job.sweep.purpose) {
            (Hand::Erase(_, eraser), Purpose::Forget) if job.sweep.round <= MAX_ROUNDS => {
                self.rewrite(job, index, object, &**eraser).await
            }
            // Finding; and the last look of a forget sweep, which only looks.
            (Hand::Copy | Hand::Erase(..) | Hand::Flag(_), Purpose::Find | Purpose::Forget) => {
                self.search(job, object).await
            }
        };
        match done {
            Ok(result) => Ok(Some(result)),
            Err(Fault::Block(reason)) => Ok(Some(blocked(object, reason))),
            Err(Fault::Reject { detail }) => {
                tracing::error!(store.id = %job.store.id, fault = detail.as_str(), "an object cannot be worked on");
                Ok(Some(blocked(object, BlockReason::RetriesExhausted)))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn search(&self, job: &Job<'_>, object: &ObjectRef) -> Result<ObjectResult, Fault> {
        let wanted = match self.hand {
            Hand::Copy => Wanted::Copies,
            Hand::Erase(..) | Hand::Flag(_) => Wanted::Counts,
        };
        let searched = self
            .records
            .search(job.store, object, &job.roster, wanted)
            .await?;
        let after = searched.rows;
        Ok(result(object, searched, after))
    }
}

pub(super) fn result(object: &ObjectRef, searched: Searched, after: u64) -> ObjectResult {
    ObjectResult {
        object: object.clone(),
        etag: searched.etag,
        before: searched.rows,
        after,
        matched: searched.matched,
        records: searched.records,
        located: searched.located,
        blocked: None,
    }
}

fn blocked(object: &ObjectRef, reason: BlockReason) -> ObjectResult {
    ObjectResult {
        blocked: Some(reason),
        ..result(object, Searched::default(), 0)
    }
}

pub(super) fn index_of(cursor: u32) -> usize {
    usize::try_from(cursor).unwrap_or(usize::MAX)
}

pub(super) fn matched_rows(result: &ObjectResult) -> u64 {
    result.matched.iter().map(|rows| rows.rows).sum()
}

/// How large a result is because of what was copied or located.
fn size_of(result: &ObjectResult) -> usize {
    if result.records.is_empty() && result.located.is_empty() {
        return 0;
    }
    serde_json::to_vec(&(&result.records, &result.located)).map_or(0, |bytes| bytes.len())
}

/// How many objects are worked on between two commits.
pub(super) const OBJECTS_AT_ONCE: usize = 16;
/// How many bytes of rows and items a result holds before it is committed.
const BYTES_AT_ONCE: usize = 4 << 20;
