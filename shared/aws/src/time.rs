//! A time-stamping authority, asked over HTTP (RFC 3161 section 3.4).

use async_trait::async_trait;
use quittance_core::fault::Fault;
use quittance_core::receipt::{Anchors, MAX_TIMESTAMP_BYTES, QUERY_MEDIA_TYPE};
use quittance_engine::ports::TimeAuthority;

use crate::http::HttpClient;

/// An authority at an address, and whose word is believed from there.
#[derive(Debug)]
pub struct HttpTimeAuthority {
    address: String,
    anchors: Anchors,
    client: HttpClient,
}

impl HttpTimeAuthority {
    /// Takes an address that [`crate::http::is_authority`] accepts.
    pub fn new(address: impl Into<String>, anchors: Anchors) -> Self {
        Self {
            address: address.into(),
            anchors,
            client: HttpClient::default(),
        }
    }
}

#[async_trait]
impl TimeAuthority for HttpTimeAuthority {
    fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    async fn stamp(&self, query: &[u8]) -> Result<Vec<u8>, Fault> {
        // A byte more than a stamp can have: what is longer is refused by whoever judges it.
        let longest = MAX_TIMESTAMP_BYTES + 1;
        let query = query.to_vec();
        let answer = self
            .client
            .post(&self.address, QUERY_MEDIA_TYPE, query, longest)
            .await;
        let answer = answer.map_err(|error| Fault::retry(format!("time stamps: {error}")))?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(Fault::retry(format!("time stamps: the answer is {status}"))),
        }
    }
}
