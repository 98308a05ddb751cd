//! What anybody may read: receipts, the log's files, the policy, and a page for regulators.
//!
//! On AWS these are objects of two buckets behind a web server; here they are read for each answer.
//! Nothing else of the buckets can be reached: neither statements nor staged batches.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};
use quittance_core::fault::Fault;
use quittance_engine::ports::{Evidence, TileStore};
use quittance_web::{House, Path, Problem, page};

/// Where what is public lies.
pub(super) struct Published {
    pub(super) evidence: Arc<dyn Evidence>,
    pub(super) tiles: Arc<dyn TileStore>,
    pub(super) policy: String,
    pub(super) house: House,
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct Page<'a> {
    house: &'a House,
}

impl Published {
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/evidence", get(index))
            .route("/policy", get(policy))
            .route("/receipts/{name}", get(receipt))
            .route("/log/{*path}", get(file))
            .with_state(Arc::new(self))
    }
}

async fn index(State(published): State<Arc<Published>>) -> Response {
    let house = &published.house;
    page(StatusCode::OK, &Page { house })
}

async fn policy(State(published): State<Arc<Published>>) -> Response {
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (text, published.policy.clone()).into_response()
}

/// A receipt, with the cosignatures of the witnesses as soon as there are any.
async fn receipt(State(published): State<Arc<Published>>, Path(name): Path) -> Response {
    if !name.ends_with(".receipt.json") || name.contains('/') {
        return nothing();
    }
    for place in ["witnessed", "receipts"] {
        match published.evidence.read(&format!("{place}/{name}")).await {
            Ok(Some(bytes)) => {
                return ([(header::CONTENT_TYPE, "application/json")], bytes).into_response();
            }
            Ok(None) => {}
            Err(fault) => return ours(&fault),
        }
    }
    nothing()
}

async fn file(State(published): State<Arc<Published>>, Path(path): Path) -> Response {
    let is_public = path == "checkpoint"
        || ["checkpoints/", "manifests/", "tile/"]
            .iter()
            .any(|folder| path.starts_with(folder));
    if !is_public {
        return nothing();
    }
    match published.tiles.read(&path).await {
        Ok(Some(bytes)) => {
            let media = if path.starts_with("checkpoint") {
                "text/plain; charset=utf-8"
            } else if path.split('.').next_back() == Some("json") {
                "application/json"
            } else {
                "application/octet-stream"
            };
            ([(header::CONTENT_TYPE, media)], bytes).into_response()
        }
        Ok(None) => nothing(),
        Err(fault) => ours(&fault),
    }
}

fn nothing() -> Response {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-file",
        "There is no such file.",
    )
    .into_response()
}

fn ours(fault: &Fault) -> Response {
    tracing::error!(fault = %fault, "a public file could not be read");
    Problem::try_again(5).into_response()
}
