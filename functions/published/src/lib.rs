//! What anybody may read: receipts, the log's files, the policy, and a page for regulators.
//!
//! These are objects of two buckets, read for each answer. Nothing else of the buckets can be
//! reached: neither statements nor staged batches. It holds no key and no vault, and writes nothing.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};
use quittance_aws::adapters::{Adapters, Need, StartError};
use quittance_core::data_map::DataMap;
use quittance_core::fault::Fault;
use quittance_core::receipt::TIMESTAMP_MEDIA_TYPE;
use quittance_engine::ports::{Evidence, TileStore};
use quittance_engine::sequencer::{paths, receipt_named};
use quittance_web::{House, Path, Problem, harden, page};

/// What this function needs to be told. The data map says whose page it is.
pub const NEEDS: [Need; 3] = [Need::Evidence, Need::Tiles, Need::DataMap];

/// Where what is public lies.
#[derive(Debug)]
pub struct Published {
    /// Receipts.
    pub evidence: Arc<dyn Evidence>,
    /// The log's files.
    pub tiles: Arc<dyn TileStore>,
    /// Whose log and whose signature to believe (C2SP tlog-policy); when there is none, it is a
    /// file beside the log's.
    pub policy: Option<String>,
    /// Whose page it is.
    pub house: House,
}

/// Wires the use-case.
///
/// # Errors
/// What is missing or wrong in the settings.
pub fn wire(adapters: &Adapters, map: &DataMap) -> Result<Published, StartError> {
    Ok(Published {
        evidence: Arc::new(adapters.evidence()?),
        tiles: Arc::new(adapters.tiles()?),
        policy: None,
        house: House::of(&map.controller),
    })
}

/// Builds the page and the files.
pub fn router(published: Published) -> Router {
    let house = published.house.clone();
    harden(published.routes(), house)
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct Page<'a> {
    house: &'a House,
}

impl Published {
    /// Builds the bare routes, for a process that serves several functions.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/evidence", get(index))
            .route("/policy", get(policy))
            .route("/receipts/{name}", get(receipt))
            .route("/verify.html", get(verify_page))
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
    if let Some(policy) = &published.policy {
        return (text, policy.clone()).into_response();
    }
    match published.tiles.read("policy").await {
        Ok(Some(bytes)) => (text, bytes).into_response(),
        Ok(None) => nothing(),
        Err(fault) => ours(&fault),
    }
}

/// A receipt, the newest that there is of it: with the cosignatures of witnesses, or proven anew. Or the time
/// stamp on its signature.
async fn receipt(State(published): State<Arc<Published>>, Path(name): Path) -> Response {
    if !is_name(&name) {
        return nothing();
    }
    let evidence = &*published.evidence;
    let (read, media) = if name.ends_with(".receipt.json") {
        (receipt_named(evidence, &name).await, "application/json")
    } else if name.ends_with(".receipt.tsr") {
        let place = format!("{}{name}", paths::TIMESTAMPS);
        (evidence.read(&place).await, TIMESTAMP_MEDIA_TYPE)
    } else {
        return nothing();
    };
    match read {
        Ok(Some(bytes)) => ([(header::CONTENT_TYPE, media)], bytes).into_response(),
        Ok(None) => nothing(),
        Err(fault) => ours(&fault),
    }
}

/// The page that checks receipts, a file beside the log's that whoever deploys puts there. It is handed out to be
/// kept and opened offline: nothing ever runs under this address.
async fn verify_page(State(published): State<Arc<Published>>) -> Response {
    match published.tiles.read("verify.html").await {
        Ok(Some(bytes)) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (
                    header::CONTENT_DISPOSITION,
                    "attachment; filename=\"verify.html\"",
                ),
            ];
            (headers, bytes).into_response()
        }
        Ok(None) => nothing(),
        Err(fault) => ours(&fault),
    }
}

async fn file(State(published): State<Arc<Published>>, Path(path): Path) -> Response {
    let is_public = path == "checkpoint"
        || ["checkpoints/", "manifests/", "tile/"]
            .iter()
            .any(|folder| path.starts_with(folder));
    if !is_public || !path.split('/').all(is_name) {
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

/// Whether this is a file's or a folder's name in the log: no other is asked for.
fn is_name(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
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
