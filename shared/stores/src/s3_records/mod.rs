//! Rows of many people in objects of a bucket: listed, searched, rewritten in place.
//!
//! A rewrite is prepared by a look, which writes nothing: most objects hold nobody's rows, and
//! looking is many times cheaper than packing. Only then the object is read again, on condition
//! that it is what was looked through, written anew as far as it changes, and put in its own place
//! on the same condition. Which rows are whose is `quittance_core::matching`'s, what becomes of
//! them [`crate::rewrite`]'s.
//!
//! Invariant: an object is replaced only by itself without the members' rows, and a version is
//! deleted only after it was read and found to hold such rows.

mod effect;
mod kept;
mod layout;
mod listing;
mod look;
mod matches;
mod source;
mod table;
mod upload;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use quittance_core::data_map::{Place, Store};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::Cursor;
use quittance_core::pseudonym::Pseudonyms;
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{
    Draft, ObjectPage, RecordEraser, Roster, Searched, Standing, Wanted,
};

use self::look::{Look, Sought};
pub(crate) use self::matches::MatchSets;
use crate::AwsStores;
use crate::rewrite::{Action, Limits, Source};
use crate::s3_bucket::Bucket;

/// One store of rows.
struct Records<'a> {
    bucket: Bucket<'a>,
    prefix: &'a str,
    store: &'a Store,
    source: Source,
    pseudonyms: Option<Pseudonyms>,
    page: i32,
}

impl<'a> Records<'a> {
    fn open(stores: &'a AwsStores, store: &'a Store) -> Result<Self, Fault> {
        let unsupported = Fault::Block(BlockReason::UnsupportedStore);
        let Place::S3Records(place) = &store.place else {
            return Err(unsupported);
        };
        Ok(Self {
            bucket: Bucket {
                client: &stores.s3,
                name: &place.bucket,
            },
            prefix: &place.prefix,
            store,
            source: Source::from(place),
            pseudonyms: stores.pseudonyms(store),
            page: i32::try_from(stores.page).unwrap_or(i32::MAX),
        })
    }

    /// Looks through an object as it is now. If another version was current when it was listed,
    /// that one too: it is an older one now, and nobody else looks at it in this pass.
    async fn looks(
        &self,
        object: &ObjectRef,
        sought: &Sought,
        action: &Action,
    ) -> Result<Looks, Fault> {
        let listed = object.version.as_deref();
        if object.noncurrent {
            let old = self.look(&object.key, listed, sought, action).await?;
            return Ok(Looks { current: None, old });
        }
        for _ in 0..LOOKS {
            let current = match self.look(&object.key, None, sought, action).await {
                // It changed while a broken connection was made again.
                Err(Fault::Conflict) => continue,
                looked => looked?,
            };
            let listed = listed.unwrap_or(kept::NULL);
            let is_listed = match &current {
                Some(look) => look.seen.version.as_deref().is_none_or(|now| now == listed),
                None => object.version.is_none(),
            };
            let old = if is_listed {
                None
            } else {
                let old = self.look(&object.key, Some(listed), sought, action);
                old.await?
            };
            return Ok(Looks { current, old });
        }
        Err(Fault::retry(format!(
            "s3 GetObject on {}: an object keeps changing",
            self.bucket.name
        )))
    }
}

/// What an object holds, in its current version and in the one that was current before.
struct Looks {
    current: Option<Look>,
    old: Option<Look>,
}

impl Looks {
    fn searched(self) -> Searched {
        look::searched(self.current.into_iter().chain(self.old).collect())
    }
}

/// Lists a store's objects.
pub(crate) async fn objects(
    stores: &AwsStores,
    store: &Store,
    from: Option<&Cursor>,
) -> Result<ObjectPage, Fault> {
    listing::objects(&Records::open(stores, store)?, from).await
}

/// Reads one object through.
pub(crate) async fn search(
    stores: &AwsStores,
    store: &Store,
    object: &ObjectRef,
    roster: &Roster,
    wanted: Wanted,
) -> Result<Searched, Fault> {
    let records = Records::open(stores, store)?;
    let sought = Sought {
        set: stores.match_sets.of(store, roster, &stores.rules)?,
        excluded: BTreeSet::new(),
    };
    let action = match wanted {
        Wanted::Copies => Action::HandOut,
        Wanted::Counts => Action::to_find(&store.deletion, records.pseudonyms.clone()),
    };
    let looks = records.looks(object, &sought, &action).await?;
    Ok(looks.searched())
}

#[async_trait]
impl RecordEraser for AwsStores {
    async fn prepare(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
        excluded: &BTreeSet<u32>,
    ) -> Result<Draft, Fault> {
        let here = self.at(store).await?;
        let records = Records::open(&here, store)?;
        let sought = Sought {
            set: self.match_sets.of(store, roster, &self.rules)?,
            excluded: excluded.clone(),
        };
        records.prepare(object, &sought, roster.tag).await
    }

    async fn complete(
        &self,
        store: &Store,
        object: &ObjectRef,
        draft: &Draft,
        marker: &str,
    ) -> Result<Option<String>, Fault> {
        let here = self.at(store).await?;
        let records = Records::open(&here, store)?;
        let note = effect::Note::read(&draft.note)?;
        let set = self.match_sets.again(store, &note.roster);
        // The draft's members are known here, unless it is another process's, which none is.
        let set = set.ok_or_else(|| Fault::retry("a draft whose members are forgotten"))?;
        let sought = Sought {
            set: Arc::clone(&set),
            excluded: note.excluded.clone(),
        };
        records.complete(object, &note, &sought, marker).await
    }

    async fn standing(&self, store: &Store, object: &ObjectRef) -> Result<Standing, Fault> {
        let here = self.at(store).await?;
        Records::open(&here, store)?.standing(object).await
    }
}

/// What an object may ask of us.
fn limits() -> Limits {
    Limits::default()
}

/// How often an object that changes under the look is looked at.
const LOOKS: u32 = 3;
