//! What must be true of batches after every step.

use std::collections::BTreeMap;

use quittance_core::id::RequestId;
use quittance_core::request::{Ended, Member, Members, Outcome, Request, Stage};
use quittance_core::task::Task;
use quittance_engine::ledger::Item;

use crate::World;

/// Checks every invariant of batches.
pub(super) fn check(world: &World, findings: &mut Vec<String>) {
    let mut requests: BTreeMap<RequestId, Request> = BTreeMap::new();
    let mut members: BTreeMap<RequestId, Vec<Member>> = BTreeMap::new();
    let mut tasks: BTreeMap<RequestId, Vec<Task>> = BTreeMap::new();
    for stored in world.ledger.everything() {
        if let Item::Request(request) = stored.item {
            requests.insert(request.id, request);
        } else if let Item::Member(member) = stored.item {
            members.entry(member.place.batch).or_default().push(member);
        } else if let Item::Task(task) = stored.item {
            tasks.entry(task.request).or_default().push(task);
        }
    }
    for request in requests.values() {
        if let Some(sums) = request.members() {
            let list = members.remove(&request.id).unwrap_or_default();
            check_batch(request, sums, &list, &requests, &tasks, findings);
        }
        if let Some(place) = request.place()
            && !requests.contains_key(&place.batch)
            && request.stage != Stage::Draft
        {
            findings.push(format!("{}: a member of no batch", request.id));
        }
    }
}

fn check_batch(
    batch: &Request,
    sums: &Members,
    list: &[Member],
    requests: &BTreeMap<RequestId, Request>,
    tasks: &BTreeMap<RequestId, Vec<Task>>,
    findings: &mut Vec<String>,
) {
    let mut must = |holds: bool, what: &str| {
        if !holds {
            findings.push(format!("{}: {what}", batch.id));
        }
    };
    let places: Vec<u32> = list.iter().map(|member| member.place.n).collect();
    let complete = places == (0..sums.count).collect::<Vec<_>>();
    must(
        batch.stage == Stage::Draft || complete,
        "an accepted batch with gaps in its list",
    );
    for member in list {
        let Some(own) = requests.get(&member.request) else {
            must(false, "a member is gone");
            continue;
        };
        must(
            (own.stage != Stage::Draft) == (member.place.n < sums.freed),
            "who was let go, and who is a request, disagree",
        );
        let ended = match own.stage {
            // What is done after all is told by the list, and changes no stage.
            Stage::Closed(Outcome::Partial) => {
                matches!(member.outcome, Some(Outcome::Partial | Outcome::Completed))
            }
            Stage::Closed(outcome) => member.outcome == Some(outcome),
            Stage::Draft
            | Stage::Accepted
            | Stage::Locating
            | Stage::Gated
            | Stage::Acting
            | Stage::Sealing(_) => member.outcome.is_none(),
        };
        must(ended, "the list says otherwise than the member");
    }
    let counted = list.iter().filter(|member| member.place.n < sums.counted);
    let mut ended = Ended::default();
    let mut deleted = 0;
    for member in counted {
        match member.outcome {
            Some(outcome) => ended.count(outcome),
            None => must(false, "somebody was summed up before they ended"),
        }
        let own = tasks.get(&member.request).into_iter().flatten();
        deleted += own.map(|task| task.outcome.deleted).sum::<u64>();
    }
    must(
        ended == sums.ended,
        "the sums count otherwise than the list",
    );
    let own = tasks.get(&batch.id).into_iter().flatten();
    let told: u64 = own.map(|task| task.outcome.deleted).sum();
    must(
        sums.counted == 0 || told == deleted,
        "the sums over the stores are not what the members come to",
    );
    let sealed = matches!(batch.stage, Stage::Sealing(_) | Stage::Closed(_));
    must(
        !sealed || batch.ending.is_some() || sums.untold || sums.counted == sums.count,
        "sealed before everybody ended",
    );
}
