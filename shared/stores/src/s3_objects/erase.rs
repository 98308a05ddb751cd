//! Deletes one object, version or unfinished upload so that it is gone, not hidden.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::delete_object::DeleteObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::ObjectLockLegalHoldStatus;
use jiff::Timestamp;
use quittance_core::fault::{BlockReason, Fault};
use quittance_engine::ports::Effect;

use super::{Objects, Place, Versioning};
use crate::errors;

/// Deletes the place's version, or the object where there never were versions.
pub(super) async fn erase(objects: &Objects<'_>, place: Place<'_>) -> Result<Effect, Fault> {
    if let Some(upload) = place.upload {
        return abort(objects, place.key, upload).await;
    }
    if let Some(version) = place.version {
        return erase_version(objects, place.key, version).await;
    }
    match objects.versioning().await? {
        Versioning::Never => erase_object(objects, place).await,
        // Versioning came after the listing: what was listed is the null version now.
        Versioning::Kept => erase_version(objects, place.key, "null").await,
    }
}

/// Takes away an upload that was never finished, with its parts.
async fn abort(objects: &Objects<'_>, key: &str, upload: &str) -> Result<Effect, Fault> {
    let sent = objects
        .client
        .abort_multipart_upload()
        .bucket(objects.bucket)
        .key(key)
        .upload_id(upload)
        .send()
        .await;
    match sent {
        Ok(_) => Ok(Effect::Made),
        // Aborted before, or finished: an object that came of it is found by the look back.
        Err(error) if errors::is_absent(&error) => Ok(Effect::Already),
        Err(error) => Err(errors::s3("AbortMultipartUpload", objects.bucket, &error)),
    }
}

/// Deletes by version id: no condition is needed, a version never changes.
async fn erase_version(objects: &Objects<'_>, key: &str, version: &str) -> Result<Effect, Fault> {
    if is_gone(objects, key, version).await? {
        return Ok(Effect::Already);
    }
    let sent = objects
        .client
        .delete_object()
        .bucket(objects.bucket)
        .key(key)
        .version_id(version)
        .send()
        .await;
    match sent {
        Ok(_) => Ok(Effect::Made),
        Err(error) if errors::is_absent(&error) => Ok(Effect::Already),
        Err(error) if errors::is_denied(&error) => {
            Err(why_denied(objects, key, version, &error).await)
        }
        Err(error) => Err(errors::s3("DeleteObject", objects.bucket, &error)),
    }
}

/// Deletes under `If-Match`; an object that was overwritten meanwhile is still this subject's, so
/// it is looked at and deleted again.
async fn erase_object(objects: &Objects<'_>, place: Place<'_>) -> Result<Effect, Fault> {
    let mut etag = place.etag.map(str::to_owned);
    for attempt in 0..ATTEMPTS {
        // The listed tag is tried first only if the object is there: a delete of nothing succeeds.
        let Some(head) = head(objects, place.key).await? else {
            return Ok(Effect::Already);
        };
        if attempt > 0 || etag.is_none() {
            etag = head.e_tag().map(str::to_owned);
        }
        let sent = objects
            .client
            .delete_object()
            .bucket(objects.bucket)
            .key(place.key)
            .set_if_match(etag.clone())
            .send()
            .await;
        match sent {
            // Versioning was enabled this very moment: nothing is deleted yet, look again.
            Ok(done) if done.delete_marker().unwrap_or_default() => return Err(Fault::Conflict),
            Ok(_) => return Ok(Effect::Made),
            Err(error) if errors::is_absent(&error) => return Ok(Effect::Already),
            Err(error) => match errors::s3("DeleteObject", objects.bucket, &error) {
                Fault::Conflict => {}
                fault @ (Fault::Retry { .. } | Fault::Block(_) | Fault::Reject { .. }) => {
                    return Err(fault);
                }
            },
        }
    }
    Err(Fault::Conflict)
}

async fn head(objects: &Objects<'_>, key: &str) -> Result<Option<HeadObjectOutput>, Fault> {
    match objects
        .client
        .head_object()
        .bucket(objects.bucket)
        .key(key)
        .send()
        .await
    {
        Ok(head) => Ok(Some(head)),
        Err(error) if errors::is_absent(&error) => Ok(None),
        Err(error) => Err(errors::s3("HeadObject", objects.bucket, &error)),
    }
}

/// Whether the version is known to be gone. A delete marker answers 405, which means it is there;
/// a role that may delete but not read cannot know, and deletes (again) then.
async fn is_gone(objects: &Objects<'_>, key: &str, version: &str) -> Result<bool, Fault> {
    let request = objects
        .client
        .head_object()
        .bucket(objects.bucket)
        .key(key)
        .version_id(version);
    match request.send().await {
        Ok(_) => Ok(false),
        Err(error) if errors::is_absent(&error) => Ok(true),
        Err(error) if matches!(errors::status(&error), Some(400 | 403 | 405)) => Ok(false),
        Err(error) => Err(errors::s3("HeadObject", objects.bucket, &error)),
    }
}

/// Tells a lock from a missing permission. When the lock itself cannot be asked for a moment, that
/// is what is tried again: a wrong reason would stay until somebody releases it.
async fn why_denied(
    objects: &Objects<'_>,
    key: &str,
    version: &str,
    denied: &SdkError<DeleteObjectError>,
) -> Fault {
    let hold = objects
        .client
        .get_object_legal_hold()
        .bucket(objects.bucket)
        .key(key)
        .version_id(version)
        .send()
        .await;
    match hold.map(|answer| answer.legal_hold().and_then(|hold| hold.status().cloned())) {
        Ok(Some(ObjectLockLegalHoldStatus::On)) => return Fault::Block(BlockReason::Locked),
        Err(error) if errors::is_transient(&error) => {
            return errors::s3("GetObjectLegalHold", objects.bucket, &error);
        }
        Ok(_) | Err(_) => {}
    }
    let retention = objects
        .client
        .get_object_retention()
        .bucket(objects.bucket)
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
            errors::s3("GetObjectRetention", objects.bucket, &error)
        }
        Ok(_) | Err(_) => Fault::Block(BlockReason::AccessDenied),
    }
}

/// Whether `until` is later than the service's own clock; a lock counts when that clock is unknown.
fn is_later(until: DateTime, answer: &SdkError<DeleteObjectError>) -> bool {
    let answered_at: Option<Timestamp> = answer
        .raw_response()
        .and_then(|response| response.headers().get("date"))
        .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
        .map(|date| date.timestamp());
    answered_at.is_none_or(|now| until.secs() > now.as_second())
}

const ATTEMPTS: u32 = 4;
