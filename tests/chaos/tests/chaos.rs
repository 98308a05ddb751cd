//! The engine under faults: every call, every face of a fault, and seeded mixtures of all.

use std::num::NonZero;
use std::thread;

use futures::FutureExt as _;
use quittance_chaos::check::check_world;
use quittance_chaos::schedule;
use quittance_chaos::table::Scenario;
use quittance_chaos::world::map_without;
use quittance_chaos::{Ask, World};
use quittance_core::request::Right;
use quittance_engine::memory::faults::Injection;

const ALL_RIGHTS: [Ask; 3] = [
    Ask {
        person: 0,
        right: Right::Access,
    },
    Ask {
        person: 0,
        right: Right::Deletion,
    },
    Ask {
        person: 1,
        right: Right::OptOut,
    },
];

/// People who do not get in each other's way: whose request is accepted first does not matter.
const APART: [Ask; 3] = [
    Ask {
        person: 0,
        right: Right::Access,
    },
    Ask {
        person: 1,
        right: Right::Deletion,
    },
    Ask {
        person: 2,
        right: Right::OptOut,
    },
];

/// Three rights, on stores of things of one person each; rows of many people are in `lake.rs`.
const DRY: Scenario = Scenario {
    world: || World::with_map(&map_without(&["events", "tickets"]), 3, 1),
    asks: &ALL_RIGHTS,
    lists: &[],
};

/// The same people on everything there is.
const ALL: Scenario = Scenario {
    world: || World::new(3, 1),
    asks: &ALL_RIGHTS,
    lists: &[],
};

#[test]
fn a_calm_day_closes_everything_and_every_receipt_verifies() {
    let world = ALL.calm();
    assert_eq!(check_world(&world), Vec::<String>::new());
    let result = world.result();
    for (name, value) in &result {
        println!("{name}: {value}");
    }
    assert!(result["request 0 access"].contains("Completed"));
    assert!(result["request 0 deletion"].contains("Completed"));
    assert!(result["request 1 opt_out"].contains("Completed"));
    assert!(!result.contains_key("row customers c0"), "deleted");
    assert!(result.contains_key("row invoices c0-0"), "retained by law");
    assert!(
        result["row reviews c0"].contains("\"author\": \"-\""),
        "masked"
    );
    assert!(
        result["row customers c1"].contains("do_not_sell"),
        "flagged"
    );
    let untouched = World::new(3, 1).result();
    assert_eq!(result["row customers c2"], untouched["row customers c2"]);
    // The access request came first: its export was collected before the deletion began.
    assert!(result["task 0 access customers"].contains("[1, 0, 0, 1, 0, 0, 1]"));
}

#[test]
fn a_crash_before_any_call_changes_nothing_about_the_result() {
    DRY.every_call_under(Injection::CrashBefore);
}

#[test]
fn a_crash_after_any_call_changes_nothing_about_the_result() {
    DRY.every_call_under(Injection::CrashAfter);
}

#[test]
fn a_failure_of_any_call_changes_nothing_about_the_result() {
    DRY.every_call_under(Injection::FailBefore);
}

#[test]
fn a_success_reported_as_failure_changes_nothing_about_the_result() {
    DRY.every_call_under(Injection::FailAfter);
}

#[test]
fn every_message_delivered_twice_changes_nothing_about_the_result() {
    let calm = ALL.calm().result();
    let world = World::new(3, 1);
    for ask in ALL_RIGHTS {
        world.ask(ask).now_or_never().unwrap().unwrap();
        world.ask(ask).now_or_never().unwrap().unwrap();
    }
    while let Some((right, message)) = world.queues.take(0) {
        for _ in 0..2 {
            world
                .handle(right, &message)
                .now_or_never()
                .unwrap()
                .unwrap();
        }
    }
    world.settle();
    assert_eq!(check_world(&world), Vec::<String>::new());
    assert_eq!(world.result(), calm);
}

fn apart() -> World {
    let scenario = Scenario {
        asks: &APART,
        lists: &[],
        ..ALL
    };
    scenario.calm()
}

#[test]
fn seeded_schedules_end_like_a_calm_day() {
    // The soak run sets more; see tests/run.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own number, not the product's"
    )]
    let number = std::env::var("QUITTANCE_SCHEDULES").ok();
    let schedules: u64 = number.and_then(|text| text.parse().ok()).unwrap_or(200);
    let calm = apart().result();
    // Each schedule has a world of its own, so all processors take their share.
    let hands = thread::available_parallelism().map_or(1, NonZero::get);
    let share = |first: usize| {
        let (mut calls, mut crashes) = (0, 0);
        for seed in (0..schedules).skip(first).step_by(hands) {
            let ran = schedule::run(&APART, 3, seed, 1500, &calm);
            assert!(ran.findings.is_empty(), "seed {seed}: {:#?}", ran.findings);
            calls += ran.calls;
            crashes += ran.crashes;
            // A soak of hours says how far it is.
            if seed % 1000 == 999 {
                println!("schedule {} of {schedules}: no violation so far", seed + 1);
            }
        }
        (calls, crashes)
    };
    let (calls, crashes) = thread::scope(|scope| {
        let share = &share;
        let shares: Vec<_> = (0..hands)
            .map(|first| scope.spawn(move || share(first)))
            .collect();
        let done = shares.into_iter().map(|one| one.join().unwrap());
        done.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    });
    println!("{schedules} schedules, {calls} port calls, {crashes} crashes, no violation");
    assert!(
        crashes > schedules,
        "schedules without crashes prove little"
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let calm = apart().result();
    let first = schedule::run(&APART, 3, 42, 800, &calm);
    let second = schedule::run(&APART, 3, 42, 800, &calm);
    assert_eq!(first, second);
    let other = schedule::run(&APART, 3, 43, 800, &calm);
    assert_ne!(first.trace, other.trace);
}
