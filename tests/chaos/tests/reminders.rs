//! Reminders of due dates: once for each step nearer, to the controller's contact.

use jiff::SignedDuration;
use quittance_chaos::script::{DELETE, all_is_well, asked, now};
use quittance_chaos::world::CONTACT;
use quittance_chaos::{Ask, World};
use quittance_engine::memory::faults::Injection;

/// The reminders that staff got about a request, by what they tell.
fn reminders(world: &World) -> Vec<String> {
    let mut ids: Vec<String> = world
        .mailer
        .to(CONTACT)
        .into_iter()
        .filter_map(|mail| Some(mail.id.split_once(".due-")?.1.to_owned()))
        .filter_map(|kind| Some(kind.split_once('-')?.0.to_owned()))
        .collect();
    ids.dedup();
    ids
}

#[test]
fn staff_are_reminded_once_of_each_step_towards_a_due_date() {
    let world = World::new(1, 1);
    let id = asked(&world, DELETE);
    now(world.desk().hold(id)).expect("a hold");
    world.work_off(5);
    let mut seen = vec![reminders(&world)];
    for _ in 0..40 {
        world.clock.advance(SignedDuration::from_hours(24));
        // The clock looks more often than the date moves.
        world.work_off(3);
        let told = reminders(&world);
        if seen.last() != Some(&told) {
            seen.push(told);
        }
    }
    let told: Vec<Vec<&str>> = vec![
        vec![],
        vec!["soon"],
        vec!["soon", "near"],
        vec!["soon", "near", "overdue"],
    ];
    assert_eq!(seen, told);
    assert_eq!(world.mailer.to(CONTACT).len(), 3);
    let last = world.mailer.to(CONTACT).pop().unwrap();
    assert!(last.subject.contains("OVERDUE"), "{}", last.subject);
    assert!(last.text.contains("It is held."), "{}", last.text);
    all_is_well(&world);
}

#[test]
fn an_extension_is_reminded_of_anew_and_an_answered_request_never() {
    let world = World::new(2, 1);
    let held = asked(&world, DELETE);
    now(world.desk().hold(held)).unwrap();
    let other = Ask {
        person: 1,
        ..DELETE
    };
    let other = asked(&world, other);
    now(world.desk().allow_partial(other)).unwrap();
    world.work_off(20);
    for day in 0..60 {
        world.clock.advance(SignedDuration::from_hours(24));
        if day == 24 {
            assert_eq!(reminders(&world), ["soon"]);
            now(world.desk().extend(held)).unwrap();
        }
        world.work_off(2);
    }
    assert_eq!(world.mailer.to(CONTACT).len(), 1, "two months more");
    for _ in 0..30 {
        world.clock.advance(SignedDuration::from_hours(24));
        world.work_off(2);
    }
    // The word is the same, the date another.
    assert_eq!(world.mailer.to(CONTACT).len(), 3);
}

#[test]
fn a_mail_that_cannot_be_sent_keeps_nobody_from_their_work() {
    let world = World::new(1, 1);
    let id = asked(&world, DELETE);
    now(world.desk().hold(id)).expect("a hold");
    world.work_off(3);
    world.faults.follow(|call| {
        if call.name.contains("mailer") {
            Injection::FailBefore
        } else {
            Injection::None
        }
    });
    world.clock.advance(SignedDuration::from_hours(24 * 29));
    world.work_off(2);
    assert!(reminders(&world).is_empty());
    world.faults.calm();
    now(world.desk().release_hold(id)).unwrap();
    world.clock.advance(SignedDuration::from_hours(2));
    now(world.ticker().tick()).unwrap();
    assert_eq!(reminders(&world), ["near"]);
    world.settle();
    all_is_well(&world);
}
