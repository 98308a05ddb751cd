//! `dsr evidence`: collecting what an auditor is handed over, and checking it.
//!
//! What a bag holds and how it is packed is [`quittance_core::bag`]'s. Nothing is packed that was not
//! verified first: the log is rebuilt, every receipt compared.

mod bag;
mod opening;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::try_join_all;
use quittance_aws::adapters::{Adapters, Need};
use quittance_aws::clock::SystemClock;
use quittance_core::account::{Entry, Fact};
use quittance_core::audit::Period;
use quittance_core::bag::{Contents, pack};
use quittance_core::id::{LeafId, RequestId};
use quittance_core::receipt::Day;
use quittance_engine::ports::{Clock as _, Evidence, TileStore};
use quittance_engine::reading;
use quittance_engine::sequencer::account::everything_said;
use quittance_engine::sequencer::{paths, receipt_of};
use quittance_tlog::{TileKind, TilePath};

use crate::args::{EvidenceArgs, EvidenceCommand, ExportArgs};
use crate::demo::leave::claim;
use crate::offline::audit::{self, judge};
use crate::offline::log;
use crate::printing::Failure;
use crate::{company, policy, wait_for};

/// Files by path or name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// `dsr evidence`.
pub(crate) fn evidence(args: EvidenceArgs) -> Result<ExitCode, Failure> {
    match args.command {
        EvidenceCommand::Export(args) => wait_for(export(args)),
        EvidenceCommand::Places {
            reference,
            store,
            at,
        } => wait_for(opening::places(reference, store, at)),
        EvidenceCommand::Open(args) => wait_for(opening::open(args)),
        EvidenceCommand::Check {
            opening,
            receipt,
            place,
            policy,
        } => opening::check(&opening, &receipt, &place, &policy),
        EvidenceCommand::Verify {
            bag,
            policy,
            anchors,
            json: as_json,
        } => bag::verify(&bag, &policy, anchors.as_deref(), as_json),
    }
}

async fn export(args: ExportArgs) -> Result<ExitCode, Failure> {
    claim(&args.out)?;
    let adapters = match &args.dir {
        Some(dir) => company::connect(dir).await?,
        None => Adapters::from_env(&NEEDS, Arc::new(SystemClock)).await?,
    };
    let period = Period {
        from: args.from,
        to: args.to,
    };
    let witnesses = policy::witnesses_of(args.dir.as_deref(), &*adapters.signer().await?)?;
    let told = pack_into(&args.out, &adapters, &witnesses, period).await?;
    audit::tell(&told);
    Ok(audit::code(&told.audit))
}

/// Collects, judges, packs; what was judged is told.
pub(crate) async fn pack_into(
    out: &Path,
    adapters: &Adapters,
    witnesses: &[String],
    period: Period,
) -> Result<audit::Told, Failure> {
    let store = adapters.evidence()?;
    let entries = everything_said(&store).await?;
    let wanted = wanted(&entries, period);
    let (text, policy) = policy::published_or_made(adapters, witnesses).await?;
    let log = log_files(adapters).await?;
    let leaves = leaves(&entries, &wanted);
    let receipts = receipts(&store, &leaves).await?;
    let manifests = entries.iter().map(|entry| entry.id);
    let manifests = manifests.filter(|id| matches!(id, LeafId::Manifest(_)));
    let stamped: Vec<LeafId> = leaves.into_iter().chain(manifests).collect();
    let timestamps = timestamps(&store, &stamped).await?;
    let timeline = timeline(adapters, &wanted).await?;
    let work = tempfile::tempdir()?;
    write(work.path(), &log)?;
    let told = judge(
        log::rebuild(work.path(), &policy),
        &receipts,
        &policy,
        period,
    );
    let software = format!("quittance {}", env!("CARGO_PKG_VERSION"));
    let bag = pack(&Contents {
        packed_on: Day::of(SystemClock.now()),
        software: &software,
        policy: &text,
        log: &log,
        receipts: &receipts,
        timestamps: &timestamps,
        timeline: &timeline,
        audit: &told.audit,
    });
    write(out, &bag)?;
    Ok(told)
}

/// The requests that were accepted in the period.
fn wanted(entries: &[Entry], period: Period) -> BTreeSet<RequestId> {
    entries
        .iter()
        .filter_map(|entry| match entry.says {
            Fact::Acceptance { accepted_at, .. } if period.holds(accepted_at) => entry.id.request(),
            Fact::Acceptance { .. }
            | Fact::Outcome { .. }
            | Fact::Amendment { .. }
            | Fact::Manifest => None,
        })
        .collect()
}

/// What was said about these requests.
fn leaves(entries: &[Entry], wanted: &BTreeSet<RequestId>) -> Vec<LeafId> {
    let ids = entries.iter().map(|entry| entry.id);
    ids.filter(|id| {
        id.request()
            .is_some_and(|request| wanted.contains(&request))
    })
    .collect()
}

async fn receipts(store: &dyn Evidence, leaves: &[LeafId]) -> Result<Files, Failure> {
    let mut receipts = Files::new();
    for some in leaves.chunks(AT_ONCE) {
        let reads = some.iter().map(|leaf| async move {
            let (name, file) = (leaf.file_name(), receipt_of(store, leaf).await?);
            let missing = || Failure::later(format!("{name} is not stored yet"));
            let file = file.ok_or_else(missing)?;
            Ok::<_, Failure>((name, file))
        });
        receipts.extend(try_join_all(reads).await?);
    }
    Ok(receipts)
}

/// The time stamps that an authority gave on these so far: none, where nobody is asked.
async fn timestamps(store: &dyn Evidence, leaves: &[LeafId]) -> Result<Files, Failure> {
    let mut timestamps = Files::new();
    for some in leaves.chunks(AT_ONCE) {
        let reads = some.iter().map(|leaf| async move {
            let place = paths::timestamp(leaf);
            let stamp = store.read(&place).await?;
            let name = place.strip_prefix(paths::TIMESTAMPS).unwrap_or(&place);
            let name = name.to_owned();
            Ok::<_, Failure>(stamp.map(|stamp| (name, stamp)))
        });
        timestamps.extend(try_join_all(reads).await?.into_iter().flatten());
    }
    Ok(timestamps)
}

/// What happened to each request, a line each; the ledger holds nothing personal.
async fn timeline(
    adapters: &Adapters,
    wanted: &BTreeSet<RequestId>,
) -> Result<Vec<String>, Failure> {
    let ledger = adapters.ledger()?;
    let mut lines = Vec::new();
    for id in wanted {
        for event in reading::timeline(&ledger, *id).await? {
            let line = serde_json::json!({
                "reference": id.reference().to_string(),
                "n": event.n,
                "at": event.at.to_string(),
                "what": event.what,
            });
            lines.push(line.to_string());
        }
    }
    Ok(lines)
}

/// Reads what the log publishes: its tree, and all manifests.
pub(crate) async fn log_files(adapters: &Adapters) -> Result<Files, Failure> {
    let tiles = adapters.tiles()?;
    let note = read_file(&tiles, "checkpoint").await?;
    let size = String::from_utf8_lossy(&note)
        .lines()
        .nth(1)
        .and_then(|line| line.parse::<u64>().ok())
        .ok_or_else(|| Failure::failed("the checkpoint has no size"))?;
    let entries = everything_said(&adapters.evidence()?).await?;
    let manifests = (0..size)
        .zip(&entries)
        .filter_map(|(_, entry)| match entry.id {
            LeafId::Manifest(day) => Some(paths::manifest(day)),
            LeafId::Acceptance(_) | LeafId::Outcome(_) | LeafId::Amendment(..) => None,
        });
    let wanted: Vec<String> = tree_paths(size).into_iter().chain(manifests).collect();
    let mut files = Files::from([("checkpoint".to_owned(), note)]);
    for some in wanted.chunks(AT_ONCE) {
        let reads = some.iter().map(|path| async {
            let bytes = read_file(&tiles, path).await?;
            Ok::<_, Failure>((path.clone(), bytes))
        });
        files.extend(try_join_all(reads).await?);
    }
    Ok(files)
}

async fn read_file(tiles: &dyn TileStore, path: &str) -> Result<Vec<u8>, Failure> {
    let bytes = tiles.read(path).await?;
    bytes.ok_or_else(|| Failure::failed(format!("the log lacks {path}")))
}

/// Every file of a tree of this size: entry bundles and hash tiles of all levels.
fn tree_paths(size: u64) -> Vec<String> {
    let entries = std::iter::once(TileKind::Entries);
    let levels = (0..8).map(TileKind::Hashes);
    let mut paths = Vec::new();
    for kind in entries.chain(levels) {
        let tiles = (0..).map_while(|index| TilePath::in_tree(kind, index, size));
        paths.extend(tiles.map(|tile| tile.to_string()));
    }
    paths
}

/// Writes files below a directory.
fn write(dir: &Path, files: &Files) -> Result<(), Failure> {
    files
        .iter()
        .try_for_each(|(path, bytes)| put(&dir.join(path), bytes))
}

/// Writes a file, and the directories above it.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::failed(format!("cannot make {}: {error}", folder.display()))
        })?;
    }
    std::fs::write(path, bytes)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}

const NEEDS: [Need; 4] = [Need::Ledger, Need::Evidence, Need::Tiles, Need::Signer];
/// How many files are read at a time.
const AT_ONCE: usize = 16;
