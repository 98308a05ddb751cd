//! `dsr sweep`: the passes over record stores, on a running `dsr local` or on AWS.

use std::process::ExitCode;
use std::sync::Arc;

use quittance_aws::adapters::{Adapters, Need};
use quittance_aws::clock::SystemClock;
use quittance_core::data_map::DataMap;
use quittance_core::id::StoreId;
use quittance_core::plan;
use quittance_core::request::Right;
use quittance_core::sweep::{Cut, Shard, Sweep};
use quittance_engine::ledger::{Item, Key, Listing};
use quittance_engine::ports::Ledger;
use quittance_engine::reading;
use serde::Serialize;

use crate::args::{SweepArgs, SweepCommand, Where};
use crate::printing::{Failure, data, json, talk};
use crate::support::{desk, done, store_id};
use crate::{company, shop};

const NEEDS: [Need; 6] = [
    Need::Ledger,
    Need::TagKeys,
    Need::Vault,
    Need::DataMap,
    Need::QueuesOf(Right::Access),
    Need::QueuesOf(Right::Deletion),
];

/// A record store and one right.
#[derive(Serialize)]
struct StoreRow {
    store: String,
    right: Right,
    waiting: usize,
    paused_at: Option<String>,
    sweeps: Vec<SweepRow>,
}

/// A sweep as support sees it.
#[derive(Serialize)]
struct SweepRow {
    n: u32,
    purpose: &'static str,
    stage: &'static str,
    cut: Option<&'static str>,
    members: u32,
    round: u8,
    shards: u32,
    opened_at: String,
    done_at: Option<String>,
}

/// A shard as support sees it.
#[derive(Serialize)]
struct ShardRow {
    k: u32,
    objects: u32,
    done: u32,
    matched: u64,
    attempts: u8,
}

/// `dsr sweep`.
pub(crate) async fn sweep(args: SweepArgs) -> Result<ExitCode, Failure> {
    let (adapters, map) = open(&args.at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    match args.command {
        SweepCommand::List => list(&*ledger, &map, args.at.json).await?,
        SweepCommand::Show { store, right, n } => {
            let store = known(&map, &store)?;
            let right = plan::SWEEPING
                .into_iter()
                .find(|known| known.name() == right)
                .ok_or_else(|| Failure::usage("--right must be access or deletion"))?;
            show(&*ledger, &store, right, n, args.at.json).await?;
        }
        SweepCommand::Pause { store } => {
            let store = known(&map, &store)?;
            done(desk(&adapters, &ledger)?.pause_sweeps(&store).await)?;
            tell(&*ledger, &map, args.at.json).await?;
        }
        SweepCommand::Resume { store } => {
            let store = known(&map, &store)?;
            done(desk(&adapters, &ledger)?.resume_sweeps(&store).await)?;
            tell(&*ledger, &map, args.at.json).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn open(at: &Where) -> Result<(Adapters, DataMap), Failure> {
    if let Some(dir) = &at.dir {
        let adapters = company::connect(dir).await?;
        return Ok((adapters, DataMap::parse(shop::DATA_MAP)?));
    }
    let adapters = Adapters::from_env(&NEEDS, Arc::new(SystemClock)).await?;
    let map = DataMap::parse(&adapters.data_map().await?)?;
    Ok((adapters, map))
}

/// Reads the id of a store of the data map that is swept.
fn known(map: &DataMap, text: &str) -> Result<StoreId, Failure> {
    let store = store_id(text)?;
    if plan::swept(map).contains(&store) {
        return Ok(store);
    }
    Err(Failure::not_found(format!(
        "the data map has no store {store} that is swept"
    )))
}

/// What an act came to, for programs: every store as it stands now.
async fn tell(ledger: &dyn Ledger, map: &DataMap, as_json: bool) -> Result<(), Failure> {
    if as_json {
        list(ledger, map, true).await?;
    }
    Ok(())
}

async fn list(ledger: &dyn Ledger, map: &DataMap, as_json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for store in plan::swept(map) {
        let pause = ledger.load(&Key::Pause(store.clone())).await?;
        let paused_at = pause.and_then(|stored| {
            if let Item::Pause(pause) = stored.item {
                Some(pause.at.to_string())
            } else {
                None
            }
        });
        for right in plan::SWEEPING {
            let listing = Listing::Waiting(store.clone(), right);
            let waiting = reading::everything(ledger, &listing).await?.len();
            let sweeps = sweeps(ledger, &store, right).await?;
            rows.push(StoreRow {
                store: store.to_string(),
                right,
                waiting,
                paused_at: paused_at.clone(),
                sweeps: sweeps.iter().map(sweep_row).collect(),
            });
        }
    }
    if as_json {
        json(&rows);
        return Ok(());
    }
    for row in &rows {
        let paused = row.paused_at.as_ref();
        let paused = paused.map(|at| format!("  paused since {at}"));
        data(&format!(
            "{:<20} {:<8} {:>4} waiting{}",
            row.store,
            row.right.name(),
            row.waiting,
            paused.unwrap_or_default()
        ));
        for sweep in &row.sweeps {
            data(&line(sweep));
        }
    }
    talk(&format!(
        "{} record store(s)",
        rows.len() / plan::SWEEPING.len()
    ));
    Ok(())
}

async fn show(
    ledger: &dyn Ledger,
    store: &StoreId,
    right: Right,
    n: Option<u32>,
    as_json: bool,
) -> Result<(), Failure> {
    let found = sweeps(ledger, store, right).await?;
    let mut found = found.into_iter();
    let sweep = found
        .find(|sweep| n.is_none_or(|n| sweep.id.n == n))
        .ok_or_else(|| Failure::not_found(format!("there is no such sweep of {store}")))?;
    let listing = Listing::Shards(sweep.id.clone());
    let shards = reading::everything(ledger, &listing).await?.into_iter();
    let shards: Vec<ShardRow> = shards
        .filter_map(|stored| {
            if let Item::Shard(shard) = stored.item {
                Some(shard_row(&shard))
            } else {
                None
            }
        })
        .collect();
    let row = sweep_row(&sweep);
    if as_json {
        json(&serde_json::json!({ "sweep": row, "shards": shards }));
        return Ok(());
    }
    data(&line(&row));
    for shard in shards {
        data(&format!(
            "    shard {:<6} {:>6} of {:<6} objects  {:>8} rows matched",
            shard.k, shard.done, shard.objects, shard.matched
        ));
    }
    Ok(())
}

async fn sweeps(ledger: &dyn Ledger, store: &StoreId, right: Right) -> Result<Vec<Sweep>, Failure> {
    let listing = Listing::Sweeps(store.clone(), right);
    let stored = reading::everything(ledger, &listing).await?.into_iter();
    Ok(stored
        .filter_map(|stored| {
            if let Item::Sweep(sweep) = stored.item {
                Some(sweep)
            } else {
                None
            }
        })
        .collect())
}

fn sweep_row(sweep: &Sweep) -> SweepRow {
    SweepRow {
        n: sweep.id.n,
        purpose: sweep.purpose.name(),
        stage: sweep.stage.name(),
        cut: sweep.cut.map(|cut| match cut {
            Cut::Blocked(reason) => reason.code(),
            Cut::Redescribed => "redescribed",
        }),
        members: sweep.members,
        round: sweep.round,
        shards: sweep.shards,
        opened_at: sweep.opened_at.to_string(),
        done_at: sweep.done_at.map(|at| at.to_string()),
    }
}

fn shard_row(shard: &Shard) -> ShardRow {
    ShardRow {
        k: shard.k,
        objects: shard.objects,
        done: shard.cursor,
        matched: shard.matched,
        attempts: shard.attempts,
    }
}

fn line(row: &SweepRow) -> String {
    let cut = row.cut.map(|cut| format!("  cut short: {cut}"));
    format!(
        "  sweep {:<6} {:<6} {:<8} {:>5} members  round {}  {:>5} shards  opened {}{}",
        row.n,
        row.purpose,
        row.stage,
        row.members,
        row.round,
        row.shards,
        row.opened_at,
        cut.unwrap_or_default()
    )
}
