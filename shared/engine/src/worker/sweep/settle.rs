//! Giving each member what the sweep came to: a manifest, or an outcome with its look back.
//!
//! Results are in the sweep's vault; what a member keeps goes into its request's own, first write
//! wins, and then one commit about its task ends its membership. Members are settled one after the
//! other, so that this can stop and go on anywhere. A task that was planned anew meanwhile takes no
//! manifest, but what was removed for it is counted all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use quittance_core::data_map::Store;
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::{Cursor, Locator, Match, Part};
use quittance_core::message::Message;
use quittance_core::outcome::{Check, CheckMethod};
use quittance_core::receipt::{evidence_leaf, evidence_root};
use quittance_core::request::{Request, Right};
use quittance_core::subject::Identifiers;
use quittance_core::sweep::{Cut, MAX_ROUNDS, Purpose, Sweep, SweepEvent};
use quittance_core::task::{Membership, Task, TaskEvent, TaskStage};

use super::super::act;
use super::super::{Step, Worker};
use super::papers::{Member, Name, ObjectResult, name_of};
use super::shards::was_read;
use super::{MEMBERS_AT_ONCE, stage_after};
use crate::evidence::Touched;
use crate::ledger::Version;
use crate::papers::{parse_json, to_json};
use crate::ports::MemberRows;
use crate::record::Record;
use crate::{evidence, reading, stuck, vault};

/// One member's share of an object.
struct Share {
    round: u8,
    result: ObjectResult,
    rows: MemberRows,
}

impl Share {
    fn of(round: u8, result: &ObjectResult, rows: MemberRows) -> Self {
        let records = result.records.iter();
        let located = result.located.iter();
        let result = ObjectResult {
            object: result.object.clone(),
            etag: result.etag.clone(),
            before: result.before,
            after: result.after,
            matched: vec![rows],
            records: records
                .filter(|(of, _)| *of == rows.member)
                .cloned()
                .collect(),
            located: located
                .filter(|(of, _)| *of == rows.member)
                .cloned()
                .collect(),
            blocked: result.blocked,
        };
        Self {
            round,
            result,
            rows,
        }
    }
}

/// What a sweep came to, for some of its members.
#[derive(Default)]
struct Results {
    shares: BTreeMap<u32, Vec<Share>>,
    /// Objects whose last result is a block, and the entity tag they were listed with.
    blocked: BTreeMap<Name, (String, BlockReason)>,
}

impl Worker {
    /// Settles some members, and ends the sweep after the last.
    pub(super) async fn settle_members(
        &self,
        mut sweep: Sweep,
        version: Version,
        until: Timestamp,
    ) -> Result<Step, Fault> {
        if sweep.cut.is_some() && sweep.cursor == 0 {
            self.take_in(&sweep).await?;
        }
        let members = self.members(&sweep).await?;
        let excluded = self.excluded(&sweep, &members).await?;
        let from = sweep.cursor;
        let to = u32::try_from(MEMBERS_AT_ONCE).map_or(u32::MAX, |some| from.saturating_add(some));
        let to = to.min(sweep.members);
        let results = self.results_of(&sweep, from..to).await?;
        let first = usize::try_from(from).unwrap_or(usize::MAX);
        let some = members.members.iter().skip(first);
        for (number, member) in (from..to).zip(some) {
            self.mind_the_time(until)?;
            let held = excluded.contains(&number);
            self.settle_one(&sweep, member, number, &results, held)
                .await?;
        }
        sweep.cursor = to;
        if to >= sweep.members {
            sweep.stage = stage_after(&sweep, SweepEvent::Settled)?;
            sweep.done_at = Some(self.clock.now());
            tracing::info!(store.id = %sweep.id.store, count = sweep.members, "sweep done");
        }
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }

    /// Gathers what concerns some members.
    async fn results_of(&self, sweep: &Sweep, members: Range<u32>) -> Result<Results, Fault> {
        let mut gathered = Results::default();
        self.each_result(sweep, |round, result| {
            let name = name_of(&result.object);
            match result.blocked {
                Some(reason) => {
                    let seen = (result.object.etag.clone(), reason);
                    gathered.blocked.insert(name, seen);
                }
                None => drop(gathered.blocked.remove(&name)),
            }
            for rows in result
                .matched
                .iter()
                .filter(|rows| members.contains(&rows.member))
            {
                let share = Share::of(round, &result, *rows);
                gathered.shares.entry(rows.member).or_default().push(share);
            }
        })
        .await?;
        Ok(gathered)
    }

    async fn settle_one(
        &self,
        sweep: &Sweep,
        member: &Member,
        number: u32,
        results: &Results,
        held: bool,
    ) -> Result<(), Fault> {
        let found = reading::request(&*self.ledger, member.request).await?;
        let task = reading::task(&*self.ledger, member.request, &sweep.id.store).await?;
        let (Some((request, _)), Some((mut task, version))) = (found, task) else {
            return Ok(());
        };
        if task.sweep != Membership::Member(sweep.id.n) {
            return Ok(());
        }
        task.sweep = Membership::Outside;
        task.attempts = 0;
        if request.purged_at.is_some() {
            // Its papers are destroyed: there is nothing to write to, and nobody to tell.
            return self.replace_task(task, version).await;
        }
        let mine = results.shares.get(&number).map_or(&[][..], Vec::as_slice);
        if sweep.purpose == Purpose::Forget {
            self.count(sweep, &request, &mut task, mine).await?;
        }
        // What was found is of use only where the store is still what it was.
        let map = self.map.clone();
        let store = map.store(&sweep.id.store);
        let store = store.filter(|store| store.digest() == sweep.described);
        // Whether the task is still where the sweep met it, and the sweep came to its end for it.
        let met = match (sweep.purpose, task.stage) {
            (Purpose::Find, TaskStage::Pending) => store.is_some(),
            (Purpose::Find, TaskStage::Acting) => store.is_some_and(Store::is_scanned),
            (Purpose::Forget, stage) => stage == TaskStage::Acting,
            (Purpose::Find, _) => false,
        };
        let current = met
            && task.generation == member.generation
            && request.ending.is_none()
            && sweep.cut != Some(Cut::Redescribed);
        let forgets = sweep.purpose == Purpose::Forget;
        let settled = if !current || held && forgets {
            // A hold stopped it here; when it is lifted, the next sweep does the rest.
            self.replace_task(task, version).await
        } else if let Some(reason) = self.stopped(sweep, member, &task, results).await? {
            stuck::put_block(&mut task, reason, self.clock.now());
            self.replace_task(task, version).await
        } else if forgets {
            self.forgotten(sweep, &request, task, version, mine).await
        } else if task.stage == TaskStage::Acting {
            self.looked_back(sweep, &request, task, version, mine).await
        } else {
            let is_table = store.is_some_and(Store::is_scanned);
            self.found(sweep, &request, task, version, parts(mine, is_table))
                .await
        };
        settled?;
        let message = Message::Request { id: member.request };
        self.queues.send(self.right(), &message, 0).await
    }

    /// Says what keeps a member from being done: the whole sweep was cut short, or an object that
    /// may hold its rows could not be worked on.
    async fn stopped(
        &self,
        sweep: &Sweep,
        member: &Member,
        task: &Task,
        results: &Results,
    ) -> Result<Option<BlockReason>, Fault> {
        if let Some(Cut::Blocked(reason)) = sweep.cut {
            return Ok(Some(reason));
        }
        let mut reasons = results.blocked.values().map(|(_, reason)| *reason);
        if results.blocked.is_empty() || sweep.purpose == Purpose::Find {
            // Not every object could be searched: "nothing found" may not be said.
            return Ok(reasons.next());
        }
        let names: BTreeSet<Name> = results.blocked.keys().cloned().collect();
        let known = self
            .known_by(sweep, member.found_by, &names, was_read)
            .await?;
        let listed = self.listed_objects(task).await?;
        // An object is free of a member that was searched as it is, and is not in the manifest.
        let mut mine = results.blocked.iter().filter(|(name, (etag, _))| {
            listed.contains(*name) || known.seen(name) != Some(etag.as_str())
        });
        Ok(mine.next().map(|(_, (_, reason))| *reason))
    }

    async fn listed_objects(&self, task: &Task) -> Result<BTreeSet<Name>, Fault> {
        let mut listed = BTreeSet::new();
        for part in 0..act::located(task)?.parts {
            for found in self.manifest_part(task, 1, part).await?.matches {
                if let Locator::Object { key, version, .. } = found.locator {
                    listed.insert((key, version));
                }
            }
        }
        Ok(listed)
    }

    /// Writes a member's manifest (and, for access, the rows themselves), and ends the locating.
    async fn found(
        &self,
        sweep: &Sweep,
        request: &Request,
        mut task: Task,
        version: Version,
        parts: Vec<Found>,
    ) -> Result<(), Fault> {
        let papers = self.papers(request).await?;
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        task.outcome.shared = parts.iter().map(|found| found.shared).sum();
        for (number, found) in (0..count).zip(parts) {
            let last = number.saturating_add(1) == count;
            let part = Part {
                v: 1,
                store: task.store.clone(),
                round: 1,
                part: number,
                as_of: sweep.round_at.unwrap_or(sweep.opened_at),
                matches: found.matches,
                next: (!last).then_some(Cursor(serde_json::Value::Null)),
            };
            let name = vault::manifest_part(&task, 1, number);
            self.vault
                .keep(task.request, &name, &to_json(&part)?)
                .await?;
            if let Some(records) = found.copied.filter(|_| self.right() == Right::Access) {
                self.keep_collected(&task, number, records).await?;
            }
        }
        task.cursor = count;
        let mut located = self.outline(&task, &papers.evidence_key).await?;
        located.sweep = Some(sweep.id.n);
        // Under an earlier data map something may have been done already.
        task.outcome.matched += located.matched;
        task.located = Some(located);
        task.stage = act::stage_after(&task, TaskEvent::Located)?;
        task.cursor = 0;
        self.replace_task(task, version).await
    }

    /// Settles a member whose items were acted on before the sweep began: it was the look back.
    async fn looked_back(
        &self,
        sweep: &Sweep,
        request: &Request,
        task: Task,
        version: Version,
        mine: &[Share],
    ) -> Result<(), Fault> {
        let at = sweep.round_at.unwrap_or(sweep.opened_at);
        let found = mine.iter().flat_map(located).cloned().collect();
        let remains = self.remains_of(&task, found).await?;
        let concluded = self
            .conclude(request, task.clone(), version, remains, at)
            .await;
        match concluded {
            Err(Fault::Block(reason)) => {
                let mut task = task;
                stuck::put_block(&mut task, reason, self.clock.now());
                self.replace_task(task, version).await
            }
            concluded => concluded.map(drop),
        }
    }

    /// Counts what was done for a member, as its evidence says.
    async fn count(
        &self,
        sweep: &Sweep,
        request: &Request,
        task: &mut Task,
        mine: &[Share],
    ) -> Result<(), Fault> {
        let acted: Vec<&Share> = mine
            .iter()
            .filter(|share| share.round <= MAX_ROUNDS)
            .collect();
        if acted.is_empty() {
            return Ok(());
        }
        let papers = self.papers(request).await?;
        let leaves = acted
            .iter()
            .map(|share| {
                let place = locator(&share.result);
                evidence_leaf(&papers.evidence_key, self.right(), &task.store, &place)
            })
            .collect();
        let touched = to_json(&Touched { v: 1, leaves })?;
        let name = vault::sweep_evidence(&task.store, sweep.id.n);
        let kept = self.vault.keep(task.request, &name, &touched).await?;
        let kept: Touched = parse_json(&kept)?;
        task.swept.push(sweep.id.n);
        let store = self.map.store(&task.store);
        let pseudonymises = store.is_some_and(|store| store.deletion.pseudonymises());
        let outcome = &mut task.outcome;
        outcome.evidence_count += u64::try_from(kept.leaves.len()).unwrap_or(u64::MAX);
        for share in &acted {
            let (before, after) = (share.result.before, share.result.after);
            // Masked rows stay; deleted ones do not.
            if after < before {
                outcome.deleted += share.rows.rows;
            } else if pseudonymises {
                outcome.pseudonymised += share.rows.rows;
            } else {
                outcome.redacted += share.rows.rows;
            }
            outcome.before = Some(outcome.before.unwrap_or(0).saturating_add(before));
            outcome.after = Some(outcome.after.unwrap_or(0).saturating_add(after));
        }
        // Rows that came after the manifest are counted too.
        outcome.matched = outcome
            .matched
            .max(outcome.deleted.saturating_add(outcome.redacted))
            .max(outcome.deleted.saturating_add(outcome.pseudonymised));
        Ok(())
    }

    /// Settles a member whose rows are gone: the sweep's last round was the look back.
    async fn forgotten(
        &self,
        sweep: &Sweep,
        request: &Request,
        mut task: Task,
        version: Version,
        mine: &[Share],
    ) -> Result<(), Fault> {
        let arrived = mine.iter().filter(|share| share.round > MAX_ROUNDS);
        let at = sweep.round_at.unwrap_or(sweep.opened_at);
        let leaves = evidence::leaves(&*self.vault, &task).await?;
        task.outcome.evidence_root = (!leaves.is_empty()).then(|| evidence_root(&leaves));
        task.outcome.check = Some(Check {
            method: CheckMethod::Rescan,
            as_of: act::located(&task)?.as_of,
            at,
            residual_matches: 0,
            arrived_since: arrived.map(|share| share.rows.rows).sum(),
        });
        self.note_what_is_left(request, &mut task, at).await?;
        task.stage = act::stage_after(&task, TaskEvent::Done)?;
        task.settled_at = task.settled_at.or(Some(self.clock.now()));
        self.replace_task(task, version).await
    }
}

/// One part of a member's manifest.
#[derive(Default)]
struct Found {
    matches: Vec<Match>,
    /// The rows themselves, where the sweep copied them; a table's items are read when they are
    /// acted on.
    copied: Option<Vec<Record>>,
    shared: u64,
}

/// Cuts a member's share into parts of a manifest; at least one, which may be empty.
fn parts(mine: &[Share], is_table: bool) -> Vec<Found> {
    let copied = (!is_table).then(Vec::new);
    let empty = || Found {
        copied: copied.clone(),
        ..Found::default()
    };
    let mut done = Vec::new();
    let mut part = empty();
    for share in mine {
        let rows = part.copied.as_ref().map_or(0, Vec::len);
        let records = records(share);
        if !part.matches.is_empty() && rows.saturating_add(records.len()) > ROWS_IN_PART {
            done.push(std::mem::replace(&mut part, empty()));
        }
        let mut matches: Vec<Match> = located(share).cloned().collect();
        if !is_table {
            matches.push(found_match(share));
        }
        for found in matches {
            if part.matches.len() >= MATCHES_IN_PART {
                done.push(std::mem::replace(&mut part, empty()));
            }
            part.matches.push(found);
        }
        if let Some(copied) = &mut part.copied {
            copied.extend(records);
        }
        part.shared = part.shared.saturating_add(share.rows.shared);
    }
    done.push(part);
    done
}

/// Lists the items of a table that are in a share.
fn located(share: &Share) -> impl Iterator<Item = &Match> {
    share.result.located.iter().map(|(_, found)| found)
}

fn found_match(share: &Share) -> Match {
    let etag = share.result.etag.clone().unwrap_or_default();
    Match {
        locator: locator(&share.result),
        fingerprint: Digest::of(etag.as_bytes()),
        yields: Identifiers::default(),
        settled: false,
        rows: share.rows.rows,
    }
}

/// Where an object is, as it was listed.
fn locator(result: &ObjectResult) -> Locator {
    Locator::Object {
        key: result.object.key.clone(),
        version: result.object.version.clone(),
        etag: Some(result.object.etag.clone()),
        upload: None,
    }
}

fn records(share: &Share) -> Vec<Record> {
    let records = share.result.records.iter();
    records.map(|(_, record)| record.clone()).collect()
}

const MATCHES_IN_PART: usize = 500;
/// Rows of some hundred bytes make a part of some megabytes.
const ROWS_IN_PART: usize = 10_000;
