//! Sealing: the answer first, then the statement of what was done, in the outbox.
//!
//! A log that is down never makes an answer late: `responded_at` is committed before the statement,
//! and the statement waits for the acceptance leaf it points back to.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::message::Message;
use quittance_core::request::{Event, Happening, Outcome, Request, Right};
use quittance_core::subject::suppression_token;
use quittance_core::task::Task;

use super::collect::Disclosed;
use super::{Step, Worker};
use crate::change::Change;
use crate::keys::TagKeys;
use crate::ledger::{Item, Key, Leaf, Listing, OutboxRow, Sequenced, Suppression, Version, Write};
use crate::papers::{Papers, parse_json, to_json};
use crate::ports::Mail;
use crate::{mails, reading, sequencer, statement, vault};

impl Worker {
    /// Answers the person, then seals the outcome.
    pub(super) async fn settle(
        &self,
        request: Request,
        version: Version,
        tasks: &[Task],
        outcome: Outcome,
    ) -> Result<Step, Fault> {
        let effective = matches!(outcome, Outcome::Completed | Outcome::Partial);
        if effective && self.suppresses() && request.first_effect_at.is_none() {
            // A suppression entry is an effect: from this commit on revoking is too late.
            let mut change = Change::new(request, version);
            change.request.first_effect_at = Some(self.clock.now());
            change.commit(&*self.ledger).await?;
            return Ok(Step::Again);
        }
        let state = self.state(tasks, outcome);
        if request.answer != Some(state) {
            return self.answer(request, version, tasks, outcome, state).await;
        }
        if let Some(place) = request.place() {
            return self.end_member(request, version, outcome, place).await;
        }
        let leaf = reading::leaf(&*self.ledger, LeafId::Acceptance(request.id)).await?;
        let Some(accepted) = leaf.and_then(|leaf| leaf.sequenced) else {
            self.queues
                .send(self.right(), &Message::Statements, 0)
                .await?;
            return Ok(Step::Rest);
        };
        self.seal(request, version, tasks, outcome, &accepted).await
    }

    /// Digests what there is to answer: another state of the stores is another answer.
    pub(super) fn state(&self, tasks: &[Task], outcome: Outcome) -> Digest {
        let mut text = format!("dsr-answer/v1 {} {}", outcome.name(), self.map.digest());
        for task in tasks {
            let done = (&task.outcome, task.stage, task.generation);
            // Counts, codes and dates always serialise.
            let line = serde_json::to_string(&done).unwrap_or_default();
            text.push('\n');
            text.push_str(task.store.as_str());
            text.push(' ');
            text.push_str(&line);
        }
        Digest::of(text.as_bytes())
    }

    /// Does what an answer tells of, sends it, and commits that it was sent. Sent twice after a
    /// crash, it is one mail.
    pub(super) async fn answer(
        &self,
        request: Request,
        version: Version,
        tasks: &[Task],
        outcome: Outcome,
        state: Digest,
    ) -> Result<Step, Fault> {
        let papers = self.papers(&request).await?;
        if matches!(outcome, Outcome::Completed | Outcome::Partial) {
            self.suppress(&request, &papers, tasks).await?;
            if self.right() == Right::Access {
                self.disclose(&request, tasks, &state).await?;
            }
        }
        if let Some(mail) = mails::answer(&request, outcome, &papers, &state) {
            self.send_mail(&mail).await?;
        }
        let now = self.clock.now();
        let mut change = Change::new(request, version);
        // The first answer is the one that had to be in time.
        change.request.responded_at = change.request.responded_at.or(Some(now));
        change.request.answer = Some(state);
        change.note(now, Happening::Responded(outcome));
        change.commit(&*self.ledger).await?;
        Ok(Step::Again)
    }

    /// Commits the outcome: stage, leaf, outbox row, and the end of the open-request entries.
    async fn seal(
        &self,
        request: Request,
        version: Version,
        tasks: &[Task],
        outcome: Outcome,
        accepted: &Sequenced,
    ) -> Result<Step, Fault> {
        let disclosed = self.disclosed(&request, outcome).await?;
        let tasks = self.with_what_is_left(&request, tasks).await?;
        let bytes = statement::outcome(&statement::Sealed {
            request: &request,
            tasks: &tasks,
            map: &self.map,
            outcome,
            accepted,
            disclosed: disclosed.map(|d| (d.bytes, d.manifest)),
            handler: &self.handler,
            completed_at: self.clock.now(),
            nonce: self.clock.random(),
        })?;
        let now = self.clock.now();
        let mut change = Change::new(request, version);
        change.go(Event::Settled(outcome))?;
        change.request.wake_at = self.soon(SignedDuration::from_secs(60));
        let leaf = LeafId::Outcome(change.request.id);
        self.put_leaf(&mut change, leaf, &bytes, now).await?;
        for write in self.no_longer_open(&change.request).await? {
            change.also(write);
        }
        let request = change.request.clone();
        change.commit(&*self.ledger).await?;
        // From here on there is one outcome, for ever; the messages that follow only save time.
        self.queues
            .send(self.right(), &Message::Statements, 0)
            .await?;
        self.let_others_go_on(&request).await?;
        Ok(Step::Rest)
    }

    pub(super) async fn put_leaf(
        &self,
        change: &mut Change,
        leaf: LeafId,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let digest = Digest::of(bytes);
        self.evidence
            .keep(&sequencer::paths::statement(&digest), bytes)
            .await?;
        let item = Leaf {
            id: leaf,
            statement: digest,
            sequenced: None,
        };
        change.also(Write::Create(Item::Leaf(item)));
        let row = OutboxRow {
            leaf,
            at: now,
            statement: digest,
        };
        change.also(Write::Create(Item::Outbox(row)));
        Ok(())
    }

    /// Deletes the entries by which the subject's open requests are found.
    pub(super) async fn no_longer_open(&self, request: &Request) -> Result<Vec<Write>, Fault> {
        let mut writes = Vec::new();
        for tag in &request.subject_tags {
            let key = Key::Subject(*tag, request.id);
            if let Some(stored) = self.ledger.load(&key).await? {
                writes.push(Write::Delete(key, stored.version));
            }
        }
        Ok(writes)
    }

    /// A deletion may wait for this access request's answer: wake it.
    async fn let_others_go_on(&self, request: &Request) -> Result<(), Fault> {
        if self.right() != Right::Access {
            return Ok(());
        }
        let mut waiting = BTreeMap::new();
        for tag in &request.subject_tags {
            for stored in reading::everything(&*self.ledger, &Listing::OpenOf(*tag)).await? {
                if let Item::Subject(entry) = stored.item {
                    waiting.insert(entry.request, entry.right);
                }
            }
        }
        for (id, right) in waiting {
            self.queues.send(right, &Message::Request { id }, 0).await?;
        }
        Ok(())
    }

    /// Whether the right puts identifiers on the suppression list: opted out, or to stay deleted
    /// (11 CCR 7022 lets a business keep what it needs to ensure that).
    pub(super) fn suppresses(&self) -> bool {
        match self.right() {
            Right::Access => false,
            Right::Deletion | Right::OptOut => true,
        }
    }

    pub(super) async fn suppress(
        &self,
        request: &Request,
        papers: &Papers,
        tasks: &[Task],
    ) -> Result<(), Fault> {
        if !self.suppresses() {
            return Ok(());
        }
        let right = self.right();
        for (kind, value) in self.all_identifiers(request, papers, tasks).await?.iter() {
            let token = suppression_token(&self.keys.suppression, kind, value);
            if self
                .ledger
                .load(&Key::Suppression(right, token))
                .await?
                .is_some()
            {
                continue;
            }
            let entry = Suppression {
                token,
                right,
                since: self.clock.now(),
                key_version: TagKeys::SUPPRESSION_VERSION,
            };
            match self
                .ledger
                .commit(&[Write::Create(Item::Suppression(entry))])
                .await
            {
                // Another request of the same subject put it there: it is there.
                Ok(()) | Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Composes the export and keeps what the receipt says about it.
    async fn disclose(
        &self,
        request: &Request,
        tasks: &[Task],
        state: &Digest,
    ) -> Result<(), Fault> {
        // The state of the stores names the package: the same state makes the same bytes.
        let disclosed = self.compose(request, tasks, state).await?;
        self.vault
            .keep(request.id, &vault::disclosed(state), &to_json(&disclosed)?)
            .await?;
        Ok(())
    }

    pub(super) async fn disclosed(
        &self,
        request: &Request,
        outcome: Outcome,
    ) -> Result<Option<Disclosed>, Fault> {
        let effective = matches!(outcome, Outcome::Completed | Outcome::Partial);
        let Some(state) = request.answer.filter(|_| effective) else {
            return Ok(None);
        };
        if self.right() != Right::Access {
            return Ok(None);
        }
        let bytes = self
            .vault
            .read(request.id, &vault::disclosed(&state))
            .await?;
        bytes.map(|bytes| parse_json(&bytes)).transpose()
    }

    /// Sends a mail; an address that refuses it for good must not stop a deletion.
    pub(super) async fn send_mail(&self, mail: &Mail) -> Result<(), Fault> {
        match self.mailer.send(mail).await {
            Err(fault @ (Fault::Reject { .. } | Fault::Block(_))) => {
                tracing::warn!(fault = %fault, "a mail was refused for good");
                Ok(())
            }
            sent => sent,
        }
    }
}
