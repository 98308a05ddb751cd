//! The wire between the SDK and the backend, where a test may step in: answer in the backend's
//! place, or do something just before a request goes out, as a concurrent writer would.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

type Deed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An HTTP client that asks its script first.
#[derive(Clone)]
pub(crate) struct Wire {
    backend: SharedHttpClient,
    script: Arc<Mutex<Vec<Line>>>,
    log: Arc<Mutex<Vec<Request>>>,
}

/// A request that went over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) operation: String,
    /// How many bytes of an object it carried.
    pub(crate) sent: u64,
    /// How many bytes its answer carried.
    pub(crate) fetched: u64,
    /// Who signed it, and for which region: `key/date/region/service`.
    pub(crate) signed: String,
    /// What a role was asked for.
    pub(crate) asked: String,
}

struct Line {
    operation: &'static str,
    times: usize,
    act: Act,
}

enum Act {
    Answer {
        status: u16,
        body: String,
        length: Option<u64>,
    },
    Before(Arc<dyn Fn() -> Deed + Send + Sync>),
    Lose,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let backend = aws_smithy_http_client::Builder::new().build_http();
        Self {
            backend,
            script: Arc::default(),
            log: Arc::default(),
        }
    }

    /// Answers the next `times` requests of an operation in the backend's place.
    pub(crate) fn answer(&self, operation: &'static str, times: usize, status: u16, body: &str) {
        let act = Act::Answer {
            status,
            body: body.to_owned(),
            length: None,
        };
        self.script.lock().unwrap().push(Line {
            operation,
            times,
            act,
        });
    }

    /// Announces so many bytes in the backend's place.
    pub(crate) fn answer_huge(&self, operation: &'static str, length: u64) {
        let act = Act::Answer {
            status: 200,
            body: String::new(),
            length: Some(length),
        };
        self.script.lock().unwrap().push(Line {
            operation,
            times: 1,
            act,
        });
    }

    /// Does something just before each of the next `times` requests of an operation goes out.
    pub(crate) fn before<D>(
        &self,
        operation: &'static str,
        times: usize,
        deed: impl Fn() -> D + Send + Sync + 'static,
    ) where
        D: Future<Output = ()> + Send + 'static,
    {
        let act = Act::Before(Arc::new(move || Box::pin(deed())));
        self.script.lock().unwrap().push(Line {
            operation,
            times,
            act,
        });
    }

    /// Lets the next `times` requests of an operation through.
    pub(crate) fn skip(&self, operation: &'static str, times: usize) {
        self.before(operation, times, || async {});
    }

    /// Lets the next request of an operation through, but answers that it failed.
    pub(crate) fn lose_answer(&self, operation: &'static str) {
        self.script.lock().unwrap().push(Line {
            operation,
            times: 1,
            act: Act::Lose,
        });
    }

    /// Everything that went over the wire since the last time this was asked.
    pub(crate) fn log(&self) -> Vec<Request> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// Forgets what has not happened.
    pub(crate) fn clear(&self) {
        self.script.lock().unwrap().clear();
    }

    /// Whether everything in the script has happened.
    pub(crate) fn is_played(&self) -> bool {
        self.script
            .lock()
            .unwrap()
            .iter()
            .all(|line| line.times == 0)
    }

    fn cue(&self, request: &HttpRequest) -> Option<Cue> {
        let operation = operation_of(request);
        let mut script = self.script.lock().unwrap();
        let line = script
            .iter_mut()
            .find(|line| line.times > 0 && operation == line.operation)?;
        line.times -= 1;
        Some(match &line.act {
            Act::Answer {
                status,
                body,
                length,
            } => Cue::Answer(*status, body.clone(), *length),
            Act::Before(deed) => Cue::Before(Arc::clone(deed)),
            Act::Lose => Cue::Lose,
        })
    }
}

enum Cue {
    Answer(u16, String, Option<u64>),
    Before(Arc<dyn Fn() -> Deed + Send + Sync>),
    Lose,
}

/// The operation a request is for: DynamoDB's own name, or S3's as method and sub-resource, such
/// as `DELETE` or `GET versions`. Of an upload: `POST uploads`, `PUT part`, `PUT copy`, `POST upload`
/// and `DELETE upload`.
fn operation_of(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    if text(request).starts_with("Action=AssumeRole&") {
        return ASSUME_ROLE.to_owned();
    }
    let query = request
        .uri()
        .split_once('?')
        .map(|(_, query)| query)
        .unwrap_or_default();
    let has = |sub: &str| {
        query
            .split('&')
            .any(|part| part == sub || part.starts_with(&format!("{sub}=")))
    };
    let subs = [
        "inventory",
        "lifecycle",
        "notification",
        "object-lock",
        "logging",
        "replication",
        "versions",
        "versioning",
        "retention",
        "legal-hold",
        "tagging",
        "uploads",
    ];
    let sub = if has("partNumber") {
        let copies = request.headers().get("x-amz-copy-source").is_some();
        Some(if copies { "copy" } else { "part" })
    } else if has("uploadId") {
        Some("upload")
    } else {
        subs.into_iter().find(|sub| has(sub))
    };
    match sub {
        Some(sub) => format!("{} {sub}", request.method()),
        None => request.method().to_owned(),
    }
}

/// A body's text, if it is one and not streamed.
fn text(request: &HttpRequest) -> String {
    let bytes = request.body().bytes().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

fn signed(request: &HttpRequest) -> String {
    let header = request.headers().get("authorization").unwrap_or_default();
    let scope = header.split_once("Credential=").map(|(_, rest)| rest);
    let scope = scope.and_then(|rest| rest.split_once(','));
    scope.map_or_else(String::new, |(scope, _)| scope.to_owned())
}

fn length(headers: &aws_smithy_runtime_api::http::Headers) -> u64 {
    let names = ["x-amz-decoded-content-length", "content-length"];
    let length = names.into_iter().find_map(|name| headers.get(name));
    length.map_or(0, |length| length.parse().unwrap())
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let cue = self.wire.cue(&request);
        let backend = self.backend.clone();
        let log = Arc::clone(&self.wire.log);
        let mut line = Request {
            operation: operation_of(&request),
            sent: length(request.headers()),
            fetched: 0,
            signed: signed(&request),
            asked: String::new(),
        };
        if line.operation == ASSUME_ROLE {
            line.asked = text(&request);
        }
        HttpConnectorFuture::new(async move {
            match cue {
                Some(Cue::Answer(status, body, length)) => {
                    if line.operation == ASSUME_ROLE {
                        log.lock().unwrap().push(line);
                    }
                    let status = status.try_into().unwrap();
                    let mut answer = HttpResponse::new(status, SdkBody::from(body));
                    if let Some(length) = length {
                        answer
                            .headers_mut()
                            .insert("content-length", length.to_string());
                    }
                    return Ok(answer);
                }
                Some(Cue::Before(deed)) => deed().await,
                Some(Cue::Lose) => {
                    let done = backend.call(request).await?;
                    assert!(
                        done.status().is_success(),
                        "nothing was done that could be lost"
                    );
                    return Ok(HttpResponse::new(500.try_into().unwrap(), SdkBody::empty()));
                }
                None => {}
            }
            let answer = backend.call(request).await?;
            line.fetched = length(answer.headers());
            log.lock().unwrap().push(line);
            Ok(answer)
        })
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let backend = self.backend.http_connector(settings, components);
        SharedHttpConnector::new(Connection {
            wire: self.clone(),
            backend,
        })
    }
}

struct Connection {
    wire: Wire,
    backend: SharedHttpConnector,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

const ASSUME_ROLE: &str = "AssumeRole";
