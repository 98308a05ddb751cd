//! The demo company: the Chinook music shop, as its own applications would write its data.

mod lake;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, PutRequest, ScalarAttributeType, WriteRequest,
};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use quittance_aws::clients::Clients;
use quittance_core::digest::Digest;
use serde_json::Value;

pub(crate) use self::lake::Days;
use crate::printing::Failure;

/// The shop's data map.
pub(crate) const DATA_MAP: &str = include_str!("../data/music-shop.yaml");
const CUSTOMERS: &str = include_str!("../data/customers.jsonl");
const INVOICES: &str = include_str!("../data/invoices.jsonl");

/// A customer of the shop.
#[derive(Clone)]
pub(crate) struct Customer {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) country: String,
    row: Value,
}

/// Reads the shop's customers.
pub(crate) fn customers() -> Vec<Customer> {
    let rows = CUSTOMERS
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    rows.filter_map(|row| {
        let text = |name: &str| row.get(name)?.as_str().map(str::to_owned);
        Some(Customer {
            id: row.get("customer_id")?.as_u64()?,
            name: format!("{} {}", text("firstname")?, text("lastname")?),
            email: text("email")?,
            country: text("country")?,
            row: row.clone(),
        })
    })
    .collect()
}

/// Builds tables, bucket and contents, unless they are there.
pub(crate) async fn furnish(clients: &Clients, days: Days) -> Result<(), Failure> {
    let there = clients
        .dynamodb()
        .describe_table()
        .table_name("shop-customers")
        .send()
        .await
        .is_ok();
    if there
        && clients
            .s3()
            .head_bucket()
            .bucket(BUCKET)
            .send()
            .await
            .is_ok()
    {
        return Ok(());
    }
    table(
        clients,
        "shop-customers",
        ("customer_id", None),
        Some(("by_email", "email", true)),
    )
    .await?;
    table(
        clients,
        "shop-invoices",
        ("customer_id", Some("invoice_id")),
        None,
    )
    .await?;
    let by_customer = Some(("by_customer", "customer_id", false));
    table(clients, "shop-reviews", ("review_id", None), by_customer).await?;
    let mut accounts = Vec::new();
    let mut reviews = Vec::new();
    for customer in customers() {
        let mut row = customer.row.clone();
        if let Some(fields) = row.as_object_mut() {
            // The index is kept in the normalised spelling, as docs/DATA_MAP.md asks.
            fields.insert("email".to_owned(), customer.email.to_lowercase().into());
        }
        accounts.push(row);
        reviews.push(review(&customer));
    }
    let invoices: Vec<Value> = INVOICES
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    put_all(clients, "shop-reviews", &reviews).await?;
    put_all(clients, "shop-invoices", &invoices).await?;
    avatars(clients).await?;
    lake::fill(clients, &customers(), days).await?;
    // Last, since its presence says that the shop is furnished.
    put_all(clients, "shop-customers", &accounts).await
}

/// What the shop holds at one moment.
pub(crate) struct Inventory {
    /// Of each customer's data in all stores: what must not change for anybody else.
    pub(crate) digests: BTreeMap<u64, Digest>,
    /// How many events the lake holds.
    pub(crate) events: u64,
}

/// Goes through all stores.
pub(crate) async fn inventory(clients: &Clients) -> Result<Inventory, Failure> {
    let mut facts: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for name in ["shop-customers", "shop-invoices", "shop-reviews"] {
        let mut pages = clients
            .dynamodb()
            .scan()
            .table_name(name)
            .into_paginator()
            .items()
            .send();
        while let Some(item) = pages.next().await {
            let item: BTreeMap<_, _> = item?.into_iter().collect();
            if let Some(id) = item.get("customer_id").and_then(|id| id.as_n().ok()) {
                facts
                    .entry(id.parse()?)
                    .or_default()
                    .push(format!("{name} {item:?}"));
            }
        }
    }
    let listed = clients
        .s3()
        .list_object_versions()
        .bucket(BUCKET)
        .send()
        .await?;
    for version in listed.versions() {
        let key = version.key().unwrap_or_default();
        let owner = key.split('/').nth(1).and_then(|id| id.parse::<u64>().ok());
        if let Some(id) = owner {
            let fact = format!("{key} {:?} {:?}", version.version_id(), version.e_tag());
            facts.entry(id).or_default().push(fact);
        }
    }
    let (lake, events) = lake::digests(clients).await?;
    for (id, digest) in lake {
        facts.entry(id).or_default().push(format!("lake {digest}"));
    }
    let digests = facts.into_iter().map(|(id, mut facts)| {
        facts.sort();
        (id, Digest::of(facts.join("\n").as_bytes()))
    });
    Ok(Inventory {
        digests: digests.collect(),
        events,
    })
}

/// A review per customer, derived from the account: a public text with a name under it.
fn review(customer: &Customer) -> Value {
    serde_json::json!({
        "review_id": 1000 + customer.id,
        "customer_id": customer.id,
        "author": customer.name,
        "city": customer.country,
        "stars": 3 + customer.id % 3,
        "text": "Came fast, sounds warm.",
    })
}

/// Two versions of a picture for every customer: deleting means deleting both.
async fn avatars(clients: &Clients) -> Result<(), Failure> {
    let made = clients.s3().create_bucket().bucket(BUCKET).send().await;
    if made.is_err() {
        clients.s3().head_bucket().bucket(BUCKET).send().await?;
    }
    let versioning = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    let bucket = clients.s3().put_bucket_versioning().bucket(BUCKET);
    bucket.versioning_configuration(versioning).send().await?;
    for customer in customers() {
        for shade in ["sepia", "colour"] {
            let picture = format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>{} ({shade})</title></svg>",
                customer.name
            );
            let put = clients.s3().put_object().bucket(BUCKET);
            put.key(format!("avatars/{}/portrait.svg", customer.id))
                .content_type("image/svg+xml")
                .body(Bytes::from(picture).into())
                .send()
                .await?;
        }
    }
    Ok(())
}

/// Makes a table with numeric keys, and an index whose key is text or a number.
async fn table(
    clients: &Clients,
    name: &str,
    (partition, sort): (&str, Option<&str>),
    index: Option<(&str, &str, bool)>,
) -> Result<(), Failure> {
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
    };
    let attribute = |name: &str, kind: ScalarAttributeType| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
    };
    let mut create = clients
        .dynamodb()
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key(partition, KeyType::Hash)?)
        .attribute_definitions(attribute(partition, ScalarAttributeType::N)?);
    if let Some(sort) = sort {
        create = create
            .key_schema(key(sort, KeyType::Range)?)
            .attribute_definitions(attribute(sort, ScalarAttributeType::N)?);
    }
    if let Some((index, by, is_text)) = index {
        let kind = if is_text {
            ScalarAttributeType::S
        } else {
            ScalarAttributeType::N
        };
        let all = Projection::builder()
            .projection_type(ProjectionType::All)
            .build();
        let built = GlobalSecondaryIndex::builder()
            .index_name(index)
            .key_schema(key(by, KeyType::Hash)?)
            .projection(all)
            .build()?;
        create = create
            .attribute_definitions(attribute(by, kind)?)
            .global_secondary_indexes(built);
    }
    if create.send().await.is_err() {
        // Left over from a start that was killed: then it is there.
        clients
            .dynamodb()
            .describe_table()
            .table_name(name)
            .send()
            .await?;
    }
    Ok(())
}

async fn put_all(clients: &Clients, table: &str, rows: &[Value]) -> Result<(), Failure> {
    for chunk in rows.chunks(25) {
        let mut writes = Vec::with_capacity(chunk.len());
        for row in chunk {
            let item = row.as_object().map(|fields| {
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), attribute(value)))
                    .collect()
            });
            let put = PutRequest::builder().set_item(item).build()?;
            writes.push(WriteRequest::builder().put_request(put).build());
        }
        let mut left = Some(std::collections::HashMap::from([(
            table.to_owned(),
            writes,
        )]));
        while let Some(batch) = left.take().filter(|batch| !batch.is_empty()) {
            let write = clients
                .dynamodb()
                .batch_write_item()
                .set_request_items(Some(batch));
            left = write.send().await?.unprocessed_items;
        }
    }
    Ok(())
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(fields) => AttributeValue::M(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), attribute(value)))
                .collect(),
        ),
    }
}

const BUCKET: &str = "shop-media";
