//! A glimpse at one column of a row, without taking the row apart.
//!
//! Wherever the column's last name is spelled as a key, the value behind it is a candidate. That may
//! be another object's key of the same name, so a candidate proves nothing; but when no candidate
//! can be anybody's, and the key cannot be spelled otherwise, the row is nobody's.

use memchr::memmem::{FindIter, Finder};
use quittance_core::data_map::{FieldPath, Segment};

/// How a column's key is looked for.
#[derive(Debug)]
pub(super) struct Glimpse {
    /// The name and the quote after it: dotted keys end so, too.
    ending: Finder<'static>,
    length: usize,
}

/// What stands behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen<'a> {
    /// Only taking the row apart tells.
    Look,
    /// This text.
    Text(&'a str),
}

impl Glimpse {
    pub(super) fn new(path: &FieldPath) -> Self {
        let ending = format!("{}\"", last_name(path));
        Self {
            ending: Finder::new(ending.as_bytes()).into_owned(),
            length: ending.len(),
        }
    }

    /// Lists the values behind the key in a row.
    pub(super) fn seen<'a>(&'a self, row: &'a str) -> Candidates<'a> {
        Candidates {
            row,
            places: self.ending.find_iter(row.as_bytes()),
            length: self.length,
        }
    }
}

/// The values behind a key, in a row.
pub(super) struct Candidates<'a> {
    row: &'a str,
    places: FindIter<'a, 'a>,
    length: usize,
}

impl<'a> Iterator for Candidates<'a> {
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        loop {
            let place = self.places.next()?;
            let before = place.checked_sub(1);
            let before = before.and_then(|at| self.row.as_bytes().get(at));
            if !matches!(before, Some(b'"' | b'.')) {
                continue;
            }
            let after = self.row.get(place.saturating_add(self.length)..);
            let Some(value) = after
                .map(str::trim_ascii_start)
                .and_then(|rest| rest.strip_prefix(':'))
            else {
                continue;
            };
            if let Some(seen) = behind(value.trim_ascii_start()) {
                return Some(seen);
            }
        }
    }
}

/// What a value is; none when it cannot be compared.
fn behind(value: &str) -> Option<Seen<'_>> {
    let (first, rest) = value.as_bytes().split_first()?;
    match first {
        // An object, or null.
        b'{' | b'n' => None,
        b'"' => {
            let end = memchr::memchr2(b'"', b'\\', rest)?;
            if rest.get(end) == Some(&b'\\') {
                return Some(Seen::Look);
            }
            // Quotes stand alone, so the places are between letters.
            let text = value.get(1..end.saturating_add(1));
            Some(text.map_or(Seen::Look, Seen::Text))
        }
        b'-' | b'0'..=b'9' | b't' | b'f' => {
            let is_end = |c: char| matches!(c, ',' | '}' | ']') || c.is_ascii_whitespace();
            let end = value.find(is_end).unwrap_or(value.len());
            let token = value.get(..end).unwrap_or_default();
            let is_plain = matches!(token, "true" | "false")
                || token.bytes().all(|byte| byte.is_ascii_digit());
            Some(if is_plain {
                Seen::Text(token)
            } else {
                Seen::Look
            })
        }
        _ => Some(Seen::Look),
    }
}

/// By which escapes a key can be spelled otherwise; later ones include earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Escapes {
    /// `\u0065` and its like, for letters of ASCII.
    OfAscii,
    /// Any `\u`.
    Unicode,
    /// Any backslash.
    Any,
}

impl Escapes {
    /// How the names of a path can be spelled otherwise.
    pub(super) fn of(path: &FieldPath) -> Self {
        let name = last_name(path);
        if name.contains(['"', '\\', '/']) {
            Self::Any
        } else if name.is_ascii() {
            Self::OfAscii
        } else {
            Self::Unicode
        }
    }

    /// Whether a key of this row may be spelled so.
    pub(super) fn stand_in(self, row: &str, unicode: &Finder<'_>) -> bool {
        let row = row.as_bytes();
        match self {
            Self::Any => memchr::memchr(b'\\', row).is_some(),
            Self::Unicode => unicode.find(row).is_some(),
            Self::OfAscii => unicode.find_iter(row).any(|at| {
                let digits = row.get(at.saturating_add(2)..);
                matches!(digits, Some([b'0', b'0', b'2'..=b'7', ..]))
            }),
        }
    }
}

/// The name that stands right before a value of the column.
fn last_name(path: &FieldPath) -> &str {
    let names = path.segments().iter().rev();
    let mut names = names.filter_map(|segment| match segment {
        Segment::Name(name) => Some(name.as_str()),
        Segment::At(_) | Segment::Each => None,
    });
    names.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(glimpse: &'a Glimpse, row: &'a str) -> Vec<Seen<'a>> {
        glimpse.seen(row).collect()
    }

    #[test]
    fn every_value_behind_the_key_is_seen() {
        let glimpse = Glimpse::new(&FieldPath::parse("user.email").unwrap());
        for (row, values) in [
            (r#"{"email":"a"}"#, vec![Seen::Text("a")]),
            (r#"{"user.email" : "a"}"#, vec![Seen::Text("a")]),
            (
                r#"{"email":0,"b":{"email":false}}"#,
                vec![Seen::Text("0"), Seen::Text("false")],
            ),
            (r#"{"x":"email","email":""}"#, vec![Seen::Text("")]),
            (r#"{"email":"a\tb"}"#, vec![Seen::Look]),
            (r#"{"email":["a"]}"#, vec![Seen::Look]),
            (r#"{"email":1.0}"#, vec![Seen::Look]),
            (r#"{"email":{"a":1},"nomail":"email","femail":"b"}"#, vec![]),
            (r#"{"email":null}"#, vec![]),
            (r#"{"x":"\"email\":\"a\""}"#, vec![]),
        ] {
            assert_eq!(seen(&glimpse, row), values, "{row}");
        }
    }

    #[test]
    fn a_key_that_is_spelled_otherwise_is_suspected() {
        let unicode = Finder::new("\\u");
        let ascii = Escapes::of(&FieldPath::parse("email").unwrap());
        assert!(ascii.stand_in(r#"{"\u0065mail":1}"#, &unicode));
        assert!(!ascii.stand_in(r#"{"a":"\u00e4\n"}"#, &unicode));
        let umlaut = Escapes::of(&FieldPath::parse("\u{e4}").unwrap());
        assert!(umlaut.stand_in(r#"{"\u00e4":1}"#, &unicode));
        let slash = Escapes::of(&FieldPath::parse("a/b").unwrap());
        assert!(slash.stand_in(r#"{"a\/b":1}"#, &unicode));
    }
}
