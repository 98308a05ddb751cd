//! Either key is changed at any moment: nothing is lost, doubled or halted, and earlier keys sign no more.

use std::pin::Pin;

use data_encoding::BASE64;
use quittance_core::receipt::{Policy, PolicySigner, ReceiptKey, policy_text_of, verify};
use quittance_tlog::{Checkpoint, Ed25519Signer, KeyKind, VerifierKey};

use super::super::{EarlierKeys, receipt_of};
use super::*;
use crate::memory::clock::split_mix;
use crate::ports::{Head, Signer as _};

impl World {
    /// Goes on with the keys of these seeds; whichever is another than before is told as earlier. Returns
    /// the signer of before.
    pub(super) fn deploy(&mut self, statement: u64, log: u64) -> Arc<MemorySigner> {
        let new = MemorySigner::of_seeds(ORIGIN, statement, log, self.faults.clone()).unwrap();
        let before = std::mem::replace(&mut self.signer, Arc::new(new));
        self.config.earlier = with(&self.config.earlier, &before, &self.signer);
        before
    }

    /// What a reader holds who believes every statement key, and of the log's keys the present one.
    pub(super) fn policy_of_the_present_log(&self) -> Policy {
        let log = VerifierKey::parse(self.signer.log_vkey()).unwrap();
        self.policy_of(&[log])
    }

    pub(super) fn policy_of_both_logs(&self) -> Policy {
        let mut logs = vec![VerifierKey::parse(self.signer.log_vkey()).unwrap()];
        logs.extend_from_slice(self.config.earlier.logs());
        self.policy_of(&logs)
    }

    fn policy_of(&self, logs: &[VerifierKey]) -> Policy {
        let mut keys = vec![key_of(&self.signer)];
        keys.extend_from_slice(self.config.earlier.statements());
        let named = (1..).zip(keys).map(|(n, key)| PolicySigner {
            name: Slug::parse(&format!("receipts-{n}")).unwrap(),
            key,
        });
        let named: Vec<PolicySigner> = named.collect();
        Policy::parse(&policy_text_of(logs, &[], &[], &named).unwrap()).unwrap()
    }

    /// How many of the first `count` newest receipts verify under a policy.
    pub(super) fn verifying(&self, count: u16, policy: &Policy) -> usize {
        let verifies = |n: &u16| {
            let file = receipt_of(&self.evidence, &leaf(*n))
                .now_or_never()
                .unwrap();
            verify(&file.unwrap().unwrap(), policy).ok
        };
        (0..count).filter(verifies).count()
    }

    fn published_by(&self, signer: &MemorySigner) -> bool {
        let log = VerifierKey::parse(signer.log_vkey()).unwrap();
        let files = self.tiles.everything();
        let published = Checkpoint::open(&files[paths::CHECKPOINT], &log).is_ok();
        let head = self.head.current().unwrap();
        published && Checkpoint::open(&head.checkpoint, &log).is_ok()
    }
}

fn key_of(signer: &MemorySigner) -> ReceiptKey {
    ReceiptKey::from_spki_pem(signer.statement_key_pem()).unwrap()
}

/// These keys, and what `other` has that `present` has not.
fn with(earlier: &EarlierKeys, other: &MemorySigner, present: &MemorySigner) -> EarlierKeys {
    let mut statements = earlier.statements().to_vec();
    let mut logs: Vec<String> = earlier.logs().iter().map(ToString::to_string).collect();
    if key_of(other) != key_of(present) {
        statements.push(key_of(other));
    }
    // A key may come back, when a deployment is taken back.
    statements.retain(|key| *key != key_of(present));
    logs.retain(|vkey| vkey != present.log_vkey());
    if other.log_vkey() != present.log_vkey() {
        logs.push(other.log_vkey().to_owned());
    }
    let statements = statements.iter().map(|key| BASE64.encode(key.spki_der()));
    let statements: Vec<String> = statements.collect();
    EarlierKeys::parse(&statements.join(" "), &logs.join("\n")).unwrap()
}

fn prepared() -> World {
    let world = World::with_leaves(1);
    (1..3).for_each(|n| world.add(n));
    world
}

fn detail(outcome: Option<Result<Progress, Fault>>) -> String {
    match outcome {
        Some(Err(Fault::Reject { detail })) => detail,
        other => panic!("not halted: {other:?}"),
    }
}

/// The seeds of the statement key and the log's key after a change; before, both are 1.
const CHANGES: [(u64, u64); 3] = [(2, 1), (1, 2), (2, 2)];

#[test]
fn a_key_may_be_changed_between_any_two_port_calls() {
    let calls = {
        let world = prepared();
        let before = world.faults.calls();
        drop(world.run());
        world.faults.calls() - before
    };
    assert!(calls > 30, "{calls} calls");
    for (statement, log) in CHANGES {
        for n in 0..calls {
            for injection in [Injection::CrashBefore, Injection::CrashAfter] {
                let mut world = prepared();
                world.fail_at(n, injection);
                assert_eq!(world.run(), None, "call {n}");
                world.faults.calm();
                let before = world.deploy(statement, log);
                let made = before.signatures();
                world.check();
                world.finish(3);
                world.add(3);
                world.finish(4);
                assert_eq!(before.signatures(), made, "an earlier key signed anew");
                assert!(world.published_by(&world.signer));
                assert_eq!(world.verifying(4, &world.policy_of_both_logs()), 4);
                let far = world.clock.now() + SignedDuration::from_hours(1);
                let renewed = world.drive(world.sequencer().renew(None, &world.clock, far));
                assert!(renewed.unwrap().unwrap().is_complete);
                world.check();
                assert_eq!(world.verifying(4, &world.policy_of_the_present_log()), 4);
            }
        }
    }
}

#[test]
fn a_log_under_a_changed_key_is_not_believed_by_who_was_not_told() {
    let mut world = World::with_leaves(2);
    let both_under = |world: &World| world.verifying(2, &world.policy_of_the_present_log());
    assert_eq!(both_under(&world), 2);
    let told = world.config.earlier.clone();
    world.deploy(1, 2);
    // Negative control of proving anew: before it, nothing is under the new key.
    assert_eq!(both_under(&world), 0);
    world.check();
    // And of the checker, and the sequencer.
    world.config.earlier = told;
    assert!(
        world
            .complaints()
            .iter()
            .any(|told| told.contains("no log"))
    );
    let (files, head) = (world.tiles.everything(), world.head.current());
    assert!(detail(world.run()).contains("halted: checkpoint"));
    assert!(world.tiles.everything() == files && world.head.current() == head);
}

#[test]
fn an_envelope_of_a_key_that_is_not_known_waits_and_one_in_a_batch_halts() {
    let mut world = prepared();
    world.fail("tiles.keep.staging", Injection::CrashBefore);
    assert_eq!(world.run(), None);
    world.faults.calm();
    world.deploy(2, 1);
    let told = std::mem::take(&mut world.config.earlier);
    world.add(3);
    let progress = world.run().unwrap().unwrap();
    let why = "its envelope is signed with a key not known here";
    let refused: Vec<_> = progress.refused.iter().map(|refused| refused.why).collect();
    assert_eq!((progress.sequenced, refused), (1, vec![why, why]));
    world.config.earlier = told;
    world.finish(4);
    // Committed, and not yet stored.
    let mut world = prepared();
    world.fail("head.swap", Injection::CrashAfter);
    assert_eq!(world.run(), None);
    world.faults.calm();
    world.deploy(2, 1);
    let told = std::mem::take(&mut world.config.earlier);
    assert!(detail(world.run()).contains("it was signed with a key not known here"));
    world.config.earlier = told;
    world.finish(3);
}

#[test]
fn a_key_that_was_never_the_logs_halts_it_whatever_is_told_as_earlier() {
    let stranger = Ed25519Signer::from_seed(ORIGIN, KeyKind::Ed25519, &[3; 32]).unwrap();
    for is_head in [true, false] {
        let mut world = World::with_leaves(2);
        world.deploy(2, 2);
        let head = world.head.current().unwrap();
        let (checkpoint, _) = Checkpoint::open(
            &head.checkpoint,
            world.config.earlier.logs().first().unwrap(),
        )
        .unwrap();
        let forged = stranger.sign(checkpoint.to_note().unwrap()).unwrap();
        let forged = forged.to_string().into_bytes();
        if is_head {
            world.head.restore(Some(Head {
                checkpoint: forged,
                staging: head.staging,
            }));
        } else {
            world.tiles.tamper(paths::CHECKPOINT, Some(forged));
        }
        world.add(2);
        let files = world.tiles.everything();
        assert!(detail(world.run()).contains("halted: checkpoint"));
        assert!(world.tiles.everything() == files);
        assert_eq!(world.signer.signatures(), (0, 0));
    }
}

#[test]
fn earlier_keys_are_the_logs_own_or_nothing_runs() {
    let world = World::with_leaves(1);
    let other = MemorySigner::new("log.test/other", 5, world.faults.clone()).unwrap();
    let key = BASE64.encode(key_of(&other).spki_der());
    for (statements, logs) in [
        ("x", ""),
        (key.get(..40).unwrap(), ""),
        ("", "x"),
        ("", key.as_str()),
        (other.log_vkey(), ""),
    ] {
        assert!(
            EarlierKeys::parse(statements, logs).is_err(),
            "{statements} {logs}"
        );
    }
    assert_eq!(EarlierKeys::parse(" \n", ""), Ok(EarlierKeys::default()));
    let mut world = world;
    world.config.earlier = EarlierKeys::parse("", other.log_vkey()).unwrap();
    assert!(detail(world.run()).contains("the key is log.test/other's"));
}

type Running<'w> = Pin<Box<dyn Future<Output = Result<Progress, Fault>> + Send + 'w>>;

/// Lets all of them run in an order drawn from the seed; returns how many stopped themselves.
fn at_once(world: &World, sequencers: &[Sequencer], seed: u64) -> usize {
    let (mut chance, mut dice) = (seed, seed ^ 0x5eed);
    world.faults.interleave(true);
    world
        .faults
        .follow(move |_| match split_mix(&mut dice) % 200 {
            0 => Injection::CrashBefore,
            1 => Injection::CrashAfter,
            2 => Injection::FailAfter,
            _ => Injection::None,
        });
    let start = |sequencer| -> Running<'_> { Box::pin(Sequencer::run(sequencer)) };
    let mut running: Vec<Running<'_>> = sequencers.iter().map(start).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut stopped = 0;
    while !running.is_empty() {
        let picked = usize::try_from(split_mix(&mut chance)).unwrap() % running.len();
        let is_over = match running[picked].as_mut().poll(&mut context) {
            Poll::Ready(outcome) => {
                stopped += usize::from(matches!(outcome, Err(Fault::Reject { .. })));
                true
            }
            Poll::Pending => world.faults.take_crash(),
        };
        if is_over {
            drop(running.swap_remove(picked));
            world.check();
        }
    }
    stopped
}

#[test]
fn sequencers_of_before_and_after_a_change_at_once_make_one_log() {
    let mut stopped = [0, 0];
    for seed in 0..60 {
        let (statement, log) = CHANGES[usize::try_from(seed).unwrap() % 3];
        for is_told in [false, true] {
            let mut world = World::with_leaves(1);
            world.config.batch = 2;
            (1..5).for_each(|n| world.add(n));
            let mut old = world.sequencer();
            let before = world.deploy(statement, log);
            if is_told {
                old.config.earlier = with(&EarlierKeys::default(), &world.signer, &before);
            }
            let new = world.sequencer();
            let all = [old.clone(), new.clone(), old, new];
            stopped[usize::from(is_told)] += at_once(&world, &all, seed);
            world.finish(5);
            world.add(5);
            world.finish(6);
            assert!(world.published_by(&world.signer));
        }
    }
    // Told of the key to come, an old process works side by side with the new ones; untold, it stops itself
    // when it meets the new one's work, and only itself.
    assert!(stopped[0] > 0 && stopped[1] == 0, "{stopped:?}");
}
