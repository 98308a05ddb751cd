//! A witness: it cosigns a log's checkpoint if that extends the one it cosigned last (C2SP `tlog-witness`).
//!
//! What may be cosigned is decided in [`quittance_tlog::witness`]. Here is the order: decide, sign,
//! remember under the condition that nobody remembered anything else meanwhile, and only then give the
//! cosignature out. Invariant: of any two cosignatures that left the house, the later one's tree extends
//! the earlier one's, whatever dies between two steps and however many processes answer.

use std::sync::Arc;

use quittance_core::fault::Fault;
use quittance_tlog::note::{MAX_NOTE_BYTES, cosignature_message};
use quittance_tlog::witness::{AddCheckpoint, Refusal, Seen, decide};
use quittance_tlog::{Checkpoint, KeyKind, Note, VerifierKey};

use crate::ports::{Clock, Cosigner, WitnessMemory};

#[cfg(test)]
mod tests;

/// A witness of some logs.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Its key.
    pub cosigner: Arc<dyn Cosigner>,
    /// What it cosigned last.
    pub memory: Arc<dyn WitnessMemory>,
    /// The keys of the logs that it knows. Two of one name are one log, whose key is being changed.
    pub logs: Vec<VerifierKey>,
    /// When it cosigns.
    pub clock: Arc<dyn Clock>,
}

/// The answer to one `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status, as HTTP has them.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The body's media type.
    pub media_type: &'static str,
    /// Whether the log showed two histories: what it asked with is the proof, and somebody must look.
    pub alarm: bool,
}

impl Witness {
    /// Answers the body of an `add-checkpoint` request.
    ///
    /// # Errors
    /// What the ports report: nothing was given out, and the log asks again. `Fault::Reject` when the
    /// memory is damaged, or the key cannot cosign.
    pub async fn answer(&self, body: &[u8]) -> Result<Answer, Fault> {
        if body.len() > MAX_BODY_BYTES {
            return Ok(refused(Refusal::Malformed));
        }
        let Some(request) = AddCheckpoint::parse(body) else {
            return Ok(refused(Refusal::Malformed));
        };
        let own = self.own()?;
        Ok(match self.cosign(&request).await? {
            Ok(note) => {
                let lines = note.signatures().iter().filter(|line| own.made(line));
                let lines: Vec<String> = lines.map(|line| format!("{line}\n")).collect();
                Answer {
                    status: 200,
                    body: lines.concat(),
                    media_type: TEXT,
                    alarm: false,
                }
            }
            Err(refusal) => refused(refusal),
        })
    }

    /// Cosigns what a request shows: its note with the cosignature added, or why not.
    ///
    /// # Errors
    /// As for [`Self::answer`].
    pub async fn cosign(&self, request: &AddCheckpoint) -> Result<Result<Note, Refusal>, Fault> {
        let own = self.own()?;
        let origin = request.checkpoint.text().lines().next().unwrap_or_default();
        // Whoever loses against another process decides again, about what that one remembered.
        for _ in 0..TRIES {
            let last = self.memory.last(origin).await?;
            let seen = seen(last.as_deref(), &own, origin)?;
            let checkpoint = match decide(request, &self.logs, seen) {
                Ok(checkpoint) => checkpoint,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let cosigned = self.sign(&own, request.checkpoint.text()).await?;
            // The same tree again is nothing new to remember.
            if last.is_none() || checkpoint.size() != seen.size {
                let new = cosigned.to_string().into_bytes();
                match self.memory.remember(origin, last.as_deref(), &new).await {
                    Ok(()) => {}
                    Err(Fault::Conflict) => continue,
                    Err(fault) => return Err(fault),
                }
            }
            // From here on the cosignature may be seen by anybody.
            let lines = cosigned.signatures().iter().cloned();
            return Ok(Ok(lines.fold(request.checkpoint.clone(), Note::with_line)));
        }
        Err(Fault::retry("others ask this witness about the same log"))
    }

    /// Returns what a log was cosigned at last: where a proof for this witness begins.
    ///
    /// # Errors
    /// As for [`Self::answer`].
    pub async fn seen(&self, origin: &str) -> Result<Seen, Fault> {
        let last = self.memory.last(origin).await?;
        seen(last.as_deref(), &self.own()?, origin)
    }

    /// Makes a note of a checkpoint's text with the cosignature and nothing else.
    async fn sign(&self, own: &VerifierKey, text: &str) -> Result<Note, Fault> {
        let now = u64::try_from(self.clock.now().as_second()).unwrap_or(0);
        let signature = self.cosigner.sign(&cosignature_message(text, now)).await?;
        let failed = |why: String| Fault::reject(format!("the witness's key: {why}"));
        let signature: [u8; 64] = signature
            .try_into()
            .map_err(|_| failed("not an Ed25519 signature".to_owned()))?;
        let note = Note::unsigned(text).map_err(|error| failed(error.to_string()))?;
        note.with_cosignature(own, now, &signature)
            .map_err(|error| failed(error.to_string()))
    }

    fn own(&self) -> Result<VerifierKey, Fault> {
        let key = VerifierKey::parse(self.cosigner.vkey())
            .map_err(|error| Fault::reject(format!("the witness's key: {error}")))?;
        match key.kind() {
            KeyKind::CosignatureV1 => Ok(key),
            KeyKind::Ed25519 | KeyKind::CosignatureMlDsa44 => Err(Fault::reject(
                "the witness's key is not an Ed25519 key for cosignatures",
            )),
        }
    }
}

/// Reads what was cosigned last. What is not our own cosigned checkpoint of this log is no memory.
fn seen(last: Option<&[u8]>, own: &VerifierKey, origin: &str) -> Result<Seen, Fault> {
    let Some(bytes) = last else {
        return Ok(Seen::NOTHING);
    };
    let ours = || {
        let note = Note::parse(bytes).ok()?;
        note.verify(std::slice::from_ref(own)).ok()?;
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        (checkpoint.origin() == origin).then(|| Seen {
            size: checkpoint.size(),
            root: checkpoint.root(),
        })
    };
    ours().ok_or_else(|| {
        Fault::reject("what was cosigned last is damaged, or another key's: retire this witness")
    })
}

fn refused(refusal: Refusal) -> Answer {
    let (body, media_type) = refusal.body();
    Answer {
        status: refusal.status(),
        body,
        media_type,
        alarm: refusal.is_alarm(),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
/// Against processes that answer the same log at the same time.
const TRIES: u32 = 4;
/// The longest request: a note, and 63 hashes of 45 bytes.
pub const MAX_BODY_BYTES: usize = MAX_NOTE_BYTES + 4096;
