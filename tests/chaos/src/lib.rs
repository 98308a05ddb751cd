//! The whole engine in memory, under faults.
//!
//! [`World`] wires every use-case to memory ports; [`check`] holds what must be true after every
//! step; [`schedule`] runs seeded mixtures of deliveries, crashes, failures and time. The calm run of
//! the same people says how the world must look in the end.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a world made for tests: whatever does not fit is a finding"
)]

pub mod check;
mod result;
pub mod schedule;
pub mod script;
pub mod table;
pub mod world;

pub use self::world::{Ask, Crowd, World};
