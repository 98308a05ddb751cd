//! The sequencer: signs statements and appends them to the transparency log, once each.
//!
//! The order of writes is Sunlight's, numbered here as in `docs/adr/0006-log-commit-protocol.md`:
//! load, integrate, stage, sign, **swap the head**, apply, publish, record, discard. The swap is the
//! only commit point. What follows it is always done from the staging bundle as it was stored, by
//! whoever comes first: the recovery path is the normal path. Any number of sequencers may run, be
//! frozen or die anywhere. What a leaf is, is in `docs/adr/0007-what-a-leaf-contains.md`.

pub mod account;
mod apply;
mod batch;
mod bundle;
pub mod cosign;
mod keys;
mod known;
pub mod paths;
mod prove;
pub mod renew;
pub mod stamp;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, try_join_all};
use jiff::Timestamp;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_tlog::tile::TilePath;
use quittance_tlog::{
    Checkpoint, Hash, Note, RightEdge, VerifierKey, cosigned_message, integrate, right_edge_paths,
};

use self::batch::Entry;
use self::keys::Keys;
use crate::ledger::Bookmark;
use crate::ports::{Clock, Evidence, Head, HeadLock, Kept, Ledger, Queues, Signer, TileStore};

pub use self::bundle::{Bundle, Placed};
pub use self::keys::EarlierKeys;
pub use self::known::Known;
pub use self::renew::{receipt_named, receipt_of};

/// The receipts function's use-case, with the ports it may use.
#[derive(Clone, Debug)]
pub struct Sequencer {
    /// Outbox rows and leaves.
    pub ledger: Arc<dyn Ledger>,
    /// Statements, envelopes and receipts.
    pub evidence: Arc<dyn Evidence>,
    /// The log's files.
    pub tiles: Arc<dyn TileStore>,
    /// The log's head.
    pub head: Arc<dyn HeadLock>,
    /// The two keys.
    pub signer: Arc<dyn Signer>,
    /// Wakes the requests whose leaves were sequenced.
    pub queues: Arc<dyn Queues>,
    /// What is configured.
    pub config: Config,
    /// What this process has seen done; empty when it starts.
    pub known: Arc<Known>,
}

/// What is configured about the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The log's name. It must be the name in the signer's key, so that a mistyped one forks nothing.
    pub origin: String,
    /// Keys that no longer sign, and whose work is good.
    pub earlier: EarlierKeys,
    /// Most leaves in one batch; [`BATCH`] by default.
    pub batch: usize,
    /// How many port calls about one batch are under way at a time; [`AT_ONCE`] by default.
    pub at_once: usize,
}

impl Config {
    /// Configures a log by its name.
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            earlier: EarlierKeys::default(),
            batch: BATCH,
            at_once: AT_ONCE,
        }
    }
}

/// What one run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many leaves this run committed.
    pub sequenced: u64,
    /// How many leaves the log has.
    pub size: u64,
    /// Where in the outbox to go on, if there was more than one batch holds.
    pub next: Option<Bookmark>,
    /// Statements that cannot go on as they are. Nothing is lost: they stay where they are, and
    /// others go on; but somebody must look.
    pub refused: Vec<Refused>,
}

/// A statement that cannot go on, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub leaf: LeafId,
    /// Why.
    pub why: &'static str,
}

/// A piece of work about one leaf or file. Boxed, because the compiler cannot tell that closures
/// over borrowed futures are `Send`.
type Piece<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// The log as its head describes it, with everything the head promises in place.
struct Tree {
    head: Head,
    size: u64,
    root: Hash,
    refused: Vec<Refused>,
}

impl Sequencer {
    /// Goes through the outbox once, batch by batch, or until the time is out. Rows that are refused are
    /// passed over, so that those behind them get their turn, and are not looked at twice.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub async fn run_through(
        &self,
        clock: &dyn Clock,
        until: Timestamp,
    ) -> Result<Progress, Fault> {
        let mut all = Progress::default();
        loop {
            let progress = self.run_from(all.next.take()).await?;
            all.sequenced += progress.sequenced;
            all.size = progress.size;
            all.next = progress.next;
            all.refused.extend(progress.refused);
            // The bookmark only moves forwards, so this ends even if nothing can be sequenced.
            if all.next.is_none() || clock.now() >= until {
                return Ok(all);
            }
        }
    }

    /// Appends one batch of the outbox to the log, after finishing whatever was left unfinished.
    ///
    /// # Errors
    /// `Fault::Reject` when the log must not go on before somebody has looked: the detail says why.
    /// `Fault::Retry` when a port failed, or other sequencers were faster too often.
    pub async fn run(&self) -> Result<Progress, Fault> {
        self.run_from(None).await
    }

    async fn run_from(&self, from: Option<Bookmark>) -> Result<Progress, Fault> {
        for _ in 0..ATTEMPTS {
            match self.pass(from.as_ref()).await {
                // Another sequencer was faster: nothing in memory is worth keeping. To step 0.
                Err(Fault::Conflict) => {}
                done => return done,
            }
        }
        Err(Fault::retry("log: other sequencers were faster"))
    }

    /// Gives birth to the log: an empty tree, signed and published. Once in a log's life.
    ///
    /// # Errors
    /// `Fault::Reject` when there is a head or a published checkpoint already.
    pub async fn create(&self) -> Result<(), Fault> {
        let keys = Keys::of(&*self.signer, &self.config)?;
        if self.head.read().await?.is_some() {
            return Err(Fault::reject("log: it exists already"));
        }
        if self.tiles.read(paths::CHECKPOINT).await?.is_some() {
            return Err(Fault::reject(
                "log: a checkpoint is published, but there is no head: restore the head's table",
            ));
        }
        let checkpoint = self.sign(&keys, 0, Hash::EMPTY_ROOT).await?;
        let born = self
            .head
            .swap(
                None,
                &Head {
                    checkpoint,
                    staging: None,
                },
            )
            .await;
        match born {
            Err(Fault::Conflict) => return Err(Fault::reject("log: it exists already")),
            other => other?,
        }
        // The log is born; a crash from here on is repaired by the first run.
        self.settle(&keys).await.map(|_| ())
    }

    /// Steps 0 to 9, once.
    async fn pass(&self, from: Option<&Bookmark>) -> Result<Progress, Fault> {
        let keys = Keys::of(&*self.signer, &self.config)?;
        let tree = self.settle(&keys).await?;
        let batch = self.batch(&keys, from).await?;
        let mut progress = Progress {
            sequenced: 0,
            size: tree.size,
            next: batch.next,
            refused: tree.refused.iter().cloned().chain(batch.refused).collect(),
        };
        if batch.entries.is_empty() {
            return Ok(progress);
        }
        let bundle = self.integrate(&tree, &batch.entries).await?;
        let staging = self.stage(&bundle).await?;
        self.swap(&keys, &tree.head, &bundle, staging).await?;
        // The batch is committed. From here on we know no more than any other sequencer: what
        // follows is done from what the head names, as it would be after a crash.
        let tree = self.settle(&keys).await?;
        progress.sequenced = bundle.added();
        progress.size = tree.size;
        progress.refused.extend(tree.refused);
        Ok(progress)
    }

    /// Step 0: reads the head, compares it with what is published, and finishes what it promises.
    async fn settle(&self, keys: &Keys) -> Result<Tree, Fault> {
        let head = self.head.read().await?;
        let head = head.ok_or_else(|| Fault::reject("log: it does not exist; create it first"))?;
        let checkpoint = keys.open(&head.checkpoint)?.checkpoint;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        // The bundle before the checkpoint: whoever discards a bundle has published before, so
        // that a bundle gone together with an older checkpoint cannot be a race.
        let staged = match &head.staging {
            Some(path) => self.tiles.read(path).await?,
            None => None,
        };
        let published = self.tiles.read(paths::CHECKPOINT).await?;
        self.compare(
            keys,
            &head,
            &checkpoint,
            published.as_deref(),
            staged.is_some(),
        )
        .await?;
        let refused = match (&head.staging, staged) {
            (Some(path), Some(bytes)) => {
                let bundle = Bundle::parse(path, &bytes, size, &digest(root))?;
                let refused = self
                    .apply(keys, &head, &bundle, published.as_deref())
                    .await?;
                // Step 9. Everything the bundle was for is done, whoever did it.
                self.tiles.discard(path).await?;
                refused
            }
            (None, _) if published.is_none() => {
                self.keep_checkpoint(size, &head.checkpoint).await?;
                self.tiles.publish(None, &head.checkpoint).await?;
                Vec::new()
            }
            (None | Some(_), _) => Vec::new(),
        };
        Ok(Tree {
            head,
            size,
            root,
            refused,
        })
    }

    /// Halts when head and published checkpoint cannot both be true.
    async fn compare(
        &self,
        keys: &Keys,
        head: &Head,
        ours: &Checkpoint,
        published: Option<&[u8]>,
        has_bundle: bool,
    ) -> Result<(), Fault> {
        let Some(published) = published else {
            let is_birth = ours.size() == 0 && head.staging.is_none();
            return if is_birth || has_bundle {
                Ok(())
            } else {
                Err(Fault::reject("log: the published checkpoint is gone"))
            };
        };
        let published = keys.open(published)?.checkpoint;
        if published.size() == ours.size() && published.root() != ours.root() {
            return Err(Fault::reject(format!(
                "log: halted: head and published checkpoint have size {} and different roots",
                ours.size()
            )));
        }
        if published.size() > ours.size() {
            // Published after we read the head? Then the head has moved, too.
            if self.head.read().await?.as_ref() != Some(head) {
                return Err(Fault::Conflict);
            }
            return Err(Fault::reject(format!(
                "log: halted: published up to {}, but the head says {}: its table was restored",
                published.size(),
                ours.size()
            )));
        }
        if published.size() < ours.size() && !has_bundle {
            return Err(Fault::reject(format!(
                "log: halted: the head says {}, published is {}, and the staging bundle is gone",
                ours.size(),
                published.size()
            )));
        }
        Ok(())
    }

    /// Steps 1 and 2: verifies the right edge and computes indices, tiles and root.
    async fn integrate(&self, tree: &Tree, entries: &[Entry]) -> Result<Bundle, Fault> {
        let tiles = self.read_tiles(right_edge_paths(tree.size)).await?;
        let edge = RightEdge::verify(tree.size, &tree.root, &tiles)
            .map_err(|error| Fault::reject(format!("log: halted: right edge: {error}")))?;
        let leaves: Vec<&[u8]> = entries.iter().map(|entry| entry.leaf.as_slice()).collect();
        let grown = integrate(&edge, &leaves)
            .map_err(|error| Fault::reject(format!("log: halted: {error}")))?;
        Ok(Bundle::build(tree.size, &grown, entries))
    }

    /// Step 3: stores everything the batch adds under a name that says what it makes of the log.
    async fn stage(&self, bundle: &Bundle) -> Result<String, Fault> {
        let path = bundle.path();
        match self.tiles.keep(&path, &bundle.to_bytes()?).await? {
            Kept::Written | Kept::Same => Ok(path),
            Kept::Different => Err(Fault::reject(format!("log: halted: other bytes at {path}"))),
        }
        // A crash here leaves a bundle that no head names: it is swept later.
    }

    /// Step 4: signs the checkpoint and swaps the head: the only commit point.
    async fn swap(
        &self,
        keys: &Keys,
        old: &Head,
        bundle: &Bundle,
        staging: String,
    ) -> Result<(), Fault> {
        let checkpoint = self.sign(keys, bundle.size, bundle.root()).await?;
        // Whatever goes wrong from here on, the outcome is unknown: the caller drops everything it
        // has and reads the head again. Another batch must never be tried on what is in memory.
        self.head
            .swap(
                Some(old),
                &Head {
                    checkpoint,
                    staging: Some(staging),
                },
            )
            .await
    }

    async fn sign(&self, keys: &Keys, size: u64, root: Hash) -> Result<Vec<u8>, Fault> {
        let checkpoint = Checkpoint::new(&self.config.origin, size, root)
            .map_err(|error| Fault::reject(format!("log: {error}")))?;
        let note = checkpoint
            .to_note()
            .map_err(|error| Fault::reject(format!("log: {error}")))?;
        let signature = self.signer.sign_checkpoint(note.text().as_bytes()).await?;
        let signature: [u8; 64] = signature
            .try_into()
            .map_err(|_| Fault::reject("log: a checkpoint's signature has 64 bytes"))?;
        let mut signed = note
            .with_ed25519_signature(&keys.log, &signature)
            .map_err(|error| Fault::reject(format!("log: {error}")))?;
        if let Some(key) = &keys.post_quantum {
            signed = self.cosign_as_log(key, &checkpoint, signed).await?;
        }
        Ok(signed.to_string().into_bytes())
    }

    /// Adds the log's own ML-DSA-44 line. It differs every time, like everything a size is signed with before
    /// the swap: from then on the head's bytes are the only ones.
    async fn cosign_as_log(
        &self,
        key: &VerifierKey,
        checkpoint: &Checkpoint,
        signed: Note,
    ) -> Result<Note, Fault> {
        // The time 0 says nothing about when: the sequencer has no clock, and needs none.
        let message = cosigned_message(key.name(), checkpoint, 0)
            .ok_or_else(|| Fault::reject("log: its name is too long for ML-DSA-44"))?;
        let signature = self.signer.sign_checkpoint_post_quantum(&message).await?;
        signed
            .with_cosignature(key, 0, &signature)
            .map_err(|error| Fault::reject(format!("log: {error}")))
    }

    /// Does pieces of work, so many at a time; the answers come in the order of the pieces.
    async fn all<T: Send>(&self, work: Vec<Piece<'_, T>>) -> Result<Vec<T>, Fault> {
        let mut work = work.into_iter();
        let mut answers = Vec::new();
        loop {
            let some: Vec<_> = work.by_ref().take(self.config.at_once.max(1)).collect();
            if some.is_empty() {
                return Ok(answers);
            }
            answers.extend(try_join_all(some).await?);
        }
    }

    /// Reads tiles; a partial tile that is gone may be cut from the full one.
    async fn read_tiles(
        &self,
        wanted: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        let mut tiles = BTreeMap::new();
        for path in wanted {
            if let Some(bytes) = self.tiles.read(&path).await? {
                tiles.insert(path, bytes);
            } else if let Ok(tile) = TilePath::parse(&path)
                && let full = tile.full().to_string()
                && let Some(bytes) = self.tiles.read(&full).await?
            {
                tiles.insert(full, bytes);
            }
        }
        Ok(tiles)
    }
}

const fn digest(hash: Hash) -> Digest {
    Digest::new(*hash.as_bytes())
}

/// Most leaves in one batch, unless configured otherwise.
pub const BATCH: usize = 256;
/// Most port calls at a time, unless configured otherwise.
pub const AT_ONCE: usize = 16;
/// How often a run starts over when other sequencers are faster.
const ATTEMPTS: u32 = 4;

#[cfg(test)]
mod tests;
