//! Copies that no effect reaches: what a table or a bucket says of its recovery, replicas, streams,
//! inventories and access logs.
//!
//! Backups are not asked for: listing them is no permission for one table, so the data map names them. A place that
//! refuses, or does not know the question, is answered with `unknown`, never with silence.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::PointInTimeRecoveryStatus;
use jiff::{SignedDuration, Timestamp};
use quittance_core::data_map::{Place, Store};
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::outcome::{ResidualKind, Residuals};

use crate::{AwsStores, errors};

/// How long a copy lasts; none when no end is known.
type Lasts = Option<SignedDuration>;

/// What was answered some minutes ago: such questions may be asked ten times a second in an account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<Answers>>);

type Answers = HashMap<Digest, (Timestamp, Vec<(ResidualKind, Lasts)>)>;

/// Says which copies of a store's data outlast what is deleted at `now`.
pub(crate) async fn residuals(
    stores: &AwsStores,
    store: &Store,
    now: Timestamp,
) -> Result<Residuals, Fault> {
    let copies = if let Some(copies) = stores.asked.again(store, now) {
        copies
    } else {
        let copies = ask(stores, store).await?;
        stores.asked.remember(store, now, &copies);
        copies
    };
    let mut residuals = Residuals::default();
    for (what, lasts) in copies {
        residuals.add(what, lasts.and_then(|lasts| now.checked_add(lasts).ok()));
    }
    Ok(residuals)
}

async fn ask(stores: &AwsStores, store: &Store) -> Result<Vec<(ResidualKind, Lasts)>, Fault> {
    let mut copies = Vec::new();
    match &store.place {
        Place::DynamoDb(place) => of_table(stores, &place.table, &mut copies).await?,
        Place::S3Objects(place) => of_bucket(stores, &place.bucket, &mut copies).await?,
        Place::S3Records(place) => of_bucket(stores, &place.bucket, &mut copies).await?,
        Place::Attested(_) => {}
    }
    Ok(copies)
}

async fn of_table(
    stores: &AwsStores,
    table: &str,
    copies: &mut Vec<(ResidualKind, Lasts)>,
) -> Result<(), Fault> {
    let client = &stores.dynamodb;
    let recovery = client.describe_continuous_backups().table_name(table);
    let recovery = answered(recovery.send().await, |error| {
        errors::dynamodb("DescribeContinuousBackups", table, error)
    })?;
    let recovery = recovery.map(|answer| {
        let backups = answer.continuous_backups_description;
        backups.and_then(|backups| backups.point_in_time_recovery_description)
    });
    match recovery {
        None => copies.push((ResidualKind::Unknown, None)),
        Some(Some(recovery))
            if recovery.point_in_time_recovery_status()
                == Some(&PointInTimeRecoveryStatus::Enabled) =>
        {
            let days = recovery.recovery_period_in_days().unwrap_or(MOST_PITR_DAYS);
            copies.push((ResidualKind::Pitr, Some(days_of(days))));
        }
        Some(_) => {}
    }
    let described = client.describe_table().table_name(table).send().await;
    let described = answered(described, |error| {
        errors::dynamodb("DescribeTable", table, error)
    })?;
    let Some(described) = described.and_then(|answer| answer.table) else {
        copies.push((ResidualKind::Unknown, None));
        return Ok(());
    };
    let streams = described.stream_specification();
    if streams.is_some_and(|stream| stream.stream_enabled) {
        copies.push((
            ResidualKind::Stream,
            Some(SignedDuration::from_hours(STREAM_HOURS)),
        ));
    }
    if !described.replicas().is_empty() {
        // They follow within seconds; nobody has looked there.
        copies.push((ResidualKind::Replica, None));
    }
    Ok(())
}

async fn of_bucket(
    stores: &AwsStores,
    bucket: &str,
    copies: &mut Vec<(ResidualKind, Lasts)>,
) -> Result<(), Fault> {
    let client = &stores.s3;
    let replication = client.get_bucket_replication().bucket(bucket).send().await;
    let none = "ReplicationConfigurationNotFoundError";
    // Deletes by version id are never replicated, nor are lifecycle actions.
    match answered_or(replication, none, |error| {
        errors::s3("GetBucketReplication", bucket, error)
    })? {
        Answer::Said(_) => copies.push((ResidualKind::Replica, None)),
        Answer::Nothing => {}
        Answer::Refused => copies.push((ResidualKind::Unknown, None)),
    }
    let inventory = client.list_bucket_inventory_configurations().bucket(bucket);
    match answered_or(inventory.send().await, "", |error| {
        errors::s3("ListBucketInventoryConfigurations", bucket, error)
    })? {
        Answer::Said(answer) if !answer.inventory_configuration_list().is_empty() => {
            copies.push((ResidualKind::Inventory, None));
        }
        Answer::Said(_) | Answer::Nothing => {}
        Answer::Refused => copies.push((ResidualKind::Unknown, None)),
    }
    let logging = client.get_bucket_logging().bucket(bucket).send().await;
    match answered_or(logging, "", |error| {
        errors::s3("GetBucketLogging", bucket, error)
    })? {
        Answer::Said(answer) if answer.logging_enabled().is_some() => {
            copies.push((ResidualKind::AccessLog, None));
        }
        Answer::Said(_) | Answer::Nothing => {}
        Answer::Refused => copies.push((ResidualKind::Unknown, None)),
    }
    Ok(())
}

/// What a question came to.
enum Answer<T> {
    Said(T),
    /// The setting was never made.
    Nothing,
    /// It may not be asked, or is not known there.
    Refused,
}

fn answered<T, E: ProvideErrorMetadata>(
    answer: Result<T, SdkError<E>>,
    fault: impl FnOnce(&SdkError<E>) -> Fault,
) -> Result<Option<T>, Fault> {
    Ok(match answered_or(answer, "", fault)? {
        Answer::Said(said) => Some(said),
        Answer::Nothing | Answer::Refused => None,
    })
}

fn answered_or<T, E: ProvideErrorMetadata>(
    answer: Result<T, SdkError<E>>,
    nothing: &str,
    fault: impl FnOnce(&SdkError<E>) -> Fault,
) -> Result<Answer<T>, Fault> {
    let error = match answer {
        Ok(said) => return Ok(Answer::Said(said)),
        Err(error) => error,
    };
    if !nothing.is_empty() && errors::code(&error) == nothing {
        return Ok(Answer::Nothing);
    }
    // Something that is no answer to this question either: who does not know it may say anything.
    let is_none = errors::code(&error).is_empty() && errors::status(&error).is_some_and(is_answer);
    if is_none
        || UNKNOWN_QUESTIONS.contains(&errors::code(&error))
        || errors::status(&error) == Some(501)
    {
        return Ok(Answer::Refused);
    }
    let fault = fault(&error);
    if fault == Fault::Block(BlockReason::AccessDenied) {
        return Ok(Answer::Refused);
    }
    Err(fault)
}

impl Asked {
    fn again(&self, store: &Store, now: Timestamp) -> Option<Vec<(ResidualKind, Lasts)>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, copies) = known.get(&store.digest())?;
        let age = now.duration_since(*at);
        (!age.is_negative() && age < SignedDuration::from_mins(FRESH_MINUTES))
            .then(|| copies.clone())
    }

    fn remember(&self, store: &Store, now: Timestamp, copies: &[(ResidualKind, Lasts)]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(store.digest(), (now, copies.to_vec()));
    }
}

const fn is_answer(status: u16) -> bool {
    status < 500 && status != 429
}

fn days_of(days: i32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(days).saturating_mul(24))
}

/// What services and emulators call a question that they do not know.
const UNKNOWN_QUESTIONS: [&str; 4] = [
    "MethodNotAllowed",
    "NotImplemented",
    "UnknownOperationException",
    "UnsupportedOperation",
];
/// The longest, and the default, window of point-in-time recovery.
const MOST_PITR_DAYS: i32 = 35;
/// How long a change stream keeps its records.
const STREAM_HOURS: i64 = 24;
const FRESH_MINUTES: i64 = 10;
