//! A row as a record for an access request: every value with its type, numbers with all their digits.

use std::collections::BTreeMap;
use std::fmt;

use quittance_core::data_map::FieldPath;
use quittance_engine::record::{Datum, Record};

use super::super::error::{RewriteError, RowProblem};
use super::scan::{Scan, Token};
use super::text_of;
use super::tree::{ROOT, Tree};

/// Copies rows, without the fields that are left out. `Debug` prints nothing of them.
pub struct Copier {
    left_out: Option<Tree<()>>,
    max_depth: usize,
}

impl Copier {
    /// Makes one for rows nested at most so deep.
    ///
    /// # Errors
    /// [`RewriteError::Position`] for a path into a position of a list.
    pub fn new(left_out: &[FieldPath], max_depth: usize) -> Result<Self, RewriteError> {
        let paths = left_out.iter().map(|path| (path.clone(), ()));
        Ok(Self {
            left_out: Tree::new(paths)?,
            max_depth,
        })
    }

    /// Copies one row, without its line's end. Of a key that is there twice the last one counts,
    /// unless rows are compared by it: such a row is refused before.
    ///
    /// # Errors
    /// [`RowProblem`] when it is not a JSON object.
    pub fn copy(&self, row: &[u8]) -> Result<Record, RowProblem> {
        let mut scan = Scan::new(text_of(row)?, self.max_depth);
        let datum = datum(&mut scan, self.left_out.as_ref().map(|tree| (tree, ROOT)))?;
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
}

impl fmt::Debug for Copier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Copier")
    }
}

/// What is left out below a value.
type LeftOut<'t> = Option<(&'t Tree<()>, usize)>;

fn datum(scan: &mut Scan<'_>, left_out: LeftOut<'_>) -> Result<Datum, RowProblem> {
    Ok(match scan.value()? {
        Token::Object => {
            let mut first = true;
            let mut fields = BTreeMap::new();
            while let Some(key) = scan.key(&mut first)? {
                let name = scan.text(&key).into_owned();
                let below = left_out.and_then(|(tree, at)| Some((tree, tree.down(at, &name)?)));
                if is_left_out(below) {
                    scan.skip()?;
                } else {
                    fields.insert(name, datum(scan, below)?);
                }
            }
            Datum::Map(fields)
        }
        Token::List => {
            let each = left_out.and_then(|(tree, at)| Some((tree, tree.each(at)?)));
            let mut first = true;
            let mut values = Vec::new();
            while scan.element(&mut first)? {
                if is_left_out(each) {
                    scan.skip()?;
                } else {
                    values.push(datum(scan, each)?);
                }
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

fn is_left_out(here: LeftOut<'_>) -> bool {
    here.is_some_and(|(tree, at)| !tree.ends(at).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(row: &[u8], max_depth: usize) -> Result<Record, RowProblem> {
        Copier::new(&[], max_depth).unwrap().copy(row)
    }

    #[test]
    fn what_is_left_out_is_not_in_the_copy_however_it_is_spelled() {
        let paths = ["user.hash", "cards[].pin"].map(|path| FieldPath::parse(path).unwrap());
        let copier = Copier::new(&paths, 8).unwrap();
        let row = br#"{"user":{"h\u0061sh":"x1","id":1},"user.hash":"x2","cards":[{"pin":"x3","n":2},3]}"#;
        let left = br#"{"user":{"id":1},"cards":[{"n":2},3]}"#;
        assert_eq!(copier.copy(row), record(left, 8));
    }

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
