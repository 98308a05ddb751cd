//! A time stamp on a receipt's signature, through the program: judged, refused, put into a bundle and a bag.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use data_encoding::BASE64;
use quittance_core::digest::Digest;
use serde_json::{Value, json};

use crate::local::{Local, customers, dsr, until};

fn golden(name: &str) -> PathBuf {
    Path::new("../../tests/golden").join(name)
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

/// An authority: `openssl ts`, with a certificate that its readers trust by itself.
pub(crate) struct Authority(tempfile::TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        let it = Self(tempfile::tempdir().unwrap());
        std::fs::write(it.0.path().join("cnf"), CONFIG).unwrap();
        std::fs::write(it.0.path().join("serial"), "01").unwrap();
        it.openssl(
            "req -x509 -config cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
             -subj /O=Example/CN=stamps -keyout key.pem -out cert.pem",
        );
        it
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    /// Stamps the signature of a receipt.
    pub(crate) fn stamp(&self, receipt: &Path) -> Vec<u8> {
        let file: Value = serde_json::from_slice(&std::fs::read(receipt).unwrap()).unwrap();
        let signature = file.pointer("/dsse/signatures/0/sig").unwrap();
        let signature = BASE64.decode(signature.as_str().unwrap().as_bytes());
        std::fs::write(self.0.path().join("sig.der"), signature.unwrap()).unwrap();
        self.openssl("ts -query -data sig.der -sha256 -cert -out query");
        self.openssl(
            "ts -reply -config cnf -queryfile query -signer cert.pem -inkey key.pem -out answer",
        );
        std::fs::read(self.0.path().join("answer")).unwrap()
    }
}

/// A bag is packed anew with a time stamp in it, by somebody who is asked for one.
pub(crate) fn one_in_a_bag_stands_and_falls(bag: &Path, policy: &Path) {
    let judged = |anchors: Option<&Path>| {
        let mut command = dsr();
        command.args(["evidence", "verify", "--json", "--policy"]);
        command.arg(policy).arg(bag);
        if let Some(anchors) = anchors {
            command.arg("--anchors").arg(anchors);
        }
        let output = command.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), said["timestamps"].clone())
    };
    let receipts = std::fs::read_dir(bag.join("data/receipts")).unwrap();
    let mut receipts: Vec<PathBuf> = receipts.map(|entry| entry.unwrap().path()).collect();
    receipts.sort();
    let authority = Authority::new();
    let stamp = authority.stamp(&receipts[0]);
    let put = |receipt: &Path, stamp: &[u8]| {
        let name = receipt.file_name().unwrap().to_str().unwrap();
        let path = format!("data/timestamps/{}", name.replace(".json", ".tsr"));
        std::fs::create_dir_all(bag.join("data/timestamps")).unwrap();
        std::fs::write(bag.join(&path), stamp).unwrap();
        list_anew(bag, "manifest-sha256.txt", &path);
        list_anew(bag, "tagmanifest-sha256.txt", "manifest-sha256.txt");
    };
    put(&receipts[0], &stamp);
    let (code, said) = judged(Some(&authority.certificate()));
    let all = json!({"count": 1, "judged": true, "failed": {}});
    assert_eq!((code, said), (Some(0), all));
    // An account of a day may be stamped as a receipt is.
    let mut manifests = std::fs::read_dir(bag.join("data/log/manifests")).unwrap();
    let manifest = manifests.next().unwrap().unwrap().path();
    put(&manifest, &authority.stamp(&manifest));
    let (code, said) = judged(Some(&authority.certificate()));
    let all = json!({"count": 2, "judged": true, "failed": {}});
    assert_eq!((code, said), (Some(0), all));
    // Nobody is believed who was not named, and nothing is said of what was not judged.
    let (code, said) = judged(None);
    let unknown = json!({"count": 2, "judged": false, "failed": {}});
    assert_eq!((code, said), (Some(0), unknown));
    let (code, said) = judged(Some(&golden("receipt_v1.anchors.pem")));
    let failed = said["failed"].as_object().unwrap();
    assert_eq!((code, failed.len()), (Some(6), 2), "{said}");
    // One receipt's stamp is not another's; and one may not be about nothing.
    put(&receipts[1], &stamp);
    put(Path::new("DSR-NOBODY.receipt.json"), &stamp);
    let (code, said) = judged(Some(&authority.certificate()));
    assert_eq!((code, &said["count"]), (Some(6), &4.into()), "{said}");
    let failed = said["failed"].as_object().unwrap();
    assert_eq!(failed.len(), 2, "{said}");
    assert!(failed.contains_key("DSR-NOBODY.receipt.tsr"), "{said}");
}

/// Puts a file's digest into a list of the bag, in place of the one that was there.
fn list_anew(bag: &Path, list: &str, path: &str) {
    let digest = Digest::of(&std::fs::read(bag.join(path)).unwrap());
    let text = std::fs::read_to_string(bag.join(list)).unwrap();
    let others = text
        .lines()
        .filter(|line| !line.ends_with(&format!("  {path}")));
    let mut lines: Vec<String> = others.map(str::to_owned).collect();
    lines.push(format!("{digest}  {path}"));
    std::fs::write(bag.join(list), lines.join("\n") + "\n").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stamped_is_packed_with_its_stamps() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let email = customers()[0]["email"].as_str().unwrap().to_owned();
    let asked = local
        .ask(&email, "opt_out", "stamped-0123456789abcdef")
        .await;
    let asked = asked.unwrap();
    until(Duration::from_mins(5), Duration::from_secs(1), || async {
        let status = local.status(&asked).await.unwrap();
        let closed = status["stage"] == "closed";
        closed.then_some(()).ok_or_else(|| status.to_string())
    })
    .await;
    // No day is over yet, so there is no account of it, and the bag says so; receipts are packed all the same.
    let export = |name: &str| {
        let bag = dir.path().join(name);
        let output = local.run(&["evidence", "export", bag.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(6), "{output:?}");
        bag
    };
    // Receipts as they are; nobody stamps for a local deployment, so a company's authority is stood in for.
    let plain = export("plain");
    assert!(!plain.join("data/timestamps").exists());
    let authority = Authority::new();
    let clients = quittance_aws::clients::Clients::local(&local.endpoint).await;
    let names = [
        format!("{}.acceptance.receipt", asked.reference),
        format!("{}.receipt", asked.reference),
    ];
    for name in &names {
        let receipt = plain.join(format!("data/receipts/{name}.json"));
        let put = clients.s3().put_object().bucket("quittance-evidence");
        let put = put.key(format!("timestamps/{name}.tsr"));
        let stamp = authority.stamp(&receipt);
        put.body(stamp.into()).send().await.unwrap();
    }
    let bag = export("stamped");
    let stamps = std::fs::read_dir(bag.join("data/timestamps")).unwrap();
    assert_eq!(stamps.count(), names.len());
    for name in &names {
        as_the_bag_says(&bag, name, &authority.certificate());
    }
}

/// What `VERIFY.md` in the bag tells a stranger to type.
fn as_the_bag_says(bag: &Path, name: &str, anchors: &Path) {
    let told = std::fs::read_to_string(bag.join("data/VERIFY.md")).unwrap();
    let (_, commands) = told.split_once("```sh\n").unwrap();
    let (commands, _) = commands.split_once("```").unwrap();
    let commands = format!("set -e\n{commands}")
        .replace("NAME.receipt", name)
        .replace("CERTIFICATES", anchors.to_str().unwrap())
        .replace("sig.der", "../sig.der");
    let output = Command::new("sh")
        .args(["-c", &commands])
        .current_dir(bag)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("Verification: OK"),
        "{said}"
    );
}

const CONFIG: &str = "[req]
distinguished_name = name
x509_extensions = stamps
[name]
[stamps]
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = example
[example]
serial = serial
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
";
