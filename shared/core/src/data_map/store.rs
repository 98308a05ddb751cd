//! One store of the data map: where it is and how a subject is found in it.
//!
//! What each right does there is in `rule`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::path::FieldPath;
use super::rule::{AccessRule, DeletionRule, OptOutRule, RetainUntil};
use super::template::{KeyTemplate, ValueTemplate};
use crate::digest::Digest;
use crate::id::StoreId;
use crate::manifest::KeyValue;
use crate::outcome::ResidualKind;
use crate::subject::{IdentifierKind, IdentifierValue};

/// One place that holds data of subjects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Store {
    /// The internal id; never in receipts or exports.
    pub id: StoreId,
    /// What receipts and exports say.
    pub public_name: String,
    /// Where it is.
    pub place: Place,
    /// The ways to find a subject: what matches any of them is the subject's. Empty for objects
    /// (their key template says it) and attested stores.
    pub find: Vec<Find>,
    /// Identifiers that a match holds, by which other stores find more.
    pub yields: BTreeMap<IdentifierKind, FieldPath>,
    /// What access does.
    pub access: AccessRule,
    /// What deletion does.
    pub deletion: DeletionRule,
    /// What an opt-out does.
    pub opt_out: OptOutRule,
    /// What Art. 15 GDPR wants told.
    pub about: About,
    /// Where in the world it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residency: Option<String>,
    /// How to reach another account or region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// How often a store that is read as a whole is swept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// Copies that no effect reaches, as the company knows them, and how long each lasts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub copies: BTreeMap<ResidualKind, RetainUntil>,
    /// Where it stands in the data map's text.
    #[serde(skip)]
    pub line: Line,
}

impl Store {
    /// Returns the kinds of identifiers by which a subject is found here.
    pub fn finds_by(&self) -> BTreeSet<IdentifierKind> {
        self.ways().into_iter().flatten().collect()
    }

    /// Returns, for each way to find a subject, the kinds that must all be known for it.
    pub fn ways(&self) -> Vec<BTreeSet<IdentifierKind>> {
        let mut ways: Vec<BTreeSet<IdentifierKind>> = self.find.iter().map(Find::kinds).collect();
        if let Place::S3Objects(place) = &self.place {
            ways.push([place.objects.kind().clone()].into());
        }
        ways
    }

    /// Whether a person attests for it instead of us looking.
    pub fn is_attested(&self) -> bool {
        match &self.place {
            Place::Attested(_) => true,
            Place::DynamoDb(_) | Place::S3Objects(_) | Place::S3Records(_) => false,
        }
    }

    /// Whether a subject can be found here only by reading the whole table.
    pub fn is_scanned(&self) -> bool {
        match &self.place {
            Place::DynamoDb(_) => self.find.iter().any(Find::reads_everything),
            Place::S3Objects(_) | Place::S3Records(_) | Place::Attested(_) => false,
        }
    }

    /// Returns the digest of everything the data map says about this store.
    pub fn digest(&self) -> Digest {
        // Strings, integers and maps with text keys always serialise.
        Digest::of(&serde_json_canonicalizer::to_vec(self).unwrap_or_default())
    }
}

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Items in a table.
    DynamoDb(DynamodbItems),
    /// Objects of one subject each, by key.
    S3Objects(S3Objects),
    /// Objects that hold rows of many subjects.
    S3Records(S3Records),
    /// Outside AWS: a person attests what was done.
    Attested(Attested),
}

/// Items of one subject in a `DynamoDB` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DynamodbItems {
    /// The table's name.
    pub table: String,
    /// What one running function may ask of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// How much of a table's capacity one running function may use, in capacity units per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Read units per second; no limit when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<u32>,
    /// Write units per second; no limit when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<u32>,
}

/// Objects of one subject in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct S3Objects {
    /// The bucket's name.
    pub bucket: String,
    /// Which keys are a subject's.
    pub objects: KeyTemplate,
}

/// Rows of many subjects in the objects of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct S3Records {
    /// The bucket's name.
    pub bucket: String,
    /// Where keys begin; empty for the whole bucket.
    pub prefix: String,
    /// How rows are written.
    pub format: RecordFormat,
    /// How objects are compressed.
    pub compression: Compression,
}

/// A store outside AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attested {
    /// Who attests.
    pub by: String,
    /// How many days they have.
    pub within_days: u32,
}

/// How rows are written in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordFormat {
    /// Comma-separated values, RFC 4180, of this dialect.
    Csv(Dialect),
    /// JSON Lines.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// How rows of CSV are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Dialect {
    /// What stands between two fields.
    pub delimiter: Delimiter,
    /// Whether the first record names the columns. Without, columns are called by their position,
    /// from 1.
    pub header: bool,
}

impl Default for Dialect {
    /// A header, and commas.
    fn default() -> Self {
        Self {
            delimiter: Delimiter::Comma,
            header: true,
        }
    }
}

/// What stands between two fields of CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delimiter {
    /// `,`
    Comma,
    /// `|`
    Pipe,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
}

impl Delimiter {
    /// Returns its byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Pipe => b'|',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

/// How an object of rows is compressed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// gzip.
    Gzip,
    /// Not, or inside the format (Parquet).
    None,
    /// Snappy, framed.
    Snappy,
    /// Zstandard.
    Zstd,
}

/// One way to find a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Find {
    /// By which identifier; with several columns, the first one's.
    pub kind: IdentifierKind,
    /// How.
    pub how: FindHow,
    /// Where it stands in the data map's text.
    #[serde(skip)]
    pub line: Line,
}

impl Find {
    /// Returns the kinds that must all be known to find anybody this way.
    pub fn kinds(&self) -> BTreeSet<IdentifierKind> {
        match &self.how {
            FindHow::Columns(columns) => columns.iter().map(|c| c.kind.clone()).collect(),
            FindHow::Field(_) | FindHow::Index { .. } | FindHow::Key(_) => {
                [self.kind.clone()].into()
            }
        }
    }

    /// Whether a table must be read as a whole to find anybody this way: an index that may omit
    /// items proves nothing.
    pub fn reads_everything(&self) -> bool {
        match &self.how {
            FindHow::Field(_) => true,
            FindHow::Index { coverage, .. } => *coverage == Coverage::Partial,
            FindHow::Columns(_) | FindHow::Key(_) => false,
        }
    }

    /// Returns the columns that rows are compared by; none when it is a question by key.
    pub fn columns(&self) -> Vec<Column> {
        match &self.how {
            FindHow::Columns(columns) => columns.clone(),
            FindHow::Field(field) => vec![Column {
                kind: self.kind.clone(),
                field: field.clone(),
                hash: None,
            }],
            FindHow::Index { .. } | FindHow::Key(_) => Vec::new(),
        }
    }
}

/// How a subject is found by an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindHow {
    /// Columns of each row that must all match; records only. One raw column is a `Field`.
    Columns(Vec<Column>),
    /// A field of each row in records, of each item in a table: everything is read.
    Field(FieldPath),
    /// A table's secondary index.
    Index {
        /// The index.
        index: String,
        /// What the index may leave out.
        coverage: Coverage,
        /// The question to it.
        query: KeyQuery,
    },
    /// A table's primary key.
    Key(KeyQuery),
}

/// One column of a row by which a subject is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Which identifier it holds.
    pub kind: IdentifierKind,
    /// Where it is.
    pub field: FieldPath,
    /// How it is hashed, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
}

/// How a text stands for SHA-256 of a normalised identifier, in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    /// 44 characters of Base64, the standard alphabet; the `=` at the end may be missing.
    Sha256Base64,
    /// 64 hex digits, of either case.
    Sha256Hex,
}

impl Hash {
    /// Reads the digest; none when the text is none.
    pub fn read(self, text: &str) -> Option<Digest> {
        let text = text.trim().as_bytes();
        let bytes = match self {
            Self::Sha256Hex => data_encoding::HEXLOWER_PERMISSIVE.decode(text).ok()?,
            Self::Sha256Base64 => {
                let unpadded = text.strip_suffix(b"=").unwrap_or(text);
                data_encoding::BASE64_NOPAD.decode(unpadded).ok()?
            }
        };
        bytes.try_into().ok().map(Digest::new)
    }
}

/// What an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Every item that has the identifier, under its normalised spelling, though perhaps late.
    Complete,
    /// Not every item (sparse, or other spellings): "nothing found" needs a scan.
    Partial,
}

/// A question by key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyQuery {
    /// The partition key's attribute.
    pub key: String,
    /// Its type.
    pub key_type: KeyType,
    /// Its value.
    pub value: ValueTemplate,
    /// What the sort key must be; none for every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<SortKey>,
}

impl KeyQuery {
    /// Returns the partition key of an identifier; none when a number is asked for and it is none,
    /// which means that nothing can match.
    pub fn partition(&self, value: &IdentifierValue) -> Option<KeyValue> {
        let filled = self.value.fill(value);
        match self.key_type {
            KeyType::String => Some(KeyValue::S(filled)),
            KeyType::Number => is_number(&filled).then_some(KeyValue::N(filled)),
        }
    }
}

/// The type of a key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// `N`.
    Number,
    /// `S`.
    String,
}

/// What a sort key, a string, must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SortKey {
    /// The attribute.
    pub key: String,
    /// The condition.
    pub test: SortTest,
}

/// The condition on a sort key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SortTest {
    /// It begins with this text.
    BeginsWith(String),
    /// It is this text.
    Equals(String),
}

/// What Art. 15(1) GDPR wants told about a store's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Where the data come from; `first_party` means from the person.
    pub source: String,
    /// What they are used for.
    pub purposes: Vec<String>,
    /// Which kinds of data they are.
    pub categories: Vec<String>,
    /// Who receives them.
    pub recipients: Vec<String>,
    /// How long they are kept, or how that is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<String>,
    /// The safeguards of a transfer to another country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfers: Option<String>,
}

/// How a store in another account or region is reached; at least one of role and region is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The role to assume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The region, when it is not ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// How often a record store is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// The minutes between two sweeps.
    pub every_minutes: u32,
}

/// Where something stands in a data map's text, from 1. It is no part of what the map says, so all
/// lines are equal.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub struct Line(pub usize);

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Whether `DynamoDB` would take it as a number, written without exponent.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && whole.len() + fraction.len() <= 38
}
