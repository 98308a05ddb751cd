//! Functions, what wakes them, and who is told when something goes wrong.

use serde_json::{Value, json};

use super::{FUNCTIONS, Rule, Template, name, number, text, texts};
use crate::tree::Finding;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            says: "every function runs on arm64, with a role, a log group, a limit and a name of its own",
            finds: functions,
            faults: vec![
                ("Access/Properties/Architectures", json!(["x86_64"])),
                (
                    "Access/Properties/Role",
                    json!({"Fn::GetAtt": ["DeletionRole", "Arn"]}),
                ),
                (
                    "Access/Properties/ReservedConcurrentExecutions",
                    Value::Null,
                ),
                (
                    "Access/Properties/LoggingConfig/LogGroup",
                    json!({"Ref": "IntakeLog"}),
                ),
                ("AccessLog/Properties/RetentionInDays", Value::Null),
                ("Intake/Properties/Timeout", json!(60)),
                ("IntakeRole/Type", json!("AWS::Lambda::Function")),
            ],
        },
        Rule {
            says: "what a queue delivers is seen again no sooner than six times the longest run",
            finds: visibility,
            faults: vec![
                ("TasksDeletion/Properties/VisibilityTimeout", json!(900)),
                ("Clock/Properties/Timeout", json!(301)),
            ],
        },
        Rule {
            says: "queues report what failed, and do not ask for more than a function may run",
            finds: sources,
            faults: vec![
                (
                    "AccessTasksAccess/Properties/FunctionResponseTypes",
                    Value::Null,
                ),
                (
                    "AccessTasksAccess/Properties/ScalingConfig/MaximumConcurrency",
                    json!(9),
                ),
                (
                    "AccessTasksAccess/Properties/ScalingConfig/MaximumConcurrency",
                    json!(1),
                ),
                (
                    "AccessTasksAccess/Properties/FunctionName",
                    json!({"Ref": "Deletion"}),
                ),
            ],
        },
        Rule {
            says: "every queue wakes somebody, and every work queue's dead letters the clock",
            finds: served,
            faults: vec![
                ("AccessTasksAccess/Type", json!("Gone")),
                ("ClockTasksAccessDead/Type", json!("Gone")),
                (
                    "ClockTasksAccessDead/Properties/EventSourceArn",
                    json!({"Fn::GetAtt": ["StatementsDead", "Arn"]}),
                ),
            ],
        },
        Rule {
            says: "somebody is told of dead letters, of old ones, and of failures",
            finds: alarms,
            faults: vec![
                ("TasksAccessDeadAlarm/Type", json!("Gone")),
                ("TasksAccessAgeAlarm/Type", json!("Gone")),
                ("TasksAccessDeadAlarm/Properties/AlarmActions", json!([])),
                ("TasksAccessDeadAlarm/Properties/Threshold", json!(2)),
                ("BuriedAlarm/Properties/Namespace", json!("Other")),
                ("SplitViewAlarm/Properties/AlarmActions", json!([])),
                ("AccessErrorAlarm/Type", json!("Gone")),
            ],
        },
        Rule {
            says: "the clock goes every minute, and people reach intake, download and published only",
            finds: doors,
            faults: vec![
                (
                    "ClockEveryMinute/Properties/ScheduleExpression",
                    json!("rate(1 hour)"),
                ),
                (
                    "IntakeDoor/Properties/FunctionName",
                    json!({"Ref": "Deletion"}),
                ),
            ],
        },
    ]
}

fn functions(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    let there = template.of("AWS::Lambda::Function");
    let expected: Vec<&str> = FUNCTIONS.iter().map(|(_, resource)| *resource).collect();
    if there.keys().copied().collect::<Vec<_>>() != expected {
        findings.push(format!("functions: {:?}", there.keys()));
    }
    for (folder, function) in FUNCTIONS {
        let properties = template.properties(function);
        let mut require = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{function}: {what}"));
            }
        };
        let own = format!("<AWS::StackName>-{folder}");
        require(text(&properties["FunctionName"]) == own, "its name");
        require(properties["Runtime"] == "provided.al2023", "its runtime");
        require(
            texts(&properties["Architectures"]) == ["arm64"],
            "its processor",
        );
        require(
            name(&properties["Role"]) == format!("{function}Role"),
            "its role",
        );
        require(
            number(&properties["ReservedConcurrentExecutions"]) > 0,
            "no limit",
        );
        let log = format!("{function}Log");
        require(
            name(&properties["LoggingConfig"]["LogGroup"]) == log,
            "its log group",
        );
        require(
            properties["LoggingConfig"]["LogFormat"] == "JSON",
            "its log lines",
        );
        require(
            template.properties(&log)["RetentionInDays"].is_object(),
            "log lines stay for ever",
        );
        let role = template.properties(&format!("{function}Role"));
        require(text(&role["RoleName"]) == own, "its role's name");
        // An HTTP API gives up after 30 seconds, whatever its function does.
        let longest = if folder == "intake" { 30 } else { 900 };
        require(
            (1..=longest).contains(&number(&properties["Timeout"])),
            "its time-out",
        );
    }
    findings
}

/// The queue and the function of each event source.
fn event_sources(template: &Template) -> Vec<(String, String, &Value)> {
    let sources = template.of("AWS::Lambda::EventSourceMapping");
    sources
        .values()
        .map(|source| {
            let properties = &source["Properties"];
            let queue = name(&properties["EventSourceArn"]);
            (queue, name(&properties["FunctionName"]), properties)
        })
        .collect()
}

fn visibility(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (queue, function, _) in event_sources(template) {
        let timeout = number(&template.properties(&function)["Timeout"]);
        if number(&template.properties(&queue)["VisibilityTimeout"]) < 6 * timeout {
            findings.push(format!("{queue}: less than six times {timeout} s"));
        }
    }
    findings
}

fn sources(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sources = event_sources(template);
    for (queue, function, properties) in &sources {
        if texts(&properties["FunctionResponseTypes"]) != ["ReportBatchItemFailures"] {
            findings.push(format!("{queue}: one failure fails its batch"));
        }
        let at_once = number(&properties["ScalingConfig"]["MaximumConcurrency"]);
        let all: u64 = sources
            .iter()
            .filter(|(_, other, _)| other == function)
            .map(|(_, _, properties)| number(&properties["ScalingConfig"]["MaximumConcurrency"]))
            .sum();
        let reserved = number(&template.properties(function)["ReservedConcurrentExecutions"]);
        if at_once < 2 || all > reserved {
            findings.push(format!(
                "{queue}: {at_once} at once, {all} of {function}'s {reserved}"
            ));
        }
        let batch = number(&properties["BatchSize"]);
        if !(1..=10).contains(&batch) {
            findings.push(format!("{queue}: batches of {batch}"));
        }
    }
    findings
}

fn served(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sources = event_sources(template);
    for queue in template.of("AWS::SQS::Queue").keys() {
        let by: Vec<&str> = sources
            .iter()
            .filter(|(served, _, _)| served == queue)
            .map(|(_, function, _)| function.as_str())
            .collect();
        let expected: &[&str] = match queue.strip_suffix("Dead") {
            // A log that halts wants a person: its letters stay where they are.
            Some("Statements") => &[],
            Some(_) => &["Clock"],
            None if *queue == "Statements" => &["Receipts"],
            None if queue.ends_with("Access") => &["Access"],
            None if queue.ends_with("Deletion") => &["Deletion"],
            None => &["OptOut"],
        };
        if by != expected {
            findings.push(format!("{queue}: served by {by:?}"));
        }
    }
    findings
}

fn alarms(template: &Template) -> Vec<Finding> {
    let mut findings = super::witness::split_view(template, "ReceiptsLog");
    let alarms = template.of("AWS::CloudWatch::Alarm");
    let watched = |namespace: &str, metric: &str, value: &str| {
        alarms.values().any(|alarm| {
            let properties = &alarm["Properties"];
            properties["Namespace"] == namespace
                && properties["MetricName"] == metric
                && text(&properties["Dimensions"][0]["Value"]) == value
                && texts(&properties["AlarmActions"]) == ["<Alarms>"]
                && (metric != "ApproximateNumberOfMessagesVisible" || properties["Threshold"] == 1)
        })
    };
    let mut require = |namespace: &str, metric: &str, value: &str| {
        if !watched(namespace, metric, value) {
            findings.push(format!("{namespace} {metric} of {value}: no alarm"));
        }
    };
    for queue in template.of("AWS::SQS::Queue").keys() {
        let metric = if queue.ends_with("Dead") {
            "ApproximateNumberOfMessagesVisible"
        } else {
            "ApproximateAgeOfOldestMessage"
        };
        require("AWS/SQS", metric, &format!("<{queue}.QueueName>"));
    }
    for (_, function) in FUNCTIONS {
        require("AWS/Lambda", "Errors", &format!("<{function}>"));
    }
    // A dead letter that is buried at once is in no queue when the alarm looks.
    require(quittance_aws::metrics::NAMESPACE, "messages", "<Clock>");
    findings
}

fn doors(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rule = template.properties("ClockEveryMinute");
    if rule["ScheduleExpression"] != "rate(1 minute)" || name(&rule["Targets"][0]["Arn"]) != "Clock"
    {
        findings.push("the clock stands still".to_owned());
    }
    let mut reached: Vec<String> = template
        .of("AWS::Lambda::Permission")
        .values()
        .filter(|permission| permission["Properties"]["Principal"] == "apigateway.amazonaws.com")
        .map(|permission| name(&permission["Properties"]["FunctionName"]))
        .collect();
    reached.sort();
    if reached != ["Download", "Intake", "Published"] {
        findings.push(format!("people reach {reached:?}"));
    }
    findings
}
