//! The command line of `dsr rewrite`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use quittance_core::data_map::{Compression, Delimiter, Dialect, FieldPath, Hash, RecordFormat};
use quittance_core::subject::{Normalise, Region};

/// Takes the rows of some people out of a file; every other byte stays.
#[derive(ClapArgs, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RewriteArgs {
    /// The file to read
    #[arg(value_name = "IN")]
    pub(crate) from: PathBuf,
    /// The file to write, in the compression of the one that is read; appears when it is whole
    #[arg(value_name = "OUT", required_unless_present = "dry_run")]
    pub(crate) to: Option<PathBuf>,
    /// A field that identifies people, such as user.email or contacts[].email, or a column's name;
    /// may be repeated: a row goes if any of them matches
    #[arg(long = "match", value_name = "FIELD", required = true, value_parser = path)]
    pub(crate) fields: Vec<FieldPath>,
    /// The identifiers, one in each line; blank lines are ignored
    #[arg(long, value_name = "FILE")]
    pub(crate) ids: PathBuf,
    /// How identifiers are spelled the same on both sides before they are compared (or hashed)
    #[arg(long, value_enum, default_value_t = NormaliseArg::Exact)]
    pub(crate) normalise: NormaliseArg,
    /// The country of phone numbers without country code, such as DE
    #[arg(long, value_name = "COUNTRY", value_parser = region)]
    pub(crate) region: Option<Region>,
    /// One side holds SHA-256 of the normalised identifier, written like this
    #[arg(long, value_enum)]
    pub(crate) hash: Option<HashArg>,
    /// Which side is hashed: the lines of --ids (a deletion list), the field of the rows, or both
    #[arg(long, value_enum, requires = "hash", default_value_t = HashedArg::Ids)]
    pub(crate) hashed: HashedArg,
    /// Go on without lines that are no identifiers, instead of refusing the file
    #[arg(long)]
    pub(crate) skip_invalid: bool,
    /// How rows are written; by itself, what the file's name says, or JSON Lines
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatArg>,
    /// What stands between two fields of CSV; by itself, a comma (in .tsv a tab)
    #[arg(long, value_enum)]
    pub(crate) delimiter: Option<DelimiterArg>,
    /// The first row of CSV names no columns: --match 3 is the third one
    #[arg(long)]
    pub(crate) no_header: bool,
    /// How the file is compressed; by itself, what its first bytes say
    #[arg(long, value_enum)]
    pub(crate) compression: Option<CompressionArg>,
    /// Count only; write nothing
    #[arg(long, conflicts_with = "to")]
    pub(crate) dry_run: bool,
    /// Replace OUT if it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum NormaliseArg {
    /// As it is, without blanks around it
    Exact,
    /// Lower case, NFC, the domain in ASCII
    Email,
    /// E.164
    Phone,
    /// Lower case, NFC
    Lower,
    /// The ASCII digits in it
    Digits,
}

impl From<NormaliseArg> for Normalise {
    fn from(arg: NormaliseArg) -> Self {
        match arg {
            NormaliseArg::Exact => Self::Exact,
            NormaliseArg::Email => Self::Email,
            NormaliseArg::Phone => Self::Phone,
            NormaliseArg::Lower => Self::Lower,
            NormaliseArg::Digits => Self::Digits,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HashArg {
    /// 64 hex digits of either case
    Sha256Hex,
    /// 44 characters of Base64
    Sha256Base64,
}

impl From<HashArg> for Hash {
    fn from(arg: HashArg) -> Self {
        match arg {
            HashArg::Sha256Hex => Self::Sha256Hex,
            HashArg::Sha256Base64 => Self::Sha256Base64,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HashedArg {
    /// The lines of --ids; rows hold identifiers as they are
    Ids,
    /// The field of the rows; --ids holds identifiers as they are
    Field,
    /// Both
    Both,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    /// A JSON object in each line
    Jsonl,
    /// Comma-separated values, RFC 4180; --delimiter and --no-header say more
    Csv,
    /// Apache Parquet
    Parquet,
}

impl From<FormatArg> for RecordFormat {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Jsonl => Self::Jsonl,
            FormatArg::Csv => Self::Csv(Dialect::default()),
            FormatArg::Parquet => Self::Parquet,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DelimiterArg {
    /// ,
    #[value(alias = ",")]
    Comma,
    /// ;
    #[value(alias = ";")]
    Semicolon,
    /// A tab
    #[value(alias = "\t")]
    Tab,
    /// |
    #[value(alias = "|")]
    Pipe,
}

impl From<DelimiterArg> for Delimiter {
    fn from(arg: DelimiterArg) -> Self {
        match arg {
            DelimiterArg::Comma => Self::Comma,
            DelimiterArg::Semicolon => Self::Semicolon,
            DelimiterArg::Tab => Self::Tab,
            DelimiterArg::Pipe => Self::Pipe,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CompressionArg {
    /// None
    None,
    /// gzip, of one member or several
    Gzip,
    /// Zstandard, of one frame or several
    Zstd,
    /// Snappy's framing format (.sz), of one stream or several
    Snappy,
}

impl From<CompressionArg> for Compression {
    fn from(arg: CompressionArg) -> Self {
        match arg {
            CompressionArg::None => Self::None,
            CompressionArg::Gzip => Self::Gzip,
            CompressionArg::Zstd => Self::Zstd,
            CompressionArg::Snappy => Self::Snappy,
        }
    }
}

fn path(text: &str) -> Result<FieldPath, &'static str> {
    FieldPath::parse(text).ok_or("write a path such as email, user.email or contacts[].email")
}

fn region(text: &str) -> Result<Region, &'static str> {
    Region::parse(text).ok_or("write two capital letters, such as DE")
}

const EXAMPLES: &str = "\
Examples:
  Rows of some people, by address:
    dsr rewrite events.jsonl.gz rest.jsonl.gz --match user.email --ids gone.txt --normalise email
  A deletion list that arrived hashed:
    dsr rewrite events.jsonl rest.jsonl --match user.email --ids list.txt --normalise email --hash sha256-hex
  Rows that hold hashes, people by address:
    dsr rewrite events.jsonl rest.jsonl --match user --ids gone.txt --normalise email --hash sha256-base64 --hashed field
";
