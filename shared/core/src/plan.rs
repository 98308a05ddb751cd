//! Decisions over a request's tasks: what to do next, and what the plan's digest covers.
//!
//! Tasks are derivable from the data map; whether everything is located or settled is derived from
//! the tasks each time it is asked, so there is no counter that could disagree with them.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::data_map::{DataMap, DeletionRule, OptOutRule, Place, Store};
use crate::digest::{Digest, HmacKey, Tag};
use crate::id::{RequestId, StoreId};
use crate::outcome::Exemption;
use crate::request::Right;
use crate::subject::Identifiers;
use crate::task::{Task, TaskEvent, TaskStage, Was};

/// Derives the task that a store of the data map means for a request.
pub fn task(map: &DataMap, store: &Store, request: RequestId, right: Right) -> Task {
    let wave = map.wave_of(&store.id).unwrap_or(0);
    let mut task = Task::new(request, store.id.clone(), wave);
    if !concerns(store, right) {
        task.stage = TaskStage::Exempt;
        task.outcome.exempt = Some(Exemption {
            reason: NO_FLAG_DECLARED.to_owned(),
            count: 0,
            until: None,
        });
    }
    task
}

/// Whether a right has anything to do in a store. Access and deletion concern every store; an
/// opt-out those whose `opt_out` rule says how it is recorded.
fn concerns(store: &Store, right: Right) -> bool {
    match right {
        Right::Access | Right::Deletion => true,
        Right::OptOut => !matches!(store.opt_out, OptOutRule::NoFlag),
    }
}

/// What can be done next about a request's tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Locate in these stores: the lowest wave that is not located.
    Locate(Vec<StoreId>),
    /// Everything is located, or given up on.
    AllLocated,
    /// Act in these stores: the highest wave that is not settled.
    Act(Vec<StoreId>),
    /// Everything is settled, or given up on.
    AllSettled,
    /// Only blocked tasks are left: somebody, or a date, must release them.
    Wait,
}

/// Says which tasks to locate next. Waves go up: a later one needs what an earlier one yields. With
/// `give_up`, blocked stores no longer hold the rest up.
pub fn next_to_locate(tasks: &[Task], give_up: bool) -> Next {
    let open = |task: &&Task| !(task.stage.is_located() || give_up && task.stage.is_blocked());
    let Some(wave) = tasks.iter().filter(open).map(|task| task.wave).min() else {
        return Next::AllLocated;
    };
    let ready: Vec<StoreId> = tasks
        .iter()
        .filter(|task| task.wave == wave && task.stage == TaskStage::Pending)
        .map(|task| task.store.clone())
        .collect();
    if ready.is_empty() {
        Next::Wait
    } else {
        Next::Locate(ready)
    }
}

/// Says which tasks to act on next. Waves go down: stores that yield identifiers act last. A blocked
/// task does not hold earlier waves up, since what it needs is frozen in its manifest.
pub fn next_to_act(tasks: &[Task], give_up: bool) -> Next {
    let open = |task: &&Task| !task.stage.is_settled() && !task.stage.is_blocked();
    let Some(wave) = tasks.iter().filter(open).map(|task| task.wave).max() else {
        let blocked = tasks.iter().any(|task| task.stage.is_blocked());
        return if blocked && !give_up {
            Next::Wait
        } else {
            Next::AllSettled
        };
    };
    let ready = tasks.iter().filter(open).filter(|task| task.wave == wave);
    Next::Act(ready.map(|task| task.store.clone()).collect())
}

/// Lists pending tasks that can no longer be located properly, because a store that yields their
/// identifiers is given up on.
pub fn cut_off(map: &DataMap, tasks: &[Task]) -> Vec<StoreId> {
    let mut lost: BTreeSet<StoreId> = tasks
        .iter()
        .filter(|task| task.stage == TaskStage::Blocked(Was::Pending))
        .map(|task| task.store.clone())
        .collect();
    let mut cut = Vec::new();
    let mut pending: Vec<&Task> = tasks
        .iter()
        .filter(|task| task.stage == TaskStage::Pending)
        .collect();
    pending.sort_by_key(|task| task.wave);
    for task in pending {
        let Some(store) = map.store(&task.store) else {
            continue;
        };
        let needs = store.finds_by();
        let hit = map.stores.iter().any(|other| {
            other.id != store.id
                && lost.contains(&other.id)
                && other.yields.keys().any(|kind| needs.contains(kind))
        });
        if hit {
            lost.insert(store.id.clone());
            cut.push(store.id.clone());
        }
    }
    cut
}

/// Whether a store that yields identifiers for this one waits, unlocated, for a release.
pub fn is_cut_off(map: &DataMap, tasks: &[Task], store: &StoreId) -> bool {
    let Some(store) = map.store(store) else {
        return false;
    };
    let needs = store.finds_by();
    map.stores.iter().any(|other| {
        other.id != store.id
            && other.yields.keys().any(|kind| needs.contains(kind))
            && tasks.iter().any(|task| {
                task.store == other.id && task.stage == TaskStage::Blocked(Was::Pending)
            })
    })
}

/// Whether a task was looked at before another was done, so long that data may have arrived since.
/// An attestation may have been waited for for days.
pub fn is_stale(task: &Task, other: &Task) -> bool {
    let Some(check) = task
        .outcome
        .check
        .as_ref()
        .filter(|_| task.stage == TaskStage::Done)
    else {
        return false;
    };
    if let Some(attested) = &other.outcome.attested {
        return attested.at > check.at;
    }
    other
        .settled_at
        .and_then(|at| at.checked_sub(STALE).ok())
        .is_some_and(|at| at > check.at)
}

/// When the next blocked task wakes by itself.
pub fn next_release(tasks: &[Task]) -> Option<Timestamp> {
    tasks
        .iter()
        .filter_map(|task| task.block.as_ref()?.until)
        .min()
}

/// Puts a released task back to where it stood.
pub fn release(task: &mut Task) -> bool {
    let Ok(stage) = task.stage.after(TaskEvent::Released) else {
        return false;
    };
    task.stage = stage;
    task.block = None;
    task.attempts = 0;
    true
}

/// Whether a store's effect is to keep the data.
pub fn is_retained(store: &Store, right: Right) -> bool {
    right == Right::Deletion && matches!(store.deletion, DeletionRule::Retain(_))
}

/// Whether a person attests for this store instead of us looking.
pub fn is_attested(store: &Store) -> bool {
    matches!(store.place, Place::Attested { .. })
}

/// The rights whose requests wait for sweeps, each under its own role; an opt-out waits for nothing.
pub const SWEEPING: [Right; 2] = [Right::Access, Right::Deletion];

/// Whether this store's rows lie in objects of many subjects: sweeps find them and forget them.
pub fn is_record_store(store: &Store) -> bool {
    matches!(store.place, Place::S3Records { .. })
}

/// Whether a right's requests wait for sweeps in this store. In a table that must be read as a whole
/// only the looking is a sweep's; acting is item by item, and an opt-out looks by itself.
pub fn is_swept(store: &Store, right: Right) -> bool {
    is_record_store(store) || store.is_scanned() && SWEEPING.contains(&right)
}

/// Lists the stores that are gone over in sweeps.
pub fn swept(map: &DataMap) -> Vec<StoreId> {
    let is_swept = |store: &&Store| SWEEPING.iter().any(|right| is_swept(store, *right));
    let swept = map.stores.iter().filter(is_swept);
    swept.map(|store| store.id.clone()).collect()
}

/// Computes the plan's digest: stores, keyed identifiers and manifests.
pub fn digest(
    key: &HmacKey,
    right: Right,
    data_map: Digest,
    identifiers: &Identifiers,
    tasks: &[Task],
) -> Digest {
    let identifiers: BTreeSet<Tag> = identifiers
        .iter()
        .map(|(kind, value)| {
            let parts = [kind.as_str().as_bytes(), value.expose().as_bytes()];
            key.tag("dsr-plan-identifier/v1", &parts)
        })
        .collect();
    let stores = tasks
        .iter()
        .map(|task| PlannedStore {
            store: task.store.as_str(),
            wave: task.wave,
            blocked: task.stage.is_blocked(),
            manifest: task.located.as_ref().map(|located| located.manifest),
        })
        .collect();
    let plan = Planned {
        v: 1,
        right,
        data_map,
        identifiers,
        stores,
    };
    // Strings, integers and digests always serialise.
    Digest::of(&serde_json_canonicalizer::to_vec(&plan).unwrap_or_default())
}

#[derive(Serialize)]
struct Planned<'a> {
    v: u8,
    right: Right,
    data_map: Digest,
    identifiers: BTreeSet<Tag>,
    stores: Vec<PlannedStore<'a>>,
}

#[derive(Serialize)]
struct PlannedStore<'a> {
    store: &'a str,
    wave: u32,
    blocked: bool,
    manifest: Option<Tag>,
}

/// How long a look stays good while other stores are worked on.
const STALE: SignedDuration = SignedDuration::from_secs(60);
/// The exemption of a store that an opt-out does not concern.
pub const NO_FLAG_DECLARED: &str = "no_flag_declared";

#[cfg(test)]
mod tests {
    use super::*;

    fn task(store: &str, wave: u32, stage: TaskStage) -> Task {
        let store = StoreId::parse(store).unwrap();
        Task {
            stage,
            ..Task::new(RequestId::new([0; 16]), store, wave)
        }
    }

    fn ids(names: &[&str]) -> Vec<StoreId> {
        names
            .iter()
            .map(|name| StoreId::parse(name).unwrap())
            .collect()
    }

    #[test]
    fn locating_goes_up_the_waves_and_acting_down() {
        let pending = TaskStage::Pending;
        let mut tasks = vec![
            task("a", 0, pending),
            task("b", 0, pending),
            task("c", 1, pending),
        ];
        assert_eq!(
            next_to_locate(&tasks, false),
            Next::Locate(ids(&["a", "b"]))
        );
        tasks[0].stage = TaskStage::Located;
        assert_eq!(next_to_locate(&tasks, false), Next::Locate(ids(&["b"])));
        tasks[1].stage = TaskStage::Located;
        assert_eq!(next_to_locate(&tasks, false), Next::Locate(ids(&["c"])));
        tasks[2].stage = TaskStage::Located;
        assert_eq!(next_to_locate(&tasks, false), Next::AllLocated);
        assert_eq!(next_to_act(&tasks, false), Next::Act(ids(&["c"])));
        tasks[2].stage = TaskStage::Done;
        assert_eq!(next_to_act(&tasks, false), Next::Act(ids(&["a", "b"])));
        tasks[0].stage = TaskStage::Exempt;
        tasks[1].stage = TaskStage::Done;
        assert_eq!(next_to_act(&tasks, false), Next::AllSettled);
    }

    #[test]
    fn a_blocked_store_holds_up_the_search_until_it_is_given_up() {
        let blocked = TaskStage::Blocked(Was::Pending);
        let tasks = vec![task("a", 0, blocked), task("c", 1, TaskStage::Pending)];
        assert_eq!(next_to_locate(&tasks, false), Next::Wait);
        assert_eq!(next_to_locate(&tasks, true), Next::Locate(ids(&["c"])));
    }

    #[test]
    fn a_blocked_effect_is_waited_for_but_holds_nobody_up() {
        let blocked = TaskStage::Blocked(Was::Acting);
        let mut tasks = vec![task("a", 0, TaskStage::Located), task("c", 1, blocked)];
        assert_eq!(next_to_act(&tasks, false), Next::Act(ids(&["a"])));
        tasks[0].stage = TaskStage::Done;
        assert_eq!(next_to_act(&tasks, false), Next::Wait);
        assert_eq!(next_to_act(&tasks, true), Next::AllSettled);
    }

    #[test]
    fn the_digest_covers_identifiers_and_manifests() {
        let key = HmacKey::new([1; 32]);
        let map = Digest::of(b"map");
        let mut tasks = vec![task("a", 0, TaskStage::Pending)];
        let none = Identifiers::default();
        let before = digest(&key, Right::Access, map, &none, &tasks);
        assert_eq!(before, digest(&key, Right::Access, map, &none, &tasks));
        tasks[0].located = Some(crate::task::Located {
            as_of: Timestamp::UNIX_EPOCH,
            parts: 1,
            matched: 1,
            manifest: key.tag("m", &[]),
            yields: false,
            sweep: None,
        });
        assert_ne!(before, digest(&key, Right::Access, map, &none, &tasks));
        assert_ne!(before, digest(&key, Right::Deletion, map, &none, &[]));
    }
}
