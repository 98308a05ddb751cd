//! A witness cosigns a log that grows, and never two histories.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use quittance_tlog::witness::{AddCheckpoint, Refusal, Seen, decide};
use quittance_tlog::{
    Checkpoint, Ed25519Signer, Hash, KeyKind, RightEdge, consistency_proof, integrate, leaf_hash,
    tree_root,
};
use std::collections::BTreeMap;

fn log(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed("log.test/dsr", KeyKind::Ed25519, &[seed; 32]).unwrap()
}

fn entries(size: u64, history: u8) -> Vec<Vec<u8>> {
    (0..size)
        .map(|n| [n.to_be_bytes().as_slice(), &[history]].concat())
        .collect()
}

fn root(size: u64, history: u8) -> Hash {
    let leaves: Vec<Hash> = entries(size, history)
        .iter()
        .map(|entry| leaf_hash(entry))
        .collect();
    tree_root(&leaves)
}

fn tiles(size: u64, history: u8) -> BTreeMap<String, Vec<u8>> {
    integrate(&RightEdge::empty(), &entries(size, history))
        .unwrap()
        .tiles
}

fn request(old_size: u64, size: u64, history: u8) -> AddCheckpoint {
    let checkpoint = Checkpoint::new("log.test/dsr", size, root(size, history)).unwrap();
    let proof = if size == 0 {
        Vec::new()
    } else {
        consistency_proof(size, old_size.min(size), &tiles(size, history)).unwrap()
    };
    AddCheckpoint {
        old_size,
        proof,
        checkpoint: log(1).sign(checkpoint.to_note().unwrap()).unwrap(),
    }
}

fn seen(size: u64) -> Seen {
    Seen {
        size,
        root: root(size, 0),
    }
}

fn ask(request: &AddCheckpoint, seen: Seen) -> Result<u64, Refusal> {
    decide(request, &[log(1).verifier().clone()], seen).map(|checkpoint| checkpoint.size())
}

#[test]
fn whatever_extends_is_cosigned() {
    for size in 0..70 {
        for old in 0..=size {
            assert_eq!(
                ask(&request(old, size, 0), seen(old)),
                Ok(size),
                "{old} {size}"
            );
        }
    }
    assert_eq!(seen(0), Seen::NOTHING);
}

#[test]
fn two_histories_are_an_alarm() {
    // The same size with another root, and a longer tree that does not begin as the one before.
    let split = ask(&request(5, 5, 1), seen(5));
    assert_eq!(split, Err(Refusal::SplitView { size: 5 }));
    let fork = ask(&request(5, 9, 1), seen(5));
    assert_eq!(fork, Err(Refusal::Inconsistent));
    // Whatever size it says that it begins at.
    assert_eq!(
        ask(&request(2, 5, 1), seen(5)),
        Err(Refusal::SplitView { size: 5 })
    );
    for refusal in [split, fork] {
        assert!(refusal.unwrap_err().is_alarm());
    }
}

#[test]
fn what_is_stale_is_told_where_the_witness_stands_and_is_no_alarm() {
    for (old, size) in [(0, 9), (4, 9), (6, 9), (0, 4), (4, 4)] {
        let refused = ask(&request(old, size, 0), seen(5)).unwrap_err();
        assert_eq!(refused, Refusal::Stale { size: 5 }, "{old} {size}");
        assert!(!refused.is_alarm());
        assert_eq!(
            (refused.status(), refused.body()),
            (409, ("5\n".to_owned(), "text/x.tlog.size"))
        );
    }
}

#[test]
fn every_other_refusal_has_its_status() {
    let good = request(5, 9, 0);
    let by = |log: &Ed25519Signer| {
        let logs = [log.verifier().clone()];
        decide(&good, &logs, seen(5)).unwrap_err()
    };
    assert_eq!(
        (by(&log(2)), by(&log(2)).status()),
        (Refusal::Unsigned, 403)
    );
    let other = Ed25519Signer::from_seed("other.test", KeyKind::Ed25519, &[1; 32]).unwrap();
    assert_eq!(
        (by(&other), by(&other).status()),
        (Refusal::UnknownLog, 404)
    );
    let behind = ask(&request(10, 9, 0), seen(10)).unwrap_err();
    assert_eq!((behind, behind.status()), (Refusal::Malformed, 400));
    for bend in 0..good.proof.len() {
        let mut bent = good.clone();
        bent.proof[bend] = root(1, 7);
        let refused = ask(&bent, seen(5)).unwrap_err();
        assert_eq!((refused, refused.status()), (Refusal::Inconsistent, 422));
    }
    let mut longer = good.clone();
    longer.proof.push(root(1, 7));
    assert_eq!(ask(&longer, seen(5)), Err(Refusal::Inconsistent));
}

#[test]
fn a_log_that_changes_its_key_goes_on_with_the_same_history() {
    let by = |seed, old, size, history| {
        let mut asked = request(old, size, history);
        let note = quittance_tlog::Note::unsigned(asked.checkpoint.text()).unwrap();
        asked.checkpoint = log(seed).sign(note).unwrap();
        asked
    };
    let key = |seed| log(seed).verifier().clone();
    let both = [key(1), key(2)];
    let size_of = |checkpoint: Checkpoint| checkpoint.size();
    for seed in [1, 2] {
        let grown = decide(&by(seed, 5, 9, 0), &both, seen(5));
        assert_eq!(grown.map(size_of), Ok(9));
        // What the other key signed is remembered: the new one is no way to begin anew.
        for (asked, refusal) in [
            (by(seed, 5, 9, 1), Refusal::Inconsistent),
            (by(seed, 0, 9, 1), Refusal::Stale { size: 5 }),
            (by(seed, 5, 5, 1), Refusal::SplitView { size: 5 }),
        ] {
            assert_eq!(decide(&asked, &both, seen(5)), Err(refusal), "{seed}");
        }
    }
    // A key that was withdrawn counts no more, and a third one never did.
    let withdrawn = decide(&by(1, 5, 9, 0), &both[1..], seen(5));
    assert_eq!(withdrawn, Err(Refusal::Unsigned));
    let stranger = decide(&by(3, 5, 9, 0), &both, seen(5));
    assert_eq!(stranger, Err(Refusal::Unsigned));
}

#[test]
fn a_request_survives_its_bytes_and_nothing_else_is_one() {
    let good = request(5, 9, 0);
    let text = good.to_string();
    assert_eq!(AddCheckpoint::parse(text.as_bytes()), Some(good));
    assert!(text.starts_with("old 5\n"));
    for bent in [
        String::new(),
        text.replace("old 5", "old 05"),
        text.replace("old 5", "old +5"),
        text.replace("old 5", "old -1"),
        text.replace("old 5", "old  5"),
        text.replace("old 5", "new 5"),
        text.replacen("old 5\n", "old 5\nAAAA\n", 1),
        text.replacen(
            "old 5\n",
            &format!("old 5\n{}", format!("{}\n", root(1, 0)).repeat(64)),
            1,
        ),
        text.trim_end().to_owned(),
    ] {
        assert_eq!(AddCheckpoint::parse(bent.as_bytes()), None, "{bent}");
    }
    // What stands behind an early blank line is no checkpoint, whoever signed it.
    let early = AddCheckpoint::parse(text.replacen("old 5\n", "old 5\n\n", 1).as_bytes());
    let refused = early.map(|early| ask(&early, seen(5)));
    assert_eq!(refused, Some(Err(Refusal::Malformed)));
    let nothing = request(0, 3, 0);
    assert_eq!(
        AddCheckpoint::parse(nothing.to_string().as_bytes()),
        Some(nothing)
    );
}
