//! Wrapping of data keys: by KMS, or by a key in a local file.
//!
//! KMS binds a wrapped key to its request by encryption context, the file's key by associated data.
//! Unwrapped keys are remembered by their wrapped bytes, at most [`REMEMBERED`]: that saves the call
//! to KMS, never the look at the key's row, so it cannot outlive a shredding.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_engine::ports::Clock;
use zeroize::Zeroizing;

use super::seal::{DataKey, NONCE_BYTES, decrypt, encrypt};
use crate::faults::fault;
use crate::files::{self, SecretFileError};

/// What wraps data keys.
pub struct KeyWrap {
    with: With,
    remembered: Mutex<VecDeque<(Digest, DataKey)>>,
}

enum With {
    Kms {
        client: aws_sdk_kms::Client,
        key: String,
    },
    File(DataKey),
}

impl KeyWrap {
    /// Wraps with a symmetric KMS key.
    pub fn kms(client: aws_sdk_kms::Client, key: impl Into<String>) -> Self {
        Self::with(With::Kms {
            client,
            key: key.into(),
        })
    }

    /// Wraps with a 32-byte key in a file that only its owner may read; made when it is missing.
    ///
    /// # Errors
    /// [`SecretFileError`] when the file cannot be used.
    pub fn file(path: &Path, clock: &dyn Clock) -> Result<Self, SecretFileError> {
        let bytes = Zeroizing::new(files::read_or_create(path, || clock.random().to_vec())?);
        let key = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| SecretFileError::unreadable(path, "a key of 32 bytes"))?;
        Ok(Self::with(With::File(DataKey::new(key))))
    }

    /// Makes a data key and wraps it.
    pub(super) async fn fresh(
        &self,
        request: RequestId,
        clock: &dyn Clock,
    ) -> Result<(DataKey, Vec<u8>), Fault> {
        match &self.with {
            With::Kms { client, key } => {
                let answer = client
                    .generate_data_key()
                    .key_id(key)
                    .key_spec(DataKeySpec::Aes256)
                    .encryption_context(CONTEXT, request.to_string())
                    .send()
                    .await
                    .map_err(|error| fault("GenerateDataKey", &error))?;
                let wrapped = answer.ciphertext_blob.map(Blob::into_inner);
                Ok((data_key(answer.plaintext)?, wrapped.unwrap_or_default()))
            }
            With::File(wrapping) => {
                let key = DataKey::new(clock.random());
                let mut nonce = [0; NONCE_BYTES];
                nonce
                    .iter_mut()
                    .zip(clock.random())
                    .for_each(|(byte, random)| *byte = random);
                let wrapped = encrypt(wrapping, &associated(request), key.as_slice(), nonce)?;
                Ok((key, wrapped))
            }
        }
    }

    /// Unwraps a request's data key.
    pub(super) async fn unwrap(
        &self,
        request: RequestId,
        wrapped: &[u8],
    ) -> Result<DataKey, Fault> {
        let mut name = associated(request);
        name.extend_from_slice(wrapped);
        let name = Digest::of(&name);
        if let Some(key) = self.recall(&name) {
            return Ok(key);
        }
        let key = match &self.with {
            With::Kms { client, key } => {
                let answer = client
                    .decrypt()
                    .key_id(key)
                    .ciphertext_blob(Blob::new(wrapped))
                    .encryption_context(CONTEXT, request.to_string())
                    .send()
                    .await
                    .map_err(|error| fault("Decrypt", &error))?;
                data_key(answer.plaintext)?
            }
            With::File(wrapping) => {
                let key = decrypt(wrapping, &associated(request), wrapped).map(Zeroizing::new);
                let key = key.and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
                DataKey::new(key.ok_or_else(|| {
                    Fault::reject("vault: a data key that does not unwrap: is it another key file?")
                })?)
            }
        };
        self.remember(name, &key);
        Ok(key)
    }

    fn with(with: With) -> Self {
        Self {
            with,
            remembered: Mutex::default(),
        }
    }

    fn recall(&self, name: &Digest) -> Option<DataKey> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, key)| key.clone())
    }

    fn remember(&self, name: Digest, key: &DataKey) {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back((name, key.clone()));
    }
}

impl fmt::Debug for KeyWrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.with {
            With::Kms { .. } => "KeyWrap::Kms(***)",
            With::File(_) => "KeyWrap::File(***)",
        })
    }
}

fn data_key(plaintext: Option<Blob>) -> Result<DataKey, Fault> {
    let plaintext = Zeroizing::new(plaintext.map(Blob::into_inner).unwrap_or_default());
    let key = <[u8; 32]>::try_from(plaintext.as_slice());
    key.map(DataKey::new)
        .map_err(|_| Fault::retry("KMS: a data key that is not of 32 bytes"))
}

fn associated(request: RequestId) -> Vec<u8> {
    format!("quittance-data-key/v1\0{request}").into_bytes()
}

/// The name in the encryption context that a wrapped key is bound to.
const CONTEXT: &str = "quittance:request";
const REMEMBERED: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn id(n: u8) -> RequestId {
        RequestId::new([n; 16])
    }

    #[tokio::test]
    async fn a_wrapped_key_belongs_to_its_request_and_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let one = KeyWrap::file(&folder.path().join("one"), &SystemClock).unwrap();
        let two = KeyWrap::file(&folder.path().join("two"), &SystemClock).unwrap();
        let (key, wrapped) = one.fresh(id(1), &SystemClock).await.unwrap();
        assert_eq!(one.unwrap(id(1), &wrapped).await.unwrap(), key);
        assert!(one.unwrap(id(2), &wrapped).await.is_err());
        assert!(two.unwrap(id(1), &wrapped).await.is_err());
    }

    #[tokio::test]
    async fn only_so_many_keys_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let wrap = KeyWrap::file(&folder.path().join("key"), &SystemClock).unwrap();
        for n in 0..=u8::try_from(REMEMBERED).unwrap() {
            let (_, wrapped) = wrap.fresh(id(n), &SystemClock).await.unwrap();
            wrap.unwrap(id(n), &wrapped).await.unwrap();
        }
        assert_eq!(wrap.remembered.lock().unwrap().len(), REMEMBERED);
        assert_eq!(format!("{wrap:?}"), "KeyWrap::File(***)");
    }
}
