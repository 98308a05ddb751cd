//! Compares attribute names with the table, word by word.
//!
//! A name is split into words (`userSSN2` is *user ssn2*); inside nested maps the words of all the
//! names above come first, so that `{"passport": {"number": …}}` is a passport number. A rule
//! matches a run of whole words however they are joined: `lesson` holds no SSN.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::rules::{ABOUT_IT, NOT_A_CARD, RULES, Rule};

/// Splits a name into lower-case words without accents.
pub(in crate::export) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let plain: Vec<char> = name.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    for (index, c) in plain.iter().copied().enumerate() {
        let before = index.checked_sub(1).and_then(|i| plain.get(i)).copied();
        let after = plain.get(index + 1).copied();
        let camel_hump = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit())
                || before.is_some_and(char::is_uppercase) && after.is_some_and(char::is_lowercase));
        if (camel_hump || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            for lower in c.to_lowercase() {
                match lower {
                    'ß' => word.push_str("ss"),
                    'ø' => word.push('o'),
                    'ł' => word.push('l'),
                    other => word.push(other),
                }
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Returns the rule that forbids disclosing what has this name: the longest match decides.
pub(in crate::export) fn rule_of(words: &[String]) -> Option<&'static Rule> {
    let about_it = words
        .last()
        .is_some_and(|last| ABOUT_IT.contains(&last.as_str()));
    runs(words)
        .filter(|run| !(about_it && run.end < words.len()))
        .filter_map(|run| {
            let phrase = spellings(&run.text).find_map(|spelling| PHRASES.get(spelling))?;
            let is_whole = run.start == 0 && run.end == words.len();
            let applies = (is_whole || !phrase.only_alone) && !holds_any(words, phrase.rule.unless);
            applies.then_some((run.text.len(), phrase.rule))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, rule)| rule)
}

/// Whether the innermost name says that its digits are a reference, not a payment card.
pub(in crate::export) fn is_reference(words: &[String]) -> bool {
    words.iter().any(|word| NOT_A_CARD.contains(&word.as_str()))
}

struct Run {
    start: usize,
    end: usize,
    text: String,
}

struct Phrase {
    rule: &'static Rule,
    only_alone: bool,
}

/// Every run of consecutive words that is not longer than the longest phrase.
fn runs(words: &[String]) -> impl Iterator<Item = Run> {
    (0..words.len()).flat_map(move |start| {
        let mut text = String::new();
        let mut found = Vec::new();
        for (offset, word) in words.iter().skip(start).enumerate() {
            text.push_str(word);
            if text.len() > *LONGEST {
                break;
            }
            found.push(Run {
                start,
                end: start + offset + 1,
                text: text.clone(),
            });
        }
        found
    })
}

/// As written, in the singular, and without a number at the end (`ssn2`).
fn spellings(run: &str) -> impl Iterator<Item = &str> {
    let unnumbered = run.trim_end_matches(|c: char| c.is_ascii_digit());
    [
        Some(run),
        run.strip_suffix('s'),
        (unnumbered != run).then_some(unnumbered),
    ]
    .into_iter()
    .flatten()
}

fn holds_any(words: &[String], phrases: &[&str]) -> bool {
    !phrases.is_empty() && runs(words).any(|run| phrases.contains(&run.text.as_str()))
}

static PHRASES: LazyLock<HashMap<&'static str, Phrase>> = LazyLock::new(|| {
    let mut phrases = HashMap::new();
    for rule in RULES {
        for text in rule.anywhere {
            phrases.insert(
                *text,
                Phrase {
                    rule,
                    only_alone: false,
                },
            );
        }
        for text in rule.alone {
            phrases.insert(
                *text,
                Phrase {
                    rule,
                    only_alone: true,
                },
            );
        }
    }
    phrases
});

/// With room for a plural and two digits.
static LONGEST: LazyLock<usize> =
    LazyLock::new(|| PHRASES.keys().map(|text| text.len()).max().unwrap_or(0) + 3);

#[cfg(test)]
mod tests {
    use super::super::rules::Kind;
    use super::*;

    fn kind(name: &str) -> Option<Kind> {
        rule_of(&words(name)).map(|rule| rule.kind)
    }

    #[test]
    fn names_split_into_words_in_every_spelling() {
        for name in [
            "social_security_number",
            "socialSecurityNumber",
            "Social-Security Number",
        ] {
            assert_eq!(words(name), ["social", "security", "number"], "{name}");
        }
        assert_eq!(words("userSSN2"), ["user", "ssn2"]);
        assert_eq!(words("IBANNumber"), ["iban", "number"]);
        assert_eq!(words("Numéro_de_Sécurité"), ["numero", "de", "securite"]);
        assert_eq!(words("__"), Vec::<String>::new());
    }

    #[test]
    fn every_kind_is_known_in_several_spellings_and_languages() {
        let table: &[(Kind, &[&str])] = &[
            (
                Kind::SocialSecurityNumber,
                &[
                    "ssn",
                    "SSN",
                    "userSsn",
                    "ssns",
                    "ssn2",
                    "social_security_number",
                    "socialsecuritynumber",
                    "Sozialversicherungsnummer",
                    "numéro_sécu",
                ],
            ),
            (
                Kind::GovernmentId,
                &[
                    "driver_license",
                    "driversLicence",
                    "passport_number",
                    "passportNo",
                    "Reisepass",
                    "Führerscheinnummer",
                    "fuehrerschein",
                    "nationalId",
                    "tax_id",
                    "dni",
                    "Fødselsnummer",
                    "codice-fiscale",
                    "licenseNumber",
                ],
            ),
            (
                Kind::FinancialAccount,
                &[
                    "iban",
                    "customerIBAN",
                    "account_number",
                    "bankAccountNo",
                    "credit_card",
                    "card_number",
                    "cardNum",
                    "cvv",
                    "CVV2",
                    "Kontonummer",
                    "tarjeta_de_crédito",
                ],
            ),
            (
                Kind::HealthId,
                &["health_insurance_id", "medicareNumber", "mrn", "patientId"],
            ),
            (
                Kind::Password,
                &[
                    "password",
                    "passwordHash",
                    "pwd",
                    "user_password_salt",
                    "Passwort",
                    "contraseña",
                    "totp_secret",
                    "pin",
                    "mot-de-passe",
                    "recovery_codes",
                ],
            ),
            (
                Kind::SecurityQuestion,
                &[
                    "security_answer",
                    "securityQuestions",
                    "secret_question",
                    "mothersMaidenName",
                ],
            ),
            (
                Kind::Biometric,
                &[
                    "fingerprint_template",
                    "face_embedding",
                    "voicePrint",
                    "biometrics",
                ],
            ),
        ];
        for (expected, names) in table {
            for name in *names {
                assert_eq!(kind(name), Some(*expected), "{name}");
            }
        }
    }

    #[test]
    fn words_are_matched_whole_and_other_things_are_left_alone() {
        for name in [
            "lesson",
            "lessons",
            "assn_member",
            "ssnake",
            "compass",
            "passenger",
            "caviban",
            "pincode",
            "pin_code",
            "map_pin",
            "password_changed_at",
            "passwordExpires",
            "passport_country",
            "card_brand",
            "credit_card_expiry",
            "card_last4",
            "cardNumberLast4",
            "browser_fingerprint",
            "fingerprint_sha256",
            "tls_fingerprint",
            "email",
            "phone",
            "customer_id",
            "account",
            "account_name",
            "single",
            "software_license_number",
            "face",
            "discard_number_of",
            "InvoiceId",
            "BillingAddress",
            "SupportRepId",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn no_phrase_is_in_two_rules_and_all_are_plain() {
        let mut seen = HashMap::new();
        for rule in RULES {
            for text in rule.anywhere.iter().chain(rule.alone) {
                assert!(
                    text.chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
                    "{text}"
                );
                assert_eq!(seen.insert(text, rule.what), None, "{text}");
            }
        }
    }
}
