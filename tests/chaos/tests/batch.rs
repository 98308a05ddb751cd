//! Batches: a list of people at once; every call, every face of a fault, and what can happen to a
//! list besides going well.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use std::collections::BTreeMap;

use jiff::SignedDuration;
use quittance_chaos::check::check_world;
use quittance_chaos::script::{COPY, all_is_well, asked, now, request, rows_in_lake, store, task};
use quittance_chaos::table::Scenario;
use quittance_chaos::world::{Crowd, map_without};
use quittance_chaos::{Ask, World};
use quittance_core::fault::BlockReason;
use quittance_core::id::{LeafId, RequestId};
use quittance_core::request::{DenialReason, Ended, Outcome, Right, Stage};
use quittance_engine::desk::DeskError;
use quittance_engine::intake::{IntakeError, List, Listed};
use quittance_engine::ledger::{Item, Key};
use quittance_engine::memory::faults::Injection;
use quittance_engine::sequencer::paths;
use quittance_engine::vault;
use serde_json::Value;

/// Two people are to be deleted, and one opts out, at once.
const LISTS: Scenario = Scenario {
    world: || {
        let map = map_without(&["orders", "reviews", "invoices", "tickets", "crm"]);
        World::with_map(&map, 3, 1)
    },
    asks: &[],
    lists: &[DELETED, OPTED_OUT],
};
const DELETED: Crowd = Crowd {
    people: &[0, 1],
    right: Right::Deletion,
};
const OPTED_OUT: Crowd = Crowd {
    people: &[2],
    right: Right::OptOut,
};
/// More than are let go, or summed up, in one commit.
const MANY: Crowd = Crowd {
    people: &[
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
        25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
    ],
    right: Right::Deletion,
};

fn listed(world: &World, crowd: Crowd) -> RequestId {
    now(world.hand_in(crowd)).unwrap()
}

fn member(world: &World, batch: RequestId, n: usize) -> RequestId {
    let outcomes = now(world.desk().outcomes(batch, 0, u32::MAX)).unwrap();
    let reference = &outcomes[n].reference;
    let mut all = world.requests().into_iter();
    all.find(|request| request.id.reference() == *reference)
        .unwrap()
        .id
}

/// The statement of a leaf, as JSON.
fn says(world: &World, leaf: LeafId) -> Value {
    let stored = world.ledger.everything().into_iter();
    let mut found = stored.filter_map(|stored| {
        if let Item::Leaf(found) = stored.item {
            (found.id == leaf).then_some(found.statement)
        } else {
            None
        }
    });
    let path = paths::statement(&found.next().unwrap());
    serde_json::from_slice(&world.evidence.everything()[&path]).unwrap()
}

fn leaves(world: &World) -> usize {
    let stored = world.ledger.everything().into_iter();
    stored
        .filter(|stored| matches!(&stored.item, Item::Leaf(leaf) if leaf.id.request().is_some()))
        .count()
}

#[test]
fn a_crash_before_any_call_changes_nothing_about_a_batch() {
    LISTS.every_call_under(Injection::CrashBefore);
}

#[test]
fn a_crash_after_any_call_changes_nothing_about_a_batch() {
    LISTS.every_call_under(Injection::CrashAfter);
}

#[test]
fn a_failure_of_any_call_changes_nothing_about_a_batch() {
    LISTS.every_call_under(Injection::FailBefore);
}

#[test]
fn a_success_reported_as_failure_changes_nothing_about_a_batch() {
    LISTS.every_call_under(Injection::FailAfter);
}

#[test]
fn many_people_have_one_acceptance_and_one_receipt_with_counts() {
    let world = World::new(50, 1);
    let id = listed(&world, MANY);
    world.settle();
    all_is_well(&world);
    let batch = request(&world, id);
    assert_eq!(batch.stage, Stage::Closed(Outcome::Completed));
    assert_eq!(leaves(&world), 2);
    let accepted = says(&world, LeafId::Acceptance(id));
    assert_eq!(accepted["predicate"]["members"], 45);
    let told = says(&world, LeafId::Outcome(id));
    assert_eq!(told["predicate"]["members"]["completed"], 45);
    let lines = told["predicate"]["stores"].as_array().unwrap();
    let line = |name: &str| lines.iter().find(|line| line["store"] == name).unwrap();
    assert_eq!(line("Customer account")["deleted"], 45);
    assert_eq!(line("Orders")["deleted"], 3 * 45);
    assert_eq!(line("Invoices")["exempt"][0]["count"], 3 * 45);
    assert_eq!(line("Listening history")["deleted"], 2 * 45);
    for person in 0..45 {
        assert_eq!(rows_in_lake(&world, person), 0, "{person}");
    }
    assert_eq!(rows_in_lake(&world, 45), 2, "somebody else");
    let outcomes = now(world.desk().outcomes(id, 40, 10)).unwrap();
    assert_eq!(outcomes.len(), 5);
    assert_eq!(outcomes[4].label.as_deref(), Some("canary-label-44"));
    assert_eq!(outcomes[4].outcome, Some(Outcome::Completed));
    assert_eq!(outcomes[4].deleted, 1 + 3 + 2 + 3);
    assert_eq!(outcomes[4].kept, 3);
}

#[test]
fn the_same_list_again_is_the_same_batch_and_another_one_is_refused() {
    let world = World::new(3, 1);
    let first = listed(&world, DELETED);
    assert_eq!(listed(&world, DELETED), first);
    let other = Crowd {
        people: &[0, 2],
        ..DELETED
    };
    let refused = now(world.hand_in(other));
    assert!(
        matches!(refused, Err(IntakeError::TokenReused)),
        "{refused:?}"
    );
    world.settle();
    assert_eq!(listed(&world, DELETED), first);
    all_is_well(&world);
}

#[test]
fn a_list_that_was_never_accepted_is_forgotten_with_its_members() {
    let world = World::new(3, 1);
    // The commit that accepts is the only one with that many writes; everything before it stands.
    let first = world.faults.calls();
    let calls = {
        let probe = World::new(3, 1);
        let first = probe.faults.calls();
        listed(&probe, DELETED);
        probe.faults.calls() - first
    };
    world.faults.follow(move |call| {
        if call.n >= first + calls - 3 {
            Injection::FailBefore
        } else {
            Injection::None
        }
    });
    assert!(now(world.hand_in(DELETED)).is_err());
    world.faults.calm();
    assert_eq!(world.requests().len(), 3);
    assert!(world.requests().iter().all(|one| one.stage == Stage::Draft));
    for one in world.requests() {
        let reference = one.id.reference();
        let confirmed = now(world.intake().confirm_identity(reference.as_str()));
        assert_eq!(
            confirmed,
            Err(IntakeError::NotFound),
            "nobody by themselves"
        );
    }
    world.clock.advance(SignedDuration::from_hours(25));
    for _ in 0..3 {
        now(world.ticker().tick()).unwrap();
        world.clock.advance(SignedDuration::from_hours(25));
    }
    assert_eq!(world.requests().len(), 0);
    assert!(world.vault.everything().is_empty(), "no papers are left");
    let left = world.ledger.everything().into_iter();
    assert_eq!(
        left.filter(|one| matches!(one.item, Item::Member(_)))
            .count(),
        0
    );
    assert_eq!(check_world(&world), Vec::<String>::new());
}

#[test]
fn members_who_wait_to_be_let_go_are_not_forgotten_however_long_it_takes() {
    let world = World::new(3, 1);
    let id = listed(&world, DELETED);
    for _ in 0..5 {
        // Nobody works; only the clock goes.
        world.clock.advance(SignedDuration::from_hours(30));
        now(world.ticker().tick()).unwrap();
    }
    world.settle();
    all_is_well(&world);
    assert!(matches!(request(&world, id).stage, Stage::Closed(_)));
    assert_eq!(rows_in_lake(&world, 0) + rows_in_lake(&world, 1), 0);
}

#[test]
fn a_held_batch_touches_nobody_and_goes_on_when_it_is_released() {
    let world = World::new(3, 1);
    let id = listed(&world, DELETED);
    now(world.desk().hold(id)).unwrap();
    world.work_off(5);
    assert_eq!(rows_in_lake(&world, 0), 2);
    now(world.desk().release_hold(id)).unwrap();
    world.work_off(1);
    // Everybody is on the way: a hold reaches them one by one.
    now(world.desk().hold(id)).unwrap();
    let first = member(&world, id, 0);
    assert!(request(&world, first).hold.is_some());
    now(world.desk().release_hold(id)).unwrap();
    world.settle();
    all_is_well(&world);
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
}

#[test]
fn a_member_who_is_refused_makes_the_batch_partial_and_is_counted() {
    let world = World::new(3, 1);
    let id = listed(&world, DELETED);
    while request(&world, id).members().unwrap().freed < 2 {
        let (right, message) = world.queues.take(0).unwrap();
        now(world.handle(right, &message)).unwrap();
    }
    let first = member(&world, id, 0);
    now(world.desk().deny(first, DenialReason::SuspectedFraud)).unwrap();
    world.settle();
    all_is_well(&world);
    let batch = request(&world, id);
    assert_eq!(batch.stage, Stage::Closed(Outcome::Partial));
    let expected = Ended {
        completed: 1,
        denied: 1,
        ..Ended::default()
    };
    assert_eq!(batch.members().unwrap().ended, expected);
    assert_eq!(rows_in_lake(&world, 0), 2, "refused: untouched");
    assert_eq!(rows_in_lake(&world, 1), 0);
}

#[test]
fn a_batch_is_refused_as_a_whole_only_before_anybody_was_let_go() {
    let world = World::new(3, 1);
    let id = listed(&world, DELETED);
    now(world.desk().deny(id, DenialReason::ClaimNotCovered)).unwrap();
    for _ in 0..4 {
        world.work_off(2);
        world.clock.advance(SignedDuration::from_hours(25));
    }
    world.work_off(2);
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Denied));
    assert_eq!(world.requests().len(), 1, "its members are forgotten");
    assert_eq!(rows_in_lake(&world, 0), 2);

    let world = World::new(3, 1);
    let id = listed(&world, DELETED);
    world.work_off(1);
    let late = now(world.desk().deny(id, DenialReason::ClaimNotCovered));
    assert!(matches!(late, Err(DeskError::TooLate(_))), "{late:?}");
}

#[test]
fn what_a_member_does_after_the_receipt_is_told_in_an_amendment() {
    let world = World::new(3, 1);
    world
        .stores
        .refuse(&store("orders"), Some(BlockReason::AccessDenied));
    let id = listed(&world, DELETED);
    world.work_off(3);
    now(world
        .desk()
        .attest(id, &store("crm"), b"{\"by\":\"crm-team\"}"))
    .unwrap();
    now(world.desk().allow_partial(id)).unwrap();
    world.settle();
    all_is_well(&world);
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Partial));
    let told = says(&world, LeafId::Outcome(id));
    let blocked = told["predicate"]["stores"].as_array().unwrap().iter();
    assert_eq!(
        blocked
            .filter(|line| line["blocked"][0]["reason"] == "access_denied")
            .count(),
        1
    );
    world.stores.refuse(&store("orders"), None);
    for n in 0..2 {
        let one = member(&world, id, n);
        now(world.desk().release(one, &store("orders"))).unwrap();
        world.work_off(4);
        assert_eq!(task(&world, one, "orders").outcome.deleted, 3);
    }
    world.work_off(4);
    all_is_well(&world);
    let batch = request(&world, id);
    assert_eq!(batch.amendments, 2);
    let told = says(&world, LeafId::Amendment(id, 2));
    assert_eq!(told["predicate"]["outcome"], "completed");
    assert_eq!(told["predicate"]["members"]["completed"], 2);
}

#[test]
fn one_attestation_counts_for_everybody_in_the_list() {
    let world = World::new(3, 1);
    let id = listed(&world, DELETED);
    world.work_off(2);
    now(world
        .desk()
        .attest(id, &store("crm"), b"{\"by\":\"crm-team\"}"))
    .unwrap();
    world.work_off(60);
    all_is_well(&world);
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    let told = says(&world, LeafId::Outcome(id));
    let mut lines = told["predicate"]["stores"].as_array().unwrap().iter();
    let line = lines.find(|line| line["store"] == "Support desk").unwrap();
    assert!(line["attested"]["statement"].is_string());
}

#[test]
fn a_list_with_mistakes_is_refused_with_every_line_and_nothing_is_kept() {
    let world = World::new(1, 1);
    let entry = |line: u64, kind: &str, value: &str, label: &str| Listed {
        line,
        label: Some(label.to_owned()),
        identifiers: BTreeMap::from([(kind.to_owned(), value.to_owned())]),
    };
    let list = List {
        right: "deletion".to_owned(),
        regime: None,
        client_token: "token-mistakes-0123456789".to_owned(),
        members: vec![
            entry(2, "email", "canary-0@people.test", "a"),
            entry(3, "email", "not an address", "b"),
            entry(4, "shoe_size", "43", "c"),
            entry(5, "email", " CANARY-0@people.test ", "d"),
            entry(6, "customer_id", "c9", "a"),
            Listed {
                line: 7,
                label: None,
                identifiers: BTreeMap::new(),
            },
        ],
    };
    let Err(IntakeError::Invalid(errors)) = now(world.intake().submit_list(&list)) else {
        panic!("taken in");
    };
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "line 3, email",
            "line 4, shoe_size",
            "line 5",
            "line 6, id",
            "line 7"
        ]
    );
    assert!(!format!("{errors:?}").contains("not an address"));
    assert!(world.requests().is_empty());
    let copies = List {
        right: "access".to_owned(),
        ..list
    };
    assert!(world.intake().check_list(&copies).is_err());
}

#[test]
fn papers_of_a_batch_and_its_members_are_destroyed_in_time() {
    let world = World::new(3, 1);
    let id = listed(&world, DELETED);
    world.settle();
    for _ in 0..40 {
        world.clock.advance(SignedDuration::from_hours(24));
        now(world.ticker().tick()).unwrap();
    }
    let kept = world.vault.everything();
    let members = [member(&world, id, 0), member(&world, id, 1), id];
    for id in members {
        assert!(
            !kept
                .iter()
                .any(|((of, name), _)| *of == id && name == vault::PAPERS)
        );
    }
    let outcomes = now(world.desk().outcomes(id, 0, 9)).unwrap();
    assert!(
        outcomes
            .iter()
            .all(|one| one.label.is_none() && one.outcome.is_some())
    );
    all_is_well(&world);
}

#[test]
fn the_checker_sees_what_is_wrong_with_a_batch() {
    let broken = |spoil: &dyn Fn(&World, RequestId)| {
        let world = World::new(3, 1);
        let id = listed(&world, DELETED);
        world.settle();
        all_is_well(&world);
        spoil(&world, id);
        check_world(&world)
    };
    let edit = |world: &World, id, change: &dyn Fn(&mut quittance_core::request::Members)| {
        world.ledger.tamper(&Key::Request(id), |item| {
            if let Item::Request(request) = item
                && let Some(quittance_core::request::Batch::Whole(members)) = &mut request.batch
            {
                change(members);
            }
        });
    };
    let told = |what: &str, findings: Vec<String>| {
        assert!(
            findings.iter().any(|line| line.contains(what)),
            "{what}: {findings:#?}"
        );
    };
    told(
        "the sums count otherwise",
        broken(&|world, id| edit(world, id, &|members| members.ended.denied += 1)),
    );
    told(
        "who was let go",
        broken(&|world, id| edit(world, id, &|members| members.freed = 1)),
    );
    told(
        "sealed before everybody ended",
        broken(&|world, id| {
            edit(world, id, &|members| {
                members.counted = 1;
                members.ended.completed = 1;
            });
        }),
    );
    told(
        "gaps in its list",
        broken(&|world, id| edit(world, id, &|members| members.count = 3)),
    );
    told(
        "says otherwise than the member",
        broken(&|world, id| {
            world.ledger.tamper(&Key::Member(id, 0), |item| {
                if let Item::Member(member) = item {
                    member.outcome = Some(Outcome::Revoked);
                }
            });
        }),
    );
    told(
        "not what the members come to",
        broken(&|world, id| {
            world
                .ledger
                .tamper(&Key::Task(id, store("orders")), |item| {
                    if let Item::Task(task) = item {
                        task.outcome.deleted += 1;
                    }
                });
        }),
    );
}

/// A person's own request beside a list that names them too.
#[test]
fn whoever_is_in_a_list_may_ask_for_themselves_too() {
    let world = World::new(3, 1);
    let copy = asked(&world, COPY);
    let own = asked(
        &world,
        Ask {
            person: 1,
            right: Right::Deletion,
        },
    );
    let id = listed(&world, DELETED);
    world.settle();
    all_is_well(&world);
    for id in [copy, id, own] {
        assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    }
}
