//! What travels in queues: ids and a version, never instructions, never personal data.
//!
//! A message only wakes somebody who then reads the ledger; lost, duplicated or stale, it changes
//! nothing about the result.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::id::{RequestId, StoreId};

/// A wake-up call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Message {
    /// Look at this request.
    Request {
        /// Which.
        id: RequestId,
    },
    /// Work on this task.
    Task {
        /// The request.
        id: RequestId,
        /// The store.
        store: StoreId,
    },
    /// Look at the sweeps of this record store.
    Sweep {
        /// The store.
        store: StoreId,
    },
    /// Work on this shard of a sweep.
    Shard {
        /// The store.
        store: StoreId,
        /// The sweep's number.
        n: u32,
        /// The shard's number.
        k: u32,
    },
    /// There may be statements to sign and sequence.
    Statements,
}

impl Message {
    /// Writes the queue body.
    pub fn to_body(&self) -> String {
        // A flat enum of strings always serialises.
        serde_json::to_string(&Wire {
            v: VERSION,
            message: self.clone(),
        })
        .unwrap_or_default()
    }

    /// Reads a queue body.
    ///
    /// # Errors
    /// [`Fault::Reject`] for anything that this version did not write.
    pub fn parse(body: &str) -> Result<Self, Fault> {
        if body.len() > MAX_BODY_BYTES {
            return Err(Fault::reject(format!("message of {} bytes", body.len())));
        }
        let wire: Wire = serde_json::from_str(body).map_err(|error| {
            Fault::reject(format!("unreadable message: {:?}", error.classify()))
        })?;
        if wire.v == VERSION {
            Ok(wire.message)
        } else {
            Err(Fault::reject(format!(
                "message version {} is not {VERSION}",
                wire.v
            )))
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u8,
    #[serde(flatten)]
    message: Message,
}

const VERSION: u8 = 1;
const MAX_BODY_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_queue() {
        let id = RequestId::new([1; 16]);
        let store = StoreId::parse("customers").unwrap();
        for message in [
            Message::Request { id },
            Message::Task { id, store },
            Message::Statements,
        ] {
            assert_eq!(Message::parse(&message.to_body()), Ok(message));
        }
    }

    #[test]
    fn what_we_did_not_write_is_rejected() {
        for body in [
            "",
            "{}",
            "null",
            r#"{"v":2,"kind":"statements"}"#,
            r#"{"v":1,"kind":"x"}"#,
        ] {
            assert!(
                matches!(Message::parse(body), Err(Fault::Reject { .. })),
                "{body}"
            );
        }
        assert!(Message::parse(&"x".repeat(2000)).is_err());
    }
}
