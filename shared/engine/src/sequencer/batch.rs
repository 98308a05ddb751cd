//! Steps 1 and 2: a bounded batch of the outbox, signed, without what the log has already.
//!
//! ECDSA signs differently every time, so an envelope is stored first-write-wins, and what is read
//! back is what is sequenced. Invariant: a leaf id that has a place in the log, or stands in the batch
//! already, is not in the batch.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::receipt::{Envelope, Statement, leaf_bytes, pae};
use quittance_tlog::{TlogProof, leaf_hash};

use super::keys::Keys;
use super::{Refused, Sequencer, digest, paths, receipt_of};
use crate::ledger::{
    Bookmark, Item, Key, Leaf, Listing, OutboxRow, Sequenced, Stored, Version, Write,
};

/// What goes into the log next.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) refused: Vec<Refused>,
    /// Where the outbox goes on.
    pub(super) next: Option<Bookmark>,
}

/// One entry of the log to be.
pub(super) struct Entry {
    pub(super) row: OutboxRow,
    /// The exact bytes of the log's entry.
    pub(super) leaf: Vec<u8>,
}

/// What became of an outbox row.
enum Looked {
    Fresh(Entry),
    /// In the log already, or elsewhere in the batch: what is left to write, the row's end included.
    Spent(Vec<Write>),
    Refused(Refused),
}

/// When an envelope was signed: what this run signed for the first time is not in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    Before,
    Now,
}

impl Sequencer {
    /// Reads and signs a batch. Rows that cannot be sequenced stay, and do not stop others.
    pub(super) async fn batch(&self, keys: &Keys, from: Option<&Bookmark>) -> Result<Batch, Fault> {
        let mut batch = Batch {
            entries: Vec::new(),
            refused: Vec::new(),
            next: from.cloned(),
        };
        let mut seen = BTreeSet::new();
        // Refused rows stay at the front of the outbox: look behind them, but not for ever; the next run
        // goes on from there.
        for _ in 0..PAGES {
            let room = self.config.batch.saturating_sub(batch.entries.len()).max(1);
            let page = self
                .ledger
                .list(&Listing::Outbox, batch.next.as_ref(), room)
                .await?;
            let rows = page
                .items
                .into_iter()
                .filter_map(|stored| match stored.item {
                    Item::Outbox(row) => {
                        let is_first = seen.insert(row.leaf);
                        Some((row, stored.version, is_first))
                    }
                    Item::Request(_)
                    | Item::Task(_)
                    | Item::Event(_)
                    | Item::Reference(_)
                    | Item::Token(_)
                    | Item::Subject(_)
                    | Item::Leaf(_)
                    | Item::Suppression(_)
                    | Item::Sweep(_)
                    | Item::Shard(_)
                    | Item::Waiting(_)
                    | Item::Exclusion(_)
                    | Item::Pause(_)
                    | Item::SweepVault(_)
                    | Item::Member(_)
                    | Item::Hold(_) => None,
                });
            let looks = rows
                .map(|(row, version, is_first)| self.look(keys, row, version, is_first).boxed())
                .collect();
            let looked = self.all(looks).await?;
            self.sort(looked, &mut batch).await?;
            batch.next = page.next;
            if batch.next.is_none() || batch.entries.len() >= self.config.batch {
                break;
            }
        }
        Ok(batch)
    }

    async fn sort(&self, looked: Vec<Looked>, batch: &mut Batch) -> Result<(), Fault> {
        for looked in looked {
            match looked {
                Looked::Fresh(entry) => batch.entries.push(entry),
                Looked::Refused(refused) => {
                    tracing::error!(leaf.id = %refused.leaf, fault = refused.why, "not sequenced");
                    batch.refused.push(refused);
                }
                Looked::Spent(writes) => match self.ledger.commit(&writes).await {
                    // On a conflict another sequencer did the same.
                    Ok(()) | Err(Fault::Conflict) => {}
                    Err(fault) => return Err(fault),
                },
            }
        }
        Ok(())
    }

    /// Decides about one row.
    async fn look(
        &self,
        keys: &Keys,
        row: OutboxRow,
        version: Version,
        is_first: bool,
    ) -> Result<Looked, Fault> {
        let end = Write::Delete(Key::Outbox(row.at, row.leaf), version);
        if !is_first {
            // The row before it stands until the leaf has its place.
            return Ok(Looked::Spent(vec![end]));
        }
        let refused = |why| {
            Ok(Looked::Refused(Refused {
                leaf: row.leaf,
                why,
            }))
        };
        // Read after the head: everything in the head's tree has its place by now, and whatever is
        // sequenced later moves the head, so that our swap fails.
        let stored = self.ledger.load(&Key::Leaf(row.leaf)).await?;
        let Some(Stored {
            item: Item::Leaf(leaf),
            version,
        }) = stored
        else {
            return refused("its leaf item is gone");
        };
        if leaf.sequenced.is_some() {
            return Ok(Looked::Spent(vec![end]));
        }
        if leaf.statement != row.statement {
            return refused("outbox row and leaf name different statements");
        }
        let (envelope, signed) = match self.envelope(keys, &row).await? {
            Ok(envelope) => envelope,
            Err(why) => return refused(why),
        };
        // By the present key, or by an earlier one: the envelope that was stored first is the one that
        // counts, and its entry is made with the key that signed it.
        let Some(key) = keys.signer_of(&envelope) else {
            return refused("its envelope is signed with a key not known here");
        };
        let Ok(bytes) = leaf_bytes(&envelope, key) else {
            return refused("its envelope is not what its key signed");
        };
        if signed == Signed::Before
            && let Some(receipt) = self.evidence.read(&paths::receipt(&row.leaf)).await?
        {
            // The ledger forgot the place: it was restored. The receipt remembers; the first one, unless
            // the key that signed its checkpoint was withdrawn.
            let sequenced = match place_in(&receipt, &bytes, keys) {
                Some(sequenced) => Some(sequenced),
                None => receipt_of(&*self.evidence, &row.leaf)
                    .await?
                    .and_then(|newest| place_in(&newest, &bytes, keys)),
            };
            let Some(sequenced) = sequenced else {
                return refused("it has a receipt that does not verify");
            };
            let leaf = Leaf {
                sequenced: Some(sequenced),
                ..leaf
            };
            return Ok(Looked::Spent(vec![
                Write::Replace(Item::Leaf(leaf), version),
                end,
            ]));
        }
        Ok(Looked::Fresh(Entry { row, leaf: bytes }))
    }

    /// Returns the one envelope of a statement, signing it if there is none.
    async fn envelope(
        &self,
        keys: &Keys,
        row: &OutboxRow,
    ) -> Result<Result<(Envelope, Signed), &'static str>, Fault> {
        let path = paths::envelope(&row.leaf);
        let (stored, signed) = if let Some(stored) = self.evidence.read(&path).await? {
            (stored, Signed::Before)
        } else {
            let statement = self
                .evidence
                .read(&paths::statement(&row.statement))
                .await?;
            let Some(statement) = statement else {
                return Ok(Err("its statement is gone"));
            };
            if let Err(why) = is_about(&statement, row) {
                return Ok(Err(why));
            }
            let signature = self.signer.sign_statement(&pae(&statement)).await?;
            let envelope = Envelope::assemble(&statement, &keys.statement, &signature)
                .and_then(|envelope| envelope.to_canonical_bytes());
            let Ok(envelope) = envelope else {
                return Ok(Err("its signature does not verify"));
            };
            // A crash before this leaves a signature that nobody ever sees.
            (self.evidence.keep(&path, &envelope).await?, Signed::Now)
        };
        let Ok(envelope) = Envelope::parse(&stored) else {
            return Ok(Err("its envelope is damaged"));
        };
        let Ok(opened) = envelope.opened() else {
            return Ok(Err("its envelope is damaged"));
        };
        Ok(is_about(&opened.payload, row).map(|()| (envelope, signed)))
    }
}

/// Reads a leaf's place from its receipt, after verifying that it is the leaf's.
fn place_in(receipt: &[u8], leaf: &[u8], keys: &Keys) -> Option<Sequenced> {
    let file: serde_json::Value = serde_json::from_slice(receipt).ok()?;
    let proof = TlogProof::parse(file.get("tlog_proof")?.as_str()?).ok()?;
    let hash = leaf_hash(leaf);
    proof.verify_inclusion(&hash).ok()?;
    let signed = keys.open(proof.checkpoint.to_string().as_bytes()).ok()?;
    let checkpoint = signed.checkpoint;
    Some(Sequenced {
        index: proof.index,
        leaf_hash: digest(hash),
        tree_size: checkpoint.size(),
        root: digest(checkpoint.root()),
    })
}

/// Whether these bytes are the statement that the row names, of the kind and request of its leaf.
fn is_about(statement: &[u8], row: &OutboxRow) -> Result<(), &'static str> {
    if Digest::of(statement) != row.statement {
        return Err("its statement has another digest");
    }
    let Ok(statement) = Statement::parse(statement) else {
        return Err("its statement cannot be read");
    };
    if statement.leaf() == Some(row.leaf) {
        Ok(())
    } else {
        Err("its statement is another leaf's")
    }
}

/// How many pages are read before a run contents itself with what it has.
const PAGES: u32 = 16;
