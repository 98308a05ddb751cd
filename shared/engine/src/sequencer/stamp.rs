//! Asking a time-stamping authority, after everything else and in nobody's way (RFC 3161).
//!
//! The signature of every envelope in the log is stamped once, strictly in the log's order: one question
//! after the other, and none after an answer that was not good. So a stamp that is kept shows that all
//! before it are, and a run reads little of what is done. An answer is judged as any reader will judge it
//! before it is kept: the first one stays for ever. What does not hold is an alarm, and kept nowhere.

use jiff::{SignedDuration, Timestamp};
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::receipt::{Envelope, TimestampError, TimestampQuery};

use super::account::said;
use super::{Sequencer, paths};
use crate::ports::{Clock, TimeAuthority};

/// What asking came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamping {
    /// How many time stamps were kept.
    pub stamped: u64,
    /// Why the authority gave none, if it did not: it is asked again at the next run.
    pub away: Option<String>,
    /// The answer that does not hold, and why: somebody must look. It is asked for again all the same.
    pub alarm: Option<(LeafId, String)>,
    /// Whether this run left some to the next one, having done as many as it may.
    pub is_more: bool,
}

/// An authority's answer about one signature.
enum Answer {
    Kept,
    Away(String),
    Alarm(String),
}

impl Sequencer {
    /// Stamps what the log holds and is not stamped yet, as much as one run may, or until the time is out.
    ///
    /// # Errors
    /// What ports report; the next run goes on where this one ended.
    pub async fn stamp(
        &self,
        authority: &dyn TimeAuthority,
        clock: &dyn Clock,
        until: Timestamp,
    ) -> Result<Stamping, Fault> {
        let mut done = Stamping::default();
        let mut at = self.known.stamped.get();
        if at == 0 {
            at = self.done_to(clock.now(), paths::timestamp).await?;
        }
        while let Some(said) = said(&*self.evidence, at).await? {
            at = said.size;
            if let Some(last) = said.entries.last()
                && self.is_stamped(&last.id).await?
            {
                self.known.stamped.reach(at);
                continue;
            }
            for entry in &said.entries {
                let Some(query) = self.unstamped(&entry.id).await? else {
                    continue;
                };
                if done.stamped >= MOST_STAMPS || clock.now() >= until {
                    done.is_more = true;
                    return Ok(done);
                }
                match self.stamp_one(authority, clock, &entry.id, &query).await? {
                    Answer::Kept => done.stamped += 1,
                    Answer::Away(why) => {
                        done.away = Some(why);
                        return Ok(done);
                    }
                    Answer::Alarm(why) => {
                        done.alarm = Some((entry.id, why));
                        return Ok(done);
                    }
                }
            }
            self.known.stamped.reach(at);
        }
        Ok(done)
    }

    async fn is_stamped(&self, leaf: &LeafId) -> Result<bool, Fault> {
        let kept = self.evidence.read(&paths::timestamp(leaf)).await?;
        Ok(kept.is_some())
    }

    /// The question about a leaf's signature; none if it is stamped, or there is nothing to stamp: an
    /// envelope that is gone or damaged is the log's checker's to tell.
    async fn unstamped(&self, leaf: &LeafId) -> Result<Option<TimestampQuery>, Fault> {
        if self.is_stamped(leaf).await? {
            return Ok(None);
        }
        let stored = self.evidence.read(&paths::envelope(leaf)).await?;
        let envelope = stored.and_then(|bytes| Envelope::parse(&bytes).ok());
        Ok(envelope.as_ref().and_then(TimestampQuery::of))
    }

    async fn stamp_one(
        &self,
        authority: &dyn TimeAuthority,
        clock: &dyn Clock,
        leaf: &LeafId,
        query: &TimestampQuery,
    ) -> Result<Answer, Fault> {
        let asked_at = clock.now();
        let answer = match authority.stamp(query.as_bytes()).await {
            Ok(answer) => answer,
            Err(fault @ (Fault::Conflict | Fault::Retry { .. })) => {
                return Ok(Answer::Away(fault.to_string()));
            }
            Err(fault @ (Fault::Block(_) | Fault::Reject { .. })) => return Err(fault),
        };
        let stamped = match query.judge(&answer, authority.anchors()) {
            Ok(stamped) => stamped,
            Err(error) if is_no_answer(&error) => return Ok(Answer::Away(error.to_string())),
            Err(error) => return Ok(Answer::Alarm(error.to_string())),
        };
        // Two clocks that disagree so much cannot both be right, and the stamp would stay for ever.
        let (early, late) = (
            asked_at.duration_since(stamped.at),
            stamped.at.duration_since(clock.now()),
        );
        if early.max(late) > MOST_APART {
            let at = stamped.at;
            return Ok(Answer::Alarm(format!("it says {at}, asked at {asked_at}")));
        }
        // A crash here costs a question: the next run asks again, and gets another answer as good.
        self.evidence.keep(&paths::timestamp(leaf), &answer).await?;
        Ok(Answer::Kept)
    }
}

/// Whether this is how an authority says, or a proxy before it, that there is no stamp to be had now.
fn is_no_answer(error: &TimestampError) -> bool {
    match error {
        TimestampError::Malformed | TimestampError::Refused(_) | TimestampError::TooLong => true,
        TimestampError::Algorithm(_)
        | TimestampError::Altered
        | TimestampError::Expired(..)
        | TimestampError::Nonce
        | TimestampError::OtherData
        | TimestampError::Purpose(_)
        | TimestampError::Receipt
        | TimestampError::Stranger(_) => false,
    }
}

/// Most questions in one run: an authority is somebody else's, and a message has its time.
const MOST_STAMPS: u64 = 128;
/// How far the authority's clock and ours may be apart.
const MOST_APART: SignedDuration = SignedDuration::from_mins(10);
