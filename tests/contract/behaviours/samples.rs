//! Items to commit, and bits to build them from.

use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::{Digest, HmacKey, Tag};
use quittance_core::fault::BlockReason;
use quittance_core::hold::{HoldOn, StandingHold};
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::outcome::{Attested, Check, CheckMethod, Exemption};
use quittance_core::request::{
    Challenge, DenialReason, Ending, GateReason, Happening, Hold, Member, Outcome, Place, Plan,
    Request, Right, Stage, TimelineEvent,
};
use quittance_core::sweep::{
    Cut, Exclusion, Pause, Purpose, Shard, Sweep, SweepId, SweepStage, SweepVault, Waiting,
};
use quittance_core::task::{Block, Located, Membership, Task, TaskStage, Was};
use quittance_engine::ledger::{
    ClientToken, Item, Leaf, OutboxRow, ReferenceEntry, Sequenced, SubjectEntry, Suppression,
};

pub(crate) fn id(n: u8) -> RequestId {
    RequestId::new([n; 16])
}

pub(crate) fn at(minute: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_mins(minute)
}

pub(crate) fn tag(text: &str) -> Tag {
    HmacKey::new([1; 32]).tag("test", &[text.as_bytes()])
}

pub(crate) fn store(text: &str) -> StoreId {
    StoreId::parse(text).unwrap()
}

/// A draft.
pub(crate) fn request(n: u8) -> Request {
    Request {
        id: id(n),
        right: Right::Deletion,
        stage: Stage::Draft,
        regime: "gdpr".to_owned(),
        time_zone: None,
        locale: "en".to_owned(),
        submitted_at: at(0),
        accepted_at: None,
        verified_at: None,
        due_at: None,
        extended_to: None,
        paused_at: None,
        first_effect_at: None,
        responded_at: None,
        answer: None,
        closed_at: None,
        challenge: None,
        codes_sent: 0,
        status_token: tag("status"),
        mailbox: None,
        commitment: tag("commitment"),
        subject_tags: Vec::new(),
        plan: None,
        hold: None,
        gate: None,
        ending: None,
        partial_at: None,
        events: 0,
        amendments: 0,
        wake_at: None,
        purged_at: None,
        attempts: 0,
        block: None,
        reminded: None,
        batch: None,
    }
}

/// An accepted request that is due, and wakes, at given minutes.
pub(crate) fn accepted(n: u8, due: i64, wake: i64) -> Request {
    Request {
        stage: Stage::Accepted,
        accepted_at: Some(at(0)),
        due_at: Some(at(due)),
        wake_at: Some(at(wake)),
        ..request(n)
    }
}

/// A closed request that was closed at a given minute and never wakes.
pub(crate) fn closed(n: u8, minute: i64) -> Request {
    Request {
        stage: Stage::Closed(Outcome::Completed),
        accepted_at: Some(at(0)),
        due_at: Some(at(9_999)),
        closed_at: Some(at(minute)),
        ..request(n)
    }
}

pub(crate) fn task(n: u8, name: &str) -> Task {
    Task::new(id(n), store(name), 0)
}

pub(crate) fn event(request: u8, n: u32) -> TimelineEvent {
    TimelineEvent {
        request: id(request),
        n,
        at: at(i64::from(n)),
        what: Happening::Held,
    }
}

pub(crate) fn subject(tag_of: &str, n: u8) -> SubjectEntry {
    SubjectEntry {
        tag: tag(tag_of),
        request: id(n),
        right: Right::Access,
        accepted_at: at(1),
    }
}

pub(crate) fn row(n: u8, at: Timestamp) -> OutboxRow {
    OutboxRow {
        leaf: LeafId::Acceptance(id(n)),
        at,
        statement: Digest::of(&[n]),
    }
}

pub(crate) fn leaf(n: u8) -> Leaf {
    Leaf {
        id: LeafId::Outcome(id(n)),
        statement: Digest::of(&[n]),
        sequenced: None,
    }
}

/// A checkpoint's bytes; whatever makes the root different makes the checkpoint different.
pub(crate) fn checkpoint(size: u64, root: &str) -> Vec<u8> {
    let root = data_encoding::BASE64.encode(Digest::of(root.as_bytes()).as_bytes());
    format!("log.test/dsr\n{size}\n{root}\n\n\u{2014} log.test/dsr AAAA\n").into_bytes()
}

/// One item of every kind, with every field filled.
pub(crate) fn every_kind() -> Vec<Item> {
    vec![
        Item::Request(full_request()),
        Item::Request(request(2)),
        Item::Task(full_task()),
        Item::Task(task(1, "crm")),
        Item::Event(TimelineEvent {
            request: id(1),
            n: 12,
            at: at(3),
            what: Happening::Denied(DenialReason::NoMatch),
        }),
        Item::Reference(ReferenceEntry {
            reference: id(1).reference(),
            request: id(1),
        }),
        Item::Token(ClientToken {
            token: tag("token"),
            request: id(1),
            body: tag("body"),
            expires_at: at(60),
        }),
        Item::Subject(subject("subject", 1)),
        Item::Outbox(row(1, "2026-11-23T10:00:00.000000001Z".parse().unwrap())),
        Item::Leaf(leaf(1)),
        Item::Leaf(Leaf {
            id: LeafId::Amendment(id(1), 3),
            statement: Digest::of(b"statement"),
            sequenced: Some(Sequenced {
                index: u64::MAX,
                leaf_hash: Digest::of(b"leaf"),
                tree_size: u64::MAX,
                root: Digest::of(b"root"),
            }),
        }),
        Item::Suppression(Suppression {
            token: tag("suppressed"),
            right: Right::OptOut,
            since: at(5),
            key_version: 1,
        }),
        Item::Sweep(Sweep {
            stage: SweepStage::Settling,
            cut: Some(Cut::Blocked(BlockReason::TableFormat)),
            cursor: 3,
            round_at: Some(at(6)),
            shards: 9,
            first_shard: 4,
            done_at: Some(at(7)),
            ..sweep("events", u32::MAX)
        }),
        Item::Sweep(sweep("events", 1)),
        Item::Shard(shard(1, 7)),
        Item::Waiting(waiting("events", 1)),
        Item::Exclusion(exclusion(1, 1)),
        Item::Pause(Pause {
            store: store("events"),
            at: at(8),
        }),
        Item::SweepVault(SweepVault {
            vault: id(9),
            sweep: sweep("events", 1).id,
        }),
        Item::Member(Member {
            place: Place { batch: id(1), n: 7 },
            request: id(2),
            outcome: None,
        }),
        Item::Hold(StandingHold {
            on: HoldOn::Store(store("events")),
            at: at(8),
        }),
        Item::Hold(StandingHold {
            on: HoldOn::Identifier(tag("held")),
            at: at(9),
        }),
    ]
}

/// A sweep that was just opened.
pub(crate) fn sweep(name: &str, n: u32) -> Sweep {
    Sweep {
        id: SweepId {
            store: store(name),
            right: Right::Deletion,
            n,
        },
        vault: id(9),
        purpose: Purpose::Forget,
        described: Digest::of(b"described"),
        stage: SweepStage::Opened,
        cut: None,
        opened_at: at(1),
        members: 3,
        members_tag: tag("members"),
        cursor: 0,
        round: 1,
        round_at: None,
        shards: 0,
        first_shard: 0,
        attempts: 0,
        done_at: None,
    }
}

pub(crate) fn shard(n: u32, k: u32) -> Shard {
    Shard {
        sweep: sweep("events", n).id,
        k,
        objects: 5,
        cursor: 2,
        results: 1,
        matched: u64::MAX,
        attempts: 3,
        announced_at: Some(at(2)),
    }
}

pub(crate) fn waiting(name: &str, request: u8) -> Waiting {
    Waiting {
        request: id(request),
        store: store(name),
        right: Right::Deletion,
        since: at(1),
        due_at: at(9),
    }
}

pub(crate) fn exclusion(n: u32, request: u8) -> Exclusion {
    Exclusion {
        sweep: sweep("events", n).id,
        request: id(request),
        at: at(4),
    }
}

fn full_request() -> Request {
    Request {
        stage: Stage::Sealing(Outcome::Partial),
        accepted_at: Some(at(1)),
        verified_at: Some(at(2)),
        due_at: Some(at(3)),
        extended_to: Some(at(4)),
        paused_at: Some(at(4)),
        time_zone: quittance_core::calendar::Zone::parse("Europe/Berlin"),
        first_effect_at: Some(at(5)),
        responded_at: Some(at(6)),
        answer: Some(Digest::of(b"answer")),
        closed_at: Some(at(7)),
        challenge: Some(Challenge {
            expires_at: at(8),
            tries_left: 3,
            mailed: true,
        }),
        codes_sent: 2,
        subject_tags: vec![tag("a"), tag("b")],
        plan: Some(Plan {
            data_map: Digest::of(b"map"),
            in_force_since: Some(at(2)),
            generation: 1,
            stores: 4,
            digest: Some(Digest::of(b"plan")),
        }),
        hold: Some(Hold {
            at: at(9),
            on: Some(tag("held")),
        }),
        gate: Some(GateReason::Held),
        ending: Some(Ending::Denied(DenialReason::TooManyRequests)),
        partial_at: Some(at(12)),
        events: 7,
        amendments: 1,
        wake_at: Some(at(10)),
        purged_at: Some(at(11)),
        ..request(1)
    }
}

fn full_task() -> Task {
    let mut task = task(1, "orders-eu_2");
    task.wave = 1;
    task.stage = TaskStage::Blocked(Was::Acting);
    task.block = Some(Block {
        reason: BlockReason::Locked,
        until: Some(at(20)),
        at: at(10),
    });
    task.generation = 1;
    task.round = 2;
    task.rounds = 3;
    task.settled_at = Some(at(5));
    task.cursor = 17;
    task.attempts = 4;
    task.sweep = Membership::Member(3);
    task.swept = vec![1, 2];
    task.located = Some(Located {
        as_of: at(4),
        parts: 3,
        matched: u64::MAX,
        manifest: tag("manifest"),
        yields: true,
        sweep: Some(2),
    });
    task.outcome.matched = 9;
    task.outcome.deleted = 8;
    task.outcome.shared = 1;
    task.outcome.before = Some(100);
    task.outcome.after = Some(92);
    task.outcome.exempt = Some(Exemption {
        reason: "tax".to_owned(),
        count: 1,
        until: Some(at(30)),
    });
    task.outcome.attested = Some(Attested {
        statement: tag("attested"),
        at: at(6),
    });
    task.outcome.evidence_root = Some(Digest::of(b"evidence"));
    task.outcome.evidence_count = 8;
    task.outcome.check = Some(Check {
        method: CheckMethod::ListVersions,
        as_of: at(4),
        at: at(7),
        residual_matches: 0,
        arrived_since: 2,
    });
    task
}

/// A log's verifier key: that of the test vectors.
pub(crate) const LOG_VKEY: &str =
    "log.example.test/dsr+9cb34c90+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
