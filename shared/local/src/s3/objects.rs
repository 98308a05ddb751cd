//! Put, get and head of one object.
//!
//! Deleting, copying, parts and listings are in the sibling modules.

use std::fs::File;
use std::ops::Range as Bytes;
use std::sync::Arc;

use s3s::dto::{
    Checksum, ChecksumType, GetObjectAttributesInput, GetObjectAttributesOutput,
    GetObjectAttributesParts, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ObjectAttributes, ObjectLockLegalHoldStatus, PutObjectInput, PutObjectOutput, Range,
    ServerSideEncryption,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::checksum::{Claim, check_md5, echo_checksums};
use super::contents::stream;
use super::lock::Lock;
use super::store::{Bucket, Store, Txn};
use super::tags;
use super::version::{Attributes, Conditions, Detail, Given, Version, VersionId, failed, holds};
use super::{millis, timestamp};

/// Collects the headers that S3 keeps; the protocol crate repeats the fields in every input.
macro_rules! attributes {
    ($input:expr) => {
        $crate::s3::version::Attributes {
            bucket_key: $input.bucket_key_enabled.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::s3::objects::without_transport_coding(
                $input.content_encoding.take(),
            ),
            content_language: $input.content_language.take(),
            content_type: $input.content_type.take(),
            expires_ms: $input
                .expires
                .as_ref()
                .map($crate::s3::millis)
                .transpose()?,
            kms_key: $input.ssekms_key_id.take(),
            metadata: $input
                .metadata
                .take()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            sse: $input
                .server_side_encryption
                .take()
                .map(|sse| sse.as_str().to_owned()),
            storage_class: $input
                .storage_class
                .take()
                .map(|class| class.as_str().to_owned()),
            website_redirect: $input.website_redirect_location.take(),
        }
    };
}
pub(super) use attributes;

/// Fills what get and head have in common.
macro_rules! describe {
    ($output:ident, $version:expr, $bucket:expr, $slice:expr, $checksum_mode:expr) => {{
        let (version, slice): (&Version, &Slice) = (&$version, &$slice);
        let kept = version.detail.attributes.clone();
        let is_held = version.detail.lock.legal_hold;
        let lock = $bucket
            .detail
            .lock
            .as_ref()
            .map(|_| version.detail.lock.clone())
            .unwrap_or_default();
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            bucket_key_enabled: kept.bucket_key,
            cache_control: kept.cache_control.clone(),
            content_disposition: kept.content_disposition.clone(),
            content_encoding: kept.content_encoding.clone(),
            content_language: kept.content_language.clone(),
            content_length: Some(slice.length()),
            content_range: slice.content_range.clone(),
            content_type: Some(content_type(&kept)),
            e_tag: Some(version.etag()),
            expires: kept.expires_ms.map(timestamp),
            last_modified: Some(version.modified()),
            metadata: Some(kept.metadata.clone().into_iter().collect()),
            object_lock_legal_hold_status: is_held
                .then(|| ObjectLockLegalHoldStatus::from_static(ObjectLockLegalHoldStatus::ON)),
            object_lock_mode: lock.mode.map(Into::into),
            object_lock_retain_until_date: lock.until_ms.map(timestamp),
            parts_count: slice.parts_count,
            server_side_encryption: Some(encryption(&kept)),
            ssekms_key_id: kept.kms_key.clone(),
            storage_class: kept
                .storage_class
                .clone()
                .filter(|class| class != "STANDARD")
                .map(Into::into),
            version_id: version.shown_id(&$bucket),
            website_redirect_location: kept.website_redirect.clone(),
            ..$output::default()
        };
        // A checksum of the whole would be compared with a piece.
        if $checksum_mode.is_some() && slice.content_range.is_none() {
            echo_checksums!(output, &version.detail.checksums);
            output.checksum_type = Some(ChecksumType::from_static(version.detail.checksum_type()));
        }
        output
    }};
}

pub(super) async fn put(
    store: &Arc<Store>,
    req: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let claim = Claim::of(&req.headers, req.trailing_headers.as_ref())?;
    let mut input = req.input;
    refuse_customer_keys(input.sse_customer_key.is_some())?;
    let draft = store
        .contents()
        .receive(input.body.take(), Some(claim.algorithm))
        .await?;
    let (written, kept) = draft.finish();
    if input
        .content_length
        .is_some_and(|length| length != written.size)
    {
        return Err(s3_error!(IncompleteBody));
    }
    claim.check(&written.checksums)?;
    check_md5(input.content_md5.as_deref(), written.md5)?;

    let given = Given {
        attributes: attributes!(input),
        tags: tags::parse_header(input.tagging.as_deref())?,
        lock: Lock::parse(
            input.object_lock_mode.as_ref(),
            input.object_lock_retain_until_date.as_ref(),
            input.object_lock_legal_hold_status.as_ref(),
        )?,
    };
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
    };
    let detail = Detail::of(written, given);
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        conditions.check_write(txn.newest(&bucket.name, &input.key)?.as_ref())?;
        Ok((txn.write(&bucket, &input.key, detail)?, bucket))
    };
    let (version, bucket) = store.run(work).await?;
    kept.keep();

    let mut output = PutObjectOutput {
        checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        e_tag: Some(version.etag()),
        server_side_encryption: Some(encryption(&version.detail.attributes)),
        ssekms_key_id: version.detail.attributes.kms_key.clone(),
        version_id: version.shown_id(&bucket),
        ..PutObjectOutput::default()
    };
    echo_checksums!(output, &version.detail.checksums);
    Ok(S3Response::new(output))
}

pub(super) async fn get(
    store: &Arc<Store>,
    req: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = req.input;
    refuse_customer_keys(input.sse_customer_key.is_some())?;
    let conditions = ReadConditions::of_get(&input)?;
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        let version = txn.readable(&bucket, &input.key, input.version_id.as_deref())?;
        conditions.check(&version)?;
        let file = txn.open_content(&version)?;
        Ok((version, bucket, file, input))
    };
    let (version, bucket, file, input) = store.run(work).await?;
    let slice = Slice::of(&version, input.range.as_ref(), input.part_number)?;
    let mut output = describe!(GetObjectOutput, version, bucket, slice, input.checksum_mode);
    output.tag_count = i32::try_from(version.detail.tags.len())
        .ok()
        .filter(|count| *count > 0);
    output.body = file.map(|file| stream(file, slice.bytes.clone()));
    Ok(S3Response::new(output))
}

pub(super) async fn head(
    store: &Arc<Store>,
    req: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = req.input;
    refuse_customer_keys(input.sse_customer_key.is_some())?;
    let conditions = ReadConditions::of_head(&input)?;
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        let version = txn.readable(&bucket, &input.key, input.version_id.as_deref())?;
        conditions.check(&version)?;
        Ok((version, bucket, input))
    };
    let (version, bucket, input) = store.run(work).await?;
    let slice = Slice::of(&version, input.range.as_ref(), input.part_number)?;
    let output = describe!(
        HeadObjectOutput,
        version,
        bucket,
        slice,
        input.checksum_mode
    );
    Ok(S3Response::new(output))
}

/// What is known of an object without its bytes.
pub(super) async fn about(
    store: &Arc<Store>,
    req: S3Request<GetObjectAttributesInput>,
) -> S3Result<S3Response<GetObjectAttributesOutput>> {
    let input = req.input;
    let wants = |name: &str| {
        input
            .object_attributes
            .iter()
            .any(|asked| asked.as_str() == name)
    };
    let (etag, checksum) = (
        wants(ObjectAttributes::ETAG),
        wants(ObjectAttributes::CHECKSUM),
    );
    let (parts, size) = (
        wants(ObjectAttributes::OBJECT_PARTS),
        wants(ObjectAttributes::OBJECT_SIZE),
    );
    let class = wants(ObjectAttributes::STORAGE_CLASS);
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        Ok((
            txn.readable(&bucket, &input.key, input.version_id.as_deref())?,
            bucket,
        ))
    };
    let (version, bucket) = store.run(work).await?;
    let mut sums = Checksum::default();
    echo_checksums!(sums, &version.detail.checksums);
    sums.checksum_type = Some(ChecksumType::from_static(version.detail.checksum_type()));
    let count = i32::try_from(version.detail.parts.len())
        .ok()
        .filter(|count| *count > 0 && parts);
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum: checksum.then_some(sums),
        e_tag: etag.then(|| version.etag()),
        last_modified: Some(version.modified()),
        object_parts: count.map(|count| GetObjectAttributesParts {
            total_parts_count: Some(count),
            ..Default::default()
        }),
        object_size: size.then_some(version.detail.size),
        storage_class: class.then(|| version.storage_class().to_owned().into()),
        version_id: version.shown_id(&bucket),
        ..GetObjectAttributesOutput::default()
    }))
}

/// Conditions of a read.
struct ReadConditions {
    if_match: Option<s3s::dto::ETagCondition>,
    if_none_match: Option<s3s::dto::ETagCondition>,
    modified_since_ms: Option<i64>,
    unmodified_since_ms: Option<i64>,
}

impl ReadConditions {
    fn of_get(input: &GetObjectInput) -> S3Result<Self> {
        Ok(Self {
            if_match: input.if_match.clone(),
            if_none_match: input.if_none_match.clone(),
            modified_since_ms: input.if_modified_since.as_ref().map(millis).transpose()?,
            unmodified_since_ms: input.if_unmodified_since.as_ref().map(millis).transpose()?,
        })
    }

    fn of_head(input: &HeadObjectInput) -> S3Result<Self> {
        Ok(Self {
            if_match: input.if_match.clone(),
            if_none_match: input.if_none_match.clone(),
            modified_since_ms: input.if_modified_since.as_ref().map(millis).transpose()?,
            unmodified_since_ms: input.if_unmodified_since.as_ref().map(millis).transpose()?,
        })
    }

    /// An `ETag` condition outranks the date condition of its kind (RFC 9110, section 13.2.2).
    fn check(&self, version: &Version) -> S3Result<()> {
        // Dates in headers have whole seconds.
        let modified_ms = version.detail.modified_ms / 1000 * 1000;
        match (&self.if_match, self.unmodified_since_ms) {
            (Some(condition), _) if !holds(condition, version) => return Err(failed("If-Match")),
            (None, Some(since)) if modified_ms > since => {
                return Err(failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (&self.if_none_match, self.modified_since_ms) {
            (Some(condition), _) if holds(condition, version) => Err(s3_error!(NotModified)),
            (None, Some(since)) if modified_ms <= since => Err(s3_error!(NotModified)),
            _ => Ok(()),
        }
    }
}

/// The asked-for bytes of a content.
struct Slice {
    bytes: Bytes<u64>,
    content_range: Option<String>,
    parts_count: Option<i32>,
}

impl Slice {
    fn of(version: &Version, range: Option<&Range>, part_number: Option<i32>) -> S3Result<Self> {
        let size = u64::try_from(version.detail.size).unwrap_or(0);
        let bytes = match (range, part_number) {
            (None, None) => {
                return Ok(Self {
                    bytes: 0..size,
                    content_range: None,
                    parts_count: None,
                });
            }
            (Some(range), None) => range.check(size).map_err(|_| s3_error!(InvalidRange))?,
            (None, Some(number)) => part_bytes(&version.detail, number)?,
            (Some(_), Some(_)) => {
                return Err(s3_error!(
                    InvalidRequest,
                    "Cannot specify both Range header and partNumber query parameter"
                ));
            }
        };
        let parts_count = part_number
            .and_then(|_| i32::try_from(version.detail.parts.len()).ok())
            .filter(|n| *n > 0);
        let content_range = (!bytes.is_empty()).then(|| {
            format!(
                "bytes {}-{}/{size}",
                bytes.start,
                bytes.end.saturating_sub(1)
            )
        });
        Ok(Self {
            bytes,
            content_range,
            parts_count,
        })
    }

    fn length(&self) -> i64 {
        i64::try_from(self.bytes.end.saturating_sub(self.bytes.start)).unwrap_or(i64::MAX)
    }
}

fn part_bytes(detail: &Detail, number: i32) -> S3Result<Bytes<u64>> {
    let whole = [detail.size];
    let parts = if detail.parts.is_empty() {
        &whole[..]
    } else {
        &detail.parts
    };
    let mut start = 0_u64;
    for (place, size) in (1..).zip(parts) {
        let end = start.saturating_add(u64::try_from(*size).unwrap_or(0));
        if place == number {
            return Ok(start..end);
        }
        start = end;
    }
    Err(S3Error::with_message(
        s3s::S3ErrorCode::Custom("InvalidPartNumber".into()),
        "The requested partnumber is not satisfiable",
    ))
}

impl Txn<'_> {
    /// The version a read means, or the error S3 gives: a delete marker answers 404, or 405 when asked by its id.
    pub(super) fn readable(
        &self,
        bucket: &Bucket,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<Version> {
        let missing = || s3_error!(NoSuchKey, "The specified key does not exist.");
        let version = match id {
            None => self.newest(&bucket.name, key)?.ok_or_else(missing)?,
            Some(id) => self
                .exact(&bucket.name, key, &VersionId::stored(id.to_owned()))?
                .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist."))?,
        };
        if !version.detail.is_marker {
            return Ok(version);
        }
        let mut error = if id.is_some() {
            s3_error!(MethodNotAllowed, "The version is a delete marker.")
        } else {
            missing()
        };
        let mut headers = http::HeaderMap::new();
        headers.insert(
            "x-amz-delete-marker",
            http::HeaderValue::from_static("true"),
        );
        if let Ok(value) = http::HeaderValue::from_str(version.id.as_str()) {
            headers.insert("x-amz-version-id", value);
        }
        error.set_headers(headers);
        Err(error)
    }

    /// Opens the content while its row is known to be there.
    pub(super) fn open_content(&self, version: &Version) -> S3Result<Option<File>> {
        if version.is_archived() {
            return Err(s3_error!(
                InvalidObjectState,
                "The operation is not valid for the object's storage class {}",
                version.storage_class()
            ));
        }
        let content = version.detail.content.as_deref();
        content
            .map(|name| self.contents.file(name).map_err(S3Error::internal_error))
            .transpose()
    }
}

/// `aws-chunked` says how a body travelled, not what it is.
pub(super) fn without_transport_coding(coding: Option<String>) -> Option<String> {
    let coding = coding?;
    let kept: Vec<&str> = coding
        .split(',')
        .map(str::trim)
        .filter(|c| !c.is_empty() && !c.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn refuse_customer_keys(given: bool) -> S3Result<()> {
    if given {
        Err(s3_error!(NotImplemented, "SSE-C is not emulated"))
    } else {
        Ok(())
    }
}

pub(super) fn encryption(attributes: &Attributes) -> ServerSideEncryption {
    attributes
        .sse
        .clone()
        .unwrap_or_else(|| ServerSideEncryption::AES256.to_owned())
        .into()
}

fn content_type(attributes: &Attributes) -> String {
    attributes
        .content_type
        .clone()
        .unwrap_or_else(|| "binary/octet-stream".to_owned())
}
