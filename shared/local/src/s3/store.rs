//! Where buckets, versions and uploads are kept: one `SQLite` file for what is known, one file per content.
//!
//! What the operations mean is in the sibling modules; here are rows and transactions only.
//! Invariant: content is written before the row that names it and removed after the row is gone, so
//! a killed process leaves at worst a content without a row, which the next start removes.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::version::{Detail, Version, VersionId};
use crate::clock::WallClock;

/// The whole state of the emulated S3.
pub(super) struct Store {
    sql: Mutex<Connection>,
    contents: Contents,
    clock: WallClock,
}

impl Store {
    /// Opens or creates the store under `dir` and removes contents no row names.
    pub(super) fn open(dir: &Path, clock: WallClock) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let sql = Connection::open(dir.join("s3.sqlite")).map_err(std::io::Error::other)?;
        sql.execute_batch(SCHEMA).map_err(std::io::Error::other)?;
        sql.set_prepared_statement_cache_capacity(64);
        let contents = Contents::open(&dir.join("contents"))?;
        let store = Self {
            sql: Mutex::new(sql),
            contents,
            clock,
        };
        store.remove_orphans()?;
        Ok(store)
    }

    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Runs `work` alone, as one transaction, off the async threads.
    ///
    /// One lock for all buckets: this is what makes exactly one of two racing conditional writes win.
    pub(super) async fn run<T, F>(self: &Arc<Self>, work: F) -> S3Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Txn<'_>) -> S3Result<T> + Send + 'static,
    {
        let store = Arc::clone(self);
        tokio::task::spawn_blocking(move || store.run_blocking(work))
            .await
            .map_err(S3Error::internal_error)?
    }

    pub(super) fn run_blocking<T>(
        &self,
        work: impl FnOnce(&Txn<'_>) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut sql = self.sql.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = sql
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(broken)?;
        let txn = Txn {
            sql: transaction,
            contents: &self.contents,
            now_ms: self.clock.now_ms(),
            doomed: RefCell::default(),
        };
        let answer = work(&txn)?;
        let Txn { sql, doomed, .. } = txn;
        sql.commit().map_err(broken)?;
        for content in doomed.into_inner() {
            self.contents.remove(&content);
        }
        Ok(answer)
    }

    fn remove_orphans(&self) -> std::io::Result<()> {
        let named = self
            .run_blocking(|txn| {
                let mut all = std::collections::HashSet::new();
                for table in ["SELECT detail FROM versions", "SELECT detail FROM parts"] {
                    let mut statement = txn.sql.prepare(table).map_err(broken)?;
                    let rows = statement
                        .query_map([], |row| row.get::<_, String>(0))
                        .map_err(broken)?;
                    for row in rows {
                        let row: NamesContent = from_json(&row.map_err(broken)?)?;
                        all.extend(row.content);
                    }
                }
                Ok(all)
            })
            .map_err(|error| std::io::Error::other(format!("{error:?}")))?;
        self.contents.remove_all_but(&named)
    }
}

/// One transaction on the store.
pub(super) struct Txn<'a> {
    pub(super) sql: Transaction<'a>,
    pub(super) contents: &'a Contents,
    pub(super) now_ms: i64,
    doomed: RefCell<Vec<String>>,
}

impl Txn<'_> {
    /// Removes a content after the transaction is committed.
    pub(super) fn doom(&self, content: Option<String>) {
        self.doomed.borrow_mut().extend(content);
    }

    /// The bucket, or `NoSuchBucket`.
    pub(super) fn bucket(&self, name: &str) -> S3Result<Bucket> {
        let detail: Option<String> = self
            .sql
            .prepare_cached("SELECT detail FROM buckets WHERE name = ?1")
            .and_then(|mut s| s.query_row([name], |row| row.get(0)).optional())
            .map_err(broken)?;
        let detail =
            detail.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))?;
        Ok(Bucket {
            name: name.to_owned(),
            detail: from_json(&detail)?,
        })
    }

    pub(super) fn save_bucket(&self, bucket: &Bucket) -> S3Result<()> {
        self.sql
            .execute(
                "INSERT INTO buckets (name, detail) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET detail = excluded.detail",
                params![bucket.name, to_json(&bucket.detail)?],
            )
            .map_err(broken)?;
        Ok(())
    }

    /// The newest version of a key, delete marker or not.
    pub(super) fn newest(&self, bucket: &str, key: &str) -> S3Result<Option<Version>> {
        self.one_version(
            "SELECT seq, key, version_id, detail FROM versions
             WHERE bucket = ?1 AND key = ?2 ORDER BY seq DESC LIMIT 1",
            &[&bucket, &key],
        )
    }

    pub(super) fn exact(
        &self,
        bucket: &str,
        key: &str,
        id: &VersionId,
    ) -> S3Result<Option<Version>> {
        self.one_version(
            "SELECT seq, key, version_id, detail FROM versions
             WHERE bucket = ?1 AND key = ?2 AND version_id = ?3",
            &[&bucket, &key, &id.as_str()],
        )
    }

    fn one_version(
        &self,
        query: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> S3Result<Option<Version>> {
        let row = self
            .sql
            .prepare_cached(query)
            .and_then(|mut s| s.query_row(values, version_row).optional())
            .map_err(broken)?;
        row.map(version_of).transpose()
    }

    /// Every row of a listing query whose columns are seq, key, version id, detail.
    pub(super) fn many_versions(
        &self,
        query: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> S3Result<Vec<Version>> {
        let mut statement = self.sql.prepare_cached(query).map_err(broken)?;
        let rows = statement.query_map(values, version_row).map_err(broken)?;
        rows.map(|row| version_of(row.map_err(broken)?)).collect()
    }

    /// The next place in the order of all writes.
    pub(super) fn next_seq(&self) -> S3Result<i64> {
        self.sql
            .prepare_cached("UPDATE counter SET value = value + 1 RETURNING value")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(broken)
    }

    pub(super) fn insert(&self, bucket: &str, version: &Version) -> S3Result<()> {
        let detail = to_json(&version.detail)?;
        self.sql
            .prepare_cached(
                "INSERT INTO versions (seq, bucket, key, version_id, marker, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    version.seq,
                    bucket,
                    version.key,
                    version.id.as_str(),
                    version.detail.is_marker,
                    detail,
                ])
            })
            .map_err(broken)?;
        Ok(())
    }

    /// Writes the detail of a version that is already there (tags, lock).
    pub(super) fn save_detail(&self, version: &Version) -> S3Result<()> {
        self.sql
            .execute(
                "UPDATE versions SET detail = ?2 WHERE seq = ?1",
                params![version.seq, to_json(&version.detail)?],
            )
            .map_err(broken)?;
        Ok(())
    }

    /// Takes a version's row and its content away. Locks are the caller's question.
    pub(super) fn remove(&self, version: Version) -> S3Result<()> {
        self.sql
            .prepare_cached("DELETE FROM versions WHERE seq = ?1")
            .and_then(|mut s| s.execute([version.seq]))
            .map_err(broken)?;
        self.doom(version.detail.content);
        Ok(())
    }
}

/// A bucket's row.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) detail: BucketDetail,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct BucketDetail {
    pub(super) created_ms: i64,
    pub(super) region: String,
    pub(super) versioning: Versioning,
    pub(super) lock: Option<BucketLock>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// Object Lock of a bucket, with the default retention if there is one.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct BucketLock {
    pub(super) mode: Option<String>,
    pub(super) days: Option<i32>,
    pub(super) years: Option<i32>,
}

#[derive(Deserialize)]
struct NamesContent {
    #[serde(default)]
    content: Option<String>,
}

type RawVersion = (i64, String, String, String);

fn version_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RawVersion> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn version_of((seq, key, id, detail): RawVersion) -> S3Result<Version> {
    let detail: Detail = from_json(&detail)?;
    Ok(Version {
        seq,
        key,
        id: VersionId::stored(id),
        detail,
    })
}

pub(super) fn broken(error: rusqlite::Error) -> S3Error {
    S3Error::internal_error(error)
}

pub(super) fn to_json<T: Serialize>(value: &T) -> S3Result<String> {
    serde_json::to_string(value).map_err(S3Error::internal_error)
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> S3Result<T> {
    serde_json::from_str(text).map_err(S3Error::internal_error)
}

// synchronous = OFF: what was answered must survive the death of the process, not of the machine.
const SCHEMA: &str = "
PRAGMA synchronous = OFF;
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, detail TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    seq INTEGER PRIMARY KEY,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    marker INTEGER NOT NULL,
    detail TEXT NOT NULL,
    UNIQUE (bucket, key, version_id)
);
CREATE INDEX IF NOT EXISTS versions_in_order ON versions (bucket, key, seq);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, detail TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_in_order ON uploads (bucket, key, id);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (
    bucket TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (bucket, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (1, 0);
";
