//! What every scenario says in one word: ask, look up, expect.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::request::{Request, Right};
use quittance_core::sweep::Sweep;
use quittance_core::task::Task;
use quittance_engine::ledger::Item;

use crate::check::check_world;
use crate::world::{Ask, World};

/// The first person asks for a copy.
pub const COPY: Ask = Ask {
    person: 0,
    right: Right::Access,
};
/// The first person asks for deletion.
pub const DELETE: Ask = Ask {
    person: 0,
    right: Right::Deletion,
};
/// The first person opts out.
pub const OPT_OUT: Ask = Ask {
    person: 0,
    right: Right::OptOut,
};

/// Runs a future that a calm world never keeps waiting.
///
/// # Panics
/// When it is kept waiting.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("calm")
}

/// Returns the id of a store.
///
/// # Panics
/// When no store can be named so.
pub fn store(name: &str) -> StoreId {
    StoreId::parse(name).expect("a store id")
}

/// Asks, and types back the code.
///
/// # Panics
/// When intake says no.
pub fn asked(world: &World, ask: Ask) -> RequestId {
    now(world.ask(ask)).expect("a calm intake")
}

/// Returns a request as it stands.
///
/// # Panics
/// When there is none.
pub fn request(world: &World, id: RequestId) -> Request {
    let mut all = world.requests().into_iter();
    all.find(|request| request.id == id).expect("a request")
}

/// Returns a request's task for a store.
///
/// # Panics
/// When there is none.
pub fn task(world: &World, id: RequestId, name: &str) -> Task {
    let mut all = world.tasks(id).into_iter();
    all.find(|task| task.store == store(name)).expect("a task")
}

/// Returns the sweeps over a store for a right, from the first.
pub fn sweeps(world: &World, name: &str, right: Right) -> Vec<Sweep> {
    let items = world.ledger.everything().into_iter();
    let all = items.filter_map(|stored| {
        if let Item::Sweep(sweep) = stored.item {
            Some(sweep)
        } else {
            None
        }
    });
    all.filter(|sweep| sweep.id.store == store(name) && sweep.id.right == right)
        .collect()
}

/// Counts a person's rows in the lake.
pub fn rows_in_lake(world: &World, person: usize) -> usize {
    let email = World::email(person);
    let objects = world.records.everything();
    let rows = objects.values().flat_map(|object| &object.rows);
    rows.filter(|row| row.get("email") == Some(&email)).count()
}

/// Works messages and the clock off, one port call after the other, and acts after so many of them;
/// whoever is at work then goes on, or dies. Returns false when the world came to rest before.
///
/// # Panics
/// When a calm world fails to handle a message.
pub fn interrupt_at(world: &World, call: usize, act: impl FnOnce(&World) -> Then) -> bool {
    let mut act = Some(act);
    let mut left = call;
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..50 {
        while let Some((right, message)) = world.queues.take(0) {
            let mut handled = pin!(world.handle(right, &message));
            world.faults.interleave(true);
            let mut died = false;
            loop {
                if left == 0
                    && let Some(act) = act.take()
                {
                    world.faults.interleave(false);
                    died = act(world) == Then::Dies;
                    world.faults.interleave(true);
                }
                left = left.saturating_sub(1);
                if died {
                    break;
                }
                if let Poll::Ready(done) = handled.as_mut().poll(&mut context) {
                    done.expect("a calm world handles every message");
                    break;
                }
            }
            world.faults.interleave(false);
            if died {
                world.queues.put_back(right, message.clone());
            }
            if act.is_none() {
                return true;
            }
        }
        if world.is_done() {
            return false;
        }
        world.work_off(1);
    }
    false
}

/// What becomes of whoever was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    GoesOn,
    /// It dies on the spot.
    Dies,
}

/// Checks every invariant.
///
/// # Panics
/// With what is broken.
pub fn all_is_well(world: &World) {
    assert_eq!(check_world(world), Vec::<String>::new());
}
