//! What can happen to a request besides going well, each told once, on memory.

use futures::FutureExt as _;
use jiff::SignedDuration;
use quittance_chaos::World;
use quittance_chaos::script::{
    COPY, DELETE, OPT_OUT, all_is_well, asked, now, request, store, task,
};
use quittance_chaos::world::MAP;
use quittance_core::fault::BlockReason;
use quittance_core::id::{LeafId, RequestId};
use quittance_core::request::{DenialReason, GateReason, Outcome, Stage};
use quittance_core::task::TaskStage;
use quittance_engine::desk::DeskError;
use quittance_engine::intake::IntakeError;
use quittance_engine::memory::faults::Injection;
use quittance_engine::sequencer::paths;

fn rows_of(world: &World, person: usize) -> usize {
    let id = format!("c{person}");
    let rows = world.stores.everything();
    rows.values()
        .filter(|row| row.get("customer_id") == Some(&id))
        .count()
}

#[test]
fn a_hold_keeps_the_gate_shut_until_it_is_lifted() {
    let world = World::new(2, 1);
    let id = asked(&world, DELETE);
    now(world.desk().hold(id)).unwrap();
    let before = world.stores.everything();
    world.work_off(5);
    let held = request(&world, id);
    assert_eq!(
        (held.stage, held.gate),
        (Stage::Gated, Some(GateReason::Held))
    );
    assert_eq!(world.stores.everything(), before);
    all_is_well(&world);
    now(world.desk().release_hold(id)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}

#[test]
fn a_hold_in_the_middle_stops_what_has_not_begun() {
    let world = World::new(2, 1);
    let id = asked(&world, DELETE);
    while !world
        .tasks(id)
        .iter()
        .any(|task| task.stage == TaskStage::Done)
    {
        let (right, message) = world.queues.take(0).unwrap();
        now(world.handle(right, &message)).unwrap();
    }
    now(world.desk().hold(id)).unwrap();
    let (rows, tasks) = (world.stores.everything(), world.tasks(id));
    world.work_off(5);
    assert_eq!(world.stores.everything(), rows);
    assert_eq!(world.tasks(id), tasks);
    now(world.desk().release_hold(id)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}

#[test]
fn revoking_and_the_first_effect_exclude_each_other_at_every_moment() {
    let (mut revoked, mut too_late) = (0, 0);
    for moment in 0..40 {
        let world = World::new(2, 1);
        let submitted = now(world.submit(DELETE)).unwrap();
        let id = asked(&world, DELETE);
        let before = world.stores.everything();
        for _ in 0..moment {
            if let Some((right, message)) = world.queues.take(0) {
                now(world.handle(right, &message)).unwrap();
            }
        }
        let reference = submitted.reference.as_str();
        let answer = now(world.intake().revoke(reference, &submitted.status_token));
        world.settle();
        all_is_well(&world);
        match (answer, request(&world, id).stage) {
            (Ok(_), Stage::Closed(Outcome::Revoked)) => {
                assert_eq!(world.stores.everything(), before, "moment {moment}");
                revoked += 1;
            }
            (
                Err(IntakeError::TooLate(_) | IntakeError::Closed),
                Stage::Closed(Outcome::Completed),
            ) => too_late += 1,
            other => panic!("moment {moment}: {other:?}"),
        }
    }
    assert!(
        revoked > 3 && too_late > 3,
        "{revoked} revoked, {too_late} too late"
    );
}

#[test]
fn only_the_secret_revokes() {
    let world = World::new(1, 1);
    let submitted = now(world.submit(OPT_OUT)).unwrap();
    let wrong = "0".repeat(64);
    let answer = now(world.intake().revoke(submitted.reference.as_str(), &wrong));
    assert_eq!(answer, Err(IntakeError::NotFound));
}

#[test]
fn without_the_code_nothing_is_told_and_with_it_twice_the_same() {
    let world = World::new(1, 1);
    let submitted = now(world.submit(DELETE)).unwrap();
    asked(&world, DELETE);
    let reference = submitted.reference.as_str();
    let mails = world.mailer.to(&World::email(0));
    let code = mails[0]
        .text
        .split_once("Your code: ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap();
    let again = now(world.intake().confirm(reference, code)).unwrap();
    assert_eq!(again.stage, "accepted");
    let guess = now(world.intake().confirm(reference, "0000-0000"));
    assert_eq!(guess, Err(IntakeError::WrongCode(4)));
}

#[test]
fn a_denial_touches_nothing_and_comes_with_a_receipt() {
    let world = World::new(2, 1);
    let id = asked(&world, COPY);
    let before = world.stores.everything();
    now(world.desk().deny(id, DenialReason::SuspectedFraud)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Denied));
    assert_eq!(world.stores.everything(), before);
    all_is_well(&world);
    let late = asked(&world, DELETE);
    world.settle();
    let answer = now(world.desk().deny(late, DenialReason::NoMatch));
    assert_eq!(answer, Err(DeskError::WrongStage("closed")));
}

#[test]
fn a_blocked_store_is_waited_for_and_goes_on_when_released() {
    let world = World::new(2, 1);
    world
        .stores
        .refuse(&store("orders"), Some(BlockReason::AccessDenied));
    let id = asked(&world, DELETE);
    world.work_off(5);
    assert_eq!(
        request(&world, id).stage,
        Stage::Locating,
        "nothing is touched before all is located"
    );
    let blocked = task(&world, id, "orders");
    assert_eq!(blocked.block.unwrap().reason, BlockReason::AccessDenied);
    all_is_well(&world);
    world.stores.refuse(&store("orders"), None);
    now(world.desk().release(id, &store("orders"))).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    let again = now(world.desk().release(id, &store("orders")));
    assert_eq!(again, Err(DeskError::NotBlocked(store("orders"))));
    all_is_well(&world);
}

#[test]
fn partial_is_said_to_be_partial_and_amended_later() {
    let world = World::new(2, 1);
    world
        .stores
        .refuse(&store("customers"), Some(BlockReason::AccessDenied));
    let id = asked(&world, DELETE);
    world.work_off(3);
    now(world.desk().allow_partial(id)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Partial));
    let cut = task(&world, id, "orders").block.unwrap().reason;
    assert_eq!(
        cut,
        BlockReason::UpstreamBlocked,
        "what the account yields is not known"
    );
    assert_eq!(
        rows_of(&world, 0),
        8,
        "nothing found, nothing deleted, and nothing claimed"
    );
    all_is_well(&world);

    world.stores.refuse(&store("customers"), None);
    now(world.desk().release(id, &store("customers"))).unwrap();
    world.work_off(3);
    // What was blocked because of it follows.
    for name in ["orders", "reviews", "invoices"] {
        assert!(task(&world, id, name).stage.is_settled(), "{name}");
    }
    now(world.attest(id)).unwrap();
    world.work_off(3);
    let amended = request(&world, id);
    assert_eq!(
        amended.stage,
        Stage::Closed(Outcome::Partial),
        "the outcome stands; amendments append"
    );
    let last = amended.amendments;
    assert_eq!(last, 5);
    assert_eq!(
        rows_of(&world, 0),
        4,
        "three invoices kept by law, and the masked review"
    );
    let last = world.evidence.everything()[&paths::receipt(&LeafId::Amendment(id, last))].clone();
    let report = quittance_core::receipt::verify(&last, &quittance_chaos::check::policy(&world));
    assert_eq!(report.summary.unwrap().outcome, Some(Outcome::Completed));
    all_is_well(&world);
}

#[test]
fn the_clock_lets_a_request_end_in_part_before_it_is_due() {
    let world = World::new(2, 1);
    world
        .stores
        .refuse(&store("orders"), Some(BlockReason::AccessDenied));
    let id = asked(&world, DELETE);
    world.work_off(3);
    world.clock.advance(SignedDuration::from_hours(24 * 29));
    world.settle();
    let closed = request(&world, id);
    assert_eq!(closed.stage, Stage::Closed(Outcome::Partial));
    assert!(closed.responded_at.unwrap() < closed.due_at.unwrap());
    assert_eq!(
        rows_of(&world, 0),
        7,
        "the account is gone; orders, invoices and the review are not"
    );
    all_is_well(&world);
}

#[test]
fn a_store_that_joins_the_map_is_located_gated_and_worked_too() {
    let mut world = World::new(2, 1);
    let wish = std::collections::BTreeMap::from([("customer_id".to_owned(), "c0".to_owned())]);
    world.stores.put(&store("wishes"), "w", wish);
    let id = asked(&world, DELETE);
    world.work_off(2);
    let joined = format!(
        "{MAP}\n  - id: wishes\n    public_name: Wishes\n    dynamodb: {{ table: wishes }}\n    \
         find: [ {{ customer_id: {{ key: customer }} }} ]\n"
    );
    world.change_map(&joined);
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    assert_eq!(task(&world, id, "wishes").outcome.deleted, 1);
    all_is_well(&world);
}

#[test]
fn a_store_that_left_the_map_blocks_and_is_never_called_done() {
    let mut world = World::new(2, 1);
    let id = asked(&world, DELETE);
    while request(&world, id).stage != Stage::Acting {
        let (right, message) = world.queues.take(0).unwrap();
        now(world.handle(right, &message)).unwrap();
        if task_exists(&world, id, "reviews") && request(&world, id).stage == Stage::Gated {
            break;
        }
    }
    let start = MAP.find("  - id: reviews").unwrap();
    let end = MAP.find("  - id: invoices").unwrap();
    world.change_map(&format!("{}{}", &MAP[..start], &MAP[end..]));
    world.work_off(5);
    let gone = task(&world, id, "reviews");
    assert_eq!(gone.block.unwrap().reason, BlockReason::StoreGone);
    now(world.desk().allow_partial(id)).unwrap();
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Partial));
    all_is_well(&world);
}

fn task_exists(world: &World, id: RequestId, name: &str) -> bool {
    world.tasks(id).iter().any(|task| task.store == store(name))
}

#[test]
fn an_address_of_two_customers_is_never_silently_deleted() {
    let world = World::new(2, 1);
    let twin = std::collections::BTreeMap::from([
        ("email".to_owned(), World::email(0)),
        ("customer_id".to_owned(), "c1".to_owned()),
    ]);
    world.stores.put(&store("customers"), "twin", twin);
    let before = world.stores.everything();
    let id = asked(&world, DELETE);
    world.work_off(5);
    let stopped = request(&world, id);
    assert_eq!(
        (stopped.stage, stopped.gate),
        (Stage::Gated, Some(GateReason::Ambiguous))
    );
    assert_eq!(world.stores.everything(), before);
    let copy = asked(&world, COPY);
    world.work_off(5);
    assert_eq!(
        request(&world, copy).gate,
        Some(GateReason::Ambiguous),
        "nobody gets a stranger's copy"
    );
    let opt_out = asked(&world, OPT_OUT);
    world.work_off(5);
    assert_eq!(
        request(&world, opt_out).stage,
        Stage::Closed(Outcome::Completed)
    );
    all_is_well(&world);
}

#[test]
fn a_deletion_waits_for_an_earlier_copy_and_an_opt_out_for_nobody() {
    let world = World::new(2, 1);
    let copy = asked(&world, COPY);
    world.clock.advance(SignedDuration::from_secs(1));
    let deletion = asked(&world, DELETE);
    let opt_out = asked(&world, OPT_OUT);
    world.work_off(5);
    assert_eq!(
        request(&world, opt_out).stage,
        Stage::Closed(Outcome::Completed)
    );
    assert_eq!(
        request(&world, deletion).gate,
        Some(GateReason::EarlierAccess)
    );
    now(world.attest(copy)).unwrap();
    world.work_off(3);
    assert_eq!(
        request(&world, copy).stage,
        Stage::Closed(Outcome::Completed)
    );
    world.settle();
    assert_eq!(
        request(&world, deletion).stage,
        Stage::Closed(Outcome::Completed)
    );
    assert_eq!(task(&world, copy, "orders").outcome.exported, 3);
    assert_eq!(task(&world, deletion, "orders").outcome.deleted, 3);
    all_is_well(&world);
}

#[test]
fn what_arrives_during_a_deletion_is_chased_and_then_told() {
    for (arrivals, left) in [(2, 0), (1_000, 1)] {
        let world = World::new(2, 1);
        let stores = world.stores.clone();
        let mut erased = 0;
        world.faults.follow(move |call| {
            // The shop's application writes an order whenever the deletion touches something.
            if call.name == "stores.erase" && erased < arrivals {
                erased += 1;
                let row =
                    std::collections::BTreeMap::from([("customer_id".to_owned(), "c0".to_owned())]);
                stores.put(&store("orders"), &format!("new-{erased:04}"), row);
            }
            Injection::None
        });
        let id = asked(&world, DELETE);
        world.settle();
        let orders = task(&world, id, "orders");
        let check = orders.outcome.check.unwrap();
        assert_eq!(check.residual_matches, 0);
        assert_eq!(check.arrived_since > 0, left > 0, "{check:?}");
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
        world.faults.calm();
        all_is_well(&world);
    }
}

#[test]
fn whatever_dies_while_a_code_is_sent_the_same_form_again_brings_one_that_works() {
    let faces = [
        Injection::CrashBefore,
        Injection::CrashAfter,
        Injection::FailBefore,
        Injection::FailAfter,
    ];
    for face in faces {
        for at in 0.. {
            let world = World::new(1, 1);
            let first = world.faults.calls();
            world.faults.follow(move |call| {
                if call.n == first + at {
                    face
                } else {
                    Injection::None
                }
            });
            let sent = world.submit(DELETE).now_or_never();
            let calls = world.faults.calls() - first;
            world.faults.calm();
            let again = now(world.submit(DELETE)).unwrap();
            let mails = world.mailer.to(&World::email(0));
            assert_eq!(mails.len(), 1, "{face:?} at call {at}");
            let (_, rest) = mails[0].text.split_once("Your code: ").unwrap();
            let code = rest.lines().next().unwrap();
            now(world.intake().confirm(again.reference.as_str(), code)).unwrap();
            if at >= calls {
                assert!(sent.is_some_and(|sent| sent.is_ok()), "nothing was broken");
                break;
            }
        }
    }
}

#[test]
fn an_unconfirmed_draft_is_forgotten_after_a_day() {
    let world = World::new(1, 1);
    now(world.submit(DELETE)).unwrap();
    assert!(!world.vault.everything().is_empty());
    world.clock.advance(SignedDuration::from_hours(25));
    now(world.ticker().tick()).unwrap();
    assert!(world.requests().is_empty());
    assert!(world.vault.everything().is_empty());
    all_is_well(&world);
}

#[test]
fn papers_are_destroyed_a_month_after_closing_and_the_receipt_stays() {
    let world = World::new(2, 1);
    let id = asked(&world, COPY);
    world.settle();
    let in_vault = |world: &World| {
        let everything = world.vault.everything();
        everything
            .iter()
            .any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("canary"))
    };
    assert!(
        in_vault(&world),
        "the canary sings in the vault, and only there"
    );
    all_is_well(&world);
    world.clock.advance(SignedDuration::from_hours(24 * 31));
    now(world.ticker().tick()).unwrap();
    // The papers of sweeps go with those that nobody owns.
    now(world.ticker().sweep_orphans()).unwrap();
    assert!(!in_vault(&world));
    assert!(world.vault.everything().is_empty());
    assert!(request(&world, id).purged_at.is_some());
    all_is_well(&world);
}

#[test]
fn papers_that_nobody_owns_are_swept() {
    let world = World::new(1, 1);
    world.faults.follow(|call| {
        if call.name == "ledger.commit" {
            Injection::CrashBefore
        } else {
            Injection::None
        }
    });
    assert!(
        world.submit(DELETE).now_or_never().is_none(),
        "died between papers and request"
    );
    world.faults.calm();
    assert!(!world.vault.everything().is_empty());
    assert_eq!(
        now(world.ticker().sweep_orphans()),
        Ok(0),
        "perhaps it is still being submitted"
    );
    world.clock.advance(SignedDuration::from_hours(25));
    assert_eq!(now(world.ticker().sweep_orphans()), Ok(1));
    assert!(world.vault.everything().is_empty());
}
