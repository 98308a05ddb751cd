//! The ledger's listings: what is in them, in which order, page by page.

use quittance_core::request::{Outcome, Request, Right, Stage};
use quittance_engine::ledger::{Item, Key, Listing, Version, Write};
use quittance_engine::ports::Ledger;

use super::ledger::create;
use super::samples::{
    accepted, at, closed, event, exclusion, id, request, row, shard, store, subject, sweep, tag,
    task, waiting,
};

pub(crate) async fn tasks_list_by_store(ledger: &dyn Ledger) {
    // Names that begin like others, in an order that byte by byte is not that of people.
    let sorted = ["crm", "crm-eu", "crm0", "crm_x", "orders", "z"];
    for name in sorted.iter().rev() {
        create(ledger, Item::Task(task(1, name))).await;
    }
    create(ledger, Item::Task(task(2, "crm"))).await;
    create(ledger, Item::Request(request(1))).await;
    create(ledger, Item::Event(event(1, 1))).await;
    let expected: Vec<Key> = sorted
        .iter()
        .map(|name| task(1, name))
        .map(key_of_task)
        .collect();
    all_pages_are(ledger, &Listing::Tasks(id(1)), &expected).await;
    all_pages_are(ledger, &Listing::Tasks(id(3)), &[]).await;
}

pub(crate) async fn a_timeline_lists_in_order(ledger: &dyn Ledger) {
    for n in (1..=12).rev() {
        create(ledger, Item::Event(event(1, n))).await;
    }
    create(ledger, Item::Event(event(2, 1))).await;
    create(ledger, Item::Task(task(1, "crm"))).await;
    let expected: Vec<Key> = (1..=12).map(|n| Key::Event(id(1), n)).collect();
    all_pages_are(ledger, &Listing::Timeline(id(1)), &expected).await;
}

pub(crate) async fn open_requests_list_by_subject(ledger: &dyn Ledger) {
    for n in [3, 1, 2] {
        create(ledger, Item::Subject(subject("one", n))).await;
    }
    create(ledger, Item::Subject(subject("two", 1))).await;
    let expected: Vec<Key> = (1..=3).map(|n| Key::Subject(tag("one"), id(n))).collect();
    all_pages_are(ledger, &Listing::OpenOf(tag("one")), &expected).await;
}

pub(crate) async fn the_outbox_lists_oldest_first(ledger: &dyn Ledger) {
    let instants = [
        "2026-11-23T09:59:59.999999999Z",
        "2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00.000000001Z",
        "2026-11-23T10:00:00.5Z",
        "2026-11-23T10:00:01Z",
    ];
    // The later the instant, the smaller the id.
    let rows: Vec<_> = (1..)
        .zip(instants)
        .map(|(n, at)| row(9 - n, at.parse().unwrap()))
        .collect();
    for index in [2, 0, 4, 1, 3] {
        create(ledger, Item::Outbox(rows[index].clone())).await;
    }
    let expected: Vec<Key> = rows
        .iter()
        .map(|row| Key::Outbox(row.at, row.leaf))
        .collect();
    all_pages_are(ledger, &Listing::Outbox, &expected).await;
}

pub(crate) async fn waking_requests_list_soonest_first_up_to_the_instant(ledger: &dyn Ledger) {
    // Enough of them to be in every shard of whatever is sharded.
    for n in 1..=20 {
        create(ledger, Item::Request(accepted(n, 0, 100 - i64::from(n)))).await;
    }
    create(ledger, Item::Request(request(21))).await;
    let expected: Vec<Key> = (10..=20).rev().map(|n| Key::Request(id(n))).collect();
    all_pages_are(ledger, &Listing::Waking(at(90)), &expected).await;
    all_pages_are(ledger, &Listing::Waking(at(0)), &[]).await;
}

pub(crate) async fn open_requests_list_by_due_date_and_drafts_last(ledger: &dyn Ledger) {
    create(ledger, Item::Request(request(1))).await;
    for n in 2..=12 {
        create(ledger, Item::Request(accepted(n, 100 - i64::from(n), 0))).await;
    }
    create(ledger, Item::Request(closed(13, 1))).await;
    let due_first = (2..=12).rev().chain([1]);
    let expected: Vec<Key> = due_first.map(|n| Key::Request(id(n))).collect();
    all_pages_are(ledger, &Listing::Open, &expected).await;
}

pub(crate) async fn closed_requests_list_latest_first(ledger: &dyn Ledger) {
    for n in 1..=11 {
        create(ledger, Item::Request(closed(n, i64::from(n)))).await;
    }
    create(ledger, Item::Request(accepted(12, 1, 1))).await;
    let expected: Vec<Key> = (1..=11).rev().map(|n| Key::Request(id(n))).collect();
    all_pages_are(ledger, &Listing::Closed, &expected).await;
}

pub(crate) async fn a_request_leaves_the_listings_it_no_longer_belongs_to(ledger: &dyn Ledger) {
    let everything = Listing::Waking(at(9_999));
    create(ledger, Item::Request(accepted(1, 5, 5))).await;
    let here = [Key::Request(id(1))];
    all_pages_are(ledger, &everything, &here).await;
    all_pages_are(ledger, &Listing::Open, &here).await;
    all_pages_are(ledger, &Listing::Closed, &[]).await;
    let sealing = Request {
        stage: Stage::Sealing(Outcome::Completed),
        ..accepted(1, 5, 6)
    };
    replace(ledger, sealing, 1).await;
    all_pages_are(ledger, &Listing::Waking(at(5)), &[]).await;
    all_pages_are(ledger, &everything, &here).await;
    replace(ledger, closed(1, 9), 2).await;
    all_pages_are(ledger, &everything, &[]).await;
    all_pages_are(ledger, &Listing::Open, &[]).await;
    all_pages_are(ledger, &Listing::Closed, &here).await;
}

pub(crate) async fn sweeps_list_latest_first_and_each_right_apart(ledger: &dyn Ledger) {
    for n in [9, 2, 11, 10, 1] {
        create(ledger, Item::Sweep(sweep("events", n))).await;
    }
    create(ledger, Item::Sweep(sweep("events-eu", 12))).await;
    create(ledger, Item::Shard(shard(11, 0))).await;
    let expected: Vec<Key> = [11, 10, 9, 2, 1]
        .into_iter()
        .map(|n| Key::Sweep(sweep("events", n).id))
        .collect();
    let of = |right| Listing::Sweeps(store("events"), right);
    all_pages_are(ledger, &of(Right::Deletion), &expected).await;
    all_pages_are(ledger, &of(Right::Access), &[]).await;
}

pub(crate) async fn a_sweeps_shards_and_exclusions_list_apart(ledger: &dyn Ledger) {
    for k in [10, 0, 2, 1] {
        create(ledger, Item::Shard(shard(1, k))).await;
    }
    create(ledger, Item::Shard(shard(10, 3))).await;
    for n in [2, 1] {
        create(ledger, Item::Exclusion(exclusion(1, n))).await;
    }
    let id_of = |n| sweep("events", n).id;
    let shards: Vec<Key> = [0, 1, 2, 10]
        .map(|k| Key::Shard(id_of(1), k))
        .into_iter()
        .collect();
    all_pages_are(ledger, &Listing::Shards(id_of(1)), &shards).await;
    let out: Vec<Key> = [1, 2]
        .map(|n| Key::Exclusion(id_of(1), id(n)))
        .into_iter()
        .collect();
    all_pages_are(ledger, &Listing::Exclusions(id_of(1)), &out).await;
    all_pages_are(ledger, &Listing::Exclusions(id_of(10)), &[]).await;
}

pub(crate) async fn who_waits_lists_by_store_and_right(ledger: &dyn Ledger) {
    for n in [3, 1, 2] {
        create(ledger, Item::Waiting(waiting("events", n))).await;
    }
    create(ledger, Item::Waiting(waiting("events-eu", 4))).await;
    let key = |n| Key::Waiting(store("events"), Right::Deletion, id(n));
    let of = |right| Listing::Waiting(store("events"), right);
    all_pages_are(ledger, &of(Right::Deletion), &[key(1), key(2), key(3)]).await;
    all_pages_are(ledger, &of(Right::Access), &[]).await;
}

pub(crate) async fn a_bookmark_stays_good_when_its_item_is_gone(ledger: &dyn Ledger) {
    let rows: Vec<_> = (1..=5).map(|n| row(n, at(i64::from(n)))).collect();
    for row in &rows {
        create(ledger, Item::Outbox(row.clone())).await;
    }
    let page = ledger.list(&Listing::Outbox, None, 2).await.unwrap();
    for row in &rows[..2] {
        let delete = [Write::Delete(Key::Outbox(row.at, row.leaf), Version(1))];
        assert_eq!(ledger.commit(&delete).await, Ok(()));
    }
    let next = ledger
        .list(&Listing::Outbox, page.next.as_ref(), 10)
        .await
        .unwrap();
    let keys: Vec<Key> = next.items.iter().map(|stored| stored.item.key()).collect();
    let expected: Vec<Key> = rows[2..]
        .iter()
        .map(|row| Key::Outbox(row.at, row.leaf))
        .collect();
    assert_eq!(keys, expected);
}

pub(crate) async fn pages_are_full_and_end_exactly(ledger: &dyn Ledger) {
    for n in 1..=6 {
        create(
            ledger,
            Item::Request(accepted(n, i64::from(n), i64::from(n))),
        )
        .await;
    }
    for limit in [1, 2, 3, 6] {
        let mut from = None;
        for page_number in 1..=6 / limit {
            let page = ledger
                .list(&Listing::Open, from.as_ref(), limit)
                .await
                .unwrap();
            assert_eq!(page.items.len(), limit);
            assert_eq!(
                page.next.is_none(),
                page_number == 6 / limit,
                "limit {limit}"
            );
            from = page.next;
        }
    }
}

/// Reads a listing to its end, with several page sizes, and compares.
async fn all_pages_are(ledger: &dyn Ledger, listing: &Listing, expected: &[Key]) {
    for limit in [1, 2, 3, 7, 100] {
        let mut keys = Vec::new();
        let mut from = None;
        loop {
            let page = ledger.list(listing, from.as_ref(), limit).await.unwrap();
            assert!(page.items.len() <= limit);
            keys.extend(page.items.iter().map(|stored| stored.item.key()));
            from = page.next;
            if from.is_none() || keys.len() > expected.len() {
                break;
            }
        }
        assert_eq!(keys, expected, "{listing:?} by {limit}");
    }
}

async fn replace(ledger: &dyn Ledger, request: Request, version: u64) {
    let write = [Write::Replace(Item::Request(request), Version(version))];
    assert_eq!(ledger.commit(&write).await, Ok(()));
}

fn key_of_task(task: quittance_core::task::Task) -> Key {
    Item::Task(task).key()
}
