//! The ledger, on one `DynamoDB` table. `docs/LEDGER.md` tells more of every kind of item.
//!
//! | kind | `pk` | `sk` | in indexes |
//! |---|---|---|---|
//! | `request` | `R#id` | `request` | `wake` while it wakes, `queue` always |
//! | `task` | `R#id` | `task#store` | |
//! | `event` | `R#id` | `event#` and eight digits | |
//! | `reference` | `F#reference` | `reference` | |
//! | `token` | `T#tag` | `token` | |
//! | `subject` | `S#tag` | `R#id` | |
//! | `outbox` | `O#0` | instant `#` leaf id | |
//! | `leaf` | `L#leaf id` | `leaf` | |
//! | `suppression` | `X#right#tag` | `entry` | |
//! | `sweep` | `W#right#store` | ten digits | |
//! | `shard` | `W#right#store#n` | `shard#` and ten digits | |
//! | `exclusion` | `W#right#store#n` | `out#R#id` | |
//! | `waiting` | `Q#right#store` | `R#id` | |
//! | `pause` | `P#store` | `pause` | |
//! | `sweep_vault` | `V#vault` | `vault` | |
//! | `member` | `R#id` | `member#` and eight digits | |
//! | `hold` | `H` | `store#id` or `identifier#tag` | |

mod attributes;
mod commit;
mod event;
mod exclusion;
mod hold;
mod leaf;
mod listing;
mod member;
mod outbox;
mod pause;
mod reference;
mod request;
mod shard;
mod subject;
mod suppression;
mod sweep;
mod sweep_vault;
mod task;
mod token;
mod waiting;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_engine::ledger::{Bookmark, Item, Key, Listing, Page, Stored, Version, Write};
use quittance_engine::ports::{Clock, Ledger};

use crate::faults::fault;
use attributes::{Attributes, Place};

/// The ledger.
#[derive(Clone)]
pub struct DynamoLedger {
    client: aws_sdk_dynamodb::Client,
    table: String,
    /// For the jitter between tries.
    clock: Arc<dyn Clock>,
}

impl DynamoLedger {
    /// Builds the ledger over a table that [`crate::provision`] or the template made.
    pub fn new(
        client: aws_sdk_dynamodb::Client,
        table: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            client,
            table: table.into(),
            clock,
        }
    }
}

impl fmt::Debug for DynamoLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoLedger")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(place(key).into_attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("GetItem", &error))?;
        answer.item.map(decode).transpose()
    }

    async fn list(
        &self,
        listing: &Listing,
        from: Option<&Bookmark>,
        limit: usize,
    ) -> Result<Page, Fault> {
        self.page(listing, from, limit).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), Fault> {
        self.make(writes).await
    }
}

/// The kinds of items, as their `kind` attribute says.
pub const KINDS: [&str; 17] = [
    request::KIND,
    task::KIND,
    event::KIND,
    reference::KIND,
    token::KIND,
    subject::KIND,
    outbox::KIND,
    leaf::KIND,
    suppression::KIND,
    sweep::KIND,
    shard::KIND,
    waiting::KIND,
    exclusion::KIND,
    pause::KIND,
    sweep_vault::KIND,
    member::KIND,
    hold::KIND,
];

fn place(key: &Key) -> Place {
    match key {
        Key::Request(id) => request::place(*id),
        Key::Task(id, store) => task::place(*id, store),
        Key::Event(id, n) => event::place(*id, *n),
        Key::Reference(reference) => reference::place(reference),
        Key::Token(tag) => token::place(*tag),
        Key::Subject(tag, id) => subject::place(*tag, *id),
        Key::Outbox(at, leaf) => outbox::place(*at, *leaf),
        Key::Leaf(id) => leaf::place(*id),
        Key::Suppression(right, tag) => suppression::place(*right, *tag),
        Key::Sweep(id) => sweep::place(id),
        Key::Shard(id, k) => shard::place(id, *k),
        Key::Waiting(store, right, id) => waiting::place(store, *right, *id),
        Key::Exclusion(id, request) => exclusion::place(id, *request),
        Key::Pause(store) => pause::place(store),
        Key::SweepVault(vault) => sweep_vault::place(*vault),
        Key::Member(batch, n) => member::place(*batch, *n),
        Key::Hold(on) => hold::place(on),
    }
}

fn encode(item: &Item, version: Version) -> Result<Attributes, Fault> {
    let (kind, mut all) = match item {
        Item::Request(request) => (request::KIND, request::attributes(request)?),
        Item::Task(task) => (task::KIND, attributes::write(task)?),
        Item::Event(event) => (event::KIND, attributes::write(event)?),
        Item::Reference(entry) => (reference::KIND, attributes::write(entry)?),
        Item::Token(token) => (token::KIND, token::attributes(token)?),
        Item::Subject(entry) => (subject::KIND, attributes::write(entry)?),
        Item::Outbox(row) => (outbox::KIND, attributes::write(row)?),
        Item::Leaf(leaf) => (leaf::KIND, attributes::write(leaf)?),
        Item::Suppression(entry) => (suppression::KIND, attributes::write(entry)?),
        Item::Sweep(sweep) => (sweep::KIND, attributes::write(sweep)?),
        Item::Shard(shard) => (shard::KIND, attributes::write(shard)?),
        Item::Waiting(entry) => (waiting::KIND, attributes::write(entry)?),
        Item::Exclusion(entry) => (exclusion::KIND, attributes::write(entry)?),
        Item::Pause(pause) => (pause::KIND, attributes::write(pause)?),
        Item::SweepVault(entry) => (sweep_vault::KIND, attributes::write(entry)?),
        Item::Member(member) => (member::KIND, attributes::write(member)?),
        Item::Hold(hold) => (hold::KIND, attributes::write(hold)?),
    };
    all.extend(place(&item.key()).into_attributes());
    attributes::frame(&mut all, kind, version);
    Ok(all)
}

fn decode(all: Attributes) -> Result<Stored, Fault> {
    let (kind, version) = attributes::unframe(&all)?;
    let item = match kind.as_str() {
        request::KIND => Item::Request(attributes::read(&kind, all)?),
        task::KIND => Item::Task(attributes::read(&kind, all)?),
        event::KIND => Item::Event(attributes::read(&kind, all)?),
        reference::KIND => Item::Reference(attributes::read(&kind, all)?),
        token::KIND => Item::Token(attributes::read(&kind, all)?),
        subject::KIND => Item::Subject(attributes::read(&kind, all)?),
        outbox::KIND => Item::Outbox(attributes::read(&kind, all)?),
        leaf::KIND => Item::Leaf(attributes::read(&kind, all)?),
        suppression::KIND => Item::Suppression(attributes::read(&kind, all)?),
        sweep::KIND => Item::Sweep(attributes::read(&kind, all)?),
        shard::KIND => Item::Shard(attributes::read(&kind, all)?),
        waiting::KIND => Item::Waiting(attributes::read(&kind, all)?),
        exclusion::KIND => Item::Exclusion(attributes::read(&kind, all)?),
        pause::KIND => Item::Pause(attributes::read(&kind, all)?),
        sweep_vault::KIND => Item::SweepVault(attributes::read(&kind, all)?),
        member::KIND => Item::Member(attributes::read(&kind, all)?),
        hold::KIND => Item::Hold(attributes::read(&kind, all)?),
        other => {
            return Err(Fault::reject(format!(
                "a ledger item of the unknown kind {other}"
            )));
        }
    };
    Ok(Stored { item, version })
}

/// Names that the tables' descriptions need.
pub(crate) mod keys {
    pub(crate) use super::attributes::{EXPIRES, PK, SK};
    pub(crate) use super::request::{QUEUE, QUEUE_PK, QUEUE_SK, WAKE, WAKE_PK, WAKE_SK};
}

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;
