//! `dsr evidence places`, `open` and `check`: one thing of a receipt's evidence, shown without the others.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use quittance_core::manifest::Locator;
use quittance_core::receipt::{
    MAX_FILE_BYTES, MAX_OPENING_BYTES, Opening, Statement, verify as verify_receipt,
};
use quittance_engine::ports::Ledger;

use crate::args::{OpenEvidenceArgs, Where};
use crate::evidence::put;
use crate::offline::{parse_policy, read};
use crate::printing::{Failure, data, json, talk, verification_failed};
use crate::support::{adapters, desk, find, store_id, told};

/// `dsr evidence places`.
pub(super) async fn places(
    reference: String,
    store: String,
    at: Where,
) -> Result<ExitCode, Failure> {
    let adapters = adapters(&at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    let request = find(&*ledger, &reference).await?;
    let desk = desk(&adapters, &ledger)?;
    let places = told(desk.places(request, &store_id(&store)?).await)?;
    if at.json {
        json(&places);
    } else {
        for place in &places {
            data(&serde_json::to_string(place)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `dsr evidence open`.
pub(super) async fn open(asked: OpenEvidenceArgs) -> Result<ExitCode, Failure> {
    let place = parse_place(&asked.place)?;
    let Some(statement) = verified(&asked.receipt, &asked.policy)? else {
        return Ok(refused());
    };
    let adapters = adapters(&asked.at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    let desk = desk(&adapters, &ledger)?;
    let store = store_id(&asked.store)?;
    let member = match &asked.member {
        Some(reference) => Some(find(&*ledger, reference).await?),
        None => None,
    };
    let opening = desk.open_evidence(&statement, &store, &place, member);
    let opening = told(opening.await)?;
    put(&asked.out, &opening)?;
    talk("whoever holds this file can test guesses of the place: hand it to whoever may know it");
    Ok(ExitCode::SUCCESS)
}

/// `dsr evidence check`.
pub(super) fn check(
    opening: &Path,
    receipt: &Path,
    place: &str,
    policy: &Path,
) -> Result<ExitCode, Failure> {
    let place = parse_place(place)?;
    let Some(statement) = verified(receipt, policy)? else {
        return Ok(refused());
    };
    let bytes = read(opening, MAX_OPENING_BYTES)?;
    match Opening::parse(&bytes).and_then(|opening| opening.verify(&statement, &place)) {
        Ok(()) => {
            data("ok       this place stands in the receipt's evidence");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            data(&format!("FAILED   {error}"));
            Ok(verification_failed())
        }
    }
}

/// Returns what a receipt states, if it verifies.
fn verified(receipt: &Path, policy: &Path) -> Result<Option<Statement>, Failure> {
    let bytes = read(receipt, MAX_FILE_BYTES)?;
    let report = verify_receipt(&bytes, &parse_policy(policy)?);
    Ok(report.summary.map(|summary| summary.statement))
}

fn refused() -> ExitCode {
    data("FAILED   the receipt does not verify: `dsr verify` says why");
    verification_failed()
}

fn parse_place(text: &str) -> Result<Locator, Failure> {
    serde_json::from_str(text).map_err(|_| {
        Failure::usage("a place is written as `dsr evidence places` writes it, in JSON")
    })
}
