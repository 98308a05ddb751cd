//! `dsr fsck`: every file of a log's directory, judged against its entries and checkpoint.
//!
//! Whatever is wrong with the directory's files is a problem that is told, never an end: only a
//! directory or policy that is not there, or is none, is a failure of the command.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use quittance_core::receipt::Policy;
use quittance_tlog::note::MAX_NOTE_BYTES;
use quittance_tlog::tile::MAX_FILE_BYTES;
use quittance_tlog::{Note, Opened, Problem, ProblemKind, fsck_directory};
use serde::Serialize;

use super::{bounded, parse_policy};
use crate::args::FsckArgs;
use crate::printing::{Failure, data, json, verification_failed};

#[derive(Serialize)]
struct Judged {
    ok: bool,
    size: u64,
    root: String,
    files: u64,
    problems: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    path: String,
    kind: &'static str,
    explanation: String,
}

/// `dsr fsck`.
pub(crate) fn fsck(args: &FsckArgs) -> Result<ExitCode, Failure> {
    let policy = parse_policy(&args.policy)?;
    let name = args.dir.display();
    match fs::metadata(&args.dir) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(Failure::failed(format!("{name} is not a directory"))),
        Err(error) => return Err(super::unreadable(&args.dir, &error)),
    }
    let judged = judge(&args.dir, &policy);
    if args.json {
        json(&judged);
    } else {
        tell(&judged);
    }
    Ok(if judged.ok {
        ExitCode::SUCCESS
    } else {
        verification_failed()
    })
}

fn judge(dir: &Path, policy: &Policy) -> Judged {
    let mut problems = Vec::new();
    let mut judged = Judged {
        ok: false,
        size: 0,
        root: String::new(),
        files: 0,
        problems: Vec::new(),
    };
    match open(dir, policy) {
        Err(problem) => problems.push(problem),
        Ok(opened) => {
            if !policy.log_policy().is_quorum(&opened) {
                problems.push(Problem {
                    path: CHECKPOINT.to_owned(),
                    kind: ProblemKind::Quorum,
                    explanation: "too few of the policy's witnesses cosigned it".to_owned(),
                });
            }
            let mut files = BTreeSet::new();
            list(dir, "", &mut files, &mut problems);
            let read = |path: &str| load(dir, path, MAX_FILE_BYTES);
            let checkpoint = &opened.checkpoint;
            let report = fsck_directory(checkpoint, &opened.log, &files, read, |_, _| {});
            judged.size = checkpoint.size();
            judged.root = checkpoint.root().to_string();
            judged.files = report.files;
            problems.extend(report.problems);
        }
    }
    judged.ok = problems.is_empty();
    judged.problems = problems
        .into_iter()
        .map(|problem| Told {
            path: problem.path,
            kind: problem.kind.code(),
            explanation: problem.explanation,
        })
        .collect();
    judged
}

/// Opens the published checkpoint, which everything else is judged by.
fn open(dir: &Path, policy: &Policy) -> Result<Opened, Problem> {
    let problem = |kind, explanation: String| Problem {
        path: CHECKPOINT.to_owned(),
        kind,
        explanation,
    };
    let bytes = match load(dir, CHECKPOINT, MAX_NOTE_BYTES) {
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
fn load(dir: &Path, path: &str, longest: usize) -> Result<Option<Vec<u8>>, String> {
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
fn list(dir: &Path, below: &str, files: &mut BTreeSet<String>, problems: &mut Vec<Problem>) {
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

fn tell(judged: &Judged) {
    for Told {
        path, explanation, ..
    } in &judged.problems
    {
        data(&format!("FAILED   {path}: {explanation}"));
    }
    data(&if judged.ok {
        format!(
            "clean: {} entries, {} files, root {}",
            judged.size, judged.files, judged.root
        )
    } else {
        format!("NOT clean: {} problem(s)", judged.problems.len())
    });
}

const CHECKPOINT: &str = "checkpoint";
