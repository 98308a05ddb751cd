//! What cannot go on: tries are counted, and the last one is committed as a block.
//!
//! A block of a task is one store's matter; a block of a request means that its own next step fails,
//! such as an export that is too large. Both are visible, and nothing is announced for ever.

use jiff::{SignedDuration, Timestamp};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::{RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::request::{Happening, Stage};
use quittance_core::task::{Block, Task, TaskEvent};

use crate::change::Change;
use crate::ledger::{Item, Write};
use crate::ports::Ledger;
use crate::reading;

/// Commits that a task cannot go on.
///
/// # Errors
/// What the ledger reports; a conflict means: read again.
pub(crate) async fn block_task(
    ledger: &dyn Ledger,
    now: Timestamp,
    id: RequestId,
    store: &StoreId,
    reason: BlockReason,
) -> Result<(), Fault> {
    let Some((mut task, version)) = reading::task(ledger, id, store).await? else {
        return Ok(());
    };
    if !put_block(&mut task, reason, now) {
        return Ok(());
    }
    ledger
        .commit(&[Write::Replace(Item::Task(task), version)])
        .await
}

/// Blocks a task that is about to be committed. Somebody else may have settled or blocked it
/// meanwhile: then that stands.
pub(crate) fn put_block(task: &mut Task, reason: BlockReason, now: Timestamp) -> bool {
    let Ok(stage) = task.stage.after(TaskEvent::Blocked) else {
        return false;
    };
    task.stage = stage;
    task.attempts = 0;
    task.block = Some(block(reason, now));
    tracing::warn!(request.id = %task.request, store.id = %task.store, block.reason = reason.code(), "task blocked");
    true
}

/// Counts a try of a task without progress; the last one blocks it. Returns how often it was tried.
///
/// # Errors
/// What the ledger reports.
pub(crate) async fn count_task(
    ledger: &dyn Ledger,
    now: Timestamp,
    id: RequestId,
    store: &StoreId,
) -> Result<u8, Fault> {
    let Some((mut task, version)) = reading::task(ledger, id, store).await? else {
        return Ok(0);
    };
    if task.attempts >= MAX_ATTEMPTS {
        block_task(ledger, now, id, store, BlockReason::RetriesExhausted).await?;
        return Ok(0);
    }
    task.attempts += 1;
    let attempts = task.attempts;
    let counted = ledger
        .commit(&[Write::Replace(Item::Task(task), version)])
        .await;
    match counted {
        // Somebody made progress: that resets the count anyway.
        Err(Fault::Conflict) => Ok(0),
        done => done.map(|()| attempts),
    }
}

/// Commits that a request cannot go on by itself.
///
/// # Errors
/// What the ledger reports; a conflict means: read again.
pub(crate) async fn block_request(
    ledger: &dyn Ledger,
    now: Timestamp,
    id: RequestId,
    reason: BlockReason,
) -> Result<(), Fault> {
    let Some((request, version)) = reading::request(ledger, id).await? else {
        return Ok(());
    };
    if request.block.is_some() || request.stage == Stage::Draft {
        return Ok(());
    }
    let mut change = Change::new(request, version);
    change.request.attempts = 0;
    change.request.block = Some(block(reason, now));
    change.note(now, Happening::Stuck(reason));
    tracing::error!(request.id = %id, block.reason = reason.code(), "request blocked");
    change.commit(ledger).await?;
    Ok(())
}

/// Counts a try of a request without progress; the last one blocks it. Returns how often it was tried.
///
/// # Errors
/// What the ledger reports.
pub(crate) async fn count_request(
    ledger: &dyn Ledger,
    now: Timestamp,
    id: RequestId,
) -> Result<u8, Fault> {
    let Some((request, version)) = reading::request(ledger, id).await? else {
        return Ok(0);
    };
    if request.attempts >= MAX_ATTEMPTS {
        block_request(ledger, now, id, BlockReason::RetriesExhausted).await?;
        return Ok(0);
    }
    let mut change = Change::new(request, version);
    change.request.attempts += 1;
    let attempts = change.request.attempts;
    match change.commit(ledger).await {
        Err(Fault::Conflict) => Ok(0),
        done => done.map(|_| attempts),
    }
}

/// Commits what a dead letter was about as blocked: its function died of it again and again.
///
/// # Errors
/// What the ledger reports; the letter must be kept then.
pub(crate) async fn bury(
    ledger: &dyn Ledger,
    now: Timestamp,
    message: &Message,
) -> Result<(), Fault> {
    let reason = BlockReason::RetriesExhausted;
    match message {
        Message::Request { id } => block_request(ledger, now, *id, reason).await,
        Message::Task { id, store } => block_task(ledger, now, *id, store, reason).await,
        // The clock wakes sweeps and the sequencer as long as there is anything for them; a sweep
        // counts how often it announces a shard.
        Message::Sweep { .. } | Message::Shard { .. } | Message::Statements => Ok(()),
    }
}

/// How long to wait before the next try: twice as long each time, at most what a queue can delay.
pub(crate) fn pause(attempts: u8, at_least: u32) -> u32 {
    let doubled = 1_u32.checked_shl(u32::from(attempts)).unwrap_or(u32::MAX);
    doubled.clamp(at_least.min(MAX_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
}

fn block(reason: BlockReason, now: Timestamp) -> Block {
    Block {
        reason,
        until: patience(reason).and_then(|wait| now.saturating_add(wait).ok()),
        at: now,
    }
}

/// How long a blocked task sleeps before it looks again by itself; none: until released.
const fn patience(reason: BlockReason) -> Option<SignedDuration> {
    match reason {
        BlockReason::ArchiveTier | BlockReason::Locked => Some(SignedDuration::from_hours(24)),
        BlockReason::DataArriving => Some(SignedDuration::from_hours(1)),
        BlockReason::AccessDenied
        | BlockReason::AwaitingAttestation
        | BlockReason::ResidualMatches
        | BlockReason::RetriesExhausted
        | BlockReason::SchemaMismatch
        | BlockReason::StoreGone
        | BlockReason::StoreHeld
        | BlockReason::StoreMissing
        | BlockReason::SweepsPaused
        | BlockReason::TableFormat
        | BlockReason::TooLarge
        | BlockReason::UnreadableData
        | BlockReason::UnsafeIdentifier
        | BlockReason::UnsupportedStore
        | BlockReason::UpstreamBlocked => None,
    }
}

/// About four hours, with pauses that double up to a quarter of an hour.
pub(crate) const MAX_ATTEMPTS: u8 = 25;
/// The longest that SQS delays a message.
const MAX_PAUSE_SECONDS: u32 = 900;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_what_a_queue_can_delay() {
        assert_eq!([1, 2, 3, 9].map(|n| pause(n, 1)), [2, 4, 8, 512]);
        assert_eq!([10, 25, 200].map(|n| pause(n, 1)), [900; 3]);
        assert_eq!(pause(1, 60), 60);
        assert_eq!(pause(1, 5_000), 900);
        let patient: u32 = (1..=MAX_ATTEMPTS).map(|n| pause(n, 2)).sum();
        assert!(patient > 4 * 3_600, "{patient} s");
    }
}
