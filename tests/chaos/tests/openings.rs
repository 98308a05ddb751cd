//! What a receipt's evidence stands for can be shown, one thing at a time, through the whole engine.

#![expect(
    clippy::unwrap_used,
    reason = "tests: whatever does not fit is a finding"
)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use quittance_chaos::World;
use quittance_chaos::check::policy;
use quittance_chaos::script::{COPY, DELETE, OPT_OUT, all_is_well, asked, now, store};
use quittance_chaos::world::{Ask, Crowd};
use quittance_core::id::{LeafId, RequestId, StoreId};
use quittance_core::manifest::{Locator, Part};
use quittance_core::receipt::{Opening, OpeningError, Statement, verify};
use quittance_core::request::Right;
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
            let bytes = now(world.desk().open_evidence(&statement, store, place, None));
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
    let bytes = now(desk.open_evidence(&ours, &store, &place, None)).unwrap();
    let opening = Opening::parse(&bytes).unwrap();
    assert_eq!(opening.verify(&theirs, &place), Err(OpeningError::Line));
    // Nor can one be made: it was not touched for them.
    let none = now(desk.open_evidence(&theirs, &store, &place, None));
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
        now(world
            .desk()
            .open_evidence(statement, &store(name), &place, None))
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

#[test]
fn each_members_things_open_under_their_batchs_receipt() {
    let world = World::new(4, 1);
    let batch = now(world.hand_in(Crowd {
        people: &[0, 1, 2],
        right: Right::Deletion,
    }))
    .unwrap();
    // Somebody who is on no list, and has a receipt of their own.
    let alone = asked(
        &world,
        Ask {
            person: 3,
            ..DELETE
        },
    );
    world.settle();
    all_is_well(&world);
    let stated = statement(&world, batch);
    let outcomes = now(world.desk().outcomes(batch, 0, u32::MAX)).unwrap();
    let members: Vec<RequestId> = world
        .requests()
        .into_iter()
        .map(|request| request.id)
        .filter(|id| outcomes.iter().any(|one| one.reference == id.reference()))
        .collect();
    assert_eq!(members.len(), 3);
    let open = |statement: &Statement, store: &StoreId, place: &Locator, member| {
        let bytes = now(world.desk().open_evidence(statement, store, place, member));
        bytes.map(|bytes| Opening::parse(&bytes).unwrap())
    };
    let mut opened = 0;
    for member in &members {
        for (store, place) in listed(&world, *member) {
            let task = world.tasks(*member).into_iter().find(|t| t.store == store);
            if task.unwrap().outcome.evidence_count == 0 {
                continue;
            }
            let opening = open(&stated, &store, &place, Some(*member)).unwrap();
            assert_eq!(opening.verify(&stated, &place), Ok(()));
            opened += 1;
            // A thing of one person's is nobody else's, on the list or beside it.
            let others = members.iter().filter(|other| *other != member);
            for other in others.filter(|_| store.as_str() == "customers") {
                let none = open(&stated, &store, &place, Some(*other));
                assert!(matches!(none, Err(DeskError::NoOpening(_))));
            }
            for wrong in [None, Some(alone), Some(batch)] {
                assert!(open(&stated, &store, &place, wrong).is_err());
            }
            let theirs = statement(&world, alone);
            assert_eq!(opening.verify(&theirs, &place), Err(OpeningError::Batch));
            assert!(open(&theirs, &store, &place, Some(*member)).is_err());
        }
    }
    let counted: u64 = world
        .tasks(batch)
        .iter()
        .map(|t| t.outcome.evidence_count)
        .sum();
    assert_eq!(opened, counted);
    assert!(opened > 6, "{opened}");
    all_is_well(&world);
}

/// More members than are read at once. The stores know sixty-seven of them: the fourth, the thirty-second
/// and the forty-first are strangers.
static LARGE: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let mut people: Vec<usize> = (0..70).collect();
    for (early, late) in [(3, 67), (31, 68), (40, 69)] {
        people.swap(early, late);
    }
    people
});

#[test]
fn the_things_of_a_large_batchs_members_open_from_its_first_to_its_last() {
    let world = World::new(67, 1);
    let batch = now(world.hand_in(Crowd {
        people: &LARGE,
        right: Right::Deletion,
    }))
    .unwrap();
    world.settle();
    all_is_well(&world);
    let stated = statement(&world, batch);
    let customers = store("customers");
    let outcomes = now(world.desk().outcomes(batch, 0, u32::MAX)).unwrap();
    assert_eq!(outcomes.len(), LARGE.len());
    let mut opened = Vec::new();
    for n in [0, 3, 30, 31, 32, 33, 63, 64, 69] {
        let reference = outcomes[n].reference.clone();
        let mut requests = world.requests().into_iter();
        let member = requests.find(|one| one.id.reference() == reference);
        let member = member.unwrap().id;
        let theirs = listed(&world, member);
        for (_, place) in theirs.iter().filter(|(store, _)| *store == customers) {
            let desk = world.desk();
            let bytes = now(desk.open_evidence(&stated, &customers, place, Some(member)));
            let opening = Opening::parse(&bytes.unwrap()).unwrap();
            assert_eq!(opening.verify(&stated, place), Ok(()), "{n}");
            opened.push(n);
        }
    }
    assert_eq!(opened, [0, 30, 32, 33, 63, 64, 69]);
}
