//! A batch of messages: each on its own, so that a poison message fails alone.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
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

/// What serves a queue.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// Handles one message, until the time is nearly out.
    ///
    /// # Errors
    /// The message is delivered again, and ends in the dead-letter queue.
    async fn handle(&self, message: &Message, until: Timestamp) -> Result<(), Fault>;

    /// Counts that a message made [`Consumer::handle`] panic.
    ///
    /// # Errors
    /// The same.
    async fn stumbled(&self, message: &Message) -> Result<(), Fault>;
}

/// Handles every message of a batch and returns the ids of those that must be delivered again.
/// A panic is one message's failure; an unreadable message ends in the dead-letter queue.
pub async fn deliver(batch: &[Delivery], consumer: &dyn Consumer, until: Timestamp) -> Vec<String> {
    // Queues deliver at most ten messages at once: all of them may be in work together.
    let mut running = FuturesUnordered::new();
    for delivery in batch {
        running.push(deliver_one(delivery, consumer, until));
    }
    let mut failed = Vec::new();
    while let Some(one) = running.next().await {
        failed.extend(one);
    }
    failed
}

async fn deliver_one(
    delivery: &Delivery,
    consumer: &dyn Consumer,
    until: Timestamp,
) -> Option<String> {
    let message = match Message::parse(&delivery.body) {
        Ok(message) => message,
        Err(fault) => {
            tracing::error!(message.id = %delivery.id, fault = %fault, "message refused");
            return Some(delivery.id.clone());
        }
    };
    let caught = AssertUnwindSafe(consumer.handle(&message, until)).catch_unwind();
    let handled = if let Ok(handled) = caught.await {
        handled
    } else {
        tracing::error!(message.id = %delivery.id, "message panicked");
        consumer.stumbled(&message).await
    };
    match handled {
        Ok(()) => None,
        Err(fault) => {
            tracing::error!(message.id = %delivery.id, fault = %fault, "message failed");
            Some(delivery.id.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::executor::block_on;

    use super::*;

    /// Panics at statements; a panic is counted and told as done, or as failed.
    struct Clumsy {
        panics: AtomicUsize,
        counted: Result<(), Fault>,
    }

    #[async_trait]
    impl Consumer for Clumsy {
        async fn handle(&self, message: &Message, _until: Timestamp) -> Result<(), Fault> {
            assert_ne!(*message, Message::Statements, "a bug in a handler");
            Ok(())
        }

        async fn stumbled(&self, _message: &Message) -> Result<(), Fault> {
            self.panics.fetch_add(1, Ordering::SeqCst);
            self.counted.clone()
        }
    }

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
        for (counted, again) in [(Err(Fault::Conflict), vec!["1", "2"]), (Ok(()), vec!["2"])] {
            let panics = AtomicUsize::new(0);
            let clumsy = Clumsy { panics, counted };
            let mut failed = block_on(deliver(&batch, &clumsy, Timestamp::MAX));
            failed.sort();
            assert_eq!(failed, again);
            assert_eq!(clumsy.panics.into_inner(), 1);
        }
    }
}
