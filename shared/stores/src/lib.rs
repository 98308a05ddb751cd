//! How Quittance reaches customers' data: DynamoDB items, S3 objects, rows in S3 objects.
//!
//! [`rewrite`] is pure: it searches and rewrites objects of rows without reaching anything.
//! [`AwsStores`] answers the engine's store ports. What to look for is decided by the data
//! map and the engine; here is only how. Invariant: nothing is touched that does not carry one of
//! the question's identifiers at the moment of the effect.

mod dynamodb_items;
mod errors;
mod reach;
mod residuals;
pub mod rewrite;
mod s3_bucket;
mod s3_objects;
mod s3_records;
pub mod survey;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use jiff::Timestamp;
use quittance_core::data_map::{
    DeletionRule, DynamodbItems, Find, FindHow, IdentifierRule, OptOutRule, Place, Store,
};
use quittance_core::digest::HmacKey;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Cursor, Locator};
use quittance_core::outcome::Residuals;
use quittance_core::pseudonym::Pseudonyms;
use quittance_core::request::Right;
use quittance_core::subject::IdentifierKind;
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{
    Effect, Found, ObjectPage, Question, RecordReader, Roster, Searched, StoreEraser, StoreFlagger,
    StoreReader, Wanted,
};
use quittance_engine::record::Record;

use self::dynamodb_items::{Items, Meters, Tables};
use self::reach::Reach;
use self::residuals::Asked;
use self::s3_objects::Objects;
use self::s3_records::MatchSets;

/// Customers' stores in AWS, reached with the function's own role, or with one that the store names.
#[derive(Clone, Debug)]
pub struct AwsStores {
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    tables: Tables,
    rules: Arc<Rules>,
    match_sets: MatchSets,
    reach: Option<Reach>,
    pseudonym_key: Option<HmacKey>,
    asked: Asked,
    meters: Meters,
    page: usize,
}

/// How each kind of identifier is compared: the data map's `identifiers`.
type Rules = BTreeMap<IdentifierKind, IdentifierRule>;

impl AwsStores {
    /// Wraps shared clients. `rules` are the data map's `identifiers`: what is read from a store is
    /// brought to one spelling before it is compared or yielded.
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        s3: aws_sdk_s3::Client,
        rules: BTreeMap<IdentifierKind, IdentifierRule>,
    ) -> Self {
        Self {
            dynamodb,
            s3,
            tables: Tables::default(),
            rules: Arc::new(rules),
            match_sets: MatchSets::default(),
            reach: None,
            pseudonym_key: None,
            asked: Asked::default(),
            meters: Meters::default(),
            page: PAGE_THINGS,
        }
    }

    /// Sets about how many things one answer of `locate` holds; at least one.
    #[must_use]
    pub fn with_page(mut self, things: usize) -> Self {
        self.page = things.max(1);
        self
    }

    /// Reaches stores in other accounts and regions too, with what our own clients are made of, for
    /// what this right needs there.
    #[must_use]
    pub fn with_reach(mut self, config: SdkConfig, right: Right) -> Self {
        self.reach = Some(Reach::new(config, right));
        self
    }

    /// Makes pseudonyms with this key, a deletion's to have ([`Mask::Pseudonym`]).
    ///
    /// [`Mask::Pseudonym`]: quittance_core::data_map::Mask::Pseudonym
    #[must_use]
    pub fn with_pseudonyms(mut self, key: HmacKey) -> Self {
        self.pseudonym_key = Some(key);
        self
    }

    /// Returns what makes a store's pseudonyms, for whoever may.
    fn pseudonyms(&self, store: &Store) -> Option<Pseudonyms> {
        let key = self.pseudonym_key.as_ref()?;
        Some(Pseudonyms::of_store(key, &store.id))
    }

    /// Goes to where a store is.
    async fn at(&self, store: &Store) -> Result<Cow<'_, Self>, Fault> {
        let Some(account) = &store.account else {
            return Ok(Cow::Borrowed(self));
        };
        let Some(reach) = &self.reach else {
            return Err(Fault::Block(BlockReason::UnsupportedStore));
        };
        let there = reach.clients(store, account).await?;
        Ok(Cow::Owned(Self {
            dynamodb: there.dynamodb,
            s3: there.s3,
            tables: there.tables,
            meters: there.meters,
            ..self.clone()
        }))
    }

    /// Opens the store a question is about.
    async fn open<'a>(&'a self, question: Question<'a>) -> Result<Room<'a>, Fault> {
        match &question.store.place {
            Place::DynamoDb(_) if finds_by_columns(question.store) => {
                Err(Fault::Block(BlockReason::SchemaMismatch))
            }
            Place::DynamoDb(place) => Items::new(self, place, question).await.map(Room::Items),
            Place::S3Objects(place) => {
                Objects::new(&self.s3, place, question, self.page).map(Room::Objects)
            }
            // Record stores are located and rewritten by sweeps, not item by item; attested ones
            // are the engine's.
            Place::S3Records(_) | Place::Attested(_) => {
                Err(Fault::Block(BlockReason::UnsupportedStore))
            }
        }
    }
}

#[async_trait]
impl RecordReader for AwsStores {
    async fn objects(&self, store: &Store, from: Option<&Cursor>) -> Result<ObjectPage, Fault> {
        let here = self.at(store).await?;
        match swept_table(store)? {
            Some(place) => dynamodb_items::segments(&here, place, from).await,
            None => s3_records::objects(&here, store, from).await,
        }
    }

    async fn search(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
        wanted: Wanted,
    ) -> Result<Searched, Fault> {
        let here = self.at(store).await?;
        match swept_table(store)? {
            Some(place) => {
                dynamodb_items::search_segment(&here, store, place, object, roster, wanted).await
            }
            None => s3_records::search(&here, store, object, roster, wanted).await,
        }
    }
}

/// Returns the table of a store that is one, if we can reach it.
fn swept_table(store: &Store) -> Result<Option<&DynamodbItems>, Fault> {
    let blocked = |reason| Err(Fault::Block(reason));
    match &store.place {
        Place::DynamoDb(_) if finds_by_columns(store) => blocked(BlockReason::SchemaMismatch),
        Place::DynamoDb(place) => Ok(Some(place)),
        Place::S3Objects(_) | Place::S3Records(_) | Place::Attested(_) => Ok(None),
    }
}

/// Whether a store is to be searched by columns of rows.
fn finds_by_columns(store: &Store) -> bool {
    let by_columns = |find: &Find| matches!(find.how, FindHow::Columns(_));
    store.find.iter().any(by_columns)
}

/// A store, opened for one question.
enum Room<'a> {
    Items(Items<'a>),
    Objects(Objects<'a>),
}

#[async_trait]
impl StoreReader for AwsStores {
    async fn locate(&self, question: Question<'_>, from: Option<&Cursor>) -> Result<Found, Fault> {
        let here = self.at(question.store).await?;
        match here.open(question).await? {
            Room::Items(items) => items.locate(from).await,
            Room::Objects(objects) => objects.locate(from).await,
        }
    }

    async fn read(
        &self,
        question: Question<'_>,
        locator: &Locator,
    ) -> Result<Option<Record>, Fault> {
        let here = self.at(question.store).await?;
        match here.open(question).await? {
            Room::Items(items) => items.read(locator).await,
            Room::Objects(objects) => objects.read(locator).await,
        }
    }
}

#[async_trait]
impl StoreEraser for AwsStores {
    async fn erase(&self, question: Question<'_>, locator: &Locator) -> Result<Effect, Fault> {
        let retained = matches!(question.store.deletion, DeletionRule::Retain(_));
        if question.right != Right::Deletion || retained {
            return Err(Fault::reject(format!(
                "store {} is not to be erased",
                question.store.id
            )));
        }
        let here = self.at(question.store).await?;
        match (here.open(question).await?, &question.store.deletion) {
            (Room::Items(items), _) => items.make(locator).await,
            (Room::Objects(objects), DeletionRule::DeleteItem) => objects.erase(locator).await,
            (Room::Objects(_), DeletionRule::Redact { .. } | DeletionRule::Retain(_)) => {
                Err(Fault::reject(format!(
                    "objects of {} cannot be redacted",
                    question.store.id
                )))
            }
        }
    }

    async fn residuals(&self, store: &Store, now: Timestamp) -> Result<Residuals, Fault> {
        let here = self.at(store).await?;
        residuals::residuals(&here, store, now).await
    }
}

#[async_trait]
impl StoreFlagger for AwsStores {
    async fn flag(&self, question: Question<'_>, locator: &Locator) -> Result<Effect, Fault> {
        let is_flagged = matches!(question.store.opt_out, OptOutRule::Set(_));
        if question.right != Right::OptOut || !is_flagged {
            return Err(Fault::reject(format!(
                "store {} has no flags to set",
                question.store.id
            )));
        }
        let here = self.at(question.store).await?;
        match here.open(question).await? {
            Room::Items(items) => items.make(locator).await,
            Room::Objects(_) => Err(Fault::reject(format!(
                "objects of {} carry no flags",
                question.store.id
            ))),
        }
    }
}

/// How many things one answer of `locate` holds, about.
const PAGE_THINGS: usize = 100;
