//! The DSSE envelope around a statement, and the ECDSA P-256 key that signs it.
//!
//! Signing itself happens elsewhere: sign SHA-256 of [`pae`] and give the DER signature to
//! [`Envelope::assemble`], which verifies and normalises it. Of the two equivalent values of `s` only the
//! lower is ever written or accepted, and only strict DER and Base64, so that no bit is free.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Returns DSSE's pre-authentication encoding of an in-toto payload: the bytes that are signed.
pub fn pae(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} ",
        PAYLOAD_TYPE.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// A DSSE envelope with exactly one signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: [EnvelopeSignature; 1],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Puts payload and signature together, after verifying the signature under `key`. A signature
    /// with a high `s`, as KMS makes half of the time, is brought to its low form.
    ///
    /// # Errors
    ///
    /// [`DsseError::Signature`] if the signature is not DER or does not verify.
    pub fn assemble(
        payload: &[u8],
        key: &ReceiptKey,
        der_signature: &[u8],
    ) -> Result<Self, DsseError> {
        let signature = Signature::from_der(der_signature).map_err(|_| DsseError::Signature)?;
        let signature = signature.normalize_s().to_der().as_bytes().to_vec();
        key.verify(&pae(payload), &signature)?;
        Ok(Self {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: [EnvelopeSignature {
                keyid: key.id(),
                sig: STANDARD.encode(signature),
            }],
        })
    }

    /// Parses an envelope's canonical JSON.
    ///
    /// # Errors
    ///
    /// [`DsseError::Malformed`] if it is anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, DsseError> {
        let envelope: Self = serde_json::from_slice(bytes).map_err(|_| DsseError::Malformed)?;
        envelope.opened()?;
        if envelope.to_canonical_bytes()? == bytes {
            Ok(envelope)
        } else {
            Err(DsseError::Malformed)
        }
    }

    /// Writes the canonical JSON bytes.
    ///
    /// # Errors
    ///
    /// [`DsseError::Malformed`], never for an envelope that was assembled or parsed here.
    pub fn to_canonical_bytes(&self) -> Result<Vec<u8>, DsseError> {
        serde_json_canonicalizer::to_vec(self).map_err(|_| DsseError::Malformed)
    }

    /// Decodes payload, key id and signature, without verifying anything.
    ///
    /// # Errors
    ///
    /// [`DsseError::Malformed`] if the payload type or the Base64 is not as it must be.
    pub fn opened(&self) -> Result<OpenedEnvelope<'_>, DsseError> {
        let [EnvelopeSignature { keyid, sig }] = &self.signatures;
        if self.payload_type != PAYLOAD_TYPE {
            return Err(DsseError::Malformed);
        }
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| DsseError::Malformed);
        Ok(OpenedEnvelope {
            payload: decode(&self.payload)?,
            keyid,
            signature: decode(sig)?,
        })
    }
}

/// What an envelope holds, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedEnvelope<'e> {
    /// The statement's bytes.
    pub payload: Vec<u8>,
    /// Which key is said to have signed.
    pub keyid: &'e str,
    /// The DER signature.
    pub signature: Vec<u8>,
}

/// The public half of the ECDSA P-256 key that signs statements.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptKey {
    key: VerifyingKey,
    spki: Vec<u8>,
}

impl ReceiptKey {
    /// Parses `SubjectPublicKeyInfo` DER with an uncompressed point, as `openssl` and KMS write it.
    ///
    /// # Errors
    ///
    /// [`DsseError::Key`] for anything else.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, DsseError> {
        let key = VerifyingKey::from_public_key_der(der).map_err(|_| DsseError::Key)?;
        let spki = key
            .to_public_key_der()
            .map_err(|_| DsseError::Key)?
            .into_vec();
        if spki == der {
            Ok(Self { key, spki })
        } else {
            Err(DsseError::Key)
        }
    }

    /// Parses `SubjectPublicKeyInfo` PEM.
    ///
    /// # Errors
    ///
    /// [`DsseError::Key`] if it is not the PEM of such a key.
    pub fn from_spki_pem(pem: &str) -> Result<Self, DsseError> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|_| DsseError::Key)?;
        let spki = key
            .to_public_key_der()
            .map_err(|_| DsseError::Key)?
            .into_vec();
        Ok(Self { key, spki })
    }

    /// Returns the `SubjectPublicKeyInfo` DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Returns the `SubjectPublicKeyInfo` PEM: 64 columns, LF line ends.
    pub fn to_pem(&self) -> String {
        // The key was encoded once already, so this cannot fail.
        self.key
            .to_public_key_pem(LineEnding::LF)
            .unwrap_or_default()
    }

    /// Returns the key id: SHA-256 of the `SubjectPublicKeyInfo` DER, in lower-case hex.
    pub fn id(&self) -> String {
        Digest::of(&self.spki).to_string()
    }

    /// Verifies a strict-DER, low-`s` signature over SHA-256 of `message`.
    ///
    /// # Errors
    ///
    /// [`DsseError::Signature`] for any other signature.
    pub fn verify(&self, message: &[u8], der_signature: &[u8]) -> Result<(), DsseError> {
        let signature = Signature::from_der(der_signature).map_err(|_| DsseError::Signature)?;
        if signature.to_der().as_bytes() != der_signature || signature.normalize_s() != signature {
            return Err(DsseError::Signature);
        }
        self.key
            .verify(message, &signature)
            .map_err(|_| DsseError::Signature)
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiptKey({})", self.id())
    }
}

/// What can be wrong with an envelope or its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// Not the public key of an ECDSA P-256 key.
    #[error("not an ECDSA P-256 public key in SubjectPublicKeyInfo form")]
    Key,
    /// Not an envelope of ours.
    #[error("not a DSSE envelope with one signature over an in-toto payload")]
    Malformed,
    /// The signature is not strict DER with a low `s`, or does not verify.
    #[error("the signature does not verify")]
    Signature,
}

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer as _;

    use super::*;

    fn signing_key() -> SigningKey {
        SigningKey::from_slice(&[7; 32]).unwrap()
    }

    fn key() -> ReceiptKey {
        let der = signing_key().verifying_key().to_public_key_der().unwrap();
        ReceiptKey::from_spki_der(der.as_bytes()).unwrap()
    }

    /// The same signature with the other value of `s`.
    fn other_s(signature: &Signature) -> Signature {
        let (r, s) = signature.split_scalars();
        Signature::from_scalars(r.to_bytes(), (-s).to_bytes()).unwrap()
    }

    #[test]
    fn the_encoding_is_that_of_the_dsse_specification() {
        assert_eq!(
            pae(b"hello"),
            b"DSSEv1 28 application/vnd.in-toto+json 5 hello"
        );
        assert_eq!(pae(b""), b"DSSEv1 28 application/vnd.in-toto+json 0 ");
    }

    #[test]
    fn either_value_of_s_is_taken_from_a_signer_and_only_the_low_one_written() {
        let signature: Signature = signing_key().sign(&pae(b"hello"));
        let low = signature.normalize_s();
        let high = other_s(&low);
        let from_low = Envelope::assemble(b"hello", &key(), low.to_der().as_bytes()).unwrap();
        let from_high = Envelope::assemble(b"hello", &key(), high.to_der().as_bytes()).unwrap();
        assert_eq!(from_low, from_high);
        let high = high.to_der();
        assert_eq!(
            key().verify(&pae(b"hello"), high.as_bytes()),
            Err(DsseError::Signature)
        );
    }

    #[test]
    fn a_signature_of_something_else_is_never_assembled() {
        let signature: Signature = signing_key().sign(&pae(b"hello"));
        let der = signature.to_der();
        let result = Envelope::assemble(b"hullo", &key(), der.as_bytes());
        assert_eq!(result, Err(DsseError::Signature));
        assert_eq!(
            Envelope::assemble(b"hello", &key(), b"x"),
            Err(DsseError::Signature)
        );
    }

    #[test]
    fn an_envelope_survives_its_bytes_and_no_other_spelling() {
        let signature: Signature = signing_key().sign(&pae(b"hello"));
        let envelope = Envelope::assemble(b"hello", &key(), signature.to_der().as_bytes()).unwrap();
        let bytes = envelope.to_canonical_bytes().unwrap();
        assert_eq!(Envelope::parse(&bytes), Ok(envelope.clone()));
        assert_eq!(envelope.opened().unwrap().payload, b"hello");
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replace(PAYLOAD_TYPE, "text/plain"),
            text.replace("aGVsbG8=", "aGVsbG9="),
            text.replace("aGVsbG8=", "aGVsbG8"),
            text.replace("\"payload\"", " \"payload\""),
            text.replace("}]}", "}],\"x\":1}"),
            text.replace("\"signatures\":[{", "\"signatures\":[{},{"),
        ] {
            assert_eq!(
                Envelope::parse(bad.as_bytes()),
                Err(DsseError::Malformed),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_key_has_one_der_and_one_pem() {
        let key = key();
        assert_eq!(ReceiptKey::from_spki_pem(&key.to_pem()), Ok(key.clone()));
        assert_eq!(key.spki_der().len(), 91);
        let mut longer = key.spki_der().to_vec();
        longer.push(0);
        assert_eq!(ReceiptKey::from_spki_der(&longer), Err(DsseError::Key));
        let mut compressed = key.spki_der()[..26].to_vec();
        compressed[1] = 0x39;
        compressed[24] = 34;
        compressed.extend_from_slice(&[2; 1]);
        compressed.extend_from_slice(&key.spki_der()[27..59]);
        assert_eq!(ReceiptKey::from_spki_der(&compressed), Err(DsseError::Key));
    }
}
