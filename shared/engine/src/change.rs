//! One commit about one request: the new request, its timeline entries, and what goes with them.

use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::request::{Ending, Event, Happening, Request, TimelineEvent};

use crate::ledger::{Item, Version, Write};
use crate::ports::Ledger;

/// A change under construction. Nothing happens until [`Change::commit`].
#[derive(Debug)]
pub struct Change {
    /// The request as it will be.
    pub request: Request,
    version: Version,
    writes: Vec<Write>,
}

impl Change {
    /// Starts from a request as it was read.
    pub const fn new(request: Request, version: Version) -> Self {
        Self {
            request,
            version,
            writes: Vec::new(),
        }
    }

    /// Moves the request along its stages.
    ///
    /// # Errors
    /// `Fault::Reject` for a move that [`quittance_core::request::Stage::after`] forbids.
    pub fn go(&mut self, event: Event) -> Result<(), Fault> {
        self.request.stage = self
            .request
            .stage
            .after(event)
            .map_err(|illegal| Fault::reject(illegal.to_string()))?;
        // Progress: whatever kept it from going on is over.
        self.request.attempts = 0;
        self.request.block = None;
        Ok(())
    }

    /// Decides that the request ends without effects. That is a new way on for one that was stuck.
    pub fn end(&mut self, ending: Ending) {
        self.request.ending = Some(ending);
        self.request.attempts = 0;
        self.request.block = None;
    }

    /// Adds a timeline entry.
    pub fn note(&mut self, at: Timestamp, what: Happening) {
        self.request.events += 1;
        self.writes.push(Write::Create(Item::Event(TimelineEvent {
            request: self.request.id,
            n: self.request.events,
            at,
            what,
        })));
    }

    /// Adds a write about another item.
    pub fn also(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// Whether nothing is told: an act of staff without a timeline entry is no act.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Commits everything, or nothing; returns the request's version then.
    ///
    /// # Errors
    /// `Fault::Conflict` when the request, or one of the other items, changed since it was read.
    pub async fn commit(self, ledger: &dyn Ledger) -> Result<Version, Fault> {
        let next = self.version.next();
        ledger.commit(&self.into_writes()).await?;
        Ok(next)
    }

    /// Returns everything that would be committed, to be committed with something else.
    pub fn into_writes(self) -> Vec<Write> {
        let mut writes = vec![Write::Replace(Item::Request(self.request), self.version)];
        writes.extend(self.writes);
        writes
    }
}
