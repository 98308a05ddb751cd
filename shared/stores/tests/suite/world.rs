//! A backend of its own for each test, and the data that goes into it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use quittance_core::data_map::{DataMap, Store};
use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_core::manifest::{KeyValue, Locator, Match};
use quittance_core::outcome::CheckMethod;
use quittance_core::request::Right;
use quittance_core::subject::{IdentifierKind, Identifiers};
use quittance_engine::ports::{Question, StoreReader as _};
use quittance_local::{ACCESS_KEY_ID, Options, REGION, SECRET_ACCESS_KEY};
use quittance_stores::AwsStores;

use crate::backend::Backend;
use crate::wire::Wire;

/// The subject's e-mail address: must never be seen in a fault or in `Debug`.
pub(crate) const EMAIL: &str = "ann.canary@example.test";

/// What pseudonyms are made with.
pub(crate) const PSEUDONYM_KEY: HmacKey = HmacKey::new([9; 32]);

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) struct World {
    pub(crate) stores: AwsStores,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    /// Between the stores and the backend; the two clients above do not pass through it.
    pub(crate) wire: Wire,
    /// Stops when it is dropped.
    pub(crate) backend: Backend,
}

/// What a whole search came to.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) matches: Vec<Match>,
    pub(crate) pages: usize,
    pub(crate) method: CheckMethod,
}

impl Search {
    pub(crate) fn places(&self) -> BTreeSet<Locator> {
        self.matches
            .iter()
            .map(|found| found.locator.clone())
            .collect()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let backend = Backend::start(options).await;
        let wire = Wire::new();
        let stores = AwsStores::new(
            aws_sdk_dynamodb::Client::from_conf(
                dynamodb_config(&backend).http_client(wire.clone()).build(),
            ),
            aws_sdk_s3::Client::from_conf(s3_config(&backend).http_client(wire.clone()).build()),
            data_map(ANY_STORE).identifiers,
        )
        .with_pseudonyms(PSEUDONYM_KEY);
        let dynamodb = aws_sdk_dynamodb::Client::from_conf(dynamodb_config(&backend).build());
        let s3 = aws_sdk_s3::Client::from_conf(s3_config(&backend).build());
        Self {
            stores,
            dynamodb,
            s3,
            wire,
            backend,
        }
    }

    /// A client of somebody else's.
    pub(crate) fn s3_as(&self, access_key_id: &str) -> aws_sdk_s3::Client {
        use aws_sdk_s3::config::Credentials;
        let key = Credentials::new(access_key_id, SECRET_ACCESS_KEY, None, None, "test");
        let config = s3_config(&self.backend).credentials_provider(key);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Reaches stores elsewhere, over the same wire.
    pub(crate) async fn reaching(mut self, right: Right) -> Self {
        use aws_config::{BehaviorVersion, Region};
        use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
        let key = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "test");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(key))
            .http_client(self.wire.clone())
            .endpoint_url(self.backend.endpoint())
            .load()
            .await;
        self.stores = self.stores.with_reach(config, right);
        self
    }

    /// Answers in small pages.
    pub(crate) fn paged(mut self, things: usize) -> Self {
        self.stores = self.stores.with_page(things);
        self
    }

    /// Creates a table. Attributes are `name:S` or `name:N`, partition first; an index is its name
    /// and its attributes.
    pub(crate) async fn table(&self, name: &str, key: &[&str], indexes: &[(&str, &[&str])]) {
        let mut definitions: BTreeMap<&str, &str> = BTreeMap::new();
        for attribute in key
            .iter()
            .chain(indexes.iter().flat_map(|(_, key)| key.iter()))
        {
            let (name, kind) = attribute.split_once(':').unwrap();
            definitions.insert(name, kind);
        }
        let mut table = self
            .dynamodb
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema(key)));
        for (name, kind) in definitions {
            let definition = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::from(kind));
            table = table.attribute_definitions(definition.build().unwrap());
        }
        for (index, key) in indexes {
            let all = Projection::builder()
                .projection_type(ProjectionType::KeysOnly)
                .build();
            let index = GlobalSecondaryIndex::builder()
                .index_name(*index)
                .set_key_schema(Some(schema(key)))
                .projection(all);
            table = table.global_secondary_indexes(index.build().unwrap());
        }
        table.send().await.unwrap();
    }

    pub(crate) async fn put(&self, table: &str, item: Item) {
        self.dynamodb
            .put_item()
            .table_name(table)
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
    }

    /// Puts an item, as a concurrent writer would, just before the next request of an operation.
    pub(crate) fn just_before(&self, operation: &'static str, table: &'static str, item: Item) {
        let writer = self.dynamodb.clone();
        self.wire.before(operation, 1, move || {
            let put = writer
                .put_item()
                .table_name(table)
                .set_item(Some(item.clone()));
            async move { drop(put.send().await.unwrap()) }
        });
    }

    /// Every item of a table, by its key's text.
    pub(crate) async fn dump(&self, table: &str) -> BTreeMap<String, Item> {
        let mut items = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self
                .dynamodb
                .scan()
                .table_name(table)
                .consistent_read(true)
                .set_exclusive_start_key(after)
                .send()
                .await
                .unwrap();
            for item in page.items() {
                let key: Vec<String> = ["pk", "sk"]
                    .iter()
                    .filter_map(|name| item.get(*name))
                    .map(|value| value.as_s().or_else(|_| value.as_n()).unwrap().clone())
                    .collect();
                items.insert(key.join("/"), item.clone());
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                return items;
            }
        }
    }

    pub(crate) async fn bucket(&self, name: &str, versioning: Option<BucketVersioningStatus>) {
        self.s3.create_bucket().bucket(name).send().await.unwrap();
        if let Some(status) = versioning {
            self.versioning(name, status).await;
        }
    }

    pub(crate) async fn versioning(&self, bucket: &str, status: BucketVersioningStatus) {
        let configuration = VersioningConfiguration::builder().status(status).build();
        self.s3
            .put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(configuration)
            .send()
            .await
            .unwrap();
    }

    /// Has a bucket, which must have versions, copied to another.
    pub(crate) async fn replicated(&self, bucket: &str) {
        use aws_sdk_s3::types as s3;
        self.versioning(bucket, BucketVersioningStatus::Enabled)
            .await;
        let destination = s3::Destination::builder().bucket("arn:aws:s3:::copies");
        let rule = s3::ReplicationRule::builder()
            .status(s3::ReplicationRuleStatus::Enabled)
            .destination(destination.build().unwrap());
        let replication = s3::ReplicationConfiguration::builder()
            .role("arn:aws:iam::123456789012:role/copies")
            .rules(rule.build().unwrap());
        let put = self.s3.put_bucket_replication().bucket(bucket);
        put.replication_configuration(replication.build().unwrap())
            .send()
            .await
            .unwrap();
    }

    pub(crate) async fn object(&self, bucket: &str, key: &str, body: &str) -> Option<String> {
        self.s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type("text/plain")
            .body(ByteStream::from(body.as_bytes().to_vec()))
            .send()
            .await
            .unwrap()
            .version_id
    }

    /// Every version and delete marker of a bucket: key, version, entity tag.
    pub(crate) async fn versions(&self, bucket: &str) -> BTreeSet<(String, String, String)> {
        let listed = self
            .s3
            .list_object_versions()
            .bucket(bucket)
            .send()
            .await
            .unwrap();
        assert_ne!(
            listed.is_truncated(),
            Some(true),
            "a fixture of more than one page"
        );
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let versions = listed
            .versions()
            .iter()
            .map(|v| (text(v.key()), text(v.version_id()), text(v.e_tag())));
        let markers = listed
            .delete_markers()
            .iter()
            .map(|m| (text(m.key()), text(m.version_id()), "marker".to_owned()));
        versions.chain(markers).collect()
    }

    /// Searches to the end.
    pub(crate) async fn search(&self, question: Question<'_>) -> Result<Search, Fault> {
        let first = self.stores.locate(question, None).await?;
        let mut search = Search {
            matches: first.matches,
            pages: 1,
            method: first.method,
        };
        let mut next = first.next;
        while let Some(cursor) = next {
            let page = self.stores.locate(question, Some(&cursor)).await?;
            search.matches.extend(page.matches);
            search.pages += 1;
            assert!(search.pages < 10_000, "the search does not end");
            next = page.next;
        }
        Ok(search)
    }
}

/// Reads a store from what a data map says about it beside its id, name and meaning.
pub(crate) fn store(lines: &str) -> Store {
    data_map(lines).stores.first().unwrap().clone()
}

fn data_map(lines: &str) -> DataMap {
    let mut text = String::from(
        "version: 1
controller: { id: shop, name: Shop, contact: privacy@example.test, role: controller }
identifiers:
  email: { normalise: email }
  phone: { normalise: phone }
  customer_id: { normalise: exact, asked: true }
stores:
  - id: store
    public_name: A store
    about: { source: first_party, purposes: [contract], categories: [identity], recipients: [] }
",
    );
    for line in lines
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        text.push_str("    ");
        text.push_str(line.trim_start());
        text.push('\n');
    }
    DataMap::parse(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

pub(crate) fn identifiers(given: &[(&str, &str)]) -> Identifiers {
    let rules = data_map(ANY_STORE).identifiers;
    let mut identifiers = Identifiers::default();
    for (kind, raw) in given {
        let kind = IdentifierKind::parse(kind).unwrap();
        let value = rules[&kind].normalise(raw).unwrap();
        identifiers.insert(kind, value);
    }
    identifiers
}

pub(crate) fn ask<'a>(
    store: &'a Store,
    identifiers: &'a Identifiers,
    right: Right,
) -> Question<'a> {
    Question {
        store,
        identifiers,
        right,
    }
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(crate) fn number(value: &str) -> AttributeValue {
    AttributeValue::N(value.to_owned())
}

pub(crate) fn item(attributes: &[(&str, AttributeValue)]) -> Item {
    attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

/// The locator of an item with the string key `pk`, and `sk` if not empty.
pub(crate) fn at(pk: &str, sk: &str) -> Locator {
    let mut key = BTreeMap::from([("pk".to_owned(), KeyValue::S(pk.to_owned()))]);
    if !sk.is_empty() {
        key.insert("sk".to_owned(), KeyValue::S(sk.to_owned()));
    }
    Locator::Item { key }
}

fn schema(key: &[&str]) -> Vec<KeySchemaElement> {
    key.iter()
        .zip([KeyType::Hash, KeyType::Range])
        .map(|(attribute, role)| {
            let (name, _) = attribute.split_once(':').unwrap();
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(role)
                .build()
                .unwrap()
        })
        .collect()
}

fn dynamodb_config(backend: &Backend) -> aws_sdk_dynamodb::config::Builder {
    use aws_sdk_dynamodb::config::retry::RetryConfig;
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .endpoint_url(backend.endpoint())
        .credentials_provider(Credentials::new(
            ACCESS_KEY_ID,
            SECRET_ACCESS_KEY,
            None,
            None,
            "test",
        ))
}

fn s3_config(backend: &Backend) -> aws_sdk_s3::config::Builder {
    use aws_sdk_s3::config::retry::RetryConfig;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .endpoint_url(backend.endpoint())
        .credentials_provider(Credentials::new(
            ACCESS_KEY_ID,
            SECRET_ACCESS_KEY,
            None,
            None,
            "test",
        ))
        .force_path_style(true)
}

const ANY_STORE: &str =
    "dynamodb: { table: any }\nfind: [ { email: { key: pk } } ]\ndeletion: delete_item";
