//! Tables of law as CSV: cells by name, and problems by line.
//!
//! What a table means is with its owner ([`crate::regime`], [`crate::holidays`]). Every problem of a
//! file is told at once, each with the line it stands on.

use std::fmt::Display;

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TableProblem {
    /// The line, from 1.
    pub line: u64,
    /// What to correct.
    pub message: String,
}

/// One row of a table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: u64,
    cells: Vec<(String, String)>,
}

impl Row {
    /// Returns the cell of a column, without blanks around it.
    pub(crate) fn cell(&self, column: &str) -> &str {
        self.cells
            .iter()
            .find(|(name, _)| name == column)
            .map_or("", |(_, cell)| cell.as_str())
    }

    /// Reads a cell that must be there; `advice` says how to write it.
    pub(crate) fn read<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        advice: impl Display,
    ) -> Result<T, TableProblem> {
        let cell = self.cell(column);
        parse(cell).ok_or_else(|| self.wrong(format!("{column} `{cell}` cannot be read; {advice}")))
    }

    /// Reads a cell that may be empty.
    pub(crate) fn read_if<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        advice: impl Display,
    ) -> Result<Option<T>, TableProblem> {
        match self.cell(column) {
            "" => Ok(None),
            _ => self.read(column, parse, advice).map(Some),
        }
    }

    /// Returns a cell that must not be empty.
    pub(crate) fn text(&self, column: &str) -> Result<String, TableProblem> {
        let text = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
        self.read(column, text, "it must not be empty")
    }

    /// Builds a problem of this row.
    pub(crate) fn wrong(&self, message: impl Into<String>) -> TableProblem {
        TableProblem {
            line: self.line,
            message: message.into(),
        }
    }
}

/// Reads a text whose first line names exactly these columns.
///
/// # Errors
/// Where it is no such table.
pub(crate) fn rows(text: &str, columns: &[&str]) -> Result<Vec<Row>, Vec<TableProblem>> {
    let problem = |line, message| vec![TableProblem { line, message }];
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let found = reader
        .headers()
        .map_err(|error| problem(1, error.to_string()))?;
    if !found.iter().eq(columns.iter().copied()) {
        let message = format!("the columns must be {}", columns.join(","));
        return Err(problem(1, message));
    }
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for record in reader.records() {
        match record {
            Ok(record) => rows.push(Row {
                line: record.position().map_or(0, csv::Position::line),
                cells: columns
                    .iter()
                    .zip(&record)
                    .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
                    .collect(),
            }),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                problems.push(TableProblem {
                    line,
                    message: format!("a row has {} cells", columns.len()),
                });
            }
        }
    }
    if problems.is_empty() {
        Ok(rows)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let found = rows(text, &["a", "b"]).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn problems_name_their_line() {
        assert_eq!(problems("a,c\n"), ["line 1: the columns must be a,b"]);
        assert_eq!(problems(""), ["line 1: the columns must be a,b"]);
        assert_eq!(
            problems("a,b\n1,2\n1\n1,2,3\n"),
            ["line 3: a row has 2 cells", "line 4: a row has 2 cells"]
        );
    }

    #[test]
    fn cells_are_read_by_name() {
        let rows = rows("a,b\nx,\"1, 2\"\n", &["a", "b"]).unwrap();
        let row = &rows[0];
        assert_eq!((row.line, row.cell("a"), row.cell("b")), (2, "x", "1, 2"));
        let number = |cell: &str| cell.parse::<u8>().ok();
        let error = row.read("a", number, "write a number").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: a `x` cannot be read; write a number"
        );
    }
}
