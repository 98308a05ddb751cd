//! Names inside a request's vault. None contains personal data.

use quittance_core::digest::Digest;
use quittance_core::id::StoreId;
use quittance_core::task::Task;

/// What intake deposits: identifiers and the request's secrets.
pub const PAPERS: &str = "papers.json";

/// The finished access package that tells one state of the stores.
pub fn export(state: &Digest) -> String {
    format!("export/{state}.zip")
}

/// What the receipt says about that package.
pub fn disclosed(state: &Digest) -> String {
    format!("export/{state}.json")
}

/// Every identifier that was known when the data map changed for the n-th time.
pub fn resolved(generation: u32) -> String {
    format!("resolved/{generation:06}.json")
}

/// The identifiers that a store was asked for: its effects and the look back ask for the same.
pub fn asked(task: &Task) -> String {
    format!("asked/{}.json", place(task))
}

/// One part of a store's manifest.
pub fn manifest_part(task: &Task, round: u8, part: u32) -> String {
    format!("manifest/{}/{round:02}-{part:06}.json", place(task))
}

/// One part of what an access request collected from a store.
pub fn collected_part(task: &Task, part: u32) -> String {
    format!("collected/{}/{part:06}.json", place(task))
}

/// The evidence leaves of one part of a store's effects, in order, under one data map.
pub fn evidence_part(task: &Task, generation: u32, round: u8, part: u32) -> String {
    let place = placed(&task.store, generation);
    format!("evidence/{place}/{round:02}-{part:06}.json")
}

/// The evidence leaves of one forget sweep's effects for a request.
pub fn sweep_evidence(store: &StoreId, n: u32) -> String {
    format!("evidence/{store}/sweep-{n:06}.json")
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

/// A store's papers have names of their own under every data map: whatever was written first counts.
fn place(task: &Task) -> String {
    placed(&task.store, task.generation)
}

fn placed(store: &StoreId, generation: u32) -> String {
    format!("{store}/{generation:06}")
}
