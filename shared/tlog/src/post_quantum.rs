//! ML-DSA-44 cosignatures (C2SP `tlog-cosignature`, type 06), which hold against quantum computers, too.
//!
//! Unlike Ed25519 ones they do not sign a note's text but a structure made from it, which names the cosigner.
//! A log signs its own checkpoints so beside its Ed25519 line, at the time 0: it says that this is a tree of
//! its, and nothing about when.

use std::fmt;

use ml_dsa::{B32, EncodedVerifyingKey, ExpandedSigningKey, MlDsa44, Signature, VerifyingKey};

use crate::checkpoint::Checkpoint;
use crate::note::{KeyKind, NoteError, VerifierKey};

/// Returns the bytes that a cosigner signs: C2SP's `cosigned_message` of a whole tree. `None` if a name is
/// longer than the structure has room for.
pub fn cosigned_message(
    cosigner: &str,
    checkpoint: &Checkpoint,
    timestamp: u64,
) -> Option<Vec<u8>> {
    let mut message = LABEL.to_vec();
    message.push(u8::try_from(cosigner.len()).ok()?);
    message.extend_from_slice(cosigner.as_bytes());
    message.extend_from_slice(&timestamp.to_be_bytes());
    message.push(u8::try_from(checkpoint.origin().len()).ok()?);
    message.extend_from_slice(checkpoint.origin().as_bytes());
    // A whole tree: from the first leaf on.
    message.extend_from_slice(&0_u64.to_be_bytes());
    message.extend_from_slice(&checkpoint.size().to_be_bytes());
    message.extend_from_slice(checkpoint.root().as_bytes());
    Some(message)
}

/// Whether a signature is this key's over a message: FIPS 204 without a context, in its one encoding.
pub(crate) fn is_signed(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = EncodedVerifyingKey::<MlDsa44>::try_from(public_key) else {
        return false;
    };
    let Ok(parsed) = Signature::<MlDsa44>::try_from(signature) else {
        return false;
    };
    let is_canonical = parsed.encode().as_slice() == signature;
    is_canonical && VerifyingKey::<MlDsa44>::decode(&key).verify_with_context(message, &[], &parsed)
}

/// Signs with a key that is at hand: local use and tests. `Debug` prints a mask.
pub struct MlDsa44Signer {
    key: ExpandedSigningKey<MlDsa44>,
    verifier: VerifierKey,
}

impl MlDsa44Signer {
    /// Makes a signer from the 32-byte seed of a key.
    ///
    /// # Errors
    ///
    /// [`NoteError::KeyName`] if the name is not a key name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = ExpandedSigningKey::<MlDsa44>::from_seed(&B32::from(*seed));
        let public_key = key.verifying_key().encode();
        let verifier = VerifierKey::new(name, KeyKind::CosignatureMlDsa44, &public_key)?;
        Ok(Self { key, verifier })
    }

    /// Returns the public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a message as it is; what an external signer does. With other `random` bytes the signature is
    /// another, and as good; with zeros it is FIPS 204's deterministic one.
    pub fn sign_raw(&self, message: &[u8], random: &[u8; 32]) -> Vec<u8> {
        // No pre-hash, and a context of no bytes.
        let signature = self
            .key
            .sign_internal(&[&[0, 0], message], &B32::from(*random));
        signature.encode().to_vec()
    }
}

impl fmt::Debug for MlDsa44Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlDsa44Signer({}, ***)", self.verifier.name())
    }
}

const LABEL: &[u8; 12] = b"subtree/v1\n\0";
/// How long a public key is.
pub(crate) const PUBLIC_KEY_BYTES: usize = 1312;
/// The longest name that is signed.
pub(crate) const MAX_NAME_BYTES: usize = 255;
