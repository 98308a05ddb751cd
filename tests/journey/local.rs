//! A `dsr local` process and its client.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The program under test.
pub(crate) fn dsr() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dsr"))
}

/// A tool of somebody else's that `tests/run` installs, by the variable that names it.
#[expect(
    clippy::disallowed_methods,
    reason = "where a tool lies is no setting of the product"
)]
pub(crate) fn tool(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: tests/run installs what it names, run the tests with it")
    })
}

/// A running `dsr local`, killed when dropped.
pub(crate) struct Local {
    child: Child,
    pub(crate) dir: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) api: String,
    pub(crate) endpoint: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Drop for Local {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Local {
    /// Starts the program on a directory; its state goes to `state` there, its log to `log.txt`.
    pub(crate) fn start(dir: &Path) -> Self {
        let state = dir.join("state");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("log.txt"));
        let mut child = dsr()
            .args(["local", "--port", "0", "--dir"])
            .arg(&state)
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = BTreeMap::new();
        while said.len() < 5 {
            let line = lines.next().unwrap_or_else(|| {
                panic!(
                    "dsr local ended: {}",
                    std::fs::read_to_string(dir.join("log.txt")).unwrap()
                )
            });
            let line = line.unwrap();
            let (name, value) = line.split_at(14);
            let value = value.split_whitespace().next().unwrap_or_default();
            said.insert(name.trim().to_owned(), value.to_owned());
        }
        let api = said["request API"]
            .trim_end_matches("/v1/requests")
            .to_owned();
        Self {
            child,
            dir: state,
            log: dir.join("log.txt"),
            api,
            endpoint: said["AWS endpoint"].clone(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Sends a request and returns status and body; none when the process is gone.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Option<(StatusCode, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.api));
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = self.client.request(request).await.ok()?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, bytes))
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Option<(StatusCode, Value)> {
        let bytes = serde_json::to_vec(body).unwrap();
        let (status, bytes) = self.try_send(Method::POST, path, bytes, &[]).await?;
        Some((
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        ))
    }

    /// Reads the status of a request with its secret.
    pub(crate) async fn status(&self, asked: &Asked) -> Option<Value> {
        let path = format!("/v1/requests/{}", asked.reference);
        let bearer = format!("Bearer {}", asked.secret);
        let headers = [("authorization", bearer.as_str())];
        let (status, bytes) = self
            .try_send(Method::GET, &path, Vec::new(), &headers)
            .await?;
        assert_eq!(
            status,
            StatusCode::OK,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    /// Submits and confirms, as a person would; none when the process dies in between. Sending the
    /// same again is always right.
    pub(crate) async fn ask(&self, email: &str, right: &str, token: &str) -> Option<Asked> {
        let form = json!({
            "right": right, "identifiers": { "email": email }, "client_token": token,
        });
        let (status, answer) = self.post("/v1/requests", &form).await?;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        let asked = Asked {
            reference: text("reference"),
            secret: text("status_token"),
        };
        if answer["stage"] == "draft" {
            let code = self.code(&asked.reference)?;
            let path = format!("/v1/requests/{}/confirmation", asked.reference);
            let (status, answer) = self.post(&path, &json!({ "code": code })).await?;
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
        Some(asked)
    }

    /// The newest code mailed about a request.
    pub(crate) fn code(&self, reference: &str) -> Option<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.dir.join("mailbox")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if let Some((_, rest)) = text.split_once("Your code: ")
                && text.contains(reference)
            {
                let code = rest.lines().next().unwrap_or_default().trim().to_owned();
                found.push((path, code));
            }
        }
        found.sort();
        found.pop().map(|(_, code)| code)
    }

    /// Runs a `dsr` command on this directory.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        dsr()
            .args(args)
            .arg("--dir")
            .arg(&self.dir)
            .output()
            .unwrap()
    }

    /// The sales team attests for whatever waits for it.
    pub(crate) fn attest(&self, reference: &str) {
        let words = ["--by", "Sales lead", "--statement", "done"];
        let mut args = vec!["task", "attest", reference, "crm"];
        args.extend(words);
        let output = self.run(&args);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Every item of one of our tables, as text.
    pub(crate) async fn items(&self, table: &str) -> Vec<BTreeMap<String, String>> {
        let clients = quittance_aws::clients::Clients::local(&self.endpoint).await;
        let mut pages = clients
            .dynamodb()
            .scan()
            .table_name(table)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.unwrap();
            items.push(
                item.iter()
                    .map(|(k, v)| (k.clone(), format!("{v:?}")))
                    .collect(),
            );
        }
        items
    }
}

/// A request under way.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) reference: String,
    pub(crate) secret: String,
}

/// Waits until `done` says so, or tells what it said last.
pub(crate) async fn until<F, T>(limit: Duration, pause: Duration, mut done: F)
where
    F: FnMut() -> T,
    T: Future<Output = Result<(), String>>,
{
    let began = Instant::now();
    let mut looks = tokio::time::interval(pause);
    loop {
        looks.tick().await;
        match done().await {
            Ok(()) => return,
            Err(state) if began.elapsed() > limit => panic!("not done after {limit:?}: {state}"),
            Err(_) => {}
        }
    }
}

/// A small seeded generator.
pub(crate) fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

/// The shop's customers: id, e-mail, first and last name.
pub(crate) fn customers() -> Vec<Value> {
    let text = include_str!("../../functions/cli/data/customers.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
