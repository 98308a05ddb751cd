//! How a function ends: told by Lambda, and at once.
//!
//! Lambda tells a process that it ends (SIGTERM, between two invocations) only if an extension is
//! registered; so one is, that wants no events. Nothing waits for this moment: every write is done
//! before the answer, log lines and metrics are not buffered. What is gained is an end that is
//! seen: a line in the log and a status of 0, where a process that is killed looks like a crash.
//!
//! The runtime's own `spawn_graceful_shutdown_handler` does the same, and panics where there is no
//! Extensions API, as in emulators.

use std::fmt;

use futures::future::BoxFuture;
use lambda_extension::Extension;
use lambda_runtime::Error;
use tokio::signal::unix::{SignalKind, signal};

/// The announcement that Lambda was asked for, while the function starts.
pub struct Ending(Option<BoxFuture<'static, ()>>);

impl Ending {
    /// Asks Lambda to announce the end. Where it cannot, as in emulators, the function runs without.
    pub async fn announced() -> Self {
        let extension = Extension::new()
            .with_events(&[])
            .with_extension_name(NAME)
            .register()
            .await;
        match extension {
            // Asking for the next event says that the extension is ready; no event ever comes.
            Ok(extension) => Self(Some(Box::pin(async {
                if let Err(error) = extension.run().await {
                    tracing::warn!(fault = %error, "the extension ended");
                }
                std::future::pending::<()>().await;
            }))),
            Err(error) => {
                tracing::warn!(fault = %error, "no Extensions API: the end will not be announced");
                Self(None)
            }
        }
    }

    /// Runs a function until its runtime gives up or Lambda ends the process.
    ///
    /// # Errors
    /// What the runtime reports.
    pub async fn after(self, runs: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        let Some(waits) = self.0 else {
            return runs.await;
        };
        let mut ends = signal(SignalKind::terminate())?;
        tokio::select! {
            done = runs => done,
            _ = ends.recv() => {
                tracing::info!("Lambda ends this process");
                Ok(())
            }
            () = waits => Ok(()),
        }
    }
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ending").field(&self.0.is_some()).finish()
    }
}

/// Internal extensions have names of their own within a function.
const NAME: &str = "quittance-end";
