//! Time stamps are asked for in nobody's way, judged before they are kept, and kept once.

use quittance_core::receipt::{ReceiptFile, verify_timestamp};

use super::super::stamp::Stamping;
use super::*;
use crate::memory::time_authority::Mood;
use crate::statement::Handler as Software;

impl World {
    fn stamp(&self) -> Option<Result<Stamping, Fault>> {
        let sequencer = self.sequencer();
        self.drive(sequencer.stamp(&self.authority, &self.clock, Timestamp::MAX))
    }

    /// When acceptance `n` was stamped, by its receipt and the file beside it.
    fn stamped_at(&self, n: u16) -> Option<Timestamp> {
        let files = self.evidence.everything();
        let stamp = files.get(&paths::timestamp(&leaf(n)))?;
        let receipt = ReceiptFile::parse(&files[&paths::receipt(&leaf(n))]).unwrap();
        let stamped = verify_timestamp(&receipt, stamp, self.authority.anchors()).unwrap();
        assert_eq!(stamped.authority, "CN=authority.test");
        Some(stamped.at)
    }

    fn stamps(&self) -> usize {
        let files = self.evidence.everything().into_keys();
        files.filter(|path| path.starts_with("timestamps/")).count()
    }

    /// Makes the day's manifest, and sequences everything.
    fn close_the_day(&self) {
        let by = Software {
            version: "0.1.0".to_owned(),
            artifact: None,
        };
        self.clock.advance(SignedDuration::from_hours(24));
        self.run().unwrap().unwrap();
        let made = self.sequencer();
        let made = self.drive(made.account(&self.clock, &by));
        made.unwrap().unwrap();
        self.run().unwrap().unwrap();
    }
}

fn stamped(count: u64) -> Stamping {
    Stamping {
        stamped: count,
        ..Stamping::default()
    }
}

#[test]
fn every_receipt_is_stamped_once_and_tells_when() {
    let world = World::with_leaves(3);
    assert_eq!(world.stamp(), Some(Ok(stamped(3))));
    let now = world.clock.now();
    assert!((0..3).all(|n| world.stamped_at(n) == Some(now)));
    world.check();
    let before = world.evidence.everything();
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(world.stamp(), Some(Ok(stamped(0))));
    assert_eq!(world.evidence.everything(), before);
    assert_eq!(world.authority.given(), 3);
    world.add(3);
    world.run().unwrap().unwrap();
    assert_eq!(world.stamp(), Some(Ok(stamped(1))));
    assert_eq!(world.stamped_at(3), Some(world.clock.now()));
    world.check();
}

#[test]
fn an_authority_that_is_away_or_babbles_or_refuses_is_asked_again() {
    for (mood, why) in [
        (Mood::Away, "away"),
        (Mood::Babbles, "no answer"),
        (Mood::Refuses, "refused to stamp, with status 2"),
    ] {
        let world = World::with_leaves(2);
        world.authority.set_mood(mood);
        let stamping = world.stamp().unwrap().unwrap();
        assert!(stamping.away.unwrap().contains(why), "{mood:?}");
        assert_eq!((stamping.stamped, stamping.alarm), (0, None), "{mood:?}");
        assert_eq!(
            world.authority.given(),
            1,
            "asked once, and then left alone"
        );
        assert_eq!(world.stamps(), 0);
        world.authority.set_mood(Mood::Honest);
        assert_eq!(world.stamp(), Some(Ok(stamped(2))));
        world.check();
    }
}

#[test]
fn an_answer_that_does_not_hold_is_an_alarm_and_is_not_kept() {
    for (mood, why) in [
        (Mood::OtherData, "about something else"),
        (Mood::OtherNonce, "another question"),
        (Mood::OtherKey, "nobody whom you trust"),
        (Mood::Late, "asked at 2026-11-23T20:00:02Z"),
    ] {
        let world = World::with_leaves(2);
        world.authority.set_mood(mood);
        let stamping = world.stamp().unwrap().unwrap();
        let (id, said) = stamping.alarm.unwrap();
        assert!(id == leaf(0) && said.contains(why), "{mood:?}: {said}");
        assert_eq!((stamping.stamped, stamping.away), (0, None), "{mood:?}");
        assert_eq!(world.stamps(), 0, "{mood:?}");
        world.authority.set_mood(Mood::Honest);
        assert_eq!(world.stamp(), Some(Ok(stamped(2))));
        world.check();
    }
}

#[test]
fn a_run_does_no_more_than_it_may_and_the_next_one_goes_on() {
    let world = World::with_leaves(130);
    let first = world.stamp().unwrap().unwrap();
    assert_eq!((first.stamped, first.is_more), (128, true));
    assert_eq!(world.stamp(), Some(Ok(stamped(2))));
    world.add(130);
    world.run().unwrap().unwrap();
    // The time is out before anything was asked.
    let sequencer = world.sequencer();
    let late = world.drive(sequencer.stamp(&world.authority, &world.clock, Timestamp::MIN));
    let late = late.unwrap().unwrap();
    assert_eq!((late.stamped, late.is_more), (0, true));
    assert_eq!(world.stamp(), Some(Ok(stamped(1))));
    assert_eq!(world.authority.given(), 131);
    world.check();
}

#[test]
fn stamping_goes_on_from_the_last_manifest_and_reads_little_of_what_is_done() {
    let world = World::with_leaves(3);
    for day in 0..3 {
        world.add(3 + day);
        world.close_the_day();
        let expected = if day == 0 { 5 } else { 2 };
        assert_eq!(world.stamp(), Some(Ok(stamped(expected))));
        world.check();
    }
    world.faults.record();
    assert_eq!(world.stamp(), Some(Ok(stamped(0))));
    let trace = world.faults.trace();
    let reads = trace.iter().filter(|name| **name == "evidence.read");
    assert!(reads.count() < 10, "{trace:?}");
    assert!(!trace.contains(&"authority.stamp"));
}

#[test]
fn what_cannot_be_stamped_keeps_nothing_else_from_it() {
    let world = World::with_leaves(3);
    world.evidence.lose(&paths::envelope(&leaf(1)));
    assert_eq!(world.stamp(), Some(Ok(stamped(2))));
    assert!(world.stamped_at(0).is_some() && world.stamped_at(2).is_some());
}

#[test]
fn whatever_call_breaks_nothing_is_lost_and_the_next_run_makes_it_good() {
    for injection in [
        Injection::FailBefore,
        Injection::FailAfter,
        Injection::CrashBefore,
        Injection::CrashAfter,
    ] {
        for n in 0.. {
            let world = World::with_leaves(2);
            let before = world.faults.calls();
            world.fail_at(n, injection);
            drop(world.stamp());
            let made = world.faults.calls() - before;
            world.check();
            world.faults.calm();
            let again = world.stamp().unwrap().unwrap();
            assert_eq!(
                (again.away, again.alarm, again.is_more),
                (None, None, false)
            );
            assert!(
                (0..2).all(|n| world.stamped_at(n).is_some()),
                "{injection:?} {n}"
            );
            assert_eq!(world.stamps(), 2);
            world.check();
            if n > made {
                assert!(n > 10, "{n} calls");
                break;
            }
        }
    }
}

#[test]
fn sequencing_and_stamping_at_once_does_no_harm_and_the_first_answer_stays() {
    for seed in 0..40 {
        let world = World::with_leaves(2);
        world.add(2);
        world.faults.interleave(true);
        let sequencers = [world.sequencer(), world.sequencer(), world.sequencer()];
        let [sequencer, one, two] = &sequencers;
        let mut chance = seed;
        let stamps = |sequencer: &'_ Sequencer| {
            let sequencer = sequencer.clone();
            let (authority, clock) = (world.authority.clone(), world.clock.clone());
            async move {
                let stamped = sequencer.stamp(&authority, &clock, Timestamp::MAX);
                drop(stamped.await);
            }
            .boxed()
        };
        let mut running = vec![
            async { drop(sequencer.run().await) }.boxed(),
            stamps(one),
            stamps(two),
        ];
        let mut context = Context::from_waker(Waker::noop());
        while !running.is_empty() {
            let pick = crate::memory::clock::split_mix(&mut chance);
            let pick = usize::try_from(pick % 3).unwrap() % running.len();
            if running[pick].as_mut().poll(&mut context).is_ready() {
                drop(running.remove(pick));
            }
        }
        drop(running);
        world.check();
        let kept = world.evidence.everything();
        world.finish(3);
        assert!(world.stamp().unwrap().is_ok());
        assert!((0..3).all(|n| world.stamped_at(n).is_some()), "{seed}");
        for (path, bytes) in kept {
            assert_eq!(world.evidence.everything()[&path], bytes, "{seed}: {path}");
        }
        world.check();
    }
}

#[test]
fn a_time_stamp_that_does_not_hold_is_seen() {
    let expected = |n| {
        let path = paths::timestamp(&leaf(n));
        [format!("{path} is no time stamp of the receipt beside it")]
    };
    let world = World::with_leaves(2);
    world.stamp().unwrap().unwrap();
    world.evidence.tamper(&paths::timestamp(&leaf(0)), |bytes| {
        *bytes.last_mut().unwrap() ^= 1;
    });
    assert_eq!(world.complaints(), expected(0));
    // Another receipt's, and one without a receipt.
    let world = World::with_leaves(2);
    world.stamp().unwrap().unwrap();
    let other = world.evidence.everything()[&paths::timestamp(&leaf(1))].clone();
    world.evidence.tamper(&paths::timestamp(&leaf(0)), |bytes| {
        bytes.clone_from(&other);
    });
    assert_eq!(world.complaints(), expected(0));
    let world = World::with_leaves(2);
    let place = paths::timestamp(&leaf(9));
    let kept = world.evidence.keep(&place, &other);
    assert!(kept.now_or_never().unwrap().is_ok());
    assert_eq!(world.complaints(), expected(9));
}
