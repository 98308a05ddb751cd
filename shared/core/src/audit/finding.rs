//! What an audit finds: where, what, and whether it breaks the account or is a duty missed.

use serde::Serialize;

/// Something that an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The file that says it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The entry of the log that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_index: Option<u64>,
    /// One line for people.
    pub explanation: String,
}

impl Finding {
    /// Makes a finding about a file.
    pub fn file(kind: FindingKind, name: &str, explanation: impl Into<String>) -> Self {
        Self {
            kind,
            file: Some(name.to_owned()),
            leaf_index: None,
            explanation: explanation.into(),
        }
    }

    /// Makes a finding about an acceptance.
    pub(super) fn case(kind: FindingKind, leaf_index: u64, explanation: impl Into<String>) -> Self {
        Self {
            kind,
            file: None,
            leaf_index: Some(leaf_index),
            explanation: explanation.into(),
        }
    }
}

/// The kinds of findings. Their names never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A manifest does not follow the one before.
    Chain,
    /// A manifest contradicts itself, an earlier one, or the log.
    Contradiction,
    /// A manifest does not verify, or is not in the log.
    Forged,
    /// Days without a manifest.
    Gap,
    /// An answer that came late.
    Late,
    /// No manifest reaches to the end of the period.
    Missing,
    /// What is open is not what the manifest says.
    Open,
    /// An acceptance that is open and overdue.
    Overdue,
    /// A receipt says otherwise than the manifests.
    Receipt,
    /// A manifest accounts for another tree than the log's.
    Root,
    /// An entry of the log that no manifest accounts for.
    Unaccounted,
}

impl FindingKind {
    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Contradiction => "contradiction",
            Self::Forged => "forged",
            Self::Gap => "gap",
            Self::Late => "late",
            Self::Missing => "missing",
            Self::Open => "open",
            Self::Overdue => "overdue",
            Self::Receipt => "receipt",
            Self::Root => "root",
            Self::Unaccounted => "unaccounted",
        }
    }

    /// Whether the account cannot be believed; the other kinds are duties missed in an account that can.
    pub const fn is_broken(self) -> bool {
        match self {
            Self::Chain
            | Self::Contradiction
            | Self::Forged
            | Self::Missing
            | Self::Open
            | Self::Receipt
            | Self::Root
            | Self::Unaccounted => true,
            Self::Gap | Self::Late | Self::Overdue => false,
        }
    }
}
