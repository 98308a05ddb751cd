//! Random rows, identifiers, codecs and pieces.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quittance_core::data_map::Segment;
use serde_json::{Map, Number, Value, json};

use super::*;
use crate::rewrite::rows::BYTE_ORDER_MARK;

/// How a row is spelled.
#[derive(Clone, Copy, Debug)]
enum Style {
    Compact,
    /// Blanks wherever they may be.
    Wide,
    /// Every ASCII letter as an escape.
    Escaped,
}

fn spelled(value: &Value, style: Style, out: &mut String) {
    let blank = match style {
        Style::Wide => " \t",
        Style::Compact | Style::Escaped => "",
    };
    let separator = |out: &mut String, first: bool| {
        if !first {
            out.push(',');
        }
        out.push_str(blank);
    };
    match value {
        Value::Object(members) => {
            out.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                separator(out, at == 0);
                text(key, style, out);
                out.push_str(blank);
                out.push(':');
                out.push_str(blank);
                spelled(value, style, out);
            }
            out.push_str(blank);
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                separator(out, at == 0);
                spelled(value, style, out);
            }
            out.push_str(blank);
            out.push(']');
        }
        Value::String(string) => text(string, style, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

fn text(string: &str, style: Style, out: &mut String) {
    match style {
        Style::Compact | Style::Wide => out.push_str(&json!(string).to_string()),
        Style::Escaped => {
            out.push('"');
            for unit in string.encode_utf16() {
                write!(out, "\\u{unit:04X}").unwrap();
            }
            out.push('"');
        }
    }
}

fn words() -> impl Strategy<Value = String> {
    let known = [
        "a", "A", " a ", "b", "B\u{e4}", "0", "1", "false", "true", "",
    ];
    prop_oneof![
        8 => select(known.to_vec()).prop_map(str::to_owned),
        1 => "(\\PC|[\"\\\\\n\u{1f600}]){0,5}",
    ]
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => words().prop_map(Value::String),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => (0_u32..3).prop_map(|n| Value::Number(n.into())),
        1 => select(vec![0.0, 1.0, 2.5]).prop_map(|n| Number::from_f64(n).unwrap().into()),
        1 => Just(Value::Null),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let key = select(vec![
        "email",
        "user",
        "user.email",
        "tags",
        "b/c",
        "\u{e4}",
        "x",
    ]);
    scalars().prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((key.clone(), inner), 0..4).prop_map(object),
        ]
    })
}

fn object(members: Vec<(&str, Value)>) -> Value {
    let members = members
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    Value::Object(members.collect::<Map<_, _>>())
}

fn rows() -> impl Strategy<Value = String> {
    let keys = ["email", "user", "user.email", "tags", "b/c", "\u{e4}", "x"];
    let row = vec((select(keys.to_vec()), values()), 0..6).prop_map(object);
    let style = select(vec![
        Style::Compact,
        Style::Compact,
        Style::Wide,
        Style::Escaped,
    ]);
    (row, style).prop_map(|(row, style)| {
        let mut out = String::new();
        spelled(&row, style, &mut out);
        out
    })
}

/// Lines of an object, blank ones among them, with their ends.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![9 => rows(), 1 => select(vec!["", " ", "\t"]).prop_map(str::to_owned)];
    let ends = select(vec!["\n", "\n", "\r\n"]);
    (vec((line, ends), 0..24), any::<bool>(), any::<bool>()).prop_map(|(lines, mark, open)| {
        let mut lines: Vec<String> = lines
            .into_iter()
            .map(|(line, end)| format!("{line}{end}"))
            .collect();
        if mark && let Some(first) = lines.first_mut() {
            first.insert(0, '\u{feff}');
        }
        if open && let Some(last) = lines.last_mut() {
            last.truncate(last.trim_end().len());
        }
        lines.retain(|line| !line.is_empty());
        lines
    })
}

/// The scalars at a path, by definition.
fn at_path<'v>(value: &'v Value, path: &[Segment], found: &mut Vec<&'v Value>) {
    match (value, path) {
        (Value::Array(elements), [Segment::Each, rest @ ..]) => {
            for element in elements {
                at_path(element, rest, found);
            }
        }
        (Value::Array(elements), []) => {
            for element in elements {
                at_path(element, &[], found);
            }
        }
        (Value::Object(members), [Segment::Name(_), ..]) => {
            for split in 1..=path.len() {
                let names = path[..split].iter().map(|segment| match segment {
                    Segment::Name(name) => Some(name.as_str()),
                    Segment::At(_) | Segment::Each => None,
                });
                let key = names
                    .collect::<Option<Vec<_>>>()
                    .map(|names| names.join("."));
                if let Some(below) = key.and_then(|key| members.get(&key)) {
                    at_path(below, &path[split..], found);
                }
            }
        }
        (Value::Bool(_) | Value::Number(_) | Value::String(_), []) => found.push(value),
        _ => {}
    }
}

/// The members whose a row is, one after the other.
fn naive_members(row: &Value, fields: &[&str], who: &[String]) -> Vec<u32> {
    let mut found = Vec::new();
    for field in fields {
        at_path(row, FieldPath::parse(field).unwrap().segments(), &mut found);
    }
    let normal = |text: &str| text.trim().to_lowercase();
    let texts: BTreeSet<String> = found
        .into_iter()
        .map(|value| match value {
            Value::String(text) => normal(text),
            Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
            other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string()
            }
        })
        .collect();
    (0..)
        .zip(who)
        .filter(|(_, id)| texts.contains(&normal(id)))
        .map(|(member, _)| member)
        .collect()
}

fn split<'o>(object: &'o [u8], cuts: &[Index]) -> Vec<&'o [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(object.len() + 1)).collect();
    cuts.extend([0, object.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &object[cut[0]..cut[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_rewrite_does_what_a_naive_loop_does(
        lines in lines(),
        who in vec(words(), 0..5),
        fields in prop::sample::subsequence(
            vec!["email", "user.email", "tags[]", "tags", "tags[].email", "b/c", "\u{e4}"], 1..4),
        held in vec(0_u32..5, 0..2),
        compression in select(vec![NONE, GZIP, SNAPPY, ZSTD]),
        cuts in vec(any::<Index>(), 0..4),
        pieces in vec(1_usize..200, 1..4),
    ) {
        let who: Vec<String> = who
            .into_iter()
            .filter(|text| !text.chars().any(char::is_control))
            .collect();
        let texts: Vec<&str> = who.iter().map(String::as_str).collect();
        let set = set(&fields, Normalise::Lower, &texts);
        let (mut left, mut handed) = (String::new(), Vec::new());
        let (mut before, mut after) = (0, 0);
        let mut by_member: BTreeMap<u32, u64> = BTreeMap::new();
        for (number, line) in (1..).zip(&lines) {
            let row = line.trim_start_matches('\u{feff}').trim();
            if row.is_empty() {
                left.push_str(line);
                continue;
            }
            before += 1;
            let members = naive_members(&serde_json::from_str(row).unwrap(), &fields, &who);
            for member in &members {
                *by_member.entry(*member).or_default() += 1;
            }
            if !members.is_empty() {
                handed.push((number, members.clone(), row.to_owned()));
            }
            if members.is_empty() || members.iter().any(|member| held.contains(member)) {
                left.push_str(line);
                after += 1;
            } else if line.starts_with('\u{feff}') {
                left.push('\u{feff}');
            }
        }
        let object = lines.concat().into_bytes();
        let packed = packed(compression, &split(&object, &cuts));
        let limits = Limits { untouched_bytes: 1, ..Limits::default() };

        let dropping = Rewriter::new(source(compression), set.clone(), Action::Drop, limits).unwrap();
        let done = run(dropping.without(held), &packed, &pieces).unwrap();
        let bytes = unpacked(compression, &done.bytes);
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), left);
        let report = &done.report;
        prop_assert_eq!((report.rows_before, report.rows_after), (before, after));
        prop_assert_eq!(report.bytes_in, wide(packed.len()));
        prop_assert_eq!(report.bytes_unpacked, wide(object.len()));
        prop_assert_eq!(report.bytes_out, wide(done.bytes.len()));
        let counted: BTreeMap<u32, u64> =
            report.by_member.iter().map(|(member, rows)| (*member, rows.matched)).collect();
        prop_assert_eq!(&counted, &by_member);
        assert_untouched(&object, &done, compression);

        let finding = Rewriter::new(source(compression), set, Action::HandOut, limits).unwrap();
        let found = run(finding, &packed, &pieces).unwrap();
        let rows: Vec<(u64, Vec<u32>, String)> = found
            .rows
            .iter()
            .map(|row| {
                let text = String::from_utf8(row.bytes.clone()).unwrap();
                (row.line, row.members.clone(), text.trim().to_owned())
            })
            .collect();
        prop_assert_eq!(rows, handed);
        prop_assert_eq!(found.report.by_member.len(), by_member.len());
        prop_assert_eq!((found.report.rows_before, found.report.bytes_out), (before, 0));
    }
}

/// The untouched pieces stand in the output as they stand in the source, and nothing else of the
/// source that is as long does.
fn assert_untouched(object: &[u8], done: &Done, compression: Compression) {
    if compression != NONE {
        assert_eq!(done.report.untouched, []);
        return;
    }
    let narrow = |at: u64| usize::try_from(at).unwrap();
    let mut end = 0;
    let mut copied = 0;
    for piece in &done.report.untouched {
        let source = narrow(piece.source.start)..narrow(piece.source.end);
        let output = narrow(piece.output_at)..narrow(piece.output_at) + source.len();
        assert!(output.start >= end, "in order, and apart");
        end = output.end;
        copied += source.len();
        assert_eq!(done.bytes[output], object[source]);
    }
    let marks = if done.bytes.starts_with(BYTE_ORDER_MARK) {
        3
    } else {
        0
    };
    assert!(
        copied + marks >= done.bytes.len(),
        "everything else is a mark"
    );
}
