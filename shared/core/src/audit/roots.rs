//! Roots of a tree's beginnings, for rising sizes, in one pass over the leaves.

use quittance_tlog::{Hash, node_hash};

/// The leaves taken in so far, as the roots of perfect subtrees, the largest first.
pub(super) struct Roots<'l> {
    leaves: &'l [Hash],
    size: u64,
    peaks: Vec<(u64, Hash)>,
}

impl<'l> Roots<'l> {
    pub(super) const fn new(leaves: &'l [Hash]) -> Self {
        Self {
            leaves,
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// Returns the root of the first `size` leaves; none if there are fewer.
    pub(super) fn at(&mut self, size: u64) -> Option<Hash> {
        if size < self.size {
            (self.size, self.peaks) = (0, Vec::new());
        }
        while self.size < size {
            let leaf = *self.leaves.get(usize::try_from(self.size).ok()?)?;
            self.push(leaf);
        }
        let mut peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let last = peaks.next().unwrap_or(Hash::EMPTY_ROOT);
        Some(peaks.fold(last, |right, left| node_hash(&left, &right)))
    }

    fn push(&mut self, leaf: Hash) {
        let (mut width, mut hash) = (1, leaf);
        while let Some((left_width, left)) =
            self.peaks.pop_if(|(left_width, _)| *left_width == width)
        {
            hash = node_hash(&left, &hash);
            width += left_width;
        }
        self.peaks.push((width, hash));
        self.size += 1;
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
