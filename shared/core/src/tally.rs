//! What the members of a batch add up to, store by store.
//!
//! The sums stand where a person's own outcome would: in the tasks of the batch, from which its
//! receipt is drawn. Members who were refused, or withdrew, add nothing.

use quittance_tlog::leaf_hash;

use crate::digest::Digest;
use crate::outcome::{Check, Exemption, TaskOutcome};
use crate::task::{Task, TaskStage};

/// Adds what a member's task came to to the sum over its store.
pub fn add(sum: &mut Task, member: &Task) {
    sum.wave = sum.wave.max(member.wave);
    sum.generation = sum.generation.max(member.generation);
    sum.settled_at = sum.settled_at.max(member.settled_at);
    // One member who is blocked keeps the store from being done; one done is more than exempt.
    match (sum.stage, member.stage) {
        (TaskStage::Blocked(_), _) => {}
        (_, blocked @ TaskStage::Blocked(_)) => {
            sum.stage = blocked;
            sum.block.clone_from(&member.block);
        }
        (TaskStage::Done, _) => {}
        (_, stage) => sum.stage = stage,
    }
    add_outcome(&mut sum.outcome, &member.outcome);
}

fn add_outcome(sum: &mut TaskOutcome, member: &TaskOutcome) {
    sum.matched = sum.matched.saturating_add(member.matched);
    sum.shared = sum.shared.saturating_add(member.shared);
    // Rows of touched objects before and after are not added: members share objects.
    sum.deleted = sum.deleted.saturating_add(member.deleted);
    sum.redacted = sum.redacted.saturating_add(member.redacted);
    sum.pseudonymised = sum.pseudonymised.saturating_add(member.pseudonymised);
    sum.exported = sum.exported.saturating_add(member.exported);
    sum.flagged = sum.flagged.saturating_add(member.flagged);
    sum.exempt = either(
        sum.exempt.take(),
        member.exempt.clone(),
        |a: Exemption, b| Exemption {
            count: a.count.saturating_add(b.count),
            until: a.until.max(b.until),
            reason: a.reason,
        },
    );
    sum.attested = either(sum.attested.take(), member.attested.clone(), |a, b| {
        if a.at >= b.at { a } else { b }
    });
    if let Some(root) = member.evidence_root {
        // What a program without these trees began ends in a digest that stands for its members.
        let begun = sum.evidence_root.filter(|_| sum.member_roots.is_empty());
        for entry in begun.into_iter().chain([root]) {
            sum.member_roots.push(leaf_hash(entry.as_bytes()));
        }
        sum.evidence_root = Some(Digest::new(*sum.member_roots.root().as_bytes()));
    }
    sum.evidence_count = sum.evidence_count.saturating_add(member.evidence_count);
    sum.residuals.extend(&member.residuals);
    sum.check = either(sum.check.take(), member.check.clone(), |a: Check, b| {
        Check {
            method: a.method,
            as_of: a.as_of.min(b.as_of),
            at: a.at.max(b.at),
            residual_matches: a.residual_matches.saturating_add(b.residual_matches),
            arrived_since: a.arrived_since.saturating_add(b.arrived_since),
        }
    });
}

fn either<T>(a: Option<T>, b: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (one, None) | (None, one) => one,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::fault::BlockReason;
    use crate::id::{RequestId, StoreId};
    use crate::outcome::CheckMethod;
    use crate::peaks::Peaks;
    use crate::receipt::members_root;
    use crate::task::{Block, Was};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn task(stage: TaskStage, deleted: u64, from: i64) -> Task {
        let store = StoreId::parse("events").unwrap();
        let mut task = Task::new(RequestId::new([1; 16]), store, 0);
        task.stage = stage;
        task.outcome = TaskOutcome {
            matched: deleted,
            deleted,
            evidence_root: Some(Digest::of(&deleted.to_be_bytes())),
            evidence_count: deleted,
            check: Some(Check {
                method: CheckMethod::Key,
                as_of: at(from),
                at: at(from + 10),
                residual_matches: 0,
                arrived_since: 1,
            }),
            ..TaskOutcome::default()
        };
        task
    }

    #[test]
    fn counts_add_up_and_the_look_back_spans_everybody() {
        let mut sum = Task::new(
            RequestId::new([9; 16]),
            StoreId::parse("events").unwrap(),
            0,
        );
        add(&mut sum, &task(TaskStage::Done, 3, 100));
        add(&mut sum, &task(TaskStage::Done, 4, 50));
        assert_eq!((sum.stage, sum.outcome.deleted), (TaskStage::Done, 7));
        let check = sum.outcome.check.clone().unwrap();
        assert_eq!(
            (check.as_of, check.at, check.arrived_since),
            (at(50), at(110), 2)
        );
        let mut other = Task::new(
            RequestId::new([9; 16]),
            StoreId::parse("events").unwrap(),
            0,
        );
        add(&mut other, &task(TaskStage::Done, 4, 50));
        add(&mut other, &task(TaskStage::Done, 3, 100));
        assert_ne!(
            sum.outcome.evidence_root, other.outcome.evidence_root,
            "in order"
        );
        let roots = [3_u64, 4].map(|deleted| Digest::of(&deleted.to_be_bytes()));
        assert_eq!(sum.outcome.evidence_root, Some(members_root(&roots)));
    }

    #[test]
    fn a_sum_that_an_older_program_began_is_carried_on_from_its_digest() {
        let [first, second, third] = [3_u64, 4, 5].map(|deleted| task(TaskStage::Done, deleted, 1));
        let mut sum = Task::new(
            RequestId::new([9; 16]),
            StoreId::parse("events").unwrap(),
            0,
        );
        add(&mut sum, &first);
        // As such a program kept it: a digest of everybody so far, and no tree under it.
        sum.outcome.member_roots = Peaks::default();
        let begun = sum.outcome.evidence_root.unwrap();
        add(&mut sum, &second);
        add(&mut sum, &third);
        let [_, second, third] = [3_u64, 4, 5].map(|deleted| Digest::of(&deleted.to_be_bytes()));
        assert_eq!(
            sum.outcome.evidence_root,
            Some(members_root(&[begun, second, third]))
        );
        assert_eq!(sum.outcome.evidence_count, 12);
    }

    #[test]
    fn one_blocked_member_blocks_the_sum() {
        let mut blocked = task(TaskStage::Blocked(Was::Acting), 1, 1);
        blocked.block = Some(Block {
            reason: BlockReason::AccessDenied,
            until: None,
            at: at(1),
        });
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let all = [
                task(TaskStage::Done, 1, 1),
                blocked.clone(),
                task(TaskStage::Exempt, 0, 1),
            ];
            let mut sum = Task::new(
                RequestId::new([9; 16]),
                StoreId::parse("events").unwrap(),
                0,
            );
            for n in order {
                add(&mut sum, &all[n]);
            }
            assert!(sum.stage.is_blocked());
            assert_eq!(
                sum.block.map(|block| block.reason),
                Some(BlockReason::AccessDenied)
            );
            assert_eq!(sum.outcome.deleted, 2);
        }
    }
}
