//! The text proof that an entry is in a log (C2SP `tlog-proof@v1`).
//!
//! Index, inclusion path and signed checkpoint in one text that needs no network. Verifying takes
//! two steps: [`TlogProof::verify_inclusion`] ties the leaf to the checkpoint's root, and
//! [`crate::policy::Policy::evaluate`] says whether the checkpoint counts.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::note::{Note, NoteError};
use crate::proof::{ProofError, verify_inclusion};

/// A proof that some entry is at `index` of the log whose checkpoint it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque bytes that nothing authenticates.
    pub extra: Option<Vec<u8>>,
    /// The entry's index, from 0.
    pub index: u64,
    /// Sibling hashes from the leaf upwards.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

impl TlogProof {
    /// Parses a proof; exactly one text stands for each proof.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Malformed`], [`TlogProofError::Note`], [`TlogProofError::Checkpoint`] if it
    /// is not exactly of the format.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        let rest = text.strip_prefix(HEADER).ok_or(TlogProofError::Malformed)?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(TlogProofError::Malformed)?;
        let (extra, index, path) = Self::parse_head(head).ok_or(TlogProofError::Malformed)?;
        let checkpoint = Note::parse(checkpoint.as_bytes())?;
        Checkpoint::parse(checkpoint.text())?;
        Ok(Self {
            extra,
            index,
            path,
            checkpoint,
        })
    }

    /// Checks that an entry with this leaf hash is at the index of the checkpoint's tree, and returns the
    /// checkpoint. Its signatures are not looked at.
    ///
    /// # Errors
    ///
    /// [`TlogProofError::Checkpoint`] if the note is not a checkpoint, [`TlogProofError::Proof`] if the
    /// path does not lead to its root.
    pub fn verify_inclusion(&self, leaf: &Hash) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::parse(self.checkpoint.text())?;
        verify_inclusion(
            leaf,
            self.index,
            checkpoint.size(),
            &self.path,
            &checkpoint.root(),
        )?;
        Ok(checkpoint)
    }

    fn parse_head(head: &str) -> Option<(Option<Vec<u8>>, u64, Vec<Hash>)> {
        let mut lines = head.split('\n');
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(encoded).ok()?);
            line = lines.next()?;
        }
        let digits = line.strip_prefix("index ")?;
        let index: u64 = digits.parse().ok()?;
        if index.to_string() != digits {
            return None;
        }
        let path: Option<Vec<Hash>> = lines.map(Hash::parse).collect();
        let path = path.filter(|path| path.len() <= MAX_PATH)?;
        Some((extra, index, path))
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What can be wrong with a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// The note inside is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Not a proof of this format.
    #[error("not a c2sp.org/tlog-proof@v1")]
    Malformed,
    /// The checkpoint inside is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The path does not lead from the leaf to the root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";
/// A tree of 2^64 leaves is no higher.
const MAX_PATH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{leaf_hash, node_hash};
    use crate::note::{Ed25519Signer, KeyKind};

    fn proof() -> TlogProof {
        let log = Ed25519Signer::from_seed("example.com/log", KeyKind::Ed25519, &[1; 32]).unwrap();
        let root = node_hash(&leaf_hash(b"a"), &leaf_hash(b"b"));
        let checkpoint = Checkpoint::new("example.com/log", 2, root).unwrap();
        TlogProof {
            extra: None,
            index: 1,
            path: vec![leaf_hash(b"a")],
            checkpoint: log.sign(checkpoint.to_note().unwrap()).unwrap(),
        }
    }

    #[test]
    fn a_proof_survives_its_text_and_proves_its_leaf_only() {
        for extra in [None, Some(Vec::new()), Some(b"opaque".to_vec())] {
            let proof = TlogProof { extra, ..proof() };
            let again = TlogProof::parse(&proof.to_string()).unwrap();
            assert_eq!(again, proof);
            assert_eq!(again.verify_inclusion(&leaf_hash(b"b")).unwrap().size(), 2);
            assert!(again.verify_inclusion(&leaf_hash(b"a")).is_err());
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = proof().to_string();
        for (from, to) in [
            ("proof@v1", "proof@v2"),
            ("index 1", "index 01"),
            ("index 1", "index +1"),
            ("index 1", "index 1 "),
            ("index 1\n", ""),
            ("index 1\n", "index 1\n\n"),
            ("index 1\n", "extra AAA\nindex 1\n"),
            ("index 1\n", "index 1\nextra AAAA\n"),
            ("=\n", "\n"),
            ("\n", "\r\n"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(TlogProof::parse(&bad).is_err(), "{bad}");
        }
    }
}
