//! A function that Lambda ends: it is told, says so, and exits like a program that is done.

use std::convert::Infallible;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::stack::bootstraps;
use crate::{DATA_MAP, root};

/// What a function that starts has asked for by now.
#[derive(Default)]
struct Asked {
    extension: Notify,
    work: Notify,
}

/// Stands in for the Runtime API, for the Extensions API if there is one, and for S3.
async fn answer(
    request: Request<Incoming>,
    asked: Arc<Asked>,
    extensions: bool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = Response::builder();
    let (answer, body) = match request.uri().path() {
        "/2020-01-01/extension/register" if extensions => {
            let told = r#"{"functionName":"f","functionVersion":"1","handler":"bootstrap"}"#;
            let answer = answer.header("Lambda-Extension-Identifier", "an-extension");
            (answer, told.as_bytes().to_vec())
        }
        "/2020-01-01/extension/register" => (answer.status(404), Vec::new()),
        "/2020-01-01/extension/event/next" => {
            asked.extension.notify_one();
            std::future::pending().await
        }
        "/2018-06-01/runtime/invocation/next" => {
            asked.work.notify_one();
            std::future::pending().await
        }
        _ => (answer, DATA_MAP.as_bytes().to_vec()),
    };
    Ok(answer.body(Full::new(Bytes::from(body))).unwrap())
}

/// The clock's settings, as the template has them, with values that nothing asks about.
fn settings(address: &str) -> Vec<(String, String)> {
    let template = std::fs::read(root().join("infra/translated.json")).unwrap();
    let template: Value = serde_json::from_slice(&template).unwrap();
    let named = &template["Resources"]["Clock"]["Properties"]["Environment"]["Variables"];
    let value = |name: &str| match name {
        "QUITTANCE_DATA_MAP" => "s3://configuration/data-map.yaml".to_owned(),
        "QUITTANCE_MAIL" => "privacy@example.test".to_owned(),
        queue if queue.ends_with("_QUEUE") => "http://localhost/0/q".to_owned(),
        _ => "x".to_owned(),
    };
    let named = named.as_object().unwrap().keys();
    let mut all: Vec<(String, String)> = named.map(|name| (name.clone(), value(name))).collect();
    for (name, value) in [
        ("AWS_LAMBDA_RUNTIME_API", address),
        ("AWS_LAMBDA_FUNCTION_NAME", "clock"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_ENDPOINT_URL", &format!("http://{address}")),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ] {
        all.push((name.to_owned(), value.to_owned()));
    }
    all
}

/// Starts the clock, ends it once it waits for work, and returns how it ended and what it said.
async fn ended(extensions: bool) -> (std::process::ExitStatus, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Asked::default());
    let serving = Arc::clone(&asked);
    let mut work = JoinSet::new();
    work.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let asked = Arc::clone(&serving);
            connections.spawn(async move {
                let answer = service_fn(|request| answer(request, Arc::clone(&asked), extensions));
                let connection = hyper::server::conn::http1::Builder::new();
                drop(
                    connection
                        .serve_connection(TokioIo::new(stream), answer)
                        .await,
                );
            });
        }
    });
    let mut clock = tokio::process::Command::new(bootstraps().join("quittance-clock"));
    clock
        .env_clear()
        .envs(settings(&address))
        .kill_on_drop(true);
    let clock = clock.stdout(Stdio::piped()).stderr(Stdio::piped());
    let clock = clock.spawn().unwrap();
    let waits = async {
        asked.work.notified().await;
        if extensions {
            asked.extension.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waits)
        .await
        .unwrap();
    let id = clock.id().unwrap().to_string();
    let told = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(told.unwrap().success());
    let output = tokio::time::timeout(Duration::from_mins(1), clock.wait_with_output());
    let output = output.await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn a_function_that_lambda_ends_says_so_and_exits_with_success() {
    let (status, said) = ended(true).await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("Lambda ends this process"), "{said}");
}

#[tokio::test]
async fn where_nobody_tells_of_the_end_a_function_works_all_the_same() {
    let (status, said) = ended(false).await;
    // The signal's own way: nobody was registered to be told.
    assert_eq!(status.code(), None, "{said}");
    assert!(said.contains("no Extensions API"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
