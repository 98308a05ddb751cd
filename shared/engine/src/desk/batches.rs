//! Acts on a batch as a whole: holds reach every member, attestations count for all, and the list
//! of how each ended is read here.

use std::collections::BTreeMap;

use quittance_core::fault::Fault;
use quittance_core::id::{Reference, RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::request::{Happening, Member, Outcome, Stage};
use serde::Serialize;

use super::{CONFLICTS, Desk, DeskError, require_open};
use crate::change::Change;
use crate::ledger::{Item, Key, Stored};
use crate::papers::Papers;
use crate::{reading, vault};

/// How one member of a batch stands. Personal: the label is whatever the list called them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberOutcome {
    /// The place in the list, from 0.
    pub n: u32,
    /// What the list called them; none when it had no ids, or the papers were destroyed.
    pub label: Option<String>,
    /// Their own request.
    pub reference: Reference,
    /// Where it stands: `draft` until the batch lets them go.
    pub stage: &'static str,
    /// How it ended, once it did.
    pub outcome: Option<Outcome>,
    /// What matched, over all stores.
    pub matched: u64,
    /// What was deleted.
    pub deleted: u64,
    /// What lost fields but remains.
    pub redacted: u64,
    /// What got keyed pseudonyms.
    pub pseudonymised: u64,
    /// What was flagged.
    pub flagged: u64,
    /// What is kept for a legal reason.
    pub kept: u64,
    /// The stores that are blocked, and why.
    pub blocked: BTreeMap<StoreId, &'static str>,
}

impl Desk {
    /// Tells how the members of a batch stand, from one place in the list on, at most `limit`.
    ///
    /// # Errors
    /// [`DeskError::NoBatch`].
    pub async fn outcomes(
        &self,
        id: RequestId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<MemberOutcome>, DeskError> {
        let (request, _) = self.load(id).await?;
        let count = request.members().ok_or(DeskError::NoBatch)?.count;
        let mut outcomes = Vec::new();
        for n in from..count.min(from.saturating_add(limit)) {
            // A draft that is still being handed in has a shorter list.
            let Some(member) = self.member(id, n).await? else {
                break;
            };
            outcomes.push(self.outcome(&member).await?);
        }
        Ok(outcomes)
    }

    async fn outcome(&self, member: &Member) -> Result<MemberOutcome, DeskError> {
        let (request, _) = self.load(member.request).await?;
        let papers = Papers::read(&*self.vault, member.request).await?;
        let tasks = reading::tasks(&*self.ledger, member.request).await?;
        let sum = |of: fn(&quittance_core::outcome::TaskOutcome) -> u64| {
            tasks.iter().fold(0, |sum: u64, (task, _)| {
                sum.saturating_add(of(&task.outcome))
            })
        };
        Ok(MemberOutcome {
            n: member.place.n,
            label: papers.and_then(|papers| papers.label),
            reference: member.request.reference(),
            stage: request.stage.name(),
            outcome: member.outcome,
            matched: sum(|says| says.matched),
            deleted: sum(|says| says.deleted),
            redacted: sum(|says| says.redacted),
            pseudonymised: sum(|says| says.pseudonymised),
            flagged: sum(|says| says.flagged),
            kept: sum(|says| says.exempt.as_ref().map_or(0, |exempt| exempt.count)),
            blocked: tasks
                .iter()
                .filter_map(|(task, _)| {
                    let block = task.block.as_ref().filter(|_| task.stage.is_blocked())?;
                    Some((task.store.clone(), block.reason.code()))
                })
                .collect(),
        })
    }

    /// Does the same to every member of a batch that is on its way. Whoever is not let go yet, or has
    /// ended, is left out. Done again after a crash, it goes on.
    pub(super) async fn each_member(
        &self,
        id: RequestId,
        act: impl AsyncFn(RequestId) -> Result<(), DeskError>,
    ) -> Result<(), DeskError> {
        let (request, _) = self.load(id).await?;
        let members = request.members().ok_or(DeskError::NoBatch)?;
        for n in 0..members.freed {
            let Some(member) = self.member(id, n).await? else {
                continue;
            };
            match act(member.request).await {
                Ok(()) | Err(DeskError::WrongStage(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Keeps an attestation that counts for every member of a batch.
    pub(super) async fn attest_for_all(
        &self,
        id: RequestId,
        store: &StoreId,
        statement: &[u8],
    ) -> Result<(), DeskError> {
        let name = vault::attestation(store);
        for _ in 0..CONFLICTS {
            let (request, version) = self.load(id).await?;
            if request.stage != Stage::Draft {
                require_open(&request)?;
            }
            if self.vault.keep(id, &name, statement).await? != statement {
                return Err(DeskError::OtherStatement(store.clone()));
            }
            let right = request.right;
            let now = self.clock.now();
            let mut change = Change::new(request, version);
            change.request.wake_at = Some(now);
            change.note(now, Happening::Attested(store.to_string()));
            match change.commit(&*self.ledger).await {
                Ok(_) => {
                    // Those who wait for it; the clock wakes whoever is not told.
                    return self
                        .each_member(id, async |id| {
                            let message = Message::Request { id };
                            Ok(self.queues.send(right, &message, 0).await?)
                        })
                        .await;
                }
                Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Fault::retry("desk: a batch kept changing").into())
    }

    /// Whether a request is a batch.
    pub(super) async fn is_batch(&self, id: RequestId) -> Result<bool, DeskError> {
        let (request, _) = self.load(id).await?;
        Ok(request.members().is_some())
    }

    pub(super) async fn member(&self, batch: RequestId, n: u32) -> Result<Option<Member>, Fault> {
        Ok(match self.ledger.load(&Key::Member(batch, n)).await? {
            Some(Stored {
                item: Item::Member(member),
                ..
            }) => Some(member),
            Some(_) | None => None,
        })
    }
}
