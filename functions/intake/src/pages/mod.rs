//! The pages for people: one form per right, codes, status, withdrawal; no JavaScript.
//!
//! Every form goes POST → 303 → GET, and calls the use-case that the API calls. What a browser may
//! see is in a cookie that only this host can read, never in an address.

mod asking;
mod keyring;
mod proving;
mod standing;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use quittance_core::request::Right;
use quittance_engine::intake::{Intake, IntakeError};
use quittance_web::{Fields, House, Problem, Seal, Visit, asset};

use crate::api::problem;

/// What every page needs.
pub(crate) struct Door {
    intake: Arc<Intake>,
    house: House,
    seal: Seal,
}

/// The routes of the pages.
pub(crate) fn routes(intake: Arc<Intake>, house: House) -> Router {
    let seal = Seal::new(intake.key.clone());
    let door = Door {
        intake,
        house,
        seal,
    };
    let mut router = Router::new()
        .route("/", get(asking::start))
        .route("/status", get(proving::find).post(proving::found))
        .route("/requests/{reference}", get(standing::status))
        .route("/requests/{reference}/received", get(standing::received))
        .route(
            "/requests/{reference}/code",
            get(proving::code).post(proving::typed),
        )
        .route("/requests/{reference}/codes", post(proving::send_again))
        .route(
            "/requests/{reference}/withdraw",
            get(standing::withdraw).post(standing::withdrawn),
        )
        .route("/forget", post(standing::forget))
        .route(
            "/.well-known/gpc.json",
            get(async || asset("application/json", GPC)),
        );
    for right in Right::ALL {
        let path = format!("/{}", words::path(right));
        router = router.route(
            &path,
            get(move |door, headers| asking::form(right, door, headers))
                .post(move |door, headers, fields| asking::sent(right, door, headers, fields)),
        );
    }
    router.with_state(Arc::new(door))
}

impl Door {
    /// Recognises the browser.
    fn visit(&self, headers: &HeaderMap) -> Visit {
        Seal::visit(headers, &self.intake.clock.random())
    }

    /// Lets in only what our own form for `path` sent.
    fn check(&self, headers: &HeaderMap, path: &str, fields: &Fields) -> Result<(), Problem> {
        self.seal.check(headers, path, fields)
    }
}

/// The answer to a form that was refused for a reason that no field can correct.
fn refused(error: IntakeError) -> Response {
    if error == IntakeError::NotFound {
        return Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-request",
            "There is no such request, or this browser may not see it.",
        )
        .with_detail("Give the reference and a fresh code: see how your request stands.")
        .into_response();
    }
    if let IntakeError::TooLate(since) = error {
        return Problem::new(
            StatusCode::CONFLICT,
            "too-late",
            "It is too late to withdraw this request.",
        )
        .with_detail(format!(
            "We began to act on your data on {}.",
            words::date(since)
        ))
        .into_response();
    }
    let problem = problem(error);
    let title = sentence(problem.title());
    problem.with_title(title).into_response()
}

/// Begins with a capital letter and ends with a stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{stop}", letters.as_str())
}

/// What <https://www.w3.org/TR/gpc/> wants said: the signal is honoured here.
const GPC: &str = "{\"gpc\": true, \"lastUpdate\": \"2026-11-25\"}\n";
