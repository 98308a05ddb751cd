//! The HMAC keys of subject tags and suppression, and the door's own, from files that only their
//! owner may read.
//!
//! Losing the first two loses the suppression list; changing them makes open requests unfindable by
//! subject. The door's key stands for every code and status secret: no worker has it.
//! Per-request keys are in the vault, signing keys in [`crate::signer`].

use std::path::Path;

use quittance_core::digest::HmacKey;
use quittance_engine::keys::TagKeys;
use quittance_engine::ports::Clock;
use serde::{Deserialize, Serialize};

use crate::files::{self, SecretFileError};
use crate::settings::KeySource;

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Only files are supported.
    #[error("{0}: this key is read from a file: use `file:` and a path")]
    NotAFile(String),
}

/// Loads the keys; a missing file is made with fresh ones.
///
/// # Errors
/// [`SecretsError`] when they cannot be had.
pub fn tag_keys(source: &KeySource, clock: &dyn Clock) -> Result<TagKeys, SecretsError> {
    match source {
        KeySource::File(path) => Ok(from_file(path, clock)?),
        KeySource::Kms(id) => Err(SecretsError::NotAFile(id.clone())),
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
        KeySource::Kms(id) => return Err(SecretsError::NotAFile(id.clone())),
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
        assert!(error.to_string().contains("file:"));
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
