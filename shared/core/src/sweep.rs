//! A sweep: one pass over a record store for every subject of a right who waits.
//!
//! A sweep has no joining: its members are written down before it begins, and whoever comes later
//! waits for the next one. Its shards are bounded pieces of the store's objects. A *find* sweep
//! writes what matches; a *forget* sweep removes it and then looks again, in rounds. Reaching the
//! objects is not here.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Tag};
use crate::fault::BlockReason;
use crate::id::{RequestId, StoreId};
use crate::request::Right;

/// A sweep's name: the n-th over a store for a right, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SweepId {
    /// The record store.
    pub store: StoreId,
    /// Whose requests it serves.
    pub right: Right,
    /// Its number, from 1.
    pub n: u32,
}

impl fmt::Display for SweepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.store, self.right, self.n)
    }
}

/// What a sweep is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Writes down what matches; for access it also copies the rows.
    Find,
    /// Removes what matches, and looks again.
    Forget,
}

impl Purpose {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Forget => "forget",
        }
    }
}

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepStage {
    /// The member file stands; each member's task is being told.
    Opened,
    /// The store's objects are listed into shards.
    Sharding,
    /// Shards are worked on.
    Working,
    /// What the shards found or did goes to the members.
    Settling,
    /// Every member has its result.
    Done,
}

/// What can happen to a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SweepEvent {
    /// Every member's task is told.
    Marked,
    /// The listing came to its end.
    Sharded,
    /// Every shard of the round is done, and another look is due.
    AnotherRound,
    /// Every shard of the last round is done.
    Worked,
    /// It cannot go on: what was done so far goes to the members.
    CutShort,
    /// Every member has its result.
    Settled,
}

/// An event that cannot happen at a sweep's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a sweep that is {stage:?}")]
pub struct IllegalSweepEvent {
    /// Where the sweep stood.
    pub stage: SweepStage,
    /// What was to happen.
    pub event: SweepEvent,
}

impl SweepStage {
    /// Says where `event` leads from here.
    ///
    /// # Errors
    /// [`IllegalSweepEvent`] when the event cannot happen here.
    pub const fn after(self, event: SweepEvent) -> Result<Self, IllegalSweepEvent> {
        match (self, event) {
            (Self::Opened, SweepEvent::Marked) | (Self::Working, SweepEvent::AnotherRound) => {
                Ok(Self::Sharding)
            }
            (Self::Sharding, SweepEvent::Sharded) => Ok(Self::Working),
            (Self::Working, SweepEvent::Worked)
            | (Self::Opened | Self::Sharding | Self::Working, SweepEvent::CutShort) => {
                Ok(Self::Settling)
            }
            (Self::Settling, SweepEvent::Settled) => Ok(Self::Done),
            (stage, event) => Err(IllegalSweepEvent { stage, event }),
        }
    }

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Sharding => "sharding",
            Self::Working => "working",
            Self::Settling => "settling",
            Self::Done => "done",
        }
    }
}

/// Why a sweep ends before it went over everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Its store cannot be gone over: every member is blocked.
    Blocked(BlockReason),
    /// The data map describes the store otherwise by now: every member waits for the next sweep.
    Redescribed,
}

/// A sweep as the ledger keeps it; nothing personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Its name.
    pub id: SweepId,
    /// The vault of its papers, under a data key of its own.
    pub vault: RequestId,
    /// What it is for.
    pub purpose: Purpose,
    /// Digest of what the data map said about the store when it was opened.
    pub described: Digest,
    /// Where it stands.
    pub stage: SweepStage,
    /// Why it was cut short, if it was.
    pub cut: Option<Cut>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How many members it has.
    pub members: u32,
    /// Keyed hash of the member file.
    pub members_tag: Tag,
    /// How many members the current stage is done with (telling, settling).
    pub cursor: u32,
    /// The look over the store, from 1.
    pub round: u8,
    /// When the current round's listing began.
    pub round_at: Option<Timestamp>,
    /// How many shards there are, over all rounds.
    pub shards: u32,
    /// The first shard of the current round.
    pub first_shard: u32,
    /// How often its own step was tried without progress; reset by every commit of progress.
    #[serde(default)]
    pub attempts: u8,
    /// When every member had its result.
    pub done_at: Option<Timestamp>,
}

/// A bounded piece of a sweep: some objects, in the order of the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The sweep.
    pub sweep: SweepId,
    /// Its number, from 0.
    pub k: u32,
    /// How many objects it has.
    pub objects: u32,
    /// How many of them are committed.
    pub cursor: u32,
    /// How many result files are committed.
    pub results: u32,
    /// How many rows matched so far.
    pub matched: u64,
    /// How often it was tried without progress; reset by every commit of progress.
    pub attempts: u8,
    /// When it was announced, or made progress, last.
    pub announced_at: Option<Timestamp>,
}

impl Shard {
    /// Whether nothing is left to do.
    pub const fn is_done(&self) -> bool {
        self.cursor >= self.objects
    }
}

/// A task that waits for the next sweep of its store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The request.
    pub request: RequestId,
    /// The store.
    pub store: StoreId,
    /// The request's right.
    pub right: Right,
    /// Since when.
    pub since: Timestamp,
    /// The request's due date, as it was then.
    pub due_at: Timestamp,
}

/// One who waits and may be served now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The entry.
    pub waiting: Waiting,
    /// What the task needs.
    pub purpose: Purpose,
}

/// A member whose rows a forget sweep must not touch any more: a hold came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The sweep.
    pub sweep: SweepId,
    /// The request.
    pub request: RequestId,
    /// Since when.
    pub at: Timestamp,
}

/// Which sweep a vault belongs to: vaults that belong to nothing are shredded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepVault {
    /// The vault.
    pub vault: RequestId,
    /// The sweep.
    pub sweep: SweepId,
}

/// A store that no sweep may touch while this stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The store.
    pub store: StoreId,
    /// Since when.
    pub at: Timestamp,
}

/// An object of a record store, or one version of it, as it was listed. Personal: keys may hold
/// identifiers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its key.
    pub key: String,
    /// Its version; none in a bucket that never had versions.
    pub version: Option<String>,
    /// Whether it is an older version, which can only be deleted as a whole.
    pub noncurrent: bool,
    /// Its entity tag.
    pub etag: String,
    /// Its size.
    pub bytes: u64,
}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectRef(***)")
    }
}

/// When the next sweep of a store may open, given who waits and how often the store is swept; none
/// when nobody waits. Waiting longer is cheaper; a due date that comes near is not waited for.
pub fn opens_at(waiting: &[Waiting], every: Option<SignedDuration>) -> Option<Timestamp> {
    let first = waiting.iter().map(|waiting| waiting.since).min()?;
    if waiting.len() >= FULL {
        return Some(first);
    }
    let by_age = first
        .saturating_add(every.unwrap_or(SignedDuration::ZERO))
        .unwrap_or(Timestamp::MAX);
    let nearly_due = waiting
        .iter()
        .filter_map(|waiting| waiting.due_at.saturating_sub(BEFORE_DUE).ok())
        .min();
    Some(nearly_due.map_or(by_age, |due| by_age.min(due)))
}

/// Which of those who wait the next sweep serves: everybody who needs what the most urgent one
/// needs, as many as a member file holds.
pub fn members_of(mut candidates: Vec<Candidate>) -> Option<(Purpose, Vec<Candidate>)> {
    candidates.sort_by_key(|one| (one.waiting.due_at, one.waiting.since, one.waiting.request));
    let purpose = candidates.first()?.purpose;
    candidates.retain(|one| one.purpose == purpose);
    candidates.truncate(MAX_MEMBERS);
    Some((purpose, candidates))
}

/// So many waiting tasks open a sweep whatever its interval says.
pub const FULL: usize = 1000;
/// Most members of one sweep.
pub const MAX_MEMBERS: usize = 5000;
/// Looks over a store that keeps filling up: rounds that act, and then one that only looks.
pub const MAX_ROUNDS: u8 = 3;
/// How long before a due date a sweep no longer waits for company.
const BEFORE_DUE: SignedDuration = SignedDuration::from_hours(24 * 7);

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(n: u8, since: i64, due: i64) -> Waiting {
        Waiting {
            request: RequestId::new([n; 16]),
            store: StoreId::parse("events").unwrap(),
            right: Right::Deletion,
            since: Timestamp::from_second(since).unwrap(),
            due_at: Timestamp::from_second(due).unwrap(),
        }
    }

    #[test]
    fn nobody_waiting_opens_nothing() {
        assert_eq!(opens_at(&[], None), None);
        assert_eq!(members_of(Vec::new()), None);
    }

    #[test]
    fn a_sweep_waits_for_company_but_not_past_a_due_date() {
        const DAY: i64 = 86_400;
        let hours = SignedDuration::from_hours(6);
        let far = [waits(1, 1000, 40 * DAY)];
        let at = |seconds| Some(Timestamp::from_second(seconds).unwrap());
        assert_eq!(opens_at(&far, None), at(1000));
        assert_eq!(opens_at(&far, Some(hours)), at(1000 + 6 * 3600));
        let near = [far[0].clone(), waits(2, 2000, 7 * DAY + 3000)];
        assert_eq!(opens_at(&near, Some(hours)), at(3000));
        let many: Vec<Waiting> = (0..FULL).map(|_| far[0].clone()).collect();
        assert_eq!(opens_at(&many, Some(hours)), at(1000));
    }

    #[test]
    fn the_most_urgent_one_says_what_the_sweep_is_for() {
        let one = |n, due, purpose| Candidate {
            waiting: waits(n, 1, due),
            purpose,
        };
        let all = vec![
            one(1, 900, Purpose::Find),
            one(3, 700, Purpose::Forget),
            one(2, 500, Purpose::Forget),
        ];
        let (purpose, members) = members_of(all).unwrap();
        assert_eq!(purpose, Purpose::Forget);
        let requests: Vec<RequestId> = members.iter().map(|one| one.waiting.request).collect();
        assert_eq!(requests, [RequestId::new([2; 16]), RequestId::new([3; 16])]);
    }

    #[test]
    fn exactly_these_transitions_are_legal() {
        use SweepEvent as E;
        use SweepStage as S;
        let stages = [S::Opened, S::Sharding, S::Working, S::Settling, S::Done];
        let events = [
            E::Marked,
            E::Sharded,
            E::AnotherRound,
            E::Worked,
            E::CutShort,
            E::Settled,
        ];
        let mut legal = Vec::new();
        for stage in stages {
            for event in events {
                if let Ok(next) = stage.after(event) {
                    legal.push((stage, event, next));
                }
            }
        }
        assert_eq!(
            legal,
            [
                (S::Opened, E::Marked, S::Sharding),
                (S::Opened, E::CutShort, S::Settling),
                (S::Sharding, E::Sharded, S::Working),
                (S::Sharding, E::CutShort, S::Settling),
                (S::Working, E::AnotherRound, S::Sharding),
                (S::Working, E::Worked, S::Settling),
                (S::Working, E::CutShort, S::Settling),
                (S::Settling, E::Settled, S::Done),
            ]
        );
    }
}
