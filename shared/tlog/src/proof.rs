//! Inclusion and consistency proofs (RFC 6962 section 2.1, verification as in RFC 9162).
//!
//! Making a proof takes two steps, so that no I/O happens here: `*_paths` lists the tiles to
//! fetch, the other function computes the proof from them. The tiles are believed while a proof
//! is made: verify it against a trusted root before giving it away.

use std::collections::{BTreeMap, BTreeSet};

use crate::hash::{Hash, node_hash, tree_root};
use crate::tile::{TileError, TileKind, TilePath, TileReader, read_hashes};

/// Lists the tiles that [`inclusion_proof`] reads, sorted.
///
/// # Errors
///
/// [`ProofError::Range`] unless `index < size`.
pub fn inclusion_proof_paths(size: u64, index: u64) -> Result<Vec<String>, ProofError> {
    let mut wanted = Wanted {
        size,
        paths: BTreeSet::new(),
    };
    path(&mut wanted, size, index)?;
    Ok(wanted.paths.iter().map(TilePath::to_string).collect())
}

/// Proves that leaf `index` is in the tree of `size` leaves: sibling hashes from the leaf upwards.
///
/// # Errors
///
/// [`ProofError::Range`] unless `index < size`; [`ProofError::Tile`] if a tile is missing or malformed.
pub fn inclusion_proof(
    size: u64,
    index: u64,
    tiles: &impl TileReader,
) -> Result<Vec<Hash>, ProofError> {
    path(
        &mut Stored {
            size,
            tiles,
            seen: BTreeMap::new(),
        },
        size,
        index,
    )
}

/// Lists the tiles that [`consistency_proof`] reads, sorted.
///
/// # Errors
///
/// [`ProofError::Range`] unless `old_size ≤ size`.
pub fn consistency_proof_paths(size: u64, old_size: u64) -> Result<Vec<String>, ProofError> {
    let mut wanted = Wanted {
        size,
        paths: BTreeSet::new(),
    };
    extension(&mut wanted, size, old_size)?;
    Ok(wanted.paths.iter().map(TilePath::to_string).collect())
}

/// Proves that the tree of `size` leaves begins with the tree of `old_size` leaves.
///
/// # Errors
///
/// [`ProofError::Range`] unless `old_size ≤ size`; [`ProofError::Tile`] if a tile is missing or
/// malformed.
pub fn consistency_proof(
    size: u64,
    old_size: u64,
    tiles: &impl TileReader,
) -> Result<Vec<Hash>, ProofError> {
    extension(
        &mut Stored {
            size,
            tiles,
            seen: BTreeMap::new(),
        },
        size,
        old_size,
    )
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with this `root`.
///
/// # Errors
///
/// [`ProofError::Range`] unless `index < size`; [`ProofError::Mismatch`] if the proof is of the
/// wrong length or leads elsewhere.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let mut last = size.checked_sub(1).ok_or(ProofError::Range)?;
    let mut at = index;
    if at > last {
        return Err(ProofError::Range);
    }
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Mismatch);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // Levels at which this rightmost node has no sibling are skipped.
            let skipped = at.trailing_zeros().min(63);
            at >>= skipped;
            last >>= skipped;
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root {
        Ok(())
    } else {
        Err(ProofError::Mismatch)
    }
}

/// Checks that the tree `(size, root)` begins with the tree `(old_size, old_root)`.
///
/// # Errors
///
/// [`ProofError::Range`] unless `old_size ≤ size`; [`ProofError::Mismatch`] if the proof is of the
/// wrong length or leads elsewhere.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let agrees = |yes: bool| {
        if yes {
            Ok(())
        } else {
            Err(ProofError::Mismatch)
        }
    };
    if old_size > size {
        return Err(ProofError::Range);
    }
    if old_size == 0 {
        let new_is_right = size > 0 || *root == Hash::EMPTY_ROOT;
        return agrees(proof.is_empty() && *old_root == Hash::EMPTY_ROOT && new_is_right);
    }
    if old_size == size {
        return agrees(proof.is_empty() && old_root == root);
    }
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Mismatch)?
    };
    let shared = (old_size - 1).trailing_ones();
    let mut at = (old_size - 1) >> shared;
    let mut last = (size - 1) >> shared;
    let (mut old, mut new) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return Err(ProofError::Mismatch);
        }
        if at & 1 == 1 || at == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            let skipped = at.trailing_zeros().min(63);
            at >>= skipped;
            last >>= skipped;
        } else {
            new = node_hash(&new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    agrees(last == 0 && old == *old_root && new == *root)
}

/// Why a proof was not made or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The proof does not lead to the root.
    #[error("the proof does not lead to the root")]
    Mismatch,
    /// The leaf or the older tree is not inside the tree.
    #[error("not inside the tree")]
    Range,
    /// A tile is missing or malformed.
    #[error(transparent)]
    Tile(#[from] TileError),
}

/// Gives the root of the complete subtree over leaves `[index·2^height, (index+1)·2^height)`.
trait Nodes {
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, ProofError>;
}

/// Reads nodes from stored tiles.
struct Stored<'a, R> {
    size: u64,
    tiles: &'a R,
    seen: BTreeMap<TilePath, Vec<Hash>>,
}

impl<R: TileReader> Nodes for Stored<'_, R> {
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, ProofError> {
        let (path, start, count) = locate(self.size, height, index)?;
        let hashes = match self.seen.entry(path) {
            std::collections::btree_map::Entry::Occupied(seen) => seen.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert(read_hashes(path, self.tiles)?)
            }
        };
        let range = hashes.get(start..start + count).ok_or(TileError::Length)?;
        Ok(tree_root(range))
    }
}

/// Only writes down which tiles would be read.
struct Wanted {
    size: u64,
    paths: BTreeSet<TilePath>,
}

impl Nodes for Wanted {
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, ProofError> {
        let (path, _, _) = locate(self.size, height, index)?;
        self.paths.insert(path);
        Ok(Hash::EMPTY_ROOT)
    }
}

/// Finds the tile with a node: its path, and which of its hashes lie under the node.
fn locate(size: u64, height: u32, index: u64) -> Result<(TilePath, usize, usize), ProofError> {
    let level = u8::try_from(height / 8).map_err(|_| ProofError::Range)?;
    let within = height % 8;
    let first = index << within;
    let tile = TilePath::in_tree(TileKind::Hashes(level), first / 256, size);
    let start = usize::try_from(first % 256).map_err(|_| ProofError::Range)?;
    Ok((tile.ok_or(ProofError::Range)?, start, 1 << within))
}

/// RFC 6962's MTH over leaves `[start, end)`, where `start` is a multiple of the largest complete subtree.
fn subtree(nodes: &mut impl Nodes, start: u64, end: u64) -> Result<Hash, ProofError> {
    let count = end - start;
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return nodes.node(height, start >> height);
    }
    let middle = start + split(count);
    let left = subtree(nodes, start, middle)?;
    let right = subtree(nodes, middle, end)?;
    Ok(node_hash(&left, &right))
}

/// RFC 6962's PATH, from the root downwards, then turned round.
fn path(nodes: &mut impl Nodes, size: u64, index: u64) -> Result<Vec<Hash>, ProofError> {
    if index >= size {
        return Err(ProofError::Range);
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// RFC 6962's PROOF, from the root downwards, then turned round.
fn extension(nodes: &mut impl Nodes, size: u64, old_size: u64) -> Result<Vec<Hash>, ProofError> {
    if old_size > size {
        return Err(ProofError::Range);
    }
    if old_size == 0 {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end > old_size {
        let middle = start + split(end - start);
        if old_size <= middle {
            proof.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    // The old root itself is known to the verifier when it is a node of the new tree's left edge.
    if start > 0 {
        proof.push(subtree(nodes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Returns the largest power of two below `count`, which is at least 2.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
