//! The frame around a function on Lambda: settings, data map, batches, time budget, metrics.
//!
//! What a message means is the function's; a poison message fails alone, by partial batch response.
//! Nothing is kept for later between two invocations: every write is done before the answer, log lines
//! and metrics are not buffered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures::join;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use quittance_core::data_map::DataMap;
use quittance_core::fault::Fault;
use quittance_engine::batch::{Consumer, Delivery, deliver};
use quittance_engine::ports::Clock as _;
use quittance_engine::statement::Handler;
use serde::Deserialize as _;
use serde_json::Value;

use crate::adapters::{Adapters, Need};
use crate::clock::SystemClock;
use crate::metrics::{self, Metric};
use crate::shutdown::Ending;
use crate::telemetry::{self, Format};

/// A function that has started, and has not yet asked for work.
#[derive(Debug)]
pub struct Started {
    /// Settings and clients.
    pub adapters: Adapters,
    /// How it will end.
    pub ending: Ending,
}

/// Reads the settings, starts the log, derives keys, registers with Lambda: once per process. What needs an answer
/// from elsewhere is asked at the same time: somebody waits for a process that starts.
///
/// # Errors
/// Everything that is missing or wrong in the settings, together; then what KMS answers.
pub async fn start(needs: &[Need]) -> Result<Started, Error> {
    let adapters = settled(needs).await?;
    let (ending, adapters) = join!(Ending::announced(), adapters.derive());
    let adapters = adapters?;
    Ok(Started { adapters, ending })
}

/// Starts a function that declared [`Need::DataMap`]: as [`start`], and reads the map meanwhile.
///
/// # Errors
/// As [`start`]; and what is wrong with the map, by line.
pub async fn start_with_map(needs: &[Need]) -> Result<(Started, Arc<DataMap>), Error> {
    let adapters = settled(needs).await?;
    let reader = adapters.clone();
    let (ending, adapters, map) = join!(
        Ending::announced(),
        adapters.derive(),
        reader.data_map_and_when()
    );
    let (adapters, (text, written_at)) = (adapters?, map?);
    let map = Arc::new(DataMap::parse(&text)?.written_at(written_at));
    Ok((Started { adapters, ending }, map))
}

async fn settled(needs: &[Need]) -> Result<Adapters, Error> {
    let adapters = Adapters::of_function(needs, Arc::new(SystemClock)).await?;
    telemetry::start(
        Format::Json,
        adapters.settings().log_level(),
        adapters.clock(),
    );
    Ok(adapters)
}

/// What receipts say about this build.
pub fn handler() -> Handler {
    Handler {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        artifact: None,
    }
}

/// What wakes a function by anything but its queues: a schedule, or somebody by hand.
#[async_trait]
pub trait Other: Send + Sync {
    /// Handles such an event.
    ///
    /// # Errors
    /// The invocation fails, and whoever sent the event decides what comes of it.
    async fn handle(&self, event: &Value) -> Result<(), Fault>;
}

/// A function that only queues wake.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

#[async_trait]
impl Other for Nothing {
    async fn handle(&self, _event: &Value) -> Result<(), Fault> {
        Err(Fault::reject("only queues wake this function"))
    }
}

/// Serves queues until the process ends.
///
/// # Errors
/// What the runtime reports.
pub async fn serve_queue(ending: Ending, consumer: &dyn Consumer) -> Result<(), Error> {
    serve(ending, consumer, &Nothing).await
}

/// Serves queues, and whatever else wakes the function, until the process ends.
///
/// # Errors
/// What the runtime reports.
pub async fn serve(
    ending: Ending,
    consumer: &dyn Consumer,
    other: &dyn Other,
) -> Result<(), Error> {
    let runs = lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let Some(batch) = batch(&payload)? else {
            other.handle(&payload).await?;
            return Ok(Value::Null);
        };
        let began = SystemClock.now();
        let failed = deliver(&batch, consumer, before(context.deadline())).await;
        let ended = SystemClock.now();
        metrics::emit(
            &context.env_config.function_name,
            ended,
            &[
                (Metric::Messages, count(batch.len())),
                (Metric::FailedMessages, count(failed.len())),
                (
                    Metric::DurationMs,
                    milliseconds(ended.duration_since(began)),
                ),
            ],
        );
        Ok::<_, Error>(serde_json::to_value(answer(failed))?)
    }));
    ending.after(runs).await
}

/// Reads a batch of messages; none for an event of another kind.
fn batch(payload: &Value) -> Result<Option<Vec<Delivery>>, Error> {
    if payload.get("Records").is_none() {
        return Ok(None);
    }
    let event = SqsEvent::deserialize(payload)?;
    let deliveries = event.records.into_iter().map(|record| Delivery {
        id: record.message_id.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
    });
    Ok(Some(deliveries.collect()))
}

/// Names the messages that must be delivered again, and no others.
fn answer(failed: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .into_iter()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    response
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn milliseconds(time: SignedDuration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_batch_is_told_from_other_events() {
        let event = json!({"Records": [{"messageId": "a", "body": "{}"}]});
        let batch = batch(&event).unwrap().unwrap();
        assert_eq!((batch[0].id.as_str(), batch[0].body.as_str()), ("a", "{}"));
        let schedule = json!({"source": "aws.events"});
        assert_eq!(super::batch(&schedule).unwrap(), None);
    }

    #[test]
    fn only_what_failed_is_named() {
        let answer = serde_json::to_value(answer(vec!["b".to_owned()])).unwrap();
        assert_eq!(
            answer,
            json!({"batchItemFailures": [{"itemIdentifier": "b"}]})
        );
    }

    #[test]
    fn work_stops_before_lambda_would_stop_it() {
        let deadline = std::time::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(before(deadline), Timestamp::from_second(90).unwrap());
    }
}
