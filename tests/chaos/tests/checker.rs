//! Each invariant of the checker, broken once and seen to be found: a checker that was never seen red
//! is none.

use quittance_chaos::World;
use quittance_chaos::check::check_world;
use quittance_chaos::script::{DELETE, all_is_well, asked, store};
use quittance_core::id::{LeafId, RequestId};
use quittance_core::request::{Outcome, Request, Stage};
use quittance_core::task::{Amendment, Task, TaskStage};
use quittance_engine::ledger::{Item, Key};
use quittance_engine::sequencer::paths;

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
    let cases: Vec<(&str, Spoil)> = vec![
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
