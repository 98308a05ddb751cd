//! Any item there can be, for round trips.

pub(super) mod sweeps;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use quittance_core::calendar::Zone;
use quittance_core::digest::{Digest, HmacKey, Tag};
use quittance_core::fault::BlockReason;
use quittance_core::hold::{HoldOn, StandingHold};
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::outcome::{
    Attested, Check, CheckMethod, Exemption, ResidualKind, Residuals, TaskOutcome,
};
use quittance_core::peaks::Peaks;
use quittance_core::receipt::Day;
use quittance_core::regime::PauseReason;
use quittance_core::request::{
    Batch, Challenge, DenialReason, Ended, Ending, GateReason, Happening, Hold, Member, Members,
    Outcome, Place, Plan, Request, Right, Stage, TimelineEvent, Urgency,
};
use quittance_core::task::{Amendment, Block, Located, Membership, Task, TaskStage, Was};
use quittance_engine::ledger::{
    ClientToken, Item, Leaf, OutboxRow, ReferenceEntry, Sequenced, SubjectEntry, Suppression,
    Version,
};
use quittance_tlog::Hash;

use super::{decode, encode, place};

/// Fails unless an item that is written reads the same, at its own place.
pub(super) fn survives(item: Item) -> Result<(), TestCaseError> {
    let all = encode(&item, Version(7)).unwrap();
    for (name, value) in place(&item.key()).into_attributes() {
        prop_assert_eq!(all.get(&name), Some(&value));
    }
    let stored = decode(all).unwrap();
    prop_assert_eq!(stored.version, Version(7));
    prop_assert_eq!(stored.item, item);
    Ok(())
}

pub(super) fn request() -> impl Strategy<Value = Request> {
    let identity = (
        id(),
        right(),
        stage(),
        "[a-z-]{2,12}",
        "[a-z]{2}(-[A-Z]{2})?",
    );
    let times = vec(option::of(at()), 8);
    let tags = (tag(), tag(), vec(tag(), 0..4));
    let counts = (any::<u8>(), any::<u32>(), any::<u32>());
    let challenge = option::of((at(), any::<u8>(), any::<bool>()));
    let plan = option::of((digest(), any::<u32>(), option::of(digest())));
    let rest = (
        option::of(at()),
        option::of(gate()),
        option::of(when_ending()),
        at(),
        option::of(prop::sample::select(vec![
            "Europe/Berlin",
            "America/New_York",
        ])),
        option::of(batch()),
    );
    (identity, times, tags, counts, challenge, plan, rest).prop_map(
        |(
            identity,
            times,
            tags,
            counts,
            challenge,
            plan,
            (hold, gate, ending, submitted_at, zone, batch),
        )| {
            let (id, right, stage, regime, locale) = identity;
            let (status_token, commitment, subject_tags) = tags;
            let (codes_sent, events, amendments) = counts;
            Request {
                id,
                right,
                stage,
                regime,
                time_zone: zone.and_then(Zone::parse),
                locale,
                submitted_at,
                accepted_at: times[0],
                verified_at: times[1],
                due_at: times[2],
                extended_to: times[3],
                paused_at: times[1],
                first_effect_at: times[4],
                responded_at: times[5],
                answer: plan.as_ref().map(|plan| plan.0),
                closed_at: times[6],
                challenge: challenge.map(|(expires_at, tries_left, mailed)| Challenge {
                    expires_at,
                    tries_left,
                    mailed,
                }),
                codes_sent,
                status_token,
                mailbox: plan.as_ref().map(|_| commitment),
                commitment,
                subject_tags,
                plan: plan.map(|(data_map, stores, digest)| Plan {
                    data_map,
                    in_force_since: times[0],
                    generation: stores / 2,
                    stores,
                    digest,
                }),
                hold: hold.map(|at| Hold {
                    at,
                    on: times[0].map(|_| commitment),
                }),
                gate,
                ending,
                partial_at: times[7],
                events,
                amendments,
                wake_at: times[7],
                purged_at: times[6],
                attempts: codes_sent,
                block: times[4].map(|at| Block {
                    reason: BlockReason::TooLarge,
                    until: times[5],
                    at,
                }),
                reminded: times[3].map(|_| Urgency::Near),
                batch,
            }
        },
    )
}

pub(super) fn task() -> impl Strategy<Value = Task> {
    let block = option::of((at(), option::of(at())));
    let located = option::of((at(), any::<u32>(), any::<u64>(), tag()));
    let counts = (
        any::<u32>(),
        any::<u8>(),
        any::<u32>(),
        any::<u8>(),
        any::<u8>(),
    );
    let states = (task_stage(), amendment());
    (id(), store(), counts, states, block, located, outcome()).prop_map(
        |(request, store, counts, (stage, amendment), block, located, outcome)| {
            let (wave, round, cursor, attempts, repeats) = counts;
            Task {
                request,
                store,
                wave,
                sweep: match cursor % 3 {
                    0 => Membership::Outside,
                    1 => Membership::Waiting,
                    _ => Membership::Member(cursor),
                },
                swept: (0..cursor % 4).collect(),
                stage,
                block: block.map(|(at, until)| Block {
                    reason: BlockReason::Locked,
                    until,
                    at,
                }),
                generation: cursor / 2,
                round,
                rounds: round,
                cursor,
                attempts,
                repeats,
                amendment,
                located: located.map(|(as_of, parts, matched, manifest)| Located {
                    as_of,
                    parts,
                    matched,
                    manifest,
                    yields: parts % 2 == 0,
                    sweep: (parts % 3 == 0).then_some(parts),
                }),
                settled_at: block.as_ref().and_then(|(_, until)| *until),
                outcome,
            }
        },
    )
}

pub(super) fn event() -> impl Strategy<Value = TimelineEvent> {
    (id(), any::<u32>(), at(), happening()).prop_map(|(request, n, at, what)| TimelineEvent {
        request,
        n,
        at,
        what,
    })
}

pub(super) fn hold() -> impl Strategy<Value = StandingHold> {
    let on = prop_oneof![
        store().prop_map(HoldOn::Store),
        tag().prop_map(HoldOn::Identifier)
    ];
    (on, at()).prop_map(|(on, at)| StandingHold { on, at })
}

pub(super) fn member() -> impl Strategy<Value = Member> {
    (place_in_batch(), id(), option::of(ending())).prop_map(|(place, request, outcome)| Member {
        place,
        request,
        outcome,
    })
}

fn place_in_batch() -> impl Strategy<Value = Place> {
    (id(), any::<u32>()).prop_map(|(batch, n)| Place { batch, n })
}

fn batch() -> impl Strategy<Value = Batch> {
    let members = (any::<[u32; 7]>(), any::<bool>()).prop_map(|(n, untold)| Members {
        count: n[0],
        freed: n[1],
        counted: n[2],
        ended: Ended {
            completed: n[3],
            partial: n[4],
            denied: n[5],
            revoked: n[6],
        },
        untold,
    });
    prop_oneof![
        members.prop_map(Batch::Whole),
        place_in_batch().prop_map(Batch::Member)
    ]
}

pub(super) fn reference() -> impl Strategy<Value = ReferenceEntry> {
    id().prop_map(|request| ReferenceEntry {
        reference: request.reference(),
        request,
    })
}

pub(super) fn token() -> impl Strategy<Value = ClientToken> {
    (tag(), id(), tag(), at()).prop_map(|(token, request, body, expires_at)| ClientToken {
        token,
        request,
        body,
        expires_at,
    })
}

pub(super) fn subject() -> impl Strategy<Value = SubjectEntry> {
    (tag(), id(), right(), at()).prop_map(|(tag, request, right, accepted_at)| SubjectEntry {
        tag,
        request,
        right,
        accepted_at,
    })
}

pub(super) fn outbox() -> impl Strategy<Value = OutboxRow> {
    (leaf_id(), at(), digest()).prop_map(|(leaf, at, statement)| OutboxRow {
        leaf,
        at,
        statement,
    })
}

pub(super) fn leaf() -> impl Strategy<Value = Leaf> {
    let sequenced = (any::<u64>(), digest(), any::<u64>(), digest()).prop_map(
        |(index, leaf_hash, tree_size, root)| Sequenced {
            index,
            leaf_hash,
            tree_size,
            root,
        },
    );
    (leaf_id(), digest(), option::of(sequenced)).prop_map(|(id, statement, sequenced)| Leaf {
        id,
        statement,
        sequenced,
    })
}

pub(super) fn suppression() -> impl Strategy<Value = Suppression> {
    (tag(), right(), at(), any::<u32>()).prop_map(|(token, right, since, key_version)| {
        Suppression {
            token,
            right,
            since,
            key_version,
        }
    })
}

fn outcome() -> impl Strategy<Value = TaskOutcome> {
    let exempt = option::of(("[a-z_]{1,20}", any::<u64>(), option::of(at())));
    let evidence = (option::of(digest()), any::<u64>());
    let check = option::of((at(), at(), any::<u64>(), any::<u64>()));
    let attested = option::of((tag(), at()));
    let residuals = option::of(option::of(at())).prop_map(|pitr| {
        let mut residuals = Residuals::default();
        if let Some(until) = pitr {
            residuals.add(ResidualKind::Pitr, until);
        }
        residuals
    });
    let members = vec(digest(), 0..9).prop_map(|leaves| {
        let mut peaks = Peaks::default();
        for leaf in leaves {
            peaks.push(Hash::new(*leaf.as_bytes()));
        }
        peaks
    });
    let evidence = (evidence, residuals, members);
    (vec(any::<u64>(), 7), exempt, attested, evidence, check).prop_map(
        |(counts, exempt, attested, (evidence, residuals, member_roots), check)| TaskOutcome {
            matched: counts[0],
            deleted: counts[1],
            redacted: counts[2],
            pseudonymised: counts[3] / 2,
            residuals,
            exported: counts[3],
            flagged: counts[4],
            shared: counts[5],
            before: evidence.0.map(|_| counts[6]),
            after: evidence.0.map(|_| counts[5]),
            exempt: exempt.map(|(reason, count, until)| Exemption {
                reason,
                count,
                until,
            }),
            attested: attested.map(|(statement, at)| Attested { statement, at }),
            evidence_root: evidence.0,
            evidence_count: evidence.1,
            member_roots,
            check: check.map(|(as_of, at, residual_matches, arrived_since)| Check {
                method: CheckMethod::IndexQuery,
                as_of,
                at,
                residual_matches,
                arrived_since,
            }),
        },
    )
}

fn id() -> impl Strategy<Value = RequestId> {
    any::<[u8; 16]>().prop_map(RequestId::new)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::new)
}

fn tag() -> impl Strategy<Value = Tag> {
    any::<[u8; 4]>().prop_map(|bytes| HmacKey::new([1; 32]).tag("test", &[&bytes]))
}

fn store() -> impl Strategy<Value = StoreId> {
    "[a-z][a-z0-9_-]{0,63}".prop_map(|text| StoreId::parse(&text).unwrap())
}

fn at() -> impl Strategy<Value = Timestamp> {
    (0_i64..250_000_000_000, 0_i32..1_000_000_000)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

fn leaf_id() -> impl Strategy<Value = LeafId> {
    (id(), 0_u32..6).prop_map(|(id, n)| match n {
        0 => LeafId::Acceptance(id),
        1 => LeafId::Outcome(id),
        5 => LeafId::Manifest(Day::of(Timestamp::UNIX_EPOCH)),
        n => LeafId::Amendment(id, n),
    })
}

fn right() -> impl Strategy<Value = Right> {
    prop::sample::select(Right::ALL.to_vec())
}

fn gate() -> impl Strategy<Value = GateReason> {
    use GateReason::{Ambiguous, BlastRadius, EarlierAccess, Held};
    prop::sample::select(vec![Ambiguous, BlastRadius, EarlierAccess, Held])
}

fn amendment() -> impl Strategy<Value = Amendment> {
    use Amendment::{Made, NotNeeded, Owed};
    prop::sample::select(vec![NotNeeded, Owed, Made])
}

fn when_ending() -> impl Strategy<Value = Ending> {
    prop_oneof![Just(Ending::Revoked), denial().prop_map(Ending::Denied)]
}

fn denial() -> impl Strategy<Value = DenialReason> {
    prop::sample::select(DenialReason::ALL.to_vec())
}

fn ending() -> impl Strategy<Value = Outcome> {
    use Outcome::{Completed, Denied, Partial, Revoked};
    prop::sample::select(vec![Completed, Partial, Denied, Revoked])
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        Just(Stage::Draft),
        Just(Stage::Accepted),
        Just(Stage::Locating),
        Just(Stage::Gated),
        Just(Stage::Acting),
        ending().prop_map(Stage::Sealing),
        ending().prop_map(Stage::Closed),
    ]
}

fn task_stage() -> impl Strategy<Value = TaskStage> {
    prop::sample::select(vec![
        TaskStage::Pending,
        TaskStage::Located,
        TaskStage::Acting,
        TaskStage::Done,
        TaskStage::Exempt,
        TaskStage::Blocked(Was::Pending),
        TaskStage::Blocked(Was::Located),
        TaskStage::Blocked(Was::Acting),
    ])
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Accepted),
        Just(Happening::Held),
        Just(Happening::IdentityConfirmed),
        Just(Happening::Reminded(Urgency::Overdue)),
        any::<u32>().prop_map(Happening::Listed),
        digest().prop_map(Happening::Planned),
        gate().prop_map(Happening::GateShut),
        digest().prop_map(Happening::GateOpened),
        at().prop_map(Happening::Extended),
        denial().prop_map(Happening::Denied),
        prop::sample::select(PauseReason::ALL.to_vec()).prop_map(Happening::Paused),
        "[a-z_]{1,9}".prop_map(Happening::RegimeChosen),
        "[a-z]{1,9}".prop_map(Happening::Released),
        ending().prop_map(Happening::Responded),
    ]
}
