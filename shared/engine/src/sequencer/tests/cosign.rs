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

impl World {
    /// Three witnesses, of which a policy's quorum is enough.
    fn three(&self, quorum: &str) -> MemoryWitnesses {
        let log = VerifierKey::parse(self.signer.log_vkey()).unwrap();
        let three = MemoryWitnesses::new(3, log, self.faults.clone()).unwrap();
        let policy = self.quorum_text(&three, quorum);
        three.with_policy(quittance_tlog::policy::Policy::parse(&policy).unwrap())
    }

    fn quorum_text(&self, witnesses: &MemoryWitnesses, quorum: &str) -> String {
        let log = format!("log {}\n", self.signer.log_vkey());
        let named = ["A", "B", "C"].iter().zip(witnesses.vkeys());
        let lines = named.map(|(name, vkey)| format!("witness {name} {vkey}\n"));
        let lines: Vec<String> = std::iter::once(log).chain(lines).collect();
        lines.concat() + quorum
    }

    /// The receipt of acceptance `n`, judged under a policy with this quorum.
    fn satisfies(&self, n: u16, witnesses: &MemoryWitnesses, quorum: &str) -> bool {
        let strict = policy_text(
            &VerifierKey::parse(self.signer.log_vkey()).unwrap(),
            &[],
            &[PolicySigner {
                name: Slug::parse("receipts").unwrap(),
                key: ReceiptKey::from_spki_pem(self.signer.statement_key_pem()).unwrap(),
            }],
        );
        let signer = strict.unwrap().lines().last().unwrap().to_owned();
        let text = format!("{}{signer}\n", self.quorum_text(witnesses, quorum));
        let file = receipt_of(&self.evidence, &leaf(n)).now_or_never().unwrap();
        verify(&file.unwrap().unwrap(), &Policy::parse(&text).unwrap()).ok
    }

    fn lines_published(&self) -> usize {
        let files = self.tiles.everything();
        let note = quittance_tlog::Note::parse(&files["checkpoint"]).unwrap();
        note.signatures().len()
    }
}

/// Whether witnesses that are there are a quorum.
type Oracle = fn([bool; 3]) -> bool;

const TWO_OF_THREE: &str = "group all-of-them 2 A B C\nquorum all-of-them\n";
const A_AND_ANY: &str = "group rest any B C\ngroup both all A rest\nquorum both\n";
const ALL: &str = "group all-of-them all A B C\nquorum all-of-them\n";

#[test]
fn any_quorum_upgrades_exactly_when_the_witnesses_there_are_one() {
    // The naive oracle, over all subsets of witnesses that are there.
    let oracles: [(&str, Oracle); 4] = [
        (TWO_OF_THREE, |[a, b, c]| {
            [a, b, c].iter().filter(|there| **there).count() >= 2
        }),
        (A_AND_ANY, |[a, b, c]| a && (b || c)),
        (ALL, |[a, b, c]| a && b && c),
        // Nobody is asked for, but a receipt without any cosignature is no upgrade.
        ("quorum none\n", |[a, b, c]| a || b || c),
    ];
    for (quorum, oracle) in oracles {
        for subset in 0..8_u8 {
            let there = [0, 1, 2].map(|n| subset & (1 << n) != 0);
            let world = World::with_leaves(2);
            let witnesses = world.three(quorum);
            for (n, there) in there.iter().enumerate() {
                witnesses.set_away(n, !there);
            }
            let cosigned = world.cosign(&witnesses).unwrap().unwrap();
            let expected = oracle(there);
            assert_eq!(cosigned.size.is_some(), expected, "{quorum} {there:?}");
            assert_eq!(cosigned.upgraded, if expected { 2 } else { 0 });
            let count = there.iter().filter(|there| **there).count();
            assert_eq!(cosigned.away.len(), 3 - count);
            assert_eq!(
                world.lines_published(),
                if expected { 1 + count } else { 1 }
            );
            if expected {
                assert!((0..2).all(|n| world.satisfies(n, &witnesses, quorum)));
            }
            assert_eq!(world.satisfies(0, &witnesses, ALL), expected && count == 3);
            world.check();
        }
    }
}

#[test]
fn a_line_that_comes_after_the_quorum_is_published_and_no_receipt_is_stored_again() {
    let world = World::with_leaves(3);
    let witnesses = world.three(TWO_OF_THREE);
    witnesses.set_away(0, true);
    let cosigned = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(3), 3));
    assert_eq!(world.lines_published(), 3);
    let before = world.evidence.everything();
    witnesses.set_away(0, false);
    let cosigned = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(3), 0));
    assert!(cosigned.away.is_empty());
    assert_eq!(world.lines_published(), 4);
    assert_eq!(world.evidence.everything(), before);
    assert!(!world.satisfies(0, &witnesses, ALL));
    // What is sequenced from then on has all three lines.
    world.add(3);
    let cosigned = world.wake(&witnesses).unwrap().unwrap();
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(4), 1));
    assert!(world.satisfies(3, &witnesses, ALL));
    world.check();
}

#[test]
fn an_alarm_is_told_though_there_is_a_quorum_without_it() {
    let world = World::with_leaves(3);
    let witnesses = world.three(TWO_OF_THREE);
    let root = Hash::new([9; 32]);
    witnesses.show(1, Seen { size: 3, root });
    let cosigned = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!(cosigned.alarms.len(), 1);
    // Its word is not signed: one of three cannot keep the others' receipts back.
    assert_eq!((cosigned.size, cosigned.upgraded), (Some(3), 3));
    let again = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!((again.alarms.len(), again.upgraded), (1, 0));
    // Negative control: two alarms leave no quorum.
    let world = World::with_leaves(3);
    let witnesses = world.three(TWO_OF_THREE);
    witnesses.show(1, Seen { size: 3, root });
    witnesses.show(2, Seen { size: 3, root });
    let cosigned = world.cosign(&witnesses).unwrap().unwrap();
    assert_eq!((cosigned.alarms.len(), cosigned.size), (2, None));
    world.check();
}

#[test]
fn a_policy_that_can_never_be_met_is_refused_and_not_waited_for() {
    let world = World::with_leaves(1);
    let log = VerifierKey::parse(world.signer.log_vkey()).unwrap();
    let three = MemoryWitnesses::new(3, log.clone(), world.faults.clone()).unwrap();
    let text = world.quorum_text(&three, ALL);
    let policy = quittance_tlog::policy::Policy::parse(&text).unwrap();
    // Only two of the three are ever asked.
    let two = world.witnesses().with_policy(policy);
    assert!(matches!(
        world.cosign(&two).unwrap(),
        Err(Fault::Reject { .. })
    ));
    let text = text.replacen(&format!("log {log}\n"), "", 1);
    let policy = quittance_tlog::policy::Policy::parse(&text).unwrap();
    let three = three.with_policy(policy);
    assert!(matches!(
        world.cosign(&three).unwrap(),
        Err(Fault::Reject { .. })
    ));
    world.check();
}

#[test]
fn whatever_call_breaks_a_quorum_makes_it_good_next_time() {
    for injection in [Injection::FailAfter, Injection::CrashAfter] {
        for n in 0.. {
            let world = World::with_leaves(2);
            let witnesses = world.three(TWO_OF_THREE);
            witnesses.set_away(2, true);
            let before = world.faults.calls();
            world.fail_at(n, injection);
            drop(world.cosign(&witnesses));
            let made = world.faults.calls() - before;
            world.check();
            world.faults.calm();
            let cosigned = world.cosign(&witnesses).unwrap().unwrap();
            assert_eq!(cosigned.size, Some(2), "{injection:?} {n}: {cosigned:?}");
            assert!((0..2).all(|n| world.satisfies(n, &witnesses, TWO_OF_THREE)));
            world.check();
            if n > made {
                break;
            }
        }
    }
}
