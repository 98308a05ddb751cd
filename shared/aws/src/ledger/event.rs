//! Timeline entries: `R#id` / `event#n`; immutable, beside their request.

use quittance_core::id::RequestId;

use super::attributes::Place;
use super::request;

pub(super) const KIND: &str = "event";

pub(super) fn place(id: RequestId, n: u32) -> Place {
    Place {
        pk: request::partition(id),
        sk: format!("{PREFIX}{n:08}"),
    }
}

/// What the sort keys of all timeline entries begin with.
pub(super) const PREFIX: &str = "event#";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn events_survive(item in arbitrary::event()) {
            arbitrary::survives(Item::Event(item))?;
        }
    }
}
