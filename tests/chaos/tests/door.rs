//! What a stranger may try at the public door, each attempt told once, on memory.

use std::collections::BTreeMap;

use quittance_chaos::World;
use quittance_chaos::script::now;
use quittance_chaos::world::MAP;
use quittance_engine::intake::{IntakeError, Submission, Submitted};

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
    world.clock.advance(jiff::SignedDuration::from_secs(1));
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
    world.clock.advance(jiff::SignedDuration::from_secs(1));
    let reference = submitted.reference.as_str();
    now(world.intake().send_code(reference, "Canary-0@people.test")).unwrap();
    assert_eq!(world.mailer.to("canary-0@people.test").len(), 2);
}
