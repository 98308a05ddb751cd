//! Record stores in memory: objects that hold rows of many people.
//!
//! Bytes and formats are not modelled; entity tags, markers and racing writers are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::data_map::{DeletionRule, Store};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::StoreId;
use quittance_core::manifest::Cursor;
use quittance_core::subject::Identifiers;
use quittance_core::sweep::ObjectRef;

use super::faults::Faults;
use super::stores::{MemoryStores, Row};
use super::{contract, locked};
use crate::ports::{
    Draft, MemberRows, ObjectPage, RecordEraser, RecordReader, Roster, Searched, Standing, Wanted,
};
use crate::record::{Datum, Record};

/// All record stores of a world.
#[derive(Clone, Debug)]
pub struct MemoryRecords {
    inner: Arc<Mutex<Inner>>,
    tables: MemoryStores,
    page: usize,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<(StoreId, String), Object>,
    denied: BTreeMap<(StoreId, String), BlockReason>,
    writes: u64,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its rows, in order.
    pub rows: Vec<Row>,
    /// Its entity tag: another one after every write.
    pub etag: String,
    /// The marker of the rewrite that made it what it is.
    pub marker: Option<String>,
}

impl MemoryRecords {
    /// Builds empty stores. Tables that sweeps go over are those of `tables`.
    pub fn new(tables: MemoryStores, page: usize, faults: Faults) -> Self {
        Self {
            inner: Arc::default(),
            tables,
            page,
            faults,
        }
    }

    /// Puts an object, as a customer's pipeline would at any time.
    pub fn put(&self, store: &StoreId, key: &str, rows: Vec<Row>) {
        locked(&self.inner).write(store, key, rows, None);
    }

    /// Adds a row to an object.
    pub fn append(&self, store: &StoreId, key: &str, row: Row) {
        let mut inner = locked(&self.inner);
        let there = inner.objects.get(&(store.clone(), key.to_owned()));
        let mut rows = there.map(|object| object.rows.clone()).unwrap_or_default();
        rows.push(row);
        inner.write(store, key, rows, None);
    }

    /// Refuses to read or write an object from now on, or allows it again.
    pub fn refuse(&self, store: &StoreId, key: &str, reason: Option<BlockReason>) {
        let place = (store.clone(), key.to_owned());
        let mut inner = locked(&self.inner);
        match reason {
            Some(reason) => inner.denied.insert(place, reason),
            None => inner.denied.remove(&place),
        };
    }

    /// Returns all objects, for checkers.
    pub fn everything(&self) -> BTreeMap<(StoreId, String), Object> {
        locked(&self.inner).objects.clone()
    }
}

impl Inner {
    fn write(&mut self, store: &StoreId, key: &str, rows: Vec<Row>, marker: Option<String>) {
        self.writes += 1;
        let object = Object {
            rows,
            etag: format!("etag-{}", self.writes),
            marker,
        };
        self.objects.insert((store.clone(), key.to_owned()), object);
    }

    fn find(&self, store: &Store, object: &ObjectRef) -> Result<Option<&Object>, Fault> {
        let place = (store.id.clone(), object.key.clone());
        match self.denied.get(&place) {
            Some(reason) => Err(Fault::Block(*reason)),
            None => Ok(self.objects.get(&place)),
        }
    }
}

/// Whether the store's rule has nothing left to do about a row.
fn is_masked(store: &Store, row: &Row) -> bool {
    match &store.deletion {
        DeletionRule::Redact { fields, .. } => fields
            .keys()
            .all(|field| row.get(&field.to_string()).is_none_or(|value| value == "-")),
        DeletionRule::DeleteItem | DeletionRule::Retain(_) => false,
    }
}

/// Which members a row belongs to: a field named like an identifier's kind is that identifier.
fn members_of(store: &Store, roster: &Roster, row: &Row) -> Vec<u32> {
    let theirs = |known: &Identifiers| {
        store.finds_by().iter().any(|kind| {
            let value = row.get(kind.as_str());
            value.is_some_and(|raw| known.of(kind).any(|value| value.expose() == raw))
        })
    };
    (0..)
        .zip(&roster.members)
        .filter(|(_, known)| theirs(known))
        .map(|(number, _)| number)
        .collect()
}

fn search(
    store: &Store,
    roster: &Roster,
    object: &Object,
    excluded: &BTreeSet<u32>,
    wanted: Wanted,
) -> Searched {
    let mut counts: BTreeMap<u32, MemberRows> = BTreeMap::new();
    let mut records = Vec::new();
    for row in &object.rows {
        if wanted == Wanted::Counts && is_masked(store, row) {
            continue;
        }
        let mut members = members_of(store, roster, row);
        members.retain(|member| !excluded.contains(member));
        let shared = u64::from(members.len() > 1);
        for member in members {
            let count = counts.entry(member).or_insert(MemberRows {
                member,
                rows: 0,
                shared: 0,
            });
            count.rows += 1;
            count.shared += shared;
            if wanted == Wanted::Copies {
                let fields = row.iter();
                let fields = fields.map(|(k, v)| (k.clone(), Datum::Text(v.clone())));
                records.push((member, Record::Item(fields.collect())));
            }
        }
    }
    Searched {
        etag: Some(object.etag.clone()),
        rows: u64::try_from(object.rows.len()).unwrap_or(u64::MAX),
        matched: counts.into_values().collect(),
        records,
        located: Vec::new(),
    }
}

#[async_trait]
impl RecordReader for MemoryRecords {
    async fn objects(&self, store: &Store, from: Option<&Cursor>) -> Result<ObjectPage, Fault> {
        self.faults
            .call("records.objects", || {
                if store.is_scanned() {
                    return self.tables.segments(store);
                }
                let inner = locked(&self.inner);
                let after = from.and_then(|cursor| cursor.0.as_str());
                let mine = inner.objects.iter().filter(|((id, key), _)| {
                    *id == store.id && after.is_none_or(|after| key.as_str() > after)
                });
                let mut objects: Vec<ObjectRef> = mine
                    .map(|((_, key), object)| ObjectRef {
                        key: key.clone(),
                        version: None,
                        noncurrent: false,
                        etag: object.etag.clone(),
                        bytes: 1,
                    })
                    .collect();
                let more = objects.len() > self.page;
                objects.truncate(self.page);
                let last = objects.last().map(|object| object.key.clone());
                let next = last.filter(|_| more);
                Ok(ObjectPage {
                    objects,
                    next: next.map(|key| Cursor(serde_json::json!(key))),
                })
            })
            .await
    }

    async fn search(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
        wanted: Wanted,
    ) -> Result<Searched, Fault> {
        self.faults
            .call("records.search", || {
                if store.is_scanned() {
                    return self.tables.search(store, object, roster, wanted);
                }
                let inner = locked(&self.inner);
                Ok(inner
                    .find(store, object)?
                    .map(|object| search(store, roster, object, &BTreeSet::new(), wanted))
                    .unwrap_or_default())
            })
            .await
    }
}

#[async_trait]
impl RecordEraser for MemoryRecords {
    async fn prepare(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
        excluded: &BTreeSet<u32>,
    ) -> Result<Draft, Fault> {
        self.faults
            .call("records.prepare", || {
                let inner = locked(&self.inner);
                let Some(object) = inner.find(store, object)? else {
                    return Ok(Draft {
                        searched: Searched::default(),
                        after: 0,
                        note: serde_json::Value::Null,
                        body: Vec::new(),
                    });
                };
                let searched = search(store, roster, object, excluded, Wanted::Counts);
                let mut rows = Vec::new();
                for row in &object.rows {
                    let mut members = members_of(store, roster, row);
                    members.retain(|member| !excluded.contains(member));
                    match &store.deletion {
                        _ if members.is_empty() => rows.push(row.clone()),
                        DeletionRule::DeleteItem => {}
                        DeletionRule::Redact { fields, .. } => {
                            let mut row = row.clone();
                            for field in fields.keys() {
                                row.insert(field.to_string(), "-".to_owned());
                            }
                            rows.push(row);
                        }
                        DeletionRule::Retain(_) => {
                            contract(false, "what is retained is never touched");
                        }
                    }
                }
                Ok(Draft {
                    searched,
                    after: u64::try_from(rows.len()).unwrap_or(u64::MAX),
                    note: serde_json::to_value(&rows).unwrap_or_default(),
                    body: Vec::new(),
                })
            })
            .await
    }

    async fn complete(
        &self,
        store: &Store,
        object: &ObjectRef,
        draft: &Draft,
        marker: &str,
    ) -> Result<Option<String>, Fault> {
        self.faults
            .call("records.complete", || {
                let mut inner = locked(&self.inner);
                let etag = inner.find(store, object)?.map(|object| object.etag.clone());
                if etag.is_none() || etag != draft.searched.etag {
                    return Err(Fault::Conflict);
                }
                let rows = serde_json::from_value(draft.note.clone())
                    .map_err(|_| Fault::reject("a draft of another kind"))?;
                inner.write(&store.id, &object.key, rows, Some(marker.to_owned()));
                let etag = inner.find(store, object)?.map(|object| object.etag.clone());
                Ok(etag)
            })
            .await
    }

    async fn standing(&self, store: &Store, object: &ObjectRef) -> Result<Standing, Fault> {
        self.faults
            .call("records.standing", || {
                let inner = locked(&self.inner);
                Ok(match inner.find(store, object)? {
                    None => Standing::Gone,
                    Some(Object {
                        marker: Some(marker),
                        etag,
                        ..
                    }) => Standing::Rewritten {
                        marker: marker.clone(),
                        etag: etag.clone(),
                    },
                    Some(_) => Standing::Other,
                })
            })
            .await
    }
}
