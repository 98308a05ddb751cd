//! Tests of identifiers: spellings, bounds, masks, and the exact bytes of keyed traces.

use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

fn email(raw: &str) -> Result<String, NormaliseError> {
    Normalise::Email
        .apply(raw)
        .map(|value| value.expose().to_owned())
}

fn phone(raw: &str, region: Option<&str>) -> Result<String, NormaliseError> {
    let region = region.map(|region| Region::parse(region).unwrap());
    Normalise::Phone
        .apply_in(raw, region)
        .map(|value| value.expose().to_owned())
}

fn kind(text: &str) -> IdentifierKind {
    IdentifierKind::parse(text).unwrap()
}

fn value(text: &str) -> IdentifierValue {
    Normalise::Exact.apply(text).unwrap()
}

#[test]
fn an_address_has_one_spelling() {
    assert_eq!(
        email(" Ann.O'Hara+News@EXAMPLE.org \n").as_deref(),
        Ok("ann.o'hara+news@example.org")
    );
    assert_eq!(
        email("ann@bücher.example").as_deref(),
        Ok("ann@xn--bcher-kva.example")
    );
    assert_eq!(
        email("ANN@XN--BCHER-KVA.example").as_deref(),
        Ok("ann@xn--bcher-kva.example")
    );
    assert_eq!(
        email("ann@BÜCHER。example").as_deref(),
        Ok("ann@xn--bcher-kva.example")
    );
    // The same letter, composed and decomposed.
    assert_eq!(
        email("J\u{f6}rg@example.org"),
        email("Jo\u{308}rg@example.org")
    );
}

#[test]
fn no_look_alike_becomes_another_mailbox() {
    for raw in [
        "leone\u{212a}ohler@example.org",
        "\u{130}van@example.org",
        "ann\u{1fef}b@example.org",
    ] {
        assert_eq!(email(raw), Err(NormaliseError::NotEmail), "{raw}");
    }
    // Servers may tell these apart: only ASCII letters have one case for everybody.
    assert_ne!(
        email("J\u{d6}RG@example.org"),
        email("j\u{f6}rg@example.org")
    );
}

#[test]
fn dots_and_tags_are_somebody_elses_address() {
    assert_ne!(email("a.nn@gmail.com"), email("ann@gmail.com"));
    assert_ne!(email("ann+x@gmail.com"), email("ann@gmail.com"));
}

#[test]
fn what_is_no_address_is_refused() {
    for raw in [
        "ann",
        "@example.org",
        "ann@",
        "ann@localhost",
        "a b@example.org",
        "ann@@example.org",
        "Ann <ann@example.org>",
        "ann@[127.0.0.1]",
        "ann@exa_mple.org",
        "ann@-a.org",
        "a@b.org, c@d.org",
    ] {
        assert_eq!(email(raw), Err(NormaliseError::NotEmail), "{raw}");
    }
    assert_eq!(email("  "), Err(NormaliseError::Empty));
    assert_eq!(
        email("ann\n@example.org"),
        Err(NormaliseError::ControlCharacter)
    );
    assert_eq!(
        email(&format!("ann@{}.org", "a".repeat(400))),
        Err(NormaliseError::TooLong(320))
    );
}

#[test]
fn a_phone_number_has_one_spelling() {
    for raw in [
        "+49 30 123 45 678",
        "+49 (30) 12345678",
        "+49 (0)30/12345678",
        "+493012345678",
    ] {
        assert_eq!(phone(raw, None).as_deref(), Ok("+493012345678"), "{raw}");
    }
    assert_eq!(
        phone("030 12345678", Some("DE")).as_deref(),
        Ok("+493012345678")
    );
    assert_eq!(
        phone("0049 30 12345678", Some("DE")).as_deref(),
        Ok("+493012345678")
    );
    // The country code wins over the region.
    assert_eq!(
        phone("+44 20 7946 0958", Some("DE")).as_deref(),
        Ok("+442079460958")
    );
}

#[test]
fn a_national_number_without_a_nation_is_refused() {
    assert_eq!(
        phone("030 12345678", None),
        Err(NormaliseError::NoCountryCode)
    );
    assert!(
        NormaliseError::NoCountryCode
            .to_string()
            .contains("+49 30 1234567")
    );
}

#[test]
fn what_is_no_phone_number_is_refused() {
    for raw in [
        "+",
        "+49",
        "+49 1",
        "+999 123456789",
        "+49 30 1234567 ext. 12",
        "+49 30 12x45678",
        "+4930123456781234567890",
        "tel:12",
        "+49 30 12345678; +49 30 1",
    ] {
        assert!(
            phone(raw, Some("DE")).is_err(),
            "{raw}: {:?}",
            phone(raw, Some("DE"))
        );
    }
}

#[test]
fn regions_are_two_known_letters() {
    assert_eq!(
        Region::parse("DE")
            .map(|region| region.to_string())
            .as_deref(),
        Some("DE")
    );
    for text in ["", "D", "de", "DEU", "ZZ", "Ä"] {
        assert_eq!(Region::parse(text), None, "{text}");
    }
}

#[test]
fn other_ways_change_only_what_they_say() {
    let apply = |way: Normalise, raw: &str| way.apply(raw).map(|value| value.expose().to_owned());
    assert_eq!(apply(Normalise::Exact, " Ab-1 ").as_deref(), Ok("Ab-1"));
    assert_eq!(apply(Normalise::Lower, " ÄB-1 ").as_deref(), Ok("äb-1"));
    assert_eq!(apply(Normalise::Digits, "12-34 (x)").as_deref(), Ok("1234"));
    assert_eq!(apply(Normalise::Digits, "none"), Err(NormaliseError::Empty));
    assert_eq!(
        apply(Normalise::Exact, "a\0b"),
        Err(NormaliseError::ControlCharacter)
    );
    assert_eq!(
        apply(Normalise::Exact, &"x".repeat(257)),
        Err(NormaliseError::TooLong(256))
    );
}

#[test]
fn kinds_are_plain() {
    assert!(IdentifierKind::parse("customer_id-2").is_some());
    for bad in ["", "2x", "Email", "a b", "é", &"a".repeat(65)] {
        assert!(IdentifierKind::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn debug_shows_kinds_but_no_values() {
    let identifier = Identifier {
        kind: kind("email"),
        value: value("canary-7f3"),
    };
    let all: Identifiers = [identifier.clone()].into_iter().collect();
    for text in [
        format!("{identifier:?}"),
        format!("{all:?}"),
        format!("{all:#?}"),
    ] {
        assert!(text.contains("email") && !text.contains("canary"), "{text}");
    }
}

#[test]
fn a_union_knows_each_value_once() {
    let mut one = Identifiers::default();
    assert!(one.is_empty());
    assert!(one.insert(kind("email"), value("a")));
    assert!(!one.insert(kind("email"), value("a")));
    let mut other = Identifiers::default();
    other.insert(kind("email"), value("b"));
    other.insert(kind("id"), value("a"));
    one.union(&other);
    one.union(&other);
    assert_eq!(one.len(), 3);
    assert_eq!(one.of(&kind("email")).count(), 2);
    assert_eq!(one.of(&kind("phone")).count(), 0);
    assert_eq!(
        one.kinds().map(IdentifierKind::as_str).collect::<Vec<_>>(),
        ["email", "id"]
    );
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(json, r#"{"email":["a","b"],"id":["a"]}"#);
    assert_eq!(serde_json::from_str::<Identifiers>(&json).unwrap(), one);
}

/// The bytes are public: a stranger recomputes them from the receipt's document.
#[test]
fn the_commitment_is_over_the_documented_bytes() {
    let key = HmacKey::new([7; 32]);
    let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
    mac.update(b"dsr-subject/v1\0email\0ann@example.org");
    let expected: [u8; 32] = mac.finalize().into_bytes().into();
    let found = commitment(&key, &kind("email"), &value("ann@example.org"));
    assert_eq!(found.as_bytes(), &expected);
}

#[test]
fn tags_of_different_uses_and_kinds_differ() {
    let key = HmacKey::new([7; 32]);
    let ann = value("ann");
    let tags = BTreeSet::from([
        commitment(&key, &kind("email"), &ann),
        subject_tag(&key, &kind("email"), &ann),
        suppression_token(&key, &kind("email"), &ann),
        suppression_token(&key, &kind("login"), &ann),
    ]);
    assert_eq!(tags.len(), 4);
}

#[test]
fn a_hashed_list_leads_to_the_same_suppression_token() {
    let key = HmacKey::new([7; 32]);
    let hash = Digest::of(b"ann@example.org");
    assert_eq!(
        suppression_token_of_hash(&key, &kind("email"), &hash),
        suppression_token(&key, &kind("email"), &value("ann@example.org")),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Both sides of a comparison may be normalised any number of times.
    #[test]
    fn normalising_twice_changes_nothing(raw in "\\PC{0,40}", domain in "[a-zA-Zäß]{1,9}") {
        for way in Normalise::ALL {
            for raw in [raw.clone(), format!("{raw}@{domain}.example"), format!("+4930{raw}")] {
                if let Ok(once) = way.apply(&raw) {
                    let value = once.expose().to_owned();
                    prop_assert!(!value.is_empty() && value.len() <= 320);
                    prop_assert!(!value.chars().any(char::is_control));
                    let twice = way.apply(&value);
                    prop_assert_eq!(twice, Ok(once), "{} {}", way, raw);
                }
            }
        }
    }

    #[test]
    fn no_text_makes_normalising_panic(raw in any::<String>()) {
        let german = Region::parse("DE");
        for way in Normalise::ALL {
            if let Ok(value) = way.apply_in(&raw, german) {
                prop_assert!(!value.expose().is_empty());
            }
        }
    }
}
