//! The head of the log, on a `DynamoDB` table of its own: the log's only commit point.
//!
//! One item; a swap is conditioned on the whole old head, so that two sequencers, a thawed Lambda or
//! a restored table can never both win. The SDK's retries are off for swaps.

use async_trait::async_trait;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::fault::Fault;
use quittance_engine::ports::{Head, HeadLock};

use crate::clients::no_retry;
use crate::faults::{code, fault, is_throttle};

/// The head's table.
#[derive(Clone, Debug)]
pub struct DynamoHeadLock {
    client: aws_sdk_dynamodb::Client,
    table: String,
    origin: String,
}

impl DynamoHeadLock {
    /// Builds the lock over a table; `origin` is the log's name and the item's key.
    pub fn new(
        client: aws_sdk_dynamodb::Client,
        table: impl Into<String>,
        origin: impl Into<String>,
    ) -> Self {
        Self {
            client,
            table: table.into(),
            origin: origin.into(),
        }
    }
}

#[async_trait]
impl HeadLock for DynamoHeadLock {
    async fn read(&self) -> Result<Option<Head>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(LOG, AttributeValue::S(self.origin.clone()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("GetItem", &error))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        if item.get(FORMAT) != Some(&AttributeValue::N(FORMAT_WRITTEN.to_owned())) {
            return Err(Fault::reject("the log's head has an unknown format"));
        }
        let checkpoint = item
            .get(CHECKPOINT)
            .and_then(|value| value.as_b().ok())
            .map(|blob| blob.as_ref().to_vec())
            .ok_or_else(|| Fault::reject("the log's head has no checkpoint"))?;
        let staging = item
            .get(STAGING)
            .and_then(|value| value.as_s().ok())
            .cloned();
        Ok(Some(Head {
            checkpoint,
            staging,
        }))
    }

    async fn swap(&self, old: Option<&Head>, new: &Head) -> Result<(), Fault> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(LOG, AttributeValue::S(self.origin.clone()))
            .item(FORMAT, AttributeValue::N(FORMAT_WRITTEN.to_owned()))
            .item(CHECKPOINT, bytes(&new.checkpoint));
        let put = match &new.staging {
            Some(staging) => put.item(STAGING, AttributeValue::S(staging.clone())),
            None => put,
        };
        let put = match old {
            None => put
                .condition_expression("attribute_not_exists(#log)")
                .expression_attribute_names("#log", LOG),
            Some(old) => {
                let put = put
                    .expression_attribute_names("#checkpoint", CHECKPOINT)
                    .expression_attribute_names("#staging", STAGING)
                    .expression_attribute_values(":checkpoint", bytes(&old.checkpoint));
                match &old.staging {
                    Some(staging) => {
                        put.condition_expression(
                            "#checkpoint = :checkpoint AND #staging = :staging",
                        )
                        .expression_attribute_values(":staging", AttributeValue::S(staging.clone()))
                    }
                    None => put.condition_expression(
                        "#checkpoint = :checkpoint AND attribute_not_exists(#staging)",
                    ),
                }
            }
        };
        let Err(error) = put.customize().config_override(no_retry()).send().await else {
            return Ok(());
        };
        match code(&error) {
            Some("ConditionalCheckFailedException") => Err(Fault::Conflict),
            Some(code) if is_throttle(code) => Err(Fault::retry(format!("head: {code}"))),
            Some(_) | None => Err(fault("PutItem", &error)),
        }
    }
}

fn bytes(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// The key: which log.
pub(crate) const LOG: &str = "log";

const FORMAT: &str = "v";
const FORMAT_WRITTEN: &str = "1";
const CHECKPOINT: &str = "checkpoint";
const STAGING: &str = "staging";
