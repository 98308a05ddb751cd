//! What can go wrong, by what to do about it.
//!
//! Every error says which of four things it is; there is no catch-all. An unknown outcome (a
//! time-out after a send) is a [`Fault::Retry`]: whoever retries reads first, then decides.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error of a port or a use-case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A precondition failed: somebody else was faster. Read again and decide again.
    Conflict,
    /// Throttled, timed out, unavailable, a lease held, or time nearly out: try again later.
    Retry {
        /// How long to wait, in seconds.
        after_seconds: u32,
        /// What happened, for the log; never personal data.
        detail: String,
    },
    /// A human, or a date, must act first: a committed task state.
    Block(BlockReason),
    /// The message or question is unreadable or illegal: quarantine it, raise an alarm.
    Reject {
        /// What is wrong, for the log; never personal data.
        detail: String,
    },
}

impl Fault {
    /// Builds a retry after the default pause of two seconds.
    pub fn retry(detail: impl Into<String>) -> Self {
        Self::Retry {
            after_seconds: 2,
            detail: detail.into(),
        }
    }

    /// Builds a rejection.
    pub fn reject(detail: impl Into<String>) -> Self {
        Self::Reject {
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("conflict: somebody else was faster"),
            Self::Retry {
                after_seconds,
                detail,
            } => {
                write!(f, "try again in {after_seconds} s: {detail}")
            }
            Self::Block(reason) => write!(f, "blocked: {reason}"),
            Self::Reject { detail } => write!(f, "rejected: {detail}"),
        }
    }
}

impl std::error::Error for Fault {}

/// Why a task cannot go on. The text of a reason is its stable name in ledger and receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// Our role may not do this: fix its policy, then release.
    AccessDenied,
    /// The object lies in an archive tier and must be restored first.
    ArchiveTier,
    /// A named person must attest what was done outside AWS.
    AwaitingAttestation,
    /// New matches kept arriving for longer than we chase them.
    DataArriving,
    /// Object Lock or a legal hold forbids deletion until a date.
    Locked,
    /// Matches that existed when we looked are still there after the effect.
    ResidualMatches,
    /// Tried too often.
    RetriesExhausted,
    /// Table, index, bucket or attribute is not as the data map says.
    SchemaMismatch,
    /// The data map no longer names this store.
    StoreGone,
    /// A hold forbids to delete anything in this store.
    StoreHeld,
    /// There is no such table, index or bucket.
    StoreMissing,
    /// Somebody paused the sweeps over this store.
    SweepsPaused,
    /// An Iceberg, Delta or Hudi table: never rewritten underneath its catalogue.
    TableFormat,
    /// More data than this version handles in one piece.
    TooLarge,
    /// An object is damaged, or its rows are not what the data map says.
    UnreadableData,
    /// An identifier's value cannot stand in a key or path.
    UnsafeIdentifier,
    /// This kind of store cannot be handled yet.
    UnsupportedStore,
    /// A store that yields this one's identifiers is blocked itself.
    UpstreamBlocked,
}

impl BlockReason {
    /// Returns the stable name used in ledger and receipts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ArchiveTier => "archive_tier",
            Self::AwaitingAttestation => "awaiting_attestation",
            Self::DataArriving => "data_arriving",
            Self::Locked => "locked",
            Self::ResidualMatches => "residual_matches",
            Self::RetriesExhausted => "retries_exhausted",
            Self::SchemaMismatch => "schema_mismatch",
            Self::StoreGone => "store_gone",
            Self::StoreHeld => "store_held",
            Self::StoreMissing => "store_missing",
            Self::SweepsPaused => "sweeps_paused",
            Self::TableFormat => "table_format",
            Self::TooLarge => "too_large",
            Self::UnreadableData => "unreadable_data",
            Self::UnsafeIdentifier => "unsafe_identifier",
            Self::UnsupportedStore => "unsupported_store",
            Self::UpstreamBlocked => "upstream_blocked",
        }
    }

    /// Says what a person can do about it, in one line.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::AccessDenied => "grant the role the verb it lacks, then release the task",
            Self::ArchiveTier => "restore the object from its archive tier, then release the task",
            Self::AwaitingAttestation => "the named team attests with `dsr task attest`",
            Self::DataArriving => "stop the writer that keeps adding this subject, then release",
            Self::Locked => "the store's lock ends at the date shown; the task wakes by itself",
            Self::ResidualMatches => "find out what restores the data, then release the task",
            Self::RetriesExhausted => "read the function's log for this task, then release it",
            Self::SchemaMismatch => "compare the data map with the store, correct it, then release",
            Self::StoreHeld => {
                "a hold on the store forbids it; when `dsr hold lift` ends that, it goes on by itself"
            }
            Self::StoreMissing => {
                "no table or bucket has this name here: correct the data map or the region, then release"
            }
            Self::StoreGone => "put the store back into the data map, or seal as partial",
            Self::SweepsPaused => "let its sweeps go on with `dsr sweep resume`, then release",
            Self::TableFormat => {
                "delete through the table's own engine, and let the request end in part"
            }
            Self::TooLarge => "split the data, or raise the function's memory, then release",
            Self::UnreadableData => "repair or replace the object that is named, then release",
            Self::UnsafeIdentifier => {
                "handle this subject's data by hand, and let the request end in part"
            }
            Self::UnsupportedStore => "handle this store by hand, or seal as partial",
            Self::UpstreamBlocked => {
                "release the blocked store that leads here; this one follows by itself"
            }
        }
    }
}

impl fmt::Display for BlockReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_name_everywhere() {
        for reason in [
            BlockReason::AccessDenied,
            BlockReason::StoreGone,
            BlockReason::Locked,
        ] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
    }
}
