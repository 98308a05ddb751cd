//! Processes with an older and a newer data map at work side by side, as after every change of it.

use jiff::SignedDuration;
use quittance_chaos::World;
use quittance_chaos::script::{DELETE, all_is_well, asked, now, request};
use quittance_chaos::world::map_without;
use quittance_core::request::{Outcome, Stage};
use quittance_engine::ports::Clock as _;

#[test]
fn an_older_process_leaves_what_a_newer_one_has_planned() {
    let old = map_without(&["events", "tickets", "crm", "invoices"]);
    let new = map_without(&["events", "tickets", "crm"]);
    let mut most = 0;
    for begins_with_new in [false, true] {
        let mut world = World::with_map(&old, 2, 1);
        let written = world.clock.now();
        let later = written.checked_add(SignedDuration::from_secs(60)).unwrap();
        world.change_map_at(&old, written);
        let id = asked(&world, DELETE);
        let mut turn = usize::from(begins_with_new);
        for _ in 0..40 {
            while let Some((right, message)) = world.queues.take(0) {
                // Whoever is free takes the next message.
                if turn % 2 == 0 {
                    world.change_map_at(&old, written);
                } else {
                    world.change_map_at(&new, later);
                }
                turn += 1;
                now(world.handle(right, &message)).unwrap();
            }
            if world.is_done() {
                break;
            }
            world.clock.advance(SignedDuration::from_mins(10));
            now(world.ticker().tick()).unwrap();
        }
        world.change_map_at(&new, later);
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
        let plan = request(&world, id).plan.unwrap();
        assert_eq!(plan.data_map, world.map.digest());
        assert!(
            plan.generation <= 1,
            "planned {} times",
            plan.generation + 1
        );
        most = most.max(plan.generation);
        all_is_well(&world);
    }
    assert_eq!(most, 1, "the old process was never first");
}
