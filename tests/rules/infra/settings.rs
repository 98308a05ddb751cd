//! Each function's environment against what its code says that it needs, both ways.

use std::collections::BTreeSet;

use quittance_aws::adapters::Need;
use quittance_aws::settings::Setting;
use serde_json::{Value, json};

use super::{FUNCTIONS, Template};
use crate::tree::{Finding, require_none};

/// What may be missing, because it has a default.
const OPTIONAL: [Setting; 1] = [Setting::LogLevel];

#[test]
fn every_function_is_told_what_it_needs_and_nothing_else() {
    require_none("settings in infra/template.yaml", &wrong(&Template::read()));
}

#[test]
fn a_setting_too_many_or_too_few_is_found() {
    let variables = "Access/Properties/Environment/Variables";
    for (name, value) in [
        ("QUITTANCE_LEDGER_TABLE", Value::Null),
        ("QUITTANCE_INTAKE_KEY", json!("kms:alias/x")),
        ("QUITTANCE_LEDGER_TABEL", json!("ledger")),
        ("SOMETHING_ELSE", json!("1")),
    ] {
        let place: &'static str = String::leak(format!("{variables}/{name}"));
        let planted = Template::read().planted(place, value);
        assert_eq!(wrong(&planted).len(), 1, "{name}: {:?}", wrong(&planted));
    }
}

#[test]
fn every_resource_is_named_by_a_setting_that_is_about_it() {
    require_none(
        "settings in infra/template.yaml",
        &misdirected(&Template::read()),
    );
    let swapped = Template::read().planted(
        "Access/Properties/Environment/Variables/QUITTANCE_VAULT_BUCKET",
        json!({"Ref": "Evidence"}),
    );
    assert_eq!(misdirected(&swapped).len(), 1);
}

/// What the code of a function says that it needs.
pub(super) fn needs(function: &str) -> Vec<Need> {
    match function {
        "access" => quittance_access::NEEDS.to_vec(),
        "clock" => quittance_clock::NEEDS.to_vec(),
        "deletion" => quittance_deletion::NEEDS.to_vec(),
        "download" => quittance_download::NEEDS.to_vec(),
        "intake" => quittance_intake::NEEDS.to_vec(),
        "opt-out" => quittance_opt_out::NEEDS.to_vec(),
        "published" => quittance_published::NEEDS.to_vec(),
        "receipts" => quittance_receipts::NEEDS.to_vec(),
        other => panic!("functions/{other} is new: add it here"),
    }
}

fn wrong(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, resource) in FUNCTIONS {
        let needed: BTreeSet<String> = needs(folder)
            .into_iter()
            .flat_map(Need::settings)
            .map(Setting::variable)
            .collect();
        let optional = OPTIONAL.map(Setting::variable);
        let given = template.properties(resource)["Environment"]["Variables"].as_object();
        let given: BTreeSet<String> = given
            .into_iter()
            .flat_map(|all| all.keys().cloned())
            .collect();
        let missing = needed
            .difference(&given)
            .map(|v| format!("{folder}: {v} is missing"));
        let spare = given
            .difference(&needed)
            .filter(|variable| !optional.contains(variable))
            .map(|v| format!("{folder}: {v} is not needed"));
        findings.extend(missing.chain(spare));
    }
    findings
}

/// Settings that name something of another kind, or another of the same kind.
fn misdirected(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, resource) in FUNCTIONS {
        let given = &template.properties(resource)["Environment"]["Variables"];
        for (variable, value) in given.as_object().unwrap() {
            let named = super::text(value);
            let expected = EXPECTED.iter().find(|(name, _)| name == variable);
            let fits = expected.is_some_and(|(_, value)| *value == named)
                || variable
                    .strip_suffix("_QUEUE")
                    .is_some_and(|queue| named.to_uppercase() == format!("<{}>", queue_of(queue)));
            if !fits {
                findings.push(format!("{folder}: {variable} is {named}"));
            }
        }
    }
    findings
}

fn queue_of(variable: &str) -> String {
    variable.trim_start_matches("QUITTANCE_").replace('_', "")
}

const EXPECTED: [(&str, &str); 20] = [
    ("QUITTANCE_DATA_MAP", "s3://<Configuration>/<DataMapKey>"),
    ("QUITTANCE_EARLIER_LOG_KEYS", "<EarlierLogKeys>"),
    ("QUITTANCE_EARLIER_STATEMENT_KEYS", "<EarlierStatementKeys>"),
    ("QUITTANCE_EVIDENCE_BUCKET", "<Evidence>"),
    ("QUITTANCE_HEAD_TABLE", "<LogHead>"),
    ("QUITTANCE_INTAKE_KEY", "kms:<IntakeKey.Arn>"),
    ("QUITTANCE_KEYS_TABLE", "<Keys>"),
    ("QUITTANCE_LEDGER_TABLE", "<Ledger>"),
    ("QUITTANCE_LOG_BUCKET", "<Log>"),
    ("QUITTANCE_LOG_KEY", "kms:<LogKey.Arn>"),
    ("QUITTANCE_LOG_ORIGIN", "<LogOrigin>"),
    ("QUITTANCE_MAIL", "<MailSender>"),
    ("QUITTANCE_POST_QUANTUM_KEY", "<PostQuantumKey>"),
    ("QUITTANCE_STATEMENT_KEY", "kms:<StatementKey.Arn>"),
    ("QUITTANCE_TAG_KEYS", "kms:<TagKey.Arn>"),
    (
        "QUITTANCE_TIME_ANCHORS",
        "s3://<Configuration>/time-anchors.pem",
    ),
    ("QUITTANCE_TIME_AUTHORITY", "<TimeAuthority>"),
    ("QUITTANCE_VAULT_BUCKET", "<Vault>"),
    ("QUITTANCE_VAULT_KEY", "kms:<VaultKey.Arn>"),
    (
        "QUITTANCE_PUBLIC_URL",
        "https://<Api>.execute-api.<AWS::Region>.<AWS::URLSuffix>",
    ),
];
