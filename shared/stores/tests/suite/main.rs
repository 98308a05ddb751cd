//! What must hold when customers' stores are reached, each test named after it, through the real
//! SDK clients against the embedded backend.

/// Behaviours that only some backends can show: see `tests/ministack`.
macro_rules! where_it_can_be {
    ($($test:tt)*) => { $($test)* };
}

mod breaks;
mod csv;
mod dynamodb;
mod effects;
mod elsewhere;
mod faults;
mod modes;
mod races;
mod records;
mod rewrites;
mod s3;
mod tables;
mod versions;
// Marked, so that clippy knows fixtures for what they are: tests may unwrap.
#[cfg(test)]
mod backend;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lake;
#[cfg(test)]
mod parquet;
#[cfg(test)]
mod residuals;
#[cfg(test)]
mod survey;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
