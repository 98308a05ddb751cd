//! Taking rows out of an object: looked for, announced by the engine, done, and known again.
//!
//! Done means, in this order: the object is read and written anew; it replaces itself (the commit
//! point); the version that held the rows is deleted. A crash between the last two is found by the
//! notes in the new object's metadata. Versions that were older already cannot be rewritten, for
//! whatever is written becomes the newest: they are deleted as a whole.

use std::collections::BTreeSet;
use std::ops::Range;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use jiff::Timestamp;
use quittance_core::data_map::{DeletionRule, RecordFormat};
use quittance_core::digest::Tag;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{Draft, Standing};
use serde::{Deserialize, Serialize};

use super::kept::{self, Kept, NULL};
use super::layout::{self, Piece};
use super::look::{Look, Sought};
use super::source::{Pin, Seen, Source};
use super::upload::{Upload, Written};
use super::{Looks, Records};
use crate::errors;
use crate::rewrite::{Action, Opening, Output, Rewriter};
use crate::s3_bucket::Versioning;

/// What a draft remembers.
#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) roster: Tag,
    pub(super) excluded: BTreeSet<u32>,
    /// The entity tag of what is there now, if anything is.
    now: Option<String>,
    /// The current version, if it is to be rewritten.
    current: Option<Current>,
    /// An older version that is to be deleted, and its entity tag.
    old: Option<(String, String)>,
}

/// The current version as it was looked through.
#[derive(Serialize, Deserialize)]
pub(super) struct Current {
    pub(super) version: Option<String>,
    pub(super) etag: String,
    pub(super) bytes: u64,
    /// How many rows are to change.
    rows: u64,
    untouched: Vec<Range<u64>>,
    /// What its beginning says of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<Opening>,
    /// Which row groups of Parquet change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<usize>,
}

impl Note {
    pub(super) fn read(note: &serde_json::Value) -> Result<Self, Fault> {
        Self::deserialize(note).map_err(|_| Fault::reject("a draft of another kind"))
    }
}

impl Records<'_> {
    pub(super) async fn prepare(
        &self,
        object: &ObjectRef,
        sought: &Sought,
        roster: Tag,
    ) -> Result<Draft, Fault> {
        self.action()?;
        let find = Action::to_find(&self.store.deletion, self.pseudonyms.clone());
        let looks = self.looks(object, sought, &find).await?;
        for look in looks.all().filter(|look| look.matched() > 0) {
            self.refuse_locked(&object.key, &look.seen).await?;
        }
        if let Some(old) = &looks.old
            && old.matched() > 0
            && old.report.rows_held > 0
        {
            // It could only be deleted, and with it the rows of somebody who is under a hold.
            return Err(Fault::Block(BlockReason::Locked));
        }
        let after = self.after(&looks);
        let note = Note {
            roster,
            excluded: sought.excluded.clone(),
            now: looks.current.as_ref().map(|look| look.seen.etag.clone()),
            current: looks.current.as_ref().and_then(current),
            old: looks.old.as_ref().and_then(|old| {
                let version = old.seen.version.as_deref().unwrap_or(NULL);
                let there = (version.to_owned(), old.seen.etag.clone());
                (old.matched() > 0).then_some(there)
            }),
        };
        Ok(Draft {
            searched: looks.searched(),
            after,
            note: serde_json::to_value(note)
                .map_err(|_| Fault::reject("a draft that cannot be written"))?,
            body: Vec::new(),
        })
    }

    /// How many rows remain.
    fn after(&self, looks: &Looks) -> u64 {
        let of_current = looks.current.as_ref().map_or(0, |look| {
            let gone = match self.store.deletion {
                DeletionRule::DeleteItem => look.matched(),
                DeletionRule::Redact { .. } | DeletionRule::Retain(_) => 0,
            };
            look.report.rows_before.saturating_sub(gone)
        });
        let of_old = looks.old.as_ref().filter(|old| old.matched() == 0);
        of_current.saturating_add(of_old.map_or(0, |old| old.report.rows_before))
    }

    pub(super) async fn complete(
        &self,
        object: &ObjectRef,
        note: &Note,
        sought: &Sought,
        marker: &str,
    ) -> Result<Option<String>, Fault> {
        let mut etag = note.now.clone();
        if let Some(current) = &note.current {
            let written = self.replace(&object.key, current, sought, marker).await?;
            // From here on the new object stands; what follows is done again after a crash.
            let version = current.version.as_deref().unwrap_or(NULL);
            self.remove_replaced(&object.key, &written, version, &current.etag)
                .await?;
            etag = Some(written.etag);
        }
        if let Some((version, old)) = &note.old {
            self.remove(&object.key, version, old).await?;
        }
        Ok(etag)
    }

    /// Writes the object anew and puts it in its own place.
    async fn replace(
        &self,
        key: &str,
        current: &Current,
        sought: &Sought,
        marker: &str,
    ) -> Result<Written, Fault> {
        let version = current.version.as_deref();
        let kept = Kept::of(self.bucket, key, version, &current.etag, marker).await?;
        let there = (version, current.etag.as_str());
        let mut upload = Upload::new(self.bucket, key, there, &kept, current.bytes)?;
        let written = match self.write(key, current, sought, &mut upload).await {
            Ok(()) => upload.finish().await,
            Err(fault) => {
                upload.abort().await;
                return Err(fault);
            }
        };
        let fault = match written {
            Ok(written) => return Ok(written),
            Err(fault) => fault,
        };
        // It failed, or its answer was lost: the object itself knows.
        let stands = match self.bucket.head(key, None).await {
            Ok(head) => {
                head.filter(|head| kept::notes(head).is_some_and(|notes| notes.marker == marker))
            }
            // Nobody knows. An upload that is taken away now cannot come true later.
            Err(_) => None,
        };
        if let Some(head) = stands {
            return Ok(Written {
                etag: head.e_tag().unwrap_or_default().to_owned(),
                version: head.version_id().map(str::to_owned),
            });
        }
        upload.abort().await;
        Err(fault)
    }

    /// Hands the object's new bytes to an upload.
    async fn write(
        &self,
        key: &str,
        current: &Current,
        sought: &Sought,
        upload: &mut Upload<'_>,
    ) -> Result<(), Fault> {
        if self.source.format == RecordFormat::Parquet {
            let action = self.action()?;
            let table = self.write_table(key, current, sought, action, upload);
            return as_announced(table.await?, current);
        }
        let mut changed = 0_u64;
        for piece in layout::pieces(&current.untouched, current.bytes) {
            match piece {
                Piece::Copy(range) => upload.copy(range).await?,
                Piece::Make { rows, then } => {
                    let all = rows.start..then.end;
                    let is_whole = all == (0..current.bytes);
                    let pin = Pin {
                        version: current.version.clone(),
                        etag: Some(current.etag.clone()),
                        range: (!is_whole).then_some(all),
                    };
                    let source = Source::open(self.bucket, key, pin).await?;
                    let source = source.ok_or(Fault::Conflict)?;
                    let judged = rows.end.saturating_sub(rows.start);
                    let mut rewriter = self.rewriter(sought, self.action()?)?;
                    if rows.start > 0
                        && let Some(opening) = &current.opening
                    {
                        rewriter = rewriter.after(opening);
                    }
                    let more = self.make(source, judged, rewriter, upload).await?;
                    changed = changed.saturating_add(more);
                }
            }
        }
        as_announced(changed, current)
    }

    /// Writes so many bytes of rows anew, and the rest as it is; returns how many rows changed.
    async fn make(
        &self,
        mut source: Source<'_>,
        judged: u64,
        mut rewriter: Rewriter,
        upload: &mut Upload<'_>,
    ) -> Result<u64, Fault> {
        let mut out = Output::default();
        let mut left = judged;
        let mut after = Vec::new();
        while let Some(bytes) = source.next().await? {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let (rows, then) = bytes.split_at(bytes.len().min(most));
            left = left.saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
            let mut rest = rows;
            while !rest.is_empty() {
                let took = rewriter
                    .push(rest, &mut out)
                    .map_err(|e| self.unreadable(&e))?;
                rest = rest.get(took..).unwrap_or_default();
                upload.push(&out.bytes).await?;
                out.bytes.clear();
            }
            after.extend_from_slice(then);
        }
        let report = rewriter.finish(&mut out).map_err(|e| self.unreadable(&e))?;
        upload.push(&out.bytes).await?;
        upload.push(&after).await?;
        Ok(report.rows_changed)
    }

    pub(super) async fn standing(&self, object: &ObjectRef) -> Result<Standing, Fault> {
        if object.noncurrent {
            let version = object.version.as_deref();
            return Ok(match self.bucket.head(&object.key, version).await? {
                Some(_) => Standing::Other,
                None => Standing::Gone,
            });
        }
        let Some(head) = self.bucket.head(&object.key, None).await? else {
            return Ok(Standing::Gone);
        };
        let Some(notes) = kept::notes(&head) else {
            return Ok(Standing::Other);
        };
        let now = Written {
            etag: head.e_tag().unwrap_or_default().to_owned(),
            version: head.version_id().map(str::to_owned),
        };
        if let Some((version, etag)) = &notes.replaced {
            self.remove_replaced(&object.key, &now, version, etag)
                .await?;
        }
        Ok(Standing::Rewritten {
            marker: notes.marker,
            etag: now.etag,
        })
    }

    /// Deletes the version that was replaced, unless the new one took its very place.
    async fn remove_replaced(
        &self,
        key: &str,
        now: &Written,
        version: &str,
        etag: &str,
    ) -> Result<(), Fault> {
        match now.version.as_deref() {
            Some(new) if new != version => self.remove(key, version, etag).await,
            // In a bucket that keeps no versions, or not any more, the old bytes are gone.
            Some(_) | None => Ok(()),
        }
    }

    /// Deletes a version for good, if it is still what was read: the one from before versions may
    /// have been overwritten.
    async fn remove(&self, key: &str, version: &str, etag: &str) -> Result<(), Fault> {
        let Some(head) = self.bucket.head(key, Some(version)).await? else {
            return Ok(());
        };
        if head.e_tag().map(|etag| etag.trim_matches('"')) != Some(etag.trim_matches('"')) {
            return Ok(());
        }
        self.bucket.erase_version(key, version).await.map(drop)
    }

    /// Refuses to touch a version that could not be deleted afterwards.
    async fn refuse_locked(&self, key: &str, seen: &Seen) -> Result<(), Fault> {
        let Some(version) = &seen.version else {
            return Ok(());
        };
        if seen.is_held {
            return Err(Fault::Block(BlockReason::Locked));
        }
        if let Some(until) = seen.retained_until {
            let now = self.now(key, version, &seen.etag).await?;
            if until.secs() > now.as_second() {
                return Err(Fault::Block(BlockReason::Locked));
            }
        }
        match self.bucket.versioning().await? {
            // Nobody is at hand with a second factor.
            Versioning::Kept { mfa_delete: true } => Err(Fault::Block(BlockReason::AccessDenied)),
            Versioning::Kept { mfa_delete: false } | Versioning::Never => Ok(()),
        }
    }

    /// Asks S3 what time it is: by its clock a lock ends. Only refusals show the answer's date, so
    /// something is asked that is refused.
    async fn now(&self, key: &str, version: &str, etag: &str) -> Result<Timestamp, Fault> {
        let asked = self.bucket.client.head_object();
        let asked = asked.bucket(self.bucket.name).key(key).version_id(version);
        let Err(error) = asked.if_none_match(etag).send().await else {
            return Ok(Timestamp::MIN);
        };
        match errors::answered_at(&error) {
            Some(now) if error.code().is_none() || errors::status(&error) == Some(304) => Ok(now),
            Some(_) | None => Err(errors::s3("HeadObject", self.bucket.name, &error)),
        }
    }

    /// Returns what deletion does here.
    fn action(&self) -> Result<Action, Fault> {
        Action::of(&self.store.deletion, self.pseudonyms.clone())
            .ok_or_else(|| Fault::reject(format!("rows of {} are not to be erased", self.store.id)))
    }
}

impl Looks {
    fn all(&self) -> impl Iterator<Item = &Look> {
        self.current.iter().chain(&self.old)
    }
}

/// Refuses to go on when other rows changed than were announced.
fn as_announced(changed: u64, current: &Current) -> Result<(), Fault> {
    if changed == current.rows {
        return Ok(());
    }
    Err(Fault::retry(
        "an object that changes otherwise than announced",
    ))
}

fn current(look: &Look) -> Option<Current> {
    (look.matched() > 0).then(|| Current {
        version: look.seen.version.clone(),
        etag: look.seen.etag.clone(),
        bytes: look.seen.bytes,
        rows: look.matched(),
        untouched: look.untouched().collect(),
        opening: look.report.opening.clone(),
        groups: look.groups.clone(),
    })
}
