//! Copying an object, whole or as a part of an upload.

use std::sync::Arc;

use s3s::dto::{
    ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETagCondition,
    MetadataDirective, TaggingDirective, Timestamp,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksum::{Algorithm, echo_checksums};
use super::lock::Lock;
use super::millis;
use super::objects::{attributes, encryption, refuse_customer_keys};
use super::store::{Bucket, Store, Txn};
use super::tags;
use super::version::{Conditions, Detail, Given, Version, failed, holds};

pub(super) async fn object(
    store: &Arc<Store>,
    req: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let conditions = destination_conditions(&req.headers)?;
    let mut input = req.input;
    refuse_customer_keys(
        input.sse_customer_key.is_some() || input.copy_source_sse_customer_key.is_some(),
    )?;
    let source = Source::parse(&input.copy_source)?;
    let checks = source_conditions!(input);
    refuse_idle_copy(&input, &source)?;
    let (source_bucket, from, file) = source.open(store, checks).await?;

    let wanted = input
        .checksum_algorithm
        .as_ref()
        .map(|a| Algorithm::parse(a.as_str()))
        .transpose()?;
    let algorithm = wanted
        .or(from.detail.algorithm())
        .or(Some(Algorithm::Crc64Nvme));
    let size = u64::try_from(from.detail.size).unwrap_or(0);
    let draft = match file {
        Some(file) => store.contents().copy(file, 0..size, algorithm).await?,
        None => store.contents().receive(None, algorithm).await?,
    };
    let (written, kept) = draft.finish();
    let given = given(&mut input, &from)?;
    let detail = Detail::of(written, given);
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        conditions.check_write(txn.newest(&bucket.name, &input.key)?.as_ref())?;
        Ok((txn.write(&bucket, &input.key, detail)?, bucket))
    };
    let (version, bucket) = store.run(work).await?;
    kept.keep();

    let mut result = CopyObjectResult {
        checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        e_tag: Some(version.etag()),
        last_modified: Some(version.modified()),
        ..CopyObjectResult::default()
    };
    echo_checksums!(result, &version.detail.checksums);
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: from.shown_id(&source_bucket),
        server_side_encryption: Some(encryption(&version.detail.attributes)),
        ssekms_key_id: version.detail.attributes.kms_key.clone(),
        version_id: version.shown_id(&bucket),
        ..CopyObjectOutput::default()
    }))
}

/// Where a copy reads from.
pub(super) struct Source {
    bucket: String,
    key: String,
    id: Option<String>,
}

impl Source {
    pub(super) fn parse(source: &CopySource) -> S3Result<Self> {
        match source {
            CopySource::Bucket {
                bucket,
                key,
                version_id,
            } => Ok(Self {
                bucket: bucket.to_string(),
                key: key.to_string(),
                id: version_id.as_ref().map(ToString::to_string),
            }),
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
                Err(s3_error!(NotImplemented, "access points are not emulated"))
            }
        }
    }

    /// The source's version, and its content held open so that a delete meanwhile does no harm.
    pub(super) async fn open(
        self,
        store: &Arc<Store>,
        checks: SourceConditions,
    ) -> S3Result<(Bucket, Version, Option<std::fs::File>)> {
        let work = move |txn: &Txn<'_>| {
            let bucket = txn.bucket(&self.bucket)?;
            let version = txn.readable(&bucket, &self.key, self.id.as_deref())?;
            checks.check(&version)?;
            let file = txn.open_content(&version)?;
            Ok((bucket, version, file))
        };
        store.run(work).await
    }
}

/// Conditions on the source of a copy. All failures are 412, unlike those of a read.
pub(super) struct SourceConditions {
    pub(super) matches: Option<ETagCondition>,
    pub(super) matches_none: Option<ETagCondition>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) unmodified_since: Option<Timestamp>,
}

impl SourceConditions {
    fn check(&self, version: &Version) -> S3Result<()> {
        let modified_ms = version.detail.modified_ms / 1000 * 1000;
        let since = self.modified_since.as_ref().map(millis).transpose()?;
        let unmodified = self.unmodified_since.as_ref().map(millis).transpose()?;
        match (&self.matches, unmodified) {
            (Some(condition), _) if !holds(condition, version) => {
                return Err(failed("x-amz-copy-source-if-match"));
            }
            (None, Some(since)) if modified_ms > since => {
                return Err(failed("x-amz-copy-source-if-unmodified-since"));
            }
            _ => {}
        }
        match (&self.matches_none, since) {
            (Some(condition), _) if holds(condition, version) => {
                Err(failed("x-amz-copy-source-if-none-match"))
            }
            (None, Some(since)) if modified_ms <= since => {
                Err(failed("x-amz-copy-source-if-modified-since"))
            }
            _ => Ok(()),
        }
    }
}

/// Collects the source conditions of a copy's input.
macro_rules! source_conditions {
    ($input:expr) => {
        $crate::s3::copy::SourceConditions {
            matches: $input.copy_source_if_match.take(),
            matches_none: $input.copy_source_if_none_match.take(),
            modified_since: $input.copy_source_if_modified_since.take(),
            unmodified_since: $input.copy_source_if_unmodified_since.take(),
        }
    };
}
pub(super) use source_conditions;

/// What the copy keeps of its source. The lock is never copied; the storage class is the request's.
fn given(input: &mut CopyObjectInput, from: &Version) -> S3Result<Given> {
    let replaces = is(input
        .metadata_directive
        .as_ref()
        .map(MetadataDirective::as_str));
    let replaces_tags = is(input
        .tagging_directive
        .as_ref()
        .map(TaggingDirective::as_str));
    let lock = Lock::parse(
        input.object_lock_mode.as_ref(),
        input.object_lock_retain_until_date.as_ref(),
        input.object_lock_legal_hold_status.as_ref(),
    )?;
    let tags = if replaces_tags {
        tags::parse_header(input.tagging.as_deref())?
    } else {
        from.detail.tags.clone()
    };
    let mut attributes = attributes!(input);
    if !replaces {
        let asked = attributes;
        attributes = from.detail.attributes.clone();
        attributes.storage_class = asked.storage_class;
        attributes.sse = asked.sse;
        attributes.kms_key = asked.kms_key;
        attributes.bucket_key = asked.bucket_key;
        attributes.website_redirect = asked.website_redirect;
    }
    Ok(Given {
        attributes,
        tags,
        lock,
    })
}

fn is(directive: Option<&str>) -> bool {
    directive == Some(MetadataDirective::REPLACE)
}

/// S3 refuses to copy an object onto itself when nothing changes.
fn refuse_idle_copy(input: &CopyObjectInput, source: &Source) -> S3Result<()> {
    let is_same = source.bucket == input.bucket && source.key == input.key && source.id.is_none();
    let changes = is(input
        .metadata_directive
        .as_ref()
        .map(MetadataDirective::as_str))
        || is(input
            .tagging_directive
            .as_ref()
            .map(TaggingDirective::as_str))
        || input.storage_class.is_some()
        || input.server_side_encryption.is_some()
        || input.website_redirect_location.is_some();
    if is_same && !changes {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing it."
        ));
    }
    Ok(())
}

/// The conditions on the destination, which this version of the protocol crate does not parse.
fn destination_conditions(headers: &http::HeaderMap) -> S3Result<Conditions> {
    let condition = |name: &str| {
        let value = headers
            .get(name)
            .map(|value| ETagCondition::parse_http_header(value.as_bytes()));
        value
            .transpose()
            .map_err(|error| s3_error!(error, InvalidRequest, "invalid {name}"))
    };
    Ok(Conditions {
        if_match: condition("if-match")?,
        if_none_match: condition("if-none-match")?,
    })
}
