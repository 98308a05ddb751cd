//! What each right does in a store.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::path::FieldPath;
use crate::id::StoreId;

/// What access does in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccessRule {
    /// Fields that are left out of the export, such as password hashes.
    pub exclude: Vec<FieldPath>,
}

/// What deletion does in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionRule {
    /// The matching items, objects or rows are deleted.
    DeleteItem,
    /// Fields are masked or removed, and the rest stays: never called "deleted".
    Redact {
        /// What becomes of which field.
        fields: BTreeMap<FieldPath, Mask>,
        /// Why the rest is kept, where that is a legal reason.
        rest: Option<Retention>,
    },
    /// Everything stays, for a legal reason.
    Retain(Retention),
}

/// Why something is kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// The code of the reason, shown in receipts.
    pub basis: Basis,
    /// For how long.
    pub until: RetainUntil,
}

/// As it is written in a data map.
impl Serialize for DeletionRule {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (redact, retain) = match self {
            Self::DeleteItem => return s.serialize_str("delete_item"),
            Self::Redact { fields, rest } => (Some(fields), rest.as_ref()),
            Self::Retain(kept) => (None, Some(kept)),
        };
        let entries = usize::from(redact.is_some()).saturating_add(usize::from(retain.is_some()));
        let mut map = s.serialize_map(Some(entries))?;
        if let Some(fields) = redact {
            map.serialize_entry("redact", fields)?;
        }
        if let Some(kept) = retain {
            map.serialize_entry("retain", kept)?;
        }
        map.end()
    }
}

impl DeletionRule {
    /// Returns the legal reason for which something stays, if there is one.
    pub const fn retention(&self) -> Option<&Retention> {
        match self {
            Self::DeleteItem => None,
            Self::Redact { rest, .. } => rest.as_ref(),
            Self::Retain(retention) => Some(retention),
        }
    }

    /// Whether a pseudonym is left: then the data stay personal data.
    pub fn pseudonymises(&self) -> bool {
        match self {
            Self::Redact { fields, .. } => fields.values().any(|mask| *mask == Mask::Pseudonym),
            Self::DeleteItem | Self::Retain(_) => false,
        }
    }
}

/// What happens to a redacted field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// It gets the text [`Mask::TEXT`].
    Fixed,
    /// It becomes null.
    Null,
    /// A keyed pseudonym stands instead ([`crate::pseudonym`]).
    Pseudonym,
    /// It goes away.
    Remove,
    /// The subject's own elements go out of a set or a list, and the others stay; tables only.
    TakeOut,
}

impl Mask {
    /// What stands in a field that was masked.
    pub const TEXT: &'static str = "***";
}

/// The code of a legal reason to keep data, such as `tax_law`: 1 to 64 of `a-z 0-9 _ -`, starting
/// with a letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Basis(String);

impl Basis {
    /// Parses a code.
    pub fn parse(text: &str) -> Option<Self> {
        // The same rule as for the ids of stores.
        StoreId::parse(text).map(|id| Self(id.into()))
    }

    /// Returns the code's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Until when data is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetainUntil {
    /// So long after the request was accepted.
    After(Period),
    /// To the end of this day, UTC.
    Date(Date),
    /// No end is known.
    Indefinite,
}

impl RetainUntil {
    /// Returns the instant at which keeping ends, for a request that was accepted at `accepted_at`;
    /// none when no end is known.
    pub fn ends_at(&self, accepted_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::After(period) => {
                let accepted = accepted_at.to_zoned_datetime(TimeZone::UTC);
                let end = accepted.checked_add(period.span()).ok()?;
                Some(end.timestamp())
            }
            Self::Date(date) => {
                let next = date.tomorrow().ok()?;
                next.to_zoned_datetime(TimeZone::UTC)
                    .ok()
                    .map(|midnight| midnight.timestamp())
            }
            Self::Indefinite => None,
        }
    }
}

impl fmt::Display for RetainUntil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(period) => fmt::Display::fmt(period, f),
            Self::Date(date) => fmt::Display::fmt(date, f),
            Self::Indefinite => f.write_str("indefinite"),
        }
    }
}

impl Serialize for RetainUntil {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// A length of time in one unit, such as `10y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// How many.
    pub count: u16,
    /// Of what.
    pub unit: PeriodUnit,
}

/// A unit of a [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodUnit {
    /// Calendar years.
    Years,
    /// Calendar months.
    Months,
    /// Days.
    Days,
}

impl Period {
    fn span(self) -> Span {
        let count = i64::from(self.count);
        match self.unit {
            // The bound of 65 535 is inside every limit but the one of years.
            PeriodUnit::Years => Span::new().years(count.min(9_998)),
            PeriodUnit::Months => Span::new().months(count),
            PeriodUnit::Days => Span::new().days(count),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            PeriodUnit::Years => 'y',
            PeriodUnit::Months => 'm',
            PeriodUnit::Days => 'd',
        };
        write!(f, "{}{unit}", self.count)
    }
}

/// What an opt-out does in a store, beside the suppression list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OptOutRule {
    /// A person attests that it was recorded there; attested stores only.
    Attest,
    /// Nothing.
    NoFlag,
    /// These fields are set.
    Set(BTreeMap<FieldPath, ScalarValue>),
}

/// A value that an opt-out sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ScalarValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}
