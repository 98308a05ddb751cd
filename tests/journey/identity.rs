//! What staff do when a person cannot come through the public door: answer for who asks, withdraw.

use std::time::Duration;

use serde_json::{Value, json};

use crate::local::{Local, until};

#[tokio::test]
async fn staff_confirm_who_asks_and_withdraw_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let copy = submit(&local, "access", "staff-confirms-who-asks-1").await;
    let unsure = local.run(&["request", "confirm-identity", &copy]);
    assert_eq!(
        unsure.status.code(),
        Some(2),
        "staff must say that they made sure"
    );
    for _ in 0..2 {
        let told = json_of(
            &local,
            &["request", "confirm-identity", &copy, "--i-made-sure"],
        );
        assert_ne!(told["request"]["stage"], "draft");
        let timeline = told["timeline"].to_string();
        assert_eq!(
            timeline.matches("identity_confirmed").count(),
            1,
            "{timeline}"
        );
        assert!(!timeline.contains("verified"), "{timeline}");
    }
    // The copy waits for the sales team, and the deletion for the copy: nothing was touched yet.
    let deletion = submit(&local, "deletion", "staff-confirms-who-asks-2").await;
    json_of(
        &local,
        &["request", "confirm-identity", &deletion, "--i-made-sure"],
    );
    json_of(&local, &["request", "revoke", &deletion]);
    until(
        Duration::from_mins(2),
        Duration::from_millis(200),
        async || {
            let told = json_of(&local, &["request", "show", &deletion]);
            if told["request"]["outcome"] == "revoked" {
                return Ok(());
            }
            Err(told.to_string())
        },
    )
    .await;
    let late = local.run(&["request", "revoke", "DSR-0000-0000-0000-0"]);
    assert_eq!(late.status.code(), Some(3));
}

async fn submit(local: &Local, right: &str, token: &str) -> String {
    let form = json!({
        "right": right, "identifiers": { "email": "luisg@embraer.com.br" }, "client_token": token,
    });
    let (_, answer) = local.post("/v1/requests", &form).await.unwrap();
    answer["reference"].as_str().unwrap().to_owned()
}

fn json_of(local: &Local, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.push("--json");
    let output = local.run(&all);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
