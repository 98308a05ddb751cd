//! What needs no network: verifying receipts, rebuilding and auditing logs, checking data maps.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use quittance_core::data_map::{DataMap, Problem};
use quittance_core::receipt::{
    Anchors, CheckVerdict, MAX_FILE_BYTES, MAX_TIMESTAMP_BYTES, Policy, ReceiptFile, Report,
    SigstoreBundle, Stamped, Summary, TimestampError, Trust, verify as verify_receipt,
    verify_embedded, verify_timestamp,
};
use quittance_tlog::policy::MAX_POLICY_BYTES;
use serde::Serialize;

use crate::args::{BundleArgs, VerifyArgs};
use crate::printing::{Failure, data, json, verification_failed};

pub(crate) mod audit;
mod fsck;
pub(crate) mod log;
mod open;
mod web;

pub(crate) use self::audit::audit;
pub(crate) use self::fsck::fsck;
pub(crate) use self::open::open;

/// `dsr verify`.
pub(crate) fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    // A byte more than the longest receipt, so that a longer file is seen to be longer.
    let bytes = read(&args.file, MAX_FILE_BYTES)?;
    let report = match &args.policy {
        Some(path) => verify_receipt(&bytes, &parse_policy(path)?),
        None => verify_embedded(&bytes),
    };
    let stamped = match (&args.timestamp, &args.anchors) {
        (Some(stamp), Some(anchors)) if report.ok => Some(stamped(&bytes, stamp, anchors)?),
        _ => None,
    };
    let ok = report.ok && stamped.as_ref().is_none_or(Result::is_ok);
    if args.json {
        let timestamp = stamped.as_ref().map(Stamp::of);
        json(&Judged {
            report: Report { ok, ..report },
            timestamp,
        });
    } else {
        for line in render(&report) {
            data(&line);
        }
        match &stamped {
            Some(Ok(stamped)) => data(&format!(
                "time stamp: its signature existed at {}, says {}",
                stamped.at, stamped.authority
            )),
            Some(Err(error)) => data(&format!("time stamp: FAILED: {error}")),
            None => {}
        }
    }
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        verification_failed()
    })
}

/// What `dsr verify --json` prints: the report, and what became of a time stamp that was given. `ok` says that
/// both hold.
#[derive(Serialize)]
struct Judged {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Stamp>,
}

#[derive(Serialize)]
struct Stamp {
    ok: bool,
    at: Option<String>,
    authority: Option<String>,
    problem: Option<String>,
}

impl Stamp {
    fn of(stamped: &Result<Stamped, TimestampError>) -> Self {
        let at = stamped.as_ref().ok();
        Self {
            ok: at.is_some(),
            at: at.map(|stamped| stamped.at.to_string()),
            authority: at.map(|stamped| stamped.authority.clone()),
            problem: stamped.as_ref().err().map(ToString::to_string),
        }
    }
}

/// Judges a time stamp about a receipt that verified.
fn stamped(
    receipt: &[u8],
    stamp: &Path,
    anchors: &Path,
) -> Result<Result<Stamped, TimestampError>, Failure> {
    let stamp = read(stamp, MAX_TIMESTAMP_BYTES)?;
    let anchors = read_anchors(anchors)?;
    let file = ReceiptFile::parse(receipt)?;
    Ok(verify_timestamp(&file, &stamp, &anchors))
}

/// Reads the certificates of the time-stamping authorities that somebody trusts.
pub(crate) fn read_anchors(path: &Path) -> Result<Anchors, Failure> {
    let pem = read(path, MAX_POLICY_BYTES)?;
    let pem = String::from_utf8(pem)
        .map_err(|_| Failure::failed("the certificates are not PEM: give text files"))?;
    Ok(Anchors::parse(&pem)?)
}

/// `dsr bundle`.
pub(crate) fn bundle(args: &BundleArgs) -> Result<ExitCode, Failure> {
    let bytes = read(&args.file, MAX_FILE_BYTES)?;
    let file = ReceiptFile::parse(&bytes)?;
    let made = SigstoreBundle::of(&file)
        .ok_or_else(|| Failure::failed("the receipt's parts cannot be read: verify it first"))?;
    let made = match &args.timestamp {
        None => made,
        Some(path) => made
            .stamped(&read(path, MAX_TIMESTAMP_BYTES)?)
            .ok_or_else(|| Failure::failed("the bundle takes no time stamp"))?,
    };
    crate::evidence::put(&args.bundle, made.bundle.as_bytes())?;
    crate::evidence::put(&args.artifact, &made.artifact)?;
    Ok(ExitCode::SUCCESS)
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
    lines.push(match (&report.summary, report.trust) {
        (Some(summary), Trust::Policy) => format!("verified: {}", in_words(summary)),
        (Some(summary), Trust::Embedded) => format!(
            "self-consistent only: nobody you named vouches for it; it says: {}",
            in_words(summary)
        ),
        (None, Trust::Policy | Trust::Embedded) => {
            "NOT verified: do not believe this file".to_owned()
        }
    });
    lines
}

fn in_words(summary: &Summary) -> String {
    format!(
        "{} of {} by {}, {}, entry {} of {}",
        summary.kind.name(),
        summary.reference.as_deref().unwrap_or("a day"),
        summary.controller,
        summary
            .outcome
            .map_or("accepted", quittance_core::request::Outcome::name),
        summary.leaf_index,
        summary.log,
    )
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

/// Reads a data map that must be right.
pub(crate) fn data_map_in(file: &Path) -> Result<DataMap, Failure> {
    let bytes = read(file, MAX_DATA_MAP_BYTES)?;
    Ok(DataMap::parse_bytes(&bytes)?)
}

/// `dsr data-map check`.
pub(crate) fn check(file: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let bytes = read(file, MAX_DATA_MAP_BYTES)?;
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
    if as_json {
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
    let text = String::from_utf8(read(path, MAX_POLICY_BYTES)?)
        .map_err(|_| Failure::failed(format!("{} is not UTF-8 text", path.display())))?;
    Policy::parse(&text).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// Reads a file, but no further than a byte beyond the longest that can be right.
pub(crate) fn read(path: &Path, longest: usize) -> Result<Vec<u8>, Failure> {
    bounded(path, longest).map_err(|error| unreadable(path, &error))
}

fn bounded(path: &Path, longest: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(longest).unwrap_or(u64::MAX);
    fs::File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
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

/// The longest data map that is read.
const MAX_DATA_MAP_BYTES: usize = 16 * 1024 * 1024;
