//! IAM policies: statements that allow listed verbs on listed resources.

use serde_json::{Map, Value, json};

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// What it is called.
    pub(super) sid: String,
    /// Verbs, sorted.
    pub(super) actions: Vec<&'static str>,
    /// What they are allowed on.
    pub(super) resources: Vec<String>,
    /// Only listings below this prefix.
    pub(super) prefix: Option<String>,
}

impl Statement {
    /// Allows verbs on resources. IAM takes letters and digits in a name only.
    pub(super) fn new(
        store: &str,
        what: &str,
        actions: &[&'static str],
        resources: Vec<String>,
    ) -> Self {
        let words = store.split(|c: char| !c.is_ascii_alphanumeric());
        let mut sid = String::new();
        for word in words.filter(|word| !word.is_empty()) {
            let (first, rest) = word.split_at(1);
            sid.push_str(&first.to_uppercase());
            sid.push_str(rest);
        }
        sid.push_str(what);
        let mut actions = actions.to_vec();
        actions.sort_unstable();
        actions.dedup();
        Self {
            sid,
            actions,
            resources,
            prefix: None,
        }
    }

    /// Allows listing below a prefix only.
    pub(super) fn below(mut self, prefix: String) -> Self {
        self.prefix = Some(prefix);
        self
    }

    fn to_json(&self) -> Value {
        let mut statement = json!({
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": self.actions,
            "Resource": self.resources,
        });
        if let (Some(prefix), Some(object)) = (&self.prefix, statement.as_object_mut()) {
            let condition = json!({"StringLike": {"s3:prefix": [prefix]}});
            object.insert("Condition".to_owned(), condition);
        }
        statement
    }
}

/// A policy of these statements.
pub(super) fn document(statements: &[Statement]) -> Value {
    let statements: Vec<Value> = statements.iter().map(Statement::to_json).collect();
    Value::Object(Map::from_iter([
        ("Version".to_owned(), json!("2012-10-17")),
        ("Statement".to_owned(), statements.into()),
    ]))
}

/// Where the stores are.
#[derive(Clone, Debug)]
pub(super) struct Account {
    id: String,
    region: String,
    partition: String,
}

impl Account {
    /// An account and a region; what is not said is left to `Fn::Sub`.
    pub(super) fn new(id: Option<&str>, region: Option<&str>) -> Self {
        let or = |given: Option<&str>, word: &str| {
            given.map_or_else(|| format!("${{AWS::{word}}}"), str::to_owned)
        };
        let partition = match region {
            None => "${AWS::Partition}",
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            Some(region) if region.starts_with("eusc-") => "aws-eusc",
            Some(_) => "aws",
        };
        Self {
            id: or(id, "AccountId"),
            region: or(region, "Region"),
            partition: partition.to_owned(),
        }
    }

    /// The same account in another region, if one is named.
    pub(super) fn in_region(&self, region: Option<&str>) -> Self {
        let region = region.map_or_else(|| self.region.clone(), str::to_owned);
        Self {
            region,
            ..self.clone()
        }
    }

    /// The name of a table.
    pub(super) fn table(&self, table: &str) -> String {
        let Self {
            id,
            region,
            partition,
        } = self;
        format!("arn:{partition}:dynamodb:{region}:{id}:table/{table}")
    }

    /// The name of a bucket.
    pub(super) fn bucket(&self, bucket: &str) -> String {
        format!("arn:{}:s3:::{bucket}", self.partition)
    }
}
