//! Metrics, as `CloudWatch`'s embedded metric format: a line of JSON on stdout.
//!
//! The one dimension is the function's name, so that no metric can ever be about a person or a request.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Messages that a queue delivered. Of the clock function these are dead letters.
    Messages,
    /// Those of them that are delivered again.
    FailedMessages,
    /// How long a batch took.
    DurationMs,
}

impl Metric {
    const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::FailedMessages => "failed_messages",
            Self::DurationMs => "duration_ms",
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Messages | Self::FailedMessages => "Count",
            Self::DurationMs => "Milliseconds",
        }
    }
}

/// Writes the values of one invocation.
pub(crate) fn emit(function: &str, at: Timestamp, values: &[(Metric, u64)]) {
    // A metric that cannot be written can be told to nobody.
    drop(writeln!(
        std::io::stdout().lock(),
        "{}",
        line(function, at, values)
    ));
}

fn line(function: &str, at: Timestamp, values: &[(Metric, u64)]) -> Value {
    let metrics: Vec<Value> = values
        .iter()
        .map(|(metric, _)| json!({"Name": metric.name(), "Unit": metric.unit()}))
        .collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": at.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [[DIMENSION]],
                "Metrics": metrics,
            }],
        },
        DIMENSION: function,
    });
    if let Some(line) = line.as_object_mut() {
        let values = values.iter();
        line.extend(values.map(|(metric, value)| (metric.name().to_owned(), (*value).into())));
    }
    line
}

/// Where `CloudWatch` keeps them; the template's alarms look there.
pub const NAMESPACE: &str = "Quittance";
/// The only dimension.
pub const DIMENSION: &str = "function";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_cloudwatch_reads_and_names_nobody() {
        let values = [(Metric::Messages, 3), (Metric::FailedMessages, 1)];
        let line = line("shop-access", Timestamp::from_second(2).unwrap(), &values);
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 2_000);
        assert_eq!(described["Namespace"], "Quittance");
        assert_eq!(described["Dimensions"], json!([["function"]]));
        for metric in described["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{line}");
        }
        assert_eq!(
            (&line["messages"], &line["failed_messages"]),
            (&json!(3), &json!(1))
        );
        let mut names: Vec<&String> = line.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["_aws", "failed_messages", "function", "messages"]);
    }
}
