//! Multipart uploads: parts gathered apart, joined into one version by the completion.
//!
//! Invariant: the completion checks its conditions and takes the upload away in the transaction that
//! writes the version, so two completions have one winner.

use std::sync::Arc;

use data_encoding::{BASE32HEX_NOPAD, HEXLOWER};
use rusqlite::{OptionalExtension, params};
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CopyPartResult,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, Range, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Checksums, Claim, check_md5, echo_checksums};
use super::contents::{Draft, random};
use super::copy::{Source, source_conditions};
use super::lock::Lock;
use super::objects::{attributes, encryption, refuse_customer_keys};
use super::store::{Store, Txn, broken, from_json, to_json};
use super::tags;
use super::timestamp;
use super::version::{Conditions, Detail, Given};

pub(super) async fn create(
    store: &Arc<Store>,
    req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let initiator = req
        .credentials
        .map(|credentials| credentials.access_key)
        .unwrap_or_default();
    let mut input = req.input;
    refuse_customer_keys(input.sse_customer_key.is_some())?;
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map(|a| Algorithm::parse(a.as_str()))
        .transpose()?;
    let is_full = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        Some(kind) => kind == ChecksumType::FULL_OBJECT,
        None => algorithm == Some(Algorithm::Crc64Nvme),
    };
    let detail = UploadDetail {
        started_ms: 0,
        initiator,
        algorithm,
        is_full,
        given: Given {
            attributes: attributes!(input),
            tags: tags::parse_header(input.tagging.as_deref())?,
            lock: Lock::parse(
                input.object_lock_mode.as_ref(),
                input.object_lock_retain_until_date.as_ref(),
                input.object_lock_legal_hold_status.as_ref(),
            )?,
        },
    };
    let id = BASE32HEX_NOPAD.encode(&random::<20>()?);
    let sse = encryption(&detail.given.attributes);
    let kms_key = detail.given.attributes.kms_key.clone();
    let upload = Upload {
        id,
        bucket: input.bucket,
        key: input.key,
        detail,
    };
    let work = move |txn: &Txn<'_>| {
        txn.bucket(&upload.bucket)?;
        let mut upload = upload;
        upload.detail.started_ms = txn.now_ms;
        txn.sql
            .execute(
                "INSERT INTO uploads (id, bucket, key, detail) VALUES (?1, ?2, ?3, ?4)",
                params![
                    upload.id,
                    upload.bucket,
                    upload.key,
                    to_json(&upload.detail)?
                ],
            )
            .map_err(broken)?;
        Ok(upload)
    };
    let upload = store.run(work).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(upload.bucket),
        checksum_algorithm: algorithm.map(|a| ChecksumAlgorithm::from_static(a.as_str())),
        checksum_type: algorithm.map(|_| checksum_type(is_full)),
        key: Some(upload.key),
        server_side_encryption: Some(sse),
        ssekms_key_id: kms_key,
        upload_id: Some(upload.id),
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn upload_part(
    store: &Arc<Store>,
    req: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let claim = Claim::of(&req.headers, req.trailing_headers.as_ref())?;
    let mut input = req.input;
    refuse_customer_keys(input.sse_customer_key.is_some())?;
    let place = Place::parse(input.bucket, input.key, input.upload_id, input.part_number)?;
    let upload = place.upload(store).await?;
    let algorithm = upload.detail.algorithm.unwrap_or(claim.algorithm);
    let draft = store
        .contents()
        .receive(input.body.take(), Some(algorithm))
        .await?;
    let (part, kept) = finish(draft);
    if algorithm == claim.algorithm {
        claim.check(&part.checksums)?;
    }
    let md5 = HEXLOWER
        .decode(part.etag.as_bytes())
        .ok()
        .and_then(|md5| md5.try_into().ok())
        .unwrap_or_default();
    check_md5(input.content_md5.as_deref(), md5)?;
    if input
        .content_length
        .is_some_and(|length| length != part.size)
    {
        return Err(s3_error!(IncompleteBody));
    }
    let part = place.save(store, part).await?;
    kept.keep();
    let mut output = UploadPartOutput {
        e_tag: Some(ETag::Strong(part.etag.clone())),
        server_side_encryption: Some(encryption(&upload.detail.given.attributes)),
        ..UploadPartOutput::default()
    };
    echo_checksums!(output, &part.checksums);
    Ok(S3Response::new(output))
}

pub(super) async fn upload_part_copy(
    store: &Arc<Store>,
    req: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let mut input = req.input;
    refuse_customer_keys(
        input.sse_customer_key.is_some() || input.copy_source_sse_customer_key.is_some(),
    )?;
    let checks = source_conditions!(input);
    let source = Source::parse(&input.copy_source)?;
    let place = Place::parse(input.bucket, input.key, input.upload_id, input.part_number)?;
    let upload = place.upload(store).await?;
    let (source_bucket, from, file) = source.open(store, checks).await?;
    let size = u64::try_from(from.detail.size).unwrap_or(0);
    let range = match input.copy_source_range.as_deref() {
        None => 0..size,
        Some(header) => {
            let asked = Range::parse(header).map_err(|error| s3_error!(error, InvalidArgument))?;
            match asked {
                // Unlike a read, a copy must not ask beyond the end.
                Range::Int {
                    first,
                    last: Some(last),
                } if last < size => first..last.saturating_add(1),
                Range::Int { .. } | Range::Suffix { .. } => {
                    return Err(s3_error!(
                        InvalidArgument,
                        "Range specified is not valid for source object of size: {size}"
                    ));
                }
            }
        }
    };
    let algorithm = upload.detail.algorithm.or(Some(Algorithm::Crc64Nvme));
    let draft = match file {
        Some(file) => store.contents().copy(file, range, algorithm).await?,
        None => store.contents().receive(None, algorithm).await?,
    };
    let (part, kept) = finish(draft);
    let part = place.save(store, part).await?;
    kept.keep();
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.etag.clone())),
        last_modified: Some(timestamp(part.modified_ms)),
        ..CopyPartResult::default()
    };
    echo_checksums!(result, &part.checksums);
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: from.shown_id(&source_bucket),
        server_side_encryption: Some(encryption(&upload.detail.given.attributes)),
        ..UploadPartCopyOutput::default()
    }))
}

pub(super) async fn complete(
    store: &Arc<Store>,
    req: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let input = req.input;
    let asked = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .unwrap_or_default();
    let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
    };

    // 1. What is to be joined. A condition that fails already spares the joining.
    let gather = {
        let (bucket, key, id, conditions) =
            (bucket.clone(), key.clone(), id.clone(), conditions.clone());
        move |txn: &Txn<'_>| {
            let upload = txn.upload(&bucket, &key, &id)?;
            conditions.check_write(txn.newest(&bucket, &key)?.as_ref())?;
            let parts = chosen(&asked, &txn.parts(&id)?)?;
            Ok((upload, parts))
        }
    };
    let (upload, parts) = store.run(gather).await?;
    let size: i64 = parts.iter().map(|part| part.size).sum();
    if input.mpu_object_size.is_some_and(|claimed| claimed != size) {
        return Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header does not match."
        ));
    }

    // 2. The joined content, outside the lock.
    let full = upload.detail.algorithm.filter(|_| upload.detail.is_full);
    let names = parts
        .iter()
        .filter_map(|part| part.content.clone())
        .collect();
    let (written, kept) = store.contents().join(names, full).await?.finish();
    let checksums = match upload.detail.algorithm {
        Some(algorithm) if !upload.detail.is_full => {
            let sums: Vec<Checksums> = parts.iter().map(|part| part.checksums.clone()).collect();
            Checksums::composite(algorithm, &sums)?
        }
        _ => written.checksums.clone(),
    };
    let mut detail = Detail::of(written, upload.detail.given.clone());
    detail.etag = joined_etag(&parts)?;
    detail.parts = parts.iter().map(|part| part.size).collect();
    detail.checksums = checksums;

    // 3. Conditions again, version in, upload out: the only commit point.
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&bucket)?;
        txn.upload(&bucket.name, &key, &id)?;
        conditions.check_write(txn.newest(&bucket.name, &key)?.as_ref())?;
        let version = txn.write(&bucket, &key, detail)?;
        txn.remove_upload(&id)?;
        Ok((version, bucket))
    };
    let (version, bucket) = store.run(work).await?;
    kept.keep();

    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(bucket.name.clone()),
        checksum_type: upload
            .detail
            .algorithm
            .map(|_| checksum_type(upload.detail.is_full)),
        e_tag: Some(version.etag()),
        key: Some(version.key.clone()),
        location: Some(format!("/{}/{}", bucket.name, version.key)),
        server_side_encryption: Some(encryption(&version.detail.attributes)),
        version_id: version.shown_id(&bucket),
        ..CompleteMultipartUploadOutput::default()
    };
    echo_checksums!(output, &version.detail.checksums);
    Ok(S3Response::new(output))
}

pub(super) async fn abort(
    store: &Arc<Store>,
    req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = req.input;
    let work = move |txn: &Txn<'_>| {
        txn.upload(&input.bucket, &input.key, &input.upload_id)?;
        txn.remove_upload(&input.upload_id)
    };
    store.run(work).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

/// An upload under way.
#[derive(Clone)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) detail: UploadDetail,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct UploadDetail {
    pub(super) started_ms: i64,
    /// The access key of whoever began it.
    #[serde(default)]
    pub(super) initiator: String,
    pub(super) algorithm: Option<Algorithm>,
    /// The checksum of the whole, rather than of the parts' checksums.
    pub(super) is_full: bool,
    pub(super) given: Given,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    pub(super) number: i32,
    pub(super) etag: String,
    pub(super) size: i64,
    pub(super) modified_ms: i64,
    pub(super) content: Option<String>,
    pub(super) checksums: Checksums,
}

/// Where a part goes.
struct Place {
    bucket: String,
    key: String,
    id: String,
    number: i32,
}

impl Place {
    fn parse(bucket: String, key: String, id: String, number: i32) -> S3Result<Self> {
        if (1..=MOST_PARTS).contains(&number) {
            return Ok(Self {
                bucket,
                key,
                id,
                number,
            });
        }
        Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
        ))
    }

    async fn upload(&self, store: &Arc<Store>) -> S3Result<Upload> {
        let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), self.id.clone());
        store.run(move |txn| txn.upload(&bucket, &key, &id)).await
    }

    async fn save(self, store: &Arc<Store>, mut part: Part) -> S3Result<Part> {
        let work = move |txn: &Txn<'_>| {
            // The upload may have been aborted while the bytes travelled.
            txn.upload(&self.bucket, &self.key, &self.id)?;
            part.number = self.number;
            part.modified_ms = txn.now_ms;
            let replaced = txn
                .parts(&self.id)?
                .into_iter()
                .find(|old| old.number == self.number);
            txn.doom(replaced.and_then(|old| old.content));
            txn.sql
                .execute(
                    "INSERT OR REPLACE INTO parts (upload, number, detail) VALUES (?1, ?2, ?3)",
                    params![self.id, self.number, to_json(&part)?],
                )
                .map_err(broken)?;
            Ok(part)
        };
        store.run(work).await
    }
}

impl Txn<'_> {
    pub(super) fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
        self.bucket(bucket)?;
        let detail: Option<String> = self
            .sql
            .query_row(
                "SELECT detail FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3",
                [id, bucket, key],
                |row| row.get(0),
            )
            .optional()
            .map_err(broken)?;
        let detail = detail.ok_or_else(|| {
            s3_error!(
                NoSuchUpload,
                "The upload ID may be invalid, or the upload may have been aborted or completed."
            )
        })?;
        let detail = from_json(&detail)?;
        Ok(Upload {
            id: id.to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            detail,
        })
    }

    /// Parts in the order of their numbers.
    pub(super) fn parts(&self, id: &str) -> S3Result<Vec<Part>> {
        let query = "SELECT detail FROM parts WHERE upload = ?1 ORDER BY number";
        let mut statement = self.sql.prepare_cached(query).map_err(broken)?;
        let rows = statement
            .query_map([id], |row| row.get::<_, String>(0))
            .map_err(broken)?;
        rows.map(|row| from_json(&row.map_err(broken)?)).collect()
    }

    pub(super) fn remove_upload(&self, id: &str) -> S3Result<()> {
        for part in self.parts(id)? {
            self.doom(part.content);
        }
        self.sql
            .execute("DELETE FROM parts WHERE upload = ?1", [id])
            .map_err(broken)?;
        self.sql
            .execute("DELETE FROM uploads WHERE id = ?1", [id])
            .map_err(broken)?;
        Ok(())
    }
}

fn finish(draft: Draft) -> (Part, super::contents::Kept) {
    let (written, kept) = draft.finish();
    let part = Part {
        number: 0,
        etag: HEXLOWER.encode(&written.md5),
        size: written.size,
        modified_ms: 0,
        content: Some(written.content),
        checksums: written.checksums,
    };
    (part, kept)
}

/// The listed parts, in order, as they were uploaded.
fn chosen(asked: &[CompletedPart], uploaded: &[Part]) -> S3Result<Vec<Part>> {
    if asked.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "at least one part must be specified"
        ));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(asked.len());
    for part in asked {
        let number = part.part_number.unwrap_or(0);
        if parts.last().is_some_and(|last| last.number >= number) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order."
            ));
        }
        let found = uploaded
            .iter()
            .find(|there| there.number == number)
            .filter(|there| {
                let same_etag = part
                    .e_tag
                    .as_ref()
                    .is_none_or(|etag| etag.value() == there.etag);
                same_etag && claims_hold(part, &there.checksums)
            });
        parts.push(found.ok_or_else(invalid_part)?.clone());
    }
    let all_but_last = parts.iter().rev().skip(1);
    if all_but_last
        .into_iter()
        .any(|part| part.size < LEAST_PART_BYTES)
    {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(parts)
}

fn claims_hold(claimed: &CompletedPart, sums: &Checksums) -> bool {
    let holds = |claim: &Option<String>, sum: &Option<String>| {
        claim.is_none() || sum.is_none() || claim == sum
    };
    holds(&claimed.checksum_crc32, &sums.crc32)
        && holds(&claimed.checksum_crc32c, &sums.crc32c)
        && holds(&claimed.checksum_crc64nvme, &sums.crc64nvme)
        && holds(&claimed.checksum_sha1, &sums.sha1)
        && holds(&claimed.checksum_sha256, &sums.sha256)
}

fn invalid_part() -> S3Error {
    s3_error!(
        InvalidPart,
        "One or more of the specified parts could not be found or did not match."
    )
}

/// The `ETag` of a joined object: MD5 of the parts' MD5s, and their number.
fn joined_etag(parts: &[Part]) -> S3Result<String> {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(
            &HEXLOWER
                .decode(part.etag.as_bytes())
                .map_err(S3Error::internal_error)?,
        );
    }
    Ok(format!(
        "{}-{}",
        HEXLOWER.encode(&md5.finalize()),
        parts.len()
    ))
}

fn checksum_type(is_full: bool) -> ChecksumType {
    ChecksumType::from_static(if is_full {
        ChecksumType::FULL_OBJECT
    } else {
        ChecksumType::COMPOSITE
    })
}

const MOST_PARTS: i32 = 10_000;
const LEAST_PART_BYTES: i64 = 5 * 1024 * 1024;
