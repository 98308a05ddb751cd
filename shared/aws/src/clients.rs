//! SDK clients, each built once per process, when it is first asked for.
//!
//! Which table, bucket or key is meant is in [`crate::settings`]. Guarded writes switch the SDK's
//! retries off ([`no_retry`]): a second try after a lost answer would report our own write as
//! somebody else's.
//!
//! What a process does before its first question for work is what a person waits for after a quiet hour.
//! So only the clients that a function uses are built, and the roots of trust are read beside everything else.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

/// The clients of all services that Quittance itself is built on.
#[derive(Clone, Debug)]
pub struct Clients {
    config: SdkConfig,
    style: Style,
    built: Arc<Built>,
}

impl Clients {
    /// Takes what the SDK finds by itself: environment, profiles, roles, `AWS_ENDPOINT_URL`.
    pub async fn from_env() -> Self {
        Self::load(aws_config::defaults(BehaviorVersion::latest())).await
    }

    /// Takes what Lambda gives a function: the region and the credentials of its role are in its environment, and
    /// nowhere else is looked. The SDK's search would build clients of services that nobody calls.
    pub async fn of_function() -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(EnvironmentVariableRegionProvider::new())
            .credentials_provider(EnvironmentVariableCredentialsProvider::new());
        Self::load(loader).await
    }

    /// Builds the clients for an emulator at `endpoint`, with credentials that open nothing.
    pub async fn local(endpoint: &str) -> Self {
        let credentials = Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "local");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(LOCAL_REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            .load()
            .await;
        Self::new(config, Style::Path)
    }

    /// Returns the configuration the clients share, for the adapters of customers' stores.
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns the client for ledger, keys, log head.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let build = || aws_sdk_dynamodb::Client::new(&self.config);
        self.built.dynamodb.get_or_init(build).clone()
    }

    /// Returns the client for wrapping and signing keys.
    pub fn kms(&self) -> aws_sdk_kms::Client {
        let build = || aws_sdk_kms::Client::new(&self.config);
        self.built.kms.get_or_init(build).clone()
    }

    /// Returns the client for vault, evidence, log.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let build = || {
            let config = aws_sdk_s3::config::Builder::from(&self.config)
                .force_path_style(matches!(self.style, Style::Path))
                .build();
            aws_sdk_s3::Client::from_conf(config)
        };
        self.built.s3.get_or_init(build).clone()
    }

    /// Returns the client for mails.
    pub fn ses(&self) -> aws_sdk_sesv2::Client {
        let build = || aws_sdk_sesv2::Client::new(&self.config);
        self.built.ses.get_or_init(build).clone()
    }

    /// Returns the client for queues.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let build = || aws_sdk_sqs::Client::new(&self.config);
        self.built.sqs.get_or_init(build).clone()
    }

    async fn load(loader: ConfigLoader) -> Self {
        let config = loader.http_client(http()).load().await;
        // An endpoint of one's own (an emulator) has no host name per bucket.
        let style = if config.endpoint_url().is_some() {
            Style::Path
        } else {
            Style::Host
        };
        Self::new(config, style)
    }

    fn new(config: SdkConfig, style: Style) -> Self {
        Self {
            config,
            style,
            built: Arc::default(),
        }
    }
}

/// Returns the override for guarded writes to `DynamoDB`: one try, and its true answer.
pub(crate) fn no_retry() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::config::Builder::new()
        .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
}

#[derive(Debug, Default)]
struct Built {
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    ses: OnceLock<aws_sdk_sesv2::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Host,
    Path,
}

/// Returns one HTTP client for all services: by itself each would read the roots of trust anew. Reading them begins
/// at once, in a thread beside; who calls first waits for it.
fn http() -> SharedHttpClient {
    let connector = Arc::new(LazyLock::new(connector));
    let reading = Arc::clone(&connector);
    drop(tokio::task::spawn_blocking(move || {
        LazyLock::force(&reading);
    }));
    http_client_fn(move |_, _| (**connector).clone())
}

fn connector() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    SharedHttpConnector::new(connector)
}

/// The SDK's own default.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3100);
/// What emulators expect: `quittance-local` checks S3 signatures under this key.
const LOCAL_KEY: &str = "test";
const LOCAL_REGION: &str = "us-east-1";
