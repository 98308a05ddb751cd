//! Deleting: a version for good, or a marker on top.
//!
//! Invariant: a delete without a version id in a versioned bucket removes nothing.

use std::sync::Arc;

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETagCondition, Error, ObjectIdentifier,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::store::{Bucket, Store, Txn, Versioning};
use super::version::{Detail, VersionId, failed, holds};

pub(super) async fn one(
    store: &Arc<Store>,
    req: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = req.input;
    if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
        return Err(s3_error!(
            NotImplemented,
            "only If-Match is emulated for deletes"
        ));
    }
    let target = Target {
        key: input.key,
        id: input.version_id,
        if_match: input.if_match,
    };
    let bypass = input.bypass_governance_retention.unwrap_or(false);
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        txn.delete(&bucket, &target, bypass)
    };
    let deleted = store.run(work).await?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: deleted.is_marker.then_some(true),
        version_id: deleted.id,
        ..DeleteObjectOutput::default()
    }))
}

pub(super) async fn many(
    store: &Arc<Store>,
    req: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let input = req.input;
    if input.delete.objects.len() > MOST_KEYS {
        return Err(s3_error!(MalformedXML, "at most {MOST_KEYS} keys"));
    }
    let is_quiet = input.delete.quiet.unwrap_or(false);
    let bypass = input.bypass_governance_retention.unwrap_or(false);
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            let target = Target::of(object);
            match txn.delete(&bucket, &target, bypass) {
                Ok(done) => deleted.push(done.listed(target)),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(target.key),
                    message: error.message().map(str::to_owned),
                    version_id: target.id,
                }),
            }
        }
        Ok((deleted, errors))
    };
    let (deleted, errors) = store.run(work).await?;
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!is_quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

struct Target {
    key: String,
    id: Option<String>,
    if_match: Option<ETagCondition>,
}

impl Target {
    fn of(object: ObjectIdentifier) -> Self {
        let if_match = object.e_tag.map(|etag| match etag.value() {
            "*" => ETagCondition::Any,
            _ => ETagCondition::ETag(etag),
        });
        Self {
            key: object.key,
            id: object.version_id,
            if_match,
        }
    }
}

struct Deleted {
    /// The version removed, or the marker made.
    id: Option<String>,
    is_marker: bool,
}

impl Deleted {
    fn listed(self, target: Target) -> DeletedObject {
        DeletedObject {
            delete_marker: self.is_marker.then_some(true),
            delete_marker_version_id: if self.is_marker { self.id } else { None },
            key: Some(target.key),
            version_id: target.id,
        }
    }
}

impl Txn<'_> {
    fn delete(
        &self,
        bucket: &Bucket,
        target: &Target,
        bypass_governance: bool,
    ) -> S3Result<Deleted> {
        if let Some(condition) = &target.if_match {
            // S3 evaluates the newest version, whatever version is to be removed.
            let newest = self.newest(&bucket.name, &target.key)?;
            let current = newest.filter(|version| !version.detail.is_marker);
            if !current.is_some_and(|version| holds(condition, &version)) {
                return Err(failed("If-Match"));
            }
        }
        match (&target.id, bucket.detail.versioning) {
            (Some(id), _) => {
                let id = VersionId::stored(id.clone());
                let was_marker =
                    self.remove_version(bucket, &target.key, &id, bypass_governance)?;
                let shown = bucket.detail.versioning != Versioning::Never;
                Ok(Deleted {
                    id: shown.then(|| id.as_str().to_owned()),
                    is_marker: was_marker,
                })
            }
            (None, Versioning::Never) => {
                self.remove_version(bucket, &target.key, &VersionId::null(), bypass_governance)?;
                Ok(Deleted {
                    id: None,
                    is_marker: false,
                })
            }
            (None, Versioning::Enabled | Versioning::Suspended) => {
                let marker = Detail {
                    is_marker: true,
                    ..Detail::default()
                };
                let made = self.write(bucket, &target.key, marker)?;
                Ok(Deleted {
                    id: Some(made.id.as_str().to_owned()),
                    is_marker: true,
                })
            }
        }
    }

    /// Removes a version if it is there; whether it was a marker.
    fn remove_version(
        &self,
        bucket: &Bucket,
        key: &str,
        id: &VersionId,
        bypass: bool,
    ) -> S3Result<bool> {
        let Some(version) = self.exact(&bucket.name, key, id)? else {
            return Ok(false);
        };
        version.detail.lock.allow_delete(self.now_ms, bypass)?;
        let was_marker = version.detail.is_marker;
        self.remove(version)?;
        Ok(was_marker)
    }
}

const MOST_KEYS: usize = 1000;
