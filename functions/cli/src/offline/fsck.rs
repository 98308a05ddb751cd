//! `dsr fsck`: every file of a log, in a directory or at an address, judged against its entries and
//! checkpoint.
//!
//! Whatever is wrong with the directory's files is a problem that is told, never an end: only a
//! directory or policy that is not there, or is none, is a failure of the command.

use std::process::ExitCode;

use serde::Serialize;

use super::log::{self, MANIFESTS, Rebuilt};
use super::parse_policy;
use super::web::Web;
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
    let address = args.log.to_str().unwrap_or_default();
    let rebuilt = if let Some(web) = Web::at(address)? {
        log::rebuild_at(&web, &policy)
    } else {
        log::require(&args.log)?;
        log::rebuild(&args.log, &policy)
    };
    let judged = judge(rebuilt);
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

fn judge(rebuilt: Rebuilt) -> Judged {
    let problems = rebuilt.problems.into_iter().map(|problem| Told {
        path: problem.path,
        kind: problem.kind.code(),
        explanation: problem.explanation,
    });
    let manifests = rebuilt.accounts.iter().filter_map(|read| {
        let finding = read.as_ref().err()?;
        Some(Told {
            path: format!("{MANIFESTS}{}", finding.file.as_deref().unwrap_or_default()),
            kind: finding.kind.code(),
            explanation: finding.explanation.clone(),
        })
    });
    let problems: Vec<Told> = problems.chain(manifests).collect();
    Judged {
        ok: problems.is_empty(),
        size: rebuilt.size,
        root: rebuilt.root,
        files: rebuilt.files,
        problems,
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
