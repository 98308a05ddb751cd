//! Random files of CSV against a naive loop over the `csv` crate.

use ::csv::{ByteRecord, ReaderBuilder, Terminator};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::pseudonyms::names;
use super::*;

/// A file as somebody's program may have written it.
#[derive(Clone, Debug)]
struct File {
    dialect: Dialect,
    text: String,
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["a", "A", " a ", "b", "0", "", "***", "x"]).prop_map(str::to_owned),
        2 => "[ab\"\n\r,;|\t\u{e4}\u{1f600} ]{0,5}",
    ]
}

/// Writes a field; quoted where it must be, and at will.
fn spelled(text: &str, delimiter: char, quoted: bool, alone: bool) -> String {
    let must = text.contains(['"', '\n', '\r', delimiter]) || (alone && text.is_empty());
    if quoted || must {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn files() -> impl Strategy<Value = File> {
    let delimiters = select(vec![
        (Delimiter::Comma, ','),
        (Delimiter::Pipe, '|'),
        (Delimiter::Semicolon, ';'),
        (Delimiter::Tab, '\t'),
    ]);
    let ends = vec(select(vec!["\n", "\n", "\r\n", "\n\n", "\r\n\n"]), 12);
    let style = (any::<bool>(), any::<bool>(), any::<bool>());
    (1_usize..5, delimiters, style, ends).prop_flat_map(|(width, delimiters, style, ends)| {
        let rows = vec(vec((texts(), any::<bool>()), width), 0..11);
        (rows, Just((delimiters, style, ends, width))).prop_map(
            |(rows, ((delimiter, sign), (header, mark, ended), ends, width))| {
                let names = (0..width).map(|at| (format!("c{at}"), at % 2 == 0));
                let head: Vec<(String, bool)> = names.collect();
                let mut text = String::from(if mark { "\u{feff}" } else { "" });
                let all = header.then_some(&head).into_iter().chain(&rows);
                for (row, end) in all.zip(ends.iter().cycle()) {
                    let fields = row.iter();
                    let fields = fields.map(|(text, q)| spelled(text, sign, *q, width == 1));
                    text.push_str(&fields.collect::<Vec<_>>().join(&sign.to_string()));
                    text.push_str(end);
                }
                if !ended {
                    text.truncate(text.trim_end_matches(['\r', '\n']).len());
                }
                File {
                    dialect: Dialect { delimiter, header },
                    text,
                }
            },
        )
    })
}

/// The records of a file: the bytes of each, blank lines before it, and what its fields say.
fn records(file: &File) -> Vec<(usize, ByteRecord)> {
    let body = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let mark = file.text.len() - body.len();
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(file.dialect.delimiter.byte())
        .terminator(Terminator::CRLF)
        .from_reader(body.as_bytes());
    let mut found = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap() {
        let start = usize::try_from(record.position().unwrap().byte()).unwrap();
        // It counts the line breaks before a record among it.
        let rest = &body[start..];
        let breaks = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        found.push((start + mark + breaks, record.clone()));
    }
    found
}

/// Where the line of a record ends.
fn end(text: &str, start: usize) -> usize {
    let mut quotes = 0;
    let inside = |byte: &u8| {
        quotes += usize::from(*byte == b'"');
        *byte == b'\n' && quotes % 2 == 0
    };
    let rest = &text.as_bytes()[start..];
    rest.iter()
        .position(inside)
        .map_or(text.len(), |at| start + at + 1)
}

fn name(dialect: Dialect, column: usize) -> String {
    if dialect.header {
        format!("c{column}")
    } else {
        (column + 1).to_string()
    }
}

fn split<'o>(object: &'o [u8], cuts: &[Index]) -> Vec<&'o [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(object.len() + 1)).collect();
    cuts.extend([0, object.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &object[cut[0]..cut[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_rewrite_does_what_a_naive_loop_does(
        file in files(),
        who in prop::sample::subsequence(vec!["a", "b", "0", "x"], 0..4),
        columns in prop::sample::subsequence(vec![0_usize, 1, 2, 3], 1..3),
        compression in select(vec![NONE, GZIP, SNAPPY, ZSTD]),
        cuts in vec(any::<Index>(), 0..4),
        pieces in vec(1_usize..200, 1..4),
    ) {
        let found = records(&file);
        let width = found.first().map_or(1, |(_, record)| record.len());
        let columns: Vec<usize> =
            columns.into_iter().filter(|at| *at < width).chain([0]).collect();
        let fields: Vec<String> = columns.iter().map(|at| name(file.dialect, *at)).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let set = set(&fields, Normalise::Lower, &who);
        let normal = |field: &[u8]| std::str::from_utf8(field).unwrap().trim().to_lowercase();
        let rows = found.iter().skip(usize::from(file.dialect.header));
        let (mut left, mut at) = (String::new(), 0);
        let (mut before, mut after) = (0, 0);
        let mut handed = Vec::new();
        for (start, record) in rows {
            before += 1;
            let texts: Vec<String> = columns.iter().map(|at| normal(&record[*at])).collect();
            if !texts.iter().any(|text| who.contains(&text.as_str())) {
                after += 1;
                continue;
            }
            left.push_str(&file.text[at..*start]);
            at = end(&file.text, *start);
            let texts = record.iter().enumerate().map(|(at, text)| {
                let text = String::from_utf8(text.to_vec()).unwrap();
                (name(file.dialect, at), serde_json::Value::String(text))
            });
            handed.push(serde_json::Value::Object(texts.collect()));
        }
        left.push_str(&file.text[at..]);

        let source = Source { format: RecordFormat::Csv(file.dialect), compression };
        let packed = packed(compression, &split(file.text.as_bytes(), &cuts));
        let limits = Limits { untouched_bytes: 1, ..Limits::default() };
        let dropping = Rewriter::new(source, set.clone(), Action::Drop, limits).unwrap();
        let done = run(dropping, &packed, &pieces).unwrap();
        prop_assert_eq!(String::from_utf8(unpacked(compression, &done.bytes)).unwrap(), left);
        let report = &done.report;
        prop_assert_eq!((report.rows_before, report.rows_after), (before, after));
        prop_assert_eq!(report.bytes_unpacked, wide(file.text.len()));

        let finding = Rewriter::new(source, set.clone(), Action::HandOut, limits).unwrap();
        let out = run(finding, &packed, &pieces).unwrap();
        let rows = out.rows.iter().map(|row| serde_json::from_slice(&row.bytes).unwrap());
        prop_assert_eq!(rows.collect::<Vec<serde_json::Value>>(), handed);

        // What was made is read alike, and holds nobody's row any more.
        let again = Rewriter::new(source, set, Action::Find, limits).unwrap();
        let again = run(again, &done.bytes, &pieces).unwrap();
        prop_assert_eq!((again.report.rows_before, again.report.rows_matched), (after, 0));
    }

    /// The csv crate reads masked files, and only the masked fields of somebody's rows differ.
    #[test]
    fn a_mask_changes_one_field_of_somebodys_rows(
        file in files(),
        masked in 0_usize..4,
        mask in select(vec![Mask::Fixed, Mask::Null, Mask::Pseudonym, Mask::Remove]),
        pieces in vec(1_usize..50, 1..3),
    ) {
        let found = records(&file);
        let width = found.first().map_or(1, |(_, record)| record.len());
        let masked = masked % width;
        let set = set(&[&name(file.dialect, 0)], Normalise::Lower, &["a"]);
        let path = FieldPath::parse(&name(file.dialect, masked)).unwrap();
        let redact = Action::Redact(Masks::new([(path, mask)].into(), Some(names())));
        let source = Source { format: RecordFormat::Csv(file.dialect), compression: NONE };
        let rewriter = Rewriter::new(source, set, redact, Limits::default()).unwrap();
        let done = run(rewriter, file.text.as_bytes(), &pieces).unwrap();
        let made = File { text: String::from_utf8(done.bytes).unwrap(), dialect: file.dialect };
        let (mut expected, mut changed) = (Vec::new(), 0);
        for (n, (_, record)) in found.iter().enumerate() {
            let is_row = n >= usize::from(file.dialect.header);
            let is_theirs = is_row && record[0].trim_ascii().eq_ignore_ascii_case(b"a");
            let name = names().of(std::str::from_utf8(&record[masked]).unwrap());
            let wanted: &[u8] = match mask {
                Mask::Fixed => b"***",
                Mask::Pseudonym if !record[masked].is_empty() => name.as_bytes(),
                Mask::Null | Mask::Pseudonym | Mask::Remove | Mask::TakeOut => b"",
            };
            if is_theirs && record[masked] != *wanted {
                changed += 1;
            }
            let fields = record.iter().enumerate();
            let fields = fields.map(|(at, field)| {
                if is_theirs && at == masked { wanted } else { field }
            });
            expected.push(fields.collect::<ByteRecord>());
        }
        let read: Vec<ByteRecord> = records(&made).into_iter().map(|(_, record)| record).collect();
        prop_assert_eq!(read, expected);
        prop_assert_eq!(done.report.rows_changed, changed);
    }
}
