//! What the emulation promises, asked with the real AWS clients.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

mod durability;
mod dynamodb;
mod dynamodb_reads;
mod dynamodb_transactions;
mod faults;
mod kms_sqs_ses;
mod s3_buckets_and_locks;
mod s3_conditions;
mod s3_lists;
mod s3_objects;
mod s3_parts;
mod s3_versions;
mod speed;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use quittance_local::{ACCESS_KEY_ID, LocalAws, Options, REGION, SECRET_ACCESS_KEY, WallClock};

/// An emulation and its clients.
struct World {
    aws: LocalAws,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    kms: aws_sdk_kms::Client,
    ses: aws_sdk_sesv2::Client,
    sqs: aws_sdk_sqs::Client,
    ahead_ms: Arc<AtomicI64>,
}

/// Builds the configuration of one client; the clients' crates repeat the types.
macro_rules! client {
    ($sdk:ident, $endpoint:expr) => {{
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new(REGION))
            .credentials_provider($sdk::config::Credentials::new(
                ACCESS_KEY_ID,
                SECRET_ACCESS_KEY,
                None,
                None,
                "tests",
            ))
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .endpoint_url($endpoint)
            .build();
        $sdk::Client::from_conf(config)
    }};
}

impl World {
    async fn new() -> Self {
        Self::open(None).await
    }

    /// An emulation whose state is in `dir`.
    async fn open(dir: Option<PathBuf>) -> Self {
        let ahead_ms = Arc::new(AtomicI64::new(0));
        let moved = Arc::clone(&ahead_ms);
        let clock = WallClock::new(move || machine_ms() + moved.load(Ordering::SeqCst));
        let aws = LocalAws::start(Options {
            dir,
            clock,
            ..Options::default()
        })
        .await
        .unwrap();
        let endpoint = aws.endpoint();
        Self {
            s3: client!(aws_sdk_s3, &endpoint),
            dynamodb: client!(aws_sdk_dynamodb, &endpoint),
            kms: client!(aws_sdk_kms, &endpoint),
            ses: client!(aws_sdk_sesv2, &endpoint),
            sqs: client!(aws_sdk_sqs, &endpoint),
            aws,
            ahead_ms,
        }
    }

    fn move_clock(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clients sign with the machine's clock, the locks must agree"
)]
fn machine_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// The code of a failed call's error.
fn code<E, R>(result: Result<impl std::fmt::Debug, aws_sdk_s3::error::SdkError<E, R>>) -> String
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    let error = result.expect_err("the call should fail");
    match error.as_service_error() {
        Some(service) => service
            .code()
            .map_or_else(|| format!("{service:?}"), str::to_owned),
        None => format!("{error:?}"),
    }
}
