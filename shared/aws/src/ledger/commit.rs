//! Guarded writes: all or nothing, each under its own item's condition.
//!
//! The SDK's retries are off here: a second try after a lost answer would meet our own write and
//! call it a conflict. What `DynamoDB` says it did *not* do (throttles, transaction conflicts) is
//! tried again a few times; every unknown outcome is a [`Fault::Retry`].

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};
use quittance_core::fault::Fault;
use quittance_engine::ledger::{Item, Key, MAX_WRITES, Version, Write};

use super::attributes::{Attributes, PK, VERSION, number};
use super::{DynamoLedger, encode, place};
use crate::clients::no_retry;
use crate::faults::{code, fault, is_throttle};

impl DynamoLedger {
    /// Makes all writes or none.
    pub(super) async fn make(&self, writes: &[Write]) -> Result<(), Fault> {
        refuse_illegal(writes)?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.attempt(writes).await? {
                Attempt::Done => return Ok(()),
                Attempt::NotDone(_) => {
                    tokio::time::sleep(pause.mul_f64(self.jitter())).await;
                    pause *= 2;
                }
            }
        }
        match self.attempt(writes).await? {
            Attempt::Done => Ok(()),
            Attempt::NotDone(why) => Err(Fault::retry(format!("the ledger is busy: {why}"))),
        }
    }

    async fn attempt(&self, writes: &[Write]) -> Result<Attempt, Fault> {
        match writes {
            [Write::Create(item)] => self.put(item, Guard::Absent).await,
            [Write::Replace(item, version)] => self.put(item, Guard::Exactly(*version)).await,
            [Write::Delete(key, version)] => self.delete(key, Guard::Exactly(*version)).await,
            _ => self.transact(writes).await,
        }
    }

    async fn put(&self, item: &Item, guard: Guard) -> Result<Attempt, Fault> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(encode(item, guard.next())?))
            .condition_expression(guard.condition())
            .set_expression_attribute_names(Some(guard.names()))
            .set_expression_attribute_values(guard.values())
            .customize()
            .config_override(no_retry())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Attempt::Done),
            Err(error) => judge(code(&error)).unwrap_or_else(|| Err(fault("PutItem", &error))),
        }
    }

    async fn delete(&self, key: &Key, guard: Guard) -> Result<Attempt, Fault> {
        let sent = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(place(key).into_attributes()))
            .condition_expression(guard.condition())
            .set_expression_attribute_names(Some(guard.names()))
            .set_expression_attribute_values(guard.values())
            .customize()
            .config_override(no_retry())
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Attempt::Done),
            Err(error) => judge(code(&error)).unwrap_or_else(|| Err(fault("DeleteItem", &error))),
        }
    }

    async fn transact(&self, writes: &[Write]) -> Result<Attempt, Fault> {
        let items: Vec<TransactWriteItem> = writes
            .iter()
            .map(|write| self.part(write))
            .collect::<Result<_, _>>()?;
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .customize()
            .config_override(no_retry())
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Attempt::Done);
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
            error.as_service_error()
        {
            let reasons: Vec<&str> = canceled
                .cancellation_reasons()
                .iter()
                .filter_map(|reason| reason.code())
                .filter(|code| *code != "None")
                .collect();
            return judge_canceled(&reasons);
        }
        judge(code(&error)).unwrap_or_else(|| Err(fault("TransactWriteItems", &error)))
    }

    fn part(&self, write: &Write) -> Result<TransactWriteItem, Fault> {
        let part = TransactWriteItem::builder();
        let part = match write {
            Write::Create(item) => part.put(self.put_part(item, Guard::Absent)?),
            Write::Replace(item, version) => {
                part.put(self.put_part(item, Guard::Exactly(*version))?)
            }
            Write::Delete(key, version) => {
                let guard = Guard::Exactly(*version);
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(place(key).into_attributes()))
                    .condition_expression(guard.condition())
                    .set_expression_attribute_names(Some(guard.names()))
                    .set_expression_attribute_values(guard.values());
                part.delete(delete.build().map_err(unbuilt)?)
            }
            Write::Check(key, version) => {
                let guard = Guard::Exactly(*version);
                let check = ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(place(key).into_attributes()))
                    .condition_expression(guard.condition())
                    .set_expression_attribute_names(Some(guard.names()))
                    .set_expression_attribute_values(guard.values());
                part.condition_check(check.build().map_err(unbuilt)?)
            }
        };
        Ok(part.build())
    }

    fn put_part(&self, item: &Item, guard: Guard) -> Result<Put, Fault> {
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(encode(item, guard.next())?))
            .condition_expression(guard.condition())
            .set_expression_attribute_names(Some(guard.names()))
            .set_expression_attribute_values(guard.values())
            .build()
            .map_err(unbuilt)
    }

    /// Between a half and one and a half.
    fn jitter(&self) -> f64 {
        let [byte, ..] = self.clock.random();
        0.5 + f64::from(byte) / 255.0
    }
}

/// What a try came to, unless it failed.
enum Attempt {
    Done,
    /// Certainly not done, and worth another try.
    NotDone(String),
}

/// An item's condition.
#[derive(Clone, Copy)]
enum Guard {
    Absent,
    Exactly(Version),
}

impl Guard {
    const fn condition(self) -> &'static str {
        match self {
            Self::Absent => "attribute_not_exists(#guard)",
            Self::Exactly(_) => "#guard = :version",
        }
    }

    fn names(self) -> std::collections::HashMap<String, String> {
        let name = match self {
            Self::Absent => PK,
            Self::Exactly(_) => VERSION,
        };
        std::collections::HashMap::from([("#guard".to_owned(), name.to_owned())])
    }

    fn values(self) -> Option<Attributes> {
        match self {
            Self::Absent => None,
            Self::Exactly(Version(n)) => {
                Some(Attributes::from([(":version".to_owned(), number(n))]))
            }
        }
    }

    /// The version that a put under this guard writes.
    const fn next(self) -> Version {
        match self {
            Self::Absent => Version(1),
            Self::Exactly(Version(n)) => Version(n.saturating_add(1)),
        }
    }
}

/// Says what an error code means for a guarded write; none when it has no special meaning.
fn judge(code: Option<&str>) -> Option<Result<Attempt, Fault>> {
    match code? {
        "ConditionalCheckFailedException" => Some(Err(Fault::Conflict)),
        code @ "TransactionConflictException" => Some(Ok(Attempt::NotDone(code.to_owned()))),
        code if is_throttle(code) => Some(Ok(Attempt::NotDone(code.to_owned()))),
        _ => None,
    }
}

/// Says what the reasons of a cancelled transaction mean: nothing of it was written.
fn judge_canceled(reasons: &[&str]) -> Result<Attempt, Fault> {
    if reasons.contains(&"ConditionalCheckFailed") {
        return Err(Fault::Conflict);
    }
    if reasons
        .iter()
        .any(|r| matches!(*r, "ValidationError" | "ItemCollectionSizeLimitExceeded"))
    {
        return Err(Fault::reject(format!(
            "TransactWriteItems: {}",
            reasons.join(", ")
        )));
    }
    Ok(Attempt::NotDone(reasons.join(", ")))
}

fn refuse_illegal(writes: &[Write]) -> Result<(), Fault> {
    let keys: BTreeSet<Key> = writes.iter().map(Write::key).collect();
    if writes.is_empty() || writes.len() > MAX_WRITES {
        return Err(Fault::reject(format!(
            "a commit of {} writes",
            writes.len()
        )));
    }
    if keys.len() != writes.len() {
        return Err(Fault::reject("a commit with two writes of one item"));
    }
    if writes.iter().all(|write| matches!(write, Write::Check(..))) {
        return Err(Fault::reject("a commit that writes nothing"));
    }
    Ok(())
}

fn unbuilt(_: aws_sdk_dynamodb::error::BuildError) -> Fault {
    Fault::reject("TransactWriteItems: a part could not be built")
}

const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(25);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_guard_decides_over_everything_else() {
        let reasons = ["TransactionConflict", "ConditionalCheckFailed"];
        assert!(matches!(judge_canceled(&reasons), Err(Fault::Conflict)));
        assert!(matches!(
            judge_canceled(&["TransactionConflict"]),
            Ok(Attempt::NotDone(_))
        ));
        assert!(matches!(
            judge_canceled(&["ValidationError"]),
            Err(Fault::Reject { .. })
        ));
    }

    #[test]
    fn what_was_certainly_not_done_is_tried_again() {
        assert!(matches!(
            judge(Some("ThrottlingException")),
            Some(Ok(Attempt::NotDone(_)))
        ));
        assert!(matches!(
            judge(Some("ConditionalCheckFailedException")),
            Some(Err(Fault::Conflict))
        ));
        assert!(judge(Some("InternalServerError")).is_none());
        assert!(judge(None).is_none());
    }
}
