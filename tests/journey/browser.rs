//! The public pages in a real browser, JavaScript off, from the start page to receipts that verify.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::local::{Local, dsr, tool};

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "where screenshots go is no setting of the product"
)]
fn a_person_walks_through_every_page_without_javascript() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    // Whoever wants to look at the pages says where the screenshots go.
    let out = std::env::var("QUITTANCE_SCREENSHOTS")
        .map_or_else(|_| dir.path().join("seen"), std::path::PathBuf::from);
    let mut walk = Command::new(tool("QUITTANCE_BROWSER_PYTHON"))
        .arg("../../tests/browser/walk.py")
        .arg(format!("{}/", local.api))
        .arg(local.dir.join("mailbox"))
        .arg(&out)
        .arg(tool("QUITTANCE_CHROMIUM"))
        .arg(tool("QUITTANCE_AXE"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(walk.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["stage"] == "attest" {
            // The sales system is outside AWS: its team says what it did.
            local.attest(line["reference"].as_str().unwrap());
        }
        told.push(line);
    }
    assert!(
        walk.wait().unwrap().success(),
        "the walk ended early: {told:?}"
    );
    let last = told.last().unwrap();
    let pages = last["judged"].as_object().unwrap();
    assert!(pages.len() >= 20, "{pages:?}");
    let receipts = last["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 2);
    for reference in receipts {
        let file = out.join(format!("{}.receipt.json", reference.as_str().unwrap()));
        verify(&file, &out.join("policy"));
    }
}

/// As anybody would, with what the public door gave out.
fn verify(file: &Path, policy: &Path) {
    let output = dsr()
        .arg("verify")
        .arg(file)
        .arg("--policy")
        .arg(policy)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stdout)
    );
}
