//! Whole journeys through the real program: `dsr local` as a process, driven over HTTP, killed, and
//! searched; and what `dsr demo` leaves, judged by `dsr verify` and `dsr fsck`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

mod bad_input;
mod batch;
mod browser;
mod evidence;
mod fsck;
mod fuzzed;
mod home;
mod identity;
mod infra;
mod kill;
mod law;
mod local;
mod many;
mod openings;
mod rewrite;
mod stamps;
mod support;
mod traces;
mod witness;
mod writer;
