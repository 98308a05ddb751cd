//! What people do: ask, read their mail, look at the status, download, verify; and what staff does.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use quittance_aws::adapters::Adapters;
use quittance_aws::clock::SystemClock;
use quittance_aws::settings::{Setting, Settings};
use quittance_aws::signer::KmsSigner;
use quittance_core::id::RequestId;
use quittance_core::receipt::ReceiptFile;
use quittance_engine::intake::find_request;
use quittance_engine::ports::Signer as _;
use serde_json::{Value, json};

use crate::company::email;
use crate::stack::{FUNCTIONS, STACK, Stack};
use crate::{ORIGIN, until};

/// A request that was made.
pub(crate) struct Asked {
    pub(crate) right: &'static str,
    pub(crate) reference: String,
    secret: String,
    email: String,
}

/// Makes a request, and confirms it with the code from the mailbox where the right wants one.
pub(crate) async fn ask(stack: &Stack, right: &'static str, person: usize) -> Asked {
    let form = json!({
        "right": right,
        "identifiers": { "email": email(person) },
        "client_token": format!("deploy-test-{right}-{person}-000000"),
        "regime": "eu_gdpr",
    });
    let answer = stack.post("/v1/requests", &form, 202).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    let asked = Asked {
        right,
        reference: text("reference"),
        secret: text("status_token"),
        email: email(person),
    };
    if right != "opt_out" {
        let code = code(stack, &asked, 1).await;
        let path = format!("/v1/requests/{}/confirmation", asked.reference);
        stack.post(&path, &json!({ "code": code }), 200).await;
    }
    asked
}

/// Follows a request until it is closed; staff attests for the store outside AWS when it is asked to.
pub(crate) async fn follow(stack: &Stack, asked: &Asked) {
    let path = format!("/v1/requests/{}", asked.reference);
    let mut seen = String::new();
    until(
        &format!("{} {} is closed", asked.right, asked.reference),
        PATIENCE,
        async || {
            // The schedule wakes the clock every minute; here nobody waits for it.
            stack.invoke("clock", &json!({})).await;
            let address = stack.door(&path);
            let (status, body) = stack
                .http
                .call(Method::GET, &address, Some(&asked.secret), None)
                .await;
            if status != 200 {
                return None;
            }
            let status: Value = serde_json::from_slice(&body).unwrap();
            let stage = status["stage"].as_str().unwrap().to_owned();
            if stage != seen {
                println!("           {} {}: {stage}", asked.right, asked.reference);
                seen.clone_from(&stage);
            }
            (stage == "closed").then(|| assert_eq!(status["outcome"], "completed", "{status}"))
        },
    )
    .await;
}

/// Downloads the export with a fresh code.
pub(crate) async fn download(stack: &Stack, asked: &Asked) -> Bytes {
    let path = format!("/v1/requests/{}", asked.reference);
    stack
        .post(
            &format!("{path}/codes"),
            &json!({ "email": asked.email }),
            202,
        )
        .await;
    let code = code(stack, asked, 2).await;
    stack
        .post(&format!("{path}/export"), &json!({ "code": code }), 200)
        .await
}

/// Reads the n-th code that was mailed about a request.
async fn code(stack: &Stack, asked: &Asked, n: usize) -> String {
    until("a code is in the mailbox", PATIENCE, || async {
        let mails = stack
            .http
            .get(&format!(
                "{}/_ministack/ses/messages",
                stack.server.endpoint
            ))
            .await;
        let mails: Value = serde_json::from_slice(&mails).unwrap();
        let all = mails["messages"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|list| list.as_array().unwrap());
        let texts = all.filter_map(|mail| mail["BodyText"].as_str());
        let codes = texts
            .filter(|text| text.contains(&asked.reference))
            .filter_map(|text| {
                let (_, rest) = text.split_once("Your code: ")?;
                Some(rest.lines().next()?.trim().to_owned())
            });
        codes.collect::<Vec<_>>().get(n - 1).cloned()
    })
    .await
}

/// Has a receipt verified by the commands inside it, with `sh` and `openssl`, and by `dsr`.
pub(crate) async fn verify(stack: &Stack, receipt: &[u8]) {
    let scratch = tempfile::tempdir().unwrap();
    let commands = ReceiptFile::parse(receipt).unwrap().commands().to_owned();
    let key = |name: &str| stack.physical[name].clone();
    let kms = stack.clients.kms();
    let signer = KmsSigner::open(kms, key("StatementKey"), key("LogKey"), ORIGIN)
        .await
        .unwrap();
    let policy = stack.dsr(&["policy"]).await;
    for (name, text) in [
        ("verify.sh", commands.as_bytes()),
        ("receipt.json", receipt),
        ("signer.pem", signer.statement_key_pem().as_bytes()),
        ("policy", policy.as_bytes()),
    ] {
        std::fs::write(scratch.path().join(name), text).unwrap();
    }
    let run = |command: &mut Command| {
        let output = command.current_dir(scratch.path()).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    };
    let (accepted, said) = run(Command::new("sh").args([
        "verify.sh",
        "receipt.json",
        "signer.pem",
        signer.log_vkey(),
    ]));
    assert!(accepted && said.contains("Verified OK"), "{said}");
    let (accepted, said) = run(Command::new(env!("CARGO_BIN_EXE_dsr")).args([
        "verify",
        "receipt.json",
        "--policy",
        "policy",
    ]));
    assert!(accepted, "{said}");
}

/// The internal id of a request, which messages carry.
pub(crate) async fn id_of(stack: &Stack, asked: &Asked) -> RequestId {
    let table = stack.physical["Ledger"].clone();
    let settings = Settings::new([(Setting::LedgerTable, table)]).unwrap();
    let adapters = Adapters::new(settings, stack.clients.clone(), Arc::new(SystemClock));
    let (request, _) = find_request(&adapters.ledger().unwrap(), &asked.reference)
        .await
        .unwrap();
    request.id
}

impl Stack {
    /// Posts to the API until it answers this: a door that says "try again" is tried again.
    async fn post(&self, path: &str, body: &Value, expected: u16) -> Bytes {
        let address = self.door(path);
        until(&format!("{path} answers {expected}"), PATIENCE, || async {
            let (status, answer) = self
                .http
                .call(Method::POST, &address, None, Some(body))
                .await;
            let again = [429, 500, 502, 503, 504].contains(&status);
            assert!(
                status == expected || again,
                "{path}: {status} {}",
                String::from_utf8_lossy(&answer)
            );
            (status == expected).then_some(answer)
        })
        .await
    }

    /// Runs `dsr` as staff does, against what is deployed.
    pub(crate) async fn dsr(&self, args: &[&str]) -> String {
        let mut settings = BTreeMap::new();
        for function in FUNCTIONS {
            let address = format!(
                "{}/2015-03-31/functions/{STACK}-{function}/configuration",
                self.server.endpoint
            );
            let configuration: Value =
                serde_json::from_slice(&self.http.get(&address).await).unwrap();
            for (name, value) in configuration["Environment"]["Variables"]
                .as_object()
                .unwrap()
            {
                settings.insert(name.clone(), value.as_str().unwrap().to_owned());
            }
        }
        settings.extend([
            ("AWS_ENDPOINT_URL".to_owned(), self.server.endpoint.clone()),
            ("AWS_REGION".to_owned(), "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID".to_owned(), "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "test".to_owned()),
        ]);
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let run = move || {
            Command::new(env!("CARGO_BIN_EXE_dsr"))
                .args(args)
                .envs(settings)
                .output()
                .unwrap()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The receipt about the outcome of a request, once it is stored.
    pub(crate) async fn receipt(&self, reference: &str) -> Vec<u8> {
        let key = format!("receipts/{reference}.receipt.json");
        until(&format!("{key} is stored"), PATIENCE, || async {
            let object = self
                .clients
                .s3()
                .get_object()
                .bucket(&self.physical["Evidence"])
                .key(&key);
            Some(
                object
                    .send()
                    .await
                    .ok()?
                    .body
                    .collect()
                    .await
                    .ok()?
                    .to_vec(),
            )
        })
        .await
    }
}

const PATIENCE: Duration = Duration::from_mins(5);
