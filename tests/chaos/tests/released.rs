//! What may go wrong around releases, partial outcomes and data maps that change: found by an audit,
//! each told once.

#![expect(
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use std::task::{Context, Waker};

use jiff::SignedDuration;
use quittance_chaos::script::{
    COPY, DELETE, OPT_OUT, all_is_well, asked, now, request, store, task,
};
use quittance_chaos::world::MAP;
use quittance_chaos::{Ask, World};
use quittance_core::fault::BlockReason;
use quittance_core::id::RequestId;
use quittance_core::message::Message;
use quittance_core::request::{GateReason, Outcome, Right, Stage};
use quittance_core::task::{Amendment, TaskStage};
use quittance_engine::ledger::Item;
use quittance_engine::memory::faults::Injection;
use quittance_engine::vault;

fn rows(world: &World, name: &str, who: &str) -> usize {
    let rows = world.stores.everything();
    rows.iter()
        .filter(|((id, _), row)| {
            id.as_str() == name && row.get("customer_id").is_some_and(|id| id == who)
        })
        .count()
}

/// Works everything off while the log is down.
fn without_log(world: &World, rounds: usize) {
    for _ in 0..rounds {
        while let Some((right, message)) = world.queues.take(0) {
            if message != Message::Statements {
                now(world.handle(right, &message)).unwrap();
            }
        }
        world.clock.advance(SignedDuration::from_secs(90));
        now(world.ticker().tick()).unwrap();
    }
}

/// A request that was sealed without the stores that were refused.
fn partial(world: &World, ask: Ask, refused: &[&str]) -> RequestId {
    for name in refused {
        world
            .stores
            .refuse(&store(name), Some(BlockReason::AccessDenied));
    }
    let id = asked(world, ask);
    world.work_off(3);
    now(world.desk().allow_partial(id)).unwrap();
    world.settle();
    assert_eq!(request(world, id).stage, Stage::Closed(Outcome::Partial));
    for name in refused {
        world.stores.refuse(&store(name), None);
    }
    id
}

fn release(world: &World, id: RequestId, names: &[&str]) {
    for name in names {
        now(world.desk().release(id, &store(name))).unwrap();
    }
}

/// Delivers the newest message first.
fn backwards(world: &World, rounds: usize) {
    for _ in 0..rounds {
        while let Some(last) = world.queues.waiting().checked_sub(1) {
            let (right, message) = world.queues.take(last).unwrap();
            now(world.handle(right, &message)).unwrap();
        }
        world.clock.advance(SignedDuration::from_secs(90));
        now(world.ticker().tick()).unwrap();
    }
}

#[test]
fn what_is_released_after_sealing_is_located_from_the_top_in_any_order() {
    let world = World::new(1, 1);
    let id = partial(&world, DELETE, &["customers"]);
    release(&world, id, &["customers"]);
    backwards(&world, 6);
    now(world.attest(id)).unwrap();
    backwards(&world, 6);
    assert_eq!(rows(&world, "orders", "c0"), 0);
    assert_eq!(task(&world, id, "orders").outcome.deleted, 3);
    assert_eq!(rows(&world, "customers", "c0"), 0);
    all_is_well(&world);
}

#[test]
fn what_is_released_before_sealing_is_located_from_the_top() {
    let world = World::new(1, 1);
    world
        .stores
        .refuse(&store("customers"), Some(BlockReason::AccessDenied));
    let id = asked(&world, DELETE);
    without_log(&world, 3);
    now(world.desk().allow_partial(id)).unwrap();
    without_log(&world, 3);
    world.stores.refuse(&store("customers"), None);
    release(&world, id, &["customers"]);
    now(world.attest(id)).unwrap();
    world.settle();
    assert_eq!(rows(&world, "orders", "c0"), 0);
    assert_eq!(rows(&world, "customers", "c0"), 0);
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}

#[test]
fn a_store_whose_identifiers_are_not_known_is_never_said_to_hold_nothing() {
    let world = World::new(1, 1);
    world
        .stores
        .refuse(&store("customers"), Some(BlockReason::AccessDenied));
    let id = asked(&world, DELETE);
    world.work_off(3);
    now(world.desk().allow_partial(id)).unwrap();
    world.settle();
    release(&world, id, &["orders"]);
    world.work_off(5);
    let orders = task(&world, id, "orders");
    assert!(orders.stage.is_blocked(), "{orders:?}");
    assert_eq!(rows(&world, "orders", "c0"), 3);
    all_is_well(&world);
}

#[test]
fn the_gate_stands_after_sealing_too() {
    let world = World::new(2, 1);
    let twin = [
        ("email".to_owned(), World::email(0)),
        ("customer_id".to_owned(), "c1".to_owned()),
    ];
    world.stores.put(&store("customers"), "twin", twin.into());
    let id = partial(&world, DELETE, &["customers"]);
    release(&world, id, &["customers"]);
    world.work_off(6);
    assert_eq!(rows(&world, "orders", "c1"), 3);
    assert_eq!(rows(&world, "orders", "c0"), 3);
    assert_eq!(request(&world, id).gate, Some(GateReason::Ambiguous));
    all_is_well(&world);
}

#[test]
fn what_was_resolved_stays_known_when_the_data_map_changes() {
    let mut world = World::new(1, 1);
    let id = asked(&world, DELETE);
    while world.tasks(id).is_empty() || !world.tasks(id).iter().all(|task| task.stage.is_located())
    {
        let (right, message) = world.queues.take(0).unwrap();
        now(world.handle(right, &message)).unwrap();
    }
    world.change_map(&without_yields());
    world.settle();
    assert_eq!(rows(&world, "orders", "c0"), 0);
    assert_eq!(task(&world, id, "orders").outcome.deleted, 3);
    all_is_well(&world);
}

#[test]
fn a_data_map_that_begins_to_yield_is_located_anew() {
    let mut world = World::new(1, 1);
    world.change_map(&without_yields());
    let id = asked(&world, DELETE);
    let (right, message) = world.queues.take(0).unwrap();
    now(world.handle(right, &message)).unwrap();
    assert!(!world.tasks(id).is_empty());
    world.change_map(MAP);
    world.settle();
    assert_eq!(rows(&world, "orders", "c0"), 0);
    assert_eq!(task(&world, id, "orders").wave, 1);
    all_is_well(&world);
}

/// The same map, but for what leads from an address to a customer.
fn without_yields() -> String {
    MAP.replace("    yields: { customer_id: id }\n", "")
        .replace(
            "customer_id: { normalise: exact }",
            "customer_id: { normalise: exact, asked: true }",
        )
}

#[test]
fn an_export_tells_what_the_amendment_tells() {
    let world = World::new(1, 1);
    let id = partial(&world, COPY, &["orders"]);
    let before = request(&world, id).answer.unwrap();
    let mails = world.mailer.to(&World::email(0)).len();
    release(&world, id, &["orders"]);
    world.work_off(4);
    let after = request(&world, id).answer.unwrap();
    assert_ne!(before, after);
    assert_eq!(
        world.mailer.to(&World::email(0)).len(),
        mails + 1,
        "told again"
    );
    let export = |state| {
        let name = vault::export(&state);
        let all = world.vault.everything();
        let found = all
            .into_iter()
            .find(|((request, kept), _)| *request == id && *kept == name);
        String::from_utf8_lossy(&found.unwrap().1).into_owned()
    };
    assert!(!export(before).contains("data/orders.json"));
    assert!(export(after).contains("data/orders.json"));
    all_is_well(&world);
}

#[test]
fn a_release_between_answer_and_seal_is_answered_again() {
    let world = World::new(1, 1);
    world
        .stores
        .refuse(&store("orders"), Some(BlockReason::AccessDenied));
    let id = asked(&world, COPY);
    without_log(&world, 3);
    now(world.attest(id)).unwrap();
    now(world.desk().allow_partial(id)).unwrap();
    without_log(&world, 3);
    let first = request(&world, id);
    assert!(first.responded_at.is_some());
    world.stores.refuse(&store("orders"), None);
    release(&world, id, &["orders"]);
    without_log(&world, 3);
    world.settle();
    let last = request(&world, id);
    assert_eq!(last.stage, Stage::Closed(Outcome::Completed));
    assert_eq!(last.responded_at, first.responded_at);
    assert_ne!(last.answer, first.answer);
    all_is_well(&world);
}

#[test]
fn a_block_that_wakes_while_the_request_is_sealed_is_not_lost() {
    let world = World::new(1, 1);
    let id = asked(&world, DELETE);
    while world.tasks(id).is_empty() || !world.tasks(id).iter().all(|task| task.stage.is_located())
    {
        let (right, message) = world.queues.take(0).unwrap();
        now(world.handle(right, &message)).unwrap();
    }
    world
        .stores
        .refuse(&store("orders"), Some(BlockReason::Locked));
    world.work_off(3);
    now(world.attest(id)).unwrap();
    world.work_off(2);
    let until = task(&world, id, "orders").block.unwrap().until.unwrap();
    let wait = until.duration_since(quittance_engine::ports::Clock::now(&world.clock));
    world.clock.advance(wait - SignedDuration::from_secs(2));
    world.stores.refuse(&store("orders"), None);
    now(world.desk().allow_partial(id)).unwrap();
    while world.queues.take(0).is_some() {}
    // One worker stops before its sealing commit; the clock passes the block's end; another wakes it.
    world.faults.record();
    world.faults.interleave(true);
    let work = |world: &World, message: Message| {
        let world = world.clone();
        Box::pin(async move { world.handle(Right::Deletion, &message).await })
    };
    let mut context = Context::from_waker(Waker::noop());
    let mut first = work(&world, Message::Request { id });
    let mut second = work(&world, Message::Request { id });
    while world.faults.trace().last() != Some(&"evidence.keep") {
        if first.as_mut().poll(&mut context).is_ready() {
            // The other stores are looked at once more before anything is sealed.
            let (_, message) = world.queues.take(0).expect("it sealed nothing");
            first = work(&world, message);
        }
    }
    world.clock.advance(SignedDuration::from_secs(5));
    while task(&world, id, "orders").stage != TaskStage::Acting {
        let ready = second.as_mut().poll(&mut context).is_ready();
        assert!(!ready, "it woke nothing: {:?}", request(&world, id));
    }
    // The first one's commit fails: it reads again, and sees that orders goes on.
    while first.as_mut().poll(&mut context).is_pending() {}
    drop((first, second));
    world.faults.interleave(false);
    world.settle();
    world.work_off(4);
    let orders = task(&world, id, "orders");
    assert_eq!(orders.stage, TaskStage::Done, "{orders:?}");
    assert!(matches!(
        orders.amendment,
        Amendment::NotNeeded | Amendment::Made
    ));
    assert_eq!(rows(&world, "orders", "c0"), 0);
    all_is_well(&world);
}

#[test]
fn a_repeat_forgets_nothing_that_later_rounds_did() {
    let world = World::new(1, 1);
    let stores = world.stores.clone();
    let mut seen = 0;
    world.faults.follow(move |call| {
        let row = |n: &str| {
            [
                ("customer_id".to_owned(), "c0".to_owned()),
                ("n".to_owned(), n.to_owned()),
            ]
        };
        let orders = store("orders");
        if call.name == "stores.erase" && seen == 0 {
            seen = 1;
            stores.put(&orders, "new-1", row("new").into());
        }
        let there = stores
            .everything()
            .contains_key(&(orders.clone(), "new-1".to_owned()));
        // The arrival is gone; before the look back a backfill restores an order as it was.
        if seen == 1 && !there && call.name == "stores.locate" {
            seen = 2;
            stores.put(&orders, "c0-0", row("0").into());
        }
        Injection::None
    });
    let id = asked(&world, DELETE);
    world.settle();
    let orders = task(&world, id, "orders");
    assert_eq!((orders.outcome.matched, orders.outcome.deleted), (4, 4));
    assert_eq!(orders.outcome.evidence_count, 4);
    assert_eq!(rows(&world, "orders", "c0"), 0);
    all_is_well(&world);
}

#[test]
fn what_arrives_while_somebody_is_waited_for_is_found() {
    let world = World::new(1, 1);
    let id = asked(&world, DELETE);
    world.work_off(3);
    assert_eq!(task(&world, id, "orders").stage, TaskStage::Done);
    let late = [
        ("customer_id".to_owned(), "c0".to_owned()),
        ("n".to_owned(), "late".to_owned()),
    ];
    world.stores.put(&store("orders"), "late", late.into());
    now(world.attest(id)).unwrap();
    world.settle();
    assert_eq!(rows(&world, "orders", "c0"), 0);
    assert_eq!(task(&world, id, "orders").outcome.deleted, 4);
    all_is_well(&world);
}

#[test]
fn closing_does_not_put_a_release_to_sleep() {
    let world = World::new(1, 1);
    world
        .stores
        .refuse(&store("orders"), Some(BlockReason::AccessDenied));
    let id = asked(&world, DELETE);
    world.work_off(3);
    now(world.desk().allow_partial(id)).unwrap();
    while !matches!(request(&world, id).stage, Stage::Sealing(_)) {
        if let Some((right, message)) = world.queues.take(0) {
            now(world.handle(right, &message)).unwrap();
        } else {
            world.clock.advance(SignedDuration::from_secs(90));
            now(world.ticker().tick()).unwrap();
        }
    }
    now(world.sequencer().run()).unwrap();
    world.stores.refuse(&store("orders"), None);
    release(&world, id, &["orders"]);
    world.queues.lose_all();
    now(world.handle(Right::Deletion, &Message::Request { id })).unwrap();
    world.queues.lose_all();
    world.work_off(5);
    assert_eq!(task(&world, id, "orders").amendment, Amendment::Made);
    all_is_well(&world);
}

#[test]
fn many_identifiers_and_a_new_plan_fit_a_commit() {
    let text = MAP.replace(
        "customer_id: { normalise: exact }",
        "customer_id: { normalise: exact, many: true }",
    );
    let mut world = World::new(1, 1);
    world.change_map(&text);
    for n in 0..130 {
        let account = [
            ("email".to_owned(), World::email(0)),
            ("customer_id".to_owned(), format!("x{n}")),
        ];
        world
            .stores
            .put(&store("customers"), &format!("x{n:03}"), account.into());
    }
    let id = asked(&world, DELETE);
    world.work_off(2);
    let wishes = "\n  - id: wishes\n    public_name: Wishes\n    dynamodb: { table: wishes }\n    \
                  find: [ { customer_id: { key: customer } } ]\n";
    world.change_map(&format!("{text}{wishes}"));
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}

#[test]
fn an_opt_out_does_not_wait_for_a_blocked_store() {
    let world = World::new(1, 1);
    world
        .stores
        .refuse(&store("reviews"), Some(BlockReason::AccessDenied));
    let id = asked(&world, OPT_OUT);
    let (right, message) = world.queues.take(0).unwrap();
    now(world.handle(right, &message)).unwrap();
    let suppressed = world
        .ledger
        .everything()
        .iter()
        .filter(|stored| matches!(stored.item, Item::Suppression(_)))
        .count();
    assert!(suppressed > 0);
    let account = world.stores.everything()[&(store("customers"), "c0".to_owned())].clone();
    assert!(account.contains_key("do_not_sell"), "{account:?}");
    assert!(request(&world, id).stage.is_open());
    world.stores.refuse(&store("reviews"), None);
    release(&world, id, &["reviews"]);
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}
