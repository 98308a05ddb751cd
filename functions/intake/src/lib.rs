//! The public door: pages for people without JavaScript, and a JSON API for programs, over the same
//! use-cases: submit, confirm, read the status, ask for a code, revoke.
//!
//! It can write requests and put papers into the vault; it cannot read the vault, and reaches no
//! store. Downloads are another function's.

mod api;
mod pages;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use quittance_aws::adapters::{Adapters, Need, StartError};
use quittance_core::data_map::DataMap;
use quittance_core::request::Right;
use quittance_engine::intake::{Intake, IntakeError};
use quittance_engine::statement::Handler;
use quittance_web::{House, harden};

pub use self::api::DESCRIPTION;

/// What this function needs to be told.
pub const NEEDS: [Need; 10] = [
    Need::Ledger,
    Need::Vault,
    Need::Evidence,
    Need::Mailer,
    Need::TagKeys,
    Need::IntakeKey,
    Need::DataMap,
    Need::QueuesOf(Right::Access),
    Need::QueuesOf(Right::Deletion),
    Need::QueuesOf(Right::OptOut),
];

/// Wires the use-cases.
///
/// # Errors
/// What is missing or wrong in the settings.
pub fn wire(
    adapters: &Adapters,
    map: Arc<DataMap>,
    handler: Handler,
) -> Result<Intake, StartError> {
    Ok(Intake {
        ledger: Arc::new(adapters.ledger()?),
        deposit: Arc::new(adapters.vault()?),
        evidence: Arc::new(adapters.evidence()?),
        queues: Arc::new(adapters.queues()),
        mailer: adapters.mailer()?,
        clock: adapters.clock(),
        keys: adapters.tag_keys()?,
        key: adapters.intake_key()?,
        map,
        default_regime: DEFAULT_REGIME.to_owned(),
        handler,
    })
}

/// Builds pages and API.
pub fn router(intake: Intake) -> Router {
    let house = House::of(&intake.map.controller);
    harden(routes(intake, house.clone()), house)
}

/// Builds the bare routes, for a process that serves several functions.
pub fn routes(intake: Intake, house: House) -> Router {
    let intake = Arc::new(intake);
    api::routes(Arc::clone(&intake)).merge(pages::routes(intake, house))
}

/// Sends a code if reference and address fit, and takes the same time if they do not.
async fn send_code_evenly(
    intake: &Intake,
    reference: &str,
    address: &str,
) -> Result<(), IntakeError> {
    let (sent, ()) = tokio::join!(
        intake.send_code(reference, address),
        tokio::time::sleep(ANSWER_ABOUT_CODES)
    );
    sent
}

const DEFAULT_REGIME: &str = "eu_gdpr";
/// Longer than committing a code and mailing it takes: how long an answer takes tells nothing.
const ANSWER_ABOUT_CODES: Duration = Duration::from_secs(1);
