//! The shell commands, inside every receipt, that verify it with nothing but `openssl`.
//!
//! The text is a function of the receipt's file name; a verifier makes it again and compares, so
//! nobody can slip other commands into a receipt. It needs a POSIX `sh`, `sed`, `head`, `tail`,
//! `tr`, `cat`, `cmp`, `wc`, `mktemp` and OpenSSL 3. It believes nothing of the file before it has
//! compared its whole frame, and computes with no number before the log's signature over it holds.

/// Returns the commands for a receipt of this name.
pub fn verify_commands(file_name: &str) -> String {
    TEMPLATE.replace("@FILE@", file_name)
}

const TEMPLATE: &str = include_str!("verify.sh");
