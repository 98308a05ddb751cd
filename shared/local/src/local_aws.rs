//! Starting and stopping the emulation.
//!
//! Invariant: one process at a time works on a directory.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::WallClock;
use crate::dynamodb::DynamoDb;
use crate::fault::Faults;
use crate::front::Front;
use crate::kms::Keys;
use crate::mail::{Mail, Mailbox};
use crate::s3;
use crate::sqs::Queues;

/// How to start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the state is kept; a temporary directory, removed at the end, if none.
    pub dir: Option<PathBuf>,
    /// The loopback port; a free one if none or zero.
    pub port: Option<u16>,
    /// The clock that dates objects and ends locks.
    pub clock: WallClock,
}

/// S3, DynamoDB, SQS, KMS and SES on one loopback port.
///
/// Stops when it is dropped; [`LocalAws::stop`] also waits until nothing of it runs any more.
#[derive(Debug)]
pub struct LocalAws {
    address: SocketAddr,
    faults: Arc<Faults>,
    mailbox: Arc<Mailbox>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    _lock: File,
    // Dropped last: the directory goes when nobody writes to it.
    _temporary: Option<TempDir>,
}

impl LocalAws {
    /// Opens the state, continuing what is in the directory, and serves it.
    ///
    /// # Errors
    ///
    /// [`StartError::InUse`] if another process works on the directory; [`StartError::Port`] if the port is taken;
    /// [`StartError::State`] if the state cannot be opened.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let temporary = match &options.dir {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("quittance-local-")
                    .tempdir()
                    .map_err(StartError::state)?,
            ),
        };
        let dir = options
            .dir
            .clone()
            .or_else(|| temporary.as_ref().map(|t| t.path().to_owned()));
        let dir = dir.unwrap_or_default();
        std::fs::create_dir_all(&dir).map_err(StartError::state)?;
        let lock = lock(&dir)?;

        let faults = Arc::new(Faults::default());
        let mailbox = Arc::new(Mailbox::open(&dir.join("mail")).map_err(StartError::state)?);
        let front = Front {
            dynamodb: if temporary.is_some() {
                DynamoDb::ephemeral(&dir.join("dynamodb"))?
            } else {
                DynamoDb::open(&dir.join("dynamodb"))?
            },
            faults: Arc::clone(&faults),
            mailbox: Arc::clone(&mailbox),
            s3: s3::service(&dir.join("s3"), options.clock.clone(), Arc::clone(&faults))
                .map_err(StartError::state)?,
            keys: Keys::open(&dir)?,
            queues: Queues::new(options.clock.clone()),
        };

        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port.unwrap_or(0)));
        let listener = TcpListener::bind(wanted).await.map_err(StartError::Port)?;
        let address = listener.local_addr().map_err(StartError::Port)?;
        let (stop, stopped) = watch::channel(false);
        let serving = start_serving(Arc::new(front), listener, stopped);
        tracing::info!(endpoint = %address, "local AWS is up; for development and tests only");
        Ok(Self {
            address,
            faults,
            mailbox,
            stop,
            serving,
            _lock: lock,
            _temporary: temporary,
        })
    }

    /// The endpoint URL for every service.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The faults that are injected; set a plan at any time.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Every mail sent so far, in order, also before the last start.
    pub fn mails(&self) -> Vec<Mail> {
        self.mailbox.mails()
    }

    /// Stops serving: connections are cut, the state stays in its directory.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.serving).await {
            tracing::warn!(%error, "local AWS did not end well");
        }
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Why [`LocalAws::start`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another process works on the directory.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The port cannot be listened on.
    #[error("the local port cannot be listened on")]
    Port(#[source] std::io::Error),
    /// The state cannot be opened.
    #[error("the local state cannot be opened")]
    State(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StartError {
    pub(crate) fn state(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::State(error.into())
    }
}

fn lock(dir: &Path) -> Result<File, StartError> {
    let file = File::create(dir.join("lock")).map_err(StartError::state)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(StartError::state(error)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the server, not a handler: it outlives any answer"
)]
fn start_serving(
    front: Arc<Front>,
    listener: TcpListener,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(front.serve(listener, stopped))
}
