//! References: `F#reference` / `reference`; immutable.

use quittance_core::id::Reference;

use super::attributes::Place;

pub(super) const KIND: &str = "reference";

pub(super) fn place(reference: &Reference) -> Place {
    Place {
        pk: format!("F#{reference}"),
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
        fn references_survive(item in arbitrary::reference()) {
            arbitrary::survives(Item::Reference(item))?;
        }
    }
}
