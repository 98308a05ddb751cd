//! Leaves: `L#leaf id` / `leaf`; permanent: the log's de-duplication set.

use quittance_core::id::LeafId;

use super::attributes::Place;

pub(super) const KIND: &str = "leaf";

pub(super) fn place(id: LeafId) -> Place {
    Place {
        pk: format!("L#{id}"),
        sk: KIND.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn leaves_survive(item in arbitrary::leaf()) {
            arbitrary::survives(Item::Leaf(item))?;
        }
    }
}
