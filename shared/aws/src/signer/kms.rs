//! Keys in KMS: `ECC_NIST_P256` for statements, `ECC_NIST_EDWARDS25519` for checkpoints.
//!
//! Statements are hashed here and sent as a digest, so that no size limit applies. Checkpoints go as
//! they are (message type RAW, at most 4096 bytes): pure Ed25519, never the pre-hashed variant.

use async_trait::async_trait;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use p256::pkcs8::EncodePublicKey as _;
use quittance_core::fault::Fault;
use quittance_engine::ports::Signer;
use sha2::{Digest as _, Sha256};

use super::{SignerError, vkey};
use crate::faults::fault;

/// A signer over two KMS keys.
#[derive(Clone, Debug)]
pub struct KmsSigner {
    client: aws_sdk_kms::Client,
    statement_key: String,
    log_key: String,
    statement_pem: String,
    vkey: String,
}

impl KmsSigner {
    /// Opens the two keys and fetches their public halves. `origin` is the log's name.
    ///
    /// # Errors
    /// [`SignerError`] when a key cannot be reached or is of another kind.
    pub async fn open(
        client: aws_sdk_kms::Client,
        statement_key: impl Into<String>,
        log_key: impl Into<String>,
        origin: &str,
    ) -> Result<Self, SignerError> {
        let (statement_key, log_key) = (statement_key.into(), log_key.into());
        let kind = |key: &str, expected| SignerError::Kind {
            key: key.to_owned(),
            expected,
        };
        let spki = public_key(&client, &statement_key).await?;
        let statement_pem = p256::PublicKey::from_public_key_der(&spki)
            .ok()
            .and_then(|key| key.to_public_key_pem(LineEnding::LF).ok())
            .ok_or_else(|| kind(&statement_key, "an ECC_NIST_P256 key"))?;
        let spki = public_key(&client, &log_key).await?;
        let log = ed25519_dalek::VerifyingKey::from_public_key_der(&spki)
            .map_err(|_| kind(&log_key, "an ECC_NIST_EDWARDS25519 key"))?;
        let vkey = vkey(origin, &log)?;
        Ok(Self {
            client,
            statement_key,
            log_key,
            statement_pem,
            vkey,
        })
    }

    async fn sign(
        &self,
        key: &str,
        message: &[u8],
        kind: MessageType,
        algorithm: SigningAlgorithmSpec,
    ) -> Result<Vec<u8>, Fault> {
        let answer = self
            .client
            .sign()
            .key_id(key)
            .message(Blob::new(message))
            .message_type(kind)
            .signing_algorithm(algorithm)
            .send()
            .await
            .map_err(|error| fault("Sign", &error))?;
        let signature = answer.signature.map(Blob::into_inner);
        signature.ok_or_else(|| Fault::retry("Sign: an answer without a signature"))
    }
}

#[async_trait]
impl Signer for KmsSigner {
    fn statement_key_pem(&self) -> &str {
        &self.statement_pem
    }

    fn log_vkey(&self) -> &str {
        &self.vkey
    }

    async fn sign_statement(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let digest = Sha256::digest(bytes);
        let algorithm = SigningAlgorithmSpec::EcdsaSha256;
        self.sign(&self.statement_key, &digest, MessageType::Digest, algorithm)
            .await
    }

    async fn sign_checkpoint(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let algorithm = SigningAlgorithmSpec::Ed25519Sha512;
        self.sign(&self.log_key, bytes, MessageType::Raw, algorithm)
            .await
    }
}

async fn public_key(client: &aws_sdk_kms::Client, key: &str) -> Result<Vec<u8>, SignerError> {
    let refused = |fault| SignerError::Kms {
        key: key.to_owned(),
        fault,
    };
    let answer = client.get_public_key().key_id(key).send().await;
    let answer = answer.map_err(|error| refused(fault("GetPublicKey", &error)))?;
    let spki = answer.public_key.map(Blob::into_inner);
    spki.ok_or_else(|| refused(Fault::retry("GetPublicKey: an answer without a key")))
}
