//! What must be true of log, ledger and evidence together, whatever just happened.
//!
//! The whole tree is rebuilt from its entries each time, and everything else is compared with it:
//! tiles, checkpoints, places in the ledger, receipts. A test calls this after every step; each
//! complaint has a negative control beside the sequencer's tests.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use quittance_core::digest::Digest;
use quittance_core::id::LeafId;
use quittance_core::receipt::{
    Anchors, Envelope, Policy, PolicySigner, ReceiptKey, Slug, leaf_bytes, policy_text_of, verify,
};
use quittance_tlog::tile::{TileKind, TilePath, decode_bundle, decode_hashes};
use quittance_tlog::{Checkpoint, Hash, VerifierKey, fsck, leaf_hash, tree_root};

use super::super::evidence::MemoryEvidence;
use super::super::ledger::MemoryLedger;
use super::super::locked;
use super::{CHECKPOINT, CHECKPOINTS, MemoryHead, MemoryTiles, STAGING, stamps};
use crate::ledger::{Item, Leaf, Sequenced};
use crate::ports::Signer;
use crate::sequencer::{Bundle, EarlierKeys, paths};

/// Everything about one log.
#[derive(Clone, Copy, Debug)]
pub struct LogWorld<'w> {
    /// Leaves and outbox rows.
    pub ledger: &'w MemoryLedger,
    /// Envelopes and receipts.
    pub evidence: &'w MemoryEvidence,
    /// The log's files.
    pub tiles: &'w MemoryTiles,
    /// The log's head.
    pub head: &'w MemoryHead,
    /// Whose public keys everything is verified with.
    pub signer: &'w dyn Signer,
    /// Beside these.
    pub earlier: &'w EarlierKeys,
    /// Whom time stamps are believed from; none if nobody is asked for any.
    pub anchors: Option<&'w Anchors>,
}

/// Checks every invariant and returns what is broken, a sentence each; nothing when all is well, or
/// the log is not born.
pub fn check_log(world: &LogWorld<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    match Facts::gather(world, &mut complaints) {
        Some(facts) => {
            facts.check(&mut complaints);
            stamps::check(&facts.evidence, world.anchors, &mut complaints);
        }
        None if world.head.current().is_none() && world.tiles.everything().is_empty() => {}
        None => complaints.push("there are files or a head, but no log".to_owned()),
    }
    complaints
}

/// What was read, and what was rebuilt from it.
struct Facts {
    files: BTreeMap<String, Vec<u8>>,
    evidence: BTreeMap<String, Vec<u8>>,
    leaves: Vec<Leaf>,
    waiting: BTreeSet<LeafId>,
    refused: u64,
    signers: Vec<ReceiptKey>,
    logs: Vec<VerifierKey>,
    policy: Policy,
    head: Checkpoint,
    /// Up to where everything must be in place: what comes after is in a staging bundle.
    settled: u64,
    entries: Vec<Vec<u8>>,
    hashes: Vec<Hash>,
    /// Roots that were asked for: leaves of one batch ask for the same.
    roots: RefCell<BTreeMap<u64, Hash>>,
}

impl Facts {
    fn gather(world: &LogWorld<'_>, complaints: &mut Vec<String>) -> Option<Self> {
        let mut logs = vec![VerifierKey::parse(world.signer.log_vkey()).ok()?];
        logs.extend_from_slice(world.earlier.logs());
        let mut signers = vec![ReceiptKey::from_spki_pem(world.signer.statement_key_pem()).ok()?];
        signers.extend_from_slice(world.earlier.statements());
        let policy = policy_of(&logs, &signers)?;
        let head = world.head.current()?;
        let (checkpoint, ..) = Checkpoint::open_any(&head.checkpoint, &logs).ok()?;
        let files = world.tiles.everything();
        let (mut leaves, mut waiting) = (Vec::new(), BTreeSet::new());
        for stored in world.ledger.everything() {
            match stored.item {
                Item::Leaf(leaf) => leaves.push(leaf),
                Item::Outbox(row) => {
                    waiting.insert(row.leaf);
                }
                Item::Request(_)
                | Item::Task(_)
                | Item::Event(_)
                | Item::Reference(_)
                | Item::Token(_)
                | Item::Subject(_)
                | Item::Suppression(_)
                | Item::Sweep(_)
                | Item::Shard(_)
                | Item::Waiting(_)
                | Item::Exclusion(_)
                | Item::Pause(_)
                | Item::SweepVault(_)
                | Item::Member(_)
                | Item::Hold(_) => {}
            }
        }
        let root = Digest::new(*checkpoint.root().as_bytes());
        let staged = head.staging.and_then(|path| {
            let bytes = files.get(&path)?;
            let bundle = Bundle::parse(&path, bytes, checkpoint.size(), &root);
            bundle
                .map_err(|fault| complaints.push(fault.to_string()))
                .ok()
        });
        let settled = staged
            .as_ref()
            .map_or(checkpoint.size(), |bundle| bundle.old_size);
        let staged = staged
            .and_then(|bundle| bundle.tiles().ok())
            .unwrap_or_default();
        let mut facts = Self {
            files,
            evidence: world.evidence.everything(),
            leaves,
            waiting,
            refused: world.tiles.refused(),
            signers,
            logs,
            policy,
            head: checkpoint,
            settled,
            entries: Vec::new(),
            hashes: Vec::new(),
            roots: RefCell::default(),
        };
        facts.rebuild(&staged, complaints);
        Some(facts)
    }

    /// Rebuilds the head's tree from the stored entries and what is staged.
    fn rebuild(&mut self, staged: &BTreeMap<String, Vec<u8>>, complaints: &mut Vec<String>) {
        let read = |path: &str| {
            let stored = self.files.get(path).or_else(|| staged.get(path));
            Ok::<_, std::convert::Infallible>(stored.cloned())
        };
        let mut entries = Vec::new();
        let report = fsck(self.head.size(), &self.head.root(), read, |_, entry| {
            entries.push(entry.to_vec());
        });
        for problem in report.problems {
            complaints.push(format!(
                "head's tree: {} {}",
                problem.path,
                problem.kind.code()
            ));
        }
        self.hashes = entries.iter().map(|entry| leaf_hash(entry)).collect();
        self.entries = entries;
    }

    fn check(&self, complaints: &mut Vec<String>) {
        if self.refused > 0 {
            complaints.push(format!(
                "{} attempts to give a file other bytes",
                self.refused
            ));
        }
        self.check_checkpoints(complaints);
        self.check_tiles(complaints);
        let places = self.check_entries(complaints);
        self.check_leaves(&places, complaints);
        self.check_receipts(complaints);
    }

    /// Every checkpoint ever given out is of a beginning of the head's tree.
    fn check_checkpoints(&self, complaints: &mut Vec<String>) {
        let mut published_size = None;
        for (path, bytes) in &self.files {
            if path != CHECKPOINT && !path.starts_with(CHECKPOINTS) {
                continue;
            }
            let Ok((checkpoint, ..)) = Checkpoint::open_any(bytes, &self.logs) else {
                complaints.push(format!("{path} is not signed by the log"));
                continue;
            };
            if checkpoint.size() > self.head.size() {
                complaints.push(format!("{path} is ahead of the head"));
            } else if self.root_of(checkpoint.size()) != Some(checkpoint.root()) {
                complaints.push(format!("{path} has a root that its tree never had"));
            }
            if path == CHECKPOINT {
                published_size = Some(checkpoint.size());
            } else if *path != paths::checkpoint_of(checkpoint.size()) {
                complaints.push(format!("{path} is a checkpoint of another size"));
            }
        }
        if self.head.size() > 0 && published_size.is_none_or(|size| size < self.settled) {
            complaints.push("what is published lags behind, and no bundle says why".to_owned());
        }
        // What is published must be readable by everybody, without any staging bundle.
        let Some(size) = published_size.filter(|size| *size <= self.head.size()) else {
            return;
        };
        let read = |path: &str| Ok::<_, std::convert::Infallible>(self.files.get(path).cloned());
        let root = self.root_of(size).unwrap_or(Hash::EMPTY_ROOT);
        let report = fsck(size, &root, read, |_, _| {});
        for problem in report.problems {
            complaints.push(format!(
                "published tree: {} {}",
                problem.path,
                problem.kind.code()
            ));
        }
    }

    fn root_of(&self, size: u64) -> Option<Hash> {
        if let Some(root) = self.roots.borrow().get(&size) {
            return Some(*root);
        }
        let root = self
            .hashes
            .get(..usize::try_from(size).ok()?)
            .map(tree_root)?;
        self.roots.borrow_mut().insert(size, root);
        Some(root)
    }

    /// Every tile and bundle, of this and of all earlier sizes, says what the entries say.
    fn check_tiles(&self, complaints: &mut Vec<String>) {
        for (path, bytes) in &self.files {
            if path == CHECKPOINT || path.starts_with(CHECKPOINTS) || path.starts_with(STAGING) {
                continue;
            }
            if path.starts_with(paths::MANIFESTS) {
                self.check_manifest(path, bytes, complaints);
                continue;
            }
            let agrees = TilePath::parse(path).is_ok_and(|tile| self.is_tile(tile, bytes));
            if !agrees {
                complaints.push(format!("{path} is no tile of this tree"));
            }
        }
    }

    /// A published manifest is the receipt that evidence has.
    fn check_manifest(&self, path: &str, bytes: &[u8], complaints: &mut Vec<String>) {
        let name = path.trim_start_matches(paths::MANIFESTS);
        let receipt = self.evidence.get(&format!("{}{name}", paths::RECEIPTS));
        if receipt.map(Vec::as_slice) != Some(bytes) {
            complaints.push(format!("{path} is not the receipt that was stored"));
        }
    }

    fn is_tile(&self, tile: TilePath, bytes: &[u8]) -> bool {
        let width = usize::from(tile.width());
        let Ok(first) = usize::try_from(tile.index() * 256) else {
            return false;
        };
        match tile.kind() {
            TileKind::Entries => decode_bundle(bytes).is_ok_and(|there| {
                self.entries
                    .get(first..first + width)
                    .is_some_and(|entries| *entries == *there)
            }),
            TileKind::Hashes(level) => {
                let Some(span) = 256_usize.checked_pow(u32::from(level)) else {
                    return false;
                };
                let node = |n: usize| {
                    let start = n.checked_mul(span)?;
                    self.hashes
                        .get(start..start.checked_add(span)?)
                        .map(tree_root)
                };
                let expected: Option<Vec<Hash>> = (first..first + width).map(node).collect();
                decode_hashes(bytes).ok() == expected && expected.is_some()
            }
        }
    }

    /// Every entry is the leaf of exactly one envelope. Returns each leaf's places.
    fn check_entries(&self, complaints: &mut Vec<String>) -> BTreeMap<LeafId, u64> {
        let mut owners = BTreeMap::new();
        for (path, bytes) in &self.evidence {
            let Some(id) = paths::envelope_owner(path) else {
                continue;
            };
            match self.signers.iter().find_map(|key| leaf_of(bytes, key)) {
                Some(leaf) => {
                    owners.insert(leaf, id);
                }
                None => complaints.push(format!("{path} is no envelope of a signer's")),
            }
        }
        let mut places = BTreeMap::new();
        for (index, entry) in (0..).zip(&self.entries) {
            let Some(id) = owners.get(entry) else {
                complaints.push(format!("entry {index} is nobody's"));
                continue;
            };
            if places.insert(*id, index).is_some() {
                complaints.push(format!("{id} is in the log twice"));
            }
        }
        places
    }

    /// Every leaf waits or has its true place; everything settled is recorded and has a receipt.
    fn check_leaves(&self, places: &BTreeMap<LeafId, u64>, complaints: &mut Vec<String>) {
        let mut recorded = BTreeSet::new();
        for leaf in &self.leaves {
            let Some(sequenced) = &leaf.sequenced else {
                if !self.waiting.contains(&leaf.id) {
                    complaints.push(format!("{} is lost: no place and no outbox row", leaf.id));
                }
                continue;
            };
            recorded.insert(leaf.id);
            if places.get(&leaf.id) != Some(&sequenced.index) {
                complaints.push(format!("{} is not at {}", leaf.id, sequenced.index));
            } else if !self.is_place(sequenced) {
                complaints.push(format!("{}'s place does not fit the tree", leaf.id));
            }
        }
        for (id, index) in places {
            if *index >= self.settled {
                continue;
            }
            if !recorded.contains(id) {
                complaints.push(format!("{id} is in the log, but its place is not recorded"));
            }
            if !self.evidence.contains_key(&paths::receipt(id)) {
                complaints.push(format!("{id} is in the log, but has no receipt"));
            }
            if let LeafId::Manifest(day) = id
                && !self.files.contains_key(&paths::manifest(*day))
            {
                complaints.push(format!("{id} is in the log, but not published"));
            }
        }
    }

    fn is_place(&self, sequenced: &Sequenced) -> bool {
        let hash = usize::try_from(sequenced.index)
            .ok()
            .and_then(|at| self.hashes.get(at));
        let is = |digest: &Digest, hash: Option<Hash>| {
            hash.is_some_and(|hash| hash.as_bytes() == digest.as_bytes())
        };
        is(&sequenced.leaf_hash, hash.copied())
            && is(&sequenced.root, self.root_of(sequenced.tree_size))
            && sequenced.index < sequenced.tree_size
    }

    /// Every receipt verifies, as a stranger would, and says the place that the ledger says.
    fn check_receipts(&self, complaints: &mut Vec<String>) {
        let by_name: BTreeMap<String, &Leaf> = self
            .leaves
            .iter()
            .map(|leaf| (leaf.id.file_name(), leaf))
            .collect();
        for (path, bytes) in &self.evidence {
            let folders = [paths::RECEIPTS, paths::WITNESSED, paths::RENEWED];
            let Some(rest) = folders.iter().find_map(|folder| path.strip_prefix(folder)) else {
                continue;
            };
            let Some(place) = self.verified(bytes) else {
                complaints.push(format!("{path} does not verify"));
                continue;
            };
            let name = rest.rsplit('/').next().unwrap_or_default();
            let Some(leaf) = by_name.get(name) else {
                complaints.push(format!("{path} is of no leaf"));
                continue;
            };
            let recorded = leaf.sequenced.as_ref().map(|sequenced| sequenced.index);
            if recorded != Some(place) {
                complaints.push(format!("{path} says {place}, the ledger {recorded:?}"));
            }
        }
    }

    /// Verifies a receipt and returns its leaf index.
    fn verified(&self, receipt: &[u8]) -> Option<u64> {
        let signers = self.signers.iter().map(ReceiptKey::id);
        let logs = self.logs.iter().map(ToString::to_string);
        let by: Vec<String> = signers.chain(logs).collect();
        remembered(&RECEIPTS, receipt, &by.concat(), || {
            let report = verify(receipt, &self.policy);
            Some(report.summary.filter(|_| report.ok)?.leaf_index)
        })
    }
}

/// Returns the log entry of an envelope whose signature verifies.
fn leaf_of(envelope: &[u8], signer: &ReceiptKey) -> Option<Vec<u8>> {
    remembered(&LEAVES, envelope, &signer.id(), || {
        leaf_bytes(&Envelope::parse(envelope).ok()?, signer).ok()
    })
}

/// What a stranger holds who trusts all these keys.
fn policy_of(logs: &[VerifierKey], signers: &[ReceiptKey]) -> Option<Policy> {
    let named = (1..).zip(signers).map(|(n, key)| {
        let name = Slug::parse(&format!("receipts-{n}"))?;
        let key = key.clone();
        Some(PolicySigner { name, key })
    });
    let named: Vec<PolicySigner> = named.collect::<Option<_>>()?;
    Policy::parse(&policy_text_of(logs, &[], &[], &named).ok()?).ok()
}

pub(super) type Remembered<T> = Mutex<BTreeMap<(Digest, String), T>>;

/// Remembers what was verified: signatures are dear, and a test world asks about the same bytes
/// after every step. What does not verify is asked again.
pub(super) fn remembered<T: Clone>(
    memory: &Remembered<T>,
    bytes: &[u8],
    by: &str,
    ask: impl FnOnce() -> Option<T>,
) -> Option<T> {
    let key = (Digest::of(bytes), by.to_owned());
    if let Some(known) = locked(memory).get(&key) {
        return Some(known.clone());
    }
    let answer = ask()?;
    locked(memory).insert(key, answer.clone());
    Some(answer)
}

static LEAVES: Remembered<Vec<u8>> = Mutex::new(BTreeMap::new());
static RECEIPTS: Remembered<u64> = Mutex::new(BTreeMap::new());
