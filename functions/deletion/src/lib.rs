//! Serves deletion requests: locates, deletes or masks, looks again.
//!
//! It is the only function that may delete or rewrite customers' data.

use std::sync::Arc;

use quittance_aws::adapters::{Adapters, Need, StartError};
use quittance_core::data_map::DataMap;
use quittance_core::request::Right;
use quittance_engine::statement::Handler;
use quittance_engine::worker::{Hand, LONGEST_RUN, Worker};
use quittance_stores::AwsStores;

/// What this function needs to be told.
pub const NEEDS: [Need; 8] = [
    Need::Ledger,
    Need::Vault,
    Need::Evidence,
    Need::Mailer,
    Need::TagKeys,
    Need::DataMap,
    Need::QueuesOf(Right::Deletion),
    Need::Statements,
];

/// Wires the use-cases of this right.
///
/// # Errors
/// What is missing or wrong in the settings.
pub fn wire(
    adapters: &Adapters,
    map: Arc<DataMap>,
    handler: Handler,
) -> Result<Worker, StartError> {
    let clients = adapters.clients();
    let rules = map.identifiers.clone();
    let keys = adapters.tag_keys()?;
    let stores = AwsStores::new(clients.dynamodb(), clients.s3(), rules)
        .with_reach(clients.config().clone(), Right::Deletion)
        .with_pseudonyms(keys.pseudonyms());
    let stores = Arc::new(stores);
    let vault = Arc::new(adapters.vault()?);
    Ok(Worker {
        hand: Hand::Erase(stores.clone(), stores.clone()),
        records: stores.clone(),
        reader: stores,
        ledger: Arc::new(adapters.ledger()?),
        queues: Arc::new(adapters.queues()),
        vault: vault.clone(),
        deposit: vault,
        evidence: Arc::new(adapters.evidence()?),
        mailer: adapters.mailer()?,
        clock: adapters.clock(),
        keys,
        map,
        handler,
        longest_run: LONGEST_RUN,
    })
}
