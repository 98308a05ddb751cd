//! What every HTTP door of Quittance shares: bounded bodies, problems, pages, forms, security headers.
//!
//! Invariant: no answer repeats what was sent in, except a form to its own sender; no answer that is
//! about somebody may be cached; a browser gets every error as a page, a program as JSON.

mod body;
mod cookie;
mod field;
mod form;
mod page;
mod problem;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, StatusCode, header};

pub use self::body::{Bearer, Fields, Json, Path};
pub use self::cookie::{cookie, set_cookie};
pub use self::field::{Field, FieldKind};
pub use self::form::{Seal, Visit, as_hex};
pub use self::page::{House, asset, form_page, page, see};
pub use self::problem::{FieldProblem, Problem};

/// Puts a router behind the common rules: problems for unknown paths, headers, and pages about
/// problems for browsers; adds the style sheet of all pages.
pub fn harden(router: Router, house: House) -> Router {
    router
        .route("/style.css", get(|| async { page::style() }))
        .route("/mark.svg", get(|| async { page::mark() }))
        .fallback(|| async {
            Problem::new(
                StatusCode::NOT_FOUND,
                "no-such-path",
                "There is nothing at this address.",
            )
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "no-such-method",
                "This address does not answer this method.",
            )
        })
        .layer(middleware::from_fn_with_state(house, pages_for_browsers))
        .layer(middleware::from_fn(headers))
}

/// Turns a problem into a page, when a browser asked.
async fn pages_for_browsers(State(house): State<House>, request: Request, next: Next) -> Response {
    let is_browser = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html"));
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    if !is_browser {
        return response;
    }
    let (told, _) = response.into_parts();
    let mut answer = page::about(&problem, &house).into_response();
    // What the answer says in its headers stays true: Allow, Retry-After, WWW-Authenticate.
    for (name, value) in &told.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    // Only what is the same for everybody says something else about itself.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// Longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
