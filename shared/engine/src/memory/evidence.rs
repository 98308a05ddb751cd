//! Evidence in memory: first write wins, and nothing ever changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::fault::Fault;

use super::faults::Faults;
use super::{contract, locked};
use crate::ports::Evidence;

/// Immutable files by path.
#[derive(Clone, Debug)]
pub struct MemoryEvidence {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    faults: Faults,
}

impl MemoryEvidence {
    /// Builds an empty evidence store.
    pub fn new(faults: Faults) -> Self {
        Self {
            files: Arc::default(),
            faults,
        }
    }

    /// Returns everything there is, for checkers.
    pub fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        locked(&self.files).clone()
    }

    /// Changes a file behind the store's back, for negative controls.
    pub fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(bytes) = locked(&self.files).get_mut(path) {
            change(bytes);
        }
    }

    /// Removes a file behind the store's back, for negative controls.
    pub fn lose(&self, path: &str) {
        locked(&self.files).remove(path);
    }
}

#[async_trait]
impl Evidence for MemoryEvidence {
    async fn keep(&self, path: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        contract(
            !path.is_empty() && !path.starts_with('/'),
            "a relative path",
        );
        contract(!bytes.is_empty(), "empty evidence proves nothing");
        self.faults
            .call("evidence.keep", || {
                let mut files = locked(&self.files);
                Ok(files
                    .entry(path.to_owned())
                    .or_insert_with(|| bytes.to_vec())
                    .clone())
            })
            .await
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.faults
            .call("evidence.read", || {
                Ok(locked(&self.files).get(path).cloned())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_first_write_wins() {
        let evidence = MemoryEvidence::new(Faults::default());
        let keep = |bytes: &'static [u8]| evidence.keep("a", bytes).now_or_never().unwrap();
        assert_eq!(keep(b"one"), Ok(b"one".to_vec()));
        assert_eq!(keep(b"two"), Ok(b"one".to_vec()));
        assert_eq!(
            evidence.read("a").now_or_never().unwrap(),
            Ok(Some(b"one".to_vec()))
        );
        assert_eq!(evidence.read("b").now_or_never().unwrap(), Ok(None));
    }
}
