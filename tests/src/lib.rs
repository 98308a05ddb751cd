//! Suites that cross crates: contract, journey, chaos, lake, rules.

/// Returns the Python that has other people's readers and writers of rows: `pyarrow`, `duckdb`,
/// `polars` and `cramjam`.
///
/// # Errors
/// What to do when nobody says where it is.
#[expect(
    clippy::disallowed_methods,
    reason = "where a judge of tests is, not a setting"
)]
pub fn lake_python() -> Result<String, &'static str> {
    std::env::var("QUITTANCE_LAKE_PYTHON").map_err(|_| {
        "QUITTANCE_LAKE_PYTHON is not set: tests/run installs what judges rewritten rows; run the \
         tests with it, or put a Python that has pyarrow, duckdb, polars and cramjam there"
    })
}
