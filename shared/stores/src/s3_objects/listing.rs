//! Lists every version, delete marker and unfinished upload under the targets, to the end.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::manifest::{Cursor, Locator, Match};
use quittance_core::outcome::CheckMethod;
use quittance_core::subject::Identifiers;
use quittance_engine::ports::Found;
use serde::{Deserialize, Serialize};

use super::Objects;
use super::target::Target;
use crate::errors;
use crate::s3_bucket::Versioning;

/// Where the listing goes on.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    target: usize,
    /// Whether the target's versions are listed, and its uploads are next.
    #[serde(default)]
    uploads: bool,
    key_marker: Option<String>,
    /// A version's id, or an upload's.
    version_marker: Option<String>,
}

/// What one listing shows, and where it says to go on.
struct Listed {
    matches: Vec<Match>,
    truncated: bool,
    key_marker: Option<String>,
    version_marker: Option<String>,
}

/// Lists until the page is full or everything is listed.
pub(super) async fn locate(objects: &Objects<'_>, from: Option<&Cursor>) -> Result<Found, Fault> {
    let mut progress = match from {
        Some(cursor) => Progress::deserialize(&cursor.0)
            .map_err(|_| Fault::reject("an unreadable cursor of an object store"))?,
        None => Progress::default(),
    };
    let mut matches = Vec::new();
    let full = usize::try_from(objects.page).unwrap_or(usize::MAX);
    if !objects.targets.is_empty() {
        let versioning = objects.bucket.versioning().await?;
        while matches.len() < full {
            let Some(target) = objects.targets.get(progress.target) else {
                break;
            };
            let mut listed = if progress.uploads {
                list_uploads(objects, target, &progress).await?
            } else {
                list(objects, target, &progress, versioning).await?
            };
            matches.append(&mut listed.matches);
            progress = progress.after(listed, target, objects.with_uploads)?;
        }
    }
    let next = (progress.target < objects.targets.len())
        .then(|| serde_json::to_value(&progress).map(Cursor))
        .transpose()
        .map_err(|_| Fault::reject("a cursor that cannot be written"))?;
    Ok(Found {
        matches,
        next,
        method: CheckMethod::ListVersions,
    })
}

impl Progress {
    fn after(self, listed: Listed, target: &Target, with_uploads: bool) -> Result<Self, Fault> {
        // Keys come in order: once past an exact key, what follows is only its prefix's namesakes.
        let past = target.is_exact()
            && listed
                .key_marker
                .as_deref()
                .is_some_and(|marker| !target.covers(marker));
        if !listed.truncated || past {
            // Uploads come last: one that is finished meanwhile is an object of later than the look.
            let uploads = with_uploads && !self.uploads;
            return Ok(Self {
                target: self.target.saturating_add(usize::from(!uploads)),
                uploads,
                ..Self::default()
            });
        }
        let next = Self {
            target: self.target,
            uploads: self.uploads,
            key_marker: listed.key_marker,
            version_marker: listed.version_marker,
        };
        // A listing that says "more" but not from where would be read for ever, or not to its end.
        if next.key_marker.is_none()
            || (next.key_marker == self.key_marker && next.version_marker == self.version_marker)
        {
            return Err(Fault::retry("s3 listing: truncated without a way on"));
        }
        Ok(next)
    }
}

async fn list_uploads(
    objects: &Objects<'_>,
    target: &Target,
    progress: &Progress,
) -> Result<Listed, Fault> {
    let listed = objects
        .bucket
        .client
        .list_multipart_uploads()
        .bucket(objects.bucket.name)
        .prefix(target.prefix())
        .max_uploads(objects.page)
        .set_key_marker(progress.key_marker.clone())
        .set_upload_id_marker(progress.version_marker.clone())
        .send()
        .await
        .map_err(|error| errors::s3("ListMultipartUploads", objects.bucket.name, &error))?;
    let matches = listed.uploads().iter().filter_map(|upload| {
        let key = upload.key().filter(|key| target.covers(key))?;
        let id = upload.upload_id()?;
        Some(Match {
            locator: Locator::Object {
                key: key.to_owned(),
                version: None,
                etag: None,
                upload: Some(id.to_owned()),
            },
            fingerprint: fingerprint(["upload", key, "", id]),
            yields: Identifiers::default(),
            settled: false,
            rows: 1,
        })
    });
    Ok(Listed {
        matches: matches.collect(),
        truncated: listed.is_truncated().unwrap_or_default(),
        key_marker: listed.next_key_marker().map(str::to_owned),
        version_marker: listed.next_upload_id_marker().map(str::to_owned),
    })
}

async fn list(
    objects: &Objects<'_>,
    target: &Target,
    progress: &Progress,
    versioning: Versioning,
) -> Result<Listed, Fault> {
    let listed = objects
        .bucket
        .client
        .list_object_versions()
        .bucket(objects.bucket.name)
        .prefix(target.prefix())
        .max_keys(objects.page)
        .set_key_marker(progress.key_marker.clone())
        .set_version_id_marker(progress.version_marker.clone())
        .send()
        .await
        .map_err(|error| errors::s3("ListObjectVersions", objects.bucket.name, &error))?;
    Ok(Listed {
        matches: matches_of(&listed, target, versioning),
        truncated: listed.is_truncated().unwrap_or_default(),
        key_marker: listed.next_key_marker().map(str::to_owned),
        version_marker: listed.next_version_id_marker().map(str::to_owned),
    })
}

fn matches_of(
    listed: &ListObjectVersionsOutput,
    target: &Target,
    versioning: Versioning,
) -> Vec<Match> {
    let version_of = |id: Option<&str>| match versioning {
        Versioning::Never => None,
        // Without an id it is the null version, the one from before versioning was enabled.
        Versioning::Kept { .. } => Some(id.unwrap_or("null").to_owned()),
    };
    let versions = listed.versions().iter().filter_map(|version| {
        let key = version.key().filter(|key| target.covers(key))?;
        let etag = version.e_tag().unwrap_or_default();
        let id = version_of(version.version_id());
        let size = version.size().unwrap_or_default().to_string();
        let seen = fingerprint(["version", etag, &size, id.as_deref().unwrap_or_default()]);
        Some(found(key, id, Some(etag.to_owned()), seen))
    });
    let markers = listed.delete_markers().iter().filter_map(|marker| {
        let key = marker.key().filter(|key| target.covers(key))?;
        let id = version_of(marker.version_id());
        let seen = fingerprint(["marker", key, "", id.as_deref().unwrap_or_default()]);
        Some(found(key, id, None, seen))
    });
    versions.chain(markers).collect()
}

fn found(key: &str, version: Option<String>, etag: Option<String>, fingerprint: Digest) -> Match {
    Match {
        locator: Locator::Object {
            key: key.to_owned(),
            version,
            etag,
            upload: None,
        },
        fingerprint,
        yields: Identifiers::default(),
        settled: false,
        rows: 1,
    }
}

fn fingerprint(parts: [&str; 4]) -> Digest {
    Digest::of(format!("quittance-object/v1\0{}", parts.join("\0")).as_bytes())
}
