//! What staff may do to the legal clock: extend, pause, resume, choose the law.
//!
//! What the law allows is in `quittance_core::regime`. The clock events are the timeline; each act
//! adds one, and the dates are computed anew from all of them in the same commit.

use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_core::regime::{ClockEvent, Deadlines, PauseReason, Regime};
use quittance_core::request::{Happening, Request};

use super::{CONFLICTS, Committed, Desk, DeskError, require_open};
use crate::change::Change;
use crate::reading;

/// Whether staff accept a law whose numbers nobody confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// They say that they know.
    Accepted,
    /// They did not say so.
    Refused,
}

/// A request's clock, as it stands before an act.
struct Clock {
    regime: &'static Regime,
    events: Vec<(Timestamp, ClockEvent)>,
    dates: Deadlines,
}

impl Clock {
    fn read(
        request: &Request,
        regime: &'static Regime,
        events: Vec<(Timestamp, ClockEvent)>,
    ) -> Result<Self, DeskError> {
        let dates = regime
            .deadlines(&events, request.time_zone.as_ref())
            .ok_or(DeskError::WrongStage(request.stage.name()))?;
        Ok(Self {
            regime,
            events,
            dates,
        })
    }

    /// Adds an event: the dates follow.
    fn add(self, change: &mut Change, at: Timestamp, event: ClockEvent) -> Result<Self, DeskError> {
        let mut events = self.events;
        events.push((at, event));
        let clock = Self::read(&change.request, self.regime, events)?;
        clock.write(&mut change.request);
        Ok(clock)
    }

    /// Writes the dates into the request.
    fn write(&self, request: &mut Request) {
        request.due_at = Some(self.dates.due_at);
        request.extended_to = self.dates.extended_to;
        request.paused_at = self.dates.paused_at;
    }
}

impl Desk {
    /// Takes the further time the law gives, and returns until when the person must be told why.
    ///
    /// # Errors
    /// [`DeskError::NoExtension`] where the law gives none, [`DeskError::NoticeTooLate`] once the
    /// person can no longer be told in time.
    pub async fn extend(&self, id: RequestId) -> Result<Timestamp, DeskError> {
        let notice_by = self.extend_one(id).await?;
        if self.is_batch(id).await? {
            self.each_member(id, async |member| self.extend_one(member).await.map(|_| ()))
                .await?;
        }
        Ok(notice_by)
    }

    async fn extend_one(&self, id: RequestId) -> Result<Timestamp, DeskError> {
        self.move_clock(id, |change, clock, now| {
            let law = || DeskError::NoExtension(clock.regime.id.clone());
            let to = clock.dates.extendable_to.ok_or_else(law)?;
            let notice_by = clock.dates.notice_by.ok_or_else(law)?;
            if clock.dates.extended_to.is_some() {
                return Ok(notice_by);
            }
            if now > notice_by {
                return Err(DeskError::NoticeTooLate(notice_by));
            }
            clock.add(change, now, ClockEvent::Extended)?;
            change.note(now, Happening::Extended(to));
            Ok(notice_by)
        })
        .await
    }

    /// Stops the clock: the person was asked, and the law lets us wait.
    ///
    /// # Errors
    /// [`DeskError::NoPause`] where the law does not stop for this, [`DeskError::PastDue`] when it is
    /// too late.
    pub async fn pause(&self, id: RequestId, reason: PauseReason) -> Result<(), DeskError> {
        self.move_clock(id, |change, clock, now| {
            refuse_batch(&change.request)?;
            if !clock.regime.pauses.contains(&reason) {
                let law = clock.regime.id.clone();
                return Err(DeskError::NoPause { law, reason });
            }
            if clock.dates.paused_at.is_some() {
                return Ok(());
            }
            if now > clock.dates.due() {
                return Err(DeskError::PastDue(clock.dates.due()));
            }
            clock.add(change, now, ClockEvent::Paused(reason))?;
            change.note(now, Happening::Paused(reason));
            Ok(())
        })
        .await
    }

    /// Lets the clock go on: the person answered. Every date moves by the days of the pause.
    ///
    /// # Errors
    /// [`DeskError::NotPaused`].
    pub async fn resume(&self, id: RequestId) -> Result<(), DeskError> {
        self.move_clock(id, |change, clock, now| {
            refuse_batch(&change.request)?;
            if clock.dates.paused_at.is_none() {
                return Err(DeskError::NotPaused);
            }
            let was_known = clock.dates.holidays_known;
            let clock = clock.add(change, now, ClockEvent::Resumed)?;
            change.note(now, Happening::Resumed);
            if was_known && !clock.dates.holidays_known {
                change.note(now, Happening::HolidaysUnknown);
            }
            Ok(())
        })
        .await
    }

    /// Handles the request under another law from its receipt on, because the form named the wrong
    /// one.
    ///
    /// # Errors
    /// [`DeskError::NoRegime`]; [`DeskError::Unverified`] where nobody confirmed the law's numbers and
    /// that is not accepted; [`DeskError::ClockMoved`] after an extension or a pause.
    pub async fn choose_regime(
        &self,
        id: RequestId,
        law: &str,
        unverified: Unverified,
    ) -> Result<(), DeskError> {
        self.move_clock(id, |change, clock, now| {
            refuse_batch(&change.request)?;
            if change.request.regime == law {
                return Ok(());
            }
            let moved = |(_, event): &(Timestamp, ClockEvent)| match event {
                ClockEvent::Paused(_) | ClockEvent::Resumed | ClockEvent::Extended => true,
                ClockEvent::Received | ClockEvent::Verified => false,
            };
            if clock.events.iter().any(moved) {
                return Err(DeskError::ClockMoved(change.request.regime.clone()));
            }
            let request = &mut change.request;
            let regime = Regime::find(law, request.right, request.submitted_at)?;
            if !regime.confidence.is_verified() && unverified == Unverified::Refused {
                return Err(DeskError::Unverified(law.to_owned()));
            }
            law.clone_into(&mut request.regime);
            let clock = Clock::read(request, regime, clock.events)?;
            clock.write(request);
            change.note(now, Happening::RegimeChosen(law.to_owned()));
            if !clock.dates.holidays_known {
                change.note(now, Happening::HolidaysUnknown);
            }
            Ok(())
        })
        .await
    }

    /// Reads request and clock, makes the act, commits; anew when somebody was faster.
    async fn move_clock<T>(
        &self,
        id: RequestId,
        act: impl Fn(&mut Change, Clock, Timestamp) -> Result<T, DeskError>,
    ) -> Result<T, DeskError> {
        for _ in 0..CONFLICTS {
            let (request, version) = self.load(id).await?;
            require_open(&request)?;
            // An entry that comes after this read comes with another version of the request.
            let timeline = reading::timeline(&*self.ledger, id).await?;
            let regime = Regime::find(&request.regime, request.right, request.submitted_at)?;
            let clock = Clock::read(&request, regime, ClockEvent::of(&request, &timeline))?;
            let mut change = Change::new(request, version);
            let done = act(&mut change, clock, self.clock.now())?;
            if self.commit(change).await? == Committed::Yes {
                return Ok(done);
            }
        }
        Err(Fault::retry("desk: a request kept changing").into())
    }
}

/// Dates of a batch's members move with them, one by one; only an extension is everybody's.
fn refuse_batch(request: &Request) -> Result<(), DeskError> {
    match request.members() {
        Some(_) => Err(DeskError::OnlyMembers),
        None => Ok(()),
    }
}
