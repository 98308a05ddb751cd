//! Evidence: first write wins.

use std::collections::BTreeSet;

use futures::future::join_all;
use quittance_engine::ports::Evidence;

pub(crate) async fn the_first_write_of_a_path_wins(evidence: &dyn Evidence) {
    let path = "statements/ab/cd.json";
    assert_eq!(evidence.keep(path, b"one").await, Ok(b"one".to_vec()));
    assert_eq!(evidence.keep(path, b"two").await, Ok(b"one".to_vec()));
    assert_eq!(evidence.keep(path, b"one").await, Ok(b"one".to_vec()));
    assert_eq!(evidence.read(path).await, Ok(Some(b"one".to_vec())));
    assert_eq!(
        evidence.keep("statements/ab/ce.json", b"two").await,
        Ok(b"two".to_vec())
    );
}

pub(crate) async fn racing_writers_of_a_path_read_the_same(evidence: &dyn Evidence) {
    let texts: Vec<String> = (0..6).map(|n| format!("writer {n}")).collect();
    let keeps = texts
        .iter()
        .map(|text| evidence.keep("envelope.json", text.as_bytes()));
    let kept: BTreeSet<Vec<u8>> = join_all(keeps)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        evidence.read("envelope.json").await.unwrap().as_ref(),
        kept.first()
    );
}

pub(crate) async fn what_was_never_written_is_absent(evidence: &dyn Evidence) {
    evidence.keep("a/b", b"x").await.unwrap();
    for path in ["a", "a/", "a/b/c", "b"] {
        assert_eq!(evidence.read(path).await, Ok(None), "{path}");
    }
}
