//! The ports: few methods each, a memory implementation each, and a word about each.

use crate::code::Code;
use crate::tree::{Finding, Tree, require_none};

const PORTS: &str = "shared/engine/src/ports.rs";
const MEMORY: &str = "shared/engine/src/memory";
const METHODS: usize = 7;

#[test]
fn every_port_is_small_and_has_a_memory_implementation() {
    let tree = Tree::read();
    assert!(
        ports(tree).len() >= 10,
        "the ports were not found: {:?}",
        ports(tree)
    );
    require_none("ports", &wrong(tree));
}

#[test]
fn a_large_port_is_found() {
    let methods = "    async fn m(&self);\n".repeat(METHODS + 1);
    let port = format!("pub trait Ledger: Send {{\n{methods}}}\n");
    let tree = Tree::planted(&[
        (PORTS, &port),
        (
            "shared/engine/src/memory/ledger.rs",
            "impl Ledger for MemoryLedger {}\n",
        ),
    ]);
    let findings = wrong(&tree);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("8 methods"));
}

#[test]
fn a_port_without_memory_is_found() {
    let tree = Tree::planted(&[(PORTS, "pub trait Ledger: Send {\n    fn a(&self);\n}\n")]);
    assert_eq!(wrong(&tree).len(), 1);
}

fn wrong(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (port, methods) in ports(tree) {
        if methods > METHODS {
            findings.push(format!(
                "{port} has {methods} methods, at most {METHODS}: two purposes?"
            ));
        }
        let start = format!("impl {port} for ");
        let in_memory = tree
            .rust()
            .filter(|(path, ..)| path.starts_with(MEMORY))
            .any(|(_, text, _)| text.lines().any(|line| line.starts_with(&start)));
        if !in_memory {
            findings.push(format!("{port} has no implementation in {MEMORY}"));
        }
    }
    findings
}

/// The ports and how many methods each has.
fn ports(tree: &Tree) -> Vec<(String, usize)> {
    let mut ports: Vec<(String, usize)> = Vec::new();
    let mut inside = false;
    for (_, line) in Code::of(PORTS, &tree.texts[PORTS]).numbered() {
        if let Some(rest) = line.strip_prefix("pub trait ") {
            let name = rest
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or_default();
            ports.push((name.to_owned(), 0));
            inside = true;
        } else if line.starts_with('}') {
            inside = false;
        } else if inside {
            let line = line.trim_start();
            let is_method = line.starts_with("fn ") || line.starts_with("async fn ");
            if let Some((_, methods)) = ports.last_mut().filter(|_| is_method) {
                *methods += 1;
            }
        }
    }
    ports
}
