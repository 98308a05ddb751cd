//! Keys in KMS: `ECC_NIST_P256` for statements, `ECC_NIST_EDWARDS25519` for checkpoints.
//!
//! Statements are hashed here and sent as a digest, so that no size limit applies. Checkpoints go as
//! they are (message type RAW, at most 4096 bytes): pure Ed25519, never the pre-hashed variant.

use async_trait::async_trait;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use futures::try_join;
use p256::pkcs8::EncodePublicKey as _;
use quittance_core::fault::Fault;
use quittance_engine::ports::{Cosigner, Signer};
use quittance_tlog::{KeyKind, VerifierKey};
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
    /// The key's id and its vkey.
    post_quantum: Option<(String, String)>,
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
        // Both at once: a process that starts makes somebody wait.
        let (spki, vkey) = try_join!(
            public_key(&client, &statement_key),
            ed25519(&client, &log_key, origin, KeyKind::Ed25519)
        )?;
        let statement_pem = p256::PublicKey::from_public_key_der(&spki)
            .ok()
            .and_then(|key| key.to_public_key_pem(LineEnding::LF).ok())
            .ok_or_else(|| SignerError::Kind {
                key: statement_key.clone(),
                expected: "an ECC_NIST_P256 key",
            })?;
        Ok(Self {
            client,
            statement_key,
            log_key,
            statement_pem,
            vkey,
            post_quantum: None,
        })
    }
}

impl KmsSigner {
    /// Lets a third key, of the kind `ML_DSA_44`, sign checkpoints too.
    ///
    /// # Errors
    /// [`SignerError`] when it cannot be reached or is of another kind.
    pub async fn with_post_quantum(mut self, key: &str, origin: &str) -> Result<Self, SignerError> {
        let spki = public_key(&self.client, key).await?;
        let public = spki.strip_prefix(ML_DSA_44_SPKI).unwrap_or_default();
        let vkey = VerifierKey::new(origin, KeyKind::CosignatureMlDsa44, public);
        let vkey = vkey.map_err(|_| SignerError::Kind {
            key: key.to_owned(),
            expected: "an ML_DSA_44 key",
        })?;
        self.post_quantum = Some((key.to_owned(), vkey.to_string()));
        Ok(self)
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
        let kind = MessageType::Digest;
        sign(&self.client, &self.statement_key, &digest, kind, algorithm).await
    }

    async fn sign_checkpoint(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        sign_ed25519(&self.client, &self.log_key, bytes).await
    }

    fn post_quantum_vkey(&self) -> Option<&str> {
        self.post_quantum.as_ref().map(|(_, vkey)| vkey.as_str())
    }

    async fn sign_checkpoint_post_quantum(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let Some((key, _)) = &self.post_quantum else {
            return Err(Fault::reject("this signer has no post-quantum key"));
        };
        // RAW: pure ML-DSA with an empty context, as C2SP asks.
        let algorithm = SigningAlgorithmSpec::MlDsaShake256;
        sign(&self.client, key, bytes, MessageType::Raw, algorithm).await
    }
}

/// A witness's key in KMS.
#[derive(Clone, Debug)]
pub struct KmsCosigner {
    client: aws_sdk_kms::Client,
    key: String,
    vkey: String,
}

impl KmsCosigner {
    /// Opens the key and fetches its public half. `name` is the witness's.
    ///
    /// # Errors
    /// [`SignerError`] when the key cannot be reached or is of another kind, or the name is none.
    pub async fn open(
        client: aws_sdk_kms::Client,
        key: impl Into<String>,
        name: &str,
    ) -> Result<Self, SignerError> {
        let key = key.into();
        let vkey = ed25519(&client, &key, name, KeyKind::CosignatureV1).await?;
        Ok(Self { client, key, vkey })
    }
}

#[async_trait]
impl Cosigner for KmsCosigner {
    fn vkey(&self) -> &str {
        &self.vkey
    }

    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        sign_ed25519(&self.client, &self.key, bytes).await
    }
}

async fn sign_ed25519(
    client: &aws_sdk_kms::Client,
    key: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, Fault> {
    let algorithm = SigningAlgorithmSpec::Ed25519Sha512;
    sign(client, key, bytes, MessageType::Raw, algorithm).await
}

async fn sign(
    client: &aws_sdk_kms::Client,
    key: &str,
    message: &[u8],
    kind: MessageType,
    algorithm: SigningAlgorithmSpec,
) -> Result<Vec<u8>, Fault> {
    let answer = client
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

/// Returns the verifier key of an Ed25519 key under a name.
async fn ed25519(
    client: &aws_sdk_kms::Client,
    key: &str,
    name: &str,
    kind: KeyKind,
) -> Result<String, SignerError> {
    let spki = public_key(client, key).await?;
    let public = ed25519_dalek::VerifyingKey::from_public_key_der(&spki);
    let public = public.map_err(|_| SignerError::Kind {
        key: key.to_owned(),
        expected: "an ECC_NIST_EDWARDS25519 key",
    })?;
    vkey(name, kind, &public)
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

/// What stands before the 1312 bytes of an ML-DSA-44 key in a `SubjectPublicKeyInfo` (RFC 9881).
const ML_DSA_44_SPKI: &[u8] = &[
    0x30, 0x82, 0x05, 0x32, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
    0x11, 0x03, 0x82, 0x05, 0x21, 0x00,
];
