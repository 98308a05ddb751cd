//! Wakes what waits, reminds staff of due dates, looks after sweeps, forgets drafts, shreds what nobody needs any more. Runs on a schedule,
//! and drains the queues of dead letters: what a letter was about is blocked, visibly.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use quittance_aws::adapters::{Adapters, Need, StartError};
use quittance_aws::lambda::Other;
use quittance_core::data_map::DataMap;
use quittance_core::fault::Fault;
use quittance_core::message::Message;
use quittance_core::plan;
use quittance_core::request::Right;
use quittance_engine::batch::Consumer;
use quittance_engine::tick::Ticker;
use serde_json::Value;

/// What this function needs to be told.
pub const NEEDS: [Need; 8] = [
    Need::Ledger,
    Need::Mailer,
    Need::Shredder,
    Need::DataMap,
    Need::Statements,
    Need::QueuesOf(Right::Access),
    Need::QueuesOf(Right::Deletion),
    Need::QueuesOf(Right::OptOut),
];

/// Wires the use-cases.
///
/// # Errors
/// What is missing or wrong in the settings.
pub fn wire(adapters: &Adapters, map: &DataMap) -> Result<Ticker, StartError> {
    Ok(Ticker {
        ledger: Arc::new(adapters.ledger()?),
        queues: Arc::new(adapters.queues()),
        shredder: Arc::new(adapters.shredder()?),
        mailer: adapters.mailer()?,
        contact: map.controller.contact.clone(),
        clock: adapters.clock(),
        swept: plan::swept(map),
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

/// The clock as Lambda wakes it.
#[derive(Clone, Debug)]
pub struct Clockwork(pub Ticker);

#[async_trait]
impl Other for Clockwork {
    /// Whatever the event says: a schedule's only news is that it is time.
    async fn handle(&self, _event: &Value) -> Result<(), Fault> {
        handle(&self.0).await
    }
}

#[async_trait]
impl Consumer for Clockwork {
    /// Buries a dead letter. One that nobody can read stays in its queue, where a person finds it.
    async fn handle(&self, letter: &Message, _until: Timestamp) -> Result<(), Fault> {
        self.0.bury(letter).await
    }

    async fn stumbled(&self, _letter: &Message) -> Result<(), Fault> {
        Err(Fault::retry("a letter could not be buried"))
    }
}
