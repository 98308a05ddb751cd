//! Receipts: what we state about a request, how it is signed, logged, packed and verified.
//!
//! The byte-exact format is told in `docs/RECEIPT.md`. A [`Statement`] is wrapped in a DSSE
//! [`Envelope`]; digest and signature become a log entry ([`leaf_bytes`]); statement, entry, proof
//! and keys become one [`ReceiptFile`], which [`verify()`] judges against a [`Policy`] without a
//! network. Nothing here signs or does I/O: signatures come in as bytes, and so do log proofs.

mod commands;
pub mod dsse;
pub mod file;
mod leaf;
pub mod opening;
pub mod policy;
mod sigstore;
pub mod statement;
pub mod timestamp;
pub mod verify;
pub mod words;

pub use self::commands::verify_commands;
pub use self::dsse::{DsseError, Envelope, ReceiptKey, pae};
pub use self::file::{FileError, MAX_FILE_BYTES, MEDIA_TYPE, ReceiptFile};
pub use self::leaf::leaf_bytes;
pub use self::opening::{
    MAX_OPENING_BYTES, OPENING_MEDIA_TYPE, Opening, OpeningError, evidence_leaf, evidence_root,
    members_root,
};
pub use self::policy::{Policy, PolicyError, PolicySigner, policy_text, policy_text_of};
pub use self::sigstore::{SigstoreBundle, log_id};
pub use self::statement::{
    About, Acceptance, AcceptanceLeaf, AmendedLine, AttestedLine, BlockedLine, Check, CheckMethod,
    Checkpoint, Controller, ControllerRole, DataMap, Disclosure, Exempt, Handler, Kind, MAX_NUMBER,
    Manifest, ManifestLine, Receipt, Residual, ResidualKind, Statement, StatementError, StoreLine,
    VersionedName, open_root,
};
pub use self::timestamp::{
    Anchors, AnchorsError, MAX_TIMESTAMP_BYTES, QUERY_MEDIA_TYPE, Stamped, TIMESTAMP_ENDING,
    TIMESTAMP_MEDIA_TYPE, TimestampError, TimestampQuery, timestamp_name, verify_timestamp,
};
pub use self::verify::{
    CheckLine, CheckName, CheckVerdict, Report, Summary, Trust, verify, verify_embedded,
};
pub use self::words::{Code, Day, Minute, Nonce, PublicName, Slug, is_log_name};
