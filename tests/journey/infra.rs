//! `dsr infra roles`: what the functions may do to customers' stores, against what the code does there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::local::dsr;

fn root() -> PathBuf {
    Path::new("../..").canonicalize().unwrap()
}

fn example() -> PathBuf {
    root().join("tests/golden/data_map/example.yaml")
}

/// The policies for the example's stores, by function.
fn policies() -> BTreeMap<String, Value> {
    let output = dsr()
        .args(["infra", "roles", "--json"])
        .arg(example())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Verb and resource of everything a policy allows.
fn grants(policy: &Value) -> BTreeSet<(String, String)> {
    let mut grants = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        for action in statement["Action"].as_array().unwrap() {
            for resource in statement["Resource"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                grants.insert((text(action), text(resource)));
            }
        }
    }
    grants
}

fn verbs(policy: &Value) -> BTreeSet<String> {
    grants(policy).into_iter().map(|(verb, _)| verb).collect()
}

fn writes(verb: &str) -> bool {
    let (_, name) = verb.split_once(':').unwrap();
    // What a role elsewhere is taken for is narrowed by right, and tested with the stores.
    !["AssumeRole", "Describe", "Get", "List", "Query", "Scan"]
        .iter()
        .any(|start| name.starts_with(start))
}

#[test]
fn access_reads_deletion_deletes_and_opt_out_sets_flags() {
    let policies = policies();
    let written = |function: &str| -> Vec<String> {
        verbs(&policies[function])
            .into_iter()
            .filter(|verb| writes(verb))
            .collect()
    };
    assert_eq!(written("access"), Vec::<String>::new());
    assert_eq!(written("opt-out"), ["dynamodb:UpdateItem"]);
    assert_eq!(
        written("deletion"),
        [
            "dynamodb:DeleteItem",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:PutObject",
            "s3:PutObjectTagging",
        ]
    );
    let opted: BTreeSet<String> = grants(&policies["opt-out"])
        .into_iter()
        .map(|(_, on)| on)
        .collect();
    assert!(
        opted.iter().all(|on| on.contains("table/customers")),
        "{opted:?}"
    );
}

#[test]
fn what_a_rule_keeps_is_only_read_and_what_cannot_be_reached_is_not_named() {
    let policies = policies();
    let all: Vec<(String, String)> = policies.values().flat_map(grants).collect();
    let about = |name: &str| {
        all.iter()
            .filter(|(_, on)| on.contains(name))
            .cloned()
            .collect::<Vec<_>>()
    };
    let invoices = about("table/shop");
    assert!(!invoices.is_empty());
    assert!(
        invoices.iter().all(|(verb, _)| !writes(verb)),
        "{invoices:?}"
    );
    assert_eq!(about("tickets"), [], "a store in another account");
    assert!(
        about("table/customers/index/by_email")
            .iter()
            .all(|(verb, _)| verb == "dynamodb:Query")
    );
    assert_eq!(
        about("by_phone"),
        [],
        "an index that proves nothing is not asked"
    );
    assert!(
        about("example-lake/")
            .iter()
            .all(|(_, on)| on.ends_with(":::example-lake/events/*"))
    );
    assert!(
        about("example-media/")
            .iter()
            .all(|(_, on)| on.ends_with(":::example-media/avatars/*/*"))
    );
}

#[test]
fn no_policy_has_a_wildcard_but_for_what_an_identifier_fills() {
    for (function, policy) in policies() {
        for (verb, on) in grants(&policy) {
            assert!(!verb.contains('*'), "{function}: {verb}");
            if verb == "sts:AssumeRole" {
                // Another account's role, as the example names it.
                assert_eq!(on, "arn:aws:iam::123456789012:role/quittance", "{function}");
                continue;
            }
            let stem = on.trim_end_matches("/*").trim_end_matches('*');
            assert!(
                stem.matches('*').count() == 0 && stem.contains(":::example-")
                    || stem.contains(":table/"),
                "{function}: {on}"
            );
        }
        let names: Vec<&Value> = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| &s["Sid"])
            .collect();
        let distinct: BTreeSet<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(distinct.len(), names.len(), "{function}");
    }
}

#[test]
fn one_function_is_written_as_iam_takes_it() {
    let output = dsr()
        .args([
            "infra",
            "roles",
            "--function",
            "access",
            "--account",
            "123456789012",
            "--region",
            "cn-north-1",
        ])
        .arg(example())
        .output()
        .unwrap();
    let policy: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    let tables = grants(&policy)
        .into_iter()
        .filter(|(verb, _)| verb == "dynamodb:DescribeTable");
    let tables: Vec<String> = tables.map(|(_, on)| on).collect();
    assert_eq!(
        tables[0],
        "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/customers"
    );
    let wrong = dsr()
        .args(["infra", "roles", "--function", "clock"])
        .arg(example())
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn every_function_with_store_policies_has_a_role_in_the_template() {
    let template = fs::read_to_string(root().join("infra/translated.json")).unwrap();
    let template: Value = serde_json::from_str(&template).unwrap();
    let resources = template["Resources"].as_object().unwrap().values();
    let names: BTreeSet<String> = resources
        .filter(|resource| resource["Type"] == "AWS::IAM::Role")
        .map(|role| {
            role["Properties"]["RoleName"]["Fn::Sub"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    for function in policies().keys() {
        assert!(
            names.contains(&format!("${{AWS::StackName}}-{function}")),
            "{function}"
        );
    }
}

/// Every call of the SDK that `quittance-stores` makes, and the verbs that allow it.
const CALLS: [(&str, &str); 26] = [
    ("abort_multipart_upload", "s3:AbortMultipartUpload"),
    ("complete_multipart_upload", "s3:PutObject"),
    (
        "create_multipart_upload",
        "s3:PutObject s3:PutObjectTagging",
    ),
    ("delete_item", "dynamodb:DeleteItem"),
    ("delete_object", "s3:DeleteObject s3:DeleteObjectVersion"),
    (
        "describe_continuous_backups",
        "dynamodb:DescribeContinuousBackups",
    ),
    ("describe_table", "dynamodb:DescribeTable"),
    ("get_bucket_logging", "s3:GetBucketLogging"),
    ("get_bucket_replication", "s3:GetReplicationConfiguration"),
    ("get_bucket_versioning", "s3:GetBucketVersioning"),
    ("get_item", "dynamodb:GetItem"),
    ("get_object", "s3:GetObject s3:GetObjectVersion"),
    ("get_object_legal_hold", "s3:GetObjectLegalHold"),
    ("get_object_retention", "s3:GetObjectRetention"),
    (
        "get_object_tagging",
        "s3:GetObjectTagging s3:GetObjectVersionTagging",
    ),
    ("head_object", "s3:GetObject s3:GetObjectVersion"),
    (
        "list_bucket_inventory_configurations",
        "s3:GetInventoryConfiguration",
    ),
    ("list_multipart_uploads", "s3:ListBucketMultipartUploads"),
    ("list_object_versions", "s3:ListBucketVersions"),
    ("list_objects_v2", "s3:ListBucket"),
    ("put_object", "s3:PutObject s3:PutObjectTagging"),
    ("query", "dynamodb:Query"),
    ("scan", "dynamodb:Scan"),
    ("update_item", "dynamodb:UpdateItem"),
    ("upload_part", "s3:PutObject"),
    ("upload_part_copy", "s3:GetObject s3:PutObject"),
];

/// The calls in a source text: whatever is called on something named `client`.
fn calls(text: &str) -> BTreeSet<String> {
    let after = text.split("client").skip(1).map(str::trim_start);
    let called = after.filter_map(|rest| {
        rest.strip_prefix('.')?
            .split_once("()")
            .map(|(name, _)| name)
    });
    let is_name = |name: &&str| {
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    called.filter(is_name).map(str::to_owned).collect()
}

fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("survey") {
            // `dsr data-map drift`: staff's own rights, not a function's.
        } else if path.is_dir() {
            sources(&path, texts);
        } else {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_policies_allow_what_the_stores_call_and_nothing_that_they_do_not() {
    let mut texts = Vec::new();
    sources(&root().join("shared/stores/src"), &mut texts);
    let made: BTreeSet<String> = texts.iter().flat_map(|text| calls(text)).collect();
    let known: BTreeSet<String> = CALLS.iter().map(|(call, _)| (*call).to_owned()).collect();
    assert_eq!(
        made, known,
        "a call that no verb is known for, or one that is not made any more"
    );

    // The example masks in another account only: masking a table's items is the same verb as a flag's.
    let allowed: BTreeSet<String> = policies().values().flat_map(verbs).collect();
    let needed = CALLS.iter().flat_map(|(_, verbs)| verbs.split_whitespace());
    // The SDK itself takes another account's role, for the example's store there.
    let needed = needed.chain(["sts:AssumeRole"]);
    let needed: BTreeSet<String> = needed.map(str::to_owned).collect();
    assert_eq!(allowed, needed);
}

#[test]
fn a_call_is_found_however_it_is_written() {
    let text = "self.client.get_item()\nself\n    .client\n    .put_item()\n    .send()\nclient: &stores.s3";
    assert_eq!(
        calls(text),
        BTreeSet::from(["get_item".to_owned(), "put_item".to_owned()])
    );
}
