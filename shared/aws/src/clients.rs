//! SDK clients, built once per process.
//!
//! Which table, bucket or key is meant is in [`crate::settings`]. Guarded writes switch the SDK's
//! retries off ([`no_retry`]): a second try after a lost answer would report our own write as
//! somebody else's.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// The clients of all services that Quittance itself is built on.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Ledger, keys, log head.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Wrapping and signing keys.
    pub kms: aws_sdk_kms::Client,
    /// Vault, evidence, log.
    pub s3: aws_sdk_s3::Client,
    /// Mails.
    pub ses: aws_sdk_sesv2::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    config: SdkConfig,
}

impl Clients {
    /// Builds the clients from the SDK's own environment: region, role, `AWS_ENDPOINT_URL`.
    pub async fn from_env() -> Self {
        // One for all: by itself each SDK would read the roots of trust anew at its first call.
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .load()
            .await;
        // An endpoint of one's own (an emulator) has no host name per bucket.
        let style = if config.endpoint_url().is_some() {
            Style::Path
        } else {
            Style::Host
        };
        Self::build(config, style)
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
        Self::build(config, Style::Path)
    }

    /// Returns the configuration the clients share, for the adapters of customers' stores.
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    fn build(config: SdkConfig, style: Style) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(matches!(style, Style::Path))
            .build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            ses: aws_sdk_sesv2::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            config,
        }
    }
}

/// Returns the override for guarded writes to `DynamoDB`: one try, and its true answer.
pub(crate) fn no_retry() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::config::Builder::new()
        .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
}

#[derive(Clone, Copy)]
enum Style {
    Host,
    Path,
}

/// What emulators expect: `quittance-local` checks S3 signatures under this key.
const LOCAL_KEY: &str = "test";
const LOCAL_REGION: &str = "us-east-1";
