//! What every HTTP door of Quittance shares: bounded bodies, problems, security headers.
//!
//! No answer repeats what was sent in; no answer may be cached.

mod body;
mod problem;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};

pub use self::body::{Bearer, Json, Path};
pub use self::problem::{FieldProblem, Problem};

/// Puts a router behind the common rules: body limit, problems for unknown paths, headers.
pub fn harden(router: Router) -> Router {
    router
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
        .layer(middleware::from_fn(headers))
}

async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

const HEADERS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
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
