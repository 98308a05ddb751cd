//! Sweeps that cannot go on: their papers are gone, or their own step fails each time.

use std::sync::Mutex;

use jiff::SignedDuration;
use quittance_chaos::World;
use quittance_chaos::script::{
    DELETE, Then, all_is_well, asked, interrupt_at, now, request, rows_in_lake, store, sweeps, task,
};
use quittance_chaos::world::map_without;
use quittance_core::fault::BlockReason;
use quittance_core::id::RequestId;
use quittance_core::request::{Outcome, Right, Stage};
use quittance_core::sweep::SweepStage;
use quittance_engine::memory::faults::Injection;
use quittance_engine::ports::Shredder as _;

fn lake() -> World {
    let map = map_without(&["orders", "reviews", "invoices", "tickets", "crm"]);
    World::with_map(&map, 2, 1)
}

/// Lets an hour go by, again and again, until somebody must look or nothing is left to do.
fn until_seen(world: &World, id: RequestId) {
    for _ in 0..60 {
        world.work_off(1);
        if world.is_done() || task(world, id, "events").block.is_some() {
            return;
        }
        world.clock.advance(SignedDuration::from_hours(1));
    }
    assert!(world.is_done(), "nobody is told: {:#?}", world.requests());
}

#[test]
fn whoever_was_in_a_sweep_whose_papers_are_gone_is_blocked_and_goes_on_when_released() {
    let mut lost_in = std::collections::BTreeMap::new();
    for call in (0..).step_by(3) {
        let world = lake();
        let id = asked(&world, DELETE);
        let lost = Mutex::new(None);
        let reached = interrupt_at(&world, call, |world| {
            let open = sweeps(world, "events", Right::Deletion);
            if let Some(sweep) = open.iter().find(|sweep| sweep.stage != SweepStage::Done) {
                now(world.vault.shred(sweep.vault)).unwrap();
                *lost.lock().unwrap() = Some((sweep.purpose.name(), sweep.stage.name()));
            }
            Then::Dies
        });
        if !reached {
            break;
        }
        until_seen(&world, id);
        let Some(place) = *lost.lock().unwrap() else {
            continue;
        };
        *lost_in.entry(place).or_insert(0) += 1;
        if let Some(block) = task(&world, id, "events").block {
            assert_eq!(block.reason, BlockReason::RetriesExhausted, "call {call}");
            now(world.desk().release(id, &store("events"))).unwrap();
            until_seen(&world, id);
        }
        let closed = request(&world, id).stage;
        assert_eq!(
            closed,
            Stage::Closed(Outcome::Completed),
            "call {call} {place:?}"
        );
        assert_eq!(rows_in_lake(&world, 0), 0, "call {call} {place:?}");
        assert_eq!(rows_in_lake(&world, 1), 2, "call {call} {place:?}");
    }
    let stages: std::collections::BTreeSet<_> = lost_in.keys().map(|(_, stage)| *stage).collect();
    assert_eq!(
        stages.into_iter().collect::<Vec<_>>(),
        ["opened", "settling", "sharding", "working"],
        "{lost_in:?}"
    );
}

/// A world in which a call fails each time, until somebody is told.
fn failing(name: &'static str) -> (World, RequestId) {
    let world = lake();
    let id = asked(&world, DELETE);
    world.faults.follow(move |call| {
        if call.name == name {
            Injection::FailBefore
        } else {
            Injection::None
        }
    });
    for _ in 0..200 {
        for _ in 0..world.queues.waiting() {
            let Some((right, message)) = world.queues.take(0) else {
                break;
            };
            drop(now(world.handle(right, &message)));
        }
        world.clock.advance(SignedDuration::from_mins(15));
        drop(now(world.ticker().tick()));
    }
    (world, id)
}

#[test]
fn a_sweep_whose_step_fails_each_time_is_given_up_and_its_members_are_told() {
    for name in ["records.objects", "records.search", "records.prepare"] {
        let (world, id) = failing(name);
        let block = task(&world, id, "events").block;
        let reason = block.map(|block| block.reason);
        assert_eq!(reason, Some(BlockReason::RetriesExhausted), "{name}");
        all_is_well(&world);
        world.faults.calm();
        now(world.desk().release(id, &store("events"))).unwrap();
        world.settle();
        assert_eq!(
            request(&world, id).stage,
            Stage::Closed(Outcome::Completed),
            "{name}"
        );
        assert_eq!(
            (rows_in_lake(&world, 0), rows_in_lake(&world, 1)),
            (0, 2),
            "{name}"
        );
        all_is_well(&world);
    }
}
