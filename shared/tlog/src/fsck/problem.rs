//! What can be wrong with a log's files.

use std::fmt;

/// One wrong file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which; `checkpoint` for the root.
    pub path: String,
    /// In what way.
    pub kind: ProblemKind,
    /// What was expected and what was found, as the end of a sentence that begins with the path.
    pub explanation: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.explanation)
    }
}

/// In what way a file is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// It belongs to a larger tree than the checkpoint's.
    Ahead,
    /// It is not what the entries give.
    Differs,
    /// It cannot be understood, or has the wrong number of entries.
    Malformed,
    /// It is not there.
    Missing,
    /// Too few witnesses cosigned the checkpoint.
    Quorum,
    /// The entries give another root than the checkpoint's.
    Root,
    /// The checkpoint is not signed as the policy asks.
    Signature,
    /// It is no file of a log.
    Unknown,
    /// Its bytes cannot be had.
    Unreadable,
}

impl ProblemKind {
    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Differs => "differs",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::Quorum => "quorum",
            Self::Root => "root",
            Self::Signature => "signature",
            Self::Unknown => "unknown",
            Self::Unreadable => "unreadable",
        }
    }
}
