//! What a witness is made of, in memory: a key from a seed, and a memory that a crash leaves whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_tlog::{Checkpoint, Ed25519Signer, KeyKind, Note, NoteError};

use super::faults::Faults;
use super::{contract, locked};
use crate::ports::{Cosigner, WitnessMemory};

/// A witness's key from a seed. Worthless as a key: whoever reads the test has it.
#[derive(Clone)]
pub struct MemoryCosigner {
    signer: Arc<Ed25519Signer>,
    vkey: String,
    faults: Faults,
}

impl MemoryCosigner {
    /// Makes the key of a witness of this name.
    ///
    /// # Errors
    /// [`NoteError`] when the name cannot be a key's.
    pub fn new(name: &str, seed: u8, faults: Faults) -> Result<Self, NoteError> {
        let signer = Ed25519Signer::from_seed(name, KeyKind::CosignatureV1, &[seed; 32])?;
        Ok(Self {
            vkey: signer.verifier().to_string(),
            signer: Arc::new(signer),
            faults,
        })
    }
}

impl fmt::Debug for MemoryCosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCosigner")
            .field("vkey", &self.vkey)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Cosigner for MemoryCosigner {
    fn vkey(&self) -> &str {
        &self.vkey
    }

    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        contract(
            bytes.starts_with(b"cosignature/v1\ntime "),
            "a witness signs cosignatures only",
        );
        self.faults
            .call("cosigner.sign", || Ok(self.signer.sign_raw(bytes).to_vec()))
            .await
    }
}

/// What a witness cosigned last.
#[derive(Clone, Debug, Default)]
pub struct MemoryOfWitness {
    logs: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    faults: Faults,
}

impl MemoryOfWitness {
    /// Makes an empty memory.
    pub fn new(faults: Faults) -> Self {
        Self {
            logs: Arc::default(),
            faults,
        }
    }

    /// Puts bytes there, as somebody might who may write the table.
    pub fn overwrite(&self, origin: &str, bytes: &[u8]) {
        locked(&self.logs).insert(origin.to_owned(), bytes.to_vec());
    }
}

#[async_trait]
impl WitnessMemory for MemoryOfWitness {
    async fn last(&self, origin: &str) -> Result<Option<Vec<u8>>, Fault> {
        let read = || Ok(locked(&self.logs).get(origin).cloned());
        self.faults.call("memory.last", read).await
    }

    async fn remember(&self, origin: &str, old: Option<&[u8]>, new: &[u8]) -> Result<(), Fault> {
        let size = |bytes: &[u8]| {
            let note = Note::parse(bytes).ok()?;
            let checkpoint = Checkpoint::parse(note.text()).ok()?;
            (checkpoint.origin() == origin).then(|| checkpoint.size())
        };
        contract(
            size(new).is_some(),
            "what is remembered is this log's checkpoint",
        );
        contract(
            old.is_none_or(|old| size(old) < size(new)),
            "what a witness remembers only grows",
        );
        self.faults
            .call("memory.remember", || {
                let mut logs = locked(&self.logs);
                if logs.get(origin).map(Vec::as_slice) != old {
                    return Err(Fault::Conflict);
                }
                logs.insert(origin.to_owned(), new.to_vec());
                Ok(())
            })
            .await
    }
}
