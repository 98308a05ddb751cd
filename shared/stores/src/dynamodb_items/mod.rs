//! Items of one subject in DynamoDB: found by key, by index or by scan.
//!
//! The data map's words become probes in [`probe`] and changes in [`change`]; [`search`] and
//! [`effect`] talk to the table. Invariant: an item is read or touched only while a probe of the
//! question holds for it, as seen by a strongly consistent read of the base table.

mod change;
mod effect;
mod expression;
mod meter;
mod path;
mod probe;
mod search;
mod sweep;
mod tables;
mod value;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use quittance_core::data_map::{DynamodbItems, Store};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Cursor, KeyValue, Locator};
use quittance_core::outcome::CheckMethod;
use quittance_core::subject::Identifiers;
use quittance_engine::ports::{Effect, Found, Question};
use quittance_engine::record::Record;

use self::change::Aim;
pub(crate) use self::meter::Meters;
use self::meter::{Meter, Units};
use self::probe::Probe;
pub(crate) use self::sweep::{search as search_segment, segments};
pub(crate) use self::tables::Tables;
use self::value::Attributes;
use crate::{AwsStores, Rules, errors};

type Key = BTreeMap<String, KeyValue>;

/// One question about one table.
pub(crate) struct Items<'a> {
    client: &'a Client,
    table: &'a str,
    store: &'a Store,
    key_names: Vec<String>,
    probes: Vec<Probe>,
    method: CheckMethod,
    aim: Aim,
    rules: &'a Rules,
    meter: Meter<'a>,
    page: usize,
}

impl<'a> Items<'a> {
    /// Turns a question into probes; asks the table for its key.
    pub(crate) async fn new(
        stores: &'a AwsStores,
        place: &'a DynamodbItems,
        question: Question<'a>,
    ) -> Result<Self, Fault> {
        let table = place.table.as_str();
        let probes = probe::probes(question.store, question.identifiers, &stores.rules);
        let client = &stores.dynamodb;
        let names = stores.pseudonyms(question.store);
        let aim = Aim::of(question.store, question.right, names.as_ref(), &probes);
        Ok(Self {
            client,
            table,
            store: question.store,
            key_names: stores.tables.key_names(client, table).await?,
            method: probe::method(&probes),
            probes,
            aim,
            rules: &stores.rules,
            meter: stores.meters.of(place),
            page: stores.page,
        })
    }

    /// Searches, page by page.
    pub(crate) async fn locate(&self, from: Option<&Cursor>) -> Result<Found, Fault> {
        search::locate(self, from).await
    }

    /// Reads one item without what access leaves out; none when it is gone or another's.
    pub(crate) async fn read(&self, locator: &Locator) -> Result<Option<Record>, Fault> {
        let Some(mut item) = self.current(self.key_in(locator)?).await? else {
            return Ok(None);
        };
        if !self.probes.iter().any(|probe| probe.holds(&item)) {
            return Ok(None);
        }
        for field in &self.store.access.exclude {
            path::remove(&mut item, field.segments());
        }
        let datums = item
            .iter()
            .map(|(name, found)| Some((name.clone(), value::to_datum(found)?)));
        let item = datums.collect::<Option<_>>().ok_or_else(|| {
            Fault::reject(format!(
                "table {} holds a type this version does not know",
                self.table
            ))
        })?;
        Ok(Some(Record::Item(item)))
    }

    /// Makes the effect that the question's right has on one item.
    pub(crate) async fn make(&self, locator: &Locator) -> Result<Effect, Fault> {
        effect::make(self, self.key_in(locator)?).await
    }

    /// Reads an item as it is now.
    async fn current(&self, key: &Key) -> Result<Option<Attributes>, Fault> {
        self.meter.wait(Units::Read).await;
        let answer = self
            .client
            .get_item()
            .set_return_consumed_capacity(self.meter.wanted())
            .table_name(self.table)
            .set_key(Some(value::sdk_key(key)?))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| errors::dynamodb("GetItem", self.table, &error))?;
        self.meter
            .pay(Units::Read, answer.consumed_capacity.as_ref())
            .await;
        Ok(answer.item.filter(|item| !item.is_empty()))
    }

    /// Takes the table's key out of an item or an index's hit.
    fn key_of(&self, item: &Attributes) -> Result<Key, Fault> {
        let attributes = self.key_names.iter().map(|name| {
            let found = item.get(name).and_then(value::to_key_value)?;
            Some((name.clone(), found))
        });
        attributes
            .collect::<Option<_>>()
            .ok_or(Fault::Block(BlockReason::SchemaMismatch))
    }

    fn key_in<'l>(&self, locator: &'l Locator) -> Result<&'l Key, Fault> {
        match locator {
            Locator::Item { key } => Ok(key),
            Locator::Object { .. } => Err(Fault::reject(format!(
                "an object's locator for table {}",
                self.table
            ))),
        }
    }

    /// Collects the identifiers that an item leads to.
    fn yields_of(&self, item: &Attributes) -> Identifiers {
        let mut found = Identifiers::default();
        for (kind, field) in &self.store.yields {
            // A parsed data map declares every kind it names.
            let Some(rule) = self.rules.get(kind) else {
                continue;
            };
            for raw in path::values(item, field.segments())
                .into_iter()
                .flat_map(value::texts)
            {
                match rule.normalise(raw) {
                    Ok(value) => {
                        found.insert(kind.clone(), value);
                    }
                    Err(reason) => {
                        tracing::warn!(
                            store.id = %self.store.id,
                            fault = %reason,
                            "an identifier in an item cannot be used to find more"
                        );
                    }
                }
            }
        }
        found
    }

    /// How many items one request may return.
    fn limit(&self) -> i32 {
        i32::try_from(self.page).unwrap_or(i32::MAX).max(1)
    }
}
