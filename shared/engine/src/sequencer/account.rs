//! The daily manifest: every acceptance of the log, answered or open, told by the one who may sign.
//!
//! Each batch leaves behind what its entries say ([`Said`]), so that a day's account reads one file a
//! batch. The manifest is an ordinary statement: it goes through the outbox, stands in the log, and its
//! receipt is published beside the tiles. Invariant: there is at most one manifest a day, and none before
//! the one before it stands in the log. Whether accounts hold is [`quittance_core::audit`]'s.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;
use jiff::Timestamp;
use quittance_core::account::{Advanced, Book, Entry, Fact};
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::id::{LeafId, RequestId};
use quittance_core::receipt::{
    Checkpoint, Controller, Day, Envelope, Manifest, Minute, Nonce, Statement,
};
use serde::{Deserialize, Serialize};

use super::{Bundle, Placed, Sequencer, paths};
use crate::ledger::{Item, Key, Leaf, OutboxRow, Sequenced, Stored, Write};
use crate::ports::{Clock, Evidence};
use crate::reading;
use crate::statement::{Handler as Software, named};

/// What the entries of one batch say; kept in evidence under the size that the log had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    version: u8,
    /// How many leaves the log has with this batch.
    pub size: u64,
    /// Its root then.
    pub root: Digest,
    /// Who answers for the data, as the batch's last statement says.
    pub controller: Controller,
    /// The entries, in order.
    pub entries: Vec<Entry>,
}

/// What one attempt at a manifest came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounted {
    /// It is committed, and waits for the log.
    Made(Day),
    /// Nothing to do: it is made already, or there is nothing yet to account for.
    Nothing,
    /// The manifest before it is not in the log yet.
    Waiting,
}

/// A manifest that stands in the log, and what was open after it.
struct Last {
    sequenced: Sequenced,
    book: Book,
}

impl Sequencer {
    /// Makes the manifest of the day that ended last, unless it is there.
    ///
    /// # Errors
    /// What ledger and evidence report; `Fault::Reject` when evidence is gone or damaged.
    pub async fn account(&self, clock: &dyn Clock, by: &Software) -> Result<Accounted, Fault> {
        match Day::of(clock.now()).before() {
            Some(yesterday) => self.account_of(yesterday, clock, by).await,
            None => Ok(Accounted::Nothing),
        }
    }

    /// Makes the manifest of a day, unless it is there: an account of everything that the log has by now.
    ///
    /// # Errors
    /// As for [`Self::account`].
    pub async fn account_of(
        &self,
        day: Day,
        clock: &dyn Clock,
        by: &Software,
    ) -> Result<Accounted, Fault> {
        if self.leaf_of(day).await?.is_some() {
            return Ok(Accounted::Nothing);
        }
        // The log's first entry is an acceptance: no day before it has anything to account for.
        let Some(first) = said(&*self.evidence, 0).await? else {
            return Ok(Accounted::Nothing);
        };
        let Some(birth) = birth(&first) else {
            return Err(Fault::reject("log: its first entry is no acceptance"));
        };
        if day < birth {
            return Ok(Accounted::Nothing);
        }
        let last = match self.leaf_before(day, birth).await? {
            Some(Leaf {
                sequenced: None, ..
            }) => return Ok(Accounted::Waiting),
            Some(Leaf {
                statement,
                sequenced: Some(sequenced),
                ..
            }) => Some(Last {
                sequenced,
                book: self.book(&statement).await?,
            }),
            None => None,
        };
        let before = last
            .as_ref()
            .map(|last| last.book.clone())
            .unwrap_or_default();
        let Some((checkpoint, controller, entries)) = self.said_since(before.size).await? else {
            // Only when the manifest before is recorded and its batch's account is not: a restore.
            return Ok(Accounted::Waiting);
        };
        if last
            .as_ref()
            .is_some_and(|last| last.sequenced.index >= checkpoint.size)
        {
            return Ok(Accounted::Waiting);
        }
        let due = self.dues(&before, &entries).await?;
        let Advanced {
            book,
            lines,
            amendments,
        } = before.advance(&entries, &due);
        let inconsistent = |error| Fault::reject(format!("log: the manifest: {error}"));
        let manifest = Manifest {
            nonce: Nonce::new(clock.random()),
            controller,
            log: self.config.origin.clone(),
            checkpoint,
            day,
            previous: last.map(|last| last.sequenced.index),
            lines,
            amendments,
            open_count: u64::try_from(book.open.len()).unwrap_or(u64::MAX),
            open_root: book.open_root().map_err(inconsistent)?,
            handler: named(by)?,
        };
        let statement = Statement::Manifest(manifest);
        let bytes = statement.to_canonical_bytes().map_err(inconsistent)?;
        self.commit_account(day, clock.now(), &bytes, &book).await
    }

    /// Commits a manifest. Two sequencers may compose two; the leaf is created once.
    async fn commit_account(
        &self,
        day: Day,
        at: Timestamp,
        bytes: &[u8],
        book: &Book,
    ) -> Result<Accounted, Fault> {
        let statement = Digest::of(bytes);
        let unwritten = |_| Fault::reject("log: the book was not written");
        let book = serde_json::to_vec(book).map_err(unwritten)?;
        self.evidence
            .keep(&paths::statement(&statement), bytes)
            .await?;
        self.evidence.keep(&paths::book(&statement), &book).await?;
        // A crash before this leaves papers that nothing names; the next attempt makes others.
        let leaf = LeafId::Manifest(day);
        let row = OutboxRow {
            leaf,
            at,
            statement,
        };
        let leaf = Leaf {
            id: leaf,
            statement,
            sequenced: None,
        };
        let writes = [
            Write::Create(Item::Leaf(leaf)),
            Write::Create(Item::Outbox(row)),
        ];
        match self.ledger.commit(&writes).await {
            Ok(()) => Ok(Accounted::Made(day)),
            Err(Fault::Conflict) => Ok(Accounted::Nothing),
            Err(fault) => Err(fault),
        }
    }

    /// Finds the newest manifest before a day, not further back than the log's birth.
    async fn leaf_before(&self, day: Day, birth: Day) -> Result<Option<Leaf>, Fault> {
        let mut at = day;
        while let Some(before) = at.before().filter(|before| *before >= birth) {
            if let Some(leaf) = self.leaf_of(before).await? {
                return Ok(Some(leaf));
            }
            at = before;
        }
        Ok(None)
    }

    pub(super) async fn leaf_of(&self, day: Day) -> Result<Option<Leaf>, Fault> {
        match self.ledger.load(&Key::Leaf(LeafId::Manifest(day))).await? {
            Some(Stored {
                item: Item::Leaf(leaf),
                ..
            }) => Ok(Some(leaf)),
            Some(_) | None => Ok(None),
        }
    }

    pub(super) async fn book(&self, statement: &Digest) -> Result<Book, Fault> {
        let bytes = self.evidence.read(&paths::book(statement)).await?;
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| Fault::reject("log: a manifest's book is gone or damaged"))
    }

    /// Reads what was said from a size on, batch by batch, as far as one manifest can tell.
    async fn said_since(
        &self,
        size: u64,
    ) -> Result<Option<(Checkpoint, Controller, Vec<Entry>)>, Fault> {
        let mut entries = Vec::new();
        let mut found = None;
        let mut at = size;
        while let Some(said) = said(&*self.evidence, at).await? {
            if found.is_some() && entries.len() + said.entries.len() > MOST_ENTRIES {
                // The next day's manifest goes on from here.
                break;
            }
            let checkpoint = Checkpoint {
                size: said.size,
                root: said.root,
            };
            at = said.size;
            entries.extend(said.entries);
            found = Some((checkpoint, said.controller));
        }
        Ok(found.map(|(checkpoint, controller)| (checkpoint, controller, entries)))
    }

    /// When answers are due to what is open, as the ledger says now.
    async fn dues(
        &self,
        before: &Book,
        entries: &[Entry],
    ) -> Result<BTreeMap<RequestId, Minute>, Fault> {
        let ended: BTreeSet<u64> = entries
            .iter()
            .filter_map(|entry| match entry.says {
                Fact::Outcome { acceptance, .. } => Some(acceptance),
                Fact::Acceptance { .. } | Fact::Amendment { .. } | Fact::Manifest => None,
            })
            .collect();
        let older = before
            .open
            .iter()
            .map(|case| (case.line.leaf_index, case.request));
        let newer = (before.size..)
            .zip(entries)
            .filter_map(|(index, entry)| match entry.id {
                LeafId::Acceptance(request) => Some((index, request)),
                LeafId::Outcome(_) | LeafId::Amendment(..) | LeafId::Manifest(_) => None,
            });
        let asks = older
            .chain(newer)
            .filter(|(index, _)| !ended.contains(index))
            .map(|(_, request)| self.due(request).boxed())
            .collect();
        Ok(self.all(asks).await?.into_iter().flatten().collect())
    }

    async fn due(&self, id: RequestId) -> Result<Option<(RequestId, Minute)>, Fault> {
        let request = reading::request(&*self.ledger, id).await?;
        let due = request.and_then(|(request, _)| request.extended_to.or(request.due_at));
        Ok(due.map(|at| (id, Minute::floor(at))))
    }

    /// Keeps what a batch says, for the day's manifest. Anybody who does it writes the same.
    pub(super) async fn keep_said(
        &self,
        bundle: &Bundle,
        places: &[(u64, Placed)],
    ) -> Result<(), Fault> {
        let reads = places
            .iter()
            .map(|(_, placed)| self.statement_of(placed).boxed())
            .collect();
        let statements: Vec<Statement> = self.all(reads).await?;
        let Some(last) = statements.last() else {
            return Ok(());
        };
        let said = Said {
            version: VERSION,
            size: bundle.size,
            root: super::digest(bundle.root()),
            controller: controller(last),
            entries: places
                .iter()
                .zip(&statements)
                .map(|((_, placed), statement)| Entry {
                    id: placed.id,
                    says: Fact::of(statement),
                })
                .collect(),
        };
        let unwritten = |_| Fault::reject("log: what a batch says was not written");
        let bytes = serde_json::to_vec(&said).map_err(unwritten)?;
        self.evidence
            .keep(&paths::said(bundle.old_size), &bytes)
            .await?;
        Ok(())
    }

    async fn statement_of(&self, placed: &Placed) -> Result<Statement, Fault> {
        let stored = self.evidence.read(&paths::envelope(&placed.id)).await?;
        let envelope = stored.and_then(|bytes| Envelope::parse(&bytes).ok());
        let payload = envelope
            .as_ref()
            .and_then(|envelope| envelope.opened().ok());
        let statement = payload.and_then(|opened| Statement::parse(&opened.payload).ok());
        statement.ok_or_else(|| {
            let id = placed.id;
            Fault::reject(format!(
                "log: halted: {id}: its envelope is gone or damaged"
            ))
        })
    }
}

/// Reads what every entry of the log says, in order.
///
/// # Errors
/// What evidence reports; `Fault::Reject` when some of it is damaged.
pub async fn everything_said(evidence: &dyn Evidence) -> Result<Vec<Entry>, Fault> {
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Some(said) = said(evidence, at).await? {
        at = said.size;
        entries.extend(said.entries);
    }
    Ok(entries)
}

/// Reads what the batch says that began at a size.
pub(super) async fn said(evidence: &dyn Evidence, size: u64) -> Result<Option<Said>, Fault> {
    let Some(bytes) = evidence.read(&paths::said(size)).await? else {
        return Ok(None);
    };
    let damaged = || Fault::reject("log: what a batch says is damaged");
    let said: Said = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
    let added = u64::try_from(said.entries.len()).ok();
    if said.version == VERSION && said.size.checked_sub(size) == added && added > Some(0) {
        Ok(Some(said))
    } else {
        Err(damaged())
    }
}

fn controller(statement: &Statement) -> Controller {
    match statement {
        Statement::Acceptance(_, says) => &says.controller,
        Statement::Receipt(_, says) | Statement::Amendment(_, says) => &says.controller,
        Statement::Manifest(says) => &says.controller,
    }
    .clone()
}

pub(super) fn birth(first: &Said) -> Option<Day> {
    match first.entries.first()?.says {
        Fact::Acceptance { accepted_at, .. } => Some(Day::of(accepted_at.start())),
        Fact::Outcome { .. } | Fact::Amendment { .. } | Fact::Manifest => None,
    }
}

/// As many entries as a manifest's receipt has room for, whatever they say: 1 MiB holds 2,600.
const MOST_ENTRIES: usize = 2048;
const VERSION: u8 = 1;
