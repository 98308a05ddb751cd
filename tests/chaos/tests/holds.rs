//! Holds on stores and on identifiers: set at any moment, nothing more is deleted; lifted, everything
//! goes on.

#![expect(
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use std::cell::Cell;

use quittance_chaos::script::{
    COPY, DELETE, OPT_OUT, Then, all_is_well, asked, interrupt_at, now, request, rows_in_lake,
    store, task,
};
use quittance_chaos::world::map_without;
use quittance_chaos::{Ask, World};
use quittance_core::digest::Tag;
use quittance_core::fault::BlockReason;
use quittance_core::hold::HoldOn;
use quittance_core::request::{GateReason, Outcome, Stage};
use quittance_core::task::TaskStage;
use quittance_engine::desk::DeskError;
use quittance_engine::intake::IntakeError;

fn lake() -> World {
    let map = map_without(&["orders", "reviews", "invoices", "tickets", "crm"]);
    World::with_map(&map, 2, 1)
}

/// The keyed tag of a person's address.
fn tag(world: &World, ask: Ask) -> Tag {
    let asked = world.request_of(ask).unwrap();
    *asked.subject_tags.first().unwrap()
}

fn items(world: &World, name: &str) -> usize {
    let rows = world.stores.everything();
    rows.iter()
        .filter(|((id, _), row)| {
            id.as_str() == name && row.values().any(|value| value.contains("canary-0@"))
        })
        .count()
}

#[test]
fn a_held_identifier_stops_later_deletions_at_their_gate_and_nothing_else() {
    let world = lake();
    let id = asked(&world, DELETE);
    let tag = tag(&world, DELETE);
    now(world.desk().hold_identifier(tag)).unwrap();
    let copy = asked(&world, COPY);
    let out = asked(&world, OPT_OUT);
    world.work_off(10);
    for id in [copy, out] {
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    }
    assert!(request(&world, id).stage.is_open());
    assert_eq!(request(&world, id).gate, Some(GateReason::Held));
    assert_eq!(
        (rows_in_lake(&world, 0), items(&world, "customers")),
        (2, 1)
    );
    let refused = now(world.desk().release_hold(id));
    assert!(matches!(refused, Err(DeskError::StillHeld)), "{refused:?}");
    assert_eq!(now(world.desk().holds()).unwrap().len(), 1);
    now(world.desk().lift_identifier(tag)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    assert_eq!(
        (rows_in_lake(&world, 0), items(&world, "customers")),
        (0, 0)
    );
    all_is_well(&world);
}

#[test]
fn a_request_that_was_held_for_itself_stays_held_when_the_identifier_is_lifted() {
    let world = lake();
    let id = asked(&world, DELETE);
    let tag = tag(&world, DELETE);
    now(world.desk().hold(id)).unwrap();
    now(world.desk().hold_identifier(tag)).unwrap();
    now(world.desk().lift_identifier(tag)).unwrap();
    world.work_off(10);
    assert!(request(&world, id).hold.is_some());
    assert_eq!(rows_in_lake(&world, 0), 2);
    now(world.desk().release_hold(id)).unwrap();
    world.settle();
    all_is_well(&world);
}

#[test]
fn an_identifier_that_a_store_yields_is_held_too() {
    // The account yields the customer's number; that is what is held.
    let world = World::new(2, 1);
    let before = World::new(2, 1);
    let probe = asked(&before, DELETE);
    before.settle();
    let given = request(&before, probe).subject_tags.len();
    assert!(given > 1, "the number is known once the account is found");
    let first = asked(&world, DELETE);
    let own = request(&world, first).subject_tags;
    let all = request(&before, probe).subject_tags;
    let yielded = all.into_iter().find(|tag| !own.contains(tag)).unwrap();
    now(world.desk().hold_identifier(yielded)).unwrap();
    world.work_off(10);
    assert_eq!(request(&world, first).gate, Some(GateReason::Held));
    assert_eq!(items(&world, "customers"), 1);
    now(world.desk().lift_identifier(yielded)).unwrap();
    world.settle();
    all_is_well(&world);
}

#[test]
fn a_hold_on_an_identifier_at_any_moment_stops_what_is_not_in_flight() {
    stopped_at_any_moment(
        |world| {
            let tag = tag(world, DELETE);
            now(world.desk().hold_identifier(tag)).unwrap();
        },
        |world| {
            let tag = tag(world, DELETE);
            now(world.desk().lift_identifier(tag)).unwrap();
        },
    );
}

#[test]
fn a_hold_on_a_store_at_any_moment_stops_what_is_not_in_flight() {
    stopped_at_any_moment(
        |world| now(world.desk().hold_store(&store("events"))).unwrap(),
        |world| now(world.desk().lift_store(&store("events"))).unwrap(),
    );
}

/// Sets a hold after every so many calls: at most the object in flight is rewritten after that; and
/// once it is lifted, the day ends as if it had never been.
fn stopped_at_any_moment(hold: impl Fn(&World), lift: impl Fn(&World)) {
    let calm = lake();
    asked(&calm, DELETE);
    calm.settle();
    let expected = calm.result();
    let mut stopped = 0;
    for call in (0..2_000).step_by(3) {
        let world = lake();
        let id = asked(&world, DELETE);
        let then = Cell::new(0);
        let met = interrupt_at(&world, call, |world| {
            if request(world, id).stage.is_open() {
                hold(world);
            }
            then.set(rows_in_lake(world, 0));
            Then::GoesOn
        });
        if !met {
            break;
        }
        world.work_off(6);
        let rows = rows_in_lake(&world, 0);
        assert!(
            then.get() - rows <= 1,
            "call {call}: {} rows when it was set, {rows} now",
            then.get()
        );
        stopped += usize::from(rows > 0);
        lift(&world);
        world.settle();
        let mut result = world.result();
        // Which sweep removed what decides how rows are grouped, not what is gone.
        result.retain(|name, _| !name.starts_with("receipt"));
        let mut expected = expected.clone();
        expected.retain(|name, _| !name.starts_with("receipt"));
        assert_eq!(result, expected, "call {call}");
        all_is_well(&world);
    }
    assert!(stopped > 20, "only {stopped} times was anything left");
}

#[test]
fn a_receipt_says_how_far_a_held_store_got() {
    // Once one of its two objects is rewritten.
    let mut calls = 0;
    let world = loop {
        let world = lake();
        asked(&world, DELETE);
        assert!(interrupt_at(&world, calls, |world| {
            if rows_in_lake(world, 0) == 1 {
                now(world.desk().hold_store(&store("events"))).unwrap();
            }
            Then::GoesOn
        }));
        if !now(world.desk().holds()).unwrap().is_empty() {
            break world;
        }
        calls += 1;
    };
    let id = world.request_of(DELETE).unwrap().id;
    world.work_off(10);
    let held = task(&world, id, "events");
    assert_eq!(
        held.block.as_ref().map(|block| block.reason),
        Some(BlockReason::StoreHeld)
    );
    assert_eq!(held.outcome.deleted, 1);
    assert_eq!(rows_in_lake(&world, 0), 1);
    now(world.desk().allow_partial(id)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Partial));
    all_is_well(&world);
    now(world.desk().lift_store(&store("events"))).unwrap();
    world.work_off(6);
    assert_eq!(rows_in_lake(&world, 0), 0);
    assert_eq!(task(&world, id, "events").stage, TaskStage::Done);
    assert_eq!(request(&world, id).amendments, 1);
    all_is_well(&world);
}

#[test]
fn holds_are_set_and_lifted_twice_without_harm() {
    let world = lake();
    for _ in 0..2 {
        now(world.desk().hold_store(&store("events"))).unwrap();
        now(world
            .desk()
            .hold_identifier(Tag::from(quittance_core::digest::Digest::of(b"somebody"))))
        .unwrap();
    }
    let holds = now(world.desk().holds()).unwrap();
    assert_eq!(holds.len(), 2);
    assert!(
        holds
            .iter()
            .any(|hold| hold.on == HoldOn::Store(store("events")))
    );
    for _ in 0..2 {
        now(world.desk().lift_store(&store("events"))).unwrap();
    }
    assert_eq!(now(world.desk().holds()).unwrap().len(), 1);
    let nobody: Result<_, IntakeError> = now(world.ask(DELETE));
    assert!(nobody.is_ok());
}
