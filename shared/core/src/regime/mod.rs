//! Law as data: a regime is one law's answer for one right, from one date to another.
//!
//! The table is `data/regimes.csv`; what is known about each of its rows, and from where, is in
//! `docs/LAW.md`. Reading it is in `read`, counting by it in `clock`; what a day is, is in
//! [`crate::calendar`]. Receipts pin law and holidays by one digest.

mod clock;
mod read;

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::clock::{ClockEvent, Deadlines};
pub use self::read::parse;
use crate::calendar::{Period, Zone};
use crate::digest::Digest;
use crate::holidays::{self, Calendar};
use crate::request::Right;

/// One law's rules for one right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Regime {
    /// Stable id of the law, as in `eu_gdpr`.
    pub id: String,
    /// The right.
    pub right: Right,
    /// What people call the law.
    pub name: String,
    /// The first day these rules apply to requests received on it.
    pub from: Date,
    /// The last such day, where others came after.
    pub until: Option<Date>,
    /// Where the law's days are counted, unless the controller says otherwise.
    pub zone: Zone,
    /// Whose holidays count; none where no holiday matters.
    pub calendar: Option<String>,
    /// What begins the time to respond.
    pub starts: Start,
    /// The time to respond.
    pub respond: Period,
    /// What becomes of a last day on which nobody works.
    pub rolls: Rolling,
    /// The further time that may be taken, and until when the person must be told of it.
    pub extension: Option<Extension>,
    /// For which reasons the clock may stand still.
    pub pauses: Vec<PauseReason>,
    /// The time to confirm that the request arrived.
    pub confirm: Option<Period>,
    /// The time to decide on an appeal against a refusal.
    pub appeal: Option<Period>,
    /// The further time that a decision on an appeal may take.
    pub appeal_extension: Option<Period>,
    /// How well the numbers are known.
    pub confidence: Confidence,
    /// Where it is written.
    pub citation: String,
}

/// The further time that may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Extension {
    /// How much more, counted on from the time to respond.
    pub by: Period,
    /// Until when the person must be told, counted as the time to respond is.
    pub notice: Period,
}

/// What begins the time to respond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The request arrived.
    Received,
    /// The person's identity was proven, where that was asked for.
    Verified,
}

/// What becomes of a last day on which nobody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rolling {
    /// The period ends on it all the same.
    Never,
    /// The period ends on the next working day.
    NextWorkingDay,
}

/// Why the clock stands still while we wait for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// We asked which information or processing is meant.
    Clarification,
    /// We asked for a proof of identity.
    Identity,
}

impl PauseReason {
    /// All reasons, in alphabetical order.
    pub const ALL: [Self; 2] = [Self::Clarification, Self::Identity];

    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Clarification => "clarification",
            Self::Identity => "identity",
        }
    }

    /// Parses the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == text)
    }
}

/// How well a row's numbers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Read in the law's own words.
    Read,
    /// Told by somebody who had read it.
    Secondary,
    /// Not confirmed: chosen only by a person who says so.
    Unverified,
}

impl Confidence {
    /// Returns the stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Secondary => "secondary",
            Self::Unverified => "unverified",
        }
    }

    /// Whether the numbers are confirmed by anybody.
    pub const fn is_verified(self) -> bool {
        match self {
            Self::Read | Self::Secondary => true,
            Self::Unverified => false,
        }
    }
}

/// Why there are no rules to go by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRegime {
    /// No law has this id.
    #[error("the law `{0}` is not known")]
    UnknownLaw(String),
    /// The law sets no time for this right.
    #[error("the law `{0}` sets no time for this right")]
    OtherRights(String),
    /// The law did not apply yet, or no longer, when the request arrived.
    #[error("the law `{law}` did not apply on {on}")]
    NotInForce {
        /// The law.
        law: String,
        /// The day of receipt.
        on: Date,
    },
}

impl Regime {
    /// Returns the whole table, sorted by law, right and date.
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// Finds a law's rules for a right, as they were when a request was received.
    ///
    /// # Errors
    /// [`NoRegime`], which says what there is none of.
    pub fn find(
        law: &str,
        right: Right,
        received_at: Timestamp,
    ) -> Result<&'static Self, NoRegime> {
        let mut found: Result<_, NoRegime> = Err(NoRegime::UnknownLaw(law.to_owned()));
        for regime in Self::all().iter().filter(|regime| regime.id == law) {
            if regime.right != right {
                if matches!(found, Err(NoRegime::UnknownLaw(_))) {
                    found = Err(NoRegime::OtherRights(law.to_owned()));
                }
            } else if regime.applies_at(received_at) {
                return Ok(regime);
            } else {
                found = Err(NoRegime::NotInForce {
                    law: law.to_owned(),
                    on: regime.zone.day_of(received_at),
                });
            }
        }
        found
    }

    /// Lists the laws that may be chosen for a right without further ado.
    pub fn choices(right: Right, received_at: Timestamp) -> Vec<&'static str> {
        let choices = Self::all().iter().filter(|regime| {
            regime.right == right
                && regime.confidence.is_verified()
                && regime.applies_at(received_at)
        });
        choices.map(|regime| regime.id.as_str()).collect()
    }

    /// Whether a request received then falls under these rules.
    pub fn applies_at(&self, received_at: Timestamp) -> bool {
        let day = self.zone.day_of(received_at);
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }

    /// Returns the digest of the whole table and of the holidays: what `cat` writes of both files.
    pub fn table_digest() -> Digest {
        Digest::of([TABLE, holidays::TABLE].concat().as_bytes())
    }

    /// Returns the calendar whose holidays count.
    pub fn holidays(&self) -> &'static Calendar {
        let calendar = self.calendar.as_deref().and_then(Calendar::find);
        calendar.unwrap_or_else(|| Calendar::weekdays())
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Version of the tables' format and content, written into receipts beside their digest.
pub const TABLE_VERSION: u32 = 3;
const TABLE: &str = include_str!("../../data/regimes.csv");
// A test proves that the built-in table can be read.
static ALL: LazyLock<Vec<Regime>> = LazyLock::new(|| parse(TABLE).unwrap_or_default());

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        assert_eq!(parse(TABLE).unwrap().len(), TABLE.lines().count() - 1);
        assert!(Regime::all().len() > 90);
    }

    #[test]
    fn what_is_not_there_is_told_apart() {
        let now = at("2026-11-23T09:00:00Z");
        let none = |law, right, at| Regime::find(law, right, at).unwrap_err().to_string();
        assert_eq!(
            none("atlantis", Right::Access, now),
            "the law `atlantis` is not known"
        );
        assert_eq!(
            none("br_lgpd", Right::Deletion, now),
            "the law `br_lgpd` sets no time for this right"
        );
        assert_eq!(
            none("us_ky_kcdpa", Right::Access, at("2025-12-31T23:00:00Z")),
            "the law `us_ky_kcdpa` did not apply on 2025-12-31"
        );
    }

    #[test]
    fn the_rules_of_the_day_of_receipt_apply() {
        let starts = |received_at| {
            let regime = Regime::find("uk_gdpr", Right::Access, at(received_at)).unwrap();
            (regime.starts, regime.pauses.len())
        };
        assert_eq!(starts("2026-02-04T23:59:59Z"), (Start::Received, 0));
        assert_eq!(starts("2026-02-05T00:00:00Z"), (Start::Verified, 2));
    }

    #[test]
    fn only_confirmed_laws_in_force_are_choices() {
        let choices = |day: &str| Regime::choices(Right::Access, at(day));
        let now = choices("2026-11-23T09:00:00Z");
        assert!(now.contains(&"eu_gdpr") && now.contains(&"us_ky_kcdpa"));
        assert!(!now.contains(&"mx_lfpdppp"), "nobody confirmed its numbers");
        assert!(!choices("2025-12-01T09:00:00Z").contains(&"us_ky_kcdpa"));
    }

    #[test]
    fn names_are_the_wire_names() {
        for reason in PauseReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
            assert_eq!(PauseReason::parse(reason.code()), Some(reason));
        }
        for confidence in [
            Confidence::Read,
            Confidence::Secondary,
            Confidence::Unverified,
        ] {
            assert_eq!(serde_json::to_value(confidence).unwrap(), confidence.code());
        }
    }
}
