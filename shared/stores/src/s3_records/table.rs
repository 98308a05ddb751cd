//! Objects of Parquet: read in ranges, and written with what stays copied inside S3.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use quittance_core::fault::Fault;

use super::effect::Current;
use super::layout::{self, LEAST_PART};
use super::look::{Copies, Look, Sought};
use super::source::{Pin, Seen, Source};
use super::upload::Upload;
use super::{Records, limits};
use crate::rewrite::{Action, Output, Pieces, Ranges, RewriteError, Table};
use crate::s3_bucket::Bucket;

/// One version of an object.
struct Object<'a> {
    bucket: Bucket<'a>,
    key: &'a str,
    version: Option<String>,
    etag: String,
}

/// Why it is not read: the store's answer, or what the object is.
enum Broken {
    Store(Fault),
    Object(RewriteError),
}

impl From<RewriteError> for Broken {
    fn from(error: RewriteError) -> Self {
        Self::Object(error)
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl<'a> Object<'a> {
    async fn open(&self, range: Range<u64>) -> Result<Source<'a>, Fault> {
        let pin = Pin {
            version: self.version.clone(),
            etag: Some(self.etag.clone()),
            range: Some(range),
        };
        let source = Source::open(self.bucket, self.key, pin).await?;
        source.ok_or(Fault::Conflict)
    }
}

impl Ranges for Object<'_> {
    type Error = Broken;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Broken> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mut source = self.open(range).await?;
        let mut all = BytesMut::new();
        while let Some(bytes) = source.next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }
}

impl Records<'_> {
    /// Looks through one version, as [`Records::look`] does.
    pub(super) async fn look_table(
        &self,
        key: &str,
        version: Option<&str>,
        sought: &Sought,
        action: &Action,
    ) -> Result<Option<Look>, Fault> {
        let Some(head) = self.bucket.head(key, version).await? else {
            return Ok(None);
        };
        let seen = Seen::of_head(&head);
        let object = Object {
            bucket: self.bucket,
            key,
            version: seen.version.clone(),
            etag: seen.etag.clone(),
        };
        let mut groups = Vec::new();
        let mut copies = Copies::new(self)?;
        let looked = async {
            let mut table = self.table(&object, seen.bytes, sought, action).await?;
            let mut out = Output::default();
            for group in 0..table.groups() {
                if table.look(&object, group, &mut out).await? {
                    groups.push(group);
                }
                copies.take(&mut out.rows)?;
            }
            Ok::<_, Broken>(table.finish())
        };
        let report = looked.await.map_err(|broken| self.broken(broken))?;
        Ok(Some(Look {
            seen,
            report,
            records: copies.records,
            groups,
        }))
    }

    /// Hands an object's new bytes to an upload; returns how many rows changed.
    pub(super) async fn write_table(
        &self,
        key: &str,
        current: &Current,
        sought: &Sought,
        action: Action,
        upload: &mut Upload<'_>,
    ) -> Result<u64, Fault> {
        let object = Object {
            bucket: self.bucket,
            key,
            version: current.version.clone(),
            etag: current.etag.clone(),
        };
        let groups: BTreeSet<usize> = current.groups.iter().copied().collect();
        let mut pieces = Parts {
            object: &object,
            upload,
            worth: layout::worth(current.bytes),
        };
        let written = async {
            let table = self.table(&object, current.bytes, sought, &action).await?;
            if groups.iter().any(|group| *group >= table.groups()) {
                return Err(Broken::Store(Fault::Conflict));
            }
            table.rewrite(&object, &groups, &mut pieces).await
        };
        let report = written.await.map_err(|broken| self.broken(broken))?;
        Ok(report.rows_changed)
    }

    async fn table(
        &self,
        object: &Object<'_>,
        bytes: u64,
        sought: &Sought,
        action: &Action,
    ) -> Result<Table, Broken> {
        let set = Arc::clone(&sought.set);
        let table = Table::open(object, bytes, set, action.clone(), limits()).await?;
        Ok(table.without(sought.excluded.iter().copied()))
    }

    fn broken(&self, broken: Broken) -> Fault {
        match broken {
            Broken::Store(fault) => fault,
            Broken::Object(error) => self.unreadable(&error),
        }
    }
}

/// The parts of the new object.
struct Parts<'p, 'a> {
    object: &'p Object<'p>,
    upload: &'p mut Upload<'a>,
    /// From how many bytes on S3 copies by itself.
    worth: u64,
}

impl Parts<'_, '_> {
    async fn fetch(&mut self, range: Range<u64>) -> Result<(), Broken> {
        if range.is_empty() {
            return Ok(());
        }
        let mut source = self.object.open(range).await?;
        while let Some(bytes) = source.next().await? {
            self.upload.push(&bytes).await?;
        }
        Ok(())
    }
}

impl Pieces for Parts<'_, '_> {
    type Error = Broken;

    async fn keep(&mut self, range: Range<u64>) -> Result<(), Broken> {
        // Every part but the last has 5 MiB: what was made takes what it lacks from what follows.
        let waiting = self.upload.waiting();
        let lacking = if waiting == 0 {
            0
        } else {
            LEAST_PART.saturating_sub(waiting)
        };
        let copied = range.start.saturating_add(lacking)..range.end;
        if copied.end.saturating_sub(copied.start) < self.worth {
            return self.fetch(range).await;
        }
        self.fetch(range.start..copied.start).await?;
        for part in layout::in_parts(copied) {
            self.upload.copy(part).await?;
        }
        Ok(())
    }

    async fn make(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        Ok(self.upload.push(bytes).await?)
    }
}
