//! One bucket: read, put if absent, swap, delete. What evidence, tiles and vault have in common.
//!
//! S3 is strongly consistent. A put whose answer was lost is repeated by the SDK and then meets its
//! own object; every caller reads back what counts, so that this is harmless.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use quittance_core::fault::Fault;

use crate::faults::{code, fault};

/// A bucket of ours.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    client: aws_sdk_s3::Client,
    name: String,
}

/// How an object is labelled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// What caches may do with it.
    pub(crate) cache: Option<&'static str>,
}

/// What a conditional put met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The condition held: the object is ours.
    Written,
    /// It did not.
    Refused,
}

/// An object as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// What a swap must find.
    pub(crate) etag: String,
    /// When it was written, in whole seconds.
    pub(crate) written_at: Option<Timestamp>,
}

impl Bucket {
    pub(crate) fn new(client: aws_sdk_s3::Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Reads an object; none when there is none.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Object>, Fault> {
        let answer = match self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(fault("GetObject", &error)),
        };
        let etag = answer.e_tag.unwrap_or_default();
        let written = answer.last_modified.map(|at| at.secs());
        let body = answer.body.collect().await;
        let body = body.map_err(|_| Fault::retry("GetObject: the body broke off"))?;
        Ok(Some(Object {
            bytes: body.to_vec(),
            etag,
            written_at: written.and_then(|at| Timestamp::from_second(at).ok()),
        }))
    }

    /// Puts an object that must not exist yet.
    pub(crate) async fn put_new(
        &self,
        key: &str,
        bytes: Vec<u8>,
        label: Label,
    ) -> Result<Put, Fault> {
        judge(self.put(key, bytes, label).if_none_match("*").send().await)
    }

    /// Puts an object in place of exactly the one with this tag.
    pub(crate) async fn put_over(
        &self,
        key: &str,
        etag: &str,
        bytes: Vec<u8>,
        label: Label,
    ) -> Result<Put, Fault> {
        judge(self.put(key, bytes, label).if_match(etag).send().await)
    }

    /// Deletes an object; again is fine.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), Fault> {
        let deleted = self
            .client
            .delete_object()
            .bucket(&self.name)
            .key(key)
            .send()
            .await;
        deleted
            .map(drop)
            .map_err(|error| fault("DeleteObject", &error))
    }

    /// Deletes everything below a prefix, every version and marker of it; again is fine.
    pub(crate) async fn delete_all(&self, prefix: &str) -> Result<(), Fault> {
        // What is listed is deleted before the next look, so every look begins at the front.
        for _ in 0..MOST_LOOKS {
            let found = self.versions(prefix).await?;
            if found.is_empty() {
                return Ok(());
            }
            stream::iter(found)
                .map(|(key, version)| self.delete_version(key, version))
                .buffer_unordered(DELETES_AT_ONCE)
                .try_collect::<()>()
                .await?;
        }
        Err(Fault::retry(
            "DeleteObject: there is still more below the prefix",
        ))
    }

    async fn versions(&self, prefix: &str) -> Result<Vec<(String, Option<String>)>, Fault> {
        let answer = self
            .client
            .list_object_versions()
            .bucket(&self.name)
            .prefix(prefix)
            .send()
            .await
            .map_err(|error| fault("ListObjectVersions", &error))?;
        let versions = answer.versions.unwrap_or_default().into_iter();
        let versions = versions.map(|version| (version.key, version.version_id));
        let markers = answer.delete_markers.unwrap_or_default().into_iter();
        let markers = markers.map(|marker| (marker.key, marker.version_id));
        Ok(versions
            .chain(markers)
            .filter_map(|(key, version)| Some((key?, version)))
            .collect())
    }

    async fn delete_version(&self, key: String, version: Option<String>) -> Result<(), Fault> {
        let delete = self.client.delete_object().bucket(&self.name).key(key);
        let deleted = delete.set_version_id(version).send().await;
        deleted
            .map(drop)
            .map_err(|error| fault("DeleteObject", &error))
    }

    fn put(
        &self,
        key: &str,
        bytes: Vec<u8>,
        label: Label,
    ) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type(label.media_type)
            .set_cache_control(label.cache.map(str::to_owned))
            .body(ByteStream::from(bytes))
    }
}

fn judge<R>(sent: Result<PutObjectOutput, SdkError<PutObjectError, R>>) -> Result<Put, Fault> {
    match sent {
        Ok(_) => Ok(Put::Written),
        Err(error) => match code(&error) {
            // An If-Match on what is gone is as refused as one on what is other.
            Some("PreconditionFailed" | "NoSuchKey") => Ok(Put::Refused),
            // Two conditional puts at once, "ConditionalRequestConflict": neither is known to have won.
            Some(_) | None => Err(fault("PutObject", &error)),
        },
    }
}

const DELETES_AT_ONCE: usize = 8;
const MOST_LOOKS: usize = 1_000;
