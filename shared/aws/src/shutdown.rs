//! How a function ends: told by Lambda, and at once.
//!
//! Lambda tells a process that it ends (SIGTERM, between two invocations) only if an extension is
//! registered; so one is, that wants no events. Nothing waits for this moment: every write is done
//! before the answer, log lines and metrics are not buffered. What is gained is an end that is
//! seen: a line in the log and a status of 0, where a process that is killed looks like a crash.
//!
//! The runtime's own `spawn_graceful_shutdown_handler` does the same, and panics where there is no
//! Extensions API, as in emulators.

use lambda_extension::Extension;
use lambda_runtime::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a function until its runtime gives up or Lambda ends the process.
///
/// # Errors
/// What the runtime reports.
pub async fn until_ended(runs: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let extension = Extension::new()
        .with_events(&[])
        .with_extension_name(NAME)
        .register()
        .await;
    let extension = match extension {
        Ok(extension) => extension,
        Err(error) => {
            tracing::warn!(fault = %error, "no Extensions API: the end will not be announced");
            return runs.await;
        }
    };
    let mut ends = signal(SignalKind::terminate())?;
    // Asking for the next event says that the extension is ready; no event ever comes.
    let waits = async {
        if let Err(error) = extension.run().await {
            tracing::warn!(fault = %error, "the extension ended");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = runs => done,
        _ = ends.recv() => {
            tracing::info!("Lambda ends this process");
            Ok(())
        }
        () = waits => Ok(()),
    }
}

/// Internal extensions have names of their own within a function.
const NAME: &str = "quittance-end";
