//! Stores in other accounts and regions: clients of their own, under the role that the store names.
//!
//! What a role may do is its owner's to say. Each session is narrowed further: to the one table or
//! the one place in a bucket that the store is about, and to what the right of this process needs.
//! So the program that copies cannot delete there either, whatever else the role opens.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{ProvideCredentials as _, SharedCredentialsProvider};
use quittance_core::data_map::{Account, Place, Store};
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::request::Right;
use serde_json::{Value, json};

use crate::dynamodb_items::{Meters, Tables};

/// How stores elsewhere are reached. `Debug` prints no credentials.
#[derive(Clone)]
pub(crate) struct Reach {
    config: SdkConfig,
    right: Right,
    known: Arc<Mutex<HashMap<Digest, Elsewhere>>>,
}

/// The clients of one store elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    /// Other accounts have tables of the same names.
    pub(crate) tables: Tables,
    pub(crate) meters: Meters,
}

impl Reach {
    pub(crate) fn new(config: SdkConfig, right: Right) -> Self {
        Self {
            config,
            right,
            known: Arc::default(),
        }
    }

    /// Returns the clients of a store elsewhere, and makes them if there are none yet.
    pub(crate) async fn clients(
        &self,
        store: &Store,
        account: &Account,
    ) -> Result<Elsewhere, Fault> {
        let name = store.digest();
        if let Some(known) = self.known().get(&name) {
            return Ok(known.clone());
        }
        let made = self.make(store, account).await?;
        self.known().insert(name, made.clone());
        Ok(made)
    }

    async fn make(&self, store: &Store, account: &Account) -> Result<Elsewhere, Fault> {
        let mut config = self.config.to_builder();
        if let Some(region) = &account.region {
            config.set_region(Some(Region::new(region.clone())));
        }
        if let Some(role) = &account.role_arn {
            let mut session = AssumeRoleProvider::builder(role)
                .configure(&self.config)
                .session_name(SESSION)
                .policy(session_policy(role, store, self.right).to_string());
            if let Some(id) = &account.external_id {
                session = session.external_id(id);
            }
            let session = session.build().await;
            // Asked once at once, so that a refusal is known for what it is.
            session.provide_credentials().await.map_err(|error| {
                let text = format!("{error:?}");
                if text.contains("AccessDenied") {
                    Fault::Block(BlockReason::AccessDenied)
                } else {
                    Fault::retry(format!("sts AssumeRole for store {}", store.id))
                }
            })?;
            config.set_credentials_provider(Some(SharedCredentialsProvider::new(session)));
        }
        let config = config.build();
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Ok(Elsewhere {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            tables: Tables::default(),
            meters: Meters::default(),
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Elsewhere>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reach")
    }
}

/// What a session may do at the most: what the right needs, in the store's own place, with the keys
/// that its data is encrypted under.
fn session_policy(role: &str, store: &Store, right: Right) -> Value {
    let partition = role.split(':').nth(1).unwrap_or("aws");
    let deletes = right == Right::Deletion;
    let (mut verbs, resources) = match &store.place {
        Place::DynamoDb(place) => {
            let table = format!("arn:{partition}:dynamodb:*:*:table/{}", place.table);
            let mut verbs = READ_ITEMS.to_vec();
            if right != Right::Access {
                verbs.push("dynamodb:UpdateItem");
            }
            if deletes {
                verbs.extend(["dynamodb:DeleteItem", "dynamodb:DescribeContinuousBackups"]);
            }
            (verbs, vec![format!("{table}/index/*"), table])
        }
        Place::S3Objects(place) => {
            let key = place.objects.to_string();
            let before = key.split('{').next().unwrap_or_default();
            let place = bucket(partition, &place.bucket, before);
            (READ_OBJECTS.to_vec(), place)
        }
        Place::S3Records(place) => {
            let place = bucket(partition, &place.bucket, &place.prefix);
            (READ_OBJECTS.to_vec(), place)
        }
        Place::Attested(_) => (Vec::new(), Vec::new()),
    };
    let mut keys = vec!["kms:Decrypt"];
    if deletes {
        keys.push("kms:GenerateDataKey");
        if !matches!(store.place, Place::DynamoDb(_)) {
            verbs.extend(REWRITE_OBJECTS);
        }
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": verbs, "Resource": resources },
            { "Effect": "Allow", "Action": keys, "Resource": "*" },
        ],
    })
}

/// A bucket, and what is in it below a prefix.
fn bucket(partition: &str, bucket: &str, prefix: &str) -> Vec<String> {
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    vec![format!("{bucket}/{prefix}*"), bucket]
}

/// What sessions are called in the other account's trail.
const SESSION: &str = "quittance";
const READ_ITEMS: [&str; 4] = [
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
];
const READ_OBJECTS: [&str; 2] = ["s3:Get*", "s3:List*"];
const REWRITE_OBJECTS: [&str; 5] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutObject",
    "s3:PutObjectTagging",
];
