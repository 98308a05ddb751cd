//! What of an object is kept when its bytes change: headers, metadata, tags, storage class,
//! encryption, checksum algorithm.
//!
//! Two notes are added to its metadata: whose work the new bytes are, so that a lost answer is no
//! riddle and pipelines can tell them from their own, and which version they replace, so that
//! whoever comes after a crash finishes the deletion. Neither says anything about anybody.

use std::collections::HashMap;

use aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quittance_core::fault::{BlockReason, Fault};

use crate::errors;
use crate::s3_bucket::Bucket;

/// An object's properties beside its bytes.
pub(super) struct Kept {
    head: HeadObjectOutput,
    metadata: HashMap<String, String>,
    expires: Option<DateTime>,
    tagging: Option<String>,
    pub(super) algorithm: ChecksumAlgorithm,
}

/// What a rewritten object says of itself.
pub(super) struct Notes {
    /// Whose work it is.
    pub(super) marker: String,
    /// The version that it replaces, and that version's entity tag.
    pub(super) replaced: Option<(String, String)>,
}

impl Kept {
    /// Asks what is to be kept of the version that was read.
    pub(super) async fn of(
        bucket: Bucket<'_>,
        key: &str,
        version: Option<&str>,
        etag: &str,
        marker: &str,
    ) -> Result<Self, Fault> {
        let sent = bucket
            .client
            .head_object()
            .bucket(bucket.name)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .if_match(etag)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let head = match sent {
            Ok(head) => head,
            Err(error) if errors::is_absent(&error) => return Err(Fault::Conflict),
            Err(error) => return Err(errors::s3("HeadObject", bucket.name, &error)),
        };
        // A date that cannot be written again would be lost.
        let expires = head
            .expires_string()
            .map(|text| DateTime::from_str(text, DateTimeFormat::HttpDate))
            .transpose()
            .map_err(|_| Fault::Block(BlockReason::UnsupportedStore))?;
        let mut metadata = head.metadata().cloned().unwrap_or_default();
        metadata.insert(MARKER.to_owned(), marker.to_owned());
        let replaced = format!("{} {}", version.unwrap_or(NULL), etag.trim_matches('"'));
        metadata.insert(REPLACED.to_owned(), replaced);
        Ok(Self {
            algorithm: algorithm(&head),
            tagging: tagging(bucket, key, version).await?,
            head,
            metadata,
            expires,
        })
    }

    /// Returns how the checksums of an upload's parts become one: as before, where the algorithm
    /// allows it.
    fn checksum_type(&self) -> ChecksumType {
        let is_one_of = |some: [ChecksumAlgorithm; 2]| some.contains(&self.algorithm);
        if is_one_of([ChecksumAlgorithm::Sha1, ChecksumAlgorithm::Sha256]) {
            return ChecksumType::Composite;
        }
        if is_one_of([ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32C]) {
            let before = self.head.checksum_type().cloned();
            return before.unwrap_or(ChecksumType::FullObject);
        }
        ChecksumType::FullObject
    }
}

/// Gives a request everything that is kept; the SDK repeats the fields in both.
macro_rules! keep {
    ($request:expr, $kept:expr) => {{
        let (kept, head) = ($kept, &$kept.head);
        let text = |text: Option<&str>| text.map(str::to_owned);
        $request
            .set_cache_control(text(head.cache_control()))
            .set_content_disposition(text(head.content_disposition()))
            .set_content_encoding(text(head.content_encoding()))
            .set_content_language(text(head.content_language()))
            .set_content_type(text(head.content_type()))
            .set_website_redirect_location(text(head.website_redirect_location()))
            .set_expires(kept.expires)
            .set_metadata(Some(kept.metadata.clone()))
            .set_storage_class(head.storage_class().cloned())
            .set_server_side_encryption(head.server_side_encryption().cloned())
            .set_ssekms_key_id(text(head.ssekms_key_id()))
            .set_bucket_key_enabled(head.bucket_key_enabled())
            .set_tagging(kept.tagging.clone())
            .checksum_algorithm(kept.algorithm.clone())
    }};
}

impl Kept {
    /// Gives it all to an upload in one piece.
    pub(super) fn put(&self, request: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        keep!(request, self)
    }

    /// Gives it all to an upload in parts.
    pub(super) fn create(
        &self,
        request: CreateMultipartUploadFluentBuilder,
    ) -> CreateMultipartUploadFluentBuilder {
        keep!(request, self).checksum_type(self.checksum_type())
    }
}

/// Reads what a rewritten object says of itself; none when it is nobody's work of ours.
pub(super) fn notes(head: &HeadObjectOutput) -> Option<Notes> {
    let metadata = head.metadata()?;
    let replaced = metadata.get(REPLACED).and_then(|text| {
        let (version, etag) = text.split_once(' ')?;
        Some((version.to_owned(), etag.to_owned()))
    });
    Some(Notes {
        marker: metadata.get(MARKER)?.clone(),
        replaced,
    })
}

fn algorithm(head: &HeadObjectOutput) -> ChecksumAlgorithm {
    let known = [
        (head.checksum_sha256(), ChecksumAlgorithm::Sha256),
        (head.checksum_sha1(), ChecksumAlgorithm::Sha1),
        (head.checksum_crc32_c(), ChecksumAlgorithm::Crc32C),
        (head.checksum_crc32(), ChecksumAlgorithm::Crc32),
    ];
    known
        .into_iter()
        .find_map(|(sum, algorithm)| sum.map(|_| algorithm))
        // What S3 itself takes when nobody asks for another.
        .unwrap_or(ChecksumAlgorithm::Crc64Nvme)
}

/// Reads the tags as a request header has them. Who may not read them would lose them: that blocks.
async fn tagging(
    bucket: Bucket<'_>,
    key: &str,
    version: Option<&str>,
) -> Result<Option<String>, Fault> {
    let answer = bucket
        .client
        .get_object_tagging()
        .bucket(bucket.name)
        .key(key)
        .set_version_id(version.map(str::to_owned))
        .send()
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if errors::is_absent(&error) => return Err(Fault::Conflict),
        Err(error) => return Err(errors::s3("GetObjectTagging", bucket.name, &error)),
    };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let tags: Vec<String> = answer
        .tag_set()
        .iter()
        .map(|tag| format!("{}={}", encoded(tag.key()), encoded(tag.value())))
        .collect();
    Ok((!tags.is_empty()).then(|| tags.join("&")))
}

/// The id of the version from before versions.
pub(super) const NULL: &str = "null";
/// Under which name an object's metadata has the rewrite's marker.
const MARKER: &str = "quittance-rewrite";
const REPLACED: &str = "quittance-replaced";
