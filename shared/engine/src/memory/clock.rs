//! Virtual time, and chance from a seed.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::locked;
use crate::ports::Clock;

/// A clock that moves only when told to, and random bytes that are the same for the same seed.
#[derive(Clone, Debug)]
pub struct MemoryClock(Arc<Mutex<(Timestamp, u64)>>);

impl MemoryClock {
    /// Builds a clock that stands at `now`.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self(Arc::new(Mutex::new((now, seed))))
    }

    /// Moves time on (or back: clocks do).
    pub fn advance(&self, by: SignedDuration) {
        let mut state = locked(&self.0);
        state.0 = state.0.saturating_add(by).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> Timestamp {
        locked(&self.0).0
    }

    fn random(&self) -> [u8; 32] {
        let mut state = locked(&self.0);
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&split_mix(&mut state.1).to_le_bytes());
        }
        bytes
    }
}

/// The `SplitMix64` generator: good enough for schedules, reproducible everywhere.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
