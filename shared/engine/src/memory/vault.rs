//! The vault in memory; a shredded request's bytes are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;

use super::clock::MemoryClock;
use super::faults::Faults;
use super::{contract, locked};
use crate::ports::{Clock, Deposit, Shredder, Vault};
use crate::vault::{PAPERS, folder};

/// All requests' vaults.
#[derive(Clone, Debug)]
pub struct MemoryVault {
    inner: Arc<Mutex<Inner>>,
    clock: MemoryClock,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Inner {
    keys: BTreeMap<RequestId, Timestamp>,
    shredded: BTreeSet<RequestId>,
    objects: BTreeMap<(RequestId, String), Vec<u8>>,
}

impl MemoryVault {
    /// Builds an empty vault.
    pub fn new(clock: MemoryClock, faults: Faults) -> Self {
        Self {
            inner: Arc::default(),
            clock,
            faults,
        }
    }

    /// Returns everything readable, for checkers.
    pub fn everything(&self) -> Vec<((RequestId, String), Vec<u8>)> {
        locked(&self.inner).objects.clone().into_iter().collect()
    }

    /// Removes an object behind the vault's back, for negative controls.
    pub fn lose(&self, request: RequestId, name: &str) {
        locked(&self.inner)
            .objects
            .remove(&(request, name.to_owned()));
    }
}

#[async_trait]
impl Deposit for MemoryVault {
    async fn deposit(&self, request: RequestId, papers: &[u8]) -> Result<(), Fault> {
        self.faults
            .call("deposit.deposit", || {
                let mut inner = locked(&self.inner);
                contract(
                    !inner.shredded.contains(&request),
                    "request ids are never used again",
                );
                inner
                    .keys
                    .entry(request)
                    .or_insert_with(|| self.clock.now());
                let there = inner
                    .objects
                    .entry((request, PAPERS.into()))
                    .or_insert_with(|| papers.to_vec());
                contract(there == papers, "papers are deposited once");
                Ok(())
            })
            .await
    }
}

#[async_trait]
impl Vault for MemoryVault {
    async fn keep(&self, request: RequestId, name: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "/._-".contains(c);
        contract(
            !name.is_empty() && name.chars().all(legal),
            "vault names are plain",
        );
        contract(folder(name).is_some(), "vault names lie in a folder");
        self.faults
            .call("vault.keep", || {
                let mut inner = locked(&self.inner);
                if !inner.keys.contains_key(&request) {
                    return Err(Fault::reject("vault: this request was shredded"));
                }
                let there = inner.objects.entry((request, name.to_owned()));
                Ok(there.or_insert_with(|| bytes.to_vec()).clone())
            })
            .await
    }

    async fn read(&self, request: RequestId, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.faults
            .call("vault.read", || {
                Ok(locked(&self.inner)
                    .objects
                    .get(&(request, name.to_owned()))
                    .cloned())
            })
            .await
    }
}

#[async_trait]
impl Shredder for MemoryVault {
    async fn shred(&self, request: RequestId) -> Result<(), Fault> {
        self.faults
            .call("shredder.shred", || {
                let mut inner = locked(&self.inner);
                inner.keys.remove(&request);
                inner.shredded.insert(request);
                inner.objects.retain(|(id, _), _| *id != request);
                Ok(())
            })
            .await
    }

    async fn keys_before(
        &self,
        before: Timestamp,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, Fault> {
        self.faults
            .call("shredder.keys_before", || {
                let inner = locked(&self.inner);
                let old = inner.keys.iter().filter(|(_, made_at)| **made_at < before);
                let later = old
                    .map(|(id, _)| *id)
                    .filter(|id| after.is_none_or(|after| *id > after));
                Ok(later.take(limit).collect())
            })
            .await
    }
}
