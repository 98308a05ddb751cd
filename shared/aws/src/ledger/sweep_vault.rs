//! Whose a vault of a sweep is: `V#vault` / `vault`; immutable, so that the papers of nothing are shredded.

use quittance_core::id::RequestId;

use super::attributes::Place;

pub(super) const KIND: &str = "sweep_vault";

pub(super) fn place(vault: RequestId) -> Place {
    Place {
        pk: format!("V#{vault}"),
        sk: "vault".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;
    use super::super::arbitrary::sweeps;

    proptest! {
        #[test]
        fn vaults_survive(item in sweeps::sweep_vault()) {
            arbitrary::survives(Item::SweepVault(item))?;
        }
    }
}
