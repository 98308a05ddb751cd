//! Members a sweep must not touch any more: `W#right#store#n` / `out#R#id`; immutable.

use quittance_core::id::RequestId;
use quittance_core::sweep::SweepId;

use super::attributes::Place;
use super::sweep;

pub(super) const KIND: &str = "exclusion";

pub(super) fn place(id: &SweepId, request: RequestId) -> Place {
    Place {
        pk: sweep::own_partition(id),
        sk: format!("{PREFIX}R#{request}"),
    }
}

/// What the sort keys of all exclusions begin with.
pub(super) const PREFIX: &str = "out#";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;
    use super::super::arbitrary::sweeps;

    proptest! {
        #[test]
        fn exclusions_survive(item in sweeps::exclusion()) {
            arbitrary::survives(Item::Exclusion(item))?;
        }
    }
}
