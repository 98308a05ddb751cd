//! The commands inside a receipt, run by `sh` with the `openssl` of this machine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it stands"
)]
#![expect(
    dead_code,
    unreachable_pub,
    reason = "the fixture serves several test programs"
)]

mod receipt_fixture;

use std::path::Path;
use std::process::Command;

use quittance_core::receipt::ReceiptFile;
use receipt_fixture::{Witnesses, key, log, receipt, signing_key, witness};

/// A directory of its own, gone when dropped.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quittance-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            assert!(std::thread::panicking(), "{error}");
        }
    }
}

/// Runs the script in `directory` and returns whether it accepted, and all that it said.
fn run(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("sh")
        .arg("verify.sh")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("this test needs sh and openssl: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn scratch_with(name: &str, file: &[u8]) -> Scratch {
    let scratch = Scratch::new(name);
    let commands = ReceiptFile::parse(file).unwrap().commands().to_owned();
    scratch.write("verify.sh", commands.as_bytes());
    scratch.write("good.json", file);
    scratch.write("signer.pem", key().to_pem().as_bytes());
    scratch
}

#[test]
fn the_commands_accept_the_receipt_with_its_own_and_with_trusted_keys() {
    for (name, witnesses) in [("plain", Witnesses::None), ("witnessed", Witnesses::Two)] {
        let file = receipt(witnesses).file;
        let scratch = scratch_with(name, &file);
        assert_eq!(
            run(&scratch.0, &["good.json"]),
            (true, "Verified OK\n".to_owned())
        );
        let vkey = log().verifier().to_string();
        let (accepted, said) = run(&scratch.0, &["good.json", "signer.pem", &vkey]);
        assert!(accepted, "{said}");
    }
}

#[test]
fn the_file_is_found_under_its_own_name() {
    let file = receipt(Witnesses::None).file;
    let scratch = scratch_with("named", &file);
    let reference = receipt_fixture::about().request.reference();
    scratch.write(&format!("{reference}.receipt.json"), &file);
    assert_eq!(run(&scratch.0, &[]), (true, "Verified OK\n".to_owned()));
}

#[test]
fn the_commands_refuse_other_keys() {
    let file = receipt(Witnesses::None).file;
    let scratch = scratch_with("keys", &file);
    let other = p256::pkcs8::EncodePublicKey::to_public_key_pem(
        signing_key(9).verifying_key(),
        p256::pkcs8::LineEnding::LF,
    );
    scratch.write("other.pem", other.unwrap().as_bytes());
    let (accepted, said) = run(&scratch.0, &["good.json", "other.pem"]);
    assert!(!accepted && said.contains("signer did not sign"), "{said}");
    let vkey = witness(9)
        .verifier()
        .to_string()
        .replace("witness9.example.test", "log.example.test/dsr");
    let (accepted, said) = run(&scratch.0, &["good.json", "signer.pem", &vkey]);
    assert!(!accepted && said.contains("log did not sign"), "{said}");
}

#[test]
fn the_commands_refuse_a_receipt_that_was_tampered_with() {
    let file = String::from_utf8(receipt(Witnesses::None).file).unwrap();
    let scratch = scratch_with("tampered", file.as_bytes());
    let parsed: serde_json::Value = serde_json::from_str(&file).unwrap();
    let text = |pointer: &str| {
        parsed
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let proof = text("/tlog_proof");
    let root = proof.lines().nth(8).unwrap();
    let signature = proof.lines().last().unwrap().rsplit(' ').next().unwrap();
    for (part, expected) in [
        (text("/dsse/payload"), "signer did not sign"),
        (text("/dsse/signatures/0/sig"), "signer did not sign"),
        (text("/leaf"), "log entry"),
        (proof.lines().nth(2).unwrap().to_owned(), "does not lead"),
        (proof.lines().nth(4).unwrap().to_owned(), "does not lead"),
        (root.to_owned(), "does not lead"),
        (signature.to_owned(), "log did not sign"),
    ] {
        // A digit in the middle: the text stays Base64 of the same length.
        let mut bent = part.clone().into_bytes();
        let middle = bent.len() / 2;
        if let Some(digit) = bent.get_mut(middle) {
            *digit = if *digit == b'A' { b'B' } else { b'A' };
        }
        let bent = file.replace(&part, &String::from_utf8(bent).unwrap());
        assert_ne!(bent, file);
        scratch.write("bent.json", bent.as_bytes());
        let (accepted, said) = run(&scratch.0, &["bent.json", "signer.pem"]);
        assert!(!accepted, "{part}: {said}");
        assert!(
            said.contains(expected) || part == text("/leaf"),
            "{part}: {said}"
        );
    }
    for (from, to) in [
        ("index 3", "index 2"),
        ("index 3", "index 8"),
        ("dsr\\n5\\n", "dsr\\n4\\n"),
    ] {
        let bent = file.replace(from, to);
        assert_ne!(bent, file);
        scratch.write("bent.json", bent.as_bytes());
        let (accepted, said) = run(&scratch.0, &["bent.json", "signer.pem"]);
        assert!(!accepted, "{from} {to}: {said}");
    }
}
