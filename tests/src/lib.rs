//! Suites that cross crates: contract, journey, chaos, rules.
