//! From draft to request: the legal clock starts, and the acceptance goes into the outbox.

use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::regime::{ClockEvent, Deadlines, Regime};
use quittance_core::request::{Event, Happening, Request, TimelineEvent};

use super::Intake;
use crate::change::Change;
use crate::ledger::{Item, Leaf, OutboxRow, SubjectEntry, Version, Write};
use crate::{sequencer, statement};

impl Intake {
    /// Accepts a confirmed draft in one commit: stage, timeline, subject entries, leaf, outbox row.
    pub(super) async fn accept(
        &self,
        request: Request,
        version: Version,
        how: Happening,
    ) -> Result<Request, Fault> {
        let mut change = Change::new(request, version);
        change.go(Event::Confirmed)?;
        let now = self.clock.now();
        change.request.verified_at = change.request.right.needs_proof().then_some(now);
        let dates = self.stamp(&mut change.request)?;
        change.note(now, how);
        change.note(now, Happening::Accepted);
        if !dates.holidays_known {
            change.note(now, Happening::HolidaysUnknown);
        }
        for write in self.acceptance(&change.request).await? {
            change.also(write);
        }
        let request = change.request.clone();
        change.commit(&*self.ledger).await?;
        // From here on the request is accepted in law, whatever happens to the announcement.
        self.announce(&request).await;
        Ok(request)
    }

    /// Accepts a request that needs no proof in the commit that creates it.
    pub(super) async fn accepted_from_nothing(
        &self,
        mut request: Request,
        writes: &mut Vec<Write>,
    ) -> Result<Request, Fault> {
        request.stage = request
            .stage
            .after(Event::Confirmed)
            .map_err(|illegal| Fault::reject(illegal.to_string()))?;
        let dates = self.stamp(&mut request)?;
        let told = if dates.holidays_known {
            vec![Happening::Accepted]
        } else {
            vec![Happening::Accepted, Happening::HolidaysUnknown]
        };
        for what in told {
            request.events += 1;
            writes.push(Write::Create(Item::Event(TimelineEvent {
                request: request.id,
                n: request.events,
                at: self.clock.now(),
                what,
            })));
        }
        writes.extend(self.acceptance(&request).await?);
        writes.push(Write::Create(Item::Request(request.clone())));
        Ok(request)
    }

    /// Starts the legal clock: receipt, and the proof of identity where there was one.
    fn stamp(&self, request: &mut Request) -> Result<Deadlines, Fault> {
        let now = self.clock.now();
        let regime = Regime::find(&request.regime, request.right, request.submitted_at)
            .map_err(|none| Fault::reject(format!("intake: {none}")))?;
        let mut events = vec![(request.submitted_at, ClockEvent::Received)];
        events.extend(request.verified_at.map(|at| (at, ClockEvent::Verified)));
        let dates = regime
            .deadlines(&events, request.time_zone.as_ref())
            .ok_or_else(|| Fault::reject("intake: a request without a receipt"))?;
        request.accepted_at = Some(now);
        request.due_at = Some(dates.due_at);
        request.wake_at = Some(now);
        Ok(dates)
    }

    /// Keeps the unsigned acceptance statement, and lists the writes that commit to it.
    async fn acceptance(&self, request: &Request) -> Result<Vec<Write>, Fault> {
        let now = self.clock.now();
        let nonce = self.clock.random();
        let bytes = statement::acceptance(request, &self.map, nonce, &self.handler)?;
        let digest = Digest::of(&bytes);
        self.evidence
            .keep(&sequencer::paths::statement(&digest), &bytes)
            .await?;
        let leaf = LeafId::Acceptance(request.id);
        let mut writes: Vec<Write> = request
            .subject_tags
            .iter()
            .map(|tag| {
                Write::Create(Item::Subject(SubjectEntry {
                    tag: *tag,
                    request: request.id,
                    right: request.right,
                    accepted_at: now,
                }))
            })
            .collect();
        writes.push(Write::Create(Item::Leaf(Leaf {
            id: leaf,
            statement: digest,
            sequenced: None,
        })));
        writes.push(Write::Create(Item::Outbox(OutboxRow {
            leaf,
            at: now,
            statement: digest,
        })));
        Ok(writes)
    }
}
