//! A row as a record for an access request: every value with its type, numbers with all their digits.

use std::collections::BTreeMap;

use quittance_engine::record::{Datum, Record};

use super::super::error::RowProblem;
use super::scan::{Scan, Token};
use super::text_of;

/// Reads one row, without its line's end, nested at most so deep. Of a key that is there twice the
/// last one counts, unless rows are compared by it: such a row is refused before.
///
/// # Errors
/// [`RowProblem`] when it is not a JSON object.
pub fn record(row: &[u8], max_depth: usize) -> Result<Record, RowProblem> {
    let mut scan = Scan::new(text_of(row)?, max_depth);
    let datum = datum(&mut scan)?;
    scan.end()?;
    match datum {
        Datum::Map(fields) => Ok(Record::Item(fields)),
        Datum::Null
        | Datum::Bool(_)
        | Datum::Number(_)
        | Datum::Text(_)
        | Datum::Bytes(_)
        | Datum::List(_)
        | Datum::Set(_) => Err(RowProblem::NotAnObject),
    }
}

fn datum(scan: &mut Scan<'_>) -> Result<Datum, RowProblem> {
    Ok(match scan.value()? {
        Token::Object => {
            let mut first = true;
            let mut fields = BTreeMap::new();
            while let Some(key) = scan.key(&mut first)? {
                let name = scan.text(&key).into_owned();
                fields.insert(name, datum(scan)?);
            }
            Datum::Map(fields)
        }
        Token::List => {
            let mut first = true;
            let mut values = Vec::new();
            while scan.element(&mut first)? {
                values.push(datum(scan)?);
            }
            Datum::List(values)
        }
        Token::Text(quoted) => Datum::Text(scan.text(&quoted).into_owned()),
        Token::Bare(place) => match scan.bare(&place) {
            "true" => Datum::Bool(true),
            "false" => Datum::Bool(false),
            number => Datum::Number(number.to_owned()),
        },
        Token::Null => Datum::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_keeps_its_type_and_every_number_its_digits() {
        let row = br#" {"n":12345678901234567890123.40,"t":"a\u00e9","b":[true,false,null],"o":{"x":-0}} "#;
        let Ok(Record::Item(fields)) = record(row, 8) else {
            panic!("not read")
        };
        let expected = [
            (
                "b",
                Datum::List(vec![Datum::Bool(true), Datum::Bool(false), Datum::Null]),
            ),
            ("n", Datum::Number("12345678901234567890123.40".to_owned())),
            (
                "o",
                Datum::Map([("x".to_owned(), Datum::Number("-0".to_owned()))].into()),
            ),
            ("t", Datum::Text("a\u{e9}".to_owned())),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(fields, expected.into());
    }

    #[test]
    fn what_is_no_object_or_too_deep_is_refused() {
        assert_eq!(record(b"[1]", 8).err(), Some(RowProblem::NotAnObject));
        assert_eq!(record(b"{\"a\":1} 2", 8).err(), Some(RowProblem::NotJson));
        let deep = br#"{"a":[[[[1]]]]}"#;
        assert_eq!(
            record(deep, 3).err(),
            Some(RowProblem::TooDeep { limit: 3 })
        );
    }
}
