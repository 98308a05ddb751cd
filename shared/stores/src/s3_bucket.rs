//! What both kinds of S3 stores ask of a bucket: its versions, and how to delete one for good.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::delete_object::DeleteObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{BucketVersioningStatus, MfaDeleteStatus, ObjectLockLegalHoldStatus};
use quittance_core::fault::{BlockReason, Fault};
use quittance_engine::ports::Effect;

use crate::errors;

/// A bucket, reached with one client.
#[derive(Clone, Copy)]
pub(crate) struct Bucket<'a> {
    pub(crate) client: &'a Client,
    pub(crate) name: &'a str,
}

/// Whether deleting without a version id removes anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// The bucket never had versions: a delete deletes.
    Never,
    /// Enabled or suspended: only a delete by version id deletes.
    Kept {
        /// Whether a version is deleted only by somebody with a second factor at hand.
        mfa_delete: bool,
    },
}

impl Bucket<'_> {
    /// Whether the bucket has, or ever had, versions.
    pub(crate) async fn versioning(&self) -> Result<Versioning, Fault> {
        let answer = self
            .client
            .get_bucket_versioning()
            .bucket(self.name)
            .send()
            .await
            .map_err(|error| errors::s3("GetBucketVersioning", self.name, &error))?;
        let mfa_delete = answer.mfa_delete() == Some(&MfaDeleteStatus::Enabled);
        Ok(match answer.status() {
            Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended) => {
                Versioning::Kept { mfa_delete }
            }
            // A status this SDK does not know is no proof that there are no versions.
            Some(_) => Versioning::Kept { mfa_delete },
            None => Versioning::Never,
        })
    }

    /// Asks about an object, or one version of it, without its bytes; none when it is gone.
    pub(crate) async fn head(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<HeadObjectOutput>, Fault> {
        let request = self.client.head_object().bucket(self.name).key(key);
        match request
            .set_version_id(version.map(str::to_owned))
            .send()
            .await
        {
            Ok(head) => Ok(Some(head)),
            Err(error) if errors::is_absent(&error) => Ok(None),
            Err(error) => Err(errors::s3("HeadObject", self.name, &error)),
        }
    }

    /// Takes away an upload that was never finished, with its parts.
    pub(crate) async fn abort(&self, key: &str, upload: &str) -> Result<Effect, Fault> {
        let sent = self
            .client
            .abort_multipart_upload()
            .bucket(self.name)
            .key(key)
            .upload_id(upload)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Effect::Made),
            // Aborted before, or finished: an object that came of it is found by the look back.
            Err(error) if errors::is_absent(&error) => Ok(Effect::Already),
            Err(error) => Err(errors::s3("AbortMultipartUpload", self.name, &error)),
        }
    }

    /// Deletes by version id: no condition is needed, a version never changes.
    pub(crate) async fn erase_version(&self, key: &str, version: &str) -> Result<Effect, Fault> {
        if self.is_gone(key, version).await? {
            return Ok(Effect::Already);
        }
        let sent = self
            .client
            .delete_object()
            .bucket(self.name)
            .key(key)
            .version_id(version)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Effect::Made),
            Err(error) if errors::is_absent(&error) => Ok(Effect::Already),
            Err(error) if errors::is_denied(&error) => {
                Err(self.why_denied(key, version, &error).await)
            }
            Err(error) => Err(errors::s3("DeleteObject", self.name, &error)),
        }
    }

    /// Whether the version is known to be gone. A delete marker answers 405, which means it is there;
    /// a role that may delete but not read cannot know, and deletes (again) then.
    async fn is_gone(&self, key: &str, version: &str) -> Result<bool, Fault> {
        let request = self
            .client
            .head_object()
            .bucket(self.name)
            .key(key)
            .version_id(version);
        match request.send().await {
            Ok(_) => Ok(false),
            Err(error) if errors::is_absent(&error) => Ok(true),
            Err(error) if matches!(errors::status(&error), Some(400 | 403 | 405)) => Ok(false),
            Err(error) => Err(errors::s3("HeadObject", self.name, &error)),
        }
    }

    /// Tells a lock from a missing permission. When the lock itself cannot be asked for a moment, that
    /// is what is tried again: a wrong reason would stay until somebody releases it.
    async fn why_denied(
        &self,
        key: &str,
        version: &str,
        denied: &SdkError<DeleteObjectError>,
    ) -> Fault {
        let hold = self
            .client
            .get_object_legal_hold()
            .bucket(self.name)
            .key(key)
            .version_id(version)
            .send()
            .await;
        match hold.map(|answer| answer.legal_hold().and_then(|hold| hold.status().cloned())) {
            Ok(Some(ObjectLockLegalHoldStatus::On)) => return Fault::Block(BlockReason::Locked),
            Err(error) if errors::is_transient(&error) => {
                return errors::s3("GetObjectLegalHold", self.name, &error);
            }
            Ok(_) | Err(_) => {}
        }
        let retention = self
            .client
            .get_object_retention()
            .bucket(self.name)
            .key(key)
            .version_id(version)
            .send()
            .await;
        let until = retention.map(|answer| {
            answer
                .retention()
                .and_then(|kept| kept.retain_until_date().copied())
        });
        match until {
            Ok(Some(until)) if is_later(until, denied) => Fault::Block(BlockReason::Locked),
            Err(error) if errors::is_transient(&error) => {
                errors::s3("GetObjectRetention", self.name, &error)
            }
            Ok(_) | Err(_) => Fault::Block(BlockReason::AccessDenied),
        }
    }
}

/// Whether `until` is later than the service's own clock; a lock counts when that clock is unknown.
fn is_later(until: DateTime, answer: &SdkError<DeleteObjectError>) -> bool {
    errors::answered_at(answer).is_none_or(|now| until.secs() > now.as_second())
}
