//! Where records end and where their fields are: RFC 4180, strictly.
//!
//! A quote counts only at a field's two ends, and doubled between them. What other readers make of
//! any other quote differs from reader to reader, so it is refused. Then a line break ends a record
//! exactly when an even number of quotes stands before it.

use std::borrow::Cow;
use std::ops::Range;

use super::super::error::RowProblem;

/// Finds where records end, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Whether the bytes so far end between quotes.
    inside: bool,
}

impl Ends {
    /// Returns how many bytes are left of the record at hand, its line break among them; none when
    /// it goes on in the next piece.
    pub(super) fn next(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        loop {
            let rest = piece.get(at..)?;
            let found = if self.inside {
                memchr::memchr(b'"', rest)?
            } else {
                memchr::memchr2(b'"', b'\n', rest)?
            };
            at = at.saturating_add(found).saturating_add(1);
            if rest.get(found) == Some(&b'\n') {
                return Some(at);
            }
            self.inside = !self.inside;
        }
    }
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Where it stands, with its quotes.
    pub(super) place: Range<usize>,
    quotes: Quotes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    Around,
    /// Around it, and doubled in it.
    Doubled,
    None,
}

impl Field {
    /// Whether it stands between quotes.
    pub(super) fn is_quoted(&self) -> bool {
        self.quotes != Quotes::None
    }

    /// Returns what it says.
    pub(super) fn text<'a>(&self, record: &'a str) -> Cow<'a, str> {
        let raw = record.get(self.place.clone()).unwrap_or_default();
        let inner = || raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        match self.quotes {
            Quotes::None => Cow::Borrowed(raw),
            Quotes::Around => Cow::Borrowed(inner()),
            Quotes::Doubled => Cow::Owned(inner().replace("\"\"", "\"")),
        }
    }
}

/// Lists the fields of a record, which comes without its line break, but not more than `most` of
/// them; returns how many there are.
pub(super) fn fields(
    record: &str,
    delimiter: u8,
    most: usize,
    fields: &mut Vec<Field>,
) -> Result<usize, RowProblem> {
    fields.clear();
    let mut count = 0_usize;
    let bytes = record.as_bytes();
    let mut start = 0_usize;
    loop {
        let rest = bytes.get(start..).unwrap_or_default();
        let (length, quotes) = if rest.first() == Some(&b'"') {
            quoted(rest)?
        } else {
            let end = memchr::memchr3(delimiter, b'"', b'\r', rest);
            (end.unwrap_or(rest.len()), Quotes::None)
        };
        let end = start.saturating_add(length);
        count = count.saturating_add(1);
        if count <= most {
            fields.push(Field {
                place: start..end,
                quotes,
            });
        }
        match bytes.get(end) {
            None => return Ok(count),
            Some(byte) if *byte == delimiter => start = end.saturating_add(1),
            Some(b'\r') if quotes == Quotes::None => return Err(RowProblem::LoneReturn),
            Some(_) => return Err(RowProblem::StrayQuote),
        }
    }
}

/// How long the quoted field is that begins here.
fn quoted(rest: &[u8]) -> Result<(usize, Quotes), RowProblem> {
    let mut quotes = Quotes::Around;
    let mut from = 1_usize;
    loop {
        let inner = rest.get(from..).unwrap_or_default();
        let length = memchr::memchr(b'"', inner).ok_or(RowProblem::OpenQuote)?;
        let after = from.saturating_add(length).saturating_add(1);
        if rest.get(after) != Some(&b'"') {
            return Ok((after, quotes));
        }
        quotes = Quotes::Doubled;
        from = after.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(record: &str) -> Result<Vec<String>, RowProblem> {
        let mut found = Vec::new();
        fields(record, b',', 9, &mut found)?;
        let texts = found.iter().map(|field| field.text(record).into_owned());
        Ok(texts.collect())
    }

    #[test]
    fn fields_are_what_stands_between_delimiters_and_quotes() {
        for (record, expected) in [
            ("a", &["a"][..]),
            ("a,b", &["a", "b"]),
            (",", &["", ""]),
            ("\"\",a,", &["", "a", ""]),
            ("\"a,b\n\"\"c\"\"\",d", &["a,b\n\"c\"", "d"]),
            ("\"\"\"\"", &["\""]),
            (" a , b ", &[" a ", " b "]),
            ("\"a\rb\"", &["a\rb"]),
        ] {
            assert_eq!(texts(record).unwrap(), expected, "{record:?}");
        }
    }

    #[test]
    fn what_readers_disagree_about_is_refused() {
        for (record, problem) in [
            ("a\"b", RowProblem::StrayQuote),
            ("a,b\"", RowProblem::StrayQuote),
            ("\"a\"b,c", RowProblem::StrayQuote),
            ("a, \"b\"", RowProblem::StrayQuote),
            ("\"a\\\"b\"", RowProblem::StrayQuote),
            ("\"a\"\r", RowProblem::StrayQuote),
            ("\"a", RowProblem::OpenQuote),
            ("a,\"b\"\"", RowProblem::OpenQuote),
            ("a\rb", RowProblem::LoneReturn),
            ("a,b\r", RowProblem::LoneReturn),
        ] {
            assert_eq!(texts(record), Err(problem), "{record:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Wherever pieces are cut, the same records end.
        #[test]
        fn records_end_where_the_csv_crate_ends_them(
            rows in prop::collection::vec(
                prop::collection::vec("[a,\"\n\r ]{0,4}", 2..4), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            let mut lengths = Vec::new();
            for row in &rows {
                writer.write_record(row).unwrap();
                writer.flush().unwrap();
                lengths.push(writer.get_ref().len());
            }
            let bytes = writer.into_inner().unwrap();
            let (one, other) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut ends = Ends::default();
            let (mut found, mut base) = (Vec::new(), 0);
            for piece in [one, other] {
                let mut at = 0;
                while let Some(length) = ends.next(&piece[at..]) {
                    at += length;
                    found.push(base + at);
                }
                base += piece.len();
            }
            prop_assert_eq!(&found, &lengths);
            let mut start = 0;
            for (row, end) in rows.iter().zip(lengths) {
                let record = std::str::from_utf8(&bytes[start..end - 1]).unwrap();
                prop_assert_eq!(&texts(record).unwrap(), row);
                start = end;
            }
        }
    }
}
