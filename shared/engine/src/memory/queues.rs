//! Queues in memory: a bag of messages that a test delivers in any order, twice, or never.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_core::message::Message;
use quittance_core::request::Right;

use super::faults::Faults;
use super::{contract, locked};
use crate::ports::Queues;

/// All queues in one bag.
#[derive(Clone, Debug)]
pub struct MemoryQueues {
    bag: Arc<Mutex<Vec<(Right, Message)>>>,
    sent: Arc<Mutex<Vec<String>>>,
    faults: Faults,
}

impl MemoryQueues {
    /// Builds empty queues.
    pub fn new(faults: Faults) -> Self {
        Self {
            bag: Arc::default(),
            sent: Arc::default(),
            faults,
        }
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        locked(&self.bag).len()
    }

    /// Takes one waiting message; `pick` is reduced to the number of those waiting.
    pub fn take(&self, pick: usize) -> Option<(Right, Message)> {
        let mut bag = locked(&self.bag);
        let index = pick.checked_rem(bag.len())?;
        Some(bag.remove(index))
    }

    /// Returns a copy of one waiting message and leaves it there: a duplicate delivery.
    pub fn peek(&self, pick: usize) -> Option<(Right, Message)> {
        let bag = locked(&self.bag);
        bag.get(pick.checked_rem(bag.len())?).cloned()
    }

    /// Puts a message back, as a visibility time-out does.
    pub fn put_back(&self, right: Right, message: Message) {
        let mut bag = locked(&self.bag);
        if !bag.contains(&(right, message.clone())) {
            bag.push((right, message));
        }
    }

    /// Loses everything that waits.
    pub fn lose_all(&self) {
        locked(&self.bag).clear();
    }

    /// Every body ever sent, for the search for personal data.
    pub fn bodies(&self) -> Vec<String> {
        locked(&self.sent).clone()
    }
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, right: Right, message: &Message, delay_seconds: u32) -> Result<(), Fault> {
        contract(delay_seconds <= 900, "SQS delays at most 900 seconds");
        self.faults
            .call("queues.send", || {
                let body = message.to_body();
                let parsed = Message::parse(&body)?;
                let mut sent = locked(&self.sent);
                if !sent.contains(&body) {
                    sent.push(body);
                }
                let mut bag = locked(&self.bag);
                // Equal messages are equal wake-up calls: one is enough for the test's bag.
                if !bag.contains(&(right, parsed.clone())) {
                    bag.push((right, parsed));
                }
                Ok(())
            })
            .await
    }
}
