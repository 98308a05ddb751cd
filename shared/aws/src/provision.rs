//! Tables, indexes, buckets and queues for one machine and for tests, made when they are missing.
//!
//! In the cloud the template makes them, with locks, keys and alarms that are not here. What is made
//! is told as settings, ready for [`crate::settings::Settings::new`].

use std::path::Path;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use quittance_core::fault::Fault;
use quittance_engine::ports::Clock;

use crate::adapters::StartError;
use crate::clients::Clients;
use crate::faults::{code, fault};
use crate::ledger::keys::{EXPIRES, PK, QUEUE, QUEUE_PK, QUEUE_SK, SK, WAKE, WAKE_PK, WAKE_SK};
use crate::queues::QueueName;
use crate::settings::{KeySource, Setting};
use crate::signer::FileSigner;
use crate::vault::KeyWrap;
use crate::{head_lock, secrets, vault, witness};

/// What everything is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Names everything with a prefix, such as `quittance`.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    fn of(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }
}

/// Makes everything that is missing and returns the settings that name it.
///
/// # Errors
/// What the backend answers; running it again goes on.
pub async fn all(clients: &Clients, names: &Names) -> Result<Vec<(Setting, String)>, Fault> {
    let (ledger_table, keys_table) = (names.of("ledger"), names.of("keys"));
    let head_table = names.of("log-head");
    ledger(clients, &ledger_table).await?;
    hash_table(clients, &keys_table, vault::KEYS_ID).await?;
    hash_table(clients, &head_table, head_lock::LOG).await?;
    let mut made = vec![
        (Setting::LedgerTable, ledger_table),
        (Setting::KeysTable, keys_table),
        (Setting::HeadTable, head_table),
    ];
    for (setting, what) in [
        (Setting::VaultBucket, "vault"),
        (Setting::EvidenceBucket, "evidence"),
        (Setting::LogBucket, "log"),
    ] {
        let name = names.of(what);
        bucket(clients, &name).await?;
        made.push((setting, name));
    }
    for name in QueueName::ALL {
        made.push((
            Setting::Queue(name),
            queue(clients, &names.of(&name.to_string())).await?,
        ));
    }
    Ok(made)
}

/// Makes the table of a witness and returns the setting that names it.
///
/// # Errors
/// What the backend answers.
pub async fn witness(clients: &Clients, names: &Names) -> Result<(Setting, String), Fault> {
    let table = names.of("witness");
    hash_table(clients, &table, witness::LOG).await?;
    Ok((Setting::WitnessTable, table))
}

/// The key files of one machine: which setting names which.
pub const KEY_FILES: [(Setting, &str); 5] = [
    (Setting::VaultKey, "vault.key"),
    (Setting::StatementKey, "statement.pem"),
    (Setting::LogKey, "log.pem"),
    (Setting::TagKeys, "tags.json"),
    (Setting::IntakeKey, "intake.key"),
];

/// Returns the settings that name the key files in a folder.
pub fn key_files(folder: &Path) -> Vec<(Setting, String)> {
    let files = KEY_FILES.into_iter();
    files
        .map(|(setting, name)| (setting, format!("file:{}", folder.join(name).display())))
        .collect()
}

/// Makes all keys in a folder, each file readable by its owner only.
///
/// # Errors
/// When a file cannot be written.
pub fn make_keys(folder: &Path, clock: &dyn Clock) -> Result<(), StartError> {
    let [vault, statement, log, tags, intake] = KEY_FILES.map(|(_, name)| folder.join(name));
    KeyWrap::file(&vault, clock)?;
    FileSigner::open(&statement, &log, "new", clock)?;
    secrets::tag_keys(&KeySource::File(tags), clock)?;
    secrets::intake_key(&KeySource::File(intake), clock)?;
    Ok(())
}

async fn ledger(clients: &Clients, table: &str) -> Result<(), Fault> {
    let texts = [PK, SK, WAKE_PK, WAKE_SK, QUEUE_PK, QUEUE_SK];
    let attributes = texts.map(text).into_iter().collect::<Result<Vec<_>, _>>()?;
    let indexes = [
        index(WAKE, WAKE_PK, WAKE_SK)?,
        index(QUEUE, QUEUE_PK, QUEUE_SK)?,
    ]
    .to_vec();
    let created = clients
        .dynamodb()
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes))
        .set_key_schema(Some(schema(PK, Some(SK))?))
        .set_global_secondary_indexes(Some(indexes))
        .send()
        .await;
    match created {
        Ok(_) => {}
        Err(error) if code(&error) == Some(TABLE_EXISTS) => {}
        Err(error) => return Err(fault("CreateTable", &error)),
    }
    let broom = TimeToLiveSpecification::builder()
        .attribute_name(EXPIRES)
        .enabled(true);
    let broom = broom.build().map_err(unbuilt)?;
    let ttl = clients.dynamodb().update_time_to_live().table_name(table);
    match ttl.time_to_live_specification(broom).send().await {
        Ok(_) => Ok(()),
        // It is on already.
        Err(error) if code(&error) == Some("ValidationException") => Ok(()),
        Err(error) => Err(fault("UpdateTimeToLive", &error)),
    }
}

async fn hash_table(clients: &Clients, table: &str, key: &str) -> Result<(), Fault> {
    let created = clients
        .dynamodb()
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(text(key)?)
        .set_key_schema(Some(schema(key, None)?))
        .send()
        .await;
    match created {
        Ok(_) => Ok(()),
        Err(error) if code(&error) == Some(TABLE_EXISTS) => Ok(()),
        Err(error) => Err(fault("CreateTable", &error)),
    }
}

async fn bucket(clients: &Clients, name: &str) -> Result<(), Fault> {
    let create = clients.s3().create_bucket().bucket(name);
    let region = clients
        .config()
        .region()
        .map(|region| region.as_ref().to_owned());
    let create = match region.as_deref() {
        None | Some("us-east-1") => create,
        Some(region) => create.create_bucket_configuration(
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build(),
        ),
    };
    match create.send().await {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                code(&error),
                Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists")
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(fault("CreateBucket", &error)),
    }
}

async fn queue(clients: &Clients, name: &str) -> Result<String, Fault> {
    let create = clients.sqs().create_queue().queue_name(name);
    let create = create.attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY_SECONDS);
    let created = create
        .send()
        .await
        .map_err(|error| fault("CreateQueue", &error))?;
    created
        .queue_url
        .ok_or_else(|| Fault::retry("CreateQueue: an answer without an address"))
}

fn text(name: &str) -> Result<AttributeDefinition, Fault> {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    attribute
        .attribute_type(ScalarAttributeType::S)
        .build()
        .map_err(unbuilt)
}

fn schema(pk: &str, sk: Option<&str>) -> Result<Vec<KeySchemaElement>, Fault> {
    let part = |name: &str, kind: KeyType| {
        let part = KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind);
        part.build().map_err(unbuilt)
    };
    let mut parts = vec![part(pk, KeyType::Hash)?];
    if let Some(sk) = sk {
        parts.push(part(sk, KeyType::Range)?);
    }
    Ok(parts)
}

fn index(name: &str, pk: &str, sk: &str) -> Result<GlobalSecondaryIndex, Fault> {
    // Everything: a listing gives whole items, and an item is about a kilobyte.
    let all = Projection::builder()
        .projection_type(ProjectionType::All)
        .build();
    let index = GlobalSecondaryIndex::builder()
        .index_name(name)
        .projection(all);
    index
        .set_key_schema(Some(schema(pk, Some(sk))?))
        .build()
        .map_err(unbuilt)
}

fn unbuilt(_: aws_sdk_dynamodb::error::BuildError) -> Fault {
    Fault::reject("a table's description could not be built")
}

const TABLE_EXISTS: &str = "ResourceInUseException";
const VISIBILITY_SECONDS: &str = "60";
