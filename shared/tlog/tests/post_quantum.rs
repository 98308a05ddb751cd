//! ML-DSA-44 lines: another implementation's checkpoint, our own golden one, and everything bent.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::path::Path;

use quittance_tlog::{
    Checkpoint, Ed25519Signer, Hash, KeyKind, MlDsa44Signer, Note, NoteError, Policy, PolicyError,
    VerifierKey, cosigned_message,
};

/// The log of torchwood's `litewitness` test (filippo.io/torchwood, cmd/litewitness/testdata/mldsa.txt).
const VKEY: &str = include_str!("vectors/litewitness.vkey");
const CHECKPOINT: &str = include_str!("vectors/litewitness.checkpoint");
const NAME: &str = "log.example.test/dsr";

fn signer() -> MlDsa44Signer {
    MlDsa44Signer::from_seed(NAME, &[6; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(NAME, 5, Hash::new([7; 32])).unwrap()
}

/// A log's checkpoint with both of its lines.
fn both_lines() -> Note {
    let log = Ed25519Signer::from_seed(NAME, KeyKind::Ed25519, &[1; 32]).unwrap();
    let note = log.sign(checkpoint().to_note().unwrap()).unwrap();
    let message = cosigned_message(NAME, &checkpoint(), 0).unwrap();
    let signature = signer().sign_raw(&message, &[0; 32]);
    note.with_cosignature(signer().verifier(), 0, &signature)
        .unwrap()
}

#[test]
fn another_implementations_checkpoint_verifies_and_bent_ones_do_not() {
    let key = VerifierKey::parse(VKEY.trim_end()).unwrap();
    assert_eq!(key.kind(), KeyKind::CosignatureMlDsa44);
    assert_eq!(format!("{key}\n"), VKEY);
    let keys = [key];
    let verified = |text: &str| {
        let note = Note::parse(text.as_bytes());
        note.is_ok_and(|note| note.verify(&keys).is_ok())
    };
    let note = Note::parse(CHECKPOINT.as_bytes()).unwrap();
    let lines = note.verify(&keys).unwrap();
    assert_eq!((lines.len(), lines[0].timestamp), (1, Some(0)));
    for bent in [
        CHECKPOINT.replacen("\n1\n", "\n2\n", 1),
        CHECKPOINT.replacen("+zoErt", "+zoErs", 1),
        CHECKPOINT.replacen("log\n1", "lag\n1", 1),
        CHECKPOINT.replacen("\n\n", "\nmore\n\n", 1),
        // The time, the first byte of the signature, and its last hint.
        CHECKPOINT.replacen("td9FxQAAAAAAAAAA", "td9FxQAAAAAAAAAB", 1),
        CHECKPOINT.replacen("AAAAkjFv", "AAAAkjFu", 1),
        CHECKPOINT.replacen("4eKDU=\n", "4eKDY=\n", 1),
    ] {
        assert_ne!(bent, CHECKPOINT);
        assert!(!verified(&bent), "{bent:.200}");
    }
    assert!(verified(CHECKPOINT));
}

#[test]
fn what_is_signed_is_the_specifications_structure() {
    let checkpoint = Checkpoint::new("log", 0x0102, Hash::new([9; 32])).unwrap();
    let message = cosigned_message("w", &checkpoint, 3).unwrap();
    let mut expected = b"subtree/v1\n\0\x01w\0\0\0\0\0\0\0\x03\x03log".to_vec();
    expected.extend_from_slice(&[0; 8]);
    expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 2]);
    expected.extend_from_slice(&[9; 32]);
    assert_eq!(message, expected);
    let long = "n".repeat(256);
    assert_eq!(cosigned_message(&long, &checkpoint, 0), None);
    assert!(cosigned_message(&long[1..], &checkpoint, 0).is_some());
    assert!(MlDsa44Signer::from_seed(&long, &[1; 32]).is_err());
    let far = Checkpoint::new(&long, 1, Hash::new([9; 32])).unwrap();
    assert_eq!(cosigned_message("w", &far, 0), None);
}

#[test]
fn every_flipped_byte_of_a_line_is_refused() {
    let note = both_lines();
    let keys = [signer().verifier().clone()];
    let line = note.signatures()[1].clone();
    let bytes = line.signature().to_vec();
    // Key, time and signature are all of it; each byte in one of its bits.
    for at in (0..bytes.len()).step_by(7) {
        let mut bent = bytes.clone();
        bent[at] ^= 1 << (at % 8);
        let (time, signature) = bent.split_first_chunk::<8>().unwrap();
        let unsigned = Note::unsigned(note.text()).unwrap();
        let time = u64::from_be_bytes(*time);
        let attached = unsigned.with_cosignature(&keys[0], time, signature);
        assert_eq!(
            attached,
            Err(NoteError::Signature(NAME.to_owned())),
            "byte {at}"
        );
    }
    assert!(note.verify(&keys).is_ok());
    // Another key, and another name for the same one: the name is signed.
    let other = MlDsa44Signer::from_seed(NAME, &[7; 32]).unwrap();
    let unsigned = || Note::unsigned(note.text()).unwrap();
    let signature = &bytes[8..];
    assert!(
        unsigned()
            .with_cosignature(other.verifier(), 0, signature)
            .is_err()
    );
    let renamed = MlDsa44Signer::from_seed("other.test", &[6; 32]).unwrap();
    assert!(
        unsigned()
            .with_cosignature(renamed.verifier(), 0, signature)
            .is_err()
    );
    assert!(!format!("{:?}", signer()).contains('6'));
}

#[test]
fn signatures_may_differ_and_are_as_good() {
    let message = cosigned_message(NAME, &checkpoint(), 0).unwrap();
    let (one, two) = (
        signer().sign_raw(&message, &[0; 32]),
        signer().sign_raw(&message, &[1; 32]),
    );
    assert_ne!(one, two);
    for signature in [one, two] {
        let note = checkpoint().to_note().unwrap();
        assert!(
            note.with_cosignature(signer().verifier(), 0, &signature)
                .is_ok()
        );
    }
}

#[test]
fn a_policy_may_ask_for_it_as_for_any_witness() {
    let log = Ed25519Signer::from_seed(NAME, KeyKind::Ed25519, &[1; 32]).unwrap();
    let log = log.verifier();
    let policy = |key: &VerifierKey| {
        let text = format!("log {log}\nwitness quantum {key}\nquorum quantum\n");
        Policy::parse(&text).unwrap()
    };
    let note = Note::parse(both_lines().to_string().as_bytes()).unwrap();
    let opened = policy(signer().verifier()).evaluate(&note).unwrap();
    assert_eq!(opened.cosigned.get("quantum"), Some(&0));
    assert_eq!((opened.unknown_lines, &opened.log), (0, log));
    let other = MlDsa44Signer::from_seed(NAME, &[7; 32]).unwrap();
    let missed = policy(other.verifier()).evaluate(&note);
    assert_eq!(missed, Err(PolicyError::Quorum));
    // It is no log's only key.
    let text = format!("log {}\nquorum none\n", signer().verifier());
    assert!(Policy::parse(&text).is_err());
}

/// `UPDATE_GOLDEN=1` writes it; made with the seeds `01`… (Ed25519) and `06`… (ML-DSA-44), at the time 0.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's switch is no setting of the program"
)]
fn the_golden_checkpoint_is_what_fixed_keys_make() {
    // From where cargo runs it: two checkouts may share one target directory.
    let folder = Path::new("../../tests/golden");
    let policy = format!(
        "# ML-DSA-44 beside Ed25519\nwitness quantum {}\n",
        signer().verifier()
    );
    for (name, text) in [
        ("post_quantum.checkpoint", both_lines().to_string()),
        ("post_quantum.witness", policy),
    ] {
        let path = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(golden == text, "{name}: UPDATE_GOLDEN=1 writes it anew");
    }
}
