//! From draft to request: the legal clock starts, and the acceptance goes into the outbox.

use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::regime::Regime;
use quittance_core::request::{Event, Happening, Request};

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
        self.stamp(&mut change.request)?;
        let now = self.clock.now();
        change.request.verified_at = Some(now);
        change.note(now, how);
        change.note(now, Happening::Accepted);
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
        self.stamp(&mut request)?;
        request.events = 1;
        writes.push(Write::Create(Item::Event(
            quittance_core::request::TimelineEvent {
                request: request.id,
                n: 1,
                at: self.clock.now(),
                what: Happening::Accepted,
            },
        )));
        writes.extend(self.acceptance(&request).await?);
        writes.push(Write::Create(Item::Request(request.clone())));
        Ok(request)
    }

    /// Starts the legal clock.
    fn stamp(&self, request: &mut Request) -> Result<(), Fault> {
        let now = self.clock.now();
        let regime = Regime::find(&request.regime, request.right)
            .ok_or_else(|| Fault::reject("intake: the request's regime is unknown"))?;
        request.accepted_at = Some(now);
        // The clock runs from receipt: time spent on verification is ours (11 CCR 7021(b)).
        request.due_at = Some(regime.due(request.submitted_at));
        request.wake_at = Some(now);
        Ok(())
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
