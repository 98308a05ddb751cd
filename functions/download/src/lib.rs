//! The download: hands one export to its person, against a fresh code.
//!
//! It is apart from intake because it may open the vault, and intake may not. The code is asked for at
//! intake's door.

mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use quittance_aws::adapters::{Adapters, Need, StartError};
use quittance_core::data_map::DataMap;
use quittance_engine::download::Download;
use quittance_engine::intake::IntakeError;
use quittance_web::{House, Json, Path, Problem, Seal, harden};
use serde::Deserialize;

/// What this function needs to be told. The data map says whose page it is.
pub const NEEDS: [Need; 4] = [Need::Ledger, Need::Vault, Need::IntakeKey, Need::DataMap];

/// Wires the use-case.
///
/// # Errors
/// What is missing or wrong in the settings.
pub fn wire(adapters: &Adapters) -> Result<Download, StartError> {
    Ok(Download {
        ledger: Arc::new(adapters.ledger()?),
        vault: Arc::new(adapters.vault()?),
        key: adapters.intake_key()?,
        clock: adapters.clock(),
    })
}

/// Builds the page and the API: a path each.
pub fn router(download: Download, map: &DataMap) -> Router {
    let house = House::of(&map.controller);
    harden(routes(download, house.clone()), house)
}

/// Builds the bare routes, for a process that serves several functions.
pub fn routes(download: Download, house: House) -> Router {
    let download = Arc::new(download);
    let door = page::Door {
        download: Arc::clone(&download),
        house,
        seal: Seal::new(download.key.clone()),
    };
    let pages = Router::new()
        .route(
            "/requests/{reference}/export",
            get(page::ask).post(page::typed),
        )
        .with_state(Arc::new(door));
    Router::new()
        .route("/v1/requests/{reference}/export", post(export))
        .with_state(download)
        .merge(pages)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

async fn export(
    State(download): State<Arc<Download>>,
    Path(reference): Path,
    Json(Code { code }): Json<Code>,
) -> Response {
    match download.export(&reference, &code).await {
        Ok(zip) => file(zip),
        Err(error) => problem(&error).into_response(),
    }
}

fn file(zip: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"your-data.zip\"",
        ),
    ];
    (headers, zip).into_response()
}

fn problem(error: &IntakeError) -> Problem {
    match error {
        IntakeError::WrongCode(_) => {
            Problem::new(StatusCode::FORBIDDEN, "wrong-code", error.to_string())
        }
        IntakeError::DeadCode => {
            Problem::new(StatusCode::FORBIDDEN, "dead-code", error.to_string())
        }
        IntakeError::NotFound
        | IntakeError::Invalid(_)
        | IntakeError::TokenReused
        | IntakeError::TooManyCodes
        | IntakeError::TooLate(_)
        | IntakeError::Closed => Problem::new(
            StatusCode::NOT_FOUND,
            "no-export",
            "There is no export to download for this request.",
        ),
        IntakeError::Fault(fault) => {
            tracing::error!(fault = %fault, "download could not answer");
            Problem::try_again(5)
        }
    }
}
