//! What a deletion leaves: pseudonyms that are called so, what the law keeps, and copies that nobody
//! reaches; through the whole engine, under every fault.

use quittance_chaos::script::{
    DELETE, Then, all_is_well, asked, interrupt_at, now, request, store, task,
};
use quittance_chaos::table::Scenario;
use quittance_chaos::world::map_without;
use quittance_chaos::{Ask, World};
use quittance_core::fault::BlockReason;
use quittance_core::outcome::ResidualKind;
use quittance_core::request::{Outcome, Right, Stage};
use quittance_core::task::{Task, TaskStage};
use quittance_engine::memory::faults::Injection;
use serde_json::{Value, json};

/// Reviews get pseudonyms and are kept for a reason, events too; there are backups, and the table of
/// reviews can be recovered.
fn company() -> World {
    let map = map_without(&["orders", "invoices", "tickets", "crm"])
        .replace(
            "deletion: { redact: { author: mask } }",
            "deletion: { redact: { author: pseudonym }, retain: { basis: tax_law, until: 10y } }\n    \
             copies: { backup: 90d }",
        )
        .replace(
            "deletion: delete_rows",
            "deletion: { redact: { email: pseudonym } }\n    copies: { inventory: indefinite }",
        );
    let world = World::with_map(&map, 2, 1);
    world.stores.recoverable(&store("reviews"), 35 * 24);
    world.stores.recoverable(&store("customers"), 24);
    world
}

const MODES: Scenario = Scenario {
    world: company,
    asks: &[DELETE],
    lists: &[],
};

fn line<'a>(statement: &'a Value, name: &str) -> &'a Value {
    let stores = statement.pointer("/predicate/stores");
    let mut stores = stores.and_then(Value::as_array).into_iter().flatten();
    let line = stores.find(|store| store.get("store").is_some_and(|known| known == name));
    line.unwrap_or(&Value::Null)
}

#[test]
fn a_receipt_calls_pseudonyms_so_and_lists_what_is_kept_and_what_survives() {
    let world = company();
    let id = asked(&world, DELETE);
    world.settle();
    all_is_well(&world);
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    let reviews = task(&world, id, "reviews");
    assert_eq!(reviews.stage, TaskStage::Done);
    let count = reviews.outcome.matched;
    assert!(count > 0);
    let at = reviews.outcome.check.clone().unwrap().at;
    let left: Vec<_> = reviews.outcome.residuals.iter().collect();
    let days = |n: i64| Some(at + jiff::SignedDuration::from_hours(24 * n));
    assert_eq!(
        left,
        [
            (ResidualKind::Backup, days(90)),
            (ResidualKind::Pitr, days(35))
        ]
    );
    let statement: Value = serde_json::from_slice(&world.outcome_statement(id)).unwrap();
    let reviews = line(&statement, "Reviews");
    assert_eq!(reviews["pseudonymised"], json!(count));
    assert_eq!(
        (&reviews["redacted"], &reviews["deleted"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(reviews["exempt"][0]["reason"], "tax_law");
    assert_eq!(reviews["exempt"][0]["count"], json!(count));
    assert!(reviews["exempt"][0]["until"].is_string());
    assert_eq!(reviews["residuals"].as_array().unwrap().len(), 2);
    let events = line(&statement, "Listening history");
    assert!(events["pseudonymised"].as_u64().unwrap() > 0);
    assert_eq!(events["residuals"], json!([{ "what": "inventory" }]));
    let customers = line(&statement, "Customer account");
    assert_eq!(customers["residuals"][0]["what"], "pitr");
    assert!(customers.get("pseudonymised").is_none());
}

#[test]
fn a_store_that_is_blocked_half_way_tells_what_its_effects_left() {
    let world = company();
    let events = store("events");
    let ask = Ask {
        person: 1,
        right: Right::Deletion,
    };
    let id = asked(&world, ask);
    let acts = |task: &Task| task.store == events && task.stage == TaskStage::Acting;
    while !world.tasks(id).iter().any(acts) {
        interrupt_at(&world, 0, |_| Then::GoesOn);
    }
    let locked = Some(BlockReason::Locked);
    world.records.refuse(&events, "events/0", locked);
    world.work_off(60);
    now(world.desk().allow_partial(id)).unwrap();
    world.work_off(20);
    all_is_well(&world);
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Partial));
    let statement: Value = serde_json::from_slice(&world.outcome_statement(id)).unwrap();
    let events = line(&statement, "Listening history");
    assert_eq!(events["blocked"][0]["reason"], "locked");
    assert_eq!(events["pseudonymised"], json!(1));
    assert_eq!(events["residuals"], json!([{ "what": "inventory" }]));
}

#[test]
fn where_nothing_was_touched_nothing_survives_that_we_know_of() {
    let world = company();
    let stranger = Ask {
        person: 9,
        right: Right::Deletion,
    };
    let id = asked(&world, stranger);
    world.settle();
    assert!(!world.tasks(id).is_empty());
    for task in world.tasks(id) {
        assert!(task.outcome.residuals.is_empty(), "{}", task.store);
        assert_eq!(task.outcome.exempt, None);
    }
}

#[test]
fn a_crash_or_a_lost_answer_at_any_call_changes_nothing_of_it() {
    for injection in [
        Injection::CrashBefore,
        Injection::CrashAfter,
        Injection::FailBefore,
        Injection::FailAfter,
    ] {
        MODES.every_call_under(injection);
    }
}
