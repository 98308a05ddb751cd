//! The legal clock, moved by staff: what the law allows, what it does not, and a desk that dies.

#![expect(
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use futures::FutureExt as _;
use jiff::SignedDuration;
use quittance_chaos::World;
use quittance_chaos::script::{COPY, all_is_well, now, request};
use quittance_core::fault::BlockReason;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::regime::{NoRegime, PauseReason};
use quittance_core::request::{Outcome, Stage};
use quittance_engine::desk::{DeskError, Unverified};
use quittance_engine::intake::{IntakeError, Submission};
use quittance_engine::memory::faults::Injection;

/// A world with one request for a copy, received on Monday the 23rd of November 2026.
fn asked(seed: u64) -> (World, RequestId) {
    let world = World::new(2, seed);
    let id = now(world.ask(COPY)).unwrap();
    (world, id)
}

fn under(law: &str) -> (World, RequestId) {
    let (world, id) = asked(1);
    now(world.desk().choose_regime(id, law, Unverified::Refused)).unwrap();
    (world, id)
}

fn due(world: &World, id: RequestId) -> String {
    request(world, id).due_at.unwrap().to_string()
}

fn pass(world: &World, days: i64) {
    world.clock.advance(SignedDuration::from_hours(24 * days));
}

#[test]
fn an_extension_is_taken_once_and_only_while_the_person_can_be_told() {
    let (world, id) = asked(1);
    assert_eq!(due(&world, id), "2026-12-23T22:59:00Z");
    pass(&world, 20);
    let notice_by = now(world.desk().extend(id)).unwrap();
    assert_eq!(notice_by.to_string(), "2026-12-23T22:59:00Z");
    let extended = request(&world, id);
    assert_eq!(
        extended.extended_to.unwrap().to_string(),
        "2027-02-23T22:59:00Z"
    );
    assert_eq!(now(world.desk().extend(id)), Ok(notice_by));
    assert_eq!(request(&world, id), extended, "taken once");
    all_is_well(&world);

    let (world, id) = asked(2);
    pass(&world, 31);
    let late = now(world.desk().extend(id));
    assert_eq!(late, Err(DeskError::NoticeTooLate(notice_by)));
    assert_eq!(request(&world, id).extended_to, None);
    all_is_well(&world);
}

#[test]
fn what_the_law_does_not_know_is_refused() {
    let (world, id) = under("br_lgpd");
    assert_eq!(
        due(&world, id),
        "2026-12-09T02:59:00Z",
        "15 days in São Paulo"
    );
    let law = || "br_lgpd".to_owned();
    assert_eq!(
        now(world.desk().extend(id)),
        Err(DeskError::NoExtension(law()))
    );
    let reason = PauseReason::Identity;
    assert_eq!(
        now(world.desk().pause(id, reason)),
        Err(DeskError::NoPause { law: law(), reason })
    );
    assert_eq!(now(world.desk().resume(id)), Err(DeskError::NotPaused));
    all_is_well(&world);
}

#[test]
fn the_gdpr_waits_for_nobody_and_the_united_kingdom_for_a_clarification() {
    let reason = PauseReason::Clarification;
    let (world, id) = asked(1);
    let refused = now(world.desk().pause(id, reason));
    assert!(matches!(refused, Err(DeskError::NoPause { .. })));

    let (world, id) = under("uk_gdpr");
    assert_eq!(due(&world, id), "2026-12-23T23:59:00Z");
    pass(&world, 5);
    now(world.desk().pause(id, reason)).unwrap();
    now(world.desk().pause(id, reason)).unwrap();
    let paused = request(&world, id);
    assert_eq!(
        paused.paused_at,
        Some(quittance_engine::ports::Clock::now(&world.clock))
    );
    assert_eq!(
        due(&world, id),
        "2026-12-23T23:59:00Z",
        "no answer, no more time"
    );
    all_is_well(&world);
    let other = now(world
        .desk()
        .choose_regime(id, "eu_gdpr", Unverified::Refused));
    assert_eq!(other, Err(DeskError::ClockMoved("uk_gdpr".to_owned())));
    pass(&world, 14);
    now(world.desk().resume(id)).unwrap();
    assert_eq!(
        due(&world, id),
        "2027-01-06T23:59:00Z",
        "fourteen days more"
    );
    assert_eq!(request(&world, id).paused_at, None);
    assert_eq!(now(world.desk().resume(id)), Err(DeskError::NotPaused));
    all_is_well(&world);

    let (world, id) = under("uk_gdpr");
    pass(&world, 31);
    let late = now(world.desk().pause(id, reason));
    assert!(matches!(late, Err(DeskError::PastDue(_))));
}

#[test]
fn while_the_clock_stands_still_nobody_gives_up_on_a_blocked_store() {
    let (world, id) = under("uk_gdpr");
    let orders = StoreId::parse("orders").unwrap();
    world
        .stores
        .refuse(&orders, Some(BlockReason::AccessDenied));
    now(world.desk().pause(id, PauseReason::Identity)).unwrap();
    pass(&world, 29);
    world.work_off(5);
    assert_eq!(request(&world, id).partial_at, None);
    now(world.desk().resume(id)).unwrap();
    world.work_off(5);
    assert_eq!(
        request(&world, id).partial_at,
        None,
        "29 days are left again"
    );
    // Two days before the new date the clock gives up, as ever.
    pass(&world, 29);
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Partial));
    all_is_well(&world);
}

#[test]
fn a_law_that_nobody_confirmed_is_chosen_only_by_who_says_so() {
    let (world, id) = asked(1);
    let choose = |law: &str, unverified| now(world.desk().choose_regime(id, law, unverified));
    assert_eq!(
        choose("mx_lfpdppp", Unverified::Refused),
        Err(DeskError::Unverified("mx_lfpdppp".to_owned()))
    );
    assert_eq!(
        choose("atlantis", Unverified::Accepted),
        Err(DeskError::NoRegime(NoRegime::UnknownLaw(
            "atlantis".to_owned()
        )))
    );
    assert_eq!(request(&world, id).regime, "eu_gdpr");
    choose("mx_lfpdppp", Unverified::Accepted).unwrap();
    assert_eq!(request(&world, id).regime, "mx_lfpdppp");
    // 20 working days without Christmas; midnight is six hours later in Mexico City.
    assert_eq!(due(&world, id), "2026-12-22T05:59:00Z");
    world.settle();
    assert_eq!(request(&world, id).stage, Stage::Closed(Outcome::Completed));
    all_is_well(&world);
}

#[test]
fn a_form_cannot_choose_what_is_unknown_or_unconfirmed() {
    let world = World::new(1, 1);
    let submit = |right: &str, law: &str| {
        let identifiers = [("email".to_owned(), World::email(0))].into();
        let form = Submission {
            right: right.to_owned(),
            identifiers,
            client_token: format!("token-{right}-{law}-0123456789"),
            regime: Some(law.to_owned()),
            locale: None,
        };
        match now(world.intake().submit(&form)) {
            Err(IntakeError::Invalid(errors)) => {
                assert_eq!((errors.len(), errors[0].field.as_str()), (1, "regime"));
                errors[0].message.clone()
            }
            other => panic!("{law}: {other:?}"),
        }
    };
    for (right, law, why) in [
        ("access", "atlantis", "this law is not known"),
        (
            "deletion",
            "br_lgpd",
            "this law sets no time for this right",
        ),
        (
            "access",
            "mx_lfpdppp",
            "nobody has confirmed the times of this law",
        ),
    ] {
        let message = submit(right, law);
        assert!(message.starts_with(why), "{message}");
        assert!(
            message.contains("for this right choose one of: "),
            "{message}"
        );
        assert!(message.contains("eu_gdpr, "), "{message}");
        assert!(
            !message.contains(law),
            "what was typed is not repeated: {message}"
        );
    }
    // Kentucky's law applies since the 1st of January.
    let form = Submission {
        right: "access".to_owned(),
        identifiers: [("email".to_owned(), World::email(0))].into(),
        client_token: "token-kentucky-0123456789".to_owned(),
        regime: Some("us_ky_kcdpa".to_owned()),
        locale: None,
    };
    assert!(now(world.intake().submit(&form)).is_ok());
}

#[test]
fn a_request_counts_its_days_where_the_controller_says() {
    let mut world = World::new(1, 1);
    let map = quittance_chaos::world::MAP.replacen(
        "role: controller",
        "role: controller, time_zone: Asia/Tokyo",
        1,
    );
    world.change_map(&map);
    let id = now(world.ask(COPY)).unwrap();
    assert_eq!(due(&world, id), "2026-12-23T14:59:00Z", "midnight in Tokyo");
    all_is_well(&world);
}

#[test]
fn beyond_the_known_holidays_the_timeline_says_so() {
    let world = World::new(1, 1);
    pass(&world, 365 * 5);
    let id = now(world.ask(COPY)).unwrap();
    let ledger = world.ledger.clone();
    let timeline = now(quittance_engine::reading::timeline(&ledger, id)).unwrap();
    let last = &timeline.last().unwrap().what;
    assert_eq!(*last, quittance_core::request::Happening::HolidaysUnknown);
    all_is_well(&world);
}

#[test]
fn a_desk_that_dies_or_is_told_nonsense_leaves_the_act_whole_or_undone() {
    for injection in [
        Injection::CrashBefore,
        Injection::CrashAfter,
        Injection::FailBefore,
        Injection::FailAfter,
    ] {
        for call in 1..=8 {
            let (world, id) = under("uk_gdpr");
            let calm = world.clone();
            let first = world.faults.calls();
            world.faults.follow(move |now| {
                if now.n == first + call {
                    injection
                } else {
                    Injection::None
                }
            });
            // Whatever was reported: staff look, and try again.
            drop(world.desk().pause(id, PauseReason::Identity).now_or_never());
            drop(world.desk().extend(id).now_or_never());
            world.faults.calm();
            world.faults.take_crash();
            all_is_well(&world);
            now(calm.desk().pause(id, PauseReason::Identity)).unwrap();
            now(calm.desk().extend(id)).unwrap();
            let done = request(&world, id);
            assert!(done.paused_at.is_some() && done.extended_to.is_some());
            let timeline = now(quittance_engine::reading::timeline(&world.ledger, id)).unwrap();
            assert_eq!(
                timeline.len(),
                5,
                "{injection:?} at call {call}: verified, accepted, chosen, paused, extended: {timeline:?}"
            );
            all_is_well(&world);
        }
    }
}
