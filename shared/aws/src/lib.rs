//! How Quittance reaches its own data: ledger, queues, vault, evidence, log, keys.
//!
//! Adapters of `quittance-engine`'s ports for AWS, and their files for one machine. How customers'
//! data is reached is in `quittance-stores`. Two invariants: the environment is read in
//! [`settings`] only, and time and chance come from [`clock`] only.

pub mod adapters;
pub mod clients;
pub mod clock;
pub mod evidence;
pub mod files;
pub mod head_lock;
pub mod http;
pub mod lambda;
pub mod ledger;
pub mod mail;
pub mod metrics;
pub mod provision;
pub mod queues;
pub mod secrets;
pub mod settings;
pub mod shutdown;
pub mod signer;
pub mod telemetry;
pub mod tiles;
pub mod time;
pub mod vault;
pub mod witness;

mod faults;
mod objects;
