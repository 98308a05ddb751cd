//! Several sequencers at once, in any order, frozen, thawed and killed.

use std::pin::Pin;

use super::*;
use crate::memory::clock::split_mix;

/// How many seeds each schedule runs with: enough to see an order of steps go wrong, and as many as
/// `QUITTANCE_SCHEDULES` says in a soak.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a test runs is no setting of the product"
)]
fn seeds() -> u64 {
    let told = std::env::var("QUITTANCE_SCHEDULES").ok();
    told.and_then(|told| told.parse().ok()).unwrap_or(40)
}

/// What a soak of an hour says about how far it is.
fn tell(what: &str, seed: u64, of: u64) {
    if (seed + 1).is_multiple_of(1000) || seed + 1 == of {
        println!("{what}: schedule {} of {of}: no violation so far", seed + 1);
    }
}

type Running<'w> = Pin<Box<dyn Future<Output = Result<Progress, Fault>> + Send + 'w>>;

fn start(sequencer: &Sequencer) -> Running<'_> {
    Box::pin(sequencer.run())
}

/// Lets `count` sequencers run in an order drawn from the seed, with faults if asked for.
fn schedule(world: &World, seed: u64, count: usize, faulty: bool) {
    let mut chance = seed;
    let mut dice = seed ^ 0x5eed;
    world.faults.interleave(true);
    world.faults.follow(move |_| {
        if !faulty {
            return Injection::None;
        }
        match split_mix(&mut dice) % 200 {
            0 => Injection::CrashBefore,
            1 => Injection::CrashAfter,
            2 => Injection::FailBefore,
            3 => Injection::FailAfter,
            _ => Injection::None,
        }
    });
    let sequencers: Vec<Sequencer> = (0..count).map(|_| world.sequencer()).collect();
    let mut running: Vec<Running<'_>> = sequencers.iter().map(start).collect();
    let mut context = Context::from_waker(Waker::noop());
    while !running.is_empty() {
        let picked = usize::try_from(split_mix(&mut chance)).unwrap() % running.len();
        let is_over = match running[picked].as_mut().poll(&mut context) {
            Poll::Ready(Err(Fault::Reject { detail })) => panic!("seed {seed}: {detail}"),
            Poll::Ready(_) => true,
            Poll::Pending => world.faults.take_crash(),
        };
        if is_over {
            drop(running.swap_remove(picked));
            world.check();
        }
    }
}

fn world_for(seed: u64) -> World {
    let mut world = World::with_leaves(1);
    world.config.batch = 2;
    world.config.at_once = if seed.is_multiple_of(2) { 1 } else { 4 };
    (1..5).for_each(|n| world.add(n));
    world
}

#[test]
fn two_sequencers_at_once_make_one_log() {
    for seed in 0..seeds() {
        let world = world_for(seed);
        schedule(&world, seed, 2, false);
        world.finish(5);
        tell("two sequencers", seed, seeds());
    }
}

/// As [`world_for`], with batches of two around the end of a full tile: 255, 257, 259.
fn almost_full_for(seed: u64) -> World {
    let mut world = World::almost_full();
    world.config.batch = 2;
    world.config.at_once = if seed.is_multiple_of(2) { 1 } else { 4 };
    (ALMOST_FULL..ALMOST_FULL + 4).for_each(|n| world.add(n));
    world
}

#[test]
fn sequencers_at_once_across_a_full_tile_make_one_log() {
    for seed in 0..seeds() / 5 {
        let world = almost_full_for(seed);
        schedule(&world, seed, 2, false);
        world.finish(ALMOST_FULL + 4);
        let world = almost_full_for(seed);
        schedule(&world, seed, 3, true);
        world.add(ALMOST_FULL + 4);
        schedule(&world, seed + 1000, 2, true);
        world.finish(ALMOST_FULL + 5);
        assert!(world.tiles.everything().contains_key("tile/1/000.p/1"));
        tell("across a full tile", seed, seeds() / 5);
    }
}

#[test]
fn three_sequencers_with_faults_make_one_log() {
    for seed in 0..seeds() {
        let world = world_for(seed);
        schedule(&world, seed, 3, true);
        world.add(5);
        schedule(&world, seed + 1000, 2, true);
        world.finish(6);
        tell("three sequencers with faults", seed, seeds());
    }
}

#[test]
fn the_same_seed_makes_the_same_calls_and_the_same_bytes() {
    let trace = |seed| {
        let world = world_for(seed);
        world.faults.record();
        schedule(&world, seed, 3, true);
        world.finish(5);
        (
            world.faults.trace(),
            world.tiles.everything(),
            world.evidence.everything(),
        )
    };
    for seed in 0..10 {
        assert!(trace(seed) == trace(seed), "seed {seed}");
    }
    assert!(trace(1).0 != trace(2).0);
}

#[test]
fn a_sequencer_frozen_at_any_point_and_thawed_much_later_does_no_harm() {
    for steps in 0.. {
        let mut world = World::with_leaves(1);
        world.config.at_once = 1;
        world.add(1);
        world.add(2);
        world.faults.interleave(true);
        let frozen = world.sequencer();
        let mut frozen = start(&frozen);
        let mut context = Context::from_waker(Waker::noop());
        let mut is_over = false;
        for _ in 0..steps {
            is_over |= frozen.as_mut().poll(&mut context).is_ready();
            if is_over {
                break;
            }
        }
        if is_over {
            assert!(steps > 35, "{steps} steps");
            return;
        }
        // Meanwhile the world goes on, by two batches.
        for n in 3..5 {
            world.add(n);
            assert!(world.run().unwrap().is_ok(), "step {steps}");
            world.check();
        }
        assert_eq!(world.size(), 5);
        // It thaws, with everything it had in memory.
        world.faults.interleave(true);
        loop {
            match frozen.as_mut().poll(&mut context) {
                Poll::Ready(Err(Fault::Reject { detail })) => panic!("step {steps}: {detail}"),
                Poll::Ready(_) => break,
                Poll::Pending => world.check(),
            }
        }
        world.check();
        world.finish(5);
    }
}

#[test]
fn a_bundle_put_back_by_a_loser_is_applied_again_without_harm() {
    let world = World::with_leaves(1);
    world.add(1);
    world.fail("tiles.discard", Injection::CrashBefore);
    assert_eq!(world.run(), None);
    let bundle = world.head.current().and_then(|head| head.staging).unwrap();
    let bytes = world.tiles.everything().remove(&bundle);
    world.finish(2);
    world.tiles.tamper(&bundle, bytes);
    world.check();
    world.finish(2);
}
