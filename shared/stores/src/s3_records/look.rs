//! Looking through one version of an object: whose rows it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use quittance_core::data_map::RecordFormat;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::matching::MatchSet;
use quittance_engine::ports::{MemberRows, Searched};
use quittance_engine::record::Record;

use super::source::{Pin, Seen, Source};
use super::{Records, limits};
use crate::rewrite::{Action, Copier, Output, Report, RewriteError, Rewriter, Row};

/// One version, looked through.
pub(super) struct Look {
    pub(super) seen: Seen,
    pub(super) report: Report,
    pub(super) records: Vec<(u32, Record)>,
    /// Which row groups of Parquet hold matched rows.
    pub(super) groups: Vec<usize>,
}

/// Whose rows are looked for, and whose are left alone.
#[derive(Clone)]
pub(super) struct Sought {
    pub(super) set: Arc<MatchSet>,
    pub(super) excluded: BTreeSet<u32>,
}

impl Records<'_> {
    /// Looks through one version, the current one if none is named; none when there is nothing.
    pub(super) async fn look(
        &self,
        key: &str,
        version: Option<&str>,
        sought: &Sought,
        action: &Action,
    ) -> Result<Option<Look>, Fault> {
        if self.source.format == RecordFormat::Parquet {
            return self.look_table(key, version, sought, action).await;
        }
        let pin = Pin {
            version: version.map(str::to_owned),
            ..Pin::default()
        };
        let Some(mut source) = Source::open(self.bucket, key, pin).await? else {
            return Ok(None);
        };
        let mut rewriter = self.rewriter(sought, action.clone())?;
        let mut out = Output::default();
        let mut copies = Copies::new(self)?;
        while let Some(bytes) = source.next().await? {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let took = rewriter
                    .push(rest, &mut out)
                    .map_err(|e| self.unreadable(&e))?;
                rest = rest.get(took..).unwrap_or_default();
                copies.take(&mut out.rows)?;
            }
        }
        let report = rewriter.finish(&mut out).map_err(|e| self.unreadable(&e))?;
        copies.take(&mut out.rows)?;
        Ok(Some(Look {
            seen: source.seen,
            report,
            records: copies.records,
            groups: Vec::new(),
        }))
    }

    /// Makes a rewriter of this store's objects.
    pub(super) fn rewriter(&self, sought: &Sought, action: Action) -> Result<Rewriter, Fault> {
        let set = Arc::clone(&sought.set);
        let rewriter = Rewriter::new(self.source, set, action, limits());
        let excluded = sought.excluded.iter().copied();
        Ok(rewriter.map_err(|e| self.unreadable(&e))?.without(excluded))
    }

    /// Says why an object cannot be read. The log says what is wrong and in which line, the block
    /// only of what kind it is; neither says what stands there.
    pub(super) fn unreadable(&self, error: &RewriteError) -> Fault {
        tracing::warn!(store.id = %self.store.id, rows.error = %error, "an object cannot be read");
        Fault::Block(error.block_reason())
    }
}

impl Look {
    /// Which ranges hold no matched row.
    pub(super) fn untouched(&self) -> impl Iterator<Item = Range<u64>> {
        self.report.untouched.iter().map(|run| run.source.clone())
    }

    /// How many rows are members' and not held back by an excluded one.
    pub(super) fn matched(&self) -> u64 {
        let held = self.report.rows_held;
        self.report.rows_matched.saturating_sub(held)
    }
}

/// Rows that are handed out for access.
pub(super) struct Copies {
    copier: Copier,
    pub(super) records: Vec<(u32, Record)>,
    bytes: usize,
}

impl Copies {
    pub(super) fn new(records: &Records<'_>) -> Result<Self, Fault> {
        let copier = Copier::new(&records.store.access.exclude, limits().depth);
        Ok(Self {
            copier: copier.map_err(|e| records.unreadable(&e))?,
            records: Vec::new(),
            bytes: 0,
        })
    }

    pub(super) fn take(&mut self, rows: &mut Vec<Row>) -> Result<(), Fault> {
        for row in rows.drain(..) {
            let copies = row.members.len().max(1);
            self.bytes = self
                .bytes
                .saturating_add(row.bytes.len().saturating_mul(copies));
            if self.bytes > MOST_COPIED {
                return Err(Fault::Block(BlockReason::TooLarge));
            }
            let record = self
                .copier
                .copy(&row.bytes)
                .map_err(|_| Fault::Block(BlockReason::UnreadableData))?;
            for member in row.members {
                self.records.push((member, record.clone()));
            }
        }
        Ok(())
    }
}

/// Adds up what several versions of an object hold.
pub(super) fn searched(looks: Vec<Look>) -> Searched {
    let mut rows: BTreeMap<u32, MemberRows> = BTreeMap::new();
    let mut searched = Searched::default();
    for look in looks {
        searched.etag.get_or_insert(look.seen.etag);
        searched.rows = searched.rows.saturating_add(look.report.rows_before);
        searched.records.extend(look.records);
        for (member, found) in look.report.by_member {
            // Rows that are held are not theirs to lose; such rows are always shared.
            let theirs = found.matched.saturating_sub(found.held);
            if theirs == 0 {
                continue;
            }
            let sum = rows.entry(member).or_insert(MemberRows {
                member,
                rows: 0,
                shared: 0,
            });
            sum.rows = sum.rows.saturating_add(theirs);
            let shared = found.shared.saturating_sub(found.held);
            sum.shared = sum.shared.saturating_add(shared);
        }
    }
    searched.matched = rows.into_values().collect();
    searched
}

/// The most bytes of rows that are copied out of one object.
const MOST_COPIED: usize = 32 * 1024 * 1024;
