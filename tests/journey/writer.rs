//! A pipeline goes on writing into the lake while a hundred people are deleted from it: nothing that
//! it wrote is lost, nobody's row comes back, and every receipt is true.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use futures::future::{join, join_all};
use quittance_aws::clients::Clients;
use serde_json::{Value, json};

use crate::local::{Asked, Local, draw, dsr, until};

fn pack(rows: &[Value]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    for row in rows {
        writeln!(packer, "{row}").unwrap();
    }
    packer.finish().unwrap()
}

fn unpack(bytes: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    MultiGzDecoder::new(bytes)
        .read_to_string(&mut text)
        .unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn row(who: &str, n: u64) -> Value {
    json!({ "user": { "email": format!("{who}@load.test") }, "n": n })
}

fn person(n: usize) -> String {
    format!("person-{n}")
}

/// The lake as its pipeline sees it.
struct Lake {
    clients: Clients,
    /// Numbers rows.
    next: AtomicU64,
    /// Rows that were written, for certain.
    written: Mutex<BTreeSet<u64>>,
    stop: AtomicBool,
    replaced: AtomicU64,
    refused: AtomicU64,
}

impl Lake {
    async fn read(&self, key: &str) -> Option<(Vec<Value>, String)> {
        let get = self.clients.s3().get_object().bucket(BUCKET).key(key);
        let got = get.send().await.ok()?;
        let etag = got.e_tag()?.to_owned();
        let bytes = got.body.collect().await.ok()?.into_bytes();
        Some((unpack(&bytes), etag))
    }

    /// Puts an object, only in place of what was read, or of nothing.
    async fn put(&self, key: &str, rows: &[Value], etag: Option<String>) -> bool {
        let put = self.clients.s3().put_object().bucket(BUCKET).key(key);
        let put = put.body(ByteStream::from(pack(rows)));
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        put.send().await.is_ok()
    }

    /// Appends to objects, sorts them anew, and makes new ones, until it is told to stop.
    async fn write(&self, seed: u64) {
        let mut chance = seed;
        let mut pace = tokio::time::interval(PACE);
        while !self.stop.load(Ordering::Relaxed) {
            pace.tick().await;
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let mine = row("bystander", n);
            let done = if draw(&mut chance, 5) == 0 {
                let key = format!("{PREFIX}new-{n:06}.jsonl.gz");
                self.put(&key, &[mine], None).await
            } else {
                let key = object(
                    usize::try_from(draw(&mut chance, u64::try_from(OBJECTS).unwrap())).unwrap(),
                );
                let Some((mut rows, etag)) = self.read(&key).await else {
                    continue;
                };
                rows.push(mine);
                if draw(&mut chance, 3) == 0 {
                    rows.reverse();
                }
                let done = self.put(&key, &rows, Some(etag)).await;
                let counter = if done { &self.replaced } else { &self.refused };
                counter.fetch_add(1, Ordering::Relaxed);
                done
            };
            if done {
                self.written.lock().unwrap().insert(n);
            }
        }
    }

    async fn everything(&self) -> Vec<Value> {
        let list = self.clients.s3().list_objects_v2();
        let mut pages = list.bucket(BUCKET).prefix(PREFIX).into_paginator().send();
        let mut rows = Vec::new();
        while let Some(page) = pages.next().await {
            for object in page.unwrap().contents() {
                rows.extend(self.read(object.key().unwrap()).await.unwrap().0);
            }
        }
        rows
    }
}

fn object(n: usize) -> String {
    format!("{PREFIX}{n:03}.jsonl.gz")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_goes_on_writing_loses_nothing_and_brings_nobody_back() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let lake = Lake {
        clients: Clients::local(&local.endpoint).await,
        next: AtomicU64::new(0),
        written: Mutex::default(),
        stop: AtomicBool::new(false),
        replaced: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    };
    // Everybody has two rows in every fifth object, among rows of somebody else.
    for n in 0..OBJECTS {
        let mut rows = Vec::new();
        for who in (0..PEOPLE).filter(|who| (who + n) % 5 == 0) {
            rows.extend([
                row(&person(who), 0),
                row("bystander", 0),
                row(&person(who), 1),
            ]);
        }
        for row in &mut rows {
            let n = lake.next.fetch_add(1, Ordering::Relaxed);
            row["n"] = n.into();
            if row["user"]["email"] == "bystander@load.test" {
                lake.written.lock().unwrap().insert(n);
            }
        }
        assert!(lake.put(&object(n), &rows, None).await);
    }
    let writing = join_all((0..3).map(|seed| lake.write(seed)));
    let deleting = async {
        let asking = (0..PEOPLE).map(|who| {
            let local = &local;
            async move {
                let email = format!("{}@load.test", person(who));
                let token = format!("writer-{who:04}-0123456789abcdef");
                local.ask(&email, "deletion", &token).await.unwrap()
            }
        });
        let asked: Vec<Asked> = join_all(asking).await;
        let closing = asked.iter().map(|asked| async {
            let attested = AtomicBool::new(false);
            until(Duration::from_mins(20), Duration::from_secs(2), || {
                seen(&local, asked, &attested)
            })
            .await;
        });
        join_all(closing).await;
        lake.stop.store(true, Ordering::Relaxed);
        asked
    };
    let (_, asked) = join(writing, deleting).await;

    // Nobody is left, and nobody who was not asked for is missing or doubled.
    let mut found: BTreeMap<u64, u32> = BTreeMap::new();
    for row in lake.everything().await {
        let who = row["user"]["email"].as_str().unwrap();
        assert_eq!(who, "bystander@load.test", "a row came back, or stayed");
        *found.entry(row["n"].as_u64().unwrap()).or_default() += 1;
    }
    let written = lake.written.lock().unwrap().clone();
    let lost: Vec<&u64> = written.iter().filter(|n| !found.contains_key(n)).collect();
    assert!(lost.is_empty(), "updates were lost: {lost:?}");
    assert!(found.values().all(|times| *times == 1), "rows were doubled");
    let (replaced, refused) = (
        lake.replaced.load(Ordering::Relaxed),
        lake.refused.load(Ordering::Relaxed),
    );
    println!(
        "{PEOPLE} deletions beside {replaced} replaced objects, {refused} refused by If-Match, {} rows written",
        written.len()
    );
    assert!(
        replaced > 100,
        "only {replaced} objects were replaced meanwhile"
    );

    // Every receipt verifies, and says what was there.
    let policy = dir.path().join("policy");
    std::fs::write(&policy, local.run(&["policy"]).stdout).unwrap();
    for asked in &asked {
        let key = format!("witnessed/{}.receipt.json", asked.reference);
        let file = dir.path().join("receipt.json");
        until(Duration::from_mins(2), Duration::from_secs(1), || async {
            let get = lake.clients.s3().get_object();
            let got = get.bucket("quittance-evidence").key(&key).send().await;
            let got = got.map_err(|error| format!("{key}: {error:?}"))?;
            let bytes = got.body.collect().await.unwrap().into_bytes();
            std::fs::write(&file, bytes).map_err(|error| error.to_string())
        })
        .await;
        let mut verify = dsr();
        verify.arg("verify").arg(&file).arg("--policy").arg(&policy);
        assert!(verify.output().unwrap().status.success(), "{key}");
        let line = lake_line(&std::fs::read(&file).unwrap());
        assert_eq!(line["deleted"], ROWS_EACH, "{line}");
        assert_eq!(line["check"]["residual_matches"], 0, "{line}");
        assert_eq!(line["check"]["arrived_since"], 0, "{line}");
    }
}

/// Attests when the request has come to it, and says whether it is closed.
async fn seen(local: &Local, asked: &Asked, attested: &AtomicBool) -> Result<(), String> {
    let status = local.status(asked).await.unwrap();
    let stage = status["stage"].as_str().unwrap();
    if stage == "acting" && !attested.swap(true, Ordering::Relaxed) {
        local.attest(&asked.reference);
    }
    if stage == "closed" {
        assert_eq!(status["outcome"], "completed", "{status}");
        return Ok(());
    }
    Err(status.to_string())
}

/// What a receipt says of the lake.
fn lake_line(receipt: &[u8]) -> Value {
    let file: Value = serde_json::from_slice(receipt).unwrap();
    let payload = file["dsse"]["payload"].as_str().unwrap();
    let bytes = data_encoding::BASE64.decode(payload.as_bytes()).unwrap();
    let statement: Value = serde_json::from_slice(&bytes).unwrap();
    let mut lines = statement["predicate"]["stores"].as_array().unwrap().iter();
    lines
        .find(|line| line["store"] == "Listening history")
        .unwrap()
        .clone()
}

const BUCKET: &str = "shop-lake";
const PREFIX: &str = "events/load/";
const PEOPLE: usize = 100;
const OBJECTS: usize = 20;
/// How often each of the writers writes.
const PACE: Duration = Duration::from_millis(200);
/// Two in each of four objects.
const ROWS_EACH: u64 = 8;
