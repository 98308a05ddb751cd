//! `dsr audit`: is every request accounted for, and was it answered in time, from the public log alone.
//!
//! The whole log is rebuilt first: an account of a log that is not clean is worth nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use quittance_core::audit::{Audit, Auditor, Figures, Finding, FindingKind, Period};
use quittance_core::receipt::{MAX_FILE_BYTES, Policy};
use serde::Serialize;

use super::log::{self, Rebuilt};
use super::parse_policy;
use crate::args::AuditArgs;
use crate::printing::{Failure, data, json, partly, verification_failed};

#[derive(Serialize)]
pub(crate) struct Told {
    log: String,
    entries: u64,
    receipts: u64,
    /// What is wrong with the log's own files.
    problems: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(crate) audit: Audit,
}

/// `dsr audit`.
pub(crate) fn audit(args: &AuditArgs) -> Result<ExitCode, Failure> {
    let policy = parse_policy(&args.policy)?;
    log::require(&args.dir)?;
    let rebuilt = log::rebuild(&args.dir, &policy);
    let receipts = match &args.receipts {
        Some(dir) => read_receipts(dir)?,
        None => BTreeMap::new(),
    };
    let period = Period {
        from: args.from,
        to: args.to,
    };
    let told = judge(rebuilt, &receipts, &policy, period);
    if args.json {
        json(&told);
    } else {
        tell(&told);
    }
    Ok(code(&told.audit))
}

/// The exit code that says what an audit came to.
pub(crate) fn code(audit: &Audit) -> ExitCode {
    match (audit.ok, audit.on_time) {
        (false, _) => verification_failed(),
        (true, false) => partly(),
        (true, true) => ExitCode::SUCCESS,
    }
}

/// Judges a rebuilt log, its manifests, and receipts beside it.
pub(crate) fn judge(
    rebuilt: Rebuilt,
    receipts: &BTreeMap<String, Vec<u8>>,
    policy: &Policy,
    period: Period,
) -> Told {
    let (accounts, forged): (Vec<_>, Vec<_>) =
        rebuilt.accounts.into_iter().partition(Result::is_ok);
    let accounts = accounts.into_iter().flatten().collect();
    let mut auditor = Auditor::follow(accounts, &rebuilt.leaves, &rebuilt.origin);
    for finding in forged.into_iter().filter_map(Result::err) {
        auditor.note(finding);
    }
    for (name, bytes) in receipts {
        auditor.compare_file(name, bytes, policy, &rebuilt.leaves);
    }
    let mut audit = auditor.finish(period);
    audit.ok = audit.ok && rebuilt.problems.is_empty();
    Told {
        log: rebuilt.origin,
        entries: rebuilt.size,
        receipts: u64::try_from(receipts.len()).unwrap_or(u64::MAX),
        problems: rebuilt
            .problems
            .into_iter()
            .map(|problem| (problem.path, problem.explanation))
            .collect(),
        audit,
    }
}

/// Reads every receipt of a directory.
pub(crate) fn read_receipts(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut receipts = BTreeMap::new();
    let entries = std::fs::read_dir(dir).map_err(|error| super::unreadable(dir, &error))?;
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".receipt.json") {
            let bytes = log::load(dir, &name, MAX_FILE_BYTES).map_err(|error| {
                Failure::failed(format!("{}: {error}", dir.join(&name).display()))
            })?;
            receipts.insert(name, bytes.unwrap_or_default());
        }
    }
    Ok(receipts)
}

pub(crate) fn tell(told: &Told) {
    let audit = &told.audit;
    for (path, explanation) in &told.problems {
        data(&format!("FAILED   log {path}: {explanation}"));
    }
    for finding in &audit.findings {
        data(&line(finding));
    }
    let day = |day: Option<quittance_core::receipt::Day>| {
        day.map_or_else(|| "-".to_owned(), |day| day.to_string())
    };
    data(&format!(
        "accepted from {} to {}, as of the end of {}; {} manifests account for {} of {} entries",
        day(audit.from),
        day(audit.to),
        day(audit.as_of),
        audit.manifests,
        audit.accounted,
        told.entries
    ));
    data(
        "            received  in whole  in part  denied  withdrawn  open  overdue  in time  late  on time  median days  mean days",
    );
    for (name, figures) in audit.by_right.iter().chain([(&"all", &audit.all)]) {
        data(&row(name, figures));
    }
    let reasons = audit.all.denied_by_reason.iter();
    for (reason, count) in reasons {
        data(&format!("denied, {reason}: {count}"));
    }
    data(match (audit.ok, audit.on_time) {
        (false, _) => "NOT accounted for: do not believe these figures",
        (true, false) => "accounted for, and not everything was in time",
        (true, true) => "accounted for: every request has its outcome, or is open and not overdue",
    });
}

fn line(finding: &Finding) -> String {
    let mark = match finding.kind {
        FindingKind::Gap | FindingKind::Late | FindingKind::Overdue => "missed ",
        FindingKind::Chain
        | FindingKind::Contradiction
        | FindingKind::Forged
        | FindingKind::Missing
        | FindingKind::Open
        | FindingKind::Receipt
        | FindingKind::Root
        | FindingKind::Unaccounted => "FAILED ",
    };
    let file = finding.file.as_ref();
    let file = file.map_or_else(String::new, |file| format!(" {file}:"));
    let entry = finding.leaf_index;
    let entry = entry.map_or_else(String::new, |index| format!(" entry {index}:"));
    let (kind, told) = (finding.kind.code(), &finding.explanation);
    format!("{mark}  {kind:<13}{file}{entry} {told}")
}

fn row(name: &str, figures: &Figures) -> String {
    let tenths = |value: Option<u64>| {
        value.map_or_else(|| "-".to_owned(), |n| format!("{}.{}", n / 10, n % 10))
    };
    let on_time = tenths(figures.on_time_permille);
    format!(
        "{name:<10}  {:>8}  {:>8}  {:>7}  {:>6}  {:>9}  {:>4}  {:>7}  {:>7}  {:>4}  {:>6}%  {:>11}  {:>9}",
        figures.received,
        figures.completed,
        figures.partial,
        figures.denied,
        figures.revoked,
        figures.open,
        figures.overdue,
        figures.in_time,
        figures.late,
        on_time,
        tenths(figures.median_tenths),
        tenths(figures.mean_tenths),
    )
}
