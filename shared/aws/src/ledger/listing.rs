//! Listings: which partitions, which range, in which order.
//!
//! A bookmark is the last sort key that was given out, so it stays good whatever is written or
//! deleted meanwhile. Sort keys within a listing are distinct over all its partitions.

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64URL_NOPAD;
use futures::future::try_join_all;
use quittance_core::fault::Fault;
use quittance_engine::ledger::{Bookmark, Listing, Page};
use serde::{Deserialize, Serialize};

use super::attributes::{Attributes, PK, SK, sortable};
use super::{
    DynamoLedger, decode, event, exclusion, hold, outbox, request, shard, subject, sweep, task,
    waiting,
};
use crate::faults::fault;

impl DynamoLedger {
    /// Reads one page of a listing.
    pub(super) async fn page(
        &self,
        listing: &Listing,
        from: Option<&Bookmark>,
        limit: usize,
    ) -> Result<Page, Fault> {
        if limit == 0 {
            return Err(Fault::reject("a page of nothing"));
        }
        let range = Range::of(listing);
        let after = from.map(|mark| unmark(range.name, mark)).transpose()?;
        let ends = range.ends(after);
        if range.order == Order::Rising && ends.low > ends.high {
            return Ok(Page::default());
        }
        // One more than asked tells whether there is more.
        let wanted = limit.saturating_add(1);
        let queries = range
            .partitions
            .iter()
            .map(|pk| self.read(&range, pk, &ends, wanted));
        let mut rows: Vec<(String, Attributes)> =
            try_join_all(queries).await?.into_iter().flatten().collect();
        match range.order {
            Order::Rising => rows.sort_by(|a, b| a.0.cmp(&b.0)),
            Order::Falling => rows.sort_by(|a, b| b.0.cmp(&a.0)),
        }
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().map(|(position, _)| mark(range.name, position));
        let items = rows
            .into_iter()
            .map(|(_, all)| decode(all))
            // Of one request everything must be known; across requests, one that a newer version
            // wrote must not hide the others.
            .filter(|item| match item {
                Err(Fault::Reject { detail }) if range.is_across() => {
                    tracing::error!(fault = detail.as_str(), "an item is left out of a listing");
                    false
                }
                Ok(_) | Err(_) => true,
            })
            .collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            next: last.filter(|_| has_more),
        })
    }

    /// Reads up to `wanted` items of one partition.
    async fn read(
        &self,
        range: &Range,
        partition: &str,
        ends: &Ends,
        wanted: usize,
    ) -> Result<Vec<(String, Attributes)>, Fault> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let left = i32::try_from(wanted - rows.len()).unwrap_or(i32::MAX);
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .set_index_name(range.index.map(str::to_owned))
                .consistent_read(range.index.is_none())
                .scan_index_forward(range.order == Order::Rising)
                .expression_attribute_names("#p", range.pk)
                .expression_attribute_names("#s", range.sk)
                .expression_attribute_values(":p", AttributeValue::S(partition.to_owned()))
                .expression_attribute_values(":high", AttributeValue::S(ends.high.clone()))
                .set_exclusive_start_key(start)
                .limit(left);
            let query = match range.order {
                Order::Rising => query
                    .key_condition_expression("#p = :p AND #s BETWEEN :low AND :high")
                    .expression_attribute_values(":low", AttributeValue::S(ends.low.clone())),
                Order::Falling => query.key_condition_expression("#p = :p AND #s < :high"),
            };
            let answer = query.send().await.map_err(|error| fault("Query", &error))?;
            for all in answer.items.unwrap_or_default() {
                let position = all
                    .get(range.sk)
                    .and_then(|value| value.as_s().ok())
                    .cloned();
                rows.push((position.unwrap_or_default(), all));
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || rows.len() >= wanted {
                return Ok(rows);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Rising,
    Falling,
}

/// Where a listing's items are.
struct Range {
    name: &'static str,
    index: Option<&'static str>,
    pk: &'static str,
    sk: &'static str,
    partitions: Vec<String>,
    low: String,
    high: String,
    order: Order,
}

/// The range that is left after a bookmark. A falling range has no lower end.
struct Ends {
    low: String,
    high: String,
}

impl Range {
    fn of(listing: &Listing) -> Self {
        let shards = || 0..request::SHARDS;
        let prefixed = |name, partition, prefix: &str| {
            Self::of_table(name, partition, prefix.to_owned(), format!("{prefix}~"))
        };
        match listing {
            Listing::Tasks(id) => prefixed("tasks", request::partition(*id), task::PREFIX),
            Listing::Timeline(id) => prefixed("timeline", request::partition(*id), event::PREFIX),
            Listing::OpenOf(tag) => prefixed("open_of", subject::partition(*tag), subject::PREFIX),
            Listing::Outbox => Self::of_table(
                "outbox",
                outbox::PARTITION.to_owned(),
                FIRST.into(),
                LAST.into(),
            ),
            Listing::Waking(until) => Self {
                name: "waking",
                index: Some(request::WAKE),
                pk: request::WAKE_PK,
                sk: request::WAKE_SK,
                partitions: shards().map(request::waking).collect(),
                low: FIRST.into(),
                high: format!("{}#~", sortable(*until)),
                order: Order::Rising,
            },
            Listing::Open => Self {
                partitions: shards().map(request::open).collect(),
                ..Self::of_queue("open", Order::Rising)
            },
            Listing::Closed => Self {
                partitions: shards().map(request::closed).collect(),
                ..Self::of_queue("closed", Order::Falling)
            },
            Listing::Sweeps(store, right) => Self {
                order: Order::Falling,
                ..Self::of_table(
                    "sweeps",
                    sweep::partition(store, *right),
                    FIRST.into(),
                    LAST.into(),
                )
            },
            Listing::Shards(id) => prefixed("shards", sweep::own_partition(id), shard::PREFIX),
            Listing::Holds => prefixed("holds", hold::PARTITION.to_owned(), ""),
            Listing::Exclusions(id) => {
                prefixed("exclusions", sweep::own_partition(id), exclusion::PREFIX)
            }
            Listing::Waiting(store, right) => {
                let partition = waiting::partition(store, *right);
                prefixed("waiting", partition, waiting::PREFIX)
            }
        }
    }

    fn of_table(name: &'static str, partition: String, low: String, high: String) -> Self {
        let partitions = vec![partition];
        Self {
            name,
            index: None,
            pk: PK,
            sk: SK,
            partitions,
            low,
            high,
            order: Order::Rising,
        }
    }

    fn of_queue(name: &'static str, order: Order) -> Self {
        Self {
            name,
            index: Some(request::QUEUE),
            pk: request::QUEUE_PK,
            sk: request::QUEUE_SK,
            partitions: Vec::new(),
            low: FIRST.into(),
            high: LAST.into(),
            order,
        }
    }

    /// Whether the listing goes across requests.
    fn is_across(&self) -> bool {
        self.index.is_some() || self.name == "outbox"
    }

    fn ends(&self, after: Option<String>) -> Ends {
        let (low, high) = (self.low.clone(), self.high.clone());
        match (after, self.order) {
            (None, Order::Rising | Order::Falling) => Ends { low, high },
            // No sort key has a character before the blank: this is the very next text.
            (Some(after), Order::Rising) => Ends {
                low: format!("{after} "),
                high,
            },
            (Some(after), Order::Falling) => Ends { low, high: after },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Mark {
    listing: String,
    after: String,
}

fn mark(listing: &str, after: &str) -> Bookmark {
    let mark = Mark {
        listing: listing.to_owned(),
        after: after.to_owned(),
    };
    // Two strings always serialise.
    let json = serde_json::to_vec(&mark).unwrap_or_default();
    Bookmark(BASE64URL_NOPAD.encode(&json))
}

fn unmark(listing: &str, bookmark: &Bookmark) -> Result<String, Fault> {
    BASE64URL_NOPAD
        .decode(bookmark.0.as_bytes())
        .ok()
        .and_then(|json| serde_json::from_slice::<Mark>(&json).ok())
        .filter(|mark| mark.listing == listing)
        .map(|mark| mark.after)
        .ok_or_else(|| Fault::reject(format!("not a bookmark in the listing {listing}")))
}

/// Before and after every instant, and every instant's place.
const FIRST: &str = "0";
const LAST: &str = "~~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_belongs_to_its_listing() {
        let bookmark = mark("open", "2026#x");
        assert_eq!(unmark("open", &bookmark).unwrap(), "2026#x");
        assert!(unmark("closed", &bookmark).is_err());
        assert!(unmark("open", &Bookmark("%".into())).is_err());
    }

    #[test]
    fn a_store_whose_name_begins_like_another_is_not_skipped() {
        let range = Range::of(&Listing::Tasks(quittance_core::id::RequestId::new([1; 16])));
        let ends = range.ends(Some("task#crm".into()));
        assert!(ends.low.as_str() > "task#crm");
        for next in ["task#crm-eu", "task#crm0", "task#crm_x"] {
            assert!(
                ends.low.as_str() < next && next < ends.high.as_str(),
                "{next}"
            );
        }
    }
}
