//! What every scenario says in one word: ask, look up, expect.

use futures::FutureExt as _;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::request::{Request, Right};
use quittance_core::task::Task;

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

/// Checks every invariant.
///
/// # Panics
/// With what is broken.
pub fn all_is_well(world: &World) {
    assert_eq!(check_world(world), Vec::<String>::new());
}
