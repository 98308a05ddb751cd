//! A log with an ML-DSA-44 key: its line stands on checkpoints, never on receipts, and is made once a size.

use quittance_core::receipt::ReceiptFile;
use quittance_tlog::{MlDsa44Signer, Note, VerifierKey};

use super::super::receipt_of;
use super::*;
use crate::memory::witnesses::MemoryWitnesses;
use crate::ports::Signer as _;

fn with_key(mut world: World) -> World {
    let signer = MemorySigner::new(ORIGIN, 1, world.faults.clone()).unwrap();
    world.signer = Arc::new(signer.with_post_quantum(4).unwrap());
    world
}

fn key(world: &World) -> VerifierKey {
    VerifierKey::parse(world.signer.post_quantum_vkey().unwrap()).unwrap()
}

fn is_signed(world: &World, path: &str) -> bool {
    let note = Note::parse(&world.tiles.everything()[path]).unwrap();
    note.verify(&[key(world)]).is_ok()
}

fn prepared() -> World {
    let world = with_key(World::with_leaves(1));
    (1..3).for_each(|n| world.add(n));
    world
}

#[test]
fn the_line_stands_on_checkpoints_and_on_no_receipt() {
    let world = prepared();
    world.finish(3);
    let files = world.tiles.everything();
    assert!(is_signed(&world, paths::CHECKPOINT) && is_signed(&world, "checkpoints/3"));
    assert_eq!(files[paths::CHECKPOINT], files["checkpoints/3"]);
    // What was published before there was a key has none.
    assert!(!is_signed(&world, "checkpoints/1"));
    let file = receipt_of(&world.evidence, &leaf(2))
        .now_or_never()
        .unwrap();
    let file = file.unwrap().unwrap();
    let proof = ReceiptFile::parse(&file).unwrap().proof().unwrap();
    assert_eq!(proof.checkpoint.signatures().len(), 1);
    assert!(file.len() < 16_384, "{}", file.len());
    // With witnesses: theirs are added behind it, and receipts carry those alone.
    let log = VerifierKey::parse(world.signer.log_vkey()).unwrap();
    let two = MemoryWitnesses::new(2, log, world.faults.clone()).unwrap();
    let cosigned = world.drive(world.sequencer().cosign(&two, &world.clock));
    assert_eq!(cosigned.unwrap().unwrap().upgraded, 3);
    world.check();
    let note = Note::parse(&world.tiles.everything()[paths::CHECKPOINT]).unwrap();
    assert_eq!(note.signatures().len(), 4);
    let file = receipt_of(&world.evidence, &leaf(2))
        .now_or_never()
        .unwrap();
    let proof = ReceiptFile::parse(&file.unwrap().unwrap())
        .unwrap()
        .proof()
        .unwrap();
    assert_eq!(proof.checkpoint.signatures().len(), 3);
}

#[test]
fn a_line_that_differs_every_time_is_never_two_of_one_size() {
    let calls = {
        let world = prepared();
        let before = world.faults.calls();
        drop(world.run());
        world.faults.calls() - before
    };
    for n in 0..calls {
        for injection in [Injection::CrashAfter, Injection::FailAfter] {
            let world = prepared();
            world.fail_at(n, injection);
            drop(world.run());
            world.check();
            world.finish(3);
            assert!(is_signed(&world, paths::CHECKPOINT) && is_signed(&world, "checkpoints/3"));
            assert_eq!(world.tiles.refused(), 0);
        }
    }
}

#[test]
fn a_key_of_another_name_or_kind_signs_nothing() {
    let mut world = World::with_leaves(1);
    world.add(1);
    let other = MemorySigner::new("log.test/other", 1, world.faults.clone()).unwrap();
    let other = other.with_post_quantum(4).unwrap();
    world.signer = Arc::new(other);
    world.config.origin = "log.test/other".to_owned();
    let keys = super::super::keys::Keys::of(&*world.signer, &world.config).unwrap();
    assert!(keys.post_quantum.is_some());
    world.config.origin = ORIGIN.to_owned();
    assert!(super::super::keys::Keys::of(&*world.signer, &world.config).is_err());
    // A line under the log's name by a key that nobody told of is nobody's.
    let stranger = MlDsa44Signer::from_seed(ORIGIN, &[3; 32]).unwrap();
    let world = with_key(World::with_leaves(1));
    assert_ne!(key(&world), *stranger.verifier());
}
