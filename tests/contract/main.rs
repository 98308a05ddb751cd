//! The contract suites: every port's behaviours over every implementation.
//!
//! Here: every port in memory, and the adapters for AWS on the embedded backend. The same behaviours
//! on `ministack`, with KMS and SES, are in the test `contract_ministack`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod behaviours;

mod in_memory {
    use std::sync::Arc;

    use quittance_aws::clock::SystemClock;
    use quittance_engine::memory::clock::MemoryClock;
    use quittance_engine::memory::evidence::MemoryEvidence;
    use quittance_engine::memory::faults::Faults;
    use quittance_engine::memory::ledger::MemoryLedger;
    use quittance_engine::memory::log::{MemoryHead, MemoryTiles};
    use quittance_engine::memory::mailer::MemoryMailer;
    use quittance_engine::memory::signer::MemorySigner;
    use quittance_engine::memory::vault::MemoryVault;
    use quittance_engine::memory::witness::{MemoryCosigner, MemoryOfWitness};
    use quittance_engine::ports::Clock as _;
    use quittance_engine::witness::Witness;
    use quittance_tlog::VerifierKey;

    use crate::behaviours::World;
    use crate::behaviours::samples::LOG_VKEY;

    #[expect(clippy::unused_async, reason = "other worlds take time to make")]
    async fn world() -> World {
        let faults = Faults::default();
        let clock = MemoryClock::new(SystemClock.now(), 1);
        let vault = Arc::new(MemoryVault::new(clock.clone(), faults.clone()));
        World {
            ledger: Arc::new(MemoryLedger::new(faults.clone())),
            deposit: vault.clone(),
            vault: vault.clone(),
            shredder: vault,
            evidence: Arc::new(MemoryEvidence::new(faults.clone())),
            tiles: Arc::new(MemoryTiles::new(faults.clone())),
            head_lock: Arc::new(MemoryHead::new(faults.clone())),
            signer: Arc::new(MemorySigner::new("log.test/dsr", 1, faults.clone()).unwrap()),
            mailer: Arc::new(MemoryMailer::new(faults.clone())),
            witness: Arc::new(Witness {
                cosigner: Arc::new(MemoryCosigner::new("witness.test", 1, faults.clone()).unwrap()),
                memory: Arc::new(MemoryOfWitness::new(faults)),
                logs: vec![VerifierKey::parse(LOG_VKEY).unwrap()],
                clock: Arc::new(clock.clone()),
            }),
            clock: Arc::new(clock),
            ground: Vec::new(),
        }
    }

    crate::tests_over!(super::world);
}

mod on_local_aws {
    use quittance_aws::clients::Clients;
    use quittance_local::{LocalAws, Options};

    use crate::behaviours::{AwsWorld, World};

    async fn aws() -> AwsWorld {
        let backend = LocalAws::start(Options::default()).await.unwrap();
        let clients = Clients::local(&backend.endpoint()).await;
        AwsWorld::provision(clients, "quittance", Vec::new(), vec![Box::new(backend)]).await
    }

    async fn world() -> World {
        aws().await.world().await
    }

    crate::tests_over!(super::world);
    crate::aws_tests_over!(super::aws);
}
