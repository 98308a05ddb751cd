//! The template, deployed with the functions' real programs under a real Runtime API, and asked as people ask.
//!
//! Needs `ministack` and `openssl`, and the functions built with the profile `bootstrap`; tests/run sees to both.
//! What this shows and what it cannot is told in docs/TESTING.md.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::format_push_string,
    reason = "tests: whatever does not fit is a finding"
)]

mod auditor;
mod company;
mod ends;
mod guard;
mod http;
mod iam;
mod lake;
#[path = "../contract/server.rs"]
mod ministack;
mod people;
mod public;
mod sizes;
mod stack;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quittance_core::id::RequestId;
use quittance_core::message::Message;
use serde_json::json;

use crate::company::{Left, left, untouched};
use crate::people::ask;
use crate::stack::{FUNCTIONS, Stack};

pub(crate) const DATA_MAP: &str = include_str!("map.yaml");
pub(crate) const ORIGIN: &str = "log.example.test/dsr";

/// The repository, from where cargo runs the test: checkouts may share a target directory.
pub(crate) fn root() -> PathBuf {
    Path::new("../..").canonicalize().unwrap()
}

/// Looks until there is something to see.
pub(crate) async fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "not after {patience:?}: {what}");
        ticks.tick().await;
    }
}

/// The copy took nothing away, the deletion everything of one person's, the opt-out a flag.
async fn everybody_has_what_they_asked_for(stack: &Stack) {
    assert_eq!(left(&stack.clients, 0).await, untouched(0));
    let gone = Left {
        account: false,
        flagged: false,
        author: "***".to_owned(),
        pictures: 0,
        rows: 0,
        orders: 0,
        clicks: 0,
    };
    assert_eq!(left(&stack.clients, 1).await, gone);
    assert_eq!(
        left(&stack.clients, 2).await,
        Left {
            flagged: true,
            ..untouched(2)
        }
    );
    assert_eq!(left(&stack.clients, 3).await, untouched(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_answers_and_proves_it() {
    let began = Instant::now();
    let told = |what: &str| println!("{:>7.1} s  {what}", began.elapsed().as_secs_f64());
    let stack = Stack::deploy().await;
    told("deployed");
    company::furnish(&stack.clients).await;
    let configuration = &stack.physical["Configuration"];
    stack::put(
        &stack.clients,
        configuration,
        "data-map.yaml",
        DATA_MAP.into(),
    )
    .await;
    let (status, said) = stack
        .invoke("receipts", &json!({"create_log": "another/log"}))
        .await;
    assert_eq!(status, 500, "a log under a wrong name: {said}");
    let (status, said) = stack
        .invoke("receipts", &json!({"create_log": ORIGIN}))
        .await;
    assert_eq!(status, 200, "{said}");
    told("the log is born");

    // From here on the wire is bad, and the deletion function dies once, just before it deletes.
    for (function, every) in [
        ("access", 31),
        ("deletion", 29),
        ("opt-out", 13),
        ("receipts", 37),
        ("clock", 41),
    ] {
        stack.guards[function]
            .trouble_every
            .store(every, Ordering::SeqCst);
    }
    *stack.guards["deletion"].deadly.lock().unwrap() =
        Some(("dynamodb:DeleteItem", "table/shop-customers"));
    let neighbours = ["no message of ours".to_owned(), nothing().to_body()];
    stack.send("TasksOptOut", &neighbours).await;

    let copy = ask(&stack, "access", 0).await;
    let deletion = ask(&stack, "deletion", 1).await;
    let opt_out = ask(&stack, "opt_out", 2).await;
    told("asked");

    // A dead letter that can be read: what it is about is blocked, until somebody lets it go on.
    let letter = Message::Request {
        id: people::id_of(&stack, &deletion).await,
    }
    .to_body();
    stack.send("RequestsDeletionDead", &[letter]).await;
    until("the dead letter is buried", PATIENCE, || async {
        let said = stack
            .dsr(&["request", "show", &deletion.reference, "--json"])
            .await;
        said.contains("retries_exhausted").then_some(())
    })
    .await;
    told("a dead letter was buried");
    stack.dsr(&["request", "retry", &deletion.reference]).await;

    for asked in [&opt_out, &copy, &deletion] {
        people::follow(&stack, asked).await;
        told(&format!("{} is closed", asked.right));
    }
    assert!(
        stack.guards["deletion"].killed.load(Ordering::SeqCst),
        "nothing was killed"
    );

    everybody_has_what_they_asked_for(&stack).await;
    let export = people::download(&stack, &copy).await;
    assert!(export.starts_with(b"PK"), "an export is a ZIP");
    told("the export was downloaded");
    for asked in [&copy, &deletion, &opt_out] {
        let receipt = stack.receipt(&asked.reference).await;
        people::verify(&stack, &receipt).await;
    }
    told("receipts verify with openssl and sh, and with dsr");
    public::anybody_may_read(&stack, &[&copy, &deletion, &opt_out]).await;
    told("receipts and the log are there for anybody");
    auditor::cosigns(&stack, &[&copy, &deletion, &opt_out]).await;
    told("receipts are cosigned by an auditor's witness");

    poison_ends_alone(&stack).await;
    told("the poison is a dead letter");
    roles_were_enough(&stack);
    logs_name_nobody(&stack).await;
    a_role_is_needed(&stack).await;
    let troubles: u64 = stack
        .guards
        .values()
        .map(|guard| guard.troubles.load(Ordering::SeqCst))
        .sum();
    assert!(troubles > 10, "only {troubles} troubles on the wire");
    told(&format!("all, with {troubles} troubles on the wire"));
}

/// A message about nothing: whoever gets it is done with it.
fn nothing() -> Message {
    Message::Request {
        id: RequestId::new([9; 16]),
    }
}

/// The unreadable message is in its dead-letter queue, alone, and nobody takes it away.
async fn poison_ends_alone(stack: &Stack) {
    until("the poison is a dead letter", PATIENCE, async || {
        let dead = stack.waiting("TasksOptOutDead").await;
        (dead == ["no message of ours"]).then_some(())
    })
    .await;
    assert_eq!(stack.waiting("TasksOptOut").await, Vec::<String>::new());
}

/// Log lines say in which invocation they were written, and nothing about anybody.
async fn logs_name_nobody(stack: &Stack) {
    for function in FUNCTIONS {
        let lines = stack.log(function).await;
        assert!(!lines.contains("customers.test"), "{function}: {lines}");
        let counts = !["download", "intake", "published"].contains(&function);
        // The doors speak up only when they fail.
        for mark in ["CloudWatchMetrics", "invocation.id"] {
            assert_eq!(lines.contains(mark), counts, "{function}: {mark}: {lines}");
        }
    }
}

/// A role that is taken away is missed: what is enforced here is not nothing.
async fn a_role_is_needed(stack: &Stack) {
    let clock = &stack.guards["clock"];
    clock.take_role(Vec::new());
    let (status, said) = stack.invoke("clock", &json!({})).await;
    assert_eq!(status, 500, "{said}");
    let refused = clock.refused.lock().unwrap();
    assert!(
        refused.iter().any(|(verb, _)| verb == "dynamodb:Query"),
        "{refused:?}"
    );
}

/// No function asked for anything that its role does not allow; and what a role allows is mostly used.
fn roles_were_enough(stack: &Stack) {
    let mut refused = BTreeSet::new();
    for function in FUNCTIONS {
        let guard = &stack.guards[function];
        let mine = guard.refused.lock().unwrap();
        refused.extend(
            mine.iter()
                .map(|(verb, on)| format!("{function}: {verb} on {on}")),
        );
        let used = guard.used.lock().unwrap();
        let counts: Vec<String> = used
            .iter()
            .map(|(verb, count)| format!("{verb} {count}"))
            .collect();
        println!("           {function}: {}", counts.join(", "));
    }
    assert_eq!(
        refused,
        BTreeSet::new(),
        "calls that a role on AWS would not allow"
    );
}

const PATIENCE: Duration = Duration::from_mins(5);
