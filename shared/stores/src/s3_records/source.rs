//! Reads one version of an object from its beginning to its end, however long that takes.
//!
//! A connection that breaks is made again from where it broke, on condition that the object is still
//! the same: what was read is always one version, never a mixture.

use std::ops::Range;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ObjectLockEventHold, ObjectLockLegalHoldStatus};
use bytes::Bytes;
use quittance_core::fault::{BlockReason, Fault};

use crate::errors;
use crate::s3_bucket::Bucket;

/// Which bytes are meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Pin {
    /// Of this version; the current one if none.
    pub(super) version: Option<String>,
    /// On condition of this entity tag.
    pub(super) etag: Option<String>,
    /// Only these; all if none.
    pub(super) range: Option<Range<u64>>,
}

/// An object that is being read.
pub(super) struct Source<'a> {
    bucket: Bucket<'a>,
    key: &'a str,
    pub(super) seen: Seen,
    body: ByteStream,
    /// Where the next byte stands, and where the last one that is asked for ends.
    left: Range<u64>,
    resumed: u32,
}

/// What is known of the version that is read.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Its id; none in a bucket that never had versions.
    pub(super) version: Option<String>,
    pub(super) etag: String,
    pub(super) bytes: u64,
    /// Whether something holds it whatever the date.
    pub(super) is_held: bool,
    /// Until when it is retained, if it is; may be over.
    pub(super) retained_until: Option<DateTime>,
}

impl<'a> Source<'a> {
    /// Begins to read; none when there is nothing.
    pub(super) async fn open(
        bucket: Bucket<'a>,
        key: &'a str,
        pin: Pin,
    ) -> Result<Option<Self>, Fault> {
        let range = pin.range.clone();
        let Some(answer) = get(bucket, key, pin).await? else {
            return Ok(None);
        };
        let length = u64::try_from(answer.content_length().unwrap_or_default()).unwrap_or_default();
        let start = range.map_or(0, |range| range.start);
        Ok(Some(Self {
            bucket,
            key,
            seen: Seen::of(&answer, length),
            body: answer.body,
            left: start..start.saturating_add(length),
            resumed: 0,
        }))
    }

    /// Reads on; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            match self.body.next().await {
                Some(Ok(bytes)) => {
                    let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.left.start = self.left.start.saturating_add(more);
                    return Ok(Some(bytes));
                }
                None if self.left.is_empty() => return Ok(None),
                Some(Err(_)) | None => self.resume().await?,
            }
        }
    }

    /// Goes on where the connection broke. When all bytes are there, what broke was their checksum.
    async fn resume(&mut self) -> Result<(), Fault> {
        self.resumed = self.resumed.saturating_add(1);
        if self.resumed > RESUMED || self.left.is_empty() {
            return Err(Fault::retry(format!(
                "s3 GetObject on {}: body broke off",
                self.bucket.name
            )));
        }
        let pin = Pin {
            version: self.seen.version.clone(),
            etag: Some(self.seen.etag.clone()),
            range: Some(self.left.clone()),
        };
        let answer = get(self.bucket, self.key, pin).await?;
        self.body = answer.ok_or(Fault::Conflict)?.body;
        Ok(())
    }
}

impl Seen {
    /// What S3 says of a version without handing it out.
    pub(super) fn of_head(answer: &HeadObjectOutput) -> Self {
        let legal = answer.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
        let event = answer.object_lock_event_hold() == Some(&ObjectLockEventHold::On);
        let length = answer.content_length().unwrap_or_default();
        Self {
            version: answer.version_id().map(str::to_owned),
            etag: answer.e_tag().unwrap_or_default().to_owned(),
            bytes: u64::try_from(length).unwrap_or_default(),
            is_held: legal || event,
            retained_until: answer.object_lock_retain_until_date().copied(),
        }
    }

    fn of(answer: &GetObjectOutput, length: u64) -> Self {
        let legal = answer.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
        let event = answer.object_lock_event_hold() == Some(&ObjectLockEventHold::On);
        Self {
            version: answer.version_id().map(str::to_owned),
            etag: answer.e_tag().unwrap_or_default().to_owned(),
            bytes: length,
            is_held: legal || event,
            retained_until: answer.object_lock_retain_until_date().copied(),
        }
    }
}

async fn get(bucket: Bucket<'_>, key: &str, pin: Pin) -> Result<Option<GetObjectOutput>, Fault> {
    let range = pin.range.map(|range| {
        // S3 counts the last byte in.
        format!("bytes={}-{}", range.start, range.end.saturating_sub(1))
    });
    let wanted = range.as_deref().map(|range| range.replacen('=', " ", 1));
    let sent = bucket
        .client
        .get_object()
        .bucket(bucket.name)
        .key(key)
        .set_version_id(pin.version)
        .set_if_match(pin.etag)
        .set_range(range)
        .send()
        .await;
    match sent {
        // Whoever answers with other bytes would be believed to say what stands at these.
        Ok(answer)
            if wanted.is_some_and(|wanted| {
                let told = answer
                    .content_range()
                    .and_then(|told| told.split('/').next());
                told != Some(wanted.as_str())
            }) =>
        {
            Err(Fault::retry(format!(
                "s3 GetObject on {}: another range than was asked for",
                bucket.name
            )))
        }
        Ok(answer) => Ok(Some(answer)),
        Err(error) if errors::is_absent(&error) => Ok(None),
        // It is encrypted under a key that only the customer has.
        Err(error) if error.code() == Some("InvalidRequest") => {
            Err(Fault::Block(BlockReason::UnsupportedStore))
        }
        Err(error) => Err(errors::s3("GetObject", bucket.name, &error)),
    }
}

/// How often one read is taken up again.
const RESUMED: u32 = 5;
