//! A witness: what it cosigned last is never forgotten, and never two things.

use futures::future::join_all;
use quittance_core::fault::Fault;
use quittance_engine::witness::Witness;
use quittance_tlog::note::cosignature_message;
use quittance_tlog::{Note, VerifierKey};

use super::samples;
use super::winners;

pub(crate) async fn what_was_cosigned_last_is_remembered(witness: &Witness) {
    let memory = &witness.memory;
    let (one, two) = (checkpoint(1), checkpoint(2));
    assert_eq!(memory.last(LOG).await, Ok(None));
    let later = memory.remember(LOG, Some(&one), &two).await;
    assert_eq!(later, Err(Fault::Conflict), "nothing is remembered yet");
    assert_eq!(memory.remember(LOG, None, &one).await, Ok(()));
    assert_eq!(memory.remember(LOG, None, &two).await, Err(Fault::Conflict));
    assert_eq!(memory.last(LOG).await, Ok(Some(one.clone())));
    assert_eq!(memory.remember(LOG, Some(&one), &two).await, Ok(()));
    let stale = memory.remember(LOG, Some(&one), &checkpoint(3)).await;
    assert_eq!(stale, Err(Fault::Conflict));
    assert_eq!(memory.last(LOG).await, Ok(Some(two)));
    assert_eq!(memory.last("another.test/dsr").await, Ok(None));
}

pub(crate) async fn racing_memories_have_one_winner(witness: &Witness) {
    let memory = &witness.memory;
    let firsts: Vec<Vec<u8>> = (1..7).map(checkpoint).collect();
    let answers = join_all(firsts.iter().map(|new| memory.remember(LOG, None, new))).await;
    assert_eq!(winners(&answers), 1);
    let won = answers.iter().position(Result::is_ok).unwrap();
    let first = Some(firsts[won].clone());
    assert_eq!(memory.last(LOG).await, Ok(first.clone()));
    let next: Vec<Vec<u8>> = (11..17).map(checkpoint).collect();
    let old = first.as_deref();
    let answers = join_all(next.iter().map(|new| memory.remember(LOG, old, new))).await;
    assert_eq!(winners(&answers), 1);
}

pub(crate) async fn cosignatures_verify_under_the_witnesss_key(witness: &Witness) {
    let key = VerifierKey::parse(witness.cosigner.vkey()).unwrap();
    assert_eq!(key.name(), "witness.test");
    let note = Note::parse(&checkpoint(5)).unwrap();
    let message = cosignature_message(note.text(), 1_800_000_000);
    let signature = witness.cosigner.sign(&message).await.unwrap();
    let cosigned = note
        .with_cosignature(&key, 1_800_000_000, &signature)
        .unwrap();
    let verified = cosigned.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!(verified[0].timestamp, Some(1_800_000_000));
}

/// The log of the samples.
const LOG: &str = "log.test/dsr";

/// A checkpoint as the log signs it, by its form.
fn checkpoint(size: u64) -> Vec<u8> {
    let sample = String::from_utf8(samples::checkpoint(size, "root")).unwrap();
    sample.replace(" AAAA\n", " AAAAAAA=\n").into_bytes()
}
