//! Asking witnesses, after everything else and in nobody's way (C2SP `tlog-witness`).
//!
//! The published checkpoint is shown to each witness that has not cosigned it; when a quorum has, it is
//! published anew with their lines, and every receipt that stands in its tree is stored once more, once,
//! proven against it. Lines that come later are added to the checkpoint alone. One that has seen another
//! history is an alarm, quorum or not: what it was shown, and what it holds, cannot both be the log.

use futures::FutureExt as _;
use jiff::Timestamp;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::receipt::Day;
use quittance_tlog::policy::PolicyError;
use quittance_tlog::witness::AddCheckpoint;
use quittance_tlog::{
    Checkpoint, KeyKind, Note, NoteError, SignatureLine, VerifierKey, consistency_proof,
    consistency_proof_paths,
};

use super::account::said;
use super::keys::Keys;
use super::prove::Against;
use super::{Sequencer, paths};
use crate::ports::{Clock, Witnesses};

/// What asking came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cosigned {
    /// The size that a quorum of the witnesses has cosigned; none if too few have.
    pub size: Option<u64>,
    /// How many receipts were stored with cosignatures.
    pub upgraded: u64,
    /// Witnesses that did not answer as they should: asked again at the next run.
    pub away: Vec<String>,
    /// Witnesses that hold another history of this log, each with its answer's status.
    pub alarms: Vec<(String, u16)>,
}

/// One witness's answer.
enum Answer {
    Line(Box<SignatureLine>),
    Away,
    Alarm(u16),
}

impl Sequencer {
    /// Shows the published checkpoint to the witnesses, all at once, and upgrades receipts when a quorum
    /// has cosigned it.
    ///
    /// # Errors
    /// What ports report; the next run begins anew. `Fault::Reject` when a witness's key is none, or the
    /// witnesses' policy can never be met.
    pub async fn cosign(
        &self,
        witnesses: &dyn Witnesses,
        clock: &dyn Clock,
    ) -> Result<Cosigned, Fault> {
        let keys = Keys::of(&*self.signer, &self.config)?;
        let trusted = vkeys(witnesses)?;
        let mut cosigned = Cosigned::default();
        let Some(published) = self.tiles.read(paths::CHECKPOINT).await? else {
            return Ok(cosigned);
        };
        let signed = keys.open(&published)?;
        let (checkpoint, shown) = (signed.checkpoint, signed.note);
        if trusted.is_empty() || checkpoint.size() == 0 {
            return Ok(cosigned);
        }
        let missing = trusted.iter().enumerate().filter(|(_, key)| {
            let one = std::slice::from_ref(*key);
            shown.verify(one).is_err()
        });
        let missing: Vec<(usize, &VerifierKey)> = missing.collect();
        let work = missing
            .iter()
            .map(|(n, key)| self.ask(witnesses, *n, key, &shown, &checkpoint).boxed())
            .collect();
        let answers = self.all(work).await?;
        let mut note = shown.clone();
        for ((_, key), answer) in missing.iter().zip(answers) {
            match answer {
                Answer::Line(line) => note = note.with_line(*line),
                Answer::Away => cosigned.away.push(key.name().to_owned()),
                Answer::Alarm(status) => cosigned.alarms.push((key.name().to_owned(), status)),
            }
        }
        let present = trusted.iter().filter(|key| {
            let one = std::slice::from_ref(*key);
            note.verify(one).is_ok()
        });
        let present: Vec<VerifierKey> = present.cloned().collect();
        let Some(exact) = exactly(&note, &signed.log, &present) else {
            return Err(Fault::reject("log: a cosigned checkpoint lost a line"));
        };
        if !is_quorum(witnesses, &exact, trusted.len(), present.len())? {
            return Ok(cosigned);
        }
        let bytes = note.to_string().into_bytes();
        if bytes != published {
            match self.tiles.publish(Some(&published), &bytes).await {
                // A longer log was published meanwhile: its checkpoint is asked for next time.
                Ok(()) | Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault),
            }
        }
        cosigned.size = Some(checkpoint.size());
        let against = Against {
            keys: &keys,
            log: &signed.log,
            witnesses: &present,
            note: &exact,
            size: checkpoint.size(),
        };
        cosigned.upgraded = self.upgrade(&against, clock.now()).await?;
        Ok(cosigned)
    }

    /// Asks one witness: from nothing, and then from where it says that it stands.
    async fn ask(
        &self,
        witnesses: &dyn Witnesses,
        n: usize,
        key: &VerifierKey,
        note: &Note,
        checkpoint: &Checkpoint,
    ) -> Result<Answer, Fault> {
        let mut old_size = 0;
        for _ in 0..TRIES {
            let request = AddCheckpoint {
                old_size,
                proof: self.extension(checkpoint.size(), old_size).await?,
                checkpoint: note.clone(),
            };
            let (status, body) = match witnesses.ask(n, &request.to_string()).await {
                Ok(answer) => answer,
                Err(Fault::Conflict | Fault::Retry { .. }) => return Ok(Answer::Away),
                Err(fault @ (Fault::Block(_) | Fault::Reject { .. })) => return Err(fault),
            };
            match status {
                200 => {
                    let line = body
                        .lines()
                        .filter_map(|line| SignatureLine::parse(line).ok());
                    let line = line.filter(|line| key.made(line)).find(|line| {
                        let alone = note.clone().with_line(line.clone());
                        alone.verify(std::slice::from_ref(key)).is_ok()
                    });
                    return Ok(line.map_or(Answer::Away, |line| Answer::Line(Box::new(line))));
                }
                409 => match body.trim_end().parse::<u64>() {
                    // It stands at our size, or beyond it, and still refuses: another history, unless
                    // it saw what we publish next; then that is what will be asked for.
                    Ok(size) if size == old_size => return Ok(Answer::Alarm(status)),
                    Ok(size) if size > checkpoint.size() => return self.beyond(size).await,
                    Ok(size) => old_size = size,
                    Err(_) => return Ok(Answer::Away),
                },
                // The log's own proof between its own checkpoints: it cannot be wrong.
                422 => return Ok(Answer::Alarm(status)),
                _ => return Ok(Answer::Away),
            }
        }
        Ok(Answer::Away)
    }

    /// A witness stands beyond what was published when it was asked: fine only if the log does, too.
    async fn beyond(&self, size: u64) -> Result<Answer, Fault> {
        let kept = self.tiles.read(&paths::checkpoint_of(size)).await?;
        Ok(if kept.is_some() {
            Answer::Away
        } else {
            Answer::Alarm(409)
        })
    }

    async fn extension(
        &self,
        size: u64,
        old_size: u64,
    ) -> Result<Vec<quittance_tlog::Hash>, Fault> {
        if old_size == 0 {
            return Ok(Vec::new());
        }
        let failed = |error| Fault::reject(format!("log: a consistency proof: {error}"));
        let wanted = consistency_proof_paths(size, old_size).map_err(failed)?;
        let tiles = self.read_tiles(wanted).await?;
        consistency_proof(size, old_size, &tiles).map_err(failed)
    }

    /// Stores receipts with cosignatures, in the order of the log, from where that was done last.
    async fn upgrade(&self, against: &Against<'_>, now: Timestamp) -> Result<u64, Fault> {
        let mut at = self.known.upgraded.get();
        if at == 0 {
            at = self.done_to(now, paths::witnessed).await?;
        }
        let mut upgraded = 0;
        while at < against.size {
            let Some(said) = said(&*self.evidence, at).await? else {
                break;
            };
            let work = (at..against.size)
                .zip(&said.entries)
                .map(|(index, entry)| self.upgrade_one(against, index, entry.id).boxed())
                .collect();
            let done: Vec<bool> = self.all(work).await?;
            upgraded += u64::try_from(done.iter().filter(|done| **done).count()).unwrap_or(0);
            at = said.size;
            if at <= against.size {
                self.known.upgraded.reach(at);
            }
        }
        Ok(upgraded)
    }

    async fn upgrade_one(
        &self,
        against: &Against<'_>,
        index: u64,
        leaf: LeafId,
    ) -> Result<bool, Fault> {
        let place = paths::witnessed(&leaf);
        if self.evidence.read(&place).await?.is_some() {
            return Ok(false);
        }
        // What cannot be proven anew keeps the receipt that it has.
        let Some(file) = self.prove(against, index, &leaf).await? else {
            return Ok(false);
        };
        self.evidence.keep(&place, &file).await?;
        Ok(true)
    }

    /// Up to where something is done for every leaf for sure, if it is done in the order of the log and
    /// leaves a file at `place`: what the newest manifest accounts for, for whose own leaf it was done.
    pub(super) async fn done_to(
        &self,
        now: Timestamp,
        place: fn(&LeafId) -> String,
    ) -> Result<u64, Fault> {
        let Some(first) = said(&*self.evidence, 0).await? else {
            return Ok(0);
        };
        let Some(birth) = super::account::birth(&first) else {
            return Ok(0);
        };
        let mut at = Day::of(now);
        while at >= birth {
            let leaf = LeafId::Manifest(at);
            if self.evidence.read(&place(&leaf)).await?.is_some()
                && let Some(leaf) = self.leaf_of(at).await?
            {
                return Ok(self.book(&leaf.statement).await?.size);
            }
            match at.before() {
                Some(before) => at = before,
                None => break,
            }
        }
        Ok(0)
    }
}

pub(super) fn vkeys(witnesses: &dyn Witnesses) -> Result<Vec<VerifierKey>, Fault> {
    let parse = |vkey: &String| {
        let wrong = |error| Fault::reject(format!("a witness's key: {error}"));
        let key = VerifierKey::parse(vkey).map_err(wrong)?;
        // Receipts carry no other kind.
        if key.kind() == KeyKind::CosignatureV1 {
            Ok(key)
        } else {
            Err(wrong(NoteError::KeyKind))
        }
    };
    witnesses.vkeys().iter().map(parse).collect()
}

/// Whether those who cosigned are enough: for the witnesses' policy, or, without one, all of them.
///
/// # Errors
/// `Fault::Reject` when the policy can never be met: it trusts another log, or asks for witnesses that
/// nobody asks.
pub(super) fn is_quorum(
    witnesses: &dyn Witnesses,
    exact: &Note,
    asked: usize,
    present: usize,
) -> Result<bool, Fault> {
    let Some(policy) = witnesses.policy() else {
        return Ok(present == asked);
    };
    match policy.evaluate(exact) {
        // A receipt is upgraded once: not before there is a cosignature to upgrade it with.
        Ok(_) => Ok(present > 0),
        Err(PolicyError::Quorum) if present < asked => Ok(false),
        Err(error) => Err(Fault::reject(format!("the witnesses' policy: {error}"))),
    }
}

/// The note with the log's line and one line of each witness, in their order, and no other.
pub(super) fn exactly(note: &Note, log: &VerifierKey, witnesses: &[VerifierKey]) -> Option<Note> {
    let mut exact = Note::unsigned(note.text()).ok()?;
    for key in std::iter::once(log).chain(witnesses) {
        let line = note.signatures().iter().find(|line| key.made(line))?;
        exact = exact.with_line(line.clone());
    }
    Some(exact)
}

/// From nothing, from where the witness stands, and once more if it moved.
const TRIES: u32 = 3;
