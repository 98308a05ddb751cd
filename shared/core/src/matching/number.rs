//! One text for one whole number, however a writer spelled it.

use std::borrow::Cow;

/// Returns the text by which a JSON number is compared: whole numbers without point, exponent and
/// minus before zero (`42.0` and `4.2e1` are `42`), others as they are written.
pub fn whole_number(token: &str) -> Cow<'_, str> {
    match plain(token) {
        Some(text) => Cow::Owned(text),
        None => Cow::Borrowed(token),
    }
}

/// None when the text is right as it is, or no whole number of a length that identifies anybody.
fn plain(token: &str) -> Option<String> {
    if token == "-0" {
        return Some("0".to_owned());
    }
    if !token.contains(['.', 'e', 'E']) {
        return None;
    }
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let significant = kept.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let dropped = i32::try_from(digits.len().checked_sub(kept.len())?).ok()?;
    let shift = i32::try_from(fraction.len()).ok()?;
    let zeros = exponent.checked_sub(shift)?.checked_add(dropped)?;
    let zeros = usize::try_from(zeros).ok()?;
    if significant.len().checked_add(zeros)? > MAX_DIGITS {
        return None;
    }
    let sign = if token.starts_with('-') { "-" } else { "" };
    Some(format!("{sign}{significant}{}", "0".repeat(zeros)))
}

const MAX_DIGITS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_one_text() {
        for (token, text) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.0", "0"),
            ("-0.00e7", "0"),
            ("42", "42"),
            ("42.0", "42"),
            ("4.2e1", "42"),
            ("4200E-2", "42"),
            ("-42.000", "-42"),
            ("1e3", "1000"),
            ("0.5e1", "5"),
            ("4.25", "4.25"),
            ("1e99", "1e99"),
            ("1e99999999999", "1e99999999999"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
        ] {
            assert_eq!(whole_number(token), text, "{token}");
        }
    }
}
