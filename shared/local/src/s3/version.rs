//! One version of one key: what is kept of it, and the one way a new one comes to be.
//!
//! Invariant: whatever made it (put, copy, multipart completion), a new version obeys the bucket's
//! versioning, the write conditions and the bucket's default retention in the same transaction.

use std::collections::BTreeMap;

use data_encoding::BASE32HEX_NOPAD;
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Checksums};
use super::contents::{Written, random};
use super::lock::Lock;
use super::store::{Bucket, Txn, Versioning};
use super::timestamp;

/// A row of `versions`.
#[derive(Clone)]
pub(super) struct Version {
    /// The place in the order of all writes: the greatest of a key is its newest.
    pub(super) seq: i64,
    pub(super) key: String,
    pub(super) id: VersionId,
    pub(super) detail: Detail,
}

impl Version {
    pub(super) fn etag(&self) -> ETag {
        ETag::Strong(self.detail.etag.clone())
    }

    pub(super) fn modified(&self) -> Timestamp {
        timestamp(self.detail.modified_ms)
    }

    /// The id an answer shows: none in a bucket that never had versions.
    pub(super) fn shown_id(&self, bucket: &Bucket) -> Option<String> {
        (bucket.detail.versioning != Versioning::Never).then(|| self.id.as_str().to_owned())
    }

    pub(super) fn storage_class(&self) -> &str {
        self.detail
            .attributes
            .storage_class
            .as_deref()
            .unwrap_or("STANDARD")
    }

    /// Whether the content must be restored before it can be read.
    pub(super) fn is_archived(&self) -> bool {
        matches!(self.storage_class(), "GLACIER" | "DEEP_ARCHIVE")
    }
}

/// `null`, or an id that carries its place in the order, so that a listing can go on after a version
/// that was deleted meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionId(String);

impl VersionId {
    pub(super) fn null() -> Self {
        Self(NULL.to_owned())
    }

    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    fn build(seq: i64) -> S3Result<Self> {
        let mut bytes = seq.to_be_bytes().to_vec();
        bytes.extend(random::<12>()?);
        Ok(Self(BASE32HEX_NOPAD.encode(&bytes)))
    }

    /// The place in the order an id was made with.
    pub(super) fn seq(&self) -> Option<i64> {
        let bytes = BASE32HEX_NOPAD.decode(self.0.as_bytes()).ok()?;
        let first: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
        Some(i64::from_be_bytes(first))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Everything of a version that no query selects by.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Detail {
    pub(super) is_marker: bool,
    pub(super) etag: String,
    pub(super) size: i64,
    pub(super) modified_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<String>,
    /// Sizes of the parts of a multipart object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<i64>,
    #[serde(default)]
    pub(super) checksums: Checksums,
    #[serde(default)]
    pub(super) attributes: Attributes,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) lock: Lock,
}

impl Detail {
    /// The detail of an object written in one piece.
    pub(super) fn of(written: Written, given: Given) -> Self {
        Self {
            etag: data_encoding::HEXLOWER.encode(&written.md5),
            size: written.size,
            content: Some(written.content),
            checksums: written.checksums,
            attributes: given.attributes,
            tags: given.tags,
            lock: given.lock,
            ..Self::default()
        }
    }

    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        [
            Algorithm::Crc32,
            Algorithm::Crc32c,
            Algorithm::Crc64Nvme,
            Algorithm::Sha1,
            Algorithm::Sha256,
        ]
        .into_iter()
        .find(|algorithm| self.checksums.value(*algorithm).is_some())
    }

    pub(super) fn checksum_type(&self) -> &'static str {
        let composite = self
            .algorithm()
            .and_then(|a| self.checksums.value(a))
            .is_some_and(|v| v.contains('-'));
        if composite {
            "COMPOSITE"
        } else {
            "FULL_OBJECT"
        }
    }
}

/// Headers that are kept and given back.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    pub(super) bucket_key: Option<bool>,
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) expires_ms: Option<i64>,
    pub(super) kms_key: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) sse: Option<String>,
    pub(super) storage_class: Option<String>,
    pub(super) website_redirect: Option<String>,
}

/// What a writer says of the object apart from its bytes.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) attributes: Attributes,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) lock: Lock,
}

/// Conditions on the newest version, checked in the transaction that writes.
#[derive(Clone, Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Conditions {
    pub(super) fn check_write(&self, newest: Option<&Version>) -> S3Result<()> {
        let current = newest.filter(|version| !version.detail.is_marker);
        match (&self.if_match, current) {
            (Some(_), None) => {
                return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
            }
            (Some(condition), Some(version)) if !holds(condition, version) => {
                return Err(failed("If-Match"));
            }
            (None, _) | (Some(_), Some(_)) => {}
        }
        match (&self.if_none_match, current) {
            (Some(condition), Some(version)) if holds(condition, version) => {
                Err(failed("If-None-Match"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a condition's `ETag` is the version's.
pub(super) fn holds(condition: &ETagCondition, version: &Version) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == version.detail.etag,
    }
}

pub(super) fn failed(condition: &str) -> s3s::S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

impl Txn<'_> {
    /// Makes `detail` the newest version of `key`: the only place where versions are born.
    pub(super) fn write(
        &self,
        bucket: &Bucket,
        key: &str,
        mut detail: Detail,
    ) -> S3Result<Version> {
        if key.len() > LONGEST_KEY_BYTES {
            return Err(s3_error!(KeyTooLongError, "Your key is too long"));
        }
        let seq = self.next_seq()?;
        let id = match bucket.detail.versioning {
            Versioning::Enabled => VersionId::build(seq)?,
            Versioning::Never | Versioning::Suspended => {
                if let Some(replaced) = self.exact(&bucket.name, key, &VersionId::null())? {
                    replaced.detail.lock.allow_delete(self.now_ms, false)?;
                    self.remove(replaced)?;
                }
                VersionId::null()
            }
        };
        detail.modified_ms = self.now_ms;
        if !detail.is_marker {
            detail.lock.apply_default(bucket, self.now_ms)?;
        }
        let version = Version {
            seq,
            key: key.to_owned(),
            id,
            detail,
        };
        self.insert(&bucket.name, &version)?;
        Ok(version)
    }
}

const NULL: &str = "null";
const LONGEST_KEY_BYTES: usize = 1024;
