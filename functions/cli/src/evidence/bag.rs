//! `dsr evidence verify`: a bag against its own lists, against the log inside it, and its time stamps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use quittance_core::audit::Period;
use quittance_core::digest::Digest;
use quittance_core::receipt::{
    Anchors, MAX_TIMESTAMP_BYTES, ReceiptFile, timestamp_name, verify_timestamp,
};
use serde::Serialize;

use super::Files;
use crate::offline::audit::{self, judge};
use crate::offline::{log, parse_policy, read_anchors, unreadable};
use crate::printing::{Failure, data, json, verification_failed};

/// What became of the time stamps in a bag.
#[derive(Debug, Default, Serialize)]
struct Timestamps {
    /// How many there are.
    count: usize,
    /// Whether somebody said which authorities they trust; without that, nothing can be judged.
    judged: bool,
    /// By name, why it is not believed.
    failed: BTreeMap<String, String>,
}

pub(super) fn verify(
    bag: &Path,
    policy: &Path,
    anchors: Option<&Path>,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let policy = parse_policy(policy)?;
    let anchors = anchors.map(read_anchors).transpose()?;
    log::require(bag)?;
    let changed = changed(bag)?;
    let payload = bag.join("data");
    log::require(&payload.join("log"))?;
    let rebuilt = log::rebuild(&payload.join("log"), &policy);
    let receipts = audit::read_receipts(&payload.join("receipts"))?;
    let told = judge(rebuilt, &receipts, &policy, Period::default());
    let mut signed = receipts;
    let manifests = payload.join("log/manifests");
    if manifests.exists() {
        signed.extend(audit::read_receipts(&manifests)?);
    }
    let timestamps = timestamps(&payload.join("timestamps"), &signed, anchors.as_ref())?;
    let as_packed = changed.is_empty();
    if as_json {
        json(&serde_json::json!({
            "ok": told.audit.ok && as_packed && timestamps.failed.is_empty(),
            "changed": changed,
            "timestamps": timestamps,
            "audit": told,
        }));
    } else {
        for (path, why) in &changed {
            data(&format!("FAILED   {path}: {why}"));
        }
        audit::tell(&told);
        tell(&timestamps);
        data(if as_packed {
            "the bag is as it was packed"
        } else {
            "the bag is NOT as it was packed"
        });
    }
    Ok(if as_packed && timestamps.failed.is_empty() {
        audit::code(&told.audit)
    } else {
        verification_failed()
    })
}

/// Judges every time stamp about the receipt or manifest that it is named after.
fn timestamps(
    dir: &Path,
    signed: &Files,
    anchors: Option<&Anchors>,
) -> Result<Timestamps, Failure> {
    let mut told = Timestamps {
        judged: anchors.is_some(),
        ..Timestamps::default()
    };
    if !dir.exists() {
        return Ok(told);
    }
    let named: BTreeMap<String, &Vec<u8>> = signed
        .iter()
        .filter_map(|(name, bytes)| Some((timestamp_name(name)?, bytes)))
        .collect();
    for entry in std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        told.count += 1;
        let problem = match (named.get(&name), anchors) {
            (None, _) => Some("it is about no receipt of this bag".to_owned()),
            (Some(_), None) => None,
            (Some(receipt), Some(anchors)) => problem(dir, &name, receipt, anchors),
        };
        told.failed.extend(problem.map(|problem| (name, problem)));
    }
    Ok(told)
}

/// Says why a time stamp is not believed.
fn problem(dir: &Path, name: &str, receipt: &[u8], anchors: &Anchors) -> Option<String> {
    let stamp = match log::load(dir, name, MAX_TIMESTAMP_BYTES) {
        Ok(stamp) => stamp.unwrap_or_default(),
        Err(error) => return Some(error),
    };
    match ReceiptFile::parse(receipt) {
        Ok(receipt) => verify_timestamp(&receipt, &stamp, anchors)
            .err()
            .map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

fn tell(timestamps: &Timestamps) {
    for (name, why) in &timestamps.failed {
        data(&format!("FAILED   timestamps/{name}: {why}"));
    }
    match (timestamps.count, timestamps.judged) {
        (0, _) => {}
        (count, false) => data(&format!(
            "time stamps: {count}, not judged: give --anchors with the certificates that you trust"
        )),
        (count, true) => data(&format!(
            "time stamps: {} of {count} hold",
            count - timestamps.failed.len()
        )),
    }
}

/// Compares every file with the bag's lists, both ways.
fn changed(bag: &Path) -> Result<BTreeMap<String, &'static str>, Failure> {
    let mut changed = BTreeMap::new();
    let mut present = BTreeSet::new();
    let mut unread = Vec::new();
    log::list(bag, "", &mut present, &mut unread);
    for problem in unread {
        changed.insert(problem.path, "cannot be read");
    }
    for list in ["tagmanifest-sha256.txt", "manifest-sha256.txt"] {
        present.remove(list);
        let text = std::fs::read_to_string(bag.join(list))
            .map_err(|error| unreadable(&bag.join(list), &error))?;
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
