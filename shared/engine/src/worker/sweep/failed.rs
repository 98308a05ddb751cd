//! A sweep whose own step fails: tried again, and given up, so that nobody waits for it for ever.
//!
//! Giving up cuts it short, and what was done so far is settled. Where even that cannot be read (its
//! papers are gone), its members are looked for among the open requests, and each is blocked.

use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::StoreId;
use quittance_core::message::Message;
use quittance_core::sweep::{Cut, Sweep, SweepEvent, SweepStage};
use quittance_core::task::{Membership, Task};

use super::super::{Step, TIME_OUT, Worker};
use super::stage_after;
use crate::ledger::{Item, Listing, Version, Write};
use crate::reading;
use crate::stuck::{self, MAX_ATTEMPTS};

impl Worker {
    /// Sees to a sweep whose step came to nothing.
    pub(super) async fn sweep_failed(&self, store: &StoreId, fault: Fault) -> Result<(), Fault> {
        let (after_seconds, detail) = match fault {
            Fault::Reject { ref detail } => {
                // Trying again changes nothing: a person must look.
                tracing::error!(store.id = %store, fault = detail.as_str(), "a sweep cannot go on");
                return self.give_up(store).await;
            }
            Fault::Retry {
                after_seconds,
                detail,
            } if detail != TIME_OUT => (after_seconds, detail),
            Fault::Conflict | Fault::Retry { .. } | Fault::Block(_) => return Err(fault),
        };
        let Some((sweep, version)) = self.open_sweep(store).await? else {
            return Err(Fault::Retry {
                after_seconds,
                detail,
            });
        };
        let attempts = sweep.attempts.saturating_add(1);
        if attempts >= MAX_ATTEMPTS {
            tracing::error!(store.id = %store, fault = detail.as_str(), "a sweep fails each time");
            return self.give_up(store).await;
        }
        let counted = Write::Replace(Item::Sweep(Sweep { attempts, ..sweep }), version);
        self.ledger.commit(&[counted]).await?;
        Err(Fault::Retry {
            after_seconds: stuck::pause(attempts, after_seconds),
            detail,
        })
    }

    /// Cuts the open sweep short; if it is being settled already, ends it without its papers.
    pub(super) async fn give_up(&self, store: &StoreId) -> Result<(), Fault> {
        let Some((sweep, version)) = self.open_sweep(store).await? else {
            return Ok(());
        };
        if sweep.stage == SweepStage::Settling {
            self.end_without_papers(sweep, version).await?;
        } else {
            let cut = Cut::Blocked(BlockReason::RetriesExhausted);
            self.cut_short(sweep, version, cut).await?;
        }
        // Whoever wakes it next goes on from there.
        let message = Message::Sweep {
            store: store.clone(),
        };
        self.queues.send(self.right(), &message, 0).await
    }

    async fn open_sweep(&self, store: &StoreId) -> Result<Option<(Sweep, Version)>, Fault> {
        let latest = self.latest_sweep(store).await?;
        Ok(latest.filter(|(sweep, _)| sweep.stage != SweepStage::Done))
    }

    /// Blocks everybody who is still a member, and ends the sweep. What it did for them stands in its
    /// lost papers only.
    async fn end_without_papers(&self, mut sweep: Sweep, version: Version) -> Result<Step, Fault> {
        let mut from = None;
        loop {
            let page = self
                .ledger
                .list(&Listing::Open, from.as_ref(), OPEN_AT_ONCE)
                .await?;
            for stored in page.items {
                let Item::Request(request) = stored.item else {
                    continue;
                };
                if request.right != sweep.id.right {
                    continue;
                }
                let task = reading::task(&*self.ledger, request.id, &sweep.id.store).await?;
                let theirs =
                    |(task, _): &(Task, Version)| task.sweep == Membership::Member(sweep.id.n);
                let Some((mut task, version)) = task.filter(theirs) else {
                    continue;
                };
                task.sweep = Membership::Outside;
                stuck::put_block(&mut task, BlockReason::RetriesExhausted, self.clock.now());
                self.replace_task(task, version).await?;
                let message = Message::Request { id: request.id };
                self.queues.send(self.right(), &message, 0).await?;
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        sweep.stage = stage_after(&sweep, SweepEvent::Settled)?;
        sweep.done_at = Some(self.clock.now());
        self.replace_sweep(sweep, version).await?;
        Ok(Step::Again)
    }
}

const OPEN_AT_ONCE: usize = 100;
