//! A receipt as a Sigstore bundle (v0.3), for the verifiers of that world.
//!
//! The bundle is a function of the receipt file. Its artifact is the DSSE encoding of the statement, its
//! signature a `messageSignature` over that, its log entry the receipt's own: nothing is signed anew.
//! A verifier needs the signer's key under its id as hint, and the log's key under the first bytes of
//! [`log_id`]. A time stamp beside the receipt may be put in, too. Cosignatures are lines of the checkpoint that such verifiers leave alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quittance_tlog::VerifierKey;
use serde_json::{Value, json};

use super::dsse::pae;
use super::file::ReceiptFile;
use crate::digest::Digest;

/// A bundle, and the bytes that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigstoreBundle {
    /// The bundle's JSON.
    pub bundle: String,
    /// What was signed.
    pub artifact: Vec<u8>,
}

impl SigstoreBundle {
    /// Makes the bundle of a receipt; none if the receipt's parts cannot be read. Nothing is verified.
    pub fn of(file: &ReceiptFile) -> Option<Self> {
        let opened = file.dsse.opened().ok()?;
        let artifact = pae(&opened.payload);
        let proof = file.proof()?;
        let checkpoint = proof.checkpoint.to_string();
        let mut lines = proof.checkpoint.text().lines().skip(1);
        let (size, root) = (lines.next()?, lines.next()?);
        let log = VerifierKey::parse(&file.keys.log_vkey).ok()?;
        let hashes: Vec<String> = proof.path.iter().map(ToString::to_string).collect();
        let index = proof.index.to_string();
        let bundle = json!({
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {
                "publicKey": { "hint": opened.keyid },
                "tlogEntries": [{
                    "logIndex": index,
                    "logId": { "keyId": STANDARD.encode(log_id(&log).as_bytes()) },
                    "kindVersion": { "kind": "hashedrekord", "version": "0.0.2" },
                    "inclusionProof": {
                        "logIndex": index,
                        "rootHash": root,
                        "treeSize": size,
                        "hashes": hashes,
                        "checkpoint": { "envelope": checkpoint },
                    },
                    "canonicalizedBody": file.leaf,
                }],
            },
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": STANDARD.encode(Digest::of(&artifact).as_bytes()),
                },
                "signature": STANDARD.encode(&opened.signature),
            },
        });
        Some(Self {
            bundle: bundle.to_string(),
            artifact,
        })
    }

    /// Puts the time stamp beside the receipt into the bundle, for verifiers that ask for a time. It is
    /// over the signature, as they expect. None if the bundle is not one that was made here.
    pub fn stamped(self, timestamp: &[u8]) -> Option<Self> {
        let mut bundle: Value = serde_json::from_str(&self.bundle).ok()?;
        let material = bundle.get_mut("verificationMaterial")?.as_object_mut()?;
        let stamps = json!({
            "rfc3161Timestamps": [{ "signedTimestamp": STANDARD.encode(timestamp) }],
        });
        material.insert("timestampVerificationData".to_owned(), stamps);
        Some(Self {
            bundle: bundle.to_string(),
            ..self
        })
    }
}

/// Returns the id of a log as Sigstore's Rekor v2 has it: the hash whose first four bytes are the id of
/// the log's key in notes.
pub fn log_id(log: &VerifierKey) -> Digest {
    let mut hashed = log.name().as_bytes().to_vec();
    hashed.extend([b'\n', 1]);
    hashed.extend(log.public_key());
    Digest::of(&hashed)
}

/// The media type of a bundle.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
