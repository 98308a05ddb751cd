//! The staging bundle: everything that one batch adds to the log, in one file.
//!
//! It is a function of the old tree and the batch alone, so that two sequencers with the same work
//! write the same bytes. Invariant: a parsed bundle is the one that the head names, and names no
//! path but tiles.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use jiff::Timestamp;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_tlog::tile::TilePath;
use quittance_tlog::{Hash, Integrated, leaf_hash};
use serde::{Deserialize, Serialize};

use super::batch::Entry;
use super::{digest, paths};

/// What one batch adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    version: u8,
    /// How many leaves the log had.
    pub old_size: u64,
    /// How many it has then.
    pub size: u64,
    /// Its root then.
    root: Digest,
    /// The new leaves, in order.
    pub leaves: Vec<Placed>,
    tiles: BTreeMap<String, String>,
}

/// One new leaf; its index follows from its place in the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// Which.
    pub id: LeafId,
    /// When its outbox row was written: with the id, the row's name.
    pub at: Timestamp,
    /// SHA-256 of the unsigned statement.
    pub statement: Digest,
    /// RFC 6962 leaf hash.
    pub leaf_hash: Digest,
}

impl Bundle {
    /// Writes down what integrating a batch gave.
    pub(super) fn build(old_size: u64, grown: &Integrated, entries: &[Entry]) -> Self {
        let placed = |entry: &Entry| Placed {
            id: entry.row.leaf,
            at: entry.row.at,
            statement: entry.row.statement,
            leaf_hash: digest(leaf_hash(&entry.leaf)),
        };
        let tiles = grown
            .tiles
            .iter()
            .map(|(path, bytes)| (path.clone(), BASE64.encode(bytes)));
        Self {
            version: VERSION,
            old_size,
            size: grown.new_size,
            root: digest(grown.root),
            leaves: entries.iter().map(placed).collect(),
            tiles: tiles.collect(),
        }
    }

    /// Reads the bundle that a head of this size and root names.
    ///
    /// # Errors
    /// `Fault::Reject` when it is another one.
    pub fn parse(path: &str, bytes: &[u8], size: u64, root: &Digest) -> Result<Self, Fault> {
        let halted = || Fault::reject(format!("log: halted: {path} is not what the head names"));
        let bundle: Self = serde_json::from_slice(bytes).map_err(|_| halted())?;
        let added = bundle.size.checked_sub(bundle.old_size);
        let is_whole = bundle.version == VERSION
            && bundle.path() == path
            && (bundle.size, &bundle.root) == (size, root)
            && added == u64::try_from(bundle.leaves.len()).ok()
            && bundle
                .tiles
                .keys()
                .all(|path| TilePath::parse(path).is_ok());
        if is_whole { Ok(bundle) } else { Err(halted()) }
    }

    /// Writes the bytes to store.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|_| Fault::reject("log: the bundle was not written"))
    }

    /// Decodes the tiles and entry bundles, by path.
    ///
    /// # Errors
    /// `Fault::Reject` when one is not Base64.
    pub fn tiles(&self) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        let decode = |(path, text): (&String, &String)| {
            let bytes = BASE64.decode(text.as_bytes());
            bytes.map(|bytes| (path.clone(), bytes))
        };
        self.tiles
            .iter()
            .map(decode)
            .collect::<Result<_, _>>()
            .map_err(|_| Fault::reject("log: halted: the staging bundle is damaged"))
    }

    /// Returns the new root.
    pub const fn root(&self) -> Hash {
        Hash::new(*self.root.as_bytes())
    }

    /// Returns how many leaves are new.
    pub const fn added(&self) -> u64 {
        self.size.saturating_sub(self.old_size)
    }

    /// Returns the new leaves with their indices.
    pub fn placed(&self) -> impl Iterator<Item = (u64, &Placed)> {
        (self.old_size..).zip(&self.leaves)
    }

    /// Returns the place of the bundle.
    pub fn path(&self) -> String {
        paths::staging(self.old_size, self.size, &self.root)
    }
}

const VERSION: u8 = 1;
