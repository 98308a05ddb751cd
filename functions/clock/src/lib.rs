//! Wakes what waits, forgets drafts, shreds what nobody needs any more. Runs on a schedule.

use std::sync::Arc;

use quittance_aws::adapters::{Adapters, Need, StartError};
use quittance_core::fault::Fault;
use quittance_core::request::Right;
use quittance_engine::tick::Ticker;

/// What this function needs to be told.
pub const NEEDS: [Need; 6] = [
    Need::Ledger,
    Need::Shredder,
    Need::Statements,
    Need::QueuesOf(Right::Access),
    Need::QueuesOf(Right::Deletion),
    Need::QueuesOf(Right::OptOut),
];

/// Wires the use-cases.
///
/// # Errors
/// What is missing or wrong in the settings.
pub fn wire(adapters: &Adapters) -> Result<Ticker, StartError> {
    Ok(Ticker {
        ledger: Arc::new(adapters.ledger()?),
        queues: Arc::new(adapters.queues()),
        shredder: Arc::new(adapters.shredder()?),
        clock: adapters.clock(),
    })
}

/// Makes one round, and once a day looks for papers that nobody owns.
///
/// # Errors
/// When nothing could be done at all; the next round begins anew.
pub async fn handle(ticker: &Ticker) -> Result<(), Fault> {
    let round = ticker.tick().await?;
    let orphans = if ticker.is_time_to_sweep() {
        ticker.sweep_orphans().await?
    } else {
        0
    };
    for (event, count) in [
        ("announced", round.announced),
        ("forgotten", round.forgotten),
        ("shredded", round.shredded + orphans),
    ] {
        if count > 0 {
            tracing::info!(event, count, "the clock went round");
        }
    }
    Ok(())
}
