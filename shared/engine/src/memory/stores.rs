//! Customers' stores in memory: rows that carry identifiers, and lead to others.
//!
//! One simple model for every kind of place: a row is found by any of the store's find identifiers.
//! What tables and buckets really do is proven by the contract suite of `quittance-stores`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use quittance_core::data_map::{DeletionRule, OptOutRule, Store};
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::StoreId;
use quittance_core::manifest::{Cursor, KeyValue, Locator, Match};
use quittance_core::outcome::{CheckMethod, ResidualKind, Residuals};
use quittance_core::request::Right;
use quittance_core::subject::{IdentifierKind, Identifiers, Normalise};
use quittance_core::sweep::ObjectRef;

use super::faults::Faults;
use super::{contract, locked};
use crate::ports::{
    Effect, Found, MemberRows, ObjectPage, Question, Roster, Searched, StoreEraser, StoreFlagger,
    StoreReader, Wanted,
};
use crate::record::{Datum, Record};

/// One row: text fields, some of which are identifiers by their names.
pub type Row = BTreeMap<String, String>;

/// All stores of a world.
#[derive(Clone, Debug)]
pub struct MemoryStores {
    rows: Arc<Mutex<BTreeMap<(StoreId, String), Row>>>,
    ways: Arc<BTreeMap<IdentifierKind, Normalise>>,
    denied: Arc<Mutex<BTreeMap<StoreId, BlockReason>>>,
    recoverable: Arc<Mutex<BTreeMap<StoreId, i64>>>,
    page: usize,
    faults: Faults,
}

impl MemoryStores {
    /// Builds empty stores. A row's field named like an identifier kind is that identifier.
    pub fn new(ways: BTreeMap<IdentifierKind, Normalise>, page: usize, faults: Faults) -> Self {
        Self {
            rows: Arc::default(),
            ways: Arc::new(ways),
            denied: Arc::default(),
            recoverable: Arc::default(),
            page,
            faults,
        }
    }

    /// Puts a row, as a customer's application would at any time.
    pub fn put(&self, store: &StoreId, key: &str, row: Row) {
        locked(&self.rows).insert((store.clone(), key.to_owned()), row);
    }

    /// Returns all rows, for checkers.
    pub fn everything(&self) -> BTreeMap<(StoreId, String), Row> {
        locked(&self.rows).clone()
    }

    /// Lets a store be recovered to any moment of so many hours.
    pub fn recoverable(&self, store: &StoreId, hours: i64) {
        locked(&self.recoverable).insert(store.clone(), hours);
    }

    /// Refuses everything in a store from now on, or allows it again.
    pub fn refuse(&self, store: &StoreId, reason: Option<BlockReason>) {
        let mut denied = locked(&self.denied);
        match reason {
            Some(reason) => denied.insert(store.clone(), reason),
            None => denied.remove(store),
        };
    }

    fn allowed(&self, store: &Store) -> Result<(), Fault> {
        match locked(&self.denied).get(&store.id) {
            Some(reason) => Err(Fault::Block(*reason)),
            None => Ok(()),
        }
    }

    fn identifiers(&self, row: &Row) -> Identifiers {
        let mut found = Identifiers::default();
        for (kind, way) in self.ways.iter() {
            if let Some(value) = row.get(kind.as_str()).and_then(|raw| way.apply(raw).ok()) {
                found.insert(kind.clone(), value);
            }
        }
        found
    }

    fn is_theirs(&self, question: Question<'_>, row: &Row) -> bool {
        let found = self.identifiers(row);
        question.store.finds_by().iter().any(|kind| {
            question
                .identifiers
                .of(kind)
                .any(|value| found.of(kind).any(|v| v == value))
        })
    }

    fn matched(&self, question: Question<'_>, key: &str, row: &Row) -> Match {
        let found = self.identifiers(row);
        let mut yields = Identifiers::default();
        for kind in question.store.yields.keys() {
            for value in found.of(kind) {
                yields.insert(kind.clone(), value.clone());
            }
        }
        Match {
            locator: locator(key),
            fingerprint: Digest::of(format!("{row:?}").as_bytes()),
            yields,
            settled: is_settled(question, row),
            rows: 1,
        }
    }

    /// Lists a table's segments.
    pub(super) fn segments(&self, store: &Store) -> Result<ObjectPage, Fault> {
        self.allowed(store)?;
        let segment = |n: usize| ObjectRef {
            key: n.to_string(),
            version: None,
            noncurrent: false,
            etag: String::new(),
            bytes: 1,
        };
        Ok(ObjectPage {
            objects: (0..SEGMENTS).map(segment).collect(),
            next: None,
        })
    }

    /// Reads a segment of a table through, for everybody in the roster.
    pub(super) fn search(
        &self,
        store: &Store,
        segment: &ObjectRef,
        roster: &Roster,
        wanted: Wanted,
    ) -> Result<Searched, Fault> {
        self.allowed(store)?;
        let mut searched = Searched {
            etag: Some(String::new()),
            ..Searched::default()
        };
        let right = match wanted {
            Wanted::Copies => Right::Access,
            Wanted::Counts => Right::Deletion,
        };
        let mut counts = BTreeMap::new();
        for ((_, key), row) in locked(&self.rows)
            .iter()
            .filter(|((id, key), _)| *id == store.id && segment_of(key).to_string() == segment.key)
        {
            let question = |identifiers| Question {
                store,
                identifiers,
                right,
            };
            let members: Vec<(u32, &Identifiers)> = (0..)
                .zip(&roster.members)
                .filter(|(_, known)| self.is_theirs(question(known), row))
                .collect();
            for (member, known) in &members {
                let found = self.matched(question(known), key, row);
                searched.located.push((*member, found));
                let (rows, shared) = counts.entry(*member).or_insert((0, 0));
                *rows += 1;
                *shared += u64::from(members.len() > 1);
            }
        }
        let counts = counts.into_iter();
        let counts = counts.map(|(member, (rows, shared))| MemberRows {
            member,
            rows,
            shared,
        });
        searched.matched = counts.collect();
        Ok(searched)
    }

    fn edit(
        &self,
        question: Question<'_>,
        locator: &Locator,
        edit: impl FnOnce(&mut Row) -> bool,
    ) -> Result<Effect, Fault> {
        self.allowed(question.store)?;
        let mut rows = locked(&self.rows);
        let id = (question.store.id.clone(), key_of(locator));
        let Some(row) = rows.get_mut(&id) else {
            return Ok(Effect::Already);
        };
        if !self.is_theirs(question, row) {
            return Ok(Effect::NotTheirs);
        }
        if !edit(row) {
            rows.remove(&id);
        }
        Ok(Effect::Made)
    }
}

#[async_trait]
impl StoreReader for MemoryStores {
    async fn locate(&self, question: Question<'_>, from: Option<&Cursor>) -> Result<Found, Fault> {
        self.faults
            .call("stores.locate", || {
                self.allowed(question.store)?;
                let rows = locked(&self.rows);
                let after = from.and_then(|cursor| cursor.0.as_str());
                let mut matches = Vec::new();
                let mut last = None;
                for ((store, key), row) in rows.iter() {
                    if *store != question.store.id
                        || after.is_some_and(|after| key.as_str() <= after)
                    {
                        continue;
                    }
                    if matches.len() == self.page {
                        let next = last.map(|key: &String| Cursor(serde_json::json!(key)));
                        return Ok(Found {
                            matches,
                            next,
                            method: CheckMethod::Key,
                        });
                    }
                    last = Some(key);
                    if self.is_theirs(question, row) {
                        matches.push(self.matched(question, key, row));
                    }
                }
                Ok(Found {
                    matches,
                    next: None,
                    method: CheckMethod::Key,
                })
            })
            .await
    }

    async fn read(
        &self,
        question: Question<'_>,
        locator: &Locator,
    ) -> Result<Option<Record>, Fault> {
        self.faults
            .call("stores.read", || {
                self.allowed(question.store)?;
                let rows = locked(&self.rows);
                let row = rows.get(&(question.store.id.clone(), key_of(locator)));
                Ok(row.filter(|row| self.is_theirs(question, row)).map(|row| {
                    let item = row.iter().map(|(k, v)| (k.clone(), Datum::Text(v.clone())));
                    Record::Item(item.collect())
                }))
            })
            .await
    }
}

#[async_trait]
impl StoreEraser for MemoryStores {
    async fn erase(&self, question: Question<'_>, locator: &Locator) -> Result<Effect, Fault> {
        contract(question.right == Right::Deletion, "only deletion erases");
        self.faults
            .call("stores.erase", || {
                self.edit(question, locator, |row| match &question.store.deletion {
                    DeletionRule::DeleteItem => false,
                    DeletionRule::Redact { fields, .. } => {
                        for field in fields.keys() {
                            row.insert(field.to_string(), MASK.to_owned());
                        }
                        true
                    }
                    DeletionRule::Retain(_) => {
                        contract(false, "what is retained is never touched");
                        true
                    }
                })
            })
            .await
    }

    async fn residuals(&self, store: &Store, now: Timestamp) -> Result<Residuals, Fault> {
        self.faults
            .call("stores.residuals", || {
                let mut residuals = Residuals::default();
                if let Some(hours) = locked(&self.recoverable).get(&store.id) {
                    let until = now.checked_add(SignedDuration::from_hours(*hours)).ok();
                    residuals.add(ResidualKind::Pitr, until);
                }
                Ok(residuals)
            })
            .await
    }
}

#[async_trait]
impl StoreFlagger for MemoryStores {
    async fn flag(&self, question: Question<'_>, locator: &Locator) -> Result<Effect, Fault> {
        contract(question.right == Right::OptOut, "only opt-out flags");
        self.faults
            .call("stores.flag", || {
                self.edit(question, locator, |row| {
                    if let OptOutRule::Set(fields) = &question.store.opt_out {
                        for field in fields.keys() {
                            row.insert(field.to_string(), FLAG.to_owned());
                        }
                    }
                    true
                })
            })
            .await
    }
}

fn is_settled(question: Question<'_>, row: &Row) -> bool {
    let all = |mut fields: Vec<String>, value: &str| {
        fields.retain(|field| row.get(field).map(String::as_str) != Some(value));
        fields.is_empty()
    };
    match (
        question.right,
        &question.store.deletion,
        &question.store.opt_out,
    ) {
        (Right::Deletion, DeletionRule::Redact { fields, .. }, _) => {
            all(fields.keys().map(ToString::to_string).collect(), MASK)
        }
        (Right::OptOut, _, OptOutRule::Set(fields)) => {
            all(fields.keys().map(ToString::to_string).collect(), FLAG)
        }
        (
            Right::Access | Right::Deletion | Right::OptOut,
            DeletionRule::DeleteItem | DeletionRule::Redact { .. } | DeletionRule::Retain(_),
            OptOutRule::Attest | OptOutRule::NoFlag | OptOutRule::Set(_),
        ) => false,
    }
}

/// Which segment of its table a key falls into.
fn segment_of(key: &str) -> usize {
    key.bytes().map(usize::from).sum::<usize>() % SEGMENTS
}

fn locator(key: &str) -> Locator {
    Locator::Item {
        key: BTreeMap::from([("pk".to_owned(), KeyValue::S(key.to_owned()))]),
    }
}

fn key_of(locator: &Locator) -> String {
    match locator {
        Locator::Item { key } => match key.get("pk") {
            Some(KeyValue::S(key)) => key.clone(),
            Some(KeyValue::N(_) | KeyValue::B(_)) | None => String::new(),
        },
        Locator::Object { key, .. } => key.clone(),
    }
}

/// Into how many segments a table falls.
const SEGMENTS: usize = 3;
const MASK: &str = "-";
const FLAG: &str = "true";
