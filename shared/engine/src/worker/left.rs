//! What a deletion leaves: what a law makes us keep, and the copies that no effect reaches.
//!
//! Noted when a store was looked back at; of a store that is blocked with something done, when the
//! receipt is drawn. Where nothing was touched nothing is noted.

use jiff::Timestamp;
use quittance_core::data_map::{DeletionRule, Retention};
use quittance_core::fault::Fault;
use quittance_core::outcome::{Exemption, ResidualKind};
use quittance_core::request::Request;
use quittance_core::task::Task;

use super::{Hand, Worker};

impl Worker {
    /// Notes what the effects in a store left, as of `at`.
    pub(super) async fn note_what_is_left(
        &self,
        request: &Request,
        task: &mut Task,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let Hand::Erase(eraser, _) = &self.hand else {
            return Ok(());
        };
        let Some(store) = self.map.store(&task.store) else {
            return Ok(());
        };
        if task.outcome.evidence_count == 0 {
            return Ok(());
        }
        if let DeletionRule::Redact {
            rest: Some(kept), ..
        } = &store.deletion
        {
            let outcome = &task.outcome;
            let count = outcome.redacted.saturating_add(outcome.pseudonymised);
            task.outcome.exempt = Some(exemption(kept, request, count));
        }
        let residuals = &mut task.outcome.residuals;
        match eraser.residuals(store, at).await {
            Ok(told) => residuals.extend(&told),
            // What was done there is done: a place that cannot be asked any more does not undo it.
            Err(Fault::Block(_)) => residuals.add(ResidualKind::Unknown, None),
            Err(fault @ (Fault::Conflict | Fault::Reject { .. } | Fault::Retry { .. })) => {
                return Err(fault);
            }
        }
        for (what, lasts) in &store.copies {
            residuals.add(*what, lasts.ends_at(at));
        }
        Ok(())
    }

    /// Returns the tasks as a receipt tells them: a blocked one, too, with what its effects left.
    pub(super) async fn with_what_is_left(
        &self,
        request: &Request,
        tasks: &[Task],
    ) -> Result<Vec<Task>, Fault> {
        let mut told = tasks.to_vec();
        for task in told.iter_mut().filter(|task| task.stage.is_blocked()) {
            self.note_what_is_left(request, task, self.clock.now())
                .await?;
        }
        Ok(told)
    }
}

/// Says what is kept of a request's data, and until when.
pub(super) fn exemption(kept: &Retention, request: &Request, count: u64) -> Exemption {
    let from = request.accepted_at.unwrap_or(request.submitted_at);
    Exemption {
        reason: kept.basis.as_str().to_owned(),
        count,
        until: kept.until.ends_at(from),
    }
}
