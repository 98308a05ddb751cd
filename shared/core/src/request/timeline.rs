//! The timeline: what happened to a request, entry by entry; some of them move the legal clock.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DenialReason, GateReason, Outcome, Urgency};
use crate::digest::Digest;
use crate::fault::BlockReason;
use crate::id::RequestId;
use crate::regime::PauseReason;

/// One immutable entry of a request's timeline. Clock events move the due date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEvent {
    /// The request.
    pub request: RequestId,
    /// Its number, from 1.
    pub n: u32,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What a timeline entry says; codes and dates only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// Became a request in law.
    Accepted,
    /// The person's identity was proven.
    Verified,
    /// Staff handed in a list of so many subjects, and vouch for who they are.
    Listed(u32),
    /// Staff made sure who asks, by other means than a code.
    IdentityConfirmed,
    /// The plan was made, or made again, from this data map.
    Planned(Digest),
    /// The gate stays shut for this reason.
    GateShut(GateReason),
    /// The gate opened over this plan.
    GateOpened(Digest),
    /// A hold was set.
    Held,
    /// The hold was lifted.
    HoldReleased,
    /// The further time was taken; the person must be told.
    Extended(Timestamp),
    /// The legal clock was stopped: we wait for the person.
    Paused(PauseReason),
    /// The person answered: the legal clock goes on.
    Resumed,
    /// Staff chose the law it is handled under.
    RegimeChosen(String),
    /// The due date lies beyond the known holidays: the law may allow more.
    HolidaysUnknown,
    /// We refused.
    Denied(DenialReason),
    /// They withdrew.
    Revoked,
    /// Staff or the clock allow it to end without its blocked stores.
    PartialAllowed,
    /// The request itself cannot go on, for this reason.
    Stuck(BlockReason),
    /// Staff let a stuck request try again.
    Retried,
    /// Staff were reminded of the due date.
    Reminded(Urgency),
    /// Staff released a blocked task of this store.
    Released(String),
    /// A person attested this store.
    Attested(String),
    /// The outcome was sent.
    Responded(Outcome),
    /// The export was downloaded.
    Downloaded,
}
