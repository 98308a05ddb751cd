//! Tasks that wait for the next sweep: `Q#right#store` / `R#id`; immutable, gone with membership.

use quittance_core::id::{RequestId, StoreId};
use quittance_core::request::Right;

use super::attributes::Place;

pub(super) const KIND: &str = "waiting";

pub(super) fn place(store: &StoreId, right: Right, request: RequestId) -> Place {
    Place {
        pk: partition(store, right),
        sk: format!("{PREFIX}{request}"),
    }
}

/// The partition of everybody who waits.
pub(super) fn partition(store: &StoreId, right: Right) -> String {
    format!("Q#{}#{store}", right.name())
}

/// What the sort keys of all entries begin with.
pub(super) const PREFIX: &str = "R#";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;
    use super::super::arbitrary::sweeps;

    proptest! {
        #[test]
        fn entries_survive(item in sweeps::waiting()) {
            arbitrary::survives(Item::Waiting(item))?;
        }
    }
}
