//! A strict reader of one JSON text that keeps nothing: it tells where things stand.
//!
//! It accepts what RFC 8259 accepts, except that nesting is bounded; `serde_json` is its oracle.

use std::borrow::Cow;
use std::ops::Range;

use super::super::error::RowProblem;

/// A position in a text.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    max_depth: usize,
}

/// What a value is, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `{`, which was read.
    Object,
    /// `[`, which was read.
    List,
    /// A string, without its quotes.
    Text(Quoted),
    /// A number, `true` or `false`.
    Bare(Range<usize>),
    /// `null`.
    Null,
}

/// Where a string stands, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) place: Range<usize>,
    /// Whether there is a backslash in it.
    pub(super) escaped: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            max_depth,
        }
    }

    /// Where it stands.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Reads blanks.
    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// Reads the beginning of a value: all of it, but for objects and lists.
    pub(super) fn value(&mut self) -> Result<Token, RowProblem> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.open(Token::Object),
            Some(b'[') => self.open(Token::List),
            Some(b'"') => self.string().map(Token::Text),
            Some(b't') => self.word("true", Token::Bare(start..start.saturating_add(4))),
            Some(b'f') => self.word("false", Token::Bare(start..start.saturating_add(5))),
            Some(b'n') => self.word("null", Token::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => Err(RowProblem::NotJson),
        }
    }

    /// Reads to the next key of an object and over its colon; none at the object's end. `first`
    /// says whether a comma must come before.
    pub(super) fn key(&mut self, first: &mut bool) -> Result<Option<Quoted>, RowProblem> {
        if !self.next(b'}', first)? {
            return Ok(None);
        }
        let key = self.string()?;
        self.blanks();
        self.take(b':')?;
        self.blanks();
        Ok(Some(key))
    }

    /// Reads to the next element of a list; false at the list's end.
    pub(super) fn element(&mut self, first: &mut bool) -> Result<bool, RowProblem> {
        self.next(b']', first)
    }

    /// Reads over a value, however deep.
    pub(super) fn skip(&mut self) -> Result<(), RowProblem> {
        match self.value()? {
            Token::Object => {
                let mut first = true;
                while self.key(&mut first)?.is_some() {
                    self.skip()?;
                }
                Ok(())
            }
            Token::List => {
                let mut first = true;
                while self.element(&mut first)? {
                    self.skip()?;
                }
                Ok(())
            }
            Token::Text(_) | Token::Bare(_) | Token::Null => Ok(()),
        }
    }

    /// Checks that nothing but blanks follows.
    pub(super) fn end(&mut self) -> Result<(), RowProblem> {
        self.blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(RowProblem::NotJson),
        }
    }

    /// Returns what a string says.
    pub(super) fn text(&self, quoted: &Quoted) -> Cow<'a, str> {
        let raw = self.text.get(quoted.place.clone()).unwrap_or_default();
        if quoted.escaped {
            Cow::Owned(unescaped(raw))
        } else {
            Cow::Borrowed(raw)
        }
    }

    /// Returns what stands somewhere.
    pub(super) fn bare(&self, place: &Range<usize>) -> &'a str {
        self.text.get(place.clone()).unwrap_or_default()
    }

    fn next(&mut self, end: u8, first: &mut bool) -> Result<bool, RowProblem> {
        self.blanks();
        if self.peek() == Some(end) {
            self.at = self.at.saturating_add(1);
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.take(b',')?;
            self.blanks();
            // A comma before the end is none that JSON knows.
            if self.peek() == Some(end) {
                return Err(RowProblem::NotJson);
            }
        }
        Ok(true)
    }

    fn open(&mut self, token: Token) -> Result<Token, RowProblem> {
        if self.depth >= self.max_depth {
            return Err(RowProblem::TooDeep {
                limit: self.max_depth,
            });
        }
        self.depth = self.depth.saturating_add(1);
        self.at = self.at.saturating_add(1);
        Ok(token)
    }

    fn string(&mut self) -> Result<Quoted, RowProblem> {
        self.take(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.rest();
            let length = memchr::memchr2(b'"', b'\\', rest).ok_or(RowProblem::NotJson)?;
            let plain = rest.get(..length).unwrap_or_default();
            if plain.iter().any(|byte| *byte < b' ') {
                return Err(RowProblem::NotJson);
            }
            self.at = self.at.saturating_add(length);
            if self.peek() == Some(b'"') {
                let place = start..self.at;
                self.at = self.at.saturating_add(1);
                return Ok(Quoted { place, escaped });
            }
            escaped = true;
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), RowProblem> {
        let length = match self.rest() {
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => 2,
            [b'\\', b'u', a, b, c, d, ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                6
            }
            _ => return Err(RowProblem::NotJson),
        };
        self.at = self.at.saturating_add(length);
        Ok(())
    }

    fn number(&mut self) -> Result<Token, RowProblem> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at = self.at.saturating_add(1);
        }
        let whole = self.at;
        self.digits()?;
        let is_padded = self.bare(&(whole..self.at)).starts_with('0');
        if is_padded && self.at.saturating_sub(whole) > 1 {
            return Err(RowProblem::NotJson);
        }
        if self.peek() == Some(b'.') {
            self.at = self.at.saturating_add(1);
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at = self.at.saturating_add(1);
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at = self.at.saturating_add(1);
            }
            self.digits()?;
        }
        Ok(Token::Bare(start..self.at))
    }

    /// Reads one digit or more.
    fn digits(&mut self) -> Result<(), RowProblem> {
        let count = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        self.at = self.at.saturating_add(count);
        if count == 0 {
            return Err(RowProblem::NotJson);
        }
        Ok(())
    }

    fn word(&mut self, word: &str, token: Token) -> Result<Token, RowProblem> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(RowProblem::NotJson);
        }
        self.at = self.at.saturating_add(word.len());
        Ok(token)
    }

    fn take(&mut self, byte: u8) -> Result<(), RowProblem> {
        if self.peek() != Some(byte) {
            return Err(RowProblem::NotJson);
        }
        self.at = self.at.saturating_add(1);
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// Resolves the escapes of a string that was read; half a surrogate pair is no letter of anybody's.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut letters = escape.chars();
        match letters.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let (letter, length) = hexadecimal(escape);
                text.push(letter);
                rest = escape.get(length..).unwrap_or_default();
                continue;
            }
            Some(itself) => text.push(itself),
            None => {}
        }
        rest = letters.as_str();
    }
    text.push_str(rest);
    text
}

/// Reads `uXXXX`, or `uXXXX\uXXXX` when that is one letter; how many bytes it was.
fn hexadecimal(escape: &str) -> (char, usize) {
    let unit = |from: usize| -> Option<u16> {
        let digits = escape.get(from..from.saturating_add(4))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(high) = unit(1) else {
        return (char::REPLACEMENT_CHARACTER, escape.len());
    };
    let low = escape
        .get(5..7)
        .filter(|text| *text == "\\u")
        .and_then(|_| unit(7));
    if let Some(low) = low
        && let Some(Ok(letter)) = char::decode_utf16([high, low]).next()
        && u32::from(letter) > 0xffff
    {
        return (letter, 11);
    }
    let letter = char::from_u32(u32::from(high));
    (letter.unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn scanned(text: &str) -> Result<(), RowProblem> {
        let mut scan = Scan::new(text, 100);
        scan.blanks();
        scan.skip()?;
        scan.end()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn it_accepts_what_serde_accepts(
            text in "[ \t]?([{}\\[\\],:\" 0-9eE+.-]|true|false|null|\"[a\\\\u0-9/n\u{1}\u{e4}]{0,6}\"){0,14}",
        ) {
            let serde = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(scanned(&text).is_ok(), serde, "{}", text);
        }

        #[test]
        fn a_string_says_what_serde_says(text in "(\\PC|[\"\\\\\n\u{8}\u{1f600}]){0,12}", ascii in any::<bool>()) {
            let mut json = serde_json::to_string(&text).unwrap();
            if ascii {
                let units = json.encode_utf16().map(|unit| match u8::try_from(unit) {
                    Ok(byte) if byte < 0x80 => char::from(byte).to_string(),
                    _ => format!("\\u{unit:04x}"),
                });
                json = units.collect();
            }
            let mut scan = Scan::new(&json, 1);
            let Ok(Token::Text(quoted)) = scan.value() else { panic!("no string: {json}") };
            prop_assert_eq!(scan.text(&quoted), text);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(scanned(&deep(100)), Ok(()));
        assert_eq!(scanned(&deep(101)), Err(RowProblem::TooDeep { limit: 100 }));
        assert_eq!(
            scanned(&"{\"a\":".repeat(1_000_000)),
            Err(RowProblem::TooDeep { limit: 100 })
        );
    }

    #[test]
    fn half_a_letter_is_a_mark() {
        for (json, text) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ud83dA""#, "\u{fffd}A"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\u0041\u0042""#, "AB"),
        ] {
            let mut scan = Scan::new(json, 1);
            let Ok(Token::Text(quoted)) = scan.value() else {
                panic!("no string: {json}")
            };
            assert_eq!(scan.text(&quoted), text, "{json}");
        }
    }
}
