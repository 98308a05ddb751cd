//! Opens one leaf of a receipt's evidence, for a regulator who asks about one thing.
//!
//! Reads only. What an opening shows, and to whom, is `quittance_core::receipt::opening`'s; that the
//! receipt itself verifies, and who may ask, are the caller's.

use quittance_core::fault::Fault;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::manifest::{Locator, Part};
use quittance_core::receipt::{Opening, Statement, evidence_root};

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
    /// the opening's bytes, which verify against that statement and that place. The bytes name the place
    /// to whoever can guess it: hand them to whoever may know it.
    ///
    /// # Errors
    /// [`DeskError::NoOpening`] says why there is none, [`DeskError::NoTask`] for a store that the request
    /// does not concern.
    pub async fn open_evidence(
        &self,
        statement: &Statement,
        store: &StoreId,
        place: &Locator,
    ) -> Result<Vec<u8>, DeskError> {
        let (id, receipt) = match statement {
            Statement::Receipt(about, receipt) | Statement::Amendment(about, receipt) => {
                (about.request, receipt)
            }
            Statement::Acceptance(..) | Statement::Manifest(_) => {
                return Err(DeskError::NoOpening("only receipts have evidence"));
            }
        };
        if receipt.members.is_some() {
            return Err(DeskError::NoOpening("it is a batch's receipt"));
        }
        let (request, _) = self.load(id).await?;
        let task = reading::task(&*self.ledger, id, store).await?;
        let (task, _) = task.ok_or_else(|| DeskError::NoTask(store.clone()))?;
        let papers = Papers::read(&*self.vault, id).await?;
        let papers = papers.ok_or(DeskError::NoOpening(
            "the request's key was destroyed with its papers",
        ))?;
        let leaves = evidence::leaves(&*self.vault, &task).await?;
        // A store may have been worked on since: the statement has a beginning of what there is now.
        let line = receipt.stores.iter().find_map(|line| {
            let count = usize::try_from(line.evidence_count).ok()?;
            let stated = leaves.get(..count).filter(|stated| !stated.is_empty())?;
            (line.evidence_root == Some(evidence_root(stated))).then_some((line, stated))
        });
        let (line, stated) = line.ok_or(DeskError::NoOpening(
            "this statement has no root over the store's evidence: try the newest amendment",
        ))?;
        let key = &papers.evidence_key;
        let opening = Opening::build(key, stated, line, request.right, store, place);
        let opening = opening.ok_or(DeskError::NoOpening(
            "nothing at this place was touched, or its evidence is older than openings",
        ))?;
        let broken =
            |error| Fault::reject(format!("evidence: an opening that opens nothing: {error}"));
        opening.verify(statement, place).map_err(broken)?;
        Ok(opening.to_canonical_bytes().map_err(broken)?)
    }
}
