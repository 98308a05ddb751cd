//! Shards: `W#right#store#n` / `shard#k`; mutable, in their sweep's own partition.

use quittance_core::sweep::SweepId;

use super::attributes::Place;
use super::sweep;

pub(super) const KIND: &str = "shard";

pub(super) fn place(id: &SweepId, k: u32) -> Place {
    Place {
        pk: sweep::own_partition(id),
        sk: format!("{PREFIX}{k:010}"),
    }
}

/// What the sort keys of all shards begin with.
pub(super) const PREFIX: &str = "shard#";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;
    use super::super::arbitrary::sweeps;

    proptest! {
        #[test]
        fn shards_survive(item in sweeps::shard()) {
            arbitrary::survives(Item::Shard(item))?;
        }
    }
}
