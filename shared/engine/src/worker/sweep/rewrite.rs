//! Rewriting one object: prepared, announced, looked at once more, put in place.
//!
//! A rewrite is announced before it is made: its counts are kept as an *intent*, and the object
//! carries the intent's marker afterwards. Whoever comes back after a crash finds by the marker
//! whether it was made, and takes the counts from the intent. The list of those who must not be
//! touched is read before each object's commit.

use quittance_core::data_map::Store;
use quittance_core::fault::Fault;
use quittance_core::sweep::{Cut, ObjectRef, Purpose, Shard, Sweep};
use serde::{Deserialize, Serialize};

use super::super::{Hand, Worker};
use super::papers::{ObjectResult, Piece, roster};
use super::work::{Job, OBJECTS_AT_ONCE, index_of, matched_rows, result};
use crate::ledger::{Item, Write};
use crate::papers::{parse_json, to_json};
use crate::ports::{Draft, MemberRows, RecordEraser, Standing};
use crate::vault;

/// What a rewrite is about to do.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    v: u8,
    before: u64,
    after: u64,
    matched: Vec<MemberRows>,
}

impl Worker {
    /// Removes the members' rows from one object.
    pub(super) async fn rewrite(
        &self,
        job: &Job<'_>,
        index: u32,
        object: &ObjectRef,
        eraser: &dyn RecordEraser,
    ) -> Result<ObjectResult, Fault> {
        for _ in 0..REWRITES {
            let intents = self.intents(job, index).await?;
            if !intents.is_empty()
                && let Some(done) = self.already(job, index, object, eraser, &intents).await?
            {
                return Ok(done);
            }
            let excluded = self.excluded(&job.sweep, &job.members).await?;
            let draft = eraser
                .prepare(job.store, object, &job.roster, &excluded)
                .await?;
            if draft.searched.matched.is_empty() {
                let after = draft.searched.rows;
                return Ok(result(object, draft.searched, after));
            }
            let attempt = u32::try_from(intents.len()).unwrap_or(u32::MAX);
            let intent = to_json(&Intent {
                v: 1,
                before: draft.searched.rows,
                after: draft.after,
                matched: draft.searched.matched.clone(),
            })?;
            let name = vault::intent(job.shard.k, index, attempt);
            let kept = self.vault.keep(job.sweep.vault, &name, &intent).await?;
            // The last look before the rewrite is in flight: whether this is still to be done, and
            // who must not be touched. An intent of somebody else's is not ours to carry out.
            if self.is_overtaken(job, index).await? {
                return Err(Fault::Conflict);
            }
            if kept != intent || self.excluded(&job.sweep, &job.members).await? != excluded {
                continue;
            }
            match self
                .complete(job, index, attempt, object, eraser, draft)
                .await
            {
                // Somebody changed the object meanwhile: read it again.
                Err(Fault::Conflict) => {}
                done => return done,
            }
        }
        Err(Fault::retry("an object keeps changing under the sweep"))
    }

    /// Takes in what a sweep that was cut short did and nobody said: whoever did it died before the
    /// commit. Its shards are not worked on any more, so what is committed here is their last word.
    pub(super) async fn take_in(&self, sweep: &Sweep) -> Result<(), Fault> {
        let Hand::Erase(_, eraser) = &self.hand else {
            return Ok(());
        };
        if sweep.purpose != Purpose::Forget {
            return Ok(());
        }
        let map = self.map.clone();
        // To ask how an object stands may finish a rewrite, which a hold forbids; and a store that
        // left the map cannot be asked.
        let store = map.store(&sweep.id.store);
        let store = store.filter(|_| sweep.cut == Some(Cut::Redescribed));
        for (mut shard, version) in self.shards(sweep).await? {
            if shard.k < sweep.first_shard || shard.is_done() {
                continue;
            }
            let name = vault::shard_result(sweep.id.right, shard.k, shard.results);
            let kept = self.vault.read(sweep.vault, &name).await?;
            let piece: Piece = match (kept, store) {
                (Some(bytes), _) => parse_json(&bytes)?,
                (None, Some(store)) => {
                    let results = self.made(store, sweep, &shard, &**eraser).await?;
                    if results.is_empty() {
                        continue;
                    }
                    let piece = Piece {
                        v: 1,
                        round: sweep.round,
                        results,
                    };
                    let bytes = to_json(&piece)?;
                    parse_json(&self.vault.keep(sweep.vault, &name, &bytes).await?)?
                }
                (None, None) => continue,
            };
            shard.cursor = shard.objects;
            shard.results = shard.results.saturating_add(1);
            shard.matched += piece.results.iter().map(matched_rows).sum::<u64>();
            self.ledger
                .commit(&[Write::Replace(Item::Shard(shard), version)])
                .await?;
        }
        Ok(())
    }

    /// Finds what was rewritten of a shard since its last commit, by the marks that it left.
    async fn made(
        &self,
        store: &Store,
        sweep: &Sweep,
        shard: &Shard,
        eraser: &dyn RecordEraser,
    ) -> Result<Vec<ObjectResult>, Fault> {
        let members = self.members(sweep).await?;
        let job = Job {
            store,
            roster: roster(sweep, &members),
            members,
            sweep: sweep.clone(),
            shard: shard.clone(),
        };
        let file = self.shard_file(sweep, shard.k).await?;
        let mut made = Vec::new();
        let begun = (0..).zip(&file.objects).skip(index_of(shard.cursor));
        for (index, object) in begun.take(OBJECTS_AT_ONCE) {
            // That a version is gone says nothing where the store may be another place by now.
            if object.noncurrent {
                continue;
            }
            let intents = self.intents(&job, index).await?;
            if intents.is_empty() {
                continue;
            }
            match self.already(&job, index, object, eraser, &intents).await {
                Ok(done) => made.extend(done),
                Err(Fault::Block(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(made)
    }

    /// Whether somebody else committed this object, or ended the round, meanwhile.
    async fn is_overtaken(&self, job: &Job<'_>, index: u32) -> Result<bool, Fault> {
        let now = self.open_shard(&job.sweep.id, job.shard.k).await?;
        Ok(now.is_none_or(|(_, shard, _)| shard.cursor > index))
    }

    async fn complete(
        &self,
        job: &Job<'_>,
        index: u32,
        attempt: u32,
        object: &ObjectRef,
        eraser: &dyn RecordEraser,
        draft: Draft,
    ) -> Result<ObjectResult, Fault> {
        let marker = marker(job, index, attempt);
        let etag = eraser.complete(job.store, object, &draft, &marker).await?;
        let after = draft.after;
        let mut done = result(object, draft.searched, after);
        done.etag = etag;
        Ok(done)
    }

    /// Finds out whether an announced rewrite was made, and takes its counts from the intent.
    async fn already(
        &self,
        job: &Job<'_>,
        index: u32,
        object: &ObjectRef,
        eraser: &dyn RecordEraser,
        intents: &[Intent],
    ) -> Result<Option<ObjectResult>, Fault> {
        let standing = eraser.standing(job.store, object).await?;
        let (attempt, etag) = match standing {
            // An older version is deleted as a whole, and carries no marker.
            Standing::Gone if object.noncurrent => (intents.len().checked_sub(1), None),
            Standing::Gone | Standing::Other => return Ok(None),
            Standing::Rewritten {
                marker: found,
                etag,
            } => {
                let mine = (0..).zip(intents);
                let mut mine = mine.map(|(attempt, _)| marker(job, index, attempt));
                (mine.position(|marker| marker == found), Some(etag))
            }
        };
        let Some(intent) = attempt.and_then(|attempt| intents.get(attempt)) else {
            return Ok(None);
        };
        Ok(Some(ObjectResult {
            object: object.clone(),
            etag,
            before: intent.before,
            after: intent.after,
            matched: intent.matched.clone(),
            records: Vec::new(),
            located: Vec::new(),
            blocked: None,
        }))
    }

    /// Reads what was announced for one object so far.
    async fn intents(&self, job: &Job<'_>, index: u32) -> Result<Vec<Intent>, Fault> {
        let mut intents = Vec::new();
        loop {
            let attempt = u32::try_from(intents.len()).unwrap_or(u32::MAX);
            let name = vault::intent(job.shard.k, index, attempt);
            match self.vault.read(job.sweep.vault, &name).await? {
                Some(bytes) => intents.push(parse_json(&bytes)?),
                None => return Ok(intents),
            }
        }
    }
}

/// What a rewritten object carries: whose work it is. Nothing personal.
fn marker(job: &Job<'_>, index: u32, attempt: u32) -> String {
    let (vault, k) = (job.sweep.vault, job.shard.k);
    format!("{vault}/{k}/{index}/{attempt}")
}

/// How often an object that changes under the sweep is read again before it is left for later.
const REWRITES: usize = 5;
