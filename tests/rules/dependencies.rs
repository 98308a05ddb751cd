//! Who may depend on whom: the two tables of docs/ARCHITECTURE.md against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::tree::{Finding, Tree, require_none, root};

/// A table's row: before the arrow, and after it.
type Table = BTreeMap<String, BTreeSet<String>>;

/// One dependency as the manifests state it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    for_tests: bool,
}

#[test]
fn our_crates_depend_one_way() {
    let tree = Tree::read();
    let findings = undeclared(&ours(tree), &edges());
    require_none(
        "dependencies among our crates (docs/ARCHITECTURE.md)",
        &findings,
    );
}

#[test]
fn a_dependency_the_wrong_way_is_found() {
    let table = parse_table("tlog → nothing\ncore → tlog");
    let good = edge("core", "tlog");
    let bad = edge("tlog", "core");
    assert_eq!(undeclared(&table, &[good]), Vec::<Finding>::new());
    assert_eq!(undeclared(&table, &[bad]).len(), 1);
    assert_eq!(
        undeclared(&table, &[edge("attic", "core")]).len(),
        1,
        "an unknown crate"
    );
}

#[test]
fn every_member_is_in_the_table() {
    let tree = Tree::read();
    let table: BTreeSet<String> = ours(tree).into_keys().collect();
    let members: BTreeSet<String> = packages().keys().map(|name| short(name)).collect();
    assert_eq!(table, members, "docs/ARCHITECTURE.md lists each crate once");
}

#[test]
fn outside_crates_stay_where_they_belong() {
    let tree = Tree::read();
    let findings = misplaced(&outside(tree), &edges());
    require_none("crates from outside (docs/ARCHITECTURE.md)", &findings);
}

#[test]
fn an_sdk_in_the_engine_is_found() {
    let table = parse_table("aws-sdk-* → aws stores\ntime → nobody");
    assert_eq!(
        misplaced(&table, &[edge("aws", "aws-sdk-s3")]),
        Vec::<Finding>::new()
    );
    assert_eq!(misplaced(&table, &[edge("engine", "aws-sdk-s3")]).len(), 1);
    assert_eq!(misplaced(&table, &[edge("aws", "time")]).len(), 1);
    let test_only = Edge {
        for_tests: true,
        ..edge("engine", "aws-sdk-s3")
    };
    assert_eq!(misplaced(&table, &[test_only]), Vec::<Finding>::new());
}

#[test]
fn the_lints_apply_to_every_member() {
    let workspace = &Tree::read().texts["Cargo.toml"];
    require_none(
        "[lints] workspace = true",
        &unlinted(workspace, &manifests()),
    );
}

#[test]
fn a_member_without_lints_is_found() {
    let workspace =
        "[workspace.lints.rust]\nunsafe_code = \"forbid\" # no\nmissing_docs = \"warn\"\n\n[x]\n";
    let own = "[lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n";
    let one = |name: &str, text: &str| {
        let manifest = BTreeMap::from([(name.to_owned(), text.to_owned())]);
        unlinted(workspace, &manifest).len()
    };
    assert_eq!(one("core", "[package]\nname = \"core\"\n"), 1);
    assert_eq!(one("core", "[lints]\nworkspace = true\n"), 0);
    assert_eq!(one("core", own), 1, "a list of its own");
    assert_eq!(one(EXPORTS, own), 0);
    assert_eq!(one(EXPORTS, &own.replace("deny", "warn")), 1);
    assert_eq!(
        one(EXPORTS, &own.replace("missing_docs = \"warn\"\n", "")),
        1
    );
}

#[test]
fn no_version_stands_in_a_member() {
    require_none(
        "versions stand in the workspace's Cargo.toml",
        &versioned(&manifests()),
    );
}

#[test]
fn a_version_in_a_member_is_found() {
    let manifest =
        "[dependencies]\nserde.workspace = true\nbytes = \"1\"\n[dev-dependencies]\nx = \"1\"\n";
    assert_eq!(
        versioned(&BTreeMap::from([("core".to_owned(), manifest.to_owned())])).len(),
        1
    );
}

/// Edges among our crates that the table does not have. Tests may use anything of ours except that
/// `tlog` and `core` stay alone.
fn undeclared(table: &Table, edges: &[Edge]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for edge in edges
        .iter()
        .filter(|edge| !edge.for_tests && table.contains_key(&edge.to))
    {
        let allowed = table
            .get(&edge.from)
            .is_some_and(|to| to.contains(&edge.to));
        if !allowed {
            findings.push(format!("{} may not depend on {}", edge.from, edge.to));
        }
    }
    findings
}

/// Outside crates used where the table does not allow them.
fn misplaced(table: &Table, edges: &[Edge]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for edge in edges.iter().filter(|edge| !edge.for_tests) {
        for (pattern, places) in table {
            let hit = match pattern.strip_suffix('*') {
                Some(start) => edge.to.starts_with(start),
                None => edge.to == *pattern,
            };
            if hit && !places.contains(&edge.from) {
                findings.push(format!("{} may not use {}", edge.from, edge.to));
            }
        }
    }
    findings
}

fn unlinted(workspace: &str, manifests: &BTreeMap<String, String>) -> Vec<Finding> {
    let inherits = |text: &str| text.contains("[lints]\nworkspace = true");
    manifests
        .iter()
        .filter(|(name, text)| {
            let repeats = *name == EXPORTS && lints(text, "[") == exported(workspace);
            !inherits(text) && !repeats
        })
        .map(|(name, _)| format!("{name} does not inherit the workspace's lints"))
        .collect()
}

/// The lints of a crate with names that others call: all of the workspace's, but that unsafe code is
/// denied, so that each such name says why it is there.
fn exported(workspace: &str) -> BTreeSet<String> {
    let lints = lints(workspace, "[workspace.").into_iter();
    lints
        .map(|lint| lint.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\""))
        .collect()
}

/// The lines of a manifest's tables of lints, each with its table's name before it.
fn lints(manifest: &str, start: &str) -> BTreeSet<String> {
    let mut table = None;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            table = line
                .strip_prefix(start)
                .filter(|rest| rest.starts_with("lints."));
        } else if let Some(table) = table.filter(|_| !line.is_empty()) {
            found.insert(format!("{table} {line}"));
        }
    }
    found
}

/// Dependencies of a member that do not come from the workspace. Oracles of a single test may.
fn versioned(manifests: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in manifests {
        let section = text.split("[dependencies]").nth(1).unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        for line in section.lines().map(str::trim) {
            let blank = line.is_empty() || line.starts_with('#');
            let inherited = line.contains("workspace = true");
            // Continuation lines of a list of features.
            let inside = !line.contains('=');
            if !blank && !inherited && !inside {
                findings.push(format!("{name}: {line}"));
            }
        }
    }
    findings
}

/// The table of our crates; `tests` may use them all.
fn ours(tree: &Tree) -> Table {
    let mut table = table_after(tree, "<!-- tests/rules: our crates -->");
    let everything: BTreeSet<String> = table.keys().cloned().collect();
    for row in table.values_mut().filter(|row| row.contains("everything")) {
        row.clone_from(&everything);
    }
    table
}

fn outside(tree: &Tree) -> Table {
    table_after(tree, "<!-- tests/rules: crates from outside -->")
}

/// Reads the fenced table that follows a mark in the document.
fn table_after(tree: &Tree, mark: &str) -> Table {
    let document = &tree.texts["docs/ARCHITECTURE.md"];
    let after = document
        .split(mark)
        .nth(1)
        .unwrap_or_else(|| panic!("{mark} is not there"));
    let table = parse_table(after.split("```").nth(1).unwrap());
    assert!(table.len() > 5, "no table after {mark}");
    table
}

/// Parses rows such as `core → tlog`; what follows a `#` is a remark.
fn parse_table(text: &str) -> Table {
    let rows = text
        .lines()
        .filter_map(|line| line.split('#').next()?.split_once('→'));
    rows.flat_map(|(from, to)| {
        let to: BTreeSet<String> = to.split_whitespace().map(str::to_owned).collect();
        from.split_whitespace()
            .map(|from| (from.to_owned(), to.clone()))
            .collect::<Vec<_>>()
    })
    .collect()
}

fn edges() -> Vec<Edge> {
    let mut edges = Vec::new();
    for (name, package) in packages() {
        for dependency in package["dependencies"].as_array().unwrap() {
            edges.push(Edge {
                from: short(&name),
                to: short(dependency["name"].as_str().unwrap()),
                for_tests: dependency["kind"] == "dev" || SUITES.contains(&name.as_str()),
            });
        }
    }
    assert!(edges.len() > 50, "cargo metadata lists no dependencies");
    edges
}

fn manifests() -> BTreeMap<String, String> {
    let read = |(name, package): (String, Value)| {
        let path = Path::new(package["manifest_path"].as_str().unwrap()).to_path_buf();
        (short(&name), std::fs::read_to_string(path).unwrap())
    };
    packages().into_iter().map(read).collect()
}

/// The members by name, as cargo reads their manifests: without resolving, so without network.
fn packages() -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {error}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|p| (p["name"].as_str().unwrap().to_owned(), p.clone()))
        .collect()
}

/// The room's name: what the folder is called.
fn short(package: &str) -> String {
    match package {
        "dsr" => "cli".to_owned(),
        other => other.strip_prefix("quittance-").unwrap_or(other).to_owned(),
    }
}

/// The one member with names that others call, which no compiler holds to be safe.
const EXPORTS: &str = "verify-page";
/// Packages that are tests and nothing else.
const SUITES: [&str; 2] = ["quittance-chaos", "quittance-tests"];

fn edge(from: &str, to: &str) -> Edge {
    Edge {
        from: from.to_owned(),
        to: to.to_owned(),
        for_tests: false,
    }
}
