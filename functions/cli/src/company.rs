//! The whole system in one process: embedded AWS, every function, one HTTP door.
//!
//! It is for development and tests. State lives in one directory; killed at any moment, it goes on
//! where it was.

mod dispatch;
mod home;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use quittance_aws::adapters::Adapters;
use quittance_aws::clients::Clients;
use quittance_aws::clock::SystemClock;
use quittance_aws::provision::{self, Names};
use quittance_aws::settings::{Setting, Settings};
use quittance_aws::telemetry::{self, Format};
use quittance_core::data_map::DataMap;
use quittance_core::fault::Fault;
use quittance_engine::ports::{HeadLock as _, Signer, Witnesses as _};
use quittance_engine::statement::Handler;
use quittance_local::{LocalAws, Options, StartError};
use quittance_receipts::{Receipts, WitnessSource};
use quittance_web::House;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

pub(crate) use self::home::Home;
use self::home::Running;
use crate::args::LocalArgs;
use crate::policy::policy_of;
use crate::printing::{Failure, data, talk};
use crate::shop::{self, Days};
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
    home: Home,
    work: JoinSet<()>,
}

impl Company {
    /// Starts everything on a directory. `port` 0 takes free ports; a new lake holds so many days.
    pub(crate) async fn start(home: Home, port: u16, days: Days) -> Result<Self, Failure> {
        // The doors first: a port that is taken must not cost a start.
        let aws_port = port.checked_add(1).filter(|_| port != 0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| no_port(port, &error))?;
        let api = listener.local_addr()?;
        let options = Options {
            dir: Some(home.aws()),
            port: aws_port,
            ..Options::default()
        };
        let aws = LocalAws::start(options).await.map_err(|error| {
            if let StartError::Port(error) = &error {
                no_port(aws_port.unwrap_or_default(), error)
            } else {
                Failure::from(error)
            }
        })?;
        let clients = Clients::local(&aws.endpoint()).await;
        let settings = provision(&home, &clients).await?;
        let adapters = Adapters::new(
            Settings::new(settings.clone())?,
            clients,
            Arc::new(SystemClock),
        );
        let map = Arc::new(DataMap::parse(shop::DATA_MAP)?);
        shop::furnish(adapters.clients(), days).await?;
        let receipts = quittance_receipts::wire(&adapters, handler()).await?;
        if adapters.head_lock()?.read().await?.is_none() {
            receipts.sequencer.create().await?;
        }
        let signer = Arc::clone(&receipts.sequencer.signer);
        let witnesses = Arc::new(witnesses(home.dir(), &*signer)?);
        let receipts = Receipts {
            witnesses: WitnessSource::Told(witnesses.clone()),
            ..receipts
        };
        let mut work = JoinSet::new();
        dispatch::start(&mut work, &adapters, &map, receipts, &handler())?;
        let policy = policy_of(&*signer, &adapters.earlier_keys()?, witnesses.vkeys())?.0;
        let door = door(&adapters, &map, policy)?;
        work.spawn(async move {
            if let Err(error) = axum::serve(listener, door).await {
                tracing::error!(fault = %error, "the API ended");
            }
        });
        home.tell(&format!("http://{api}"), &aws.endpoint(), &settings)?;
        Ok(Self {
            aws,
            adapters,
            map,
            signer,
            witnesses,
            api,
            home,
            work,
        })
    }

    /// The endpoint any AWS client can use.
    pub(crate) fn aws_endpoint(&self) -> String {
        self.aws.endpoint()
    }

    /// Where mails end up.
    pub(crate) fn mailbox(&self) -> PathBuf {
        self.home.mailbox()
    }

    /// Stops everything.
    pub(crate) async fn stop(mut self) {
        self.work.shutdown().await;
        self.aws.stop().await;
    }
}

/// `dsr local`.
pub(crate) async fn serve(args: LocalArgs) -> Result<ExitCode, Failure> {
    let home = Home::open(&args.dir, args.reset)?;
    telemetry::start(Format::Human, tracing::Level::INFO, Arc::new(SystemClock));
    let mut terminated = signal(SignalKind::terminate())?;
    let company = Company::start(home, args.port, Days::LOCAL).await?;
    data(&format!("web pages     http://{}/", company.api));
    data(&format!("request API   http://{}/v1/requests", company.api));
    data(&format!(
        "AWS endpoint  {}   (S3, DynamoDB, SQS, KMS; any access key, secret \"test\")",
        company.aws_endpoint()
    ));
    data(&format!("mailbox       {}", company.mailbox().display()));
    data(&format!("state         {}", company.home.dir().display()));
    talk("For development and tests only. Stop with Ctrl-C; start again to go on.");
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminated.recv() => {}
    }
    company.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Connects to a running `dsr local`, and makes nothing there.
pub(crate) async fn connect(dir: &Path) -> Result<Adapters, Failure> {
    let running = Running::find(dir)?;
    let clients = Clients::local(&running.aws_endpoint).await;
    Ok(Adapters::new(
        running.settings()?,
        clients,
        Arc::new(SystemClock),
    ))
}

/// The two witnesses of a `dsr local`. They stand for auditors' own, and prove nothing to strangers: they
/// are the company's.
pub(crate) fn witnesses(dir: &Path, signer: &dyn Signer) -> Result<LocalWitnesses, Failure> {
    LocalWitnesses::open(&dir.join("witnesses"), signer.log_vkey())
}

/// What its receipts say about the software.
pub(crate) fn handler() -> Handler {
    Handler {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        artifact: None,
    }
}

/// Everything that answers over HTTP: pages and API, downloads, and what is public.
fn door(adapters: &Adapters, map: &Arc<DataMap>, policy: String) -> Result<Router, Failure> {
    let intake = quittance_intake::wire(adapters, Arc::clone(map), handler())?;
    let download = quittance_download::wire(adapters)?;
    let house = House::of(&map.controller);
    let published = quittance_published::Published {
        evidence: Arc::new(adapters.evidence()?),
        tiles: Arc::new(adapters.tiles()?),
        policy: Some(policy),
        house: house.clone(),
    };
    let routes = quittance_intake::routes(intake, house.clone())
        .merge(quittance_download::routes(download, house.clone()))
        .merge(published.routes());
    Ok(quittance_web::harden(routes, house))
}

/// Makes what is missing at the embedded endpoint, and returns what everything is called.
async fn provision(home: &Home, clients: &Clients) -> Result<Vec<(Setting, String)>, Failure> {
    let mut settings = provision::all(clients, &Names::new("quittance")).await?;
    settings.extend(home.keys());
    settings.extend([
        (Setting::LogOrigin, ORIGIN.to_owned()),
        (Setting::DataMap, "built-in".to_owned()),
        (Setting::Mail, format!("dir:{}", home.mailbox().display())),
    ]);
    Ok(settings)
}

fn no_port(port: u16, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "cannot listen on port {port}: {error}; choose another --port, or 0 for any"
    ))
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
