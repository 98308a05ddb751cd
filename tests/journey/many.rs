//! Two hundred requests at once: all close, all verify, and nothing personal is left lying about.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;

use crate::local::{Asked, Local, customers, dsr, until};
use crate::traces::Traces;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_requests_at_once_close_and_verify_and_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let people = customers();
    let email = |n: usize| people[n % people.len()]["email"].as_str().unwrap();
    let mut wishes: Vec<(usize, &str)> = (0..70).map(|n| (n, "access")).collect();
    wishes.extend((0..70).map(|n| (n, "opt_out")));
    wishes.extend((0..60).map(|n| (n, "deletion")));
    let began = Instant::now();
    let asking = wishes.iter().map(|(n, right)| {
        let token = format!("many-{right}-{n:04}-0123456789");
        let local = &local;
        async move {
            let asked = local.ask(email(*n), right, &token).await.unwrap();
            (asked, *right, Instant::now())
        }
    });
    let asked: Vec<(Asked, &str, Instant)> = join_all(asking).await;
    let accepted = began.elapsed();
    let closing = asked.iter().map(|(asked, right, since)| {
        let local = &local;
        async move {
            let mut attested = false;
            until(Duration::from_mins(15), PAUSE, || {
                let attest = !attested && *right != "opt_out";
                attested = true;
                async move {
                    if attest {
                        attest_when_asked(local, asked).await;
                    }
                    let status = local.status(asked).await.unwrap();
                    if status["stage"] == "closed" {
                        Ok(())
                    } else {
                        Err(status.to_string())
                    }
                }
            })
            .await;
            since.elapsed()
        }
    });
    let mut times = join_all(closing).await;
    times.sort();
    println!(
        "200 requests: all accepted after {accepted:?}; acceptance to receipt p50 {:?}, p99 {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
    verify_receipts(&local, &asked).await;
    search(&local).await;
    println!("{}", ceiling(&local).await);
}

/// What the embedded backend can do by itself, and how much of that the requests took.
async fn ceiling(local: &Local) -> String {
    // Each item says how often it was written.
    let ledger = local.items("quittance-ledger").await;
    let written: u64 = ledger.iter().filter_map(version_of).sum();
    let clients = quittance_aws::clients::Clients::local(&local.endpoint).await;
    let began = Instant::now();
    let puts = (0..PUTS).map(|n| {
        let key = AttributeValue::S(format!("ceiling-{n:05}"));
        let put = clients.dynamodb().put_item().table_name("quittance-ledger");
        put.item("pk", key.clone()).item("sk", key).send()
    });
    let mut done = stream::iter(puts).buffer_unordered(32);
    while let Some(put) = done.next().await {
        put.unwrap();
    }
    let rate = f64::from(PUTS) / began.elapsed().as_secs_f64();
    format!(
        "embedded backend: {rate:.0} puts a second, 32 at once; the ledger took {written} writes of items"
    )
}

/// How often an item was written, from the text of its attribute.
fn version_of(item: &std::collections::BTreeMap<String, String>) -> Option<u64> {
    let digits = item.get("version")?.chars().filter(char::is_ascii_digit);
    digits.collect::<String>().parse().ok()
}

const PUTS: u32 = 2_000;

/// The team attests once the request has come to its task.
async fn attest_when_asked(local: &Local, asked: &Asked) {
    until(Duration::from_mins(15), PAUSE, || async {
        let status = local.status(asked).await.unwrap();
        let stage = status["stage"].as_str().unwrap().to_owned();
        if ["acting", "sealing", "closed"].contains(&stage.as_str()) {
            Ok(())
        } else {
            Err(stage)
        }
    })
    .await;
    local.attest(&asked.reference);
}

async fn verify_receipts(local: &Local, asked: &[(Asked, &str, Instant)]) {
    let policy = local.run(&["policy"]);
    std::fs::write(local.dir.join("policy"), policy.stdout).unwrap();
    let clients = quittance_aws::clients::Clients::local(&local.endpoint).await;
    for (asked, _, _) in asked {
        // Receipts are there at once, and with cosignatures as soon as both witnesses have answered.
        let key = format!("witnessed/{}.receipt.json", asked.reference);
        let file = local.dir.join("receipt.json");
        until(Duration::from_mins(2), PAUSE, || async {
            let get = clients
                .s3()
                .get_object()
                .bucket("quittance-evidence")
                .key(&key);
            let got = get
                .send()
                .await
                .map_err(|error| format!("{key}: {error:?}"))?;
            let bytes = got.body.collect().await.unwrap().into_bytes();
            std::fs::write(&file, bytes).map_err(|error| error.to_string())
        })
        .await;
        let judged = dsr()
            .arg("verify")
            .arg(&file)
            .arg("--policy")
            .arg(local.dir.join("policy"))
            .output()
            .unwrap();
        assert!(
            judged.status.success(),
            "{}",
            String::from_utf8_lossy(&judged.stdout)
        );
    }
}

/// No e-mail, telephone number or name of anybody in logs, ledger, log or evidence.
async fn search(local: &Local) {
    let mut texts = vec![std::fs::read_to_string(&local.log).unwrap()];
    for table in ["quittance-ledger", "quittance-keys", "quittance-log-head"] {
        texts.extend(
            local
                .items(table)
                .await
                .iter()
                .map(|item| format!("{item:?}")),
        );
    }
    let clients = quittance_aws::clients::Clients::local(&local.endpoint).await;
    for bucket in ["quittance-evidence", "quittance-log", "quittance-vault"] {
        let list = clients.s3().list_objects_v2().bucket(bucket);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.unwrap().contents() {
                let key = object.key().unwrap();
                let got = clients
                    .s3()
                    .get_object()
                    .bucket(bucket)
                    .key(key)
                    .send()
                    .await
                    .unwrap();
                let bytes = got.body.collect().await.unwrap().into_bytes();
                texts.push(format!("{key} {}", String::from_utf8_lossy(&bytes)));
            }
        }
    }
    assert!(
        texts.len() > 1_000,
        "only {} texts were searched",
        texts.len()
    );
    let traces = Traces::of(&texts);
    for person in customers() {
        for field in ["email", "phone", "lastname", "address"] {
            let Some(secret) = person[field].as_str() else {
                continue;
            };
            if secret.chars().count() > 4 {
                let found = traces.find(secret);
                let customer = &person["customer_id"];
                assert!(found.is_none(), "{field} of customer {customer}: {found:?}");
            }
        }
    }
    // The search itself can find: the same words are in the customers' own store.
    let shop = Traces::of(&[format!("{:?}", local.items("shop-invoices").await)]);
    let address = customers()[1]["address"].as_str().unwrap().to_owned();
    assert!(shop.find(&address).is_some());
}

/// Two hundred people who look at their status every three seconds are load enough.
const PAUSE: Duration = Duration::from_secs(3);
