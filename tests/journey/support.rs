//! What support does besides requests: count before anything is touched, hold, stop a sweep and let it
//! go on.

use std::io::Write as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::local::{Local, customers, dsr, until};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// Runs a command that reads identifiers from standard input.
fn told(local: &Local, args: &[&str], typed: &str) -> Output {
    let mut child = dsr()
        .args(args)
        .arg("--dir")
        .arg(&local.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn line<'a>(report: &'a Value, store: &str) -> &'a Value {
    let mut stores = report["stores"].as_array().unwrap().iter();
    stores.find(|line| line["store"] == store).unwrap()
}

fn stage(local: &Local, reference: &str) -> String {
    let shown = parsed(&local.run(&["request", "show", reference, "--json"]));
    shown["request"]["stage"].as_str().unwrap().to_owned()
}

async fn waits_for(
    local: &Local,
    what: &str,
    holds: impl Fn(&Value) -> bool + Sync,
    args: &[&str],
) {
    until(
        Duration::from_mins(5),
        Duration::from_millis(500),
        || async {
            let shown = parsed(&local.run(args));
            if holds(&shown) {
                Ok(())
            } else {
                Err(format!("{what}: {shown}"))
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_scan_counts_what_a_deletion_then_deletes_and_holds_and_pauses_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let people = customers();
    let email = people[40]["email"].as_str().unwrap();
    let before = local.items("shop-customers").await;

    // Counting changes nothing, and never repeats who was asked for.
    let scanned = told(&local, &["scan", "email", "--json"], &format!("{email}\n"));
    assert_eq!(scanned.status.code(), Some(7), "the CRM cannot be searched");
    let report = parsed(&scanned);
    assert_eq!(line(&report, "customers")["matches"], 1);
    assert_eq!(line(&report, "crm")["blocked"], "awaiting_attestation");
    let lake = line(&report, "events").clone();
    assert!(lake["matches"].as_u64().unwrap() > 0, "{report}");
    assert!(lake["objects"].as_u64() >= lake["touched"].as_u64());
    assert!(report["cost_usd"]["look"].as_f64().unwrap() > 0.0);
    assert!(!String::from_utf8_lossy(&scanned.stdout).contains(email));
    assert_eq!(local.items("shop-customers").await, before);
    let words = told(&local, &["scan", "email"], "no address\n");
    assert_eq!(words.status.code(), Some(2));
    assert!(said(&words).contains("line 1"), "{}", said(&words));
    assert!(!said(&words).contains("no address"));
    let words = told(&local, &["scan", "shoe_size"], "43\n");
    assert!(
        said(&words).contains("the data map knows"),
        "{}",
        said(&words)
    );

    // A held identifier: its deletion comes to the gate, and no further.
    let held = told(
        &local,
        &["hold", "set", "identifier", "email"],
        &format!("{email}\n"),
    );
    assert!(held.status.success(), "{}", said(&held));
    assert!(!String::from_utf8_lossy(&held.stdout).contains(email));
    let asked = local
        .ask(email, "deletion", "support-0123456789abcdef")
        .await
        .unwrap();
    let reference = asked.reference.as_str();
    let show = ["request", "show", reference, "--json"];
    waits_for(
        &local,
        "gate",
        |shown| shown["request"]["waiting_for"] == "held",
        &show,
    )
    .await;

    // A held store and paused sweeps, then the identifier is free: everything but these is done.
    let pause = ["sweep", "pause", "events", "--json"];
    let paused = parsed(&local.run(&pause));
    let lake_of = |shown: &Value| {
        let all = shown.as_array().unwrap().iter();
        all.filter(|row| row["store"] == "events")
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(
        lake_of(&paused)
            .iter()
            .all(|row| row["paused_at"].is_string()),
        "{paused}"
    );
    let set = local.run(&["hold", "set", "store", "avatars", "--json"]);
    assert!(set.status.success(), "{}", said(&set));
    assert_eq!(parsed(&set).as_array().unwrap().len(), 2);
    let nowhere = local.run(&["hold", "set", "store", "nowhere"]);
    assert_eq!(nowhere.status.code(), Some(3));
    let lifted = told(
        &local,
        &["hold", "lift", "identifier", "email"],
        &format!("{email}\n"),
    );
    assert!(lifted.status.success(), "{}", said(&lifted));
    local.attest(reference);
    let list = ["sweep", "list", "--json"];
    let is_waiting = |shown: &Value| lake_of(shown).iter().any(|row| row["waiting"] == 1);
    waits_for(&local, "the lake", is_waiting, &list).await;
    let blocked = |shown: &Value| {
        let tasks = shown["tasks"].as_array().unwrap();
        tasks
            .iter()
            .any(|task| task["store"] == "avatars" && task["blocked"] == "store_held")
    };
    waits_for(&local, "avatars", blocked, &show).await;
    assert_ne!(stage(&local, reference), "closed");

    // Both are let go, and the deletion ends with what was counted.
    assert!(
        local
            .run(&["hold", "lift", "store", "avatars"])
            .status
            .success()
    );
    assert!(local.run(&["sweep", "resume", "events"]).status.success());
    waits_for(
        &local,
        "the end",
        |shown| shown["request"]["stage"] == "closed",
        &show,
    )
    .await;
    let sweep = ["sweep", "show", "events", "--right", "deletion", "--json"];
    let swept = parsed(&local.run(&sweep));
    assert_eq!(swept["sweep"]["stage"], "done", "{swept}");
    let shown = parsed(&local.run(&show));
    let tasks = shown["tasks"].as_array().unwrap().iter();
    for task in tasks {
        let counted = line(&report, task["store"].as_str().unwrap());
        assert_eq!(task["matched"], counted["matches"], "{task} {counted}");
    }
    let again = told(&local, &["scan", "email", "--json"], &format!("{email}\n"));
    assert_eq!(line(&parsed(&again), "customers")["matches"], 0);
    assert_eq!(line(&parsed(&again), "events")["matches"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_map_is_compared_with_the_account() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    // The embedded backend says that it is in America.
    let text = std::fs::read_to_string("data/music-shop.yaml").unwrap();
    let text = text.replace("residency: eu", "residency: us");
    let right = dir.path().join("right.yaml");
    std::fs::write(&right, &text).unwrap();
    let agrees = local.run(&["data-map", "drift", right.to_str().unwrap()]);
    let words = String::from_utf8_lossy(&agrees.stdout).into_owned();
    assert!(agrees.status.success(), "{words}{}", said(&agrees));
    assert!(words.contains("as the account has them"), "{words}");

    // A map that lacks a store, and calls an index otherwise.
    let other = dir.path().join("other.yaml");
    let wrong = text.replace("index: by_email", "index: by_mail");
    assert_ne!(wrong, text);
    let (head, rest) = wrong.split_once("  - id: avatars\n").unwrap();
    let rest = rest.split_once("  - id: ").unwrap().1;
    std::fs::write(&other, format!("{head}  - id: {rest}")).unwrap();
    let drifts = local.run(&["data-map", "drift", other.to_str().unwrap(), "--json"]);
    assert_eq!(drifts.status.code(), Some(7), "{}", said(&drifts));
    let told = parsed(&drifts);
    assert_eq!(told["agrees"], false);
    let kinds: Vec<&str> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["unmapped", "mismatch"], "{told}");
    let missing = local.run(&["data-map", "drift", "no-such-map.yaml"]);
    assert_eq!(missing.status.code(), Some(3));
}
