//! The evidence bag: what a controller hands over about a period, as a `BagIt` 1.0 bag (RFC 8493).
//!
//! A function from what was collected to files by path. Receipts, manifests and the log are the proof;
//! register, metrics and page are made from them for reading. Nothing in it is personal. Who collects
//! is the command line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::audit::{Audit, Figures};
use crate::digest::Digest;
use crate::receipt::{Day, ReceiptFile, Statement};

mod page;
mod register;
#[cfg(test)]
mod tests;

use self::register::{Row, data_maps, rows};

/// What was collected.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'c> {
    /// The day it is packed.
    pub packed_on: Day,
    /// Who packs it: name and version.
    pub software: &'c str,
    /// The policy of the deployment.
    pub policy: &'c str,
    /// The log's files, by path: checkpoints, tiles, manifests.
    pub log: &'c BTreeMap<String, Vec<u8>>,
    /// Receipt files by name.
    pub receipts: &'c BTreeMap<String, Vec<u8>>,
    /// Time stamps on receipts and manifests (RFC 3161), by name.
    pub timestamps: &'c BTreeMap<String, Vec<u8>>,
    /// What happened to each request, a JSON object each.
    pub timeline: &'c [String],
    /// What the audit of the log came to.
    pub audit: &'c Audit,
}

/// Packs the bag: files by path.
pub fn pack(contents: &Contents<'_>) -> BTreeMap<String, Vec<u8>> {
    let statements: Vec<Statement> = contents
        .receipts
        .values()
        .filter_map(|bytes| ReceiptFile::parse(bytes).ok()?.statement())
        .collect();
    let rows = rows(&statements);
    let mut data: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut put = |path: &str, bytes: Vec<u8>| data.insert(format!("data/{path}"), bytes);
    put("index.html", page::render(contents, &rows).into_bytes());
    put("VERIFY.md", include_bytes!("VERIFY.md").to_vec());
    put("verify.py", VERIFIER.as_bytes().to_vec());
    put("policy", contents.policy.as_bytes().to_vec());
    put("register.csv", csv(&Row::HEAD, rows.iter().map(Row::cells)));
    put("register.json", json(&rows));
    put("metrics.csv", metrics(contents.audit));
    put("metrics.json", json(contents.audit));
    put(
        "data-map.csv",
        csv(
            &[
                "data_map_sha256",
                "receipts",
                "stores_declared",
                "stores_told_of",
            ],
            data_maps(&statements),
        ),
    );
    let mut timeline = contents.timeline.join("\n");
    if !timeline.is_empty() {
        timeline.push('\n');
    }
    put("timeline.jsonl", timeline.into_bytes());
    for (name, bytes) in contents.receipts {
        put(&format!("receipts/{name}"), bytes.clone());
    }
    for (name, bytes) in contents.timestamps {
        put(&format!("timestamps/{name}"), bytes.clone());
    }
    for (path, bytes) in contents.log {
        put(&format!("log/{path}"), bytes.clone());
    }
    seal(contents, &statements, data)
}

/// Adds the bag's own files around the payload.
fn seal(
    contents: &Contents<'_>,
    statements: &[Statement],
    data: BTreeMap<String, Vec<u8>>,
) -> BTreeMap<String, Vec<u8>> {
    let octets: usize = data.values().map(Vec::len).sum();
    let day = |day: Option<Day>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
    let mut info = String::new();
    let mut tell = |name: &str, value: &str| {
        // Writing to a text never fails.
        let _written = writeln!(info, "{name}: {value}");
    };
    if let Some(name) = statements.last().map(controller) {
        tell("Source-Organization", &name);
    }
    tell(
        "External-Description",
        &format!(
            "Evidence about data-subject requests accepted from {} to {}",
            day(contents.audit.from),
            day(contents.audit.to)
        ),
    );
    tell("Bagging-Date", &contents.packed_on.to_string());
    tell("Bag-Software-Agent", contents.software);
    tell("Payload-Oxum", &format!("{octets}.{}", data.len()));
    let mut tags = BTreeMap::from([
        ("bagit.txt".to_owned(), BAGIT.as_bytes().to_vec()),
        ("bag-info.txt".to_owned(), info.into_bytes()),
        ("manifest-sha256.txt".to_owned(), sums(&data)),
    ]);
    tags.insert("tagmanifest-sha256.txt".to_owned(), sums(&tags));
    tags.extend(data);
    tags
}

fn controller(statement: &Statement) -> String {
    match statement {
        Statement::Acceptance(_, says) => says.controller.name.to_string(),
        Statement::Receipt(_, says) | Statement::Amendment(_, says) => {
            says.controller.name.to_string()
        }
        Statement::Manifest(says) => says.controller.name.to_string(),
    }
}

/// What `sha256sum -c` reads.
fn sums(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let lines = files
        .iter()
        .map(|(path, bytes)| format!("{}  {path}\n", Digest::of(bytes)));
    lines.collect::<String>().into_bytes()
}

/// What 11 CCR 7102(a) asks for, by right, and what was in time.
fn metrics(audit: &Audit) -> Vec<u8> {
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let line = |(right, figures): (&str, &Figures)| {
        vec![
            right.to_owned(),
            figures.received.to_string(),
            figures.completed.to_string(),
            figures.partial.to_string(),
            figures.denied.to_string(),
            figures.revoked.to_string(),
            figures.open.to_string(),
            figures.overdue.to_string(),
            figures.in_time.to_string(),
            figures.late.to_string(),
            number(figures.on_time_permille),
            tenths(figures.median_tenths),
            tenths(figures.mean_tenths),
        ]
    };
    let all = std::iter::once(("all", &audit.all));
    let rights = audit
        .by_right
        .iter()
        .map(|(name, figures)| (*name, figures));
    csv(&METRICS, rights.chain(all).map(line))
}

/// Writes tenths as a decimal; nothing for none.
fn tenths(value: Option<u64>) -> String {
    value
        .map(|n| format!("{}.{}", n / 10, n % 10))
        .unwrap_or_default()
}

/// RFC 4180. No cell begins with what a spreadsheet would run: they are dates, codes, digests, numbers.
fn csv(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut lines = vec![head.join(",")];
    lines.extend(rows.into_iter().map(|cells| cells.join(",")));
    let mut text = lines.join("\r\n");
    text.push_str("\r\n");
    text.into_bytes()
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Plain structures of numbers, texts and lists always serialise.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The small verifier in another language that every bag carries.
pub const VERIFIER: &str = include_str!("verify.py");
const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const METRICS: [&str; 13] = [
    "right",
    "received",
    "complied_in_whole",
    "complied_in_part",
    "denied",
    "withdrawn",
    "open",
    "overdue",
    "answered_in_time",
    "answered_late",
    "on_time_permille",
    "median_days",
    "mean_days",
];
