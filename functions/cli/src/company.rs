//! The whole system in one process: embedded AWS, every function, one HTTP door.
//!
//! It is for development and tests. State lives in one directory; killed at any moment, it goes on
//! where it was.

mod dispatch;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use quittance_aws::adapters::Adapters;
use quittance_aws::clients::Clients;
use quittance_aws::clock::SystemClock;
use quittance_aws::provision::{self, Names};
use quittance_aws::settings::{Setting, Settings};
use quittance_aws::telemetry::{self, Format};
use quittance_core::data_map::DataMap;
use quittance_core::fault::Fault;
use quittance_engine::ports::{HeadLock as _, Signer};
use quittance_engine::statement::Handler;
use quittance_local::{LocalAws, Options};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::args::LocalArgs;
use crate::printing::{Failure, data, talk};
use crate::shop;
use crate::witness::LocalWitnesses;

/// The log's name.
pub(crate) const ORIGIN: &str = "chinook.test/dsr-log";

/// A running company.
pub(crate) struct Company {
    aws: LocalAws,
    pub(crate) adapters: Adapters,
    pub(crate) map: Arc<DataMap>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) witnesses: Arc<LocalWitnesses>,
    pub(crate) api: SocketAddr,
    pub(crate) dir: PathBuf,
    work: JoinSet<()>,
}

/// What a running `dsr local` tells `dsr request` and `dsr task`.
#[derive(Debug, Serialize, Deserialize)]
struct Running {
    aws_endpoint: String,
    api: String,
}

impl Company {
    /// Starts everything on a directory. `port` 0 takes free ports.
    pub(crate) async fn start(dir: &Path, port: u16) -> Result<Self, Failure> {
        prepare(dir)?;
        let aws_port = (port != 0).then(|| port.saturating_add(1));
        let options = Options {
            dir: Some(dir.join("aws")),
            port: aws_port,
            ..Options::default()
        };
        let aws = LocalAws::start(options).await?;
        let adapters = adapters(dir, &aws.endpoint()).await?;
        let map = Arc::new(DataMap::parse(shop::DATA_MAP)?);
        shop::furnish(adapters.clients()).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| {
                Failure::failed(format!(
                    "cannot listen on port {port}: {error}; choose another --port"
                ))
            })?;
        let api = listener.local_addr()?;
        let sequencer = quittance_receipts::wire(&adapters).await?;
        if adapters.head_lock()?.read().await?.is_none() {
            sequencer.create().await?;
        }
        let signer = Arc::clone(&sequencer.signer);
        let witnesses = Arc::new(witnesses(dir, &*signer)?);
        let running = Running {
            aws_endpoint: aws.endpoint(),
            api: format!("http://{api}"),
        };
        std::fs::write(dir.join(MARKER), serde_json::to_vec_pretty(&running)?)?;
        let mut work = JoinSet::new();
        dispatch::start(
            &mut work,
            &adapters,
            &map,
            sequencer,
            &handler(),
            &witnesses,
        )?;
        let intake = quittance_intake::wire(&adapters, Arc::clone(&map), handler())?;
        let download = quittance_download::wire(&adapters)?;
        let routes = quittance_intake::routes(intake).merge(quittance_download::routes(download));
        work.spawn(async move {
            if let Err(error) = axum::serve(listener, quittance_web::harden(routes)).await {
                tracing::error!(fault = %error, "the API ended");
            }
        });
        Ok(Self {
            aws,
            adapters,
            map,
            signer,
            witnesses,
            api,
            dir: dir.to_owned(),
            work,
        })
    }

    /// The endpoint any AWS client can use.
    pub(crate) fn aws_endpoint(&self) -> String {
        self.aws.endpoint()
    }

    /// Where mails end up.
    pub(crate) fn mailbox(&self) -> PathBuf {
        self.dir.join("mailbox")
    }

    /// Stops everything.
    pub(crate) async fn stop(mut self) {
        self.work.shutdown().await;
        self.aws.stop().await;
    }
}

/// `dsr local`.
pub(crate) async fn serve(args: LocalArgs) -> Result<ExitCode, Failure> {
    if args.reset {
        reset(&args.dir)?;
    }
    telemetry::start(Format::Human, tracing::Level::INFO, Arc::new(SystemClock));
    let company = Company::start(&args.dir, args.port).await?;
    data(&format!("request API   http://{}/v1/requests", company.api));
    data(&format!(
        "AWS endpoint  {}   (S3, DynamoDB, SQS, KMS; any access key, secret \"test\")",
        company.aws_endpoint()
    ));
    data(&format!("mailbox       {}", company.mailbox().display()));
    data(&format!("state         {}", company.dir.display()));
    talk("For development and tests only. Stop with Ctrl-C; start again to go on.");
    tokio::signal::ctrl_c().await?;
    company.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Connects to a running `dsr local`.
pub(crate) async fn connect(dir: &Path) -> Result<Adapters, Failure> {
    let file = dir.join(MARKER);
    let text = std::fs::read(&file).map_err(|error| {
        Failure::not_found(format!(
            "{}: {error}; is `dsr local` running there?",
            file.display()
        ))
    })?;
    let running: Running = serde_json::from_slice(&text)?;
    adapters(dir, &running.aws_endpoint).await
}

/// The two witnesses of a `dsr local`. They stand for auditors' own, and prove nothing to strangers: they
/// are the company's.
pub(crate) fn witnesses(dir: &Path, signer: &dyn Signer) -> Result<LocalWitnesses, Failure> {
    LocalWitnesses::open(&dir.join("witnesses"), signer.log_vkey())
}

/// The data map of the company.
pub(crate) fn handler() -> Handler {
    Handler {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        artifact: None,
    }
}

/// Builds the adapters over the embedded endpoint, making what is missing there.
async fn adapters(dir: &Path, endpoint: &str) -> Result<Adapters, Failure> {
    let clients = Clients::local(endpoint).await;
    let file = |name: &str| format!("file:{}", dir.join("keys").join(name).display());
    let mut settings = provision::all(&clients, &Names::new("quittance")).await?;
    settings.extend([
        (Setting::VaultKey, file("vault.key")),
        (Setting::StatementKey, file("statement.pem")),
        (Setting::LogKey, file("log.key")),
        (Setting::TagKeys, file("tags.key")),
        (Setting::LogOrigin, ORIGIN.to_owned()),
        (Setting::DataMap, "built-in".to_owned()),
        (
            Setting::Mail,
            format!("dir:{}", dir.join("mailbox").display()),
        ),
    ]);
    Ok(Adapters::new(
        Settings::new(settings)?,
        clients,
        Arc::new(SystemClock),
    ))
}

fn prepare(dir: &Path) -> Result<(), Failure> {
    for part in ["aws", "keys", "mailbox"] {
        std::fs::create_dir_all(dir.join(part)).map_err(|error| {
            Failure::failed(format!("cannot make {}: {error}", dir.join(part).display()))
        })?;
    }
    Ok(())
}

/// Deletes a directory that `dsr local` made, and no other.
fn reset(dir: &Path) -> Result<(), Failure> {
    if !dir.exists() {
        return Ok(());
    }
    let empty = std::fs::read_dir(dir)?.next().is_none();
    if !empty && !dir.join("keys").is_dir() {
        return Err(Failure::failed(format!(
            "{} does not look like a directory of `dsr local`: delete it yourself",
            dir.display()
        )));
    }
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

/// A fault as a failure of the command line.
impl Failure {
    /// Says whether trying again may help.
    pub(crate) fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Conflict | Fault::Retry { .. } => Self::later(fault.to_string()),
            Fault::Block(_) | Fault::Reject { .. } => Self::failed(fault.to_string()),
        }
    }
}

const MARKER: &str = "running.json";
