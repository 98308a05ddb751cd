//! Objects of one subject in S3: found by keys that are built from the subject's identifiers.
//!
//! Rows of many subjects inside one object are not here (record stores). Invariant: whatever is
//! touched lies under a key that the question's identifiers spell out, so an object found once
//! cannot become somebody else's; and a delete that only adds a delete marker is never made.

mod erase;
mod listing;
mod target;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use quittance_core::data_map::S3Objects;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Cursor, Locator};
use quittance_core::request::Right;
use quittance_engine::ports::{Effect, Found, Question};
use quittance_engine::record::Record;

use self::target::Target;
use crate::errors;
use crate::s3_bucket::Bucket;

/// One question about one bucket.
pub(crate) struct Objects<'a> {
    bucket: Bucket<'a>,
    targets: Vec<Target>,
    /// Unfinished uploads hold data, too, but none that anybody can read.
    with_uploads: bool,
    page: i32,
}

impl<'a> Objects<'a> {
    /// Fills the store's key template with the question's identifiers.
    pub(crate) fn new(
        client: &'a Client,
        place: &'a S3Objects,
        question: Question<'_>,
        page: usize,
    ) -> Result<Self, Fault> {
        Ok(Self {
            bucket: Bucket {
                client,
                name: &place.bucket,
            },
            targets: target::targets(&place.objects, question.identifiers)?,
            with_uploads: match question.right {
                Right::Deletion => true,
                Right::Access | Right::OptOut => false,
            },
            page: i32::try_from(page).unwrap_or(i32::MAX),
        })
    }

    /// Lists versions and delete markers, and for a deletion unfinished uploads, page by page.
    pub(crate) async fn locate(&self, from: Option<&Cursor>) -> Result<Found, Fault> {
        listing::locate(self, from).await
    }

    /// Reads one object or version; none when it is gone, or only a delete marker.
    pub(crate) async fn read(&self, locator: &Locator) -> Result<Option<Record>, Fault> {
        let place = self.place(locator)?;
        if !self.covers(place.key) || place.etag.is_none() {
            return Ok(None);
        }
        let sent = self
            .bucket
            .client
            .get_object()
            .bucket(self.bucket.name)
            .key(place.key)
            .set_version_id(place.version.map(str::to_owned))
            .send()
            .await;
        match sent {
            Ok(object) => {
                let media_type = object
                    .content_type()
                    .unwrap_or("application/octet-stream")
                    .to_owned();
                Ok(Some(Record::Object {
                    key: place.key.to_owned(),
                    version: place.version.map(str::to_owned),
                    media_type,
                    bytes: self.collect(object).await?,
                }))
            }
            Err(error) if errors::is_absent(&error) => Ok(None),
            Err(error) => Err(self.read_fault(&error)),
        }
    }

    /// Deletes one object or version, or aborts an upload.
    pub(crate) async fn erase(&self, locator: &Locator) -> Result<Effect, Fault> {
        let place = self.place(locator)?;
        if !self.covers(place.key) {
            return Ok(Effect::NotTheirs);
        }
        erase::erase(self, place).await
    }

    fn covers(&self, key: &str) -> bool {
        self.targets.iter().any(|target| target.covers(key))
    }

    fn place<'l>(&self, locator: &'l Locator) -> Result<Place<'l>, Fault> {
        match locator {
            Locator::Object {
                key,
                version,
                etag,
                upload,
            } => Ok(Place {
                key,
                version: version.as_deref(),
                etag: etag.as_deref(),
                upload: upload.as_deref(),
            }),
            Locator::Item { .. } => Err(Fault::reject(format!(
                "an item's locator for bucket {}",
                self.bucket.name
            ))),
        }
    }

    async fn collect(&self, object: GetObjectOutput) -> Result<Vec<u8>, Fault> {
        let announced = object
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > MAX_OBJECT_BYTES) {
            return Err(Fault::Block(BlockReason::TooLarge));
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or_default());
        let mut body = object.body;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| {
                Fault::retry(format!(
                    "s3 GetObject on {}: body broke off",
                    self.bucket.name
                ))
            })?;
            // An announced length is only a promise.
            if bytes.len().saturating_add(chunk.len()) > MAX_OBJECT_BYTES {
                return Err(Fault::Block(BlockReason::TooLarge));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn read_fault(&self, error: &SdkError<GetObjectError>) -> Fault {
        errors::s3("GetObject", self.bucket.name, error)
    }
}

/// An object's locator, taken apart.
#[derive(Clone, Copy)]
struct Place<'a> {
    key: &'a str,
    version: Option<&'a str>,
    /// None for a delete marker and for an upload.
    etag: Option<&'a str>,
    /// Of an unfinished upload.
    upload: Option<&'a str>,
}

/// The largest object read in one piece.
pub(crate) const MAX_OBJECT_BYTES: usize = 64 * 1024 * 1024;
