//! Sweeps: `W#right#store` / number; mutable. Their partition holds nothing else.

use quittance_core::id::StoreId;
use quittance_core::request::Right;
use quittance_core::sweep::SweepId;

use super::attributes::Place;

pub(super) const KIND: &str = "sweep";

pub(super) fn place(id: &SweepId) -> Place {
    Place {
        pk: partition(&id.store, id.right),
        sk: format!("{:010}", id.n),
    }
}

/// The partition of a store's sweeps for a right.
pub(super) fn partition(store: &StoreId, right: Right) -> String {
    format!("W#{}#{store}", right.name())
}

/// The partition of what belongs to one sweep.
pub(super) fn own_partition(id: &SweepId) -> String {
    format!("{}#{:010}", partition(&id.store, id.right), id.n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;
    use super::super::arbitrary::sweeps;

    proptest! {
        #[test]
        fn sweeps_survive(item in sweeps::sweep()) {
            arbitrary::survives(Item::Sweep(item))?;
        }
    }
}
