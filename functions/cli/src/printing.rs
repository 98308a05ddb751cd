//! What people read: data on stdout, talk on stderr, and failures with their exit codes.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// It failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }

    /// It was asked wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 2,
        }
    }

    /// Something named does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 3,
        }
    }

    /// It cannot be done at this stage.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 5,
        }
    }

    /// It may work later.
    pub(crate) fn later(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 75,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::failed(error.to_string())
    }
}

/// Verification failed.
pub(crate) fn verification_failed() -> ExitCode {
    ExitCode::from(6)
}

/// It was done, but not all of it is as it should be.
pub(crate) fn partly() -> ExitCode {
    ExitCode::from(7)
}

/// Prints a line of data.
pub(crate) fn data(line: &str) {
    put(std::io::stdout().lock(), line);
}

/// Prints a line of talk.
pub(crate) fn talk(line: &str) {
    put(std::io::stderr().lock(), line);
}

fn put(mut out: impl std::io::Write, line: &str) {
    // A reader that went away (`| head`) is no error of ours.
    drop(writeln!(out, "{line}"));
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) {
    data(&serde_json::to_string_pretty(value).unwrap_or_default());
}
