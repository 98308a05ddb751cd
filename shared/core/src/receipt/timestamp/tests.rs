//! Stamps of the golden receipt, as it is and bent; `openssl` judges in `tests/timestamp.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn receipt() -> ReceiptFile {
    ReceiptFile::parse(GOLDEN_RECEIPT).unwrap()
}

fn anchors() -> Anchors {
    Anchors::parse(GOLDEN_ANCHORS).unwrap()
}

fn judge(answer: &[u8]) -> Result<Stamped, TimestampError> {
    verify_timestamp(&receipt(), answer, &anchors())
}

#[test]
fn the_golden_stamp_verifies_and_says_when_and_who() {
    let stamped = judge(GOLDEN_STAMP).unwrap();
    assert_eq!(stamped.at.to_string(), "2026-11-30T20:44:56Z");
    assert_eq!(stamped.accuracy, Some(SignedDuration::from_secs(1)));
    assert_eq!(stamped.authority, "CN=tsa.example.test,O=Example Time");
    let query = TimestampQuery::of(receipt().envelope()).unwrap();
    assert_eq!(query.judge(GOLDEN_STAMP, &anchors()), Ok(stamped));
}

#[test]
fn the_question_is_a_function_of_the_signature() {
    let query = TimestampQuery::of(receipt().envelope()).unwrap();
    assert_eq!(
        data_encoding::HEXLOWER.encode(query.as_bytes()),
        "30430201013031300d0609608648016503040201050004205080a7bca66dd076cd582804c4d4fc28349a86bc73\
         6d3ae72d5682adf5d101e902085080a7bca66dd0760101ff"
    );
}

#[test]
fn every_bit_flipped_is_refused_or_changes_nothing_that_is_told() {
    let (receipt, anchors) = (receipt(), anchors());
    let good = judge(GOLDEN_STAMP);
    let mut refused = 0;
    for bit in 0..GOLDEN_STAMP.len() * 8 {
        let mut bent = GOLDEN_STAMP.to_vec();
        bent[bit / 8] ^= 1 << (bit % 8);
        let found = verify_timestamp(&receipt, &bent, &anchors);
        if found.is_err() {
            refused += 1;
        } else {
            assert_eq!(found, good, "bit {bit}");
        }
    }
    // What is free: granted, or granted with changes; the list of digests; the version numbers.
    let free = GOLDEN_STAMP.len() * 8 - refused;
    assert!(free < 160, "{free} bits are free");
}

#[test]
fn what_is_cut_off_or_goes_on_is_refused() {
    for end in 0..GOLDEN_STAMP.len() {
        let cut = judge(&GOLDEN_STAMP[..end]);
        assert_eq!(cut, Err(TimestampError::Malformed), "{end}");
    }
    let longer = [GOLDEN_STAMP, &[0]].concat();
    assert_eq!(judge(&longer), Err(TimestampError::Malformed));
    let longest = vec![0x30; MAX_TIMESTAMP_BYTES + 1];
    assert_eq!(judge(&longest), Err(TimestampError::TooLong));
}

#[test]
fn a_refusal_is_told_with_its_status() {
    let refused = [0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02];
    assert_eq!(judge(&refused), Err(TimestampError::Refused(2)));
    let nothing = [0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00];
    assert_eq!(judge(&nothing), Err(TimestampError::Malformed));
}

#[test]
fn another_receipts_stamp_is_refused() {
    let other = ReceiptFile::parse(OTHER_RECEIPT).unwrap();
    // The same statement signed alike has the same stamp, whoever witnessed it.
    assert!(verify_timestamp(&other, GOLDEN_STAMP, &anchors()).is_ok());
    let signature = STANDARD.encode(receipt().envelope().opened().unwrap().signature);
    let bent = format!("{}AAAA", &signature[..signature.len() - 4]);
    let text = str::from_utf8(GOLDEN_RECEIPT).unwrap();
    let other = ReceiptFile::parse(text.replace(&signature, &bent).as_bytes()).unwrap();
    assert_eq!(
        verify_timestamp(&other, GOLDEN_STAMP, &anchors()),
        Err(TimestampError::OtherData)
    );
}

#[test]
fn anchors_are_read_from_among_other_text() {
    let text = format!("subject: a\n{GOLDEN_ANCHORS}between\r\n{GOLDEN_ANCHORS}the end");
    assert_eq!(Anchors::parse(&text).unwrap().all().len(), 2);
    let windows = GOLDEN_ANCHORS.replace('\n', "\r\n");
    assert_eq!(Anchors::parse(&windows), Anchors::parse(GOLDEN_ANCHORS));
    assert_eq!(Anchors::parse("no certificate"), Err(AnchorsError::Empty));
    let cut = &GOLDEN_ANCHORS[..GOLDEN_ANCHORS.len() - 30];
    assert_eq!(Anchors::parse(cut), Err(AnchorsError::Malformed(1)));
    let bent = GOLDEN_ANCHORS.replacen("MII", "MIJ", 1);
    assert_eq!(
        Anchors::parse(&format!("{GOLDEN_ANCHORS}{bent}")),
        Err(AnchorsError::Malformed(2))
    );
    assert_eq!(
        Anchors::parse(&GOLDEN_ANCHORS.repeat(65)),
        Err(AnchorsError::TooMany)
    );
}

#[test]
fn a_stamp_is_named_after_its_receipt() {
    let named = timestamp_name("DSR-Z22K-ZQDM-P8TF-A.receipt.json");
    assert_eq!(named.as_deref(), Some("DSR-Z22K-ZQDM-P8TF-A.receipt.tsr"));
    let named = timestamp_name("manifest-2026-11-23.receipt.json");
    assert_eq!(named.as_deref(), Some("manifest-2026-11-23.receipt.tsr"));
    assert_eq!(timestamp_name("policy"), None);
}

proptest! {
    #[test]
    fn whatever_the_bytes_there_is_an_answer(
        at in 0..GOLDEN_STAMP.len(),
        length in 0_usize..40,
        other in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let end = (at + length).min(GOLDEN_STAMP.len());
        let bent = [&GOLDEN_STAMP[..at], &other, &GOLDEN_STAMP[end..]].concat();
        if let Ok(stamped) = judge(&bent) {
            prop_assert_eq!(Ok(stamped), judge(GOLDEN_STAMP));
        }
        prop_assert!(judge(&other).is_err());
    }
}

const GOLDEN_RECEIPT: &[u8] = include_bytes!("../../../../../tests/golden/receipt_v1.receipt.json");
const OTHER_RECEIPT: &[u8] =
    include_bytes!("../../../../../tests/golden/receipt_v1_witnessed.receipt.json");
const GOLDEN_STAMP: &[u8] = include_bytes!("../../../../../tests/golden/receipt_v1.receipt.tsr");
const GOLDEN_ANCHORS: &str = include_str!("../../../../../tests/golden/receipt_v1.anchors.pem");
