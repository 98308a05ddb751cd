//! One spelling per identifier, so that comparing is comparing bytes.
//!
//! No tricks of single providers (dots or `+tags` in addresses): two spellings are one identifier
//! only where a standard says so. Errors never repeat what was typed.

use std::fmt;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::IdentifierValue;

/// How an identifier is spelled the same on both sides of every comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// As it is, without blanks around it.
    Exact,
    /// An address: ASCII letters in lower case, NFC, the domain in ASCII.
    Email,
    /// A phone number in E.164.
    Phone,
    /// Lower case, NFC.
    Lower,
    /// Its ASCII digits only.
    Digits,
}

impl Normalise {
    /// All ways, in the order documents list them.
    pub const ALL: [Self; 5] = [
        Self::Exact,
        Self::Email,
        Self::Phone,
        Self::Lower,
        Self::Digits,
    ];

    /// Returns the name used in data maps.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Lower => "lower",
            Self::Digits => "digits",
        }
    }

    /// Normalises what was typed or read; phone numbers need their `+` and country code.
    ///
    /// # Errors
    /// [`NormaliseError`], which says what to correct.
    pub fn apply(self, raw: &str) -> Result<IdentifierValue, NormaliseError> {
        self.apply_in(raw, None)
    }

    /// Normalises like [`Self::apply`]; a phone number without country code is one of `region`.
    ///
    /// # Errors
    /// [`NormaliseError`], which says what to correct.
    pub fn apply_in(
        self,
        raw: &str,
        region: Option<Region>,
    ) -> Result<IdentifierValue, NormaliseError> {
        // A bound before any parser sees the text; normalising may lengthen it, hence the second.
        let limit = self.max_bytes();
        let trimmed = raw.trim();
        check(trimmed, limit)?;
        let value = match self {
            Self::Exact => trimmed.to_owned(),
            Self::Email => email(trimmed)?,
            Self::Phone => phone(trimmed, region)?,
            Self::Lower => lower(trimmed),
            Self::Digits => trimmed.chars().filter(char::is_ascii_digit).collect(),
        };
        check(&value, limit)?;
        Ok(IdentifierValue(value))
    }

    const fn max_bytes(self) -> usize {
        match self {
            Self::Email => 320,
            Self::Exact | Self::Phone | Self::Lower | Self::Digits => 256,
        }
    }
}

impl fmt::Display for Normalise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NormaliseError {
    /// Nothing is left.
    #[error("must not be empty")]
    Empty,
    /// Longer than any real one.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// Line breaks and the like.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// Not `name@domain`.
    #[error("is not an email address such as name@example.org")]
    NotEmail,
    /// A national number, and no region says which nation's.
    #[error("needs its country code, such as +49 30 1234567")]
    NoCountryCode,
    /// Not a phone number that can exist.
    #[error("is not a phone number such as +49 30 1234567")]
    NotPhone,
}

/// A country by its two letters, for phone numbers without a country code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region([u8; 2]);

impl Region {
    /// Parses an ISO 3166 code in capitals, such as `DE`.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<phonenumber::country::Id>().ok()?;
        text.as_bytes().try_into().ok().map(Self)
    }

    /// Returns the two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Region {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a region is two capital letters such as DE")
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.as_str().to_owned()
    }
}

fn check(text: &str, limit: usize) -> Result<(), NormaliseError> {
    if text.is_empty() {
        Err(NormaliseError::Empty)
    } else if text.len() > limit {
        Err(NormaliseError::TooLong(limit))
    } else if text.chars().any(char::is_control) {
        Err(NormaliseError::ControlCharacter)
    } else {
        Ok(())
    }
}

fn lower(text: &str) -> String {
    text.nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect()
}

/// The part before the `@`: only ASCII letters lose their case, so that two mailboxes never become
/// one. A character that composing or folding would turn into ASCII (KELVIN SIGN, dotted capital I)
/// is a look-alike of another mailbox and is refused.
fn lower_local(local: &str) -> Result<String, NormaliseError> {
    let looks_alike = |c: char| {
        !c.is_ascii()
            && std::iter::once(c)
                .nfc()
                .chain(c.to_lowercase())
                .any(|c| c.is_ascii())
    };
    if local.chars().any(looks_alike) {
        return Err(NormaliseError::NotEmail);
    }
    Ok(local.nfc().collect::<String>().to_ascii_lowercase())
}

fn email(text: &str) -> Result<String, NormaliseError> {
    let (local, domain) = text.rsplit_once('@').ok_or(NormaliseError::NotEmail)?;
    // The domain first: only in ASCII are its dots and labels what they will be.
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| NormaliseError::NotEmail)?;
    let address = format!("{}@{domain}", lower_local(local)?);
    let options = Options::default()
        .with_required_tld()
        .without_domain_literal()
        .without_display_text();
    EmailAddress::parse_with_options(&address, options).map_err(|_| NormaliseError::NotEmail)?;
    Ok(address)
}

fn phone(text: &str, region: Option<Region>) -> Result<String, NormaliseError> {
    let country = region.and_then(|region| region.as_str().parse().ok());
    if country.is_none() && !text.starts_with('+') {
        return Err(NormaliseError::NoCountryCode);
    }
    let number = phonenumber::parse(country, text).map_err(|_| NormaliseError::NotPhone)?;
    // An extension is no part of E.164: two people of one office would become one subject.
    if number.extension().is_some() || !phonenumber::is_valid(&number) {
        return Err(NormaliseError::NotPhone);
    }
    Ok(number.format().mode(phonenumber::Mode::E164).to_string())
}
