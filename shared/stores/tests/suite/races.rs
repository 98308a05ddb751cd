//! Rewriting while others write, and while things fail: nothing is lost, nothing comes back.

use quittance_core::fault::Fault;
use quittance_engine::ports::{RecordEraser as _, Standing};

use crate::lake::{ANN, BOB, MARKER, MIB, crowd, events, gunzip, gzip, roster, row, rows, without};
use crate::world::World;

#[tokio::test]
async fn a_writer_between_look_and_rewrite_loses_nothing() {
    // Before the object is read again, before its last part, at the very moment of the commit.
    let long = crowd(14 * MIB);
    for (filler, moment) in [
        ("", "HEAD"),
        ("", "GET"),
        ("", "PUT"),
        (long.as_str(), "POST uploads"),
        (long.as_str(), "PUT copy"),
        (long.as_str(), "POST upload"),
    ] {
        let world = World::lake(None).await;
        let text = filler.to_owned() + &rows(&[ANN, BOB]);
        world.rows("events/a", text.clone()).await;
        let store = events("none");
        let object = world.current(&store, "events/a").await;
        let who = roster(&[ANN]);
        let draft = world.prepare(&store, &object, &who).await.unwrap();
        let newer = format!("{text}{}{}", row(7, "new@example.test"), row(8, ANN));
        world.overwrite_before(moment, "events/a", newer.clone());
        let done = world.stores.complete(&store, &object, &draft, MARKER).await;
        assert_eq!(done, Err(Fault::Conflict), "{moment}");
        assert!(world.wire.is_played(), "{moment}");
        assert_eq!(world.bytes("events/a").await.unwrap(), newer.as_bytes());
        assert_eq!(world.uploads().await, 0, "{moment}");
        let standing = world.stores.standing(&store, &object).await.unwrap();
        assert_eq!(standing, Standing::Other);
        assert_eq!(
            world.forget(&store, &object, &who).await.unwrap().rows[&0],
            2
        );
        let left = world.bytes("events/a").await.unwrap();
        assert_eq!(left, without(&newer, ANN).as_bytes(), "{moment}");
    }
}

#[tokio::test]
async fn a_hundred_rewrites_under_a_busy_writer_lose_and_resurrect_nothing() {
    let world = World::lake(None).await;
    let store = events("gzip");
    let who = roster(&[ANN]);
    let first = rows(&[ANN, BOB]);
    for n in 0..100_usize {
        world.rows(&format!("events/{n}"), gzip(&first)).await;
    }
    let (objects, _) = world.listed(&store).await.unwrap();
    assert_eq!(objects.len(), 100);
    for (n, object) in objects.into_iter().enumerate() {
        let key = object.key.clone();
        let second = format!("{first}{}{}", row(n, "late@example.test"), row(n, ANN));
        let (writer, body) = (world.s3.clone(), gzip(&second));
        let to = key.clone();
        let moment = ["GET", "HEAD", "PUT"][n % 3];
        world.wire.skip(moment, n / 3 % 2);
        world.wire.before(moment, 1, move || {
            let put = writer.put_object().bucket("lake").key(to.clone());
            let put = put.body(body.clone().into());
            async move { drop(put.send().await.unwrap()) }
        });
        let mut done = world.forget(&store, &object, &who).await;
        while done == Err(Fault::Conflict) {
            done = world.forget(&store, &object, &who).await;
        }
        done.unwrap();
        world.wire.clear();
        let left = gunzip(&world.bytes(&key).await.unwrap());
        let expected = [without(&first, ANN), without(&second, ANN)];
        assert!(expected.contains(&left), "{n}: {left}");
    }
}

#[tokio::test]
async fn an_object_that_is_deleted_meanwhile_stays_deleted() {
    for moment in ["HEAD", "GET", "PUT"] {
        let world = World::lake(None).await;
        world.rows("events/a", rows(&[ANN, BOB])).await;
        let store = events("none");
        let object = world.current(&store, "events/a").await;
        let draft = world
            .prepare(&store, &object, &roster(&[ANN]))
            .await
            .unwrap();
        let writer = world.s3.clone();
        world.wire.before(moment, 1, move || {
            let delete = writer.delete_object().bucket("lake").key("events/a");
            async move { drop(delete.send().await.unwrap()) }
        });
        let done = world.stores.complete(&store, &object, &draft, MARKER).await;
        assert_eq!(done, Err(Fault::Conflict), "{moment}");
        assert_eq!(world.bytes("events/a").await, None);
        let standing = world.stores.standing(&store, &object).await.unwrap();
        assert_eq!(standing, Standing::Gone);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_in_the_object() {
    for (filler, commit) in [(0, "PUT"), (14 * MIB, "POST upload")] {
        let world = World::lake(None).await;
        let text = crowd(filler) + &rows(&[ANN, BOB]);
        world.rows("events/a", text.clone()).await;
        let store = events("none");
        let object = world.current(&store, "events/a").await;
        let draft = world
            .prepare(&store, &object, &roster(&[ANN]))
            .await
            .unwrap();
        world.wire.lose_answer(commit);
        let etag = world.stores.complete(&store, &object, &draft, MARKER).await;
        assert!(world.wire.is_played());
        let now = world.current(&store, "events/a").await.etag;
        assert_eq!(etag, Ok(Some(now.clone())), "{commit}");
        assert_eq!(
            world.bytes("events/a").await.unwrap(),
            without(&text, ANN).as_bytes()
        );
        let marker = MARKER.to_owned();
        let standing = world.stores.standing(&store, &object).await.unwrap();
        assert_eq!(standing, Standing::Rewritten { marker, etag: now });
    }
}

#[tokio::test]
async fn what_fails_half_way_leaves_the_object_and_no_parts() {
    for call in ["PUT part", "PUT copy", "POST upload"] {
        let world = World::lake(None).await;
        let text = crowd(14 * MIB) + &rows(&[ANN]) + &crowd(14 * MIB);
        world.rows("events/a", text.clone()).await;
        let store = events("none");
        let object = world.current(&store, "events/a").await;
        let draft = world
            .prepare(&store, &object, &roster(&[ANN]))
            .await
            .unwrap();
        let body = "<Error><Code>InternalError</Code></Error>";
        world.wire.answer(call, 3, 500, body);
        let done = world.stores.complete(&store, &object, &draft, MARKER).await;
        assert!(matches!(done, Err(Fault::Retry { .. })), "{call}: {done:?}");
        assert!(world.wire.is_played(), "{call}");
        assert_eq!(world.uploads().await, 0, "{call}");
        assert!(world.bytes("events/a").await.unwrap() == text.as_bytes());
    }
}

where_it_can_be! {
#[tokio::test]
async fn parts_of_an_attempt_that_died_go_with_the_next_one_and_a_customers_stay() {
    let world = World::lake(None).await;
    let text = crowd(14 * MIB) + &rows(&[ANN]);
    world.rows("events/a", text).await;
    let begin = |client: &aws_sdk_s3::Client, key: &str| {
        let begin = client.create_multipart_upload().bucket("lake").key(key);
        begin.send()
    };
    begin(&world.s3, "events/a").await.unwrap();
    begin(&world.s3, "events/ab").await.unwrap();
    let customer = world.s3_as("CUSTOMER");
    let theirs = begin(&customer, "events/a").await.unwrap().upload_id;
    let store = events("none");
    let object = world.current(&store, "events/a").await;
    let done = world.forget(&store, &object, &roster(&[ANN])).await;
    assert_eq!(done.unwrap().rows[&0], 1);
    let left = world.s3.list_multipart_uploads().bucket("lake");
    let left = left.send().await.unwrap().uploads.unwrap();
    let left: Vec<_> = left.iter().map(|u| (u.key(), u.upload_id())).collect();
    assert_eq!(left.len(), 2);
    assert_eq!(left[0], (Some("events/a"), theirs.as_deref()));
    assert_eq!(left[1].0, Some("events/ab"));
}
}
