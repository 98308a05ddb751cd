//! The legal clock: from what happened to the dates the law sets.
//!
//! A pure function of a regime, a time zone and the request's clock events, so that anybody can
//! count again. Where something is not known (holidays beyond the data, an answer that has not come)
//! the earlier date is given, and what is missing is said. A pause adds the days from the one on
//! which it began to the one on which it ended.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::{PauseReason, Regime, Rolling, Start};
use crate::calendar::{Period, Zone, rolled};
use crate::request::{Happening, Request, TimelineEvent};

/// Something that moves a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockEvent {
    /// The request arrived.
    Received,
    /// The person's identity was proven.
    Verified,
    /// The clock was stopped: we wait for the person.
    Paused(PauseReason),
    /// The person answered.
    Resumed,
    /// The further time was taken.
    Extended,
}

impl ClockEvent {
    /// Draws a request's clock events from its timeline.
    pub fn of(request: &Request, timeline: &[TimelineEvent]) -> Vec<(Timestamp, Self)> {
        let mut events = vec![(request.submitted_at, Self::Received)];
        events.extend(timeline.iter().filter_map(|entry| {
            let event = match entry.what {
                Happening::Verified | Happening::IdentityConfirmed => Self::Verified,
                // Whoever hands in a list vouches for who they are.
                Happening::Listed(_) if request.right.needs_proof() => Self::Verified,
                Happening::Paused(reason) => Self::Paused(reason),
                Happening::Resumed => Self::Resumed,
                Happening::Extended(_) => Self::Extended,
                Happening::Accepted
                | Happening::Listed(_)
                | Happening::Planned(_)
                | Happening::GateShut(_)
                | Happening::GateOpened(_)
                | Happening::Held
                | Happening::HoldReleased
                | Happening::RegimeChosen(_)
                | Happening::HolidaysUnknown
                | Happening::Denied(_)
                | Happening::Revoked
                | Happening::PartialAllowed
                | Happening::Released(_)
                | Happening::Stuck(_)
                | Happening::Retried
                | Happening::Reminded(_)
                | Happening::Attested(_)
                | Happening::Responded(_)
                | Happening::Downloaded => return None,
            };
            Some((entry.at, event))
        }));
        events
    }
}

/// The dates a law sets for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// When the answer is due, without an extension.
    pub due_at: Timestamp,
    /// When it is due with the extension that was taken.
    pub extended_to: Option<Timestamp>,
    /// When it would be due with the extension the law offers.
    pub extendable_to: Option<Timestamp>,
    /// Until when the person can be told of an extension.
    pub notice_by: Option<Timestamp>,
    /// Until when the arrival must be confirmed.
    pub confirm_by: Option<Timestamp>,
    /// Since when the clock stands still, while it does. The dates then do not count this pause.
    pub paused_at: Option<Timestamp>,
    /// Whether holidays were known for every day that was looked at. If not, only the weekly rest
    /// was counted: the law may allow more.
    pub holidays_known: bool,
}

impl Deadlines {
    /// Returns the date that binds.
    pub fn due(&self) -> Timestamp {
        self.extended_to.unwrap_or(self.due_at)
    }
}

impl Regime {
    /// Computes the dates from what happened, in any order; `zone` instead of the law's own, where the
    /// controller names one. None without a receipt.
    pub fn deadlines(
        &self,
        events: &[(Timestamp, ClockEvent)],
        zone: Option<&Zone>,
    ) -> Option<Deadlines> {
        let zone = zone.unwrap_or(&self.zone);
        let first = |wanted: ClockEvent| {
            let at = events.iter().filter(|(_, event)| *event == wanted);
            at.map(|(at, _)| *at).min()
        };
        let received_at = first(ClockEvent::Received)?;
        let started_at = match self.starts {
            Start::Received => received_at,
            Start::Verified => first(ClockEvent::Verified)
                .unwrap_or(received_at)
                .max(received_at),
        };
        let (paused_days, paused_at) = self.paused(events, zone);
        let start = zone.day_of(started_at);
        let mut holidays_known = true;
        let mut end = |period: Period, start: Date, paused_days: i64| {
            let (day, known) = self.end_day(period, start, paused_days);
            holidays_known &= known;
            day.map_or(Timestamp::MAX, |day| zone.last_minute(day))
        };
        let due_at = end(self.respond, start, paused_days);
        let extension = self.extension.and_then(|extension| {
            let whole = self.respond.and(extension.by)?;
            Some((whole, extension.notice))
        });
        let extendable_to = extension.map(|(whole, _)| end(whole, start, paused_days));
        let notice_by = extension.map(|(_, notice)| end(notice, start, paused_days));
        // Nothing stops the clock for saying that the request arrived.
        let confirm_by = self
            .confirm
            .map(|confirm| end(confirm, zone.day_of(received_at), 0));
        Some(Deadlines {
            due_at,
            extended_to: first(ClockEvent::Extended).and(extendable_to),
            extendable_to,
            notice_by,
            confirm_by,
            paused_at,
            holidays_known,
        })
    }

    /// Computes until when an appeal that arrived then must be decided, without and with the further
    /// time the law gives. None where the law knows no appeal.
    pub fn appeal_due(
        &self,
        appealed_at: Timestamp,
        zone: Option<&Zone>,
    ) -> Option<(Timestamp, Option<Timestamp>)> {
        let zone = zone.unwrap_or(&self.zone);
        let end = |period| {
            let (day, _) = self.end_day(period, zone.day_of(appealed_at), 0);
            day.map_or(Timestamp::MAX, |day| zone.last_minute(day))
        };
        let appeal = self.appeal?;
        let whole = self.appeal_extension.and_then(|more| appeal.and(more));
        Some((end(appeal), whole.map(end)))
    }

    /// Returns the last day of a period, and whether all holidays it depends on are known.
    fn end_day(&self, period: Period, start: Date, paused_days: i64) -> (Option<Date>, bool) {
        let calendar = self.holidays();
        let counts_holidays = match (self.rolls, period) {
            (Rolling::Never, Period::Days(_) | Period::Months(_)) => false,
            (Rolling::NextWorkingDay, _) | (Rolling::Never, Period::BusinessDays(_)) => true,
        };
        let last = period
            .last_day(start, calendar)
            .and_then(|day| day.checked_add(paused_days.days()).ok())
            .and_then(|day| match self.rolls {
                Rolling::Never => Some(day),
                Rolling::NextWorkingDay => rolled(day, calendar),
            });
        let known = last.is_none_or(|last| calendar.covers(start) && calendar.covers(last));
        (last, known || !counts_holidays)
    }

    /// Adds up the days of the pauses that ended, and tells since when one lasts. A pause that the
    /// law does not know stops nothing.
    fn paused(&self, events: &[(Timestamp, ClockEvent)], zone: &Zone) -> (i64, Option<Timestamp>) {
        let mut sorted: Vec<_> = events.to_vec();
        sorted.sort_by_key(|(at, _)| *at);
        let (mut days, mut paused_at) = (0, None);
        for (at, event) in sorted {
            match event {
                ClockEvent::Paused(reason) if self.pauses.contains(&reason) => {
                    paused_at = paused_at.or(Some(at));
                }
                ClockEvent::Resumed => {
                    if let Some(since) = paused_at.take() {
                        let span = zone.day_of(at) - zone.day_of(since);
                        days += i64::from(span.get_days());
                    }
                }
                ClockEvent::Paused(_)
                | ClockEvent::Received
                | ClockEvent::Verified
                | ClockEvent::Extended => {}
            }
        }
        (days, paused_at)
    }
}
