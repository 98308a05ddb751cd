//! A mailbox in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quittance_core::fault::Fault;

use super::faults::Faults;
use super::locked;
use crate::ports::{Mail, Mailer};

/// Every mail sent, one per id.
#[derive(Clone, Debug)]
pub struct MemoryMailer {
    mails: Arc<Mutex<Vec<Mail>>>,
    faults: Faults,
}

impl MemoryMailer {
    /// Builds an empty mailbox.
    pub fn new(faults: Faults) -> Self {
        Self {
            mails: Arc::default(),
            faults,
        }
    }

    /// Returns the mails to an address, oldest first.
    pub fn to(&self, address: &str) -> Vec<Mail> {
        locked(&self.mails)
            .iter()
            .filter(|mail| mail.to == address)
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Mailer for MemoryMailer {
    async fn send(&self, mail: &Mail) -> Result<(), Fault> {
        self.faults
            .call("mailer.send", || {
                let mut mails = locked(&self.mails);
                if !mails.iter().any(|sent| sent.id == mail.id) {
                    mails.push(mail.clone());
                }
                Ok(())
            })
            .await
    }
}
