//! Periods of law on the civil calendar: which day a period ends on, in which time zone.
//!
//! Which days are holidays is data ([`crate::holidays`]); which law counts how is in
//! [`crate::regime`]. The day of the event does not count, and a period ends with the last minute of
//! its last day (Regulation 1182/71 Art. 3(1) and (2)). Time zones are compiled in, so that a due
//! date does not depend on the machine.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::holidays::Calendar;

/// A period as a statute writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// Calendar days.
    Days(u16),
    /// Working days of a calendar.
    BusinessDays(u16),
    /// Calendar months: the same day of a later month, or that month's last day.
    Months(u16),
}

impl Period {
    /// Parses `45d`, `15bd` or `1m`.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at_checked(unit)?;
        let number = number.parse().ok().filter(|n| (1..=MOST).contains(n))?;
        match unit {
            "d" => Some(Self::Days(number)),
            "bd" => Some(Self::BusinessDays(number)),
            "m" => Some(Self::Months(number)),
            _ => None,
        }
    }

    /// Adds another period of the same kind: one month and two more are three months, not two months
    /// from a day that was cut to the end of its month. None for another kind.
    pub const fn and(self, more: Self) -> Option<Self> {
        match (self, more) {
            (Self::Days(a), Self::Days(b)) => Some(Self::Days(a.saturating_add(b))),
            (Self::BusinessDays(a), Self::BusinessDays(b)) => {
                Some(Self::BusinessDays(a.saturating_add(b)))
            }
            (Self::Months(a), Self::Months(b)) => Some(Self::Months(a.saturating_add(b))),
            (Self::Days(_) | Self::BusinessDays(_) | Self::Months(_), _) => None,
        }
    }

    /// Returns the last day of the period that an event on `day` begins. None where the calendar
    /// ends.
    pub fn last_day(self, day: Date, calendar: &Calendar) -> Option<Date> {
        match self {
            Self::Days(n) => day.checked_add(i64::from(n).days()).ok(),
            Self::Months(n) => day.checked_add(i64::from(n).months()).ok(),
            Self::BusinessDays(n) => {
                let mut day = day;
                for _ in 0..n {
                    day = next_working_day(day, calendar)?;
                }
                Some(day)
            }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(n) => write!(f, "{n}d"),
            Self::BusinessDays(n) => write!(f, "{n}bd"),
            Self::Months(n) => write!(f, "{n}m"),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns the first working day after `day`.
pub fn next_working_day(day: Date, calendar: &Calendar) -> Option<Date> {
    let mut day = day.tomorrow().ok()?;
    while !calendar.is_working(day) {
        day = day.tomorrow().ok()?;
    }
    Some(day)
}

/// Returns `day`, or the next working day when it is none.
pub fn rolled(day: Date, calendar: &Calendar) -> Option<Date> {
    if calendar.is_working(day) {
        Some(day)
    } else {
        next_working_day(day, calendar)
    }
}

/// A civil time zone by its IANA name, as in `Europe/Brussels`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

impl Zone {
    /// Parses the name of a zone; its spelling becomes the database's own.
    pub fn parse(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    /// Returns the zone's name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the day it is in this zone.
    pub fn day_of(&self, at: Timestamp) -> Date {
        self.0.to_datetime(at).date()
    }

    /// Returns the last minute of a day in this zone; the end of time where there is none.
    pub fn last_minute(&self, day: Date) -> Timestamp {
        self.0
            .to_timestamp(day.at(23, 59, 0, 0))
            .unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl TryFrom<String> for Zone {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name).ok_or("no time zone has this name")
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

/// No statute gives more, whatever the unit; a slip of the keyboard does.
const MOST: u16 = 400;

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn end(text: &str, day: Date) -> Date {
        let period = Period::parse(text).unwrap();
        assert_eq!(period.to_string(), text);
        period.last_day(day, Calendar::weekdays()).unwrap()
    }

    #[test]
    fn periods_end_where_the_calendar_says() {
        for (start, period, last) in [
            (date(2026, 1, 31), "1m", date(2026, 2, 28)),
            (date(2028, 1, 31), "1m", date(2028, 2, 29)),
            (date(2026, 11, 30), "3m", date(2027, 2, 28)),
            (date(2026, 11, 23), "45d", date(2027, 1, 7)),
            // A Monday: three weeks of five days later is a Monday again.
            (date(2026, 11, 23), "15bd", date(2026, 12, 14)),
            // A Friday: the first business day is Monday.
            (date(2026, 11, 27), "1bd", date(2026, 11, 30)),
        ] {
            assert_eq!(end(period, start), last, "{start} {period}");
        }
    }

    #[test]
    fn nonsense_is_no_period() {
        for text in [
            "", "d", "45", "-1d", "1y", "bd", "1.5m", "0d", "401d", "99999d",
        ] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_periods_of_a_kind_add_up() {
        let [one, two] = ["1m", "2m"].map(|text| Period::parse(text).unwrap());
        assert_eq!(one.and(two), Period::parse("3m"));
        assert_eq!(one.and(Period::Days(3)), None);
    }

    #[test]
    fn a_zone_counts_its_own_days() {
        let at: Timestamp = "2026-11-24T06:30:00Z".parse().unwrap();
        let zone = |name: &str| Zone::parse(name).unwrap();
        assert_eq!(
            zone("America/Los_Angeles").day_of(at),
            date(2026, 11, 23),
            "half past ten the evening before"
        );
        assert_eq!(zone("Pacific/Auckland").day_of(at), date(2026, 11, 24));
        // The clocks go forward on the 29th of March: the day ends an hour earlier in UTC.
        let brussels = zone("Europe/Brussels");
        let ends = [date(2026, 3, 28), date(2026, 3, 29)].map(|day| brussels.last_minute(day));
        assert_eq!(ends[0].to_string(), "2026-03-28T22:59:00Z");
        assert_eq!(ends[1].to_string(), "2026-03-29T21:59:00Z");
    }

    #[test]
    fn a_zone_is_known_by_its_name_only() {
        for name in ["", "CET+1", "Europe/Atlantis", "+02:00", "../etc/passwd"] {
            assert_eq!(Zone::parse(name), None, "{name}");
        }
        let zone = Zone::parse("europe/BERLIN").unwrap();
        assert_eq!(zone.name(), "Europe/Berlin");
        let json = serde_json::to_string(&zone).unwrap();
        assert_eq!(json, "\"Europe/Berlin\"");
        assert_eq!(serde_json::from_str::<Zone>(&json).unwrap(), zone);
        assert_eq!(format!("{zone:?}"), "Zone(Europe/Berlin)");
    }
}
