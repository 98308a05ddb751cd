//! What a witness cosigned last, a file for each log. A reader sees the old file or the new one, whole,
//! and the new one is on disk before anybody is told.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_engine::ports::WitnessMemory;

/// The files of one witness.
#[derive(Clone, Debug)]
pub(crate) struct WitnessFiles {
    dir: PathBuf,
}

impl WitnessFiles {
    /// Takes a directory that exists.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    fn place(&self, origin: &str) -> PathBuf {
        let name = format!("{}.checkpoint", Digest::of(origin.as_bytes()));
        self.dir.join(name)
    }

    fn read(&self, origin: &str) -> std::io::Result<Option<Vec<u8>>> {
        match fs::read(self.place(origin)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares and replaces, one process at a time: the lock goes with the file that is open.
    fn swap(&self, origin: &str, old: Option<&[u8]>, new: &[u8]) -> std::io::Result<bool> {
        let lock = File::create(self.dir.join("lock"))?;
        lock.lock()?;
        if self.read(origin)?.as_deref() != old {
            return Ok(false);
        }
        let place = self.place(origin);
        let draft = place.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(new)?;
        file.sync_all()?;
        fs::rename(&draft, &place)?;
        File::open(&self.dir)?.sync_all()?;
        Ok(true)
    }
}

#[async_trait]
impl WitnessMemory for WitnessFiles {
    async fn last(&self, origin: &str) -> Result<Option<Vec<u8>>, Fault> {
        let files = self.clone();
        let origin = origin.to_owned();
        on_disk(move || files.read(&origin)).await
    }

    async fn remember(&self, origin: &str, old: Option<&[u8]>, new: &[u8]) -> Result<(), Fault> {
        let files = self.clone();
        let (origin, old, new) = (origin.to_owned(), old.map(<[u8]>::to_vec), new.to_vec());
        let swapped = on_disk(move || files.swap(&origin, old.as_deref(), &new)).await?;
        if swapped {
            Ok(())
        } else {
            Err(Fault::Conflict)
        }
    }
}

/// Waits for the disk where nobody else waits for it.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| Fault::retry("the witness's memory: given up"))?;
    // The kind alone: the text may name the user's folders.
    done.map_err(|error| Fault::retry(format!("the witness's memory: {}", error.kind())))
}
