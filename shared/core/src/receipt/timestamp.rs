//! Time stamps beside a receipt (RFC 3161): that its signature existed at a time, by somebody's clock
//! who is neither the controller nor the reader.
//!
//! Version 1 of the receipt file has no room for more, so a stamp is a file of its own, the authority's
//! whole answer, as `openssl ts` reads it. What is stamped is SHA-256 of the signature's DER bytes. The
//! question is a function of these: nobody can know the digest of a signature before it is made, so an
//! answer to it cannot be older than the receipt, and no chance is needed to tell a fresh answer from a
//! replayed one. The authority's clock is believed as far as the reader's [`Anchors`] are. The format
//! is told in `docs/RECEIPT.md`, section 10.6. Nothing here asks anybody.

mod certificate;
mod fields;
mod signature;
mod token;

use jiff::{SignedDuration, Timestamp};

use self::certificate::Certificate;
use self::signature::{Hash, Scheme};
use self::token::{Answer, Token};
use super::dsse::Envelope;
use super::file::ReceiptFile;
use crate::digest::Digest;

pub use self::certificate::{Anchors, AnchorsError};

/// The question whether an authority would stamp a receipt's signature: a `TimeStampReq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampQuery {
    imprint: Digest,
    der: Vec<u8>,
}

/// What a time stamp shows: the signature existed at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When, by the authority's clock.
    pub at: Timestamp,
    /// How far off the authority says that this may be; nothing if it says nothing.
    pub accuracy: Option<SignedDuration>,
    /// Who says so: the certificate's subject, or its digest if that cannot be shown.
    pub authority: String,
    /// SHA-256 of the certificate.
    pub certificate: Digest,
}

impl TimestampQuery {
    /// Makes the question about an envelope's signature; none if the envelope cannot be read.
    pub fn of(envelope: &Envelope) -> Option<Self> {
        let imprint = imprint(envelope)?;
        let mut der = QUERY_HEAD.to_vec();
        der.extend(imprint.as_bytes());
        der.extend(QUERY_NONCE);
        der.extend(nonce(&imprint));
        der.extend(QUERY_TAIL);
        Some(Self { imprint, der })
    }

    /// Returns the question's DER, as it is posted.
    pub fn as_bytes(&self) -> &[u8] {
        &self.der
    }

    /// Judges an answer to this very question.
    ///
    /// # Errors
    ///
    /// As for [`verify_timestamp`]; [`TimestampError::Nonce`] if it is an answer to another one.
    pub fn judge(&self, answer: &[u8], anchors: &Anchors) -> Result<Stamped, TimestampError> {
        let token = granted(answer)?;
        let stamped = check(&token, &self.imprint, anchors)?;
        if token.info.nonce == Some(&nonce(&self.imprint)) {
            Ok(stamped)
        } else {
            Err(TimestampError::Nonce)
        }
    }
}

/// Verifies the time stamp beside a receipt. Of the receipt nothing is verified but that the stamp is
/// over its signature; whoever asked for the stamp, and with which nonce, does not matter.
///
/// # Errors
///
/// [`TimestampError`], in words that say what to do.
pub fn verify_timestamp(
    receipt: &ReceiptFile,
    answer: &[u8],
    anchors: &Anchors,
) -> Result<Stamped, TimestampError> {
    let imprint = imprint(receipt.envelope()).ok_or(TimestampError::Receipt)?;
    check(&granted(answer)?, &imprint, anchors)
}

/// Returns the name of the time stamp beside a receipt of this name; none if it is no receipt's name.
pub fn timestamp_name(receipt: &str) -> Option<String> {
    let name = receipt.strip_suffix(".receipt.json")?;
    Some(format!("{name}{TIMESTAMP_ENDING}"))
}

fn imprint(envelope: &Envelope) -> Option<Digest> {
    Some(Digest::of(&envelope.opened().ok()?.signature))
}

/// Eight bytes of the imprint, made a positive number of eight bytes.
fn nonce(imprint: &Digest) -> [u8; 8] {
    let (start, _) = imprint
        .as_bytes()
        .split_first_chunk::<8>()
        .unwrap_or((&[0; 8], &[]));
    let mut nonce = *start;
    let [first, ..] = &mut nonce;
    *first = (*first & 0x3f) | 0x40;
    nonce
}

fn granted(answer: &[u8]) -> Result<Token<'_>, TimestampError> {
    if answer.len() > MAX_TIMESTAMP_BYTES {
        return Err(TimestampError::TooLong);
    }
    let answer = Answer::parse(answer).map_err(|_| TimestampError::Malformed)?;
    match (answer.status, answer.token) {
        (0 | 1, Some(token)) => Ok(token),
        (0 | 1, None) => Err(TimestampError::Malformed),
        (status, _) => Err(TimestampError::Refused(status)),
    }
}

fn check(
    token: &Token<'_>,
    imprint: &Digest,
    anchors: &Anchors,
) -> Result<Stamped, TimestampError> {
    if !token.info.is_sha256(imprint.as_bytes()) {
        return Err(TimestampError::OtherData);
    }
    let sent: Vec<Certificate> = token
        .certificates
        .iter()
        .filter_map(|der| Certificate::parse(der))
        .collect();
    let mut known = anchors.all().iter().chain(&sent);
    let signer = known
        .find(|certificate| certificate.is_named(&token.signer) && is_meant(token, certificate))
        .ok_or(TimestampError::Stranger(None))?;
    let hash = Hash::of(&token.digest_algorithm)?;
    if token.attributes.message_digest != Some(&hash.digest(token.content)) {
        return Err(TimestampError::Altered);
    }
    let scheme = Scheme::of(&token.signature_algorithm, Some(hash))?;
    signer.verify(scheme, &token.signed, token.signature)?;
    // From here on it is this signer's word, whoever that is.
    let at = token.info.at;
    if !anchors.lead_to(signer, &sent, at) {
        return Err(TimestampError::Stranger(Some(signer.digest())));
    }
    if !signer.is_for_time_stamps() {
        return Err(TimestampError::Purpose(signer.name()));
    }
    if !signer.is_valid_at(at) {
        return Err(TimestampError::Expired(signer.name(), at));
    }
    Ok(Stamped {
        at,
        accuracy: token.info.accuracy,
        authority: signer.name(),
        certificate: signer.digest(),
    })
}

/// Whether the signed attributes mean this certificate, in each way in which they name one: a key may
/// stand in several certificates.
fn is_meant(token: &Token<'_>, certificate: &Certificate) -> bool {
    use sha1::Digest as _;

    let attributes = &token.attributes;
    let older = attributes.certificate_sha1;
    let is_older = older.map(|hash| *hash == *sha1::Sha1::digest(certificate.der()));
    let is_newer = attributes.certificate.as_ref().map(|(algorithm, hash)| {
        let found = algorithm.as_ref().map_or(Ok(Hash::Sha256), Hash::of);
        found.is_ok_and(|found| found.digest(certificate.der()) == *hash)
    });
    match (is_older, is_newer) {
        (None, None) => false,
        (older, newer) => older != Some(false) && newer != Some(false),
    }
}

/// Why a time stamp is not believed; in words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Signed in a way that is not known here.
    #[error(
        "the time stamp is signed with an algorithm that is not known here ({0}): ask an authority that \
         signs with RSA from 2048 bits on, or ECDSA on P-256 or P-384, and SHA-256, SHA-384 or SHA-512"
    )]
    Algorithm(String),
    /// The signature does not verify, or is over other bytes.
    #[error("the time stamp was altered: its signature does not fit: fetch it again")]
    Altered,
    /// The certificate was not valid then.
    #[error(
        "the certificate of {0} was not valid at {1}, when the time stamp says that it was made"
    )]
    Expired(String, Timestamp),
    /// Not RFC 3161.
    #[error(
        "this is no answer of a time-stamping authority (RFC 3161, DER): it was cut off, or is something \
         else: fetch it again"
    )]
    Malformed,
    /// An answer to another question.
    #[error("the time stamp answers another question: its nonce is another: ask again")]
    Nonce,
    /// A stamp over other bytes.
    #[error(
        "the time stamp is about something else than this receipt's signature: take the one that \
         belongs to this receipt"
    )]
    OtherData,
    /// A certificate that is for something else.
    #[error(
        "the certificate of {0} is not one for time stamps (extended key usage timeStamping, critical, \
         and nothing else)"
    )]
    Purpose(String),
    /// The receipt has no signature that could be read.
    #[error("the receipt holds no signature that could be read: verify it first")]
    Receipt,
    /// The authority did not grant it; its status.
    #[error("the authority refused to stamp, with status {0}: ask it again, or another one")]
    Refused(u8),
    /// Signed by somebody whom the anchors do not lead to; the certificate's digest, if it is known.
    #[error(
        "nobody whom you trust signed the time stamp{}: give the authority's certificate, or its \
         issuer's, from a place that you trust",
        .0.map(|digest| format!(" (the signer's certificate has the SHA-256 {digest})")).unwrap_or_default()
    )]
    Stranger(Option<Digest>),
    /// Too long.
    #[error("the file is longer than a time stamp can be ({MAX_TIMESTAMP_BYTES} bytes)")]
    TooLong,
}

/// The media type of a question.
pub const QUERY_MEDIA_TYPE: &str = "application/timestamp-query";
/// The media type of an answer, and of the file beside a receipt.
pub const TIMESTAMP_MEDIA_TYPE: &str = "application/timestamp-reply";
/// The longest answer that is looked at.
pub const MAX_TIMESTAMP_BYTES: usize = 64 * 1024;
/// How the name of a time stamp ends.
pub const TIMESTAMP_ENDING: &str = ".receipt.tsr";

/// `TimeStampReq` of 67 bytes, version 1, a SHA-256 imprint …
const QUERY_HEAD: [u8; 24] = [
    0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
    0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];
/// … a nonce of eight bytes …
const QUERY_NONCE: [u8; 2] = [0x02, 0x08];
/// … and the wish that the certificates are sent along.
const QUERY_TAIL: [u8; 3] = [0x01, 0x01, 0xff];

#[cfg(test)]
mod tests;
