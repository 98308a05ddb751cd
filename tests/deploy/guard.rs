//! What stands between one function and the emulator: it enforces the function's role, and makes trouble on the wire.
//!
//! Every function has a guard of its own, at an address of its own, so it is known who calls. A call that the role
//! does not allow is refused as AWS refuses it, and remembered. Trouble comes to every n-th call: throttled, failed,
//! cut off before or after it was done, an answer that breaks off in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::Http;
use crate::iam::{self, Needed, Statement};

type Body = BoxBody<Bytes, io::Error>;

/// One function's guard.
pub(crate) struct Guard {
    address: String,
    upstream: String,
    http: Http,
    role: watch::Sender<Option<Vec<Statement>>>,
    /// What was asked for and is not allowed.
    pub(crate) refused: Mutex<BTreeSet<(String, String)>>,
    /// What was asked for and is, and how often.
    pub(crate) used: Mutex<BTreeMap<String, u64>>,
    /// Every how many calls there is trouble; 0 for never.
    pub(crate) trouble_every: AtomicU64,
    calls: AtomicU64,
    pub(crate) troubles: AtomicU64,
    /// The function dies when it next makes a call with this verb on this resource.
    pub(crate) deadly: Mutex<Option<(&'static str, &'static str)>>,
    pub(crate) killed: AtomicBool,
}

impl Guard {
    /// Starts to stand before `upstream`, and returns its address.
    pub(crate) async fn start(upstream: &str, work: &mut JoinSet<()>) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let guard = Arc::new(Self {
            address: address.clone(),
            upstream: upstream.to_owned(),
            http: Http::new(),
            role: watch::channel(None).0,
            refused: Mutex::default(),
            used: Mutex::default(),
            trouble_every: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            troubles: AtomicU64::new(0),
            deadly: Mutex::default(),
            killed: AtomicBool::new(false),
        });
        let serving = Arc::clone(&guard);
        work.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let guard = Arc::clone(&serving);
                connections.spawn(async move {
                    let answer = service_fn(move |request| {
                        let guard = Arc::clone(&guard);
                        async move { guard.answer(request).await }
                    });
                    let connection = hyper::server::conn::http1::Builder::new();
                    // A connection that was cut off on purpose is no news.
                    drop(
                        connection
                            .serve_connection(TokioIo::new(stream), answer)
                            .await,
                    );
                });
            }
        });
        (guard, address)
    }

    /// Says what the role allows: until then every call waits.
    pub(crate) fn take_role(&self, statements: Vec<Statement>) {
        self.role.send_replace(Some(statements));
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let mut role = self.role.subscribe();
        let role = role
            .wait_for(Option::is_some)
            .await
            .map_err(io::Error::other)?
            .clone()
            .unwrap_or_default();

        let needed = iam::needed(&parts.method, &parts.uri, &parts.headers, &body);
        let Some(needed) = needed else {
            self.refused
                .lock()
                .unwrap()
                .insert((format!("{} {}", parts.method, parts.uri), String::new()));
            return Ok(refusal(&parts.headers));
        };
        for one in &needed {
            if iam::allows(&role, one) {
                let mut used = self.used.lock().unwrap();
                *used.entry(one.action.clone()).or_default() += 1;
            } else {
                let mut refused = self.refused.lock().unwrap();
                refused.insert((one.action.clone(), one.resource.clone()));
            }
        }
        if !needed.iter().all(|one| iam::allows(&role, one)) {
            return Ok(refusal(&parts.headers));
        }
        if self.is_deadly(&needed) {
            kill(&self.address);
            return Err(io::Error::other("its caller is dead"));
        }
        let trouble = self.trouble();
        match trouble {
            Some(Trouble::Throttled) => return Ok(throttled(&parts.headers)),
            Some(Trouble::Failed) => return Ok(text(StatusCode::SERVICE_UNAVAILABLE, "")),
            Some(Trouble::CutBefore) => return Err(io::Error::other("cut off")),
            Some(Trouble::CutAfter | Trouble::Broken) | None => {}
        }
        let answer = self.forward(&parts, body).await?;
        if trouble == Some(Trouble::CutAfter) {
            return Err(io::Error::other("cut off, and done"));
        }
        // Who may not list a bucket is not told that an object is absent.
        let reads = matches!(parts.method, Method::GET | Method::HEAD)
            && needed[0].action.starts_with("s3:GetObject");
        if reads && answer.status() == StatusCode::NOT_FOUND {
            let bucket = needed[0]
                .resource
                .split('/')
                .take(2)
                .collect::<Vec<_>>()
                .join("/");
            let list = Needed {
                action: "s3:ListBucket".to_owned(),
                resource: bucket.clone(),
                about: None,
            };
            if !iam::allows(&role, &list) {
                self.refused.lock().unwrap().insert((list.action, bucket));
                return Ok(refusal(&parts.headers));
            }
        }
        let (head, bytes) = answer.into_parts();
        Ok(if trouble == Some(Trouble::Broken) && bytes.len() > 1 {
            Response::from_parts(head, broken(&bytes))
        } else {
            Response::from_parts(head, whole(bytes))
        })
    }

    async fn forward(
        &self,
        parts: &http::request::Parts,
        body: Bytes,
    ) -> Result<Response<Bytes>, io::Error> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(&parts.method)
            .uri(format!("{}{path}", self.upstream));
        for (name, value) in &parts.headers {
            if name != header::HOST {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(body)).map_err(io::Error::other)?;
        self.http.send(request).await.map_err(io::Error::other)
    }

    fn is_deadly(&self, needed: &[Needed]) -> bool {
        let mut deadly = self.deadly.lock().unwrap();
        let is = deadly.is_some_and(|(verb, on)| {
            needed
                .iter()
                .any(|one| one.action == verb && one.resource == on)
        });
        if is {
            *deadly = None;
            self.killed.store(true, Ordering::SeqCst);
        }
        is
    }

    fn trouble(&self) -> Option<Trouble> {
        let every = self.trouble_every.load(Ordering::SeqCst);
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if every == 0 || call % every != every - 1 {
            return None;
        }
        let nth = self.troubles.fetch_add(1, Ordering::SeqCst);
        let kinds = [
            Trouble::Throttled,
            Trouble::CutAfter,
            Trouble::Failed,
            Trouble::Broken,
            Trouble::CutBefore,
        ];
        Some(kinds[usize::try_from(nth).unwrap() % kinds.len()])
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Throttled,
    Failed,
    CutBefore,
    CutAfter,
    Broken,
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed()
}

/// Half of a body, and then nothing.
fn broken(bytes: &Bytes) -> Body {
    let half = bytes.slice(..bytes.len() / 2);
    let pieces = [Ok(Frame::data(half)), Err(io::Error::other("it broke off"))];
    StreamBody::new(stream::iter(pieces)).boxed()
}

fn text(status: StatusCode, body: &str) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    response
}

/// As the service would say it, in JSON or in XML.
fn error(headers: &HeaderMap, status: StatusCode, json: &str, xml: &str) -> Response<Body> {
    if headers.contains_key("x-amz-target") {
        let mut response = text(
            StatusCode::BAD_REQUEST,
            &format!(r#"{{"__type":"{json}","message":""}}"#),
        );
        let kind = HeaderValue::from_static("application/x-amz-json-1.0");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    } else {
        text(
            status,
            &format!("<Error><Code>{xml}</Code><Message></Message></Error>"),
        )
    }
}

fn refusal(headers: &HeaderMap) -> Response<Body> {
    error(
        headers,
        StatusCode::FORBIDDEN,
        "AccessDeniedException",
        "AccessDenied",
    )
}

fn throttled(headers: &HeaderMap) -> Response<Body> {
    error(
        headers,
        StatusCode::SERVICE_UNAVAILABLE,
        "ThrottlingException",
        "SlowDown",
    )
}

/// Kills the processes of the function that calls at this address, as a host that fails does.
fn kill(address: &str) {
    let mark = format!("AWS_ENDPOINT_URL={address}\0");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment
            .windows(mark.len())
            .any(|window| window == mark.as_bytes())
        {
            let id = entry.file_name();
            let killed = std::process::Command::new("kill")
                .arg("-9")
                .arg(id)
                .status()
                .unwrap();
            assert!(killed.success() || !entry.path().exists());
        }
    }
}
