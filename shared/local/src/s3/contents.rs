//! Contents of objects and parts as immutable files, each named by chance and referred to by one row.
//!
//! Invariant: a content a row names is complete. A draft that is never kept removes itself.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures::StreamExt;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Result, s3_error};

use super::checksum::{Algorithm, Checksums, Hasher};

/// The folder of all contents.
#[derive(Clone)]
pub(super) struct Contents {
    dir: PathBuf,
}

impl Contents {
    pub(super) fn open(dir: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Writes a body to a new content while hashing it.
    pub(super) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        algorithm: Option<Algorithm>,
    ) -> S3Result<Draft> {
        let mut draft = Some(Draft::create(self, algorithm)?);
        let mut pending = Vec::new();
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                pending.extend_from_slice(
                    &chunk.map_err(|error| s3_error!(IncompleteBody, "{error}"))?,
                );
                if pending.len() >= WRITE_AT_BYTES {
                    draft = Some(append(draft.take(), std::mem::take(&mut pending)).await?);
                }
            }
        }
        append(draft, pending).await
    }

    /// Copies `range` of `content` to a new one.
    pub(super) async fn copy(
        &self,
        mut source: File,
        range: std::ops::Range<u64>,
        algorithm: Option<Algorithm>,
    ) -> S3Result<Draft> {
        let mut draft = Draft::create(self, algorithm)?;
        blocking(move || {
            source.seek(SeekFrom::Start(range.start))?;
            draft.append_from(&mut source.take(range.end.saturating_sub(range.start)))?;
            Ok(draft)
        })
        .await
    }

    /// Joins contents, in order, into a new one.
    pub(super) async fn join(
        &self,
        parts: Vec<String>,
        algorithm: Option<Algorithm>,
    ) -> S3Result<Draft> {
        let mut draft = Draft::create(self, algorithm)?;
        let contents = self.clone();
        blocking(move || {
            for part in parts {
                draft.append_from(&mut contents.file(&part)?)?;
            }
            Ok(draft)
        })
        .await
    }

    pub(super) fn file(&self, content: &str) -> std::io::Result<File> {
        File::open(self.path(content))
    }

    /// Removes a content; one that is already gone is fine.
    pub(super) fn remove(&self, content: &str) {
        if let Err(error) = std::fs::remove_file(self.path(content)) {
            tracing::debug!(%error, "a content was already gone");
        }
    }

    pub(super) fn remove_all_but(&self, named: &HashSet<String>) -> std::io::Result<()> {
        for file in std::fs::read_dir(&self.dir)? {
            let file = file?;
            if !file
                .file_name()
                .to_str()
                .is_some_and(|name| named.contains(name))
            {
                std::fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }

    fn path(&self, content: &str) -> PathBuf {
        self.dir.join(content)
    }
}

/// A content being written, removed again unless it is kept.
pub(super) struct Draft {
    contents: Contents,
    name: String,
    file: File,
    md5: Md5,
    hasher: Hasher,
    size: i64,
    kept: bool,
}

impl Draft {
    fn create(contents: &Contents, algorithm: Option<Algorithm>) -> S3Result<Self> {
        let name = HEXLOWER.encode(&random::<16>()?);
        let file = File::create_new(contents.path(&name)).map_err(S3Error::internal_error)?;
        let (md5, hasher) = (Md5::new(), Hasher::new(algorithm));
        Ok(Self {
            contents: contents.clone(),
            name,
            file,
            md5,
            hasher,
            size: 0,
            kept: false,
        })
    }

    /// Ends the writing: what is known of the content, and the draft that still owns it.
    pub(super) fn finish(mut self) -> (Written, Kept) {
        let md5 = std::mem::replace(&mut self.md5, Md5::new()).finalize();
        let checksums = std::mem::replace(&mut self.hasher, Hasher::new(None)).finish();
        let written = Written {
            content: self.name.clone(),
            size: self.size,
            md5,
            checksums,
        };
        (written, Kept(self))
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.md5.update(bytes);
        self.hasher.update(bytes);
        self.size = self
            .size
            .saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        Ok(())
    }

    fn append_from(&mut self, source: &mut impl Read) -> std::io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.append_bytes(buffer.get(..count).unwrap_or_default())?;
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            self.contents.remove(&self.name);
        }
    }
}

/// What is known of a content that was written.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) content: String,
    pub(super) size: i64,
    pub(super) md5: [u8; 16],
    pub(super) checksums: Checksums,
}

/// Removes the content when dropped, until a row names it.
pub(super) struct Kept(Draft);

impl Kept {
    /// A committed row names the content from now on.
    pub(super) fn keep(mut self) {
        self.0.kept = true;
    }
}

/// Streams `range` of an open content. The file stays readable although it may be removed meanwhile.
pub(super) fn stream(mut file: File, range: std::ops::Range<u64>) -> StreamingBlob {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(CHUNKS_AHEAD);
    let mut left = range.end.saturating_sub(range.start);
    drop(tokio::task::spawn_blocking(move || {
        let mut failure = file.seek(SeekFrom::Start(range.start)).err();
        while left > 0 && failure.is_none() {
            let mut chunk = vec![0; READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES))];
            left = left.saturating_sub(u64::try_from(chunk.len()).unwrap_or(left));
            match file.read_exact(&mut chunk) {
                // The reader went away: nobody is left to tell.
                Ok(()) if sender.blocking_send(Ok(chunk.into())).is_err() => return,
                Ok(()) => {}
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure
            && sender.blocking_send(Err(error)).is_err()
        {
            tracing::debug!("a reader went away before its failure was told");
        }
    }));
    StreamingBlob::wrap(futures::stream::poll_fn(move |context| {
        receiver.poll_recv(context)
    }))
}

/// Random bytes for names and version ids.
pub(super) fn random<const N: usize>() -> S3Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| s3_error!(InternalError, "no randomness: {error}"))?;
    Ok(bytes)
}

async fn append(draft: Option<Draft>, bytes: Vec<u8>) -> S3Result<Draft> {
    let mut draft = draft.ok_or_else(|| s3_error!(InternalError, "a draft was lost"))?;
    blocking(move || {
        draft.append_bytes(&bytes)?;
        Ok(draft)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> S3Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(S3Error::internal_error)?
        .map_err(S3Error::internal_error)
}

const WRITE_AT_BYTES: usize = 1024 * 1024;
const READ_BYTES: usize = 256 * 1024;
const CHUNKS_AHEAD: usize = 4;
