//! Everything Quittance *decides*: no async, no I/O, no clock, no randomness.
//!
//! Time and random bytes come in as arguments. What is *done* with a decision is in
//! `quittance-engine`; how customers' data and our own are reached is in `quittance-stores` and
//! `quittance-aws`.

pub mod account;
pub mod audit;
pub mod bag;
pub mod calendar;
pub mod data_map;
pub mod digest;
pub mod fault;
pub mod hold;
pub mod holidays;
pub mod id;
pub mod manifest;
pub mod matching;
pub mod message;
pub mod outcome;
pub mod peaks;
pub mod plan;
pub mod pseudonym;
pub mod receipt;
pub mod regime;
pub mod request;
pub mod subject;
pub mod sweep;
pub mod table;
pub mod tally;
pub mod task;
