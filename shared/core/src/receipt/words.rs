//! The few kinds of text that a statement may hold: codes, names, minutes, never free text.
//!
//! Each kind parses strictly and has exactly one spelling, so that a statement has one canonical form
//! and nothing personal can hide in it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A reason or method: 1 to 64 of `a-z 0-9 _`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl Code {
    /// Parses a code.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        ((1..=64).contains(&text.len()) && text.bytes().all(legal)).then(|| Self(text.to_owned()))
    }
}

/// An id or a version: 1 to 64 of `a-z 0-9 . _ + -`, starting with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// Parses an id or version.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let legal = |b: u8| plain(b) || matches!(b, b'.' | b'_' | b'+' | b'-');
        ((1..=64).contains(&text.len())
            && text.bytes().take(1).all(plain)
            && text.bytes().all(legal))
        .then(|| Self(text.to_owned()))
    }
}

/// A name from the data map that is meant for the public: 1 to 80 characters, none of them control
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicName(String);

impl PublicName {
    /// Parses a public name.
    pub fn parse(text: &str) -> Option<Self> {
        ((1..=80).contains(&text.chars().count()) && !text.chars().any(char::is_control))
            .then(|| Self(text.to_owned()))
    }
}

macro_rules! checked_text {
    ($type:ty, $expected:literal) => {
        impl $type {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $type {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or($expected)
            }
        }
        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.0
            }
        }
    };
}
checked_text!(Code, "a code is 1 to 64 of a-z 0-9 _");
checked_text!(
    Slug,
    "an id is 1 to 64 of a-z 0-9 . _ + - and starts with a letter or digit"
);
checked_text!(
    PublicName,
    "a public name is 1 to 80 characters without control characters"
);

/// Whether a log may have this name: 1 to 128 of `A-Z a-z 0-9 . _ : / -`. It stands in checkpoints, in
/// keys, in policies and in shell commands, and must be the same text in all of them.
pub fn is_log_name(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(is_plain)
}

/// A time cut to the minute, `2026-11-23T20:47Z` in text: 17 characters, UTC, years 0000 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Minute(Timestamp);

impl Minute {
    /// Cuts a time down to its minute.
    pub fn floor(time: Timestamp) -> Self {
        let second = time.as_second();
        let whole = second - second.rem_euclid(60);
        // The only minute that cannot be represented begins before the earliest timestamp.
        Self(Timestamp::from_second(whole).unwrap_or(Timestamp::MIN))
    }

    /// Parses exactly `YYYY-MM-DDTHH:MMZ`.
    pub fn parse(text: &str) -> Option<Self> {
        let minute = text.strip_suffix('Z')?;
        let time: Timestamp = format!("{minute}:00Z").parse().ok()?;
        let parsed = Self(time);
        (parsed.to_string() == text).then_some(parsed)
    }

    /// Returns the minute's first instant.
    pub const fn start(self) -> Timestamp {
        self.0
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%MZ"))
    }
}

impl fmt::Debug for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Minute {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a minute is written YYYY-MM-DDTHH:MMZ")
    }
}

impl From<Minute> for String {
    fn from(minute: Minute) -> Self {
        minute.to_string()
    }
}

/// A day in UTC, `2026-11-23` in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(jiff::civil::Date);

impl Day {
    /// Returns the day that a time falls on, in UTC.
    pub fn of(time: Timestamp) -> Self {
        Self(jiff::tz::Offset::UTC.to_datetime(time).date())
    }

    /// Returns the day before; none before the first.
    pub fn before(self) -> Option<Self> {
        self.0.yesterday().ok().map(Self)
    }

    /// Returns the day after; none after the last.
    pub fn after(self) -> Option<Self> {
        self.0.tomorrow().ok().map(Self)
    }

    /// Returns the day's first instant.
    pub fn start(self) -> Timestamp {
        let begins =
            jiff::tz::Offset::UTC.to_timestamp(self.0.to_datetime(jiff::civil::Time::midnight()));
        // Only days that no clock shows are beyond what a timestamp can be.
        begins.unwrap_or(Timestamp::MAX)
    }

    /// Parses exactly `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = Self(text.parse().ok()?);
        (parsed.to_string() == text).then_some(parsed)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a day is written YYYY-MM-DD")
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

/// 32 random bytes that keep a leaf from being guessed; 64 lower-case hex digits in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// Wraps 32 random bytes.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// Parses 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl TryFrom<String> for Nonce {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a nonce is 64 lower-case hex digits")
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        nonce.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_one_spelling_and_no_seconds() {
        let time: Timestamp = "2026-11-23T20:47:59.9Z".parse().unwrap();
        let minute = Minute::floor(time);
        assert_eq!(minute.to_string(), "2026-11-23T20:47Z");
        assert_eq!(Minute::parse("2026-11-23T20:47Z"), Some(minute));
        let before_1970: Timestamp = "1969-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(Minute::floor(before_1970).to_string(), "1969-12-31T23:59Z");
        for bad in [
            "",
            "Z",
            "2026-11-23T20:47:00Z",
            "2026-11-23T20:47",
            "2026-11-23 20:47Z",
            "2026-11-23t20:47Z",
            "2026-11-23T20:47z",
            "2026-11-23T20:47+00:00",
            "2026-11-23T24:00Z",
            "2026-02-30T00:00Z",
            "20261123T2047Z",
            "-000001-01-01T00:00Z",
            "2026-11-23T20:47ZZ",
        ] {
            assert_eq!(Minute::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn minutes_and_days_reach_as_far_as_the_document_says() {
        for good in ["0000-01-01T00:00Z", "9999-12-30T22:00Z"] {
            assert!(Minute::parse(good).is_some(), "{good}");
        }
        assert_eq!(Minute::parse("9999-12-30T22:01Z"), None);
        assert!(Day::parse("0000-01-01").is_some() && Day::parse("9999-12-31").is_some());
    }

    #[test]
    fn a_day_has_one_spelling() {
        let time: Timestamp = "2026-11-23T23:59:59Z".parse().unwrap();
        assert_eq!(Day::parse("2026-11-23"), Some(Day::of(time)));
        let next = Day::of(time).after().unwrap();
        assert_eq!(next.to_string(), "2026-11-24");
        assert_eq!(next.before(), Some(Day::of(time)));
        assert_eq!(next.start().to_string(), "2026-11-24T00:00:00Z");
        assert_eq!(Day::parse("9999-12-31").unwrap().after(), None);
        for bad in [
            "",
            "20261123",
            "2026-11-23T00:00",
            "2026-11-31",
            "+002026-11-23",
        ] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_log_has_a_plain_name() {
        for good in [
            "a",
            "log.example.com/dsr",
            "LOG:8017/a-b_c",
            &"a".repeat(128),
        ] {
            assert!(is_log_name(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a+b",
            "log~x",
            "münchen",
            "a%20b",
            "a,b",
            "a'b",
            "a\nb",
            &"a".repeat(129),
        ] {
            assert!(!is_log_name(bad), "{bad}");
        }
    }

    #[test]
    fn codes_and_names_leave_no_room_for_free_text() {
        assert!(Code::parse("legal_obligation").is_some());
        for bad in ["", "Legal", "a b", "a-b", "é", &"a".repeat(65)] {
            assert!(Code::parse(bad).is_none(), "{bad}");
        }
        assert!(Slug::parse("1.2.3-rc+5").is_some());
        for bad in ["", ".a", "A", "a b", "a@b", &"a".repeat(65)] {
            assert!(Slug::parse(bad).is_none(), "{bad}");
        }
        assert!(PublicName::parse("Kundenkonto für Geräte").is_some());
        for bad in ["", "a\nb", "a\u{7f}", &"a".repeat(81)] {
            assert!(PublicName::parse(bad).is_none(), "{bad}");
        }
    }
}
