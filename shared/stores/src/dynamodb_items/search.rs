//! Searches a table page by page: by key, by scanning every segment, by index.
//!
//! Consistent ways come first: what a key query or the scan has found, an index need not find
//! again. Hits of an index are read again on the base table, strongly consistent. The cursor says
//! which probe goes on where, so every page is read to its end exactly once.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::StreamExt as _;
use futures::stream;
use quittance_core::data_map::Segment;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::manifest::{Cursor, Locator, Match};
use quittance_engine::ports::Found;
use serde::{Deserialize, Serialize};

use super::expression::Bindings;
use super::meter::Units;
use super::path::Step;
use super::probe::{Equals, Lookup, Probe, Sort};
use super::value::{self, Attributes};
use super::{Items, Key};
use crate::errors;

/// Where the search goes on.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    probe: usize,
    /// Of a query: the key after which it goes on.
    after: Option<Key>,
    /// Of a scan: how far each segment is. The scan is done when all are.
    segments: Vec<Extent>,
    /// Digests of items that a later index will meet again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    met: Vec<String>,
}

/// How far a segment of a scan is read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Extent {
    /// Not at all.
    Fresh,
    /// To this key.
    After(Key),
    /// To its end.
    Done,
}

/// Searches until the page is full, the budget of this call is spent, or everything is searched.
pub(super) async fn locate(items: &Items<'_>, from: Option<&Cursor>) -> Result<Found, Fault> {
    let mut progress = match from {
        Some(cursor) => Progress::deserialize(&cursor.0)
            .map_err(|_| Fault::reject("an unreadable cursor of a table"))?,
        None => Progress::default(),
    };
    let mut matches: Vec<Match> = Vec::new();
    for _ in 0..PAGES_PER_CALL {
        let Some(probe) = items.probes.get(progress.probe) else {
            break;
        };
        if matches.len() >= items.page {
            break;
        }
        let probe_at = progress.probe;
        let hits = match probe {
            Probe::Key(lookup) => by_key(items, lookup, &mut progress).await?,
            Probe::Scan(any) => by_scan(items, any, &mut progress).await?,
            Probe::Index { index, lookup } => by_index(items, index, lookup, &mut progress).await?,
        };
        for item in hits {
            if let Some(found) = judge(items, probe_at, &item, &mut progress.met)?
                && !matches.iter().any(|known| known.locator == found.locator)
            {
                matches.push(found);
            }
        }
    }
    let next = (progress.probe < items.probes.len())
        .then(|| serde_json::to_value(&progress).map(Cursor))
        .transpose()
        .map_err(|_| Fault::reject("a cursor that cannot be written"))?;
    Ok(Found {
        matches,
        next,
        method: items.method,
    })
}

/// Decides whether a hit counts here: it must hold, and no earlier probe may have found it.
fn judge(
    items: &Items<'_>,
    probe_at: usize,
    item: &Attributes,
    met: &mut Vec<String>,
) -> Result<Option<Match>, Fault> {
    let holding: Vec<(usize, &Probe)> = items
        .probes
        .iter()
        .enumerate()
        .filter(|(_, probe)| probe.holds(item))
        .collect();
    let Some((_, here)) = holding.iter().find(|(at, _)| *at == probe_at) else {
        return Ok(None);
    };
    if holding
        .iter()
        .any(|(at, probe)| *at < probe_at && probe.is_consistent())
    {
        return Ok(None);
    }
    let locator = Locator::Item {
        key: items.key_of(item)?,
    };
    // Indexes lag apart from each other: only what was really met is left out later, not what an
    // earlier index ought to have met.
    if !here.is_consistent() {
        let name = short_name(&locator);
        if met.contains(&name) {
            return Ok(None);
        }
        if met.len() < MET_LIMIT && holding.iter().any(|(at, _)| *at > probe_at) {
            met.push(name);
        }
    }
    Ok(Some(Match {
        locator,
        fingerprint: value::fingerprint(item),
        yields: items.yields_of(item),
        settled: items.aim.is_met(item),
        rows: 1,
    }))
}

async fn by_key(
    items: &Items<'_>,
    lookup: &Lookup,
    progress: &mut Progress,
) -> Result<Vec<Attributes>, Fault> {
    let mut bindings = Bindings::default();
    let condition = key_condition(lookup, &mut bindings);
    let (names, values) = bindings.finish();
    items.meter.wait(Units::Read).await;
    let answer = items
        .client
        .query()
        .set_return_consumed_capacity(items.meter.wanted())
        .table_name(items.table)
        .consistent_read(true)
        .key_condition_expression(condition)
        .set_expression_attribute_names(names)
        .set_expression_attribute_values(values)
        .set_exclusive_start_key(start_key(progress.after.as_ref())?)
        .limit(items.limit())
        .send()
        .await
        .map_err(|error| errors::dynamodb("Query", items.table, &error))?;
    let used = answer.consumed_capacity.as_ref();
    items.meter.pay(Units::Read, used).await;
    // Without a sort key a partition is one item: whatever the answer says, nothing follows.
    let is_one_item = items.key_names.len() == 1;
    progress.advance(answer.last_evaluated_key().filter(|_| !is_one_item))?;
    Ok(answer.items.unwrap_or_default())
}

async fn by_index(
    items: &Items<'_>,
    index: &str,
    lookup: &Lookup,
    progress: &mut Progress,
) -> Result<Vec<Attributes>, Fault> {
    let mut bindings = Bindings::default();
    let condition = key_condition(lookup, &mut bindings);
    let (names, values) = bindings.finish();
    items.meter.wait(Units::Read).await;
    let answer = items
        .client
        .query()
        .set_return_consumed_capacity(items.meter.wanted())
        .table_name(items.table)
        .index_name(index)
        .key_condition_expression(condition)
        .set_expression_attribute_names(names)
        .set_expression_attribute_values(values)
        .set_exclusive_start_key(start_key(progress.after.as_ref())?)
        .limit(items.limit())
        .send()
        .await
        .map_err(|error| errors::dynamodb("Query", items.table, &error))?;
    let used = answer.consumed_capacity.as_ref();
    items.meter.pay(Units::Read, used).await;
    let mut keys = Vec::new();
    for hit in answer.items() {
        keys.push(items.key_of(hit)?);
    }
    let mut reads = Vec::new();
    for key in &keys {
        reads.push(items.current(key));
    }
    let current: Vec<Result<Option<Attributes>, Fault>> =
        stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
    let mut found = Vec::new();
    for item in current {
        found.extend(item?);
    }
    progress.advance(answer.last_evaluated_key())?;
    Ok(found)
}

/// Reads the next page of every segment that is not done.
async fn by_scan(
    items: &Items<'_>,
    any: &[Lookup],
    progress: &mut Progress,
) -> Result<Vec<Attributes>, Fault> {
    if progress.segments.is_empty() {
        progress.segments = vec![Extent::Fresh; SEGMENTS];
    }
    let mut pages = Vec::new();
    for (number, extent) in progress.segments.iter().enumerate() {
        pages.push(scan_segment(items, any, number, SEGMENTS, extent));
    }
    let pages: Vec<Result<ScanPage, Fault>> =
        stream::iter(pages).buffered(SEGMENTS).collect().await;
    let mut found = Vec::new();
    let mut segments = Vec::new();
    for page in pages {
        let page = page?;
        segments.push(page.reached);
        found.extend(page.items);
    }
    let is_done = segments
        .iter()
        .all(|segment| matches!(segment, Extent::Done));
    progress.segments = segments;
    if is_done {
        progress.advance(None)?;
    }
    Ok(found)
}

/// A page of a segment.
pub(super) struct ScanPage {
    pub(super) items: Vec<Attributes>,
    pub(super) reached: Extent,
}

/// Reads the next page of a segment: items that are, perhaps, what `any` looks for.
pub(super) async fn scan_segment(
    items: &Items<'_>,
    any: &[Lookup],
    number: usize,
    total: usize,
    extent: &Extent,
) -> Result<ScanPage, Fault> {
    let after = match extent {
        Extent::Fresh => None,
        Extent::After(key) => Some(key),
        Extent::Done => {
            return Ok(ScanPage {
                items: Vec::new(),
                reached: Extent::Done,
            });
        }
    };
    let mut bindings = Bindings::default();
    let filter = filter(any, &mut bindings);
    let (names, values) = bindings.finish();
    items.meter.wait(Units::Read).await;
    let answer = items
        .client
        .scan()
        .set_return_consumed_capacity(items.meter.wanted())
        .table_name(items.table)
        .consistent_read(true)
        .set_filter_expression(filter)
        .set_expression_attribute_names(names)
        .set_expression_attribute_values(values)
        .segment(i32::try_from(number).unwrap_or(i32::MAX))
        .total_segments(i32::try_from(total).unwrap_or(i32::MAX))
        .set_exclusive_start_key(start_key(after)?)
        .send()
        .await
        .map_err(|error| errors::dynamodb("Scan", items.table, &error))?;
    let used = answer.consumed_capacity.as_ref();
    items.meter.pay(Units::Read, used).await;
    let reached = match end_of(answer.last_evaluated_key())? {
        Some(key) => Extent::After(key),
        None => Extent::Done,
    };
    Ok(ScanPage {
        items: answer.items.unwrap_or_default(),
        reached,
    })
}

impl Progress {
    /// Goes on after the page's last key, or with the next probe when there was none.
    fn advance(&mut self, last: Option<&Attributes>) -> Result<(), Fault> {
        let reached = end_of(last)?;
        if reached.is_some() && reached == self.after {
            // It would be read for ever.
            return Err(Fault::retry("dynamodb Query: a page ended where it began"));
        }
        self.after = reached;
        if self.after.is_none() {
            self.probe = self.probe.saturating_add(1);
            self.segments.clear();
        }
        Ok(())
    }
}

fn end_of(last: Option<&Attributes>) -> Result<Option<Key>, Fault> {
    match last {
        Some(key) if !key.is_empty() => value::to_key(key)
            .map(Some)
            .ok_or_else(|| Fault::reject("a page that ends at an impossible key")),
        _ => Ok(None),
    }
}

fn start_key(after: Option<&Key>) -> Result<Option<Attributes>, Fault> {
    after.map(value::sdk_key).transpose()
}

fn key_condition(lookup: &Lookup, bindings: &mut Bindings) -> String {
    let partition = equality(&lookup.subject, bindings);
    match &lookup.sort {
        Some(Sort::Equals(sort)) => format!("{partition} AND {}", equality(sort, bindings)),
        Some(Sort::BeginsWith { name, text }) => {
            let name = bindings.name(name);
            let prefix = bindings.value(AttributeValue::S(text.clone()));
            format!("{partition} AND begins_with({name}, {prefix})")
        }
        None => partition,
    }
}

fn equality(equals: &Equals, bindings: &mut Bindings) -> String {
    let path: Vec<Step> = equals.path.iter().filter_map(plain_step).collect();
    let name = bindings.place(&path);
    let value = bindings.value(equals.value.clone());
    format!("{name} = {value}")
}

/// A name for an item in the cursor's memory: long enough that no two items share one.
fn short_name(locator: &Locator) -> String {
    Digest::of(&locator.evidence_bytes())
        .to_string()
        .chars()
        .take(32)
        .collect()
}

/// What DynamoDB can leave out for us; none when an expression cannot say it. Every hit is judged
/// again anyway.
fn filter(any: &[Lookup], bindings: &mut Bindings) -> Option<String> {
    let can_say = |lookup: &Lookup| {
        lookup.subject.spelling.is_none()
            && lookup
                .subject
                .path
                .iter()
                .all(|step| plain_step(step).is_some())
    };
    if any.len() > FILTER_TERMS || !any.iter().all(can_say) {
        return None;
    }
    let terms: Vec<String> = any
        .iter()
        .map(|lookup| equality(&lookup.subject, bindings))
        .collect();
    Some(terms.join(" OR "))
}

fn plain_step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Name(name) => Some(Step::Name(name.clone())),
        Segment::At(index) => Some(Step::Index(*index)),
        Segment::Each => None,
    }
}

/// Pages read per call at most, so that a call ends even where nothing matches.
const PAGES_PER_CALL: usize = 16;
/// Segments of a scan, read side by side.
const SEGMENTS: usize = 4;
/// Base table reads at once.
const READS_AT_ONCE: usize = 16;
/// How many met items a cursor remembers; beyond, an item found by two indexes may come twice.
const MET_LIMIT: usize = 2_000;
/// Comparisons in a filter; DynamoDB bounds an expression's operands.
pub(super) const FILTER_TERMS: usize = 50;
