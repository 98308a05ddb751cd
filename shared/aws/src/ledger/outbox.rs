//! The outbox: `O#0` / instant `#` leaf id; written with a leaf, deleted when it is sequenced.
//!
//! One partition, so that the oldest row is always first: a thousand statements a second fit.

use jiff::Timestamp;
use quittance_core::id::LeafId;

use super::attributes::{Place, sortable};

pub(super) const KIND: &str = "outbox";

pub(super) fn place(at: Timestamp, leaf: LeafId) -> Place {
    Place {
        pk: PARTITION.to_owned(),
        sk: format!("{}#{leaf}", sortable(at)),
    }
}

/// The one partition.
pub(super) const PARTITION: &str = "O#0";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn rows_survive(item in arbitrary::outbox()) {
            arbitrary::survives(Item::Outbox(item))?;
        }
    }
}
