//! Every port in memory, asserting the ports' contracts on their callers.
//!
//! A broken contract panics: these ports run in tests only, where a panic is a finding. All ports of
//! a world share one [`faults::Faults`], so that a test can fail or kill any call.

pub mod clock;
pub mod evidence;
pub mod faults;
pub mod ledger;
pub mod log;
pub mod mailer;
pub mod queues;
pub mod records;
pub mod signer;
pub mod stores;
pub mod time_authority;
pub mod vault;
pub mod witness;
pub mod witnesses;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Panics with `broken` unless the caller kept the contract.
pub(crate) fn contract(kept: bool, broken: &str) {
    assert!(kept, "contract broken: {broken}");
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
