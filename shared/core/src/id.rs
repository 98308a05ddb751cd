//! Names of things: requests, references, stores, leaves.
//!
//! A [`RequestId`] is 128 random bits. Its [`Reference`] is the same request's public, readable
//! name: not a secret, not sequential, with a check character against typing errors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::receipt::words::Day;

/// A request's random 128-bit id; 32 lower-case hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// Wraps 16 random bytes.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Parses 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .ok()?
            .try_into()
            .ok()
            .map(Self)
    }

    /// Returns the public reference derived from this id.
    pub fn reference(&self) -> Reference {
        Reference::of(self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected 32 hex digits"))
    }
}

/// A request's public name: `DSR-` and twelve Crockford base-32 digits in groups of four, and a
/// check digit; 60 bits derived from the id by SHA-256, so the reference does not reveal the id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);

impl Reference {
    /// Parses a reference as typed by a person: case, blanks and hyphens do not matter, `O` is
    /// read as `0`, `I` and `L` as `1`.
    pub fn parse(text: &str) -> Option<Self> {
        let compact: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let digits = compact.strip_prefix("DSR")?;
        if digits.len() > 64 {
            return None;
        }
        let values: Option<Vec<u8>> = digits.chars().map(crockford_value).collect();
        let values = values?;
        let (check, body) = values.split_last()?;
        (body.len() == BODY_DIGITS && check_value(body) == *check).then(|| Self::format(body))
    }

    /// Returns the reference's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(id: &RequestId) -> Self {
        let mut hashed = b"dsr-reference/v1\0".to_vec();
        hashed.extend_from_slice(&id.0);
        let digest = Digest::of(&hashed);
        let body: Vec<u8> = digest
            .as_bytes()
            .iter()
            .take(BODY_DIGITS)
            .map(|b| b & 31)
            .collect();
        Self::format(&body)
    }

    fn format(body: &[u8]) -> Self {
        let mut text = String::from("DSR");
        for (index, value) in body.iter().enumerate() {
            if index % 4 == 0 {
                text.push('-');
            }
            text.push(crockford_digit(*value));
        }
        text.push('-');
        text.push(crockford_digit(check_value(body)));
        Self(text)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Reference {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a request reference (DSR-XXXX-XXXX-XXXX-X)")
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

/// A store's internal id in the data map: 1 to 64 of `a-z 0-9 _ -`, starting with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId(String);

impl StoreId {
    /// Parses a store id.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        (text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(legal))
        .then(|| Self(text.to_owned()))
    }

    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StoreId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a store id is 1 to 64 of a-z 0-9 _ - and starts with a letter")
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> Self {
        id.0
    }
}

/// What the log's de-duplication set is keyed by: one statement of one request, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeafId {
    /// The request was accepted.
    Acceptance(RequestId),
    /// What became of it.
    Outcome(RequestId),
    /// The n-th correction of the outcome, from 1.
    Amendment(RequestId, u32),
    /// A day's account of all acceptances.
    Manifest(Day),
}

impl LeafId {
    /// Returns the request the statement is about; none for a day's account.
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Acceptance(id) | Self::Outcome(id) | Self::Amendment(id, _) => Some(*id),
            Self::Manifest(_) => None,
        }
    }

    /// Returns the name of the receipt file.
    pub fn file_name(&self) -> String {
        match self {
            Self::Acceptance(id) => format!("{}.acceptance.receipt.json", id.reference()),
            Self::Outcome(id) => format!("{}.receipt.json", id.reference()),
            Self::Amendment(id, n) => format!("{}.amendment-{n}.receipt.json", id.reference()),
            Self::Manifest(day) => format!("{MANIFEST}{day}.receipt.json"),
        }
    }

    /// Parses what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(day) = text.strip_prefix(MANIFEST) {
            return Day::parse(day).map(Self::Manifest);
        }
        let (request, kind) = text.split_once('.')?;
        let request = RequestId::parse(request)?;
        match kind {
            "acceptance" => Some(Self::Acceptance(request)),
            "outcome" => Some(Self::Outcome(request)),
            _ => {
                let digits = kind.strip_prefix("amendment-")?;
                let n: u32 = digits.parse().ok()?;
                (n > 0 && n.to_string() == digits).then_some(Self::Amendment(request, n))
            }
        }
    }
}

impl fmt::Display for LeafId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acceptance(id) => write!(f, "{id}.acceptance"),
            Self::Outcome(id) => write!(f, "{id}.outcome"),
            Self::Amendment(id, n) => write!(f, "{id}.amendment-{n}"),
            Self::Manifest(day) => write!(f, "{MANIFEST}{day}"),
        }
    }
}

impl Serialize for LeafId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LeafId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a leaf id"))
    }
}

fn crockford_digit(value: u8) -> char {
    CROCKFORD
        .get(usize::from(value))
        .map_or('0', |b| char::from(*b))
}

fn crockford_value(c: char) -> Option<u8> {
    let c = match c {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let index = CROCKFORD.iter().position(|b| char::from(*b) == c)?;
    u8::try_from(index).ok()
}

/// Position-weighted sum modulo the prime 31: one wrong digit and most swaps are seen.
fn check_value(body: &[u8]) -> u8 {
    let sum: u32 = (1_u32..)
        .zip(body)
        .map(|(n, value)| n * u32::from(*value))
        .sum();
    u8::try_from(sum % 31).unwrap_or(0)
}

const MANIFEST: &str = "manifest-";
const BODY_DIGITS: usize = 12;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_people_type_it() {
        let reference = RequestId::new([9; 16]).reference();
        let sloppy = reference
            .as_str()
            .to_lowercase()
            .replace('-', " ")
            .replace('0', "o");
        assert_eq!(Reference::parse(&sloppy), Some(reference));
    }

    #[test]
    fn a_mistyped_reference_is_refused() {
        let reference = RequestId::new([9; 16]).reference();
        let mut digits: Vec<char> = reference.as_str().chars().collect();
        // 'Y' is 30 and '0' is 0: their difference is not a multiple of 31.
        digits[5] = if digits[5] == '0' { 'Y' } else { '0' };
        assert_eq!(Reference::parse(&digits.iter().collect::<String>()), None);
    }

    #[test]
    fn leaf_ids_survive_their_text() {
        let id = RequestId::new([3; 16]);
        for leaf in [
            LeafId::Acceptance(id),
            LeafId::Outcome(id),
            LeafId::Amendment(id, 12),
            LeafId::Manifest(Day::parse("2026-11-23").unwrap()),
        ] {
            assert_eq!(LeafId::parse(&leaf.to_string()), Some(leaf));
        }
        assert_eq!(LeafId::parse("manifest-2026-11-31"), None);
        assert_eq!(LeafId::parse(&format!("{id}.amendment-0")), None);
        assert_eq!(LeafId::parse(&format!("{id}.amendment-01")), None);
    }

    #[test]
    fn every_leaf_has_a_receipt_file_of_its_own() {
        let id = RequestId::new([9; 16]);
        let name = |leaf: LeafId| leaf.file_name();
        let reference = id.reference();
        assert_eq!(
            name(LeafId::Outcome(id)),
            format!("{reference}.receipt.json")
        );
        assert_eq!(
            name(LeafId::Acceptance(id)),
            format!("{reference}.acceptance.receipt.json")
        );
        for n in [1, 2, 12] {
            assert_eq!(
                name(LeafId::Amendment(id, n)),
                format!("{reference}.amendment-{n}.receipt.json")
            );
        }
    }

    #[test]
    fn store_ids_are_plain() {
        assert!(StoreId::parse("crm-eu_2").is_some());
        for bad in ["", "2crm", "a b", "É", "a#b", &"a".repeat(65)] {
            assert!(StoreId::parse(bad).is_none(), "{bad}");
        }
    }
}
