//! How large things may grow before they are split.

use std::collections::BTreeMap;

use crate::tree::{Finding, Tree, require_none};

/// A file with its tests.
const FILE_LINES: usize = 700;
/// Code without tests and comments: beyond this, the message of a failure lists the file too.
const CODE_LINES: usize = 400;
const MAIN_LINES: usize = 40;
/// A function's crate, without tests and comments: it is wiring and a handler.
const FUNCTION_LINES: usize = 300;
/// The pages that a function shows to people, which are words more than anything: in `src/pages`.
const PAGE_LINES: usize = 950;
const README_LINES: usize = 150;

#[test]
fn nothing_is_too_large() {
    let tree = Tree::read();
    let mut findings = too_large(tree);
    if !findings.is_empty() {
        findings.extend(growing(tree));
    }
    require_none("sizes", &findings);
}

#[test]
fn what_is_too_large_is_found() {
    let line = "fn f() {}\n";
    for (path, lines) in [
        ("shared/core/src/a.rs", FILE_LINES + 1),
        ("functions/intake/src/main.rs", MAIN_LINES + 1),
        ("functions/intake/src/lib.rs", FUNCTION_LINES + 1),
        ("functions/intake/src/pages/a.rs", FILE_LINES + 1),
        ("README.md", README_LINES + 1),
    ] {
        let fits = Tree::planted(&[(path, &line.repeat(lines - 1))]);
        assert_eq!(too_large(&fits), Vec::<Finding>::new(), "{path}");
        assert_eq!(
            too_large(&Tree::planted(&[(path, &line.repeat(lines))])).len(),
            1,
            "{path}"
        );
    }
}

#[test]
fn pages_are_counted_apart() {
    let half = "fn f() {}\n".repeat(PAGE_LINES / 2);
    let pages = ["a", "b"].map(|name| format!("functions/intake/src/pages/{name}.rs"));
    let [a, b] = &pages;
    let fits = Tree::planted(&[(a, &half), (b, &half)]);
    assert_eq!(too_large(&fits), Vec::<Finding>::new());
    let more = format!("{half}fn g() {{}}\n");
    assert_eq!(
        too_large(&Tree::planted(&[(a, &half), (b, &more)])).len(),
        1
    );
}

#[test]
fn the_cli_may_be_larger_than_a_function() {
    let tree = Tree::planted(&[("functions/cli/src/lib.rs", &"fn f() {}\n".repeat(350))]);
    assert_eq!(too_large(&tree), Vec::<Finding>::new());
}

#[test]
fn a_file_that_grows_is_named_before_it_fails() {
    let tree = Tree::planted(&[(
        "shared/core/src/a.rs",
        &"fn f() {}\n".repeat(CODE_LINES + 1),
    )]);
    assert_eq!(growing(&tree).len(), 1);
}

fn too_large(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut functions: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for (path, text, code) in tree.rust() {
        let lines = text.lines().count();
        if lines > FILE_LINES {
            findings.push(format!("{path}: {lines} lines, at most {FILE_LINES}"));
        }
        if path.starts_with("functions/") {
            if path.ends_with("/src/main.rs") && lines > MAIN_LINES {
                findings.push(format!("{path}: {lines} lines, at most {MAIN_LINES}"));
            }
            let name = path.split('/').nth(1).unwrap_or_default();
            if name != "cli" {
                let is_page = path.contains("/src/pages/");
                *functions.entry((name, is_page)).or_default() += code.size();
            }
        }
    }
    for ((name, is_page), lines) in functions {
        let (what, most) = if is_page {
            (" pages", PAGE_LINES)
        } else {
            ("", FUNCTION_LINES)
        };
        if lines > most {
            findings.push(format!(
                "functions/{name}{what}: {lines} lines of code, at most {most}"
            ));
        }
    }
    let readme = tree
        .texts
        .get("README.md")
        .map_or(0, |text| text.lines().count());
    if readme > README_LINES {
        findings.push(format!("README.md: {readme} lines, at most {README_LINES}"));
    }
    findings
}

fn growing(tree: &Tree) -> Vec<Finding> {
    let sized = tree.rust().map(|(path, _, code)| (path, code.size()));
    sized
        .filter(|(_, lines)| *lines > CODE_LINES)
        .map(|(path, lines)| format!("(soon: {path} has {lines} lines of code)"))
        .collect()
}
