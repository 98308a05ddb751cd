//! Whatever a file of Parquet says of itself: an answer, and never a byte outside of it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::parquet::TableProblem;
use super::super::{Action, RewriteError};
use super::parquet::{
    FIELDS, groups, looked, people, plain, rewritten, with_footer, write, written,
};

const IDS: [&str; 2] = ["ann@x.test", "cy@x.test"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_file_is_answered_for(
        groups in groups(),
        how in written(),
        // Most of what can lie is in the footer.
        slips in vec((any::<Index>(), any::<bool>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.1, any::<Index>()),
    ) {
        let mut file = write(&groups, &how);
        for (at, footer, byte) in &slips {
            let from = if *footer { file.len() - file.len() / 3 } else { 0 };
            let at = from + at.index(file.len() - from);
            file[at] = *byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        let found = looked(&file, &FIELDS, &IDS, Action::Find);
        let copied = looked(&file, &FIELDS, &IDS, Action::HandOut);
        match found {
            Ok((found, _, _)) => {
                if let Ok((copied, _, _)) = copied {
                    prop_assert_eq!(&found.by_member, &copied.by_member);
                }
                if let Ok((target, report)) = rewritten(&file, &FIELDS, &IDS, Action::Drop) {
                    prop_assert_eq!(report.rows_changed, found.rows_matched);
                    if let Ok((again, _, _)) = looked(&target.bytes, &FIELDS, &IDS, Action::Find) {
                        prop_assert_eq!(again.rows_matched, 0);
                    }
                }
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn rows_that_the_footer_does_not_count_are_not_passed_over() {
    use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
    let file = write(&[people(20)], &plain());
    for count in [0, 6, 19, 21] {
        let lies = with_footer(&file, |footer| {
            let metadata = ParquetMetaDataReader::decode_metadata(footer).unwrap();
            let group = metadata.row_group(0).clone().into_builder();
            let groups = vec![group.set_num_rows(count).build().unwrap()];
            let metadata = metadata.into_builder().set_row_groups(groups).build();
            let mut written = Vec::new();
            ParquetMetaDataWriter::new(&mut written, &metadata)
                .finish()
                .unwrap();
            written.truncate(written.len() - 8);
            written
        });
        let found = looked(&lies, &["mail"], &["ann@x.test"], Action::Find);
        let is_damaged = matches!(
            found,
            Err(RewriteError::Table(TableProblem::Damaged { .. }))
        );
        assert!(is_damaged, "{count}: {found:?}");
    }
}

/// What a file that is none is told.
fn refused(file: &[u8]) -> RewriteError {
    looked(file, &["mail"], &["a"], Action::Find).unwrap_err()
}

#[test]
fn what_is_no_parquet_is_told_from_what_is_damaged() {
    let file = write(&[], &plain());
    for none in [
        &b""[..],
        b"PAR1",
        b"{\"id\":1}\n{\"id\":2}\n",
        b"PAR1\0\0\0\0PAR2",
    ] {
        assert_eq!(refused(none), RewriteError::Table(TableProblem::NotParquet));
    }
    let encrypted = [&file[..file.len() - 4], b"PARE"].concat();
    assert_eq!(
        refused(&encrypted),
        RewriteError::Table(TableProblem::Encrypted)
    );
    let footer = |part| RewriteError::Table(TableProblem::Damaged { part });
    let long = [&file[..file.len() - 8], &u32::MAX.to_le_bytes(), b"PAR1"].concat();
    assert_eq!(refused(&long), footer("the footer's length"));
    // arrow-rs #9874: a list that says it is endless, in ten bytes.
    let endless = b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07\x00";
    let length = u32::try_from(endless.len()).unwrap().to_le_bytes();
    let endless = [b"PAR1", &endless[..], &length, b"PAR1"].concat();
    assert_eq!(refused(&endless), footer("the footer"));
    let cut = [&file[..4], &file[40..]].concat();
    assert!(matches!(refused(&cut), RewriteError::Table(_)));
}
