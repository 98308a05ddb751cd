//! The table of wrapped data keys: a row per request, without backups or point-in-time recovery.
//!
//! Deleting a row destroys the request's data; nothing else in the system can bring it back.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;

use crate::clients::no_retry;
use crate::faults::{code, fault};

/// A request's wrapped data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRow {
    /// The wrapped key.
    pub(super) wrapped: Vec<u8>,
    /// Below which prefix the objects under this key are.
    pub(super) series: String,
    /// When the key was made.
    pub(super) created_at: Timestamp,
}

/// The table.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Keys {
    pub(super) fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }

    /// Reads a row, strongly consistent.
    pub(super) async fn load(&self, request: RequestId) -> Result<Option<KeyRow>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(ID, AttributeValue::S(request.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("GetItem", &error))?;
        let Some(row) = answer.item else {
            return Ok(None);
        };
        parse(&row)
            .map(Some)
            .ok_or_else(|| Fault::reject("vault: an unreadable row of keys"))
    }

    /// Writes a row that must not exist yet.
    pub(super) async fn create(&self, request: RequestId, row: &KeyRow) -> Result<(), Fault> {
        let wrapped = AttributeValue::B(Blob::new(row.wrapped.clone()));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(ID, AttributeValue::S(request.to_string()))
            .item(FORMAT, AttributeValue::N(FORMAT_WRITTEN.to_owned()))
            .item(WRAPPED, wrapped)
            .item(SERIES, AttributeValue::S(row.series.clone()))
            .item(CREATED_AT, AttributeValue::S(sortable(row.created_at)))
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", ID)
            .customize()
            .config_override(no_retry());
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("ConditionalCheckFailedException") => {
                Err(Fault::Conflict)
            }
            Err(error) => Err(fault("PutItem", &error)),
        }
    }

    /// Deletes a row; again is fine.
    pub(super) async fn delete(&self, request: RequestId) -> Result<(), Fault> {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete
            .key(ID, AttributeValue::S(request.to_string()))
            .send()
            .await;
        deleted
            .map(drop)
            .map_err(|error| fault("DeleteItem", &error))
    }

    /// Lists up to `limit` requests whose keys were made before an instant, in the table's own
    /// order, from the one after `after` on. That row may be gone: only its place matters.
    pub(super) async fn made_before(
        &self,
        before: Timestamp,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, Fault> {
        let mut found = Vec::new();
        let mut start =
            after.map(|id| HashMap::from([(ID.to_owned(), AttributeValue::S(id.to_string()))]));
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .projection_expression("#id")
                .filter_expression("#created_at < :before")
                .expression_attribute_names("#id", ID)
                .expression_attribute_names("#created_at", CREATED_AT)
                .expression_attribute_values(":before", AttributeValue::S(sortable(before)))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| fault("Scan", &error))?;
            for row in page.items.unwrap_or_default() {
                let id = row.get(ID).and_then(|id| id.as_s().ok());
                found.extend(id.and_then(|id| RequestId::parse(id)));
            }
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if found.len() >= limit || start.is_none() {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }
}

fn parse(row: &HashMap<String, AttributeValue>) -> Option<KeyRow> {
    let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok());
    if row.get(FORMAT)?.as_n().ok()? != FORMAT_WRITTEN {
        return None;
    }
    Some(KeyRow {
        wrapped: row.get(WRAPPED)?.as_b().ok()?.as_ref().to_vec(),
        series: text(SERIES)?.clone(),
        created_at: text(CREATED_AT)?.parse().ok()?,
    })
}

fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// The key: which request.
pub(crate) const ID: &str = "id";

const FORMAT: &str = "v";
const FORMAT_WRITTEN: &str = "1";
const WRAPPED: &str = "wrapped";
const SERIES: &str = "series";
const CREATED_AT: &str = "created_at";
