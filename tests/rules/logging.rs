//! What log lines may say: fixed messages, and the fields of docs/LOGGING.md.
//!
//! The layer that writes lines drops every other field, so a field that is not listed would be lost
//! without a word; and a value inside a message would pass.

use std::collections::BTreeSet;

use crate::code;
use crate::tree::{Finding, Tree, require_none};

const TELEMETRY: &str = "shared/aws/src/telemetry.rs";

#[test]
fn the_documented_fields_are_the_allowed_ones() {
    let tree = Tree::read();
    assert_eq!(
        documented(tree),
        allowed(tree),
        "docs/LOGGING.md and {TELEMETRY}"
    );
}

#[test]
fn every_line_says_what_may_be_said() {
    let tree = Tree::read();
    require_none("log lines (docs/LOGGING.md)", &wrong(tree, &allowed(tree)));
}

#[test]
fn a_line_that_says_more_is_found() {
    let allowed = BTreeSet::from(["request.id".to_owned(), "count".to_owned()]);
    for (line, findings) in [
        (
            "tracing::info!(request.id = %id, count, \"done, and well\");",
            0,
        ),
        (
            "tracing::info!(target: \"dsr\", request.id = %f(a, b), \"done\");",
            0,
        ),
        ("tracing::info!(\"done\");", 0),
        (
            "tracing::info!(\n    request.id = %id,\n    \"done\"\n);",
            0,
        ),
        (
            "let span = tracing::info_span!(\"message\", request.id = %id);",
            0,
        ),
        ("tracing::info!(email = %address, \"done\");", 1),
        ("tracing::info!(%address, \"done\");", 1),
        ("tracing::info!(?address, \"done\");", 1),
        ("tracing::info!(count = 1, \"done for {address}\");", 1),
        ("tracing::info!(\"done for {}\", address.text);", 2),
        ("tracing::info!(\"{{}} is no value\");", 0),
        ("tracing::warn_span!(\"message\", address);", 1),
    ] {
        let tree = Tree::planted(&[("shared/engine/src/planted.rs", line)]);
        let found = wrong(&tree, &allowed);
        assert_eq!(found.len(), findings, "{line}: {found:?}");
    }
}

fn wrong(tree: &Tree, allowed: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let product = |path: &str| {
        let ours = path.starts_with("shared/") || path.starts_with("functions/");
        // What stands for AWS in development logs what it likes, and has nobody's data.
        ours && !path.starts_with("shared/local/") && !code::is_test(path)
    };
    for (path, text, code) in tree.rust().filter(|(path, ..)| product(path)) {
        let until = code.lines[..code.tests_from].join("\n");
        for (line, found) in calls(text, &until) {
            for field in found
                .fields
                .iter()
                .filter(|field| !allowed.contains(*field))
            {
                findings.push(format!(
                    "{path}:{line}: the field `{field}` is not in the list"
                ));
            }
            if found.has_values {
                findings.push(format!("{path}:{line}: a value stands in a message"));
            }
        }
    }
    findings
}

/// What one call says.
#[derive(Default)]
struct Said {
    fields: Vec<String>,
    has_values: bool,
}

/// Finds the calls of `tracing`'s macros, by line. `code` has the same characters as the beginning
/// of `text`, with texts and comments blanked.
fn calls(text: &str, code: &str) -> Vec<(usize, Said)> {
    if !code.contains("tracing::") {
        return Vec::new();
    }
    let raw: Vec<char> = text.chars().filter(|c| *c != '\r').collect();
    let code: Vec<char> = code.chars().collect();
    let mut calls = Vec::new();
    for level in ["trace", "debug", "info", "warn", "error"] {
        for start in [
            format!("tracing::{level}!("),
            format!("tracing::{level}_span!("),
        ] {
            let start: Vec<char> = start.chars().collect();
            for at in 0..code.len().saturating_sub(start.len()) {
                if code[at..].starts_with(&start) {
                    let line = 1 + code[..at].iter().filter(|c| **c == '\n').count();
                    calls.push((line, said(&raw, &code, at + start.len())));
                }
            }
        }
    }
    calls
}

/// Reads the arguments of one call, from behind its opening bracket.
fn said(raw: &[char], code: &[char], from: usize) -> Said {
    let mut said = Said::default();
    let mut depth = 0_usize;
    let mut start = from;
    for at in from..code.len() {
        let ends = depth == 0 && matches!(code[at], ',' | ')');
        match code[at] {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if ends {
            argument(&raw[start..at], &code[start..at], &mut said);
            start = at + 1;
            if code[at] == ')' {
                break;
            }
        }
    }
    said
}

fn argument(raw: &[char], code: &[char], said: &mut Said) {
    let raw: String = raw.iter().collect();
    let code: String = code.iter().collect();
    let (raw, code) = (raw.trim(), code.trim());
    if code.is_empty() {
        // A text: the message, or a span's name.
        said.has_values |= raw.replace("{{", "").contains('{');
        return;
    }
    if code.starts_with("target:") || code.starts_with("parent:") {
        return;
    }
    let name = code.split_once('=').map_or(code, |(name, _)| name);
    let name = name.trim().trim_start_matches(['%', '?']);
    let is_field = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c));
    if is_field {
        said.fields.push(name.to_owned());
    } else {
        said.has_values = true;
    }
}

/// The first column of the document's first table.
fn documented(tree: &Tree) -> BTreeSet<String> {
    let rows = tree.texts["docs/LOGGING.md"]
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next())
        .map(str::to_owned)
        .collect()
}

/// The list in the code.
fn allowed(tree: &Tree) -> BTreeSet<String> {
    let text = &tree.texts[TELEMETRY];
    let list = text.split("pub const ALLOWED").nth(1).unwrap();
    let list = list.split("];").next().unwrap().split_once('=').unwrap().1;
    let fields: BTreeSet<String> = list
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(
        fields.len() > 10,
        "the list of fields was not found in {TELEMETRY}"
    );
    fields
}
