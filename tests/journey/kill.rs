//! kill -9 at random moments: nothing is lost, nothing happens twice.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::local::{Local, customers, draw, dsr, until};

#[tokio::test]
async fn a_process_killed_twenty_times_closes_every_request_once() {
    let dir = tempfile::tempdir().unwrap();
    let people: Vec<String> = customers()
        .iter()
        .map(|row| row["email"].as_str().unwrap().to_owned())
        .take(10)
        .collect();
    let mut chance = 0x1234_5678;
    let mut asked = BTreeMap::new();
    for round in 0..20_u64 {
        let local = Local::start(dir.path());
        let moment = Duration::from_millis(150 + draw(&mut chance, 900));
        let storm = async {
            // Ten deletions in all; each round sends again what may not have arrived.
            for (n, email) in people
                .iter()
                .enumerate()
                .skip(usize::try_from(round / 2).unwrap())
            {
                let token = format!("kill-test-form-{n:04}");
                if let Some(answer) = local.ask(email, "deletion", &token).await {
                    asked.insert(n, answer);
                } else {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        drop(tokio::time::timeout(moment, storm).await);
        local.kill();
    }
    let local = Local::start(dir.path());
    for (n, email) in people.iter().enumerate() {
        let answer = local
            .ask(email, "deletion", &format!("kill-test-form-{n:04}"))
            .await
            .unwrap();
        asked.insert(n, answer);
    }
    for answer in asked.values() {
        until(
            Duration::from_mins(6),
            Duration::from_millis(300),
            || async {
                let status = local.status(answer).await.unwrap();
                if status["stage"] == "acting" {
                    local.attest(&answer.reference);
                }
                if status["stage"] == "closed" {
                    Ok(())
                } else {
                    Err(status.to_string())
                }
            },
        )
        .await;
        assert_eq!(local.status(answer).await.unwrap()["outcome"], "completed");
    }
    let items = local.items("quittance-ledger").await;
    let outcomes = items
        .iter()
        .filter(|item| item["pk"].contains("L#") && item["pk"].contains(".outcome"));
    assert_eq!(outcomes.count(), people.len(), "one outcome leaf each");
    let requests = items
        .iter()
        .filter(|item| item["sk"].contains("\"request\""))
        .count();
    assert_eq!(requests, people.len(), "no request twice");
    check_log(&local).await;
}

/// Copies the log out of its bucket and lets `dsr fsck` judge it, by a policy that asks for both witnesses:
/// they are asked again until they have answered.
async fn check_log(local: &Local) {
    let policy = local.run(&["policy"]);
    let said = String::from_utf8_lossy(&policy.stderr);
    assert!(policy.status.success(), "{said}");
    std::fs::write(local.dir.join("policy"), policy.stdout).unwrap();
    let out = local.dir.join("copied");
    until(Duration::from_mins(6), Duration::from_secs(1), || async {
        copy_log(local, &out).await;
        let mut fsck = dsr();
        fsck.arg("fsck")
            .arg(&out)
            .arg("--policy")
            .arg(local.dir.join("policy"));
        let judged = fsck.output().unwrap();
        if judged.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&judged.stdout).into_owned())
        }
    })
    .await;
}

async fn copy_log(local: &Local, out: &std::path::Path) {
    let clients = quittance_aws::clients::Clients::local(&local.endpoint).await;
    if out.exists() {
        std::fs::remove_dir_all(out).unwrap();
    }
    let list = clients.s3().list_objects_v2().bucket("quittance-log");
    for object in list.send().await.unwrap().contents() {
        let key = object.key().unwrap();
        let get = clients.s3().get_object().bucket("quittance-log").key(key);
        let got = get.send().await.unwrap();
        let path = out.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, got.body.collect().await.unwrap().into_bytes()).unwrap();
    }
}
