//! Verifies a receipt so many times: what `tests/bench/log` measures.
//!
//! ```sh
//! cargo run --release -p quittance-core --example verify_receipts -- 1000
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "a measurement, not a part of the product"
)]

use std::hint::black_box;

use quittance_core::receipt::{Policy, verify};

fn main() {
    let count: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let receipt = include_bytes!("../../../tests/golden/receipt_v1_witnessed.receipt.json");
    let policy = include_str!("../../../tests/golden/receipt_v1_witnessed.policy");
    let policy = Policy::parse(policy).unwrap();
    for _ in 0..count {
        let accepted = verify(black_box(receipt), &policy).ok;
        assert!(accepted, "the golden receipt is refused");
    }
}
