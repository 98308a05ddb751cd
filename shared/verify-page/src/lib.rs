//! The verifier for a page: a receipt and a policy in, a verdict as JSON out.
//!
//! What is verified, and how, is `quittance_core::receipt`'s; how the page looks and speaks is beside
//! this crate, in `page.html`, `page.css` and `page.js`; `build` makes one file of them all. Here are
//! the few functions that JavaScript calls, in this order: [`quittance_receipt`] and, with a policy,
//! [`quittance_policy`] give room for so many bytes, the caller fills it, and [`quittance_judge`] says
//! where the answer begins, [`quittance_answer_length`] how long it is.
//!
//! Invariant: Rust follows no pointer that came from outside; it only tells its own.

use std::cell::RefCell;

mod judge;

pub use self::judge::{Answer, Verdict, judge};

/// What the caller gave and gets.
struct Desk {
    receipt: Vec<u8>,
    policy: Option<Vec<u8>>,
    answer: Vec<u8>,
}

thread_local! {
    static DESK: RefCell<Desk> = const {
        RefCell::new(Desk { receipt: Vec::new(), policy: None, answer: Vec::new() })
    };
}

/// Makes room for a receipt of so many bytes, and says where it begins.
#[expect(unsafe_code, reason = "the name is the page's, and nobody else's")]
#[unsafe(no_mangle)]
pub extern "C" fn quittance_receipt(length: usize) -> *mut u8 {
    DESK.with_borrow_mut(|desk| {
        desk.receipt = vec![0; length];
        desk.receipt.as_mut_ptr()
    })
}

/// Makes room for a policy of so many bytes, and says where it begins. Without this call the keys
/// inside the receipt are used.
#[expect(unsafe_code, reason = "the name is the page's, and nobody else's")]
#[unsafe(no_mangle)]
pub extern "C" fn quittance_policy(length: usize) -> *mut u8 {
    DESK.with_borrow_mut(|desk| desk.policy.insert(vec![0; length]).as_mut_ptr())
}

/// Judges what lies there, and says where the answer begins. It stays until the next call.
#[expect(unsafe_code, reason = "the name is the page's, and nobody else's")]
#[unsafe(no_mangle)]
pub extern "C" fn quittance_judge() -> *const u8 {
    DESK.with_borrow_mut(|desk| {
        desk.answer = judge(&desk.receipt, desk.policy.as_deref()).to_json();
        desk.answer.as_ptr()
    })
}

/// Says how many bytes the answer has.
#[expect(unsafe_code, reason = "the name is the page's, and nobody else's")]
#[unsafe(no_mangle)]
pub extern "C" fn quittance_answer_length() -> usize {
    DESK.with_borrow(|desk| desk.answer.len())
}
