//! What people read: data on stdout, talk on stderr, and failures with their exit codes.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;

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
    /// Tells the whole chain of causes, each once.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            let text = source.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = source.source();
        }
        Self::failed(message)
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

/// Prints a line of data. What cannot be written is told once, at the end: see [`lost`].
pub(crate) fn data(line: &str) {
    match writeln!(std::io::stdout().lock(), "{line}") {
        // A reader that went away (`| head`) is no error of ours.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            LOST.get_or_init(|| error.to_string());
        }
        Ok(()) | Err(_) => {}
    }
}

/// Prints a line of talk.
pub(crate) fn talk(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Why some of the data could not be written, if so: then the command did not succeed.
pub(crate) fn lost() -> Option<Failure> {
    if let Err(error) = std::io::stdout().lock().flush()
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        LOST.get_or_init(|| error.to_string());
    }
    let why = LOST.get()?;
    Some(Failure::failed(format!(
        "cannot write to standard output: {why}"
    )))
}

static LOST: OnceLock<String> = OnceLock::new();

/// Prints a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) {
    data(&serde_json::to_string_pretty(value).unwrap_or_default());
}
