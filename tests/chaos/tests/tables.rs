//! Tables without a key or a complete index for the identifier: looked through in sweeps, acted on
//! item by item.

use std::sync::Mutex;

use jiff::SignedDuration;
use quittance_chaos::script::{
    COPY, DELETE, Then, all_is_well, asked, interrupt_at, now, request, store, sweeps, task,
};
use quittance_chaos::table::Scenario;
use quittance_chaos::world::map_without;
use quittance_chaos::{Ask, World};
use quittance_core::fault::BlockReason;
use quittance_core::outcome::CheckMethod;
use quittance_core::request::{Outcome, Right, Stage};
use quittance_core::sweep::Purpose;
use quittance_core::task::{TaskStage, Was};
use quittance_engine::memory::faults::Injection;
use quittance_engine::memory::stores::Row;

const OTHER: Ask = Ask {
    person: 1,
    right: Right::Deletion,
};

/// An account, a table of tickets, and the orders that only the tickets lead to.
fn map() -> String {
    map_without(&["reviews", "invoices", "events", "crm"])
}

/// The same, with a table that is swept every six hours.
fn unhurried() -> String {
    map().replace(
        "    dynamodb: { table: tickets }\n",
        "    dynamodb: { table: tickets }\n    sweep: { every: 6h }\n",
    )
}

/// A copy and a deletion, on the account and the tickets.
const TABLE: Scenario = Scenario {
    world: || {
        let map = map_without(&["orders", "reviews", "invoices", "events", "crm"]);
        World::with_map(&map, 2, 1)
    },
    asks: &[COPY, DELETE],
    lists: &[],
};

fn tickets_of(world: &World, person: usize) -> usize {
    let email = World::email(person);
    let all = world.stores.everything();
    all.iter()
        .filter(|((id, _), row)| *id == store("tickets") && row.get("email") == Some(&email))
        .count()
}

fn ticket(person: usize) -> Row {
    Row::from([("email".to_owned(), World::email(person))])
}

/// Lets hours go by until nothing is open.
fn by_the_hour(world: &World) {
    for _ in 0..200 {
        world.work_off(1);
        if world.is_done() {
            return;
        }
        world.clock.advance(SignedDuration::from_hours(1));
    }
    assert!(world.is_done(), "not done: {:#?}", world.requests());
}

#[test]
fn a_crash_before_any_call_changes_nothing_about_the_result() {
    TABLE.every_call_under(Injection::CrashBefore);
}

#[test]
fn a_crash_after_any_call_changes_nothing_about_the_result() {
    TABLE.every_call_under(Injection::CrashAfter);
}

#[test]
fn a_failure_of_any_call_changes_nothing_about_the_result() {
    TABLE.every_call_under(Injection::FailBefore);
}

#[test]
fn a_success_reported_as_failure_changes_nothing_about_the_result() {
    TABLE.every_call_under(Injection::FailAfter);
}

#[test]
fn one_pass_locates_for_everybody_and_one_looks_back_for_everybody() {
    let world = World::with_map(&unhurried(), 4, 1);
    let ids = [0, 1, 2].map(|person| {
        asked(
            &world,
            Ask {
                person,
                right: Right::Deletion,
            },
        )
    });
    by_the_hour(&world);
    let all = sweeps(&world, "tickets", Right::Deletion);
    let told: Vec<_> = all
        .iter()
        .map(|sweep| (sweep.purpose, sweep.members))
        .collect();
    assert_eq!(told, [(Purpose::Find, 3), (Purpose::Find, 3)]);
    for id in ids {
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
        let outcome = task(&world, id, "tickets").outcome;
        assert_eq!((outcome.matched, outcome.deleted), (3, 3));
        assert_eq!(outcome.evidence_count, 3);
        let check = outcome.check.unwrap();
        assert_eq!(check.method, CheckMethod::Scan);
        assert_eq!((check.residual_matches, check.arrived_since), (0, 0));
        let done = all.last().unwrap();
        assert!(
            check.at >= done.opened_at,
            "looked at after it was acted on"
        );
    }
    assert_eq!(
        [0, 1, 2, 3].map(|person| tickets_of(&world, person)),
        [0, 0, 0, 3]
    );
    all_is_well(&world);
}

#[test]
fn what_a_swept_table_yields_leads_to_other_stores() {
    // The account is found by its id alone, which only a ticket tells.
    let map = map()
        .replace(
            "      - email: { index: by_email, key: email, coverage: complete }\n",
            "",
        )
        .replace(
            "    find: [ { email: { field: email } } ]\n",
            "    find: [ { email: { field: email } } ]\n    yields: { customer_id: customer_id }\n",
        );
    let world = World::with_map(&map, 2, 1);
    let mut told = ticket(0);
    told.insert("customer_id".to_owned(), "c0".to_owned());
    world.stores.put(&store("tickets"), "told", told);
    let id = asked(&world, DELETE);
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    for (name, count) in [("tickets", 4), ("customers", 1), ("orders", 3)] {
        assert_eq!(task(&world, id, name).outcome.deleted, count, "{name}");
    }
    all_is_well(&world);
}

#[test]
fn what_arrives_before_the_look_back_is_deleted_too() {
    let mut arrived = 0;
    for call in (0..).step_by(3) {
        let world = World::with_map(&map(), 1, 1);
        let id = asked(&world, DELETE);
        let put = Mutex::new(false);
        let reached = interrupt_at(&world, call, |world| {
            // Somebody's application writes a ticket while deletion goes on.
            let acts = request(world, id).first_effect_at.is_some();
            if acts && task(world, id, "tickets").stage == TaskStage::Acting {
                world.stores.put(&store("tickets"), "late", ticket(0));
                *put.lock().unwrap() = true;
            }
            Then::GoesOn
        });
        if !reached {
            break;
        }
        world.settle();
        let outcome = task(&world, id, "tickets").outcome;
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
        if *put.lock().unwrap() && outcome.matched == 4 {
            arrived += 1;
            assert_eq!(
                (outcome.deleted, tickets_of(&world, 0)),
                (4, 0),
                "call {call}"
            );
        }
        all_is_well(&world);
    }
    assert!(
        arrived > 5,
        "only {arrived} runs saw the ticket arrive in time"
    );
}

#[test]
fn an_item_that_does_not_go_away_is_never_called_deleted() {
    let world = World::with_map(&map(), 1, 1);
    let id = asked(&world, DELETE);
    // Whatever is deleted is put back at once, by a job that restores it.
    for call in (0..).step_by(2) {
        let begun = interrupt_at(&world, 0, |world| {
            for n in 0..3 {
                let row = Row::from([
                    ("email".to_owned(), World::email(0)),
                    ("n".to_owned(), n.to_string()),
                ]);
                world.stores.put(&store("tickets"), &format!("t0-{n}"), row);
            }
            Then::GoesOn
        });
        if !begun || call > 2_000 {
            break;
        }
    }
    world.work_off(5);
    let stuck = task(&world, id, "tickets");
    assert_eq!(stuck.stage, TaskStage::Blocked(Was::Acting));
    assert_eq!(stuck.block.unwrap().reason, BlockReason::ResidualMatches);
    assert!(request(&world, id).stage.outcome().is_none());
}

#[test]
fn a_paused_table_is_not_read_and_one_that_cannot_be_read_says_nothing_found_to_nobody() {
    let world = World::with_map(&map(), 2, 1);
    now(world.desk().pause_sweeps(&store("tickets"))).unwrap();
    let id = asked(&world, DELETE);
    world.work_off(10);
    assert!(sweeps(&world, "tickets", Right::Deletion).is_empty());
    assert_eq!(task(&world, id, "tickets").stage, TaskStage::Pending);
    world
        .stores
        .refuse(&store("tickets"), Some(BlockReason::AccessDenied));
    now(world.desk().resume_sweeps(&store("tickets"))).unwrap();
    world.work_off(10);
    assert_eq!(
        task(&world, id, "tickets").stage,
        TaskStage::Blocked(Was::Pending)
    );
    world.stores.refuse(&store("tickets"), None);
    now(world.desk().release(id, &store("tickets"))).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    assert_eq!(tickets_of(&world, 0), 0);
    all_is_well(&world);
}

#[test]
fn an_opt_out_waits_for_no_sweep() {
    let world = World::with_map(&unhurried(), 2, 1);
    let id = asked(
        &world,
        Ask {
            person: 1,
            right: Right::OptOut,
        },
    );
    world.work_off(3);
    assert_eq!(task(&world, id, "tickets").outcome.flagged, 3);
    assert!(sweeps(&world, "tickets", Right::OptOut).is_empty());
    all_is_well(&world);
}

#[test]
fn a_hold_between_locating_and_acting_leaves_every_item() {
    for call in (0..).step_by(7) {
        let world = World::with_map(&map(), 2, 1);
        let (held, other) = (asked(&world, DELETE), asked(&world, OTHER));
        let early = Mutex::new(false);
        let reached = interrupt_at(&world, call, |world| {
            let begun = request(world, held);
            if begun.stage.outcome().is_none() && begun.first_effect_at.is_none() {
                now(world.desk().hold(held)).unwrap();
                *early.lock().unwrap() = true;
            }
            Then::GoesOn
        });
        if !reached {
            break;
        }
        world.work_off(40);
        assert_eq!(tickets_of(&world, 1), 0, "call {call}");
        assert_eq!(
            request(&world, other).stage,
            Stage::Closed(Outcome::Completed)
        );
        if *early.lock().unwrap() {
            assert_eq!(tickets_of(&world, 0), 3, "call {call}");
            now(world.desk().release_hold(held)).unwrap();
            world.settle();
            assert_eq!(tickets_of(&world, 0), 0, "call {call}");
        }
        all_is_well(&world);
    }
}
