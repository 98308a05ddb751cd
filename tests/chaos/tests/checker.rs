//! Each invariant of the checker, broken once and seen to be found: a checker that was never seen red
//! is none.

use quittance_chaos::World;
use quittance_chaos::check::check_world;
use quittance_chaos::script::{DELETE, all_is_well, asked, now, store};
use quittance_core::id::{LeafId, RequestId};
use quittance_core::request::{Outcome, Request, Right, Stage};
use quittance_core::sweep::{Shard, Sweep, SweepId, SweepStage, Waiting};
use quittance_core::task::{Amendment, Membership, Task, TaskStage};
use quittance_engine::ledger::{Item, Key, Write};
use quittance_engine::ports::Ledger as _;
use quittance_engine::sequencer::paths;

/// The first sweep over the lake, which found; the second forgot.
fn sweep_id(n: u32) -> SweepId {
    SweepId {
        store: store("events"),
        right: Right::Deletion,
        n,
    }
}

/// Breaks a settled world in one way and returns what the checker says about it.
fn broken(spoil: impl FnOnce(&World, RequestId)) -> Vec<String> {
    let world = World::new(2, 1);
    let id = asked(&world, DELETE);
    world.settle();
    all_is_well(&world);
    spoil(&world, id);
    check_world(&world)
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one table of breaks and what is said about each"
)]
fn the_checker_sees_every_kind_of_break() {
    type Spoil = Box<dyn FnOnce(&World, RequestId)>;
    let edit = |change: fn(&mut Request)| -> Spoil {
        Box::new(move |world, id| {
            world.ledger.tamper(&Key::Request(id), |item| {
                if let Item::Request(request) = item {
                    change(request);
                }
            });
        })
    };
    let edit_task = |change: fn(&mut Task)| -> Spoil {
        Box::new(move |world, id| {
            world
                .ledger
                .tamper(&Key::Task(id, store("orders")), |item| {
                    if let Item::Task(task) = item {
                        change(task);
                    }
                });
        })
    };
    let edit_lake = |change: fn(&mut Task)| -> Spoil {
        Box::new(move |world, id| {
            world
                .ledger
                .tamper(&Key::Task(id, store("events")), |item| {
                    if let Item::Task(task) = item {
                        change(task);
                    }
                });
        })
    };
    let edit_sweep = |n: u32, change: fn(&mut Sweep)| -> Spoil {
        Box::new(move |world, _| {
            world.ledger.tamper(&Key::Sweep(sweep_id(n)), |item| {
                if let Item::Sweep(sweep) = item {
                    change(sweep);
                }
            });
        })
    };
    let edit_shard = |change: fn(&mut Shard)| -> Spoil {
        Box::new(move |world, _| {
            world.ledger.tamper(&Key::Shard(sweep_id(2), 0), |item| {
                if let Item::Shard(shard) = item {
                    change(shard);
                }
            });
        })
    };
    let cases: Vec<(&str, Spoil)> = vec![
        (
            "waits without an entry",
            edit_lake(|t| t.sweep = Membership::Waiting),
        ),
        (
            "a member of no open sweep",
            edit_lake(|t| t.sweep = Membership::Member(2)),
        ),
        (
            "more deleted than is gone",
            edit_lake(|t| t.outcome.deleted += 9),
        ),
        (
            "evidence is miscounted",
            edit_lake(|t| t.outcome.evidence_count += 1),
        ),
        (
            "an entry of nobody who waits",
            Box::new(|world, id| {
                let waiting = Item::Waiting(Waiting {
                    request: id,
                    store: store("events"),
                    right: Right::Deletion,
                    since: jiff::Timestamp::UNIX_EPOCH,
                    due_at: jiff::Timestamp::UNIX_EPOCH,
                });
                now(world.ledger.commit(&[Write::Create(waiting)])).expect("a free place");
            }),
        ),
        (
            "sweeps have gaps",
            Box::new(|world, _| world.ledger.lose(&Key::Sweep(sweep_id(1)))),
        ),
        (
            "two sweeps are open at once",
            Box::new(|world, _| {
                for n in [1, 2] {
                    world.ledger.tamper(&Key::Sweep(sweep_id(n)), |item| {
                        if let Item::Sweep(sweep) = item {
                            sweep.stage = SweepStage::Working;
                        }
                    });
                }
            }),
        ),
        (
            "a sweep without its members",
            edit_sweep(2, |sweep| sweep.members += 1),
        ),
        (
            "shards are miscounted",
            edit_sweep(1, |sweep| sweep.shards += 1),
        ),
        (
            "over before its shards are",
            edit_shard(|shard| shard.cursor = 0),
        ),
        (
            "results are not what it says",
            edit_shard(|shard| shard.results = 0),
        ),
        (
            "never wakes",
            edit(|r| (r.stage, r.wake_at) = (Stage::Acting, None)),
        ),
        ("accepted_at", edit(|r| r.accepted_at = None)),
        ("without a due date", edit(|r| r.due_at = None)),
        ("the timeline comes to", edit(|r| r.extended_to = r.due_at)),
        (
            "yet touched",
            edit(|r| r.ending = Some(quittance_core::request::Ending::Revoked)),
        ),
        ("before first_effect_at", edit(|r| r.first_effect_at = None)),
        ("without an answer", edit(|r| r.responded_at = None)),
        ("timeline has gaps", edit(|r| r.events += 1)),
        ("amendments are miscounted", edit(|r| r.amendments = 1)),
        (
            "outcome leaf and stage disagree",
            edit(|r| r.stage = Stage::Acting),
        ),
        (
            "without a plan's digest",
            edit(|r| (r.stage, r.plan) = (Stage::Gated, None)),
        ),
        (
            "says another outcome",
            edit(|r| r.stage = Stage::Closed(Outcome::Partial)),
        ),
        (
            "personal data in ledger",
            edit(|r| r.locale = "canary-0@people.test".to_owned()),
        ),
        (
            "completed with open stores",
            edit_task(|t| t.stage = TaskStage::Acting),
        ),
        (
            "never looked at again",
            edit_task(|t| t.outcome.check = None),
        ),
        (
            "residual matches",
            edit_task(|t| t.outcome.check.as_mut().unwrap().residual_matches = 1),
        ),
        ("never located", edit_task(|t| t.located = None)),
        (
            "without its manifest",
            Box::new(|world, id| {
                world
                    .vault
                    .lose(id, "manifest/orders/000000/01-000000.json");
            }),
        ),
        (
            "acceptance leaf",
            Box::new(|world, id| world.ledger.lose(&Key::Leaf(LeafId::Acceptance(id)))),
        ),
        (
            "closed without a receipt",
            Box::new(|world, id| {
                world.evidence.lose(&paths::receipt(&LeafId::Outcome(id)));
            }),
        ),
        (
            "its receipt fails",
            Box::new(|world, id| {
                world
                    .evidence
                    .tamper(&paths::receipt(&LeafId::Outcome(id)), |bytes| {
                        bytes[300] ^= 1;
                    });
            }),
        ),
        (
            "no time stamp of the receipt beside it",
            Box::new(|world, id| {
                let place = paths::timestamp(&LeafId::Outcome(id));
                assert!(world.evidence.everything().contains_key(&place));
                world.evidence.tamper(&place, |bytes| {
                    bytes.truncate(40);
                });
            }),
        ),
        (
            "neither logged nor waiting",
            Box::new(|world, id| {
                world
                    .ledger
                    .tamper(&Key::Leaf(LeafId::Outcome(id)), |item| {
                        if let Item::Leaf(leaf) = item {
                            leaf.sequenced = None;
                        }
                    });
            }),
        ),
        (
            "papers and purged_at disagree",
            Box::new(|world, id| world.vault.lose(id, quittance_engine::vault::PAPERS)),
        ),
        (
            "neither done, blocked nor owed",
            edit_task(|t| t.stage = TaskStage::Acting),
        ),
        (
            "shredded before its amendment",
            Box::new(|world, id| {
                world.ledger.tamper(&Key::Request(id), |item| {
                    if let Item::Request(request) = item {
                        request.purged_at = request.closed_at;
                    }
                });
                world
                    .ledger
                    .tamper(&Key::Task(id, store("orders")), |item| {
                        if let Item::Task(task) = item {
                            task.amendment = Amendment::Owed;
                        }
                    });
            }),
        ),
        (
            "an amendment before the outcome",
            Box::new(|world, id| {
                world.ledger.tamper(&Key::Request(id), |item| {
                    if let Item::Request(request) = item {
                        request.stage = Stage::Acting;
                    }
                });
                world
                    .ledger
                    .tamper(&Key::Task(id, store("orders")), |item| {
                        if let Item::Task(task) = item {
                            task.amendment = Amendment::Owed;
                        }
                    });
            }),
        ),
        (
            "gated before everything is located",
            Box::new(|world, id| {
                world.ledger.tamper(&Key::Request(id), |item| {
                    if let Item::Request(request) = item {
                        request.stage = Stage::Gated;
                    }
                });
                world
                    .ledger
                    .tamper(&Key::Task(id, store("orders")), |item| {
                        if let Item::Task(task) = item {
                            task.stage = TaskStage::Pending;
                        }
                    });
            }),
        ),
        (
            "completed without tasks",
            Box::new(|world, id| {
                for task in world.tasks(id) {
                    world.ledger.lose(&Key::Task(id, task.store));
                }
            }),
        ),
        (
            "personal data in evidence",
            Box::new(|world, id| {
                world
                    .evidence
                    .tamper(&paths::receipt(&LeafId::Acceptance(id)), |bytes| {
                        bytes.extend_from_slice(b"canary-0@people.test");
                    });
            }),
        ),
        (
            "blocked without a reason",
            edit_task(|t| {
                t.stage = TaskStage::Blocked(quittance_core::task::Was::Acting);
            }),
        ),
    ];
    for (expected, spoil) in cases {
        let findings = broken(spoil);
        assert!(
            findings.iter().any(|finding| finding.contains(expected)),
            "nobody said \"{expected}\": {findings:#?}"
        );
    }
}
