//! What comes in: JSON bodies, forms and bearer secrets, or the problem that says what to do.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::{MAX_BODY_BYTES, Problem};

/// A JSON body. Its refusals never repeat the body.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_of(&request, "application/json") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "Send JSON, with the header Content-Type: application/json.",
            ));
        }
        let bytes = read_bounded(request).await?;
        if std::str::from_utf8(&bytes).is_err() {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "not-utf-8",
                "The body is not UTF-8. Encode it as UTF-8 and send it again.",
            ));
        }
        // A list of values without names would be read as an object too.
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-json",
                "The body is a list. Send an object.",
            ));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "has a wrong, missing or unknown field",
                serde_json::error::Category::Eof => "ends too early",
                serde_json::error::Category::Io | serde_json::error::Category::Syntax => {
                    "is not JSON"
                }
            };
            let (line, column) = (error.line(), error.column());
            Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-json",
                format!("The body {what}."),
            )
            .with_detail(format!("See line {line}, column {column}."))
        })
    }
}

/// The fields of a form, as sent; of a name that stands twice, the first. `Debug` prints a mask.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads what a browser sends.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The text of a field; empty when it was not sent.
    pub fn text(&self, name: &str) -> &str {
        let mut all = self.iter();
        all.find_map(|(key, text)| (key == name).then_some(text))
            .unwrap_or_default()
    }

    /// All fields, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.0.iter();
        fields.map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fields(***)")
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_of(&request, "application/x-www-form-urlencoded") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-a-form",
                "This is not what our form sends.",
            )
            .with_detail("Open the form in a browser, or use the JSON API under /v1/."));
        }
        Ok(Self::parse(&read_bounded(request).await?))
    }
}

/// Whether the body says that it is of this media type.
fn is_of(request: &Request, expected: &str) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case(expected))
}

/// Reads a body into bounded memory. What is too long is read on and dropped for a while, because
/// most clients hear an answer only after they have sent everything.
async fn read_bounded(request: Request) -> Result<Vec<u8>, Problem> {
    let mut body = request.into_body();
    let mut bytes = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "cut-off",
                "The body did not arrive whole.",
            )
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else if seen > MAX_DROPPED_BYTES {
            break;
        }
    }
    if seen <= MAX_BODY_BYTES {
        return Ok(bytes);
    }
    Err(Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The body is too large.",
    )
    .with_detail(format!("Send at most {MAX_BODY_BYTES} bytes.")))
}

/// The secret of an `Authorization: Bearer` header. `Debug` prints a mask.
#[derive(Clone)]
pub struct Bearer(pub String);

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer(***)")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.trim().split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, secret)| Self(secret.trim().to_owned()))
            .ok_or_else(|| {
                Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "no-secret",
                    "Send the status token in the header Authorization: Bearer.",
                )
            })
    }
}

/// The one variable part of a path, decoded.
#[derive(Clone, Debug)]
pub struct Path(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Path {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<String>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(text)) => Ok(Self(text)),
            Err(_) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-path",
                "The address is not UTF-8 when its %-escapes are decoded.",
            )),
        }
    }
}

/// How much of a body that is too long is read and dropped, in bytes.
const MAX_DROPPED_BYTES: usize = 32 * 1024 * 1024;
