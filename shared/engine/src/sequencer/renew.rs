//! Proving receipts anew after the log's key was changed, so that the earlier key can be withdrawn.
//!
//! A receipt is proven against the checkpoint that was the newest when it was stored, and names the key that
//! signed that one. Each whose newest proof is under another key than the present one is stored once more,
//! proven against the published checkpoint. Nothing is replaced: of several receipts of one leaf, the one
//! proven against the largest tree is the newest. Invariant: below a mark that holds, every receipt's newest
//! proof is under the mark's key.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::receipt::ReceiptFile;
use quittance_tlog::{Checkpoint, VerifierKey};
use serde::{Deserialize, Serialize};

use super::account::said;
use super::cosign::{exactly, is_quorum, vkeys};
use super::keys::Keys;
use super::prove::Against;
use super::{Refused, Sequencer, paths};
use crate::ports::{Clock, Evidence, Witnesses};

/// What proving anew came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// How many receipts were stored once more.
    pub renewed: u64,
    /// Up to which entry all were looked at; the next run goes on there.
    pub size: u64,
    /// Whether that is the whole log, and nothing was refused: then no receipt needs an earlier key of the
    /// log any more.
    pub is_complete: bool,
    /// Receipts that cannot be proven anew: somebody must look.
    pub refused: Vec<Refused>,
}

impl Sequencer {
    /// Goes on proving receipts anew where the last run stopped, until all are or the time is out. Nothing is
    /// done while the published checkpoint is still signed by an earlier key, or waits for its quorum of the
    /// witnesses: the next leaf, or the next run, changes that.
    ///
    /// # Errors
    /// What ports report; the next run goes on. `Fault::Reject` as for [`Sequencer::cosign`].
    pub async fn renew(
        &self,
        witnesses: Option<&dyn Witnesses>,
        clock: &dyn Clock,
        until: Timestamp,
    ) -> Result<Renewed, Fault> {
        let keys = Keys::of(&*self.signer, &self.config)?;
        let mut renewed = Renewed::default();
        if self.config.earlier.logs().is_empty() {
            // Nothing else could have been signed with.
            renewed.is_complete = true;
            return Ok(renewed);
        }
        let Some(published) = self.tiles.read(paths::CHECKPOINT).await? else {
            return Ok(renewed);
        };
        let signed = keys.open(&published)?;
        if signed.log != keys.log {
            return Ok(renewed);
        }
        let asked = witnesses.map_or(Ok(Vec::new()), vkeys)?;
        let has_signed =
            |key: &&VerifierKey| signed.note.verify(std::slice::from_ref(*key)).is_ok();
        let present: Vec<VerifierKey> = asked.iter().filter(has_signed).cloned().collect();
        let lost = || Fault::reject("log: a cosigned checkpoint lost a line");
        let note = exactly(&signed.note, &keys.log, &present).ok_or_else(lost)?;
        if let Some(witnesses) = witnesses
            && !asked.is_empty()
            && !is_quorum(witnesses, &note, asked.len(), present.len())?
        {
            return Ok(renewed);
        }
        let against = Against {
            keys: &keys,
            log: &keys.log,
            witnesses: &present,
            note: &note,
            size: signed.checkpoint.size(),
        };
        self.renew_all(&against, clock, until, &mut renewed).await?;
        Ok(renewed)
    }

    async fn renew_all(
        &self,
        against: &Against<'_>,
        clock: &dyn Clock,
        until: Timestamp,
        renewed: &mut Renewed,
    ) -> Result<(), Fault> {
        let mut others = BTreeMap::new();
        let earlier = self.config.earlier.logs().iter();
        for key in earlier.filter(|key| *key != against.log) {
            others.insert(format!("{:08x}", key.id()), self.last_mark(key).await?.0);
        }
        let (mut marks, last) = self.last_mark(against.log).await?;
        let last = last.filter(|mark| mark.others == others);
        let mut marked = last.map_or(0, |mark| mark.size);
        renewed.size = marked;
        while renewed.size < against.size {
            let Some(said) = said(&*self.evidence, renewed.size).await? else {
                break;
            };
            let work = (renewed.size..against.size)
                .zip(&said.entries)
                .map(|(index, entry)| self.renew_one(against, index, entry.id).boxed())
                .collect();
            for done in self.all(work).await? {
                match done {
                    Done::Stored => renewed.renewed += 1,
                    Done::Refused(refused) => renewed.refused.push(refused),
                    Done::Nothing => {}
                }
            }
            renewed.size = said.size;
            let is_over = renewed.size >= against.size || clock.now() >= until;
            // What was refused is looked at again by every run, until somebody has looked.
            if renewed.refused.is_empty() && (is_over || renewed.size - marked >= BETWEEN_MARKS) {
                marks += 1;
                marked = renewed.size;
                let mark = Mark {
                    size: marked,
                    others: others.clone(),
                };
                self.keep_mark(against.log, marks, &mark).await?;
            }
            if is_over {
                break;
            }
        }
        renewed.is_complete = renewed.size >= against.size && renewed.refused.is_empty();
        Ok(())
    }

    async fn renew_one(
        &self,
        against: &Against<'_>,
        index: u64,
        leaf: LeafId,
    ) -> Result<Done, Fault> {
        let name = leaf.file_name();
        let Some((newest, times)) = newest(&*self.evidence, &name).await? else {
            // It is about to be stored, under the key of the head; or it never verified.
            return Ok(Done::Nothing);
        };
        if is_under(&newest, against.log) {
            return Ok(Done::Nothing);
        }
        let Some(file) = self.prove(against, index, &leaf).await? else {
            let why = "its receipt cannot be proven anew: is the key of its envelope known here?";
            return Ok(Done::Refused(Refused { leaf, why }));
        };
        // Two runs at once store one each, or the same: either is under the present key.
        self.evidence
            .keep(&paths::renewed(times + 1, &name), &file)
            .await?;
        Ok(Done::Stored)
    }

    /// Finds the last mark under a key, and its number. Marks have no gaps, so it is looked for in doubled
    /// steps, and then in halved ones.
    async fn last_mark(&self, key: &VerifierKey) -> Result<(u64, Option<Mark>), Fault> {
        let (mut last, mut mark, mut step) = (0, None, 1);
        while let Some(there) = self.mark(key, last + step).await? {
            (last, mark) = (last + step, Some(there));
            step *= 2;
        }
        while step > 1 {
            step /= 2;
            if let Some(there) = self.mark(key, last + step).await? {
                (last, mark) = (last + step, Some(there));
            }
        }
        Ok((last, mark))
    }

    async fn mark(&self, key: &VerifierKey, n: u64) -> Result<Option<Mark>, Fault> {
        let Some(bytes) = self.evidence.read(&paths::mark(key.id(), n)).await? else {
            return Ok(None);
        };
        let damaged = |_| Fault::reject("log: a mark of receipts proven anew is damaged");
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    async fn keep_mark(&self, key: &VerifierKey, n: u64, mark: &Mark) -> Result<(), Fault> {
        let unwritten = |_| Fault::reject("log: a mark of receipts proven anew was not written");
        let bytes = serde_json::to_vec(mark).map_err(unwritten)?;
        let place = paths::mark(key.id(), n);
        self.evidence.keep(&place, &bytes).await.map(|_| ())
    }
}

/// How far a run came under a key. It holds while no other key proved anything anew since: one that signs
/// again after another, when a deployment was taken back, begins at the first entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    size: u64,
    /// How many marks there were under each of the earlier keys, by their ids.
    others: BTreeMap<String, u64>,
}

/// What became of one receipt.
enum Done {
    Nothing,
    Stored,
    Refused(Refused),
}

/// Reads the newest receipt of a leaf; none while it is not stored.
///
/// # Errors
/// What the evidence reports.
pub async fn receipt_of(evidence: &dyn Evidence, leaf: &LeafId) -> Result<Option<Vec<u8>>, Fault> {
    receipt_named(evidence, &leaf.file_name()).await
}

/// As [`receipt_of`], by the file's name.
///
/// # Errors
/// What the evidence reports.
pub async fn receipt_named(evidence: &dyn Evidence, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    let newest = newest(evidence, name).await?;
    Ok(newest.map(|(file, _)| file))
}

/// The newest receipt, and how often it was proven anew.
async fn newest(evidence: &dyn Evidence, name: &str) -> Result<Option<(Vec<u8>, u64)>, Fault> {
    let witnessed = format!("{}{name}", paths::WITNESSED);
    let stored = match evidence.read(&witnessed).await? {
        Some(file) => Some(file),
        None => evidence.read(&format!("{}{name}", paths::RECEIPTS)).await?,
    };
    let Some(mut newest) = stored else {
        return Ok(None);
    };
    let mut times = 0;
    while let Some(file) = evidence.read(&paths::renewed(times + 1, name)).await? {
        times += 1;
        // Witnesses may have come later: then that one has their lines.
        if size_of(&file) > size_of(&newest) {
            newest = file;
        }
    }
    Ok(Some((newest, times)))
}

/// The size of the tree that a receipt is proven against; none if it is no receipt.
fn size_of(file: &[u8]) -> Option<u64> {
    let proof = ReceiptFile::parse(file).ok()?.proof()?;
    let checkpoint = Checkpoint::parse(proof.checkpoint.text()).ok()?;
    Some(checkpoint.size())
}

/// Whether a receipt's checkpoint is signed with this key of the log.
fn is_under(file: &[u8], log: &VerifierKey) -> bool {
    let proof = ReceiptFile::parse(file).ok().and_then(|file| file.proof());
    proof.is_some_and(|proof| proof.checkpoint.verify(std::slice::from_ref(log)).is_ok())
}

/// So many entries are looked at before a run notes how far it came: what is looked at twice after a crash.
const BETWEEN_MARKS: u64 = 1024;
