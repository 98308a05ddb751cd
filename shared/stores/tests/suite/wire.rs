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

    /// Lets the next request of an operation through, but answers that it failed.
    pub(crate) fn lose_answer(&self, operation: &'static str) {
        self.script.lock().unwrap().push(Line {
            operation,
            times: 1,
            act: Act::Lose,
        });
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
/// as `DELETE` or `GET versions`.
fn operation_of(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let query = request
        .uri()
        .split_once('?')
        .map(|(_, query)| query)
        .unwrap_or_default();
    let sub = ["versions", "versioning", "retention", "legal-hold"]
        .into_iter()
        .find(|sub| {
            query
                .split('&')
                .any(|part| part == *sub || part == format!("{sub}="))
        });
    match sub {
        Some(sub) => format!("{} {sub}", request.method()),
        None => request.method().to_owned(),
    }
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let cue = self.wire.cue(&request);
        let backend = self.backend.clone();
        HttpConnectorFuture::new(async move {
            match cue {
                Some(Cue::Answer(status, body, length)) => {
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
            backend.call(request).await
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
