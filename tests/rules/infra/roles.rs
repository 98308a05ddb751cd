//! Roles: listed verbs on listed resources, only what the function's needs explain, and the promises about who may
//! do what.

use std::collections::BTreeSet;

use quittance_aws::adapters::Need;
use quittance_aws::queues::QueueName;
use quittance_core::request::Right;
use serde_json::{Value, json};

use super::{FUNCTIONS, Rule, Template, settings, text, texts};
use crate::tree::Finding;

/// One thing that a role may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    pub(super) action: String,
    resource: String,
    pub(super) condition: Option<String>,
}

const STATEMENTS: &str = "Properties/Policies/0/PolicyDocument/Statement";

pub(super) fn rules() -> Vec<Rule> {
    let plant = |role: &str, actions: Value, resource: Value| -> (&'static str, Value) {
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": resource});
        (String::leak(format!("{role}/{STATEMENTS}/-")), statement)
    };
    let attached = |name: &str| json!({"Fn::GetAtt": [name, "Arn"]});
    let within = |name: &str, path: &str| json!({"Fn::Sub": format!("${{{name}.Arn}}/{path}")});
    vec![
        Rule {
            says: "no role has a wildcard, or anything but its one policy",
            finds: wildcards,
            faults: vec![
                plant("ClockRole", json!("dynamodb:*"), attached("Ledger")),
                plant("ClockRole", json!(["s3:Get*"]), within("Vault", "papers/*")),
                plant("ClockRole", json!("sqs:SendMessage"), json!("*")),
                plant(
                    "ClockRole",
                    json!("s3:GetObject"),
                    json!("arn:aws:s3:::*/papers/*"),
                ),
                (
                    "ClockRole/Properties/ManagedPolicyArns",
                    json!(["arn:aws:iam::aws:policy/x"]),
                ),
                (
                    "ClockRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal",
                    json!({"AWS": "*"}),
                ),
            ],
        },
        Rule {
            says: "a role may only what its function's needs explain",
            finds: unexplained,
            faults: vec![
                plant("AccessRole", json!("dynamodb:Scan"), attached("Keys")),
                plant(
                    "IntakeRole",
                    json!("sqs:SendMessage"),
                    attached("Statements"),
                ),
                plant(
                    "OptOutRole",
                    json!("sqs:ReceiveMessage"),
                    attached("TasksDeletion"),
                ),
            ],
        },
        Rule {
            says: "only receipts signs",
            finds: |template| only(template, |grant| grant.action == "kms:Sign", &["receipts"]),
            faults: vec![
                plant("ClockRole", json!("kms:Sign"), attached("LogKey")),
                plant("AccessRole", json!("kms:Sign"), attached("StatementKey")),
            ],
        },
        Rule {
            says: "data keys are unwrapped by workers and download, never by intake",
            finds: |template| {
                let unwraps = |grant: &Grant| {
                    grant.action == "kms:Decrypt"
                        && (grant.resource == "<VaultKey.Arn>" || grant.condition.is_none())
                };
                only(
                    template,
                    unwraps,
                    &["access", "deletion", "download", "opt-out"],
                )
            },
            faults: vec![
                plant("IntakeRole", json!(["kms:Decrypt"]), attached("VaultKey")),
                plant("ReceiptsRole", json!("kms:Decrypt"), attached("AtRestKey")),
            ],
        },
        Rule {
            says: "exports and what was collected are read by access and download only",
            finds: |template| {
                let reads = |grant: &Grant| {
                    let folder = grant
                        .resource
                        .strip_prefix("<Vault.Arn>/")
                        .unwrap_or_default();
                    grant.action == "s3:GetObject"
                        && ["export/", "collected/", "*"]
                            .iter()
                            .any(|start| folder.starts_with(start))
                };
                only(template, reads, &["access", "download"])
            },
            faults: vec![
                plant(
                    "DeletionRole",
                    json!("s3:GetObject"),
                    within("Vault", "export/*"),
                ),
                plant(
                    "DeletionRole",
                    json!("s3:GetObject"),
                    within("Vault", "collected/*"),
                ),
                plant("DeletionRole", json!("s3:GetObject"), within("Vault", "*")),
            ],
        },
        Rule {
            says: "only the clock destroys papers and keys, only receipts writes the log, only published reads it too, and nobody deletes evidence",
            finds: |template| {
                let mut findings = only(
                    template,
                    |grant| grant.action.contains("Delete") && about(grant, &["Vault", "Keys"]),
                    &["clock"],
                );
                let reads = |grant: &Grant| {
                    about(grant, &["Log"])
                        && ["s3:GetObject", "s3:ListBucket"].contains(&grant.action.as_str())
                };
                findings.extend(only(
                    template,
                    |grant| about(grant, &["Log", "LogHead"]) && !reads(grant),
                    &["receipts"],
                ));
                findings.extend(only(template, reads, &["published", "receipts"]));
                findings.extend(only(
                    template,
                    |grant| grant.action.contains("Delete") && about(grant, &["Evidence"]),
                    &[],
                ));
                findings
            },
            faults: vec![
                plant(
                    "DeletionRole",
                    json!("s3:DeleteObject"),
                    within("Vault", "papers/*"),
                ),
                plant("AccessRole", json!("dynamodb:DeleteItem"), attached("Keys")),
                plant("AccessRole", json!("s3:PutObject"), within("Log", "tile/*")),
                plant("ClockRole", json!("s3:GetObject"), within("Log", "tile/*")),
                plant(
                    "PublishedRole",
                    json!("s3:PutObject"),
                    within("Log", "checkpoint"),
                ),
                plant(
                    "ReceiptsRole",
                    json!("s3:DeleteObject"),
                    within("Evidence", "receipts/*"),
                ),
            ],
        },
        Rule {
            says: "intake writes requests: it deletes expired tokens only, and reads no papers",
            finds: |template| {
                let refused = |grant: &&Grant| {
                    let deletes = grant.action.contains("Delete")
                        && !grant
                            .condition
                            .as_ref()
                            .is_some_and(|c| c.contains(r#""dynamodb:LeadingKeys":["T#*"]"#));
                    let reads = grant.action.starts_with("s3:Get") && about(grant, &["Vault"]);
                    let lists = ["dynamodb:Query", "dynamodb:Scan", "s3:ListBucket"]
                        .contains(&grant.action.as_str());
                    deletes || reads || lists
                };
                let grants = grants(template, "Intake");
                grants
                    .iter()
                    .filter(refused)
                    .map(|grant| format!("intake: {grant:?}"))
                    .collect()
            },
            faults: vec![
                plant(
                    "IntakeRole",
                    json!("dynamodb:DeleteItem"),
                    attached("Ledger"),
                ),
                plant("IntakeRole", json!("dynamodb:Query"), attached("Ledger")),
                plant(
                    "IntakeRole",
                    json!("s3:GetObject"),
                    within("Vault", "papers/*"),
                ),
            ],
        },
        Rule {
            says: "the keys' own policies name the same roles",
            finds: key_policies,
            faults: vec![
                (
                    "VaultKey/Properties/KeyPolicy/Statement/2/Condition/ArnEquals/aws:PrincipalArn/0",
                    json!({"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}-intake"}),
                ),
                (
                    "StatementKey/Properties/KeyPolicy/Statement/1/Condition",
                    Value::Null,
                ),
                (
                    "LogKey/Properties/KeyPolicy/Statement/0/Action/-",
                    json!("kms:Sign"),
                ),
                (
                    "VaultKey/Properties/KeyPolicy/Statement/1/Action",
                    json!(["kms:*"]),
                ),
            ],
        },
    ]
}

/// Whether a grant is about one of these resources, or a part of one.
fn about(grant: &Grant, resources: &[&str]) -> bool {
    resources.iter().any(|name| {
        let arn = format!("<{name}.Arn>");
        grant.resource == arn || grant.resource.starts_with(&format!("{arn}/"))
    })
}

/// Every single grant of a function's role.
pub(super) fn grants(template: &Template, function: &str) -> BTreeSet<Grant> {
    let role = template.properties(&format!("{function}Role"));
    let statements = role["Policies"][0]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    let mut grants = BTreeSet::new();
    for statement in statements {
        assert_eq!(
            statement["Effect"], "Allow",
            "{function}: what is not allowed is denied anyway"
        );
        let condition = statement.get("Condition").map(Value::to_string);
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                let (action, condition) = (action.clone(), condition.clone());
                grants.insert(Grant {
                    action,
                    resource,
                    condition,
                });
            }
        }
    }
    grants
}

/// Those who hold such a grant and are not among these.
fn only(template: &Template, is_it: impl Fn(&Grant) -> bool, functions: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, function) in FUNCTIONS {
        let mut held = grants(template, function)
            .into_iter()
            .filter(&is_it)
            .peekable();
        match (functions.contains(&folder), held.peek()) {
            (true, None) => findings.push(format!("{folder} may not, and must")),
            (false, Some(_)) => findings.extend(held.map(|grant| format!("{folder}: {grant:?}"))),
            (true, Some(_)) | (false, None) => {}
        }
    }
    findings
}

fn wildcards(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, function) in FUNCTIONS {
        for grant in grants(template, function) {
            // What follows the last `/` or `:` of a folder, a log group, an index; never the folder itself.
            let stem = grant.resource.strip_suffix('*').unwrap_or(&grant.resource);
            let whole = stem == grant.resource || stem.ends_with(['/', ':']);
            let named = stem.contains('<') || stem.contains("arn:aws");
            if grant.action.contains('*') || !whole || stem.contains('*') || !named {
                findings.push(format!("{folder}: {grant:?}"));
            }
        }
        let role = template.properties(&format!("{function}Role"));
        let policies = role["Policies"].as_array().map_or(0, Vec::len);
        let trusted = &role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"];
        if policies != 1 || role.get("ManagedPolicyArns").is_some() {
            findings.push(format!("{folder}: more than its one policy"));
        }
        if *trusted != json!({"Service": "lambda.amazonaws.com"}) {
            findings.push(format!("{folder}: {trusted} may take its role"));
        }
    }
    findings
}

fn unexplained(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, function) in FUNCTIONS {
        let needs = settings::needs(folder);
        let explained: Vec<(&str, String)> = needs.iter().copied().flat_map(explains).collect();
        let served = served_by(folder);
        for grant in grants(template, function) {
            let by_need = explained.iter().any(|(actions, resource)| {
                actions.split(' ').any(|action| action == grant.action)
                    && (grant.resource == *resource
                        || grant.resource.starts_with(&format!("{resource}/")))
            });
            let by_frame = ALWAYS.iter().any(|(start, resource)| {
                grant.action.starts_with(start) && grant.resource.contains(resource)
            });
            let by_queue = RECEIVING.contains(&grant.action.as_str())
                && served
                    .iter()
                    .any(|queue| grant.resource == format!("<{queue}.Arn>"));
            if !by_need && !by_frame && !by_queue {
                findings.push(format!("{folder}: {} on {}", grant.action, grant.resource));
            }
        }
    }
    findings
}

/// Whatever runs may log, and reach what is encrypted through the services that hold it.
const ALWAYS: [(&str, &str); 3] = [
    ("logs:", "log-group:"),
    ("kms:", "<AtRestKey.Arn>"),
    ("kms:", "<EvidenceKey.Arn>"),
];
/// What Lambda does with a queue, under the function's role.
pub(super) const RECEIVING: [&str; 3] = [
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

fn served_by(function: &str) -> Vec<String> {
    let queues = QueueName::ALL
        .into_iter()
        .filter(|queue| *queue != QueueName::Statements);
    match function {
        "access" => of_right(Right::Access),
        "deletion" => of_right(Right::Deletion),
        "opt-out" => of_right(Right::OptOut),
        "receipts" => vec![resource(QueueName::Statements)],
        "clock" => queues
            .map(|queue| format!("{}Dead", resource(queue)))
            .collect(),
        _ => Vec::new(),
    }
}

fn of_right(right: Right) -> Vec<String> {
    [QueueName::Requests(right), QueueName::Tasks(right)]
        .map(resource)
        .to_vec()
}

/// The resource of a queue: `tasks-opt-out` is `TasksOptOut`.
fn resource(queue: QueueName) -> String {
    let name = queue.to_string();
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_uppercase())
    });
    words.collect()
}

/// What a need explains at most; which part of it a role has is what the other rules are about.
fn explains(need: Need) -> Vec<(&'static str, String)> {
    let on = |actions: &'static str, resource: &str| (actions, format!("<{resource}.Arn>"));
    let sends = |queue: QueueName| ("sqs:SendMessage", format!("<{}.Arn>", resource(queue)));
    match need {
        Need::Ledger => vec![on(
            "dynamodb:GetItem dynamodb:PutItem dynamodb:DeleteItem dynamodb:ConditionCheckItem dynamodb:Query",
            "Ledger",
        )],
        Need::Vault => vec![
            on("dynamodb:GetItem dynamodb:PutItem", "Keys"),
            on("kms:Decrypt kms:GenerateDataKey", "VaultKey"),
            on("s3:GetObject s3:PutObject s3:ListBucket", "Vault"),
        ],
        Need::Shredder => vec![
            on("dynamodb:DeleteItem dynamodb:Scan", "Keys"),
            on(
                "s3:DeleteObject s3:DeleteObjectVersion s3:ListBucketVersions",
                "Vault",
            ),
        ],
        Need::Evidence => vec![on("s3:GetObject s3:PutObject s3:ListBucket", "Evidence")],
        Need::Tiles => vec![on(
            "s3:GetObject s3:PutObject s3:DeleteObject s3:ListBucket",
            "Log",
        )],
        Need::HeadLock => vec![on("dynamodb:GetItem dynamodb:PutItem", "LogHead")],
        Need::Signer => vec![
            on("kms:GetPublicKey kms:Sign", "StatementKey"),
            on("kms:GetPublicKey kms:Sign", "LogKey"),
        ],
        Need::Mailer => vec![(
            "ses:SendEmail",
            "arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/<MailIdentity>"
                .to_owned(),
        )],
        Need::TagKeys => vec![on("kms:GenerateMac", "TagKey")],
        Need::IntakeKey => vec![on("kms:GenerateMac", "IntakeKey")],
        Need::DataMap | Need::TimeAuthority => vec![on("s3:GetObject", "Configuration")],
        Need::PublicUrl => Vec::new(),
        Need::QueuesOf(right) => vec![
            sends(QueueName::Requests(right)),
            sends(QueueName::Tasks(right)),
        ],
        Need::Witness => vec![
            on("dynamodb:GetItem dynamodb:PutItem", "Memory"),
            on("kms:GetPublicKey kms:Sign", "WitnessKey"),
        ],
        Need::RequestsOf(right) => vec![sends(QueueName::Requests(right))],
        Need::Statements => vec![sends(QueueName::Statements)],
    }
}

/// Who may use each key, by its own policy and by the roles; and that nobody who administers one may use it.
fn key_policies(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, resource) in template.of("AWS::KMS::Key") {
        let arn = format!("<{key}.Arn>");
        for statement in resource["Properties"]["KeyPolicy"]["Statement"]
            .as_array()
            .unwrap()
        {
            let condition = &statement["Condition"];
            for action in texts(&statement["Action"]) {
                let verb = action.trim_start_matches("kms:");
                if !USES.contains(&verb) {
                    if action.contains('*') {
                        findings.push(format!("{key}: {action}"));
                    }
                    continue;
                }
                // Storage services use a key for whoever uses them.
                if condition.to_string().contains("kms:ViaService")
                    || statement["Principal"]["Service"] != Value::Null
                {
                    continue;
                }
                let named = texts(&condition["ArnEquals"]["aws:PrincipalArn"]);
                let named: BTreeSet<&str> = named
                    .iter()
                    .filter_map(|arn| arn.rsplit("<AWS::StackName>-").next())
                    .collect();
                let hold = |function: &str| {
                    grants(template, function)
                        .iter()
                        .any(|grant| grant.action == action && grant.resource == arn)
                };
                let holders = FUNCTIONS.iter().filter(|(_, function)| hold(function));
                let holders: BTreeSet<&str> = holders.map(|(folder, _)| *folder).collect();
                if named != holders {
                    findings.push(format!(
                        "{key}: {action} by {named:?}, the roles say {holders:?}"
                    ));
                }
            }
        }
    }
    findings
}

/// What a key is for, as opposed to looking after it.
const USES: [&str; 8] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateMac",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "GetPublicKey",
];

#[test]
fn queues_are_called_as_their_resources_are() {
    let template = Template::read();
    for queue in QueueName::ALL {
        let properties = template.properties(&resource(queue));
        assert_eq!(
            text(&properties["QueueName"]),
            format!("<AWS::StackName>-{queue}")
        );
    }
}
