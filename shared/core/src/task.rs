//! A task: one request in one store, and its stages.
//!
//! Blocked is not terminal: a release, or a date, sends the task back to where it stood.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Tag;
use crate::fault::BlockReason;
use crate::id::{RequestId, StoreId};
use crate::outcome::TaskOutcome;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStage {
    /// Not searched yet.
    Pending,
    /// Its manifest stands.
    Located,
    /// Effects may have begun.
    Acting,
    /// Done, and looked at again.
    Done,
    /// Kept for a legal reason, or not concerned by this right.
    Exempt,
    /// Cannot go on; remembers where it stood.
    Blocked(Was),
}

/// Where a blocked task stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Was {
    /// Not searched yet.
    Pending,
    /// Its manifest stood.
    Located,
    /// Effects may have begun.
    Acting,
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// The manifest stands.
    Located,
    /// The first effect is about to be made.
    ActingBegun,
    /// Effects made and looked at again.
    Done,
    /// Nothing may or need be done here.
    Exempted,
    /// It cannot go on.
    Blocked,
    /// A person or a date lets it go on.
    Released,
    /// The data map changed: what it means here is worked out anew.
    Replanned,
    /// Others took long since: it is looked at once more before the outcome is sealed.
    Reopened,
}

/// An event that cannot happen at a task's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a task that is {stage:?}")]
pub struct IllegalTaskEvent {
    /// Where the task stood.
    pub stage: TaskStage,
    /// What was to happen.
    pub event: TaskEvent,
}

impl TaskStage {
    /// Says where `event` leads from here.
    ///
    /// # Errors
    /// [`IllegalTaskEvent`] when the event cannot happen here.
    pub const fn after(self, event: TaskEvent) -> Result<Self, IllegalTaskEvent> {
        match (self, event) {
            (Self::Pending, TaskEvent::Located)
            | (Self::Blocked(Was::Located), TaskEvent::Released) => Ok(Self::Located),
            (Self::Located, TaskEvent::ActingBegun)
            | (Self::Blocked(Was::Acting), TaskEvent::Released)
            | (Self::Done, TaskEvent::Reopened) => Ok(Self::Acting),
            (Self::Acting, TaskEvent::Done) => Ok(Self::Done),
            (Self::Pending | Self::Located, TaskEvent::Exempted) => Ok(Self::Exempt),
            (Self::Pending, TaskEvent::Blocked) => Ok(Self::Blocked(Was::Pending)),
            (Self::Located, TaskEvent::Blocked) => Ok(Self::Blocked(Was::Located)),
            (Self::Acting, TaskEvent::Blocked) => Ok(Self::Blocked(Was::Acting)),
            (Self::Blocked(Was::Pending), TaskEvent::Released)
            | (
                Self::Pending
                | Self::Located
                | Self::Acting
                | Self::Done
                | Self::Exempt
                | Self::Blocked(_),
                TaskEvent::Replanned,
            ) => Ok(Self::Pending),
            (stage, event) => Err(IllegalTaskEvent { stage, event }),
        }
    }

    /// Whether nothing more will happen without a new plan.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Done | Self::Exempt => true,
            Self::Pending | Self::Located | Self::Acting | Self::Blocked(_) => false,
        }
    }

    /// Whether the task waits for a person or a date.
    pub const fn is_blocked(self) -> bool {
        matches!(self, Self::Blocked(_))
    }

    /// Whether the manifest stands (or none is needed).
    pub const fn is_located(self) -> bool {
        match self {
            Self::Located | Self::Acting | Self::Done | Self::Exempt => true,
            Self::Blocked(was) => match was {
                Was::Located | Was::Acting => true,
                Was::Pending => false,
            },
            Self::Pending => false,
        }
    }

    /// Returns the stable name of the stage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Located => "located",
            Self::Acting => "acting",
            Self::Done => "done",
            Self::Exempt => "exempt",
            Self::Blocked(_) => "blocked",
        }
    }
}

/// Why and until when a task is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Why.
    pub reason: BlockReason,
    /// When it wakes by itself, where that is known.
    pub until: Option<Timestamp>,
    /// Since when.
    pub at: Timestamp,
}

/// What stands in a task's manifest, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// The snapshot instant of the first look.
    pub as_of: Timestamp,
    /// How many parts the first round has.
    pub parts: u32,
    /// What matched in the first round.
    pub matched: u64,
    /// Keyed hash over the first round's parts, in order: what the plan's digest covers.
    pub manifest: Tag,
    /// Whether something in it leads to more identifiers.
    pub yields: bool,
    /// The find sweep that located it, in a record store.
    #[serde(default)]
    pub sweep: Option<u32>,
}

/// Whether what a task does must be told in an amendment, because the outcome is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amendment {
    /// The outcome statement tells it.
    NotNeeded,
    /// It was released after sealing: an amendment will tell.
    Owed,
    /// The gate opened for it since: it may be touched.
    Cleared,
    /// The amendment is in the outbox.
    Made,
}

/// A task as the ledger keeps it; nothing personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The request.
    pub request: RequestId,
    /// The store.
    pub store: StoreId,
    /// The wave it locates in; it acts in reverse.
    pub wave: u32,
    /// Where it stands.
    pub stage: TaskStage,
    /// Why it is blocked, when it is.
    pub block: Option<Block>,
    /// How often the data map changed under it: its papers of each time have names of their own.
    pub generation: u32,
    /// The round it works on, from 1.
    pub round: u8,
    /// The highest round so far.
    pub rounds: u8,
    /// How many parts of the current step (locate or act) are committed.
    pub cursor: u32,
    /// How often this step was tried without progress; reset by every commit of progress.
    pub attempts: u8,
    /// How often the effects were made again, because a look back still found something.
    pub repeats: u8,
    /// The manifest's outline, once it stands.
    pub located: Option<Located>,
    /// What was done so far; final when `stage` is done or exempt.
    pub outcome: TaskOutcome,
    /// When it was done first.
    pub settled_at: Option<Timestamp>,
    /// Whether an amendment tells it.
    pub amendment: Amendment,
    /// How it stands with its store's sweeps.
    #[serde(default)]
    pub sweep: Membership,
    /// The forget sweeps that served it so far: each left evidence under its number.
    #[serde(default)]
    pub swept: Vec<u32>,
}

/// How a task stands with its store's sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// It waits for none.
    #[default]
    Outside,
    /// It waits for the next one.
    Waiting,
    /// It is a member of this one.
    Member(u32),
}

impl Task {
    /// Builds a task that nobody has looked at.
    pub fn new(request: RequestId, store: StoreId, wave: u32) -> Self {
        Self {
            request,
            store,
            wave,
            stage: TaskStage::Pending,
            block: None,
            generation: 0,
            round: 1,
            rounds: 1,
            cursor: 0,
            attempts: 0,
            repeats: 0,
            located: None,
            outcome: TaskOutcome::default(),
            settled_at: None,
            amendment: Amendment::NotNeeded,
            sweep: Membership::Outside,
            swept: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [TaskStage; 8] = [
        TaskStage::Pending,
        TaskStage::Located,
        TaskStage::Acting,
        TaskStage::Done,
        TaskStage::Exempt,
        TaskStage::Blocked(Was::Pending),
        TaskStage::Blocked(Was::Located),
        TaskStage::Blocked(Was::Acting),
    ];
    const EVENTS: [TaskEvent; 8] = [
        TaskEvent::Located,
        TaskEvent::ActingBegun,
        TaskEvent::Done,
        TaskEvent::Exempted,
        TaskEvent::Blocked,
        TaskEvent::Released,
        TaskEvent::Replanned,
        TaskEvent::Reopened,
    ];

    #[test]
    fn a_release_goes_back_to_where_the_task_stood() {
        for stage in [TaskStage::Pending, TaskStage::Located, TaskStage::Acting] {
            let blocked = stage.after(TaskEvent::Blocked).unwrap();
            assert!(blocked.is_blocked());
            assert_eq!(blocked.is_located(), stage.is_located());
            assert_eq!(blocked.after(TaskEvent::Released), Ok(stage));
        }
    }

    #[test]
    fn only_a_new_plan_or_another_look_leaves_a_settled_task() {
        let mut legal = 0;
        for stage in STAGES {
            for event in EVENTS {
                if stage.after(event).is_ok() {
                    let again = matches!(event, TaskEvent::Replanned | TaskEvent::Reopened);
                    assert!(again || !stage.is_settled(), "{stage:?} {event:?}");
                    legal += 1;
                }
            }
        }
        assert_eq!(legal, 11 + STAGES.len() + 1);
    }
}
