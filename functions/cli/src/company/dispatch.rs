//! From queues to handlers: what Lambda's event source mappings and schedules do in the cloud.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quittance_aws::adapters::Adapters;
use quittance_aws::queues::{QueueName, Received, Receiver};
use quittance_core::data_map::DataMap;
use quittance_core::fault::Fault;
use quittance_core::message::Message;
use quittance_core::request::Right;
use quittance_engine::batch::{Consumer, Delivery, deliver};
use quittance_engine::ports::Clock;
use quittance_engine::statement::Handler;
use quittance_engine::tick::Ticker;
use quittance_engine::worker::Worker;
use quittance_receipts::Receipts;
use tokio::task::JoinSet;

use crate::printing::Failure;

/// Starts a poller for every queue, and the clock.
pub(super) fn start(
    work: &mut JoinSet<()>,
    adapters: &Adapters,
    map: &Arc<DataMap>,
    receipts: Receipts,
    handler: &Handler,
) -> Result<(), Failure> {
    let ticker = quittance_clock::wire(adapters, map)?;
    let poller = |queue, consumer| Poller {
        receiver: adapters.receiver(),
        queue,
        consumer,
        ticker: ticker.clone(),
        clock: adapters.clock(),
    };
    for right in Right::ALL {
        let worker = Arc::new(worker(right, adapters, map, handler)?);
        for queue in [QueueName::Requests(right), QueueName::Tasks(right)] {
            let poller = poller(queue, worker.clone());
            work.spawn(async move { poller.poll().await });
        }
    }
    let poller = poller(QueueName::Statements, Arc::new(receipts));
    work.spawn(async move { poller.poll().await });
    work.spawn(async move {
        loop {
            if let Err(fault) = quittance_clock::handle(&ticker).await {
                tracing::warn!(fault = %fault, "a round of the clock failed");
            }
            tokio::time::sleep(ROUND).await;
        }
    });
    Ok(())
}

fn worker(
    right: Right,
    adapters: &Adapters,
    map: &Arc<DataMap>,
    handler: &Handler,
) -> Result<Worker, Failure> {
    let (map, handler) = (Arc::clone(map), handler.clone());
    let worker = match right {
        Right::Access => quittance_access::wire(adapters, map, handler)?,
        Right::Deletion => quittance_deletion::wire(adapters, map, handler)?,
        Right::OptOut => quittance_opt_out::wire(adapters, map, handler)?,
    };
    // Queues are in memory: what was told to a process that was killed is told again soon.
    Ok(Worker {
        longest_run: LONGEST_RUN,
        ..worker
    })
}

/// One queue and whoever serves it.
struct Poller {
    receiver: Receiver,
    queue: QueueName,
    consumer: Arc<dyn Consumer>,
    ticker: Ticker,
    clock: Arc<dyn Clock>,
}

impl Poller {
    /// Receives, handles, deletes what succeeded; what failed is seen again, and after five times it
    /// is a dead letter: what it was about is blocked, visibly.
    async fn poll(&self) {
        loop {
            let received = self.receiver.receive(self.queue, BATCH, Duration::ZERO);
            let messages = match received.await {
                Ok(messages) => messages,
                Err(fault) => {
                    tracing::warn!(queue = %self.queue, fault = %fault, "cannot receive");
                    Vec::new()
                }
            };
            if messages.is_empty() {
                tokio::time::sleep(IDLE).await;
                continue;
            }
            let batch: Vec<Delivery> = messages
                .iter()
                .map(|message| Delivery {
                    id: message.receipt_handle.clone(),
                    body: message.body.clone(),
                })
                .collect();
            let failed = deliver(&batch, &*self.consumer, budget(&*self.clock)).await;
            for message in &messages {
                let settled = if !failed.contains(&message.receipt_handle) {
                    self.receiver.delete(self.queue, message).await
                } else if message.receive_count < MAX_RECEIVES {
                    let pause = Duration::from_secs(2);
                    self.receiver.release(self.queue, message, pause).await
                } else {
                    self.bury(message).await
                };
                if let Err(fault) = settled {
                    tracing::warn!(queue = %self.queue, fault = %fault, "a message will be seen again");
                }
            }
        }
    }

    async fn bury(&self, message: &Received) -> Result<(), Fault> {
        // What nobody can read is about nothing.
        if let Ok(letter) = Message::parse(&message.body) {
            self.ticker.bury(&letter).await?;
        }
        self.receiver.delete(self.queue, message).await
    }
}

/// When a run that begins now must end.
fn budget(clock: &dyn Clock) -> Timestamp {
    clock
        .now()
        .saturating_add(LONGEST_RUN)
        .unwrap_or(Timestamp::MAX)
}

const LONGEST_RUN: SignedDuration = SignedDuration::from_secs(50);
const BATCH: u8 = 10;
const MAX_RECEIVES: u32 = 5;
const IDLE: Duration = Duration::from_millis(20);
const ROUND: Duration = Duration::from_secs(2);
