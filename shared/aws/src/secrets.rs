//! The HMAC keys of subject tags and suppression, and the door's own: derived from a key that never
//! leaves KMS, or from files that only their owner may read.
//!
//! KMS computes a MAC over a fixed label, and that is the key: every process derives the same one,
//! nothing secret is stored anywhere, and a role without `kms:GenerateMac` on that key has it not. Those of tags
//! and suppression are made from one such MAC: a process that starts asks once.
//! Losing the first two loses the suppression list; changing them makes open requests unfindable by
//! subject. The door's key stands for every code and status secret: no worker has it.
//! Per-request keys are in the vault, signing keys in [`crate::signer`].

use std::path::Path;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;
use futures::try_join;
use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_engine::keys::TagKeys;
use quittance_engine::ports::Clock;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::faults::fault;
use crate::files::{self, SecretFileError};
use crate::settings::KeySource;

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// KMS does not give it.
    #[error("{key}: {fault}")]
    Kms {
        /// Which key.
        key: String,
        /// Why.
        fault: Fault,
    },
    /// It was not derived when the process started.
    #[error("{0}: a key in KMS is derived when a process starts on its own settings")]
    NotDerived(String),
}

/// What was derived from keys in KMS when the process started; the rest is in files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Derived {
    tags: Option<TagKeys>,
    intake: Option<HmacKey>,
}

impl Derived {
    /// Derives the keys whose settings name a key in KMS.
    ///
    /// # Errors
    /// [`SecretsError`] when KMS does not answer, or the key is of another kind.
    pub(crate) async fn from_kms(
        client: &aws_sdk_kms::Client,
        tags: Option<KeySource>,
        intake: Option<KeySource>,
    ) -> Result<Self, SecretsError> {
        // Both at once: a process that starts makes somebody wait.
        let tags = async {
            let Some(KeySource::Kms(key)) = tags else {
                return Ok(None);
            };
            let both = derive(client, &key, "quittance-tag-keys/v1").await?;
            let of = |label| HmacKey::new(*both.tag(label, &[]).as_bytes());
            Ok(Some(TagKeys {
                subject: of("quittance-subject-key/v1"),
                suppression: of("quittance-suppression-key/v1"),
            }))
        };
        let intake = async {
            let Some(KeySource::Kms(key)) = intake else {
                return Ok(None);
            };
            derive(client, &key, "quittance-intake-key/v1")
                .await
                .map(Some)
        };
        let (tags, intake) = try_join!(tags, intake)?;
        Ok(Self { tags, intake })
    }

    /// Returns the deployment's keys.
    ///
    /// # Errors
    /// [`SecretsError`] when they cannot be had.
    pub(crate) fn tag_keys(
        &self,
        source: &KeySource,
        clock: &dyn Clock,
    ) -> Result<TagKeys, SecretsError> {
        match &self.tags {
            Some(keys) => Ok(keys.clone()),
            None => tag_keys(source, clock),
        }
    }

    /// Returns the door's key.
    ///
    /// # Errors
    /// [`SecretsError`] when it cannot be had.
    pub(crate) fn intake_key(
        &self,
        source: &KeySource,
        clock: &dyn Clock,
    ) -> Result<HmacKey, SecretsError> {
        match &self.intake {
            Some(key) => Ok(key.clone()),
            None => intake_key(source, clock),
        }
    }
}

async fn derive(
    client: &aws_sdk_kms::Client,
    key: &str,
    label: &str,
) -> Result<HmacKey, SecretsError> {
    let refused = |fault| SecretsError::Kms {
        key: key.to_owned(),
        fault,
    };
    let answer = client
        .generate_mac()
        .key_id(key)
        .mac_algorithm(MacAlgorithmSpec::HmacSha256)
        .message(Blob::new(label))
        .send()
        .await
        .map_err(|error| refused(fault("GenerateMac", &error)))?;
    let mac = Zeroizing::new(answer.mac.map(Blob::into_inner).unwrap_or_default());
    <[u8; 32]>::try_from(mac.as_slice())
        .map(HmacKey::new)
        .map_err(|_| refused(Fault::retry("GenerateMac: not 32 bytes")))
}

/// Loads the keys; a missing file is made with fresh ones.
///
/// # Errors
/// [`SecretsError`] when they cannot be had.
pub fn tag_keys(source: &KeySource, clock: &dyn Clock) -> Result<TagKeys, SecretsError> {
    match source {
        KeySource::File(path) => Ok(from_file(path, clock)?),
        KeySource::Kms(id) => Err(SecretsError::NotDerived(id.clone())),
    }
}

fn from_file(path: &Path, clock: &dyn Clock) -> Result<TagKeys, SecretFileError> {
    let unreadable = || SecretFileError::unreadable(path, "a file of tag keys, version 1");
    let bytes = files::read_or_create(path, || fresh(clock))?;
    let keys: Keys = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
    if keys.v != VERSION {
        return Err(unreadable());
    }
    let Keys {
        subject,
        suppression,
        ..
    } = keys;
    Ok(TagKeys {
        subject,
        suppression,
    })
}

/// Loads the key of client tokens, codes and status secrets; a missing file is made with a fresh one.
///
/// # Errors
/// [`SecretsError`] when it cannot be had.
pub fn intake_key(source: &KeySource, clock: &dyn Clock) -> Result<HmacKey, SecretsError> {
    let path = match source {
        KeySource::File(path) => path,
        KeySource::Kms(id) => return Err(SecretsError::NotDerived(id.clone())),
    };
    let bytes = files::read_or_create(path, || clock.random().to_vec())?;
    let key = <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| SecretFileError::unreadable(path, "a key of 32 bytes"))?;
    Ok(HmacKey::new(key))
}

fn fresh(clock: &dyn Clock) -> Vec<u8> {
    let key = || HmacKey::new(clock.random());
    let keys = Keys {
        v: VERSION,
        subject: key(),
        suppression: key(),
    };
    // Two keys in hex always serialise.
    serde_json::to_vec(&keys).unwrap_or_default()
}

#[derive(Serialize, Deserialize)]
struct Keys {
    v: u32,
    subject: HmacKey,
    suppression: HmacKey,
}

const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn the_same_file_gives_the_same_keys() {
        let folder = tempfile::tempdir().unwrap();
        let source = KeySource::File(folder.path().join("tags.json"));
        let first = tag_keys(&source, &SystemClock).unwrap();
        let again = tag_keys(&source, &SystemClock).unwrap();
        assert_eq!(first.subject.expose(), again.subject.expose());
        assert_eq!(first.suppression.expose(), again.suppression.expose());
        assert_ne!(first.subject.expose(), first.suppression.expose());
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tags.json");
        files::replace(&path, b"{\"v\":2}").unwrap();
        let error = tag_keys(&KeySource::File(path), &SystemClock)
            .unwrap_err()
            .to_string();
        assert!(error.contains("version 1"), "{error}");
        let error = tag_keys(&KeySource::Kms("alias/x".into()), &SystemClock).unwrap_err();
        assert!(error.to_string().contains("derived"), "{error}");
    }

    #[test]
    fn the_door_has_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let source = KeySource::File(folder.path().join("intake.key"));
        let first = intake_key(&source, &SystemClock).unwrap();
        let again = intake_key(&source, &SystemClock).unwrap();
        assert_eq!(first.expose(), again.expose());
        let short = folder.path().join("short");
        files::replace(&short, b"too short").unwrap();
        assert!(intake_key(&KeySource::File(short), &SystemClock).is_err());
    }
}
