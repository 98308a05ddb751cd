//! The frame around a function on Lambda: settings, data map, batches, time budget.
//!
//! What a message means is the function's; a poison message fails alone, by partial batch response.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use quittance_core::data_map::DataMap;
use quittance_core::fault::Fault;
use quittance_engine::batch::{Consumer, Delivery, deliver};
use quittance_engine::statement::Handler;

use crate::adapters::{Adapters, Need};
use crate::clock::SystemClock;
use crate::telemetry::{self, Format};

/// Reads the settings, starts the log, builds the clients: once per process.
///
/// # Errors
/// Everything that is missing or wrong in the settings, together.
pub async fn start(needs: &[Need]) -> Result<Adapters, Error> {
    let adapters = Adapters::from_env(needs, Arc::new(SystemClock)).await?;
    telemetry::start(
        Format::Json,
        adapters.settings().log_level(),
        adapters.clock(),
    );
    Ok(adapters)
}

/// Reads the data map of a function that declared [`Need::DataMap`].
///
/// # Errors
/// What is wrong with the map, by line.
pub async fn data_map(adapters: &Adapters) -> Result<Arc<DataMap>, Error> {
    let text = adapters.data_map().await?;
    Ok(Arc::new(DataMap::parse(&text)?))
}

/// What receipts say about this build.
pub fn handler() -> Handler {
    Handler {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        artifact: None,
    }
}

/// Serves a queue until the process ends.
///
/// # Errors
/// What the runtime reports.
pub async fn serve_queue(consumer: &dyn Consumer) -> Result<(), Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let until = before(event.context.deadline());
        let batch: Vec<Delivery> = event
            .payload
            .records
            .into_iter()
            .map(|record| Delivery {
                id: record.message_id.unwrap_or_default(),
                body: record.body.unwrap_or_default(),
            })
            .collect();
        let failed = deliver(&batch, consumer, until).await;
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failed
            .into_iter()
            .map(|id| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                failure
            })
            .collect();
        Ok::<_, Error>(response)
    }))
    .await
}

/// Serves a schedule until the process ends.
///
/// # Errors
/// What the runtime reports.
pub async fn serve_schedule<F, T>(handle: F) -> Result<(), Error>
where
    F: Fn() -> T + Send + Sync,
    T: Future<Output = Result<(), Fault>> + Send,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(|_: LambdaEvent<serde_json::Value>| async move {
        handle().await.map_err(Error::from)
    }))
    .await
}

/// Work stops this long before Lambda would stop it.
fn before(deadline: std::time::SystemTime) -> Timestamp {
    let since = deadline
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let deadline = Timestamp::UNIX_EPOCH
        .saturating_add(SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX))
        .unwrap_or(Timestamp::MAX);
    deadline.saturating_sub(MARGIN).unwrap_or(deadline)
}

const MARGIN: SignedDuration = SignedDuration::from_secs(10);
