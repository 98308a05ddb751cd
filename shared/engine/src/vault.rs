//! Names inside a request's vault. None contains personal data.

use quittance_core::id::StoreId;

/// What intake deposits: identifiers and the request's secrets.
pub const PAPERS: &str = "papers.json";

/// The finished access package.
pub const EXPORT: &str = "export.zip";

/// What the receipt says about the access package.
pub const DISCLOSED: &str = "disclosed.json";

/// One part of a store's manifest.
pub fn manifest_part(store: &StoreId, round: u8, part: u32) -> String {
    format!("manifest/{store}/{round:02}-{part:06}.json")
}

/// One part of what an access request collected from a store.
pub fn collected_part(store: &StoreId, part: u32) -> String {
    format!("collected/{store}/{part:06}.json")
}

/// The evidence leaves of one part of a store's effects, in order.
pub fn evidence_part(store: &StoreId, round: u8, part: u32) -> String {
    format!("evidence/{store}/{round:02}-{part:06}.json")
}

/// A person's signed statement about a store outside AWS.
pub fn attestation(store: &StoreId) -> String {
    format!("attestation/{store}.json")
}
