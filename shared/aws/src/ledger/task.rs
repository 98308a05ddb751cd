//! Tasks: `R#id` / `task#store`; mutable, beside their request.

use quittance_core::id::{RequestId, StoreId};

use super::attributes::Place;
use super::request;

pub(super) const KIND: &str = "task";

pub(super) fn place(id: RequestId, store: &StoreId) -> Place {
    Place {
        pk: request::partition(id),
        sk: format!("{PREFIX}{store}"),
    }
}

/// What the sort keys of all tasks begin with.
pub(super) const PREFIX: &str = "task#";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn tasks_survive(item in arbitrary::task()) {
            arbitrary::survives(Item::Task(item))?;
        }
    }
}
