//! CSV by Python's `csv`, `pyarrow`, `DuckDB` and `Polars`.

use std::fs;

use quittance_core::data_map::{Compression, Delimiter, Dialect, RecordFormat};
use quittance_stores::rewrite::Source;
use serde_json::Value;

use crate::tools::{python, without_ann};

fn text<'v>(file: &'v Value, key: &str) -> &'v str {
    file[key].as_str().unwrap()
}

fn source(file: &Value) -> Source {
    let delimiter = match text(file, "delimiter") {
        "," => Delimiter::Comma,
        ";" => Delimiter::Semicolon,
        "|" => Delimiter::Pipe,
        "\t" => Delimiter::Tab,
        other => panic!("delimiter {other}"),
    };
    let compression = match text(file, "compression") {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "zstd" => Compression::Zstd,
        "snappy" => Compression::Snappy,
        other => panic!("compression {other}"),
    };
    Source {
        format: RecordFormat::Csv(Dialect {
            delimiter,
            header: file["header"].as_bool().unwrap(),
        }),
        compression,
    }
}

#[test]
fn what_survives_is_to_every_reader_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let written = python("csv_files.py", "write", folder.path());
    let files: Vec<Value> = serde_json::from_str(&written).unwrap();
    assert!(files.len() >= 20, "{} files", files.len());
    for file in &files {
        let name = text(file, "name");
        let field = if file["header"] == true { "mail" } else { "2" };
        let object = fs::read(folder.path().join(name)).unwrap();
        let (bytes, report) = without_ann(source(file), field, &object)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.rows_changed > 0, "{name}");
        assert_eq!(report.rows_before, file["rows"].as_u64().unwrap(), "{name}");
        fs::write(folder.path().join(format!("left-{name}")), bytes).unwrap();
    }
    // All four read each file as it was and as it is.
    let judged = python("csv_files.py", "judge", folder.path());
    let judged: Vec<Value> = serde_json::from_str(&judged).unwrap();
    assert_eq!(judged.len(), files.len());
    for verdict in judged {
        assert_eq!(verdict["readers"].as_array().unwrap().len(), 4);
        assert_eq!(verdict["differ"], Value::Array(Vec::new()), "{verdict}");
    }
}

#[test]
fn dialects_that_are_not_rfc_4180_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let written = python("csv_files.py", "write_odd", folder.path());
    let files: Vec<Value> = serde_json::from_str(&written).unwrap();
    assert!(files.len() >= 3);
    for file in &files {
        let name = text(file, "name");
        let object = fs::read(folder.path().join(name)).unwrap();
        let refused = without_ann(source(file), "mail", &object).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains(text(file, "says")), "{name}: {said}");
    }
}
