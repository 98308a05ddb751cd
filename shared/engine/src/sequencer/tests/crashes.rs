//! A crash, or a failure, at every single port call.

use super::*;
use crate::memory::clock::split_mix;

/// Counts the port calls of a birth or a run.
fn calls_of(prepare: impl Fn() -> World, go: impl Fn(&World)) -> u64 {
    let world = prepare();
    let before = world.faults.calls();
    go(&world);
    world.faults.calls() - before
}

fn prepared() -> World {
    let world = World::with_leaves(1);
    (1..3).for_each(|n| world.add(n));
    world
}

/// A batch that reaches across the end of a full tile.
fn across() -> World {
    let world = World::almost_full();
    (ALMOST_FULL..ALMOST_FULL + 2).for_each(|n| world.add(n));
    world
}

/// Where a run begins, how many leaves there are at its end, and the crashes to try: before a call is
/// after the one before it, so that the larger log does with half of them.
type Start = (fn() -> World, u16, &'static [Injection]);

const STARTS: [Start; 2] = [
    (
        prepared,
        3,
        &[Injection::CrashBefore, Injection::CrashAfter],
    ),
    (across, ALMOST_FULL + 2, &[Injection::CrashAfter]),
];

#[test]
fn a_crash_at_any_port_call_of_a_run_changes_nothing_about_the_result() {
    for (start, leaves, injections) in STARTS {
        let calls = calls_of(start, |world| drop(world.run()));
        assert!(calls > 30, "{calls} calls");
        for n in 0..calls {
            for injection in injections {
                let world = start();
                world.fail_at(n, *injection);
                assert_eq!(world.run(), None, "call {n}");
                world.check();
                world.finish(leaves);
            }
        }
    }
}

#[test]
fn a_failure_at_any_port_call_of_a_run_changes_nothing_about_the_result() {
    for (start, leaves, _) in STARTS {
        let calls = calls_of(start, |world| drop(world.run()));
        for n in 0..calls {
            for injection in [Injection::FailBefore, Injection::FailAfter] {
                let world = start();
                world.fail_at(n, injection);
                assert!(world.run().is_some());
                world.check();
                world.finish(leaves);
            }
        }
    }
}

#[test]
fn a_crash_in_the_recovery_from_a_crash_is_recovered_from() {
    let calls = calls_of(prepared, |world| drop(world.run()));
    let mut chance = 1;
    for n in 0..calls {
        // Every fourth time around the end of a full tile.
        let (start, leaves, _) = STARTS[usize::from(n % 4 == 3)];
        let world = start();
        world.fail_at(n, Injection::CrashAfter);
        assert_eq!(world.run(), None);
        for _ in 0..3 {
            world.fail_at(split_mix(&mut chance) % calls, Injection::CrashAfter);
            drop(world.run());
            world.check();
        }
        world.finish(leaves);
    }
}

#[test]
fn a_crash_during_birth_leaves_a_log_that_can_be_born_or_run() {
    let calls = calls_of(World::unborn, |world| {
        drop(world.drive(world.sequencer().create()));
    });
    assert!(calls > 5, "{calls} calls");
    for n in 0..calls {
        for injection in INJECTIONS {
            let world = World::unborn();
            world.fail_at(n, injection);
            let born = world.drive(world.sequencer().create());
            assert!(
                born.is_none_or(|born| born.is_err()),
                "call {n} {injection:?}"
            );
            world.check();
            world.faults.calm();
            if world.head.current().is_none() {
                assert_eq!(world.drive(world.sequencer().create()), Some(Ok(())));
            }
            world.add(0);
            world.finish(1);
        }
    }
}

const INJECTIONS: [Injection; 4] = [
    Injection::FailBefore,
    Injection::FailAfter,
    Injection::CrashBefore,
    Injection::CrashAfter,
];

#[test]
fn a_crash_in_the_middle_of_recording_places_records_the_others_later() {
    for nth in 0_usize..2 {
        for injection in [Injection::CrashBefore, Injection::CrashAfter] {
            let world = World::with_leaves(0);
            (0..60).for_each(|n| world.add(n));
            let mut seen = 0_usize;
            world.faults.follow(move |call| {
                let is_it = call.name == "ledger.commit" && seen == nth;
                seen += usize::from(call.name == "ledger.commit");
                if is_it { injection } else { Injection::None }
            });
            assert_eq!(world.run(), None);
            world.check();
            let recorded = (0..60)
                .filter(|n| world.leaf(*n).sequenced.is_some())
                .count();
            let commits = if injection == Injection::CrashAfter {
                nth + 1
            } else {
                nth
            };
            assert_eq!(recorded, (commits * 50).min(60));
            world.finish(60);
        }
    }
}

#[test]
fn a_log_that_is_loaded_after_every_leaf_is_the_same_log() {
    let world = World::with_leaves(0);
    for n in 0..12 {
        world.add(n);
        assert_eq!(world.run().unwrap().unwrap().sequenced, 1);
        world.check();
    }
    world.finish(12);
}
