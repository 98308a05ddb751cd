//! Periods of law on the civil calendar.
//!
//! Instants in, instants out; days are counted in UTC. A period ends with the last minute of its
//! last day (Regulation 1182/71 Art. 3(2)). Holidays are not known here: business days are Monday
//! to Friday, which can only make a due date earlier than the law's.

use jiff::civil::{Date, Weekday};
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// A period as a statute writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Calendar days.
    Days(u16),
    /// Monday to Friday.
    BusinessDays(u16),
    /// Calendar months: the same day of a later month, or that month's last day.
    Months(u8),
}

impl Period {
    /// Parses `45d`, `15bd` or `1m`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(n) = text.strip_suffix("bd") {
            n.parse().ok().map(Self::BusinessDays)
        } else if let Some(n) = text.strip_suffix('d') {
            n.parse().ok().map(Self::Days)
        } else {
            text.strip_suffix('m')
                .and_then(|n| n.parse().ok())
                .map(Self::Months)
        }
    }

    /// Returns the last minute of the period that an event at `start` begins; the event's own day
    /// does not count. The end of time if the calendar ends before.
    pub fn end(self, start: Timestamp) -> Timestamp {
        let day = Offset::UTC.to_datetime(start).date();
        self.end_day(day)
            .and_then(last_minute)
            .unwrap_or(Timestamp::MAX)
    }

    fn end_day(self, day: Date) -> Option<Date> {
        match self {
            Self::Days(n) => day.checked_add(i64::from(n).days()).ok(),
            Self::Months(n) => day.checked_add(i64::from(n).months()).ok(),
            Self::BusinessDays(n) => {
                let mut day = day;
                let mut left = n;
                while left > 0 {
                    day = day.tomorrow().ok()?;
                    if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
                        left -= 1;
                    }
                }
                Some(day)
            }
        }
    }
}

fn last_minute(day: Date) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(day.at(23, 59, 0, 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_end_where_the_calendar_says() {
        for (start, period, end) in [
            ("2026-01-31T10:00:00Z", "1m", "2026-02-28T23:59:00Z"),
            ("2028-01-31T10:00:00Z", "1m", "2028-02-29T23:59:00Z"),
            ("2026-11-23T20:47:00Z", "1m", "2026-12-23T23:59:00Z"),
            ("2026-11-23T20:47:00Z", "45d", "2027-01-07T23:59:00Z"),
            // A Monday: three weeks of five days later is a Monday again.
            ("2026-11-23T00:00:00Z", "15bd", "2026-12-14T23:59:00Z"),
            // A Friday night: the first business day is Monday.
            ("2026-11-27T23:59:59Z", "1bd", "2026-11-30T23:59:00Z"),
        ] {
            let end_found = Period::parse(period).unwrap().end(start.parse().unwrap());
            assert_eq!(end_found.to_string(), end, "{start} {period}");
        }
    }

    #[test]
    fn nonsense_is_no_period() {
        for text in ["", "d", "45", "-1d", "1y", "bd", "1.5m"] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
