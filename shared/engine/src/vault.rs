//! Names inside a request's vault. None contains personal data.
//!
//! A name's first part is its folder. Roles are narrowed by folders: the deletion function never
//! reads `export` or `collected`, and only the download and access functions do.

use quittance_core::digest::Digest;
use quittance_core::id::StoreId;
use quittance_core::task::Task;

/// Every folder there is. Shredding goes through all of them, so a name elsewhere is refused.
pub const FOLDERS: [&str; 8] = [
    "asked",
    "attestation",
    "collected",
    "evidence",
    "export",
    "manifest",
    "papers",
    "resolved",
];

/// Returns the folder of a name; none for a name that nobody would shred.
pub fn folder(name: &str) -> Option<&'static str> {
    let first = name.split(['/', '.']).next()?;
    FOLDERS.into_iter().find(|folder| *folder == first)
}

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

#[cfg(test)]
mod tests {
    use quittance_core::id::RequestId;

    use super::*;

    #[test]
    fn every_name_lies_in_a_folder_that_is_shredded() {
        let store = StoreId::parse("crm").unwrap();
        let task = Task::new(RequestId::new([1; 16]), store.clone(), 0);
        let state = Digest::of(b"state");
        let names = [
            PAPERS.to_owned(),
            export(&state),
            disclosed(&state),
            resolved(1),
            asked(&task),
            manifest_part(&task, 1, 0),
            collected_part(&task, 0),
            evidence_part(&task, 1, 1, 0),
            attestation(&store),
        ];
        let mut met: Vec<_> = names.iter().map(|name| folder(name).unwrap()).collect();
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, FOLDERS);
        for stray in ["", "exports/x", "x", "/export/x", "notes.json"] {
            assert_eq!(folder(stray), None, "{stray}");
        }
    }
}
