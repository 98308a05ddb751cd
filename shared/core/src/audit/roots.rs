//! Roots of a tree's beginnings, for rising sizes, in one pass over the leaves.

use quittance_tlog::Hash;

use crate::peaks::Peaks;

/// The leaves, and how many of them were taken in so far.
pub(super) struct Roots<'l> {
    leaves: &'l [Hash],
    taken: Peaks,
}

impl<'l> Roots<'l> {
    pub(super) fn new(leaves: &'l [Hash]) -> Self {
        Self {
            leaves,
            taken: Peaks::default(),
        }
    }

    /// Returns the root of the first `size` leaves; none if there are fewer.
    pub(super) fn at(&mut self, size: u64) -> Option<Hash> {
        if size < self.taken.size() {
            self.taken = Peaks::default();
        }
        while self.taken.size() < size {
            let next = usize::try_from(self.taken.size()).ok()?;
            self.taken.push(*self.leaves.get(next)?);
        }
        Some(self.taken.root())
    }
}

#[cfg(test)]
mod tests {
    use quittance_tlog::{leaf_hash, tree_root};

    use super::*;

    #[test]
    fn every_beginning_has_its_root() {
        let leaves: Vec<Hash> = (0..70_u8).map(|n| leaf_hash(&[n])).collect();
        let mut roots = Roots::new(&leaves);
        for size in (0..=70).chain([3, 64, 5]) {
            assert_eq!(
                roots.at(size),
                Some(tree_root(&leaves[..usize::try_from(size).unwrap()]))
            );
        }
        assert_eq!(roots.at(71), None);
    }
}
