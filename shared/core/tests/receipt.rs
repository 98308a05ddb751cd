//! Whole receipt files: verified, bent bit by bit, and compared with the golden files.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]
#![expect(unreachable_pub, reason = "the fixture serves several test programs")]

mod receipt_fixture;

use std::path::Path;

use proptest::prelude::*;
use quittance_core::audit::Account;
use quittance_core::digest::Digest;
use quittance_core::receipt::{
    AcceptanceLeaf, CheckName, CheckVerdict, Checkpoint, Envelope, FileError, MAX_FILE_BYTES,
    Policy, PolicySigner, ReceiptFile, ReceiptKey, Report, Slug, Statement, Trust, leaf_bytes, pae,
    policy_text, policy_text_of, verify, verify_embedded,
};
use quittance_core::request::Outcome;
use quittance_tlog::{Hash, KeyKind, RightEdge, TlogProof, VerifierKey, integrate, leaf_hash};
use receipt_fixture::{
    Witnesses, about, acceptance, key, log, make, outcome, receipt, sign, signing_key, witness,
};

fn judge(file: &[u8], policy: &str) -> Report {
    verify(file, &Policy::parse(policy).unwrap())
}

fn failed(report: &Report) -> Vec<&'static str> {
    let failed = report
        .checks
        .iter()
        .filter(|check| check.verdict == CheckVerdict::Failed);
    failed.map(|check| check.name.code()).collect()
}

#[test]
fn a_receipt_passes_every_check_and_says_what_it_is() {
    for (witnesses, cosigned) in [(Witnesses::None, 0), (Witnesses::Two, 2)] {
        let made = receipt(witnesses);
        let report = judge(&made.file, &made.policy);
        assert!(report.ok, "{report:?}");
        let names: Vec<CheckName> = report.checks.iter().map(|check| check.name).collect();
        assert_eq!(names, CheckName::ALL);
        let summary = report.summary.unwrap();
        assert_eq!(summary.outcome, Some(Outcome::Partial));
        assert_eq!((summary.leaf_index, summary.tree_size), (3, 5));
        assert_eq!(summary.witnesses.len(), cosigned);
        assert_eq!(
            summary.reference,
            Some(about().request.reference().to_string())
        );
    }
}

#[test]
fn a_report_reads_well_as_json() {
    let made = receipt(Witnesses::Two);
    let json = serde_json::to_value(judge(&made.file, &made.policy)).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["checks"][7]["name"], "embedded_keys");
    assert_eq!(json["checks"][7]["verdict"], "ok");
    assert_eq!(json["summary"]["right"], "deletion");
    assert_eq!(
        json["summary"]["witnesses"]["witness3.example.test"],
        1_795_466_880
    );
}

/// On two threads, because a flip may cost several signature checks. The commands make up half of the
/// file and are compared byte by byte, so one bit of each of their bytes stands for all eight.
#[test]
fn every_flipped_bit_of_the_file_is_refused() {
    let edge = integrate(&RightEdge::empty(), &[b"one", b"two"])
        .unwrap()
        .edge;
    let made = make(
        &Statement::Acceptance(about(), acceptance()),
        &edge,
        Witnesses::None,
    );
    let policy = Policy::parse(&made.policy).unwrap();
    assert!(verify(&made.file, &policy).ok);
    let text = String::from_utf8(made.file.clone()).unwrap();
    let commands = text.find("# Verifies").unwrap()..text.find("\",\"version\"").unwrap();
    assert!(commands.len() > 3_000, "{commands:?}");
    let (made, policy, commands) = (&made, &policy, &commands);
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || {
                let mut bytes = made.file.clone();
                for bit in (half..bytes.len() * 8).step_by(2) {
                    if commands.contains(&(bit / 8)) && bit % 8 != bit / 8 % 8 {
                        continue;
                    }
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    assert!(!verify(&bytes, policy).ok, "bit {bit} is free");
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            });
        }
    });
}

#[test]
fn a_flipped_bit_in_each_byte_of_a_cosigned_proof_or_policy_is_refused() {
    let made = receipt(Witnesses::Two);
    let policy = Policy::parse(&made.policy).unwrap();
    let text = String::from_utf8(made.file.clone()).unwrap();
    let end = text.find("\"verify\":").unwrap();
    for at in text.find("\"policy\":").unwrap()..end {
        let mut bytes = made.file.clone();
        bytes[at] ^= 1 << (at % 7);
        assert!(!verify(&bytes, &policy).ok, "byte {at} is free");
    }
}

#[test]
fn each_part_has_a_check_that_notices_it() {
    let made = receipt(Witnesses::Two);
    let text = String::from_utf8(made.file).unwrap();
    for (from, to, expected) in [
        ("\"version\":1", "\"version\":2", &["canonical"][..]),
        ("\"version\":1", "\"version\":1 ", &["canonical"]),
        (
            "\"version\":1",
            "\"sigstore_bundle\":{},\"version\":1",
            &["canonical"],
        ),
        ("\"keyid\":\"", "\"keyid\":\"0", &["signature"]),
        ("\"sig\":\"ME", "\"sig\":\"MF", &["signature"]),
        ("\"leaf\":\"ey", "\"leaf\":\"eyA", &["leaf"]),
        ("\\nindex 3\\n", "\\nindex 2\\n", &["inclusion"]),
        (
            "@v1\\nindex 3\\n",
            "@v1\\nextra AAAA\\nindex 3\\n",
            &["inclusion"],
        ),
        ("dsr\\n5\\n", "dsr\\n6\\n", &["checkpoint"]),
        (
            "# quittance-signer receipts",
            "# quittance-signer receipt",
            &["embedded_keys"],
        ),
        (
            "group witnesses all",
            "group witnesses any",
            &["embedded_keys"],
        ),
        (
            "END PUBLIC KEY-----\\n",
            "END PUBLIC KEY-----",
            &["embedded_keys"],
        ),
        ("Verified OK", "Verified KO", &["commands"]),
    ] {
        let bent = text.replacen(from, to, 1);
        assert_ne!(bent, text, "{from}");
        let report = judge(bent.as_bytes(), &made.policy);
        assert!(!report.ok);
        assert_eq!(failed(&report), expected, "{from}");
        assert_eq!(report.summary, None);
    }
}

#[test]
fn a_cosignature_cannot_be_dropped_or_added_unnoticed() {
    let made = receipt(Witnesses::Two);
    let plain = receipt(Witnesses::None);
    // The stricter policy refuses the file without witnesses, the laxer one accepts both.
    assert_eq!(failed(&judge(&plain.file, &made.policy)), ["policy"]);
    assert!(judge(&made.file, &plain.policy).ok);
    let text = String::from_utf8(made.file).unwrap();
    let at = text.find("— witness4").unwrap();
    let end = at + text[at..].find("\\n").unwrap() + 2;
    let dropped = format!("{}{}", &text[..at], &text[end..]);
    assert_eq!(
        failed(&judge(dropped.as_bytes(), &plain.policy)),
        ["embedded_keys"]
    );
    let doubled = format!("{}{}{}", &text[..end], &text[at..end], &text[end..]);
    assert_eq!(
        failed(&judge(doubled.as_bytes(), &plain.policy)),
        ["embedded_keys"]
    );
}

#[test]
fn a_policy_with_other_keys_refuses_the_receipt() {
    let made = receipt(Witnesses::None);
    let other_log = quittance_tlog::Ed25519Signer::from_seed(
        "log.example.test/dsr",
        KeyKind::Ed25519,
        &[9; 32],
    )
    .unwrap();
    let named = |key| PolicySigner {
        name: Slug::parse("receipts").unwrap(),
        key,
    };
    let policy = policy_text(other_log.verifier(), &[], &[named(key())]).unwrap();
    assert_eq!(failed(&judge(&made.file, &policy)), ["checkpoint"]);
    let der = p256::pkcs8::EncodePublicKey::to_public_key_der(signing_key(9).verifying_key());
    let other_key = ReceiptKey::from_spki_der(der.unwrap().as_bytes()).unwrap();
    let policy = policy_text(log().verifier(), &[], &[named(other_key)]).unwrap();
    assert_eq!(failed(&judge(&made.file, &policy)), ["signature"]);
    let policy = policy_text(log().verifier(), &[], &[]).unwrap();
    assert_eq!(failed(&judge(&made.file, &policy)), ["signature"]);
}

#[test]
fn while_keys_are_changed_either_is_believed_and_a_withdrawn_one_only_inside_its_log() {
    let made = receipt(Witnesses::None);
    let new_log = quittance_tlog::Ed25519Signer::from_seed(
        "log.example.test/dsr",
        KeyKind::Ed25519,
        &[9; 32],
    );
    let (new_log, old_log) = (
        new_log.unwrap().verifier().clone(),
        log().verifier().clone(),
    );
    let der = p256::pkcs8::EncodePublicKey::to_public_key_der(signing_key(9).verifying_key());
    let new_key = ReceiptKey::from_spki_der(der.unwrap().as_bytes()).unwrap();
    let named = |name, key| PolicySigner {
        name: Slug::parse(name).unwrap(),
        key,
    };
    let signers = [named("receipts-2", new_key), named("receipts", key())];
    for logs in [[&new_log, &old_log], [&old_log, &new_log]] {
        let policy = policy_text_of(&logs.map(Clone::clone), &[], &[], &signers).unwrap();
        assert!(judge(&made.file, &policy).ok, "{policy}");
    }
    let only_new = [new_log];
    let withdrawn = policy_text_of(&only_new, &[old_log], &[], &signers).unwrap();
    assert_eq!(failed(&judge(&made.file, &withdrawn)), ["checkpoint"]);
    // In a log that was opened under the new key, what the old one signed is judged by its entry.
    let entry = ReceiptFile::parse(&made.file).unwrap().entry().unwrap();
    let mut leaves = vec![leaf_hash(b"x"); 5];
    let told = |leaves: &[Hash], policy: &str| {
        let policy = Policy::parse(policy).unwrap();
        let read = Account::read("a", &made.file, &policy, leaves);
        read.unwrap_err().explanation
    };
    assert_eq!(told(&leaves, &withdrawn), "entry 3 of this log is another");
    leaves[3] = leaf_hash(&entry);
    // It verifies, and is only no manifest.
    let other = "it is a receipt of something else";
    assert_eq!(told(&leaves, &withdrawn), other);
    let forgotten = policy_text_of(&only_new, &[], &[], &signers).unwrap();
    assert!(told(&leaves, &forgotten).contains("does not verify: checkpoint"));
}

#[test]
fn a_receipt_whose_acceptance_cannot_be_earlier_is_refused() {
    let edge = || {
        integrate(&RightEdge::empty(), &[b"one", b"two"])
            .unwrap()
            .edge
    };
    let link = |leaf_index, size| AcceptanceLeaf {
        leaf_index,
        leaf_hash: Digest::of(b"any"),
        checkpoint: Checkpoint {
            size,
            root: Digest::of(b"any"),
        },
    };
    for (leaf_index, size, supersedes) in [
        (1, 6, None),
        (3, 4, None),
        (2, 2, None),
        (1, 5, None),
        (1, 2, Some(3)),
    ] {
        let mut says = outcome(link(leaf_index, size));
        says.supersedes = supersedes;
        says.amendment = supersedes.map(|_| 1);
        let statement = match supersedes {
            None => Statement::Receipt(about(), says),
            Some(_) => Statement::Amendment(about(), says),
        };
        let built = std::panic::catch_unwind(|| make(&statement, &edge(), Witnesses::None));
        assert!(built.is_err(), "{leaf_index} {size} {supersedes:?}");
    }
    let mut says = outcome(link(1, 2));
    says.supersedes = Some(2);
    says.amendment = Some(1);
    let made = make(
        &Statement::Amendment(about(), says),
        &edge(),
        Witnesses::None,
    );
    assert!(judge(&made.file, &made.policy).ok);
    let acceptance = Statement::Acceptance(about(), acceptance());
    let made = make(&acceptance, &edge(), Witnesses::None);
    assert!(judge(&made.file, &made.policy).ok);
}

#[test]
fn parts_that_do_not_belong_together_are_never_built() {
    let envelope = sign(&Statement::Acceptance(about(), acceptance()));
    let leaf = leaf_bytes(&envelope, &key()).unwrap();
    let head = integrate(&RightEdge::empty(), &[leaf]).unwrap();
    let build = |log_key: &VerifierKey, origin: &str, index, cosigned: &[VerifierKey]| {
        let checkpoint = quittance_tlog::Checkpoint::new(origin, 1, head.root).unwrap();
        let note = log().sign(checkpoint.to_note().unwrap()).unwrap();
        let proof = TlogProof {
            extra: None,
            index,
            path: Vec::new(),
            checkpoint: note,
        };
        ReceiptFile::build(&envelope, &key(), log_key, cosigned, &proof)
    };
    let own = log().verifier().clone();
    assert!(build(&own, own.name(), 0, &[]).is_ok());
    let refused = |check: &str| Err(FileError::Refused(check.to_owned()));
    assert_eq!(build(&own, own.name(), 1, &[]), refused("inclusion"));
    assert_eq!(
        build(&own, "other.example.test", 0, &[]),
        refused("checkpoint")
    );
    let absent = [witness(3).verifier().clone()];
    assert_eq!(build(&own, own.name(), 0, &absent), refused("policy"));
    let odd =
        quittance_tlog::Ed25519Signer::from_seed("log\"x", KeyKind::Ed25519, &[1; 32]).unwrap();
    assert_eq!(build(odd.verifier(), own.name(), 0, &[]), refused("policy"));
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_what_to_do() {
    let made = receipt(Witnesses::None);
    let text = String::from_utf8(made.file.clone()).unwrap();
    let version = |n: &str| text.replace("\"version\":1}", &format!("\"version\":{n}}}"));
    for (bytes, expected) in [
        (String::new(), "is empty: fetch it again"),
        (
            " ".repeat(MAX_FILE_BYTES + 1),
            "longer than a receipt can be",
        ),
        ("hello".to_owned(), "is not JSON"),
        (text[..2000].to_owned(), "cut off: fetch it again"),
        ("[".repeat(100_000), "not a receipt file"),
        ("{}".to_owned(), "not a receipt file"),
        ("[1]".to_owned(), "not a receipt file"),
        (version("1,\"x\":0"), "not exactly the members"),
        (
            version("2"),
            "a receipt of version 2, and only version 1 is known here: get a newer dsr",
        ),
        (version("2,\"x\":0"), "get a newer dsr"),
        (version("1 "), "saved again"),
        (
            format!("{text}\n"),
            "saved again, with other line ends, blanks or order: fetch it again",
        ),
        (text.replace("\":", "\": "), "fetch it again"),
    ] {
        for (report, trust) in [
            (judge(bytes.as_bytes(), &made.policy), Trust::Policy),
            (verify_embedded(bytes.as_bytes()), Trust::Embedded),
        ] {
            assert_eq!(failed(&report), ["canonical"], "{expected}");
            assert_eq!((report.ok, report.trust), (false, trust));
            assert_eq!(report.checks.len(), CheckName::ALL.len());
            let told = &report.checks[0].explanation;
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }
    let keyless = text.replace("log log.example", "lag log.example");
    let report = verify_embedded(keyless.as_bytes());
    assert_eq!(failed(&report), ["canonical"]);
    assert!(report.checks[0].explanation.contains("no usable keys"));
}

#[test]
fn what_the_files_own_keys_show_does_not_read_like_a_verification() {
    for witnesses in [Witnesses::None, Witnesses::Two] {
        let made = receipt(witnesses);
        let report = verify_embedded(&made.file);
        assert!(report.ok, "{report:?}");
        let told = serde_json::to_string(&report).unwrap();
        assert!(told.contains("\"trust\":\"embedded\""), "{told}");
        assert!(!told.contains("the policy's"), "{told}");
        let explained = |name| {
            let mut checks = report.checks.iter();
            checks
                .find(|check| check.name == name)
                .unwrap()
                .explanation
                .clone()
        };
        assert_eq!(
            explained(CheckName::Signature),
            "signed by the file's own key"
        );
        assert!(explained(CheckName::Checkpoint).contains("the file's own key for the log"));
        assert!(explained(CheckName::Policy).contains("the file"));
        let trusted = serde_json::to_string(&judge(&made.file, &made.policy)).unwrap();
        assert!(trusted.contains("\"trust\":\"policy\""), "{trusted}");
        assert!(
            trusted.contains("the policy's signer receipts"),
            "{trusted}"
        );
    }
}

#[test]
fn the_policy_of_another_log_is_told_with_both_names() {
    let made = receipt(Witnesses::None);
    let other = |name: &str, seed| {
        let log = quittance_tlog::Ed25519Signer::from_seed(name, KeyKind::Ed25519, &[seed; 32]);
        let vkey = log.unwrap().verifier().to_string();
        made.policy
            .replace(&log_line(&made.policy), &format!("log {vkey}"))
    };
    let told = |policy: &str| {
        let report = judge(&made.file, policy);
        assert_eq!(failed(&report), ["checkpoint"]);
        report.checks[5].explanation.clone()
    };
    let foreign = told(&other("log.other.test/dsr", 9));
    assert!(
        foreign.contains("the log log.example.test/dsr, the policy of log.other.test/dsr"),
        "{foreign}"
    );
    let rekeyed = told(&other("log.example.test/dsr", 9));
    assert!(
        rekeyed.contains("not signed with the policy's key of the log log.example"),
        "{rekeyed}"
    );
}

fn log_line(policy: &str) -> String {
    policy
        .lines()
        .find(|line| line.starts_with("log "))
        .unwrap()
        .to_owned()
}

#[test]
fn a_policy_that_was_saved_by_an_editor_is_told_what_is_wrong() {
    let policy = receipt(Witnesses::None).policy;
    for (bent, expected) in [
        (
            policy.trim_end().to_owned(),
            "line 3: has no line end: put a newline",
        ),
        (
            policy.replace('\n', "\r\n"),
            "line 1: ends in CR LF: save the file with LF",
        ),
        (String::new(), "no quorum line"),
    ] {
        let told = Policy::parse(&bent).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_checkpoint_with_a_fourth_line_or_a_number_too_large_is_refused() {
    let edge = integrate(&RightEdge::empty(), &[b"one", b"two"])
        .unwrap()
        .edge;
    let made = make(
        &Statement::Acceptance(about(), acceptance()),
        &edge,
        Witnesses::None,
    );
    let parsed: serde_json::Value = serde_json::from_slice(&made.file).unwrap();
    let proof = parsed["tlog_proof"].as_str().unwrap();
    let (head, note) = proof.split_once("\n\n").unwrap();
    let signed = |text: String| {
        let note = log()
            .sign(quittance_tlog::Note::unsigned(text).unwrap())
            .unwrap();
        let mut bent = parsed.clone();
        bent["tlog_proof"] = format!("{head}\n\n{note}").into();
        serde_json_canonicalizer::to_vec(&bent).unwrap()
    };
    let text: String = note.split_inclusive('\n').take(3).collect();
    assert!(judge(&signed(text.clone()), &made.policy).ok);
    let report = judge(&signed(format!("{text}more\n")), &made.policy);
    assert_eq!(failed(&report), ["inclusion"]);
    assert!(
        report.checks[4]
            .explanation
            .contains("more lines than name, size and root")
    );
    let large = text.replace("\n5\n", "\n9007199254740993\n");
    assert!(!judge(&signed(large), &made.policy).ok);
}

/// As many stores as a data map may name, each with the longest of everything.
#[test]
fn the_longest_statement_there_can_be_makes_a_receipt() {
    let edge = integrate(&RightEdge::empty(), &[b"one", b"two"])
        .unwrap()
        .edge;
    let mut says = outcome(AcceptanceLeaf {
        leaf_index: 1,
        leaf_hash: Digest::of(b"any"),
        checkpoint: Checkpoint {
            size: 2,
            root: Digest::of(b"any"),
        },
    });
    says.stores = vec![receipt_fixture::longest_store(); 200];
    let made = make(&Statement::Receipt(about(), says), &edge, Witnesses::Two);
    assert!(judge(&made.file, &made.policy).ok);
    assert!(made.file.len() > MAX_FILE_BYTES / 2, "{}", made.file.len());
}

#[test]
fn an_envelope_is_stored_and_read_back_unchanged() {
    let envelope = sign(&Statement::Acceptance(about(), acceptance()));
    let bytes = envelope.to_canonical_bytes().unwrap();
    assert_eq!(Envelope::parse(&bytes), Ok(envelope));
}

/// The test vectors of docs/RECEIPT.md. `UPDATE_GOLDEN=1` writes them; a change means a new version.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's switch is no setting of the program"
)]
fn the_golden_files_are_what_fixed_keys_make() {
    let plain = receipt(Witnesses::None);
    let witnessed = receipt(Witnesses::Two);
    let folder = Path::new("../../tests/golden");
    for (name, bytes) in [
        ("receipt_v1.receipt.json", &plain.file),
        ("receipt_v1.policy", &plain.policy.into_bytes()),
        ("receipt_v1_witnessed.receipt.json", &witnessed.file),
        (
            "receipt_v1_witnessed.policy",
            &witnessed.policy.into_bytes(),
        ),
    ] {
        let path = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, bytes).unwrap();
        }
        let golden = std::fs::read(&path).expect("run once with UPDATE_GOLDEN=1");
        assert!(golden == *bytes, "{name} is not what this version makes");
    }
}

/// The document's table is made by hand from this test's message, and can never be wrong unnoticed.
#[test]
fn the_document_quotes_the_test_vector() {
    let document = include_str!("../../../docs/RECEIPT.md");
    let file = receipt(Witnesses::None).file;
    let parsed: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let text = |pointer: &str| {
        parsed
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let decode = |text: &str| data_encoding::BASE64.decode(text.as_bytes()).unwrap();
    let payload = decode(&text("/dsse/payload"));
    let facts = [
        ("FILE", Digest::of(&file).to_string()),
        ("STATEMENT", Digest::of(&payload).to_string()),
        ("PAE", Digest::of(&pae(&payload)).to_string()),
        ("KEYID", text("/dsse/signatures/0/keyid")),
        ("LEAF", leaf_hash(&decode(&text("/leaf"))).to_string()),
        ("VKEY", text("/keys/log_vkey")),
        ("NAME", Statement::parse(&payload).unwrap().file_name()),
        ("PROOF", text("/tlog_proof")),
        (
            "COMMANDS",
            Digest::of(include_bytes!("../src/receipt/verify.sh")).to_string(),
        ),
    ];
    let missing: Vec<_> = facts
        .iter()
        .filter(|(_, fact)| !document.contains(fact))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/RECEIPT.md does not say {missing:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_whatever_make_the_verifier_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let made = receipt(Witnesses::None);
        prop_assert!(!judge(&bytes, &made.policy).ok);
    }

    #[test]
    fn no_mutation_is_accepted_or_panics(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let made = receipt(Witnesses::Two);
        let mut bytes = made.file.clone();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        prop_assert_eq!(judge(&bytes, &made.policy).ok, bytes == made.file);
    }
}
