//! A vault object: format byte, 96-bit nonce, AES-256-GCM ciphertext and tag.
//!
//! The associated data binds the ciphertext to its format, request and name: an object that was
//! moved elsewhere does not open.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use zeroize::Zeroizing;

/// A data key in the clear.
pub(super) type DataKey = Zeroizing<[u8; 32]>;

/// Encrypts `bytes`. A nonce is random and never used again with this key.
pub(super) fn seal(
    key: &DataKey,
    request: RequestId,
    name: &str,
    bytes: &[u8],
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, Fault> {
    encrypt(key, &associated(request, name), bytes, nonce)
}

/// Decrypts what [`seal`] made.
pub(super) fn open(
    key: &DataKey,
    request: RequestId,
    name: &str,
    sealed: &[u8],
) -> Result<Vec<u8>, Fault> {
    decrypt(key, &associated(request, name), sealed)
        .ok_or_else(|| Fault::reject("vault: an object that does not open under its request's key"))
}

/// Encrypts with any associated data, into the format above.
pub(super) fn encrypt(
    key: &DataKey,
    aad: &[u8],
    bytes: &[u8],
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, Fault> {
    let ciphertext = cipher(key)
        .encrypt(&Nonce::from(nonce), Payload { msg: bytes, aad })
        .map_err(|_| Fault::reject("vault: an object too large to encrypt"))?;
    let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// Decrypts what [`encrypt`] made; none when it is not that.
pub(super) fn decrypt(key: &DataKey, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (&FORMAT, rest) = sealed.split_first()? else {
        return None;
    };
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
    cipher(key)
        .decrypt(
            &Nonce::from(*nonce),
            Payload {
                msg: ciphertext,
                aad,
            },
        )
        .ok()
}

fn cipher(key: &DataKey) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key))
}

fn associated(request: RequestId, name: &str) -> Vec<u8> {
    // The id has a fixed length, so the two parts cannot run into each other.
    format!("quittance-vault/v{FORMAT}\0{request}{name}").into_bytes()
}

/// The size of a nonce.
pub(super) const NONCE_BYTES: usize = 12;

const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RequestId {
        RequestId::new([n; 16])
    }

    #[test]
    fn an_object_opens_only_under_its_key_request_and_name() {
        let key = DataKey::new([1; 32]);
        let sealed = seal(&key, id(1), "papers.json", b"secret", [7; 12]).unwrap();
        assert_eq!(
            open(&key, id(1), "papers.json", &sealed).unwrap(),
            b"secret"
        );
        assert!(open(&key, id(2), "papers.json", &sealed).is_err());
        assert!(open(&key, id(1), "export.zip", &sealed).is_err());
        assert!(open(&DataKey::new([2; 32]), id(1), "papers.json", &sealed).is_err());
    }

    #[test]
    fn no_byte_of_an_object_is_free() {
        let key = DataKey::new([1; 32]);
        let sealed = seal(&key, id(1), "n", b"secret", [7; 12]).unwrap();
        for index in 0..sealed.len() {
            let mut other = sealed.clone();
            other[index] ^= 1;
            assert!(open(&key, id(1), "n", &other).is_err(), "byte {index}");
        }
        assert!(open(&key, id(1), "n", &sealed[..10]).is_err());
    }
}
