//! Seeded mixtures of deliveries, duplicates, crashes, failures and time.
//!
//! A schedule runs several use-cases at once, polls them in random order between any two port calls,
//! fails or kills calls, delivers messages twice or late, and lets people and teams try again. Then
//! faults stop, the world settles, and must look as it does after a calm day. The same seed gives the
//! same trace.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use jiff::SignedDuration;
use quittance_core::message::Message;
use quittance_core::request::Right;
use quittance_engine::memory::clock::split_mix;
use quittance_engine::memory::faults::Injection;

use crate::check::{check_ledger, check_world};
use crate::world::{Ask, World};

/// How the world looks after a calm day: [`World::result`].
pub type Calm = BTreeMap<String, String>;

/// What one schedule came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Broken invariants, with the step at which they were seen.
    pub findings: Vec<String>,
    /// How many port calls were made.
    pub calls: u64,
    /// How many use-cases were killed.
    pub crashes: u64,
    /// The names of all port calls, in order.
    pub trace: Vec<&'static str>,
}

/// One use-case in flight.
struct Running {
    work: Work,
    future: Pin<Box<dyn Future<Output = bool>>>,
}

/// What a use-case in flight is for: whoever started it tries again if it dies.
#[derive(Clone, Debug)]
enum Work {
    Person(Ask),
    Team(Ask),
    Message(Right, Message),
    Clock,
}

/// Runs one schedule over the asks.
pub fn run(asks: &[Ask], people: usize, seed: u64, steps: usize, calm: &Calm) -> Ran {
    let world = World::new(people, seed);
    let mut chance = seed ^ 0x5eed;
    let mut script = seed.rotate_left(17) ^ 0xfa17;
    world.faults.record();
    world.faults.interleave(true);
    world.faults.follow(move |_| inject(&mut script));
    let mut day = Day {
        world: world.clone(),
        undone: asks.iter().map(|ask| Work::Person(*ask)).collect(),
        running: Vec::new(),
        crashes: 0,
        findings: Vec::new(),
    };
    let mut checked = 0;
    for step in 0..steps {
        day.step(&mut chance);
        // A step that commits nothing changes nothing that could be wrong.
        let commits = world.ledger.commits();
        if commits != checked {
            checked = commits;
            day.note(step, check_ledger(&world));
        }
        if !day.findings.is_empty() {
            break;
        }
    }
    world.faults.calm();
    if day.findings.is_empty() {
        day.finish();
        day.note(steps, check_world(&world));
        day.note(steps, differences(&world.result(), calm));
    }
    Ran {
        findings: day.findings,
        calls: world.faults.calls(),
        crashes: day.crashes,
        trace: world.faults.trace(),
    }
}

struct Day {
    world: World,
    undone: Vec<Work>,
    running: Vec<Running>,
    crashes: u64,
    findings: Vec<String>,
}

impl Day {
    fn note(&mut self, step: usize, findings: Vec<String>) {
        self.findings.extend(
            findings
                .into_iter()
                .map(|finding| format!("step {step}: {finding}")),
        );
    }

    fn step(&mut self, chance: &mut u64) {
        match draw(chance, 100) {
            // Somebody begins something.
            0..5 => {
                let pick = draw(chance, 1000);
                if let Some(index) = pick.checked_rem(self.undone.len()) {
                    let work = self.undone.remove(index);
                    self.start(work);
                }
            }
            5..20 => {
                if let Some((right, message)) = self.world.queues.take(draw(chance, 1000)) {
                    self.start(Work::Message(right, message));
                }
            }
            // A duplicate delivery: the message stays where it is, too.
            20..23 => {
                if let Some((right, message)) = self.world.queues.peek(draw(chance, 1000)) {
                    self.start(Work::Message(right, message));
                }
            }
            23..26 => self.start(Work::Clock),
            26 => self.world.queues.lose_all(),
            27..30 => {
                let seconds = i64::try_from(draw(chance, 120)).unwrap_or(0);
                self.world.clock.advance(SignedDuration::from_secs(seconds));
            }
            // A process dies between two calls.
            30 => {
                if let Some(index) = draw(chance, 1000).checked_rem(self.running.len()) {
                    let died = self.running.remove(index);
                    self.crashes += 1;
                    self.again(died.work);
                }
            }
            _ => {
                if let Some(index) = draw(chance, 1000).checked_rem(self.running.len()) {
                    self.poll(index);
                }
            }
        }
    }

    /// Polls one use-case once: up to its next port call.
    fn poll(&mut self, index: usize) {
        let mut context = Context::from_waker(Waker::noop());
        let polled = self.running[index].future.as_mut().poll(&mut context);
        let crashed = self.world.faults.take_crash();
        match polled {
            Poll::Pending if crashed => {
                let died = self.running.remove(index);
                self.crashes += 1;
                self.again(died.work);
            }
            Poll::Pending => {}
            Poll::Ready(done) => {
                let ended = self.running.remove(index);
                if done {
                    self.follow_up(&ended.work);
                } else {
                    self.again(ended.work);
                }
            }
        }
    }

    /// Whoever started something that died starts it again; the clock comes back by itself.
    fn again(&mut self, work: Work) {
        match work {
            Work::Person(_) | Work::Team(_) => self.undone.push(work),
            Work::Message(right, message) => self.world.queues.put_back(right, message),
            Work::Clock => {}
        }
    }

    /// The team of the store outside AWS attests once a request of a person is accepted.
    fn follow_up(&mut self, work: &Work) {
        if let Work::Person(ask) = work
            && ask.right != Right::OptOut
        {
            self.undone.push(Work::Team(*ask));
        }
    }

    fn start(&mut self, work: Work) {
        let world = self.world.clone();
        let future: Pin<Box<dyn Future<Output = bool>>> = match work.clone() {
            Work::Person(ask) => Box::pin(async move { world.ask(ask).await.is_ok() }),
            Work::Team(ask) => Box::pin(async move {
                let Some(request) = world.request_of(ask) else {
                    return false;
                };
                world.attest(request.id).await.is_ok()
            }),
            Work::Message(right, message) => {
                Box::pin(async move { world.handle(right, &message).await.is_ok() })
            }
            Work::Clock => Box::pin(async move { world.ticker().tick().await.is_ok() }),
        };
        self.running.push(Running { work, future });
    }

    /// The storm is over: what runs ends or dies, people finish what they began, all settles.
    fn finish(&mut self) {
        self.world.faults.interleave(false);
        while let Some(running) = self.running.pop() {
            self.again(running.work);
        }
        for attempt in 0..1000 {
            // The team attests whatever waits for it while the world settles.
            self.undone.retain(|work| matches!(work, Work::Person(_)));
            let Some(work) = self.undone.pop() else { break };
            self.start(work);
            // Codes die after ten minutes: now and then a person comes back too late.
            if attempt % 3 == 0 {
                self.world.clock.advance(SignedDuration::from_mins(11));
            }
            while !self.running.is_empty() {
                self.poll(0);
            }
        }
        if let Some(Work::Person(ask)) = self.undone.first() {
            let answer = self.world.ask(*ask).now_or_never();
            panic!(
                "a person does not get done: {ask:?}: {answer:?}: {:#?}",
                self.world.request_of(*ask)
            );
        }
        self.world.settle();
    }
}

/// Injects a fault into one call in twenty-five.
fn inject(state: &mut u64) -> Injection {
    match draw(state, 100) {
        0 => Injection::CrashBefore,
        1 => Injection::CrashAfter,
        2 => Injection::FailBefore,
        3 => Injection::FailAfter,
        _ => Injection::None,
    }
}

fn draw(state: &mut u64, below: u64) -> usize {
    usize::try_from(split_mix(state) % below).unwrap_or(0)
}

/// What two worlds do not have in common, each thing in both readings.
pub fn differences(
    one: &BTreeMap<String, String>,
    other: &BTreeMap<String, String>,
) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    differing
        .map(|name| {
            let (here, there) = (one.get(name), other.get(name));
            format!("the world ends otherwise: {name}: {here:?} instead of {there:?}")
        })
        .collect()
}
