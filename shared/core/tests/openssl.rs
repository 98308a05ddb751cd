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
use receipt_fixture::{Witnesses, key, log, receipt, signing_key};

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

/// Runs the script in `directory` with this shell and returns whether it accepted, and all it said.
fn run_in(shell: &str, directory: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(shell)
        .arg("verify.sh")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("this test needs {shell} and openssl: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Runs the script in every shell, which must agree.
fn run(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let [first, second] = SHELLS.map(|shell| run_in(shell, directory, arguments));
    assert_eq!(first, second, "{SHELLS:?} differ");
    first
}

fn scratch_with(name: &str, file: &[u8]) -> Scratch {
    let scratch = Scratch::new(name);
    let commands = ReceiptFile::parse(file).unwrap().commands().to_owned();
    scratch.write("verify.sh", commands.as_bytes());
    scratch.write("good.json", file);
    scratch.write("signer.pem", key().to_pem().as_bytes());
    scratch
}

/// The statement inside a receipt file.
fn statement(file: &[u8]) -> String {
    let parsed: serde_json::Value = serde_json::from_slice(file).unwrap();
    let payload = parsed.pointer("/dsse/payload").unwrap().as_str().unwrap();
    String::from_utf8(data_encoding::BASE64.decode(payload.as_bytes()).unwrap()).unwrap()
}

#[test]
fn the_commands_accept_the_receipt_and_print_what_was_verified() {
    for (name, witnesses) in [("plain", Witnesses::None), ("witnessed", Witnesses::Two)] {
        let file = receipt(witnesses).file;
        let scratch = scratch_with(name, &file);
        let vkey = log().verifier().to_string();
        let (accepted, said) = run(&scratch.0, &["good.json", "signer.pem", &vkey]);
        assert!(accepted, "{said}");
        let verdict =
            "Verified OK: your signer stated the above, as entry 3 of log.example.test/dsr";
        assert_eq!(said, format!("{}\n{verdict}\n", statement(&file)));
    }
}

#[test]
fn without_named_keys_the_file_is_only_found_to_agree_with_itself() {
    let file = receipt(Witnesses::None).file;
    let scratch = scratch_with("named", &file);
    let reference = receipt_fixture::about().request.reference();
    scratch.write(&format!("{reference}.receipt.json"), &file);
    for arguments in [&[][..], &["good.json"]] {
        let (accepted, said) = run(&scratch.0, arguments);
        assert!(accepted, "{said}");
        assert!(said.contains("nobody you named vouches for it"), "{said}");
        assert!(!said.contains("Verified OK"), "{said}");
    }
    let (accepted, said) = run(&scratch.0, &["good.json", "signer.pem"]);
    assert!(!accepted && said.contains("give both keys"), "{said}");
}

#[test]
fn the_commands_refuse_other_keys() {
    let file = receipt(Witnesses::None).file;
    let scratch = scratch_with("keys", &file);
    let own = log().verifier().to_string();
    let other = p256::pkcs8::EncodePublicKey::to_public_key_pem(
        signing_key(9).verifying_key(),
        p256::pkcs8::LineEnding::LF,
    );
    scratch.write("other.pem", other.unwrap().as_bytes());
    let (accepted, said) = run(&scratch.0, &["good.json", "other.pem", &own]);
    assert!(!accepted && said.contains("another signer's key"), "{said}");
    let other = quittance_tlog::Ed25519Signer::from_seed(
        "log.example.test/dsr",
        quittance_tlog::KeyKind::Ed25519,
        &[9; 32],
    );
    let vkey = other.unwrap().verifier().to_string();
    let (accepted, said) = run(&scratch.0, &["good.json", "signer.pem", &vkey]);
    assert!(!accepted && said.contains("with another key"), "{said}");
    let vkey = own.replace("log.example", "lag.example");
    let (accepted, said) = run(&scratch.0, &["good.json", "signer.pem", &vkey]);
    assert!(
        !accepted && said.contains("of the log log.example.test/dsr, not lag.example.test/dsr"),
        "{said}"
    );
}

/// The file, and what is said of each bent form of it.
fn refuse_each(name: &str, bent: &[(String, &str)]) {
    let file = receipt(Witnesses::None).file;
    let scratch = scratch_with(name, &file);
    let vkey = log().verifier().to_string();
    for (bent, expected) in bent {
        assert_ne!(bent.as_bytes(), file, "{expected}");
        scratch.write("bent.json", bent.as_bytes());
        for arguments in [&["bent.json"][..], &["bent.json", "signer.pem", &vkey]] {
            let (accepted, said) = run(&scratch.0, arguments);
            assert!(!accepted && said.contains(expected), "{expected}: {said}");
            assert!(!said.contains("vouches") && !said.contains("OK"), "{said}");
        }
        let left = scratch.0.join("pwned");
        assert!(
            !left.exists(),
            "{expected}: a command inside the receipt ran"
        );
    }
}

fn plain() -> String {
    String::from_utf8(receipt(Witnesses::None).file).unwrap()
}

#[test]
fn a_number_that_is_a_command_is_not_run() {
    let file = plain();
    let hostile = [
        "PWD[$(touch pwned)0]",
        "work[$(touch pwned)0]",
        "a[$(touch pwned)0]",
        "$(touch pwned)",
        "at=0",
        "-1",
        "+3",
        "03",
        "",
        " 3",
        "0x3",
        "9007199254740992",
        "18446744073709551619",
    ];
    let index = hostile.map(|n| (file.replace("index 3", &format!("index {n}")), "is none"));
    refuse_each("index", &index);
    // The size is part of what the log signed, so it is not even looked at.
    let size = hostile.map(|n| {
        let bent = file.replace("dsr\\n5\\n", &format!("dsr\\n{n}\\n"));
        (
            bent,
            if n.is_empty() {
                "not three lines"
            } else {
                "log did not sign"
            },
        )
    });
    refuse_each("size", &size);
}

/// Without a trusted log anybody can sign a checkpoint: its size must be no command, either.
#[test]
fn a_signed_size_that_is_a_command_is_not_run() {
    let file = plain();
    let parsed: serde_json::Value = serde_json::from_str(&file).unwrap();
    let proof = parsed.get("tlog_proof").unwrap().as_str().unwrap();
    let (head, note) = proof.split_once("\n\n").unwrap();
    let root = note.lines().nth(2).unwrap();
    let sizes = [
        "PWD[$(touch pwned)0]",
        "a[$(touch pwned)0]",
        "-1",
        "05",
        "0",
        "3",
    ];
    let bent = sizes.map(|size| {
        let text = format!("log.example.test/dsr\n{size}\n{root}\n");
        let note = quittance_tlog::Note::unsigned(text).unwrap();
        let note = log().sign(note).unwrap().to_string();
        let forged = format!("{head}\n\n{note}").replace('\n', "\\n");
        let expected = match size {
            "0" | "3" => "not in the tree",
            _ => "is none",
        };
        (file.replace(&proof.replace('\n', "\\n"), &forged), expected)
    });
    refuse_each("signed-size", &bent);
}

#[test]
fn a_second_value_of_any_name_is_refused() {
    let file = plain();
    let forged = data_encoding::BASE64.encode(statement(file.as_bytes()).as_bytes());
    let forged = forged.replacen('e', "f", 1);
    let own = data_encoding::BASE64.encode(statement(file.as_bytes()).as_bytes());
    let end = ",\"version\":1}";
    let said = "with exactly its members";
    let dsse = &file[..file.find(",\"keys\"").unwrap()];
    let mut bent = vec![
        // What a JSON parser shows is forged; the true one stands elsewhere.
        (
            file.replace(end, &format!(",\"payload\":\"{own}\"{end}"))
                .replacen(&own, &forged, 1),
            said,
        ),
        (
            file.replacen('{', &format!("{{\"payload\":\"{own}\","), 1),
            said,
        ),
        (file.replace(end, &format!(",{}{end}", &dsse[1..])), said),
        (file.replacen('{', &format!("{dsse},"), 1), said),
        (
            file.replace(
                "\"payloadType\"",
                &format!("\"payload\":\"{own}\",\"payloadType\""),
            ),
            said,
        ),
        (file.replace(end, ",\"version\":2}"), said),
        (file.replace("index 3", "index \\u0033"), said),
        (file.replace("index 3", "index \\c3"), said),
        (format!("{file}\n"), "fetch it again"),
        (format!("{file}\n{file}"), "fetch it again"),
        (format!("{file}{file}"), said),
        (file.replacen(':', ": ", 1), said),
        (String::new(), said),
        (format!("{file}{}", " ".repeat(1_048_577)), "longer than"),
    ];
    for name in [
        "dsse",
        "keys",
        "leaf",
        "policy",
        "tlog_proof",
        "verify",
        "keyid",
        "sig",
        "log_vkey",
    ] {
        let again = format!(",\"{name}\":\"\"{end}");
        bent.push((file.replace(end, &again), said));
    }
    refuse_each("doubled", &bent);
}

#[test]
fn the_commands_refuse_a_receipt_that_was_tampered_with() {
    let file = plain();
    let parsed: serde_json::Value = serde_json::from_str(&file).unwrap();
    let text = |pointer: &str| {
        let value = parsed.pointer(pointer).unwrap().as_str().unwrap();
        value.to_owned()
    };
    let proof = text("/tlog_proof");
    let line = |n| proof.lines().nth(n).unwrap().to_owned();
    let signature = proof.lines().last().unwrap().rsplit(' ').next().unwrap();
    let mut bent = Vec::new();
    for (part, expected) in [
        (text("/dsse/payload"), "signer did not sign"),
        (text("/dsse/signatures/0/sig"), "signer did not sign"),
        (text("/dsse/signatures/0/keyid"), "another signer's key"),
        (text("/leaf"), "log entry is about something else"),
        (line(2), "does not lead"),
        (line(4), "does not lead"),
        (line(8), "log did not sign"),
        (signature.to_owned(), "log did not sign"),
    ] {
        // A digit in the middle: the text stays Base64 or hex of the same length.
        let mut other = part.clone().into_bytes();
        let middle = other.len() / 2;
        if let Some(digit) = other.get_mut(middle) {
            *digit = if *digit == b'0' { b'1' } else { b'0' };
        }
        let other = String::from_utf8(other).unwrap();
        bent.push((file.replace(&part, &other), expected));
    }
    for (from, to, expected) in [
        ("index 3", "index 2", "does not lead"),
        ("index 3", "index 8", "not in the tree"),
        ("dsr\\n5\\n", "dsr\\n4\\n", "log did not sign"),
        ("@v1\\n", "@v2\\n", "of another kind"),
        ("\\n\\n— log", "\\nmore\\n\\n— log", "not three lines"),
        ("\\n\\n— log", "\\n\\n— lag", "not the log's"),
        ("\\n\\nlog", "\\nAAAA\\n\\nlog", "is too long"),
    ] {
        bent.push((file.replace(from, to), expected));
    }
    refuse_each("tampered", &bent);
}

#[test]
fn the_commands_refuse_what_is_cut_off_and_what_is_not_there() {
    let file = plain();
    let bent = [100, file.len() / 2, file.len() - 1].map(|end| {
        let end = (0..=end).rev().find(|n| file.is_char_boundary(*n)).unwrap();
        (file[..end].to_owned(), "with exactly its members")
    });
    refuse_each("cut", &bent);
    let scratch = scratch_with("absent", file.as_bytes());
    let (accepted, said) = run(&scratch.0, &["no.json"]);
    assert!(!accepted && said.contains("cannot read no.json"), "{said}");
}

/// The plainest shell there is, and the one that evaluates most.
const SHELLS: [&str; 2] = ["dash", "bash"];
