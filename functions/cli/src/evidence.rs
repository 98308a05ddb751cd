//! `dsr evidence`: collecting what an auditor is handed over, and checking it.
//!
//! What a bag holds and how it is packed is [`quittance_core::bag`]'s. Nothing is packed that was not
//! verified first: the log is rebuilt, every receipt compared.

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
use quittance_core::digest::Digest;
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
use crate::offline::{log, parse_policy};
use crate::printing::{Failure, data, json, verification_failed};
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
            json: as_json,
        } => verify(&bag, &policy, as_json),
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
    let receipts = receipts(&store, &entries, &wanted).await?;
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

async fn receipts(
    store: &dyn Evidence,
    entries: &[Entry],
    wanted: &BTreeSet<RequestId>,
) -> Result<Files, Failure> {
    let mut receipts = Files::new();
    let leaves: Vec<LeafId> = entries
        .iter()
        .map(|entry| entry.id)
        .filter(|id| {
            id.request()
                .is_some_and(|request| wanted.contains(&request))
        })
        .collect();
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

/// `dsr evidence verify`.
fn verify(bag: &Path, policy: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let policy = parse_policy(policy)?;
    log::require(bag)?;
    let changed = changed(bag)?;
    let payload = bag.join("data");
    log::require(&payload.join("log"))?;
    let rebuilt = log::rebuild(&payload.join("log"), &policy);
    let receipts = audit::read_receipts(&payload.join("receipts"))?;
    let told = judge(rebuilt, &receipts, &policy, Period::default());
    if as_json {
        json(&serde_json::json!({
            "ok": told.audit.ok && changed.is_empty(),
            "changed": changed,
            "audit": told,
        }));
    } else {
        for (path, why) in &changed {
            data(&format!("FAILED   {path}: {why}"));
        }
        audit::tell(&told);
        data(if changed.is_empty() {
            "the bag is as it was packed"
        } else {
            "the bag is NOT as it was packed"
        });
    }
    Ok(if changed.is_empty() {
        audit::code(&told.audit)
    } else {
        verification_failed()
    })
}

/// Compares every file with the bag's lists, both ways.
fn changed(bag: &Path) -> Result<BTreeMap<String, &'static str>, Failure> {
    let mut changed = BTreeMap::new();
    let mut present = BTreeSet::new();
    let mut unreadable = Vec::new();
    log::list(bag, "", &mut present, &mut unreadable);
    for problem in unreadable {
        changed.insert(problem.path, "cannot be read");
    }
    for list in ["tagmanifest-sha256.txt", "manifest-sha256.txt"] {
        present.remove(list);
        let text = std::fs::read_to_string(bag.join(list))
            .map_err(|error| crate::offline::unreadable(&bag.join(list), &error))?;
        for line in text.lines() {
            let Some((digest, path)) = line.split_once("  ") else {
                changed.insert(list.to_owned(), "has a line that is none");
                continue;
            };
            // Only what was listed as a file below the bag is looked at: no path leads out of it.
            if !present.remove(path) {
                changed.insert(path.to_owned(), "is missing");
                continue;
            }
            let bytes = std::fs::read(bag.join(path))?;
            if Digest::of(&bytes).to_string() != digest {
                changed.insert(path.to_owned(), "is not what was packed");
            }
        }
    }
    for path in present {
        changed.insert(path, "was not packed");
    }
    Ok(changed)
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
