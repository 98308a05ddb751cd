//! Evidence, on S3: statements, envelopes and receipts. First write wins; nothing is ever deleted
//! here, and the bucket may be locked.

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_engine::ports::Evidence;

use crate::objects::{Bucket, Label, Put};

/// The evidence bucket.
#[derive(Clone, Debug)]
pub struct S3Evidence {
    bucket: Bucket,
}

impl S3Evidence {
    /// Builds the evidence over a bucket.
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>) -> Self {
        Self {
            bucket: Bucket::new(client, bucket),
        }
    }
}

#[async_trait]
impl Evidence for S3Evidence {
    async fn keep(&self, path: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        match self.bucket.put_new(path, bytes.to_vec(), LABEL).await? {
            Put::Written => Ok(bytes.to_vec()),
            Put::Refused => {
                let there = self.bucket.read(path).await?;
                there.map(|object| object.bytes).ok_or_else(|| {
                    Fault::retry("evidence: taken when written, absent when read back")
                })
            }
        }
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.bucket.read(path).await?.map(|object| object.bytes))
    }
}

const LABEL: Label = Label {
    media_type: "application/json",
    cache: None,
};
