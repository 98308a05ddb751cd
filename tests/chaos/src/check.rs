//! What must be true after every step, whatever happened before it.

mod batches;
mod sweeps;

use std::collections::{BTreeMap, BTreeSet};

use quittance_core::id::{LeafId, RequestId};
use quittance_core::receipt::{Policy, PolicySigner, ReceiptKey, Slug, policy_text, verify};
use quittance_core::regime::{ClockEvent, Regime};
use quittance_core::request::{Outcome, Request, Stage, TimelineEvent};
use quittance_core::task::{Amendment, Task, TaskStage};
use quittance_engine::ledger::{Item, Leaf};
use quittance_engine::memory::log::{LogWorld, check_log};
use quittance_engine::ports::{Signer as _, TimeAuthority as _};
use quittance_engine::sequencer::{EarlierKeys, paths};
use quittance_engine::vault;
use quittance_tlog::VerifierKey;

use crate::World;

/// Everything in the ledger, sorted out.
struct Facts {
    requests: Vec<Request>,
    tasks: BTreeMap<RequestId, Vec<Task>>,
    events: BTreeMap<RequestId, Vec<TimelineEvent>>,
    subjects: Vec<RequestId>,
    leaves: BTreeMap<LeafId, Leaf>,
    outbox: BTreeSet<LeafId>,
    texts: Vec<String>,
}

/// Checks every invariant that needs no signature; cheap enough for after every step.
pub fn check_ledger(world: &World) -> Vec<String> {
    let facts = Facts::gather(world);
    let mut findings = Vec::new();
    for request in &facts.requests {
        facts.check_request(request, &mut findings);
        facts.check_leaves(request, &mut findings);
        for task in facts.tasks_of(request.id) {
            check_task(world, request, task, &mut findings);
        }
    }
    facts.check_canaries(world, &mut findings);
    sweeps::check(world, &mut findings);
    batches::check(world, &mut findings);
    findings
}

/// Checks everything: the ledger, the whole log rebuilt, and every receipt.
pub fn check_world(world: &World) -> Vec<String> {
    let mut findings = check_ledger(world);
    findings.extend(check_log(&LogWorld {
        ledger: &world.ledger,
        evidence: &world.evidence,
        tiles: &world.tiles,
        head: &world.head,
        signer: &*world.signer,
        earlier: &EarlierKeys::default(),
        anchors: Some(world.authority.anchors()),
    }));
    let facts = Facts::gather(world);
    let policy = policy(world);
    let papers = world.vault.everything();
    for request in &facts.requests {
        let kept = papers
            .iter()
            .any(|((id, name), _)| *id == request.id && name == vault::PAPERS);
        if kept == request.purged_at.is_some() {
            findings.push(format!("{}: papers and purged_at disagree", request.id));
        }
        if let Stage::Closed(outcome) = request.stage
            && request.place().is_none()
        {
            check_receipt(world, &policy, request, outcome, &mut findings);
        }
    }
    findings
}

impl Facts {
    fn gather(world: &World) -> Self {
        let mut facts = Self {
            requests: Vec::new(),
            tasks: BTreeMap::new(),
            events: BTreeMap::new(),
            subjects: Vec::new(),
            leaves: BTreeMap::new(),
            outbox: BTreeSet::new(),
            texts: world.queues.bodies(),
        };
        let text = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        for stored in world.ledger.everything() {
            facts.texts.push(match &stored.item {
                Item::Request(item) => text(serde_json::to_string(item)),
                Item::Task(item) => text(serde_json::to_string(item)),
                Item::Event(item) => text(serde_json::to_string(item)),
                Item::Reference(item) => text(serde_json::to_string(item)),
                Item::Token(item) => text(serde_json::to_string(item)),
                Item::Subject(item) => text(serde_json::to_string(item)),
                Item::Outbox(item) => text(serde_json::to_string(item)),
                Item::Leaf(item) => text(serde_json::to_string(item)),
                Item::Suppression(item) => text(serde_json::to_string(item)),
                Item::Sweep(item) => text(serde_json::to_string(item)),
                Item::Shard(item) => text(serde_json::to_string(item)),
                Item::Waiting(item) => text(serde_json::to_string(item)),
                Item::Exclusion(item) => text(serde_json::to_string(item)),
                Item::Pause(item) => text(serde_json::to_string(item)),
                Item::SweepVault(item) => text(serde_json::to_string(item)),
                Item::Member(item) => text(serde_json::to_string(item)),
                Item::Hold(item) => text(serde_json::to_string(item)),
            });
            match stored.item {
                Item::Request(item) => facts.requests.push(item),
                Item::Task(item) => facts.tasks.entry(item.request).or_default().push(item),
                Item::Event(item) => facts.events.entry(item.request).or_default().push(item),
                Item::Subject(item) => facts.subjects.push(item.request),
                Item::Outbox(item) => {
                    facts.outbox.insert(item.leaf);
                }
                Item::Leaf(item) => {
                    facts.leaves.insert(item.id, item);
                }
                Item::Reference(_)
                | Item::Token(_)
                | Item::Suppression(_)
                | Item::Sweep(_)
                | Item::Shard(_)
                | Item::Waiting(_)
                | Item::Exclusion(_)
                | Item::Pause(_)
                | Item::SweepVault(_)
                | Item::Member(_)
                | Item::Hold(_) => {}
            }
        }
        facts
    }

    fn tasks_of(&self, id: RequestId) -> &[Task] {
        self.tasks.get(&id).map_or(&[], Vec::as_slice)
    }

    fn check_request(&self, request: &Request, findings: &mut Vec<String>) {
        let id = request.id;
        let mut must = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{id}: {what}"));
            }
        };
        let tasks = self.tasks_of(id);
        let accepted = !matches!(request.stage, Stage::Draft);
        must(
            !request.stage.is_open() || request.wake_at.is_some(),
            "open, but never wakes",
        );
        must(
            request.accepted_at.is_some() == accepted,
            "accepted_at does not fit the stage",
        );
        must(
            request.due_at.is_some() == accepted,
            "accepted without a due date",
        );
        must(
            request.ending.is_none() || request.first_effect_at.is_none(),
            "denied or revoked, yet touched",
        );
        let acting = tasks
            .iter()
            .any(|task| matches!(task.stage, TaskStage::Acting | TaskStage::Done));
        must(
            !acting || request.first_effect_at.is_some(),
            "effects before first_effect_at",
        );
        let unlocated = tasks.iter().any(|task| !task.stage.is_located());
        let gated = matches!(request.stage, Stage::Gated | Stage::Acting);
        must(
            !(gated && unlocated) || request.partial_at.is_some(),
            "gated before everything is located",
        );
        must(
            !(request.stage == Stage::Gated)
                || request.plan.as_ref().is_some_and(|p| p.digest.is_some()),
            "gated without a plan's digest",
        );
        if let Stage::Sealing(Outcome::Completed) | Stage::Closed(Outcome::Completed) =
            request.stage
        {
            must(!tasks.is_empty(), "completed without tasks");
            must(
                tasks.iter().all(|task| task.stage.is_settled()),
                "completed with open stores",
            );
        }
        if let Stage::Sealing(_) | Stage::Closed(_) = request.stage {
            must(request.responded_at.is_some(), "sealed without an answer");
            must(
                !self.subjects.contains(&id),
                "sealed, but still listed as open",
            );
        }
        let timeline = self.events.get(&id).cloned().unwrap_or_default();
        must(
            !accepted || dates_hold(request, &timeline),
            "the dates are not what the timeline comes to",
        );
        let mut numbers: Vec<u32> = timeline.iter().map(|entry| entry.n).collect();
        numbers.sort_unstable();
        must(
            numbers == (1..=request.events).collect::<Vec<_>>(),
            "the timeline has gaps",
        );
    }

    fn check_leaves(&self, request: &Request, findings: &mut Vec<String>) {
        let id = request.id;
        let mut must = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{id}: {what}"));
            }
        };
        // A member of a batch states nothing by itself.
        let own = request.place().is_none();
        let accepted = own && !matches!(request.stage, Stage::Draft);
        must(
            self.leaves.contains_key(&LeafId::Acceptance(id)) == accepted,
            "acceptance leaf and stage disagree",
        );
        let sealed = own && matches!(request.stage, Stage::Sealing(_) | Stage::Closed(_));
        must(
            self.leaves.contains_key(&LeafId::Outcome(id)) == sealed,
            "outcome leaf and stage disagree",
        );
        let mine = self
            .leaves
            .values()
            .filter(|leaf| leaf.id.request() == Some(id));
        let amendments = mine
            .clone()
            .filter(|leaf| matches!(leaf.id, LeafId::Amendment(..)))
            .count();
        must(
            u32::try_from(amendments) == Ok(request.amendments),
            "amendments are miscounted",
        );
        for leaf in mine {
            let waits = self.outbox.contains(&leaf.id);
            must(
                waits || leaf.sequenced.is_some(),
                "a statement is neither logged nor waiting",
            );
        }
    }

    /// Nothing personal outside the vault and the stores.
    fn check_canaries(&self, world: &World, findings: &mut Vec<String>) {
        for text in &self.texts {
            if has_canary(text.as_bytes()) {
                findings.push(format!("personal data in ledger or queues: {text}"));
            }
        }
        let evidence = world.evidence.everything().into_iter();
        for (path, bytes) in evidence.chain(world.tiles.everything()) {
            if has_canary(&bytes) || has_canary(path.as_bytes()) {
                findings.push(format!("personal data in evidence or log: {path}"));
            }
        }
    }
}

/// Whether anybody who counts again comes to the dates that are stored.
fn dates_hold(request: &Request, timeline: &[TimelineEvent]) -> bool {
    let found = Regime::find(&request.regime, request.right, request.submitted_at);
    let events = ClockEvent::of(request, timeline);
    let zone = request.time_zone.as_ref();
    found
        .ok()
        .and_then(|regime| regime.deadlines(&events, zone))
        .is_some_and(|dates| {
            let stored = (request.due_at, request.extended_to, request.paused_at);
            stored == (Some(dates.due_at), dates.extended_to, dates.paused_at)
        })
}

fn check_task(world: &World, request: &Request, task: &Task, findings: &mut Vec<String>) {
    let mut must = |holds: bool, what: &str| {
        if !holds {
            findings.push(format!("{} {}: {what}", request.id, task.store));
        }
    };
    must(
        task.stage.is_blocked() == task.block.is_some(),
        "blocked without a reason",
    );
    let sealed = matches!(request.stage, Stage::Sealing(_) | Stage::Closed(_));
    must(
        task.amendment == Amendment::NotNeeded || sealed,
        "an amendment before the outcome",
    );
    must(
        !sealed
            || request.ending.is_some()
            || task.stage.is_settled()
            || task.stage.is_blocked()
            || matches!(task.amendment, Amendment::Owed | Amendment::Cleared),
        "sealed, yet neither done, blocked nor owed",
    );
    must(
        request.purged_at.is_none()
            || !matches!(task.amendment, Amendment::Owed | Amendment::Cleared),
        "shredded before its amendment",
    );
    let attested = task.outcome.attested.is_some();
    // The sums of a batch were located by its members.
    let own = request.members().is_none();
    if task.stage == TaskStage::Done && !attested && own {
        must(task.located.is_some(), "done, but never located");
        let check = task.outcome.check.as_ref();
        must(check.is_some(), "done, but never looked at again");
        must(
            check.is_none_or(|check| check.residual_matches == 0),
            "done with residual matches",
        );
    }
    let shredded = request.purged_at.is_some();
    if let Some(located) = task.located.as_ref().filter(|_| !shredded) {
        let kept = world.vault.everything();
        for part in 0..located.parts {
            let name = vault::manifest_part(task, 1, part);
            let stands = kept
                .iter()
                .any(|((id, n), _)| *id == request.id && *n == name);
            must(stands, "located without its manifest");
        }
    }
}

fn check_receipt(
    world: &World,
    policy: &Policy,
    request: &Request,
    outcome: Outcome,
    findings: &mut Vec<String>,
) {
    let files = world.evidence.everything();
    for n in 1..=request.amendments {
        // The newest ones may still wait for the log.
        if let Some(file) = files.get(&paths::receipt(&LeafId::Amendment(request.id, n)))
            && let Some(failed) = verify(file, policy).failed()
        {
            findings.push(format!("{}: amendment {n} fails: {failed:?}", request.id));
        }
    }
    let Some(file) = files.get(&paths::receipt(&LeafId::Outcome(request.id))) else {
        findings.push(format!("{}: closed without a receipt", request.id));
        return;
    };
    let report = verify(file, policy);
    if let Some(failed) = report.failed() {
        findings.push(format!("{}: its receipt fails: {failed:?}", request.id));
    }
    let says = serde_json::to_string(&report.summary).unwrap_or_default();
    if !says.contains(&format!("\"{}\"", outcome.name())) {
        findings.push(format!(
            "{}: its receipt says another outcome: {says}",
            request.id
        ));
    }
}

/// The policy an auditor of this world holds.
///
/// # Panics
/// When the world's own keys cannot be written down.
pub fn policy(world: &World) -> Policy {
    let key = ReceiptKey::from_spki_pem(world.signer.statement_key_pem()).expect("our own key");
    let name = Slug::parse("receipts").expect("a name");
    let vkey = VerifierKey::parse(world.signer.log_vkey()).expect("our own key");
    let text = policy_text(&vkey, &[], &[PolicySigner { name, key }]).expect("our own keys");
    Policy::parse(&text).expect("our own policy")
}

fn has_canary(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    lower.windows(6).any(|window| window == b"canary")
}
