//! The ledger in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_core::request::Stage;

use super::faults::Faults;
use super::{contract, locked};
use crate::ledger::{Bookmark, Item, Key, Listing, MAX_WRITES, Page, Stored, Version, Write};
use crate::ports::Ledger;

/// A ledger of items by key. Panics on writes that could corrupt a real one.
#[derive(Clone, Debug)]
pub struct MemoryLedger {
    items: Arc<Mutex<BTreeMap<Key, Stored>>>,
    commits: Arc<AtomicU64>,
    faults: Faults,
}

impl MemoryLedger {
    /// Builds an empty ledger.
    pub fn new(faults: Faults) -> Self {
        Self {
            items: Arc::default(),
            commits: Arc::default(),
            faults,
        }
    }

    /// Returns everything there is, for checkers.
    pub fn everything(&self) -> Vec<Stored> {
        locked(&self.items).values().cloned().collect()
    }

    /// Returns how often something was committed: what to check again, and when.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Changes an item behind the ledger's back, for negative controls.
    pub fn tamper(&self, key: &Key, change: impl FnOnce(&mut Item)) {
        if let Some(stored) = locked(&self.items).get_mut(key) {
            change(&mut stored.item);
        }
    }

    /// Removes an item behind the ledger's back, for negative controls.
    pub fn lose(&self, key: &Key) {
        locked(&self.items).remove(key);
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Fault> {
        self.faults
            .call("ledger.load", || Ok(locked(&self.items).get(key).cloned()))
            .await
    }

    async fn list(
        &self,
        listing: &Listing,
        from: Option<&Bookmark>,
        limit: usize,
    ) -> Result<Page, Fault> {
        contract(limit > 0, "a page of nothing");
        self.faults
            .call("ledger.list", || {
                let items = locked(&self.items);
                let mut rows: Vec<(String, Stored)> = items
                    .iter()
                    .filter_map(|(key, stored)| {
                        position(listing, &stored.item)
                            .map(|order| (format!("{order} {key:?}"), stored.clone()))
                    })
                    .collect();
                rows.sort_by(|a, b| a.0.cmp(&b.0));
                let mut rest = rows
                    .into_iter()
                    .skip_while(|(order, _)| from.is_some_and(|mark| *order <= mark.0))
                    .peekable();
                let mut page = Page::default();
                let mut last = None;
                while page.items.len() < limit {
                    let Some((order, stored)) = rest.next() else {
                        break;
                    };
                    page.items.push(stored);
                    last = Some(order);
                }
                page.next = rest.peek().and(last).map(Bookmark);
                Ok(page)
            })
            .await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), Fault> {
        contract(
            !writes.is_empty() && writes.len() <= MAX_WRITES,
            "1 to 100 writes",
        );
        let keys: BTreeSet<Key> = writes.iter().map(Write::key).collect();
        contract(keys.len() == writes.len(), "one write per item");
        contract(
            writes.iter().any(|w| !matches!(w, Write::Check(..))),
            "a commit that writes",
        );
        self.faults
            .call("ledger.commit", || self.apply(writes))
            .await
    }
}

impl MemoryLedger {
    fn apply(&self, writes: &[Write]) -> Result<(), Fault> {
        let mut items = locked(&self.items);
        for write in writes {
            let there = items.get(&write.key());
            let holds = match write {
                Write::Create(_) => there.is_none(),
                Write::Replace(_, version)
                | Write::Delete(_, version)
                | Write::Check(_, version) => {
                    there.is_some_and(|stored| stored.version == *version)
                }
            };
            if !holds {
                return Err(Fault::Conflict);
            }
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        for write in writes {
            match write {
                Write::Create(item) => {
                    items.insert(
                        item.key(),
                        Stored {
                            item: item.clone(),
                            version: Version(1),
                        },
                    );
                }
                Write::Replace(item, Version(n)) => {
                    let old = items.get(&item.key()).map(|stored| &stored.item);
                    scold_illegal_change(old, item);
                    let version = Version(n + 1);
                    items.insert(
                        item.key(),
                        Stored {
                            item: item.clone(),
                            version,
                        },
                    );
                }
                Write::Delete(key, _) => {
                    let may = matches!(
                        key,
                        Key::Outbox(..)
                            | Key::Subject(..)
                            | Key::Token(_)
                            | Key::Request(_)
                            | Key::Reference(_)
                            | Key::Suppression(..)
                            | Key::Waiting(..)
                            | Key::Pause(_)
                            | Key::SweepVault(_)
                            | Key::Member(..)
                            | Key::Hold(_)
                    );
                    contract(may, "tasks, events and leaves are permanent");
                    items.remove(key);
                }
                Write::Check(..) => {}
            }
        }
        Ok(())
    }
}

/// Some items never change, and some fields never change twice.
fn scold_illegal_change(old: Option<&Item>, new: &Item) {
    match (old, new) {
        (Some(Item::Leaf(old)), Item::Leaf(new)) => {
            contract(
                old.statement == new.statement,
                "a leaf's statement never changes",
            );
            let same = old.sequenced.is_none() || old.sequenced == new.sequenced;
            contract(same, "a leaf's place in the log never changes");
        }
        (Some(Item::Request(old)), Item::Request(new)) => {
            let keeps = old.accepted_at.is_none() || old.accepted_at == new.accepted_at;
            contract(keeps, "an acceptance never moves");
            let keeps = old.first_effect_at.is_none() || old.first_effect_at == new.first_effect_at;
            contract(keeps, "the first effect happened once");
            contract(new.events >= old.events, "timelines only grow");
            let undone = matches!(old.stage, Stage::Closed(_)) && old.stage != new.stage;
            contract(!undone, "nothing reopens a closed request");
            contract(
                !new.stage.is_open() || new.wake_at.is_some(),
                "an open request wakes",
            );
        }
        (
            Some(_) | None,
            Item::Event(_)
            | Item::Reference(_)
            | Item::Token(_)
            | Item::Subject(_)
            | Item::Outbox(_)
            | Item::Waiting(_)
            | Item::Exclusion(_)
            | Item::Pause(_)
            | Item::SweepVault(_)
            | Item::Hold(_),
        ) => contract(false, "this kind of item is immutable"),
        (Some(Item::Member(old)), Item::Member(new)) => {
            contract(old.request == new.request, "a batch's list never changes");
        }
        (Some(Item::Sweep(old)), Item::Sweep(new)) => {
            let same = (old.members, old.members_tag) == (new.members, new.members_tag);
            contract(same, "a sweep's members never change");
        }
        (Some(Item::Shard(old)), Item::Shard(new)) => {
            contract(old.objects == new.objects, "a shard's objects never change");
            contract(old.cursor <= new.cursor, "a shard's cursor only grows");
        }
        (
            Some(_) | None,
            Item::Request(_)
            | Item::Task(_)
            | Item::Leaf(_)
            | Item::Suppression(_)
            | Item::Sweep(_)
            | Item::Shard(_)
            | Item::Member(_),
        ) => {}
    }
}

/// Says whether an item belongs to a listing, and where in its order.
fn position(listing: &Listing, item: &Item) -> Option<String> {
    match (listing, item) {
        (Listing::Tasks(id), Item::Task(task)) if task.request == *id => {
            Some(task.store.to_string())
        }
        (Listing::Timeline(id), Item::Event(event)) if event.request == *id => {
            Some(format!("{:08}", event.n))
        }
        (Listing::OpenOf(tag), Item::Subject(entry)) if entry.tag == *tag => {
            Some(entry.request.to_string())
        }
        (Listing::Outbox, Item::Outbox(row)) => Some(sortable(row.at.as_nanosecond())),
        (Listing::Waking(until), Item::Request(request)) => request
            .wake_at
            .filter(|at| at <= until)
            .map(|at| sortable(at.as_nanosecond())),
        (Listing::Open, Item::Request(request)) if !matches!(request.stage, Stage::Closed(_)) => {
            Some(
                request
                    .due_at
                    .map_or_else(|| "~".into(), |due| sortable(due.as_nanosecond())),
            )
        }
        (Listing::Closed, Item::Request(request)) => request
            .closed_at
            .filter(|_| matches!(request.stage, Stage::Closed(_)))
            .map(|at| sortable(i128::from(i64::MAX) * 1_000_000_000 - at.as_nanosecond())),
        (Listing::Sweeps(store, right), Item::Sweep(sweep))
            if sweep.id.store == *store && sweep.id.right == *right =>
        {
            Some(format!("{:010}", u32::MAX - sweep.id.n))
        }
        (Listing::Shards(id), Item::Shard(shard)) if shard.sweep == *id => {
            Some(format!("{:010}", shard.k))
        }
        (Listing::Waiting(store, right), Item::Waiting(waiting))
            if waiting.store == *store && waiting.right == *right =>
        {
            Some(waiting.request.to_string())
        }
        (Listing::Holds, Item::Hold(hold)) => Some(format!("{:?}", hold.on)),
        (Listing::Exclusions(id), Item::Exclusion(out)) if out.sweep == *id => {
            Some(out.request.to_string())
        }
        (
            Listing::Tasks(_)
            | Listing::Timeline(_)
            | Listing::OpenOf(_)
            | Listing::Outbox
            | Listing::Waking(_)
            | Listing::Open
            | Listing::Closed
            | Listing::Sweeps(..)
            | Listing::Shards(_)
            | Listing::Waiting(..)
            | Listing::Exclusions(_)
            | Listing::Holds,
            Item::Request(_)
            | Item::Task(_)
            | Item::Event(_)
            | Item::Reference(_)
            | Item::Token(_)
            | Item::Subject(_)
            | Item::Outbox(_)
            | Item::Leaf(_)
            | Item::Suppression(_)
            | Item::Sweep(_)
            | Item::Shard(_)
            | Item::Waiting(_)
            | Item::Exclusion(_)
            | Item::Pause(_)
            | Item::SweepVault(_)
            | Item::Member(_)
            | Item::Hold(_),
        ) => None,
    }
}

fn sortable(nanoseconds: i128) -> String {
    format!("{:040}", nanoseconds.max(0))
}
