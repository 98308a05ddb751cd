//! What the demo says: calmly, on a terminal and in a log.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::ProgressBar;
use quittance_core::receipt::CheckLine;
use quittance_core::task::{Task, TaskStage};
use quittance_engine::reading;

use super::ask::{Ask, Asked};
use crate::company::Company;
use crate::evidence::Files;
use crate::printing::{Failure, data};
use crate::shop::Days;

pub(super) fn opening() {
    data("Quittance: data-subject requests, carried out and proven.");
    data("");
    data("A music shop (59 customers in 24 countries) keeps its data in DynamoDB, S3, a data");
    data(
        "lake and a sales system outside AWS. Six people ask for a copy, for deletion, or for an end",
    );
    data("of the sale of their data. Everything runs in this process; no AWS account is used.");
}

pub(super) fn started(company: &Company) {
    data("");
    data(&format!("Request API    http://{}", company.api));
    data(&format!(
        "AWS endpoint   {}  (S3, DynamoDB, SQS, KMS)",
        company.aws_endpoint()
    ));
}

pub(super) fn lake(events: u64) {
    data(&format!(
        "The lake         {events} listening events of all customers, in {} objects",
        Days::DEMO.0
    ));
}

pub(super) fn gone(before: u64, after: u64) {
    data(&format!(
        "   Of {before} events in the lake, {after} are left, each as it was."
    ));
}

pub(super) fn people(asks: &[Ask]) {
    data("");
    data("1. People ask, over HTTP. Copies and deletions need a code from their mailbox.");
    for ask in asks {
        let wish = match ask.right {
            quittance_core::request::Right::Access => "a copy of their data",
            quittance_core::request::Right::Deletion => "deletion",
            quittance_core::request::Right::OptOut => "no more sale or sharing",
        };
        data(&format!(
            "   {:<22} {:<15} {wish}",
            ask.customer.name, ask.customer.country
        ));
    }
}

pub(super) fn following() {
    data("");
    data("2. Locate everything, open the gate, act, look again, seal. One line per step:");
}

/// A step of a request: on the bar of a terminal, or as a line of a log.
pub(super) fn stage(asked: &Asked, stage: &str, _: &ProgressBar) {
    if std::io::stderr().is_terminal() {
        return;
    }
    let (reference, right) = (&asked.reference, asked.right.name());
    data(&format!(
        "   {reference}  {right:<9} {:<22} {stage}",
        asked.customer.name
    ));
}

pub(super) async fn results(company: &Company, asked: &[Asked]) -> Result<(), Failure> {
    data("");
    data("3. What was done, store by store:");
    let ledger = company.adapters.ledger()?;
    for asked in asked {
        data(&format!(
            "   {}  {} for {}",
            asked.reference, asked.right, asked.customer.name
        ));
        for (task, _) in reading::tasks(&ledger, asked.id).await? {
            let name = company
                .map
                .store(&task.store)
                .map_or("?", |store| &store.public_name);
            data(&format!("      {name:<18} {}", told(&task)));
        }
    }
    Ok(())
}

/// One task's outcome in words.
fn told(task: &Task) -> String {
    let outcome = &task.outcome;
    if outcome.attested.is_some() {
        return "attested by a person (outside AWS: we cannot look)".to_owned();
    }
    if let Some(exempt) = &outcome.exempt {
        let until = exempt
            .until
            .map(|until| format!(" until {}", day(&until.to_string())));
        return match exempt.count {
            0 if task.located.is_none() => "not concerned".to_owned(),
            0 => "nothing found".to_owned(),
            count => format!(
                "{count} kept: {}{}",
                exempt.reason,
                until.unwrap_or_default()
            ),
        };
    }
    if task.stage != TaskStage::Done {
        return task.stage.name().to_owned();
    }
    let checked = match &outcome.check {
        Some(check) if task.outcome.exported == 0 => format!(
            ", looked again: {} left",
            check.residual_matches + check.arrived_since
        ),
        Some(_) | None => String::new(),
    };
    let done = [
        (outcome.deleted, "deleted"),
        (outcome.redacted, "masked (not deleted)"),
        (outcome.pseudonymised, "pseudonymised (still personal data)"),
        (outcome.exported, "copied"),
        (outcome.flagged, "flagged"),
    ];
    let done: Vec<String> = done
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if done.is_empty() {
        "nothing found".to_owned()
    } else {
        done.join(", ") + &checked
    }
}

pub(super) fn witnessed(size: u64, witnesses: usize) {
    data("");
    data(&format!(
        "   The log's {size} entries are cosigned by {witnesses} witnesses, and every receipt says so. (Here they are"
    ));
    data("   the company's own; an auditor runs one with `dsr witness`.)");
}

pub(super) fn verified(receipts: &Files) {
    data("");
    data(&format!(
        "4. {} receipts, each verified offline in ten checks:",
        receipts.len()
    ));
    data("   signature, log entry, inclusion proof, checkpoint, policy, canonical form, ...");
    data("   An acceptance and an outcome for every request; no personal data in any of them.");
}

pub(super) fn refused(name: &str, check: &CheckLine) {
    data("");
    data(&format!("5. One letter changed in {name}:"));
    data(&format!(
        "   REFUSED at \"{}\": {}",
        check.name.code(),
        check.explanation
    ));
}

pub(super) fn downloaded(reference: &str, zip: &[u8]) {
    data("");
    data(&format!(
        "6. {reference} downloads the copy, with a fresh code: {} bytes of ZIP.",
        zip.len()
    ));
    let names: BTreeSet<String> = names(zip).into_iter().collect();
    for name in names {
        data(&format!("      {name}"));
    }
}

pub(super) fn others(all: usize, changed: usize) {
    data("");
    data(&format!(
        "7. Nobody else: {changed} of {all} customers' data changed, all of whom asked; the digests"
    ));
    data(&format!(
        "   of the other {} are what they were.",
        all.saturating_sub(changed)
    ));
}

pub(super) fn log_is_clean(size: u64, files: usize) {
    data("");
    data(&format!(
        "8. The log, rebuilt from its {size} entries: every one of {files} files is as it must be."
    ));
}

pub(super) fn left(out: &Path) {
    let out = out.display();
    data("");
    data(&format!(
        "Left in {out}: receipts/, policy, log.vkey, signer.pem, log/, bag/ for an auditor. Try:"
    ));
    data(&format!(
        "   dsr verify {out}/receipts/DSR-....receipt.json --policy {out}/policy"
    ));
    data(&format!("   dsr fsck {out}/log --policy {out}/policy"));
    data(&format!(
        "   dsr audit {out}/log --policy {out}/policy --receipts {out}/receipts"
    ));
    data(&format!(
        "   python3 {out}/bag/data/verify.py {out}/bag {out}/policy"
    ));
}

fn day(instant: &str) -> &str {
    instant.split('T').next().unwrap_or(instant)
}

/// The names in a ZIP, from its central directory.
fn names(zip: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while let Some(found) = zip
        .get(at..)
        .and_then(|rest| rest.windows(4).position(|four| four == b"PK\x01\x02"))
    {
        let head = at + found;
        let length = zip
            .get(head + 28..head + 30)
            .and_then(|two| <[u8; 2]>::try_from(two).ok())
            .map_or(0, |two| usize::from(u16::from_le_bytes(two)));
        let name = zip.get(head + 46..head + 46 + length).unwrap_or_default();
        names.push(String::from_utf8_lossy(name).into_owned());
        at = head + 46 + length;
    }
    names
}
