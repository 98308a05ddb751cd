//! Every link in our documents leads somewhere, and every data map in them can be read.

use std::path::{Component, Path};

use quittance_core::data_map::DataMap;

use crate::tree::{Finding, Tree, require_none};

#[test]
fn every_link_leads_somewhere() {
    require_none("links in *.md", &broken(Tree::read()));
}

#[test]
fn a_broken_link_is_found() {
    for (text, broken_links) in [
        ("[a](B.md)", 0),
        ("[a](../src/lib.rs)", 0),
        ("[a](../src/) ![p](img/p.svg)", 0),
        ("[a](B.md#the-first-part)", 0),
        ("[a](https://example.test/x) [m](mailto:a@example.test)", 0),
        ("`[a](gone.md)`", 0),
        ("```text\n[a](gone.md)\n```", 0),
        ("[a](gone.md)", 1),
        ("[a](B.md#nowhere)", 1),
        ("[a](#nowhere)", 1),
        ("<img src=\"img/gone.svg\">", 1),
        ("[a](../../outside.md)", 1),
    ] {
        let tree = Tree::planted(&[
            ("docs/A.md", text),
            ("docs/B.md", "# B\n\n## The first part\n"),
            ("docs/img/p.svg", "<svg/>"),
            ("src/lib.rs", ""),
        ]);
        assert_eq!(
            broken(&tree).len(),
            broken_links,
            "{text}: {:?}",
            broken(&tree)
        );
    }
}

#[test]
fn every_data_map_in_a_document_is_one() {
    let tree = Tree::read();
    assert!(
        data_maps(&tree.texts["README.md"]).len() == 1,
        "README.md shows a data map"
    );
    require_none("data maps in *.md", &unreadable(tree));
}

#[test]
fn a_data_map_with_a_mistake_is_found() {
    let text = "```yaml\nversion: 1\nstores: 7\n```\n";
    assert_eq!(unreadable(&Tree::planted(&[("docs/A.md", text)])).len(), 1);
    let other = "```yaml\nname: something else\n```\n";
    assert_eq!(
        unreadable(&Tree::planted(&[("docs/A.md", other)])),
        Vec::<Finding>::new()
    );
}

#[test]
fn every_test_that_a_document_names_exists() {
    let tree = Tree::read();
    assert!(
        named(&tree.texts["docs/STORES.md"]).count() > 60,
        "docs/STORES.md names tests"
    );
    require_none("tests in docs/STORES.md", &unknown_tests(tree));
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let tree = Tree::planted(&[
        ("docs/STORES.md", "| a | `a_row_stays`, `a_row_goes` |\n"),
        ("tests/a.rs", "fn a_row_stays() {}"),
    ]);
    assert_eq!(unknown_tests(&tree), ["a_row_goes"]);
}

/// Lists the tests that docs/STORES.md names and that no source has.
fn unknown_tests(tree: &Tree) -> Vec<Finding> {
    let sources: Vec<&str> = tree.with_extension("rs").map(|(_, text)| text).collect();
    let text = tree.texts.get("docs/STORES.md");
    let names = text.into_iter().flat_map(|text| named(text));
    let is_unknown = |name: &&str| {
        let head = format!("fn {name}(");
        !sources.iter().any(|source| source.contains(&head))
    };
    names.filter(is_unknown).map(str::to_owned).collect()
}

/// The tests in the last columns of a document's tables.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let last = |line: &'_ str| -> Option<usize> { line.trim_end_matches(['|', ' ']).rfind("| `") };
    let rows = text.lines().filter_map(move |line| line.get(last(line)?..));
    rows.flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

fn unreadable(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("md") {
        for map in data_maps(text) {
            if let Err(problems) = DataMap::parse(map) {
                findings.push(format!("{path}: {problems}"));
            }
        }
    }
    findings
}

/// The fenced YAML texts that begin as data maps do.
fn data_maps(text: &str) -> Vec<&str> {
    let fenced = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    fenced
        .filter(|yaml| yaml.starts_with("version:") || yaml.contains("\nversion:"))
        .collect()
}

fn broken(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("md") {
        for link in links(text) {
            let outside = ["http:", "https:", "mailto:"]
                .iter()
                .any(|start| link.starts_with(start));
            if !outside && !leads_somewhere(tree, path, &link) {
                findings.push(format!("{path}: {link}"));
            }
        }
    }
    findings
}

fn leads_somewhere(tree: &Tree, from: &str, link: &str) -> bool {
    let (file, part) = link
        .split_once('#')
        .map_or((link, None), |(file, part)| (file, Some(part)));
    let to = if file.is_empty() {
        Some(from.to_owned())
    } else {
        resolve(from, file)
    };
    let Some(to) = to else { return false };
    let folder = format!("{to}/");
    if !tree
        .paths
        .iter()
        .any(|path| *path == to || path.starts_with(&folder))
    {
        return false;
    }
    match (part, tree.texts.get(&to)) {
        (Some(part), Some(text)) if has_extension(&to, "md") => text
            .lines()
            .any(|line| line.starts_with('#') && anchor(line) == part),
        _ => true,
    }
}

/// Follows a link from a document; none when it leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for component in Path::new(link).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    Some(parts.join("/"))
}

/// The links of a document, outside code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("·");
        for (start, end) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            let found = prose.match_indices(start).filter_map(|(at, _)| {
                let rest = &prose[at + start.len()..];
                rest.find(end).map(|to| rest[..to].trim().to_owned())
            });
            links.extend(found);
        }
    }
    links
}

/// The anchor that forges make of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}
