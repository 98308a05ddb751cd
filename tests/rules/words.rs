//! What no file may carry: paths of one machine, addresses of package registries.

use crate::tree::{Finding, Tree, require_none};

/// Written in two halves, so that this file does not carry them either.
const MACHINE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp", "/t/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];
const REGISTRIES: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("registry.npm", "js.org"),
    concat!("proxy.golang", ".org"),
    concat!("ghcr", ".io"),
];

#[test]
fn no_file_knows_a_machine_or_a_registry() {
    require_none(
        "paths of one machine, addresses of registries",
        &found(Tree::read()),
    );
}

#[test]
fn a_machine_and_a_registry_are_found() {
    for word in MACHINE.iter().chain(REGISTRIES) {
        let tree = Tree::planted(&[("docs/A.md", &format!("first\nsee {word}x\n"))]);
        assert_eq!(found(&tree), [format!("docs/A.md:2: {word}")]);
    }
    let own = Tree::planted(&[("docs/A.md", "https://example.test/work/of/art")]);
    assert_eq!(found(&own), Vec::<Finding>::new());
}

fn found(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &tree.texts {
        for (at, line) in text.lines().enumerate() {
            let words = MACHINE.iter().filter(|word| starts_a_path(line, word));
            let hosts = REGISTRIES.iter().filter(|host| line.contains(**host));
            findings.extend(
                words
                    .chain(hosts)
                    .map(|word| format!("{path}:{}: {word}", at + 1)),
            );
        }
    }
    findings
}

/// Whether the folder stands at the root: nothing that belongs to a path or an address before it.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~*})>".contains(c))
    })
}
