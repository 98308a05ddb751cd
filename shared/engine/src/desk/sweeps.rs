//! Stopping a store's sweeps, and keeping them off a request under a hold.

use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::StoreId;
use quittance_core::message::Message;
use quittance_core::plan;
use quittance_core::request::Request;
use quittance_core::sweep::{Exclusion, Pause, SweepId};
use quittance_core::task::Membership;

use super::{Desk, DeskError};
use crate::ledger::{Item, Key, Write};
use crate::reading;

impl Desk {
    /// Stops every sweep of a store, after the object in flight, until it is resumed.
    ///
    /// # Errors
    /// What the ledger reports.
    pub async fn pause_sweeps(&self, store: &StoreId) -> Result<(), DeskError> {
        let pause = Write::Create(Item::Pause(Pause {
            store: store.clone(),
            at: self.clock.now(),
        }));
        match self.ledger.commit(&[pause]).await {
            // Paused already.
            Ok(()) | Err(Fault::Conflict) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Lets a store's sweeps go on.
    ///
    /// # Errors
    /// What the ledger reports.
    pub async fn resume_sweeps(&self, store: &StoreId) -> Result<(), DeskError> {
        let key = Key::Pause(store.clone());
        if let Some(stored) = self.ledger.load(&key).await? {
            let gone = Write::Delete(key, stored.version);
            match self.ledger.commit(&[gone]).await {
                Ok(()) | Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        // Should these be lost, the clock looks at every record store anyway.
        for right in plan::SWEEPING {
            let store = store.clone();
            self.queues
                .send(right, &Message::Sweep { store }, 0)
                .await?;
        }
        Ok(())
    }

    /// What keeps sweeps that are under way from touching this request's rows any further. Tasks
    /// that may become members at this moment are checked: whoever commits second reads again.
    pub(super) async fn exclusions(
        &self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let mut writes = Vec::new();
        for (task, version) in reading::tasks(&*self.ledger, request.id).await? {
            let sweep = match task.sweep {
                Membership::Outside => continue,
                Membership::Waiting => {
                    writes.push(Write::Check(
                        Key::Task(request.id, task.store.clone()),
                        version,
                    ));
                    continue;
                }
                Membership::Member(n) => SweepId {
                    store: task.store,
                    right: request.right,
                    n,
                },
            };
            let key = Key::Exclusion(sweep.clone(), request.id);
            if self.ledger.load(&key).await?.is_none() {
                writes.push(Write::Create(Item::Exclusion(Exclusion {
                    sweep,
                    request: request.id,
                    at: now,
                })));
            }
        }
        Ok(writes)
    }
}
