//! What a receipt's evidence stands for can be shown, one thing at a time, through the whole engine.

#![expect(
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use std::collections::BTreeMap;

use quittance_chaos::World;
use quittance_chaos::check::policy;
use quittance_chaos::script::{COPY, DELETE, OPT_OUT, all_is_well, asked, now, store};
use quittance_chaos::world::Ask;
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::manifest::{Locator, Part};
use quittance_core::receipt::{Opening, OpeningError, Statement, verify};
use quittance_engine::desk::DeskError;
use quittance_engine::sequencer::paths;
use quittance_engine::vault;

/// What the request's verified receipt states.
fn statement(world: &World, id: RequestId) -> Statement {
    let files = world.evidence.everything();
    let file = files.get(&paths::receipt(&LeafId::Outcome(id))).unwrap();
    let report = verify(file, &policy(world));
    assert!(report.ok);
    report.summary.unwrap().statement
}

/// Everything that the request's manifests list.
fn listed(world: &World, id: RequestId) -> Vec<(StoreId, Locator)> {
    let mut listed = Vec::new();
    for ((request, name), bytes) in world.vault.everything() {
        if request == id && name.starts_with("manifest/") {
            let part: Part = serde_json::from_slice(&bytes).unwrap();
            for found in part.matches {
                listed.push((part.store.clone(), found.locator));
            }
        }
    }
    listed
}

#[test]
fn whatever_was_touched_can_be_opened_and_nothing_else() {
    for ask in [COPY, DELETE, OPT_OUT] {
        let world = World::new(2, 1);
        let id = asked(&world, ask);
        world.settle();
        all_is_well(&world);
        let statement = statement(&world, id);
        let mut opened: BTreeMap<StoreId, u64> = BTreeMap::new();
        let listed = listed(&world, id);
        for (store, place) in &listed {
            let task = world.tasks(id).into_iter().find(|t| t.store == *store);
            let task = task.unwrap();
            let bytes = now(world.desk().open_evidence(&statement, store, place));
            if task.outcome.evidence_count == 0 {
                assert!(matches!(bytes, Err(DeskError::NoOpening(_))), "{store}");
                continue;
            }
            let opening = Opening::parse(&bytes.unwrap()).unwrap();
            assert_eq!(opening.verify(&statement, place), Ok(()), "{store}");
            *opened.entry(store.clone()).or_default() += 1;
            let other = listed.iter().find(|(_, other)| other != place);
            if let Some((_, other)) = other {
                let verdict = opening.verify(&statement, other);
                assert_eq!(verdict, Err(OpeningError::Place));
            }
        }
        assert!(!opened.is_empty(), "{ask:?}");
        for (store, count) in opened {
            let task = world.tasks(id).into_iter().find(|t| t.store == store);
            assert_eq!(task.unwrap().outcome.evidence_count, count, "{store}");
        }
        all_is_well(&world);
    }
}

#[test]
fn one_persons_opening_says_nothing_of_anothers_receipt() {
    let world = World::new(2, 1);
    let first = asked(&world, DELETE);
    let second = asked(
        &world,
        Ask {
            person: 1,
            ..DELETE
        },
    );
    world.settle();
    let (ours, theirs) = (statement(&world, first), statement(&world, second));
    let (store, place) = listed(&world, first)
        .into_iter()
        .find(|(store, _)| store.as_str() == "customers")
        .unwrap();
    let desk = world.desk();
    let bytes = now(desk.open_evidence(&ours, &store, &place)).unwrap();
    let opening = Opening::parse(&bytes).unwrap();
    assert_eq!(opening.verify(&theirs, &place), Err(OpeningError::Line));
    // Nor can one be made: it was not touched for them.
    let none = now(desk.open_evidence(&theirs, &store, &place));
    assert!(matches!(none, Err(DeskError::NoOpening(_))));
}

#[test]
fn without_the_papers_or_under_another_kind_of_statement_nothing_opens() {
    let world = World::new(1, 1);
    let id = asked(&world, DELETE);
    world.settle();
    let statement = statement(&world, id);
    let (_, place) = listed(&world, id)
        .into_iter()
        .find(|(store, _)| store.as_str() == "customers")
        .unwrap();
    let open = |statement: &Statement, name: &str| {
        now(world.desk().open_evidence(statement, &store(name), &place))
    };
    assert!(open(&statement, "customers").is_ok());
    assert!(matches!(
        open(&statement, "elsewhere"),
        Err(DeskError::NoTask(_))
    ));
    let files = world.evidence.everything();
    let file = files.get(&paths::receipt(&LeafId::Acceptance(id))).unwrap();
    let acceptance = verify(file, &policy(&world)).summary.unwrap().statement;
    assert!(matches!(
        open(&acceptance, "customers"),
        Err(DeskError::NoOpening(_))
    ));
    world.vault.lose(id, vault::PAPERS);
    assert!(matches!(
        open(&statement, "customers"),
        Err(DeskError::NoOpening(_))
    ));
}
