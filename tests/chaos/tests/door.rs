//! What a stranger may try at the public door, each attempt told once, on memory.

#![expect(
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::SignedDuration;
use quittance_chaos::script::now;
use quittance_chaos::world::MAP;
use quittance_chaos::{Ask, World};
use quittance_core::digest::HmacKey;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::request::{DenialReason, Happening, Outcome, Right, Stage};
use quittance_core::task::Amendment;
use quittance_engine::desk::DeskError;
use quittance_engine::intake::{IntakeError, Submission, Submitted};
use quittance_engine::ledger::{Item, Key};
use quittance_engine::memory::faults::Injection;

fn form(right: &str, identifiers: &[(&str, &str)]) -> Submission {
    let pairs = identifiers.iter();
    Submission {
        right: right.to_owned(),
        identifiers: pairs
            .map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        client_token: "a-token-of-sixteen".to_owned(),
        regime: None,
        locale: None,
    }
}

fn submit(world: &World, form: &Submission) -> Result<Submitted, IntakeError> {
    now(world.intake().submit(form))
}

fn two_mailboxes() -> World {
    let mut world = World::new(2, 1);
    world.change_map(&MAP.replace(
        "  customer_id: { normalise: exact }",
        "  work_email: { normalise: email }\n  customer_id: { normalise: exact, asked: true }",
    ));
    world
}

#[test]
fn a_code_goes_to_the_mailbox_that_is_looked_up() {
    let world = World::new(2, 1);
    let alias = "canary-0@PEOPLE\u{3002}test";
    let submitted = submit(&world, &form("access", &[("email", alias)])).unwrap();
    assert_eq!(world.mailer.to(alias).len(), 0);
    assert_eq!(world.mailer.to("canary-0@people.test").len(), 1);
    let reference = submitted.reference.as_str();
    world.clock.advance(SignedDuration::from_secs(1));
    now(world.intake().send_code(reference, alias)).unwrap();
    assert_eq!(world.mailer.to(alias).len(), 0);
    assert_eq!(world.mailer.to("canary-0@people.test").len(), 2);
}

#[test]
fn one_code_never_speaks_for_two_identifiers() {
    let world = two_mailboxes();
    for extra in ["work_email", "customer_id"] {
        let form = form(
            "deletion",
            &[("email", "canary-0@people.test"), (extra, "m@evil.test")],
        );
        assert!(matches!(
            submit(&world, &form),
            Err(IntakeError::Invalid(_))
        ));
    }
    assert_eq!(world.requests().len(), 0);
    // An opt-out harms nobody and needs no proof.
    let all = [
        ("email", "canary-0@people.test"),
        ("work_email", "m@evil.test"),
    ];
    submit(&world, &form("opt_out", &all)).unwrap();
}

#[test]
fn whoever_gave_the_second_kind_of_mailbox_gets_new_codes_too() {
    let world = two_mailboxes();
    let given = [("work_email", "canary-0@people.test")];
    let submitted = submit(&world, &form("access", &given)).unwrap();
    world.clock.advance(SignedDuration::from_secs(1));
    let reference = submitted.reference.as_str();
    now(world.intake().send_code(reference, "Canary-0@people.test")).unwrap();
    assert_eq!(world.mailer.to("canary-0@people.test").len(), 2);
}

/// Tags of identifiers that stores yield are kept with those that were given; a code goes to neither.
#[test]
fn an_address_that_a_store_yielded_gets_no_code() {
    let world = World::new(2, 1);
    let id = asked(&world);
    world.settle();
    let other = world
        .request_of(Ask {
            person: 0,
            ..DELETE
        })
        .unwrap();
    let stranger = World::email(1);
    let email = quittance_core::subject::IdentifierKind::parse("email").unwrap();
    let value = world.map.identifiers[&email].normalise(&stranger).unwrap();
    let tag = quittance_core::subject::subject_tag(&HmacKey::new([1; 32]), &email, &value);
    world.ledger.tamper(&Key::Request(id), |item| {
        if let Item::Request(request) = item {
            request.subject_tags.push(tag);
        }
    });
    world.clock.advance(SignedDuration::from_hours(1));
    let reference = other.id.reference();
    let mails = |person| world.mailer.to(&World::email(person)).len();
    let before = mails(0);
    // The answer is the same; the mail is not sent.
    for address in [stranger, World::email(0)] {
        now(world.intake().send_code(reference.as_str(), &address)).unwrap();
    }
    assert_eq!((mails(1), mails(0)), (0, before + 1));
}

const DELETE: Ask = Ask {
    person: 0,
    right: Right::Deletion,
};

fn code_in(world: &World, n: usize) -> String {
    let mails = world.mailer.to("canary-0@people.test");
    let (_, rest) = mails
        .get(n)
        .unwrap()
        .text
        .split_once("Your code: ")
        .unwrap();
    rest.lines().next().unwrap().to_owned()
}

fn asked(world: &World) -> RequestId {
    now(world.ask(DELETE)).unwrap()
}

fn crm() -> StoreId {
    StoreId::parse("crm").unwrap()
}

#[test]
fn a_draft_that_is_confirmed_while_the_clock_forgets_it_keeps_its_papers() {
    let world = World::new(1, 1);
    let submitted = now(world.submit(DELETE)).unwrap();
    let id = world.request_of(DELETE).unwrap().id;
    world.clock.advance(SignedDuration::from_hours(25));
    // Somebody changes the draft between the clock's look and its commit.
    let other = world.clone();
    world.faults.follow(move |call| {
        if call.name == "ledger.commit" {
            other.ledger.lose(&Key::Request(id));
        }
        Injection::None
    });
    now(world.ticker().tick()).unwrap();
    world.faults.calm();
    let papers = now(world.worker(Right::Deletion).vault.read(id, "papers.json")).unwrap();
    assert!(papers.is_some(), "{}", submitted.reference);
}

#[test]
fn a_draft_older_than_a_day_is_confirmed_by_nobody() {
    let world = World::new(1, 1);
    let submitted = now(world.submit(DELETE)).unwrap();
    let reference = submitted.reference.as_str();
    world.clock.advance(SignedDuration::from_mins(24 * 60 - 1));
    now(world.intake().send_code(reference, "canary-0@people.test")).unwrap();
    let code = code_in(&world, 1);
    world.clock.advance(SignedDuration::from_mins(2));
    let late = now(world.intake().confirm(reference, &code));
    assert_eq!(late, Err(IntakeError::NotFound));
    now(world.intake().send_code(reference, "canary-0@people.test")).unwrap();
    assert_eq!(world.mailer.to("canary-0@people.test").len(), 2);
}

#[test]
fn the_same_form_after_a_forgotten_draft_begins_anew() {
    for tick in [false, true] {
        let world = World::new(1, 1);
        let first = now(world.submit(DELETE)).unwrap();
        world.clock.advance(SignedDuration::from_hours(25));
        if tick {
            now(world.ticker().tick()).unwrap();
        }
        let second = now(world.submit(DELETE)).unwrap();
        assert_ne!(first.reference, second.reference);
        let code = code_in(&world, 1);
        now(world.intake().confirm(second.reference.as_str(), &code)).unwrap();
    }
}

#[test]
fn fifty_same_forms_at_once_are_one_request_and_one_mail() {
    let world = World::new(1, 1);
    world.faults.interleave(true);
    let answers = futures::executor::block_on(join_all((0..50).map(|_| world.submit(DELETE))));
    let first = answers[0].clone().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&first)));
    assert_eq!(world.requests().len(), 1);
    assert_eq!(world.mailer.to("canary-0@people.test").len(), 1);
}

#[test]
fn fifty_wrong_codes_at_once_are_five_tries_and_no_fault() {
    let world = World::new(1, 1);
    let submitted = now(world.submit(DELETE)).unwrap();
    let (intake, reference) = (world.intake(), submitted.reference.as_str());
    world.faults.interleave(true);
    let guesses = (0..50).map(|_| intake.confirm(reference, "0000-0000"));
    let answers = futures::executor::block_on(join_all(guesses));
    let wrong = |answer: &&Result<_, _>| matches!(answer, Err(IntakeError::WrongCode(_)));
    assert_eq!(answers.iter().filter(wrong).count(), 5);
    let dead = |answer: &&Result<_, _>| matches!(answer, Err(IntakeError::DeadCode));
    assert_eq!(answers.iter().filter(dead).count(), 45);
}

#[test]
fn only_an_open_and_true_statement_attests() {
    let world = World::new(1, 1);
    let id = asked(&world);
    world.work_off(5);
    let attest = |store: &StoreId, text: &[u8]| now(world.desk().attest(id, store, text));
    assert_eq!(attest(&crm(), b" "), Err(DeskError::EmptyStatement));
    attest(&crm(), b"one").unwrap();
    attest(&crm(), b"one").unwrap();
    let other = Err(DeskError::OtherStatement(crm()));
    assert_eq!(attest(&crm(), b"two"), other);
    let notes = world.ledger.everything().into_iter().filter(
        |stored| matches!(&stored.item, Item::Event(event) if event.what == Happening::Attested("crm".into())),
    );
    assert_eq!(notes.count(), 1);
    world.settle();
    let settled = Err(DeskError::Settled(crm()));
    assert_eq!(attest(&crm(), b"two"), settled);
    attest(&crm(), b"one").unwrap();
}

#[test]
fn whoever_comes_second_to_end_a_request_is_told() {
    let world = World::new(1, 1);
    let submitted = now(world.submit(DELETE)).unwrap();
    let id = asked(&world);
    let (reference, secret) = (
        submitted.reference.as_str(),
        submitted.status_token.as_str(),
    );
    now(world.intake().revoke(reference, secret)).unwrap();
    let denied = now(world.desk().deny(id, DenialReason::SuspectedFraud));
    assert!(matches!(denied, Err(DeskError::Ended(_))));
}

#[test]
fn a_waiting_request_is_looked_at_ever_more_rarely_and_its_papers_do_not_stay_for_ever() {
    let world = World::new(1, 1);
    let id = asked(&world);
    world.work_off(100);
    let pause = |world: &World| {
        let request = world.request_of(DELETE).unwrap();
        request
            .wake_at
            .unwrap()
            .duration_since(jiff::Timestamp::UNIX_EPOCH)
    };
    world.clock.advance(SignedDuration::from_hours(8));
    now(world.ticker().tick()).unwrap();
    let first = pause(&world);
    world.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(now(world.ticker().tick()).unwrap().announced, 0);
    assert_eq!(pause(&world), first);
    now(world.desk().allow_partial(id)).unwrap();
    world.work_off(20);
    let stage = world.request_of(DELETE).unwrap().stage;
    assert_eq!(stage, Stage::Closed(Outcome::Partial));
    world.clock.advance(SignedDuration::from_hours(24 * 40));
    assert_eq!(now(world.ticker().tick()).unwrap().announced, 1);
    world.clock.advance(SignedDuration::from_hours(23));
    assert_eq!(now(world.ticker().tick()).unwrap().announced, 0);
    world.clock.advance(SignedDuration::from_hours(24 * 730));
    assert_eq!(now(world.ticker().tick()).unwrap().shredded, 1);
}

#[test]
fn papers_stay_while_an_amendment_is_owed() {
    let world = World::new(1, 1);
    let id = asked(&world);
    world.settle();
    world.ledger.tamper(&Key::Task(id, crm()), |item| {
        if let Item::Task(task) = item {
            task.amendment = Amendment::Owed;
        }
    });
    world.clock.advance(SignedDuration::from_hours(24 * 31));
    assert_eq!(now(world.ticker().tick()).unwrap().shredded, 0);
}
