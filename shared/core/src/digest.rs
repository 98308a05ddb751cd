//! SHA-256 digests and keyed hashes, the only traces of personal data outside the vault.
//!
//! A plain digest names public bytes (a data map, a statement). A [`Tag`] is an HMAC under a secret
//! key: it can be compared but not reversed by whoever lacks the key. Nothing here generates keys.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize;

/// SHA-256 of some bytes; 64 lower-case hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps 32 bytes that are a digest already.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex32(text).map(Self)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// HMAC-SHA256 under a secret key: comparable, not reversible without the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag([u8; 32]);

impl From<Digest> for Tag {
    /// A root over keyed hashes is one.
    fn from(root: Digest) -> Self {
        Self(*root.as_bytes())
    }
}

impl Tag {
    /// Parses 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex32(text).map(Self)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A 32-byte secret for HMAC. `Debug` prints a mask; memory is wiped on drop.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HmacKey([u8; 32]);

impl HmacKey {
    /// Wraps 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the secret bytes; keep them in the vault.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Computes the tag over `domain ‖ 0 ‖ parts joined by 0`. `domain` keeps uses apart.
    pub fn tag(&self, domain: &str, parts: &[&[u8]]) -> Tag {
        // Any key length is fine for HMAC, so this cannot fail for 32 bytes.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return Tag([0; 32]);
        };
        mac.update(domain.as_bytes());
        for part in parts {
            mac.update(&[0]);
            mac.update(part);
        }
        Tag(mac.finalize().into_bytes().into())
    }
}

impl Drop for HmacKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(***)")
    }
}

impl From<HmacKey> for String {
    fn from(key: HmacKey) -> Self {
        to_hex(&key.0)
    }
}

impl TryFrom<String> for HmacKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_hex32(&text)
            .map(Self)
            .ok_or("expected 64 lower-case hex digits")
    }
}

macro_rules! hex_text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::parse(&text)
                    .ok_or_else(|| serde::de::Error::custom("expected 64 lower-case hex digits"))
            }
        }
    };
}
hex_text!(Digest);
hex_text!(Tag);

fn to_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn parse_hex32(text: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_separates_domains_and_part_boundaries() {
        let key = HmacKey::new([7; 32]);
        assert_ne!(key.tag("a", &[b"x"]), key.tag("b", &[b"x"]));
        assert_ne!(key.tag("a", &[b"x", b"y"]), key.tag("a", &[b"xy"]));
    }

    #[test]
    fn a_digest_survives_its_text() {
        let digest = Digest::of(b"quittance");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("zz"), None);
    }

    #[test]
    fn a_key_never_prints_itself() {
        assert_eq!(format!("{:?}", HmacKey::new([1; 32])), "HmacKey(***)");
    }
}
