//! The gate: nothing is touched until everything is located and nothing stops it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use quittance_core::digest::Tag;
use quittance_core::fault::Fault;
use quittance_core::plan;
use quittance_core::request::{Event, GateReason, Happening, Request, Right};
use quittance_core::subject::{Identifiers, subject_tag};
use quittance_core::task::Task;

use super::{Step, Worker};
use crate::change::Change;
use crate::ledger::{Item, Listing, SubjectEntry, Version, Write};
use crate::reading;

impl Worker {
    /// Everything is located: fixes the plan's digest, and indexes the subject by what was resolved.
    pub(super) async fn located(
        &self,
        request: Request,
        version: Version,
        tasks: &[Task],
    ) -> Result<Step, Fault> {
        let papers = self.papers(&request).await?;
        let known = self.all_identifiers(&request, &papers, tasks).await?;
        let mut change = Change::new(request, version);
        change.go(Event::Located)?;
        let right = self.right();
        if let Some(plan) = &mut change.request.plan {
            let digest = plan::digest(&papers.evidence_key, right, plan.data_map, &known, tasks);
            plan.digest = Some(digest);
        }
        let have: BTreeSet<Tag> = change.request.subject_tags.iter().copied().collect();
        let new: BTreeSet<Tag> = known
            .iter()
            .map(|(kind, value)| subject_tag(&self.keys.subject, kind, value))
            .filter(|tag| !have.contains(tag))
            .take(MAX_TAGS.saturating_sub(have.len()))
            .collect();
        for tag in &new {
            change.also(Write::Create(Item::Subject(SubjectEntry {
                tag: *tag,
                request: change.request.id,
                right,
                accepted_at: change
                    .request
                    .accepted_at
                    .unwrap_or(change.request.submitted_at),
            })));
        }
        change.request.subject_tags.extend(new);
        change.request.subject_tags.sort_unstable();
        change.request.wake_at = self.soon(SOON);
        change.commit(&*self.ledger).await?;
        Ok(Step::Again)
    }

    /// Opens the gate, or says what keeps it shut.
    pub(super) async fn gate(&self, request: Request, version: Version) -> Result<Step, Fault> {
        let shut = self.stopped_by(&request).await?;
        let now = self.clock.now();
        let mut change = Change::new(request, version);
        if let Some(reason) = shut {
            if change.request.gate == Some(reason) {
                return Ok(Step::Rest);
            }
            change.request.gate = Some(reason);
            change.request.wake_at = self.soon(SOON);
            change.note(now, Happening::GateShut(reason));
            change.commit(&*self.ledger).await?;
            return Ok(Step::Rest);
        }
        change.go(Event::GateOpened)?;
        change.request.gate = None;
        change.request.wake_at = self.soon(SOON);
        if let Some(digest) = change.request.plan.as_ref().and_then(|plan| plan.digest) {
            change.note(now, Happening::GateOpened(digest));
        }
        change.commit(&*self.ledger).await?;
        Ok(Step::Again)
    }

    /// Says what forbids to touch anything, if something does.
    pub(super) async fn stopped_by(&self, request: &Request) -> Result<Option<GateReason>, Fault> {
        if request.hold.is_some() {
            return Ok(Some(GateReason::Held));
        }
        if self.right() == Right::OptOut {
            // An opt-out goes first, and covers everybody an identifier leads to.
            return Ok(None);
        }
        let papers = self.papers(request).await?;
        let tasks = reading::tasks(&*self.ledger, request.id).await?;
        let tasks: Vec<Task> = tasks.into_iter().map(|(task, _)| task).collect();
        let known = self.all_identifiers(request, &papers, &tasks).await?;
        if self.right() == Right::Deletion && self.is_held(&known).await? {
            return Ok(Some(GateReason::Held));
        }
        if self.is_ambiguous(&known) {
            return Ok(Some(GateReason::Ambiguous));
        }
        if self.right() == Right::Deletion && self.earlier_access(request).await? {
            return Ok(Some(GateReason::EarlierAccess));
        }
        Ok(None)
    }

    /// Whether anything known of the person is held.
    async fn is_held(&self, known: &Identifiers) -> Result<bool, Fault> {
        let tags: Vec<Tag> = known
            .iter()
            .map(|(kind, value)| subject_tag(&self.keys.subject, kind, value))
            .collect();
        reading::is_held(&*self.ledger, &tags).await
    }

    /// One identifier that leads to several subjects is never silently acted on.
    fn is_ambiguous(&self, known: &Identifiers) -> bool {
        self.map
            .identifiers
            .iter()
            .filter(|(_, rule)| !rule.many)
            .any(|(kind, _)| known.of(kind).count() > 1)
    }

    /// Whether an access request of the same subject came earlier and is not answered yet.
    async fn earlier_access(&self, request: &Request) -> Result<bool, Fault> {
        for tag in &request.subject_tags {
            for stored in reading::everything(&*self.ledger, &Listing::OpenOf(*tag)).await? {
                let Item::Subject(entry) = stored.item else {
                    continue;
                };
                // Of two that came at the same instant the copy comes first: deleting cannot be undone.
                let earlier = Some(entry.accepted_at) <= request.accepted_at;
                if entry.right == Right::Access && earlier {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// How long the clock waits before it announces an open request again.
pub(super) const SOON: SignedDuration = SignedDuration::from_secs(60);
/// Resolved identifiers beyond these are not indexed: a commit holds 100 writes.
const MAX_TAGS: usize = 64;
