//! A witness in an auditor's account: answers logs that ask for a cosignature (C2SP `tlog-witness`).
//!
//! It is deployed apart from everything else, by somebody whom the log's operator cannot overrule. It
//! holds one key and one table, and can neither read nor write anything of the controller's.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use quittance_aws::adapters::Need;
use quittance_engine::witness::{MAX_BODY_BYTES, Witness};

/// What this function needs to be told.
pub const NEEDS: [Need; 1] = [Need::Witness];

/// Builds the door of a witness.
pub fn router(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/vkey", get(vkey))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(witness))
}

/// Its verifier key, for policies. Whoever trusts it compares it by another way.
async fn vkey(State(witness): State<Arc<Witness>>) -> Response {
    let vkey = format!("{}\n", witness.cosigner.vkey());
    ([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, "no-store")], vkey).into_response()
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    match witness.answer(&body).await {
        Ok(answer) => {
            if answer.alarm {
                // Two checkpoints that the log signed and that exclude each other: the proof must be kept.
                let proof = String::from_utf8_lossy(&body);
                tracing::error!(
                    event = "split_view",
                    proof = &*proof,
                    "a log showed two histories"
                );
            }
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
            let headers = [
                (CONTENT_TYPE, answer.media_type),
                (CACHE_CONTROL, "no-store"),
            ];
            (status, headers, answer.body).into_response()
        }
        Err(fault) => {
            tracing::error!(fault = %fault, "a checkpoint was not cosigned");
            let again = [(CONTENT_TYPE, TEXT), (CACHE_CONTROL, "no-store")];
            let why = "the witness cannot answer now: ask again\n";
            (StatusCode::SERVICE_UNAVAILABLE, again, why).into_response()
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
