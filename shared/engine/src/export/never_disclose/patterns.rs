//! Recognises numbers by their shape, whatever the attribute is called.
//!
//! Only shapes that prove themselves: an SSN or ITIN written 3-2-4 with a number range that is
//! issued, an IBAN whose length and checksum are its country's, a payment card with an issuer's
//! prefix, that issuer's length and a right check digit. About 2 in 100 random 16-digit texts look
//! like a card, therefore names that say "reference" ([`super::names::is_reference`]) excuse
//! ungrouped digits. Numbers (as opposed to texts) are left to the names.

use std::ops::Range;

use super::Notice;
use super::rules::Kind;

/// How digits written without groups are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) enum BareDigits {
    /// They may be a payment card.
    MayBeCard,
    /// They are somebody's reference.
    Reference,
}

/// Finds every number that must not be disclosed, from left to right, without overlaps.
pub(in crate::export) fn find(text: &str, bare: BareDigits) -> Vec<(Range<usize>, Notice)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if !byte.is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied();
        let rest = bytes.get(at..).unwrap_or_default();
        if let Some((length, notice)) = starting_at(rest, before, bare) {
            found.push((at..at + length, notice));
            at += length;
        } else {
            at += rest
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric())
                .count();
        }
    }
    found
}

fn starting_at(rest: &[u8], before: Option<u8>, bare: BareDigits) -> Option<(usize, Notice)> {
    let joined = before.is_some_and(|b| b"-._/+".contains(&b));
    if rest.first()?.is_ascii_digit() {
        if joined {
            return None;
        }
        social_security(rest).or_else(|| card(rest, bare))
    } else {
        iban(rest)
    }
}

fn social_security(rest: &[u8]) -> Option<(usize, Notice)> {
    let digits = grouped(rest, &[3, 2, 4], b"-")?;
    let area = number(digits.get(..3)?)?;
    let group = number(digits.get(3..5)?)?;
    let serial = number(digits.get(5..)?)?;
    let notice = match area {
        0 | 666 => return None,
        900..=999 => {
            // Individual taxpayer identification numbers live in these groups.
            if !matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99) {
                return None;
            }
            Notice {
                kind: Kind::GovernmentId,
                what: "personal tax identification number",
            }
        }
        _ if group == 0 || serial == 0 => return None,
        _ => Notice {
            kind: Kind::SocialSecurityNumber,
            what: "social security number",
        },
    };
    Some((11, notice))
}

fn card(rest: &[u8], bare: BareDigits) -> Option<(usize, Notice)> {
    const SHAPES: &[&[usize]] = &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
    const NOTICE: Notice = Notice {
        kind: Kind::FinancialAccount,
        what: "payment card number",
    };
    for shape in SHAPES {
        let digits = grouped(rest, shape, b" ").or_else(|| grouped(rest, shape, b"-"));
        if digits.is_some_and(|digits| is_card(&digits)) {
            return Some((shape.iter().sum::<usize>() + shape.len() - 1, NOTICE));
        }
    }
    let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let digits = rest.get(..length)?;
    let stands_alone = ends(rest.get(length..)?);
    (bare == BareDigits::MayBeCard && stands_alone && is_card(digits)).then_some((length, NOTICE))
}

/// Reads groups of digits joined by one separator; what follows must not go on.
fn grouped(rest: &[u8], shape: &[usize], separator: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::new();
    let mut rest = rest;
    for (index, length) in shape.iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(separator)?;
        }
        let group = rest.get(..*length)?;
        if !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        digits.extend_from_slice(group);
        rest = rest.get(*length..)?;
    }
    ends(rest).then_some(digits)
}

/// Whether a number ends before `rest`: no letter or digit, no hyphen or point that joins another.
fn ends(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b'-' | b'.', next, ..] => !next.is_ascii_digit(),
        [next, ..] => !next.is_ascii_alphanumeric() && *next != b'_',
    }
}

fn is_card(digits: &[u8]) -> bool {
    let Some((four, three, two)) = prefixes(digits) else {
        return false;
    };
    let length = digits.len();
    let issued = match length {
        14 => matches!(three, 300..=305) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37),
        16 | 19 if two / 10 == 4 => true,
        16 if matches!(two, 51..=55) || matches!(four, 2221..=2720) => true,
        16..=19 => {
            four == 6011
                || matches!(three, 644..=649)
                || matches!(two, 62 | 65)
                || matches!(four, 3528..=3589)
        }
        _ => false,
    };
    issued && luhn(digits)
}

fn prefixes(digits: &[u8]) -> Option<(u32, u32, u32)> {
    Some((
        number(digits.get(..4)?)?,
        number(digits.get(..3)?)?,
        number(digits.get(..2)?)?,
    ))
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            match (index % 2, value * 2) {
                (0, _) => value,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn iban(rest: &[u8]) -> Option<(usize, Notice)> {
    const NOTICE: Notice = Notice {
        kind: Kind::FinancialAccount,
        what: "bank account number",
    };
    let country = rest.get(..2)?.to_ascii_uppercase();
    let length = IBAN_LENGTHS
        .iter()
        .find(|(code, _)| code.as_bytes() == country)?
        .1;
    if !rest.get(2..4)?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut letters = Vec::with_capacity(length);
    let mut used = 0;
    while letters.len() < length {
        match rest.get(used..)? {
            [b' ', next, ..] if next.is_ascii_alphanumeric() && letters.len() % 4 == 0 => used += 1,
            [byte, ..] if byte.is_ascii_alphanumeric() => {
                letters.push(byte.to_ascii_uppercase());
                used += 1;
            }
            _ => return None,
        }
    }
    (ends(rest.get(used..)?) && has_iban_checksum(&letters)).then_some((used, NOTICE))
}

/// ISO 13616: the first four characters moved to the end, letters as 10 to 35, remainder 1 by 97.
fn has_iban_checksum(letters: &[u8]) -> bool {
    let (head, tail) = letters.split_at(letters.len().min(4));
    let remainder = tail
        .iter()
        .chain(head)
        .fold(0_u32, |remainder, byte| match byte {
            b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
            _ => (remainder * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
        });
    remainder == 1
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Lengths of the SWIFT IBAN registry.
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        find(text, BareDigits::MayBeCard)
            .into_iter()
            .map(|(range, _)| &text[range])
            .collect()
    }

    #[test]
    fn numbers_that_prove_themselves_are_found_inside_text() {
        for (text, expected) in [
            ("123-45-6789", "123-45-6789"),
            ("my SSN is 123-45-6789, thanks", "123-45-6789"),
            ("ITIN 912-70-1234.", "912-70-1234"),
            ("4111 1111 1111 1111 exp 12/27", "4111 1111 1111 1111"),
            ("card:4111-1111-1111-1111", "4111-1111-1111-1111"),
            ("4111111111111111", "4111111111111111"),
            ("paid with 378282246310005.", "378282246310005"),
            ("3782 822463 10005", "3782 822463 10005"),
            ("DE89370400440532013000", "DE89370400440532013000"),
            (
                "to GB82 WEST 1234 5698 7654 32 please",
                "GB82 WEST 1234 5698 7654 32",
            ),
            ("no93 8601 1117 947", "no93 8601 1117 947"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
        assert_eq!(found("123-45-6789 und DE89370400440532013000").len(), 2);
    }

    #[test]
    fn what_only_resembles_them_stays() {
        for text in [
            "000-12-3456",
            "666-12-3456",
            "123-00-4567",
            "123-45-0000",
            "900-12-3456", // not issued
            "1-123-45-6789",
            "123-45-6789-0",
            "x123-45-6789",
            "123-45-67890",
            "4111111111111112",
            "0.4111111111111111",
            "9111111111111111", // no check digit, no issuer
            "1700000000000",
            "4006381333931",
            "2026-11-23",
            "+49 30 1234567", // instants, EANs
            "DE00370400440532013000",
            "DE8937040044053201300",
            "AB89370400440532013000",
            "é",
            "",
            "日本",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn a_reference_excuses_bare_digits_and_nothing_else() {
        assert_eq!(find("4111111111111111", BareDigits::Reference), []);
        assert_eq!(find("4111 1111 1111 1111", BareDigits::Reference).len(), 1);
        assert_eq!(find("123-45-6789", BareDigits::Reference).len(), 1);
    }
}
