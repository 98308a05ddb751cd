//! The machine's time and the operating system's randomness: the only place that asks for them.

use std::time::SystemTime;

use jiff::Timestamp;
use quittance_engine::ports::Clock;

/// The real clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the Clock port's adapter"
    )]
    fn now(&self) -> Timestamp {
        // Out of range only in the year 9999.
        Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
    }

    #[expect(
        clippy::expect_used,
        reason = "without randomness no secret may be made: stop"
    )]
    fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_time_is_of_this_century() {
        assert_ne!(SystemClock.random(), SystemClock.random());
        assert!(SystemClock.now() > "2026-01-01T00:00:00Z".parse().unwrap());
    }
}
