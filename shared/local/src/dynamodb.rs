//! DynamoDB: the engine is `dynoxide-rs`; here are its operations by name and what it lacks.
//!
//! The crate `awsim-dynamodb` was read first and left: it reports only the first of several cancellation reasons, applies
//! update expressions before their condition, compares numbers with 28 digits and writes `list[0]` as a new name.
//! Invariant: an answered write is in the database file as far as the operating system is concerned.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::{Response, StatusCode};
use s3s::Body;
use serde_json::{Value, json};

use crate::fault::{Failure, Service};
use crate::front::{failure_response, json_response};
use crate::local_aws::StartError;

/// The tables of one `LocalAws`.
pub(crate) struct DynamoDb {
    database: Database,
    recoverable: Arc<Recoverable>,
}

impl DynamoDb {
    /// Tables kept in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, StartError> {
        std::fs::create_dir_all(dir).map_err(StartError::state)?;
        let path = dir.join("dynamodb.sqlite");
        let database = Database::new(&path.to_string_lossy()).map_err(StartError::state)?;
        // The engine's name for `synchronous = OFF`: the process may die, not the machine.
        database.enable_bulk_loading().map_err(StartError::state)?;
        Self::on(database, dir)
    }

    /// Tables in memory, with only settings in `dir`: a temporary directory needs no files that nobody reopens.
    pub(crate) fn ephemeral(dir: &Path) -> Result<Self, StartError> {
        std::fs::create_dir_all(dir).map_err(StartError::state)?;
        Self::on(Database::memory().map_err(StartError::state)?, dir)
    }

    fn on(database: Database, dir: &Path) -> Result<Self, StartError> {
        let recoverable = Arc::new(Recoverable::open(dir.join("point-in-time-recovery.json"))?);
        Ok(Self {
            database,
            recoverable,
        })
    }

    pub(crate) async fn answer(&self, operation: &str, body: Bytes) -> Response<Body> {
        let (database, recoverable) = (self.database.clone(), Arc::clone(&self.recoverable));
        let operation = operation.to_owned();
        let answered =
            tokio::task::spawn_blocking(move || answer(&database, &recoverable, &operation, &body))
                .await;
        answered.unwrap_or_else(|error| {
            tracing::error!(%error, "DynamoDB could not answer");
            failure_response(&Failure::internal(Service::DynamoDb))
        })
    }
}

/// Reads the request's type off the method, calls it, writes the answer.
macro_rules! call {
    ($database:expr, $body:expr, $method:ident) => {{
        let request = serde_json::from_slice($body)
            .map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
        let answer = $database.$method(request)?;
        serde_json::to_string(&answer)
            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    }};
}

fn answer(
    database: &Database,
    recoverable: &Recoverable,
    operation: &str,
    body: &Bytes,
) -> Response<Body> {
    let answered = match operation {
        "DescribeContinuousBackups" => return recoverable.describe(body),
        "UpdateContinuousBackups" => return recoverable.update(body),
        _ => run(database, operation, body),
    };
    match answered {
        Ok(Some(answer)) => json_response(StatusCode::OK, answer),
        Ok(None) => failure_response(&Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "UnknownOperationException",
            format!("{operation} is not emulated"),
        )),
        Err(error) => {
            tracing::debug!(operation, %error, "DynamoDB refused");
            let status =
                StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
            json_response(status, error.to_json())
        }
    }
}

fn run(
    database: &Database,
    operation: &str,
    body: &Bytes,
) -> Result<Option<String>, DynoxideError> {
    let answer: Result<String, DynoxideError> = match operation {
        "BatchGetItem" => call!(database, body, batch_get_item),
        "BatchWriteItem" => call!(database, body, batch_write_item),
        "CreateTable" => call!(database, body, create_table),
        "DeleteItem" => call!(database, body, delete_item),
        "DeleteTable" => call!(database, body, delete_table),
        "DescribeStream" => call!(database, body, describe_stream),
        "DescribeTable" => call!(database, body, describe_table),
        "DescribeTimeToLive" => call!(database, body, describe_time_to_live),
        "GetItem" => call!(database, body, get_item),
        "GetRecords" => call!(database, body, get_records),
        "GetShardIterator" => call!(database, body, get_shard_iterator),
        "ListStreams" => call!(database, body, list_streams),
        "ListTables" => call!(database, body, list_tables),
        "ListTagsOfResource" => call!(database, body, list_tags_of_resource),
        "PutItem" => call!(database, body, put_item),
        "Query" => call!(database, body, query),
        "Scan" => call!(database, body, scan),
        "TagResource" => call!(database, body, tag_resource),
        "TransactGetItems" => call!(database, body, transact_get_items),
        "TransactWriteItems" => call!(database, body, transact_write_items),
        "UntagResource" => call!(database, body, untag_resource),
        "UpdateItem" => call!(database, body, update_item),
        "UpdateTable" => call!(database, body, update_table),
        "UpdateTimeToLive" => call!(database, body, update_time_to_live),
        _ => return Ok(None),
    };
    answer.map(Some)
}

/// Which tables say they have point-in-time recovery. Nothing can be recovered here; it is what a residual check asks.
struct Recoverable {
    file: PathBuf,
    tables: Mutex<BTreeSet<String>>,
}

impl Recoverable {
    fn open(file: PathBuf) -> Result<Self, StartError> {
        let tables = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(StartError::state)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(StartError::state(error)),
        };
        Ok(Self {
            file,
            tables: Mutex::new(tables),
        })
    }

    fn describe(&self, body: &Bytes) -> Response<Body> {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let table = request
            .get("TableName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let is_on = self
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(table);
        let status = if is_on { "ENABLED" } else { "DISABLED" };
        let mut recovery = json!({ "PointInTimeRecoveryStatus": status });
        if is_on {
            recovery = json!({ "PointInTimeRecoveryStatus": status, "RecoveryPeriodInDays": 35 });
        }
        let answer = json!({ "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        }});
        json_response(StatusCode::OK, answer.to_string())
    }

    fn update(&self, body: &Bytes) -> Response<Body> {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let table = request
            .get("TableName")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let asked = request.pointer("/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled");
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.and_then(Value::as_bool) == Some(true) {
            tables.insert(table);
        } else {
            tables.remove(&table);
        }
        let draft = self.file.with_extension("draft");
        let text = json!(*tables).to_string();
        let saved = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &self.file));
        drop(tables);
        match saved {
            Ok(()) => self.describe(body),
            Err(error) => {
                tracing::error!(%error, "a setting could not be saved");
                failure_response(&Failure::internal(Service::DynamoDb))
            }
        }
    }
}
