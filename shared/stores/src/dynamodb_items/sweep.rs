//! A table that must be read as a whole, read once for everybody who waits.
//!
//! Its segments, as a parallel scan has them, stand for a record store's objects: small enough that
//! one is read from its beginning to its end between two commits. Whose an item is, is judged by
//! the probes of each member alone ([`super::probe`]); the table of values only says who comes into
//! question.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use quittance_core::data_map::{DynamodbItems, IdentifierRule, Segment, Store};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Cursor, Locator, Match};
use quittance_core::request::Right;
use quittance_core::subject::Identifiers;
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{MemberRows, ObjectPage, Question, Roster, Searched, Wanted};
use serde::{Deserialize, Serialize};

use super::probe::{self, Lookup, Probe};
use super::search::{self, Extent};
use super::value::{self, Attributes};
use super::{Items, path};
use crate::{AwsStores, Rules};

/// Where the listing of segments goes on.
#[derive(Serialize, Deserialize)]
struct Listed {
    next: u32,
    total: u32,
    bytes: u64,
}

/// Lists a table's segments. How many there are is decided by its size when the listing begins.
pub(crate) async fn segments(
    stores: &AwsStores,
    place: &DynamodbItems,
    from: Option<&Cursor>,
) -> Result<ObjectPage, Fault> {
    let at = if let Some(cursor) = from {
        Listed::deserialize(&cursor.0)
            .map_err(|_| Fault::reject("an unreadable cursor of a table's segments"))?
    } else {
        let size = stores.tables.size(&stores.dynamodb, &place.table).await?;
        let total = u32::try_from(size.div_ceil(SEGMENT_BYTES)).unwrap_or(u32::MAX);
        let total = total.clamp(1, MAX_SEGMENTS);
        Listed {
            next: 0,
            total,
            bytes: size.div_ceil(u64::from(total)),
        }
    };
    let until = at.next.saturating_add(SEGMENTS_AT_ONCE).min(at.total);
    let objects = (at.next..until).map(|number| ObjectRef {
        key: format!("{number}/{}", at.total),
        version: None,
        noncurrent: false,
        etag: String::new(),
        bytes: at.bytes,
    });
    let objects = objects.collect();
    let next = (until < at.total).then_some(Listed { next: until, ..at });
    let next = next.map(|listed| serde_json::to_value(&listed).map(Cursor));
    Ok(ObjectPage {
        objects,
        next: next
            .transpose()
            .map_err(|_| Fault::reject("a cursor that cannot be written"))?,
    })
}

/// Reads a segment through for everybody in the roster.
pub(crate) async fn search(
    stores: &AwsStores,
    store: &Store,
    place: &DynamodbItems,
    segment: &ObjectRef,
    roster: &Roster,
    wanted: Wanted,
) -> Result<Searched, Fault> {
    let (number, total) = numbers(segment)?;
    let nobody = Identifiers::default();
    let question = Question {
        store,
        identifiers: &nobody,
        right: match wanted {
            Wanted::Copies => Right::Access,
            Wanted::Counts => Right::Deletion,
        },
    };
    let items = Items::new(stores, place, question).await?;
    let candidates = Candidates::new(store, roster, &stores.rules);
    let filter = candidates.lookups();
    let mut searched = Searched {
        // A segment is always there.
        etag: Some(segment.etag.clone()),
        ..Searched::default()
    };
    let mut counts = BTreeMap::new();
    let mut extent = Extent::Fresh;
    loop {
        let page = search::scan_segment(&items, &filter, number, total, &extent).await?;
        for item in &page.items {
            let members = candidates.members(item);
            if members.is_empty() {
                continue;
            }
            let found = Match {
                locator: Locator::Item {
                    key: items.key_of(item)?,
                },
                fingerprint: value::fingerprint(item),
                yields: items.yields_of(item),
                settled: items.aim.is_met(item),
                rows: 1,
            };
            let shared = u64::from(members.len() > 1);
            for member in members {
                let count = counts.entry(member).or_insert(MemberRows {
                    member,
                    rows: 0,
                    shared: 0,
                });
                count.rows = count.rows.saturating_add(1);
                count.shared = count.shared.saturating_add(shared);
                searched.located.push((member, found.clone()));
            }
        }
        if searched.located.len() > MAX_LOCATED {
            return Err(Fault::Block(BlockReason::TooLarge));
        }
        if page.reached == Extent::Done {
            break;
        }
        if page.reached == extent {
            // It would be read for ever.
            return Err(Fault::retry("dynamodb Scan: a page ended where it began"));
        }
        extent = page.reached;
    }
    searched.matched = counts.into_values().collect();
    Ok(searched)
}

fn numbers(segment: &ObjectRef) -> Result<(usize, usize), Fault> {
    let numbers = segment.key.split_once('/').and_then(|(number, total)| {
        let (number, total): (usize, usize) = (number.parse().ok()?, total.parse().ok()?);
        (number < total).then_some((number, total))
    });
    numbers.ok_or_else(|| Fault::reject("an unreadable segment of a table"))
}

/// Everybody a pass looks for.
struct Candidates {
    probes: Vec<Vec<Probe>>,
    places: Vec<Known>,
}

/// The values looked for at one place of an item, and who looks for each.
struct Known {
    path: Vec<Segment>,
    rule: Option<IdentifierRule>,
    /// By what `value::equal` compares.
    values: HashMap<Vec<u8>, Vec<u32>>,
    /// By the normalised text, where there is a rule.
    texts: HashMap<String, Vec<u32>>,
}

impl Candidates {
    fn new(store: &Store, roster: &Roster, rules: &Rules) -> Self {
        let of = |known| probe::probes(store, known, rules);
        let probes: Vec<Vec<Probe>> = roster.members.iter().map(of).collect();
        let mut places: Vec<Known> = Vec::new();
        for (member, probes) in (0..).zip(&probes) {
            for lookup in probes.iter().flat_map(Probe::lookups) {
                let Some(known) = Known::at(&mut places, lookup) else {
                    continue;
                };
                let value = value::comparable(&lookup.subject.value);
                known.values.entry(value).or_default().push(member);
                if let Some((_, wanted)) = &lookup.subject.spelling {
                    let text = wanted.expose().to_owned();
                    known.texts.entry(text).or_default().push(member);
                }
            }
        }
        Self { probes, places }
    }

    /// Lists what is looked for, for the filter that leaves out the rest.
    fn lookups(&self) -> Vec<Lookup> {
        let all = self.probes.iter().flatten().flat_map(Probe::lookups);
        // A filter of more terms than this is none.
        all.take(search::FILTER_TERMS + 1).cloned().collect()
    }

    /// Finds the members whose an item is.
    fn members(&self, item: &Attributes) -> BTreeSet<u32> {
        let mut candidates = BTreeSet::new();
        for known in &self.places {
            for found in path::values(item, &known.path) {
                let same = known.values.get(&value::comparable(found));
                candidates.extend(same.into_iter().flatten());
                let Some(rule) = &known.rule else { continue };
                for raw in value::texts(found) {
                    if let Ok(text) = rule.normalise(raw) {
                        candidates.extend(known.texts.get(text.expose()).into_iter().flatten());
                    }
                }
            }
        }
        candidates.retain(|member| self.is_theirs(*member, item));
        candidates
    }

    fn is_theirs(&self, member: u32, item: &Attributes) -> bool {
        let probes = usize::try_from(member).ok();
        let probes = probes.and_then(|member| self.probes.get(member));
        probes.is_some_and(|probes| probes.iter().any(|probe| probe.holds(item)))
    }
}

impl Known {
    /// Returns what is known of a lookup's place, and adds it if it is new.
    fn at<'a>(places: &'a mut Vec<Self>, lookup: &Lookup) -> Option<&'a mut Self> {
        let rule = lookup.subject.spelling.as_ref().map(|(rule, _)| rule);
        let path = &lookup.subject.path;
        let same = |known: &Self| known.path == *path && known.rule.as_ref() == rule;
        if !places.iter().any(same) {
            places.push(Self {
                path: path.clone(),
                rule: rule.cloned(),
                values: HashMap::new(),
                texts: HashMap::new(),
            });
        }
        places.iter_mut().find(|known| same(known))
    }
}

/// About how much one segment holds: a few seconds' reading.
const SEGMENT_BYTES: u64 = 32 << 20;
/// Most segments that a scan of `DynamoDB` may have.
const MAX_SEGMENTS: u32 = 1_000_000;
/// How many segments make a page, and so a shard.
const SEGMENTS_AT_ONCE: u32 = 16;
/// Most items of members in one segment: they are in memory together.
const MAX_LOCATED: usize = 200_000;
