//! A whole log directory, judged file by file, with what was expected and what was found.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use quittance_tlog::{
    Checkpoint, Ed25519Signer, Hash, KeyKind, Problem, ProblemKind, RightEdge, TileError,
    VerifierKey, fsck_directory, inclusion_proof, integrate, leaf_hash, right_edge_paths,
};

type Files = BTreeMap<String, Vec<u8>>;

const NAME: &str = "example.com/log";

fn log(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(NAME, KeyKind::Ed25519, &[seed; 32]).unwrap()
}

fn signed(seed: u8, size: u64, root: Hash) -> Vec<u8> {
    let note = Checkpoint::new(NAME, size, root).unwrap().to_note();
    log(seed).sign(note.unwrap()).unwrap().to_string().into()
}

/// Everything that a sequencer leaves of a log that grew in these batches.
fn grown(batches: &[usize]) -> (Files, Checkpoint) {
    let (mut files, mut size, mut root) = (Files::new(), 0, Hash::EMPTY_ROOT);
    files.insert("checkpoints/0".to_owned(), signed(1, 0, root));
    for batch in batches {
        let edge = RightEdge::verify(size, &root, &files).unwrap();
        let first = usize::try_from(size).unwrap();
        let entries: Vec<String> = (first..first + batch)
            .map(|n| format!("entry {n}"))
            .collect();
        let grown = integrate(&edge, &entries).unwrap();
        files.extend(grown.tiles);
        (size, root) = (grown.new_size, grown.root);
        files.insert(format!("checkpoints/{size}"), signed(1, size, root));
    }
    files.insert("checkpoint".to_owned(), signed(1, size, root));
    (files, Checkpoint::new(NAME, size, root).unwrap())
}

fn check(files: &Files, checkpoint: &Checkpoint) -> Vec<Problem> {
    let names: BTreeSet<String> = files.keys().cloned().collect();
    let read = |path: &str| Ok::<_, Infallible>(files.get(path).cloned());
    let logs = [log(1).verifier().clone()];
    let report = fsck_directory(checkpoint, &logs, &names, read, |_, _| {});
    assert_eq!(report.is_ok(), report.problems.is_empty());
    report.problems
}

fn told(files: &Files, checkpoint: &Checkpoint) -> Vec<String> {
    check(files, checkpoint)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn everything_a_log_leaves_behind_is_clean() {
    for batches in [
        &[][..],
        &[1],
        &[3, 4],
        &[255, 1, 300],
        &[1, 254, 2, 255, 88],
    ] {
        let (files, checkpoint) = grown(batches);
        assert_eq!(
            told(&files, &checkpoint),
            Vec::<String>::new(),
            "{batches:?}"
        );
    }
}

#[test]
fn any_bent_byte_of_any_file_is_found_in_that_file() {
    let (files, checkpoint) = grown(&[3, 4, 250, 2]);
    let paths = [
        "tile/0/000.p/3",
        "tile/0/000.p/7",
        "tile/entries/000.p/3",
        "tile/1/000.p/1",
    ];
    assert!(paths.iter().all(|path| files.contains_key(*path)));
    for path in files.keys().filter(|path| *path != "checkpoint") {
        for at in [0, files[path].len() / 2, files[path].len() - 1] {
            let mut bent = files.clone();
            bent.get_mut(path).unwrap()[at] ^= 1;
            let problems = check(&bent, &checkpoint);
            // The entries are believed: what is over them differs then, and every older copy of them.
            let here = path.replace("tile/entries/", "tile/0/");
            let is_told = |p: &Problem| p.path == *path || p.path == here;
            assert!(problems.iter().any(is_told), "{path} {at}: {problems:?}");
        }
    }
}

#[test]
fn an_older_partial_file_is_compared_with_the_beginning_of_the_newer_one() {
    let (files, checkpoint) = grown(&[3, 4]);
    for (path, bytes, expected) in [
        (
            "tile/0/000.p/3",
            files["tile/0/000.p/7"][32..128].to_vec(),
            "hash 0 must be",
        ),
        (
            "tile/0/000.p/3",
            b"garbage".to_vec(),
            "must have 96 bytes and has 7",
        ),
        ("tile/0/000.p/3", Vec::new(), "must have 96 bytes and has 0"),
        (
            "tile/entries/000.p/3",
            b"\0\x01a\0\x01b\0\x01c".to_vec(),
            "entry 0 of it is not",
        ),
        (
            "tile/entries/000.p/3",
            b"\0\x01a".to_vec(),
            "must hold 3 entries and holds 1",
        ),
        (
            "tile/entries/000.p/3",
            b"evil".to_vec(),
            "must hold 3 entries and holds 0",
        ),
    ] {
        let mut bent = files.clone();
        bent.insert(path.to_owned(), bytes);
        let told = told(&bent, &checkpoint);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("{path}: {expected}")),
            "{told:?}"
        );
    }
}

#[test]
fn an_older_checkpoint_must_be_of_its_size_its_root_and_its_log() {
    let (files, checkpoint) = grown(&[3, 4]);
    let root = leaf_hash(b"other");
    for (path, bytes, expected) in [
        (
            "checkpoints/3",
            signed(1, 3, root),
            "the first 3 entries give the root ",
        ),
        (
            "checkpoints/3",
            files["checkpoints/7"].clone(),
            "must be of 3 entries and is of 7",
        ),
        (
            "checkpoints/3",
            signed(2, 3, root),
            "no signature of a known key",
        ),
        (
            "checkpoints/0",
            signed(2, 0, Hash::EMPTY_ROOT),
            "no signature of a known key",
        ),
        ("checkpoints/7", b"garbage".to_vec(), "not a signed note"),
        (
            "checkpoints/5",
            signed(1, 5, root),
            "the first 5 entries give the root ",
        ),
    ] {
        let mut bent = files.clone();
        bent.insert(path.to_owned(), bytes);
        let told = told(&bent, &checkpoint);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("{path}: {expected}")),
            "{told:?}"
        );
    }
}

#[test]
fn what_is_no_file_of_this_tree_is_told() {
    let (files, checkpoint) = grown(&[3, 4]);
    let staging = format!("staging/7-9-{}", "0a".repeat(32));
    for (path, kind) in [
        ("junk", Some(ProblemKind::Unknown)),
        ("tile/0/junk", Some(ProblemKind::Unknown)),
        ("tile/1/000.p", Some(ProblemKind::Unknown)),
        ("tile/0/000.p/07", Some(ProblemKind::Unknown)),
        ("checkpoints/07", Some(ProblemKind::Unknown)),
        ("checkpoints/latest", Some(ProblemKind::Unknown)),
        ("staging/7-9", Some(ProblemKind::Unknown)),
        ("tile/0/000.p/8", Some(ProblemKind::Ahead)),
        ("tile/entries/001", Some(ProblemKind::Ahead)),
        ("tile/1/000.p/1", Some(ProblemKind::Ahead)),
        ("checkpoints/8", Some(ProblemKind::Ahead)),
        (&staging, None),
    ] {
        let mut more = files.clone();
        more.insert(path.to_owned(), b"x".to_vec());
        let problems = check(&more, &checkpoint);
        let kinds: Vec<_> = problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, Vec::from_iter(kind), "{path}: {problems:?}");
    }
}

#[test]
fn a_full_tile_in_place_of_a_partial_one_has_its_full_length() {
    let (later, _) = grown(&[300]);
    let (mut files, checkpoint) = grown(&[14]);
    for path in ["tile/0/000", "tile/entries/000"] {
        files.remove(&format!("{path}.p/14"));
        files.insert(path.to_owned(), later[path].clone());
    }
    assert_eq!(told(&files, &checkpoint), Vec::<String>::new());
    assert!(inclusion_proof(14, 3, &files).is_ok());

    for (bytes, expected) in [
        (
            later["tile/0/000"][..14 * 32].to_vec(),
            "must have 8192 bytes and has 448",
        ),
        (
            [&later["tile/0/000"][..], &[7; 32]].concat(),
            "must have 8192 bytes and has 8224",
        ),
    ] {
        let mut bent = files.clone();
        bent.insert("tile/0/000".to_owned(), bytes);
        assert_eq!(
            told(&bent, &checkpoint),
            [format!("tile/0/000: {expected}")]
        );
        assert!(inclusion_proof(14, 3, &bent).is_err());
    }
    let mut bent = files.clone();
    let (whole, _) = grown(&[14]);
    let cut = whole["tile/entries/000.p/14"].clone();
    bent.insert("tile/entries/000".to_owned(), cut);
    let told = told(&bent, &checkpoint);
    assert_eq!(
        told,
        ["tile/entries/000: must hold 256 entries and holds 14"]
    );
    let edge: Files = right_edge_paths(14)
        .iter()
        .map(|path| path.trim_end_matches(".p/14").to_owned())
        .map(|path| (path.clone(), bent[&path].clone()))
        .collect();
    let verified = RightEdge::verify(14, &checkpoint.root(), &edge);
    assert_eq!(verified, Err(TileError::Length.into()));
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_the_others() {
    let (files, checkpoint) = grown(&[3, 4]);
    let names: BTreeSet<String> = files.keys().cloned().collect();
    let broken = ["tile/entries/000.p/7", "tile/0/000.p/3", "checkpoints/3"];
    let read = |path: &str| {
        if broken.contains(&path) {
            return Err("permission denied");
        }
        Ok(files.get(path).cloned())
    };
    let logs = [log(1).verifier().clone()];
    let report = fsck_directory(&checkpoint, &logs, &names, read, |_, _| {});
    let mut told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    told.sort();
    let mut expected = broken.map(|path| format!("{path}: cannot be read: permission denied"));
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(report.root, Some(checkpoint.root()));
}

#[test]
fn what_an_earlier_key_signed_is_the_logs_only_while_that_key_is_known() {
    let (mut files, checkpoint) = grown(&[3, 4]);
    let (size, root) = (checkpoint.size(), checkpoint.root());
    for path in ["checkpoints/7", "checkpoint"] {
        files.insert(path.to_owned(), signed(2, size, root));
    }
    let names: BTreeSet<String> = files.keys().cloned().collect();
    let problems = |logs: &[VerifierKey]| {
        let read = |path: &str| Ok::<_, Infallible>(files.get(path).cloned());
        let report = fsck_directory(&checkpoint, logs, &names, read, |_, _| {});
        let paths = report.problems.into_iter().map(|problem| problem.path);
        paths.collect::<Vec<String>>()
    };
    let key = |n| log(n).verifier().clone();
    assert_eq!(problems(&[key(2), key(1)]), Vec::<String>::new());
    assert_eq!(problems(&[key(2)]), ["checkpoints/0", "checkpoints/3"]);
    assert_eq!(problems(&[key(1)]), ["checkpoints/7"]);
    // A key of another log is none of this one's, whatever it signed.
    let other = Ed25519Signer::from_seed("other.test", KeyKind::Ed25519, &[1; 32]).unwrap();
    let other = other.verifier().clone();
    let found = problems(&[key(2), other]);
    assert_eq!(found, ["checkpoints/0", "checkpoints/3"]);
}
