//! The template, deployed to ministack with the functions' real programs.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use percent_encoding::NON_ALPHANUMERIC;
use quittance_aws::clients::Clients;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::guard::Guard;
use crate::http::Http;
use crate::iam;
use crate::ministack::Server;
use crate::{DATA_MAP, ORIGIN, root, until};

pub(crate) const STACK: &str = "quittance-deploy";
pub(crate) const SENDER: &str = "privacy@example.test";
pub(crate) const ARTIFACTS: &str = "artifacts";
pub(crate) const FUNCTIONS: [&str; 8] = [
    "access",
    "clock",
    "deletion",
    "download",
    "intake",
    "opt-out",
    "published",
    "receipts",
];

/// A deployed system.
pub(crate) struct Stack {
    pub(crate) server: Server,
    pub(crate) clients: Clients,
    pub(crate) http: Http,
    pub(crate) guards: BTreeMap<&'static str, Arc<Guard>>,
    /// What each resource of the template became.
    pub(crate) physical: BTreeMap<String, String>,
    _work: JoinSet<()>,
    /// Where the programs are unpacked.
    _scratch: TempDir,
}

impl Stack {
    /// Packs, deploys, and waits until all of it is there.
    pub(crate) async fn deploy() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let server = Server::start(scratch.path());
        let clients = Clients::local(&server.endpoint).await;
        let mut work = JoinSet::new();
        let mut guards = BTreeMap::new();
        let mut doors = BTreeMap::new();
        for function in FUNCTIONS {
            let name = format!("{STACK}-{function}");
            let (guard, address) = Guard::start(&server.endpoint, &mut work).await;
            guards.insert(function, guard);
            doors.insert(name, address);
        }
        clients
            .s3()
            .create_bucket()
            .bucket(ARTIFACTS)
            .send()
            .await
            .unwrap();
        for function in FUNCTIONS {
            put(
                &clients,
                ARTIFACTS,
                &format!("v1/{function}.zip"),
                archive(function),
            )
            .await;
        }
        let mut template = template("infra/translated.json");
        prepare(&mut template, STACK, &doors);
        put(
            &clients,
            ARTIFACTS,
            "template.json",
            serde_json::to_vec(&template).unwrap(),
        )
        .await;
        let identity = clients.ses().create_email_identity().email_identity(SENDER);
        identity.send().await.unwrap();

        let mut stack = Self {
            server,
            clients,
            http: Http::new(),
            guards,
            physical: BTreeMap::new(),
            _work: work,
            _scratch: scratch,
        };
        let parameters = [
            ("ArtifactBucket", ARTIFACTS),
            ("ArtifactPrefix", "v1"),
            ("LogOrigin", ORIGIN),
            ("MailSender", SENDER),
            ("MailIdentity", SENDER),
            ("AlarmMail", "oncall@example.test"),
        ];
        stack.physical = create(&stack.http, &stack.server.endpoint, STACK, &parameters).await;
        stack.take_roles(&template);
        stack
    }

    /// Gives every guard its function's role: what the template says, and what `dsr infra roles` says about stores.
    fn take_roles(&self, template: &Value) {
        for function in FUNCTIONS {
            let name = format!("${{AWS::StackName}}-{function}");
            let resources = template["Resources"].as_object().unwrap().values();
            let mut roles = resources.filter(|resource| resource["Type"] == "AWS::IAM::Role");
            let role = roles
                .find(|role| role["Properties"]["RoleName"]["Fn::Sub"] == name.as_str())
                .unwrap();
            let own = &role["Properties"]["Policies"][0]["PolicyDocument"];
            let mut statements =
                iam::statements(own, |resource| short(&self.physical, template, resource));
            if ["access", "deletion", "opt-out"].contains(&function) {
                let stores = store_policy(function);
                statements.extend(iam::statements(&stores, |arn| {
                    short_arn(arn.as_str().unwrap())
                }));
            }
            self.guards[function].take_role(statements);
        }
    }

    /// Invokes a function by hand.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> (u16, String) {
        let address = format!(
            "{}/2015-03-31/functions/{STACK}-{function}/invocations",
            self.server.endpoint
        );
        let request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header("authorization", authorization("lambda"))
            .body(Full::new(Bytes::from(event.to_string())))
            .unwrap();
        let answer = self.http.send(request).await.unwrap();
        let failed = answer.headers().contains_key("x-amz-function-error");
        let status = if failed {
            500
        } else {
            answer.status().as_u16()
        };
        (status, String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// Sends messages to a queue, in one batch.
    pub(crate) async fn send(&self, queue: &str, bodies: &[String]) {
        let mut send = self
            .clients
            .sqs()
            .send_message_batch()
            .queue_url(&self.physical[queue]);
        for (at, body) in bodies.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_body(body);
            send = send.entries(entry.build().unwrap());
        }
        let answer = send.send().await.unwrap();
        assert_eq!(answer.successful().len(), bodies.len());
    }

    /// The bodies of what is in a queue, seen from outside.
    pub(crate) async fn waiting(&self, queue: &str) -> Vec<String> {
        let queue = &self.physical[queue];
        let address = format!(
            "{}/_ministack/sqs/messages?QueueUrl={queue}",
            self.server.endpoint
        );
        let seen: Value = serde_json::from_slice(&self.http.get(&address).await).unwrap();
        let mut bodies = Vec::new();
        collect(&seen, "Body", &mut bodies);
        bodies
    }

    /// All log lines of a function.
    pub(crate) async fn log(&self, function: &str) -> String {
        log(
            &self.http,
            &self.server.endpoint,
            &format!("{STACK}-{function}"),
        )
        .await
    }

    /// An address of the HTTP API.
    pub(crate) fn door(&self, path: &str) -> String {
        format!(
            "{}/_aws/execute-api/{}/$default{path}",
            self.server.endpoint, self.physical["Api"]
        )
    }
}

/// Creates a stack from the template in the bucket of archives; returns what each resource became.
pub(crate) async fn create(
    http: &Http,
    endpoint: &str,
    stack: &str,
    parameters: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut form = format!(
        "Action=CreateStack&Version=2010-05-15&StackName={stack}&Capabilities.member.1=CAPABILITY_NAMED_IAM\
         &TemplateURL={endpoint}/{ARTIFACTS}/template.json"
    );
    for (at, (key, value)) in parameters.iter().enumerate() {
        let member = format!("&Parameters.member.{}", at + 1);
        let value = percent_encoding::utf8_percent_encode(value, NON_ALPHANUMERIC);
        form.push_str(&format!(
            "{member}.ParameterKey={key}{member}.ParameterValue={value}"
        ));
    }
    let answer = cloudformation(http, endpoint, &form).await;
    assert!(answer.contains("<StackId>"), "{answer}");
    let described = until("the stack is there", Duration::from_mins(2), || async {
        let ask = format!("Action=DescribeStacks&StackName={stack}");
        let answer = cloudformation(http, endpoint, &ask).await;
        (!answer.contains("_IN_PROGRESS</StackStatus>")).then_some(answer)
    })
    .await;
    if !described.contains("<StackStatus>CREATE_COMPLETE</StackStatus>") {
        let ask = format!("Action=DescribeStackEvents&StackName={stack}");
        let events = cloudformation(http, endpoint, &ask).await;
        panic!(
            "{described}\n{:?}",
            between(&events, "<ResourceStatusReason>", "</ResourceStatusReason>")
        );
    }
    let ask = format!("Action=DescribeStackResources&StackName={stack}");
    let resources = cloudformation(http, endpoint, &ask).await;
    let logical = between(&resources, "<LogicalResourceId>", "</LogicalResourceId>");
    let physical = between(&resources, "<PhysicalResourceId>", "</PhysicalResourceId>");
    assert_eq!(logical.len(), physical.len());
    logical.into_iter().zip(physical).collect()
}

async fn cloudformation(http: &Http, endpoint: &str, form: &str) -> String {
    let request = Request::post(endpoint)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", authorization("cloudformation"))
        .body(Full::new(Bytes::from(form.to_owned())))
        .unwrap();
    let answer = http.send(request).await.unwrap().into_body();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A resource of the template, as calls name it.
pub(crate) fn short(
    physical: &BTreeMap<String, String>,
    template: &Value,
    resource: &Value,
) -> String {
    let written = if let Some(text) = resource.as_str() {
        text.to_owned()
    } else if let Some(name) = resource["Fn::GetAtt"][0].as_str() {
        format!("${{{name}.Arn}}")
    } else {
        resource["Fn::Sub"].as_str().unwrap().to_owned()
    };
    let Some((name, rest)) = written
        .strip_prefix("${")
        .and_then(|text| text.split_once(".Arn}"))
    else {
        return match written.rsplit_once(":identity/") {
            Some(_) => format!("identity/{SENDER}"),
            None => written,
        };
    };
    let physical = &physical[name];
    let kind = match template["Resources"][name]["Type"].as_str().unwrap() {
        "AWS::DynamoDB::Table" => "table",
        "AWS::S3::Bucket" => "bucket",
        "AWS::SQS::Queue" => "queue",
        "AWS::KMS::Key" => "key",
        other => panic!("a role about a {other}"),
    };
    let name = physical.rsplit('/').next().unwrap();
    format!(
        "{kind}/{name}{}",
        rest.replace("${DataMapKey}", "data-map.yaml")
    )
}

/// All log lines of a function, by its whole name.
pub(crate) async fn log(http: &Http, endpoint: &str, function: &str) -> String {
    let group = json!({ "logGroupName": format!("/aws/lambda/{function}") });
    let request = Request::post(endpoint)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "Logs_20140328.FilterLogEvents")
        .header("authorization", authorization("logs"))
        .body(Full::new(Bytes::from(group.to_string())))
        .unwrap();
    let answer = http.send(request).await.unwrap().into_body();
    let mut lines = Vec::new();
    collect(
        &serde_json::from_slice(&answer).unwrap(),
        "message",
        &mut lines,
    );
    lines.join("\n")
}

pub(crate) async fn put(clients: &Clients, bucket: &str, key: &str, bytes: Vec<u8>) {
    let put = clients.s3().put_object().bucket(bucket).key(key);
    put.body(ByteStream::from(bytes)).send().await.unwrap();
}

/// Every text under a name, wherever it stands.
fn collect(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| collect(one, name, found)),
        Value::Object(object) => {
            found.extend(object.get(name).and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|one| collect(one, name, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(crate) fn template(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What differs from a deployment on AWS: where the services are, this machine's processor, and how long a message
/// that failed stays out of sight, for nobody waits hours here.
pub(crate) fn prepare(template: &mut Value, stack: &str, doors: &BTreeMap<String, String>) {
    for (name, resource) in template["Resources"].as_object_mut().unwrap() {
        let kind = resource["Type"].clone();
        let properties = &mut resource["Properties"];
        if kind == "AWS::Lambda::Function" {
            let function = properties["FunctionName"]["Fn::Sub"].as_str().unwrap();
            let door = &doors[&function.replace("${AWS::StackName}", stack)];
            let variables = &mut properties["Environment"]["Variables"];
            variables["AWS_ENDPOINT_URL"] = json!(door);
            variables["QUITTANCE_LOG_LEVEL"] = json!("debug");
            let arm = cfg!(target_arch = "aarch64");
            properties["Architectures"] = json!([if arm { "arm64" } else { "x86_64" }]);
        } else if kind == "AWS::SQS::Queue" {
            let poisoned = name.starts_with("TasksOptOut");
            properties["VisibilityTimeout"] = json!(if poisoned { 2 } else { 30 });
        }
    }
}

pub(crate) fn archive(function: &str) -> Vec<u8> {
    let program = bootstraps().join(format!("quittance-{function}"));
    let bytes = std::fs::read(&program)
        .unwrap_or_else(|error| panic!("{}: {error}. {ADVICE}", program.display()));
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    archive.start_file("bootstrap", options).unwrap();
    archive.write_all(&bytes).unwrap();
    archive.finish().unwrap().into_inner()
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the programs lie is no setting of the product"
)]
pub(crate) fn bootstraps() -> PathBuf {
    if let Ok(folder) = std::env::var("QUITTANCE_BOOTSTRAPS") {
        return folder.into();
    }
    // Beside this test's own folder.
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().join("bootstrap")
}

fn store_policy(function: &str) -> Value {
    let scratch = tempfile::tempdir().unwrap();
    let map = scratch.path().join("map.yaml");
    std::fs::write(&map, DATA_MAP).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dsr"))
        .args([
            "infra",
            "roles",
            "--account",
            "000000000000",
            "--region",
            "us-east-1",
            "--function",
            function,
        ])
        .arg(map)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn short_arn(arn: &str) -> String {
    match arn.rsplit_once(":table/") {
        Some((_, table)) => format!("table/{table}"),
        None => format!("bucket/{}", arn.strip_prefix("arn:aws:s3:::").unwrap()),
    }
}

fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn between(text: &str, start: &str, end: &str) -> Vec<String> {
    let pieces = text.split(start).skip(1);
    pieces
        .map(|piece| piece.split(end).next().unwrap().to_owned())
        .collect()
}

const ADVICE: &str = "Build the functions: cargo build --profile bootstrap -p quittance-access and so on, as tests/run does.";
