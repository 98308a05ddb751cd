//! Passes: what a code proved, for half an hour, so that a page needs not ask for one at each step.
//!
//! A pass is derived, not stored: whoever lacks the door's key cannot make one, and none outlives its
//! time. It opens what a status token opens, and nothing else: an export wants a code of its own.

use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::{HmacKey, Tag};
use quittance_core::id::RequestId;

use super::{Intake, IntakeError, Status};
use crate::secrets;

impl Intake {
    /// Confirms as [`Intake::confirm`] does, and hands out a pass.
    ///
    /// # Errors
    /// As [`Intake::confirm`].
    pub async fn enter(
        &self,
        reference: &str,
        code: &str,
    ) -> Result<(Status, String), IntakeError> {
        let status = self.confirm(reference, code).await?;
        let (request, _) = self.find(reference).await?;
        let ends_at = self
            .clock
            .now()
            .saturating_add(PASS_LIFE)
            .unwrap_or(Timestamp::MAX);
        Ok((status, pass(&self.key, request.id, ends_at.as_second())))
    }
}

/// Writes a pass: when it ends, and the proof.
fn pass(key: &HmacKey, request: RequestId, ends_at: i64) -> String {
    format!("{ends_at}-{}", proof(key, request, ends_at))
}

/// Says whether a secret is a pass for this request that has not ended.
pub(super) fn is_pass(key: &HmacKey, request: RequestId, secret: &str, now: Timestamp) -> bool {
    let read = secret
        .split_once('-')
        .and_then(|(ends_at, proof)| Some((ends_at.parse().ok()?, Tag::parse(proof)?)));
    read.is_some_and(|(ends_at, given)| {
        now.as_second() < ends_at && secrets::same(&given, &proof(key, request, ends_at))
    })
}

fn proof(key: &HmacKey, request: RequestId, ends_at: i64) -> Tag {
    let (id, end) = (request.to_string(), ends_at.to_string());
    key.tag("dsr-pass/v1", &[id.as_bytes(), end.as_bytes()])
}

const PASS_LIFE: SignedDuration = SignedDuration::from_mins(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_bound_to_its_request_its_key_and_its_end() {
        let (key, id) = (HmacKey::new([5; 32]), RequestId::new([1; 16]));
        let at = |second| Timestamp::from_second(second).unwrap();
        let good = pass(&key, id, 100);
        assert!(is_pass(&key, id, &good, at(99)));
        assert!(!is_pass(&key, id, &good, at(100)));
        assert!(!is_pass(&key, RequestId::new([2; 16]), &good, at(99)));
        assert!(!is_pass(&HmacKey::new([6; 32]), id, &good, at(99)));
        assert!(!is_pass(&key, id, &good.replace("100-", "999-"), at(99)));
        for rubbish in ["", "-", "100", "100-", "x-y"] {
            assert!(!is_pass(&key, id, rubbish, at(0)), "{rubbish}");
        }
    }
}
