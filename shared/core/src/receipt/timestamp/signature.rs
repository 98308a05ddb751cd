//! The signature algorithms that time stamps and certificates are made with.
//!
//! RSA with PKCS #1 v1.5, from 2048 bits on, and ECDSA on P-256 and P-384, each with SHA-256, SHA-384 or
//! SHA-512. Everything else is named as unknown instead of being guessed at.

use der::asn1::{AnyRef, ObjectIdentifier};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::TimestampError;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ecdsa,
    Rsa,
}

/// How something was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scheme {
    kind: Kind,
    hash: Hash,
}

impl Hash {
    /// Finds the hash function of a digest algorithm.
    pub(super) fn of(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Self, TimestampError> {
        let found = match algorithm.oid {
            SHA_256 => Self::Sha256,
            SHA_384 => Self::Sha384,
            SHA_512 => Self::Sha512,
            other => return Err(unknown(other)),
        };
        if is_plain(algorithm) {
            Ok(found)
        } else {
            Err(unknown(algorithm.oid))
        }
    }

    /// Hashes bytes.
    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

impl Scheme {
    /// Finds the scheme of a signature algorithm; `digest` is what it hashes with if it does not say
    /// so itself, and must be the same if it does.
    pub(super) fn of(
        algorithm: &AlgorithmIdentifierRef<'_>,
        digest: Option<Hash>,
    ) -> Result<Self, TimestampError> {
        let (kind, own) = match algorithm.oid {
            RSA => (Kind::Rsa, None),
            RSA_SHA_256 => (Kind::Rsa, Some(Hash::Sha256)),
            RSA_SHA_384 => (Kind::Rsa, Some(Hash::Sha384)),
            RSA_SHA_512 => (Kind::Rsa, Some(Hash::Sha512)),
            ECDSA_SHA_256 => (Kind::Ecdsa, Some(Hash::Sha256)),
            ECDSA_SHA_384 => (Kind::Ecdsa, Some(Hash::Sha384)),
            ECDSA_SHA_512 => (Kind::Ecdsa, Some(Hash::Sha512)),
            other => return Err(unknown(other)),
        };
        let hash = match (own, digest) {
            (Some(own), Some(digest)) if own != digest => None,
            (own, digest) => own.or(digest),
        };
        match hash {
            Some(hash) if is_plain(algorithm) => Ok(Self { kind, hash }),
            Some(_) | None => Err(unknown(algorithm.oid)),
        }
    }

    /// Verifies a signature over bytes.
    pub(super) fn verify(
        self,
        key: &SubjectPublicKeyInfoRef<'_>,
        bytes: &[u8],
        signature: &[u8],
    ) -> Result<(), TimestampError> {
        let hashed = self.hash.digest(bytes);
        let curve = key.algorithm.parameters_oid().ok();
        let verified = match (self.kind, key.algorithm.oid, curve) {
            (Kind::Rsa, RSA, _) => {
                let key = rsa::PublicKey::try_from(key.clone()).map_err(|_| unknown(RSA))?;
                if key.size() < LEAST_RSA_BYTES {
                    return Err(TimestampError::Algorithm("RSA below 2048 bits".to_owned()));
                }
                match self.hash {
                    Hash::Sha256 => key.pkcs1v15_verify_prehash::<Sha256>(&hashed, signature),
                    Hash::Sha384 => key.pkcs1v15_verify_prehash::<Sha384>(&hashed, signature),
                    Hash::Sha512 => key.pkcs1v15_verify_prehash::<Sha512>(&hashed, signature),
                }
                .is_ok()
            }
            (Kind::Ecdsa, EC, Some(P_256)) => {
                let key = p256::ecdsa::VerifyingKey::try_from(key.clone());
                let signature = p256::ecdsa::Signature::from_der(signature);
                key.is_ok_and(|key| {
                    signature.is_ok_and(|s| key.verify_prehash(&hashed, &s).is_ok())
                })
            }
            (Kind::Ecdsa, EC, Some(P_384)) => {
                let key = p384::ecdsa::VerifyingKey::try_from(key.clone());
                let signature = p384::ecdsa::Signature::from_der(signature);
                key.is_ok_and(|key| {
                    signature.is_ok_and(|s| key.verify_prehash(&hashed, &s).is_ok())
                })
            }
            (Kind::Ecdsa, EC, Some(other)) | (_, other, _) => return Err(unknown(other)),
        };
        if verified {
            Ok(())
        } else {
            Err(TimestampError::Altered)
        }
    }
}

/// Whether an algorithm has no parameters that would make it another one.
fn is_plain(algorithm: &AlgorithmIdentifierRef<'_>) -> bool {
    algorithm
        .parameters
        .is_none_or(|given| given == AnyRef::NULL)
}

fn unknown(algorithm: ObjectIdentifier) -> TimestampError {
    TimestampError::Algorithm(algorithm.to_string())
}

const LEAST_RSA_BYTES: usize = 256;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

pub(super) const SHA_256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");
const RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
const RSA_SHA_256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
const RSA_SHA_384: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
const RSA_SHA_512: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
const EC: ObjectIdentifier = oid("1.2.840.10045.2.1");
const ECDSA_SHA_256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
const ECDSA_SHA_384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
const ECDSA_SHA_512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");
const P_256: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
const P_384: ObjectIdentifier = oid("1.3.132.0.34");
