//! Holds that outlive requests: on a store, or on whoever has an identifier. What is held is not
//! deleted, whoever asks; looking, copying and opting out go on. A hold on one request is a field of
//! that ([`crate::request::Hold`]).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Tag;
use crate::id::StoreId;

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOn {
    /// Everything in a store.
    Store(StoreId),
    /// The data of whoever has an identifier, by its keyed tag.
    Identifier(Tag),
}

/// A hold that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingHold {
    /// On what.
    pub on: HoldOn,
    /// Since when.
    pub at: Timestamp,
}
