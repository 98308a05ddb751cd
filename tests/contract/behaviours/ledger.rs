//! The ledger's commits: guards, and all or nothing.

use futures::future::join_all;
use quittance_core::fault::Fault;
use quittance_core::request::Right;
use quittance_engine::ledger::{Item, Key, MAX_WRITES, Stored, Version, Write};
use quittance_engine::ports::Ledger;

use super::samples::{accepted, event, every_kind, id, leaf, request, row, subject, task};
use super::{samples, winners};

pub(crate) async fn a_created_item_has_version_one_and_is_not_created_again(ledger: &dyn Ledger) {
    let key = Key::Request(id(1));
    assert_eq!(ledger.load(&key).await, Ok(None));
    let first = Item::Request(request(1));
    assert_eq!(ledger.commit(&[Write::Create(first.clone())]).await, Ok(()));
    let mut other = request(1);
    other.right = Right::Access;
    let again = ledger.commit(&[Write::Create(Item::Request(other))]).await;
    assert_eq!(again, Err(Fault::Conflict));
    assert_eq!(
        ledger.load(&key).await,
        Ok(Some(Stored {
            item: first,
            version: Version(1)
        }))
    );
}

pub(crate) async fn a_replacement_needs_exactly_the_version_that_was_read(ledger: &dyn Ledger) {
    let replace = |minute, version| {
        [Write::Replace(
            Item::Request(accepted(1, minute, minute)),
            Version(version),
        )]
    };
    assert_eq!(
        ledger.commit(&replace(1, 1)).await,
        Err(Fault::Conflict),
        "there is nothing yet"
    );
    create(ledger, Item::Request(request(1))).await;
    assert_eq!(ledger.commit(&replace(1, 1)).await, Ok(()));
    assert_eq!(
        ledger.commit(&replace(2, 1)).await,
        Err(Fault::Conflict),
        "an old version"
    );
    assert_eq!(
        ledger.commit(&replace(2, 3)).await,
        Err(Fault::Conflict),
        "a future version"
    );
    assert_eq!(ledger.commit(&replace(2, 2)).await, Ok(()));
    let expected = Stored {
        item: Item::Request(accepted(1, 2, 2)),
        version: Version(3),
    };
    assert_eq!(ledger.load(&Key::Request(id(1))).await, Ok(Some(expected)));
}

pub(crate) async fn a_deletion_needs_exactly_the_version_that_was_read(ledger: &dyn Ledger) {
    let entry = subject("s", 1);
    let key = Key::Subject(entry.tag, entry.request);
    let delete = |version| [Write::Delete(key.clone(), Version(version))];
    assert_eq!(
        ledger.commit(&delete(1)).await,
        Err(Fault::Conflict),
        "there is nothing yet"
    );
    create(ledger, Item::Subject(entry)).await;
    assert_eq!(ledger.commit(&delete(2)).await, Err(Fault::Conflict));
    assert!(ledger.load(&key).await.unwrap().is_some());
    assert_eq!(ledger.commit(&delete(1)).await, Ok(()));
    assert_eq!(ledger.load(&key).await, Ok(None));
    assert_eq!(
        ledger.commit(&delete(1)).await,
        Err(Fault::Conflict),
        "there is nothing any more"
    );
}

pub(crate) async fn a_check_guards_and_changes_nothing(ledger: &dyn Ledger) {
    create(ledger, Item::Request(accepted(1, 1, 1))).await;
    let commit = |n, version| {
        let create = Write::Create(Item::Event(event(1, n)));
        [create, Write::Check(Key::Request(id(1)), Version(version))]
    };
    assert_eq!(ledger.commit(&commit(1, 2)).await, Err(Fault::Conflict));
    assert_eq!(ledger.load(&Key::Event(id(1), 1)).await, Ok(None));
    assert_eq!(ledger.commit(&commit(1, 1)).await, Ok(()));
    assert!(ledger.load(&Key::Event(id(1), 1)).await.unwrap().is_some());
    assert_eq!(version(ledger, &Key::Request(id(1))).await, Version(1));
    let absent = Write::Check(Key::Request(id(2)), Version(1));
    let commit = [Write::Create(Item::Event(event(1, 2))), absent];
    assert_eq!(
        ledger.commit(&commit).await,
        Err(Fault::Conflict),
        "what is absent has no version"
    );
}

pub(crate) async fn a_failed_guard_undoes_the_whole_commit(ledger: &dyn Ledger) {
    create(ledger, Item::Request(request(1))).await;
    create(ledger, Item::Subject(subject("s", 1))).await;
    let commit = [
        Write::Create(Item::Leaf(leaf(1))),
        Write::Create(Item::Outbox(row(1, samples::at(1)))),
        Write::Delete(Key::Subject(samples::tag("s"), id(1)), Version(1)),
        Write::Replace(Item::Request(accepted(1, 1, 1)), Version(7)),
    ];
    assert_eq!(ledger.commit(&commit).await, Err(Fault::Conflict));
    assert_eq!(ledger.load(&commit[0].key()).await, Ok(None));
    assert_eq!(ledger.load(&commit[1].key()).await, Ok(None));
    assert!(ledger.load(&commit[2].key()).await.unwrap().is_some());
    assert_eq!(version(ledger, &Key::Request(id(1))).await, Version(1));
}

pub(crate) async fn a_hundred_items_are_committed_at_once(ledger: &dyn Ledger) {
    let writes: Vec<Write> = (0..MAX_WRITES)
        .map(|n| Write::Create(Item::Task(task(1, &format!("store{n}")))))
        .collect();
    assert_eq!(ledger.commit(&writes).await, Ok(()));
    for write in &writes {
        assert!(ledger.load(&write.key()).await.unwrap().is_some());
    }
    assert_eq!(ledger.commit(&writes).await, Err(Fault::Conflict));
}

pub(crate) async fn racing_replacements_have_one_winner(ledger: &dyn Ledger) {
    create(ledger, Item::Request(accepted(1, 1, 1))).await;
    let writes: Vec<[Write; 1]> = (0..RACERS)
        .map(|n| [Write::Replace(Item::Request(accepted(1, n, n)), Version(1))])
        .collect();
    let answers = join_all(writes.iter().map(|write| ledger.commit(write))).await;
    assert_eq!(winners(&answers), 1);
    let winner = writes
        .iter()
        .zip(&answers)
        .find(|(_, answer)| answer.is_ok())
        .unwrap()
        .0;
    let there = ledger.load(&Key::Request(id(1))).await.unwrap().unwrap();
    assert_eq!(there.version, Version(2));
    let [Write::Replace(item, _)] = winner else {
        panic!("a replacement")
    };
    assert_eq!(&there.item, item);
}

pub(crate) async fn racing_creations_have_one_winner(ledger: &dyn Ledger) {
    let writes: Vec<[Write; 1]> = (0..RACERS)
        .map(|n| [Write::Create(Item::Request(accepted(1, n, n)))])
        .collect();
    let answers = join_all(writes.iter().map(|write| ledger.commit(write))).await;
    assert_eq!(winners(&answers), 1);
    assert_eq!(version(ledger, &Key::Request(id(1))).await, Version(1));
}

pub(crate) async fn racing_transactions_have_one_winner(ledger: &dyn Ledger) {
    create(ledger, Item::Request(accepted(1, 1, 1))).await;
    create(ledger, Item::Task(task(1, "crm"))).await;
    let writes: Vec<[Write; 2]> = (0..RACERS)
        .map(|n| {
            let mut task = task(1, "crm");
            task.cursor = u32::try_from(n).unwrap();
            let request = Write::Replace(Item::Request(accepted(1, n, n)), Version(1));
            [request, Write::Replace(Item::Task(task), Version(1))]
        })
        .collect();
    let answers = join_all(writes.iter().map(|write| ledger.commit(write))).await;
    assert_eq!(winners(&answers), 1);
    let winner = writes
        .iter()
        .zip(&answers)
        .find(|(_, answer)| answer.is_ok())
        .unwrap()
        .0;
    for write in winner {
        let Write::Replace(item, _) = write else {
            panic!("a replacement")
        };
        let expected = Stored {
            item: item.clone(),
            version: Version(2),
        };
        assert_eq!(ledger.load(&write.key()).await, Ok(Some(expected)));
    }
}

pub(crate) async fn every_kind_of_item_is_read_as_it_was_written(ledger: &dyn Ledger) {
    let items = every_kind();
    for item in &items {
        create(ledger, item.clone()).await;
    }
    for item in items {
        let expected = Stored {
            item: item.clone(),
            version: Version(1),
        };
        assert_eq!(ledger.load(&item.key()).await, Ok(Some(expected)));
    }
}

pub(crate) async fn create(ledger: &dyn Ledger, item: Item) {
    assert_eq!(ledger.commit(&[Write::Create(item)]).await, Ok(()));
}

async fn version(ledger: &dyn Ledger, key: &Key) -> Version {
    ledger.load(key).await.unwrap().unwrap().version
}

const RACERS: i64 = 8;
