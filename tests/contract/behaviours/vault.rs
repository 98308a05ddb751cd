//! The vault: first write wins, and what is shredded is gone.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::SignedDuration;
use quittance_core::fault::Fault;
use quittance_engine::vault::PAPERS;

use super::World;
use super::samples::id;

pub(crate) async fn what_was_deposited_is_read(world: &World) {
    let papers = vec![b'p'; 300_000];
    assert_eq!(world.deposit.deposit(id(1), &papers).await, Ok(()));
    assert_eq!(world.vault.read(id(1), PAPERS).await, Ok(Some(papers)));
    assert_eq!(world.vault.read(id(1), "export/one.zip").await, Ok(None));
}

pub(crate) async fn a_deposit_may_be_repeated(world: &World) {
    for _ in 0..2 {
        assert_eq!(world.deposit.deposit(id(1), b"papers").await, Ok(()));
    }
    assert_eq!(
        world.vault.read(id(1), PAPERS).await,
        Ok(Some(b"papers".to_vec()))
    );
    let deposits = join_all((0..4).map(|_| world.deposit.deposit(id(2), b"at once"))).await;
    assert!(deposits.iter().all(Result::is_ok), "{deposits:?}");
    assert_eq!(
        world.vault.read(id(2), PAPERS).await,
        Ok(Some(b"at once".to_vec()))
    );
}

pub(crate) async fn the_first_write_of_a_name_wins(world: &World) {
    world.deposit.deposit(id(1), b"papers").await.unwrap();
    let name = "manifest/crm/01-000000.json";
    assert_eq!(
        world.vault.keep(id(1), name, b"one").await,
        Ok(b"one".to_vec())
    );
    assert_eq!(
        world.vault.keep(id(1), name, b"two").await,
        Ok(b"one".to_vec())
    );
    assert_eq!(
        world.vault.keep(id(1), "asked/other", b"two").await,
        Ok(b"two".to_vec())
    );
    assert_eq!(
        world.vault.read(id(1), name).await,
        Ok(Some(b"one".to_vec()))
    );
}

pub(crate) async fn racing_writers_of_a_name_read_the_same(world: &World) {
    world.deposit.deposit(id(1), b"papers").await.unwrap();
    let texts: Vec<String> = (0..6).map(|n| format!("writer {n}")).collect();
    let keeps = texts
        .iter()
        .map(|text| world.vault.keep(id(1), "asked/name", text.as_bytes()));
    let kept: BTreeSet<Vec<u8>> = join_all(keeps)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(kept.len(), 1);
    let there = world.vault.read(id(1), "asked/name").await.unwrap();
    assert_eq!(there.as_ref(), kept.first());
}

pub(crate) async fn a_shredded_request_is_gone_and_others_are_not(world: &World) {
    for n in [1, 2] {
        world.deposit.deposit(id(n), b"papers").await.unwrap();
        world
            .vault
            .keep(id(n), "asked/name", b"bytes")
            .await
            .unwrap();
    }
    assert_eq!(world.shredder.shred(id(1)).await, Ok(()));
    for name in [PAPERS, "asked/name"] {
        assert_eq!(world.vault.read(id(1), name).await, Ok(None));
        assert!(world.vault.read(id(2), name).await.unwrap().is_some());
    }
    let late = world.vault.keep(id(1), "asked/late", b"bytes").await;
    assert!(matches!(late, Err(Fault::Reject { .. })), "{late:?}");
    assert_eq!(world.shredder.shred(id(1)).await, Ok(()), "again is fine");
    assert_eq!(
        world.shredder.shred(id(9)).await,
        Ok(()),
        "of nothing is fine"
    );
}

pub(crate) async fn an_unknown_request_has_no_vault(world: &World) {
    assert_eq!(world.vault.read(id(1), PAPERS).await, Ok(None));
    let kept = world.vault.keep(id(1), "asked/name", b"bytes").await;
    assert!(matches!(kept, Err(Fault::Reject { .. })), "{kept:?}");
}

pub(crate) async fn old_keys_are_listed_page_by_page(world: &World) {
    for n in 1..=7 {
        world.deposit.deposit(id(n), b"papers").await.unwrap();
    }
    let now = world.clock.now();
    let (hour_ago, in_an_hour) = (
        now - SignedDuration::from_hours(1),
        now + SignedDuration::from_hours(1),
    );
    assert_eq!(
        world.shredder.keys_before(hour_ago, None, 10).await,
        Ok(vec![])
    );
    for limit in [1, 3, 7, 10] {
        let mut all = Vec::new();
        loop {
            let after = all.last().copied();
            let page = world
                .shredder
                .keys_before(in_an_hour, after, limit)
                .await
                .unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        assert_eq!(all.len(), 7, "by {limit}: {all:?}");
        assert_eq!(
            all.into_iter().collect::<BTreeSet<_>>(),
            (1..=7).map(id).collect()
        );
    }
    // The place after a key is found again when the key is gone.
    let all = world
        .shredder
        .keys_before(in_an_hour, None, 10)
        .await
        .unwrap();
    world.shredder.shred(all[2]).await.unwrap();
    let rest = world
        .shredder
        .keys_before(in_an_hour, Some(all[2]), 10)
        .await;
    assert_eq!(rest, Ok(all[3..].to_vec()));
}
