//! The one port: which service a request means, and what a fault does to it.
//!
//! The services themselves are in the sibling modules.
//! Invariant: a refused call is not executed; a dropped connection carries no answer.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::Body;
use s3s::service::S3Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::dynamodb::DynamoDb;
use crate::fault::{Call, Failure, Fault, Faults, Sealed, Service};
use crate::kms::Keys;
use crate::mail::Mailbox;
use crate::s3;
use crate::sqs::Queues;

/// Everything behind the port.
pub(crate) struct Front {
    pub(crate) dynamodb: DynamoDb,
    pub(crate) faults: Arc<Faults>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) s3: S3Service,
    pub(crate) keys: Keys,
    pub(crate) queues: Queues,
}

impl Front {
    /// Serves connections until stopped, then cuts them.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = stopped.wait_for(|is_stopped| *is_stopped) => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(Arc::clone(&self).serve_connection(stream))),
                    Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the connection was gone at once");
        }
        let service = service_fn(move |request| Arc::clone(&self).answer(request));
        let mut connection = hyper::server::conn::http1::Builder::new();
        let served = connection
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Dropped> {
        match service_of(request.uri(), request.headers()) {
            Service::S3 => self.answer_s3(request).await,
            service @ (Service::DynamoDb | Service::Kms | Service::Ses | Service::Sqs) => {
                self.answer_rpc(service, request).await
            }
        }
    }

    async fn answer_s3(&self, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let sealed = Sealed::default();
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(sealed.clone());
        let response = self.s3.call(request).await.map_err(|error| {
            tracing::warn!(?error, "S3 could not answer");
            Dropped
        })?;
        match sealed.take() {
            None | Some(Fault::Refuse(_)) => Ok(response),
            Some(fault) => spoil(fault, Service::S3, response).await,
        }
    }

    /// A service whose request is one small document.
    async fn answer_rpc(
        &self,
        service: Service,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Dropped> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MOST_BODY_BYTES)
            .collect()
            .await
            .map_err(|error| {
                tracing::warn!(%error, "a request's body could not be read");
                Dropped
            })?;
        let body = body.to_bytes();
        let call = Call {
            service,
            operation: operation_of(service, &parts, &body),
            resource: resource_of(service, &body),
        };
        let fault = self.faults.ask(&call);
        match fault {
            Some(Fault::Refuse(failure)) => return Ok(failure_response(&failure)),
            Some(Fault::DropBefore) => return Err(Dropped),
            Some(Fault::CutAnswer { .. } | Fault::DropAfter | Fault::ReportFailure(_)) | None => {}
        }
        let response = match service {
            Service::DynamoDb => self.dynamodb.answer(&call.operation, body).await,
            Service::Ses => self.mailbox.answer(&parts, &body),
            Service::Kms => self.keys.answer(&call, parts, body).await,
            Service::Sqs => {
                let host = parts
                    .headers
                    .get(header::HOST)
                    .and_then(|host| host.to_str().ok());
                self.queues
                    .answer(&call.operation, host.unwrap_or_default(), &body)
                    .await
            }
            // Answered elsewhere, as a stream.
            Service::S3 => failure_response(&Failure::internal(service)),
        };
        match fault {
            Some(fault) => spoil(fault, service, response).await,
            None => Ok(response),
        }
    }
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped")]
struct Dropped;

/// A JSON answer in the way the services word theirs.
pub(crate) fn json_response(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// A failure in the words of the JSON protocols.
pub(crate) fn failure_response(failure: &Failure) -> Response<Body> {
    let body = serde_json::json!({ "__type": failure.code, "message": failure.message });
    let mut response = json_response(failure.status, body.to_string());
    if let Ok(code) = http::HeaderValue::from_str(&failure.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// What a fault makes of the answer to an executed call.
async fn spoil(
    fault: Fault,
    service: Service,
    response: Response<Body>,
) -> Result<Response<Body>, Dropped> {
    match fault {
        Fault::DropAfter | Fault::DropBefore => Err(Dropped),
        Fault::Refuse(failure) | Fault::ReportFailure(failure) => match service {
            Service::S3 => s3::error_of(&failure)
                .to_http_response()
                .map_err(|_| Dropped),
            Service::DynamoDb | Service::Kms | Service::Ses | Service::Sqs => {
                Ok(failure_response(&failure))
            }
        },
        Fault::CutAnswer { after_bytes } => {
            let (mut parts, body) = response.into_parts();
            let whole = body.collect().await.map_err(|_| Dropped)?.to_bytes();
            // The length that was promised; less arrives.
            parts
                .headers
                .insert(header::CONTENT_LENGTH, whole.len().into());
            let kept = whole.slice(..after_bytes.min(whole.len()));
            let body = StreamBody::new(cut(kept));
            Ok(Response::from_parts(parts, Body::http_body_unsync(body)))
        }
    }
}

/// Some bytes, time for them to leave, then the end of the connection.
fn cut(kept: Bytes) -> impl futures::Stream<Item = std::io::Result<Frame<Bytes>>> + Send {
    futures::stream::unfold(Cut::Bytes(kept), async |cut| match cut {
        Cut::Bytes(kept) => Some((Ok(Frame::data(kept)), Cut::Pause)),
        Cut::Pause => {
            // What was written is flushed whenever there is nothing more to write at once.
            tokio::task::yield_now().await;
            Some((Err(std::io::Error::other(Dropped)), Cut::End))
        }
        Cut::End => None,
    })
}

enum Cut {
    Bytes(Bytes),
    Pause,
    End,
}

/// The service of the signature's scope, of the target header, or S3.
fn service_of(uri: &http::Uri, headers: &HeaderMap) -> Service {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let in_header = text("authorization")
        .split_once("Credential=")
        .map(|(_, rest)| rest);
    let in_query = uri
        .query()
        .and_then(|query| query.split_once("X-Amz-Credential="))
        .map(|(_, rest)| rest);
    let scope = in_header.or(in_query).unwrap_or_default();
    let scope = scope
        .split([',', '&', ' '])
        .next()
        .unwrap_or_default()
        .replace("%2F", "/");
    match scope.split('/').nth(3) {
        Some("dynamodb") => return Service::DynamoDb,
        Some("kms") => return Service::Kms,
        Some("s3") => return Service::S3,
        Some("ses") => return Service::Ses,
        Some("sqs") => return Service::Sqs,
        Some(_) | None => {}
    }
    let target = text("x-amz-target");
    if target.starts_with("DynamoDB") {
        Service::DynamoDb
    } else if target.starts_with("TrentService") {
        Service::Kms
    } else if target.starts_with("AmazonSQS") {
        Service::Sqs
    } else if uri.path().starts_with("/v2/email/") {
        Service::Ses
    } else {
        Service::S3
    }
}

fn operation_of(service: Service, parts: &Parts, body: &Bytes) -> String {
    if service == Service::Ses {
        return Mailbox::operation_of(parts).to_owned();
    }
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if let Some((_, operation)) = target.rsplit_once('.') {
        return operation.to_owned();
    }
    // The older query protocol of SQS.
    let form = String::from_utf8_lossy(body);
    let action = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    action.unwrap_or_default().to_owned()
}

/// What the call is about, as far as its document says.
fn resource_of(service: Service, body: &Bytes) -> String {
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(body) else {
        return String::new();
    };
    let text = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
    match service {
        Service::DynamoDb => text("TableName").map_or_else(|| tables_of(&document), str::to_owned),
        Service::Kms => text("KeyId").unwrap_or_default().to_owned(),
        Service::Sqs => {
            let url = text("QueueUrl").and_then(|url| url.rsplit('/').next());
            url.or_else(|| text("QueueName"))
                .unwrap_or_default()
                .to_owned()
        }
        Service::S3 | Service::Ses => String::new(),
    }
}

/// The tables of a batch or a transaction, each once.
fn tables_of(document: &serde_json::Value) -> String {
    let batch = document
        .get("RequestItems")
        .and_then(serde_json::Value::as_object);
    let batched = batch
        .into_iter()
        .flat_map(|tables| tables.keys().map(String::as_str));
    let actions = document
        .get("TransactItems")
        .and_then(serde_json::Value::as_array);
    let transacted = actions.into_iter().flatten().filter_map(|action| {
        let action = action.as_object()?.values().next()?;
        action.get("TableName")?.as_str()
    });
    let tables: std::collections::BTreeSet<&str> = batched.chain(transacted).collect();
    tables.into_iter().collect::<Vec<_>>().join(",")
}

/// The whole body of a small answer.
pub(crate) fn full(body: Bytes) -> Body {
    Body::http_body(Full::new(body))
}

const MOST_BODY_BYTES: usize = 64 * 1024 * 1024;
