//! The queues, on SQS.
//!
//! A queue per right and kind of message, so that a role can be narrowed to its own; statements have
//! one for all rights. [`SqsQueues`] sends; [`Receiver`] is for a dispatcher that stands in for
//! Lambda's own polling.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use quittance_core::fault::Fault;
use quittance_core::message::Message;
use quittance_core::request::Right;
use quittance_engine::ports::Queues;

use crate::faults::fault;

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// Wake-up calls for requests of a right.
    Requests(Right),
    /// Wake-up calls for tasks of a right.
    Tasks(Right),
    /// Wake-up calls for the sequencer.
    Statements,
}

impl QueueName {
    /// All queues.
    pub const ALL: [Self; 7] = [
        Self::Requests(Right::Access),
        Self::Requests(Right::Deletion),
        Self::Requests(Right::OptOut),
        Self::Tasks(Right::Access),
        Self::Tasks(Right::Deletion),
        Self::Tasks(Right::OptOut),
        Self::Statements,
    ];

    /// Returns the queue for a message about requests of `right`.
    pub const fn of(right: Right, message: &Message) -> Self {
        match message {
            Message::Request { .. } => Self::Requests(right),
            Message::Task { .. } | Message::Sweep { .. } | Message::Shard { .. } => {
                Self::Tasks(right)
            }
            Message::Statements => Self::Statements,
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, right) = match self {
            Self::Requests(right) => ("requests", right),
            Self::Tasks(right) => ("tasks", right),
            Self::Statements => return f.write_str("statements"),
        };
        write!(f, "{kind}-{}", right.name().replace('_', "-"))
    }
}

/// Sends wake-up calls.
#[derive(Clone, Debug)]
pub struct SqsQueues {
    client: aws_sdk_sqs::Client,
    addresses: BTreeMap<QueueName, String>,
}

impl SqsQueues {
    /// Builds the sender over the queues that this process may send to.
    pub const fn new(client: aws_sdk_sqs::Client, addresses: BTreeMap<QueueName, String>) -> Self {
        Self { client, addresses }
    }
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, right: Right, message: &Message, delay_seconds: u32) -> Result<(), Fault> {
        let delay = i32::try_from(delay_seconds.min(LONGEST_DELAY_SECONDS)).unwrap_or(0);
        self.client
            .send_message()
            .queue_url(address(&self.addresses, QueueName::of(right, message))?)
            .message_body(message.to_body())
            .delay_seconds(delay)
            .send()
            .await
            .map_err(|error| fault("SendMessage", &error))?;
        Ok(())
    }
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The body, to be parsed with [`Message::parse`].
    pub body: String,
    /// What deletes or releases this delivery.
    pub receipt_handle: String,
    /// Which delivery this is, from 1.
    pub receive_count: u32,
}

/// Takes messages from queues, for a dispatcher outside Lambda.
#[derive(Clone, Debug)]
pub struct Receiver {
    client: aws_sdk_sqs::Client,
    addresses: BTreeMap<QueueName, String>,
}

impl Receiver {
    /// Builds the receiver.
    pub const fn new(client: aws_sdk_sqs::Client, addresses: BTreeMap<QueueName, String>) -> Self {
        Self { client, addresses }
    }

    /// Receives at most `max` (10) messages, waiting at most `wait` (20 seconds) for the first.
    ///
    /// # Errors
    /// `Fault::Retry` when SQS does not answer.
    pub async fn receive(
        &self,
        queue: QueueName,
        max: u8,
        wait: Duration,
    ) -> Result<Vec<Received>, Fault> {
        let answer = self
            .client
            .receive_message()
            .queue_url(address(&self.addresses, queue)?)
            .max_number_of_messages(i32::from(max.clamp(1, 10)))
            .wait_time_seconds(i32::try_from(wait.as_secs().min(20)).unwrap_or(20))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| fault("ReceiveMessage", &error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(received)
            .collect())
    }

    /// Acknowledges a delivery.
    ///
    /// # Errors
    /// `Fault::Retry` when SQS does not answer; the message may come again.
    pub async fn delete(&self, queue: QueueName, delivery: &Received) -> Result<(), Fault> {
        self.client
            .delete_message()
            .queue_url(address(&self.addresses, queue)?)
            .receipt_handle(&delivery.receipt_handle)
            .send()
            .await
            .map_err(|error| fault("DeleteMessage", &error))?;
        Ok(())
    }

    /// Gives a delivery back, to be seen again after `delay`.
    ///
    /// # Errors
    /// `Fault::Retry` when SQS does not answer; the message comes again after its time-out.
    pub async fn release(
        &self,
        queue: QueueName,
        delivery: &Received,
        delay: Duration,
    ) -> Result<(), Fault> {
        self.client
            .change_message_visibility()
            .queue_url(address(&self.addresses, queue)?)
            .receipt_handle(&delivery.receipt_handle)
            .visibility_timeout(i32::try_from(delay.as_secs().min(43_200)).unwrap_or(0))
            .send()
            .await
            .map_err(|error| fault("ChangeMessageVisibility", &error))?;
        Ok(())
    }

    /// Returns about how many messages wait, are under way, or are delayed.
    ///
    /// # Errors
    /// `Fault::Retry` when SQS does not answer.
    pub async fn waiting(&self, queue: QueueName) -> Result<u64, Fault> {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(address(&self.addresses, queue)?)
            .set_attribute_names(Some(counts.to_vec()))
            .send()
            .await
            .map_err(|error| fault("GetQueueAttributes", &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name| attributes.get(name)?.parse::<u64>().ok();
        Ok(counts.iter().filter_map(count).sum())
    }
}

fn received(message: aws_sdk_sqs::types::Message) -> Received {
    let count = message
        .attributes
        .as_ref()
        .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok());
    Received {
        body: message.body.unwrap_or_default(),
        receipt_handle: message.receipt_handle.unwrap_or_default(),
        receive_count: count.unwrap_or(1),
    }
}

fn address(addresses: &BTreeMap<QueueName, String>, queue: QueueName) -> Result<&str, Fault> {
    addresses
        .get(&queue)
        .map(String::as_str)
        .ok_or_else(|| Fault::Retry {
            after_seconds: 60,
            detail: format!("this function was not told the address of the queue {queue}"),
        })
}

const LONGEST_DELAY_SECONDS: u32 = 900;
