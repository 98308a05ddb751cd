//! Tiles, proofs and rebuilding against RFC 6962's recursive definitions, written out once more.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may stop where it stands"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;
use quittance_tlog::{
    Hash, IntegrateError, ProblemKind, ProofError, RightEdge, TileError, consistency_proof,
    consistency_proof_paths, fsck, inclusion_proof, inclusion_proof_paths, integrate, leaf_hash,
    node_hash, right_edge_paths, tree_root, verify_consistency, verify_inclusion,
};

type Files = BTreeMap<String, Vec<u8>>;

/// The definitions of RFC 6962 section 2.1, word for word.
mod definition {
    use super::*;

    pub(super) fn mth(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => Hash::EMPTY_ROOT,
            1 => leaves[0],
            n => node_hash(&mth(&leaves[..k(n)]), &mth(&leaves[k(n)..])),
        }
    }

    pub(super) fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        let n = leaves.len();
        if n == 1 {
            return Vec::new();
        }
        let k = k(n);
        if m < k {
            [path(m, &leaves[..k]), vec![mth(&leaves[k..])]].concat()
        } else {
            [path(m - k, &leaves[k..]), vec![mth(&leaves[..k])]].concat()
        }
    }

    pub(super) fn proof(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        subproof(m, leaves, true)
    }

    fn subproof(m: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
        let n = leaves.len();
        if m == n {
            return if complete {
                Vec::new()
            } else {
                vec![mth(leaves)]
            };
        }
        let k = k(n);
        if m <= k {
            [subproof(m, &leaves[..k], complete), vec![mth(&leaves[k..])]].concat()
        } else {
            [
                subproof(m - k, &leaves[k..], false),
                vec![mth(&leaves[..k])],
            ]
            .concat()
        }
    }

    fn k(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|n| format!("entry {n}").into_bytes())
        .collect()
}

fn hashes(entries: &[Vec<u8>]) -> Vec<Hash> {
    entries.iter().map(|entry| leaf_hash(entry)).collect()
}

/// Integrates in batches of these sizes, every time from what was stored, as a sequencer does.
fn grow(all: &[Vec<u8>], batches: &[usize]) -> (Files, Hash) {
    let (mut files, mut size, mut root) = (Files::new(), 0, Hash::EMPTY_ROOT);
    let mut rest = all;
    for batch in batches.iter().copied().chain([all.len()]) {
        let (now, later) = rest.split_at(batch.min(rest.len()));
        rest = later;
        let fetched: Files = right_edge_paths(size)
            .into_iter()
            .map(|path| (path.clone(), files[&path].clone()))
            .collect();
        let edge = RightEdge::verify(size, &root, &fetched).unwrap();
        let grown = integrate(&edge, now).unwrap();
        for (path, bytes) in grown.tiles {
            let before = files.insert(path.clone(), bytes.clone());
            assert!(
                before.is_none_or(|before| before == bytes),
                "{path} changed"
            );
        }
        assert_eq!(grown.edge.size(), grown.new_size);
        (size, root) = (grown.new_size, grown.root);
    }
    (files, root)
}

fn whole(count: usize) -> (Files, Hash) {
    grow(&entries(count), &[])
}

fn check(size: u64, root: &Hash, files: &Files) -> quittance_tlog::FsckReport {
    let read = |path: &str| Ok::<_, Infallible>(files.get(path).cloned());
    fsck(size, root, read, |_, _| {})
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

#[test]
fn an_empty_tree_has_no_files_and_no_edge() {
    assert_eq!(right_edge_paths(0), Vec::<String>::new());
    let edge = RightEdge::verify(0, &Hash::EMPTY_ROOT, &Files::new()).unwrap();
    assert_eq!(edge, RightEdge::empty());
    let grown = integrate::<Vec<u8>>(&edge, &[]).unwrap();
    assert_eq!(
        (grown.new_size, grown.root, grown.tiles.len()),
        (0, Hash::EMPTY_ROOT, 0)
    );
    assert!(RightEdge::verify(0, &leaf_hash(b""), &Files::new()).is_err());
}

#[test]
fn integrating_nothing_writes_nothing() {
    let (files, root) = whole(700);
    let edge = RightEdge::verify(700, &root, &files).unwrap();
    let grown = integrate::<Vec<u8>>(&edge, &[]).unwrap();
    assert_eq!((grown.root, grown.tiles.len()), (root, 0));
}

#[test]
fn the_right_edge_of_the_specifications_example_is_listed() {
    assert_eq!(
        right_edge_paths(70_000),
        [
            "tile/0/273.p/112",
            "tile/1/001.p/17",
            "tile/2/000.p/1",
            "tile/entries/273.p/112"
        ]
    );
    assert_eq!(right_edge_paths(256), ["tile/1/000.p/1"]);
    assert_eq!(right_edge_paths(65_536), ["tile/2/000.p/1"]);
}

/// Deep enough for a full tile of level 1 and a tile of level 2.
#[test]
fn a_tree_with_three_levels_of_tiles_is_right_in_every_file_and_proof() {
    let all = entries(66_000);
    let leaves = hashes(&all);
    let (files, root) = grow(&all, &[1, 255, 1, 511, 64_768, 300]);
    assert_eq!(root, definition::mth(&leaves));
    assert!(files.contains_key("tile/1/000") && files.contains_key("tile/2/000.p/1"));
    let report = check(66_000, &root, &files);
    assert!(report.is_ok(), "{report:?}");
    for index in [0, 255, 256, 65_535, 65_536, 65_999] {
        let fetched: Files = inclusion_proof_paths(66_000, as_u64(index))
            .unwrap()
            .into_iter()
            .map(|path| (path.clone(), files[&path].clone()))
            .collect();
        let proof = inclusion_proof(66_000, as_u64(index), &fetched).unwrap();
        assert_eq!(proof, definition::path(index, &leaves));
    }
    for old in [1, 256, 300, 65_536, 65_537, 66_000] {
        let proof = consistency_proof(66_000, as_u64(old), &files).unwrap();
        assert_eq!(proof, definition::proof(old, &leaves));
        let old_root = definition::mth(&leaves[..old]);
        verify_consistency(as_u64(old), &old_root, 66_000, &root, &proof).unwrap();
    }
}

#[test]
fn every_proof_of_every_small_tree_is_the_definitions_and_verifies_for_nothing_else() {
    let leaves = hashes(&entries(20));
    for size in 1..=20 {
        let (files, root) = whole(size);
        for index in 0..size {
            let proof = inclusion_proof(as_u64(size), as_u64(index), &files).unwrap();
            assert_eq!(proof, definition::path(index, &leaves[..size]));
            for claimed in 0..size {
                for (at, leaf) in leaves.iter().enumerate() {
                    let leaf_hash = leaf;
                    let result =
                        verify_inclusion(leaf_hash, as_u64(claimed), as_u64(size), &proof, &root);
                    assert_eq!(result.is_ok(), claimed == index && at == index);
                }
            }
        }
        for old in 1..=size {
            let proof = consistency_proof(as_u64(size), as_u64(old), &files).unwrap();
            assert_eq!(proof, definition::proof(old, &leaves[..size]));
            for other in 1..=size {
                let old_root = tree_root(&leaves[..other]);
                let result =
                    verify_consistency(as_u64(old), &old_root, as_u64(size), &root, &proof);
                assert_eq!(result.is_ok(), other == old, "{size} {old} {other}");
            }
        }
    }
}

#[test]
fn sizes_and_indices_outside_the_tree_are_refused() {
    let (files, root) = whole(3);
    assert_eq!(inclusion_proof(3, 3, &files), Err(ProofError::Range));
    assert_eq!(inclusion_proof_paths(0, 0), Err(ProofError::Range));
    assert_eq!(consistency_proof(3, 4, &files), Err(ProofError::Range));
    assert_eq!(
        verify_inclusion(&root, 3, 3, &[], &root),
        Err(ProofError::Range)
    );
    assert_eq!(
        verify_inclusion(&root, 0, 0, &[], &root),
        Err(ProofError::Range)
    );
    assert_eq!(
        verify_consistency(4, &root, 3, &root, &[]),
        Err(ProofError::Range)
    );
    assert_eq!(
        verify_consistency(0, &Hash::EMPTY_ROOT, 3, &root, &[]),
        Ok(())
    );
    assert_eq!(
        verify_consistency(0, &root, 3, &root, &[]),
        Err(ProofError::Mismatch)
    );
    assert_eq!(
        verify_consistency(3, &root, 3, &root, &[root]),
        Err(ProofError::Mismatch)
    );
    assert_eq!(
        verify_consistency(1, &root, 3, &root, &[]),
        Err(ProofError::Mismatch)
    );
    assert_eq!(
        verify_consistency(3, &root, 5, &root, &[]),
        Err(ProofError::Mismatch)
    );
    let huge = vec![root; 64];
    let result = verify_inclusion(&root, u64::MAX - 1, u64::MAX, &huge, &root);
    assert_eq!(result, Err(ProofError::Mismatch));
    let result = verify_consistency(u64::MAX - 1, &root, u64::MAX, &root, &huge);
    assert_eq!(result, Err(ProofError::Mismatch));
    assert_eq!(
        RightEdge::verify(u64::MAX, &root, &files)
            .unwrap_err()
            .to_string(),
        "tile tile/0/x072/x057/x594/x037/x927/935.p/255 is missing"
    );
}

#[test]
fn a_missing_or_changed_edge_is_refused() {
    let (files, root) = whole(600);
    for path in right_edge_paths(600) {
        let mut lost = files.clone();
        lost.remove(&path);
        let full = path.split(".p/").next().unwrap();
        lost.remove(full);
        let expected = IntegrateError::Tile(TileError::Missing(path.clone()));
        assert_eq!(RightEdge::verify(600, &root, &lost), Err(expected));

        let mut bent = files.clone();
        *bent.get_mut(&path).unwrap().last_mut().unwrap() ^= 1;
        let kind = if path.starts_with("tile/entries") {
            IntegrateError::Bundle
        } else {
            IntegrateError::Root
        };
        assert_eq!(RightEdge::verify(600, &root, &bent), Err(kind));

        let mut short = files.clone();
        short.get_mut(&path).unwrap().pop();
        let expected = IntegrateError::Tile(TileError::Length);
        assert_eq!(RightEdge::verify(600, &root, &short), Err(expected));
    }
}

#[test]
fn a_full_tile_stands_in_for_a_partial_one_that_is_gone() {
    let all = entries(512);
    let (mut files, _) = grow(&all, &[300]);
    let root = tree_root(&hashes(&all[..300]));
    files.retain(|path, _| !path.contains("/001.p/"));
    let edge = RightEdge::verify(300, &root, &files).unwrap();
    assert_eq!(edge.root(), root);
    let proof = inclusion_proof(300, 299, &files).unwrap();
    verify_inclusion(&leaf_hash(&all[299]), 299, 300, &proof, &root).unwrap();
    assert!(check(300, &root, &files).is_ok());
}

#[test]
fn an_entry_that_no_bundle_can_hold_is_refused() {
    let long = vec![0; 65_536];
    let result = integrate(&RightEdge::empty(), &[long]);
    assert_eq!(
        result,
        Err(IntegrateError::Tile(TileError::EntryTooLong(65_536)))
    );
    let longest = vec![0; 65_535];
    assert_eq!(
        integrate(&RightEdge::empty(), &[longest]).unwrap().new_size,
        1
    );
}

#[test]
fn fsck_shows_every_entry_once_and_in_order() {
    let all = entries(600);
    let (files, root) = grow(&all, &[]);
    let mut seen = Vec::new();
    let read = |path: &str| Ok::<_, Infallible>(files.get(path).cloned());
    let report = fsck(600, &root, read, |index, entry| {
        seen.push((index, entry.to_vec()));
    });
    assert_eq!(report.root, Some(root));
    let expected: Vec<_> = (0u64..).zip(all).collect();
    assert_eq!(seen, expected);
}

#[test]
fn fsck_names_each_file_that_is_lost_or_bent() {
    let (files, root) = whole(600);
    for path in files.keys() {
        let mut lost = files.clone();
        lost.remove(path);
        let problems = check(600, &root, &lost).problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(
            (&problems[0].path, problems[0].kind),
            (path, ProblemKind::Missing)
        );

        let mut bent = files.clone();
        *bent.get_mut(path).unwrap().last_mut().unwrap() ^= 1;
        let problems = check(600, &root, &bent).problems;
        if path.starts_with("tile/entries") {
            // The entries are believed: the hashes over them, up to the root, are what differs.
            assert!(
                problems
                    .iter()
                    .any(|p| p.path == "checkpoint" && p.kind == ProblemKind::Root)
            );
            let tile = path.replace("entries", "0");
            assert!(
                problems
                    .iter()
                    .any(|p| p.path == tile && p.kind == ProblemKind::Differs)
            );
        } else {
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(
                (&problems[0].path, problems[0].kind),
                (path, ProblemKind::Differs)
            );
        }

        let mut short = files.clone();
        short.get_mut(path).unwrap().pop();
        let problems = check(600, &root, &short).problems;
        assert!(problems.iter().any(|p| p.path == *path), "{problems:?}");
    }
}

#[test]
fn fsck_reports_another_root_and_lost_leaves() {
    let (mut files, root) = whole(300);
    let problems = check(300, &leaf_hash(b"other"), &files).problems;
    assert_eq!((problems.len(), problems[0].kind), (1, ProblemKind::Root));
    files.remove("tile/entries/000");
    files.remove("tile/0/000");
    let report = check(300, &root, &files);
    assert_eq!(
        (report.root, report.problems[0].kind),
        (None, ProblemKind::Missing)
    );
    let failed = fsck(300, &root, |_| Err("no network"), |_, _| {});
    assert_eq!(failed.root, None);
    let told = failed.problems[0].to_string();
    assert_eq!(told, "tile/entries/000: cannot be read: no network");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn batches_give_what_one_batch_gives(
        count in 0usize..1_500,
        batches in proptest::collection::vec(0usize..400, 0..8),
    ) {
        let all = entries(count);
        let leaves = hashes(&all);
        let (files, root) = grow(&all, &batches);
        let (at_once, same_root) = grow(&all, &[]);
        prop_assert_eq!(root, same_root);
        prop_assert_eq!(root, definition::mth(&leaves));
        // Batches leave more partial tiles behind; whatever one batch writes is among the files.
        for (path, bytes) in &at_once {
            prop_assert_eq!(files.get(path), Some(bytes));
        }
        prop_assert!(check(as_u64(count), &root, &files).is_ok());
    }

    #[test]
    fn proofs_are_the_definitions_and_need_only_the_listed_tiles(
        count in 1usize..1_500, a: prop::sample::Index, b: prop::sample::Index,
    ) {
        let leaves = hashes(&entries(count));
        let (files, root) = whole(count);
        let size = as_u64(count);
        let only = |paths: Vec<String>| -> Files {
            paths.into_iter().map(|path| (path.clone(), files[&path].clone())).collect()
        };
        let index = a.index(count);
        let fetched = only(inclusion_proof_paths(size, as_u64(index)).unwrap());
        let proof = inclusion_proof(size, as_u64(index), &fetched).unwrap();
        prop_assert_eq!(&proof, &definition::path(index, &leaves));
        verify_inclusion(&leaves[index], as_u64(index), size, &proof, &root).unwrap();

        let old = 1 + b.index(count);
        let fetched = only(consistency_proof_paths(size, as_u64(old)).unwrap());
        let proof = consistency_proof(size, as_u64(old), &fetched).unwrap();
        prop_assert_eq!(&proof, &definition::proof(old, &leaves));
        let old_root = definition::mth(&leaves[..old]);
        verify_consistency(as_u64(old), &old_root, size, &root, &proof).unwrap();
    }

    #[test]
    fn a_bent_proof_is_refused(
        count in 2usize..600, a: prop::sample::Index, which: prop::sample::Index, bit in 0usize..256,
    ) {
        let leaves = hashes(&entries(count));
        let (files, root) = whole(count);
        let (size, index) = (as_u64(count), a.index(count));
        let proof = inclusion_proof(size, as_u64(index), &files).unwrap();
        let refused = |proof: &[Hash]| {
            verify_inclusion(&leaves[index], as_u64(index), size, proof, &root).is_err()
        };
        let bend = |hash: &Hash| {
            let mut bytes = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Hash::new(bytes)
        };
        let mut bent = proof.clone();
        let at = which.index(proof.len());
        bent[at] = bend(&proof[at]);
        prop_assert!(refused(&bent));
        prop_assert!(refused(&proof[1..]));
        prop_assert!(refused(&[proof, vec![root]].concat()));

        let old = 1 + which.index(count - 1);
        let old_root = tree_root(&leaves[..old]);
        let proof = consistency_proof(size, as_u64(old), &files).unwrap();
        let refused = |proof: &[Hash]| {
            verify_consistency(as_u64(old), &old_root, size, &root, proof).is_err()
        };
        let mut bent = proof.clone();
        let at = a.index(proof.len());
        bent[at] = bend(&proof[at]);
        prop_assert!(refused(&bent));
        prop_assert!(refused(&proof[1..]));
        prop_assert!(refused(&[proof, vec![root]].concat()));
    }
}
