//! What an authority answers: RFC 3161's `TimeStampResp`, and the RFC 5652 `SignedData` inside it.
//!
//! Here is only what stands there; whether to believe it is the parent's. Slices are the answer's own
//! bytes, so that digests and signatures are checked over what was sent and never over a copy.

use der::Tag;
use der::asn1::{IntRef, ObjectIdentifier, OctetStringRef};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, civil};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::fields::{Fields, Malformed, context, context_bytes, tagged};
use super::signature::SHA_256;

/// An authority's answer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// 0 and 1 are granted.
    pub(super) status: u8,
    pub(super) token: Option<Token<'a>>,
}

/// A signed time stamp.
#[derive(Debug)]
pub(super) struct Token<'a> {
    /// The DER of `TSTInfo`, which `message_digest` is of.
    pub(super) content: &'a [u8],
    pub(super) info: Info<'a>,
    /// The certificates that were sent along, each whole.
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signer: Signer<'a>,
    pub(super) digest_algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature_algorithm: AlgorithmIdentifierRef<'a>,
    /// What was signed: the attributes as the `SET` that they are.
    pub(super) signed: Vec<u8>,
    pub(super) attributes: Attributes<'a>,
    pub(super) signature: &'a [u8],
}

/// What is said about when.
#[derive(Debug)]
pub(super) struct Info<'a> {
    pub(super) imprint_algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) imprint: &'a [u8],
    pub(super) at: Timestamp,
    pub(super) accuracy: Option<SignedDuration>,
    pub(super) nonce: Option<&'a [u8]>,
}

/// Which certificate is said to be the signer's.
#[derive(Debug)]
pub(super) enum Signer<'a> {
    /// The issuer's name, whole, and the serial number.
    Issued { issuer: &'a [u8], serial: &'a [u8] },
    /// Its key's identifier.
    Key(&'a [u8]),
}

/// The signed attributes that matter.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a> {
    pub(super) message_digest: Option<&'a [u8]>,
    is_time_stamp: bool,
    /// SHA-1 of the signer's certificate, as older authorities say it.
    pub(super) certificate_sha1: Option<&'a [u8]>,
    /// A hash of the signer's certificate, and how it was made (none: SHA-256).
    pub(super) certificate: Option<(Option<AlgorithmIdentifierRef<'a>>, &'a [u8])>,
}

impl<'a> Answer<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut answer = Fields::of_one(Tag::Sequence, bytes)?;
        // Text and reasons that follow the status are for people who read another log.
        let mut status = Fields::of(answer.contents(Tag::Sequence)?)?;
        let status = status.read()?;
        let token = if answer.is_end() {
            None
        } else {
            Some(Token::parse(answer.contents(Tag::Sequence)?)?)
        };
        answer.end()?;
        Ok(Self { status, token })
    }
}

impl<'a> Token<'a> {
    /// Parses the contents of a `ContentInfo`.
    fn parse(contents: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Fields::of(contents)?;
        must(outer.oid()? == SIGNED_DATA)?;
        let data = outer.contents(context(0))?;
        outer.end()?;
        let mut data = Fields::of_one(Tag::Sequence, data)?;
        data.read::<u8>()?;
        data.contents(Tag::Set)?;
        let mut inner = Fields::of(data.contents(Tag::Sequence)?)?;
        must(inner.oid()? == TST_INFO)?;
        let content: &OctetStringRef = Self::explicit(inner.contents(context(0))?)?;
        inner.end()?;
        let mut certificates = Vec::new();
        let mut sent = Fields::of(data.optional(context(0))?.unwrap_or_default())?;
        while !sent.is_end() {
            // Attribute certificates and whatever else may stand there is nothing to us.
            if sent.next_is(Tag::Sequence)? && certificates.len() < MOST_CERTIFICATES {
                certificates.push(sent.whole()?);
            } else {
                sent.whole()?;
            }
        }
        data.optional(context(1))?;
        let infos = data.contents(Tag::Set)?;
        data.end()?;
        // Exactly one: of two signatures nobody could say which one counts.
        let mut one = Fields::of_one(Tag::Sequence, infos)?;
        one.read::<u8>()?;
        let signer = Signer::parse(&mut one)?;
        let digest_algorithm = one.read()?;
        let attributes = one.contents(context(0))?;
        let signature_algorithm = one.read()?;
        let signature = one.contents(Tag::OctetString)?;
        one.optional(context(1))?;
        one.end()?;
        Ok(Self {
            content: content.as_bytes(),
            info: Info::parse(content.as_bytes())?,
            certificates,
            signer,
            digest_algorithm,
            signature_algorithm,
            signed: tagged(Tag::Set, attributes)?,
            attributes: Attributes::parse(attributes)?,
            signature,
        })
    }

    fn explicit<T: der::Decode<'a>>(contents: &'a [u8]) -> Result<T, Malformed> {
        let mut fields = Fields::of(contents)?;
        let value = fields.read()?;
        fields.end()?;
        Ok(value)
    }
}

impl<'a> Signer<'a> {
    fn parse(fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        if let Some(key) = fields.optional(context_bytes(0))? {
            return Ok(Self::Key(key));
        }
        let mut both = Fields::of(fields.contents(Tag::Sequence)?)?;
        let issuer = both.whole()?;
        let serial = both.contents(Tag::Integer)?;
        both.end()?;
        Ok(Self::Issued { issuer, serial })
    }
}

impl<'a> Attributes<'a> {
    /// Parses the contents of `SignedAttributes`; each of ours must be there once, with one value.
    fn parse(contents: &'a [u8]) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut all = Fields::of(contents)?;
        while !all.is_end() {
            let mut one = Fields::of(all.contents(Tag::Sequence)?)?;
            let kind = one.oid()?;
            let mut values = Fields::of(one.contents(Tag::Set)?)?;
            one.end()?;
            let is_first = match kind {
                CONTENT_TYPE => {
                    must(values.oid()? == TST_INFO)?;
                    !std::mem::replace(&mut found.is_time_stamp, true)
                }
                MESSAGE_DIGEST => {
                    let digest = values.contents(Tag::OctetString)?;
                    found.message_digest.replace(digest).is_none()
                }
                SIGNING_CERTIFICATE => {
                    let mut named = first_named(values.contents(Tag::Sequence)?)?;
                    let hash = named.contents(Tag::OctetString)?;
                    found.certificate_sha1.replace(hash).is_none()
                }
                SIGNING_CERTIFICATE_V2 => {
                    let mut named = first_named(values.contents(Tag::Sequence)?)?;
                    let algorithm = if named.next_is(Tag::Sequence)? {
                        Some(named.read()?)
                    } else {
                        None
                    };
                    let hash = named.contents(Tag::OctetString)?;
                    found.certificate.replace((algorithm, hash)).is_none()
                }
                _ => continue,
            };
            values.end()?;
            must(is_first)?;
        }
        must(found.is_time_stamp)?;
        Ok(found)
    }
}

/// The first certificate that a `SigningCertificate` names is the signer's.
fn first_named(contents: &[u8]) -> Result<Fields<'_>, Malformed> {
    let mut named = Fields::of(Fields::of(contents)?.contents(Tag::Sequence)?)?;
    Fields::of(named.contents(Tag::Sequence)?)
}

impl<'a> Info<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut info = Fields::of_one(Tag::Sequence, bytes)?;
        must(info.read::<u8>()? == 1)?;
        let _policy = info.oid()?;
        let mut imprint = Fields::of(info.contents(Tag::Sequence)?)?;
        let imprint_algorithm = imprint.read()?;
        let hash = imprint.contents(Tag::OctetString)?;
        imprint.end()?;
        let _serial = info.contents(Tag::Integer)?;
        let at = instant(info.contents(Tag::GeneralizedTime)?)?;
        let accuracy = match info.optional(Tag::Sequence)? {
            Some(contents) => Some(accuracy(contents)?),
            None => None,
        };
        if info.next_is(Tag::Boolean)? {
            let _ordering: bool = info.read()?;
        }
        let nonce = if info.next_is(Tag::Integer)? {
            Some(info.read::<IntRef<'a>>()?.as_bytes())
        } else {
            None
        };
        let _name = info.optional(context(0))?;
        let mut extensions = Fields::of(info.optional(context(1))?.unwrap_or_default())?;
        while !extensions.is_end() {
            let mut one = Fields::of(extensions.contents(Tag::Sequence)?)?;
            one.oid()?;
            // What must be understood and is not must not be passed over.
            must(one.optional(Tag::Boolean)?.is_none())?;
        }
        info.end()?;
        Ok(Self {
            imprint_algorithm,
            imprint: hash,
            at,
            accuracy,
            nonce,
        })
    }

    /// Whether the imprint is this SHA-256.
    pub(super) fn is_sha256(&self, digest: &[u8; 32]) -> bool {
        self.imprint_algorithm.oid == SHA_256 && self.imprint == digest
    }
}

/// Reads `YYYYMMDDhhmmss[.f…]Z`, where the fraction does not end in 0 (RFC 3161, 2.4.2).
fn instant(contents: &[u8]) -> Result<Timestamp, Malformed> {
    let text = str::from_utf8(contents).map_err(|_| Malformed)?;
    let text = text.strip_suffix('Z').ok_or(Malformed)?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = text.len() > whole.len();
    must(whole.len() == 14 && is_digits(whole) && is_digits(fraction))?;
    must(has_point != fraction.is_empty() && fraction.len() <= 9 && !fraction.ends_with('0'))?;
    let part = |from: usize, to: usize| -> Result<i8, Malformed> {
        let digits = whole.get(from..to).ok_or(Malformed)?;
        digits.parse().map_err(|_| Malformed)
    };
    let year = whole.get(..4).and_then(|year| year.parse().ok());
    let nanoseconds = format!("{fraction:0<9}").parse().map_err(|_| Malformed)?;
    let civil = civil::DateTime::new(
        year.ok_or(Malformed)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        nanoseconds,
    );
    let at = civil.and_then(|civil| Offset::UTC.to_timestamp(civil));
    at.map_err(|_| Malformed)
}

/// Reads `Accuracy`: seconds, milliseconds, microseconds, each of them optional.
fn accuracy(contents: &[u8]) -> Result<SignedDuration, Malformed> {
    let mut fields = Fields::of(contents)?;
    let seconds = if fields.next_is(Tag::Integer)? {
        fields.read::<u32>()?
    } else {
        0
    };
    let mut small = |n| -> Result<i64, Malformed> {
        let Some(contents) = fields.optional(context_bytes(n))? else {
            return Ok(0);
        };
        let number: u16 = Token::explicit(&tagged(Tag::Integer, contents)?)?;
        must((1..1000).contains(&number))?;
        Ok(i64::from(number))
    };
    let (millis, micros) = (small(0)?, small(1)?);
    fields.end()?;
    Ok(SignedDuration::from_secs(i64::from(seconds))
        + SignedDuration::from_micros(millis * 1000 + micros))
}

fn must(holds: bool) -> Result<(), Malformed> {
    if holds { Ok(()) } else { Err(Malformed) }
}

/// More than a path needs, and few enough that trying each of them costs nothing.
const MOST_CERTIFICATES: usize = 8;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_in_one_way_only() {
        for (text, expected) in [
            ("20261123204700Z", "2026-11-23T20:47:00Z"),
            ("20261123204700.5Z", "2026-11-23T20:47:00.5Z"),
            (
                "20240229235959.123456789Z",
                "2024-02-29T23:59:59.123456789Z",
            ),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(instant(text.as_bytes()), Ok(expected), "{text}");
        }
        for text in [
            "",
            "Z",
            "20261123204700",
            "202611232047Z",
            "20261123204700.Z",
            "20261123204700.50Z",
            "20261123204700.0Z",
            "20261123204700,5Z",
            "20261123204700+0000",
            "20260229000000Z",
            "20261123240000Z",
            "20261123204760Z",
            "20261323204700Z",
            "20261100204700Z",
            "+0261123204700Z",
            "20261123204700.1234567891Z",
            "20261123204700.+1Z",
            "2026112320470ÄZ",
        ] {
            assert_eq!(instant(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn accuracy_adds_up() {
        let read = |hex: &str| {
            let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            accuracy(&bytes)
        };
        assert_eq!(read(""), Ok(SignedDuration::ZERO));
        assert_eq!(read("020101"), Ok(SignedDuration::from_secs(1)));
        let all = SignedDuration::from_micros(1_500_100);
        assert_eq!(read("020101800201f4810164"), Ok(all));
        assert_eq!(read("800203e8"), Err(Malformed), "a thousand milliseconds");
        assert_eq!(read("0201ff"), Err(Malformed), "below nothing");
        assert_eq!(read("810164800201f4"), Err(Malformed), "another order");
    }
}
