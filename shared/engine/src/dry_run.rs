//! A dry run: what a request would find, store by store. It reads what a request would read, and
//! changes nothing.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use quittance_core::data_map::{DataMap, Store};
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::StoreId;
use quittance_core::outcome::CheckMethod;
use quittance_core::plan;
use quittance_core::request::Right;
use quittance_core::subject::Identifiers;
use serde::Serialize;

use crate::ports::{Question, RecordReader, Roster, StoreReader, Wanted};

/// The ports of a dry run: reading only.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// Where stores are searched.
    pub reader: Arc<dyn StoreReader>,
    /// Where objects that hold rows of many subjects are read.
    pub records: Arc<dyn RecordReader>,
    /// The data map in force.
    pub map: Arc<DataMap>,
}

/// What would be found in one store. Counts only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreCount {
    /// The store.
    pub store: StoreId,
    /// Whether it is gone over once for everybody, or looked up person by person.
    pub swept: bool,
    /// How it was searched; none when it was not.
    pub method: Option<CheckMethod>,
    /// How many of the subjects have something there.
    pub subjects: u64,
    /// What matches: items, objects and versions, or rows.
    pub matches: u64,
    /// How many answers were read: pages of a table or listing.
    pub pages: u64,
    /// Objects that were read through, in a record store.
    pub objects: u64,
    /// Their bytes, as they are stored.
    pub bytes: u64,
    /// Objects that would be rewritten.
    pub touched: u64,
    /// Their bytes.
    pub touched_bytes: u64,
    /// Why it could not be searched.
    pub blocked: Option<BlockReason>,
    /// Whether what leads here could not be searched: then there may be more.
    pub incomplete: bool,
}

impl DryRun {
    /// Looks through every store, those first that lead to others; tells each as it is done.
    ///
    /// # Errors
    /// `Fault::Retry` when a store could not be reached for now. What blocks a store is in its count.
    pub async fn run(
        &self,
        right: Right,
        mut subjects: Vec<Identifiers>,
        mut told: impl FnMut(&StoreCount),
    ) -> Result<Vec<StoreCount>, Fault> {
        let mut stores: Vec<&Store> = self.map.stores.iter().collect();
        stores.sort_by_key(|store| self.map.wave_of(&store.id));
        let mut counts = Vec::new();
        let mut cut_off = false;
        let mut wave = None;
        let mut learnt = subjects.clone();
        for store in stores {
            let own = self.map.wave_of(&store.id);
            if own != wave {
                // What this wave's stores yield leads to the next.
                wave = own;
                subjects.clone_from(&learnt);
            }
            let mut count = StoreCount::of(store);
            count.incomplete = cut_off && own.is_some_and(|wave| wave > 0);
            let searched = if plan::is_attested(store) {
                count.blocked = Some(BlockReason::AwaitingAttestation);
                Ok(())
            } else if plan::is_swept(store, right) {
                self.go_over(store, &subjects, &mut learnt, &mut count)
                    .await
            } else {
                let found = self.look_up(store, right, &subjects, &mut learnt);
                found.await.map(|found| count.add(&found))
            };
            match searched {
                Ok(()) => {}
                Err(Fault::Block(reason)) => {
                    count.blocked = Some(reason);
                    cut_off |= !store.yields.is_empty();
                }
                Err(fault) => return Err(fault),
            }
            told(&count);
            counts.push(count);
        }
        Ok(counts)
    }

    /// Looks every subject up.
    async fn look_up(
        &self,
        store: &Store,
        right: Right,
        subjects: &[Identifiers],
        learnt: &mut [Identifiers],
    ) -> Result<Vec<Found>, Fault> {
        let all: Vec<(usize, Found)> = stream::iter(subjects.iter().enumerate())
            .map(|(n, identifiers)| async move {
                let found = self.find(store, right, identifiers).await?;
                Ok::<_, Fault>((n, found))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let mut found = Vec::new();
        for (n, one) in all {
            if let Some(known) = learnt.get_mut(n) {
                known.union(&one.yields);
            }
            found.push(one);
        }
        Ok(found)
    }

    async fn find(
        &self,
        store: &Store,
        right: Right,
        identifiers: &Identifiers,
    ) -> Result<Found, Fault> {
        let question = Question {
            store,
            identifiers,
            right,
        };
        let mut found = Found::default();
        let mut from = None;
        loop {
            let page = self.reader.locate(question, from.as_ref()).await?;
            found.pages += 1;
            found.method = Some(page.method);
            for one in page.matches {
                found.matches += 1;
                found.yields.union(&one.yields);
            }
            from = page.next;
            if from.is_none() {
                return Ok(found);
            }
        }
    }

    /// Goes over a store once, for everybody.
    async fn go_over(
        &self,
        store: &Store,
        subjects: &[Identifiers],
        learnt: &mut [Identifiers],
        count: &mut StoreCount,
    ) -> Result<(), Fault> {
        let text = serde_json::to_vec(subjects)
            .map_err(|_| Fault::reject("a dry run's subjects cannot be written"))?;
        let roster = Roster {
            tag: Digest::of(&text).into(),
            members: subjects.to_vec(),
        };
        let mut met = std::collections::BTreeSet::new();
        let mut from = None;
        loop {
            let page = self.records.objects(store, from.as_ref()).await?;
            count.pages += 1;
            for object in page.objects {
                let wanted = Wanted::Counts;
                let searched = self.records.search(store, &object, &roster, wanted).await?;
                count.objects += 1;
                count.bytes = count.bytes.saturating_add(object.bytes);
                if store.is_scanned() {
                    // Whatever its size, a segment is a page at least.
                    count.pages = count.pages.saturating_add(object.bytes >> 20);
                }
                if !searched.matched.is_empty() {
                    count.touched += 1;
                    count.touched_bytes = count.touched_bytes.saturating_add(object.bytes);
                }
                for rows in searched.matched {
                    count.matches = count.matches.saturating_add(rows.rows);
                    met.insert(rows.member);
                }
                for (member, found) in searched.located {
                    let known = usize::try_from(member).ok();
                    if let Some(known) = known.and_then(|member| learnt.get_mut(member)) {
                        known.union(&found.yields);
                    }
                }
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        count.method = Some(if store.is_scanned() {
            CheckMethod::Scan
        } else {
            CheckMethod::Rescan
        });
        count.subjects = u64::try_from(met.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// What one subject has in one store.
#[derive(Default)]
struct Found {
    matches: u64,
    pages: u64,
    method: Option<CheckMethod>,
    yields: Identifiers,
}

impl StoreCount {
    fn of(store: &Store) -> Self {
        Self {
            store: store.id.clone(),
            swept: plan::is_record_store(store),
            method: None,
            subjects: 0,
            matches: 0,
            pages: 0,
            objects: 0,
            bytes: 0,
            touched: 0,
            touched_bytes: 0,
            blocked: None,
            incomplete: false,
        }
    }

    fn add(&mut self, found: &[Found]) {
        for one in found {
            self.subjects += u64::from(one.matches > 0);
            self.matches = self.matches.saturating_add(one.matches);
            self.pages = self.pages.saturating_add(one.pages);
            self.method = self.method.or(one.method);
        }
    }
}

/// How many subjects are looked up at once.
const AT_ONCE: usize = 8;
