//! The calls that `quittance-aws` makes, against what the roles allow: both ways.

use std::collections::BTreeSet;

use super::roles::{RECEIVING, grants};
use super::{FUNCTIONS, Template};
use crate::tree::Tree;

/// Every call of the SDK in `shared/aws`, and the verbs that allow it.
const CALLS: [(&str, &str); 18] = [
    ("decrypt", "kms:Decrypt"),
    ("delete_item", "dynamodb:DeleteItem"),
    ("delete_object", "s3:DeleteObject s3:DeleteObjectVersion"),
    ("generate_data_key", "kms:GenerateDataKey"),
    ("generate_mac", "kms:GenerateMac"),
    ("get_item", "dynamodb:GetItem"),
    // Who may not list is not told that an object is absent.
    ("get_object", "s3:GetObject s3:ListBucket"),
    ("get_public_key", "kms:GetPublicKey"),
    ("list_object_versions", "s3:ListBucketVersions"),
    ("put_item", "dynamodb:PutItem"),
    ("put_object", "s3:PutObject"),
    ("query", "dynamodb:Query"),
    ("receive_message", ""),
    ("scan", "dynamodb:Scan"),
    ("send_email", "ses:SendEmail"),
    ("send_message", "sqs:SendMessage"),
    ("sign", "kms:Sign"),
    ("transact_write_items", "dynamodb:ConditionCheckItem"),
];

/// What the stand-in for Lambda's polling calls, and no function.
const OF_THE_RECEIVER: [&str; 3] = [
    "change_message_visibility",
    "delete_message",
    "get_queue_attributes",
];

/// The calls in a source text: whatever is called on something named `client`.
fn calls(text: &str) -> BTreeSet<&str> {
    let after = text.split("client").skip(1).map(str::trim_start);
    let called = after.filter_map(|rest| Some(rest.strip_prefix('.')?.split_once("()")?.0));
    let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    called
        .filter(is_name)
        .filter(|name| *name != "clone")
        .collect()
}

#[test]
fn the_roles_allow_what_is_called_and_nothing_that_is_not() {
    let tree = Tree::read();
    let sources = tree.with_extension("rs");
    let ours = sources.filter(|(path, _)| path.starts_with("shared/aws/src/"));
    let mut made: BTreeSet<&str> = ours.flat_map(|(_, text)| calls(text)).collect();
    for call in OF_THE_RECEIVER {
        assert!(made.remove(call), "{call} is not made any more");
    }
    let known: BTreeSet<&str> = CALLS.iter().map(|(call, _)| *call).collect();
    assert_eq!(
        made, known,
        "a call that no verb is known for, or one that is not made any more"
    );

    let template = Template::read();
    let allowed: BTreeSet<String> = FUNCTIONS
        .iter()
        .flat_map(|(_, function)| grants(&template, function))
        // What services do on a function's behalf is no call of ours.
        .filter(|grant| {
            !grant
                .condition
                .as_ref()
                .is_some_and(|c| c.contains("kms:ViaService"))
        })
        .map(|grant| grant.action)
        .filter(|verb| !verb.starts_with("logs:") && !RECEIVING.contains(&verb.as_str()))
        .collect();
    let needed: BTreeSet<String> = CALLS
        .iter()
        .flat_map(|(_, verbs)| verbs.split_whitespace())
        .map(str::to_owned)
        .collect();
    assert_eq!(allowed, needed);
}

#[test]
fn a_call_is_found_however_it_is_written() {
    let text = "self.client.get_item()\nself\n    .client\n    .put_item()\nclient.clone()\nclients.s3.x()";
    assert_eq!(calls(text), BTreeSet::from(["get_item", "put_item"]));
}
