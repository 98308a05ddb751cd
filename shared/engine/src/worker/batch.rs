//! Carrying a batch: its members are let go, page by page, and what they come to is summed up.
//!
//! Each member is a request of its own that goes through every stage; only its acceptance and its
//! outcome are the batch's. Letting go and summing up have a committed cursor each, so that they go
//! on wherever they were interrupted, and count nobody twice.

use std::collections::BTreeMap;

use quittance_core::fault::Fault;
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::request::{
    Batch, Event, Happening, Member, Members, Outcome, Place, Request, Stage,
};
use quittance_core::tally;
use quittance_core::task::{Task, TaskStage};

use super::gate::SOON;
use super::{Step, Worker};
use crate::change::Change;
use crate::ledger::{Item, Key, MAX_WRITES, Stored, SubjectEntry, Version, Write};
use crate::{reading, statement, vault};

impl Worker {
    /// Makes the next step of a batch.
    pub(super) async fn batch(
        &self,
        request: Request,
        version: Version,
        members: Members,
    ) -> Result<Step, Fault> {
        if let Some(ending) = request.ending {
            // Refused or withdrawn before anybody was let go.
            return match request.stage {
                Stage::Accepted | Stage::Locating | Stage::Gated | Stage::Acting => {
                    self.settle(request, version, &[], ending.outcome()).await
                }
                Stage::Sealing(_) => self.close(request, version).await,
                Stage::Draft | Stage::Closed(_) => Ok(Step::Rest),
            };
        }
        match request.stage {
            Stage::Draft => Ok(Step::Rest),
            Stage::Accepted => {
                let mut change = Change::new(request, version);
                change.go(Event::Planned)?;
                // The members go their own ways from here on: they are withdrawn one by one.
                change.request.first_effect_at = Some(self.clock.now());
                self.pin_map(&mut change);
                change.commit(&*self.ledger).await?;
                Ok(Step::Again)
            }
            Stage::Locating | Stage::Gated | Stage::Acting => {
                if members.freed < members.count && request.hold.is_none() {
                    return self.free(request, version, members).await;
                }
                if members.counted < members.count {
                    return self.sum_up(request, version, members).await;
                }
                self.end(request, version, &members).await
            }
            Stage::Sealing(_) if !members.untold => self.close(request, version).await,
            Stage::Closed(_) if !members.untold => Ok(Step::Rest),
            Stage::Sealing(_) | Stage::Closed(_) => {
                if members.counted < members.count {
                    return self.sum_up(request, version, members).await;
                }
                self.correct(request, version, members).await
            }
        }
    }

    /// Lets the next members go: each becomes a request in law, as of the batch's own acceptance.
    async fn free(
        &self,
        request: Request,
        version: Version,
        mut members: Members,
    ) -> Result<Step, Fault> {
        let now = self.clock.now();
        let from = members.freed;
        let mut writes = Vec::new();
        let mut freed = Vec::new();
        while members.freed < members.count && members.freed - from < AT_ONCE {
            let member = self.on_list(request.id, members.freed).await?;
            let (one, one_version) = reading::request(&*self.ledger, member.request)
                .await?
                .ok_or_else(|| Fault::reject("a member of an accepted batch is gone"))?;
            if one.stage == Stage::Draft {
                let mut change = Change::new(one, one_version);
                change.go(Event::Confirmed)?;
                change.request.accepted_at = request.accepted_at;
                change.request.verified_at = request.verified_at;
                change.request.due_at = request.due_at;
                change.request.extended_to = request.extended_to;
                change.request.wake_at = Some(now);
                let accepted = request.accepted_at.unwrap_or(now);
                change.note(accepted, Happening::Listed(members.count));
                change.note(accepted, Happening::Accepted);
                for tag in change.request.subject_tags.clone() {
                    change.also(Write::Create(Item::Subject(SubjectEntry {
                        tag,
                        request: member.request,
                        right: request.right,
                        accepted_at: accepted,
                    })));
                }
                let more = change.into_writes();
                if writes.len() + more.len() >= MAX_WRITES {
                    break;
                }
                writes.extend(more);
            }
            freed.push(member.request);
            members.freed += 1;
        }
        let mut change = Change::new(request, version);
        change.request.batch = Some(Batch::Whole(members));
        change.request.wake_at = self.soon(SOON);
        for write in writes {
            change.also(write);
        }
        change.commit(&*self.ledger).await?;
        for id in freed {
            let message = Message::Request { id };
            self.queues.send(self.right(), &message, 0).await?;
        }
        Ok(Step::Again)
    }

    /// Adds the next members who ended to the sums, in the order of the list. Whoever is not there
    /// yet wakes the batch.
    async fn sum_up(
        &self,
        request: Request,
        version: Version,
        mut members: Members,
    ) -> Result<Step, Fault> {
        let found = reading::tasks(&*self.ledger, request.id).await?;
        let mut sums: BTreeMap<StoreId, Task> = BTreeMap::new();
        if members.counted > 0 {
            let so_far = found.iter().map(|(task, _)| task.clone());
            sums.extend(so_far.map(|task| (task.store.clone(), task)));
        }
        let from = members.counted;
        while members.counted < members.count && members.counted - from < AT_ONCE {
            let member = self.on_list(request.id, members.counted).await?;
            let Some(outcome) = member.outcome else { break };
            let tasks = match outcome {
                Outcome::Completed | Outcome::Partial => {
                    reading::tasks(&*self.ledger, member.request).await?
                }
                Outcome::Denied | Outcome::Revoked => Vec::new(),
            };
            for (task, _) in &tasks {
                let empty = || Task::new(request.id, task.store.clone(), task.wave);
                tally::add(sums.entry(task.store.clone()).or_insert_with(empty), task);
            }
            members.ended.count(outcome);
            members.counted += 1;
        }
        if members.counted == from {
            return self.wait(request, version, &[]).await;
        }
        let all = members.counted == members.count;
        let mut change = Change::new(request, version);
        if change.request.stage.is_open() {
            members.untold = false;
        }
        change.request.batch = Some(Batch::Whole(members));
        change.request.wake_at = change.request.wake_at.max(self.soon(SOON));
        for (task, task_version) in &found {
            // Only a recount begins with sums that stand: what nobody has any more is nothing.
            let empty = || Task::new(task.request, task.store.clone(), task.wave);
            let sum = sums.remove(&task.store).unwrap_or_else(empty);
            change.also(Write::Replace(
                Item::Task(finished(sum, all)),
                *task_version,
            ));
        }
        for sum in sums.into_values() {
            change.also(Write::Create(Item::Task(finished(sum, all))));
        }
        change.commit(&*self.ledger).await?;
        Ok(Step::Again)
    }

    /// Everybody ended: the batch does.
    async fn end(
        &self,
        request: Request,
        version: Version,
        members: &Members,
    ) -> Result<Step, Fault> {
        let Some(outcome) = members.outcome() else {
            return Ok(Step::Rest);
        };
        if request.stage != Stage::Acting {
            let mut change = Change::new(request, version);
            if change.request.stage == Stage::Locating {
                change.go(Event::Located)?;
            }
            change.go(Event::GateOpened)?;
            change.request.wake_at = self.soon(SOON);
            change.commit(&*self.ledger).await?;
            return Ok(Step::Again);
        }
        let tasks = self.sums(&request).await?;
        self.settle(request, version, &tasks, outcome).await
    }

    /// A member's outcome changed after the receipt: an amendment says what everything is by now.
    async fn correct(
        &self,
        request: Request,
        version: Version,
        mut members: Members,
    ) -> Result<Step, Fault> {
        let Some(outcome) = members.outcome() else {
            return Ok(Step::Rest);
        };
        let placed = reading::leaf(&*self.ledger, LeafId::Outcome(request.id)).await?;
        let accepted = reading::leaf(&*self.ledger, LeafId::Acceptance(request.id)).await?;
        let (Some(placed), Some(accepted)) = (
            placed.and_then(|leaf| leaf.sequenced),
            accepted.and_then(|leaf| leaf.sequenced),
        ) else {
            self.queues
                .send(self.right(), &Message::Statements, 0)
                .await?;
            return Ok(Step::Rest);
        };
        let tasks = self.sums(&request).await?;
        let mut change = Change::new(request.clone(), version);
        change.request.amendments += 1;
        let n = change.request.amendments;
        let sealed = statement::Sealed {
            request: &request,
            tasks: &tasks,
            map: &self.map,
            outcome,
            accepted: &accepted,
            disclosed: None,
            handler: &self.handler,
            completed_at: self.clock.now(),
            nonce: self.clock.random(),
        };
        let bytes = statement::amendment(&sealed, n, placed.index)?;
        let leaf = LeafId::Amendment(request.id, n);
        self.put_leaf(&mut change, leaf, &bytes, self.clock.now())
            .await?;
        members.untold = false;
        change.request.batch = Some(Batch::Whole(members));
        change.commit(&*self.ledger).await?;
        self.queues
            .send(self.right(), &Message::Statements, 0)
            .await?;
        Ok(Step::Again)
    }

    /// Ends a member: its outcome goes into the batch's list, and nowhere else.
    pub(super) async fn end_member(
        &self,
        request: Request,
        version: Version,
        outcome: Outcome,
        place: Place,
    ) -> Result<Step, Fault> {
        let mut change = Change::new(request, version);
        change.go(Event::Settled(outcome))?;
        change.go(Event::Sealed)?;
        self.keep_closed(&mut change).await?;
        self.list_outcome(&mut change, place, outcome).await?;
        for write in self.no_longer_open(&change.request).await? {
            change.also(write);
        }
        change.commit(&*self.ledger).await?;
        self.wake_batch(place).await?;
        Ok(Step::Again)
    }

    /// A member's blocked store was done after all: the batch is summed up again.
    pub(super) async fn amend_member(
        &self,
        mut change: Change,
        place: Place,
        outcome: Outcome,
    ) -> Result<Step, Fault> {
        self.list_outcome(&mut change, place, outcome).await?;
        let (mut batch, version) = reading::request(&*self.ledger, place.batch)
            .await?
            .ok_or_else(|| Fault::reject("a member's batch is gone"))?;
        if let Some(Batch::Whole(members)) = &mut batch.batch {
            members.recount();
        }
        batch.wake_at = Some(self.clock.now());
        change.also(Write::Replace(Item::Request(batch), version));
        change.commit(&*self.ledger).await?;
        self.wake_batch(place).await?;
        Ok(Step::Again)
    }

    async fn list_outcome(
        &self,
        change: &mut Change,
        place: Place,
        outcome: Outcome,
    ) -> Result<(), Fault> {
        let key = Key::of_member(place);
        let Some(Stored {
            item: Item::Member(member),
            version,
        }) = self.ledger.load(&key).await?
        else {
            return Err(Fault::reject("a member is missing in its batch's list"));
        };
        let ended = Member {
            outcome: Some(outcome),
            ..member
        };
        change.also(Write::Replace(Item::Member(ended), version));
        Ok(())
    }

    async fn wake_batch(&self, place: Place) -> Result<(), Fault> {
        let message = Message::Request { id: place.batch };
        self.queues.send(self.right(), &message, 0).await
    }

    async fn on_list(&self, batch: RequestId, n: u32) -> Result<Member, Fault> {
        match self.ledger.load(&Key::Member(batch, n)).await? {
            Some(Stored {
                item: Item::Member(member),
                ..
            }) => Ok(member),
            Some(_) | None => Err(Fault::reject("a batch's list has a gap")),
        }
    }

    async fn sums(&self, request: &Request) -> Result<Vec<Task>, Fault> {
        let found = reading::tasks(&*self.ledger, request.id).await?;
        Ok(found.into_iter().map(|(task, _)| task).collect())
    }
}

/// A sum once everybody is in it: a store that nobody has anything to do with is settled too.
fn finished(mut sum: Task, all: bool) -> Task {
    if all && sum.stage == TaskStage::Pending {
        sum.stage = TaskStage::Exempt;
    }
    sum
}

/// The attestation that counts for a member: its own, or its batch's.
pub(super) async fn attestation(
    vault: &dyn crate::ports::Vault,
    request: &Request,
    store: &StoreId,
) -> Result<Option<Vec<u8>>, Fault> {
    let name = vault::attestation(store);
    if let Some(own) = vault.read(request.id, &name).await? {
        return Ok(Some(own));
    }
    match request.place() {
        Some(place) => vault.read(place.batch, &name).await,
        None => Ok(None),
    }
}

/// How many members are let go, or summed up, in one commit at the most.
const AT_ONCE: u32 = 20;
