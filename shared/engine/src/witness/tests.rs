//! A witness never cosigns two histories, whatever fails, dies, or answers at the same time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use quittance_tlog::{
    Ed25519Signer, Hash, RightEdge, consistency_proof, integrate, leaf_hash, tree_root,
};

use super::*;
use crate::memory::clock::MemoryClock;
use crate::memory::faults::{Faults, Injection};
use crate::memory::witness::{MemoryCosigner, MemoryOfWitness};

const ORIGIN: &str = "log.test/dsr";

fn log(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, KeyKind::Ed25519, &[seed; 32]).unwrap()
}

/// The entries of a log that goes its own way, in each history, after the first two.
fn entries(size: u64, history: u8) -> Vec<Vec<u8>> {
    let entry = |n: u64| {
        [
            n.to_be_bytes().as_slice(),
            &[if n < 2 { 0 } else { history }],
        ]
        .concat()
    };
    (0..size).map(entry).collect()
}

fn root(size: u64, history: u8) -> Hash {
    let leaves = entries(size, history);
    let leaves: Vec<Hash> = leaves.iter().map(|entry| leaf_hash(entry)).collect();
    tree_root(&leaves)
}

fn request(old_size: u64, size: u64, history: u8, key: u8) -> AddCheckpoint {
    let checkpoint = Checkpoint::new(ORIGIN, size, root(size, history)).unwrap();
    let tiles: BTreeMap<String, Vec<u8>> = integrate(&RightEdge::empty(), &entries(size, history))
        .unwrap()
        .tiles;
    AddCheckpoint {
        old_size,
        proof: consistency_proof(size, old_size.min(size), &tiles).unwrap(),
        checkpoint: log(key).sign(checkpoint.to_note().unwrap()).unwrap(),
    }
}

/// What outlives a process.
struct Auditor {
    faults: Faults,
    memory: MemoryOfWitness,
    clock: MemoryClock,
    logs: Vec<VerifierKey>,
}

impl Auditor {
    fn new() -> Self {
        let faults = Faults::default();
        Self {
            memory: MemoryOfWitness::new(faults.clone()),
            clock: MemoryClock::new("2027-01-01T00:00:00Z".parse().unwrap(), 7),
            logs: vec![log(1).verifier().clone()],
            faults,
        }
    }

    fn process(&self) -> Witness {
        let cosigner = MemoryCosigner::new("witness.test", 9, self.faults.clone()).unwrap();
        Witness {
            cosigner: Arc::new(cosigner),
            memory: Arc::new(self.memory.clone()),
            logs: self.logs.clone(),
            clock: Arc::new(self.clock.clone()),
        }
    }

    /// Asks a new process; none when it died.
    fn ask(&self, request: &AddCheckpoint) -> Option<Result<Answer, Fault>> {
        let (process, body) = (self.process(), request.to_string());
        let mut answer = pin!(process.answer(body.as_bytes()));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match answer.as_mut().poll(&mut context) {
                Poll::Ready(answer) => return Some(answer),
                Poll::Pending if self.faults.take_crash() => return None,
                Poll::Pending => {}
            }
        }
    }

    /// As a log asks: from nothing, and then from where the witness says that it stands.
    fn ask_until_cosigned(&self, size: u64, history: u8) -> Option<Answer> {
        let mut old = 0;
        for _ in 0..2 {
            let answer = self.ask(&request(old, size, history, 1))?.ok()?;
            match (answer.status, answer.body.trim_end().parse()) {
                (409, Ok(stands)) if stands <= size && stands != old => old = stands,
                _ => return Some(answer),
            }
        }
        None
    }
}

/// Whether cosignatures over these trees may come from one honest witness.
fn is_one_history(cosigned: &[(u64, u8)]) -> bool {
    cosigned.iter().all(|(size, history)| {
        cosigned.iter().all(|(other, another)| {
            let shared = (*size).min(*other);
            root(shared, *history) == root(shared, *another)
        })
    })
}

#[test]
fn the_checker_sees_two_histories() {
    assert!(is_one_history(&[(2, 0), (2, 1), (5, 1), (9, 1)]));
    assert!(!is_one_history(&[(3, 0), (3, 1)]));
    assert!(!is_one_history(&[(3, 0), (9, 1)]));
}

#[test]
fn it_cosigns_what_extends_and_nothing_else() {
    let auditor = Auditor::new();
    let ask = |old, size, history, key| {
        let answer = auditor.ask(&request(old, size, history, key)).unwrap();
        let answer = answer.unwrap();
        (answer.status, answer.alarm)
    };
    assert_eq!(ask(0, 3, 0, 1), (200, false));
    assert_eq!(ask(0, 4, 0, 1), (409, false));
    assert_eq!(ask(3, 4, 0, 1), (200, false));
    assert_eq!(ask(4, 4, 0, 1), (200, false));
    assert_eq!(ask(4, 4, 1, 1), (409, true));
    assert_eq!(ask(4, 9, 1, 1), (422, true));
    assert_eq!(ask(4, 300, 0, 1), (200, false));
    assert_eq!(ask(300, 400, 0, 2), (403, false));
    let process = auditor.process();
    let long = vec![b'a'; MAX_BODY_BYTES + 1];
    for nonsense in [b"old 0\n\n".as_slice(), &long] {
        let answer = futures::executor::block_on(process.answer(nonsense));
        assert_eq!(answer.unwrap().status, 400);
    }
}

#[test]
fn a_cosignature_verifies_and_stands_in_memory_first() {
    let auditor = Auditor::new();
    let asked = request(0, 5, 0, 1);
    let answer = auditor.ask(&asked).unwrap().unwrap();
    let line = quittance_tlog::SignatureLine::parse(answer.body.trim_end()).unwrap();
    let process = auditor.process();
    let own = VerifierKey::parse(process.cosigner.vkey()).unwrap();
    let note = asked.checkpoint.with_line(line);
    let verified = note.verify(std::slice::from_ref(&own)).unwrap();
    assert_eq!(verified[0].timestamp, Some(1_798_761_600));
    let seen = futures::executor::block_on(process.seen(ORIGIN));
    assert_eq!(seen.unwrap().size, 5);
}

/// A log changes its key: what was seen under the old one goes on under the new one.
#[test]
fn a_log_with_another_key_is_the_same_log() {
    let mut auditor = Auditor::new();
    assert_eq!(
        auditor.ask(&request(0, 5, 0, 1)).unwrap().unwrap().status,
        200
    );
    assert_eq!(
        auditor.ask(&request(5, 7, 0, 2)).unwrap().unwrap().status,
        403
    );
    auditor.logs.push(log(2).verifier().clone());
    assert_eq!(
        auditor.ask(&request(0, 7, 1, 2)).unwrap().unwrap().status,
        409
    );
    assert_eq!(
        auditor.ask(&request(5, 7, 1, 2)).unwrap().unwrap().status,
        422
    );
    assert_eq!(
        auditor.ask(&request(5, 7, 0, 2)).unwrap().unwrap().status,
        200
    );
    assert_eq!(
        auditor.ask(&request(7, 8, 0, 1)).unwrap().unwrap().status,
        200
    );
}

/// Every port call fails or dies once; meanwhile the log shows another history at every turn.
#[test]
fn whatever_dies_it_never_cosigns_two_histories() {
    let steps = [(3, 0), (3, 1), (5, 0), (5, 1), (9, 0), (4, 1), (9, 1)];
    let faulty = [
        Injection::CrashBefore,
        Injection::CrashAfter,
        Injection::FailBefore,
        Injection::FailAfter,
    ];
    let mut tried = 0;
    for fault in faulty {
        for at in 0.. {
            let auditor = Auditor::new();
            let hit = move |call: crate::memory::faults::Call| {
                if call.n == at { fault } else { Injection::None }
            };
            auditor.faults.follow(hit);
            let mut cosigned = Vec::new();
            for (size, history) in steps {
                let answer = auditor.ask_until_cosigned(size, history);
                if answer.is_some_and(|answer| answer.status == 200) {
                    cosigned.push((size, history));
                }
            }
            assert!(is_one_history(&cosigned), "{fault:?} at {at}: {cosigned:?}");
            let calls = auditor.faults.calls();
            auditor.faults.calm();
            // Whichever history came first, that one goes on.
            let (_, history) = cosigned.first().copied().unwrap();
            let answer = auditor.ask_until_cosigned(20, history).unwrap();
            assert_eq!(answer.status, 200, "{fault:?} at {at}");
            tried += 1;
            if at >= calls {
                break;
            }
        }
    }
    assert!(tried > 4 * 12, "only {tried} calls were hit");
}

/// Two processes are shown two histories at once, in every order of their first calls.
#[test]
fn two_processes_at_once_cosign_one_history() {
    for order in 0..1_u32 << 10 {
        let auditor = Auditor::new();
        auditor.faults.interleave(true);
        let processes = [auditor.process(), auditor.process()];
        let bodies = [0, 1].map(|history| request(0, 5, history, 1).to_string());
        let mut answers: Vec<BoxFuture<'_, Result<Answer, Fault>>> = Vec::new();
        for (process, body) in processes.iter().zip(&bodies) {
            answers.push(process.answer(body.as_bytes()).boxed());
        }
        let mut done = [None, None];
        let mut context = Context::from_waker(Waker::noop());
        for turn in 0.. {
            let n = usize::from(order >> (turn % 10) & 1 == 1);
            for n in [n, 1 - n] {
                if done[n].is_none()
                    && let Poll::Ready(answer) = answers[n].as_mut().poll(&mut context)
                {
                    done[n] = Some(answer.unwrap().status);
                    break;
                }
                if done[n].is_none() {
                    break;
                }
            }
            if done.iter().all(Option::is_some) {
                break;
            }
        }
        let mut statuses = done.map(Option::unwrap);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "order {order:b}");
    }
}

#[test]
fn a_memory_that_is_not_its_own_is_none() {
    let auditor = Auditor::new();
    auditor.ask(&request(0, 5, 0, 1)).unwrap().unwrap();
    // The log's own checkpoint of a smaller tree, which this witness did not cosign: a rollback.
    let forged = request(0, 3, 0, 1).checkpoint.to_string();
    auditor.memory.overwrite(ORIGIN, forged.as_bytes());
    let answer = auditor.ask(&request(3, 5, 1, 1)).unwrap();
    let Err(Fault::Reject { detail }) = answer else {
        panic!("{answer:?}");
    };
    assert!(detail.contains("retire this witness"), "{detail}");
}
