//! What each right asks of each kind of store. Said beside each verb is which call of `quittance-stores` makes it.

use quittance_core::data_map::{
    Coverage, DataMap, DeletionRule, Find, FindHow, OptOutRule, Place, S3Objects, S3Records, Store,
};
use quittance_core::request::Right;

use super::policy::{Account, Statement};

/// The statements for one right, store by store. A store that this version does not reach (a format that it
/// cannot read, a place outside AWS) has none: its tasks are blocked, or attested.
pub(super) fn statements(map: &DataMap, right: Right, account: &Account) -> Vec<Statement> {
    let mut statements = Vec::new();
    for store in &map.stores {
        // An opt-out looks where it has a flag to set, and nowhere else.
        let flags = matches!(store.opt_out, OptOutRule::Set(_));
        if right == Right::OptOut && !flags {
            continue;
        }
        let elsewhere = store.account.as_ref();
        if let Some(role) = elsewhere.and_then(|there| there.role_arn.clone()) {
            // What is allowed there is said by that role; here, only that it may be taken.
            let take = ["sts:AssumeRole"];
            statements.push(Statement::new(store.id.as_str(), "Take", &take, vec![role]));
            continue;
        }
        let region = elsewhere.and_then(|there| there.region.as_deref());
        let account = &account.in_region(region);
        statements.extend(match &store.place {
            Place::DynamoDb(place) => table(store, &place.table, right, account),
            Place::S3Objects(place) => objects(store, place, right, account),
            Place::S3Records(place) => records(store, place, right, account),
            Place::Attested(_) => Vec::new(),
        });
    }
    statements
}

fn table(store: &Store, table: &str, right: Right, account: &Account) -> Vec<Statement> {
    let id = store.id.as_str();
    let arn = account.table(table);
    let is_key = |find: &&Find| matches!(find.how, FindHow::Key(_));
    let mut reads = vec!["dynamodb:DescribeTable", "dynamodb:GetItem"];
    if store.find.iter().any(|find| is_key(&find)) {
        reads.push("dynamodb:Query");
    }
    if store.is_scanned() {
        reads.push("dynamodb:Scan");
    }
    let mut statements = vec![Statement::new(id, "Read", &reads, vec![arn.clone()])];
    let complete = store.find.iter().filter_map(|find| match &find.how {
        FindHow::Index {
            index,
            coverage: Coverage::Complete,
            ..
        } => Some(format!("{arn}/index/{index}")),
        FindHow::Columns(_) | FindHow::Field(_) | FindHow::Index { .. } | FindHow::Key(_) => None,
    });
    let indexes: Vec<String> = complete.collect();
    if !indexes.is_empty() {
        statements.push(Statement::new(id, "Find", &["dynamodb:Query"], indexes));
    }
    let effect = match right {
        Right::Access => None,
        Right::Deletion => match store.deletion {
            DeletionRule::DeleteItem => Some(("Delete", "dynamodb:DeleteItem")),
            DeletionRule::Redact { .. } => Some(("Redact", "dynamodb:UpdateItem")),
            DeletionRule::Retain(_) => None,
        },
        Right::OptOut => Some(("Flag", "dynamodb:UpdateItem")),
    };
    if let Some((what, verb)) = effect {
        let mut verbs = vec![verb];
        if right == Right::Deletion {
            verbs.push(RECOVERY);
        }
        statements.push(Statement::new(id, what, &verbs, vec![arn]));
    }
    statements
}

fn objects(store: &Store, place: &S3Objects, right: Right, account: &Account) -> Vec<Statement> {
    let id = store.id.as_str();
    let key = place.objects.to_string();
    let before = key.split('{').next().unwrap_or_default();
    let after = key.rsplit('}').next().unwrap_or_default();
    let objects = format!("{}/{before}*{after}", account.bucket(&place.bucket));
    // A folder's objects lie below it.
    let objects = if place.objects.is_prefix() {
        format!("{objects}*")
    } else {
        objects
    };
    let mut statements = listing(id, &place.bucket, format!("{before}*"), right, account);
    statements.push(Statement::new(id, "Read", &READ, vec![objects.clone()]));
    match (right, &store.deletion) {
        (Right::Deletion, DeletionRule::DeleteItem) => {
            let verbs = [&ERASE[..], &["s3:DeleteObject"]].concat();
            statements.push(Statement::new(id, "Delete", &verbs, vec![objects]));
            statements.push(copies(id, &place.bucket, account));
        }
        (Right::Deletion, DeletionRule::Redact { .. } | DeletionRule::Retain(_))
        | (Right::Access | Right::OptOut, _) => {}
    }
    statements
}

fn records(store: &Store, place: &S3Records, right: Right, account: &Account) -> Vec<Statement> {
    let id = store.id.as_str();
    let objects = format!("{}/{}*", account.bucket(&place.bucket), place.prefix);
    let prefix = format!("{}*", place.prefix);
    let mut statements = listing(id, &place.bucket, prefix, right, account);
    statements.push(Statement::new(id, "Read", &READ, vec![objects.clone()]));
    match (right, &store.deletion) {
        (Right::Deletion, DeletionRule::DeleteItem | DeletionRule::Redact { .. }) => {
            let verbs = [&ERASE[..], &REWRITE[..]].concat();
            statements.push(Statement::new(id, "Rewrite", &verbs, vec![objects]));
            statements.push(copies(id, &place.bucket, account));
        }
        (Right::Deletion, DeletionRule::Retain(_)) | (Right::Access | Right::OptOut, _) => {}
    }
    statements
}

/// Who asks for an object that is gone is told so only if it may list the bucket: without that every "already
/// gone" would look like a permission that is missing.
fn listing(
    id: &str,
    bucket: &str,
    prefix: String,
    right: Right,
    account: &Account,
) -> Vec<Statement> {
    let arn = vec![account.bucket(bucket)];
    let mut bucket_verbs = vec!["s3:GetBucketVersioning", "s3:ListBucket"];
    if right == Right::Deletion {
        // Unfinished uploads hold data, too.
        bucket_verbs.push("s3:ListBucketMultipartUploads");
    }
    vec![
        Statement::new(id, "Bucket", &bucket_verbs, arn.clone()),
        Statement::new(id, "List", &["s3:ListBucketVersions"], arn).below(prefix),
    ]
}

/// Whoever deletes asks which copies it does not reach.
fn copies(id: &str, bucket: &str, account: &Account) -> Statement {
    Statement::new(id, "Copies", &COPIES, vec![account.bucket(bucket)])
}

/// `DescribeContinuousBackups`: how far back a table can be recovered.
const RECOVERY: &str = "dynamodb:DescribeContinuousBackups";

/// `GetBucketLogging`, `ListBucketInventoryConfigurations` and `GetBucketReplication`.
const COPIES: [&str; 3] = [
    "s3:GetBucketLogging",
    "s3:GetInventoryConfiguration",
    "s3:GetReplicationConfiguration",
];

/// `GetObject` and `HeadObject`, of an object or a version.
const READ: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];

/// `AbortMultipartUpload`, `DeleteObject` of a version, and why that is refused.
const ERASE: [&str; 4] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObjectVersion",
    "s3:GetObjectLegalHold",
    "s3:GetObjectRetention",
];

/// `PutObject`, `CreateMultipartUpload`, `UploadPart`, `UploadPartCopy` and `CompleteMultipartUpload`; and the tags
/// that a rewritten object keeps.
const REWRITE: [&str; 4] = [
    "s3:GetObjectTagging",
    "s3:GetObjectVersionTagging",
    "s3:PutObject",
    "s3:PutObjectTagging",
];
