//! What holds state: queues, tables, buckets, keys, log lines.

use serde_json::{Value, json};

use super::{Rule, Template, name, number, text, texts};
use crate::tree::Finding;

const STATEFUL: [&str; 5] = [
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
];

/// Destroying a row of this table destroys a request's data: a copy would bring it back.
const WITHOUT_COPIES: &str = "Keys";
/// Everything in this bucket goes with its request: no version may outlive it.
const WITHOUT_VERSIONS: &str = "Vault";
/// S3 delivers access logs only into a bucket under its own key.
const OF_ACCESS_LOGS: &str = "AccessLogs";

const FORTNIGHT: u64 = 14 * 24 * 3_600;

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = rules_of_stores();
    rules.extend(rules_of_waiting());
    rules
}

/// Those about everything that holds state, and queues.
fn rules_of_waiting() -> Vec<Rule> {
    vec![
        Rule {
            says: "nothing stateful is deleted or replaced by accident",
            finds: |template| {
                let mut findings = Vec::new();
                for (name, resource) in STATEFUL.iter().flat_map(|kind| template.of(kind)) {
                    for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
                        if resource[policy] != "Retain" {
                            findings.push(format!("{name}: {policy} is not Retain"));
                        }
                    }
                }
                findings
            },
            faults: vec![
                ("Ledger/DeletionPolicy", Value::Null),
                ("Vault/UpdateReplacePolicy", json!("Delete")),
            ],
        },
        Rule {
            says: "every queue has a dead-letter queue of its own, which keeps for a fortnight",
            finds: dead_letters,
            faults: vec![
                ("Statements/Properties/RedrivePolicy", Value::Null),
                (
                    "TasksAccess/Properties/RedrivePolicy/maxReceiveCount",
                    json!(4),
                ),
                (
                    "TasksAccessDead/Properties/MessageRetentionPeriod",
                    json!(345_600),
                ),
                (
                    "TasksAccess/Properties/MessageRetentionPeriod",
                    json!(FORTNIGHT),
                ),
                (
                    "TasksAccessDead/Properties/RedriveAllowPolicy/redrivePermission",
                    json!("allowAll"),
                ),
                (
                    "TasksAccess/Properties/RedrivePolicy/deadLetterTargetArn",
                    json!({"Fn::GetAtt": ["TasksDeletionDead", "Arn"]}),
                ),
            ],
        },
        Rule {
            says: "queues, tables, log lines and the topic are under a key of the customer's",
            finds: |template| {
                let places = [
                    ("AWS::SQS::Queue", "/KmsMasterKeyId"),
                    ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId"),
                    ("AWS::Logs::LogGroup", "/KmsKeyId"),
                    ("AWS::SNS::Topic", "/KmsMasterKeyId"),
                    ("AWS::Lambda::Function", "/KmsKeyArn"),
                ];
                let mut findings = Vec::new();
                for (kind, place) in places {
                    for (resource, value) in template.of(kind) {
                        let key = value["Properties"].pointer(place).map(name);
                        let ours = template.of("AWS::KMS::Key");
                        if !key.is_some_and(|key| ours.contains_key(key.as_str())) {
                            findings.push(format!("{resource}: no key of ours"));
                        }
                    }
                }
                findings
            },
            faults: vec![
                (
                    "TasksAccess/Properties/KmsMasterKeyId",
                    json!("alias/aws/sqs"),
                ),
                ("Ledger/Properties/SSESpecification", Value::Null),
                ("IntakeLog/Properties/KmsKeyId", Value::Null),
            ],
        },
    ]
}

/// Those about tables and buckets.
fn rules_of_stores() -> Vec<Rule> {
    vec![
        Rule {
            says: "tables are protected and can be restored, except the one whose loss is the point",
            finds: tables,
            faults: vec![
                ("Ledger/Properties/DeletionProtectionEnabled", json!(false)),
                (
                    "LogHead/Properties/PointInTimeRecoverySpecification",
                    Value::Null,
                ),
                (
                    "Keys/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
                    json!(true),
                ),
            ],
        },
        Rule {
            says: "buckets are private, encrypted, versioned, logged, and speak TLS 1.2",
            finds: buckets,
            faults: vec![
                (
                    "Vault/Properties/PublicAccessBlockConfiguration/IgnorePublicAcls",
                    json!(false),
                ),
                ("Log/Properties/OwnershipControls", Value::Null),
                ("Log/Properties/BucketEncryption", Value::Null),
                ("Log/Properties/VersioningConfiguration", Value::Null),
                (
                    "Vault/Properties/VersioningConfiguration",
                    json!({"Status": "Enabled"}),
                ),
                ("Evidence/Properties/LoggingConfiguration", Value::Null),
                ("Evidence/Properties/ObjectLockConfiguration", Value::Null),
                (
                    "VaultPolicy/Properties/PolicyDocument/Statement/0/Effect",
                    json!("Allow"),
                ),
                (
                    "EvidencePolicy/Properties/PolicyDocument/Statement/1/Condition",
                    json!({"NumericLessThan": {"s3:TlsVersion": "1.0"}}),
                ),
            ],
        },
    ]
}

fn dead_letters(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    let queues = template.of("AWS::SQS::Queue");
    for (queue, resource) in &queues {
        let properties = &resource["Properties"];
        if queue.ends_with("Dead") {
            if number(&properties["MessageRetentionPeriod"]) != FORTNIGHT {
                findings.push(format!("{queue}: keeps for less than a fortnight"));
            }
            let allowed = &properties["RedriveAllowPolicy"];
            let source = queue.trim_end_matches("Dead");
            let name = text(&template.properties(source)["QueueName"]);
            let arn = format!("arn:<AWS::Partition>:sqs:<AWS::Region>:<AWS::AccountId>:{name}");
            if allowed["redrivePermission"] != "byQueue"
                || texts(&allowed["sourceQueueArns"]) != [arn]
            {
                findings.push(format!("{queue}: takes from others than {source}"));
            }
            continue;
        }
        let redrive = &properties["RedrivePolicy"];
        let dead = name(&redrive["deadLetterTargetArn"]);
        if dead != format!("{queue}Dead") || !queues.contains_key(dead.as_str()) {
            findings.push(format!("{queue}: no dead-letter queue of its own"));
        }
        if number(&redrive["maxReceiveCount"]) < 5 {
            findings.push(format!("{queue}: fewer than five deliveries"));
        }
        // A dead letter keeps the age that it had.
        if number(&properties["MessageRetentionPeriod"]) >= FORTNIGHT {
            findings.push(format!("{queue}: what dies here has no time left"));
        }
    }
    findings
}

fn tables(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (table, resource) in template.of("AWS::DynamoDB::Table") {
        let properties = &resource["Properties"];
        if properties["DeletionProtectionEnabled"] != true {
            findings.push(format!("{table}: no deletion protection"));
        }
        let recovery = &properties["PointInTimeRecoverySpecification"];
        let is_on = recovery["PointInTimeRecoveryEnabled"] == true;
        if is_on == (table == WITHOUT_COPIES) {
            findings.push(format!("{table}: point-in-time recovery is {is_on}"));
        }
    }
    findings
}

fn buckets(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (bucket, resource) in template.of("AWS::S3::Bucket") {
        let mut require = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{bucket}: {what}"));
            }
        };
        let properties = &resource["Properties"];
        let blocked = &properties["PublicAccessBlockConfiguration"];
        let blocks = [
            "BlockPublicAcls",
            "BlockPublicPolicy",
            "IgnorePublicAcls",
            "RestrictPublicBuckets",
        ];
        require(
            blocks.iter().all(|block| blocked[*block] == true),
            "may become public",
        );
        let owner = properties.pointer("/OwnershipControls/Rules/0/ObjectOwnership");
        require(
            owner == Some(&json!("BucketOwnerEnforced")),
            "objects may be another's",
        );
        let rule =
            "/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault";
        let encryption = properties.pointer(rule).unwrap_or(&Value::Null);
        let ours =
            encryption["SSEAlgorithm"] == "aws:kms" && encryption["KMSMasterKeyID"].is_object();
        require(
            ours || (bucket == OF_ACCESS_LOGS && encryption["SSEAlgorithm"] == "AES256"),
            "not under a key of ours",
        );
        let versioned = properties["VersioningConfiguration"]["Status"] == "Enabled";
        require(versioned != (bucket == WITHOUT_VERSIONS), "versions");
        let logged =
            name(&properties["LoggingConfiguration"]["DestinationBucketName"]) == OF_ACCESS_LOGS;
        require(logged || bucket == OF_ACCESS_LOGS, "its use is not logged");
        let locked = properties["ObjectLockEnabled"] == true
            && properties
                .pointer("/ObjectLockConfiguration/Rule/DefaultRetention")
                .is_some();
        require(locked == (bucket == "Evidence"), "lock");
        let policy = template.properties(&format!("{bucket}Policy"));
        let statements = policy["PolicyDocument"]["Statement"].as_array();
        let denies = |condition: Value| {
            statements.is_some_and(|all| {
                all.iter().any(|one| {
                    one["Effect"] == "Deny"
                        && one["Principal"] == "*"
                        && one["Action"] == "s3:*"
                        && texts(&one["Resource"])
                            == [format!("<{bucket}.Arn>"), format!("<{bucket}.Arn>/*")]
                        && one["Condition"] == condition
                })
            })
        };
        require(name(&policy["Bucket"]) == bucket, "no policy");
        require(
            denies(json!({"Bool": {"aws:SecureTransport": "false"}})),
            "answers without TLS",
        );
        require(
            denies(json!({"NumericLessThan": {"s3:TlsVersion": "1.2"}})),
            "answers to old TLS",
        );
    }
    findings
}
