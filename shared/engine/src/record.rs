//! A customer's record as read for an access request: typed, lossless, store-neutral.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One value. Numbers keep their decimal text: a double cannot hold 38 digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number's decimal text.
    Number(String),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Self>),
    /// Distinct values, in the store's order.
    Set(Vec<Self>),
    /// Values by name.
    Map(BTreeMap<String, Self>),
}

/// What one located thing contains.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// An item's attributes.
    Item(BTreeMap<String, Datum>),
    /// An object (or one version of it).
    Object {
        /// Its key.
        key: String,
        /// Its version, where the bucket has versions.
        version: Option<String>,
        /// Its media type, as stored.
        media_type: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Datum(***)")
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record(***)")
    }
}
