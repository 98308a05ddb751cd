//! Opens one leaf of a receipt's evidence, for a regulator who asks about one thing.
//!
//! Reads only. What an opening shows, and to whom, is `quittance_core::receipt::opening`'s; that the
//! receipt itself verifies, and who may ask, are the caller's.

use futures::future::try_join_all;
use quittance_core::digest::{Digest, HmacKey, Tag};
use quittance_core::fault::Fault;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::manifest::{Locator, Part};
use quittance_core::receipt::{Opening, Statement, StoreLine, evidence_root, members_root};
use quittance_core::request::{Outcome, Request};
use quittance_core::task::Task;

use super::{Desk, DeskError};
use crate::papers::{Papers, parse_json};
use crate::{evidence, reading, vault};

impl Desk {
    /// Lists the places in a store that a request's manifests name, in their order, under the data map
    /// that it was worked under last: what can be opened. Personal: keys may hold identifiers.
    ///
    /// # Errors
    /// [`DeskError::NoTask`] for a store that the request does not concern.
    pub async fn places(
        &self,
        request: RequestId,
        store: &StoreId,
    ) -> Result<Vec<Locator>, DeskError> {
        let task = reading::task(&*self.ledger, request, store).await?;
        let (task, _) = task.ok_or_else(|| DeskError::NoTask(store.clone()))?;
        let mut places = Vec::new();
        for round in 1..=task.rounds {
            for part in 0.. {
                let name = vault::manifest_part(&task, round, part);
                let Some(bytes) = self.vault.read(request, &name).await? else {
                    break;
                };
                let part: Part = parse_json(&bytes)?;
                places.extend(part.matches.into_iter().map(|found| found.locator));
            }
        }
        Ok(places)
    }

    /// Opens the leaf of one touched thing under the root that a receipt or amendment states; returns
    /// the opening's bytes, which verify against that statement and that place. Of a batch's, `member` says
    /// whose thing it was; every member's record is read then. The bytes name the place to whoever can guess
    /// it: hand them to whoever may know it.
    ///
    /// # Errors
    /// [`DeskError::NoOpening`] says why there is none, [`DeskError::NoTask`] for a store that the request
    /// does not concern.
    pub async fn open_evidence(
        &self,
        statement: &Statement,
        store: &StoreId,
        place: &Locator,
        member: Option<RequestId>,
    ) -> Result<Vec<u8>, DeskError> {
        let (id, receipt) = match statement {
            Statement::Receipt(about, receipt) | Statement::Amendment(about, receipt) => {
                (about.request, receipt)
            }
            Statement::Acceptance(..) | Statement::Manifest(_) => {
                return Err(DeskError::NoOpening("only receipts have evidence"));
            }
        };
        let opening = match (&receipt.members, member) {
            (None, None) => {
                let found = self.evidence_of(id, store).await?;
                // A store may have been worked on since: the statement has a beginning of what there is now.
                let line = receipt.stores.iter().find_map(|line| {
                    Some((line, found.stated(line.evidence_count, line.evidence_root)?))
                });
                let (line, stated) = line.ok_or(CHANGED)?;
                found.open(stated, line, store, place)?
            }
            (Some(_), Some(member)) => {
                let found = self.evidence_of(member, store).await?;
                let of = found.request.place().filter(|of| of.batch == id);
                let of = of.ok_or(DeskError::NoOpening(
                    "that request is no member of this batch",
                ))?;
                let (roots, index) = self.roots(id, of.n, store).await?;
                let root = Some(members_root(&roots));
                let line = receipt
                    .stores
                    .iter()
                    .find(|line| line.evidence_root == root);
                let line = line.ok_or(CHANGED)?;
                let done = &found.task.outcome;
                let stated = found.stated(done.evidence_count, done.evidence_root);
                let opening = found.open(stated.ok_or(CHANGED)?, line, store, place)?;
                opening.in_batch(&roots, index, line).ok_or(CHANGED)?
            }
            (Some(_), None) => {
                return Err(DeskError::NoOpening(
                    "it is a batch's receipt: name the member whose evidence it is",
                ));
            }
            (None, Some(_)) => {
                return Err(DeskError::NoOpening(
                    "it is one person's receipt, and has no members",
                ));
            }
        };
        let broken =
            |error| Fault::reject(format!("evidence: an opening that opens nothing: {error}"));
        opening.verify(statement, place).map_err(broken)?;
        Ok(opening.to_canonical_bytes().map_err(broken)?)
    }

    /// Reads what a request touched in a store, and the key of its leaves.
    async fn evidence_of(&self, id: RequestId, store: &StoreId) -> Result<Found, DeskError> {
        let (request, _) = self.load(id).await?;
        let task = reading::task(&*self.ledger, id, store).await?;
        let (task, _) = task.ok_or_else(|| DeskError::NoTask(store.clone()))?;
        let papers = Papers::read(&*self.vault, id).await?;
        let papers = papers.ok_or(DeskError::NoOpening(
            "the request's key was destroyed with its papers",
        ))?;
        Ok(Found {
            leaves: evidence::leaves(&*self.vault, &task).await?,
            request,
            task,
            key: papers.evidence_key,
        })
    }

    /// Reads the roots over what was touched in a store for each member of a batch, in the order in which they
    /// were summed up; and which of them is the `n`-th member's.
    async fn roots(
        &self,
        batch: RequestId,
        n: u32,
        store: &StoreId,
    ) -> Result<(Vec<Digest>, usize), DeskError> {
        let (request, _) = self.load(batch).await?;
        let count = request.members().ok_or(DeskError::NoBatch)?.count;
        let (mut roots, mut index) = (Vec::new(), None);
        let all: Vec<u32> = (0..count).collect();
        for some in all.chunks(AT_ONCE) {
            let reads = some.iter().map(|of| self.root(batch, *of, store));
            for (of, root) in some.iter().zip(try_join_all(reads).await?) {
                if *of == n {
                    index = root.map(|_| roots.len());
                }
                roots.extend(root);
            }
        }
        Ok((roots, index.ok_or(CHANGED)?))
    }

    async fn root(
        &self,
        batch: RequestId,
        n: u32,
        store: &StoreId,
    ) -> Result<Option<Digest>, Fault> {
        let Some(member) = self.member(batch, n).await? else {
            return Ok(None);
        };
        match member.outcome {
            Some(Outcome::Completed | Outcome::Partial) => {
                let task = reading::task(&*self.ledger, member.request, store).await?;
                Ok(task.and_then(|(task, _)| task.outcome.evidence_root))
            }
            Some(Outcome::Denied | Outcome::Revoked) | None => Ok(None),
        }
    }
}

/// What one request touched in one store.
struct Found {
    request: Request,
    task: Task,
    leaves: Vec<Tag>,
    key: HmacKey,
}

impl Found {
    /// Returns the first leaves, if there are so many and they have this root.
    fn stated(&self, count: u64, root: Option<Digest>) -> Option<&[Tag]> {
        let stated = self.leaves.get(..usize::try_from(count).ok()?)?;
        let stands = !stated.is_empty() && root == Some(evidence_root(stated));
        stands.then_some(stated)
    }

    fn open(
        &self,
        stated: &[Tag],
        line: &StoreLine,
        store: &StoreId,
        place: &Locator,
    ) -> Result<Opening, DeskError> {
        let right = self.request.right;
        Opening::build(&self.key, stated, line, right, store, place).ok_or(DeskError::NoOpening(
            "nothing at this place was touched, or its evidence is older than openings",
        ))
    }
}

const CHANGED: DeskError = DeskError::NoOpening(
    "this statement has no root over the store's evidence: try the newest amendment",
);
/// How many members' records are read at a time.
const AT_ONCE: usize = 32;
