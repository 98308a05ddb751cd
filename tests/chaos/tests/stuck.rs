//! What cannot go on is blocked where everybody sees it, and goes on when it is let.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding, and one reader panics on purpose"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use quittance_chaos::World;
use quittance_chaos::script::{COPY, DELETE, all_is_well, asked, now, request, store, task};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Cursor, Locator};
use quittance_core::message::Message;
use quittance_core::request::{DenialReason, Happening, Outcome, Right, Stage};
use quittance_core::task::TaskStage;
use quittance_engine::batch::{Delivery, deliver};
use quittance_engine::desk::DeskError;
use quittance_engine::ledger::Item;
use quittance_engine::memory::faults::Injection;
use quittance_engine::ports::{Found, Question, StoreReader};
use quittance_engine::record::Record;

/// Works everything off for some hours, with a fault that does not go away.
fn hours(world: &World, hours: i64) {
    for _ in 0..hours * 4 {
        for _ in 0..world.queues.waiting() {
            let Some((right, message)) = world.queues.take(0) else {
                break;
            };
            drop(now(world.handle(right, &message)));
        }
        world.clock.advance(SignedDuration::from_mins(15));
        now(world.ticker().tick()).unwrap();
    }
}

#[test]
fn an_answer_that_never_gets_through_blocks_the_request_and_a_retry_ends_it() {
    let calm = World::new(2, 1);
    asked(&calm, COPY);
    calm.settle();

    let world = World::new(2, 1);
    let id = asked(&world, COPY);
    world.faults.follow(|call| match call.name {
        "mailer.send" => Injection::FailBefore,
        _ => Injection::None,
    });
    assert!(matches!(
        now(world.desk().retry(id)),
        Err(DeskError::NotStuck)
    ));
    hours(&world, 30);
    let stuck = request(&world, id);
    let reason = stuck.block.as_ref().map(|block| block.reason);
    assert_eq!(reason, Some(BlockReason::RetriesExhausted));
    assert!(stuck.stage.is_open() && stuck.due_at.is_some(), "{stuck:?}");
    let told = |what: &Happening| {
        let items = world.ledger.everything();
        let told = items
            .iter()
            .filter(|stored| matches!(&stored.item, Item::Event(event) if event.what == *what));
        told.count()
    };
    assert_eq!(told(&Happening::Stuck(BlockReason::RetriesExhausted)), 1);
    all_is_well(&world);

    world.faults.calm();
    hours(&world, 2);
    assert_eq!(
        request(&world, id).stage,
        stuck.stage,
        "it waits for a person"
    );
    now(world.desk().retry(id)).unwrap();
    assert_eq!(told(&Happening::Retried), 1);
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    assert_eq!(request(&world, id).block, None);
    assert_eq!(world.result(), calm.result());
    all_is_well(&world);
}

/// An ending needs an answer too: it must not be tried for ever, and must get through in the end.
#[test]
fn a_denial_that_cannot_be_told_is_blocked_and_told_when_it_is_let() {
    let world = World::new(2, 5);
    let id = asked(&world, DELETE);
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = tries.clone();
    world.faults.follow(move |call| match call.name {
        "mailer.send" => {
            seen.fetch_add(1, Ordering::Relaxed);
            Injection::FailBefore
        }
        _ => Injection::None,
    });
    hours(&world, 30);
    assert!(request(&world, id).block.is_some());
    now(world.desk().deny(id, DenialReason::NoMatch)).unwrap();
    assert_eq!(request(&world, id).block, None, "it ends by another way");
    hours(&world, 30);
    assert!(request(&world, id).block.is_some());
    let until_then = tries.load(Ordering::Relaxed);
    hours(&world, 10);
    assert_eq!(
        tries.load(Ordering::Relaxed),
        until_then,
        "it waits for a person"
    );
    all_is_well(&world);
    world.faults.calm();
    now(world.desk().retry(id)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Denied));
    all_is_well(&world);
}

#[test]
fn an_outage_of_an_hour_blocks_nothing() {
    let world = World::new(2, 2);
    let ids = [asked(&world, COPY), asked(&world, DELETE)];
    world.faults.follow(|call| match call.name {
        "stores.locate" | "mailer.send" => Injection::FailBefore,
        _ => Injection::None,
    });
    hours(&world, 1);
    world.faults.calm();
    world.settle();
    for id in ids {
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    }
    all_is_well(&world);
}

/// A store that makes whoever reads it panic.
#[derive(Debug)]
struct Poison;

#[async_trait]
impl StoreReader for Poison {
    async fn locate(&self, _: Question<'_>, _: Option<&Cursor>) -> Result<Found, Fault> {
        panic!("a bug in an adapter");
    }

    async fn read(&self, _: Question<'_>, _: &Locator) -> Result<Option<Record>, Fault> {
        panic!("a bug in an adapter");
    }
}

#[test]
fn what_makes_a_function_panic_each_time_ends_as_a_block_and_not_as_a_loop() {
    let world = World::new(2, 3);
    let id = asked(&world, DELETE);
    let mut worker = world.worker(Right::Deletion);
    worker.reader = Arc::new(Poison);
    let mut panics = 0;
    std::panic::set_hook(Box::new(|_| {}));
    for _ in 0..400 {
        while let Some((right, message)) = world.queues.take(0) {
            if right != Right::Deletion || message == Message::Statements {
                now(world.handle(right, &message)).unwrap();
                continue;
            }
            let letter = Delivery {
                id: "one".to_owned(),
                body: message.to_body(),
            };
            panics += 1;
            let failed = now(deliver(&[letter], &worker, Timestamp::MAX));
            assert_eq!(failed, Vec::<String>::new(), "counted, so acknowledged");
        }
        world.clock.advance(SignedDuration::from_mins(5));
        now(world.ticker().tick()).unwrap();
    }
    let first = task(&world, id, "customers");
    assert!(matches!(first.stage, TaskStage::Blocked(_)), "{first:?}");
    let reason = first.block.map(|block| block.reason);
    assert_eq!(reason, Some(BlockReason::RetriesExhausted));
    assert!(panics > 25, "{panics}");

    let blocked: Vec<_> = world
        .tasks(id)
        .into_iter()
        .filter(|task| {
            matches!(
                task.block.as_ref().map(|block| block.reason),
                Some(BlockReason::RetriesExhausted)
            )
        })
        .map(|task| task.store)
        .collect();
    for store in blocked {
        now(world.desk().release(id, &store)).unwrap();
    }
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}

#[test]
fn a_dead_letter_is_buried_as_a_block_once() {
    let world = World::new(2, 4);
    let id = asked(&world, DELETE);
    world.work_off(1);
    let letter = Message::Task {
        id,
        store: store("crm"),
    };
    let before = task(&world, id, "crm");
    now(world.ticker().bury(&letter)).unwrap();
    // It waited for an attestation, and does so still: that block stands.
    assert_eq!(task(&world, id, "crm").block, before.block);
    let letter = Message::Request { id };
    for _ in 0..2 {
        now(world.ticker().bury(&letter)).unwrap();
    }
    now(world.ticker().bury(&Message::Statements)).unwrap();
    let stuck = request(&world, id);
    assert!(stuck.block.is_some());
    all_is_well(&world);
    now(world.desk().retry(id)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}
