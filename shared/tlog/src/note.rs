//! Signed notes and their keys (C2SP `signed-note`, and `tlog-cosignature` lines of both kinds).
//!
//! A note is text, a blank line, and one line per signature. Lines of unknown keys are kept and
//! ignored; a line of a known key that does not verify condemns the whole note.
//! A signature may be made elsewhere: sign the bytes of [`Note::text`] and give the 64 bytes to
//! [`Note::with_ed25519_signature`], which verifies before it attaches.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::checkpoint::Checkpoint;
use crate::post_quantum;

/// A note: text that ends in a newline, and signature lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// Begins a note without signatures.
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`] unless the text is non-empty, ends in a newline, and has no other
    /// control characters.
    pub fn unsigned(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        let is_legal = text.ends_with('\n') && text.chars().all(|c| c >= ' ' || c == '\n');
        if is_legal {
            Ok(Self {
                text,
                signatures: Vec::new(),
            })
        } else {
            Err(NoteError::Malformed)
        }
    }

    /// Parses a signed note: at least one signature line, at most [`MAX_SIGNATURES`].
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`] if it is not exactly of the format; [`NoteError::TooLong`] above
    /// [`MAX_NOTE_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let whole = str::from_utf8(bytes).map_err(|_| NoteError::Malformed)?;
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let mut note = Self::unsigned(format!("{text}\n"))?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        for line in lines.split('\n') {
            if note.signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooLong);
            }
            note.signatures.push(SignatureLine::parse(line)?);
        }
        Ok(note)
    }

    /// Returns the text: exactly the bytes that an Ed25519 key signs.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the signature lines in order.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Attaches a raw Ed25519 signature over [`Self::text`], after verifying it.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signature`] if it does not verify under `key`, [`NoteError::KeyKind`] if `key` is
    /// a cosigner's.
    pub fn with_ed25519_signature(
        mut self,
        key: &VerifierKey,
        signature: &[u8; 64],
    ) -> Result<Self, NoteError> {
        if key.kind != KeyKind::Ed25519 {
            return Err(NoteError::KeyKind);
        }
        let line = key.line(signature.to_vec());
        key.verify(&self.text, &line)?;
        self.signatures.push(line);
        Ok(self)
    }

    /// Attaches a witness's raw signature over [`cosignature_message`], or over
    /// [`post_quantum::cosigned_message`], after verifying it.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signature`] if it does not verify under `key`, [`NoteError::KeyKind`] if `key` is
    /// not a cosigner's.
    pub fn with_cosignature(
        mut self,
        key: &VerifierKey,
        timestamp: u64,
        signature: &[u8],
    ) -> Result<Self, NoteError> {
        if !key.kind.is_cosigner() {
            return Err(NoteError::KeyKind);
        }
        let mut bytes = timestamp.to_be_bytes().to_vec();
        bytes.extend_from_slice(signature);
        let line = key.line(bytes);
        key.verify(&self.text, &line)?;
        self.signatures.push(line);
        Ok(self)
    }

    /// Attaches a line as it came, unverified, unless exactly this line is there already.
    #[must_use]
    pub fn with_line(mut self, line: SignatureLine) -> Self {
        if !self.signatures.contains(&line) {
            self.signatures.push(line);
        }
        self
    }

    /// Verifies the lines of `keys`; lines of other keys are ignored.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signature`] if a line of a known key does not verify,
    /// [`NoteError::NoKnownSignature`] if there is no line of a known key.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<Verified<'k>>, NoteError> {
        let mut verified: Vec<Verified<'k>> = Vec::new();
        for line in &self.signatures {
            for key in keys.iter().filter(|key| key.made(line)) {
                let timestamp = key.verify(&self.text, line)?;
                verified.push(Verified { key, timestamp });
            }
        }
        if verified.is_empty() {
            Err(NoteError::NoKnownSignature)
        } else {
            Ok(verified)
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A signature of a note that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified<'k> {
    /// The key.
    pub key: &'k VerifierKey,
    /// When a witness cosigned, in seconds since 1970; none for a plain signature.
    pub timestamp: Option<u64>,
}

/// One signature line: `— <key name> base64(key id ‖ signature)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    id: u32,
    signature: Vec<u8>,
}

impl SignatureLine {
    /// Parses a line without its newline.
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`] if it is not exactly of the format.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        Self::parse_text(line).ok_or(NoteError::Malformed)
    }

    /// Returns the key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key's id.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Returns what follows the key id: for a cosignature a timestamp and the signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    fn parse_text(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        let is_legal = is_key_name(name) && !signature.is_empty();
        is_legal.then(|| Self {
            name: name.to_owned(),
            id: u32::from_be_bytes(*id),
            signature: signature.to_vec(),
        })
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// What a key's signatures mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Ed25519 over the note's text (type byte 1): a log's signature.
    Ed25519,
    /// Ed25519 over `cosignature/v1`, a time and the text (type byte 4): a witness's.
    CosignatureV1,
    /// ML-DSA-44 over a structure of name, time and tree (type byte 6): a witness's, or a log's beside its own.
    CosignatureMlDsa44,
}

impl KeyKind {
    /// Whether lines of this kind have a time, and may be asked for by a quorum.
    pub const fn is_cosigner(self) -> bool {
        match self {
            Self::Ed25519 => false,
            Self::CosignatureV1 | Self::CosignatureMlDsa44 => true,
        }
    }

    const fn type_byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::CosignatureV1 => 4,
            Self::CosignatureMlDsa44 => 6,
        }
    }
}

/// A public key with its name: `<name>+<id as 8 hex digits>+base64(type ‖ key)` in text.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: PublicKey,
}

#[derive(Clone, PartialEq, Eq)]
enum PublicKey {
    Ed25519(VerifyingKey),
    /// As it is encoded: unpacked it would be ten times as long.
    MlDsa44(Vec<u8>),
}

impl PublicKey {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            Self::MlDsa44(bytes) => bytes,
        }
    }

    fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Strict: one signature has one form, whatever library checks it.
            Self::Ed25519(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::MlDsa44(key) => post_quantum::is_signed(key, message, signature),
        }
    }
}

impl VerifierKey {
    /// Names a public key.
    ///
    /// # Errors
    ///
    /// [`NoteError::KeyName`] if the name is empty, or has blanks, `+` or control characters;
    /// [`NoteError::Key`] if the bytes are not a public key.
    pub fn new(name: &str, kind: KeyKind, public_key: &[u8]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::KeyName);
        }
        let key = match kind {
            KeyKind::Ed25519 | KeyKind::CosignatureV1 => {
                let bytes = public_key.try_into().map_err(|_| NoteError::Key)?;
                let key = VerifyingKey::from_bytes(bytes).map_err(|_| NoteError::Key)?;
                // A key of small order would accept signatures of any text.
                if key.is_weak() {
                    return Err(NoteError::Key);
                }
                PublicKey::Ed25519(key)
            }
            KeyKind::CosignatureMlDsa44 if name.len() > post_quantum::MAX_NAME_BYTES => {
                return Err(NoteError::KeyName);
            }
            KeyKind::CosignatureMlDsa44 if public_key.len() == post_quantum::PUBLIC_KEY_BYTES => {
                PublicKey::MlDsa44(public_key.to_vec())
            }
            KeyKind::CosignatureMlDsa44 => return Err(NoteError::Key),
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            key,
        })
    }

    /// Parses a vkey; exactly one text stands for each key.
    ///
    /// # Errors
    ///
    /// [`NoteError::Key`] if it is malformed or its id is not that of name and key,
    /// [`NoteError::KeyKind`] if it is of a type that is not understood here.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Key)?;
        let (type_byte, public_key) = bytes.split_first().ok_or(NoteError::Key)?;
        let kind = match type_byte {
            1 => KeyKind::Ed25519,
            4 => KeyKind::CosignatureV1,
            6 => KeyKind::CosignatureMlDsa44,
            _ => return Err(NoteError::KeyKind),
        };
        let key = Self::new(name, kind, public_key)?;
        if key.to_string() == vkey {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }

    /// Returns the key's name; a log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the key's signatures mean.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the bytes of the public key: 32, or 1312 of ML-DSA-44.
    pub fn public_key(&self) -> &[u8] {
        self.key.bytes()
    }

    /// Computes the key id: the first four bytes of `SHA-256(name ‖ "\n" ‖ type ‖ key)`.
    pub fn id(&self) -> u32 {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update(b"\n")
            .chain_update([self.kind.type_byte()])
            .chain_update(self.key.bytes())
            .finalize()
            .into();
        let [a, b, c, d, ..] = digest;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether the line says that this key made it.
    pub fn made(&self, line: &SignatureLine) -> bool {
        line.name == self.name && line.id == self.id()
    }

    fn line(&self, signature: Vec<u8>) -> SignatureLine {
        SignatureLine {
            name: self.name.clone(),
            id: self.id(),
            signature,
        }
    }

    /// Verifies a line over a note's text and returns a cosignature's time.
    fn verify(&self, text: &str, line: &SignatureLine) -> Result<Option<u64>, NoteError> {
        let broken = || NoteError::Signature(self.name.clone());
        let timed = || {
            let (time, signature) = line.signature.split_first_chunk::<8>()?;
            let time = u64::from_be_bytes(*time);
            (time <= MAX_TIMESTAMP).then_some((time, signature))
        };
        let (time, message, signature) = match self.kind {
            KeyKind::Ed25519 => (None, text.as_bytes().to_vec(), line.signature.as_slice()),
            KeyKind::CosignatureV1 => {
                let (time, signature) = timed().ok_or_else(broken)?;
                (Some(time), cosignature_message(text, time), signature)
            }
            KeyKind::CosignatureMlDsa44 => {
                let (time, signature) = timed().ok_or_else(broken)?;
                let checkpoint = Checkpoint::parse(text).map_err(|_| broken())?;
                let message = post_quantum::cosigned_message(&self.name, &checkpoint, time);
                (Some(time), message.ok_or_else(broken)?, signature)
            }
        };
        if self.key.is_signed(&message, signature) {
            Ok(time)
        } else {
            Err(broken())
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.type_byte()];
        bytes.extend_from_slice(self.key.bytes());
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.id(),
            STANDARD.encode(bytes)
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// Returns the bytes that a witness signs: two header lines and the checkpoint's text.
pub fn cosignature_message(text: &str, timestamp: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp}\n{text}").into_bytes()
}

/// Signs notes with a key that is at hand: local use and tests. `Debug` prints a mask.
pub struct Ed25519Signer {
    key: SigningKey,
    verifier: VerifierKey,
}

impl Ed25519Signer {
    /// Makes a signer from the 32-byte seed of an Ed25519 key.
    ///
    /// # Errors
    ///
    /// [`NoteError::KeyName`] if the name is not a key name.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, kind, key.verifying_key().as_bytes())?;
        Ok(Self { key, verifier })
    }

    /// Returns the public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a message as it is; what an external signer does.
    pub fn sign_raw(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// Signs a note: a log's signature.
    ///
    /// # Errors
    ///
    /// [`NoteError::KeyKind`] if this is a cosigner's key.
    pub fn sign(&self, note: Note) -> Result<Note, NoteError> {
        let signature = self.sign_raw(note.text().as_bytes());
        note.with_ed25519_signature(&self.verifier, &signature)
    }

    /// Cosigns a checkpoint at `timestamp` seconds since 1970: a witness's signature.
    ///
    /// # Errors
    ///
    /// [`NoteError::KeyKind`] if this is not a cosigner's key, [`NoteError::Signature`] if the time
    /// exceeds 2^63 − 1.
    pub fn cosign(&self, note: Note, timestamp: u64) -> Result<Note, NoteError> {
        let signature = self.sign_raw(&cosignature_message(note.text(), timestamp));
        note.with_cosignature(&self.verifier, timestamp, &signature)
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Signer({}, ***)", self.verifier)
    }
}

/// What can be wrong with a note or its keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a verifier key.
    #[error("not a verifier key")]
    Key,
    /// A key of this type cannot be used here.
    #[error("a key of this type cannot be used here")]
    KeyKind,
    /// Not a key name.
    #[error("a key name is not empty and has no blanks, `+` or control characters")]
    KeyName,
    /// Not a signed note.
    #[error("not a signed note")]
    Malformed,
    /// No line is of a known key.
    #[error("no signature of a known key")]
    NoKnownSignature,
    /// A line of a known key does not verify.
    #[error("the signature of {0} does not verify")]
    Signature(String),
    /// Too many bytes or signatures.
    #[error("the note is too long")]
    TooLong,
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The longest note that is parsed.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;
/// The most signature lines that are parsed.
pub const MAX_SIGNATURES: usize = 64;
const MAX_TIMESTAMP: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests;
