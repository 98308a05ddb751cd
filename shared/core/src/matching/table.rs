//! Identities and whose they are: 16 bytes each, sorted, with a directory of their first bits.
//!
//! An entry is the first 96 bits of an identity and the member's number. Invariant once sealed: the
//! entries ascend, and `directory` says for each beginning where its entries start.

use super::filter::Filter;

/// Identities of members.
#[derive(Default)]
pub(super) struct Table {
    entries: Vec<u128>,
    directory: Vec<u32>,
    /// How far the first bits are from the right.
    shift: u32,
}

impl Table {
    pub(super) fn with_room_for(identities: usize) -> Self {
        Self {
            entries: Vec::with_capacity(identities),
            directory: Vec::new(),
            shift: 0,
        }
    }

    /// Adds an identity; false when the table is full. Not after [`Self::seal`].
    pub(super) fn push(&mut self, identity: &[u8; 32], member: u32) -> bool {
        if self.entries.len() >= MAX_ENTRIES {
            return false;
        }
        if self.entries.len() == self.entries.capacity() {
            // By an eighth, not twofold: memory is the limit here, not the time to copy.
            let more = (self.entries.len() / 8).max(FIRST_ENTRIES);
            self.entries.reserve_exact(more);
        }
        self.entries.push(key(identity) | u128::from(member));
        true
    }

    /// Sorts the entries and makes the directory.
    pub(super) fn seal(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup();
        self.entries.shrink_to_fit();
        let bits = self
            .entries
            .len()
            .checked_ilog2()
            .unwrap_or_default()
            .saturating_sub(PER_BUCKET_BITS);
        self.shift = 128 - bits;
        let buckets = 1_usize << bits;
        let mut directory = Vec::with_capacity(buckets.saturating_add(1));
        let mut at = 0_u32;
        let mut entries = self.entries.iter().peekable();
        for bucket in 0..buckets {
            directory.push(at);
            while entries
                .next_if(|entry| first_bits(**entry, self.shift) == bucket)
                .is_some()
            {
                at = at.saturating_add(1);
            }
        }
        directory.push(at);
        self.directory = directory;
    }

    /// Lists the members who have this identity.
    pub(super) fn members(&self, identity: &[u8; 32]) -> impl Iterator<Item = u32> + use<'_> {
        let key = key(identity);
        let bucket = first_bits(key, self.shift);
        let bounds = self
            .directory
            .get(bucket..bucket.saturating_add(2))
            .and_then(|bounds| match bounds {
                [start, end] => Some(usize::try_from(*start).ok()?..usize::try_from(*end).ok()?),
                _ => None,
            });
        let entries = bounds
            .and_then(|bounds| self.entries.get(bounds))
            .unwrap_or_default();
        let from = entries.partition_point(|entry| *entry < key);
        entries
            .iter()
            .skip(from)
            .take_while(move |entry| **entry & !MEMBER == key)
            .map(|entry| u32::try_from(*entry & MEMBER).unwrap_or_default())
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Makes a filter of the identities' first bytes, which are as good as any hash of them.
    pub(super) fn filter(&self) -> Filter {
        let mut filter = Filter::with_room_for(self.entries.len());
        for entry in &self.entries {
            filter.insert(u64::try_from(*entry >> 64).unwrap_or_default());
        }
        filter
    }
}

/// The first eight bytes of an identity.
pub(super) fn hash(identity: &[u8; 32]) -> u64 {
    identity
        .first_chunk()
        .map(|bytes| u64::from_be_bytes(*bytes))
        .unwrap_or_default()
}

/// The first 96 bits of an identity, with room for a member's number.
fn key(identity: &[u8; 32]) -> u128 {
    identity
        .first_chunk()
        .map(|bytes| u128::from_be_bytes(*bytes))
        .unwrap_or_default()
        & !MEMBER
}

fn first_bits(entry: u128, shift: u32) -> usize {
    // With a single bucket the shift is by the whole width.
    usize::try_from(entry.checked_shr(shift).unwrap_or_default()).unwrap_or(usize::MAX)
}

const MEMBER: u128 = 0xffff_ffff;
/// Positions are 32 bits wide.
const MAX_ENTRIES: usize = 0xffff_fffe;
const FIRST_ENTRIES: usize = 64;
/// Eight to sixteen entries to a bucket.
const PER_BUCKET_BITS: u32 = 3;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;

    proptest! {
        #[test]
        fn a_table_answers_like_a_map(
            entries in prop::collection::vec((0_u16..300, 0_u32..4), 0..600),
        ) {
            let identity = |n: u16| *Digest::of(&n.to_be_bytes()).as_bytes();
            let mut table = Table::default();
            let mut map: BTreeMap<u16, BTreeSet<u32>> = BTreeMap::new();
            for (n, member) in entries {
                prop_assert!(table.push(&identity(n), member));
                map.entry(n).or_default().insert(member);
            }
            table.seal();
            prop_assert_eq!(table.len(), map.values().map(BTreeSet::len).sum::<usize>());
            for n in 0..320 {
                let found: Vec<u32> = table.members(&identity(n)).collect();
                let known: Vec<u32> = map.get(&n).into_iter().flatten().copied().collect();
                prop_assert_eq!(found, known);
            }
        }
    }

    #[test]
    fn an_identifier_takes_sixteen_bytes_and_a_half() {
        let mut table = Table::with_room_for(100_000);
        for n in 0..100_000_u32 {
            table.push(Digest::of(&n.to_be_bytes()).as_bytes(), n);
        }
        table.seal();
        let bytes = table.entries.capacity() * 16 + table.directory.capacity() * 4;
        assert!(bytes <= 100_000 * 17, "{bytes}");
    }
}
