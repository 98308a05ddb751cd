//! What must stop the log until somebody has looked.

use quittance_tlog::{Checkpoint, Ed25519Signer, Hash};

use super::*;
use crate::ports::Head;

fn detail(outcome: Option<Result<Progress, Fault>>) -> String {
    match outcome {
        Some(Err(Fault::Reject { detail })) => detail,
        other => panic!("not halted: {other:?}"),
    }
}

/// Runs twice and expects the same halt, without any change of the log.
fn halted(world: &World) -> String {
    world.faults.calm();
    let (files, head) = (world.tiles.everything(), world.head.current());
    let first = detail(world.run());
    assert_eq!(detail(world.run()), first);
    assert!(world.tiles.everything() == files && world.head.current() == head);
    first
}

/// A head and its staging bundle that were committed, and nothing after that.
fn committed() -> World {
    let world = World::with_leaves(2);
    world.add(2);
    world.fail("head.swap", Injection::CrashAfter);
    assert_eq!(world.run(), None);
    world
}

fn staged_path(world: &World) -> String {
    world.head.current().and_then(|head| head.staging).unwrap()
}

/// A checkpoint that the log's own key signed, of a tree that never was.
fn forged(size: u64) -> Vec<u8> {
    // The memory signer's seed gives the statement key first, then the log's.
    let world = World::unborn();
    let text = Checkpoint::new(ORIGIN, size, Hash::new([9; 32]))
        .unwrap()
        .to_string();
    let signing = crate::ports::Signer::sign_checkpoint(&*world.signer, text.as_bytes());
    let signature: [u8; 64] = signing.now_or_never().unwrap().unwrap().try_into().unwrap();
    let key = super::super::keys::Keys::of(&*world.signer, &world.config)
        .unwrap()
        .log;
    let note = quittance_tlog::Note::unsigned(text).unwrap();
    note.with_ed25519_signature(&key, &signature)
        .unwrap()
        .to_string()
        .into_bytes()
}

#[test]
fn a_log_that_was_never_born_does_not_run() {
    let world = World::unborn();
    world.check();
    assert!(halted(&world).contains("does not exist"));
}

#[test]
fn a_log_is_born_once() {
    let world = World::with_leaves(0);
    let again = world.drive(world.sequencer().create()).unwrap();
    assert_eq!(again, Err(Fault::reject("log: it exists already")));
    world.finish(0);
}

#[test]
fn a_lost_head_is_not_replaced_by_a_new_log() {
    let world = World::with_leaves(2);
    world.head.restore(None);
    let again = world.drive(world.sequencer().create()).unwrap();
    assert!(matches!(again, Err(Fault::Reject { detail }) if detail.contains("restore")));
    assert!(halted(&world).contains("does not exist"));
}

#[test]
fn a_mistyped_name_forks_nothing() {
    let mut world = World::with_leaves(2);
    world.config.origin = "log.test/drs".to_owned();
    assert!(halted(&world).contains("the key is log.test/dsr's"));
}

#[test]
fn a_log_whose_name_no_receipt_could_carry_is_never_born() {
    for name in [
        "log.test/~dsr",
        "münchen.test/dsr",
        "log.test/a%20b",
        "log,x",
        &"a".repeat(129),
    ] {
        let mut world = World::unborn();
        world.config.origin = name.to_owned();
        let signer = MemorySigner::new(name, 1, world.faults.clone());
        world.signer = Arc::new(signer.unwrap());
        let born = world.drive(world.sequencer().create()).unwrap();
        assert!(
            matches!(&born, Err(Fault::Reject { detail }) if detail.contains("its name must be")),
            "{name}: {born:?}"
        );
        assert_eq!(world.head.current(), None);
        assert!(world.tiles.everything().is_empty());
    }
}

#[test]
fn a_restored_head_halts_the_log() {
    let world = World::with_leaves(2);
    let old = world.head.current();
    world.add(2);
    world.finish(3);
    world.head.restore(old);
    world.add(3);
    assert!(halted(&world).contains("its table was restored"));
}

#[test]
fn a_restored_head_halts_the_log_even_while_its_bundle_exists() {
    let world = World::with_leaves(1);
    world.add(1);
    world.fail("head.swap", Injection::CrashAfter);
    assert_eq!(world.run(), None);
    let old = world.head.current();
    let bundle = world.tiles.everything().remove(&staged_path(&world));
    world.add(2);
    world.finish(3);
    world.head.restore(old);
    world.tiles.tamper(&staged_path(&world), bundle);
    assert!(halted(&world).contains("its table was restored"));
}

#[test]
fn another_root_of_the_same_size_halts_the_log() {
    let world = World::with_leaves(2);
    world.tiles.tamper(paths::CHECKPOINT, Some(forged(2)));
    assert!(halted(&world).contains("different roots"));
}

#[test]
fn a_head_or_checkpoint_that_the_log_did_not_sign_halts_it() {
    let key = quittance_tlog::KeyKind::Ed25519;
    let stranger = Ed25519Signer::from_seed(ORIGIN, key, &[3; 32]).unwrap();
    let note = Checkpoint::new(ORIGIN, 2, Hash::new([9; 32]))
        .unwrap()
        .to_note()
        .unwrap();
    let strange = stranger.sign(note).unwrap().to_string().into_bytes();
    let world = World::with_leaves(2);
    world.tiles.tamper(paths::CHECKPOINT, Some(strange.clone()));
    assert!(halted(&world).contains("checkpoint"));
    let world = World::with_leaves(2);
    world.head.restore(Some(Head {
        checkpoint: strange,
        staging: None,
    }));
    assert!(halted(&world).contains("checkpoint"));
}

#[test]
fn a_stale_checkpoint_without_a_bundle_halts_the_log() {
    let world = World::with_leaves(2);
    let stale = world.tiles.everything().remove(paths::CHECKPOINT);
    world.add(2);
    world.finish(3);
    world.tiles.tamper(paths::CHECKPOINT, stale);
    assert!(halted(&world).contains("the staging bundle is gone"));
    world.tiles.tamper(paths::CHECKPOINT, None);
    assert!(halted(&world).contains("the published checkpoint is gone"));
}

#[test]
fn a_stale_checkpoint_beside_its_bundle_is_brought_up_to_date() {
    let world = committed();
    assert_eq!(world.size(), 3);
    world.finish(3);
}

#[test]
fn a_damaged_bundle_halts_the_log() {
    for damage in [
        |bundle: &str| bundle.replace("\"old_size\":2", "\"old_size\":1"),
        |bundle: &str| bundle.replace("\"tile/0/", "\"other/0/"),
        |bundle: &str| bundle.replace("\"version\":1", "\"version\":2"),
        |_: &str| "{}".to_owned(),
    ] {
        let world = committed();
        let path = staged_path(&world);
        let bundle = String::from_utf8(world.tiles.everything().remove(&path).unwrap()).unwrap();
        let damaged = damage(&bundle);
        assert_ne!(damaged, bundle);
        world.tiles.tamper(&path, Some(damaged.into_bytes()));
        assert!(halted(&world).contains("is not what the head names"));
    }
}

#[test]
fn other_bytes_at_the_bundles_place_halt_the_log() {
    let world = World::with_leaves(2);
    world.add(2);
    world.fail("head.swap", Injection::CrashBefore);
    assert_eq!(world.run(), None);
    let files = world.tiles.everything();
    let staged = files
        .keys()
        .find(|path| path.starts_with("staging/"))
        .unwrap();
    world.tiles.tamper(staged, Some(b"other".to_vec()));
    assert!(halted(&world).contains(&format!("other bytes at {staged}")));
}

#[test]
fn other_bytes_at_a_tiles_place_halt_the_log() {
    for path in ["tile/0/000.p/3", "tile/entries/000.p/3", "checkpoints/3"] {
        let world = committed();
        world.tiles.tamper(path, Some(b"other".to_vec()));
        world.faults.calm();
        assert!(detail(world.run()).contains(&format!("other bytes at {path}")));
        assert_eq!(world.tiles.refused(), 1);
    }
}

#[test]
fn a_damaged_right_edge_halts_the_log() {
    for path in ["tile/0/000.p/2", "tile/entries/000.p/2"] {
        let world = World::with_leaves(2);
        world.add(2);
        let mut bytes = world.tiles.everything().remove(path).unwrap();
        bytes[5] ^= 1;
        world.tiles.tamper(path, Some(bytes));
        assert!(halted(&world).contains("right edge"));
        world.tiles.tamper(path, None);
        assert!(halted(&world).contains("is missing"));
    }
}

#[test]
fn another_place_in_the_ledger_halts_the_log() {
    let world = committed();
    let place = world.leaf(1).sequenced;
    world.ledger.tamper(&Key::Leaf(leaf(2)), |item| {
        if let Item::Leaf(leaf) = item {
            leaf.sequenced = place;
        }
    });
    world.faults.calm();
    assert!(detail(world.run()).contains("has another place already"));
}

#[test]
fn an_envelope_that_changed_after_it_was_sequenced_halts_the_log() {
    let world = committed();
    let path = paths::envelope(&leaf(2));
    world.evidence.tamper(&path, Vec::clear);
    world.faults.calm();
    assert!(detail(world.run()).contains("its envelope is gone or damaged"));
}
