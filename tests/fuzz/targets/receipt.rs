//! Receipts, policies, notes and time stamps: whatever a stranger hands in is taken apart or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quittance_core::receipt::{
    Anchors, Policy, ReceiptFile, verify, verify_embedded, verify_timestamp,
};
use quittance_tlog::Note;

fuzz_target!(|input: &[u8]| {
    let [choice, input @ ..] = input else {
        return;
    };
    match choice % 4 {
        0 => {
            if let Ok(note) = Note::parse(input) {
                assert_eq!(
                    note.to_string().as_bytes(),
                    input,
                    "a note has one spelling"
                );
            }
        }
        1 => {
            if let Ok(text) = std::str::from_utf8(input) {
                drop(Policy::parse(text));
            }
        }
        2 => {
            drop(verify_embedded(input));
            let policy = Policy::parse(POLICY).expect("the golden policy");
            let accepted = verify(input, &policy).ok;
            assert!(
                !accepted || RECEIPTS.contains(&input),
                "another receipt is accepted"
            );
        }
        _ => {
            let receipt = ReceiptFile::parse(RECEIPTS[0]).expect("the golden receipt");
            let anchors = Anchors::parse(ANCHORS).expect("the golden anchors");
            if let Ok(stamped) = verify_timestamp(&receipt, input, &anchors) {
                let at = stamped.at.to_string();
                assert_eq!(at, "2026-11-30T20:44:56Z", "another time is accepted");
            }
        }
    }
});

/// What is accepted: nothing else under this policy ever may.
const RECEIPTS: [&[u8]; 2] = [
    include_bytes!("../../golden/receipt_v1.receipt.json"),
    include_bytes!("../../golden/receipt_v1_witnessed.receipt.json"),
];
const POLICY: &str = include_str!("../../golden/receipt_v1.policy");
const ANCHORS: &str = include_str!("../../golden/receipt_v1.anchors.pem");
