//! The log's files and its head in memory, asserting the commit protocol on their caller.
//!
//! What must hold of log, ledger and evidence together after every single step is checked by
//! [`check_log`]. Port calls on files have names by what is written (`tiles.keep.hashes`), so that a
//! fault can be aimed.

mod check;
mod stamps;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::fault::Fault;

use super::faults::Faults;
use super::{contract, locked};
use crate::ports::{Head, HeadLock, Kept, TileStore};
use crate::sequencer::paths;

pub use self::check::{LogWorld, check_log};

/// The log's public files and staging bundles.
#[derive(Clone, Debug)]
pub struct MemoryTiles {
    state: Arc<Mutex<Files>>,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Files {
    by_path: BTreeMap<String, Vec<u8>>,
    refused: u64,
}

impl MemoryTiles {
    /// Builds an empty store.
    pub fn new(faults: Faults) -> Self {
        Self {
            state: Arc::default(),
            faults,
        }
    }

    /// Returns everything there is, for checkers.
    pub fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        locked(&self.state).by_path.clone()
    }

    /// How often somebody tried to give an immutable file other bytes.
    pub fn refused(&self) -> u64 {
        locked(&self.state).refused
    }

    /// Puts a file behind the store's back (none: removes it), for negative controls.
    pub fn tamper(&self, path: &str, bytes: Option<Vec<u8>>) {
        let files = &mut locked(&self.state).by_path;
        match bytes {
            Some(bytes) => files.insert(path.to_owned(), bytes),
            None => files.remove(path),
        };
    }
}

#[async_trait]
impl TileStore for MemoryTiles {
    async fn keep(&self, path: &str, bytes: &[u8]) -> Result<Kept, Fault> {
        contract(!bytes.is_empty(), "an empty file in the log");
        contract(path != CHECKPOINT, "the checkpoint is published, not kept");
        let name = name_of_keep(path);
        contract(name.is_some(), "a file that is no part of a log");
        self.faults
            .call(name.unwrap_or("tiles.keep"), || {
                let mut files = locked(&self.state);
                match files.by_path.get(path) {
                    Some(there) if there == bytes => return Ok(Kept::Same),
                    Some(_) => {
                        files.refused += 1;
                        return Ok(Kept::Different);
                    }
                    None => {}
                }
                files.by_path.insert(path.to_owned(), bytes.to_vec());
                Ok(Kept::Written)
            })
            .await
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.faults
            .call("tiles.read", || {
                Ok(locked(&self.state).by_path.get(path).cloned())
            })
            .await
    }

    async fn publish(&self, old: Option<&[u8]>, checkpoint: &[u8]) -> Result<(), Fault> {
        let size = size_of(checkpoint);
        contract(size.is_some(), "only checkpoints are published");
        // Lines of witnesses may be added to what is published; nothing else at the same size.
        contract(
            old.is_none_or(|old| size_of(old) < size || checkpoint.starts_with(old)),
            "a published log only grows",
        );
        self.faults
            .call("tiles.publish", || {
                let files = &mut locked(&self.state).by_path;
                if files.get(CHECKPOINT).map(Vec::as_slice) != old {
                    return Err(Fault::Conflict);
                }
                files.insert(CHECKPOINT.to_owned(), checkpoint.to_vec());
                Ok(())
            })
            .await
    }

    async fn discard(&self, path: &str) -> Result<(), Fault> {
        contract(
            path.starts_with(STAGING),
            "only staging bundles are discarded",
        );
        self.faults
            .call("tiles.discard", || {
                locked(&self.state).by_path.remove(path);
                Ok(())
            })
            .await
    }
}

/// The log's head.
#[derive(Clone, Debug)]
pub struct MemoryHead {
    head: Arc<Mutex<Option<Head>>>,
    faults: Faults,
}

impl MemoryHead {
    /// Builds the lock of a log that is not born.
    pub fn new(faults: Faults) -> Self {
        Self {
            head: Arc::default(),
            faults,
        }
    }

    /// Returns the head, for checkers.
    pub fn current(&self) -> Option<Head> {
        locked(&self.head).clone()
    }

    /// Puts another head behind the lock's back, as a restored table does.
    pub fn restore(&self, head: Option<Head>) {
        *locked(&self.head) = head;
    }
}

#[async_trait]
impl HeadLock for MemoryHead {
    async fn read(&self) -> Result<Option<Head>, Fault> {
        self.faults.call("head.read", || Ok(self.current())).await
    }

    async fn swap(&self, old: Option<&Head>, new: &Head) -> Result<(), Fault> {
        let size = size_of(&new.checkpoint);
        contract(size.is_some(), "a head is a checkpoint");
        contract(
            old.is_none_or(|old| size_of(&old.checkpoint) < size),
            "a head only grows",
        );
        contract(
            new.staging.is_some() || old.is_none(),
            "a head names what it added",
        );
        self.faults
            .call("head.swap", || {
                let mut head = locked(&self.head);
                if head.as_ref() != old {
                    return Err(Fault::Conflict);
                }
                *head = Some(new.clone());
                Ok(())
            })
            .await
    }
}

fn name_of_keep(path: &str) -> Option<&'static str> {
    if path.starts_with(STAGING) {
        Some("tiles.keep.staging")
    } else if path.starts_with("tile/entries/") {
        Some("tiles.keep.entries")
    } else if path.starts_with("tile/") {
        Some("tiles.keep.hashes")
    } else if path.starts_with(CHECKPOINTS) {
        Some("tiles.keep.checkpoint")
    } else if path.starts_with(paths::MANIFESTS) {
        Some("tiles.keep.manifest")
    } else {
        None
    }
}

/// Reads the size line of a checkpoint.
fn size_of(checkpoint: &[u8]) -> Option<u64> {
    str::from_utf8(checkpoint)
        .ok()?
        .lines()
        .nth(1)?
        .parse()
        .ok()
}

const CHECKPOINT: &str = "checkpoint";
const CHECKPOINTS: &str = "checkpoints/";
const STAGING: &str = "staging/";

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    #[test]
    fn an_immutable_file_keeps_its_bytes_and_the_attempt_is_counted() {
        let tiles = MemoryTiles::new(Faults::default());
        assert_eq!(now(tiles.keep("tile/0/000.p/1", b"a")), Ok(Kept::Written));
        assert_eq!(now(tiles.keep("tile/0/000.p/1", b"a")), Ok(Kept::Same));
        assert_eq!(tiles.refused(), 0);
        assert_eq!(now(tiles.keep("tile/0/000.p/1", b"b")), Ok(Kept::Different));
        assert_eq!(tiles.refused(), 1);
        assert_eq!(now(tiles.read("tile/0/000.p/1")), Ok(Some(b"a".to_vec())));
    }

    #[test]
    fn publishing_and_swapping_need_what_was_read() {
        let tiles = MemoryTiles::new(Faults::default());
        let (one, two) = (b"log\n1\nx\n".as_slice(), b"log\n2\ny\n".as_slice());
        assert_eq!(now(tiles.publish(Some(one), two)), Err(Fault::Conflict));
        assert_eq!(now(tiles.publish(None, one)), Ok(()));
        assert_eq!(now(tiles.publish(None, two)), Err(Fault::Conflict));
        assert_eq!(now(tiles.publish(Some(one), two)), Ok(()));
        let lock = MemoryHead::new(Faults::default());
        let head = |bytes: &[u8], staging: Option<&str>| Head {
            checkpoint: bytes.to_vec(),
            staging: staging.map(str::to_owned),
        };
        let (born, grown) = (head(one, None), head(two, Some("staging/2-a")));
        assert_eq!(now(lock.swap(Some(&born), &grown)), Err(Fault::Conflict));
        assert_eq!(now(lock.swap(None, &born)), Ok(()));
        assert_eq!(now(lock.swap(None, &born)), Err(Fault::Conflict));
        assert_eq!(now(lock.swap(Some(&born), &grown)), Ok(()));
        assert_eq!(now(lock.read()), Ok(Some(grown)));
    }

    #[test]
    #[should_panic(expected = "a published log only grows")]
    fn a_published_log_never_shrinks() {
        let tiles = MemoryTiles::new(Faults::default());
        drop(now(tiles.publish(Some(b"log\n2\ny\n"), b"log\n1\nx\n")));
    }

    #[test]
    #[should_panic(expected = "only staging bundles are discarded")]
    fn a_tile_is_never_discarded() {
        drop(now(
            MemoryTiles::new(Faults::default()).discard("tile/0/000.p/1")
        ));
    }

    #[test]
    #[should_panic(expected = "an empty file in the log")]
    fn nothing_empty_is_stored() {
        drop(now(
            MemoryTiles::new(Faults::default()).keep("tile/0/000.p/1", b"")
        ));
    }

    #[test]
    #[should_panic(expected = "a head only grows")]
    fn a_head_never_shrinks() {
        let head = |size: u8| Head {
            checkpoint: format!("log\n{size}\nx\n").into_bytes(),
            staging: Some("staging/x".to_owned()),
        };
        drop(now(
            MemoryHead::new(Faults::default()).swap(Some(&head(2)), &head(2))
        ));
    }
}
