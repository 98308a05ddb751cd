//! The fault table: each write × {failed, succeeded but reported failed, crash before, crash after}.

use quittance_core::fault::Fault;
use quittance_core::message::Message;
use quittance_core::request::Right;

use super::*;

const INJECTIONS: [Injection; 4] = [
    Injection::FailBefore,
    Injection::FailAfter,
    Injection::CrashBefore,
    Injection::CrashAfter,
];

/// When the broken write comes: decides whether the batch is committed in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    BeforeSwap,
    Swap,
    AfterSwap,
}

const TABLE: [(&str, When); 13] = [
    ("signer.sign_statement", When::BeforeSwap),
    ("evidence.keep", When::BeforeSwap),
    ("tiles.keep.staging", When::BeforeSwap),
    ("signer.sign_checkpoint", When::BeforeSwap),
    ("head.swap", When::Swap),
    ("tiles.keep.entries", When::AfterSwap),
    ("tiles.keep.hashes", When::AfterSwap),
    ("tiles.publish", When::AfterSwap),
    ("tiles.keep.checkpoint", When::AfterSwap),
    ("ledger.commit", When::AfterSwap),
    ("evidence.keep", When::AfterSwap),
    ("tiles.discard", When::AfterSwap),
    ("head.read", When::AfterSwap),
];

fn commits(when: When, injection: Injection) -> bool {
    match (when, injection) {
        (When::BeforeSwap, _) => false,
        (When::Swap, _) => matches!(injection, Injection::FailAfter | Injection::CrashAfter),
        (When::AfterSwap, _) => true,
    }
}

/// Breaks every call of this name; those after the swap only, when it comes after the swap.
fn break_it(world: &World, name: &'static str, when: When, injection: Injection) {
    let mut is_armed = when != When::AfterSwap;
    world.faults.follow(move |call| {
        let injected = if is_armed && call.name == name {
            injection
        } else {
            Injection::None
        };
        is_armed |= call.name == "head.swap";
        injected
    });
}

fn expect_broken(world: &World, injection: Injection, what: &str) {
    match (injection, world.run()) {
        (Injection::FailBefore | Injection::FailAfter, Some(Err(Fault::Retry { .. })))
        | (Injection::CrashBefore | Injection::CrashAfter, None) => {}
        (injection, other) => panic!("{what} {injection:?}: {other:?}"),
    }
    world.check();
}

/// The whole table from a log of `first` leaves, with batches of `batch` of them.
fn nothing_is_lost_or_doubled(start: fn() -> World, first: u16, batch: u16) {
    for (name, when) in TABLE {
        for injection in INJECTIONS {
            let what = format!("{name} {when:?}");
            let world = start();
            (first..first + batch).for_each(|n| world.add(n));
            break_it(&world, name, when, injection);
            expect_broken(&world, injection, &what);
            let committed = if commits(when, injection) { batch } else { 0 };
            assert_eq!(
                world.size(),
                u64::from(first + committed),
                "{what} {injection:?}"
            );
            // Still broken, with nothing new and with more to do; then again after the repair.
            let next = first + batch;
            for n in next..next + 2 {
                drop(world.run());
                world.check();
                world.add(n);
                break_it(&world, name, when, injection);
                drop(world.run());
                world.check();
            }
            world.finish(next + 2);
        }
    }
}

#[test]
fn whatever_write_breaks_nothing_is_lost_or_doubled() {
    nothing_is_lost_or_doubled(|| World::with_leaves(2), 2, 1);
}

#[test]
fn whatever_write_breaks_while_a_tile_is_completed_nothing_is_lost_or_doubled() {
    nothing_is_lost_or_doubled(World::almost_full, ALMOST_FULL, 3);
}

fn costs_one_run(start: fn() -> World, first: u16, batch: u16) {
    for (name, when) in TABLE {
        for injection in INJECTIONS {
            let world = start();
            (first..first + batch).for_each(|n| world.add(n));
            break_it(&world, name, when, injection);
            expect_broken(&world, injection, name);
            world.faults.calm();
            assert!(world.run().unwrap().is_ok());
            assert_eq!(
                world.size(),
                u64::from(first + batch),
                "{name} {injection:?}"
            );
            world.finish(first + batch);
        }
    }
}

#[test]
fn a_broken_write_that_mends_itself_costs_one_run() {
    costs_one_run(|| World::with_leaves(1), 1, 2);
    // Up to the end of the tile exactly.
    costs_one_run(World::almost_full, ALMOST_FULL, 1);
}

#[test]
fn a_queue_that_is_down_stops_nothing() {
    for injection in [Injection::FailBefore, Injection::FailAfter] {
        let world = World::with_leaves(1);
        world.add(1);
        world.fail("queues.send", injection);
        assert_eq!(world.run().unwrap().unwrap().sequenced, 1);
        world.finish(2);
    }
}

#[test]
fn every_request_is_woken_even_if_the_sequencer_dies_before_it_could() {
    let world = World::with_leaves(0);
    world.add(0);
    world.fail("queues.send", Injection::CrashBefore);
    assert_eq!(world.run(), None);
    assert_eq!(world.queues.waiting(), 0);
    world.finish(1);
    let woken = world.queues.take(0);
    assert_eq!(
        woken,
        Some((Right::Deletion, Message::Request { id: id(0) }))
    );
}
