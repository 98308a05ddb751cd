//! A batch of messages: each on its own, so that a poison message fails alone.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use quittance_core::fault::Fault;
use quittance_core::message::Message;

/// A message as a queue delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's name for it.
    pub id: String,
    /// Its body.
    pub body: String,
}

/// Handles every message of a batch and returns the ids of those that must be delivered again.
/// A panic is one message's failure; an unreadable message ends in the dead-letter queue.
pub async fn deliver<F, T>(batch: &[Delivery], handle: F) -> Vec<String>
where
    F: Fn(Message) -> T + Send + Sync,
    T: Future<Output = Result<(), Fault>> + Send,
{
    // Queues deliver at most ten messages at once: all of them may be in work together.
    let mut running = FuturesUnordered::new();
    for delivery in batch {
        running.push(deliver_one(delivery, &handle));
    }
    let mut failed = Vec::new();
    while let Some(one) = running.next().await {
        failed.extend(one);
    }
    failed
}

async fn deliver_one<F, T>(delivery: &Delivery, handle: &F) -> Option<String>
where
    F: Fn(Message) -> T + Send + Sync,
    T: Future<Output = Result<(), Fault>> + Send,
{
    let message = match Message::parse(&delivery.body) {
        Ok(message) => message,
        Err(fault) => {
            tracing::error!(message.id = %delivery.id, fault = %fault, "message refused");
            return Some(delivery.id.clone());
        }
    };
    match AssertUnwindSafe(handle(message)).catch_unwind().await {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => {
            tracing::error!(message.id = %delivery.id, fault = %fault, "message failed");
            Some(delivery.id.clone())
        }
        Err(_) => {
            tracing::error!(message.id = %delivery.id, "message panicked");
            Some(delivery.id.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_poison_message_fails_alone() {
        let id = quittance_core::id::RequestId::new([1; 16]);
        let good = Message::Request { id }.to_body();
        let poison = Message::Statements.to_body();
        let batch: Vec<Delivery> = [good.as_str(), &poison, "not ours", &good]
            .iter()
            .enumerate()
            .map(|(n, body)| Delivery {
                id: n.to_string(),
                body: (*body).to_owned(),
            })
            .collect();
        let mut failed = block_on(deliver(&batch, |message| async move {
            assert_ne!(message, Message::Statements, "a bug in a handler");
            Ok(())
        }));
        failed.sort();
        assert_eq!(failed, ["1", "2"]);
    }
}
