//! The fault table: a scenario again and again, each time with one fault at another port call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use jiff::SignedDuration;
use quittance_engine::memory::faults::Injection;

use crate::check::check_world;
use crate::schedule::differences;
use crate::world::{Ask, Crowd, World};

/// What happens in every row: these people ask this company.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The company, new each time.
    pub world: fn() -> World,
    /// What is asked, in this order.
    pub asks: &'static [Ask],
    /// The lists that are handed in after that.
    pub lists: &'static [Crowd],
}

impl Scenario {
    /// Runs it without faults.
    ///
    /// # Panics
    /// When somebody does not get done.
    pub fn calm(&self) -> World {
        let world = (self.world)();
        for ask in self.asks {
            let asked = world.ask(*ask).now_or_never();
            asked.expect("calm").expect("a calm intake");
        }
        for crowd in self.lists {
            let listed = world.hand_in(*crowd).now_or_never();
            listed.expect("calm").expect("a calm intake");
        }
        world.settle();
        world
    }

    /// Runs it with this fault at every port call in turn: each time the world must be well, and
    /// look as it does after a calm day.
    ///
    /// # Panics
    /// With what is broken, and where the fault was.
    pub fn every_call_under(&self, injection: Injection) {
        let calm = self.calm().result();
        let mut calls = 0;
        for n in 0.. {
            let (world, fired) = self.with_fault_at(n, injection);
            if !fired {
                break;
            }
            calls += 1;
            let findings = check_world(&world);
            assert!(
                findings.is_empty(),
                "{injection:?} at call {n}: {findings:#?}"
            );
            let otherwise = differences(&world.result(), &calm);
            assert_eq!(otherwise, Vec::<String>::new(), "{injection:?} at call {n}");
        }
        assert!(calls > 100, "only {calls} calls were tried");
    }

    /// Runs it with a fault at port call `n`, people and queues trying again.
    fn with_fault_at(&self, n: u64, injection: Injection) -> (World, bool) {
        let world = (self.world)();
        let first = world.faults.calls();
        let fired = Arc::new(AtomicBool::new(false));
        let seen = fired.clone();
        world.faults.follow(move |call| {
            if call.n == first + n {
                seen.store(true, Ordering::Relaxed);
                injection
            } else {
                Injection::None
            }
        });
        for ask in self.asks {
            // A form that failed, or whose page died, is sent again.
            let mut tries = 0;
            while !matches!(world.ask(*ask).now_or_never(), Some(Ok(_))) {
                tries += 1;
                assert!(
                    tries < 20,
                    "a person does not get done: {injection:?} at call {n}"
                );
            }
        }
        for crowd in self.lists {
            // So is a list.
            let mut tries = 0;
            while !matches!(world.hand_in(*crowd).now_or_never(), Some(Ok(_))) {
                tries += 1;
                assert!(
                    tries < 20,
                    "a list is not taken in: {injection:?} at call {n}"
                );
            }
        }
        deliver(&world);
        while !fired.load(Ordering::Relaxed) && !world.is_done() {
            for request in world.requests() {
                drop(world.attest(request.id).now_or_never());
            }
            world.clock.advance(SignedDuration::from_secs(90));
            drop(world.ticker().tick().now_or_never());
            deliver(&world);
        }
        world.faults.calm();
        world.settle();
        (world, fired.load(Ordering::Relaxed))
    }
}

/// Delivers what waits in the queues; what fails is delivered again.
fn deliver(world: &World) {
    for _ in 0..2_000 {
        let Some((right, message)) = world.queues.take(0) else {
            break;
        };
        if !matches!(world.handle(right, &message).now_or_never(), Some(Ok(()))) {
            world.queues.put_back(right, message);
        }
    }
}
