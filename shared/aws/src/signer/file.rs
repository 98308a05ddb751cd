//! Keys in local files, PKCS#8 in PEM as OpenSSL reads them; made when they are missing.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use ed25519_dalek::ed25519::pkcs8::KeypairBytes;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::EncodePublicKey as _;
use quittance_core::fault::Fault;
use quittance_engine::ports::{Clock, Cosigner, Signer};
use quittance_tlog::{Ed25519Signer, KeyKind};
use zeroize::Zeroizing;

use super::{SignerError, vkey};
use crate::files::{self, SecretFileError};

/// A signer over two key files.
pub struct FileSigner {
    statement: p256::ecdsa::SigningKey,
    log: ed25519_dalek::SigningKey,
    statement_pem: String,
    vkey: String,
}

impl FileSigner {
    /// Opens the two keys; missing files are made. `origin` is the log's name.
    ///
    /// # Errors
    /// [`SignerError`] when a file cannot be used, or others may read it.
    pub fn open(
        statement_key: &Path,
        log_key: &Path,
        origin: &str,
        clock: &dyn Clock,
    ) -> Result<Self, SignerError> {
        let statement = statement(statement_key, clock)?;
        let log = log(log_key, clock)?;
        let statement_pem = statement.verifying_key().to_public_key_pem(LineEnding::LF);
        let statement_pem = statement_pem
            .map_err(|_| SecretFileError::unreadable(statement_key, "an ECDSA P-256 key"))?;
        let vkey = vkey(origin, KeyKind::Ed25519, &log.verifying_key())?;
        Ok(Self {
            statement,
            log,
            statement_pem,
            vkey,
        })
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner")
            .field("log", &self.vkey)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Signer for FileSigner {
    fn statement_key_pem(&self) -> &str {
        &self.statement_pem
    }

    fn log_vkey(&self) -> &str {
        &self.vkey
    }

    async fn sign_statement(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let signature: p256::ecdsa::DerSignature = self.statement.sign(bytes);
        Ok(signature.as_bytes().to_vec())
    }

    async fn sign_checkpoint(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.log.sign(bytes).to_bytes().to_vec())
    }
}

/// A witness's key in a file.
pub struct FileCosigner {
    signer: Ed25519Signer,
    vkey: String,
}

impl FileCosigner {
    /// Opens the key; a missing file is made. `name` is the witness's.
    ///
    /// # Errors
    /// [`SignerError`] when the file cannot be used, others may read it, or the name is none.
    pub fn open(path: &Path, name: &str, clock: &dyn Clock) -> Result<Self, SignerError> {
        let seed = Zeroizing::new(log(path, clock)?.to_bytes());
        let signer = Ed25519Signer::from_seed(name, KeyKind::CosignatureV1, &seed)
            .map_err(|_| SignerError::Origin(name.to_owned()))?;
        let vkey = signer.verifier().to_string();
        Ok(Self { signer, vkey })
    }
}

impl fmt::Debug for FileCosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCosigner")
            .field("vkey", &self.vkey)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Cosigner for FileCosigner {
    fn vkey(&self) -> &str {
        &self.vkey
    }

    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.signer.sign_raw(bytes).to_vec())
    }
}

fn statement(path: &Path, clock: &dyn Clock) -> Result<p256::ecdsa::SigningKey, SecretFileError> {
    let unreadable = || SecretFileError::unreadable(path, "an ECDSA P-256 key, PKCS#8 in PEM");
    let pem = read(path, || {
        // A draw that is no scalar of the curve happens once in 2^32 draws: the next one is.
        let key = std::iter::repeat_with(|| p256::SecretKey::from_slice(&clock.random()))
            .find_map(Result::ok);
        key.and_then(|key| key.to_pkcs8_pem(LineEnding::LF).ok())
    })?;
    p256::ecdsa::SigningKey::from_pkcs8_pem(&pem).map_err(|_| unreadable())
}

fn log(path: &Path, clock: &dyn Clock) -> Result<ed25519_dalek::SigningKey, SecretFileError> {
    let unreadable = || SecretFileError::unreadable(path, "an Ed25519 key, PKCS#8 in PEM");
    let pem = read(path, || {
        // Without the public half: OpenSSL does not read PKCS#8 that has it.
        let pair = KeypairBytes {
            secret_key: clock.random(),
            public_key: None,
        };
        pair.to_pkcs8_pem(LineEnding::LF).ok()
    })?;
    ed25519_dalek::SigningKey::from_pkcs8_pem(&pem).map_err(|_| unreadable())
}

fn read(
    path: &Path,
    make: impl FnOnce() -> Option<Zeroizing<String>>,
) -> Result<Zeroizing<String>, SecretFileError> {
    // An empty file would not be a key, and is refused below.
    let make = || {
        make()
            .map(|pem| pem.as_bytes().to_vec())
            .unwrap_or_default()
    };
    let bytes = files::read_or_create(path, make)?;
    String::from_utf8(bytes)
        .map(Zeroizing::new)
        .map_err(|_| SecretFileError::unreadable(path, "a key in PEM"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn the_same_files_are_the_same_keys() {
        let folder = tempfile::tempdir().unwrap();
        let (statement, log) = (folder.path().join("s.pem"), folder.path().join("l.pem"));
        let open = || FileSigner::open(&statement, &log, "log.test/dsr", &SystemClock).unwrap();
        let (one, two) = (open(), open());
        assert_eq!(one.statement_key_pem(), two.statement_key_pem());
        assert_eq!(one.log_vkey(), two.log_vkey());
        assert!(one.log_vkey().starts_with("log.test/dsr+"));
        let printed = format!("{one:?}");
        assert!(
            !printed.contains("PRIVATE") && printed.contains("log.test/dsr"),
            "{printed}"
        );
    }

    #[test]
    fn a_file_of_another_kind_of_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("1"), folder.path().join("2"));
        FileSigner::open(&one, &two, "log", &SystemClock).unwrap();
        let error = FileSigner::open(&two, &one, "log", &SystemClock)
            .unwrap_err()
            .to_string();
        assert!(error.contains("not an ECDSA P-256 key"), "{error}");
        assert!(FileSigner::open(&one, &two, "a log", &SystemClock).is_err());
    }
}
