//! A batch's list: `R#id` / `member#n`, beside the batch; replaced when the member ends.

use quittance_core::id::RequestId;

use super::attributes::Place;
use super::request;

pub(super) const KIND: &str = "member";

pub(super) fn place(batch: RequestId, n: u32) -> Place {
    Place {
        pk: request::partition(batch),
        sk: format!("member#{n:08}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;

    proptest! {
        #[test]
        fn members_survive(item in arbitrary::member()) {
            arbitrary::survives(Item::Member(item))?;
        }
    }
}
