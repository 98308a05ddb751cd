//! What one process has seen done for good: files that are written once, for every leaf up to here.
//!
//! It saves looking again at each message, since nothing of it ever becomes untrue. A process that does not
//! know it looks, and finds the same.

use std::sync::atomic::{AtomicU64, Ordering};

/// Up to which leaf, exclusive and always the end of a batch, something is done.
#[derive(Debug, Default)]
pub struct Known {
    pub(super) upgraded: Mark,
    pub(super) stamped: Mark,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Mark(AtomicU64);

impl Mark {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn reach(&self, size: u64) {
        self.0.fetch_max(size, Ordering::Relaxed);
    }
}
