//! A request and its stages: what may follow what, for the live run and for recovery alike.
//!
//! Due date, hold and gate reason are fields, not stages. What each store of the request goes
//! through is a [`crate::task::Task`]; the ledger's versions guard every change.

mod batch;
mod timeline;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::batch::{Batch, Ended, MAX_MEMBERS, Member, Members, Place};
pub use self::timeline::{Happening, TimelineEvent};
use crate::calendar::Zone;
use crate::digest::{Digest, Tag};
use crate::id::RequestId;
use crate::task::Block;

/// What a person may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// A copy of their data.
    Access,
    /// Deletion of their data.
    Deletion,
    /// No more sale or sharing of their data.
    OptOut,
}

impl Right {
    /// All rights, in domain order.
    pub const ALL: [Self; 3] = [Self::Access, Self::Deletion, Self::OptOut];

    /// Returns the stable name used on every wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Deletion => "deletion",
            Self::OptOut => "opt_out",
        }
    }

    /// Parses the stable name; `opt-out` is accepted for people's sake.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|right| right.name() == text.replace('-', "_"))
    }

    /// Whether the person must first prove to own the mailbox (11 CCR 7060(b): an opt-out needs
    /// no verification).
    pub const fn needs_proof(self) -> bool {
        match self {
            Self::Access | Self::Deletion => true,
            Self::OptOut => false,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every store of the data map is accounted for.
    Completed,
    /// At least one store is blocked, and the receipt says which.
    Partial,
    /// We refused, with a reason.
    Denied,
    /// They withdrew before anything was touched.
    Revoked,
}

impl Outcome {
    /// Returns the stable name used on every wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Denied => "denied",
            Self::Revoked => "revoked",
        }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at", content = "outcome")]
pub enum Stage {
    /// Submitted; the mailbox is not yet proven. Gone after 24 hours.
    Draft,
    /// The legal clock runs; the acceptance is on its way into the log.
    Accepted,
    /// Stores are searched, wave by wave; nothing is touched.
    Locating,
    /// Everything is located and the plan's digest stands; the gate is not open yet.
    Gated,
    /// Effects run, in reverse wave order.
    Acting,
    /// The outcome's statement is in the outbox.
    Sealing(Outcome),
    /// The receipt is stored.
    Closed(Outcome),
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The code was right, an opt-out was submitted, or staff logged the request.
    Confirmed,
    /// The plan is made: its tasks can be derived.
    Planned,
    /// Every task is located.
    Located,
    /// Nothing stops the effects.
    GateOpened,
    /// The data map changed, or a store was released, after the plan was made.
    Replanned,
    /// The outcome is known and its statement is in the outbox.
    Settled(Outcome),
    /// The receipt is stored.
    Sealed,
}

/// An event that cannot happen at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a request that is {stage:?}")]
pub struct IllegalEvent {
    /// Where the request stood.
    pub stage: Stage,
    /// What was to happen.
    pub event: Event,
}

impl Stage {
    /// Says where `event` leads from here.
    ///
    /// # Errors
    /// [`IllegalEvent`] when the event cannot happen here.
    pub const fn after(self, event: Event) -> Result<Self, IllegalEvent> {
        match (self, event) {
            (Self::Draft, Event::Confirmed) => Ok(Self::Accepted),
            (Self::Accepted, Event::Planned)
            | (Self::Locating | Self::Gated | Self::Acting, Event::Replanned) => Ok(Self::Locating),
            (Self::Locating, Event::Located) => Ok(Self::Gated),
            (Self::Gated, Event::GateOpened) => Ok(Self::Acting),
            // Denial and revocation come before the first effect: the gate may be open already.
            (
                Self::Accepted | Self::Locating | Self::Gated | Self::Acting,
                Event::Settled(outcome @ (Outcome::Denied | Outcome::Revoked)),
            )
            | (Self::Acting, Event::Settled(outcome @ (Outcome::Completed | Outcome::Partial))) => {
                Ok(Self::Sealing(outcome))
            }
            (Self::Sealing(outcome), Event::Sealed) => Ok(Self::Closed(outcome)),
            (stage, event) => Err(IllegalEvent { stage, event }),
        }
    }

    /// Whether the request still needs work by somebody.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Accepted | Self::Locating | Self::Gated | Self::Acting | Self::Sealing(_) => true,
            Self::Draft | Self::Closed(_) => false,
        }
    }

    /// Returns the stable name of the stage, without the outcome.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Accepted => "accepted",
            Self::Locating => "locating",
            Self::Gated => "gated",
            Self::Acting => "acting",
            Self::Sealing(_) => "sealing",
            Self::Closed(_) => "closed",
        }
    }

    /// Returns the outcome once it is known.
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Sealing(outcome) | Self::Closed(outcome) => Some(outcome),
            Self::Draft | Self::Accepted | Self::Locating | Self::Gated | Self::Acting => None,
        }
    }
}

/// Why the gate stays shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateReason {
    /// One identifier leads to several subjects: a person must decide.
    Ambiguous,
    /// More would be touched than one person may approve.
    BlastRadius,
    /// An earlier access request of the same subject is not answered yet.
    EarlierAccess,
    /// A hold forbids touching this subject's data.
    Held,
}

impl GateReason {
    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::BlastRadius => "blast_radius",
            Self::EarlierAccess => "earlier_access",
            Self::Held => "held",
        }
    }
}

/// How near a due date is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Ten days, or less.
    Soon,
    /// Three days, or less.
    Near,
    /// It is past.
    Overdue,
}

impl Urgency {
    /// Says how near an instant is; none while it is far.
    pub fn of(due: Timestamp, now: Timestamp) -> Option<Self> {
        let left = due.duration_since(now);
        if left <= SignedDuration::ZERO {
            Some(Self::Overdue)
        } else if left <= Self::NEAR {
            Some(Self::Near)
        } else if left <= Self::SOON {
            Some(Self::Soon)
        } else {
            None
        }
    }

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Soon => "soon",
            Self::Near => "near",
            Self::Overdue => "overdue",
        }
    }

    const SOON: SignedDuration = SignedDuration::from_hours(24 * 10);
    const NEAR: SignedDuration = SignedDuration::from_hours(24 * 3);
}

/// Why we refuse (the Data Rights Protocol's codes, GDPR Art. 12(5), 17(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialReason {
    /// The law invoked does not give this claim.
    ClaimNotCovered,
    /// The identity could not be verified.
    InsufVerification,
    /// Nobody here matches.
    NoMatch,
    /// The person lives where no such right applies.
    OutsideJurisdiction,
    /// The request looks like fraud.
    SuspectedFraud,
    /// Manifestly unfounded or excessive.
    TooManyRequests,
}

impl DenialReason {
    /// All reasons, in alphabetical order.
    pub const ALL: [Self; 6] = [
        Self::ClaimNotCovered,
        Self::InsufVerification,
        Self::NoMatch,
        Self::OutsideJurisdiction,
        Self::SuspectedFraud,
        Self::TooManyRequests,
    ];

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClaimNotCovered => "claim_not_covered",
            Self::InsufVerification => "insuf_verification",
            Self::NoMatch => "no_match",
            Self::OutsideJurisdiction => "outside_jurisdiction",
            Self::SuspectedFraud => "suspected_fraud",
            Self::TooManyRequests => "too_many_requests",
        }
    }

    /// Parses the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == text)
    }
}

/// A code for the mailbox, as the ledger knows it. The code itself is derived from intake's key,
/// the request and `expires_at`, so that a mail that was lost can be sent again with the same code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// When the code stops working; no two codes of a request end at the same instant.
    pub expires_at: Timestamp,
    /// Wrong tries left; none left and the code is dead.
    pub tries_left: u8,
    /// Whether the mail is known to have been handed over.
    pub mailed: bool,
}

/// Why a request ends without effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// We refuse.
    Denied(DenialReason),
    /// They withdrew.
    Revoked,
}

impl Ending {
    /// Returns the outcome it leads to.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Denied(_) => Outcome::Denied,
            Self::Revoked => Outcome::Revoked,
        }
    }
}

/// A hold on a request: it must not be touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it was set.
    pub at: Timestamp,
    /// The held identifier that it is for; none when somebody held this very request.
    #[serde(default)]
    pub on: Option<Tag>,
}

/// The plan: which stores, under which data map, with which digest once everything is located.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The data map the plan was made from.
    pub data_map: Digest,
    /// Since when that was in force, as far as it was known.
    #[serde(default)]
    pub in_force_since: Option<Timestamp>,
    /// How often the data map changed since the first plan.
    pub generation: u32,
    /// How many stores the data map named.
    pub stores: u32,
    /// Digest over stores, keyed identifiers and manifests; set when the plan is gated.
    pub digest: Option<Digest>,
}

/// A request as the ledger keeps it: stages, dates, counters and keyed tags; nothing personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What is asked.
    pub right: Right,
    /// Where it stands.
    pub stage: Stage,
    /// The law it is handled under ([`crate::regime`]).
    pub regime: String,
    /// Where its days are counted, if not where the law counts them: the controller's time zone.
    pub time_zone: Option<Zone>,
    /// Language of mails and pages, a BCP 47 tag.
    pub locale: String,
    /// When the form arrived.
    pub submitted_at: Timestamp,
    /// When it became a request in law.
    pub accepted_at: Option<Timestamp>,
    /// When the mailbox was proven; none for an opt-out.
    pub verified_at: Option<Timestamp>,
    /// The legal due date: computed from regime and clock events, stored with each new event.
    pub due_at: Option<Timestamp>,
    /// The due date after an extension that the person must be told of.
    pub extended_to: Option<Timestamp>,
    /// Since when the legal clock stands still, while it does.
    pub paused_at: Option<Timestamp>,
    /// When the first effect was committed to: from then on revoking is too late.
    pub first_effect_at: Option<Timestamp>,
    /// When the outcome was known and the answer sent on its way.
    pub responded_at: Option<Timestamp>,
    /// What was answered: digest of outcome and stores, and the name of the export. Another state of
    /// the stores is another answer.
    pub answer: Option<Digest>,
    /// When the receipt was stored.
    pub closed_at: Option<Timestamp>,
    /// The code that proves the mailbox, or frees a download.
    pub challenge: Option<Challenge>,
    /// How many codes were sent so far; bounded.
    pub codes_sent: u8,
    /// Keyed hash of the secret that reads the status and revokes.
    pub status_token: Tag,
    /// Keyed hash of the one mailbox that was given to be proven; codes go nowhere else.
    pub mailbox: Option<Tag>,
    /// The salted commitment to the identifier in the receipts.
    pub commitment: Tag,
    /// Keyed index tags of the identifiers given and resolved, sorted.
    pub subject_tags: Vec<Tag>,
    /// The plan, once made.
    pub plan: Option<Plan>,
    /// A hold, while it lasts.
    pub hold: Option<Hold>,
    /// What keeps the gate shut, when it is.
    pub gate: Option<GateReason>,
    /// That it ends without effects, once that is decided: nothing may be touched from then on.
    pub ending: Option<Ending>,
    /// Since when staff or the clock allow it to end without its blocked stores.
    pub partial_at: Option<Timestamp>,
    /// How many timeline events exist.
    pub events: u32,
    /// How many amendments were made to the outcome.
    pub amendments: u32,
    /// When the clock looks at this request next; none only when nothing is left to do.
    pub wake_at: Option<Timestamp>,
    /// When everything personal about the request was destroyed.
    pub purged_at: Option<Timestamp>,
    /// How often its next step was tried without progress; reset by every stage it reaches.
    pub attempts: u8,
    /// Why it cannot go on, when nothing but a person can help: a request, not one of its tasks.
    pub block: Option<Block>,
    /// How urgently staff were reminded of the due date so far.
    #[serde(default)]
    pub reminded: Option<Urgency>,
    /// That it is for many subjects at once, or one of these; none for a person's own request.
    #[serde(default)]
    pub batch: Option<Batch>,
}

impl Request {
    /// Returns how far the members are, if this is a batch.
    pub const fn members(&self) -> Option<&Members> {
        match &self.batch {
            Some(Batch::Whole(members)) => Some(members),
            Some(Batch::Member(_)) | None => None,
        }
    }

    /// Returns whose member it is, if it is one.
    pub const fn place(&self) -> Option<Place> {
        match &self.batch {
            Some(Batch::Member(place)) => Some(*place),
            Some(Batch::Whole(_)) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 13] = [
        Stage::Draft,
        Stage::Accepted,
        Stage::Locating,
        Stage::Gated,
        Stage::Acting,
        Stage::Sealing(Outcome::Completed),
        Stage::Sealing(Outcome::Partial),
        Stage::Sealing(Outcome::Denied),
        Stage::Sealing(Outcome::Revoked),
        Stage::Closed(Outcome::Completed),
        Stage::Closed(Outcome::Partial),
        Stage::Closed(Outcome::Denied),
        Stage::Closed(Outcome::Revoked),
    ];
    const EVENTS: [Event; 10] = [
        Event::Confirmed,
        Event::Planned,
        Event::Located,
        Event::GateOpened,
        Event::Replanned,
        Event::Settled(Outcome::Completed),
        Event::Settled(Outcome::Partial),
        Event::Settled(Outcome::Denied),
        Event::Settled(Outcome::Revoked),
        Event::Sealed,
    ];

    #[test]
    fn exactly_these_transitions_are_legal() {
        let mut legal = Vec::new();
        for stage in STAGES {
            for event in EVENTS {
                if let Ok(next) = stage.after(event) {
                    legal.push(format!("{stage:?} {event:?} {next:?}"));
                }
            }
        }
        let expected = [
            "Draft Confirmed Accepted",
            "Accepted Planned Locating",
            "Accepted Settled(Denied) Sealing(Denied)",
            "Accepted Settled(Revoked) Sealing(Revoked)",
            "Locating Located Gated",
            "Locating Replanned Locating",
            "Locating Settled(Denied) Sealing(Denied)",
            "Locating Settled(Revoked) Sealing(Revoked)",
            "Gated GateOpened Acting",
            "Gated Replanned Locating",
            "Gated Settled(Denied) Sealing(Denied)",
            "Gated Settled(Revoked) Sealing(Revoked)",
            "Acting Replanned Locating",
            "Acting Settled(Completed) Sealing(Completed)",
            "Acting Settled(Partial) Sealing(Partial)",
            "Acting Settled(Denied) Sealing(Denied)",
            "Acting Settled(Revoked) Sealing(Revoked)",
            "Sealing(Completed) Sealed Closed(Completed)",
            "Sealing(Partial) Sealed Closed(Partial)",
            "Sealing(Denied) Sealed Closed(Denied)",
            "Sealing(Revoked) Sealed Closed(Revoked)",
        ];
        assert_eq!(legal, expected);
    }

    #[test]
    fn nothing_leaves_a_closed_request() {
        for outcome in [
            Outcome::Completed,
            Outcome::Partial,
            Outcome::Denied,
            Outcome::Revoked,
        ] {
            for event in EVENTS {
                assert!(Stage::Closed(outcome).after(event).is_err());
            }
        }
    }

    #[test]
    fn names_are_the_wire_names() {
        for right in Right::ALL {
            assert_eq!(serde_json::to_value(right).unwrap(), right.name());
            assert_eq!(Right::parse(right.name()), Some(right));
        }
        for reason in DenialReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
        assert_eq!(Right::parse("opt-out"), Some(Right::OptOut));
        assert_eq!(Right::parse("erasure"), None);
    }
}
