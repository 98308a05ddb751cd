//! A batch: one request for many subjects at once. It is accepted once and answered once; each
//! member goes through the stages as a request of its own, without statements of its own.

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::id::RequestId;

/// What a request has to do with a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// It is one.
    Whole(Members),
    /// It is one subject's share of one.
    Member(Place),
}

/// Whose member, and which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The batch.
    pub batch: RequestId,
    /// The place in its list, from 0.
    pub n: u32,
}

/// How far a batch has got with its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// How many there are.
    pub count: u32,
    /// So many, from the first, were let go.
    pub freed: u32,
    /// So many, from the first, are summed up.
    pub counted: u32,
    /// How these ended.
    pub ended: Ended,
    /// Whether a member's outcome changed since it was summed up and told.
    pub untold: bool,
}

impl Members {
    /// Begins a batch.
    pub fn new(count: u32) -> Self {
        Self {
            count,
            freed: 0,
            counted: 0,
            ended: Ended::default(),
            untold: false,
        }
    }

    /// Begins the sums anew: somebody's outcome is another by now.
    pub fn recount(&mut self) {
        self.counted = 0;
        self.ended = Ended::default();
        self.untold = true;
    }

    /// Says how the batch ends once everybody is summed up: completed if everybody is.
    pub const fn outcome(&self) -> Option<Outcome> {
        if self.counted < self.count {
            None
        } else if self.ended.completed == self.count {
            Some(Outcome::Completed)
        } else {
            Some(Outcome::Partial)
        }
    }
}

/// How many members ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Everything was done.
    pub completed: u32,
    /// Some stores were blocked.
    pub partial: u32,
    /// Refused.
    pub denied: u32,
    /// Withdrawn.
    pub revoked: u32,
}

impl Ended {
    /// Counts one more.
    pub const fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Completed => &mut self.completed,
            Outcome::Partial => &mut self.partial,
            Outcome::Denied => &mut self.denied,
            Outcome::Revoked => &mut self.revoked,
        };
        *counter = counter.saturating_add(1);
    }
}

/// A batch's list, as the ledger keeps it: which request is the n-th member, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where it stands in which list.
    pub place: Place,
    /// Its own request.
    pub request: RequestId,
    /// How it ended, once it did.
    pub outcome: Option<Outcome>,
}

/// Most members of one batch.
pub const MAX_MEMBERS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_complete_when_everybody_is() {
        let mut members = Members::new(3);
        assert_eq!(members.outcome(), None);
        for _ in 0..3 {
            members.ended.count(Outcome::Completed);
            members.counted += 1;
        }
        assert_eq!(members.outcome(), Some(Outcome::Completed));
        members.recount();
        assert_eq!((members.outcome(), members.untold), (None, true));
        for outcome in [Outcome::Completed, Outcome::Denied, Outcome::Completed] {
            members.ended.count(outcome);
            members.counted += 1;
        }
        assert_eq!(members.outcome(), Some(Outcome::Partial));
        assert_eq!(members.ended.denied, 1);
    }
}
