//! DynamoDB values: lossless to [`Datum`], to and from key values, equality, canonical bytes.
//!
//! A number stays its decimal text on every way. Nothing here talks to DynamoDB.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the variant for types that the SDK does not know cannot be named"
)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::manifest::KeyValue;
use quittance_engine::record::Datum;

/// An item or a key, as the SDK has it.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// Converts a value; none when the SDK does not know its type.
pub(super) fn to_datum(value: &AttributeValue) -> Option<Datum> {
    Some(match value {
        AttributeValue::S(text) => Datum::Text(text.clone()),
        AttributeValue::N(number) => Datum::Number(number.clone()),
        AttributeValue::B(blob) => Datum::Bytes(blob.as_ref().to_vec()),
        AttributeValue::Bool(truth) => Datum::Bool(*truth),
        AttributeValue::Null(_) => Datum::Null,
        AttributeValue::L(values) => {
            Datum::List(values.iter().map(to_datum).collect::<Option<_>>()?)
        }
        AttributeValue::M(values) => Datum::Map(
            values
                .iter()
                .map(|(name, value)| Some((name.clone(), to_datum(value)?)))
                .collect::<Option<BTreeMap<_, _>>>()?,
        ),
        AttributeValue::Ss(texts) => Datum::Set(texts.iter().cloned().map(Datum::Text).collect()),
        AttributeValue::Ns(numbers) => {
            Datum::Set(numbers.iter().cloned().map(Datum::Number).collect())
        }
        AttributeValue::Bs(blobs) => Datum::Set(
            blobs
                .iter()
                .map(|blob| Datum::Bytes(blob.as_ref().to_vec()))
                .collect(),
        ),
        _ => return None,
    })
}

/// Converts a key attribute's value; none when no key can have such a value.
pub(super) fn to_key_value(value: &AttributeValue) -> Option<KeyValue> {
    match value {
        AttributeValue::S(text) => Some(KeyValue::S(text.clone())),
        AttributeValue::N(number) => Some(KeyValue::N(number.clone())),
        AttributeValue::B(blob) => Some(KeyValue::B(BASE64.encode(blob.as_ref()))),
        _ => None,
    }
}

/// Converts a whole key.
///
/// # Errors
/// Rejects a binary part that is not Base64.
pub(super) fn sdk_key(key: &BTreeMap<String, KeyValue>) -> Result<Attributes, Fault> {
    key.iter()
        .map(|(name, value)| {
            let value = match value {
                KeyValue::S(text) => AttributeValue::S(text.clone()),
                KeyValue::N(number) => AttributeValue::N(number.clone()),
                KeyValue::B(text) => {
                    let bytes = BASE64.decode(text);
                    let bytes = bytes.map_err(|_| Fault::reject("a key that is not Base64"))?;
                    AttributeValue::B(Blob::new(bytes))
                }
            };
            Ok((name.clone(), value))
        })
        .collect()
}

/// Converts a key as DynamoDB returned it.
pub(super) fn to_key(key: &Attributes) -> Option<BTreeMap<String, KeyValue>> {
    key.iter()
        .map(|(name, value)| Some((name.clone(), to_key_value(value)?)))
        .collect()
}

/// Lists the texts in a value; a number's is its decimal text.
pub(super) fn texts(value: &AttributeValue) -> Vec<&str> {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => vec![text],
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => {
            texts.iter().map(String::as_str).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns what a value that is no list, set or map says, as text.
pub(super) fn scalar(value: &AttributeValue) -> Option<Cow<'_, str>> {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => Some(Cow::Borrowed(text)),
        AttributeValue::Bool(truth) => Some(Cow::Owned(truth.to_string())),
        AttributeValue::B(bytes) => Some(Cow::Owned(BASE64.encode(bytes.as_ref()))),
        _ => None,
    }
}

/// Whether two values are equal to DynamoDB: numbers by value, sets in any order.
pub(super) fn equal(a: &AttributeValue, b: &AttributeValue) -> bool {
    match (a, b) {
        (AttributeValue::N(a), AttributeValue::N(b)) => {
            a == b || decimal(a).is_some_and(|a| Some(a) == decimal(b))
        }
        _ => canonical(a) == canonical(b),
    }
}

/// Bytes that are the same for exactly those values that are [`equal`].
pub(super) fn comparable(value: &AttributeValue) -> Vec<u8> {
    if let AttributeValue::N(text) = value
        && let Some(decimal) = decimal(text)
    {
        let sign = if decimal.negative { '-' } else { '+' };
        return format!("N{sign}{}e{}", decimal.digits, decimal.exponent).into_bytes();
    }
    canonical(value)
}

/// Digest of a whole item, the same for the same content whatever order it arrives in.
pub(super) fn fingerprint(item: &Attributes) -> Digest {
    let mut bytes = b"quittance-item/v1\0".to_vec();
    encode_map(item, &mut bytes);
    Digest::of(&bytes)
}

fn canonical(value: &AttributeValue) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    bytes
}

/// Type letter, then content; everything of variable length carries its length.
fn encode(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => encode_bytes(b'S', text.as_bytes(), out),
        AttributeValue::N(number) => encode_bytes(b'N', number.as_bytes(), out),
        AttributeValue::B(blob) => encode_bytes(b'B', blob.as_ref(), out),
        AttributeValue::Bool(truth) => out.extend([b'T', u8::from(*truth)]),
        AttributeValue::Null(_) => out.push(b'0'),
        AttributeValue::L(values) => {
            out.push(b'L');
            encode_length(values.len(), out);
            for value in values {
                encode(value, out);
            }
        }
        AttributeValue::M(values) => encode_map(values, out),
        AttributeValue::Ss(texts) => encode_set(b's', texts.iter().map(String::as_bytes), out),
        AttributeValue::Ns(numbers) => encode_set(b'n', numbers.iter().map(String::as_bytes), out),
        AttributeValue::Bs(blobs) => encode_set(b'b', blobs.iter().map(AsRef::as_ref), out),
        _ => out.push(b'?'),
    }
}

fn encode_map(values: &Attributes, out: &mut Vec<u8>) {
    out.push(b'M');
    encode_length(values.len(), out);
    for (name, value) in values.iter().collect::<BTreeMap<_, _>>() {
        encode_bytes(b'K', name.as_bytes(), out);
        encode(value, out);
    }
}

fn encode_set<'a>(letter: u8, members: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let mut members: Vec<&[u8]> = members.collect();
    members.sort_unstable();
    out.push(letter);
    encode_length(members.len(), out);
    for member in members {
        encode_bytes(b'e', member, out);
    }
}

fn encode_bytes(letter: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(letter);
    encode_length(bytes.len(), out);
    out.extend(bytes);
}

fn encode_length(length: usize, out: &mut Vec<u8>) {
    out.extend(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}

/// A number as sign, digits without outer zeros, and the power of ten of the last digit.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

fn decimal(text: &str) -> Option<Decimal> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let all = format!("{whole}{fraction}");
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = all.trim_start_matches('0').trim_end_matches('0').to_owned();
    if digits.is_empty() {
        return Some(Decimal {
            negative: false,
            digits,
            exponent: 0,
        });
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let shift = i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
    Some(Decimal {
        negative,
        digits,
        exponent: exponent.checked_add(shift)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> AttributeValue {
        AttributeValue::N(text.to_owned())
    }

    #[test]
    fn numbers_are_equal_by_value_to_the_last_of_38_digits() {
        for (a, b) in [
            ("7", "007"),
            ("7", "7.0"),
            ("70", "7e1"),
            ("-0", "0"),
            ("0.10", "1E-1"),
        ] {
            assert!(equal(&number(a), &number(b)), "{a} is {b}");
            assert_eq!(comparable(&number(a)), comparable(&number(b)), "{a} is {b}");
        }
        for (a, b) in [
            ("7", "-7"),
            ("7", "70"),
            (
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345679",
            ),
        ] {
            assert!(!equal(&number(a), &number(b)), "{a} is not {b}");
            assert_ne!(
                comparable(&number(a)),
                comparable(&number(b)),
                "{a} is not {b}"
            );
        }
        assert!(!equal(&number("7"), &AttributeValue::S("7".to_owned())));
        assert!(
            ["", "seven", "1.2.3", "-"]
                .iter()
                .all(|text| decimal(text).is_none())
        );
    }

    #[test]
    fn a_fingerprint_ignores_order_and_sees_every_change() {
        let item = |tags: &[&str], note: AttributeValue| -> Attributes {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            HashMap::from([
                ("tags".to_owned(), AttributeValue::Ss(tags)),
                ("note".to_owned(), note),
            ])
        };
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let reference = fingerprint(&item(&["a", "b"], text("1")));
        assert_eq!(reference, fingerprint(&item(&["b", "a"], text("1"))));
        assert_ne!(reference, fingerprint(&item(&["ab"], text("1"))));
        assert_ne!(reference, fingerprint(&item(&["a", "b"], number("1"))));
        assert_ne!(
            reference,
            fingerprint(&item(&["a", "b"], AttributeValue::L(vec![text("1")])))
        );
    }

    #[test]
    fn every_type_becomes_a_datum_without_loss() {
        let digits = "-1234567890.1234567890123456789012345678";
        let value = AttributeValue::M(HashMap::from([
            ("n".to_owned(), number(digits)),
            (
                "ns".to_owned(),
                AttributeValue::Ns(vec!["1".to_owned(), digits.to_owned()]),
            ),
            ("b".to_owned(), AttributeValue::B(Blob::new([0, 255]))),
            ("bs".to_owned(), AttributeValue::Bs(vec![Blob::new([1])])),
            (
                "l".to_owned(),
                AttributeValue::L(vec![AttributeValue::Null(true)]),
            ),
            ("t".to_owned(), AttributeValue::Bool(true)),
        ]));
        let datum = to_datum(&value).unwrap();
        let expected = Datum::Map(BTreeMap::from([
            ("n".to_owned(), Datum::Number(digits.to_owned())),
            (
                "ns".to_owned(),
                Datum::Set(vec![
                    Datum::Number("1".to_owned()),
                    Datum::Number(digits.to_owned()),
                ]),
            ),
            ("b".to_owned(), Datum::Bytes(vec![0, 255])),
            ("bs".to_owned(), Datum::Set(vec![Datum::Bytes(vec![1])])),
            ("l".to_owned(), Datum::List(vec![Datum::Null])),
            ("t".to_owned(), Datum::Bool(true)),
        ]));
        assert!(datum == expected, "a datum differs (its Debug is masked)");
    }

    #[test]
    fn a_key_survives_the_manifest() {
        let key: Attributes = HashMap::from([
            ("pk".to_owned(), AttributeValue::B(Blob::new([0, 159, 146]))),
            ("sk".to_owned(), number("42")),
        ]);
        assert_eq!(sdk_key(&to_key(&key).unwrap()), Ok(key));
    }
}
