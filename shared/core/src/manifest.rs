//! What was located in one store, written before any effect; lives in the vault only.
//!
//! A manifest comes in parts, each put if absent, so that whatever was written first is what
//! counts: a retry never resolves identity again. Parts hold personal data; outside the vault only
//! their keyed hash is known.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::StoreId;
use crate::subject::Identifiers;

/// One bounded piece of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Format version, 1.
    pub v: u8,
    /// The store searched.
    pub store: StoreId,
    /// The round: 1 is the first look, later ones follow arrivals.
    pub round: u8,
    /// The part's number, from 0.
    pub part: u32,
    /// The snapshot instant: what existed then must be gone at the end.
    pub as_of: Timestamp,
    /// What matches.
    pub matches: Vec<Match>,
    /// Where the search goes on; none in the last part.
    pub next: Option<Cursor>,
}

/// One item, object or version that matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Where it is.
    pub locator: Locator,
    /// Digest of its content as seen: an `ETag`, or SHA-256 of an item.
    pub fingerprint: Digest,
    /// Identifiers found in it that lead to more data elsewhere.
    #[serde(default, skip_serializing_if = "Identifiers::is_empty")]
    pub yields: Identifiers,
    /// Whether the effect asked for is there already (fields masked, flags set).
    #[serde(default)]
    pub settled: bool,
    /// How many of the subject's rows it holds: 1, but for objects of a record store.
    #[serde(default = "one")]
    pub rows: u64,
}

const fn one() -> u64 {
    1
}

/// Where one item or object is. Personal: keys may contain identifiers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locator {
    /// A `DynamoDB` item by its primary key.
    Item {
        /// Key attributes by name.
        key: BTreeMap<String, KeyValue>,
    },
    /// An S3 object or one version of it.
    Object {
        /// The object's key.
        key: String,
        /// The version; none in a bucket that never had versions.
        version: Option<String>,
        /// The entity tag as seen; none for a delete marker and for an upload.
        etag: Option<String>,
        /// The id of an unfinished multipart upload, which is no object yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload: Option<String>,
    },
}

impl Locator {
    /// Returns stable bytes that name the place, for keyed evidence.
    pub fn evidence_bytes(&self) -> Vec<u8> {
        // A map of strings always serialises; an empty name would only weaken a test, not a proof.
        serde_json_canonicalizer::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Item { .. } => "Item(***)",
            Self::Object { .. } => "Object(***)",
        })
    }
}

/// The value of a key attribute.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyValue {
    /// A string.
    S(String),
    /// A number, as its decimal text.
    N(String),
    /// Bytes, in Base64.
    B(String),
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyValue(***)")
    }
}

/// An adapter's own bookmark; opaque here, personal (it may hold keys).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub serde_json::Value);

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(***)")
    }
}
