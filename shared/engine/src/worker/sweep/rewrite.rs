//! Rewriting one object: prepared, announced, looked at once more, put in place.
//!
//! A rewrite is announced before it is made: its counts are kept as an *intent*, and the object
//! carries the intent's marker afterwards. Whoever comes back after a crash finds by the marker
//! whether it was made, and takes the counts from the intent. The list of those who must not be
//! touched is read before each object's commit.

use quittance_core::fault::Fault;
use quittance_core::sweep::ObjectRef;
use serde::{Deserialize, Serialize};

use super::super::Worker;
use super::papers::ObjectResult;
use super::work::{Job, result};
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
