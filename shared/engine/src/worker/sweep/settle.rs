//! Giving each member what the sweep came to: a manifest, or an outcome with its look back.
//!
//! Results are in the sweep's vault; what a member keeps goes into its request's own, first write
//! wins, and then one commit about its task ends its membership. Members are settled one after the
//! other, so that this can stop and go on anywhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quittance_core::data_map::{DeletionRule, Store};
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Cursor, Locator, Match, Part};
use quittance_core::message::Message;
use quittance_core::outcome::{Check, CheckMethod};
use quittance_core::request::{Request, Right};
use quittance_core::subject::Identifiers;
use quittance_core::sweep::{MAX_ROUNDS, Purpose, Sweep, SweepEvent};
use quittance_core::task::{Membership, Task, TaskEvent};

use super::super::act::{self, evidence_leaf};
use super::super::{Step, Worker};
use super::papers::ObjectResult;
use super::{MEMBERS_AT_ONCE, stage_after};
use crate::ledger::Version;
use crate::papers::to_json;
use crate::ports::MemberRows;
use crate::record::Record;
use crate::{reading, vault};

/// One member's share of an object.
struct Share<'a> {
    round: u8,
    result: &'a ObjectResult,
    rows: MemberRows,
}

impl Worker {
    /// Settles some members, and ends the sweep after the last.
    pub(super) async fn settle_members(
        &self,
        store: &Store,
        mut sweep: Sweep,
        version: Version,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        let members = self.members(&sweep).await?;
        let results = self.results(&sweep).await?;
        let shares = shares(&results);
        let excluded = self.excluded(&sweep, &members).await?;
        let blocked = last_blocks(&results);
        let from = usize::try_from(sweep.cursor).unwrap_or(usize::MAX);
        let some = members.members.iter().skip(from).take(MEMBERS_AT_ONCE);
        for (number, member) in (sweep.cursor..).zip(some) {
            self.mind_the_time(until)?;
            let none = Vec::new();
            let mine = shares.get(&number).unwrap_or(&none);
            let found = reading::request(&*self.ledger, member.request).await?;
            let task = reading::task(&*self.ledger, member.request, &store.id).await?;
            let (Some((request, _)), Some((task, task_version))) = (found, task) else {
                continue;
            };
            if task.sweep != Membership::Member(sweep.id.n) {
                continue;
            }
            let settled = match sweep.purpose {
                Purpose::Find => {
                    let reason = blocked.values().next().copied();
                    self.found(&sweep, &request, task, task_version, mine, reason)
                        .await
                }
                Purpose::Forget => {
                    let reason = self.concerned(&task, &blocked).await?;
                    let held = excluded.contains(&number);
                    self.forgotten(store, &sweep, &request, (task, task_version), mine, held, reason)
                        .await
                }
            };
            settled?;
            let message = Message::Request { id: member.request };
            self.queues.send(self.right(), &message, 0).await?;
        }
        sweep.cursor = sweep
            .members
            .min(sweep.cursor.saturating_add(AT_ONCE));
        if sweep.cursor >= sweep.members {
            sweep.stage = stage_after(&sweep, SweepEvent::Settled)?;
            sweep.done_at = Some(self.clock.now());
            tracing::info!(store.id = %store.id, count = sweep.members, "sweep done");
        }
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }

    /// Ends a sweep that cannot even list its store: every member is blocked.
    pub(super) async fn block_all(
        &self,
        store: &Store,
        mut sweep: Sweep,
        version: Version,
        reason: BlockReason,
    ) -> Result<Step, Fault> {
        for member in &self.members(&sweep).await?.members {
            let task = reading::task(&*self.ledger, member.request, &store.id).await?;
            if let Some((task, task_version)) = task
                && task.sweep == Membership::Member(sweep.id.n)
            {
                self.block_member(task, task_version, reason).await?;
            }
        }
        sweep.stage = stage_after(&sweep, SweepEvent::Sharded)?;
        sweep.stage = stage_after(&sweep, SweepEvent::Worked)?;
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }

    async fn block_member(
        &self,
        mut task: Task,
        version: Version,
        reason: BlockReason,
    ) -> Result<(), Fault> {
        task.sweep = Membership::Outside;
        self.block_task(task, version, reason).await
    }

    /// Writes a member's manifest (and, for access, the rows themselves), and ends the locating.
    async fn found(
        &self,
        sweep: &Sweep,
        request: &Request,
        mut task: Task,
        version: Version,
        mine: &[Share<'_>],
        blocked: Option<BlockReason>,
    ) -> Result<(), Fault> {
        if let Some(reason) = blocked {
            // Not every object could be searched: "nothing found" may not be said.
            return self.block_member(task, version, reason).await;
        }
        let papers = self.papers(request).await?;
        let parts = parts(mine);
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        for (number, shares) in (0..count).zip(&parts) {
            let matches = shares.iter().map(|share| found_match(share)).collect();
            let last = number.saturating_add(1) == count;
            let part = Part {
                v: 1,
                store: task.store.clone(),
                round: 1,
                part: number,
                as_of: sweep.round_at.unwrap_or(sweep.opened_at),
                matches,
                next: (!last).then_some(Cursor(serde_json::Value::Null)),
            };
            let name = vault::manifest_part(&task.store, 1, number);
            self.vault
                .keep(task.request, &name, &to_json(&part)?)
                .await?;
            if self.right() == Right::Access {
                let records = shares.iter().flat_map(|share| records(share)).collect();
                self.keep_collected(&task, number, records).await?;
            }
        }
        task.cursor = count;
        let mut located = self.outline(&task, &papers.evidence_key).await?;
        located.sweep = Some(sweep.id.n);
        task.outcome.matched = located.matched;
        task.outcome.shared = mine.iter().map(|share| share.rows.shared).sum();
        task.located = Some(located);
        task.stage = act::stage_after(&task, TaskEvent::Located)?;
        task.cursor = 0;
        task.attempts = 0;
        task.sweep = Membership::Outside;
        self.replace_task(task, version).await
    }

    /// Counts what was done for a member; settles the task, unless a hold or a block keeps it open.
    #[expect(clippy::too_many_arguments, reason = "one member's whole result, used once")]
    async fn forgotten(
        &self,
        store: &Store,
        sweep: &Sweep,
        request: &Request,
        (mut task, version): (Task, Version),
        mine: &[Share<'_>],
        held: bool,
        blocked: Option<BlockReason>,
    ) -> Result<(), Fault> {
        let acted: Vec<&Share<'_>> = mine
            .iter()
            .filter(|share| share.round <= MAX_ROUNDS)
            .collect();
        let remaining: u64 = mine
            .iter()
            .filter(|share| share.round > MAX_ROUNDS)
            .map(|share| share.rows.rows)
            .sum();
        let removed: u64 = acted.iter().map(|share| share.rows.rows).sum();
        let outcome = &mut task.outcome;
        match &store.deletion {
            DeletionRule::Redact { .. } => outcome.redacted += removed,
            DeletionRule::DeleteItem | DeletionRule::Retain { .. } => outcome.deleted += removed,
        }
        outcome.matched = outcome
            .matched
            .max(outcome.deleted.saturating_add(outcome.redacted));
        let before: u64 = acted.iter().map(|share| share.result.before).sum();
        let after: u64 = acted.iter().map(|share| share.result.after).sum();
        outcome.before = Some(outcome.before.unwrap_or(0).saturating_add(before));
        outcome.after = Some(outcome.after.unwrap_or(0).saturating_add(after));
        self.add_evidence(request, &mut task, &acted).await?;
        task.sweep = Membership::Outside;
        if held {
            // The hold stopped it here; when it is lifted, the next sweep does the rest.
            return self.replace_task(task, version).await;
        }
        if let Some(reason) = blocked {
            return self.block_member(task, version, reason).await;
        }
        let as_of = act::located(&task)?.as_of;
        task.outcome.check = Some(Check {
            method: CheckMethod::Rescan,
            as_of,
            at: sweep.round_at.unwrap_or(sweep.opened_at),
            residual_matches: 0,
            arrived_since: remaining,
        });
        task.stage = act::stage_after(&task, TaskEvent::Done)?;
        task.attempts = 0;
        self.replace_task(task, version).await
    }

    /// Keeps the evidence of one sweep's effects, and takes all of it into the tree.
    async fn add_evidence(
        &self,
        request: &Request,
        task: &mut Task,
        acted: &[&Share<'_>],
    ) -> Result<(), Fault> {
        if acted.is_empty() {
            return Ok(());
        }
        let papers = self.papers(request).await?;
        let leaves = acted
            .iter()
            .map(|share| {
                evidence_leaf(
                    &papers.evidence_key,
                    self.right(),
                    task,
                    &locator(share.result),
                )
            })
            .collect();
        self.keep_sweep_evidence(task, leaves).await
    }

    /// Whether an object that could not be rewritten concerns this member: its manifest lists it,
    /// or it was not known when the member was located.
    async fn concerned(
        &self,
        task: &Task,
        blocked: &BTreeMap<Place, BlockReason>,
    ) -> Result<Option<BlockReason>, Fault> {
        if blocked.is_empty() {
            return Ok(None);
        }
        let mut listed = Vec::new();
        for part in 0..act::located(task)?.parts {
            for found in self.manifest_part(task, 1, part).await?.matches {
                if let Locator::Object { key, version, .. } = found.locator {
                    listed.push((key, version));
                }
            }
        }
        let mine = |place: &Place| place.new || listed.contains(&place.name);
        Ok(blocked
            .iter()
            .find(|(place, _)| mine(place))
            .map(|(_, reason)| *reason))
    }
}

/// An object that could not be worked on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    name: (String, Option<String>),
    /// It was met in a look back: nobody's manifest knows it as it is.
    new: bool,
}

/// Objects whose last result is a block.
fn last_blocks(results: &[(u8, ObjectResult)]) -> BTreeMap<Place, BlockReason> {
    let mut last = BTreeMap::new();
    for (round, result) in results {
        let name = (result.object.key.clone(), result.object.version.clone());
        last.insert(name, (*round > 1, result.blocked));
    }
    last.into_iter()
        .filter_map(|(name, (new, reason))| Some((Place { name, new }, reason?)))
        .collect()
}

fn shares(results: &[(u8, ObjectResult)]) -> BTreeMap<u32, Vec<Share<'_>>> {
    let mut shares: BTreeMap<u32, Vec<Share<'_>>> = BTreeMap::new();
    for (round, result) in results {
        for rows in &result.matched {
            shares.entry(rows.member).or_default().push(Share {
                round: *round,
                result,
                rows: *rows,
            });
        }
    }
    shares
}

/// Cuts a member's share into parts of a manifest; at least one, which may be empty.
fn parts<'a, 'b>(mine: &'a [Share<'b>]) -> Vec<Vec<&'a Share<'b>>> {
    let mut parts: Vec<Vec<&Share<'_>>> = vec![Vec::new()];
    let mut bytes = 0;
    for share in mine {
        let size = share.result.records.len().saturating_mul(ROW_BYTES);
        if let Some(part) = parts.last_mut() {
            if part.is_empty() || part.len() < MATCHES_IN_PART && bytes + size <= PART_BYTES {
                bytes += size;
                part.push(share);
                continue;
            }
        }
        bytes = size;
        parts.push(vec![share]);
    }
    parts
}

fn found_match(share: &Share<'_>) -> Match {
    let result = share.result;
    let etag = result.etag.clone().unwrap_or_default();
    Match {
        locator: locator(result),
        fingerprint: Digest::of(etag.as_bytes()),
        yields: Identifiers::default(),
        settled: false,
        rows: share.rows.rows,
    }
}

fn locator(result: &ObjectResult) -> Locator {
    Locator::Object {
        key: result.object.key.clone(),
        version: result.object.version.clone(),
        etag: result.etag.clone(),
    }
}

fn records(share: &Share<'_>) -> Vec<Record> {
    let mine = share.result.records.iter();
    mine.filter(|(member, _)| *member == share.rows.member)
        .map(|(_, record)| record.clone())
        .collect()
}

const MATCHES_IN_PART: usize = 500;
const PART_BYTES: usize = 4 << 20;
/// A row's size, roughly: results are bounded by their exact size where they are made.
const ROW_BYTES: usize = 512;
const AT_ONCE: u32 = 25;
