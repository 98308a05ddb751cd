//! Growing the log: from the right edge and new entries to the new root and the files to write.
//!
//! The right edge is the partial tile of every level plus the partial entry bundle: exactly what
//! determines the root and what new entries build on. [`RightEdge::verify`] is the only way to get
//! one from stored bytes, so that nothing is ever integrated onto unverified tiles.
//! Same edge and entries give the same bytes, always; writing them is the caller's business.

use std::collections::BTreeMap;

use crate::hash::{Hash, leaf_hash, node_hash, tree_root};
use crate::tile::{
    TILE_WIDTH, TileError, TileKind, TilePath, TileReader, append_entry, encode_hashes,
    hashes_at_level, read_entries, read_hashes,
};

/// Lists the tiles at the right edge of a tree of `size` leaves: its partial hash tiles and its
/// partial entry bundle. Empty when the size is 0.
pub fn right_edge_paths(size: u64) -> Vec<String> {
    let bundle = edge_path(size, TileKind::Entries);
    (0..LEVELS)
        .filter_map(|level| edge_path(size, TileKind::Hashes(level)))
        .chain(bundle)
        .map(|path| path.to_string())
        .collect()
}

/// The verified right edge of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightEdge {
    edge: Edge,
    /// The partial entry bundle, encoded.
    bundle: Vec<u8>,
}

impl RightEdge {
    /// The right edge of the empty tree.
    pub const fn empty() -> Self {
        Self {
            edge: Edge::EMPTY,
            bundle: Vec::new(),
        }
    }

    /// Takes the tiles that [`right_edge_paths`] lists and checks them against the root; the
    /// entries of the partial bundle are checked against the level-0 tile.
    ///
    /// # Errors
    ///
    /// [`IntegrateError::Tile`] if a tile is missing or malformed, [`IntegrateError::Root`] if the
    /// tiles give another root, [`IntegrateError::Bundle`] if the entries are not those of the tree.
    pub fn verify(size: u64, root: &Hash, tiles: &impl TileReader) -> Result<Self, IntegrateError> {
        let mut edge = Edge {
            size,
            levels: Vec::new(),
        };
        for level in 0..LEVELS {
            if hashes_at_level(size, level) == 0 {
                break;
            }
            edge.levels
                .push(match edge_path(size, TileKind::Hashes(level)) {
                    Some(path) => read_hashes(path, tiles)?,
                    None => Vec::new(),
                });
        }
        if edge.root() != *root {
            return Err(IntegrateError::Root);
        }
        let mut bundle = Vec::new();
        if let Some(path) = edge_path(size, TileKind::Entries) {
            let entries = read_entries(path, tiles)?;
            if !entries
                .iter()
                .map(|entry| leaf_hash(entry))
                .eq(edge.leaves())
            {
                return Err(IntegrateError::Bundle);
            }
            for entry in entries {
                append_entry(&mut bundle, entry)?;
            }
        }
        Ok(Self { edge, bundle })
    }

    /// Returns how many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.edge.size
    }

    /// Returns the tree's root.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }
}

/// What integrating a batch gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrated {
    /// How many leaves the tree has now.
    pub new_size: u64,
    /// The new root.
    pub root: Hash,
    /// Every hash tile and entry bundle to write, full and partial, by path.
    pub tiles: BTreeMap<String, Vec<u8>>,
    /// The new right edge, to integrate the next batch onto.
    pub edge: RightEdge,
}

/// Appends `entries` in order to the tree with this right edge.
///
/// # Errors
///
/// [`IntegrateError::Tile`] if an entry is longer than a bundle can hold;
/// [`IntegrateError::Full`] if the tree would exceed 2^63 leaves.
pub fn integrate<E: AsRef<[u8]>>(
    edge: &RightEdge,
    entries: &[E],
) -> Result<Integrated, IntegrateError> {
    let count = u64::try_from(entries.len()).map_err(|_| IntegrateError::Full)?;
    let old_size = edge.size();
    let new_size = old_size.checked_add(count).ok_or(IntegrateError::Full)?;
    if new_size > MAX_SIZE {
        return Err(IntegrateError::Full);
    }
    let mut new = edge.clone();
    let mut tiles = BTreeMap::new();
    for entry in entries {
        let entry = entry.as_ref();
        append_entry(&mut new.bundle, entry)?;
        let index = new.edge.size / u64::from(TILE_WIDTH);
        new.edge.push(leaf_hash(entry), &mut |path, hashes| {
            tiles.insert(path.to_string(), encode_hashes(hashes));
        });
        if let Some(path) = TilePath::new(TileKind::Entries, index, TILE_WIDTH)
            && new.edge.leaves().next().is_none()
        {
            tiles.insert(path.to_string(), std::mem::take(&mut new.bundle));
        }
    }
    for (path, hashes) in new.edge.partials() {
        let TileKind::Hashes(level) = path.kind() else {
            continue;
        };
        // A level that gained nothing keeps the partial tile it has.
        if hashes_at_level(old_size, level) != hashes_at_level(new_size, level) {
            tiles.insert(path.to_string(), encode_hashes(hashes));
        }
    }
    if old_size != new_size
        && let Some(path) = edge_path(new_size, TileKind::Entries)
    {
        tiles.insert(path.to_string(), new.bundle.clone());
    }
    Ok(Integrated {
        new_size,
        root: new.root(),
        tiles,
        edge: new,
    })
}

/// Why a batch was not integrated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntegrateError {
    /// The partial entry bundle does not hold the entries of the tree.
    #[error("the partial entry bundle does not match the level-0 tile")]
    Bundle,
    /// The tree would grow beyond what can be counted.
    #[error("the tree is full")]
    Full,
    /// The right edge's tiles give another root.
    #[error("the right edge's tiles do not give the checkpoint's root")]
    Root,
    /// A tile is missing or malformed, or an entry too long.
    #[error(transparent)]
    Tile(#[from] TileError),
}

/// The hashes of every level's partial tile: what the tree's future depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    size: u64,
    /// Level 0 first; each below 256 hashes long.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    pub(crate) const EMPTY: Self = Self {
        size: 0,
        levels: Vec::new(),
    };

    /// Returns how many leaves there are.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; every tile that becomes full is given to `full`.
    pub(crate) fn push(&mut self, leaf: Hash, full: &mut impl FnMut(TilePath, &[Hash])) {
        self.size += 1;
        let mut carried = leaf;
        for level in 0..LEVELS {
            let index = usize::from(level);
            if self.levels.len() <= index {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(index) else {
                return;
            };
            hashes.push(carried);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let number = hashes_at_level(self.size, level + 1) - 1;
            if let Some(path) = TilePath::new(TileKind::Hashes(level), number, TILE_WIDTH) {
                full(path, hashes);
            }
            carried = tree_root(hashes);
            hashes.clear();
        }
    }

    /// Returns the hashes of the partial level-0 tile.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Hash> {
        self.levels.first().into_iter().flatten().copied()
    }

    /// Returns the partial tiles of the present size.
    pub(crate) fn partials(&self) -> impl Iterator<Item = (TilePath, &[Hash])> {
        (0..LEVELS).zip(&self.levels).filter_map(|(level, hashes)| {
            edge_path(self.size, TileKind::Hashes(level)).map(|path| (path, hashes.as_slice()))
        })
    }

    /// Computes the root: complete subtrees joined from the smallest, at the right, upwards.
    pub(crate) fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for hashes in &self.levels {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let (before, subtree) = rest.split_at(rest.len() - lowest_bit(rest.len()));
                let hash = tree_root(subtree);
                root = Some(root.map_or(hash, |right| node_hash(&hash, &right)));
                rest = before;
            }
        }
        root.unwrap_or(Hash::EMPTY_ROOT)
    }
}

/// Names the growing tile of a kind, if it has begun.
pub(crate) fn edge_path(size: u64, kind: TileKind) -> Option<TilePath> {
    let count = match kind {
        TileKind::Hashes(level) => hashes_at_level(size, level),
        TileKind::Entries => size,
    };
    let width = u16::try_from(count % u64::from(TILE_WIDTH)).ok()?;
    TilePath::new(kind, count / u64::from(TILE_WIDTH), width)
}

const fn lowest_bit(count: usize) -> usize {
    1 << count.trailing_zeros()
}

/// Eight levels of 256 each count 2^64 leaves.
pub(crate) const LEVELS: u8 = 8;
const MAX_SIZE: u64 = 1 << 63;
