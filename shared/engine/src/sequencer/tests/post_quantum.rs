//! A log with an ML-DSA-44 key: its line stands on checkpoints, never on receipts, and is made once a size.

use async_trait::async_trait;
use quittance_core::receipt::ReceiptFile;
use quittance_tlog::{MlDsa44Signer, Note, VerifierKey};

use super::super::receipt_of;
use super::*;
use crate::memory::witnesses::MemoryWitnesses;
use crate::ports::Signer;

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

/// A signer that names another post-quantum key than it has.
#[derive(Debug)]
struct Mistaken(MemorySigner, String);

#[async_trait]
impl Signer for Mistaken {
    fn statement_key_pem(&self) -> &str {
        self.0.statement_key_pem()
    }

    fn log_vkey(&self) -> &str {
        self.0.log_vkey()
    }

    async fn sign_statement(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.0.sign_statement(bytes).await
    }

    async fn sign_checkpoint(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.0.sign_checkpoint(bytes).await
    }

    fn post_quantum_vkey(&self) -> Option<&str> {
        Some(&self.1)
    }

    async fn sign_checkpoint_post_quantum(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.0.sign_checkpoint_post_quantum(bytes).await
    }
}

#[test]
fn a_key_of_another_name_or_kind_signs_nothing_and_a_wrong_line_is_never_committed() {
    let vkey = |name: &str| {
        let signer = MlDsa44Signer::from_seed(name, &[3; 32]).unwrap();
        signer.verifier().to_string()
    };
    let ed25519 = World::unborn().signer.log_vkey().to_owned();
    for (named, detail) in [
        (vkey("log.test/other"), "post-quantum key"),
        (ed25519, "post-quantum key"),
        ("x".to_owned(), "post-quantum key"),
        // Of the right name and kind, but not the one that signs.
        (vkey(ORIGIN), "does not verify"),
    ] {
        let world = prepared();
        let signer = MemorySigner::new(ORIGIN, 1, world.faults.clone()).unwrap();
        let signer = signer.with_post_quantum(4).unwrap();
        let mut sequencer = world.sequencer();
        sequencer.signer = Arc::new(Mistaken(signer, named));
        let head = world.head.current();
        let refused = world.drive(sequencer.run()).unwrap();
        assert!(
            matches!(&refused, Err(Fault::Reject { detail: told }) if told.contains(detail)),
            "{refused:?}"
        );
        assert!(world.head.current() == head);
        world.finish(3);
    }
}
