//! The ports: what the engine needs from the world, named for the purpose.
//!
//! Common contract. A write that returned is durable. Implementations retry transient errors a few
//! times themselves; the [`Fault`] they then return says what to do. After `Fault::Retry` the outcome
//! of a write is *unknown*: callers read before they decide. No port takes or returns an SDK type.
//! Faults and their details never contain personal data. Each use-case holds only the ports it may
//! use, which is how least privilege begins.

use std::collections::BTreeSet;
use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use quittance_core::data_map::Store;
use quittance_core::digest::Tag;
use quittance_core::fault::Fault;
use quittance_core::id::RequestId;
use quittance_core::manifest::{Cursor, Locator, Match};
use quittance_core::message::Message;
use quittance_core::outcome::{CheckMethod, Residuals};
use quittance_core::request::Right;
use quittance_core::subject::Identifiers;
use quittance_core::sweep::ObjectRef;
use serde::{Deserialize, Serialize};

use crate::ledger::{Bookmark, Key, Listing, Page, Stored, Write};
use crate::record::Record;

/// The truth about requests: stages, dates, counters, keyed tags; nothing personal.
#[async_trait]
pub trait Ledger: Debug + Send + Sync {
    /// Reads one item, strongly consistent.
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Fault>;

    /// Reads one page of a listing, at most `limit` items, from the bookmark on.
    /// [`Listing`] says which listings may lag behind.
    async fn list(
        &self,
        listing: &Listing,
        from: Option<&Bookmark>,
        limit: usize,
    ) -> Result<Page, Fault>;

    /// Makes all writes or none. Writes name distinct items, between 1 and
    /// [`crate::ledger::MAX_WRITES`].
    ///
    /// # Errors
    /// `Fault::Conflict` when a guard failed: nothing was written. `Fault::Retry`: unknown.
    async fn commit(&self, writes: &[Write]) -> Result<(), Fault>;
}

/// Queue sends: at least once, in any order, perhaps never (the clock re-announces).
#[async_trait]
pub trait Queues: Debug + Send + Sync {
    /// Sends a message to the queue of `right` (or of the statements, whatever the right), to be
    /// seen after `delay_seconds` (at most 900).
    async fn send(&self, right: Right, message: &Message, delay_seconds: u32) -> Result<(), Fault>;
}

/// The vault as intake sees it: it can put a new request's papers in and never read them again.
#[async_trait]
pub trait Deposit: Debug + Send + Sync {
    /// Makes the request's data key, stores it wrapped, and stores the papers under it as
    /// [`crate::vault::PAPERS`]. The id is new: called once per id, but perhaps again after an
    /// unknown outcome with the same bytes.
    async fn deposit(&self, request: RequestId, papers: &[u8]) -> Result<(), Fault>;
}

/// The vault: everything personal about a request, under the request's own data key.
/// Names are [`crate::vault`]'s; no name contains personal data.
#[async_trait]
pub trait Vault: Debug + Send + Sync {
    /// Stores `bytes` unless the name is taken, and returns what is stored then: the caller's own
    /// bytes, or the earlier writer's.
    async fn keep(&self, request: RequestId, name: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault>;

    /// Reads what is stored under a name, strongly consistent; none when there is nothing, or when
    /// the request was shredded.
    async fn read(&self, request: RequestId, name: &str) -> Result<Option<Vec<u8>>, Fault>;
}

/// The vault as the clock sees it: it can destroy.
#[async_trait]
pub trait Shredder: Debug + Send + Sync {
    /// Destroys the request's data key, then its objects. Again and again is fine.
    async fn shred(&self, request: RequestId) -> Result<(), Fault>;

    /// Lists requests whose key was made before `before`, in some fixed order, at most `limit`,
    /// those after `after` in that order: whoever is not in the ledger was never submitted.
    async fn keys_before(
        &self,
        before: Timestamp,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, Fault>;
}

/// Statements, envelopes and receipts: kept for years, nothing personal.
#[async_trait]
pub trait Evidence: Debug + Send + Sync {
    /// Stores `bytes` unless the path is taken, and returns what is stored then (first write wins).
    async fn keep(&self, path: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault>;

    /// Reads what is stored at a path, strongly consistent.
    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault>;
}

/// What to look for, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The store, as the data map describes it.
    pub store: &'a Store,
    /// The subject's identifiers, given and resolved.
    pub identifiers: &'a Identifiers,
    /// What for: decides when a match counts as [`Match::settled`].
    pub right: Right,
}

/// One page of what a store answers.
#[derive(Clone, Debug)]
pub struct Found {
    /// What matches, each thing once per locate (across pages too, as far as the store allows).
    pub matches: Vec<Match>,
    /// Where the search goes on; none at its end. Every page is read to the end.
    pub next: Option<Cursor>,
    /// How was searched.
    pub method: CheckMethod,
}

/// What became of one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was made now.
    Made,
    /// It had been made before: the thing is gone, masked or flagged already. Success.
    Already,
    /// The thing is no longer this subject's: it was left alone.
    NotTheirs,
}

/// Customers' stores, reading only: all that access may do.
#[async_trait]
pub trait StoreReader: Debug + Send + Sync {
    /// Searches the store, page by page, strongly consistent where the store can.
    async fn locate(&self, question: Question<'_>, from: Option<&Cursor>) -> Result<Found, Fault>;

    /// Reads one located thing; none when it is gone or no longer this subject's.
    async fn read(
        &self,
        question: Question<'_>,
        locator: &Locator,
    ) -> Result<Option<Record>, Fault>;
}

/// Customers' stores, deleting and masking: for deletion only.
#[async_trait]
pub trait StoreEraser: Debug + Send + Sync {
    /// Deletes or masks one located thing, as its store's `deletion` rule says, on condition that
    /// it is still this subject's.
    async fn erase(&self, question: Question<'_>, locator: &Locator) -> Result<Effect, Fault>;

    /// Says which copies of this store's data no effect reaches, and until when one lasts of what
    /// is deleted at `now`: what the place says of itself, not what the data map says of it. An
    /// answer may be some minutes old. A place that will not say is `unknown`.
    async fn residuals(&self, store: &Store, now: Timestamp) -> Result<Residuals, Fault>;
}

/// Customers' stores, setting flags: for opt-out only.
#[async_trait]
pub trait StoreFlagger: Debug + Send + Sync {
    /// Sets the flags of the store's `opt_out` rule on one located thing, on condition that it is
    /// still this subject's.
    async fn flag(&self, question: Question<'_>, locator: &Locator) -> Result<Effect, Fault>;
}

/// A sweep's members, by whose identifiers rows are compared; a member is its place in the list.
#[derive(Clone)]
pub struct Roster {
    /// Keyed hash of the members: the same tag, the same roster.
    pub tag: Tag,
    /// What is known of each member.
    pub members: Vec<Identifiers>,
}

impl Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roster")
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

/// One page of a record store's objects.
#[derive(Clone, Debug)]
pub struct ObjectPage {
    /// The objects and, in a versioned bucket, their older versions; no delete markers.
    pub objects: Vec<ObjectRef>,
    /// Where the listing goes on; none at its end.
    pub next: Option<Cursor>,
}

/// How many of an object's rows are one member's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRows {
    /// The member.
    pub member: u32,
    /// Their rows.
    pub rows: u64,
    /// How many of these are another member's too.
    pub shared: u64,
}

/// Which of the members' rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them, with copies: for access. Copies lack what the store's `access` rule excludes.
    Copies,
    /// Those that the store's `deletion` rule has not dealt with: what it masks everywhere already
    /// is not counted. Counts only.
    Counts,
}

/// What reading an object through came to.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// The entity tag that was read; none when the object is gone.
    pub etag: Option<String>,
    /// How many rows it has; not counted in a table.
    pub rows: u64,
    /// Whose rows it holds, by member.
    pub matched: Vec<MemberRows>,
    /// The matching rows, if they were asked for.
    pub records: Vec<(u32, Record)>,
    /// Of a table: the matching items, each of which is acted on by itself. Not of objects.
    pub located: Vec<(u32, Match)>,
}

/// Stores that sweeps go over, reading only: objects that hold rows of many subjects, and tables
/// that must be read as a whole, whose segments stand for objects.
#[async_trait]
pub trait RecordReader: Debug + Send + Sync {
    /// Lists the store's objects page by page, in the order of their keys, an object's older
    /// versions next to it; of a table, its segments. A page becomes a shard: it holds no more than one worker reads in some
    /// minutes, so a page of large objects is a short one.
    ///
    /// # Errors
    /// `Fault::Block` for what cannot be gone over at all: a table format, a missing bucket.
    async fn objects(&self, store: &Store, from: Option<&Cursor>) -> Result<ObjectPage, Fault>;

    /// Reads one object through, as it is now (an older version: that version), in memory that does
    /// not grow with it, but for the copies.
    ///
    /// # Errors
    /// `Fault::Block` when it cannot be read for certain: an archive tier, corrupt or foreign data,
    /// more to copy than fits. An object that is gone is no error.
    async fn search(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
        wanted: Wanted,
    ) -> Result<Searched, Fault>;
}

/// A rewritten object that nobody sees yet. What is in it is the adapter's own.
#[derive(Clone)]
pub struct Draft {
    /// What reading it through came to.
    pub searched: Searched,
    /// Rows that remain.
    pub after: u64,
    /// The adapter's own note.
    pub note: serde_json::Value,
    /// The new bytes, when they are few enough to be kept here.
    pub body: Vec<u8>,
}

impl Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Draft(***)")
    }
}

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not there any more.
    Gone,
    /// A rewrite of ours made it what it is.
    Rewritten {
        /// The rewrite's marker.
        marker: String,
        /// Its entity tag.
        etag: String,
    },
    /// Anything else.
    Other,
}

/// Record stores, removing rows: for deletion only. A rewrite has two steps, so that the engine can
/// look once more at who must not be touched, and write down what is about to happen.
#[async_trait]
pub trait RecordEraser: Debug + Send + Sync {
    /// Prepares the object without the members' rows (or with their fields masked, as the store's
    /// `deletion` rule says), but for those of `excluded`, who are not counted either. Nothing is
    /// visible yet, and without matches nothing is prepared. What earlier drafts of this object
    /// left behind is cleared away.
    ///
    /// # Errors
    /// As for [`RecordReader::search`]; `Fault::Block` too when a lock forbids the change.
    async fn prepare(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
        excluded: &BTreeSet<u32>,
    ) -> Result<Draft, Fault>;

    /// Puts the draft in the object's place, if that is still what was read, under a marker that
    /// [`RecordEraser::standing`] finds again; the version replaced is deleted. An older version
    /// that holds any of the rows is deleted as a whole instead. Returns the new entity tag; none
    /// when there is no object any more.
    ///
    /// # Errors
    /// `Fault::Conflict` when somebody else changed or removed the object, or cleared the draft
    /// away: nothing happened.
    async fn complete(
        &self,
        store: &Store,
        object: &ObjectRef,
        draft: &Draft,
        marker: &str,
    ) -> Result<Option<String>, Fault>;

    /// Says how the object stands now; finishes what a rewrite of ours left unfinished (the version
    /// replaced not deleted yet).
    async fn standing(&self, store: &Store, object: &ObjectRef) -> Result<Standing, Fault>;
}

/// What a put-if-absent of immutable bytes met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The path was free.
    Written,
    /// The same bytes were there.
    Same,
    /// Other bytes were there: somebody must stop.
    Different,
}

/// The log's public files: tiles, entry bundles, checkpoints; and its staging bundles.
#[async_trait]
pub trait TileStore: Debug + Send + Sync {
    /// Stores an immutable file.
    async fn keep(&self, path: &str, bytes: &[u8]) -> Result<Kept, Fault>;

    /// Reads a file; strongly consistent.
    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault>;

    /// Puts `checkpoint` in place of what was read (none: of nothing).
    ///
    /// # Errors
    /// `Fault::Conflict` when something else is there.
    async fn publish(&self, old: Option<&[u8]>, checkpoint: &[u8]) -> Result<(), Fault>;

    /// Deletes a staging bundle. Again is fine. Only paths under `staging/`.
    async fn discard(&self, path: &str) -> Result<(), Fault>;
}

/// What the head of the log says: the only place where a batch is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// The staging bundle that holds what this checkpoint added; none at the log's birth.
    pub staging: Option<String>,
}

/// Compare-and-swap on the log's head; linearisable across processes.
#[async_trait]
pub trait HeadLock: Debug + Send + Sync {
    /// Reads the head; none before the log is born.
    async fn read(&self) -> Result<Option<Head>, Fault>;

    /// Puts `new` in place of exactly `old` (none: of nothing).
    ///
    /// # Errors
    /// `Fault::Conflict` when the head is another by now. After `Fault::Retry` the outcome is
    /// unknown: drop everything and read.
    async fn swap(&self, old: Option<&Head>, new: &Head) -> Result<(), Fault>;
}

/// The keys of the receipts function: one for statements, one for the log's checkpoints, and perhaps one that
/// signs checkpoints against quantum computers, too.
#[async_trait]
pub trait Signer: Debug + Send + Sync {
    /// The statement key's public half, SPKI in PEM.
    fn statement_key_pem(&self) -> &str;

    /// The log's verifier key (C2SP signed-note vkey).
    fn log_vkey(&self) -> &str;

    /// Signs bytes with ECDSA P-256 over SHA-256; returns the DER signature. It differs every time.
    async fn sign_statement(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault>;

    /// Signs bytes with the log's Ed25519 key; returns the 64-byte signature.
    async fn sign_checkpoint(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault>;

    /// The vkey of the log's ML-DSA-44 key (C2SP cosignature, type 06), of the log's name; none if it has no
    /// such key.
    fn post_quantum_vkey(&self) -> Option<&str> {
        None
    }

    /// Signs bytes with that key (FIPS 204, no pre-hash, no context); returns the 2420-byte signature. It may
    /// differ every time.
    async fn sign_checkpoint_post_quantum(&self, _bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        Err(Fault::reject("this signer has no post-quantum key"))
    }
}

/// The witnesses whose cosignatures a log wants (C2SP `tlog-witness`).
#[async_trait]
pub trait Witnesses: Debug + Send + Sync {
    /// Their verifier keys, in the order in which receipts carry their lines.
    fn vkeys(&self) -> &[String];

    /// Which of them are enough: a policy that trusts the log and names them, with its groups and quorum.
    /// None if all of them must cosign.
    fn policy(&self) -> Option<&quittance_tlog::policy::Policy> {
        None
    }

    /// Posts the body of an `add-checkpoint` request to the n-th of them; returns status and body of
    /// its answer. Nothing is tried twice.
    ///
    /// # Errors
    /// `Fault::Retry` when there is no answer: it may have been heard all the same.
    async fn ask(&self, n: usize, body: &str) -> Result<(u16, String), Fault>;
}

/// A witness's own key.
#[async_trait]
pub trait Cosigner: Debug + Send + Sync {
    /// Its verifier key: a name, and Ed25519 for cosignatures (C2SP signed-note vkey, type 04).
    fn vkey(&self) -> &str;

    /// Signs bytes with Ed25519; returns the 64-byte signature.
    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault>;
}

/// What a witness cosigned last of each log: all that it must never forget.
#[async_trait]
pub trait WitnessMemory: Debug + Send + Sync {
    /// Reads, consistently, the checkpoint of a log that was cosigned last, with the cosignature; none
    /// before the first.
    async fn last(&self, origin: &str) -> Result<Option<Vec<u8>>, Fault>;

    /// Puts `new` in place of exactly `old` (none: of nothing). It is on disk when this returns.
    ///
    /// # Errors
    /// `Fault::Conflict` when another stands there by now. After `Fault::Retry` the outcome is unknown:
    /// read again, and give nothing out.
    async fn remember(&self, origin: &str, old: Option<&[u8]>, new: &[u8]) -> Result<(), Fault>;
}

/// A time-stamping authority (RFC 3161): somebody else's clock.
#[async_trait]
pub trait TimeAuthority: Debug + Send + Sync {
    /// Whose word is believed: the certificates that its answers must lead to.
    fn anchors(&self) -> &quittance_core::receipt::Anchors;

    /// Posts a `TimeStampReq`; returns the body of the answer, as it came and believed by nobody yet.
    /// Nothing is tried twice. Asked again, it answers otherwise, and as well.
    ///
    /// # Errors
    /// `Fault::Retry` when there is no answer: it may have been heard all the same.
    async fn stamp(&self, query: &[u8]) -> Result<Vec<u8>, Fault>;
}

/// A mail to the person. The text says nothing personal beyond what the person must type back.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Where to.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// Same id, same mail: a mailbox may drop the second one.
    pub id: String,
}

impl Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Mails to people: at least once.
#[async_trait]
pub trait Mailer: Debug + Send + Sync {
    /// Hands a mail over.
    async fn send(&self, mail: &Mail) -> Result<(), Fault>;
}

/// Time and chance.
pub trait Clock: Debug + Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// Fresh random bytes, fit for secrets.
    fn random(&self) -> [u8; 32];
}
