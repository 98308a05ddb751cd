//! Open requests by subject: `S#tag` / `R#id`; written with the acceptance, deleted at sealing.

use quittance_core::digest::Tag;
use quittance_core::id::RequestId;

use super::attributes::Place;

pub(super) const KIND: &str = "subject";

pub(super) fn place(tag: Tag, id: RequestId) -> Place {
    Place {
        pk: partition(tag),
        sk: format!("{PREFIX}{id}"),
    }
}

/// The partition of a subject.
pub(super) fn partition(tag: Tag) -> String {
    format!("S#{tag}")
}

/// What the sort keys of all entries begin with.
pub(super) const PREFIX: &str = "R#";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn subjects_survive(item in arbitrary::subject()) {
            arbitrary::survives(Item::Subject(item))?;
        }
    }
}
