//! The witness's own template: one key, one table that is never restored, one way in, and an alarm.

use quittance_aws::adapters::Need;
use quittance_aws::settings::Setting;
use serde_json::{Value, json};

use super::{Rule, Template, text, texts};
use crate::tree::{Finding, require_none};

fn rules() -> Vec<Rule> {
    vec![
        Rule {
            says: "the witness is told what it needs and nothing else",
            finds: told,
            faults: vec![
                (
                    "Witness/Properties/Environment/Variables/QUITTANCE_WITNESS_LOGS",
                    Value::Null,
                ),
                (
                    "Witness/Properties/Environment/Variables/QUITTANCE_LEDGER_TABLE",
                    json!("ledger"),
                ),
            ],
        },
        Rule {
            says: "its role signs with its key and reads and writes its table, and no more",
            finds: role,
            faults: vec![
                (
                    "WitnessRole/Properties/Policies/0/PolicyDocument/Statement/-",
                    json!({"Effect": "Allow", "Action": "dynamodb:DeleteItem",
                           "Resource": {"Fn::GetAtt": ["Memory", "Arn"]}}),
                ),
                (
                    "WitnessRole/Properties/ManagedPolicyArns",
                    json!(["arn:aws:iam::aws:policy/x"]),
                ),
                (
                    "WitnessKey/Properties/KeyPolicy/Statement/1/Condition",
                    Value::Null,
                ),
            ],
        },
        Rule {
            says: "what it remembers is kept, and no older copy of it can come back",
            finds: memory,
            faults: vec![
                ("Memory/DeletionPolicy", json!("Delete")),
                ("Memory/Properties/DeletionProtectionEnabled", json!(false)),
                (
                    "Memory/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
                    json!(true),
                ),
                ("WitnessKey/DeletionPolicy", json!("Delete")),
                ("WitnessKey/Properties/KeySpec", json!("ECC_NIST_P256")),
            ],
        },
        Rule {
            says: "logs reach it by one door, and somebody is told of two histories and of failures",
            finds: doors,
            faults: vec![
                ("WitnessRoute/Properties/RouteKey", json!("$default")),
                (
                    "SplitViews/Properties/FilterPattern",
                    json!("{ $.event = \"other\" }"),
                ),
                ("SplitViewAlarm/Properties/AlarmActions", json!([])),
                ("WitnessErrorAlarm/Type", json!("Gone")),
                (
                    "Witness/Properties/ReservedConcurrentExecutions",
                    Value::Null,
                ),
            ],
        },
    ]
}

#[test]
fn every_rule_of_the_witness_holds() {
    for rule in rules() {
        require_none(rule.says, &(rule.finds)(&Template::witness()));
    }
}

#[test]
fn every_rule_of_the_witness_finds_what_is_planted() {
    for rule in rules() {
        for (place, value) in rule.faults {
            let planted = Template::witness().planted(place, value);
            let findings = (rule.finds)(&planted);
            assert!(!findings.is_empty(), "{}: not found at {place}", rule.says);
        }
    }
}

fn told(template: &Template) -> Vec<Finding> {
    let given = &template.properties("Witness")["Environment"]["Variables"];
    let mut given: Vec<String> = given.as_object().unwrap().keys().cloned().collect();
    let needs = quittance_witness::NEEDS.into_iter();
    let needed = needs.flat_map(Need::settings);
    let mut needed: Vec<String> = needed.map(Setting::variable).collect();
    given.sort_unstable();
    needed.sort_unstable();
    (given != needed)
        .then(|| format!("needs {needed:?}, is told {given:?}"))
        .into_iter()
        .collect()
}

fn role(template: &Template) -> Vec<Finding> {
    let properties = template.properties("WitnessRole");
    let mut findings = Vec::new();
    let policies = properties["Policies"].as_array().map_or(0, Vec::len);
    if policies != 1 || !properties["ManagedPolicyArns"].is_null() {
        findings.push("more than its one policy".to_owned());
    }
    let mut may: Vec<(String, String)> = Vec::new();
    let statements = &properties["Policies"][0]["PolicyDocument"]["Statement"];
    for statement in statements.as_array().unwrap() {
        if ["Log", "AtRest"].iter().any(|sid| statement["Sid"] == *sid) {
            continue;
        }
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                may.push((action.clone(), resource));
            }
        }
    }
    may.sort_unstable();
    let expected = [
        ("dynamodb:GetItem", "<Memory.Arn>"),
        ("dynamodb:PutItem", "<Memory.Arn>"),
        ("kms:GetPublicKey", "<WitnessKey.Arn>"),
        ("kms:Sign", "<WitnessKey.Arn>"),
    ];
    let expected = expected.map(|(action, resource)| (action.to_owned(), resource.to_owned()));
    if may != expected {
        findings.push(format!("may {may:?}"));
    }
    // The key itself says the same: who administers it does not sign.
    let key = &template.properties("WitnessKey")["KeyPolicy"]["Statement"];
    for statement in key.as_array().unwrap() {
        let signs = texts(&statement["Action"]).contains(&"kms:Sign".to_owned());
        let whom = texts(&statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]);
        let is_ours = |arn: &String| arn.ends_with("-witness");
        if signs && (whom.is_empty() || !whom.iter().all(is_ours)) {
            findings.push(format!("the key signs for {whom:?}"));
        }
    }
    findings
}

fn memory(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut require = |holds: bool, what: &str| {
        if !holds {
            findings.push(what.to_owned());
        }
    };
    for name in ["Memory", "WitnessKey"] {
        let resource = &template.0["Resources"][name];
        require(
            resource["DeletionPolicy"] == "Retain",
            "is deleted with the stack",
        );
        require(resource["UpdateReplacePolicy"] == "Retain", "is replaced");
    }
    let table = template.properties("Memory");
    require(table["DeletionProtectionEnabled"] == true, "may be deleted");
    let recovery = &table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
    require(*recovery == false, "an older memory can be restored");
    let kind = &template.properties("WitnessKey")["KeySpec"];
    require(*kind == "ECC_NIST_EDWARDS25519", "not a key that cosigns");
    findings
}

fn doors(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    let routes = template.of("AWS::ApiGatewayV2::Route");
    let mut routes: Vec<String> = routes
        .values()
        .map(|route| text(&route["Properties"]["RouteKey"]))
        .collect();
    routes.sort_unstable();
    if routes != ["GET /vkey", "POST /add-checkpoint"] {
        findings.push(format!("routes: {routes:?}"));
    }
    if template.properties("Witness")["ReservedConcurrentExecutions"].is_null() {
        findings.push("no limit".to_owned());
    }
    findings.extend(split_view(template, "WitnessLog"));
    let alarms = template.of("AWS::CloudWatch::Alarm");
    for name in ["WitnessErrorAlarm", "WitnessThrottleAlarm"] {
        if !alarms.contains_key(name) {
            findings.push(format!("{name} is missing"));
        }
    }
    findings
}

/// Two histories are logged as this event, and the lines of this group ring.
pub(super) fn split_view(template: &Template, group: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let filter = template.properties("SplitViews");
    let alarm = template.properties("SplitViewAlarm");
    let made = &filter["MetricTransformations"][0];
    if text(&filter["LogGroupName"]) != format!("<{group}>")
        || filter["FilterPattern"] != "{ $.event = \"split_view\" }"
    {
        findings.push("two histories are not counted".to_owned());
    }
    if made["MetricName"] != alarm["MetricName"]
        || made["MetricNamespace"] != alarm["Namespace"]
        || texts(&alarm["AlarmActions"]) != ["<Alarms>"]
    {
        findings.push("nobody is told of two histories".to_owned());
    }
    findings
}
