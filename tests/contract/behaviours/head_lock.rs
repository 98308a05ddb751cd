//! The head of the log: one winner, always.

use futures::future::join_all;
use quittance_core::fault::Fault;
use quittance_engine::ports::{Head, HeadLock};

use super::samples::checkpoint;
use super::winners;

pub(crate) async fn a_log_is_born_once(lock: &dyn HeadLock) {
    assert_eq!(lock.read().await, Ok(None));
    let later = lock.swap(Some(&head(0, None)), &head(1, Some("s"))).await;
    assert_eq!(later, Err(Fault::Conflict), "there is no head yet");
    assert_eq!(lock.swap(None, &head(0, None)).await, Ok(()));
    assert_eq!(lock.swap(None, &head(0, None)).await, Err(Fault::Conflict));
    assert_eq!(lock.read().await, Ok(Some(head(0, None))));
}

pub(crate) async fn a_swap_needs_the_whole_old_head(lock: &dyn HeadLock) {
    let (zero, one) = (head(0, None), head(1, Some("staging/1")));
    lock.swap(None, &zero).await.unwrap();
    let stranger = head(0, Some("staging/1"));
    assert_eq!(lock.swap(Some(&stranger), &one).await, Err(Fault::Conflict));
    assert_eq!(lock.swap(Some(&zero), &one).await, Ok(()));
    let next = head(2, Some("staging/2"));
    for stranger in [zero, head(1, None), head(1, Some("staging/x"))] {
        assert_eq!(
            lock.swap(Some(&stranger), &next).await,
            Err(Fault::Conflict),
            "{stranger:?}"
        );
    }
    assert_eq!(lock.read().await, Ok(Some(one.clone())));
    assert_eq!(lock.swap(Some(&one), &next).await, Ok(()));
    assert_eq!(lock.read().await, Ok(Some(next)));
}

pub(crate) async fn racing_swaps_have_one_winner(lock: &dyn HeadLock) {
    let zero = head(0, None);
    let births: Vec<Head> = (0..6)
        .map(|n| head(0, Some(&format!("staging/{n}"))))
        .collect();
    let answers = join_all(births.iter().map(|birth| lock.swap(None, birth))).await;
    assert_eq!(winners(&answers), 1);
    let born = lock.read().await.unwrap().unwrap();
    assert_ne!(born, zero);
    let heads: Vec<Head> = (1..7).map(|n| head(n, Some("staging/1"))).collect();
    let answers = join_all(heads.iter().map(|head| lock.swap(Some(&born), head))).await;
    assert_eq!(winners(&answers), 1);
    let winner = heads
        .iter()
        .zip(&answers)
        .find(|(_, answer)| answer.is_ok())
        .unwrap()
        .0;
    assert_eq!(lock.read().await, Ok(Some(winner.clone())));
}

fn head(size: u64, staging: Option<&str>) -> Head {
    Head {
        checkpoint: checkpoint(size, "root"),
        staging: staging.map(str::to_owned),
    }
}
