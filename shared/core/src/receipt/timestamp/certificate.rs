//! Certificates of time-stamping authorities, and whom a reader believes: the anchors.
//!
//! A signer is believed if it is an anchor itself, or was issued by one, directly or through one
//! certificate between them that was sent along (RFC 5280, cut down to that). Nothing is fetched:
//! whether a certificate was revoked is not known here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::asn1::ObjectIdentifier;
use der::referenced::OwnedToRef as _;
use der::{Decode as _, Encode as _, Tag};
use jiff::Timestamp;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};

use super::TimestampError;
use super::fields::Fields;
use super::signature::Scheme;
use super::token::Signer;
use crate::digest::Digest;

/// One certificate.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.digest()).finish()
    }
}

impl Certificate {
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(der).ok()?;
        Some(Self {
            der: der.to_vec(),
            parsed,
        })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The subject as RFC 4514 writes it, if that can be shown on a line; its digest otherwise.
    pub(super) fn name(&self) -> String {
        let name = self.parsed.tbs_certificate().subject().to_string();
        let can_be_shown = !name.is_empty() && name.len() <= LONGEST_NAME;
        if can_be_shown && !name.chars().any(char::is_control) {
            name
        } else {
            self.digest().to_string()
        }
    }

    /// Whether this is the certificate that a signature names.
    pub(super) fn is_named(&self, signer: &Signer<'_>) -> bool {
        let own = self.parsed.tbs_certificate();
        match signer {
            Signer::Issued { issuer, serial } => {
                own.serial_number().as_bytes() == *serial
                    && own.issuer().to_der().is_ok_and(|name| name == *issuer)
            }
            Signer::Key(id) => {
                let own = own.get_extension::<SubjectKeyIdentifier>();
                own.is_ok_and(|own| own.is_some_and(|(_, own)| own.0.as_bytes() == *id))
            }
        }
    }

    /// Whether it may sign time stamps: its extended key usage is that alone, and critical (RFC 3161, 2.3).
    pub(super) fn is_for_time_stamps(&self) -> bool {
        let own = self.parsed.tbs_certificate();
        let usage = own.get_extension::<KeyUsage>();
        let may_sign = usage.is_ok_and(|usage| {
            usage.is_none_or(|(_, usage)| usage.digital_signature() || usage.non_repudiation())
        });
        let purpose = own.get_extension::<ExtendedKeyUsage>();
        let is_purpose = purpose.is_ok_and(|purpose| {
            purpose.is_some_and(|(critical, purpose)| critical && purpose.0 == [TIME_STAMPING])
        });
        may_sign && is_purpose && self.is_understood()
    }

    pub(super) fn is_valid_at(&self, at: Timestamp) -> bool {
        let validity = self.parsed.tbs_certificate().validity();
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        let (from, to) = (seconds(validity.not_before), seconds(validity.not_after));
        u64::try_from(at.as_second()).is_ok_and(|at| from <= at && at <= to)
    }

    /// Verifies a signature that this certificate's key made.
    pub(super) fn verify(
        &self,
        scheme: Scheme,
        bytes: &[u8],
        signature: &[u8],
    ) -> Result<(), TimestampError> {
        let key = self.parsed.tbs_certificate().subject_public_key_info();
        scheme.verify(&key.owned_to_ref(), bytes, signature)
    }

    /// Whether this one issued `other`, and could at that time, with so many certificates between them
    /// and the signer.
    fn issued(&self, other: &Self, between: u8, at: Timestamp) -> bool {
        let own = self.parsed.tbs_certificate();
        let is_authority = own.get_extension::<BasicConstraints>().is_ok_and(|basic| {
            basic.is_some_and(|(_, basic)| {
                basic.ca && basic.path_len_constraint.is_none_or(|most| between <= most)
            })
        });
        let may_sign = own
            .get_extension::<KeyUsage>()
            .is_ok_and(|usage| usage.is_none_or(|(_, usage)| usage.key_cert_sign()));
        let is_purpose = own
            .get_extension::<ExtendedKeyUsage>()
            .is_ok_and(|purpose| {
                let fits = |oid: &ObjectIdentifier| [TIME_STAMPING, ANY_PURPOSE].contains(oid);
                purpose.is_none_or(|(_, purpose)| purpose.0.iter().any(fits))
            });
        own.subject() == other.parsed.tbs_certificate().issuer()
            && is_authority
            && may_sign
            && is_purpose
            && self.is_understood()
            && self.is_valid_at(at)
            && self.signed(other)
    }

    fn signed(&self, other: &Self) -> bool {
        let inner = other.parsed.tbs_certificate().signature();
        let outer = other.parsed.signature_algorithm();
        let Ok(scheme) = Scheme::of(&outer.owned_to_ref(), None) else {
            return false;
        };
        let Some(signature) = other.parsed.signature().as_bytes() else {
            return false;
        };
        // What was signed is the certificate's own first field, as it stands there.
        let signed = Fields::of_one(Tag::Sequence, &other.der).and_then(|mut all| all.whole());
        inner == outer && signed.is_ok_and(|signed| self.verify(scheme, signed, signature).is_ok())
    }

    /// Whether there is nothing critical in it that is not looked at here. Policies bind nobody who
    /// asks for none.
    fn is_understood(&self) -> bool {
        let extensions = self.parsed.tbs_certificate().extensions();
        extensions
            .into_iter()
            .flatten()
            .all(|extension| !extension.critical || UNDERSTOOD.contains(&extension.extn_id))
    }
}

/// The certificates that a reader trusts to tell the time: authorities' own, or those of their issuers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchors(Vec<Certificate>);

impl Anchors {
    /// Parses certificates in PEM, one after the other; anything between them is left alone.
    ///
    /// # Errors
    ///
    /// [`AnchorsError`] if there is none, too many, or one that is no certificate.
    pub fn parse(pem: &str) -> Result<Self, AnchorsError> {
        let mut found = Vec::new();
        for (n, rest) in pem.split(BEGIN).skip(1).enumerate() {
            if n == MOST_ANCHORS {
                return Err(AnchorsError::TooMany);
            }
            let malformed = || AnchorsError::Malformed(n + 1);
            let (text, _) = rest.split_once(END).ok_or_else(malformed)?;
            let text: String = text.split_ascii_whitespace().collect();
            let der = STANDARD.decode(text).map_err(|_| malformed())?;
            found.push(Certificate::parse(&der).ok_or_else(malformed)?);
        }
        if found.is_empty() {
            Err(AnchorsError::Empty)
        } else {
            Ok(Self(found))
        }
    }

    pub(super) fn all(&self) -> &[Certificate] {
        &self.0
    }

    /// Whether these lead to the signer, with what was sent along in between.
    pub(super) fn lead_to(
        &self,
        signer: &Certificate,
        sent: &[Certificate],
        at: Timestamp,
    ) -> bool {
        let issued = |of: &Certificate, between| self.0.iter().any(|a| a.issued(of, between, at));
        self.0.contains(signer)
            || issued(signer, 0)
            || sent
                .iter()
                .any(|middle| middle.issued(signer, 0, at) && issued(middle, 1))
    }
}

/// Why a text holds no anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorsError {
    /// No certificate at all.
    #[error(
        "there is no certificate here: give the time-stamping authority's, or its issuer's, in PEM \
         (-----BEGIN CERTIFICATE-----)"
    )]
    Empty,
    /// The n-th of them, from 1, is none.
    #[error("certificate {0} cannot be read: fetch it again, in PEM")]
    Malformed(usize),
    /// More than anybody needs.
    #[error(
        "more than {MOST_ANCHORS} certificates: give those of the time-stamping authority only"
    )]
    TooMany,
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const MOST_ANCHORS: usize = 64;
const LONGEST_NAME: usize = 256;

const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
const ANY_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
/// Basic constraints, key usage, extended key usage, policies.
const UNDERSTOOD: [ObjectIdentifier; 4] = [
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
];
