//! Everything Quittance *does*, through ports it owns.
//!
//! Each use-case reads the ledger, asks `quittance-core` what to do, and commits under the items'
//! versions. Run it twice, or kill it anywhere: the next run reads on from what was committed.
//! Adapters for AWS are in `quittance-aws` and `quittance-stores`; [`memory`] holds every port in
//! memory, asserting the ports' contracts on their callers.

pub mod batch;
pub mod change;
pub mod desk;
pub mod download;
pub mod dry_run;
mod evidence;
pub mod export;
pub mod intake;
pub mod keys;
pub mod ledger;
pub mod mails;
pub mod memory;
pub mod papers;
pub mod ports;
pub mod reading;
pub mod record;
pub mod secrets;
pub mod sequencer;
pub mod statement;
mod stuck;
pub mod tick;
pub mod vault;
pub mod witness;
pub mod worker;
