//! Requests: `R#id` / `request`; mutable; the only items in indexes.
//!
//! `wake` holds requests that wake, `queue` holds all: the open ones by due date, the closed ones by
//! the instant they were closed. Both are spread over shards, so that no index partition is hot.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_core::request::{Request, Stage};

use super::attributes::{Attributes, EXPIRES, Place, epoch_seconds, sortable, write};

pub(super) const KIND: &str = "request";

pub(super) fn place(id: RequestId) -> Place {
    Place {
        pk: partition(id),
        sk: "request".to_owned(),
    }
}

/// The partition that a request shares with its tasks and its timeline.
pub(super) fn partition(id: RequestId) -> String {
    format!("R#{id}")
}

pub(super) fn attributes(request: &Request) -> Result<Attributes, Fault> {
    let mut all = write(request)?;
    let mut put = |name: &str, value: String| all.insert(name.to_owned(), AttributeValue::S(value));
    let shard = shard(request.id);
    if let Some(at) = request.wake_at {
        put(WAKE_PK, waking(shard));
        put(WAKE_SK, wake_position(at, request.id));
    }
    if let Some((partition, order)) = queue(request, shard) {
        put(QUEUE_PK, partition);
        put(QUEUE_SK, format!("{order}#{}", request.id));
    }
    // Members of a batch wait as drafts until they are let go: only the clock may forget these.
    if matches!(request.stage, Stage::Draft) && request.place().is_none() {
        // The clock forgets drafts after a day; the broom is for what it never saw.
        let late = request
            .submitted_at
            .saturating_add(SignedDuration::from_hours(DRAFT_HOURS));
        all.insert(
            EXPIRES.to_owned(),
            epoch_seconds(late.unwrap_or(Timestamp::MAX)),
        );
    }
    Ok(all)
}

/// The partition of a shard of requests that wake.
pub(super) fn waking(shard: u8) -> String {
    format!("wake#{shard}")
}

/// The partition of a shard of requests that are not closed.
pub(super) fn open(shard: u8) -> String {
    format!("open#{shard}")
}

/// The partition of a shard of closed requests.
pub(super) fn closed(shard: u8) -> String {
    format!("closed#{shard}")
}

fn wake_position(at: Timestamp, id: RequestId) -> String {
    format!("{}#{id}", sortable(at))
}

fn queue(request: &Request, shard: u8) -> Option<(String, String)> {
    match request.stage {
        Stage::Draft
        | Stage::Accepted
        | Stage::Locating
        | Stage::Gated
        | Stage::Acting
        | Stage::Sealing(_) => {
            // No due date yet: last, after every date.
            Some((
                open(shard),
                request.due_at.map_or_else(|| "~".to_owned(), sortable),
            ))
        }
        Stage::Closed(_) => Some((closed(shard), sortable(request.closed_at?))),
    }
}

fn shard(id: RequestId) -> u8 {
    let digest = Digest::of(id.to_string().as_bytes());
    digest.as_bytes().first().map_or(0, |byte| byte % SHARDS)
}

/// How many partitions each index is spread over.
pub(super) const SHARDS: u8 = 4;
/// The index of requests that wake, and its keys.
pub(crate) const WAKE: &str = "wake";
pub(crate) const WAKE_PK: &str = "wake_pk";
pub(crate) const WAKE_SK: &str = "wake_sk";
/// The index of open and closed requests, and its keys.
pub(crate) const QUEUE: &str = "queue";
pub(crate) const QUEUE_PK: &str = "queue_pk";
pub(crate) const QUEUE_SK: &str = "queue_sk";

const DRAFT_HOURS: i64 = 72;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quittance_engine::ledger::Item;

    use super::super::arbitrary;
    use super::*;

    proptest! {
        #[test]
        fn requests_survive(request in arbitrary::request()) {
            arbitrary::survives(Item::Request(request))?;
        }

        #[test]
        fn only_what_belongs_there_is_in_an_index(request in arbitrary::request()) {
            let all = attributes(&request).unwrap();
            prop_assert_eq!(all.contains_key(WAKE_PK), request.wake_at.is_some());
            prop_assert_eq!(all.contains_key(WAKE_SK), request.wake_at.is_some());
            let is_closed = matches!(request.stage, Stage::Closed(_));
            prop_assert_eq!(
                all.contains_key(QUEUE_PK),
                !is_closed || request.closed_at.is_some()
            );
            let swept = request.stage == Stage::Draft && request.place().is_none();
            prop_assert_eq!(all.contains_key(EXPIRES), swept);
        }
    }
}
