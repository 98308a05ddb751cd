//! What a call to AWS needs to be allowed, and whether a role's policies allow it.
//!
//! The emulator enforces no policies. This does, for the calls that our functions make: what it does not know is
//! refused. Resources are written short: `table/ledger`, `bucket/vault/papers/x`, `queue/tasks`, `key/id`.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, Uri};
use serde_json::Value;

/// One thing that must be allowed, and what conditions may ask about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needed {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The partition key of a write, or the prefix of a listing.
    pub(crate) about: Option<String>,
}

/// One statement of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Value,
}

/// Reads the statements of a policy; `short` writes its resources short.
pub(crate) fn statements(policy: &Value, short: impl Fn(&Value) -> String) -> Vec<Statement> {
    let list = |value: &Value| {
        value
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![value.clone()])
    };
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements
        .map(|statement| Statement {
            actions: list(&statement["Action"])
                .iter()
                .map(|a| a.as_str().unwrap().to_owned())
                .collect(),
            resources: list(&statement["Resource"]).iter().map(&short).collect(),
            condition: statement["Condition"].clone(),
        })
        .collect()
}

/// Whether one of the statements allows it.
pub(crate) fn allows(statements: &[Statement], needed: &Needed) -> bool {
    statements.iter().any(|statement| {
        statement.actions.contains(&needed.action)
            && statement
                .resources
                .iter()
                .any(|pattern| fits(pattern, &needed.resource))
            && holds(&statement.condition, needed)
    })
}

/// Whether a statement's condition holds for a call that a function makes itself.
fn holds(condition: &Value, needed: &Needed) -> bool {
    let Some(tests) = condition.as_object() else {
        return true;
    };
    let about = needed.about.as_deref();
    tests
        .values()
        .flat_map(|test| test.as_object().unwrap())
        .all(|(key, wanted)| match key.as_str() {
            // Only what a service does for its caller comes through a service.
            "kms:ViaService" => false,
            "dynamodb:LeadingKeys" if wanted == "false" => about.is_some(),
            "dynamodb:LeadingKeys" | "s3:prefix" => {
                wanted.as_array().unwrap().iter().any(|pattern| {
                    about.is_some_and(|about| fits(pattern.as_str().unwrap(), about))
                })
            }
            "ses:FromAddress" => true,
            other => panic!("a condition on {other}: say here what it means"),
        })
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Says what a call needs; none when it is no call that we know.
pub(crate) fn needed(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Vec<Needed>> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let json = || serde_json::from_slice::<Value>(body).ok();
    if let Some((service, operation)) =
        header("x-amz-target").and_then(|target| target.split_once('.'))
    {
        return match service {
            "DynamoDB_20120810" => Some(on_table(operation, &json()?)),
            "AmazonSQS" => {
                let queue = json()?["QueueUrl"].as_str()?.rsplit('/').next()?.to_owned();
                Some(one("sqs", operation, format!("queue/{queue}")))
            }
            "TrentService" => {
                let key = json()?["KeyId"].as_str()?.rsplit('/').next()?.to_owned();
                Some(one("kms", operation, format!("key/{key}")))
            }
            _ => None,
        };
    }
    if uri.path() == "/v2/email/outbound-emails" {
        let sender = json()?["FromEmailAddress"].as_str()?.to_owned();
        return Some(one("ses", "SendEmail", format!("identity/{sender}")));
    }
    on_bucket(
        method,
        uri,
        header("x-amz-copy-source"),
        header("x-amz-tagging").is_some(),
    )
}

fn one(service: &str, verb: &str, resource: String) -> Vec<Needed> {
    vec![Needed {
        action: format!("{service}:{verb}"),
        resource,
        about: None,
    }]
}

fn on_table(operation: &str, body: &Value) -> Vec<Needed> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // The key of a table of ours that has a partition key of its own kind of names.
    let partition = |call: &Value| {
        let key = if call["Key"].is_object() {
            &call["Key"]
        } else {
            &call["Item"]
        };
        key["pk"]["S"].as_str().map(str::to_owned)
    };
    if operation == "TransactWriteItems" {
        let writes = body["TransactItems"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let writes = writes
            .iter()
            .flat_map(|write| write.as_object().unwrap().clone());
        return writes
            .map(|(kind, call)| Needed {
                action: match kind.as_str() {
                    "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
                    kind => format!("dynamodb:{kind}Item"),
                },
                resource: format!("table/{}", text(&call["TableName"])),
                about: partition(&call),
            })
            .collect();
    }
    let index = body["IndexName"]
        .as_str()
        .map(|index| format!("/index/{index}"))
        .unwrap_or_default();
    vec![Needed {
        action: format!("dynamodb:{operation}"),
        resource: format!("table/{}{index}", text(&body["TableName"])),
        about: partition(body),
    }]
}

fn on_bucket(
    method: &Method,
    uri: &Uri,
    source: Option<&str>,
    tagged: bool,
) -> Option<Vec<Needed>> {
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let path = decoded(uri.path().trim_start_matches('/'));
    let query: BTreeMap<String, String> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let has = |name: &str| query.contains_key(name);
    let resource = format!("bucket/{}", path.trim_end_matches('/'));
    let Some((_, _key)) = path.split_once('/').filter(|(_, key)| !key.is_empty()) else {
        let verb = match method.as_str() {
            "GET" if has("versions") => "ListBucketVersions",
            "GET" if has("uploads") => "ListBucketMultipartUploads",
            "GET" if has("inventory") => "GetInventoryConfiguration",
            "GET" if has("logging") => "GetBucketLogging",
            "GET" if has("replication") => "GetReplicationConfiguration",
            "GET" if has("versioning") => "GetBucketVersioning",
            "GET" if has("list-type") => "ListBucket",
            _ => return None,
        };
        let about = query.get("prefix").cloned();
        return Some(vec![Needed {
            action: format!("s3:{verb}"),
            resource,
            about,
        }]);
    };
    let versioned = |verb: &'static str, of_version: &'static str| {
        if has("versionId") { of_version } else { verb }
    };
    let mut verbs = vec![match method.as_str() {
        "GET" if has("tagging") => versioned("GetObjectTagging", "GetObjectVersionTagging"),
        "GET" if has("legal-hold") => "GetObjectLegalHold",
        "GET" if has("retention") => "GetObjectRetention",
        "GET" | "HEAD" => versioned("GetObject", "GetObjectVersion"),
        "DELETE" if has("uploadId") => "AbortMultipartUpload",
        "DELETE" => versioned("DeleteObject", "DeleteObjectVersion"),
        "PUT" | "POST" => "PutObject",
        _ => return None,
    }];
    if tagged {
        verbs.push("PutObjectTagging");
    }
    let on = |verb: &str, resource: &str| Needed {
        action: format!("s3:{verb}"),
        resource: resource.to_owned(),
        about: None,
    };
    let mut needed: Vec<Needed> = verbs.iter().map(|verb| on(verb, &resource)).collect();
    if let Some(source) = source {
        let (place, version) = source
            .split_once("?versionId=")
            .map_or((source, None), |(p, v)| (p, Some(v)));
        let verb = if version.is_some() {
            "GetObjectVersion"
        } else {
            "GetObject"
        };
        needed.push(on(
            verb,
            &format!("bucket/{}", decoded(place.trim_start_matches('/'))),
        ));
    }
    Some(needed)
}

#[test]
fn a_star_stands_for_anything_and_nothing_else_does() {
    for (pattern, text, expected) in [
        ("bucket/a/x/*", "bucket/a/x/1", true),
        ("bucket/a/x/*", "bucket/a/xy", false),
        ("bucket/a/*/*", "bucket/a/7/b.png", true),
        ("bucket/a", "bucket/a/b", false),
        ("T#*", "T#1", true),
        ("T#*", "R#T#1", false),
    ] {
        assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn what_no_statement_allows_is_refused() {
    let policy = serde_json::json!({"Statement": [
        {"Action": ["s3:GetObject"], "Resource": "bucket/vault/papers/*"},
        {"Action": "dynamodb:DeleteItem", "Resource": ["table/ledger"],
         "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["T#*"]}}},
        {"Action": "kms:Decrypt", "Resource": "key/1", "Condition": {"StringEquals": {"kms:ViaService": ["s3"]}}},
    ]});
    let statements = statements(&policy, |resource| resource.as_str().unwrap().to_owned());
    let ask = |action: &str, resource: &str, about: Option<&str>| {
        let about = about.map(str::to_owned);
        allows(
            &statements,
            &Needed {
                action: action.to_owned(),
                resource: resource.to_owned(),
                about,
            },
        )
    };
    assert!(ask("s3:GetObject", "bucket/vault/papers/1", None));
    assert!(!ask("s3:GetObject", "bucket/vault/export/1", None));
    assert!(!ask("s3:PutObject", "bucket/vault/papers/1", None));
    assert!(ask("dynamodb:DeleteItem", "table/ledger", Some("T#1")));
    assert!(!ask("dynamodb:DeleteItem", "table/ledger", Some("R#1")));
    assert!(!ask("dynamodb:DeleteItem", "table/ledger", None));
    assert!(!ask("kms:Decrypt", "key/1", None));
}

#[test]
fn calls_are_known_by_what_they_carry() {
    let call = |method: Method,
                uri: &str,
                headers: &[(&'static str, &str)],
                body: &str|
     -> Vec<(String, String)> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let needed = needed(
            &method,
            &uri.parse().unwrap(),
            &headers.collect(),
            body.as_bytes(),
        );
        needed
            .unwrap_or_default()
            .into_iter()
            .map(|needed| (needed.action, needed.resource))
            .collect()
    };
    let expect = |action: &str, resource: &str| vec![(action.to_owned(), resource.to_owned())];
    let target = |target: &'static str| ("x-amz-target", target);
    assert_eq!(
        call(
            Method::POST,
            "/",
            &[target("DynamoDB_20120810.Query")],
            r#"{"TableName":"l","IndexName":"wake"}"#
        ),
        expect("dynamodb:Query", "table/l/index/wake")
    );
    assert_eq!(
        call(
            Method::POST,
            "/",
            &[target("AmazonSQS.SendMessage")],
            r#"{"QueueUrl":"http://x/0/q"}"#
        ),
        expect("sqs:SendMessage", "queue/q")
    );
    assert_eq!(
        call(Method::GET, "/b?versions&prefix=a%2F", &[], ""),
        expect("s3:ListBucketVersions", "bucket/b")
    );
    assert_eq!(
        call(Method::DELETE, "/b/k%20l?versionId=1", &[], ""),
        expect("s3:DeleteObjectVersion", "bucket/b/k l")
    );
    assert_eq!(
        call(
            Method::PUT,
            "/b/k?partNumber=1&uploadId=u",
            &[("x-amz-copy-source", "b/k?versionId=3")],
            ""
        ),
        [
            expect("s3:PutObject", "bucket/b/k"),
            expect("s3:GetObjectVersion", "bucket/b/k")
        ]
        .concat()
    );
    assert_eq!(
        call(Method::POST, "/", &[target("Firehose.PutRecord")], "{}"),
        []
    );
}
