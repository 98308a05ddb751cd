//! The log's public files: immutable, but for the checkpoint.

use futures::future::join_all;
use quittance_core::fault::Fault;
use quittance_engine::ports::{Kept, TileStore};

use super::samples::checkpoint;
use super::winners;

pub(crate) async fn a_file_is_written_once_and_compared_ever_after(tiles: &dyn TileStore) {
    let path = "tile/0/000.p/2";
    assert_eq!(tiles.read(path).await, Ok(None));
    assert_eq!(tiles.keep(path, b"one").await, Ok(Kept::Written));
    assert_eq!(tiles.keep(path, b"one").await, Ok(Kept::Same));
    assert_eq!(tiles.keep(path, b"two").await, Ok(Kept::Different));
    assert_eq!(tiles.read(path).await, Ok(Some(b"one".to_vec())));
}

pub(crate) async fn a_checkpoint_is_published_over_exactly_what_was_read(tiles: &dyn TileStore) {
    let [none, one, two, three] = [0, 1, 2, 3].map(|size| checkpoint(size, "root"));
    assert_eq!(
        tiles.publish(Some(&none), &one).await,
        Err(Fault::Conflict),
        "nothing yet"
    );
    assert_eq!(tiles.publish(None, &one).await, Ok(()));
    assert_eq!(
        tiles.publish(None, &two).await,
        Err(Fault::Conflict),
        "it exists"
    );
    assert_eq!(
        tiles.publish(Some(&none), &two).await,
        Err(Fault::Conflict),
        "another one"
    );
    assert_eq!(tiles.publish(Some(&one), &two).await, Ok(()));
    assert_eq!(
        tiles.publish(Some(&one), &three).await,
        Err(Fault::Conflict),
        "an old one"
    );
    assert_eq!(tiles.read("checkpoint").await, Ok(Some(two)));
}

pub(crate) async fn racing_publications_have_one_winner(tiles: &dyn TileStore) {
    let old = checkpoint(1, "root");
    tiles.publish(None, &old).await.unwrap();
    let texts: Vec<Vec<u8>> = (0..6)
        .map(|n| checkpoint(2, &format!("root {n}")))
        .collect();
    let answers = join_all(texts.iter().map(|text| tiles.publish(Some(&old), text))).await;
    assert_eq!(winners(&answers), 1);
    let winner = texts
        .iter()
        .zip(&answers)
        .find(|(_, answer)| answer.is_ok())
        .unwrap()
        .0;
    assert_eq!(tiles.read("checkpoint").await, Ok(Some(winner.clone())));
}

pub(crate) async fn a_staging_bundle_is_discarded_twice(tiles: &dyn TileStore) {
    let (path, other) = ("staging/3-ab", "staging/3-abc");
    for path in [path, other] {
        assert_eq!(tiles.keep(path, b"bundle").await, Ok(Kept::Written));
    }
    for _ in 0..2 {
        assert_eq!(tiles.discard(path).await, Ok(()));
        assert_eq!(tiles.read(path).await, Ok(None));
    }
    assert_eq!(tiles.read(other).await, Ok(Some(b"bundle".to_vec())));
    assert_eq!(tiles.keep(path, b"other bundle").await, Ok(Kept::Written));
}
