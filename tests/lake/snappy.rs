//! Snappy by `cramjam`, and that of `pyarrow`, which is another format.

use std::fs;

use quittance_core::data_map::{Compression, RecordFormat};
use quittance_stores::rewrite::{RewriteError, Source};

use crate::tools::{python, without_ann};

const SOURCE: Source = Source {
    format: RecordFormat::Jsonl,
    compression: Compression::Snappy,
};

#[test]
fn frames_by_another_program_are_rewritten_into_frames_that_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    python("snappy_files.py", "write", folder.path());
    for name in ["one", "several"] {
        let object = fs::read(folder.path().join(name)).unwrap();
        let (bytes, report) = without_ann(SOURCE, "mail", &object).unwrap();
        assert_eq!((report.rows_before, report.rows_after), (50_000, 40_000));
        fs::write(folder.path().join(format!("left-{name}")), bytes).unwrap();
    }
    assert_eq!(python("snappy_files.py", "judge", folder.path()), "equal\n");
    for name in ["raw", "pyarrow"] {
        let object = fs::read(folder.path().join(name)).unwrap();
        let refused = without_ann(SOURCE, "mail", &object).unwrap_err();
        assert_eq!(refused, RewriteError::NotFramed);
    }
}
