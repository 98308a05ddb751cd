//! Where things lie: evidence by statement and leaf id, the log's files by size.

use quittance_core::digest::Digest;
use quittance_core::id::LeafId;
use quittance_core::receipt::{Day, timestamp_name};

/// Returns the place of an unsigned statement in evidence.
pub fn statement(digest: &Digest) -> String {
    format!("statements/{digest}.json")
}

/// Returns the place of a signed envelope in evidence.
pub fn envelope(leaf: &LeafId) -> String {
    format!("{ENVELOPES}{leaf}{JSON}")
}

/// Returns whose envelope lies at a place.
pub fn envelope_owner(path: &str) -> Option<LeafId> {
    LeafId::parse(path.strip_prefix(ENVELOPES)?.strip_suffix(JSON)?)
}

/// Returns the place of a receipt in evidence.
pub fn receipt(leaf: &LeafId) -> String {
    format!("{RECEIPTS}{}", leaf.file_name())
}

/// Returns the place of a receipt with a quorum's cosignatures; the one without stays.
pub fn witnessed(leaf: &LeafId) -> String {
    format!("{WITNESSED}{}", leaf.file_name())
}

/// Returns the place of a receipt, by its file's name, that was proven anew for the n-th time after the
/// log's key was changed; those before stay.
pub fn renewed(n: u64, name: &str) -> String {
    format!("{RENEWED}{n}/{name}")
}

/// Returns the place of the n-th mark, from 1: up to where every receipt was proven anew under the key with
/// this id.
pub fn mark(key_id: u32, n: u64) -> String {
    format!("{MARKS}{key_id:08x}/{n}{JSON}")
}

/// Returns the place, in evidence, of the time stamp on a leaf's signature.
pub fn timestamp(leaf: &LeafId) -> String {
    let receipt = leaf.file_name();
    let name = timestamp_name(&receipt).unwrap_or(receipt);
    format!("{TIMESTAMPS}{name}")
}

/// Returns the place, in evidence, of what the batch says that began at this size.
pub fn said(old_size: u64) -> String {
    format!("said/{old_size}{JSON}")
}

/// Returns the place, in evidence, of what was open after a manifest.
pub fn book(statement: &Digest) -> String {
    format!("books/{statement}{JSON}")
}

/// Returns the place of a manifest's receipt among the log's files, beside the tiles.
pub fn manifest(day: Day) -> String {
    format!("{MANIFESTS}{}", LeafId::Manifest(day).file_name())
}

/// Returns the place of a staging bundle among the log's files.
pub fn staging(old_size: u64, size: u64, root: &Digest) -> String {
    format!("staging/{old_size}-{size}-{root}")
}

/// Returns the place of an old checkpoint among the log's files.
pub fn checkpoint_of(size: u64) -> String {
    format!("checkpoints/{size}")
}

/// The place of the current checkpoint among the log's files.
pub const CHECKPOINT: &str = "checkpoint";
/// Where the receipts of manifests lie among the log's files.
pub const MANIFESTS: &str = "manifests/";
/// Where receipts with cosignatures lie.
pub const WITNESSED: &str = "witnessed/";
/// Where receipts lie that were proven anew.
pub const RENEWED: &str = "renewed/";
/// Where time stamps lie.
pub const TIMESTAMPS: &str = "timestamps/";
/// Where receipts lie.
pub const RECEIPTS: &str = "receipts/";

/// Where marks lie.
const MARKS: &str = "marks/";
const ENVELOPES: &str = "envelopes/";
const JSON: &str = ".json";

#[cfg(test)]
mod tests {
    use quittance_core::id::RequestId;

    use super::*;

    #[test]
    fn every_leaf_has_places_of_its_own() {
        let id = RequestId::new([5; 16]);
        let day = Day::parse("2026-11-23").unwrap();
        let leaves = [
            LeafId::Acceptance(id),
            LeafId::Outcome(id),
            LeafId::Amendment(id, 3),
            LeafId::Manifest(day),
        ];
        let reference = id.reference();
        let manifest = "manifest-2026-11-23.receipt.json";
        assert_eq!(super::manifest(day), format!("manifests/{manifest}"));
        assert_eq!(
            leaves.map(|leaf| receipt(&leaf)),
            [
                format!("receipts/{reference}.acceptance.receipt.json"),
                format!("receipts/{reference}.receipt.json"),
                format!("receipts/{reference}.amendment-3.receipt.json"),
                format!("receipts/{manifest}"),
            ]
        );
        assert_eq!(
            leaves.map(|leaf| timestamp(&leaf)),
            [
                format!("timestamps/{reference}.acceptance.receipt.tsr"),
                format!("timestamps/{reference}.receipt.tsr"),
                format!("timestamps/{reference}.amendment-3.receipt.tsr"),
                "timestamps/manifest-2026-11-23.receipt.tsr".to_owned(),
            ]
        );
        for leaf in leaves {
            assert_eq!(envelope_owner(&envelope(&leaf)), Some(leaf));
        }
        assert_eq!(envelope_owner("envelopes/other.json"), None);
    }
}
