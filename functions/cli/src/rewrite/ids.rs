//! Identifiers from a file, one in each line, into a set.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use quittance_core::data_map::{Column, Find, FindHow, Hash, IdentifierRule, Line};
use quittance_core::matching::{MatchError, MatchSet, MatchSetBuilder};
use quittance_core::subject::IdentifierKind;

use super::args::{HashedArg, RewriteArgs};
use crate::offline::unreadable;
use crate::printing::Failure;

/// The identifiers that rows are compared with.
pub(super) struct Identifiers {
    pub(super) set: MatchSet,
    /// The lines that were none.
    pub(super) skipped: u64,
}

/// Reads a file of identifiers.
pub(super) fn read(args: &RewriteArgs) -> Result<Identifiers, Failure> {
    let kind = IdentifierKind::parse(KIND).ok_or_else(|| Failure::failed("no kind"))?;
    let rule = IdentifierRule {
        normalise: args.normalise.into(),
        asked: true,
        many: true,
        region: args.region,
        line: Line(1),
    };
    let hash = args.hash.map(Hash::from);
    let (of_lines, of_fields) = match args.hashed {
        HashedArg::Ids => (hash, None),
        HashedArg::Field => (None, hash),
        HashedArg::Both => (hash, hash),
    };
    let finds: Vec<Find> = args
        .fields
        .iter()
        .map(|field| Find {
            kind: kind.clone(),
            how: FindHow::Columns(vec![Column {
                kind: kind.clone(),
                field: field.clone(),
                hash: of_fields,
            }]),
            line: Line(1),
        })
        .collect();
    let rules = BTreeMap::from([(kind.clone(), rule)]);
    let mut builder = MatchSetBuilder::new(&finds, &rules, count_lines(&args.ids)?)?;
    let kinds = [kind];
    let mut invalid = Invalid::default();
    let read = each_line(&args.ids, |number, text| {
        let added = match (text, of_lines) {
            (Err(why), _) => Err(why.to_owned()),
            (Ok(text), None) => match builder.add_texts(0, &kinds, &[text]) {
                Err(MatchError::NotAnIdentifier(why)) => Err(why.to_string()),
                added => Ok(added?),
            },
            (Ok(text), Some(hash)) => match hash.read(text) {
                Some(digest) => Ok(builder.add_hash(0, &kinds, &digest)?),
                None => Err(not_hash(hash).to_owned()),
            },
        };
        if let Err(why) = added {
            invalid.note(number, why);
        }
        Ok(())
    })?;
    if invalid.count > 0 && !args.skip_invalid {
        return Err(Failure::usage(invalid.tell(&args.ids, read)));
    }
    if read == invalid.count {
        let path = args.ids.display();
        return Err(Failure::usage(format!(
            "{path} has no identifier; write one in each line"
        )));
    }
    Ok(Identifiers {
        set: builder.build(),
        skipped: invalid.count,
    })
}

/// Lines that are no identifiers.
#[derive(Default)]
struct Invalid {
    count: u64,
    first: Vec<(u64, String)>,
}

impl Invalid {
    fn note(&mut self, line: u64, why: String) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < SHOWN {
            self.first.push((line, why));
        }
    }

    fn tell(&self, path: &Path, read: u64) -> String {
        let told = self.first.iter();
        let told: Vec<String> = told
            .map(|(line, why)| format!("  line {line} {why}"))
            .collect();
        let more = if self.count > u64::try_from(told.len()).unwrap_or_default() {
            "\n  and more"
        } else {
            ""
        };
        format!(
            "{} of {read} lines in {} are no identifiers:\n{}{more}\n\
             correct them, or go on without them: --skip-invalid. Nothing was written.",
            self.count,
            path.display(),
            told.join("\n"),
        )
    }
}

/// Counts lines, so that memory is asked for once.
fn count_lines(path: &Path) -> Result<usize, Failure> {
    let mut file = open(path)?;
    let mut buffer = vec![0; BUFFER];
    let mut lines = 1_usize;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(lines);
        }
        let piece = buffer.get(..read).unwrap_or_default();
        let ends = memchr::memchr_iter(b'\n', piece).count();
        lines = lines.saturating_add(ends);
    }
}

/// Hands out every line that is not blank, with its number; how many these were.
fn each_line(
    path: &Path,
    mut with: impl FnMut(u64, Result<&str, &'static str>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut reader = BufReader::with_capacity(BUFFER, open(path)?);
    let mut bytes = Vec::new();
    let (mut number, mut lines) = (0_u64, 0_u64);
    loop {
        bytes.clear();
        reader
            .by_ref()
            .take(LONGEST)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| unreadable(path, &error))?;
        if bytes.is_empty() {
            return Ok(lines);
        }
        number = number.saturating_add(1);
        let whole = bytes.ends_with(b"\n") || u64::try_from(bytes.len()).unwrap_or(0) < LONGEST;
        if !whole {
            reader.skip_until(b'\n')?;
        }
        let line = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if number == 1 => rest,
            Some(_) | None => &bytes,
        };
        let line = match std::str::from_utf8(line).map(str::trim) {
            _ if !whole => Err("is longer than any identifier"),
            Ok("") => continue,
            Ok(text) => Ok(text),
            Err(_) => Err("is not UTF-8"),
        };
        lines = lines.saturating_add(1);
        with(number, line)?;
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

const fn not_hash(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha256Hex => "is not 64 hex digits",
        Hash::Sha256Base64 => "is not 44 characters of Base64",
    }
}

const KIND: &str = "id";
const BUFFER: usize = 256 * 1024;
/// A line of this length is none.
const LONGEST: u64 = 4096;
/// How many lines are told of.
const SHOWN: usize = 5;
