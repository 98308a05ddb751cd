//! Steps 5 to 8: making true, from the staging bundle, what the head promises.
//!
//! Everything here may have been done before, in part or in whole, by anybody, and may run beside
//! others who do the same or who are batches ahead: every write is put-if-absent, or guarded by
//! "absent or equal". Other bytes where ours must be halt the log.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;
use quittance_core::fault::Fault;
use quittance_core::id::{LeafId, RequestId};
use quittance_core::message::Message;
use quittance_core::receipt::{Envelope, ReceiptFile, leaf_bytes};
use quittance_tlog::{
    TlogProof, VerifierKey, inclusion_proof, inclusion_proof_paths, leaf_hash, verify_inclusion,
};

use super::cosign::exactly;
use super::keys::Keys;
use super::{Bundle, Placed, Refused, Sequencer, digest, paths};
use crate::ledger::{Item, Key, Leaf, Sequenced, Stored, Write};
use crate::ports::{Head, Kept};
use crate::reading;

impl Sequencer {
    /// Steps 5 to 8.
    pub(super) async fn apply(
        &self,
        keys: &Keys,
        head: &Head,
        bundle: &Bundle,
        published: Option<&[u8]>,
    ) -> Result<Vec<Refused>, Fault> {
        let tiles = bundle.tiles()?;
        self.put_tiles(&tiles).await?;
        // A crash here: the tiles are there and nobody is told.
        self.publish(keys, head, bundle.size, published).await?;
        // A crash here: the world may see the leaves; the ledger does not know their places yet.
        let places: Vec<_> = bundle
            .placed()
            .map(|(index, leaf)| (index, leaf.clone()))
            .collect();
        for chunk in places.chunks(LEAVES_PER_COMMIT) {
            self.record(bundle, chunk).await?;
            // A crash here: some leaves have their places; the others are still in the outbox, and
            // nothing is sequenced before this bundle was applied again.
        }
        self.keep_said(bundle, &places).await?;
        let refused = self
            .store_receipts(keys, head, bundle, tiles, &places)
            .await?;
        self.announce(bundle).await;
        Ok(refused)
    }

    /// Step 5: entry bundles and tiles.
    async fn put_tiles(&self, tiles: &BTreeMap<String, Vec<u8>>) -> Result<(), Fault> {
        let puts = tiles
            .iter()
            .map(|(path, bytes)| self.put(path, bytes).boxed())
            .collect();
        self.all(puts).await.map(|_: Vec<()>| ())
    }

    async fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Fault> {
        match self.tiles.keep(path, bytes).await? {
            Kept::Written | Kept::Same => Ok(()),
            Kept::Different => Err(Fault::reject(format!("log: halted: other bytes at {path}"))),
        }
    }

    /// Step 6: the head's own bytes become the published checkpoint, unless a later one is out.
    async fn publish(
        &self,
        keys: &Keys,
        head: &Head,
        size: u64,
        published: Option<&[u8]>,
    ) -> Result<(), Fault> {
        let is_behind = match published {
            Some(bytes) => keys.open(bytes)?.checkpoint.size() < size,
            None => true,
        };
        if is_behind {
            // On a conflict somebody else published since we looked: the run starts over.
            self.tiles.publish(published, &head.checkpoint).await?;
        }
        self.keep_checkpoint(size, &head.checkpoint).await
    }

    /// Keeps a copy of a checkpoint under its size.
    pub(super) async fn keep_checkpoint(&self, size: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.put(&paths::checkpoint_of(size), bytes).await
    }

    /// Step 7: each leaf's place, for ever, and the end of its outbox row, in one commit.
    async fn record(&self, bundle: &Bundle, chunk: &[(u64, Placed)]) -> Result<(), Fault> {
        let places = chunk
            .iter()
            .map(|(index, placed)| self.place(bundle, *index, placed).boxed())
            .collect();
        let writes: Vec<Write> = self.all(places).await?.into_iter().flatten().collect();
        if writes.is_empty() {
            return Ok(());
        }
        // On a conflict another sequencer records the same: the run starts over and finds it done.
        self.ledger.commit(&writes).await
    }

    async fn place(
        &self,
        bundle: &Bundle,
        index: u64,
        placed: &Placed,
    ) -> Result<Vec<Write>, Fault> {
        let sequenced = Sequenced {
            index,
            leaf_hash: placed.leaf_hash,
            tree_size: bundle.size,
            root: digest(bundle.root()),
        };
        let mut writes = Vec::new();
        let fresh = Leaf {
            id: placed.id,
            statement: placed.statement,
            sequenced: Some(sequenced.clone()),
        };
        match self.ledger.load(&Key::Leaf(placed.id)).await? {
            Some(Stored {
                item: Item::Leaf(leaf),
                version,
            }) => match leaf.sequenced {
                Some(there) if there == sequenced => {}
                Some(_) => {
                    return Err(Fault::reject(format!(
                        "log: halted: {} has another place already",
                        placed.id
                    )));
                }
                None => writes.push(Write::Replace(Item::Leaf(fresh), version)),
            },
            // A ledger that lost the item (a restore) must not let it be sequenced again.
            Some(_) | None => writes.push(Write::Create(Item::Leaf(fresh))),
        }
        let row = Key::Outbox(placed.at, placed.id);
        if let Some(stored) = self.ledger.load(&row).await? {
            writes.push(Write::Delete(row, stored.version));
        }
        Ok(writes)
    }

    /// Step 8: the receipt files, proven against the head's checkpoint.
    async fn store_receipts(
        &self,
        keys: &Keys,
        head: &Head,
        bundle: &Bundle,
        tiles: BTreeMap<String, Vec<u8>>,
        places: &[(u64, Placed)],
    ) -> Result<Vec<Refused>, Fault> {
        // Signed by the present key, or by an earlier one, if the keys were changed since the swap.
        let signed = keys.open(&head.checkpoint)?;
        let lost = || Fault::reject("log: halted: the head's checkpoint lost its line");
        let note = exactly(&signed.note, &signed.log, &[]).ok_or_else(lost)?;
        let mut wanted = BTreeSet::new();
        for (index, _) in places {
            let paths = inclusion_proof_paths(bundle.size, *index)
                .map_err(|error| Fault::reject(format!("log: halted: {error}")))?;
            wanted.extend(paths.into_iter().filter(|path| !tiles.contains_key(path)));
        }
        let tiles = (tiles, self.read_tiles(wanted).await?);
        let mut work = Vec::new();
        for (index, placed) in places {
            let path = inclusion_proof(bundle.size, *index, &tiles)
                .map_err(|error| Fault::reject(format!("log: halted: {error}")))?;
            let proof = TlogProof {
                extra: None,
                index: *index,
                path,
                checkpoint: note.clone(),
            };
            let stored = self.store_receipt(keys, &signed.log, bundle, placed, proof);
            work.push(stored.boxed());
        }
        Ok(self.all(work).await?.into_iter().flatten().collect())
    }

    async fn store_receipt(
        &self,
        keys: &Keys,
        log: &VerifierKey,
        bundle: &Bundle,
        placed: &Placed,
        proof: TlogProof,
    ) -> Result<Option<Refused>, Fault> {
        let halted = |why: &str| Fault::reject(format!("log: halted: {}: {why}", placed.id));
        let stored = self.evidence.read(&paths::envelope(&placed.id)).await?;
        let envelope = stored.and_then(|bytes| Envelope::parse(&bytes).ok());
        let envelope = envelope.ok_or_else(|| halted("its envelope is gone or damaged"))?;
        let signer = keys.signer_of(&envelope);
        let signer = signer.ok_or_else(|| halted("it was signed with a key not known here"))?;
        let leaf = leaf_bytes(&envelope, signer)
            .map_err(|_| halted("its envelope is not what its key signed"))?;
        let hash = leaf_hash(&leaf);
        if digest(hash) != placed.leaf_hash {
            return Err(halted("its envelope is not what was sequenced"));
        }
        // Tiles are believed while a proof is made; the receipt leaves the house only if it holds.
        verify_inclusion(&hash, proof.index, bundle.size, &proof.path, &bundle.root())
            .map_err(|error| halted(&error.to_string()))?;
        let Ok(file) = ReceiptFile::build(&envelope, signer, log, &[], &proof) else {
            // The statement contradicts itself; it is in the log, and others must go on.
            tracing::error!(leaf.id = %placed.id, "sequenced, but its receipt does not verify");
            return Ok(Some(Refused {
                leaf: placed.id,
                why: "its receipt does not verify",
            }));
        };
        self.evidence
            .keep(&paths::receipt(&placed.id), &file)
            .await?;
        if let LeafId::Manifest(day) = placed.id {
            // Public from the start: whoever audits needs nothing but the log's own files.
            self.put(&paths::manifest(day), &file).await?;
        }
        Ok(None)
    }

    /// Wakes the requests. Lost calls are made up for by the clock, so a failure stops nothing.
    async fn announce(&self, bundle: &Bundle) {
        let leaves = bundle.leaves.iter();
        let ids: BTreeSet<_> = leaves.filter_map(|leaf| leaf.id.request()).collect();
        let calls = ids.into_iter().map(|id| self.wake(id).boxed()).collect();
        // Each piece answers for itself: there is no fault to pass on.
        drop(self.all(calls).await);
    }

    async fn wake(&self, id: RequestId) -> Result<(), Fault> {
        let woken = match reading::request(&*self.ledger, id).await {
            Ok(Some((request, _))) => {
                self.queues
                    .send(request.right, &Message::Request { id }, 0)
                    .await
            }
            Ok(None) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = woken {
            tracing::warn!(request.id = %id, fault = %fault, "not told of its leaf");
        }
        Ok(())
    }
}

/// A leaf and its outbox row, twice fifty of them in one commit.
const LEAVES_PER_COMMIT: usize = crate::ledger::MAX_WRITES / 2;
