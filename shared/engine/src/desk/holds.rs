//! Holds on stores and on identifiers: what is held is not deleted, whoever asks.

use quittance_core::digest::Tag;
use quittance_core::fault::Fault;
use quittance_core::hold::{HoldOn, StandingHold};
use quittance_core::id::{RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::request::{Hold, Outcome, Right, Stage};

use super::{Desk, DeskError};
use crate::ledger::{Item, Key, Listing, Write};
use crate::reading;

impl Desk {
    /// Lists the holds on stores and identifiers.
    ///
    /// # Errors
    /// What the ledger reports.
    pub async fn holds(&self) -> Result<Vec<StandingHold>, DeskError> {
        let stored = reading::everything(&*self.ledger, &Listing::Holds).await?;
        let holds = stored.into_iter().filter_map(|stored| {
            if let Item::Hold(hold) = stored.item {
                Some(hold)
            } else {
                None
            }
        });
        Ok(holds.collect())
    }

    /// Forbids to delete anything in a store. What is in flight finishes: one part of a task, one
    /// object of each shard.
    ///
    /// # Errors
    /// What the ledger reports.
    pub async fn hold_store(&self, store: &StoreId) -> Result<(), DeskError> {
        self.put_hold(HoldOn::Store(store.clone())).await?;
        // A sweep that goes on is cut short by whoever looks at it next.
        let store = store.clone();
        let look = Message::Sweep { store };
        Ok(self.queues.send(Right::Deletion, &look, 0).await?)
    }

    /// Lifts the hold on a store: the tasks that it blocked go on by themselves.
    ///
    /// # Errors
    /// What the ledger reports.
    pub async fn lift_store(&self, store: &StoreId) -> Result<(), DeskError> {
        self.delete_hold(HoldOn::Store(store.clone())).await?;
        // The clock would wake the open ones too, within the hour; and those that ended in part.
        for listing in [Listing::Open, Listing::Closed] {
            for stored in reading::everything(&*self.ledger, &listing).await? {
                if let Item::Request(request) = stored.item
                    && request.right == Right::Deletion
                    && (request.stage.is_open() || request.stage == PARTIAL)
                    && request.purged_at.is_none()
                {
                    let message = Message::Request { id: request.id };
                    self.queues.send(request.right, &message, 0).await?;
                }
            }
        }
        Ok(())
    }

    /// Forbids to delete the data of whoever has this identifier. Deletions that are under way are
    /// held where they are; later ones stop at their gate.
    ///
    /// # Errors
    /// What the ledger reports; done again, it goes on.
    pub async fn hold_identifier(&self, tag: Tag) -> Result<(), DeskError> {
        // The hold first: a request that learns of the identifier later finds it at its gate.
        self.put_hold(HoldOn::Identifier(tag)).await?;
        for id in self.deletions_of(tag).await? {
            match self.hold_as(id, |at| Hold { at, on: Some(tag) }).await {
                Ok(()) | Err(DeskError::WrongStage(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lifts the hold on an identifier, and on the requests that are held for no other reason.
    ///
    /// # Errors
    /// What the ledger reports; done again, it goes on.
    pub async fn lift_identifier(&self, tag: Tag) -> Result<(), DeskError> {
        self.delete_hold(HoldOn::Identifier(tag)).await?;
        for id in self.deletions_of(tag).await? {
            let (request, _) = self.load(id).await?;
            let ours = request
                .hold
                .as_ref()
                .is_some_and(|hold| hold.on == Some(tag));
            if ours && !self.is_held(&request.subject_tags).await? {
                match self.release_one(id).await {
                    Ok(()) | Err(DeskError::WrongStage(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            let message = Message::Request { id };
            self.queues.send(Right::Deletion, &message, 0).await?;
        }
        Ok(())
    }

    /// Whether somebody with one of these tags must not be touched.
    pub(super) async fn is_held(&self, tags: &[Tag]) -> Result<bool, Fault> {
        reading::is_held(&*self.ledger, tags).await
    }

    async fn deletions_of(&self, tag: Tag) -> Result<Vec<RequestId>, Fault> {
        let open = reading::everything(&*self.ledger, &Listing::OpenOf(tag)).await?;
        let ids = open.into_iter().filter_map(|stored| {
            if let Item::Subject(entry) = stored.item {
                (entry.right == Right::Deletion).then_some(entry.request)
            } else {
                None
            }
        });
        Ok(ids.collect())
    }

    async fn put_hold(&self, on: HoldOn) -> Result<(), DeskError> {
        let hold = StandingHold {
            on,
            at: self.clock.now(),
        };
        let write = Write::Create(Item::Hold(hold));
        match self.ledger.commit(&[write]).await {
            // It stands already.
            Ok(()) | Err(Fault::Conflict) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn delete_hold(&self, on: HoldOn) -> Result<(), DeskError> {
        let key = Key::Hold(on);
        if let Some(stored) = self.ledger.load(&key).await? {
            let gone = Write::Delete(key, stored.version);
            match self.ledger.commit(&[gone]).await {
                Ok(()) | Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }
}

const PARTIAL: Stage = Stage::Closed(Outcome::Partial);
