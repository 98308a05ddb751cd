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
use quittance_engine::batch::{Delivery, deliver};
use quittance_engine::ports::{Clock, Witnesses};
use quittance_engine::sequencer::Sequencer;
use quittance_engine::statement::Handler;
use quittance_engine::worker::Worker;
use tokio::task::JoinSet;

use crate::printing::Failure;
use crate::witness::LocalWitnesses;

/// Starts a poller for every queue, and the clock.
pub(super) fn start(
    work: &mut JoinSet<()>,
    adapters: &Adapters,
    map: &Arc<DataMap>,
    sequencer: Sequencer,
    handler: &Handler,
    witnesses: &Arc<LocalWitnesses>,
) -> Result<(), Failure> {
    for right in Right::ALL {
        let worker = worker(right, adapters, map, handler)?;
        for queue in [QueueName::Requests(right), QueueName::Tasks(right)] {
            let (worker, clock) = (worker.clone(), adapters.clock());
            let receiver = adapters.receiver();
            work.spawn(async move {
                let handle = |message: Message| {
                    let (worker, until) = (worker.clone(), budget(&*clock));
                    async move { worker.handle(&message, until).await }
                };
                poll(&receiver, queue, handle).await;
            });
        }
    }
    let (receiver, clock, software) = (adapters.receiver(), adapters.clock(), handler.clone());
    let witnesses = Arc::clone(witnesses);
    work.spawn(async move {
        let handle = |message: Message| {
            let (sequencer, clock) = (sequencer.clone(), Arc::clone(&clock));
            let (software, witnesses) = (software.clone(), Arc::clone(&witnesses));
            async move {
                let until = budget(&*clock);
                let asked: Option<&dyn Witnesses> = Some(&*witnesses);
                quittance_receipts::handle(&sequencer, &*clock, &message, until, &software, asked)
                    .await
            }
        };
        poll(&receiver, QueueName::Statements, handle).await;
    });
    let ticker = quittance_clock::wire(adapters)?;
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
    Ok(match right {
        Right::Access => quittance_access::wire(adapters, map, handler)?,
        Right::Deletion => quittance_deletion::wire(adapters, map, handler)?,
        Right::OptOut => quittance_opt_out::wire(adapters, map, handler)?,
    })
}

/// Receives, handles, deletes what succeeded; what failed is seen again, and after five times left
/// to the dead-letter queue's fate: the clock goes on announcing whatever is open.
async fn poll<F, T>(receiver: &Receiver, queue: QueueName, handle: F)
where
    F: Fn(Message) -> T + Send + Sync,
    T: Future<Output = Result<(), Fault>> + Send,
{
    loop {
        let messages = match receiver.receive(queue, BATCH, Duration::ZERO).await {
            Ok(messages) => messages,
            Err(fault) => {
                tracing::warn!(queue = %queue, fault = %fault, "cannot receive");
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
        let failed = deliver(&batch, &handle).await;
        for message in &messages {
            settle(
                receiver,
                queue,
                message,
                failed.contains(&message.receipt_handle),
            )
            .await;
        }
    }
}

async fn settle(receiver: &Receiver, queue: QueueName, message: &Received, failed: bool) {
    let settled = if failed && message.receive_count < MAX_RECEIVES {
        receiver
            .release(queue, message, Duration::from_secs(2))
            .await
    } else {
        receiver.delete(queue, message).await
    };
    if let Err(fault) = settled {
        tracing::warn!(queue = %queue, fault = %fault, "a message will be seen again");
    }
}

/// As long as a function on Lambda would have.
fn budget(clock: &dyn Clock) -> Timestamp {
    clock
        .now()
        .saturating_add(SignedDuration::from_secs(50))
        .unwrap_or(Timestamp::MAX)
}

const BATCH: u8 = 10;
const MAX_RECEIVES: u32 = 5;
const IDLE: Duration = Duration::from_millis(20);
const ROUND: Duration = Duration::from_secs(2);
