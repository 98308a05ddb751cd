//! What `dsr demo` leaves, judged from outside.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::local::dsr;
use crate::{fsck, stamps};

pub(crate) fn judge(command: &str, what: &Path, policy: &Path) -> Output {
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
    fsck::served_over_http_it_is_judged_the_same(&log, &policy);
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
    fsck::damage_is_told(&log, &policy, &tile);

    the_account_stands_and_falls(&out);
    the_bag_stands_and_falls(&out);

    let again = dsr().args(["demo", "--out"]).arg(&out).output().unwrap();
    assert_eq!(
        again.status.code(),
        Some(5),
        "a full directory is not written over"
    );
}

/// What the demo leaves accounts for its seven requests; whatever is changed about it is found.
fn the_account_stands_and_falls(out: &Path) {
    let log = out.join("log");
    let audit = |more: &[&str]| {
        let mut command = dsr();
        command
            .arg("audit")
            .arg(&log)
            .arg("--policy")
            .arg(out.join("policy"));
        command
            .arg("--receipts")
            .arg(out.join("receipts"))
            .args(more);
        let output = command.arg("--json").output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), said)
    };
    let kinds = |said: &Value| -> Vec<String> {
        let findings = said["findings"].as_array().unwrap().iter();
        findings
            .map(|finding| finding["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    let (code, said) = audit(&[]);
    assert_eq!((code, kinds(&said)), (0, Vec::new()), "{said}");
    assert_eq!(
        (&said["accounted"], &said["entries"]),
        (&14.into(), &15.into())
    );
    assert_eq!(
        (&said["receipts"], &said["all"]["received"]),
        (&14.into(), &7.into())
    );
    assert_eq!(said["all"]["on_time_permille"], 1000);

    let (code, said) = audit(&["--to", "9999-12-31"]);
    assert_eq!((code, kinds(&said)), (6, vec!["missing".to_owned()]));
    let manifests = log.join("manifests");
    let manifest = std::fs::read_dir(&manifests)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = std::fs::read(&manifest).unwrap();
    let mut forged = bytes.clone();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    std::fs::write(&manifest, forged).unwrap();
    let (code, said) = audit(&[]);
    let expected = ["forged", "missing"].map(str::to_owned);
    assert_eq!((code, kinds(&said)), (6, expected.to_vec()));
    assert_eq!(
        judge("fsck", &log, &out.join("policy")).status.code(),
        Some(6)
    );
    std::fs::write(&manifest, bytes).unwrap();

    // Somebody else's receipt is none of this log's.
    let stranger = out.join("receipts/stranger.receipt.json");
    std::fs::copy(golden("receipt_v1.receipt.json"), &stranger).unwrap();
    let (code, said) = audit(&[]);
    assert_eq!((code, kinds(&said)), (6, vec!["receipt".to_owned()]));
    std::fs::remove_file(stranger).unwrap();
    assert_eq!(audit(&[]).0, 0, "all is as it was");
}

/// The bag is one to `BagIt`'s own validator, to the verifier inside it, and to ours; and not when it is bent.
fn the_bag_stands_and_falls(out: &Path) {
    let bag = out.join("bag");
    let policy = out.join("policy");
    let bagit = || {
        let mut command = std::process::Command::new(python());
        let output = command
            .args(["-m", "bagit", "--validate"])
            .arg(&bag)
            .output();
        output.unwrap_or_else(|error| panic!("{error}: {ADVICE}"))
    };
    let script = || {
        let mut command = std::process::Command::new("python3");
        let output = command
            .arg(bag.join("data/verify.py"))
            .arg(&bag)
            .arg(&policy)
            .output();
        output.unwrap()
    };
    let ours = || {
        let mut command = dsr();
        command
            .args(["evidence", "verify"])
            .arg(&bag)
            .arg("--policy")
            .arg(&policy);
        command.arg("--json").output().unwrap()
    };
    for output in [bagit(), script(), ours()] {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}\n{ADVICE}");
    }
    let said = String::from_utf8(script().stdout).unwrap();
    assert!(
        said.contains("14 receipts and 1 manifests verified; 14 of 15 entries"),
        "{said}"
    );
    assert!(said.contains("under your policy"), "{said}");
    let register = std::fs::read_to_string(bag.join("data/register.csv")).unwrap();
    assert_eq!(register.lines().count(), 8, "{register}");

    // A byte of any file is seen by all three; so is a file that was taken away.
    let receipts = std::fs::read_dir(bag.join("data/receipts")).unwrap();
    let receipt = receipts.map(|entry| entry.unwrap().path()).next().unwrap();
    for path in [
        receipt,
        bag.join("data/register.csv"),
        bag.join("data/log/checkpoint"),
    ] {
        let bytes = std::fs::read(&path).unwrap();
        let mut bent = bytes.clone();
        let middle = bent.len() / 2;
        bent[middle] ^= 1;
        for put in [Some(bent), None] {
            match put {
                Some(bent) => std::fs::write(&path, bent).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            for (who, output) in [("bagit", bagit()), ("verify.py", script()), ("dsr", ours())] {
                assert!(
                    !output.status.success(),
                    "{who} accepted {}",
                    path.display()
                );
            }
        }
        std::fs::write(&path, bytes).unwrap();
    }
    // What a liar packs anew is whole as a bag, and false to the log.
    let manifests = bag.join("data/log/manifests");
    let manifest = std::fs::read_dir(&manifests)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = std::fs::read(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    let list = bag.join("manifest-sha256.txt");
    let whole = std::fs::read_to_string(&list).unwrap();
    let thinned: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.contains("log/manifests/"))
        .collect();
    std::fs::write(&list, thinned).unwrap();
    assert_eq!(ours().status.code(), Some(6));
    std::fs::write(&list, whole).unwrap();
    std::fs::write(&manifest, bytes).unwrap();
    assert!(ours().status.success(), "all is as it was");
    stamps::one_in_a_bag_stands_and_falls(&bag, &policy);
}

#[expect(
    clippy::disallowed_methods,
    reason = "where a tool lies is no setting of the product"
)]
fn python() -> String {
    std::env::var("QUITTANCE_PYTHON")
        .unwrap_or_else(|_| panic!("QUITTANCE_PYTHON is not set: {ADVICE}"))
}

const ADVICE: &str = "tests/run installs Python's bagit: run the tests with it, or put a Python that has it into QUITTANCE_PYTHON";

fn golden(name: &str) -> PathBuf {
    Path::new("../../tests/golden").join(name)
}

#[test]
fn a_file_that_is_no_receipt_is_refused_with_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let policy = golden("receipt_v1.policy");
    let good = std::fs::read_to_string(golden("receipt_v1.receipt.json")).unwrap();
    let keyless = good.replace("log log.example", "lag log.example");
    let refused = |what: &Path, arguments: &[&str]| {
        let output = dsr()
            .arg("verify")
            .arg(what)
            .args(arguments)
            .arg("--json")
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(6), "{what:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["ok"], false);
        assert_eq!(report["checks"][0]["name"], "canonical");
        assert_eq!(report["checks"][0]["verdict"], "failed");
        report["checks"][0]["explanation"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let trusted = ["--policy", policy.to_str().unwrap()];
    for (bytes, expected) in [
        (String::new(), "the file is empty: fetch it again"),
        (" ".repeat(1_048_577), "longer than a receipt can be"),
        ("hello".to_owned(), "cut off: fetch it again"),
        (format!("{good}\n"), "saved again"),
        (
            good.replace("\"version\":1}", "\"version\":2}"),
            "get a newer dsr",
        ),
    ] {
        let path = dir.path().join("x.receipt.json");
        std::fs::write(&path, bytes).unwrap();
        for arguments in [&trusted[..], &["--trust-embedded-keys"]] {
            let told = refused(&path, arguments);
            assert!(told.contains(expected), "{told}");
        }
    }
    let path = dir.path().join("keyless.receipt.json");
    std::fs::write(&path, keyless).unwrap();
    let told = refused(&path, &["--trust-embedded-keys"]);
    assert!(told.contains("no usable keys"), "{told}");
    // Something without an end is read no further than a receipt can go.
    let told = refused(Path::new("/dev/zero"), &trusted);
    assert!(told.contains("longer than a receipt can be"), "{told}");
    let endless = judge("verify", &path, Path::new("/dev/zero"));
    assert_eq!(endless.status.code(), Some(1));
}

#[test]
fn the_files_own_keys_are_never_called_a_verification() {
    let file = golden("receipt_v1.receipt.json");
    let run = |arguments: &[&str]| {
        let output = dsr()
            .arg("verify")
            .arg(&file)
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = run(&["--trust-embedded-keys"]);
    let verdict = said.lines().last().unwrap();
    assert!(
        verdict.starts_with("self-consistent only: nobody you named vouches for it"),
        "{said}"
    );
    assert!(
        !said.contains("verified") && !said.contains("policy's"),
        "{said}"
    );
    assert!(said.contains("signed by the file's own key"), "{said}");
    let said: Value = serde_json::from_str(&run(&["--trust-embedded-keys", "--json"])).unwrap();
    assert_eq!(said["trust"], "embedded");
    let policy = golden("receipt_v1.policy");
    let trusted = ["--policy", policy.to_str().unwrap()];
    assert!(run(&trusted).contains("\nverified: receipt of DSR-"));
    let said: Value = serde_json::from_str(&run(&[&trusted[..], &["--json"]].concat())).unwrap();
    assert_eq!(said["trust"], "policy");
}

#[test]
fn a_receipt_opens_to_whoever_has_key_and_identifier() {
    let ask = |file: &Path, said: &str, more: &[&str]| {
        let mut command = dsr();
        command.arg("open").arg(file).arg("--policy");
        command.arg(golden("receipt_v1.policy")).args(more);
        command.stdin(std::process::Stdio::piped());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), said.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!told.contains("ada") && !told.contains("0505"), "{told}");
        output.status.code().unwrap()
    };
    let key = "05".repeat(32);
    let file = golden("receipt_v1.receipt.json");
    assert_eq!(ask(&file, &format!("{key}\n Ada@Example.TEST \n"), &[]), 0);
    assert_eq!(ask(&file, &format!("{key}\nada@example.test\n"), &[]), 0);
    assert_eq!(ask(&file, &format!("{key}\nada@Example.TEST\n"), &[]), 0);
    assert_eq!(ask(&file, &format!("{key}\nbob@example.test\n"), &[]), 6);
    assert_eq!(
        ask(
            &file,
            &format!("{}\nada@example.test\n", "06".repeat(32)),
            &[]
        ),
        6
    );
    let other = ["--scheme", "customer_id", "--normalise", "exact"];
    assert_eq!(ask(&file, &format!("{key}\nada@example.test\n"), &other), 6);
    for nonsense in ["", "0505\nada@example.test\n", &format!("{key}\n")] {
        assert_eq!(ask(&file, nonsense, &[]), 2, "{nonsense}");
    }
    let dir = tempfile::tempdir().unwrap();
    let forged = dir.path().join("forged.receipt.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&forged, text.replacen("index 3", "index 2", 1)).unwrap();
    assert_eq!(ask(&forged, &format!("{key}\nada@example.test\n"), &[]), 6);
}

#[test]
fn what_is_missing_is_told_with_its_exit_code() {
    let missing = Path::new("no-such.receipt.json");
    let output = judge("verify", missing, missing);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such.receipt.json"));
    let policy = golden("receipt_v1.policy");
    let output = judge("fsck", Path::new("no-such-log"), &policy);
    assert_eq!(output.status.code(), Some(3));
    let empty = tempfile::tempdir().unwrap();
    let output = judge("fsck", empty.path(), &policy);
    assert_eq!(output.status.code(), Some(6));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["problems"][0]["path"], "checkpoint");
    assert_eq!(said["problems"][0]["explanation"], "missing");
}
