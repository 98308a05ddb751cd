//! A time stamp on a receipt's signature, through the program: judged, refused, and put into a bundle.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::local::dsr;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

/// Verifies a receipt with a stamp; returns the exit code and the report.
fn judged(receipt: &Path, stamp: &Path, anchors: &Path) -> (Option<i32>, Value) {
    let output = dsr()
        .args(["verify", "--json"])
        .arg(receipt)
        .arg("--policy")
        .arg(golden("receipt_v1.policy"))
        .arg("--timestamp")
        .arg(stamp)
        .arg("--anchors")
        .arg(anchors)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report)
}

#[test]
fn a_receipt_with_a_stamp_is_well_only_if_both_are() {
    let dir = tempfile::tempdir().unwrap();
    let receipt = golden("receipt_v1.receipt.json");
    let stamp = golden("receipt_v1.receipt.tsr");
    let anchors = golden("receipt_v1.anchors.pem");
    let (code, report) = judged(&receipt, &stamp, &anchors);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(
        (&report["ok"], &report["timestamp"]["ok"]),
        (&true.into(), &true.into())
    );
    assert!(report["timestamp"]["at"].as_str().unwrap().ends_with('Z'));

    // The receipt holds, its stamp does not: the whole is not well, and the report says which.
    let mut bent = std::fs::read(&stamp).unwrap();
    let last = bent.len() - 1;
    bent[last] ^= 1;
    let broken = dir.path().join("bent.tsr");
    std::fs::write(&broken, bent).unwrap();
    let (code, report) = judged(&receipt, &broken, &anchors);
    assert_eq!(code, Some(6), "{report}");
    assert_eq!(
        (&report["ok"], &report["timestamp"]["ok"]),
        (&false.into(), &false.into())
    );
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["verdict"] == "ok"));
    assert!(report["timestamp"]["problem"].is_string());

    // The same receipt with the lines of witnesses has the same signature: its stamp still holds.
    let upgraded = golden("receipt_v1_witnessed.receipt.json");
    let (code, report) = judged(&upgraded, &stamp, &anchors);
    assert_eq!((code, &report["ok"]), (Some(0), &true.into()), "{report}");

    // A receipt that does not hold: its stamp is not even looked at.
    let text = std::fs::read_to_string(&receipt).unwrap();
    let forged = dir.path().join("forged.receipt.json");
    std::fs::write(&forged, format!("{text}\n")).unwrap();
    let (code, report) = judged(&forged, &stamp, &anchors);
    assert_eq!((code, &report["ok"]), (Some(6), &false.into()), "{report}");
    assert_eq!(report.get("timestamp"), None);
}

#[test]
fn a_bundle_takes_the_stamp_along() {
    let dir = tempfile::tempdir().unwrap();
    let bundled = |stamp: Option<PathBuf>| -> Value {
        let bundle = dir.path().join("bundle.json");
        let mut command = dsr();
        command.arg("bundle").arg(golden("receipt_v1.receipt.json"));
        command.arg(&bundle).arg(dir.path().join("artifact"));
        if let Some(stamp) = stamp {
            command.arg("--timestamp").arg(stamp);
        }
        assert!(command.output().unwrap().status.success());
        serde_json::from_slice(&std::fs::read(&bundle).unwrap()).unwrap()
    };
    let place = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    assert_eq!(bundled(None).pointer(place).and_then(Value::as_array), None);
    let stamped = bundled(Some(golden("receipt_v1.receipt.tsr")));
    let stamps = stamped.pointer(place).and_then(Value::as_array).unwrap();
    assert_eq!(stamps.len(), 1);
}
