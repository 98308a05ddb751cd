//! Files of Parquet, and what only looks like one: whatever comes, there is an answer, in bounded memory; and
//! what was made is a file again that holds nobody's row.
#![no_main]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use quittance_fuzz::rewrite::{Action, Output, Pieces, Ranges, Report, RewriteError, Table};
use quittance_fuzz::{actions, limits, or_die, panics_may_be_caught, who};

struct Whole<'f>(&'f [u8]);

impl Ranges for Whole<'_> {
    type Error = RewriteError;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, RewriteError> {
        let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let bytes = self.0.get(place).expect("a range that is in the file");
        Ok(Bytes::copy_from_slice(bytes))
    }
}

struct Made<'f>(&'f [u8], Vec<u8>);

impl Pieces for Made<'_> {
    type Error = RewriteError;

    async fn keep(&mut self, range: Range<u64>) -> Result<(), RewriteError> {
        let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        self.1
            .extend_from_slice(self.0.get(place).expect("a range that is in the file"));
        Ok(())
    }

    async fn make(&mut self, bytes: &[u8]) -> Result<(), RewriteError> {
        self.1.extend_from_slice(bytes);
        Ok(())
    }
}

fn open(file: &[u8], action: Action) -> Result<Table, RewriteError> {
    let set = who(&["mail"]);
    let length = u64::try_from(file.len()).unwrap();
    block_on(Table::open(
        &Whole(file),
        length,
        Arc::clone(&set),
        action,
        limits(),
    ))
}

fn look(file: &[u8], action: Action) -> Result<(BTreeSet<usize>, Report), RewriteError> {
    let mut table = open(file, action)?;
    let mut out = Output::default();
    let mut groups = BTreeSet::new();
    for group in 0..table.groups() {
        if block_on(table.look(&Whole(file), group, &mut out))? {
            groups.insert(group);
        }
    }
    Ok((groups, table.finish()))
}

fn rewrite(file: &[u8], choice: u8) -> Result<(), RewriteError> {
    let (action, find) = actions(choice, "mail");
    look(file, Action::HandOut)?;
    let (groups, found) = look(file, find.clone())?;
    let mut made = Made(file, Vec::new());
    let report = block_on(open(file, action)?.rewrite(&Whole(file), &groups, &mut made))?;
    assert_eq!(
        report.rows_changed, found.rows_matched,
        "what is found is what is changed"
    );
    let (_, left) = look(&made.1, find).expect("what was made cannot be read");
    assert_eq!(
        (left.rows_matched, left.rows_before),
        (0, report.rows_after)
    );
    Ok(())
}

fuzz_target!(init: panics_may_be_caught(), |input: &[u8]| {
    let [choice, file @ ..] = input else {
        return;
    };
    or_die(|| {
        // Whatever is wrong with it has a reason that people are told.
        if let Err(error) = rewrite(file, *choice) {
            assert!(!error.to_string().is_empty());
        }
    });
});
