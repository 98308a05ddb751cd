//! The vault: an S3 bucket of encrypted objects, and a table of wrapped keys without backups.
//!
//! An object is AES-256-GCM under its request's data key, bound to request and name. A request is
//! shredded by deleting its key's row; every read and write looks at that row first, consistently, so
//! a shredded request is gone at once, everywhere. Data keys are unwrapped per process and
//! remembered ([`wrap`]); only the look at the row decides whether they may be used.

mod keys;
mod seal;
mod wrap;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_engine::ports::{Clock, Deposit, Shredder, Vault};
use quittance_engine::vault::{FOLDERS, PAPERS, folder};

use crate::objects::{Bucket, Label, Put};
pub(crate) use keys::ID as KEYS_ID;
use keys::{KeyRow, Keys};
pub use wrap::KeyWrap;

/// All requests' vaults.
#[derive(Debug)]
pub struct S3Vault {
    bucket: Bucket,
    keys: Keys,
    wrap: KeyWrap,
    clock: Arc<dyn Clock>,
}

impl S3Vault {
    /// Builds the vault over a bucket and a table of keys.
    pub fn new(
        s3: aws_sdk_s3::Client,
        bucket: impl Into<String>,
        dynamodb: aws_sdk_dynamodb::Client,
        keys_table: impl Into<String>,
        wrap: KeyWrap,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let bucket = Bucket::new(s3, bucket);
        Self {
            bucket,
            keys: Keys::new(dynamodb, keys_table),
            wrap,
            clock,
        }
    }

    fn nonce(&self) -> [u8; seal::NONCE_BYTES] {
        let mut nonce = [0; seal::NONCE_BYTES];
        nonce
            .iter_mut()
            .zip(self.clock.random())
            .for_each(|(byte, random)| *byte = random);
        nonce
    }

    async fn open(
        &self,
        row: &KeyRow,
        request: RequestId,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let place = place(request, &row.series, name)?;
        let Some(object) = self.bucket.read(&place).await? else {
            return Ok(None);
        };
        let key = self.wrap.unwrap(request, &row.wrapped).await?;
        seal::open(&key, request, name, &object.bytes).map(Some)
    }
}

/// Encrypting needs no right to decrypt, so a key that an earlier, interrupted try made cannot be
/// used again. Each try therefore writes its papers below a series of its own, and the key's row,
/// put if absent, says which series counts.
#[async_trait]
impl Deposit for S3Vault {
    async fn deposit(&self, request: RequestId, papers: &[u8]) -> Result<(), Fault> {
        if self.keys.load(request).await?.is_some() {
            return Ok(());
        }
        let (key, wrapped) = self.wrap.fresh(request, self.clock.as_ref()).await?;
        let series = series(self.clock.as_ref());
        let sealed = seal::seal(&key, request, PAPERS, papers, self.nonce())?;
        let place = place(request, &series, PAPERS)?;
        self.bucket.put_new(&place, sealed, LABEL).await?;
        // The commit point: before it there is ciphertext that nobody can read, after it a deposit.
        let row = KeyRow {
            wrapped,
            series,
            created_at: self.clock.now(),
        };
        match self.keys.create(request, &row).await {
            // A conflict: an earlier try got through after all. What this one wrote is under a key that is
            // lost, and goes with the rest of the request: whoever deposits may not delete.
            Ok(()) | Err(Fault::Conflict) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

#[async_trait]
impl Vault for S3Vault {
    async fn keep(&self, request: RequestId, name: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let Some(row) = self.keys.load(request).await? else {
            return Err(Fault::reject("vault: this request was shredded"));
        };
        let key = self.wrap.unwrap(request, &row.wrapped).await?;
        let sealed = seal::seal(&key, request, name, bytes, self.nonce())?;
        match self
            .bucket
            .put_new(&place(request, &row.series, name)?, sealed, LABEL)
            .await?
        {
            Put::Written => Ok(bytes.to_vec()),
            Put::Refused => self
                .open(&row, request, name)
                .await?
                .ok_or_else(|| Fault::retry("vault: taken when written, absent when read back")),
        }
    }

    async fn read(&self, request: RequestId, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        match self.keys.load(request).await? {
            Some(row) => self.open(&row, request, name).await,
            None => Ok(None),
        }
    }
}

/// Destroys what the vault holds. It needs no key: what it cannot read it can still destroy.
#[derive(Debug)]
pub struct S3Shredder {
    bucket: Bucket,
    keys: Keys,
}

impl S3Shredder {
    /// Builds the shredder over the vault's bucket and its table of keys.
    pub fn new(
        s3: aws_sdk_s3::Client,
        bucket: impl Into<String>,
        dynamodb: aws_sdk_dynamodb::Client,
        keys_table: impl Into<String>,
    ) -> Self {
        Self {
            bucket: Bucket::new(s3, bucket),
            keys: Keys::new(dynamodb, keys_table),
        }
    }
}

#[async_trait]
impl Shredder for S3Shredder {
    async fn shred(&self, request: RequestId) -> Result<(), Fault> {
        // The key first: from here on nothing of this request can be read, whatever comes next.
        self.keys.delete(request).await?;
        for folder in FOLDERS {
            self.bucket
                .delete_all(&format!("{folder}/{request}/"))
                .await?;
        }
        Ok(())
    }

    async fn keys_before(
        &self,
        before: Timestamp,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, Fault> {
        self.keys.made_before(before, after, limit).await
    }
}

/// The folder comes first, so that a role can be narrowed to folders by a prefix.
fn place(request: RequestId, series: &str, name: &str) -> Result<String, Fault> {
    let folder = folder(name).ok_or_else(|| Fault::reject("vault: a name in no folder"))?;
    Ok(format!("{folder}/{request}/{series}/{name}"))
}

fn series(clock: &dyn Clock) -> String {
    data_encoding::HEXLOWER.encode(clock.random().get(..8).unwrap_or_default())
}

const LABEL: Label = Label {
    media_type: "application/octet-stream",
    cache: None,
};
