//! What the demo leaves behind: receipts, policy, keys, and the whole public log.

use std::fs;
use std::path::Path;

use quittance_core::receipt::Policy;
use quittance_tlog::Note;

use super::tell;
use crate::company::Company;
use crate::evidence::{Files, put};
use crate::printing::Failure;

/// Makes the directory, before the work that is to be left there; refuses one that holds something
/// already, or cannot be written.
pub(crate) fn claim(out: &Path) -> Result<(), Failure> {
    if out.exists() && (!out.is_dir() || fs::read_dir(out)?.next().is_some()) {
        return Err(Failure::conflict(format!(
            "{} is not an empty directory: choose another --out",
            out.display()
        )));
    }
    let probe = out.join(".probe");
    put(&probe, b"")?;
    Ok(fs::remove_file(probe)?)
}

/// Rebuilds the log and compares every file.
pub(super) fn check_log(log: &Files, policy: &Policy) -> Result<(), Failure> {
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
    receipts: &Files,
    policy: &str,
    log: &Files,
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
