//! The key attributes of tables, asked once per table and process: a table's key never changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use quittance_core::fault::{BlockReason, Fault};

use crate::errors;

/// Remembers which attributes make up the key of each table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    key_names: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Tables {
    /// Returns about how many bytes a table holds. It changes all the time, and DynamoDB says so
    /// every six hours only: it is asked each time.
    pub(crate) async fn size(&self, client: &Client, table: &str) -> Result<u64, Fault> {
        let answer = client
            .describe_table()
            .table_name(table)
            .send()
            .await
            .map_err(|error| errors::dynamodb("DescribeTable", table, &error))?;
        let bytes = answer.table().and_then(|table| table.table_size_bytes);
        Ok(bytes
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or_default())
    }

    /// Returns the names of a table's key attributes.
    pub(crate) async fn key_names(
        &self,
        client: &Client,
        table: &str,
    ) -> Result<Vec<String>, Fault> {
        let known = self
            .key_names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(table)
            .cloned();
        if let Some(names) = known {
            return Ok(names);
        }
        let answer = client
            .describe_table()
            .table_name(table)
            .send()
            .await
            .map_err(|error| errors::dynamodb("DescribeTable", table, &error))?;
        let names: Vec<String> = answer
            .table()
            .map(|table| {
                table
                    .key_schema()
                    .iter()
                    .map(|key| key.attribute_name.clone())
                    .collect()
            })
            .unwrap_or_default();
        if names.is_empty() {
            return Err(Fault::Block(BlockReason::SchemaMismatch));
        }
        let mut known = self
            .key_names
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(table.to_owned(), names.clone());
        Ok(names)
    }
}
