//! Items as attributes: the frame that every item has, and its fields.
//!
//! Field names are those of the types in `quittance-core` and `quittance-engine`; absent optional
//! fields are absent attributes. Every reader accepts this format and the one before it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_engine::ledger::Version;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An item's attributes by name.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// Where an item stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The partition key.
    pub(super) pk: String,
    /// The sort key.
    pub(super) sk: String,
}

impl Place {
    pub(super) fn into_attributes(self) -> Attributes {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk)),
            (SK.to_owned(), AttributeValue::S(self.sk)),
        ])
    }
}

/// Writes an item's fields.
pub(super) fn write<T: Serialize>(item: &T) -> Result<Attributes, Fault> {
    let mut all: Attributes = serde_dynamo::to_item(item)
        .map_err(|error| Fault::reject(format!("an item that cannot be written: {error}")))?;
    all.retain(|_, value| !value.is_null());
    Ok(all)
}

/// Reads an item's fields.
pub(super) fn read<T: DeserializeOwned>(kind: &str, all: Attributes) -> Result<T, Fault> {
    // The error names fields and types, and no values.
    serde_dynamo::from_item(all)
        .map_err(|_| Fault::reject(format!("a ledger item of kind {kind} that cannot be read")))
}

/// Adds what every item has.
pub(super) fn frame(all: &mut Attributes, kind: &str, version: Version) {
    all.insert(KIND.to_owned(), AttributeValue::S(kind.to_owned()));
    all.insert(
        FORMAT.to_owned(),
        AttributeValue::N(FORMAT_WRITTEN.to_string()),
    );
    all.insert(VERSION.to_owned(), number(version.0));
}

/// Reads what every item has: its kind and version.
pub(super) fn unframe(all: &Attributes) -> Result<(String, Version), Fault> {
    let text = |name: &str| all.get(name).and_then(|value| value.as_s().ok());
    let count = |name: &str| all.get(name)?.as_n().ok()?.parse::<u64>().ok();
    let format = count(FORMAT).ok_or_else(|| Fault::reject("a ledger item without a format"))?;
    if format > FORMAT_WRITTEN {
        // A newer version of this program wrote it: ours is about to be replaced.
        let detail = format!("a ledger item of format {format}: newer than {FORMAT_WRITTEN}");
        return Err(Fault::Retry {
            after_seconds: 60,
            detail,
        });
    }
    if format < OLDEST_FORMAT_READ {
        return Err(Fault::reject(format!(
            "a ledger item of the old format {format}"
        )));
    }
    match (text(KIND), count(VERSION)) {
        (Some(kind), Some(version)) => Ok((kind.clone(), Version(version))),
        (None, _) | (_, None) => Err(Fault::reject("a ledger item without kind or version")),
    }
}

/// An instant such that texts sort as instants do, for the years 0 to 9999.
pub(super) fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Seconds since 1970, as `DynamoDB`'s broom wants them.
pub(super) fn epoch_seconds(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_second().to_string())
}

/// A number.
pub(super) fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

/// The partition key.
pub(crate) const PK: &str = "pk";
/// The sort key.
pub(crate) const SK: &str = "sk";
/// Which kind of item it is.
pub(super) const KIND: &str = "kind";
/// The format the item was written in.
pub(super) const FORMAT: &str = "v";
/// How often the item was written: the guard of every change.
pub(super) const VERSION: &str = "version";
/// When `DynamoDB` may sweep the item away. A broom only: expiry is decided elsewhere.
pub(crate) const EXPIRES: &str = "expires";

const FORMAT_WRITTEN: u64 = 1;
const OLDEST_FORMAT_READ: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_sort_as_text() {
        let early: Timestamp = "2026-01-31T23:59:59.9Z".parse().unwrap();
        let late: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
        assert!(sortable(early) < sortable(late));
        assert_eq!(sortable(late), "2026-02-01T00:00:00.000000000Z");
    }

    #[test]
    fn a_newer_format_waits_for_the_newer_program() {
        let mut all = Attributes::new();
        frame(&mut all, "leaf", Version(3));
        assert_eq!(unframe(&all), Ok(("leaf".to_owned(), Version(3))));
        all.insert(FORMAT.to_owned(), number(2));
        assert!(matches!(unframe(&all), Err(Fault::Retry { .. })));
        all.insert(FORMAT.to_owned(), number(0));
        assert!(matches!(unframe(&all), Err(Fault::Reject { .. })));
    }
}
