//! What needs no network: verifying receipts, rebuilding logs, checking data maps.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use quittance_core::data_map::{DataMap, Problem};
use quittance_core::receipt::{
    CheckVerdict, MAX_FILE_BYTES, Policy, ReceiptFile, Report, verify as verify_receipt,
};
use quittance_tlog::{Checkpoint, Note};
use serde::Serialize;

use crate::args::{DataMapArgs, DataMapCommand, FsckArgs, VerifyArgs};
use crate::printing::{Failure, data, json, verification_failed};

/// `dsr verify`.
pub(crate) fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let length = fs::metadata(&args.file)
        .map_err(|error| unreadable(&args.file, &error))?
        .len();
    if usize::try_from(length).map_or(true, |length| length > MAX_FILE_BYTES) {
        return Err(Failure::failed(format!(
            "{} is larger than a receipt can be ({MAX_FILE_BYTES} bytes)",
            args.file.display()
        )));
    }
    let bytes = read(&args.file)?;
    let policy = match &args.policy {
        Some(path) => parse_policy(path)?,
        None => ReceiptFile::parse(&bytes)
            .ok()
            .and_then(|file| file.embedded_policy().ok())
            .ok_or_else(|| Failure::failed("this is not a receipt: it holds no usable keys"))?,
    };
    let report = verify_receipt(&bytes, &policy);
    if args.json {
        json(&report);
    } else {
        for line in render(&report) {
            data(&line);
        }
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        verification_failed()
    })
}

/// Writes a report for people.
pub(crate) fn render(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report
        .checks
        .iter()
        .map(|check| {
            let mark = match check.verdict {
                CheckVerdict::Ok => "ok     ",
                CheckVerdict::Failed => "FAILED ",
                CheckVerdict::NotRun => "not run",
            };
            format!("{mark}  {:<14} {}", check.name.code(), check.explanation)
        })
        .collect();
    lines.push(String::new());
    lines.push(match &report.summary {
        Some(summary) => format!(
            "verified: {} of {} by {}, {}, entry {} of {}",
            summary.kind.name(),
            summary.reference.as_deref().unwrap_or("a day"),
            summary.controller,
            summary
                .outcome
                .map_or("accepted", quittance_core::request::Outcome::name),
            summary.leaf_index,
            summary.log,
        ),
        None => "NOT verified: do not believe this file".to_owned(),
    });
    lines
}

#[derive(Serialize)]
struct Fsck {
    ok: bool,
    size: u64,
    root: String,
    files: u64,
    problems: Vec<String>,
}

/// `dsr fsck`.
pub(crate) fn fsck(args: &FsckArgs) -> Result<ExitCode, Failure> {
    let policy = parse_policy(&args.policy)?;
    let note = read(&args.dir.join("checkpoint"))?;
    let opened = Note::parse(&note)
        .map_err(|error| error.to_string())
        .and_then(|note| {
            policy
                .log_policy()
                .open(&note)
                .map_err(|error| error.to_string())
        });
    let checkpoint = match opened {
        Ok(opened) => opened.checkpoint,
        Err(error) => {
            let problems = vec![format!("checkpoint: {error}")];
            return Ok(report_fsck(args, None, 0, problems));
        }
    };
    let load = |path: &str| match fs::read(args.dir.join(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&args.dir.join(path), &error)),
    };
    let size = checkpoint.size();
    let report = quittance_tlog::fsck(size, &checkpoint.root(), load, |_, _| {})?;
    let problems = report.problems.iter().map(tell_problem).collect();
    Ok(report_fsck(args, Some(&checkpoint), report.files, problems))
}

fn tell_problem(problem: &quittance_tlog::Problem) -> String {
    format!("{}: {}", problem.path, problem.kind.code())
}

fn report_fsck(
    args: &FsckArgs,
    checkpoint: Option<&Checkpoint>,
    files: u64,
    problems: Vec<String>,
) -> ExitCode {
    let fsck = Fsck {
        ok: problems.is_empty(),
        size: checkpoint.map_or(0, Checkpoint::size),
        root: checkpoint
            .map(|checkpoint| checkpoint.root().to_string())
            .unwrap_or_default(),
        files,
        problems,
    };
    if args.json {
        json(&fsck);
    } else {
        for problem in &fsck.problems {
            data(&format!("FAILED   {problem}"));
        }
        data(&if fsck.ok {
            format!(
                "clean: {} entries, {} files, root {}",
                fsck.size, fsck.files, fsck.root
            )
        } else {
            format!("NOT clean: {} problem(s)", fsck.problems.len())
        });
    }
    if fsck.ok {
        ExitCode::SUCCESS
    } else {
        verification_failed()
    }
}

#[derive(Serialize)]
struct Checked {
    ok: bool,
    digest: Option<String>,
    stores: usize,
    problems: Vec<Found>,
    warnings: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    line: usize,
    column: usize,
    path: String,
    message: String,
}

/// `dsr data-map`.
pub(crate) fn data_map(args: &DataMapArgs) -> Result<ExitCode, Failure> {
    let DataMapCommand::Check {
        file,
        json: as_json,
    } = &args.command;
    let bytes = read(file)?;
    let checked = match DataMap::parse_bytes(&bytes) {
        Ok(map) => Checked {
            ok: true,
            digest: Some(map.digest().to_string()),
            stores: map.stores.len(),
            problems: Vec::new(),
            warnings: map.warnings().iter().map(found).collect(),
        },
        Err(problems) => Checked {
            ok: false,
            digest: None,
            stores: 0,
            problems: problems.0.iter().map(found).collect(),
            warnings: Vec::new(),
        },
    };
    if *as_json {
        json(&checked);
    } else {
        let name = file.display();
        for problem in &checked.problems {
            data(&format!(
                "{name}: line {}: {}: {}",
                problem.line, problem.path, problem.message
            ));
        }
        for warning in &checked.warnings {
            let Found {
                line,
                path,
                message,
                ..
            } = warning;
            data(&format!("{name}: warning: line {line}: {path}: {message}"));
        }
        data(&match &checked.digest {
            Some(digest) => format!("{name}: {} stores, digest {digest}", checked.stores),
            None => format!("{name}: {} problem(s)", checked.problems.len()),
        });
    }
    Ok(if checked.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn found(problem: &Problem) -> Found {
    Found {
        line: problem.line,
        column: problem.column,
        path: problem.path.clone(),
        message: problem.message.clone(),
    }
}

/// Reads and parses a policy file.
pub(crate) fn parse_policy(path: &Path) -> Result<Policy, Failure> {
    let text = String::from_utf8(read(path)?)
        .map_err(|_| Failure::failed(format!("{} is not UTF-8 text", path.display())))?;
    Policy::parse(&text).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

/// Says that a file cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot read {}: {error}", path.display());
    if error.kind() == std::io::ErrorKind::NotFound {
        Failure::not_found(message)
    } else {
        Failure::failed(message)
    }
}
