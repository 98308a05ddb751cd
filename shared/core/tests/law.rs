//! The law's dates: cases worked out by hand, what must hold of every date, and that the page about
//! the law tells the truth about the table.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use proptest::prelude::*;
use quittance_core::calendar::{Period, Zone};
use quittance_core::regime::{
    ClockEvent, Deadlines, NoRegime, PauseReason, Regime, Rolling, TABLE_VERSION,
};
use quittance_core::request::Right;

/// Law, right, zone, events, what is asked, last day, instant, flag, citation, reasoning: derived by
/// hand and by a count that shares nothing with this program.
const CASES: [&str; 2] = [
    include_str!("../../../tests/golden/law_v1.csv"),
    include_str!("../../../tests/golden/law_v2.csv"),
];
const PAGE: &str = include_str!("../../../docs/LAW.md");

#[test]
fn every_case_worked_out_by_hand_comes_to_the_same_day() {
    let records = |cases: &'static str| csv::Reader::from_reader(cases.as_bytes()).into_records();
    let rows = CASES.into_iter().flat_map(records).map(Result::unwrap);
    // The same case in a later version stands in place of the earlier one.
    let rows: std::collections::BTreeMap<Vec<String>, csv::StringRecord> = rows
        .map(|row| (row.iter().take(5).map(str::to_owned).collect(), row))
        .collect();
    let mut laws = std::collections::BTreeSet::new();
    let mut cases = 0;
    for row in rows.values() {
        let [law, right, zone, events, what, day, until, flag, _, why] =
            std::array::from_fn(|i| row.get(i).unwrap());
        let case = format!("{law} {right}, {events}: {what} ({why})");
        assert_eq!(
            found(law, right, zone, events, what),
            [day, until, flag],
            "{case}"
        );
        laws.insert(law.to_owned());
        cases += 1;
    }
    assert!(
        cases >= 130 && laws.len() >= 30,
        "{cases} cases, {} laws",
        laws.len()
    );
}

/// What the program says: last day, instant, flag.
fn found(law: &str, right: &str, zone: &str, events: &str, what: &str) -> [String; 3] {
    let none = |word: &str| [word.to_owned(), String::new(), String::new()];
    let (events, appealed_at) = read_events(events);
    let right = Right::parse(right).unwrap();
    let regime = match Regime::find(law, right, events[0].0) {
        Ok(regime) => regime,
        Err(NoRegime::NotInForce { .. }) => return none("not_in_force"),
        Err(error) => panic!("{error}"),
    };
    let named = (!zone.is_empty()).then(|| Zone::parse(zone).unwrap());
    let dates = regime.deadlines(&events, named.as_ref()).unwrap();
    let appeal = appealed_at.and_then(|at| regime.appeal_due(at, named.as_ref()));
    let at = match what {
        "due" => Some(dates.due_at),
        "extended" => dates.extended_to,
        "extendable" => dates.extendable_to,
        "notice" => dates.notice_by,
        "confirm" => dates.confirm_by,
        "appeal" => appeal.map(|(at, _)| at),
        "appeal_extended" => appeal.and_then(|(_, at)| at),
        other => panic!("{other} is nothing to ask for"),
    };
    let Some(at) = at else { return none("none") };
    let day = named.as_ref().unwrap_or(&regime.zone).day_of(at);
    let flag = if dates.holidays_known {
        ""
    } else {
        "holidays_unknown"
    };
    [
        day.to_string(),
        at.strftime("%Y-%m-%dT%H:%MZ").to_string(),
        flag.to_owned(),
    ]
}

fn read_events(text: &str) -> (Vec<(Timestamp, ClockEvent)>, Option<Timestamp>) {
    let (mut events, mut appealed_at) = (Vec::new(), None);
    for event in text.split("; ") {
        let words: Vec<&str> = event.split(' ').collect();
        let at = words.last().unwrap().parse().unwrap();
        let event = match words[0] {
            "received" => ClockEvent::Received,
            "verified" => ClockEvent::Verified,
            "paused" => ClockEvent::Paused(PauseReason::parse(words[1]).unwrap()),
            "resumed" => ClockEvent::Resumed,
            "extended" => ClockEvent::Extended,
            "appealed" => {
                appealed_at = Some(at);
                continue;
            }
            other => panic!("{other} is no event"),
        };
        events.push((at, event));
    }
    (events, appealed_at)
}

#[test]
fn the_page_about_the_law_has_every_row_of_the_table() {
    let (_, laws) = PAGE.split_once("## What each row rests on").unwrap();
    let (laws, _) = laws.split_once("## What each calendar").unwrap();
    let rows: Vec<Vec<&str>> = laws
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    for regime in Regime::all() {
        let id = format!("`{}`", regime.id);
        let told = rows.iter().any(|cells| {
            cells.get(1) == Some(&id.as_str())
                && cells.get(2).is_some_and(|rights| {
                    rights.split(", ").any(|right| right == regime.right.name())
                })
                && cells.get(3) == Some(&regime.confidence.code())
        });
        assert!(
            told,
            "docs/LAW.md: {id} {} {} is not told",
            regime.right, regime.confidence
        );
    }
    let known = |cells: &Vec<&str>| {
        let id = cells[1].trim_matches('`');
        Regime::all().iter().any(|regime| regime.id == id)
    };
    assert!(
        rows.iter().all(known),
        "docs/LAW.md tells of a law that is not in the table"
    );
    assert!(PAGE.contains(&format!("version {TABLE_VERSION}")));
}

#[test]
fn a_change_of_law_or_holidays_is_a_change_of_version() {
    assert_eq!(
        (TABLE_VERSION, Regime::table_digest().to_string().as_str()),
        (3, TABLE_DIGEST),
        "raise TABLE_VERSION, and write the new digest here: `cat regimes.csv holidays.csv | sha256sum`"
    );
}

fn regimes() -> impl Strategy<Value = &'static Regime> {
    (0..Regime::all().len()).prop_map(|i| &Regime::all()[i])
}

/// Within the years of the holidays, extensions and all.
fn instants() -> impl Strategy<Value = Timestamp> {
    let second = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
    (second("2024-01-01T00:00:00Z")..second("2030-03-01T00:00:00Z"))
        .prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn zones() -> impl Strategy<Value = Option<Zone>> {
    prop_oneof![
        Just(None),
        prop::sample::select(vec![
            "Etc/UTC",
            "Pacific/Auckland",
            "America/Los_Angeles",
            "Asia/Kolkata",
            "Europe/London",
        ])
        .prop_map(Zone::parse),
    ]
}

fn dates(regime: &Regime, events: &[(Timestamp, ClockEvent)], zone: Option<&Zone>) -> Deadlines {
    regime.deadlines(events, zone).unwrap()
}

fn hours(at: Timestamp, hours: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(hours))
        .unwrap()
}

/// Whole days between two instants on the calendar of a zone.
fn days_between(zone: &Zone, from: Timestamp, to: Timestamp) -> i64 {
    i64::from((zone.day_of(to) - zone.day_of(from)).get_days())
}

proptest! {
    #[test]
    fn who_asks_later_is_never_due_earlier(
        regime in regimes(), zone in zones(), at in instants(), later in 0_i64..2_000,
    ) {
        let due = |at| dates(regime, &[(at, ClockEvent::Received), (at, ClockEvent::Extended)], zone.as_ref());
        let (first, second) = (due(at), due(hours(at, later)));
        prop_assert!(first.due_at <= second.due_at);
        prop_assert!(first.extended_to <= second.extended_to);
        prop_assert!(first.notice_by <= second.notice_by);
        prop_assert!(first.confirm_by <= second.confirm_by);
    }

    #[test]
    fn every_date_comes_after_the_receipt_and_ends_its_day(
        regime in regimes(), zone in zones(), at in instants(),
    ) {
        let found = dates(regime, &[(at, ClockEvent::Received), (at, ClockEvent::Extended)], zone.as_ref());
        let counted = zone.as_ref().unwrap_or(&regime.zone);
        for date in [Some(found.due_at), found.extended_to, found.notice_by, found.confirm_by] {
            let Some(date) = date else { continue };
            prop_assert!(date > at);
            prop_assert_eq!(counted.last_minute(counted.day_of(date)), date);
        }
        prop_assert!(found.holidays_known);
    }

    #[test]
    fn an_extension_gives_time_and_must_be_told_before_the_first_time_is_over(
        regime in regimes(), at in instants(),
    ) {
        let plain = dates(regime, &[(at, ClockEvent::Received)], None);
        let taken = dates(regime, &[(at, ClockEvent::Received), (hours(at, 24), ClockEvent::Extended)], None);
        prop_assert_eq!(plain.extended_to, None);
        prop_assert_eq!(taken.extended_to, plain.extendable_to);
        prop_assert_eq!(taken.extended_to.is_some(), regime.extension.is_some());
        prop_assert_eq!(taken.due_at, plain.due_at);
        prop_assert!(taken.due() >= taken.due_at);
        if let Some(extended_to) = taken.extended_to {
            prop_assert!(extended_to > taken.due_at);
            prop_assert!(taken.notice_by.unwrap() <= taken.due_at);
        }
    }

    #[test]
    fn what_rolls_lands_on_a_working_day_and_goes_no_further(regime in regimes(), at in instants()) {
        let last = regime.zone.day_of(dates(regime, &[(at, ClockEvent::Received)], None).due_at);
        let calendar = regime.holidays();
        let rolls = regime.rolls == Rolling::NextWorkingDay;
        if rolls || matches!(regime.respond, Period::BusinessDays(_)) {
            prop_assert!(calendar.is_working(last), "{} {}", regime.id, last);
        }
        if rolls {
            let plain = regime.respond.last_day(regime.zone.day_of(at), calendar).unwrap();
            let passed: Vec<Date> = plain.series(1.day()).take_while(|day| *day < last).collect();
            prop_assert!(passed.iter().all(|day| !calendar.is_working(*day)));
        }
    }

    #[test]
    fn a_pause_adds_exactly_its_days_where_the_law_knows_it_and_nothing_elsewhere(
        regime in regimes(), zone in zones(), at in instants(),
        reason in prop::sample::select(PauseReason::ALL.to_vec()),
        after in 0_i64..400, lasts in 0_i64..600,
    ) {
        // Without holidays and weekends in between, days can be compared.
        let regime = Regime { rolls: Rolling::Never, ..regime.clone() };
        let counted = zone.as_ref().unwrap_or(&regime.zone);
        let (from, to) = (hours(at, after), hours(at, after + lasts));
        let pause = [
            (at, ClockEvent::Received), (from, ClockEvent::Paused(reason)), (to, ClockEvent::Resumed),
        ];
        let plain = dates(&regime, &pause[..1], zone.as_ref());
        let paused = dates(&regime, &pause, zone.as_ref());
        let open = dates(&regime, &pause[..2], zone.as_ref());
        let known = regime.pauses.contains(&reason);
        let added = if known { days_between(counted, from, to) } else { 0 };
        prop_assert_eq!(days_between(counted, plain.due_at, paused.due_at), added);
        prop_assert_eq!(paused.confirm_by, plain.confirm_by);
        prop_assert_eq!(paused.paused_at, None);
        prop_assert_eq!(open.paused_at, known.then_some(from));
        prop_assert_eq!(open.due_at, plain.due_at, "the answer has not come: the earlier date stands");
    }

    #[test]
    fn the_order_in_which_events_are_told_does_not_matter(
        regime in regimes(), at in instants(), gaps in prop::collection::vec(1_i64..200, 5), seed in any::<u64>(),
    ) {
        let mut now = at;
        let mut events = vec![(at, ClockEvent::Received)];
        let pause = ClockEvent::Paused(PauseReason::Identity);
        for (gap, event) in gaps.iter().zip([
            ClockEvent::Verified, pause, ClockEvent::Resumed, ClockEvent::Extended, pause,
        ]) {
            now = hours(now, *gap);
            events.push((now, event));
        }
        let told = dates(regime, &events, None);
        let len = events.len();
        events.rotate_left(usize::try_from(seed % 6).unwrap() % len);
        prop_assert_eq!(dates(regime, &events, None), told);
    }

    #[test]
    fn beyond_the_holidays_dates_are_flagged_and_never_later(regime in regimes(), at in instants()) {
        // The same days of the week, 28 years later: holidays are not known there.
        let far = |at: Timestamp| hours(at, 24 * 365 * 28 + 24 * 7);
        let found = dates(regime, &[(far(at), ClockEvent::Received)], None);
        let weekly = regime.zone.day_of(found.due_at);
        let needs = regime.rolls == Rolling::NextWorkingDay
            || [Some(regime.respond), regime.confirm].into_iter().flatten()
                .any(|period| matches!(period, Period::BusinessDays(_)));
        prop_assert_eq!(found.holidays_known, !(needs && regime.calendar.is_some()));
        // Whatever holidays there will be: without any, the period ends at the earliest.
        prop_assert!(weekly >= regime.zone.day_of(far(at)));
    }
}

#[test]
fn without_a_receipt_there_is_no_date() {
    let regime = &Regime::all()[0];
    assert_eq!(regime.deadlines(&[], None), None);
}

const TABLE_DIGEST: &str = "c1341bcbc4e2e49113ae128bd664cb4f6f54274dbfd33bef05fa9feb50c5503b";
