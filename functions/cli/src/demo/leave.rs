//! What the demo leaves behind: receipts, policy, keys, and the whole public log.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quittance_core::receipt::Policy;
use quittance_engine::ports::TileStore as _;
use quittance_tlog::{Note, TileKind, TilePath};

use super::{Receipts, tell};
use crate::company::Company;
use crate::printing::Failure;

/// The files of a log by path.
pub(super) type Log = BTreeMap<String, Vec<u8>>;

/// Refuses a directory that holds something already.
pub(super) fn refuse_full(out: &Path) -> Result<(), Failure> {
    if out.exists() && (!out.is_dir() || fs::read_dir(out)?.next().is_some()) {
        return Err(Failure::conflict(format!(
            "{} is not an empty directory: choose another --out",
            out.display()
        )));
    }
    Ok(())
}

/// Reads what the log publishes: its tree, and the manifest of the day.
pub(super) async fn log_files(company: &Company, manifest: &str) -> Result<Log, Failure> {
    let tiles = company.adapters.tiles()?;
    let mut log = Log::new();
    let missing = |path: &str| Failure::failed(format!("the log lacks {path}"));
    let note = tiles
        .read("checkpoint")
        .await?
        .ok_or_else(|| missing("checkpoint"))?;
    let size = String::from_utf8_lossy(&note)
        .lines()
        .nth(1)
        .and_then(|line| line.parse::<u64>().ok())
        .ok_or_else(|| Failure::failed("the checkpoint has no size"))?;
    log.insert("checkpoint".to_owned(), note);
    for path in paths(size).into_iter().chain([manifest.to_owned()]) {
        let bytes = tiles.read(&path).await?.ok_or_else(|| missing(&path))?;
        log.insert(path, bytes);
    }
    Ok(log)
}

/// Every file of a tree of this size: entry bundles and hash tiles of all levels.
fn paths(size: u64) -> Vec<String> {
    let entries = std::iter::once(TileKind::Entries);
    let levels = (0..8).map(TileKind::Hashes);
    let mut paths = Vec::new();
    for kind in entries.chain(levels) {
        let tiles = (0..).map_while(|index| TilePath::in_tree(kind, index, size));
        paths.extend(tiles.map(|tile| tile.to_string()));
    }
    paths
}

/// Rebuilds the log and compares every file.
pub(super) fn check_log(log: &Log, policy: &Policy) -> Result<(), Failure> {
    let note = log.get("checkpoint").cloned().unwrap_or_default();
    let opened = policy.log_policy().open(&parse_note(&note)?)?;
    let load = |path: &str| Ok::<_, std::io::Error>(log.get(path).cloned());
    let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
    let report = quittance_tlog::fsck(size, &root, load, |_, _| {});
    if let Some(problem) = report.problems.first() {
        return Err(Failure::failed(format!("the log is not clean: {problem}")));
    }
    tell::log_is_clean(size, log.len());
    Ok(())
}

fn parse_note(bytes: &[u8]) -> Result<Note, Failure> {
    Note::parse(bytes).map_err(|error| Failure::failed(format!("the checkpoint: {error}")))
}

/// Writes everything into a directory.
pub(super) fn write(
    out: &Path,
    company: &Company,
    receipts: &Receipts,
    policy: &str,
    log: &Log,
) -> Result<(), Failure> {
    put(&out.join("policy"), policy.as_bytes())?;
    put(
        &out.join("log.vkey"),
        format!("{}\n", company.signer.log_vkey()).as_bytes(),
    )?;
    put(
        &out.join("signer.pem"),
        company.signer.statement_key_pem().as_bytes(),
    )?;
    for (name, file) in receipts {
        put(&out.join("receipts").join(name), file)?;
    }
    for (path, file) in log {
        put(&out.join("log").join(path), file)?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}
