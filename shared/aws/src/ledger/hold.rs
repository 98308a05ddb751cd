//! Holds on stores and identifiers: `H` / `store#id` or `identifier#tag`; while they stand.

use quittance_core::hold::HoldOn;

use super::attributes::Place;

pub(super) const KIND: &str = "hold";

pub(super) fn place(on: &HoldOn) -> Place {
    Place {
        pk: PARTITION.to_owned(),
        sk: match on {
            HoldOn::Store(store) => format!("store#{store}"),
            HoldOn::Identifier(tag) => format!("identifier#{tag}"),
        },
    }
}

/// The partition of all holds: they are few.
pub(super) const PARTITION: &str = "H";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn holds_survive(item in arbitrary::hold()) {
            arbitrary::survives(Item::Hold(item))?;
        }
    }
}
