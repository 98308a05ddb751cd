//! An auditor's account, an emulator of its own: the witness is deployed there from its own template, and the
//! controller's receipts function asks it over HTTP because the published policy says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use quittance_aws::clients::Clients;
use quittance_core::message::Message;
use quittance_core::receipt::{Policy, verify};
use quittance_tlog::witness::AddCheckpoint;
use quittance_tlog::{Checkpoint, Hash, Note, VerifierKey};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::guard::Guard;
use crate::http::Http;
use crate::ministack::Server;
use crate::people::Asked;
use crate::stack::{ARTIFACTS, Stack, archive, create, log, prepare, put, short, template};
use crate::{iam, until};

/// A deployed witness.
pub(crate) struct Auditor {
    server: Server,
    http: Http,
    guard: Arc<Guard>,
    physical: BTreeMap<String, String>,
    _work: JoinSet<()>,
    _scratch: TempDir,
}

impl Auditor {
    /// Deploys a witness that knows this log.
    pub(crate) async fn deploy(log_vkey: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let server = Server::start(scratch.path());
        let clients = Clients::local(&server.endpoint).await;
        let mut work = JoinSet::new();
        let (guard, address) = Guard::start(&server.endpoint, &mut work).await;
        let bucket = clients.s3().create_bucket().bucket(ARTIFACTS);
        bucket.send().await.unwrap();
        put(&clients, ARTIFACTS, "v1/witness.zip", archive("witness")).await;
        let mut template = template("infra/witness.json");
        let doors = BTreeMap::from([(FUNCTION.to_owned(), address)]);
        prepare(&mut template, STACK, &doors);
        let written = serde_json::to_vec(&template).unwrap();
        put(&clients, ARTIFACTS, "template.json", written).await;
        let http = Http::new();
        let parameters = [
            ("ArtifactBucket", ARTIFACTS),
            ("ArtifactPrefix", "v1"),
            ("WitnessName", NAME),
            ("Logs", log_vkey),
            ("AlarmMail", "auditor@example.test"),
        ];
        let physical = create(&http, &server.endpoint, STACK, &parameters).await;
        let role = &template["Resources"]["WitnessRole"]["Properties"];
        let policy = &role["Policies"][0]["PolicyDocument"];
        let resource = |resource: &Value| short(&physical, &template, resource);
        guard.take_role(iam::statements(policy, resource));
        Self {
            server,
            http,
            guard,
            physical,
            _work: work,
            _scratch: scratch,
        }
    }

    /// Where logs ask.
    fn address(&self) -> String {
        let api = &self.physical["Api"];
        format!("{}/_aws/execute-api/{api}/$default", self.server.endpoint)
    }

    /// Asks; with a body, posts it.
    async fn call(&self, path: &str, body: Option<String>) -> (u16, String) {
        let method = if body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address()))
            .body(Full::new(Bytes::from(body.unwrap_or_default())));
        let answer = self.http.send(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        (status, String::from_utf8_lossy(answer.body()).into_owned())
    }
}

/// The published policy asks for the witness; receipts are cosigned, and verify under that policy; and whoever shows
/// the witness another history is refused, logged and alarmed about.
pub(crate) async fn cosigns(stack: &Stack, closed: &[&Asked]) {
    let plain = stack.dsr(&["policy"]).await;
    let log_vkey = plain.lines().next().unwrap().strip_prefix("log ").unwrap();
    let auditor = Auditor::deploy(log_vkey).await;
    let (status, vkey) = auditor.call("/vkey", None).await;
    assert_eq!(status, 200, "{vkey}");
    let witness = format!("{} {}", vkey.trim(), auditor.address());
    let text = stack.dsr(&["policy", "--witness", &witness]).await;
    let policy = Policy::parse(&text).unwrap();
    let published = &stack.physical["Log"];
    put(&stack.clients, published, "policy", text.clone().into()).await;
    for asked in closed {
        let path = format!("/receipts/{}.receipt.json", asked.reference);
        let door = stack.door(&path);
        until(&format!("{path} is cosigned"), PATIENCE, async || {
            // Whatever wakes the receipts function lets it ask.
            stack
                .send("Statements", &[Message::Statements.to_body()])
                .await;
            let (status, receipt) = stack.http.call(Method::GET, &door, None, None).await;
            (status == 200 && verify(&receipt, &policy).ok).then_some(())
        })
        .await;
    }
    let door = stack.door("/log/checkpoint");
    let (_, published) = stack.http.call(Method::GET, &door, None, None).await;
    let note = Note::parse(&published).unwrap();
    assert!(policy.log_policy().evaluate(&note).is_ok(), "{note}");

    // The same size with another root, signed with the log's own key: two histories.
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    let other = Checkpoint::new(checkpoint.origin(), checkpoint.size(), Hash::EMPTY_ROOT).unwrap();
    let other = other.to_note().unwrap();
    let signed = stack.clients.kms().sign();
    let signed = signed
        .key_id(&stack.physical["LogKey"])
        .message(Blob::new(other.text().as_bytes()))
        .message_type(MessageType::Raw)
        .signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512);
    let signature = signed.send().await.unwrap().signature.unwrap().into_inner();
    let key = VerifierKey::parse(log_vkey).unwrap();
    let request = AddCheckpoint {
        old_size: checkpoint.size(),
        proof: Vec::new(),
        checkpoint: other
            .with_ed25519_signature(&key, signature.as_slice().try_into().unwrap())
            .unwrap(),
    };
    let body = Some(request.to_string());
    let (status, answer) = auditor.call("/add-checkpoint", body).await;
    let size = format!("{}\n", checkpoint.size());
    assert_eq!((status, answer.as_str()), (409, size.as_str()));
    let lines = log(&auditor.http, &auditor.server.endpoint, FUNCTION).await;
    let alarm = lines.lines().find(|line| line.contains("split_view"));
    let alarm: Value = serde_json::from_str(alarm.unwrap()).unwrap();
    // What the metric filter of the template looks for, and what proves it.
    assert_eq!(alarm["event"], "split_view");
    let proof = alarm["proof"].as_str().unwrap();
    assert_eq!(AddCheckpoint::parse(proof.as_bytes()), Some(request));
    let refused = auditor.guard.refused.lock().unwrap();
    assert!(refused.is_empty(), "{refused:?}");
}

const STACK: &str = "quittance-auditor";
const FUNCTION: &str = "quittance-auditor-witness";
const NAME: &str = "witness.example.test";
const PATIENCE: Duration = Duration::from_mins(2);
