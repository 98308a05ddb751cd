//! The outbox: what is signed, dropped, refused, and in which order.

use super::*;
use crate::sequencer::{Refused, receipt_of};

fn outbox_row(n: u16, at: Timestamp) -> Item {
    Item::Outbox(OutboxRow {
        leaf: leaf(n),
        at,
        statement: Digest::of(&statement(n)),
    })
}

#[test]
fn a_wake_up_with_nothing_to_do_writes_nothing() {
    let world = World::with_leaves(3);
    world.faults.record();
    for _ in 0..3 {
        let progress = world.run().unwrap().unwrap();
        assert_eq!(
            progress,
            Progress {
                size: 3,
                ..Progress::default()
            }
        );
    }
    let reads = ["head.read", "tiles.read", "ledger.list"];
    assert!(world.faults.trace().iter().all(|call| reads.contains(call)));
}

#[test]
fn a_row_that_comes_back_is_not_sequenced_again() {
    let world = World::with_leaves(2);
    world.commit(&[Write::Create(outbox_row(1, world.clock.now()))]);
    world.add(2);
    // Even without its receipt: the ledger's leaf item alone is enough.
    let path = paths::receipt(&leaf(1));
    let receipt = world.evidence.everything().remove(&path).unwrap();
    world.evidence.lose(&path);
    let progress = world.run().unwrap().unwrap();
    assert_eq!((progress.sequenced, progress.size), (1, 3));
    assert_eq!(world.row(1), None);
    assert_eq!(
        world.evidence.keep(&path, &receipt).now_or_never(),
        Some(Ok(receipt.clone()))
    );
    world.finish(3);
}

/// A ledger restored to before the leaf got its place.
fn forget_place(world: &World, n: u16) {
    world.ledger.tamper(&Key::Leaf(leaf(n)), |item| {
        if let Item::Leaf(leaf) = item {
            leaf.sequenced = None;
        }
    });
    world.commit(&[Write::Create(outbox_row(n, world.clock.now()))]);
}

#[test]
fn a_ledger_that_was_restored_learns_the_place_from_the_receipt() {
    let world = World::with_leaves(3);
    let place = world.leaf(1).sequenced;
    forget_place(&world, 1);
    assert_eq!(world.run().unwrap().unwrap().sequenced, 0);
    assert_eq!(world.leaf(1).sequenced, place);
    assert_eq!(world.row(1), None);
    world.finish(3);
}

#[test]
fn a_place_is_not_learnt_from_a_receipt_of_another_leaf() {
    let world = World::with_leaves(3);
    let other = world
        .evidence
        .everything()
        .remove(&paths::receipt(&leaf(2)))
        .unwrap();
    world
        .evidence
        .tamper(&paths::receipt(&leaf(1)), |bytes| *bytes = other);
    forget_place(&world, 1);
    let why = "it has a receipt that does not verify";
    assert_eq!(
        world.run().unwrap().unwrap().refused,
        [Refused { leaf: leaf(1), why }]
    );
    assert_eq!(world.leaf(1).sequenced, None);
}

#[test]
fn two_rows_of_one_leaf_in_a_batch_are_one_entry() {
    let world = World::with_leaves(1);
    world.add(1);
    world.clock.advance(SignedDuration::from_secs(1));
    world.commit(&[Write::Create(outbox_row(1, world.clock.now()))]);
    world.add(2);
    assert_eq!(world.run().unwrap().unwrap().sequenced, 2);
    assert_eq!(world.row(1), None);
    world.finish(3);
}

#[test]
fn a_clock_that_goes_backwards_changes_the_order_and_nothing_else() {
    let world = World::with_leaves(1);
    world.add(1);
    world.clock.advance(SignedDuration::from_hours(-5));
    world.add(2);
    assert_eq!(world.run().unwrap().unwrap().sequenced, 2);
    let index = |n| world.leaf(n).sequenced.unwrap().index;
    assert_eq!((index(2), index(1)), (1, 2));
    world.clock.advance(SignedDuration::from_hours(-50));
    world.add(3);
    world.finish(4);
}

#[test]
fn a_batch_is_bounded_and_says_that_there_is_more() {
    let mut world = World::with_leaves(1);
    world.config.batch = 2;
    (1..6).for_each(|n| world.add(n));
    let progress = world.run().unwrap().unwrap();
    assert_eq!(
        (progress.sequenced, progress.size, progress.next.is_some()),
        (2, 3, true)
    );
    world.check();
    world.finish(6);
}

#[test]
fn batches_across_a_full_tile_make_one_log() {
    let mut world = World::with_leaves(250);
    world.config.batch = 4;
    for n in 250..258 {
        world.add(n);
    }
    world.finish(258);
    let files = world.tiles.everything();
    for path in [
        "tile/0/000",
        "tile/1/000.p/1",
        "tile/entries/000",
        "checkpoints/254",
        "checkpoints/258",
        "tile/0/001.p/2",
    ] {
        assert!(files.contains_key(path), "{path} is missing");
    }
}

#[test]
fn a_statement_that_is_gone_is_refused_and_others_go_on() {
    let world = World::with_leaves(1);
    world.add(1);
    world.add(2);
    let gone = paths::statement(&Digest::of(&statement(1)));
    world.evidence.lose(&gone);
    let progress = world.run().unwrap().unwrap();
    assert_eq!((progress.sequenced, progress.size), (1, 2));
    assert_eq!(
        progress.refused,
        [Refused {
            leaf: leaf(1),
            why: "its statement is gone"
        }]
    );
    assert!(world.row(1).is_some() && world.leaf(1).sequenced.is_none());
    world.check();
    // Found again, it goes on.
    let kept = world
        .evidence
        .keep(&gone, &statement(1))
        .now_or_never()
        .unwrap();
    assert_eq!(kept, Ok(statement(1)));
    world.finish(3);
}

#[test]
fn a_statement_that_is_not_its_rows_is_refused() {
    let refused = |spoil: &dyn Fn(&World)| {
        let world = World::with_leaves(1);
        world.add(1);
        world.add(2);
        spoil(&world);
        let progress = world.run().unwrap().unwrap();
        assert_eq!(progress.sequenced, 1);
        assert!(world.row(1).is_some());
        progress
            .refused
            .iter()
            .map(|refused| refused.why)
            .collect::<Vec<_>>()
    };
    let path = paths::statement(&Digest::of(&statement(1)));
    let why = refused(&|world| world.evidence.tamper(&path, |bytes| bytes[0] ^= 1));
    assert_eq!(why, ["its statement has another digest"]);
    let why = refused(&|world| world.ledger.lose(&Key::Leaf(leaf(1))));
    assert_eq!(why, ["its leaf item is gone"]);
    let why = refused(&|world| {
        world.ledger.tamper(&Key::Leaf(leaf(1)), |item| {
            if let Item::Leaf(leaf) = item {
                leaf.statement = Digest::of(b"other");
            }
        });
    });
    assert_eq!(why, ["outbox row and leaf name different statements"]);
    let why = refused(&|world| {
        let envelope = world
            .evidence
            .everything()
            .remove(&paths::envelope(&leaf(0)))
            .unwrap();
        let kept = world
            .evidence
            .keep(&paths::envelope(&leaf(1)), &envelope)
            .now_or_never();
        assert!(kept.unwrap().is_ok());
    });
    assert_eq!(why, ["its statement has another digest"]);
    let why = refused(&|world| {
        let kept = world
            .evidence
            .keep(&paths::envelope(&leaf(1)), b"{}")
            .now_or_never();
        assert!(kept.unwrap().is_ok());
    });
    assert_eq!(why, ["its envelope is damaged"]);
}

#[test]
fn bytes_that_are_no_statement_or_another_leafs_are_never_signed() {
    let world = World::with_leaves(0);
    let id = LeafId::Outcome(id(1));
    for (leaf, bytes, why) in [
        (
            leaf(1),
            b"anything".to_vec(),
            "its statement cannot be read",
        ),
        (id, statement(1), "its statement is another leaf's"),
        (leaf(3), statement(2), "its statement is another leaf's"),
    ] {
        let world = World::with_leaves(0);
        let digest = Digest::of(&bytes);
        let kept = world
            .evidence
            .keep(&paths::statement(&digest), &bytes)
            .now_or_never();
        assert_eq!(kept, Some(Ok(bytes)));
        world.add_row(leaf, digest);
        world.faults.record();
        let progress = world.run().unwrap().unwrap();
        assert_eq!(progress.refused, [Refused { leaf, why }]);
        assert!(!world.faults.trace().contains(&"signer.sign_statement"));
        world.check();
    }
    world.finish(0);
}

#[test]
fn refused_rows_at_the_front_do_not_hide_what_comes_behind() {
    let mut world = World::with_leaves(0);
    world.config.batch = 2;
    for n in 0..5 {
        world.add(n);
        world
            .evidence
            .lose(&paths::statement(&Digest::of(&statement(n))));
    }
    world.add(5);
    let progress = world.run().unwrap().unwrap();
    assert_eq!((progress.sequenced, progress.refused.len()), (1, 5));
    world.check();
}

/// More rows than one run looks at, none of which can be sequenced.
fn many_refused(rows: u16) -> World {
    let mut world = World::with_leaves(0);
    world.config.batch = 1;
    for n in 0..rows {
        world.add(n);
        world
            .evidence
            .lose(&paths::statement(&Digest::of(&statement(n))));
    }
    world
}

#[test]
fn however_many_rows_are_refused_the_others_get_their_turn() {
    let world = many_refused(50);
    let far = world.clock.now() + SignedDuration::from_hours(9);
    (50..53).for_each(|n| world.add(n));
    let sequencer = world.sequencer();
    let progress = world.drive(sequencer.run_through(&world.clock, far));
    let progress = progress.unwrap().unwrap();
    assert_eq!((progress.sequenced, progress.size), (3, 3));
    assert_eq!(progress.refused.len(), 50, "each was looked at once");
    assert_eq!(progress.next, None);
    world.check();
}

#[test]
fn an_outbox_of_refused_rows_is_gone_through_once_and_no_longer_than_there_is_time() {
    let world = many_refused(50);
    let sequencer = world.sequencer();
    world.faults.record();
    let far = world.clock.now() + SignedDuration::from_hours(9);
    let progress = world.drive(sequencer.run_through(&world.clock, far));
    let progress = progress.unwrap().unwrap();
    assert_eq!((progress.sequenced, progress.refused.len()), (0, 50));
    let lists = |world: &World| {
        let trace = world.faults.trace();
        trace.iter().filter(|call| **call == "ledger.list").count()
    };
    assert!(lists(&world) <= 52, "{} listings", lists(&world));
    let now = world.clock.now();
    let progress = world.drive(sequencer.run_through(&world.clock, now));
    let progress = progress.unwrap().unwrap();
    assert!(progress.next.is_some() && progress.refused.len() < 50);
}

#[test]
fn the_envelope_of_a_faster_signer_is_the_one_that_counts() {
    let world = World::with_leaves(0);
    world.add(0);
    world.fail("tiles.keep.staging", Injection::CrashBefore);
    assert_eq!(world.run(), None);
    let first = world
        .evidence
        .everything()
        .remove(&paths::envelope(&leaf(0)));
    assert!(first.is_some());
    world.faults.calm();
    world.faults.record();
    world.finish(1);
    assert!(!world.faults.trace().contains(&"signer.sign_statement"));
    assert_eq!(
        world
            .evidence
            .everything()
            .remove(&paths::envelope(&leaf(0))),
        first
    );
}

#[test]
fn a_receipt_is_read_by_its_leaf() {
    let world = World::with_leaves(1);
    let read = |n| {
        receipt_of(&world.evidence, &leaf(n))
            .now_or_never()
            .unwrap()
            .unwrap()
    };
    assert!(read(0).is_some_and(|bytes| bytes.starts_with(b"{")));
    assert_eq!(
        receipt_of(&world.evidence, &leaf(9))
            .now_or_never()
            .unwrap(),
        Ok(None)
    );
}
