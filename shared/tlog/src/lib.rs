//! A transparency log as pure functions: hashes, tiles, notes, checkpoints, proofs.
//!
//! Formats are those of [C2SP](https://c2sp.org): `tlog-tiles`, `tlog-checkpoint`, `signed-note`,
//! `tlog-cosignature` (Ed25519 and ML-DSA-44), `tlog-proof@v1` and `tlog-policy`; the tree is RFC 6962's.
//! Nothing here does I/O, waits, reads a clock or makes random numbers: callers fetch what
//! [`right_edge_paths`] and [`inclusion_proof_paths`] list and hand over the bytes, and signatures
//! may be made elsewhere (see [`Note::with_ed25519_signature`]).
//! The order in which a sequencer writes is in `quittance-engine`.

pub mod checkpoint;
pub mod fsck;
pub mod hash;
pub mod integrate;
pub mod note;
pub mod policy;
pub mod post_quantum;
pub mod proof;
pub mod tile;
pub mod tlog_proof;
pub mod witness;

pub use crate::checkpoint::{Checkpoint, CheckpointError};
pub use crate::fsck::{FsckReport, Problem, ProblemKind, fsck, fsck_directory};
pub use crate::hash::{Hash, leaf_hash, node_hash, tree_root};
pub use crate::integrate::{IntegrateError, Integrated, RightEdge, integrate, right_edge_paths};
pub use crate::note::{Ed25519Signer, KeyKind, Note, NoteError, SignatureLine, VerifierKey};
pub use crate::policy::{Opened, Policy, PolicyError};
pub use crate::post_quantum::{MlDsa44Signer, cosigned_message};
pub use crate::proof::{
    ProofError, consistency_proof, consistency_proof_paths, inclusion_proof, inclusion_proof_paths,
    verify_consistency, verify_inclusion,
};
pub use crate::tile::{TileError, TileKind, TilePath, TileReader};
pub use crate::tlog_proof::{TlogProof, TlogProofError};
