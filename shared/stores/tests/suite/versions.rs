//! Buckets with versions: what held the rows goes, whatever else there is stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention,
    ObjectLockRetentionMode,
};
use quittance_core::fault::{BlockReason, Fault};
use quittance_engine::ports::{RecordEraser as _, Standing};
use quittance_local::{Options, WallClock};

use crate::lake::{ANN, BOB, MARKER, events, gunzip, gzip, roster, rows, without};
use crate::world::World;

const CAT: &str = "cat@example.test";

#[tokio::test]
async fn no_version_holds_the_rows_afterwards_and_the_others_stay() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled)).await;
    let store = events("gzip");
    let first = gzip(&rows(&[BOB]));
    world.rows("events/a", first.clone()).await;
    world.rows("events/a", gzip(&rows(&[BOB, ANN]))).await;
    world.rows("events/a", gzip(&rows(&[BOB, ANN, CAT]))).await;
    world.rows("events/b", gzip(&rows(&[ANN, ANN]))).await;
    let hidden = world.s3.delete_object().bucket("lake").key("events/b");
    hidden.send().await.unwrap();
    let before = world.versions("lake").await;
    assert_eq!(world.sweep(&store, &roster(&[ANN])).await, 4);
    let after = world.versions("lake").await;
    let stayed: Vec<_> = before.intersection(&after).collect();
    let kinds: Vec<_> = stayed
        .iter()
        .map(|(key, _, tag)| (key.as_str(), tag == "marker"))
        .collect();
    assert_eq!(kinds, [("events/a", false), ("events/b", true)]);
    assert_eq!(after.len(), 3);
    let now = world.bytes("events/a").await.unwrap();
    assert_eq!(gunzip(&now), without(&rows(&[BOB, ANN, CAT]), ANN));
    for (key, version, tag) in &after {
        if tag != "marker" {
            let bytes = world.bytes_of(key, Some(version)).await.unwrap();
            assert!(!gunzip(&bytes).contains(ANN));
        }
    }
    assert_eq!(world.sweep(&store, &roster(&[ANN])).await, 0);
    assert_eq!(world.versions("lake").await, after);
}

where_it_can_be! {
#[tokio::test]
async fn in_a_suspended_bucket_the_new_object_is_never_taken_for_the_old_one() {
    let world = World::lake(None).await;
    let store = events("none");
    world.rows("events/a", rows(&[ANN, BOB])).await;
    world
        .versioning("lake", BucketVersioningStatus::Enabled)
        .await;
    world.rows("events/b", rows(&[ANN, BOB])).await;
    world.rows("events/a", rows(&[ANN, CAT])).await;
    world
        .versioning("lake", BucketVersioningStatus::Suspended)
        .await;
    world.rows("events/c", rows(&[ANN, BOB])).await;
    // The fourth one is in the null version of `a`, which the rewritten object overwrites.
    assert_eq!(world.sweep(&store, &roster(&[ANN])).await, 3);
    let mut left = Vec::new();
    for (key, version, _) in world.versions("lake").await {
        let bytes = world.bytes_of(&key, Some(&version)).await.unwrap();
        assert!(!String::from_utf8(bytes).unwrap().contains(ANN));
        left.push((key, version));
    }
    let expected = ["a", "b", "c"].map(|key| (format!("events/{key}"), "null".to_owned()));
    assert_eq!(left, expected);
    assert_eq!(
        world.bytes("events/a").await.unwrap(),
        without(&rows(&[ANN, CAT]), ANN).as_bytes()
    );
}
}

#[tokio::test]
async fn versions_that_begin_under_the_rewrite_hide_nothing() {
    let world = World::lake(None).await;
    let store = events("none");
    world.rows("events/a", rows(&[ANN, BOB])).await;
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN]);
    let draft = world.prepare(&store, &object, &who).await.unwrap();
    world
        .versioning("lake", BucketVersioningStatus::Enabled)
        .await;
    world
        .stores
        .complete(&store, &object, &draft, MARKER)
        .await
        .unwrap();
    let versions = world.versions("lake").await;
    assert_eq!(versions.len(), 1);
    assert!(versions.iter().all(|(_, version, _)| version != "null"));
    assert_eq!(
        world.bytes("events/a").await.unwrap(),
        without(&rows(&[ANN, BOB]), ANN).as_bytes()
    );
}

#[tokio::test]
async fn a_version_that_was_current_when_listed_is_looked_at_too() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled)).await;
    let store = events("none");
    let who = roster(&[ANN]);
    world.rows("events/a", rows(&[ANN, BOB])).await;
    let object = world.current(&store, "events/a").await;
    world.rows("events/a", rows(&[BOB, ANN, ANN])).await;
    let found = world.count(&store, &object, &who).await.unwrap();
    assert_eq!((found.rows, found.matched[0].rows), (5, 3));
    let done = world.forget(&store, &object, &who).await.unwrap();
    assert_eq!((done.before, done.after, done.rows[&0]), (5, 1, 3));
    assert_eq!(world.versions("lake").await.len(), 1);

    // The newer one holds nobody's rows: it stays, only the older one goes.
    world.rows("events/b", rows(&[ANN])).await;
    let object = world.current(&store, "events/b").await;
    world.rows("events/b", rows(&[BOB])).await;
    let now = world.current(&store, "events/b").await;
    let draft = world.prepare(&store, &object, &who).await.unwrap();
    let etag = world.stores.complete(&store, &object, &draft, MARKER).await;
    assert_eq!(etag, Ok(Some(now.etag.clone())));
    assert_eq!(world.current(&store, "events/b").await, now);
    assert_eq!(world.versions("lake").await.len(), 2);
}

#[tokio::test]
async fn what_a_crash_left_of_a_rewrite_is_finished() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled)).await;
    let store = events("none");
    world.rows("events/a", rows(&[ANN, BOB])).await;
    let object = world.current(&store, "events/a").await;
    let who = roster(&[ANN]);
    let draft = world.prepare(&store, &object, &who).await.unwrap();
    // The process dies between the commit and the deletion of the version replaced.
    world.wire.answer(
        "DELETE",
        3,
        500,
        "<Error><Code>InternalError</Code></Error>",
    );
    let died = world.stores.complete(&store, &object, &draft, MARKER).await;
    assert!(matches!(died, Err(Fault::Retry { .. })), "{died:?}");
    assert_eq!(world.versions("lake").await.len(), 2);
    for _ in 0..2 {
        let standing = world.stores.standing(&store, &object).await.unwrap();
        let now = world.current(&store, "events/a").await;
        let marker = MARKER.to_owned();
        assert_eq!(
            standing,
            Standing::Rewritten {
                marker,
                etag: now.etag
            }
        );
        assert_eq!(world.versions("lake").await.len(), 1);
    }
    // A copy elsewhere carries the notes, too: nothing is deleted for that.
    let copy = world.s3.copy_object().bucket("lake").key("events/copy");
    copy.copy_source("lake/events/a").send().await.unwrap();
    world.rows("events/copied", rows(&[BOB])).await;
    let copy = world.current(&store, "events/copy").await;
    let before = world.versions("lake").await;
    let standing = world.stores.standing(&store, &copy).await.unwrap();
    assert!(matches!(standing, Standing::Rewritten { .. }));
    assert_eq!(world.versions("lake").await, before);
}

#[tokio::test]
async fn an_older_version_is_deleted_as_a_whole_and_known_to_be_gone() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled)).await;
    let store = events("none");
    world.rows("events/a", rows(&[ANN, BOB])).await;
    world.rows("events/a", rows(&[BOB])).await;
    let (objects, _) = world.listed(&store).await.unwrap();
    let old = objects
        .into_iter()
        .find(|object| object.noncurrent)
        .unwrap();
    let standing = world.stores.standing(&store, &old).await.unwrap();
    assert_eq!(standing, Standing::Other);
    let draft = world.prepare(&store, &old, &roster(&[ANN])).await.unwrap();
    assert_eq!((draft.searched.rows, draft.after), (2, 0));
    for _ in 0..2 {
        let done = world.stores.complete(&store, &old, &draft, MARKER).await;
        assert_eq!(done, Ok(None));
    }
    let standing = world.stores.standing(&store, &old).await.unwrap();
    assert_eq!(standing, Standing::Gone);
    assert_eq!(
        world.bytes("events/a").await.unwrap(),
        rows(&[BOB]).as_bytes()
    );

    // With the rows of somebody under a hold in it, it must stay.
    world.rows("events/b", rows(&[ANN, CAT])).await;
    world.rows("events/b", rows(&[BOB])).await;
    let (objects, _) = world.listed(&store).await.unwrap();
    let old = objects
        .into_iter()
        .find(|object| object.noncurrent)
        .unwrap();
    let who = roster(&[ANN, CAT]);
    let prepared = world.stores.prepare(&store, &old, &who, &[1].into()).await;
    assert_eq!(prepared.err(), Some(Fault::Block(BlockReason::Locked)));
}

#[tokio::test]
async fn locks_are_seen_before_anything_is_written_and_end_by_themselves() {
    let time = Arc::new(AtomicI64::new(1_600_000_000_000));
    let clock = Arc::clone(&time);
    let world = World::start_with(Options {
        clock: WallClock::new(move || clock.load(Ordering::SeqCst)),
        ..Options::default()
    })
    .await;
    let create = world.s3.create_bucket().bucket("lake");
    let create = create.object_lock_enabled_for_bucket(true);
    create.send().await.unwrap();
    let store = events("none");
    let who = roster(&[ANN]);
    for key in [
        "events/held",
        "events/retained",
        "events/over",
        "events/crowd",
    ] {
        let emails = if key == "events/crowd" {
            [BOB, CAT]
        } else {
            [ANN, BOB]
        };
        world.rows(key, rows(&emails)).await;
    }
    let on = ObjectLockLegalHold::builder()
        .status(ObjectLockLegalHoldStatus::On)
        .build();
    for key in ["events/held", "events/crowd"] {
        let hold = world.s3.put_object_legal_hold().bucket("lake").key(key);
        hold.legal_hold(on.clone()).send().await.unwrap();
    }
    for (key, until) in [
        ("events/retained", 4_000_000_000),
        ("events/over", 1_600_000_100),
    ] {
        let retention = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::Compliance)
            .retain_until_date(DateTime::from_secs(until))
            .build();
        let retain = world.s3.put_object_retention().bucket("lake").key(key);
        retain.retention(retention).send().await.unwrap();
    }
    time.store(1_700_000_000_000, Ordering::SeqCst);
    let before = world.versions("lake").await;
    for key in ["events/held", "events/retained"] {
        let object = world.current(&store, key).await;
        let locked = world.prepare(&store, &object, &who).await;
        assert_eq!(
            locked.err(),
            Some(Fault::Block(BlockReason::Locked)),
            "{key}"
        );
    }
    // What holds nobody's rows is no matter, locked or not.
    let object = world.current(&store, "events/crowd").await;
    assert!(
        world
            .forget(&store, &object, &who)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
    assert_eq!(world.versions("lake").await, before);

    let object = world.current(&store, "events/over").await;
    assert_eq!(
        world.forget(&store, &object, &who).await.unwrap().rows[&0],
        1
    );
    assert_eq!(world.versions("lake").await.len(), before.len());
    let left = world.bytes("events/over").await.unwrap();
    assert_eq!(left, without(&rows(&[ANN, BOB]), ANN).as_bytes());
}

#[tokio::test]
async fn a_bucket_that_wants_a_second_factor_is_refused_before_anything_is_written() {
    let world = World::lake(Some(BucketVersioningStatus::Enabled)).await;
    let store = events("none");
    world.rows("events/a", rows(&[ANN, BOB])).await;
    let object = world.current(&store, "events/a").await;
    let mfa = "<VersioningConfiguration><Status>Enabled</Status>\
               <MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    world.wire.answer("GET versioning", 1, 200, mfa);
    let refused = world.prepare(&store, &object, &roster(&[ANN])).await;
    assert_eq!(refused.err(), Some(Fault::Block(BlockReason::AccessDenied)));
    assert!(world.wire.is_played());
}
