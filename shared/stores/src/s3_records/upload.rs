//! Writes an object's new bytes in place of those that were read: in one piece when they are few, in
//! parts otherwise, of which S3 copies some by itself.
//!
//! Nothing is visible before [`Upload::finish`], whose one conditional request is the commit point.

use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MultipartUpload};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quittance_core::fault::{BlockReason, Fault};

use super::kept::Kept;
use super::layout::LEAST_PART;
use crate::errors;
use crate::s3_bucket::Bucket;

/// An upload under way.
pub(super) struct Upload<'a> {
    bucket: Bucket<'a>,
    key: &'a str,
    /// What must still be there: version and entity tag.
    version: Option<&'a str>,
    etag: &'a str,
    kept: &'a Kept,
    part: usize,
    buffer: Vec<u8>,
    open: Option<Open>,
    bytes: u64,
}

/// The parts of an upload so far.
struct Open {
    id: String,
    parts: Vec<CompletedPart>,
}

/// What an object became.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) etag: String,
    /// None in a bucket that never had versions.
    pub(super) version: Option<String>,
}

impl<'a> Upload<'a> {
    /// Begins an object that replaces another of so many bytes.
    pub(super) fn new(
        bucket: Bucket<'a>,
        key: &'a str,
        (version, etag): (Option<&'a str>, &'a str),
        kept: &'a Kept,
        bytes: u64,
    ) -> Result<Self, Fault> {
        // An upload has 10,000 parts; the other half is for ranges that are copied.
        let part = bytes.div_ceil(MOST_PARTS / 2).max(PART);
        if part > MOST_PART {
            return Err(Fault::Block(BlockReason::TooLarge));
        }
        Ok(Self {
            bucket,
            key,
            version,
            etag,
            kept,
            part: usize::try_from(part).unwrap_or(usize::MAX),
            buffer: Vec::new(),
            open: None,
            bytes: 0,
        })
    }

    /// Appends bytes. Enough of them are kept back for a part of their own.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.buffer.extend_from_slice(bytes);
        let least = usize::try_from(LEAST_PART).unwrap_or(usize::MAX);
        while self.buffer.len() >= self.part.saturating_add(least) {
            let rest = self.buffer.split_off(self.part);
            let part = std::mem::replace(&mut self.buffer, rest);
            self.send(part).await?;
        }
        Ok(())
    }

    /// How many bytes wait for a part of their own.
    pub(super) fn waiting(&self) -> u64 {
        u64::try_from(self.buffer.len()).unwrap_or(u64::MAX)
    }

    /// Appends a range of the object that is replaced, without fetching it. What was pushed before
    /// has at least 5 MiB, or is nothing.
    pub(super) async fn copy(&mut self, range: Range<u64>) -> Result<(), Fault> {
        if !self.buffer.is_empty() {
            let part = std::mem::take(&mut self.buffer);
            self.send(part).await?;
        }
        let mut source = format!("{}/{}", self.bucket.name, encoded(self.key));
        if let Some(version) = self.version {
            source = format!("{source}?versionId={}", encoded(version));
        }
        let (id, number) = self.next_part().await?;
        let last = range.end.saturating_sub(1);
        let sent = self
            .bucket
            .client
            .upload_part_copy()
            .bucket(self.bucket.name)
            .key(self.key)
            .upload_id(id)
            .part_number(number)
            .copy_source(source)
            .copy_source_range(format!("bytes={}-{last}", range.start))
            .copy_source_if_match(self.etag)
            .send()
            .await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if errors::is_absent(&error) => return Err(Fault::Conflict),
            Err(error) => return Err(errors::s3("UploadPartCopy", self.bucket.name, &error)),
        };
        let copied = answer.copy_part_result().ok_or_else(|| self.no_answer())?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(copied.e_tag().map(str::to_owned))
            .set_checksum_crc32(copied.checksum_crc32().map(str::to_owned))
            .set_checksum_crc32_c(copied.checksum_crc32_c().map(str::to_owned))
            .set_checksum_crc64_nvme(copied.checksum_crc64_nvme().map(str::to_owned))
            .set_checksum_sha1(copied.checksum_sha1().map(str::to_owned))
            .set_checksum_sha256(copied.checksum_sha256().map(str::to_owned))
            .build();
        self.sent(part, range.end.saturating_sub(range.start));
        Ok(())
    }

    /// Puts the new object in the old one's place, if that is still what was read.
    ///
    /// # Errors
    /// After anything but a block the outcome is unknown: also a conflict may be with ourselves,
    /// when an answer was lost and the request sent again.
    pub(super) async fn finish(&mut self) -> Result<Written, Fault> {
        let last = std::mem::take(&mut self.buffer);
        if self.open.is_none() {
            return self.put(last).await;
        }
        if !last.is_empty() {
            self.send(last).await?;
        }
        self.complete().await
    }

    /// Takes away what was sent so far. That it fails changes nothing for anybody: nobody sees the
    /// parts, and the bucket's lifecycle ends what is left.
    pub(super) async fn abort(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        if let Err(fault) = self.bucket.abort(self.key, &open.id).await {
            tracing::warn!(%fault, "an upload that came to nothing is left behind");
        }
    }

    async fn put(&self, bytes: Vec<u8>) -> Result<Written, Fault> {
        let request = self
            .bucket
            .client
            .put_object()
            .bucket(self.bucket.name)
            .key(self.key)
            .if_match(self.etag)
            .body(ByteStream::from(bytes));
        match self.kept.put(request).send().await {
            Ok(answer) => Ok(Written {
                etag: answer.e_tag().unwrap_or_default().to_owned(),
                version: answer.version_id().map(str::to_owned),
            }),
            Err(error) if errors::is_absent(&error) => Err(Fault::Conflict),
            Err(error) if errors::code(&error) == "MetadataTooLarge" => {
                Err(Fault::Block(BlockReason::TooLarge))
            }
            Err(error) => Err(errors::s3("PutObject", self.bucket.name, &error)),
        }
    }

    async fn complete(&mut self) -> Result<Written, Fault> {
        let Some(open) = &self.open else {
            return Err(self.no_answer());
        };
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(open.parts.clone()))
            .build();
        let sent = self
            .bucket
            .client
            .complete_multipart_upload()
            .bucket(self.bucket.name)
            .key(self.key)
            .upload_id(&open.id)
            .multipart_upload(parts)
            .mpu_object_size(i64::try_from(self.bytes).unwrap_or(i64::MAX))
            .if_match(self.etag)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(Written {
                etag: answer.e_tag().unwrap_or_default().to_owned(),
                version: answer.version_id().map(str::to_owned),
            }),
            Err(error) if errors::is_absent(&error) => Err(Fault::Conflict),
            Err(error) => Err(errors::s3(
                "CompleteMultipartUpload",
                self.bucket.name,
                &error,
            )),
        }
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Fault> {
        let (id, number) = self.next_part().await?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let sent = self
            .bucket
            .client
            .upload_part()
            .bucket(self.bucket.name)
            .key(self.key)
            .upload_id(id)
            .part_number(number)
            .checksum_algorithm(self.kept.algorithm.clone())
            .body(ByteStream::from(bytes))
            .send()
            .await;
        let sent = match sent {
            Ok(sent) => sent,
            // Somebody aborted it.
            Err(error) if errors::is_absent(&error) => return Err(Fault::Conflict),
            Err(error) => return Err(errors::s3("UploadPart", self.bucket.name, &error)),
        };
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_crc32_c(sent.checksum_crc32_c)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
            .set_checksum_sha1(sent.checksum_sha1)
            .set_checksum_sha256(sent.checksum_sha256)
            .build();
        self.sent(part, length);
        Ok(())
    }

    fn sent(&mut self, part: CompletedPart, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(open) = &mut self.open {
            open.parts.push(part);
        }
    }

    /// Returns the upload's id and the next part's number, and begins the upload before the first.
    async fn next_part(&mut self) -> Result<(String, i32), Fault> {
        if self.open.is_none() {
            let request = self
                .bucket
                .client
                .create_multipart_upload()
                .bucket(self.bucket.name)
                .key(self.key);
            let created = match self.kept.create(request).send().await {
                Ok(created) => created,
                Err(error) if errors::code(&error) == "MetadataTooLarge" => {
                    return Err(Fault::Block(BlockReason::TooLarge));
                }
                Err(error) => {
                    return Err(errors::s3(
                        "CreateMultipartUpload",
                        self.bucket.name,
                        &error,
                    ));
                }
            };
            let id = created.upload_id.ok_or_else(|| self.no_answer())?;
            self.clear_earlier(&id).await;
            self.open = Some(Open {
                id,
                parts: Vec::new(),
            });
        }
        let open = self.open.as_ref().ok_or_else(|| self.no_answer())?;
        let number = open.parts.len().saturating_add(1);
        match i32::try_from(number) {
            Ok(number) if i64::from(number) <= i64::try_from(MOST_PARTS).unwrap_or(i64::MAX) => {
                Ok((open.id.clone(), number))
            }
            Ok(_) | Err(_) => Err(Fault::Block(BlockReason::TooLarge)),
        }
    }

    /// Takes away what an earlier attempt at this object left when it died: uploads of its key that
    /// whoever began this one began, too. A customer's own stay. If it cannot be asked or done, the
    /// bucket's lifecycle ends them.
    async fn clear_earlier(&self, id: &str) {
        let Bucket { client, name } = self.bucket;
        let listed = client.list_multipart_uploads().bucket(name);
        let Ok(listed) = listed.prefix(self.key).send().await else {
            return;
        };
        let of_key = || {
            listed
                .uploads()
                .iter()
                .filter(|u| u.key() == Some(self.key))
        };
        let initiator = |upload: &MultipartUpload| upload.initiator()?.id().map(str::to_owned);
        let this = of_key().find(|upload| upload.upload_id() == Some(id));
        let Some(we) = this.and_then(initiator) else {
            return;
        };
        for upload in of_key().filter(|upload| initiator(upload).as_ref() == Some(&we)) {
            let Some(earlier) = upload.upload_id().filter(|earlier| *earlier != id) else {
                continue;
            };
            if let Err(fault) = self.bucket.abort(self.key, earlier).await {
                tracing::warn!(%fault, "an earlier upload is left behind");
            }
        }
    }

    fn no_answer(&self) -> Fault {
        Fault::retry(format!("s3 upload to {}: empty answer", self.bucket.name))
    }
}

/// A key as it stands in a header.
fn encoded(key: &str) -> String {
    const BUT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(key, BUT).to_string()
}

/// How many bytes a part has, when that makes few enough of them.
const PART: u64 = 8 * 1024 * 1024;
/// The most that a part has: it is in memory as a whole.
const MOST_PART: u64 = 32 * 1024 * 1024;
const MOST_PARTS: u64 = 10_000;
