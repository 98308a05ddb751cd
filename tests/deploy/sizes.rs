//! How large the functions' programs may grow: what is large starts slowly, and Lambda takes 250 MB at most.

use crate::stack::{FUNCTIONS, bootstraps};

/// Megabytes, in the profile `bootstrap`: about twice what a release for arm64 has. What grows beyond has learnt
/// something new, and somebody should know what.
const BUDGET: [(&str, u64); 9] = [
    ("access", 40),
    ("clock", 30),
    ("deletion", 42),
    ("download", 32),
    ("intake", 36),
    ("opt-out", 40),
    ("published", 32),
    ("receipts", 32),
    ("witness", 32),
];

#[test]
fn every_program_keeps_to_its_budget() {
    let budgeted = BUDGET.map(|(function, _)| function);
    assert_eq!(budgeted, [FUNCTIONS.as_slice(), &["witness"]].concat()[..]);
    for (function, megabytes) in BUDGET {
        let program = bootstraps().join(format!("quittance-{function}"));
        let bytes = std::fs::metadata(&program)
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
            .len();
        println!("{function:<9} {:>6} kB", bytes / 1_000);
        assert!(
            bytes < megabytes * 1_000_000,
            "{function}: {bytes} bytes, at most {megabytes} MB"
        );
    }
}
