//! Listings: objects, versions, uploads, parts; with prefixes, delimiters and pages.
//!
//! Invariant: pages taken one after another show every entry that was there all the time exactly once,
//! also when entries already shown are deleted between pages.

use std::sync::Arc;

use data_encoding::HEXUPPER;
use s3s::dto::{ChecksumAlgorithm, ETag, ObjectStorageClass};
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, EncodingType, Initiator, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, MultipartUpload, Object, ObjectVersion, Part,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksum::echo_checksums;
use super::multipart::Upload;
use super::page::{Ask, MOST, Page, Place, Rows};
use super::store::{Store, Txn, broken, from_json};
use super::timestamp;
use super::version::{Version, VersionId};

pub(super) async fn objects_v2(
    store: &Arc<Store>,
    req: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let input = req.input;
    let after = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Some(Place::of_token(token)?),
        (None, Some(key)) => Some(Place::after_key(key)),
        (None, None) => None,
    };
    let ask = Ask::new(
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        input.max_keys,
        after,
    );
    let bucket = input.bucket.clone();
    let page = store.run(move |txn| objects(txn, &bucket, &ask)).await?;
    let names = Names::of(input.encoding_type.as_ref());
    let next = page.next.as_ref().map(Place::token);
    let count = page.entries.len() + page.prefixes.len();
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(names.show(&input.prefix.unwrap_or_default())),
        max_keys: Some(input.max_keys.unwrap_or(MOST)),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(next.is_some()),
        next_continuation_token: next,
        contents: Some(
            page.entries
                .iter()
                .map(|(version, _)| object(version, names))
                .collect(),
        ),
        common_prefixes: Some(names.prefixes(&page.prefixes)),
        delimiter: input.delimiter.map(|d| names.show(&d)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|key| names.show(&key)),
        ..ListObjectsV2Output::default()
    }))
}

pub(super) async fn objects_v1(
    store: &Arc<Store>,
    req: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let input = req.input;
    let mut ask = Ask::new(
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        input.max_keys,
        None,
    );
    ask.after = input
        .marker
        .as_deref()
        .map(|marker| ask.place_of_marker(marker));
    let bucket = input.bucket.clone();
    let page = store.run(move |txn| objects(txn, &bucket, &ask)).await?;
    let names = Names::of(input.encoding_type.as_ref());
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(names.show(&input.prefix.unwrap_or_default())),
        marker: Some(names.show(&input.marker.unwrap_or_default())),
        max_keys: Some(input.max_keys.unwrap_or(MOST)),
        is_truncated: Some(page.next.is_some()),
        contents: Some(
            page.entries
                .iter()
                .map(|(version, _)| object(version, names))
                .collect(),
        ),
        common_prefixes: Some(names.prefixes(&page.prefixes)),
        delimiter: input.delimiter.map(|d| names.show(&d)),
        next_marker: page.next.map(|place| names.show(&place.name)),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    }))
}

pub(super) async fn versions(
    store: &Arc<Store>,
    req: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let input = req.input;
    let mut ask = Ask::new(
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        input.max_keys,
        None,
    );
    ask.after = input
        .key_marker
        .as_deref()
        .map(|marker| ask.place_of_marker(marker));
    let (bucket, id) = (input.bucket.clone(), input.version_id_marker.clone());
    let work = move |txn: &Txn<'_>| {
        txn.bucket(&bucket)?;
        if let (Some(place), Some(id)) = (&mut ask.after, id) {
            place.before_seq = Some(txn.seq_of(&bucket, &place.name, &VersionId::stored(id))?);
        }
        txn.page(&bucket, &ask, Rows::AllVersions)
    };
    let page = store.run(work).await?;
    let names = Names::of(input.encoding_type.as_ref());
    let (mut shown, mut markers) = (Vec::new(), Vec::new());
    for (version, is_latest) in &page.entries {
        if version.detail.is_marker {
            markers.push(DeleteMarkerEntry {
                is_latest: Some(*is_latest),
                key: Some(names.show(&version.key)),
                last_modified: Some(version.modified()),
                version_id: Some(version.id.as_str().to_owned()),
                ..DeleteMarkerEntry::default()
            });
        } else {
            shown.push(ObjectVersion {
                checksum_algorithm: algorithms(version),
                e_tag: Some(version.etag()),
                is_latest: Some(*is_latest),
                key: Some(names.show(&version.key)),
                last_modified: Some(version.modified()),
                size: Some(version.detail.size),
                storage_class: Some(version.storage_class().to_owned().into()),
                version_id: Some(version.id.as_str().to_owned()),
                ..ObjectVersion::default()
            });
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: Some(names.prefixes(&page.prefixes)),
        delete_markers: Some(markers),
        delimiter: input.delimiter.map(|d| names.show(&d)),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(names.show(&input.key_marker.unwrap_or_default())),
        max_keys: Some(input.max_keys.unwrap_or(MOST)),
        name: Some(input.bucket),
        next_key_marker: page.next.as_ref().map(|place| names.show(&place.name)),
        next_version_id_marker: page.next.and_then(|place| place.version_id),
        prefix: Some(names.show(&input.prefix.unwrap_or_default())),
        version_id_marker: input.version_id_marker,
        versions: Some(shown),
        ..ListObjectVersionsOutput::default()
    }))
}

pub(super) async fn uploads(
    store: &Arc<Store>,
    req: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let input = req.input;
    if input.delimiter.is_some() {
        return Err(s3_error!(
            NotImplemented,
            "uploads are not grouped by a delimiter here"
        ));
    }
    let max = usize::try_from(input.max_uploads.unwrap_or(MOST).clamp(0, MOST)).unwrap_or(0);
    let after = (
        input.key_marker.clone().unwrap_or_default(),
        input.upload_id_marker.clone(),
    );
    let (bucket, prefix) = (
        input.bucket.clone(),
        input.prefix.clone().unwrap_or_default(),
    );
    let mut found = store
        .run(move |txn| txn.uploads(&bucket, &prefix, &after))
        .await?;
    let is_truncated = found.len() > max;
    found.truncate(max);
    let names = Names::of(input.encoding_type.as_ref());
    let last = found.last().filter(|_| is_truncated);
    Ok(S3Response::new(ListMultipartUploadsOutput {
        next_key_marker: last.map(|upload| names.show(&upload.key)),
        next_upload_id_marker: last.map(|upload| upload.id.clone()),
        bucket: Some(input.bucket),
        encoding_type: input.encoding_type,
        is_truncated: Some(is_truncated),
        key_marker: input.key_marker,
        max_uploads: i32::try_from(max).ok(),
        prefix: input.prefix,
        upload_id_marker: input.upload_id_marker,
        uploads: Some(
            found
                .into_iter()
                .map(|upload| listed_upload(upload, names))
                .collect(),
        ),
        ..ListMultipartUploadsOutput::default()
    }))
}

pub(super) async fn parts(
    store: &Arc<Store>,
    req: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let input = req.input;
    let (bucket, key, id) = (
        input.bucket.clone(),
        input.key.clone(),
        input.upload_id.clone(),
    );
    let work = move |txn: &Txn<'_>| Ok((txn.upload(&bucket, &key, &id)?, txn.parts(&id)?));
    let (upload, mut parts) = store.run(work).await?;
    parts.retain(|part| part.number > input.part_number_marker.unwrap_or(0));
    let max = input.max_parts.unwrap_or(MOST).clamp(0, MOST);
    let is_truncated = parts.len() > usize::try_from(max).unwrap_or(0);
    parts.truncate(usize::try_from(max).unwrap_or(0));
    let next = parts
        .last()
        .filter(|_| is_truncated)
        .map(|part| part.number);
    let shown = parts.into_iter().map(|part| {
        let mut shown = Part {
            e_tag: Some(ETag::Strong(part.etag)),
            last_modified: Some(timestamp(part.modified_ms)),
            part_number: Some(part.number),
            size: Some(part.size),
            ..Part::default()
        };
        echo_checksums!(shown, &part.checksums);
        shown
    });
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: upload
            .detail
            .algorithm
            .map(|a| ChecksumAlgorithm::from_static(a.as_str())),
        is_truncated: Some(is_truncated),
        key: Some(input.key),
        max_parts: Some(max),
        next_part_number_marker: next,
        part_number_marker: input.part_number_marker,
        parts: Some(shown.collect()),
        storage_class: upload.detail.given.attributes.storage_class.map(Into::into),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    }))
}

fn objects(txn: &Txn<'_>, bucket: &str, ask: &Ask) -> S3Result<Page> {
    txn.bucket(bucket)?;
    txn.page(bucket, ask, Rows::NewestObjects)
}

impl Txn<'_> {
    fn uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: &(String, Option<String>),
    ) -> S3Result<Vec<Upload>> {
        self.bucket(bucket)?;
        let (key, id) = after;
        let query = "SELECT id, key, detail FROM uploads
             WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2
               AND (key > ?3 OR (key = ?3 AND id > coalesce(?4, char(1114111))))
             ORDER BY key, id LIMIT 1001";
        let mut statement = self.sql.prepare_cached(query).map_err(broken)?;
        let rows = statement
            .query_map(rusqlite::params![bucket, prefix, key, id], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                ))
            })
            .map_err(broken)?;
        rows.map(|row| {
            let (id, key, detail) = row.map_err(broken)?;
            Ok(Upload {
                id,
                bucket: bucket.to_owned(),
                key,
                detail: from_json(&detail)?,
            })
        })
        .collect()
    }
}

/// How names are written: plainly, or URL-encoded if the caller asked.
#[derive(Clone, Copy)]
enum Names {
    Encoded,
    Plain,
}

impl Names {
    fn of(encoding: Option<&EncodingType>) -> Self {
        if encoding.is_some_and(|e| e.as_str() == EncodingType::URL) {
            Self::Encoded
        } else {
            Self::Plain
        }
    }

    fn show(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Encoded => {
                let mut shown = String::with_capacity(name.len());
                for byte in name.bytes() {
                    match byte {
                        b'a'..=b'z'
                        | b'A'..=b'Z'
                        | b'0'..=b'9'
                        | b'-'
                        | b'_'
                        | b'.'
                        | b'~'
                        | b'/'
                        | b'*' => {
                            shown.push(char::from(byte));
                        }
                        other => {
                            shown.push('%');
                            shown.push_str(&HEXUPPER.encode(&[other]));
                        }
                    }
                }
                shown
            }
        }
    }

    fn prefixes(self, prefixes: &[String]) -> Vec<CommonPrefix> {
        prefixes
            .iter()
            .map(|prefix| CommonPrefix {
                prefix: Some(self.show(prefix)),
            })
            .collect()
    }
}

fn object(version: &Version, names: Names) -> Object {
    Object {
        checksum_algorithm: algorithms(version),
        e_tag: Some(version.etag()),
        key: Some(names.show(&version.key)),
        last_modified: Some(version.modified()),
        size: Some(version.detail.size),
        storage_class: Some(ObjectStorageClass::from(version.storage_class().to_owned())),
        ..Object::default()
    }
}

fn algorithms(version: &Version) -> Option<Vec<ChecksumAlgorithm>> {
    version
        .detail
        .algorithm()
        .map(|algorithm| vec![ChecksumAlgorithm::from_static(algorithm.as_str())])
}

fn listed_upload(upload: Upload, names: Names) -> MultipartUpload {
    let initiator = &upload.detail.initiator;
    MultipartUpload {
        initiator: Some(Initiator {
            display_name: Some(initiator.clone()),
            id: Some(format!("arn:aws:iam::000000000000:user/{initiator}")),
        }),
        checksum_algorithm: upload
            .detail
            .algorithm
            .map(|a| ChecksumAlgorithm::from_static(a.as_str())),
        initiated: Some(timestamp(upload.detail.started_ms)),
        key: Some(names.show(&upload.key)),
        storage_class: upload.detail.given.attributes.storage_class.map(Into::into),
        upload_id: Some(upload.id),
        ..MultipartUpload::default()
    }
}
