//! Files that other programs wrote, rewritten, and read again by those programs: what survives must
//! be to them what it was.

// Marked, so that clippy knows fixtures for what they are: tests may unwrap.
#[cfg(test)]
mod csv;
#[cfg(test)]
mod parquet;
#[cfg(test)]
mod snappy;
#[cfg(test)]
mod tools;
