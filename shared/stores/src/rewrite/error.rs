//! Why an object of rows cannot be rewritten, and what to do about it.
//!
//! Errors say where (a line's number), never what stands there: rows are personal.

use quittance_core::data_map::{Compression, FieldPath};
use quittance_core::fault::{BlockReason, Fault};

use super::parquet::TableProblem;

/// Why an object of rows cannot be searched or rewritten. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// It unpacks to far more than real data does.
    #[error(
        "unpacks to more than {limit} times its size; if it is really yours, unpack it and \
         replace the object"
    )]
    Bomb {
        /// How many times is allowed.
        limit: u64,
    },
    /// A path that can lead to no column.
    #[error(
        "{0} can be no column of CSV: a column is a name of the header or, without a header, a \
         position from 1, and has no elements"
    )]
    Column(FieldPath),
    /// Compressed bytes contradict themselves.
    #[error(
        "the {} data is damaged ({detail}); replace the object with a good copy, or correct \
         compression in the data map", name(*.compression)
    )]
    Corrupt {
        /// What it was read as.
        compression: Compression,
        /// What does not fit.
        detail: &'static str,
    },
    /// Snappy is spoken of, and no stream of frames begins.
    #[error(
        "is not in Snappy's framing format, which is the only one that is read (raw Snappy, \
         Hadoop's blocks and Java's streams are others); pack it as frames or with another \
         compression, or correct compression in the data map"
    )]
    NotFramed,
    /// A path leads to a position, which rows are not searched by.
    #[error("{0} names a position; in rows, lists are searched as a whole: write [] instead")]
    Position(FieldPath),
    /// A row is not as it must be.
    #[error("line {line} {problem}")]
    Row {
        /// In which line it stands, from 1.
        line: u64,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// It failed before: what was handed out is not the whole.
    #[error("this rewrite failed before; begin again with the whole object")]
    Stopped,
    /// An object of Parquet is not as it must be.
    #[error(transparent)]
    Table(#[from] TableProblem),
    /// The compressed data ends too early.
    #[error(
        "the {} data ends too early; the upload was cut off: replace the object with a whole copy",
        name(*.0)
    )]
    Truncated(Compression),
    /// Fields are to be pseudonymised without a key.
    #[error("fields are to be pseudonymised, and there is no key for it here")]
    NoKey,
    /// A format that is not read from its beginning to its end.
    #[error("Parquet is read in ranges, and compressed inside: it is a table, no stream of rows")]
    NoStream,
    /// The compressed data asks for more memory than we give.
    #[error(
        "the zstd data needs a window of more than {limit} bytes; pack it again without --long \
         or --ultra"
    )]
    Window {
        /// How much we give.
        limit: u64,
    },
}

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// One name twice in the header, and readers disagree about which one counts.
    #[error("has the column {0} twice, and readers disagree about which one counts; rename one")]
    DuplicateColumn(FieldPath),
    /// One key twice, and readers disagree about which one counts.
    #[error("has the key of {0} twice, and readers disagree about which one counts; keep one")]
    DuplicateKey(FieldPath),
    /// A carriage return that ends no line, or all of them.
    #[error("has a carriage return outside quotes; end lines with a line feed, or quote the field")]
    LoneReturn,
    /// A column that is compared or masked is not there.
    #[error(
        "has no column {0}, so nobody can be looked for; correct the data map, its delimiter too, \
         or the object"
    )]
    MissingColumn(FieldPath),
    /// Not an object in braces.
    #[error(
        "is not a JSON object on one line; is the object really JSON Lines, and compressed as the \
         data map says?"
    )]
    NotAnObject,
    /// Not JSON.
    #[error("is not JSON; correct it, or move it out of the object")]
    NotJson,
    /// Not UTF-8.
    #[error("is not UTF-8; write the object in UTF-8")]
    NotUtf8,
    /// A byte of value zero.
    #[error("has a NUL byte; write the object in UTF-8, and no NUL")]
    Nul,
    /// A quoted field without an end.
    #[error("begins a quoted field that never ends; close it, or double the quotes in it")]
    OpenQuote,
    /// More fields than there are columns, or fewer.
    #[error("has {fields} fields, {first} has {expected}; correct the row")]
    Ragged {
        /// How many it has.
        fields: usize,
        /// How many it must have.
        expected: usize,
        /// What says so: the header, or the first row.
        first: &'static str,
    },
    /// A quote inside a field without quotes, or behind one with them.
    #[error(
        "has a quote that opens or closes no field; quote the field, and double the quotes in it"
    )]
    StrayQuote,
    /// Objects in objects in objects.
    #[error("is nested deeper than {limit}; flatten it, or move it out of the object")]
    TooDeep {
        /// How deep is allowed.
        limit: usize,
    },
    /// Longer than a row may be.
    #[error(
        "is longer than {limit} bytes; is there a line break after each row, and each quote closed?"
    )]
    TooLong {
        /// How many bytes are allowed.
        limit: usize,
    },
    /// More columns than any real table has.
    #[error("has more than {limit} columns; split the table, or correct the delimiter")]
    TooManyColumns {
        /// How many are allowed.
        limit: usize,
    },
    /// Lists in several columns of a tuple make too many tuples.
    #[error("makes more than {limit} tuples of the columns that are compared; split its lists")]
    TooManyTuples {
        /// How many are allowed.
        limit: usize,
    },
}

impl RewriteError {
    /// Returns why a task that meets it is blocked.
    pub const fn block_reason(&self) -> BlockReason {
        match self {
            Self::Bomb { .. } | Self::Window { .. } => BlockReason::TooLarge,
            Self::Corrupt { .. } | Self::NotFramed | Self::Truncated(_) | Self::Stopped => {
                BlockReason::UnreadableData
            }
            Self::Column(_) | Self::Position(_) => BlockReason::SchemaMismatch,
            Self::Row { line: _, problem } => match problem {
                RowProblem::MissingColumn(_) => BlockReason::SchemaMismatch,
                RowProblem::DuplicateColumn(_)
                | RowProblem::DuplicateKey(_)
                | RowProblem::LoneReturn
                | RowProblem::NotAnObject
                | RowProblem::NotJson
                | RowProblem::NotUtf8
                | RowProblem::Nul
                | RowProblem::OpenQuote
                | RowProblem::Ragged { .. }
                | RowProblem::StrayQuote => BlockReason::UnreadableData,
                RowProblem::TooDeep { .. }
                | RowProblem::TooLong { .. }
                | RowProblem::TooManyColumns { .. }
                | RowProblem::TooManyTuples { .. } => BlockReason::TooLarge,
            },
            Self::Table(problem) => problem.block_reason(),
            Self::NoKey | Self::NoStream => BlockReason::UnsupportedStore,
        }
    }
}

impl From<RewriteError> for Fault {
    fn from(error: RewriteError) -> Self {
        Self::Block(error.block_reason())
    }
}

const fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip",
        Compression::None => "uncompressed",
        Compression::Snappy => "snappy",
        Compression::Zstd => "zstd",
    }
}
