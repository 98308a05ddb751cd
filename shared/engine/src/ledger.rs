//! The ledger's vocabulary: items, keys, versions, writes.
//!
//! Which attributes and keys these become in `DynamoDB` is decided in `quittance-aws`. Every item
//! has a version; every write is guarded by the item's own version, and a commit is all or nothing.

use jiff::Timestamp;
use quittance_core::digest::{Digest, Tag};
use quittance_core::hold::{HoldOn, StandingHold};
use quittance_core::id::{LeafId, Reference, RequestId, StoreId};
use quittance_core::request::{Member, Place, Request, Right, TimelineEvent};
use quittance_core::sweep::{Exclusion, Pause, Shard, Sweep, SweepId, SweepVault, Waiting};
use quittance_core::task::Task;
use serde::{Deserialize, Serialize};

/// How often an item was written: 1 after its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    /// Returns the version after one more write.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Something the ledger keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A request.
    Request(Request),
    /// One store's share of it.
    Task(Task),
    /// An immutable entry of its timeline.
    Event(TimelineEvent),
    /// The public name of a request.
    Reference(ReferenceEntry),
    /// A form's token, so that sending it twice makes one request.
    Token(ClientToken),
    /// An open request by one of its subject's tags.
    Subject(SubjectEntry),
    /// A statement waiting for its signature and place in the log.
    Outbox(OutboxRow),
    /// A statement's permanent place: the log's de-duplication set.
    Leaf(Leaf),
    /// Somebody whose data must not be sold, or must stay deleted.
    Suppression(Suppression),
    /// One pass over a record store.
    Sweep(Sweep),
    /// A bounded piece of a sweep.
    Shard(Shard),
    /// A task that waits for the next sweep of its store.
    Waiting(Waiting),
    /// A member that a sweep must not touch any more.
    Exclusion(Exclusion),
    /// A store that no sweep may touch.
    Pause(Pause),
    /// Which sweep a vault belongs to.
    SweepVault(SweepVault),
    /// Who is the n-th in a batch's list.
    Member(Member),
    /// A hold on a store or an identifier.
    Hold(StandingHold),
}

/// An item's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A request.
    Request(RequestId),
    /// A task.
    Task(RequestId, StoreId),
    /// A timeline entry by its number.
    Event(RequestId, u32),
    /// A reference.
    Reference(Reference),
    /// A client token, by its keyed hash.
    Token(Tag),
    /// An open request of a subject.
    Subject(Tag, RequestId),
    /// An outbox row; rows list in the order of their instants.
    Outbox(Timestamp, LeafId),
    /// A leaf.
    Leaf(LeafId),
    /// A suppression entry by right and keyed hash.
    Suppression(Right, Tag),
    /// A sweep.
    Sweep(SweepId),
    /// A shard by its number.
    Shard(SweepId, u32),
    /// A waiting task.
    Waiting(StoreId, Right, RequestId),
    /// A sweep's excluded member.
    Exclusion(SweepId, RequestId),
    /// A store's pause.
    Pause(StoreId),
    /// A sweep's vault.
    SweepVault(RequestId),
    /// A member of a batch by its place.
    Member(RequestId, u32),
    /// A hold by what it is on.
    Hold(HoldOn),
}

impl Item {
    /// Returns the item's name.
    pub fn key(&self) -> Key {
        match self {
            Self::Request(request) => Key::Request(request.id),
            Self::Task(task) => Key::Task(task.request, task.store.clone()),
            Self::Event(event) => Key::Event(event.request, event.n),
            Self::Reference(entry) => Key::Reference(entry.reference.clone()),
            Self::Token(token) => Key::Token(token.token),
            Self::Subject(entry) => Key::Subject(entry.tag, entry.request),
            Self::Outbox(row) => Key::Outbox(row.at, row.leaf),
            Self::Leaf(leaf) => Key::Leaf(leaf.id),
            Self::Suppression(entry) => Key::Suppression(entry.right, entry.token),
            Self::Sweep(sweep) => Key::Sweep(sweep.id.clone()),
            Self::Shard(shard) => Key::Shard(shard.sweep.clone(), shard.k),
            Self::Waiting(waiting) => {
                Key::Waiting(waiting.store.clone(), waiting.right, waiting.request)
            }
            Self::Exclusion(out) => Key::Exclusion(out.sweep.clone(), out.request),
            Self::Pause(pause) => Key::Pause(pause.store.clone()),
            Self::SweepVault(entry) => Key::SweepVault(entry.vault),
            Self::Member(member) => Key::of_member(member.place),
            Self::Hold(hold) => Key::Hold(hold.on.clone()),
        }
    }
}

impl Key {
    /// The key of a batch's list at one place.
    pub const fn of_member(place: Place) -> Self {
        Self::Member(place.batch, place.n)
    }
}

/// The public name of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceEntry {
    /// The name.
    pub reference: Reference,
    /// The request.
    pub request: RequestId,
}

/// A form's token. The first writer's request is everybody's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// Keyed hash of the token.
    pub token: Tag,
    /// The request it made.
    pub request: RequestId,
    /// Keyed hash of the canonical body: the same token with another body is refused.
    pub body: Tag,
    /// When the token may be forgotten.
    pub expires_at: Timestamp,
}

/// An open request by one of its subject's tags. Deleted when the request is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectEntry {
    /// Keyed tag of one identifier.
    pub tag: Tag,
    /// The request.
    pub request: RequestId,
    /// What it asks for.
    pub right: Right,
    /// When it was accepted: earlier ones go first.
    pub accepted_at: Timestamp,
}

/// A statement waiting for its signature and place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// Which statement.
    pub leaf: LeafId,
    /// When it was committed.
    pub at: Timestamp,
    /// SHA-256 of the unsigned statement; its place in evidence follows from it.
    pub statement: Digest,
}

/// A statement's permanent place. Created together with its outbox row: there is one for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// Which statement.
    pub id: LeafId,
    /// SHA-256 of the unsigned statement.
    pub statement: Digest,
    /// Where it stands in the log, once it does.
    pub sequenced: Option<Sequenced>,
}

/// A leaf's place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequenced {
    /// Its index, from 0.
    pub index: u64,
    /// RFC 6962 leaf hash.
    pub leaf_hash: Digest,
    /// Size of the first tree that holds it.
    pub tree_size: u64,
    /// Root of that tree.
    pub root: Digest,
}

/// Somebody whose data must not be sold (opt-out), or must stay deleted (deletion).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Keyed hash of one identifier.
    pub token: Tag,
    /// Which right put it here.
    pub right: Right,
    /// Since when.
    pub since: Timestamp,
    /// Which key made the token.
    pub key_version: u32,
}

/// An item as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The item.
    pub item: Item,
    /// Its version then.
    pub version: Version,
}

/// One guarded change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Puts an item that must not exist yet.
    Create(Item),
    /// Puts an item in place of exactly this version of itself.
    Replace(Item, Version),
    /// Deletes exactly this version.
    Delete(Key, Version),
    /// Changes nothing, but requires exactly this version.
    Check(Key, Version),
}

impl Write {
    /// Returns the name of the item concerned.
    pub fn key(&self) -> Key {
        match self {
            Self::Create(item) | Self::Replace(item, _) => item.key(),
            Self::Delete(key, _) | Self::Check(key, _) => key.clone(),
        }
    }
}

/// What can be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// A request's tasks, by store; strongly consistent.
    Tasks(RequestId),
    /// A request's timeline, in order; strongly consistent.
    Timeline(RequestId),
    /// Open requests with this subject tag; strongly consistent.
    OpenOf(Tag),
    /// Outbox rows, oldest first; strongly consistent.
    Outbox,
    /// Requests whose `wake_at` is not after this instant, soonest first; may lag.
    Waking(Timestamp),
    /// Requests that are not closed, by due date (drafts last); may lag.
    Open,
    /// Closed requests, latest first; may lag.
    Closed,
    /// Sweeps over a store for a right, latest first; strongly consistent.
    Sweeps(StoreId, Right),
    /// A sweep's shards, in order; strongly consistent.
    Shards(SweepId),
    /// Tasks that wait for a sweep of a store; strongly consistent.
    Waiting(StoreId, Right),
    /// A sweep's excluded members; strongly consistent.
    Exclusions(SweepId),
    /// Holds on stores and identifiers; strongly consistent.
    Holds,
}

/// A bookmark in a listing: opaque to everybody but the adapter that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark(pub String);

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The items.
    pub items: Vec<Stored>,
    /// Where the listing goes on; none at its end.
    pub next: Option<Bookmark>,
}

/// Most writes in one commit (`TransactWriteItems` takes 100).
pub const MAX_WRITES: usize = 100;
