//! Receipts are proven anew under a changed key of the log, so that the earlier one can be withdrawn.

use quittance_core::receipt::ReceiptFile;
use quittance_tlog::VerifierKey;

use super::super::renew::Renewed;
use super::super::{EarlierKeys, Refused, receipt_of};
use super::*;
use crate::memory::witnesses::MemoryWitnesses;
use crate::ports::{Signer as _, Witnesses};
use crate::statement::Handler as Software;

impl World {
    fn renew(&self, witnesses: Option<&dyn Witnesses>) -> Option<Result<Renewed, Fault>> {
        let far = self.clock.now() + SignedDuration::from_hours(9);
        self.drive(self.sequencer().renew(witnesses, &self.clock, far))
    }

    fn renewed_files(&self) -> usize {
        let files = self.evidence.everything();
        files
            .keys()
            .filter(|path| path.starts_with("renewed/"))
            .count()
    }
}

/// A log of four leaves, the last one under the changed key.
fn changed() -> World {
    let mut world = World::with_leaves(3);
    world.deploy(1, 2);
    world.add(3);
    world.finish(4);
    world
}

#[test]
fn every_receipt_is_proven_anew_once_and_the_earlier_key_can_be_withdrawn() {
    let mut world = World::with_leaves(3);
    world.deploy(1, 2);
    // The published checkpoint is still under the earlier key: the next leaf changes that.
    assert_eq!(world.renew(None), Some(Ok(Renewed::default())));
    world.add(3);
    world.finish(4);
    let renewed = world.renew(None).unwrap().unwrap();
    assert_eq!(
        (renewed.renewed, renewed.size, renewed.is_complete),
        (3, 4, true)
    );
    world.check();
    let again = world.renew(None).unwrap().unwrap();
    assert_eq!((again.renewed, again.size, again.is_complete), (0, 4, true));
    assert_eq!(world.renewed_files(), 3);
    // Withdrawn, the log runs on, and every receipt verifies without it.
    let told = std::mem::take(&mut world.config.earlier);
    world.add(4);
    assert_eq!(world.run().unwrap().unwrap().sequenced, 1);
    assert_eq!(world.verifying(5, &world.policy_of_the_present_log()), 5);
    world.config.earlier = told;
    world.finish(5);
}

#[test]
fn the_receipts_of_before_stay_where_they_are() {
    let world = changed();
    let before = world.evidence.everything();
    world.renew(None).unwrap().unwrap();
    let after = world.evidence.everything();
    assert!(
        before
            .iter()
            .all(|(path, bytes)| after.get(path) == Some(bytes))
    );
    let newest = receipt_of(&world.evidence, &leaf(0))
        .now_or_never()
        .unwrap();
    let newest = newest.unwrap().unwrap();
    assert_ne!(before.get(&paths::receipt(&leaf(0))), Some(&newest));
    let proof = ReceiptFile::parse(&newest).unwrap().proof().unwrap();
    assert_eq!(proof.checkpoint.text().lines().nth(1), Some("4"));
}

#[test]
fn whatever_call_breaks_the_next_run_goes_on() {
    for injection in [
        Injection::FailBefore,
        Injection::FailAfter,
        Injection::CrashBefore,
        Injection::CrashAfter,
    ] {
        for n in 0.. {
            let world = changed();
            let before = world.faults.calls();
            world.fail_at(n, injection);
            drop(world.renew(None));
            let made = world.faults.calls() - before;
            world.check();
            world.faults.calm();
            assert!(
                world.renew(None).unwrap().unwrap().is_complete,
                "{injection:?} {n}"
            );
            world.check();
            assert_eq!(world.verifying(4, &world.policy_of_the_present_log()), 4);
            assert_eq!(world.renewed_files(), 3);
            if n > made {
                assert!(n > 15, "{n} calls");
                break;
            }
        }
    }
}

#[test]
fn a_run_is_bounded_by_its_time_and_the_next_one_goes_on_there() {
    let mut world = World::with_leaves(0);
    world.config.batch = 2;
    (0..10).for_each(|n| world.add(n));
    world.finish(10);
    world.deploy(1, 2);
    world.add(10);
    world.finish(11);
    let mut sizes = Vec::new();
    loop {
        world.faults.record();
        let now = world.clock.now();
        let renewed = world.drive(world.sequencer().renew(None, &world.clock, now));
        let renewed = renewed.unwrap().unwrap();
        assert!(
            world.faults.trace().len() < 60,
            "{}",
            world.faults.trace().len()
        );
        sizes.push(renewed.size);
        if renewed.is_complete {
            break;
        }
        assert_eq!(renewed.renewed, 2);
    }
    assert_eq!(sizes, [2, 4, 6, 8, 10, 11]);
    world.check();
    assert_eq!(world.verifying(11, &world.policy_of_the_present_log()), 11);
}

#[test]
fn a_second_change_proves_everything_anew_once_more() {
    let mut world = changed();
    world.renew(None).unwrap().unwrap();
    world.deploy(3, 3);
    world.add(4);
    world.finish(5);
    let renewed = world.renew(None).unwrap().unwrap();
    assert_eq!((renewed.renewed, renewed.is_complete), (4, true));
    world.check();
    assert_eq!(world.verifying(5, &world.policy_of_the_present_log()), 5);
    assert_eq!(world.renewed_files(), 7);
}

#[test]
fn a_change_that_is_taken_back_and_made_again_proves_everything_anew_each_time() {
    let mut world = World::with_leaves(3);
    let mut count = 3;
    // The new key is told before anybody signs with it: nothing is to be done, and that is marked, too.
    world.deploy(1, 2);
    world.deploy(1, 1);
    assert!(world.renew(None).unwrap().unwrap().is_complete);
    for log in [2, 1, 2] {
        world.deploy(1, log);
        world.add(count);
        count += 1;
        world.finish(count);
        let renewed = world.renew(None).unwrap().unwrap();
        assert_eq!(
            (renewed.renewed, renewed.is_complete),
            (u64::from(count) - 1, true)
        );
        world.check();
        let verifying = world.verifying(count, &world.policy_of_the_present_log());
        assert_eq!(verifying, usize::from(count));
    }
}

#[test]
fn what_cannot_be_proven_anew_is_told_every_time() {
    let mut world = World::with_leaves(2);
    world.deploy(2, 2);
    world.add(2);
    world.finish(3);
    // The log's earlier key was told, the statement key's was forgotten.
    let log = world.config.earlier.logs().first().unwrap().to_string();
    let told = std::mem::replace(
        &mut world.config.earlier,
        EarlierKeys::parse("", &log).unwrap(),
    );
    for _ in 0..2 {
        let renewed = world.renew(None).unwrap().unwrap();
        let refused: Vec<&Refused> = renewed.refused.iter().collect();
        assert_eq!(
            (renewed.renewed, refused.len(), renewed.is_complete),
            (0, 2, false)
        );
    }
    world.config.earlier = told;
    let renewed = world.renew(None).unwrap().unwrap();
    assert_eq!((renewed.renewed, renewed.is_complete), (2, true));
    world.check();
}

#[test]
fn a_restored_ledger_learns_a_place_though_the_first_key_was_withdrawn() {
    let mut world = changed();
    world.renew(None).unwrap().unwrap();
    world.ledger.tamper(&Key::Leaf(leaf(1)), |item| {
        if let Item::Leaf(leaf) = item {
            leaf.sequenced = None;
        }
    });
    let row = OutboxRow {
        leaf: leaf(1),
        at: world.clock.now(),
        statement: Digest::of(&statement(1)),
    };
    world.commit(&[Write::Create(Item::Outbox(row))]);
    let told = std::mem::take(&mut world.config.earlier);
    let progress = world.run().unwrap().unwrap();
    assert_eq!((progress.sequenced, progress.refused), (0, vec![]));
    world.config.earlier = told;
    assert_eq!(world.leaf(1).sequenced.unwrap().index, 1);
    world.finish(4);
}

fn witnesses(world: &World) -> MemoryWitnesses {
    let logs = std::iter::once(world.signer.log_vkey().to_owned());
    let earlier = world.config.earlier.logs().iter().map(ToString::to_string);
    let mut logs = logs
        .chain(earlier)
        .map(|vkey| VerifierKey::parse(&vkey).unwrap());
    let first = logs.next().unwrap();
    let two = MemoryWitnesses::new(2, first, world.faults.clone()).unwrap();
    logs.fold(two, MemoryWitnesses::trusting)
}

#[test]
fn witnesses_follow_a_changed_key_and_what_is_proven_anew_has_their_lines() {
    let mut world = World::with_leaves(2);
    world.deploy(2, 1);
    // What an earlier statement key signed is upgraded like everything else.
    let two = witnesses(&world);
    let cosigned = world.drive(world.sequencer().cosign(&two, &world.clock));
    let cosigned = cosigned.unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(2), 2));
    world.check();
    world.deploy(2, 2);
    world.add(2);
    world.finish(3);
    // The new key is not known to them yet: the log waits for its quorum, and proves nothing anew.
    let cosigned = world.drive(world.sequencer().cosign(&two, &world.clock));
    assert_eq!(cosigned.unwrap().unwrap().away.len(), 2);
    let waiting = world.renew(Some(&two)).unwrap().unwrap();
    assert_eq!((waiting.renewed, waiting.is_complete), (0, false));
    let two = two.trusting(VerifierKey::parse(world.signer.log_vkey()).unwrap());
    let cosigned = world.drive(world.sequencer().cosign(&two, &world.clock));
    let cosigned = cosigned.unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(3), 1));
    let renewed = world.renew(Some(&two)).unwrap().unwrap();
    assert_eq!((renewed.renewed, renewed.is_complete), (2, true));
    world.check();
    assert_eq!(world.verifying(3, &world.policy_of_the_present_log()), 3);
    for n in 0..3 {
        let file = receipt_of(&world.evidence, &leaf(n))
            .now_or_never()
            .unwrap();
        let proof = ReceiptFile::parse(&file.unwrap().unwrap())
            .unwrap()
            .proof()
            .unwrap();
        assert_eq!(proof.checkpoint.signatures().len(), 3, "{n}");
    }
}

#[test]
fn manifests_go_on_under_a_changed_key() {
    let mut world = World::with_leaves(2);
    let by = Software {
        version: "0.1.0".to_owned(),
        artifact: None,
    };
    for (statement, log) in [(1, 1), (2, 1), (2, 2)] {
        if (statement, log) != (1, 1) {
            world.deploy(statement, log);
        }
        world.clock.advance(SignedDuration::from_hours(24));
        world
            .drive(world.sequencer().account(&world.clock, &by))
            .unwrap()
            .unwrap();
        assert_eq!(world.run().unwrap().unwrap().sequenced, 1);
        world.check();
    }
    // The day's manifest is all it takes to put the log under the new key.
    assert!(world.renew(None).unwrap().unwrap().is_complete);
    world.check();
    assert_eq!(world.verifying(2, &world.policy_of_the_present_log()), 2);
}
