//! What can happen to a sweep, and to those it serves, each told once, on memory.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use quittance_chaos::script::{
    COPY, DELETE, Then, all_is_well, asked, interrupt_at, now, request, rows_in_lake, store,
    sweeps, task,
};
use quittance_chaos::world::map_without;
use quittance_chaos::{Ask, World};
use quittance_core::fault::BlockReason;
use quittance_core::id::RequestId;
use quittance_core::request::{Outcome, Right, Stage};
use quittance_core::sweep::{Cut, Purpose};
use quittance_core::task::TaskStage;
use quittance_engine::intake::IntakeError;
use quittance_engine::memory::clock::split_mix;
use quittance_engine::memory::faults::{Call, Injection};
use quittance_engine::memory::stores::Row;

const OTHER: Ask = Ask {
    person: 1,
    right: Right::Deletion,
};

/// An account and a lake.
fn map() -> String {
    map_without(&["orders", "reviews", "invoices", "tickets", "crm"])
}

/// The same, with a lake that is swept every six hours.
fn unhurried() -> String {
    format!("{}    sweep: {{ every: 6h }}\n", map())
}

fn lake(people: usize) -> World {
    World::with_map(&map(), people, 1)
}

fn completed(world: &World, id: RequestId) {
    assert_eq!(request(world, id).stage, Stage::Closed(Outcome::Completed));
}

fn deleted(world: &World, id: RequestId) -> usize {
    usize::try_from(task(world, id, "events").outcome.deleted).unwrap()
}

/// Lets hours go by until nothing is open.
fn by_the_hour(world: &World) {
    for _ in 0..100 {
        world.work_off(1);
        if world.is_done() {
            return;
        }
        world.clock.advance(SignedDuration::from_hours(1));
    }
    panic!("not done after days: {:#?}", world.requests());
}

#[test]
fn two_requests_in_one_window_share_one_sweep() {
    let world = World::with_map(&unhurried(), 3, 1);
    let first = asked(&world, DELETE);
    world.work_off(5);
    assert!(
        sweeps(&world, "events", Right::Deletion).is_empty(),
        "it waits for company"
    );
    let second = asked(&world, OTHER);
    by_the_hour(&world);
    let all = sweeps(&world, "events", Right::Deletion);
    let told: Vec<_> = all
        .iter()
        .map(|sweep| (sweep.purpose, sweep.members))
        .collect();
    assert_eq!(told, [(Purpose::Find, 2), (Purpose::Forget, 2)]);
    for id in [first, second] {
        completed(&world, id);
        assert_eq!(deleted(&world, id), 2);
    }
    assert_eq!((rows_in_lake(&world, 0), rows_in_lake(&world, 1)), (0, 0));
    assert_eq!(rows_in_lake(&world, 2), 2);
    all_is_well(&world);
}

#[test]
fn a_window_does_not_outlast_a_due_date() {
    let world = World::with_map(&unhurried().replace("every: 6h", "every: 31d"), 1, 1);
    let id = asked(&world, DELETE);
    for _ in 0..60 {
        world.work_off(1);
        world.clock.advance(SignedDuration::from_hours(12));
    }
    let closed = request(&world, id);
    completed(&world, id);
    assert!(closed.responded_at.unwrap() < closed.due_at.unwrap());
    all_is_well(&world);
}

#[test]
fn who_comes_after_a_sweep_was_opened_waits_for_the_next() {
    let world = lake(2);
    let first = asked(&world, DELETE);
    let second = Mutex::new(None);
    // Somewhere in the middle of the first sweep another person asks.
    for call in 0.. {
        let began = interrupt_at(&world, 0, |_| Then::GoesOn);
        assert!(began, "call {call}: the first sweep never began");
        if !sweeps(&world, "events", Right::Deletion).is_empty() {
            break;
        }
    }
    *second.lock().unwrap() = Some(asked(&world, OTHER));
    world.settle();
    let second = second.lock().unwrap().unwrap();
    let all = sweeps(&world, "events", Right::Deletion);
    assert!(all.iter().all(|sweep| sweep.members == 1), "{all:#?}");
    for id in [first, second] {
        completed(&world, id);
        assert_eq!(deleted(&world, id), 2);
    }
    let found = |id| task(&world, id, "events").located.unwrap().sweep.unwrap();
    assert!(found(first) < found(second));
    all_is_well(&world);
}

#[test]
fn copies_and_deletions_are_swept_apart() {
    let world = lake(2);
    let copy = asked(&world, COPY);
    let deletion = asked(&world, OTHER);
    world.settle();
    let purposes = |right| {
        let all = sweeps(&world, "events", right);
        all.iter().map(|sweep| sweep.purpose).collect::<Vec<_>>()
    };
    assert_eq!(purposes(Right::Access), [Purpose::Find]);
    assert_eq!(purposes(Right::Deletion), [Purpose::Find, Purpose::Forget]);
    completed(&world, copy);
    completed(&world, deletion);
    assert_eq!(task(&world, copy, "events").outcome.exported, 2);
    assert_eq!(rows_in_lake(&world, 0), 2, "a copy takes nothing away");
    all_is_well(&world);
}

#[test]
fn a_row_of_two_people_counts_for_both_and_is_said_to_be_shared() {
    let map = unhurried().replace(
        "find: [ { email: { field: email } } ]",
        "find: [ { email: { field: email } }, { customer_id: { field: customer_id } } ]",
    );
    let world = World::with_map(&map, 2, 1);
    let row = Row::from([
        ("email".to_owned(), World::email(0)),
        ("customer_id".to_owned(), "c1".to_owned()),
    ]);
    world.records.append(&store("events"), "events/0", row);
    let ids = [asked(&world, DELETE), asked(&world, OTHER)];
    by_the_hour(&world);
    for id in ids {
        completed(&world, id);
        let outcome = task(&world, id, "events").outcome;
        assert_eq!((outcome.deleted, outcome.shared), (3, 1), "{outcome:?}");
    }
    assert_eq!((rows_in_lake(&world, 0), rows_in_lake(&world, 1)), (0, 0));
    all_is_well(&world);
}

#[test]
fn a_hold_at_any_moment_stops_within_one_object_and_the_counts_say_how_far_it_got() {
    let (mut early, mut midway) = (0, 0);
    for call in (0..).step_by(5) {
        let world = World::with_map(&unhurried().replace("6h", "15m"), 2, 1);
        let (held, other) = (asked(&world, DELETE), asked(&world, OTHER));
        let then = Mutex::new(0);
        let reached = interrupt_at(&world, call, |world| {
            if request(world, held).stage.outcome().is_none() {
                now(world.desk().hold(held)).unwrap();
            }
            *then.lock().unwrap() = rows_in_lake(world, 0);
            Then::GoesOn
        });
        if !reached {
            break;
        }
        world.work_off(40);
        let (then, after) = (*then.lock().unwrap(), rows_in_lake(&world, 0));
        assert!(then - after <= 1, "call {call}: {then} rows, then {after}");
        let done = request(&world, held).stage.outcome().is_some();
        completed(&world, other);
        assert_eq!(deleted(&world, other), 2, "call {call}");
        // How far it got is told, whatever it got to.
        assert_eq!(deleted(&world, held), 2 - after, "call {call}");
        all_is_well(&world);
        if !done {
            early += usize::from(after == 2);
            midway += usize::from(after == 1);
            now(world.desk().release_hold(held)).unwrap();
            world.settle();
        }
        completed(&world, held);
        assert_eq!(rows_in_lake(&world, 0), 0, "call {call}");
        assert_eq!(deleted(&world, held), 2, "call {call}");
        all_is_well(&world);
    }
    assert!(early > 5 && midway > 0, "{early} early, {midway} midway");
}

#[test]
fn a_revocation_at_any_moment_is_either_too_late_or_leaves_every_row() {
    let (mut revoked, mut too_late) = (0, 0);
    for call in (0..).step_by(7) {
        let world = World::with_map(&unhurried().replace("6h", "15m"), 2, 1);
        let submitted = now(world.submit(DELETE)).unwrap();
        let (id, other) = (asked(&world, DELETE), asked(&world, OTHER));
        let answer = Mutex::new(None);
        let reached = interrupt_at(&world, call, |world| {
            let reference = submitted.reference.as_str();
            let revoking = now(world.intake().revoke(reference, &submitted.status_token));
            *answer.lock().unwrap() = Some(revoking);
            Then::GoesOn
        });
        if !reached {
            break;
        }
        world.settle();
        all_is_well(&world);
        completed(&world, other);
        assert_eq!(rows_in_lake(&world, 1), 0);
        let answer = answer.lock().unwrap().take().unwrap();
        match (answer, request(&world, id).stage) {
            (Ok(_), Stage::Closed(Outcome::Revoked)) => {
                assert_eq!(rows_in_lake(&world, 0), 2, "call {call}");
                revoked += 1;
            }
            (
                Err(IntakeError::TooLate(_) | IntakeError::Closed),
                Stage::Closed(Outcome::Completed),
            ) => too_late += 1,
            other => panic!("call {call}: {other:?}"),
        }
    }
    assert!(
        revoked > 3 && too_late > 3,
        "{revoked} revoked, {too_late} too late"
    );
}

#[test]
fn a_paused_store_is_not_touched_until_it_is_resumed() {
    let mut midway = 0;
    for call in (0..).step_by(9) {
        let world = lake(2);
        let id = asked(&world, DELETE);
        let then = Mutex::new(0);
        let reached = interrupt_at(&world, call, |world| {
            now(world.desk().pause_sweeps(&store("events"))).unwrap();
            *then.lock().unwrap() = rows_in_lake(world, 0);
            Then::GoesOn
        });
        if !reached {
            break;
        }
        world.work_off(20);
        let (then, after) = (*then.lock().unwrap(), rows_in_lake(&world, 0));
        assert!(then - after <= 1, "call {call}: {then} rows, then {after}");
        midway += usize::from(after == 1);
        all_is_well(&world);
        now(world.desk().resume_sweeps(&store("events"))).unwrap();
        world.settle();
        completed(&world, id);
        assert_eq!(deleted(&world, id), 2, "call {call}");
        all_is_well(&world);
    }
    assert!(midway > 0);
}

#[test]
fn a_paused_store_does_not_keep_a_request_that_may_end_in_part() {
    let mut midway = 0;
    for call in (0..).step_by(9) {
        let world = lake(1);
        let id = asked(&world, DELETE);
        let reached = interrupt_at(&world, call, |world| {
            now(world.desk().pause_sweeps(&store("events"))).unwrap();
            Then::GoesOn
        });
        if !reached {
            break;
        }
        world.clock.advance(SignedDuration::from_hours(24 * 29));
        world.work_off(10);
        if request(&world, id).stage == Stage::Closed(Outcome::Completed) {
            continue;
        }
        let partial = request(&world, id);
        assert_eq!(
            partial.stage,
            Stage::Closed(Outcome::Partial),
            "call {call}"
        );
        assert!(partial.responded_at.unwrap() < partial.due_at.unwrap());
        let blocked = task(&world, id, "events").block.unwrap();
        assert_eq!(blocked.reason, BlockReason::SweepsPaused, "call {call}");
        midway += usize::from(rows_in_lake(&world, 0) == 1);
        all_is_well(&world);
        now(world.desk().resume_sweeps(&store("events"))).unwrap();
        now(world.desk().release(id, &store("events"))).unwrap();
        world.work_off(10);
        assert_eq!(rows_in_lake(&world, 0), 0, "call {call}");
        assert_eq!(deleted(&world, id), 2, "call {call}");
        assert_eq!(request(&world, id).amendments, 1, "call {call}");
        all_is_well(&world);
    }
    assert!(midway > 0);
}

/// A shop's pipeline that appends rows, and writes back what it read long ago.
struct Writer {
    chance: u64,
    left: u32,
    appended: usize,
    stale: Option<(String, Vec<Row>)>,
    /// When the sweep listed, and when the person's rows were written back, by call.
    listed: Vec<u64>,
    written_back: u64,
}

impl Writer {
    fn draw(&mut self, below: u64) -> u64 {
        split_mix(&mut self.chance) % below
    }

    fn row(&mut self, person: usize) -> Row {
        self.left -= 1;
        Row::from([
            ("email".to_owned(), World::email(person)),
            ("n".to_owned(), format!("late-{}", self.left)),
        ])
    }

    /// Writes, perhaps, just before some call of the sweep.
    fn at(&mut self, world: &World, call: Call) {
        let events = store("events");
        if call.name == "records.objects" {
            self.listed.push(call.n);
        }
        if self.left == 0 {
            return;
        }
        let object = format!("events/{}", self.draw(3));
        match (call.name, self.draw(3)) {
            ("records.prepare" | "records.complete", 0) if self.stale.is_none() => {
                let row = self.row(1);
                world.records.append(&events, &object, row);
                self.appended += 1;
            }
            ("records.prepare", 1) if self.stale.is_none() => {
                let there = world.records.everything();
                let rows = there.get(&(events, object.clone())).unwrap().rows.clone();
                self.stale = Some((object, rows));
            }
            ("ledger.commit" | "records.objects", 2) => {
                if let Some((object, mut rows)) = self.stale.take() {
                    let row = self.row(0);
                    rows.push(row);
                    world.records.put(&events, &object, rows);
                    self.written_back = call.n;
                }
            }
            _ => {}
        }
    }
}

#[test]
fn a_writer_that_replaces_and_appends_loses_nothing_and_every_receipt_is_true() {
    let (mut chased, mut told, mut seen) = (0, 0, 0);
    for seed in 0..100 {
        let world = lake(2);
        let writer = Arc::new(Mutex::new(Writer {
            chance: seed,
            left: u32::try_from(3 + seed % 20).unwrap(),
            appended: 0,
            stale: None,
            listed: Vec::new(),
            written_back: 0,
        }));
        let (shop, at_work) = (world.clone(), writer.clone());
        world.faults.follow(move |call| {
            at_work.lock().unwrap().at(&shop, call);
            Injection::None
        });
        let id = asked(&world, DELETE);
        world.settle();
        world.faults.calm();
        completed(&world, id);
        let outcome = task(&world, id, "events").outcome;
        let check = outcome.check.unwrap();
        let remain = u64::try_from(rows_in_lake(&world, 0)).unwrap();
        assert_eq!(check.residual_matches, 0, "seed {seed}");
        let writer = writer.lock().unwrap();
        // The last look lists two pages; whoever writes after that is not seen by it.
        let last_look = writer.listed[writer.listed.len() - 2];
        assert!(remain >= check.arrived_since, "seed {seed}: {check:?}");
        if writer.written_back < last_look {
            assert_eq!(remain, check.arrived_since, "seed {seed}: {check:?}");
            seen += 1;
        }
        let appended = writer.appended;
        assert_eq!(rows_in_lake(&world, 1), 2 + appended, "seed {seed}: lost");
        chased += usize::from(outcome.deleted > 2);
        told += usize::from(check.arrived_since > 0);
        all_is_well(&world);
    }
    println!("{chased} chased, {told} told, {seen} seen");
    assert!(chased > 10 && seen > 50, "{chased} chased, {seen} seen");
}

#[test]
fn an_object_that_cannot_be_read_blocks_whoever_may_be_in_it() {
    let world = lake(2);
    let events = store("events");
    let reason = BlockReason::AccessDenied;
    world.records.refuse(&events, "events/1", Some(reason));
    let id = asked(&world, DELETE);
    world.work_off(5);
    let blocked = task(&world, id, "events");
    assert_eq!(blocked.block.unwrap().reason, reason);
    assert_eq!(
        rows_in_lake(&world, 0),
        2,
        "nothing is touched before all is located"
    );
    all_is_well(&world);
    world.records.refuse(&events, "events/1", None);
    now(world.desk().release(id, &events)).unwrap();
    world.settle();
    completed(&world, id);
    assert_eq!(deleted(&world, id), 2);
    all_is_well(&world);
}

#[test]
fn an_object_that_cannot_be_rewritten_blocks_only_those_in_it() {
    let world = World::with_map(&unhurried().replace("6h", "15m"), 2, 1);
    let events = store("events");
    let (first, second) = (asked(&world, DELETE), asked(&world, OTHER));
    while task_stage(&world, first) != Some(TaskStage::Acting) {
        interrupt_at(&world, 0, |_| Then::GoesOn);
    }
    // The first person is not in the first object, the second one is.
    let reason = BlockReason::Locked;
    world.records.refuse(&events, "events/0", Some(reason));
    world.work_off(25);
    completed(&world, first);
    let blocked = task(&world, second, "events");
    assert_eq!(blocked.block.unwrap().reason, reason);
    assert_eq!(deleted(&world, second), 1);
    all_is_well(&world);
    now(world.desk().allow_partial(second)).unwrap();
    world.work_off(5);
    let partial = request(&world, second);
    assert_eq!(partial.stage, Stage::Closed(Outcome::Partial));
    // A lock ends: the task wakes by itself, and an amendment tells the rest.
    world.records.refuse(&events, "events/0", None);
    now(world.desk().release(second, &events)).unwrap();
    world.work_off(25);
    assert_eq!(request(&world, second).amendments, 1);
    assert_eq!(deleted(&world, second), 2);
    assert_eq!(rows_in_lake(&world, 1), 0);
    all_is_well(&world);
}

fn task_stage(world: &World, id: RequestId) -> Option<TaskStage> {
    let tasks = world.tasks(id);
    let mut mine = tasks.iter().filter(|task| task.store == store("events"));
    mine.next().map(|task| task.stage)
}

/// Deletes while the data map changes at any moment, whoever works dying; returns the last world.
fn changing_to(next: &str, steps: usize) -> Vec<World> {
    let mut worlds = Vec::new();
    for call in (0..).step_by(steps) {
        let mut world = lake(2);
        let id = asked(&world, DELETE);
        if !interrupt_at(&world, call, |_| Then::Dies) {
            break;
        }
        world.change_map(next);
        world.settle();
        completed(&world, id);
        assert_eq!(rows_in_lake(&world, 0), 0, "call {call}");
        assert_eq!(deleted(&world, id), 2, "call {call}");
        assert_eq!(rows_in_lake(&world, 1), 2, "call {call}");
        all_is_well(&world);
        worlds.push(world);
    }
    worlds
}

#[test]
fn a_data_map_that_changes_at_any_moment_changes_nothing_about_the_counts() {
    let joined = format!(
        "{}  - id: wishes\n    public_name: Wishes\n    dynamodb: {{ table: wishes }}\n    \
         find: [ {{ customer_id: {{ key: customer }} }} ]\n",
        map()
    );
    let worlds = changing_to(&joined, 1);
    assert!(worlds.len() > 20, "{}", worlds.len());
}

#[test]
fn a_store_described_otherwise_at_any_moment_cuts_its_sweep_short() {
    let other = map().replace("public_name: Listening history", "public_name: Listening");
    let worlds = changing_to(&other, 1);
    let cut = worlds.iter().filter(|world| {
        let all = sweeps(world, "events", Right::Deletion);
        all.iter().any(|sweep| sweep.cut == Some(Cut::Redescribed))
    });
    assert!(cut.count() > 3);
}

#[test]
fn a_lake_that_left_the_map_blocks_and_what_was_done_is_told() {
    let mut midway = 0;
    for call in (0..).step_by(7) {
        let mut world = lake(2);
        let id = asked(&world, DELETE);
        if !interrupt_at(&world, call, |_| Then::Dies) {
            break;
        }
        let tasks = task_stage(&world, id).is_some();
        let done = request(&world, id).stage.outcome().is_some();
        let names = ["orders", "reviews", "invoices", "tickets", "crm", "events"];
        world.change_map(&map_without(&names));
        world.work_off(5);
        if !tasks || done {
            world.settle();
            all_is_well(&world);
            continue;
        }
        let gone = task(&world, id, "events");
        assert_eq!(gone.block.unwrap().reason, BlockReason::StoreGone);
        now(world.desk().allow_partial(id)).unwrap();
        world.settle();
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Partial));
        let rows = rows_in_lake(&world, 0);
        midway += usize::from(rows == 1);
        all_is_well(&world);
    }
    assert!(midway > 0);
}

#[test]
fn the_papers_of_sweeps_are_destroyed_a_month_later() {
    let world = lake(1);
    asked(&world, DELETE);
    world.settle();
    let papers = || {
        let everything = world.vault.everything();
        everything.len()
    };
    world.clock.advance(SignedDuration::from_hours(24 * 29));
    now(world.ticker().tick()).unwrap();
    assert_eq!(now(world.ticker().sweep_orphans()), Ok(0));
    assert!(papers() > 0);
    world.clock.advance(SignedDuration::from_hours(24 * 2));
    now(world.ticker().tick()).unwrap();
    assert_eq!(now(world.ticker().sweep_orphans()), Ok(2));
    assert_eq!(papers(), 0);
    all_is_well(&world);
}
