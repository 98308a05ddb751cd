//! A local file of Parquet, read in ranges and written anew.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use quittance_core::matching::MatchSet;
use quittance_stores::rewrite::{
    Action, Limits, Output, Pieces, Ranges, Report, RewriteError, Table,
};

/// Why a file is not written anew.
pub(super) enum Broken {
    Reading(std::io::Error),
    Refused(RewriteError),
    Writing(std::io::Error),
}

impl From<RewriteError> for Broken {
    fn from(error: RewriteError) -> Self {
        Self::Refused(error)
    }
}

/// Takes members' rows out of a file, or counts them when there is nowhere to write to.
pub(super) fn run(
    from: &File,
    set: Arc<MatchSet>,
    to: Option<&mut (dyn Write + Send)>,
) -> Result<Report, Broken> {
    let bytes = from.metadata().map_err(Broken::Reading)?.len();
    let source = Source(from);
    block_on(async {
        let limits = Limits::default();
        let mut found = Table::open(&source, bytes, Arc::clone(&set), Action::Find, limits).await?;
        let mut groups = BTreeSet::new();
        for group in 0..found.groups() {
            if found.look(&source, group, &mut Output::default()).await? {
                groups.insert(group);
            }
        }
        let report = found.finish();
        let Some(to) = to else {
            return Ok(report);
        };
        let table = Table::open(&source, bytes, set, Action::Drop, limits).await?;
        let mut target = Target { from, to };
        table.rewrite(&source, &groups, &mut target).await
    })
}

struct Source<'f>(&'f File);

impl Ranges for Source<'_> {
    type Error = Broken;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Broken> {
        read(self.0, range).map(Bytes::from)
    }
}

struct Target<'f> {
    from: &'f File,
    to: &'f mut (dyn Write + Send),
}

impl Pieces for Target<'_> {
    type Error = Broken;

    async fn keep(&mut self, range: Range<u64>) -> Result<(), Broken> {
        let mut at = range.start;
        while at < range.end {
            let end = at.saturating_add(BUFFER).min(range.end);
            let bytes = read(self.from, at..end)?;
            self.to.write_all(&bytes).map_err(Broken::Writing)?;
            at = end;
        }
        Ok(())
    }

    async fn make(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.to.write_all(bytes).map_err(Broken::Writing)
    }
}

fn read(file: &File, range: Range<u64>) -> Result<Vec<u8>, Broken> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or_default();
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)
        .map_err(Broken::Reading)?;
    Ok(bytes)
}

const BUFFER: u64 = 1024 * 1024;
