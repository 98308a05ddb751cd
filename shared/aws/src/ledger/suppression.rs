//! The suppression list: `X#right#tag` / `entry`.

use quittance_core::digest::Tag;
use quittance_core::request::Right;

use super::attributes::Place;

pub(super) const KIND: &str = "suppression";

pub(super) fn place(right: Right, tag: Tag) -> Place {
    Place {
        pk: format!("X#{}#{tag}", right.name()),
        sk: "entry".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn entries_survive(item in arbitrary::suppression()) {
            arbitrary::survives(Item::Suppression(item))?;
        }
    }
}
