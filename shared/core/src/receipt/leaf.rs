//! The log entry of a statement: Rekor v2's `hashedrekord` 0.0.2, as canonical JSON.
//!
//! It holds the digest of the DSSE encoding, the signature and the public key; nothing of the
//! statement itself. The entry is a function of these three, so a verifier makes it again and compares.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::dsse::{DsseError, Envelope, ReceiptKey, pae};
use crate::digest::Digest;

/// Returns the exact bytes to log for an envelope, whose signature must verify under `key`.
///
/// # Errors
///
/// [`DsseError`] if the envelope is malformed or its signature is not the key's.
pub fn leaf_bytes(envelope: &Envelope, key: &ReceiptKey) -> Result<Vec<u8>, DsseError> {
    let opened = envelope.opened()?;
    let message = pae(&opened.payload);
    if opened.keyid != key.id() {
        return Err(DsseError::Signature);
    }
    key.verify(&message, &opened.signature)?;
    entry_bytes(&message, &opened.signature, key)
}

/// Writes the entry of a signature that was verified before.
pub(super) fn entry_bytes(
    message: &[u8],
    signature: &[u8],
    key: &ReceiptKey,
) -> Result<Vec<u8>, DsseError> {
    let entry = Entry {
        api_version: "0.0.2",
        kind: "hashedrekord",
        spec: Spec {
            hashed_rekord: HashedRekord {
                data: Data {
                    algorithm: "SHA2_256",
                    digest: STANDARD.encode(Digest::of(message).as_bytes()),
                },
                signature: EntrySignature {
                    content: STANDARD.encode(signature),
                    verifier: Verifier {
                        key_details: "PKIX_ECDSA_P256_SHA_256",
                        public_key: PublicKey {
                            raw_bytes: STANDARD.encode(key.spki_der()),
                        },
                    },
                },
            },
        },
    };
    serde_json_canonicalizer::to_vec(&entry).map_err(|_| DsseError::Malformed)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec,
}

#[derive(Serialize)]
struct Spec {
    #[serde(rename = "hashedRekordV002")]
    hashed_rekord: HashedRekord,
}

#[derive(Serialize)]
struct HashedRekord {
    data: Data,
    signature: EntrySignature,
}

#[derive(Serialize)]
struct Data {
    algorithm: &'static str,
    digest: String,
}

#[derive(Serialize)]
struct EntrySignature {
    content: String,
    verifier: Verifier,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    key_details: &'static str,
    public_key: PublicKey,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKey {
    raw_bytes: String,
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Signer as _;
    use p256::ecdsa::{Signature, SigningKey};
    use p256::pkcs8::EncodePublicKey as _;

    use super::*;

    #[test]
    fn the_entry_has_the_form_that_rekor_writes() {
        let signing = SigningKey::from_slice(&[7; 32]).unwrap();
        let der = signing.verifying_key().to_public_key_der().unwrap();
        let key = ReceiptKey::from_spki_der(der.as_bytes()).unwrap();
        let signature: Signature = signing.sign(&pae(b"hello"));
        let signature = signature.normalize_s().to_der();
        let envelope = Envelope::assemble(b"hello", &key, signature.as_bytes()).unwrap();
        let expected = format!(
            "{{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{{\"hashedRekordV002\":\
             {{\"data\":{{\"algorithm\":\"SHA2_256\",\"digest\":\"{}\"}},\"signature\":\
             {{\"content\":\"{}\",\"verifier\":{{\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\
             \"publicKey\":{{\"rawBytes\":\"{}\"}}}}}}}}}}}}",
            STANDARD
                .encode(Digest::of(b"DSSEv1 28 application/vnd.in-toto+json 5 hello").as_bytes()),
            STANDARD.encode(signature.as_bytes()),
            STANDARD.encode(key.spki_der()),
        );
        let leaf = leaf_bytes(&envelope, &key).unwrap();
        assert_eq!(String::from_utf8(leaf).unwrap(), expected);
    }

    #[test]
    fn no_entry_is_made_for_another_key() {
        let signing = SigningKey::from_slice(&[7; 32]).unwrap();
        let of = |signing: &SigningKey| {
            let der = signing.verifying_key().to_public_key_der().unwrap();
            ReceiptKey::from_spki_der(der.as_bytes()).unwrap()
        };
        let signature: Signature = signing.sign(&pae(b"hello"));
        let envelope =
            Envelope::assemble(b"hello", &of(&signing), signature.to_der().as_bytes()).unwrap();
        let other = of(&SigningKey::from_slice(&[8; 32]).unwrap());
        assert_eq!(leaf_bytes(&envelope, &other), Err(DsseError::Signature));
    }
}
