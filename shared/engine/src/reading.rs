//! Typed reads of the ledger.

use quittance_core::digest::Tag;
use quittance_core::fault::Fault;
use quittance_core::hold::HoldOn;
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::request::{Request, TimelineEvent};
use quittance_core::task::Task;

use crate::ledger::{Item, Key, Leaf, Listing, Stored, Version};
use crate::ports::Ledger;

/// Reads a request.
///
/// # Errors
/// What the ledger reports.
pub async fn request(
    ledger: &dyn Ledger,
    id: RequestId,
) -> Result<Option<(Request, Version)>, Fault> {
    match ledger.load(&Key::Request(id)).await? {
        Some(Stored {
            item: Item::Request(request),
            version,
        }) => Ok(Some((request, version))),
        Some(_) => Err(wrong_kind()),
        None => Ok(None),
    }
}

/// Reads one task.
///
/// # Errors
/// What the ledger reports.
pub async fn task(
    ledger: &dyn Ledger,
    id: RequestId,
    store: &StoreId,
) -> Result<Option<(Task, Version)>, Fault> {
    match ledger.load(&Key::Task(id, store.clone())).await? {
        Some(Stored {
            item: Item::Task(task),
            version,
        }) => Ok(Some((task, version))),
        Some(_) => Err(wrong_kind()),
        None => Ok(None),
    }
}

/// Reads all tasks of a request, by store.
///
/// # Errors
/// What the ledger reports.
pub async fn tasks(ledger: &dyn Ledger, id: RequestId) -> Result<Vec<(Task, Version)>, Fault> {
    let stored = everything(ledger, &Listing::Tasks(id)).await?;
    let mut tasks = Vec::with_capacity(stored.len());
    for Stored { item, version } in stored {
        let Item::Task(task) = item else {
            return Err(wrong_kind());
        };
        tasks.push((task, version));
    }
    Ok(tasks)
}

/// Reads a request's timeline, first things first.
///
/// # Errors
/// What the ledger reports.
pub async fn timeline(ledger: &dyn Ledger, id: RequestId) -> Result<Vec<TimelineEvent>, Fault> {
    let stored = everything(ledger, &Listing::Timeline(id)).await?;
    let mut timeline = Vec::with_capacity(stored.len());
    for Stored { item, .. } in stored {
        let Item::Event(event) = item else {
            return Err(wrong_kind());
        };
        timeline.push(event);
    }
    Ok(timeline)
}

/// Reads a leaf.
///
/// # Errors
/// What the ledger reports.
pub async fn leaf(ledger: &dyn Ledger, id: LeafId) -> Result<Option<Leaf>, Fault> {
    match ledger.load(&Key::Leaf(id)).await? {
        Some(Stored {
            item: Item::Leaf(leaf),
            ..
        }) => Ok(Some(leaf)),
        Some(_) => Err(wrong_kind()),
        None => Ok(None),
    }
}

/// Whether deleting something is held.
///
/// # Errors
/// What the ledger reports.
pub async fn hold(ledger: &dyn Ledger, on: HoldOn) -> Result<bool, Fault> {
    Ok(ledger.load(&Key::Hold(on)).await?.is_some())
}

/// Whether somebody with one of these keyed tags must not be deleted.
///
/// # Errors
/// What the ledger reports.
pub async fn is_held(ledger: &dyn Ledger, tags: &[Tag]) -> Result<bool, Fault> {
    for tag in tags {
        if hold(ledger, HoldOn::Identifier(*tag)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads a listing to its end.
///
/// # Errors
/// What the ledger reports.
pub async fn everything(ledger: &dyn Ledger, listing: &Listing) -> Result<Vec<Stored>, Fault> {
    let mut items = Vec::new();
    let mut from = None;
    loop {
        let page = ledger.list(listing, from.as_ref(), PAGE).await?;
        items.extend(page.items);
        from = page.next;
        if from.is_none() {
            return Ok(items);
        }
    }
}

/// An item of another kind under a key: the adapter is broken, not the caller.
fn wrong_kind() -> Fault {
    Fault::reject("ledger: an item of another kind lies under this key")
}

const PAGE: usize = 100;
