//! Stores that no sweep may touch: `P#store` / `pause`; while it stands.

use quittance_core::id::StoreId;

use super::attributes::Place;

pub(super) const KIND: &str = "pause";

pub(super) fn place(store: &StoreId) -> Place {
    Place {
        pk: format!("P#{store}"),
        sk: "pause".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;
    use super::super::arbitrary::sweeps;

    proptest! {
        #[test]
        fn pauses_survive(item in sweeps::pause()) {
            arbitrary::survives(Item::Pause(item))?;
        }
    }
}
