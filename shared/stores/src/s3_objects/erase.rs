//! Deletes one object, version or unfinished upload so that it is gone, not hidden.

use quittance_core::fault::Fault;
use quittance_engine::ports::Effect;

use super::{Objects, Place};
use crate::errors;
use crate::s3_bucket::Versioning;

/// Deletes the place's version, or the object where there never were versions.
pub(super) async fn erase(objects: &Objects<'_>, place: Place<'_>) -> Result<Effect, Fault> {
    if let Some(upload) = place.upload {
        return objects.bucket.abort(place.key, upload).await;
    }
    if let Some(version) = place.version {
        return objects.bucket.erase_version(place.key, version).await;
    }
    match objects.bucket.versioning().await? {
        Versioning::Never => erase_object(objects, place).await,
        // Versioning came after the listing: what was listed is the null version now.
        Versioning::Kept { .. } => objects.bucket.erase_version(place.key, "null").await,
    }
}

/// Deletes under `If-Match`; an object that was overwritten meanwhile is still this subject's, so
/// it is looked at and deleted again.
async fn erase_object(objects: &Objects<'_>, place: Place<'_>) -> Result<Effect, Fault> {
    let mut etag = place.etag.map(str::to_owned);
    for attempt in 0..ATTEMPTS {
        // The listed tag is tried first only if the object is there: a delete of nothing succeeds.
        let Some(head) = objects.bucket.head(place.key, None).await? else {
            return Ok(Effect::Already);
        };
        if attempt > 0 || etag.is_none() {
            etag = head.e_tag().map(str::to_owned);
        }
        let sent = objects
            .bucket
            .client
            .delete_object()
            .bucket(objects.bucket.name)
            .key(place.key)
            .set_if_match(etag.clone())
            .send()
            .await;
        match sent {
            // Versioning was enabled this very moment: nothing is deleted yet, look again.
            Ok(done) if done.delete_marker().unwrap_or_default() => return Err(Fault::Conflict),
            Ok(_) => return Ok(Effect::Made),
            Err(error) if errors::is_absent(&error) => return Ok(Effect::Already),
            Err(error) => match errors::s3("DeleteObject", objects.bucket.name, &error) {
                Fault::Conflict => {}
                fault @ (Fault::Retry { .. } | Fault::Block(_) | Fault::Reject { .. }) => {
                    return Err(fault);
                }
            },
        }
    }
    Err(Fault::Conflict)
}

const ATTEMPTS: u32 = 4;
