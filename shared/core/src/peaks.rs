//! The root of an RFC 6962 tree that grows leaf by leaf, from a few hashes instead of all leaves.

use quittance_tlog::{Hash, node_hash};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A tree's leaves so far, as the roots of its perfect subtrees, the largest first: one for each bit of
/// their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peaks {
    size: u64,
    roots: Vec<Digest>,
}

impl Peaks {
    /// Adds a leaf's hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut bits = self.size;
        while bits & 1 == 1 {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&Hash::new(*left.as_bytes()), &hash);
            bits >>= 1;
        }
        self.roots.push(Digest::new(*hash.as_bytes()));
        self.size += 1;
    }

    /// Returns the root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let hash = |root: &Digest| Hash::new(*root.as_bytes());
        let last = roots.next().map_or(Hash::EMPTY_ROOT, hash);
        roots.fold(last, |right, left| node_hash(&hash(left), &right))
    }

    /// Returns how many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }
}

#[cfg(test)]
mod tests {
    use quittance_tlog::{leaf_hash, tree_root};

    use super::*;

    #[test]
    fn every_tree_has_its_root_and_goes_on_after_it_was_stored() {
        let mut peaks = Peaks::default();
        let mut leaves = Vec::new();
        for n in 0..70_u8 {
            assert_eq!(peaks.root(), tree_root(&leaves));
            assert_eq!(peaks.size(), u64::from(n));
            leaves.push(leaf_hash(&[n]));
            peaks.push(leaf_hash(&[n]));
            let stored = serde_json::to_string(&peaks).unwrap();
            peaks = serde_json::from_str(&stored).unwrap();
        }
        assert_eq!(peaks.root(), tree_root(&leaves));
    }
}
