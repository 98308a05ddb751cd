//! Notes, lines and keys: what is parsed is written again, and one bent bit is refused.

use super::*;

const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SIGNED: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn signer(name: &str, kind: KeyKind) -> Ed25519Signer {
    Ed25519Signer::from_seed(name, kind, &[7; 32]).unwrap()
}

#[test]
fn the_specifications_example_verifies() {
    let key = VerifierKey::parse(VKEY).unwrap();
    assert_eq!(key.to_string(), VKEY);
    let note = Note::parse(SIGNED.as_bytes()).unwrap();
    assert_eq!(note.to_string(), SIGNED);
    let keys = [key];
    assert_eq!(note.verify(&keys).unwrap()[0].key.name(), "example.com/foo");
}

#[test]
fn every_flipped_bit_of_a_signed_note_is_refused() {
    let keys = [VerifierKey::parse(VKEY).unwrap()];
    for bit in 0..SIGNED.len() * 8 {
        let mut bytes = SIGNED.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verified = Note::parse(&bytes).is_ok_and(|note| note.verify(&keys).is_ok());
        assert!(!verified, "bit {bit}");
    }
}

#[test]
fn an_unknown_key_is_ignored_and_its_line_kept() {
    let known = signer("example.com/log", KeyKind::Ed25519);
    let other = Ed25519Signer::from_seed("example.com/log", KeyKind::Ed25519, &[8; 32]).unwrap();
    let note = other
        .sign(known.sign(Note::unsigned("hello\n").unwrap()).unwrap())
        .unwrap();
    let note = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(note.signatures().len(), 2);
    let keys = [known.verifier().clone()];
    assert_eq!(note.verify(&keys).unwrap().len(), 1);
    let stranger = [signer("example.com/else", KeyKind::Ed25519)
        .verifier()
        .clone()];
    assert_eq!(note.verify(&stranger), Err(NoteError::NoKnownSignature));
}

#[test]
fn a_signature_made_elsewhere_is_verified_before_it_is_attached() {
    let remote = signer("example.com/log", KeyKind::Ed25519);
    let note = Note::unsigned("hello\n").unwrap();
    let mut raw = remote.sign_raw(note.text().as_bytes());
    assert!(
        note.clone()
            .with_ed25519_signature(remote.verifier(), &raw)
            .is_ok()
    );
    raw[0] ^= 1;
    assert_eq!(
        note.with_ed25519_signature(remote.verifier(), &raw),
        Err(NoteError::Signature("example.com/log".to_owned()))
    );
}

#[test]
fn a_cosignature_binds_its_time_and_is_no_plain_signature() {
    let log = signer("example.com/log", KeyKind::Ed25519);
    let witness = signer("example.com/witness", KeyKind::CosignatureV1);
    let note = log.sign(Note::unsigned("hello\n").unwrap()).unwrap();
    let note = witness.cosign(note, 1_700_000_000).unwrap();
    let keys = [log.verifier().clone(), witness.verifier().clone()];
    let times: Vec<_> = note
        .verify(&keys)
        .unwrap()
        .iter()
        .map(|v| v.timestamp)
        .collect();
    assert_eq!(times, [None, Some(1_700_000_000)]);
    assert_eq!(witness.sign(note.clone()), Err(NoteError::KeyKind));
    assert_eq!(log.cosign(note.clone(), 1), Err(NoteError::KeyKind));
    let mut later = note.clone();
    later.signatures[1].signature[7] ^= 1;
    assert!(later.verify(&keys).is_err());
    assert!(witness.cosign(note, 1 << 63).is_err());
}

#[test]
fn malformed_notes_are_refused() {
    for bad in [
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        "text\n\nmore\n",
        "text\n\n— name\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name AAAAAA==\n",
        "text\n\n—  AAAAAAA=\n",
        "text\n\n— a+b AAAAAAA=\n",
        "text\n\n— name AAAAAAB=\n",
        "text\n\n- name AAAAAAA=\n",
        "te\tt\n\n— name AAAAAAA=\n",
        "text\n\n— name AAAAAAA=",
        "text\n\n— name AAAAAAA=\n\n",
        "text\r\n\n— name AAAAAAA=\n",
        "text\n\n— na\u{2003}me AAAAAAA=\n",
    ] {
        assert_eq!(
            Note::parse(bad.as_bytes()),
            Err(NoteError::Malformed),
            "{bad:?}"
        );
    }
    assert!(Note::parse("text\n\n— name AAAAAAA=\n".as_bytes()).is_ok());
    let many = format!("text\n\n{}", "— name AAAAAAA=\n".repeat(MAX_SIGNATURES + 1));
    assert_eq!(Note::parse(many.as_bytes()), Err(NoteError::TooLong));
    assert_eq!(
        Note::parse(&vec![b'a'; MAX_NOTE_BYTES + 1]),
        Err(NoteError::TooLong)
    );
}

#[test]
fn malformed_keys_are_refused() {
    for bad in [
        "",
        "a",
        "a+b",
        "a+b+c",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fox+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2kAA==",
    ] {
        assert_eq!(VerifierKey::parse(bad), Err(NoteError::Key), "{bad}");
    }
    for (type_byte, length, error) in [
        (5, 32, NoteError::KeyKind),
        (6, 1312, NoteError::Key),
        (6, 1311, NoteError::Key),
        (4, 1312, NoteError::Key),
    ] {
        let mut bytes = vec![1; 1 + length];
        bytes[0] = type_byte;
        let vkey = format!("w+01234567+{}", STANDARD.encode(bytes));
        assert_eq!(
            VerifierKey::parse(&vkey),
            Err(error),
            "{type_byte} {length}"
        );
    }
    assert_eq!(
        VerifierKey::new("w", KeyKind::Ed25519, &[0; 32]),
        Err(NoteError::Key)
    );
}

#[test]
fn a_signer_never_prints_its_seed() {
    let text = format!("{:?}", signer("log", KeyKind::Ed25519));
    assert!(text.ends_with("***)"), "{text}");
}
