//! Witnesses are asked in nobody's way, receipts are upgraded, and two histories are an alarm.

use quittance_core::receipt::{Policy, PolicySigner, ReceiptFile, ReceiptKey, policy_text, verify};
use quittance_tlog::witness::Seen;
use quittance_tlog::{Hash, VerifierKey};

use super::super::cosign::Cosigned;
use super::super::receipt_of;
use super::*;
use crate::memory::witnesses::MemoryWitnesses;
use crate::ports::{Signer as _, Witnesses as _};
use crate::statement::Handler as Software;

impl World {
    fn witnesses(&self) -> MemoryWitnesses {
        let log = VerifierKey::parse(self.signer.log_vkey()).unwrap();
        MemoryWitnesses::new(2, log, self.faults.clone()).unwrap()
    }

    fn cosign(&self, witnesses: &MemoryWitnesses) -> Option<Result<Cosigned, Fault>> {
        self.drive(self.sequencer().cosign(witnesses, &self.clock))
    }

    /// What the receipts function does when it wakes.
    fn wake(&self, witnesses: &MemoryWitnesses) -> Option<Result<Cosigned, Fault>> {
        if !self.run()?.is_ok_and(|progress| progress.next.is_none()) {
            return None;
        }
        self.cosign(witnesses)
    }

    /// Whether the receipt of acceptance `n` satisfies a policy that asks for both witnesses.
    fn is_witnessed(&self, n: u16, witnesses: &MemoryWitnesses) -> bool {
        let file = receipt_of(&self.evidence, &leaf(n)).now_or_never().unwrap();
        let file = file.unwrap().unwrap();
        assert!(ReceiptFile::parse(&file).is_ok());
        verify(&file, &self.strict(witnesses)).ok
    }

    fn strict(&self, witnesses: &MemoryWitnesses) -> Policy {
        let signer = PolicySigner {
            name: Slug::parse("receipts").unwrap(),
            key: ReceiptKey::from_spki_pem(self.signer.statement_key_pem()).unwrap(),
        };
        let log = VerifierKey::parse(self.signer.log_vkey()).unwrap();
        let keys = witnesses
            .vkeys()
            .iter()
            .map(|vkey| VerifierKey::parse(vkey).unwrap());
        let keys: Vec<VerifierKey> = keys.collect();
        Policy::parse(&policy_text(&log, &keys, &[signer]).unwrap()).unwrap()
    }

    /// Whether the published checkpoint satisfies it.
    fn is_published_witnessed(&self, witnesses: &MemoryWitnesses) -> bool {
        let files = self.tiles.everything();
        let note = quittance_tlog::Note::parse(&files["checkpoint"]).unwrap();
        self.strict(witnesses).log_policy().evaluate(&note).is_ok()
    }
}

#[test]
fn receipts_are_there_at_once_and_upgraded_when_all_have_cosigned() {
    let world = World::with_leaves(3);
    let witnesses = world.witnesses();
    assert!(!world.is_witnessed(0, &witnesses));
    let cosigned = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(3), 3));
    assert!((0..3).all(|n| world.is_witnessed(n, &witnesses)));
    assert!(world.is_published_witnessed(&witnesses));
    world.check();
    // Again, nothing is new; then the log grows, and what is old is left as it is.
    let again = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!((again.size, again.upgraded), (Some(3), 0));
    world.add(3);
    let cosigned = world.wake(&witnesses).unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(4), 1));
    assert!(world.is_witnessed(3, &witnesses) && world.is_published_witnessed(&witnesses));
    world.check();
}

#[test]
fn a_witness_that_is_away_delays_only_its_cosignature() {
    let world = World::with_leaves(2);
    let witnesses = world.witnesses();
    witnesses.set_away(1, true);
    for n in 2..5 {
        world.add(n);
        let cosigned = world.wake(&witnesses).unwrap().unwrap();
        assert_eq!((cosigned.size, cosigned.away.len()), (None, 1));
        assert!(
            world
                .evidence
                .everything()
                .contains_key(&paths::receipt(&leaf(n)))
        );
        assert!(!world.is_witnessed(n, &witnesses));
        world.check();
    }
    witnesses.set_away(1, false);
    let cosigned = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(5), 5));
    assert!((0..5).all(|n| world.is_witnessed(n, &witnesses)));
    world.check();
}

#[test]
fn a_witness_that_saw_another_history_is_an_alarm() {
    for (size, status) in [(2, 422), (3, 409), (9, 409)] {
        let world = World::with_leaves(3);
        let witnesses = world.witnesses();
        let root = Hash::new([7; 32]);
        witnesses.show(0, Seen { size, root });
        let cosigned = world.cosign(&witnesses).unwrap().unwrap();
        assert_eq!(
            cosigned.alarms,
            [("witness1.test".to_owned(), status)],
            "{size}"
        );
        assert_eq!((cosigned.size, cosigned.upgraded), (None, 0));
        assert!(!world.is_published_witnessed(&witnesses));
        world.check();
    }
}

#[test]
fn upgrading_goes_on_from_the_last_manifest() {
    let world = World::with_leaves(3);
    let witnesses = world.witnesses();
    let by = Software {
        version: "0.1.0".to_owned(),
        artifact: None,
    };
    for day in 0..3 {
        world.clock.advance(SignedDuration::from_hours(24));
        world.add(3 + day);
        world.run().unwrap().unwrap();
        world
            .drive(world.sequencer().account(&world.clock, &by))
            .unwrap()
            .unwrap();
        let cosigned = world.wake(&witnesses).unwrap().unwrap();
        assert_eq!(cosigned.upgraded, if day == 0 { 5 } else { 2 });
        world.check();
    }
    // What the last upgraded manifest accounts for is not even looked at.
    let said = world
        .evidence
        .everything()
        .into_keys()
        .filter(|path| path.starts_with("said/"));
    assert_eq!(said.count(), 7);
    world.faults.record();
    world.cosign(&witnesses).unwrap().unwrap();
    let reads = world
        .faults
        .trace()
        .into_iter()
        .filter(|name| *name == "evidence.read");
    assert!(reads.count() < 10);
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
            let witnesses = world.witnesses();
            let before = world.faults.calls();
            world.fail_at(n, injection);
            drop(world.cosign(&witnesses));
            let made = world.faults.calls() - before;
            world.check();
            world.faults.calm();
            let cosigned = world.cosign(&witnesses).unwrap().unwrap();
            assert_eq!(cosigned.size, Some(2), "{injection:?} {n}: {cosigned:?}");
            assert!(
                (0..2).all(|n| world.is_witnessed(n, &witnesses)),
                "{injection:?} {n}"
            );
            assert!(world.is_published_witnessed(&witnesses));
            world.check();
            if n > made {
                assert!(n > 15, "{n} calls");
                break;
            }
        }
    }
}

#[test]
fn sequencing_and_asking_at_once_does_no_harm() {
    for seed in 0..40 {
        let world = World::with_leaves(2);
        let witnesses = world.witnesses();
        world.add(2);
        world.add(3);
        world.faults.interleave(true);
        let (sequencer, asking) = (world.sequencer(), world.sequencer());
        let mut chance = seed;
        let mut one: std::pin::Pin<Box<dyn Future<Output = ()> + '_>> =
            Box::pin(async { drop(sequencer.run().await) });
        let mut two: std::pin::Pin<Box<dyn Future<Output = ()> + '_>> =
            Box::pin(async { drop(asking.cosign(&witnesses, &world.clock).await) });
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (false, false);
        while !first || !second {
            let pick = crate::memory::clock::split_mix(&mut chance).is_multiple_of(2);
            if (pick || second) && !first {
                first = one.as_mut().poll(&mut context).is_ready();
            } else if !second {
                second = two.as_mut().poll(&mut context).is_ready();
            }
        }
        world.check();
        world.finish(4);
        let cosigned = world.cosign(&witnesses).unwrap().unwrap();
        assert_eq!(cosigned.size, Some(4), "{seed}: {cosigned:?}");
        assert!((0..4).all(|n| world.is_witnessed(n, &witnesses)), "{seed}");
        world.check();
    }
}
