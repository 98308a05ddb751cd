//! Statements through the log, over the embedded backends: how many a second, how long until a receipt is
//! stored, and what the backends alone can do.
//!
//! ```sh
//! cargo run --release -p quittance-tests --example log_end_to_end -- 5 512
//! ```
//!
//! Rounds (the first number) of so many statements (the second): the backends' own speed, the statements' commits,
//! and the sequencer take turns. Then statements come one by one at half the rate that was found, with the sequencer
//! at work, and each one's time until its receipt is stored is taken.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a measurement, not a part of the product"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use quittance_aws::adapters::Adapters;
use quittance_aws::clients::Clients;
use quittance_aws::clock::SystemClock;
use quittance_aws::provision::{self, Names};
use quittance_aws::settings::{Setting, Settings};
use quittance_core::digest::{Digest, HmacKey};
use quittance_core::id::{LeafId, RequestId};
use quittance_core::receipt::{
    About, Acceptance, Controller, ControllerRole, Handler, Minute, Nonce, PublicName, Slug,
    Statement, VersionedName,
};
use quittance_core::request::Right;
use quittance_engine::ledger::{Item, Leaf, OutboxRow, Write};
use quittance_engine::ports::Clock as _;
use quittance_engine::sequencer::{Sequencer, paths};
use quittance_local::{LocalAws, Options};
use tokio::task::JoinSet;

const ORIGIN: &str = "log.test/dsr";
/// As many calls at a time as the sequencer makes.
const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let rounds: u32 = args.next().unwrap().parse().unwrap();
    let each: u32 = args.next().unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        dir: Some(folder.path().join("aws")),
        ..Options::default()
    };
    let backend = LocalAws::start(options).await.unwrap();
    let clients = Clients::local(&backend.endpoint()).await;
    let names = Names::new("quittance");
    let mut settings = provision::all(&clients, &names).await.unwrap();
    settings.extend(provision::key_files(folder.path()));
    settings.push((Setting::LogOrigin, ORIGIN.to_owned()));
    let settings = Settings::new(settings).unwrap();
    let adapters = Adapters::new(settings, clients, Arc::new(SystemClock));
    let handler = quittance_engine::statement::Handler {
        version: "0.1.0".to_owned(),
        artifact: None,
    };
    let receipts = quittance_receipts::wire(&adapters, handler).await.unwrap();
    let sequencer = receipts.sequencer;
    sequencer.create().await.unwrap();

    let mut rates: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut next = 0;
    for round in 0..rounds {
        let began = Instant::now();
        puts(&sequencer, round, each).await;
        rates
            .entry("backend: objects put a second")
            .or_default()
            .push(rate(each, began));
        let began = Instant::now();
        add(&sequencer, next, each).await;
        rates
            .entry("statements committed a second")
            .or_default()
            .push(rate(each, began));
        next += each;
        let began = Instant::now();
        let progress = sequencer
            .run_through(&SystemClock, Timestamp::MAX)
            .await
            .unwrap();
        assert_eq!(progress.size, u64::from(next));
        rates
            .entry("sequenced, receipts stored, a second")
            .or_default()
            .push(rate(each, began));
    }
    for (what, rates) in &mut rates {
        rates.sort_by(f64::total_cmp);
        println!("{what}: {:.0}", rates[rates.len() / 2]);
    }
    let found = rates["sequenced, receipts stored, a second"][usize::try_from(rounds / 2).unwrap()];
    let half = found / 2.0;
    let mut latencies = one_by_one(&sequencer, next, each * 2, half).await;
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() * share / 100).min(latencies.len() - 1)];
    println!(
        "one by one, {half:.0} a second: p50 {:?}, p99 {:?}, most {:?}",
        at(50),
        at(99),
        latencies.last().unwrap()
    );
}

fn rate(count: u32, began: Instant) -> f64 {
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// Objects as large as receipts, each of a name of its own.
async fn puts(sequencer: &Sequencer, round: u32, count: u32) {
    let put = |n: u32| async move {
        let path = format!("bench/{round}/{n}");
        sequencer
            .evidence
            .keep(&path, &vec![b'x'; 11_000])
            .await
            .unwrap();
    };
    stream::iter(0..count)
        .map(put)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

/// Commits acceptances, as intake does.
async fn add(sequencer: &Sequencer, from: u32, count: u32) {
    let one = |n: u32| async move { commit(sequencer, n).await };
    stream::iter(from..from + count)
        .map(one)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

async fn commit(sequencer: &Sequencer, n: u32) {
    let bytes = statement(n);
    let digest = Digest::of(&bytes);
    let path = paths::statement(&digest);
    sequencer.evidence.keep(&path, &bytes).await.unwrap();
    let leaf = LeafId::Acceptance(id(n));
    let writes = [
        Write::Create(Item::Leaf(Leaf {
            id: leaf,
            statement: digest,
            sequenced: None,
        })),
        Write::Create(Item::Outbox(OutboxRow {
            leaf,
            at: SystemClock.now(),
            statement: digest,
        })),
    ];
    sequencer.ledger.commit(&writes).await.unwrap();
}

/// Commits statements at a steady rate while the sequencer works, and times each until its receipt is stored.
async fn one_by_one(sequencer: &Sequencer, from: u32, count: u32, rate: f64) -> Vec<Duration> {
    let pause = Duration::from_secs_f64(1.0 / rate);
    let (committed, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let mut work = JoinSet::new();
    let source = sequencer.clone();
    work.spawn(async move {
        let mut ticks = tokio::time::interval(pause);
        for n in from..from + count {
            ticks.tick().await;
            let began = Instant::now();
            commit(&source, n).await;
            committed.send(began).unwrap();
        }
    });
    let (mut waiting, mut latencies) = (Vec::new(), Vec::new());
    while latencies.len() < count as usize {
        let progress = sequencer
            .run_through(&SystemClock, Timestamp::MAX)
            .await
            .unwrap();
        while let Ok(began) = arrivals.try_recv() {
            waiting.push(began);
        }
        // One source, so they are sequenced in the order in which they came.
        let done = usize::try_from(progress.size).unwrap() - from as usize - latencies.len();
        let done = done.min(waiting.len());
        latencies.extend(waiting.drain(..done).map(|began| began.elapsed()));
        tokio::task::yield_now().await;
    }
    latencies
}

fn id(n: u32) -> RequestId {
    RequestId::new(u128::from(n).to_be_bytes())
}

fn statement(n: u32) -> Vec<u8> {
    let minute = Minute::floor("2026-11-23T20:47:00Z".parse().unwrap());
    let slug = |text| Slug::parse(text).unwrap();
    let digest = Digest::of(&n.to_be_bytes());
    let about = About {
        request: id(n),
        commitment: HmacKey::new(*digest.as_bytes()).tag("dsr-subject/v1", &[b"email"]),
    };
    let acceptance = Acceptance {
        nonce: Nonce::new(*digest.as_bytes()),
        controller: Controller {
            id: slug("example-shop"),
            name: PublicName::parse("Example Shop").unwrap(),
            role: ControllerRole::Controller,
        },
        right: Right::Deletion,
        regime: VersionedName {
            id: slug("gdpr"),
            version: slug("1"),
            sha256: Digest::of(b"regime"),
        },
        policy: None,
        accepted_at: minute,
        verified_at: None,
        due_at: minute,
        data_map_sha256: Digest::of(b"map"),
        members: None,
        handler: Handler {
            version: slug("0.1.0"),
            artifact_sha256: None,
        },
    };
    let statement = Statement::Acceptance(about, acceptance);
    statement.to_canonical_bytes().unwrap()
}
