//! Witnesses from both sides: those that a log asks over HTTP, and one's memory in a table.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use quittance_core::fault::Fault;
use quittance_engine::ports::{WitnessMemory, Witnesses};
use quittance_tlog::policy::Policy;

use crate::clients::no_retry;
use crate::faults::{code, fault, is_throttle};
use crate::http::{HttpClient, is_address};

/// The witnesses that a policy names with their addresses, asked over HTTP (C2SP `tlog-witness`).
#[derive(Clone, Debug)]
pub struct HttpWitnesses {
    vkeys: Vec<String>,
    urls: Vec<String>,
    policy: Policy,
    client: Arc<HttpClient>,
}

impl HttpWitnesses {
    /// Takes the witnesses of a policy that have an address; none if none has.
    ///
    /// # Errors
    /// `Fault::Reject` when it is no policy, or an address is none that a program may be sent to.
    pub fn of(policy: &[u8], client: Arc<HttpClient>) -> Result<Option<Self>, Fault> {
        let rejected = |why: String| Fault::reject(format!("the published policy: {why}"));
        let text = str::from_utf8(policy).map_err(|error| rejected(error.to_string()))?;
        let policy = Policy::parse(text).map_err(|error| rejected(error.to_string()))?;
        let (mut vkeys, mut urls) = (Vec::new(), Vec::new());
        for witness in policy.witnesses() {
            let Some(url) = &witness.url else { continue };
            if !is_address(url) {
                let name = &witness.name;
                return Err(rejected(format!(
                    "the address of {name} must begin with https://"
                )));
            }
            vkeys.push(witness.key.to_string());
            urls.push(format!("{}/add-checkpoint", url.trim_end_matches('/')));
        }
        let found = !vkeys.is_empty();
        Ok(found.then_some(Self {
            vkeys,
            urls,
            policy,
            client,
        }))
    }
}

#[async_trait]
impl Witnesses for HttpWitnesses {
    fn vkeys(&self) -> &[String] {
        &self.vkeys
    }

    fn policy(&self) -> Option<&Policy> {
        Some(&self.policy)
    }

    async fn ask(&self, n: usize, body: &str) -> Result<(u16, String), Fault> {
        let Some(url) = self.urls.get(n) else {
            return Err(Fault::reject("there is no such witness"));
        };
        let body = body.as_bytes().to_vec();
        let answer = self.client.post(url, TEXT, body, MAX_ANSWER_BYTES).await;
        let answer = answer.map_err(|error| Fault::retry(format!("a witness: {error}")))?;
        // What is no text is no answer of a witness.
        let body = String::from_utf8(answer.body).unwrap_or_default();
        Ok((answer.status, body))
    }
}

/// What a witness cosigned last of each log, an item each. The SDK's retries are off for writes.
#[derive(Clone, Debug)]
pub struct DynamoWitnessMemory {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl DynamoWitnessMemory {
    /// Builds the memory over a table, whose key is the log's name.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }
}

#[async_trait]
impl WitnessMemory for DynamoWitnessMemory {
    async fn last(&self, origin: &str) -> Result<Option<Vec<u8>>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(LOG, AttributeValue::S(origin.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("GetItem", &error))?;
        let Some(item) = answer.item else {
            return Ok(None);
        };
        let checkpoint = item.get(CHECKPOINT).and_then(|value| value.as_b().ok());
        let checkpoint = checkpoint.map(|blob| blob.as_ref().to_vec());
        // What is there and has another form must not look like a log never seen.
        checkpoint
            .map(Some)
            .ok_or_else(|| Fault::reject("what was cosigned last is damaged: retire this witness"))
    }

    async fn remember(&self, origin: &str, old: Option<&[u8]>, new: &[u8]) -> Result<(), Fault> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(LOG, AttributeValue::S(origin.to_owned()))
            .item(CHECKPOINT, bytes(new));
        let put = match old {
            None => put
                .condition_expression("attribute_not_exists(#log)")
                .expression_attribute_names("#log", LOG),
            Some(old) => put
                .condition_expression("#checkpoint = :old")
                .expression_attribute_names("#checkpoint", CHECKPOINT)
                .expression_attribute_values(":old", bytes(old)),
        };
        let Err(error) = put.customize().config_override(no_retry()).send().await else {
            return Ok(());
        };
        match code(&error) {
            Some("ConditionalCheckFailedException") => Err(Fault::Conflict),
            Some(code) if is_throttle(code) => Err(Fault::retry(format!("PutItem: {code}"))),
            Some(_) | None => Err(fault("PutItem", &error)),
        }
    }
}

fn bytes(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// The table's key: which log.
pub const LOG: &str = "log";
const CHECKPOINT: &str = "checkpoint";
const TEXT: &str = "text/plain; charset=utf-8";
/// Some signature lines, or a size.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_KEY: &str =
        "log log.example.test/dsr+9cb34c90+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

    fn of(lines: &str) -> Result<Option<HttpWitnesses>, Fault> {
        let policy = format!("{LOG_KEY}\n{lines}");
        HttpWitnesses::of(policy.as_bytes(), Arc::default())
    }

    #[test]
    fn who_has_an_address_is_asked() {
        let keys = [1, 2].map(|n| {
            let kind = quittance_tlog::KeyKind::CosignatureV1;
            let name = format!("w{n}");
            let signer = quittance_tlog::Ed25519Signer::from_seed(&name, kind, &[n; 32]);
            signer.unwrap().verifier().to_string()
        });
        let [one, two] = &keys;
        let lines = format!("witness a {one} https://a.test/w/\nwitness b {two}\nquorum a\n");
        let asked = of(&lines).unwrap().unwrap();
        assert_eq!(asked.vkeys(), std::slice::from_ref(one));
        assert_eq!(asked.urls, ["https://a.test/w/add-checkpoint"]);
        assert!(of("quorum none\n").unwrap().is_none());
        assert!(
            of(&format!("witness b {two}\nquorum b\n"))
                .unwrap()
                .is_none()
        );
        let plain = format!("witness a {one} http://a.test\nquorum a\n");
        let error = of(&plain).unwrap_err().to_string();
        assert!(error.contains("must begin with https://"), "{error}");
        assert!(of("quorum").is_err());
    }
}
