//! Judges files as the page does, in a program of this machine's own: the browser test compares.
//!
//! ```text
//! judge < LIST
//! ```
//!
//! Each line of the list is a receipt's path, or a receipt's and a policy's with a tab between; each is
//! answered with a line of JSON.

use std::fs;
use std::io::{self, BufRead as _, Write as _};

use quittance_verify_page::judge;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (receipt, policy) = match line.split_once('\t') {
            Some((receipt, policy)) => (receipt, Some(fs::read(policy)?)),
            None => (line.as_str(), None),
        };
        let answer = judge(&fs::read(receipt)?, policy.as_deref());
        out.write_all(&answer.to_json())?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
