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

/// The objects of one shard of a sweep.
pub fn shard(k: u32) -> String {
    format!("shard/{k:06}.json")
}

/// What one committed piece of a shard came to.
pub fn shard_result(k: u32, piece: u32) -> String {
    format!("result/{k:06}-{piece:06}.json")
}

/// What a rewrite of one object is about to do.
pub fn intent(k: u32, object: u32, attempt: u32) -> String {
    format!("intent/{k:06}-{object:06}-{attempt:03}.json")
}

/// A person's signed statement about a store outside AWS.
pub fn attestation(store: &StoreId) -> String {
    format!("attestation/{store}.json")
}
