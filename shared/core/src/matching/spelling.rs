//! The normal spelling of a text, and a quick guess at it.
//!
//! Nearly every row is another person's. So a guess comes first that costs a few nanoseconds; only
//! where it may be somebody's is the text normalised as the data map says.

use crate::data_map::IdentifierRule;
use crate::subject::{Normalise, NormaliseError};

/// What a text would be if it were an identifier at all.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Candidate<'a> {
    /// No identifier ends otherwise than so.
    Ending(&'a [u8]),
    /// It is no identifier.
    Never,
    /// This text, or no identifier.
    Text(&'a [u8]),
    /// Only normalising it tells.
    Unknown,
}

/// A place for a candidate's text.
pub(super) type Buffer = [u8; 320];

/// Guesses the normal spelling. Invariant: if [`normal`] gives a text, the guess is that text, or
/// its ending, or unknown.
pub(super) fn candidate<'a>(
    rule: &IdentifierRule,
    raw: &'a str,
    buffer: &'a mut Buffer,
) -> Candidate<'a> {
    let trimmed = raw.trim();
    if trimmed.len() > longest(rule.normalise) {
        return Candidate::Never;
    }
    match rule.normalise {
        Normalise::Exact => Candidate::Text(trimmed.as_bytes()),
        Normalise::Email | Normalise::Lower if !trimmed.is_ascii() => Candidate::Unknown,
        Normalise::Email | Normalise::Lower => lower(trimmed, buffer),
        Normalise::Digits => {
            let digits = digits(trimmed, buffer);
            if digits.is_empty() && !trimmed.is_empty() {
                return Candidate::Never;
            }
            Candidate::Text(digits)
        }
        // Letters and digits of other scripts stand for digits; other signs begin an extension.
        Normalise::Phone if !trimmed.bytes().all(is_dialled) => Candidate::Unknown,
        Normalise::Phone => match digits(trimmed, buffer).last_chunk::<ENDING>() {
            Some(ending) => Candidate::Ending(ending),
            None => Candidate::Unknown,
        },
    }
}

/// Returns the part of a normal text that a guess would give; none when no guess can be trusted.
pub(super) fn guessed(normalise: Normalise, normal: &str) -> Option<&[u8]> {
    match normalise {
        Normalise::Exact | Normalise::Email | Normalise::Lower | Normalise::Digits => {
            Some(normal.as_bytes())
        }
        // A number's end stays as it was typed if no country's or trunk's digits reach into it:
        // a plus, three digits of a country, and as many as the ending.
        Normalise::Phone if normal.len() < 1 + 3 + ENDING => None,
        Normalise::Phone => normal
            .as_bytes()
            .last_chunk::<ENDING>()
            .map(<[u8; 6]>::as_slice),
    }
}

/// Normalises a text of either side. Unlike an identifier that a person gives, a value may be empty
/// where emptiness is a spelling.
pub(super) fn normal(rule: &IdentifierRule, raw: &str) -> Result<String, NormaliseError> {
    match rule.normalise(raw) {
        Ok(value) => Ok(value.expose().to_owned()),
        Err(NormaliseError::Empty) if raw.trim().is_empty() && may_be_empty(rule.normalise) => {
            Ok(String::new())
        }
        Err(error) => Err(error),
    }
}

const fn may_be_empty(normalise: Normalise) -> bool {
    match normalise {
        Normalise::Exact | Normalise::Lower | Normalise::Digits => true,
        Normalise::Email | Normalise::Phone => false,
    }
}

fn lower<'a>(text: &str, buffer: &'a mut Buffer) -> Candidate<'a> {
    let Some(place) = buffer.get_mut(..text.len()) else {
        return Candidate::Never;
    };
    place.copy_from_slice(text.as_bytes());
    place.make_ascii_lowercase();
    Candidate::Text(place)
}

/// The digits in a text that fits.
fn digits<'a>(text: &str, buffer: &'a mut Buffer) -> &'a [u8] {
    let mut count = 0_usize;
    let found = text.bytes().filter(u8::is_ascii_digit);
    for (place, digit) in buffer.iter_mut().zip(found) {
        *place = digit;
        count = count.saturating_add(1);
    }
    buffer.get(..count).unwrap_or_default()
}

/// Whether a byte stands in a number that is dialled as it is written.
const fn is_dialled(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'+' | b' ' | b'-' | b'.' | b'/' | b'(' | b')')
}

/// The longest text that normalising looks at; all of them fit into the buffer.
const fn longest(normalise: Normalise) -> usize {
    match normalise {
        Normalise::Email => 320,
        Normalise::Exact | Normalise::Phone | Normalise::Lower | Normalise::Digits => 256,
    }
}

/// How many digits at the end of a phone number are looked at.
const ENDING: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data_map::Line;
    use crate::subject::Region;

    fn rule(normalise: Normalise, region: Option<&str>) -> IdentifierRule {
        IdentifierRule {
            normalise,
            asked: true,
            many: false,
            region: region.map(|region| Region::parse(region).unwrap()),
            line: Line(1),
        }
    }

    /// The guess never misses what normalising finds.
    fn assert_guess(rule: &IdentifierRule, raw: &str) {
        let Ok(normal) = normal(rule, raw) else {
            return;
        };
        let mut buffer = [0; 320];
        let guess = candidate(rule, raw, &mut buffer);
        let right = match (&guess, guessed(rule.normalise, &normal)) {
            (Candidate::Never, _) => false,
            (Candidate::Unknown, _) | (_, None) => true,
            (Candidate::Text(text) | Candidate::Ending(text), Some(guessed)) => *text == guessed,
        };
        assert!(right, "{raw:?} is {normal:?}, guessed {guess:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_guess_is_never_wrong(raw in "\\PC{0,40}|[ -~]{0,20}|[ \ta-zA-Z0-9@._+-]{0,300}") {
            for normalise in Normalise::ALL {
                assert_guess(&rule(normalise, None), &raw);
            }
        }

        #[test]
        fn a_guess_at_an_address_is_never_wrong(
            raw in " ?[A-Za-z0-9.+'-]{1,12}@([Xx][Nn]--)?[A-Za-z0-9-]{1,10}[.\u{3002}][a-zA-Z]{1,8} ?",
        ) {
            assert_guess(&rule(Normalise::Email, None), &raw);
        }

        #[test]
        fn a_guess_at_a_number_is_never_wrong(
            raw in "(\\+|00|0)?(1|43|49|54|55|290|683)?[ (]?0?(15|9)?[-). /0-9]{3,14}(,,?[0-9]{2}|;[0-9])?",
        ) {
            for region in [None, Some("AT"), Some("AR"), Some("BR"), Some("DE"), Some("US")] {
                assert_guess(&rule(Normalise::Phone, region), &raw);
            }
        }
    }

    #[test]
    fn short_numbers_are_not_guessed() {
        let vienna = normal(&rule(Normalise::Phone, Some("AT")), "01 5880");
        if let Ok(vienna) = vienna {
            assert_eq!(guessed(Normalise::Phone, &vienna), None);
        }
        assert_eq!(
            guessed(Normalise::Phone, "+493012345678"),
            Some(&b"345678"[..])
        );
    }

    #[test]
    fn an_empty_text_is_a_value_where_it_is_a_spelling() {
        assert_eq!(
            normal(&rule(Normalise::Exact, None), " "),
            Ok(String::new())
        );
        assert!(normal(&rule(Normalise::Email, None), "").is_err());
        assert!(normal(&rule(Normalise::Digits, None), "none").is_err());
    }
}
