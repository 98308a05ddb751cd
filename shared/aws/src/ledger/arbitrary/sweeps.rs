//! Any sweep there can be, and what belongs to it.

use proptest::option;
use proptest::prelude::*;
use quittance_core::sweep::{
    Cut, Exclusion, Pause, Purpose, Shard, Sweep, SweepId, SweepStage, SweepVault, Waiting,
};

use super::{BlockReason, at, digest, id, right, store, tag};

fn sweep_id() -> impl Strategy<Value = SweepId> {
    (store(), right(), any::<u32>()).prop_map(|(store, right, n)| SweepId { store, right, n })
}

fn stage() -> impl Strategy<Value = SweepStage> {
    use SweepStage::{Done, Opened, Settling, Sharding, Working};
    prop::sample::select(vec![Opened, Sharding, Working, Settling, Done])
}

fn cut() -> impl Strategy<Value = Cut> {
    prop::sample::select(vec![
        Cut::Redescribed,
        Cut::Blocked(BlockReason::TableFormat),
    ])
}

pub(in super::super) fn sweep() -> impl Strategy<Value = Sweep> {
    let names = (sweep_id(), id(), digest(), tag());
    let counts = (any::<u32>(), any::<u32>(), any::<u8>(), any::<u32>());
    let times = (at(), option::of(at()), option::of(at()));
    let forgets = any::<bool>();
    (names, counts, times, stage(), option::of(cut()), forgets).prop_map(
        |(names, counts, times, stage, cut, forgets)| {
            let (id, vault, described, members_tag) = names;
            let (members, cursor, round, shards) = counts;
            let (opened_at, round_at, done_at) = times;
            Sweep {
                id,
                vault,
                purpose: if forgets {
                    Purpose::Forget
                } else {
                    Purpose::Find
                },
                described,
                stage,
                cut,
                opened_at,
                members,
                members_tag,
                cursor,
                round,
                round_at,
                shards,
                first_shard: shards / 2,
                attempts: round / 2,
                done_at,
            }
        },
    )
}

pub(in super::super) fn shard() -> impl Strategy<Value = Shard> {
    let counts = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u8>());
    (sweep_id(), counts, option::of(at())).prop_map(|(sweep, counts, announced_at)| {
        let (k, objects, matched, attempts) = counts;
        Shard {
            sweep,
            k,
            objects,
            cursor: objects / 2,
            results: objects / 3,
            matched,
            attempts,
            announced_at,
        }
    })
}

pub(in super::super) fn waiting() -> impl Strategy<Value = Waiting> {
    (id(), store(), right(), at(), at()).prop_map(|(request, store, right, since, due_at)| {
        Waiting {
            request,
            store,
            right,
            since,
            due_at,
        }
    })
}

pub(in super::super) fn exclusion() -> impl Strategy<Value = Exclusion> {
    (sweep_id(), id(), at()).prop_map(|(sweep, request, at)| Exclusion { sweep, request, at })
}

pub(in super::super) fn pause() -> impl Strategy<Value = Pause> {
    (store(), at()).prop_map(|(store, at)| Pause { store, at })
}

pub(in super::super) fn sweep_vault() -> impl Strategy<Value = SweepVault> {
    (id(), sweep_id()).prop_map(|(vault, sweep)| SweepVault { vault, sweep })
}
