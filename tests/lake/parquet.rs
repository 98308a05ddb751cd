//! Parquet by `pyarrow`, `DuckDB` and `Polars`.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use bytes::Bytes;
use futures::executor::block_on;
use quittance_stores::rewrite::{
    Action, Limits, Output, Pieces, Ranges, Report, RewriteError, Table,
};
use serde_json::Value;

use crate::tools::{ann, python};

struct Whole<'f>(&'f [u8]);

fn cut<'f>(file: &'f [u8], range: &Range<u64>) -> &'f [u8] {
    &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

impl Ranges for Whole<'_> {
    type Error = RewriteError;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, RewriteError> {
        Ok(Bytes::copy_from_slice(cut(self.0, &range)))
    }
}

struct Target<'f> {
    from: &'f [u8],
    bytes: Vec<u8>,
}

impl Pieces for Target<'_> {
    type Error = RewriteError;

    async fn keep(&mut self, range: Range<u64>) -> Result<(), RewriteError> {
        self.bytes.extend_from_slice(cut(self.from, &range));
        Ok(())
    }

    async fn make(&mut self, bytes: &[u8]) -> Result<(), RewriteError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// Takes Ann's rows out of a file.
fn without_ann(file: &[u8], field: &str) -> Result<(Vec<u8>, Report), RewriteError> {
    let length = u64::try_from(file.len()).unwrap();
    let open = |action| {
        let limits = Limits::default();
        block_on(Table::open(
            &Whole(file),
            length,
            ann(field),
            action,
            limits,
        ))
    };
    let mut table = open(Action::Find)?;
    let mut groups = BTreeSet::new();
    for group in 0..table.groups() {
        if block_on(table.look(&Whole(file), group, &mut Output::default()))? {
            groups.insert(group);
        }
    }
    let mut target = Target {
        from: file,
        bytes: Vec::new(),
    };
    let report = block_on(open(Action::Drop)?.rewrite(&Whole(file), &groups, &mut target))?;
    Ok((target.bytes, report))
}

#[test]
fn what_survives_is_to_every_reader_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let written = python("parquet_files.py", "write", folder.path());
    let files: Vec<Value> = serde_json::from_str(&written).unwrap();
    assert!(files.len() >= 30, "{} files", files.len());
    for file in &files {
        let name = file["name"].as_str().unwrap();
        let object = fs::read(folder.path().join(name)).unwrap();
        let (bytes, report) =
            without_ann(&object, "mail").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.rows_changed > 0, "{name}");
        assert_eq!(report.rows_before - report.rows_after, report.rows_changed);
        fs::write(folder.path().join(format!("left-{name}")), bytes).unwrap();
    }
    // All three read each file as it was and as it is, and what it says of itself is compared.
    let judged = python("parquet_files.py", "judge", folder.path());
    let judged: Vec<Value> = serde_json::from_str(&judged).unwrap();
    assert_eq!(judged.len(), files.len());
    let mut kept = 0;
    for verdict in &judged {
        assert_eq!(verdict["differ"], Value::Array(Vec::new()), "{verdict}");
        kept += verdict["kept"].as_u64().unwrap();
    }
    assert!(kept > 100, "{kept} row groups stayed as they were");
    // The judge is not blind: a file from which nobody was taken is told.
    for file in &files {
        let name = file["name"].as_str().unwrap();
        if name != "duckdb-none" {
            fs::remove_file(folder.path().join(name)).unwrap();
            fs::remove_file(folder.path().join(format!("left-{name}"))).unwrap();
        }
    }
    let (from, to) = ("duckdb-none", "left-duckdb-none");
    fs::copy(folder.path().join(from), folder.path().join(to)).unwrap();
    let judged = python("parquet_files.py", "judge", folder.path());
    let judged: Vec<Value> = serde_json::from_str(&judged).unwrap();
    let differ = judged[0]["differ"].as_array().unwrap();
    assert!(differ.iter().any(|what| what == "by_pyarrow: rows"));
    assert!(differ.iter().any(|what| what == "by_duckdb: rows"));
}

#[test]
fn who_is_found_where_depends_on_the_column() {
    let folder = tempfile::tempdir().unwrap();
    python("parquet_files.py", "write", folder.path());
    let object = fs::read(folder.path().join("pyarrow-dense")).unwrap();
    let count = |field| without_ann(&object, field).map(|(_, report)| report.rows_changed);
    let by_mail = count("mail").unwrap();
    // A struct that is missing in every ninth row has no address there.
    let by_user = count("user.mail").unwrap();
    assert!(by_user > 0 && by_user < by_mail, "{by_user} of {by_mail}");
    assert_eq!(count("tags[]"), Ok(0));
    assert!(count("user").is_err());
}
