//! What `dsr demo` leaves, judged from outside.

use std::path::Path;
use std::process::Output;

use crate::local::dsr;

fn judge(command: &str, what: &Path, policy: &Path) -> Output {
    dsr()
        .arg(command)
        .arg(what)
        .arg("--policy")
        .arg(policy)
        .arg("--json")
        .output()
        .unwrap()
}

#[test]
fn the_demo_leaves_evidence_that_stands_and_falls() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let demo = dsr().args(["demo", "--out"]).arg(&out).output().unwrap();
    let said = String::from_utf8(demo.stdout).unwrap();
    assert!(
        demo.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&demo.stderr)
    );
    assert!(
        said.contains("REFUSED") && said.contains("receipts verified"),
        "{said}"
    );

    let policy = out.join("policy");
    let mut receipts = 0;
    for entry in std::fs::read_dir(out.join("receipts")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(
            judge("verify", &path, &policy).status.code(),
            Some(0),
            "{path:?}"
        );
        let text = std::fs::read(&path).unwrap();
        let mut forged = text.clone();
        let middle = forged.len() / 2;
        forged[middle] ^= 1;
        let copy = dir.path().join("forged.receipt.json");
        std::fs::write(&copy, forged).unwrap();
        assert_eq!(
            judge("verify", &copy, &policy).status.code(),
            Some(6),
            "{path:?}"
        );
        receipts += 1;
    }
    assert_eq!(receipts, 14);

    let log = out.join("log");
    assert_eq!(judge("fsck", &log, &policy).status.code(), Some(0));
    let tile = std::fs::read_dir(log.join("tile/0"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let tile = if tile.is_dir() {
        std::fs::read_dir(tile)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    } else {
        tile
    };
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    let judged = judge("fsck", &log, &policy);
    assert_eq!(
        judged.status.code(),
        Some(6),
        "{}",
        String::from_utf8_lossy(&judged.stdout)
    );

    let again = dsr().args(["demo", "--out"]).arg(&out).output().unwrap();
    assert_eq!(
        again.status.code(),
        Some(5),
        "a full directory is not written over"
    );
}

#[test]
fn what_is_missing_is_told_with_its_exit_code() {
    let missing = Path::new("no-such.receipt.json");
    let output = judge("verify", missing, missing);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such.receipt.json"));
}
