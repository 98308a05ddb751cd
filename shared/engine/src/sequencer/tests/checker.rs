//! Negative controls: each invariant is broken once, and the checker is seen to complain.

use super::*;
use crate::ledger::Sequenced;
use crate::ports::{Head, Signer as _, TileStore as _};
use quittance_tlog::{Checkpoint, Hash, Note, VerifierKey};

/// Expects a complaint that contains `expected`.
fn complains(world: &World, expected: &str) {
    let complaints = world.complaints();
    assert!(
        complaints
            .iter()
            .any(|complaint| complaint.contains(expected)),
        "no {expected:?} in {complaints:?}"
    );
}

fn change_leaf(world: &World, n: u16, change: impl Fn(&mut Sequenced)) {
    world.ledger.tamper(&Key::Leaf(leaf(n)), |item| {
        if let Item::Leaf(Leaf {
            sequenced: Some(sequenced),
            ..
        }) = item
        {
            change(sequenced);
        }
    });
}

fn forged(world: &World, size: u64, root: Hash) -> Vec<u8> {
    let text = Checkpoint::new(ORIGIN, size, root).unwrap().to_string();
    let signature = world
        .signer
        .sign_checkpoint(text.as_bytes())
        .now_or_never()
        .unwrap();
    let log = VerifierKey::parse(world.signer.log_vkey()).unwrap();
    let note = Note::unsigned(text).unwrap();
    let signed = note.with_ed25519_signature(&log, &signature.unwrap().try_into().unwrap());
    signed.unwrap().to_string().into_bytes()
}

#[test]
fn a_lost_head_is_seen() {
    let world = World::with_leaves(2);
    world.head.restore(None);
    complains(&world, "no log");
    let world = World::with_leaves(2);
    world.head.restore(Some(Head {
        checkpoint: b"x".to_vec(),
        staging: None,
    }));
    complains(&world, "no log");
}

#[test]
fn a_changed_or_lost_tile_is_seen() {
    let world = World::with_leaves(2);
    world.tiles.tamper("tile/0/000.p/2", Some(vec![7; 64]));
    complains(&world, "head's tree: tile/0/000.p/2 differs");
    complains(&world, "published tree: tile/0/000.p/2 differs");
    complains(&world, "tile/0/000.p/2 is no tile of this tree");
    world.tiles.tamper("tile/0/000.p/2", None);
    complains(&world, "head's tree: tile/0/000.p/2 missing");
    let world = World::with_leaves(2);
    world
        .tiles
        .tamper("tile/entries/000.p/2", Some(b"\0\x01a\0\x01b".to_vec()));
    complains(&world, "root");
    complains(&world, "entry 0 is nobody's");
}

#[test]
fn a_tile_of_an_older_or_another_tree_is_seen() {
    for path in [
        "tile/0/000.p/1",
        "tile/entries/000.p/1",
        "tile/1/000.p/1",
        "tile/junk",
    ] {
        let world = World::with_leaves(2);
        world.tiles.tamper(path, Some(vec![7; 32]));
        complains(&world, &format!("{path} is no tile of this tree"));
    }
}

#[test]
fn an_attempt_to_rewrite_history_is_seen() {
    let world = World::with_leaves(2);
    let kept = world.tiles.keep("tile/0/000.p/2", b"other").now_or_never();
    assert!(kept.unwrap().is_ok());
    complains(&world, "1 attempts to give a file other bytes");
}

#[test]
fn checkpoints_that_do_not_fit_are_seen() {
    let world = World::with_leaves(2);
    let put = |path: &str, bytes| world.tiles.tamper(path, Some(bytes));
    put("checkpoints/1", b"junk".to_vec());
    complains(&world, "checkpoints/1 is not signed by the log");
    put("checkpoints/1", forged(&world, 1, Hash::new([9; 32])));
    complains(&world, "checkpoints/1 has a root that its tree never had");
    put(
        "checkpoints/1",
        world.tiles.everything().remove("checkpoints/2").unwrap(),
    );
    complains(&world, "checkpoints/1 is a checkpoint of another size");
    put(paths::CHECKPOINT, forged(&world, 7, Hash::new([9; 32])));
    complains(&world, "checkpoint is ahead of the head");
    world.tiles.tamper(paths::CHECKPOINT, None);
    complains(&world, "what is published lags behind");
}

#[test]
fn a_checkpoint_published_before_its_tiles_is_seen() {
    let world = World::with_leaves(2);
    world.add(2);
    world.fail("head.swap", Injection::CrashAfter);
    assert_eq!(world.run(), None);
    world.check();
    let head = world.head.current().unwrap();
    world.tiles.tamper(paths::CHECKPOINT, Some(head.checkpoint));
    complains(&world, "published tree: tile/entries/000.p/3 missing");
    world
        .tiles
        .tamper(&head.staging.unwrap(), Some(b"{}".to_vec()));
    complains(&world, "is not what the head names");
}

#[test]
fn a_leaf_that_is_lost_misplaced_or_unrecorded_is_seen() {
    let world = World::with_leaves(2);
    world.add(2);
    world.ledger.lose(&world.row(2).unwrap());
    complains(&world, "is lost: no place and no outbox row");
    let world = World::with_leaves(2);
    change_leaf(&world, 1, |sequenced| sequenced.index = 0);
    complains(&world, "is not at 0");
    complains(&world, "says 1, the ledger Some(0)");
    for change in [
        |sequenced: &mut Sequenced| sequenced.root = Digest::of(b"other"),
        |sequenced: &mut Sequenced| sequenced.leaf_hash = Digest::of(b"other"),
        |sequenced: &mut Sequenced| sequenced.tree_size = 1,
        |sequenced: &mut Sequenced| sequenced.tree_size = 9,
    ] {
        let world = World::with_leaves(2);
        change_leaf(&world, 1, change);
        complains(&world, "place does not fit the tree");
    }
    let world = World::with_leaves(2);
    world.ledger.tamper(&Key::Leaf(leaf(1)), |item| {
        if let Item::Leaf(leaf) = item {
            leaf.sequenced = None;
        }
    });
    complains(&world, "its place is not recorded");
    world.ledger.lose(&Key::Leaf(leaf(1)));
    complains(&world, "is of no leaf");
}

#[test]
fn a_leaf_in_the_log_twice_is_seen() {
    let world = World::with_leaves(2);
    world.ledger.tamper(&Key::Leaf(leaf(1)), |item| {
        if let Item::Leaf(leaf) = item {
            leaf.sequenced = None;
        }
    });
    world.evidence.lose(&paths::receipt(&leaf(1)));
    let row = OutboxRow {
        leaf: leaf(1),
        at: world.clock.now(),
        statement: Digest::of(&statement(1)),
    };
    world.commit(&[Write::Create(Item::Outbox(row))]);
    assert_eq!(world.run().unwrap().unwrap().sequenced, 1);
    complains(&world, "is in the log twice");
}

#[test]
fn envelopes_and_receipts_that_changed_are_seen() {
    let world = World::with_leaves(2);
    world
        .evidence
        .tamper(&paths::envelope(&leaf(1)), |bytes| bytes[20] ^= 1);
    complains(&world, "entry 1 is nobody's");
    complains(&world, &paths::envelope(&leaf(1)));
    let world = World::with_leaves(2);
    world.evidence.lose(&paths::receipt(&leaf(1)));
    complains(&world, "is in the log, but has no receipt");
    let world = World::with_leaves(2);
    world
        .evidence
        .tamper(&paths::receipt(&leaf(1)), |bytes| bytes[200] ^= 1);
    complains(&world, "does not verify");
}
