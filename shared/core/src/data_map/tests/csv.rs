//! Stores of CSV: how they are written, and what can be a column.

use super::*;

fn store(s3: &str, rest: &str) -> String {
    with_stores(&format!(
        "  - id: events\n    public_name: Events\n    \
         s3: {{ bucket: lake, prefix: events/, {s3} }}\n    {rest}\n"
    ))
}

const BY_MAIL: &str = "find: [ { email: { field: mail } } ]";

fn format(s3: &str, rest: &str) -> RecordFormat {
    let map = DataMap::parse(&store(s3, rest)).unwrap();
    let Place::S3Records(place) = &map.stores[0].place else {
        panic!("no rows")
    };
    place.format
}

fn refused(s3: &str, rest: &str) -> String {
    let Err(Problems(problems)) = DataMap::parse(&store(s3, rest)) else {
        panic!("{s3} {rest} was taken")
    };
    let problems = problems.iter().map(ToString::to_string);
    problems.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_dialect_has_defaults_and_every_delimiter_a_word() {
    let usual = RecordFormat::Csv(Dialect::default());
    assert_eq!(format("format: csv", BY_MAIL), usual);
    assert_eq!(
        format(
            "format: csv, csv: { header: true, delimiter: \",\" }",
            BY_MAIL
        ),
        usual
    );
    let spelled = DataMap::parse(&store("format: csv, csv: { header: true }", BY_MAIL));
    let short = DataMap::parse(&store("format: csv", BY_MAIL));
    assert_eq!(spelled.unwrap().digest(), short.unwrap().digest());
    for (word, byte) in [
        ("\",\"", b','),
        ("\";\"", b';'),
        ("tab", b'\t'),
        ("\"|\"", b'|'),
    ] {
        let s3 = format!("format: csv, compression: gzip, csv: {{ delimiter: {word} }}");
        let RecordFormat::Csv(dialect) = format(&s3, BY_MAIL) else {
            panic!("{word}")
        };
        assert_eq!((dialect.delimiter.byte(), dialect.header), (byte, true));
    }
    let by_position = "find: [ { email: { field: \"3\" } } ]";
    let RecordFormat::Csv(dialect) = format("format: csv, csv: { header: false }", by_position)
    else {
        panic!("no CSV")
    };
    assert!(!dialect.header);
}

#[test]
fn what_can_be_no_column_is_refused() {
    for (s3, rest, words) in [
        (
            "format: jsonl, csv: { header: true }",
            BY_MAIL,
            "only rows in CSV have it",
        ),
        (
            "format: parquet, csv: { header: true }",
            BY_MAIL,
            "only rows in CSV have it",
        ),
        (
            "format: csv, csv: { delimiter: x }",
            BY_MAIL,
            "csv.delimiter",
        ),
        (
            "format: csv, csv: { haeder: true }",
            BY_MAIL,
            "did you mean `header`",
        ),
        (
            "format: csv",
            "find: [ { email: { field: \"mails[]\" } } ]",
            "mails[] has a list",
        ),
        (
            "format: csv, csv: { header: false }",
            BY_MAIL,
            "mail is no position",
        ),
        (
            "format: csv, csv: { header: false }",
            "find: [ { email: { field: \"03\" } } ]",
            "03 is no position",
        ),
        (
            "format: csv",
            "access: { exclude: [\"secrets[]\"] }\n    find: [ { email: { field: mail } } ]",
            "secrets[] has a list",
        ),
        (
            "format: csv, csv: { header: false }",
            "deletion: { redact: { name: mask } }\n    find: [ { email: { field: \"1\" } } ]",
            "name is no position",
        ),
    ] {
        let said = refused(s3, rest);
        assert!(said.contains(words), "{said}");
    }
}
