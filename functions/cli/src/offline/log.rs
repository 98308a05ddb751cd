//! Reading a log's directory: every file compared with its entries, and the manifests beside the tiles.
//!
//! What is wrong with the directory's files is told, never an end. Whether the manifests account for
//! every request is [`super::audit`]'s.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use quittance_core::audit::{Account, Finding};
use quittance_core::receipt::{MAX_FILE_BYTES as MAX_RECEIPT_BYTES, Policy};
use quittance_tlog::note::MAX_NOTE_BYTES;
use quittance_tlog::tile::MAX_FILE_BYTES;
use quittance_tlog::{
    Checkpoint, FsckReport, Hash, Note, Opened, Problem, ProblemKind, fsck, fsck_directory,
    leaf_hash,
};

use super::bounded;
use super::web::Web;
use crate::printing::Failure;

/// A log as it was rebuilt.
#[derive(Debug, Default)]
pub(crate) struct Rebuilt {
    /// What is wrong with checkpoint and tiles.
    pub(crate) problems: Vec<Problem>,
    /// How many entries the checkpoint names.
    pub(crate) size: u64,
    /// Its root.
    pub(crate) root: String,
    /// The log's name.
    pub(crate) origin: String,
    /// How many files were compared.
    pub(crate) files: u64,
    /// The hashes of the entries.
    pub(crate) leaves: Vec<Hash>,
    /// The manifests, or what is wrong with them.
    pub(crate) accounts: Vec<Result<Account, Finding>>,
}

/// Fails unless this is a directory.
pub(crate) fn require(dir: &Path) -> Result<(), Failure> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Failure::failed(format!(
            "{} is not a directory",
            dir.display()
        ))),
        Err(error) => Err(super::unreadable(dir, &error)),
    }
}

/// Rebuilds the log from its entries and compares every file.
pub(crate) fn rebuild(dir: &Path, policy: &Policy) -> Rebuilt {
    let read = |path: &str, longest| load(dir, path, longest);
    let (mut rebuilt, opened) = begin(read, policy);
    let Some(opened) = opened else {
        return rebuilt;
    };
    let mut files = BTreeSet::new();
    list(dir, "", &mut files, &mut rebuilt.problems);
    let manifests = take_manifests(&mut files);
    let read = |path: &str| load(dir, path, MAX_FILE_BYTES);
    let checkpoint = &opened.checkpoint;
    let leaves = &mut rebuilt.leaves;
    // What was kept may be older than the log's key.
    let back = policy.looking_back();
    let logs = back.log_policy().logs();
    let report = fsck_directory(checkpoint, logs, &files, read, |_, entry| {
        leaves.push(leaf_hash(entry));
    });
    rebuilt.finish(checkpoint, report);
    for path in manifests {
        let name = path.strip_prefix(MANIFESTS).unwrap_or(&path);
        match load(dir, &path, MAX_RECEIPT_BYTES) {
            Ok(bytes) => {
                rebuilt.files += 1;
                let bytes = bytes.unwrap_or_default();
                let read = Account::read(name, &bytes, policy, &rebuilt.leaves);
                rebuilt.accounts.push(read);
            }
            Err(error) => rebuilt.problems.push(Problem {
                path,
                kind: ProblemKind::Unreadable,
                explanation: format!("cannot be read: {error}"),
            }),
        }
    }
    rebuilt
}

/// Rebuilds a log at an address from its entries, and compares every file that belongs to it. What
/// else lies there cannot be listed, so neither strays nor manifests are looked at.
pub(crate) fn rebuild_at(web: &Web, policy: &Policy) -> Rebuilt {
    let (mut rebuilt, opened) = begin(|path, longest| web.load(path, longest), policy);
    let Some(opened) = opened else {
        return rebuilt;
    };
    let checkpoint = &opened.checkpoint;
    let read = |path: &str| web.load(path, MAX_FILE_BYTES);
    let leaves = &mut rebuilt.leaves;
    let report = fsck(checkpoint.size(), &checkpoint.root(), read, |_, entry| {
        leaves.push(leaf_hash(entry));
    });
    rebuilt.finish(checkpoint, report);
    rebuilt
}

/// Opens the published checkpoint, and asks whether enough witnesses saw it.
fn begin(
    read: impl FnOnce(&str, usize) -> Result<Option<Vec<u8>>, String>,
    policy: &Policy,
) -> (Rebuilt, Option<Opened>) {
    let mut rebuilt = Rebuilt::default();
    let opened = match open(read, policy) {
        Ok(opened) => opened,
        Err(problem) => {
            rebuilt.problems.push(problem);
            return (rebuilt, None);
        }
    };
    if !policy.log_policy().is_quorum(&opened) {
        rebuilt.problems.push(Problem {
            path: CHECKPOINT.to_owned(),
            kind: ProblemKind::Quorum,
            explanation: "too few of the policy's witnesses cosigned it".to_owned(),
        });
    }
    (rebuilt, Some(opened))
}

impl Rebuilt {
    fn finish(&mut self, checkpoint: &Checkpoint, report: FsckReport) {
        self.size = checkpoint.size();
        self.root = checkpoint.root().to_string();
        checkpoint.origin().clone_into(&mut self.origin);
        self.files = report.files;
        self.problems.extend(report.problems);
    }
}

/// Takes the manifests out of the list of files: the tree does not know of them.
fn take_manifests(files: &mut BTreeSet<String>) -> BTreeSet<String> {
    let (manifests, others) = std::mem::take(files)
        .into_iter()
        .partition(|path| path.starts_with(MANIFESTS));
    *files = others;
    manifests
}

/// Opens the published checkpoint, which everything else is judged by.
fn open(
    read: impl FnOnce(&str, usize) -> Result<Option<Vec<u8>>, String>,
    policy: &Policy,
) -> Result<Opened, Problem> {
    let problem = |kind, explanation: String| Problem {
        path: CHECKPOINT.to_owned(),
        kind,
        explanation,
    };
    let bytes = match read(CHECKPOINT, MAX_NOTE_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(problem(ProblemKind::Missing, "missing".to_owned())),
        Err(error) => {
            let told = format!("cannot be read: {error}");
            return Err(problem(ProblemKind::Unreadable, told));
        }
    };
    let note =
        Note::parse(&bytes).map_err(|error| problem(ProblemKind::Malformed, error.to_string()))?;
    let opened = policy.log_policy().open(&note);
    opened.map_err(|error| problem(ProblemKind::Signature, error.to_string()))
}

/// Reads a file of the directory. What is not a plain file could keep us waiting for ever.
pub(crate) fn load(dir: &Path, path: &str, longest: usize) -> Result<Option<Vec<u8>>, String> {
    let place = dir.join(path);
    match fs::metadata(&place) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err("it is not a plain file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let bytes = bounded(&place, longest).map_err(|error| error.to_string())?;
    if bytes.len() > longest {
        return Err(format!("it is longer than {longest} bytes"));
    }
    Ok(Some(bytes))
}

/// Lists every file below a directory, by its path from the top. Links are not followed: they are read
/// as the files that they stand for.
pub(crate) fn list(
    dir: &Path,
    below: &str,
    files: &mut BTreeSet<String>,
    problems: &mut Vec<Problem>,
) {
    let unreadable = |path: &str, error: &std::io::Error| Problem {
        path: path.to_owned(),
        kind: ProblemKind::Unreadable,
        explanation: format!("cannot be read: {error}"),
    };
    let entries = match fs::read_dir(dir.join(below)) {
        Ok(entries) => entries,
        Err(error) => return problems.push(unreadable(below, &error)),
    };
    for entry in entries {
        let found = entry.and_then(|entry| Ok((entry.file_type()?, entry.file_name())));
        match found {
            Err(error) => problems.push(unreadable(below, &error)),
            Ok((kind, name)) => {
                let name = name.to_string_lossy();
                let path = if below.is_empty() {
                    name.into_owned()
                } else {
                    format!("{below}/{name}")
                };
                if kind.is_dir() {
                    list(dir, &path, files, problems);
                } else {
                    files.insert(path);
                }
            }
        }
    }
}

const CHECKPOINT: &str = "checkpoint";
/// Where the manifests' receipts lie.
pub(crate) const MANIFESTS: &str = "manifests/";
