//! The same behaviours of the same adapters on another's emulator, `ministack`: what holds on the embedded
//! backend only because we wrote it is seen here.
//!
//! Needs the program as the contract suites do (`tests/contract/ministack.rs`).

#![expect(
    dead_code,
    unused_imports,
    reason = "fixtures of what cannot be shown here"
)]

/// Behaviours that this emulator cannot show: it ignores ranges of named versions, knows no inventories and no
/// initiators of uploads, spells metadata in Latin-1, forgets how checksums of parts are joined, and does not overwrite
/// null versions.
macro_rules! where_it_can_be {
    ($($test:tt)*) => {};
}

#[cfg(test)]
mod backend;
#[path = "../suite/csv.rs"]
mod csv;
#[path = "../suite/dynamodb.rs"]
mod dynamodb;
#[path = "../suite/effects.rs"]
mod effects;
#[path = "../suite/faults.rs"]
mod faults;
#[cfg(test)]
#[path = "../suite/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "../suite/lake.rs"]
mod lake;
#[path = "../suite/modes.rs"]
mod modes;
#[cfg(test)]
#[path = "../suite/parquet.rs"]
mod parquet;
#[path = "../suite/races.rs"]
mod races;
#[path = "../suite/records.rs"]
mod records;
#[cfg(test)]
#[path = "../suite/residuals.rs"]
mod residuals;
#[path = "../suite/rewrites.rs"]
mod rewrites;
#[path = "../suite/s3.rs"]
mod s3;
#[cfg(test)]
#[path = "../../../../tests/contract/server.rs"]
mod server;
#[cfg(test)]
#[path = "../suite/survey.rs"]
mod survey;
#[path = "../suite/tables.rs"]
mod tables;
#[path = "../suite/versions.rs"]
mod versions;
#[cfg(test)]
#[path = "../suite/wire.rs"]
mod wire;
#[cfg(test)]
#[path = "../suite/world.rs"]
mod world;
