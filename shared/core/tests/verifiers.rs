//! Receipts judged by verifiers that others made, and by the small one that travels in every bag.
//!
//! npm's `@sigstore/verify` and `PyPI`'s `securesystemslib` lie where `tests/run` puts them. Each must
//! accept what we write and refuse it with a bit flipped in any part that it knows of.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop where it stands"
)]
#![expect(
    dead_code,
    unreachable_pub,
    reason = "the fixture serves several test programs"
)]

mod receipt_fixture;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use data_encoding::BASE64;
use quittance_core::bag::VERIFIER;
use quittance_core::receipt::{ReceiptFile, SigstoreBundle, TimestampQuery, log_id};
use receipt_fixture::{Witnesses, key, log, receipt};
use serde_json::{Value, json};

/// A directory of its own, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quittance-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            assert!(std::thread::panicking(), "{error}");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where a tool lies is no setting of the product"
)]
fn tool(setting: &str) -> String {
    std::env::var(setting).unwrap_or_else(|_| panic!("{setting} is not set: {ADVICE}"))
}

fn script(name: &str) -> PathBuf {
    Path::new("../../tests/verifiers").join(name)
}

fn answers(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The first is accepted, all others are refused.
fn only_the_first(answers: &[String], names: &[String]) {
    assert_eq!(answers.len(), names.len());
    for (answer, name) in answers.iter().zip(names) {
        assert_eq!(answer.is_empty(), *name == names[0], "{name}: {answer}");
    }
}

/// A Base64 text with one bit of what it stands for flipped, for some of its bits.
fn flipped(text: &str) -> Vec<String> {
    let bytes = BASE64.decode(text.as_bytes()).unwrap();
    [0, bytes.len() / 2, bytes.len() - 1]
        .iter()
        .map(|at| {
            let mut bent = bytes.clone();
            bent[*at] ^= 1;
            BASE64.encode(&bent)
        })
        .collect()
}

#[test]
fn sigstore_for_npm_accepts_our_bundle_and_refuses_it_bent() {
    for witnesses in [Witnesses::None, Witnesses::Two] {
        sigstore_judges(&receipt(witnesses).file);
    }
}

fn sigstore_judges(file: &[u8]) {
    let made = SigstoreBundle::of(&ReceiptFile::parse(file).unwrap()).unwrap();
    let good: Value = serde_json::from_str(&made.bundle).unwrap();
    let artifact = BASE64.encode(&made.artifact);
    let mut names = vec!["as it was written".to_owned()];
    let mut bundles = vec![json!({ "bundle": made.bundle, "artifact": artifact })];
    for bent in flipped(&artifact) {
        names.push("statement".to_owned());
        bundles.push(json!({ "bundle": made.bundle, "artifact": bent }));
    }
    let entry = "/verificationMaterial/tlogEntries/0";
    for (name, pointer) in [
        ("leaf", format!("{entry}/canonicalizedBody")),
        ("proof", format!("{entry}/inclusionProof/hashes/0")),
        ("proof", format!("{entry}/inclusionProof/hashes/1")),
        ("signature", "/messageSignature/signature".to_owned()),
        (
            "digest",
            "/messageSignature/messageDigest/digest".to_owned(),
        ),
    ] {
        for bent in flipped(good.pointer(&pointer).unwrap().as_str().unwrap()) {
            let mut bundle = good.clone();
            *bundle.pointer_mut(&pointer).unwrap() = bent.into();
            names.push(name.to_owned());
            bundles.push(json!({ "bundle": bundle.to_string(), "artifact": artifact }));
        }
    }
    let pointer = format!("{entry}/inclusionProof/checkpoint/envelope");
    let note = good.pointer(&pointer).unwrap().as_str().unwrap().to_owned();
    let line = note.lines().find(|line| line.starts_with('—')).unwrap();
    let signature = line.rsplit(' ').next().unwrap();
    let root = note.lines().nth(2).unwrap();
    let bends = flipped(signature)
        .into_iter()
        .map(|bent| note.replace(signature, &bent));
    let bends = bends.chain(
        flipped(root)
            .into_iter()
            .map(|bent| note.replace(root, &bent)),
    );
    for bent in bends.chain([note.replace("\n5\n", "\n4\n"), note.replace("log.", "lag.")]) {
        let mut bundle = good.clone();
        *bundle.pointer_mut(&pointer).unwrap() = bent.into();
        names.push("checkpoint".to_owned());
        bundles.push(json!({ "bundle": bundle.to_string(), "artifact": artifact }));
    }
    ask_sigstore(&bundles, &names, None);
}

/// The golden receipt is the fixture's, so that its stamp is on the fixture's signature.
#[test]
fn sigstore_for_npm_accepts_our_time_stamp_and_refuses_it_bent() {
    let file = ReceiptFile::parse(&receipt(Witnesses::None).file).unwrap();
    let stamp = std::fs::read(golden("receipt_v1.receipt.tsr")).unwrap();
    let plain = SigstoreBundle::of(&file).unwrap();
    let artifact = BASE64.encode(&plain.artifact);
    let stamped = |stamp: &[u8]| {
        let made = plain.clone().stamped(stamp).unwrap();
        json!({ "bundle": made.bundle, "artifact": artifact })
    };
    let mut names = vec!["as it was written".to_owned()];
    let mut bundles = vec![stamped(&stamp)];
    // A bit of what it is about, of when it was made, and of its signature.
    let at = |part: &[u8]| {
        let mut windows = stamp.windows(part.len());
        windows.position(|window| window == part).unwrap()
    };
    let query = TimestampQuery::of(file.envelope()).unwrap();
    let imprint = &query.as_bytes()[24..56];
    for (name, at) in [
        ("imprint", at(imprint)),
        ("time", at(b"20261130204456Z") + 13),
        ("signature", stamp.len() - 1),
    ] {
        let mut bent = stamp.clone();
        bent[at] ^= 1;
        names.push(name.to_owned());
        bundles.push(stamped(&bent));
    }
    names.push("no stamp".to_owned());
    bundles.push(json!({ "bundle": plain.bundle, "artifact": artifact }));
    // The stamp of another signature.
    let bundle: Value =
        serde_json::from_str(&plain.clone().stamped(&stamp).unwrap().bundle).unwrap();
    let signature = bundle["messageSignature"]["signature"].as_str().unwrap();
    for bent in flipped(signature) {
        let mut bundle = bundle.clone();
        bundle["messageSignature"]["signature"] = bent.into();
        names.push("signature stamped".to_owned());
        bundles.push(json!({ "bundle": bundle.to_string(), "artifact": artifact }));
    }
    ask_sigstore(&bundles, &names, Some(&chain(&stamp)));
    // Under another authority it is nothing.
    let mut stranger = chain(&stamp);
    stranger.swap(0, 1);
    let names = ["under its own".to_owned(), "under another".to_owned()];
    let (own, other) = (chain(&stamp), stranger);
    for (authority, name) in [(own, &names[0]), (other, &names[1])] {
        let answers = sigstore_says(&bundles[..1], Some(&authority));
        assert_eq!(answers[0].is_empty(), *name == names[0], "{answers:?}");
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new("../../tests/golden").join(name)
}

/// The signer's certificate, as it was sent along, and the anchor, each in Base64.
fn chain(stamp: &[u8]) -> Vec<String> {
    let scratch = Scratch::new("chain");
    let answer = scratch.write("a.tsr", stamp);
    let token = scratch.0.join("token");
    let openssl = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new("openssl").args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("this test needs openssl: {error}"));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (answer, token) = (answer.as_os_str(), token.as_os_str());
    let words = |text: &'static str| text.split(' ').map(std::ffi::OsStr::new);
    let mut first: Vec<_> = words("ts -reply -token_out -in").collect();
    first.extend([answer, "-out".as_ref(), token]);
    openssl(&first);
    let mut second: Vec<_> = words("pkcs7 -inform DER -print_certs -in").collect();
    second.push(token);
    let anchor = std::fs::read_to_string(golden("receipt_v1.anchors.pem")).unwrap();
    let pems = openssl(&second) + &anchor;
    let parts = pems.split("-----BEGIN CERTIFICATE-----").skip(1);
    parts
        .map(|part| {
            part.split("-----END")
                .next()
                .unwrap()
                .split_whitespace()
                .collect()
        })
        .collect()
}

fn ask_sigstore(bundles: &[Value], names: &[String], authority: Option<&[String]>) {
    only_the_first(&sigstore_says(bundles, authority), names);
}

fn sigstore_says(bundles: &[Value], authority: Option<&[String]>) -> Vec<String> {
    let log = log();
    let spki = [ED25519_SPKI, log.verifier().public_key()].concat();
    let cases = json!({
        "bundles": bundles,
        "log": {
            "name": log.verifier().name(),
            "spki": BASE64.encode(&spki),
            "id": BASE64.encode(log_id(log.verifier()).as_bytes()),
        },
        "signer": { "id": key().id(), "spki": BASE64.encode(key().spki_der()) },
        "authority": authority,
    });
    let scratch = Scratch::new(&format!(
        "sigstore-{}-{}",
        bundles.len(),
        authority.is_some()
    ));
    let cases = scratch.write("cases.json", cases.to_string().as_bytes());
    let output = Command::new("node")
        .arg(script("sigstore.cjs"))
        .arg(tool("QUITTANCE_NODE_MODULES"))
        .arg(cases)
        .output()
        .unwrap_or_else(|error| panic!("node: {error}: {ADVICE}"));
    answers(&output)
}

#[test]
fn securesystemslib_accepts_our_envelope_and_refuses_it_bent() {
    let file: Value = serde_json::from_slice(&receipt(Witnesses::None).file).unwrap();
    let good = file.get("dsse").unwrap().clone();
    let mut names = vec!["as it was written".to_owned()];
    let mut envelopes = vec![good.clone()];
    for (name, pointer) in [
        ("statement", "/payload"),
        ("signature", "/signatures/0/sig"),
    ] {
        for bent in flipped(good.pointer(pointer).unwrap().as_str().unwrap()) {
            let mut envelope = good.clone();
            *envelope.pointer_mut(pointer).unwrap() = bent.into();
            names.push(name.to_owned());
            envelopes.push(envelope);
        }
    }
    for (pointer, bent) in [
        ("/payloadType", "application/vnd.in-toto+jsoo"),
        ("/signatures/0/keyid", "00"),
    ] {
        let mut envelope = good.clone();
        *envelope.pointer_mut(pointer).unwrap() = bent.into();
        names.push(pointer.to_owned());
        envelopes.push(envelope);
    }
    let cases = json!({ "pem": key().to_pem(), "keyid": key().id(), "envelopes": envelopes });
    let scratch = Scratch::new("dsse");
    let cases = scratch.write("cases.json", cases.to_string().as_bytes());
    let output = Command::new(tool("QUITTANCE_PYTHON"))
        .arg(script("dsse.py"))
        .arg(cases)
        .output()
        .unwrap_or_else(|error| panic!("python: {error}: {ADVICE}"));
    only_the_first(&answers(&output), &names);
}

#[test]
fn the_bags_own_verifier_accepts_our_receipts_and_refuses_them_bent() {
    let plain = receipt(Witnesses::None);
    let witnessed = receipt(Witnesses::Two);
    let scratch = Scratch::new("verify-py");
    let program = scratch.write("verify.py", VERIFIER.as_bytes());
    let judge = |file: &[u8], policy: &str| {
        let file = scratch.write("x.receipt.json", file);
        let policy = scratch.write("policy", policy.as_bytes());
        let output = Command::new("python3")
            .arg(&program)
            .arg(file)
            .arg(policy)
            .output();
        let output = output.unwrap_or_else(|error| panic!("python3: {error}: {ADVICE}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
        said
    };
    assert_eq!(judge(&plain.file, &plain.policy), "");
    assert_eq!(judge(&witnessed.file, &witnessed.policy), "");
    assert_eq!(judge(&witnessed.file, &plain.policy), "");
    assert!(judge(&plain.file, &witnessed.policy).contains("too few witnesses"));
    let text = String::from_utf8(witnessed.file).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let part = |pointer: &str| value.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let proof = part("/tlog_proof");
    let line = |n| proof.lines().nth(n).unwrap().to_owned();
    let word = |n| line(n).rsplit(' ').next().unwrap().to_owned();
    for (name, part) in [
        ("statement", part("/dsse/payload")),
        ("signature", part("/dsse/signatures/0/sig")),
        ("leaf", part("/leaf")),
        ("proof", line(2)),
        ("proof", line(3)),
        ("checkpoint", line(8)),
        ("checkpoint's signature", word(10)),
        ("cosignature", word(11)),
        ("cosignature", word(12)),
    ] {
        for bent in flipped(&part) {
            let said = judge(text.replace(&part, &bent).as_bytes(), &witnessed.policy);
            assert!(said.starts_with("REFUSED"), "{name}: {said}");
        }
    }
    for (from, to) in [
        ("index 3", "index 2"),
        ("dsr\\n5\\n", "dsr\\n4\\n"),
        (":", ": "),
    ] {
        let said = judge(text.replacen(from, to, 1).as_bytes(), &witnessed.policy);
        assert!(said.starts_with("REFUSED"), "{from}: {said}");
    }
}

/// What stands before an Ed25519 key in a `SubjectPublicKeyInfo`.
const ED25519_SPKI: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const ADVICE: &str = "tests/run installs other people's verifiers: run the tests with it, or put what it \
                      says into QUITTANCE_PYTHON and QUITTANCE_NODE_MODULES";
