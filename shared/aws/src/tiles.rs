//! The log's public files, on S3, labelled as C2SP `tlog-tiles` asks.
//!
//! Tiles, entry bundles and staging bundles never change; the checkpoint is swapped under the `ETag`
//! of what was read. Which checkpoint is true is decided by [`crate::head_lock`], not here.

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_engine::ports::{Kept, TileStore};

use crate::objects::{Bucket, Label, Put};

/// The log bucket.
#[derive(Clone, Debug)]
pub struct S3Tiles {
    bucket: Bucket,
}

impl S3Tiles {
    /// Builds the tile store over a bucket.
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>) -> Self {
        Self {
            bucket: Bucket::new(client, bucket),
        }
    }
}

#[async_trait]
impl TileStore for S3Tiles {
    async fn keep(&self, path: &str, bytes: &[u8]) -> Result<Kept, Fault> {
        if path == CHECKPOINT {
            return Err(Fault::reject("the checkpoint is published, not kept"));
        }
        match self
            .bucket
            .put_new(path, bytes.to_vec(), label(path))
            .await?
        {
            Put::Written => Ok(Kept::Written),
            Put::Refused => match self.bucket.read(path).await? {
                Some(there) if there.bytes == bytes => Ok(Kept::Same),
                Some(_) => Ok(Kept::Different),
                None => Err(Fault::retry(
                    "tiles: taken when written, absent when read back",
                )),
            },
        }
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.bucket.read(path).await?.map(|object| object.bytes))
    }

    async fn publish(&self, old: Option<&[u8]>, checkpoint: &[u8]) -> Result<(), Fault> {
        let there = self.bucket.read(CHECKPOINT).await?;
        let bytes = checkpoint.to_vec();
        let label = label(CHECKPOINT);
        let put = match (old, &there) {
            (None, None) => self.bucket.put_new(CHECKPOINT, bytes, label).await?,
            (Some(old), Some(there)) if there.bytes == old => {
                self.bucket
                    .put_over(CHECKPOINT, &there.etag, bytes, label)
                    .await?
            }
            (None | Some(_), None | Some(_)) => Put::Refused,
        };
        match put {
            Put::Written => Ok(()),
            // Our own put, repeated after a lost answer, or another sequencer's with the same head.
            Put::Refused if self.read(CHECKPOINT).await?.as_deref() == Some(checkpoint) => Ok(()),
            Put::Refused => Err(Fault::Conflict),
        }
    }

    async fn discard(&self, path: &str) -> Result<(), Fault> {
        if !path.starts_with(STAGING) {
            return Err(Fault::reject("only staging bundles are discarded"));
        }
        self.bucket.delete(path).await
    }
}

fn label(path: &str) -> Label {
    if path == CHECKPOINT {
        // The checkpoint moves: whoever caches it sees an old tree.
        Label {
            media_type: "text/plain; charset=utf-8",
            cache: Some("no-cache"),
        }
    } else if path.starts_with(STAGING) {
        Label {
            media_type: "application/octet-stream",
            cache: Some("no-store"),
        }
    } else if path.starts_with("checkpoints/") {
        Label {
            media_type: "text/plain; charset=utf-8",
            cache: Some(FOR_EVER),
        }
    } else if path.starts_with("manifests/") {
        Label {
            media_type: "application/vnd.quittance.receipt+json",
            cache: Some(FOR_EVER),
        }
    } else {
        Label {
            media_type: "application/octet-stream",
            cache: Some(FOR_EVER),
        }
    }
}

const CHECKPOINT: &str = "checkpoint";
const STAGING: &str = "staging/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_changes_is_cached() {
        assert_eq!(label("tile/0/000").cache, Some(FOR_EVER));
        assert_eq!(label("tile/entries/000.p/3").cache, Some(FOR_EVER));
        assert_eq!(label("checkpoint").cache, Some("no-cache"));
        assert_eq!(label("checkpoint").media_type, "text/plain; charset=utf-8");
        assert_eq!(label("staging/3-ab").cache, Some("no-store"));
    }
}
