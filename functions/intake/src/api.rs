//! The JSON API: submit, confirm, read the status, ask for a code, revoke.
//!
//! `docs/openapi.json` describes it, is served as it lies there, and is compared with these routes by
//! the crate's tests.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use quittance_core::fault::Fault;
use quittance_engine::intake::{Intake, IntakeError, Submission};
use quittance_web::{Bearer, FieldProblem, Json, Path, Problem, asset};
use serde::Deserialize;

use crate::send_code_evenly;

/// The routes of the API.
pub(crate) fn routes(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/v1/requests", post(submit))
        .route("/v1/requests/{reference}", get(status))
        .route("/v1/requests/{reference}/codes", post(send_code))
        .route("/v1/requests/{reference}/confirmation", post(confirm))
        .route("/v1/requests/{reference}/revocation", post(revoke))
        .route(
            "/openapi.json",
            get(async || asset("application/json", DESCRIPTION)),
        )
        .with_state(intake)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    email: String,
}

type Door = State<Arc<Intake>>;

async fn submit(State(intake): Door, Json(form): Json<Submission>) -> Response {
    match intake.submit(&form).await {
        Ok(submitted) => (StatusCode::ACCEPTED, axum::Json(submitted)).into_response(),
        Err(error) => problem(error).into_response(),
    }
}

async fn confirm(
    State(intake): Door,
    Path(reference): Path,
    Json(Code { code }): Json<Code>,
) -> Response {
    answer(intake.confirm(&reference, &code).await)
}

async fn send_code(
    State(intake): Door,
    Path(reference): Path,
    Json(Address { email }): Json<Address>,
) -> Response {
    match send_code_evenly(&intake, &reference, &email).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => problem(error).into_response(),
    }
}

async fn status(State(intake): Door, Path(reference): Path, Bearer(secret): Bearer) -> Response {
    answer(intake.status(&reference, &secret).await)
}

async fn revoke(State(intake): Door, Path(reference): Path, Bearer(secret): Bearer) -> Response {
    answer(intake.revoke(&reference, &secret).await)
}

fn answer<T: serde::Serialize>(result: Result<T, IntakeError>) -> Response {
    match result {
        Ok(body) => axum::Json(body).into_response(),
        Err(error) => problem(error).into_response(),
    }
}

pub(crate) fn problem(error: IntakeError) -> Problem {
    let title = error.to_string();
    match error {
        IntakeError::Invalid(fields) => {
            let errors = fields
                .into_iter()
                .map(|error| FieldProblem {
                    field: error.field,
                    message: error.message,
                })
                .collect();
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-form", title)
                .with_errors(errors)
        }
        IntakeError::TokenReused => Problem::new(StatusCode::CONFLICT, "token-reused", title)
            .with_detail("Use a fresh client_token for a new request."),
        IntakeError::NotFound => Problem::new(StatusCode::NOT_FOUND, "no-such-request", title),
        IntakeError::WrongCode(_) => Problem::new(StatusCode::FORBIDDEN, "wrong-code", title),
        IntakeError::DeadCode => Problem::new(StatusCode::FORBIDDEN, "dead-code", title)
            .with_detail("POST the address to /v1/requests/{reference}/codes for a new one."),
        IntakeError::TooManyCodes => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-codes", title)
        }
        IntakeError::TooLate(_) => Problem::new(StatusCode::CONFLICT, "too-late", title),
        IntakeError::Closed => Problem::new(StatusCode::CONFLICT, "closed", title),
        IntakeError::Fault(fault) => ours(&fault),
    }
}

/// A fault of ours: the person is told to try again, the log is told why.
fn ours(fault: &Fault) -> Problem {
    tracing::error!(fault = %fault, "intake could not answer");
    match fault {
        Fault::Retry { after_seconds, .. } => Problem::try_again(*after_seconds),
        Fault::Conflict | Fault::Block(_) | Fault::Reject { .. } => Problem::try_again(30),
    }
}

/// What the API promises, in `OpenAPI`'s words.
pub const DESCRIPTION: &str = include_str!("../../../docs/openapi.json");
