//! Witnesses (C2SP `tlog-witness`): the `add-checkpoint` request, and what a witness says to it.
//!
//! A witness cosigns a log's checkpoint if it extends the one that it cosigned last, and never
//! otherwise: whoever holds its cosignature knows that no other history of that size was cosigned. Deciding
//! is here; remembering, atomically, before answering, is the caller's, and so is the clock.

use std::fmt;

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::note::{Note, VerifierKey};
use crate::proof::{ProofError, verify_consistency};

/// What a log sends: its checkpoint, and a proof from the one that the witness has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the proof begins at.
    pub old_size: u64,
    /// The consistency proof.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: Note,
}

impl AddCheckpoint {
    /// Parses a request's body.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let text = str::from_utf8(body).ok()?;
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let digits = lines.next()?.strip_prefix("old ")?;
        let old_size: u64 = digits.parse().ok()?;
        let proof: Option<Vec<Hash>> = lines.map(Hash::parse).collect();
        let request = Self {
            old_size,
            proof: proof?,
            checkpoint: Note::parse(note.as_bytes()).ok()?,
        };
        (old_size.to_string() == digits && request.proof.len() <= MOST_HASHES).then_some(request)
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What a witness remembers of a log: the last tree that it cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many leaves.
    pub size: u64,
    /// Their root.
    pub root: Hash,
}

impl Seen {
    /// What a witness has seen of a log that it never cosigned.
    pub const NOTHING: Self = Self {
        size: 0,
        root: Hash::EMPTY_ROOT,
    };
}

/// Decides whether a checkpoint may be cosigned: a log of these signed it, and it extends what was seen
/// of that log, by its name. A log that changes its key stands there with both keys, and goes on with the
/// same history: `seen` is never another for another key, or the change would be a way around the witness.
///
/// # Errors
///
/// [`Refusal`] if not. What [`Refusal::is_alarm`] says proves that the log showed two histories.
pub fn decide(
    request: &AddCheckpoint,
    logs: &[VerifierKey],
    seen: Seen,
) -> Result<Checkpoint, Refusal> {
    let checkpoint =
        Checkpoint::parse(request.checkpoint.text()).map_err(|_| Refusal::Malformed)?;
    let named = logs.iter().filter(|log| log.name() == checkpoint.origin());
    let keys: Vec<VerifierKey> = named.cloned().collect();
    if keys.is_empty() {
        return Err(Refusal::UnknownLog);
    }
    if request.checkpoint.verify(&keys).is_err() {
        return Err(Refusal::Unsigned);
    }
    if request.old_size > checkpoint.size() {
        return Err(Refusal::Malformed);
    }
    let (size, root) = (checkpoint.size(), checkpoint.root());
    if size == seen.size && root != seen.root {
        return Err(Refusal::SplitView { size });
    }
    if request.old_size != seen.size {
        return Err(Refusal::Stale { size: seen.size });
    }
    match verify_consistency(seen.size, &seen.root, size, &root, &request.proof) {
        Ok(()) => Ok(checkpoint),
        Err(ProofError::Range | ProofError::Mismatch | ProofError::Tile(_)) => {
            Err(Refusal::Inconsistent)
        }
    }
}

/// Why a checkpoint was not cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The proof does not lead from what was cosigned to this checkpoint.
    #[error("the checkpoint does not extend what was cosigned, or its proof is wrong")]
    Inconsistent,
    /// Not a request, or one that begins behind its end.
    #[error("not an add-checkpoint request")]
    Malformed,
    /// The same size with another root: the log has two histories.
    #[error("another tree of {size} leaves was cosigned: the log shows two histories")]
    SplitView {
        /// The size.
        size: u64,
    },
    /// The proof begins elsewhere than at what was cosigned last.
    #[error("the last checkpoint cosigned has {size} leaves")]
    Stale {
        /// What was cosigned last.
        size: u64,
    },
    /// A log that this witness does not know.
    #[error("this witness does not know the log")]
    UnknownLog,
    /// Not signed by the log.
    #[error("the log did not sign this checkpoint")]
    Unsigned,
}

impl Refusal {
    /// Returns the status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::SplitView { .. } | Self::Stale { .. } => 409,
            Self::Inconsistent => 422,
        }
    }

    /// Returns the body of the answer and its media type.
    pub fn body(self) -> (String, &'static str) {
        match self {
            Self::SplitView { size } | Self::Stale { size } => {
                (format!("{size}\n"), "text/x.tlog.size")
            }
            Self::Inconsistent | Self::Malformed | Self::UnknownLog | Self::Unsigned => {
                (format!("{self}\n"), "text/plain; charset=utf-8")
            }
        }
    }

    /// Whether somebody must look: a checkpoint that the log signed contradicts another that it signed.
    pub const fn is_alarm(self) -> bool {
        match self {
            Self::Inconsistent | Self::SplitView { .. } => true,
            Self::Malformed | Self::Stale { .. } | Self::UnknownLog | Self::Unsigned => false,
        }
    }
}

/// Most hashes in a proof.
const MOST_HASHES: usize = 63;
