//! Golden files of a version never change: a new form is a new version beside the old one.
//!
//! `frozen.txt` has a line for each: SHA-256, two blanks, path. `sha256sum` writes the same.

use std::collections::BTreeMap;

use quittance_core::digest::Digest;

use crate::tree::{Finding, Tree, require_none, root};

const LIST: &str = include_str!("frozen.txt");

#[test]
fn golden_files_of_a_version_stay_as_they_are() {
    let tree = Tree::read();
    let golden = tree
        .paths
        .iter()
        .filter(|path| path.starts_with("tests/golden/"));
    let read = |path: &String| (path.clone(), std::fs::read(root().join(path)).unwrap());
    let files: BTreeMap<String, Vec<u8>> =
        golden.filter(|path| is_versioned(path)).map(read).collect();
    require_none(
        "golden files (tests/rules/frozen.txt)",
        &changed(&files, LIST),
    );
}

#[test]
fn a_changed_golden_file_is_found() {
    let path = "tests/golden/receipt_v1.json";
    let list = format!("{}  {path}\n", Digest::of(b"as it was"));
    let files = |bytes: &[u8]| BTreeMap::from([(path.to_owned(), bytes.to_vec())]);
    assert_eq!(changed(&files(b"as it was"), &list), Vec::<Finding>::new());
    assert_eq!(changed(&files(b"otherwise"), &list).len(), 1, "changed");
    assert_eq!(changed(&BTreeMap::new(), &list).len(), 1, "gone");
    assert_eq!(
        changed(&files(b"as it was"), "").len(),
        1,
        "new, and not listed"
    );
}

#[test]
fn a_version_is_known_by_its_name() {
    assert!(is_versioned("tests/golden/receipt_v1.json"));
    assert!(is_versioned("tests/golden/statement_v12/a.json"));
    assert!(!is_versioned("tests/golden/export/index.html"));
    assert!(!is_versioned("tests/golden/_view.json"));
}

fn changed(files: &BTreeMap<String, Vec<u8>>, list: &str) -> Vec<Finding> {
    let listed: BTreeMap<&str, &str> = list
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            line.split_once("  ")
                .map(|(digest, path)| (path, digest))
                .unwrap()
        })
        .collect();
    let mut findings = Vec::new();
    for (path, bytes) in files {
        let digest = Digest::of(bytes).to_string();
        match listed.get(path.as_str()) {
            Some(known) if *known == digest => {}
            Some(_) => findings.push(format!(
                "{path} changed: put it back and write the new form beside it, as the next version"
            )),
            None => findings.push(format!("{path} is new; list it: {digest}  {path}")),
        }
    }
    for path in listed.keys().filter(|path| !files.contains_key(**path)) {
        findings.push(format!(
            "{path} is gone: receipts of that version still exist"
        ));
    }
    findings
}

/// Whether a path names a version: `_v` and digits.
fn is_versioned(path: &str) -> bool {
    path.match_indices("_v").any(|(at, _)| {
        let rest = &path[at + 2..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        digits > 0 && !rest[digits..].starts_with(|c: char| c.is_alphabetic())
    })
}
