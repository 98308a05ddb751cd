//! The contract suites over the adapters for AWS, on `ministack`: with KMS keys and SES mails.
//!
//! Needs the program `ministack` (a Python package) on the PATH, or its path in
//! `QUITTANCE_MINISTACK`. One server is started for the whole run, on a loopback port, and ended with it.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "behaviours/mod.rs"]
mod behaviours;
mod server;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use quittance_aws::clients::Clients;
use quittance_aws::settings::Setting;

use behaviours::{AwsWorld, World};
use server::Server;

async fn aws() -> AwsWorld {
    let clients = Clients::local(server()).await;
    let prefix = format!("t{}", WORLDS.fetch_add(1, Ordering::Relaxed));
    let sender = "dsr@example.test";
    let identity = clients.ses().create_email_identity().email_identity(sender);
    // It exists from the second world on.
    drop(identity.send().await);
    let more = vec![
        (Setting::VaultKey, key(&clients, None).await),
        (
            Setting::StatementKey,
            key(&clients, Some(KeySpec::EccNistP256)).await,
        ),
        (
            Setting::LogKey,
            key(&clients, Some(KeySpec::EccNistEdwards25519)).await,
        ),
        (
            Setting::WitnessKey,
            key(&clients, Some(KeySpec::EccNistEdwards25519)).await,
        ),
        (Setting::Mail, sender.to_owned()),
    ];
    AwsWorld::provision(clients, &prefix, more, Vec::new()).await
}

async fn world() -> World {
    aws().await.world().await
}

/// Makes a KMS key: for wrapping, or for signing.
async fn key(clients: &Clients, spec: Option<KeySpec>) -> String {
    let create = clients.kms().create_key();
    let create = match spec {
        None => create,
        Some(spec) => create.key_spec(spec).key_usage(KeyUsageType::SignVerify),
    };
    let made = create.send().await.unwrap();
    format!("kms:{}", made.key_metadata.unwrap().key_id)
}

/// Starts the one server and waits until it answers.
fn server() -> &'static str {
    static SERVER: OnceLock<Server> = OnceLock::new();
    // It unpacks nothing here.
    let start = || Server::start(&std::env::temp_dir());
    &SERVER.get_or_init(start).endpoint
}

/// So that every world has names of its own.
static WORLDS: AtomicU32 = AtomicU32::new(0);

tests_over!(super::world);
aws_tests_over!(super::aws);
