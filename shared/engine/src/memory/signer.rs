//! A signer with keys from a seed: real signatures, reproducible runs.
//!
//! Like a KMS it signs a statement differently every time, with a high or a low `s`; what differs is
//! a count, so that the same seed still gives the same run.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use p256::ecdsa::signature::RandomizedSigner as _;
use p256::ecdsa::signature::rand_core::{TryCryptoRng, TryRng};
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use quittance_core::fault::Fault;
use quittance_tlog::{Ed25519Signer, KeyKind, MlDsa44Signer, NoteError};

use super::clock::split_mix;
use super::contract;
use super::faults::Faults;
use crate::ports::Signer;

/// Test keys. Worthless as keys: whoever reads this file has them.
pub struct MemorySigner {
    statement: SigningKey,
    statement_pem: String,
    log: Ed25519Signer,
    vkey: String,
    signed: AtomicU64,
    checkpoints: AtomicU64,
    post_quantum: Option<(MlDsa44Signer, String)>,
    faults: Faults,
}

impl MemorySigner {
    /// Derives both keys from a seed; `origin` is the log's name.
    ///
    /// # Errors
    /// [`NoteError`] when `origin` cannot be a key's name.
    pub fn new(origin: &str, seed: u64, faults: Faults) -> Result<Self, NoteError> {
        Self::of_seeds(origin, seed, seed, faults)
    }

    /// As [`Self::new`], with a seed for each key, so that one can be changed and the other not.
    ///
    /// # Errors
    /// [`NoteError`] when `origin` cannot be a key's name.
    pub fn of_seeds(
        origin: &str,
        statement: u64,
        log: u64,
        faults: Faults,
    ) -> Result<Self, NoteError> {
        let (statement, _) = draw(statement)?;
        let (_, log) = draw(log)?;
        let statement_pem = statement
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| NoteError::Malformed)?;
        let log = Ed25519Signer::from_seed(origin, KeyKind::Ed25519, &log)?;
        let vkey = log.verifier().to_string();
        Ok(Self {
            statement,
            statement_pem,
            log,
            vkey,
            signed: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            post_quantum: None,
            faults,
        })
    }

    /// Gives it an ML-DSA-44 key besides, from a seed of its own.
    ///
    /// # Errors
    /// [`NoteError`] when the log's name is too long for it.
    pub fn with_post_quantum(mut self, seed: u64) -> Result<Self, NoteError> {
        let (_, seed) = draw(seed)?;
        let signer = MlDsa44Signer::from_seed(self.log.verifier().name(), &seed)?;
        let vkey = signer.verifier().to_string();
        self.post_quantum = Some((signer, vkey));
        Ok(self)
    }

    /// How many statements and checkpoints were signed.
    pub fn signatures(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.signed), count(&self.checkpoints))
    }
}

impl fmt::Debug for MemorySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySigner")
            .field("log", &self.vkey)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Signer for MemorySigner {
    fn statement_key_pem(&self) -> &str {
        &self.statement_pem
    }

    fn log_vkey(&self) -> &str {
        &self.vkey
    }

    async fn sign_statement(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        contract(
            bytes.starts_with(b"DSSEv1 "),
            "statements are signed in DSSE's encoding",
        );
        self.faults
            .call("signer.sign_statement", || {
                let mut chance = Counted(self.signed.fetch_add(1, Ordering::Relaxed));
                let signature: DerSignature = self
                    .statement
                    .try_sign_with_rng(&mut chance, bytes)
                    .map_err(|_| Fault::reject("signer: the statement was not signed"))?;
                Ok(signature.as_bytes().to_vec())
            })
            .await
    }

    async fn sign_checkpoint(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.faults
            .call("signer.sign_checkpoint", || {
                self.checkpoints.fetch_add(1, Ordering::Relaxed);
                Ok(self.log.sign_raw(bytes).to_vec())
            })
            .await
    }

    fn post_quantum_vkey(&self) -> Option<&str> {
        self.post_quantum.as_ref().map(|(_, vkey)| vkey.as_str())
    }

    async fn sign_checkpoint_post_quantum(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.faults
            .call("signer.sign_checkpoint_post_quantum", || {
                let none = || Fault::reject("signer: no post-quantum key");
                let (signer, _) = self.post_quantum.as_ref().ok_or_else(none)?;
                // Counted, so that no two signatures are the same.
                let mut chance = Counted(self.checkpoints.fetch_add(1, Ordering::Relaxed));
                Ok(signer.sign_raw(bytes, &chance.bytes()))
            })
            .await
    }
}

/// Draws a statement key and a log key's seed.
fn draw(seed: u64) -> Result<(SigningKey, [u8; 32]), NoteError> {
    let mut chance = Counted(seed);
    // A draw that is no scalar of the curve happens once in 2^32 draws: the next one is.
    let statement = std::iter::repeat_with(|| SigningKey::from_slice(&chance.bytes()))
        .find_map(Result::ok)
        .ok_or(NoteError::Malformed)?;
    Ok((statement, chance.bytes()))
}

/// `SplitMix64` where a generator is asked for.
struct Counted(u64);

impl Counted {
    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&split_mix(&mut self.0).to_le_bytes());
        }
        bytes
    }
}

impl TryRng for Counted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let [a, b, c, d, ..] = self.bytes();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(split_mix(&mut self.0))
    }

    fn try_fill_bytes(&mut self, filled: &mut [u8]) -> Result<(), Infallible> {
        for chunk in filled.chunks_mut(8) {
            let drawn = split_mix(&mut self.0).to_le_bytes();
            for (byte, drawn) in chunk.iter_mut().zip(drawn) {
                *byte = drawn;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Counted {}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use quittance_core::receipt::{Envelope, ReceiptKey, pae};

    use super::*;

    fn signer() -> MemorySigner {
        MemorySigner::new("log.test/dsr", 7, Faults::default()).unwrap()
    }

    #[test]
    fn statements_are_signed_differently_every_time_and_always_verify() {
        let signer = signer();
        let key = ReceiptKey::from_spki_pem(signer.statement_key_pem()).unwrap();
        let sign = || {
            signer
                .sign_statement(&pae(b"statement"))
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        let envelopes: Vec<Envelope> = (0..8)
            .map(|_| Envelope::assemble(b"statement", &key, &sign()).unwrap())
            .collect();
        for (n, envelope) in envelopes.iter().enumerate() {
            assert!(!envelopes[..n].contains(envelope));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_keys_and_signatures() {
        let sign = |signer: &MemorySigner| {
            signer
                .sign_statement(&pae(b"statement"))
                .now_or_never()
                .unwrap()
                .unwrap()
        };
        assert_eq!(sign(&signer()), sign(&signer()));
        assert_eq!(signer().log_vkey(), signer().log_vkey());
        let other = MemorySigner::new("log.test/dsr", 8, Faults::default()).unwrap();
        assert_ne!(other.log_vkey(), signer().log_vkey());
        assert_ne!(other.statement_key_pem(), signer().statement_key_pem());
        let mixed = MemorySigner::of_seeds("log.test/dsr", 7, 8, Faults::default()).unwrap();
        assert_eq!(mixed.log_vkey(), other.log_vkey());
        assert_eq!(mixed.statement_key_pem(), signer().statement_key_pem());
    }
}
