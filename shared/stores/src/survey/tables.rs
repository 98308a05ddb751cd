//! Tables: which no store names, and whether those that are named have the keys and indexes the map
//! speaks of.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, KeySchemaElement, KeyType as Place, ScalarAttributeType, TableDescription,
};
use quittance_core::data_map::{DataMap, FindHow, KeyQuery, KeyType, SortTest};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::outcome::ResidualKind;

use super::{About, Asked, Finding, FindingKind, asked, unlisted, unnamed};
use crate::{AwsStores, errors};

/// Lists the tables of the account and region that no store names.
pub(super) async fn unmapped(
    stores: &AwsStores,
    map: &DataMap,
    own: &BTreeSet<String>,
    findings: &mut Vec<Finding>,
) -> Result<(), Fault> {
    let named: BTreeSet<&str> = map.stores.iter().filter_map(named).collect();
    let mut after = None;
    loop {
        let listed = stores.dynamodb.list_tables();
        let listed = listed.set_exclusive_start_table_name(after).send().await;
        let listed = match asked(listed, |error| errors::dynamodb("ListTables", "all", error))? {
            Asked::Told(listed) => listed,
            Asked::Refused(reason) => {
                unlisted(findings, "tables", reason, "dynamodb:ListTables");
                return Ok(());
            }
        };
        for table in listed.table_names() {
            if named.contains(table.as_str()) || own.contains(table) {
                continue;
            }
            let described = stores.dynamodb.describe_table().table_name(table);
            let described = described.send().await.ok();
            let items = described.and_then(|answer| answer.table?.item_count);
            let size = items.map_or_else(String::new, |items| format!(", about {items} items"));
            unnamed(findings, format!("table {table}"), &size);
        }
        after = listed.last_evaluated_table_name;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn named(store: &quittance_core::data_map::Store) -> Option<&str> {
    use quittance_core::data_map::Place;
    match &store.place {
        Place::DynamoDb(place) => Some(&place.table),
        Place::S3Objects(_) | Place::S3Records(_) | Place::Attested(_) => None,
    }
}

/// Compares one table with what its store says of it.
pub(super) async fn of_store(
    stores: &AwsStores,
    table: &str,
    about: &mut About<'_>,
) -> Result<(), Fault> {
    let described = stores.dynamodb.describe_table().table_name(table);
    let described = match asked(described.send().await, |error| {
        errors::dynamodb("DescribeTable", table, error)
    })? {
        Asked::Told(described) => described.table,
        Asked::Refused(BlockReason::StoreMissing) => {
            let says =
                "is not there; correct the name, the account or the region, or take the store out";
            about.note(FindingKind::Missing, says);
            return Ok(());
        }
        Asked::Refused(reason) => {
            about.note(
                FindingKind::Unasked,
                format!("cannot be described: {reason}; allow dynamodb:DescribeTable"),
            );
            return Ok(());
        }
    };
    let Some(described) = described else {
        return Ok(());
    };
    keys(&described, about);
    if let Some(region) = stores.dynamodb.config().region() {
        about.region(region.as_ref());
    }
    if !described.replicas().is_empty() && !speaks_of(about, ResidualKind::Replica) {
        let says = "has replicas: they follow within seconds, and nobody looks there; add copies: { replica: … }";
        about.note(FindingKind::Copies, says);
    }
    if described
        .stream_specification()
        .is_some_and(|s| s.stream_enabled)
    {
        let says = "has a stream: whoever reads it sees deleted items for 24 hours, and copies of them where it writes";
        about.note(FindingKind::Fires, says);
    }
    let backups = stores
        .dynamodb
        .list_backups()
        .table_name(table)
        .send()
        .await;
    match asked(backups, |error| {
        errors::dynamodb("ListBackups", table, error)
    }) {
        Ok(Asked::Told(backups))
            if !backups.backup_summaries().is_empty()
                && !speaks_of(about, ResidualKind::Backup) =>
        {
            let says = format!(
                "has backups ({} on the first page); add copies: {{ backup: 35d }}, or however long they are kept",
                backups.backup_summaries().len()
            );
            about.note(FindingKind::Copies, says);
        }
        Ok(Asked::Told(_)) => {}
        Ok(Asked::Refused(reason)) => about.note(
            FindingKind::Unasked,
            format!("its backups cannot be listed: {reason}; allow dynamodb:ListBackups"),
        ),
        // An emulator that has no backups does not know the question.
        Err(Fault::Retry { detail, .. }) if detail.contains("UnknownOperation") => {}
        Err(fault) => return Err(fault),
    }
    Ok(())
}

fn speaks_of(about: &About<'_>, what: ResidualKind) -> bool {
    about.store.copies.contains_key(&what)
}

/// Compares the ways to find a subject with the table's keys.
fn keys(table: &TableDescription, about: &mut About<'_>) {
    for find in &about.store.find {
        let problem = match &find.how {
            FindHow::Key(query) => {
                let own = table.key_schema();
                mismatch("the table's key", own, table.attribute_definitions(), query)
            }
            FindHow::Index { index, query, .. } => {
                let global = table.global_secondary_indexes().iter();
                let global = global.map(|known| (known.index_name(), known.key_schema()));
                let local = table.local_secondary_indexes().iter();
                let local = local.map(|known| (known.index_name(), known.key_schema()));
                let known = global.chain(local).find(|(name, _)| *name == Some(index));
                match known {
                    None => Some(format!(
                        "has no index {index}; correct the name, or create it"
                    )),
                    Some((_, key)) => {
                        let what = format!("the key of {index}");
                        mismatch(&what, key, table.attribute_definitions(), query)
                    }
                }
            }
            FindHow::Columns(_) | FindHow::Field(_) => None,
        };
        if let Some(problem) = problem {
            about.note(FindingKind::Mismatch, problem);
        }
    }
}

/// Says what a question by key has otherwise than the key itself.
fn mismatch(
    what: &str,
    key: &[KeySchemaElement],
    attributes: &[AttributeDefinition],
    query: &KeyQuery,
) -> Option<String> {
    let named = |place: &Place| {
        let found = key.iter().find(|element| element.key_type() == place);
        found.map(KeySchemaElement::attribute_name)
    };
    let partition = named(&Place::Hash).unwrap_or_default();
    if partition != query.key {
        return Some(format!(
            "{what} is {partition}, and the map says key: {}; correct the map",
            query.key
        ));
    }
    let defined = attributes
        .iter()
        .find(|attribute| attribute.attribute_name() == query.key);
    let wanted = match query.key_type {
        KeyType::Number => ScalarAttributeType::N,
        KeyType::String => ScalarAttributeType::S,
    };
    if let Some(defined) = defined
        && *defined.attribute_type() != wanted
    {
        return Some(format!(
            "{} is of type {}, and the map asks for {wanted}; write type: number where it is N",
            query.key,
            defined.attribute_type()
        ));
    }
    let sort = query.sort.as_ref()?;
    let known = named(&Place::Range);
    (known != Some(sort.key.as_str())).then(|| {
        let known = known.unwrap_or("none");
        let test = match &sort.test {
            SortTest::BeginsWith(_) => "begins_with",
            SortTest::Equals(_) => "equals",
        };
        format!(
            "the sort key of {what} is {known}, and the map says sort: {{ key: {}, {test}: … }}; correct the map",
            sort.key
        )
    })
}
