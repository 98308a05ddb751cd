//! Objects of one subject.

use std::collections::BTreeSet;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention,
    ObjectLockRetentionMode, StorageClass,
};
use quittance_core::data_map::Store;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::Locator;
use quittance_core::outcome::CheckMethod;
use quittance_core::request::Right;
use quittance_core::subject::Identifiers;
use quittance_engine::ports::{Effect, StoreEraser as _, StoreReader as _};
use quittance_engine::record::Record;

use crate::world::{World, ask, identifiers, store};

#[tokio::test]
async fn all_versions_and_delete_markers_go_and_neighbours_stay() {
    let world = World::start().await.paged(2);
    world
        .bucket("media", Some(BucketVersioningStatus::Enabled))
        .await;
    for owner in ["1", "12", "2"] {
        for name in ["big.png", "small.png"] {
            let key = format!("avatars/{owner}/{name}");
            for body in ["first", "second", "third"] {
                world.object("media", &key, body).await;
            }
            world
                .s3
                .delete_object()
                .bucket("media")
                .key(&key)
                .send()
                .await
                .unwrap();
        }
    }
    world
        .object("media", "avatars/1.txt", "not in the folder")
        .await;
    let before = world.versions("media").await;
    let neighbours: BTreeSet<_> = before
        .iter()
        .filter(|(key, _, _)| !key.starts_with("avatars/1/"))
        .cloned()
        .collect();
    assert_eq!((before.len(), neighbours.len()), (25, 17));

    let (store, who) = (avatars(), customer("1"));
    let deletion = ask(&store, &who, Right::Deletion);
    let found = world.search(deletion).await.unwrap();
    assert_eq!(found.matches.len(), 8);
    assert_eq!(found.places().len(), 8);
    assert_eq!(found.method, CheckMethod::ListVersions);
    assert!(found.pages >= 4, "{} pages", found.pages);
    for expected in [Effect::Made, Effect::Already] {
        for place in found.places() {
            assert_eq!(world.stores.erase(deletion, &place).await, Ok(expected));
        }
    }
    assert_eq!(world.versions("media").await, neighbours);
    assert!(world.search(deletion).await.unwrap().matches.is_empty());
}

#[tokio::test]
async fn unfinished_uploads_go_with_a_deletion_and_neighbours_stay() {
    let world = World::start().await.paged(2);
    world.bucket("media", None).await;
    world.object("media", "avatars/1/a", "mine").await;
    for key in ["avatars/1/a", "avatars/1/b", "avatars/1/c", "avatars/12/a"] {
        let create = world.s3.create_multipart_upload();
        let upload = create.bucket("media").key(key).send().await.unwrap();
        let part = world.s3.upload_part().bucket("media").key(key);
        part.set_upload_id(upload.upload_id)
            .part_number(1)
            .body(b"half".to_vec().into())
            .send()
            .await
            .unwrap();
    }
    let (store, who) = (avatars(), customer("1"));
    let access = world
        .search(ask(&store, &who, Right::Access))
        .await
        .unwrap();
    assert_eq!(access.matches.len(), 1);
    let deletion = ask(&store, &who, Right::Deletion);
    let found = world.search(deletion).await.unwrap();
    assert_eq!((found.matches.len(), found.places().len()), (4, 4));
    for expected in [Effect::Made, Effect::Already] {
        for place in found.places() {
            assert_eq!(world.stores.erase(deletion, &place).await, Ok(expected));
        }
    }
    assert!(world.search(deletion).await.unwrap().matches.is_empty());
    let left = world.s3.list_multipart_uploads().bucket("media");
    let left = left.send().await.unwrap();
    let keys: Vec<_> = left.uploads().iter().map(|upload| upload.key()).collect();
    assert_eq!(keys, [Some("avatars/12/a")]);
}

#[tokio::test]
async fn an_object_without_versions_is_deleted_once() {
    let world = World::start().await;
    world.bucket("media", None).await;
    world.object("media", "avatars/1/a", "mine").await;
    world.object("media", "avatars/12/a", "another's").await;
    let (store, who) = (avatars(), customer("1"));
    let deletion = ask(&store, &who, Right::Deletion);
    let found = world.search(deletion).await.unwrap();
    let [one] = found.matches.as_slice() else {
        panic!("{} matches", found.matches.len())
    };
    let Locator::Object { version, etag, .. } = &one.locator else {
        panic!("no object")
    };
    assert!(version.is_none() && etag.is_some());
    assert_eq!(
        world.stores.erase(deletion, &one.locator).await,
        Ok(Effect::Made)
    );
    assert_eq!(
        world.stores.erase(deletion, &one.locator).await,
        Ok(Effect::Already)
    );
    let left: Vec<_> = world
        .versions("media")
        .await
        .into_iter()
        .map(|(key, _, _)| key)
        .collect();
    assert_eq!(left, ["avatars/12/a"]);
}

#[tokio::test]
async fn an_object_that_is_overwritten_under_the_delete_is_looked_at_and_deleted() {
    let world = World::start().await;
    world.bucket("media", None).await;
    world.object("media", "avatars/1/a", "old").await;
    let (store, who) = (avatars(), customer("1"));
    let deletion = ask(&store, &who, Right::Deletion);
    let place = world.search(deletion).await.unwrap().matches[0]
        .locator
        .clone();
    let writer = world.s3.clone();
    world.wire.before("DELETE", 1, move || {
        let put = writer.put_object().bucket("media").key("avatars/1/a");
        async move { drop(put.body(b"new".to_vec().into()).send().await.unwrap()) }
    });
    assert_eq!(world.stores.erase(deletion, &place).await, Ok(Effect::Made));
    assert!(world.wire.is_played());
    assert!(world.versions("media").await.is_empty());
}

#[tokio::test]
async fn a_suspended_bucket_keeps_nothing_hidden() {
    let world = World::start().await;
    world.bucket("media", None).await;
    world
        .object("media", "avatars/1/a", "before versions")
        .await;
    world
        .versioning("media", BucketVersioningStatus::Enabled)
        .await;
    world.object("media", "avatars/1/a", "a version").await;
    world
        .versioning("media", BucketVersioningStatus::Suspended)
        .await;
    world.object("media", "avatars/1/b", "null again").await;
    world
        .s3
        .delete_object()
        .bucket("media")
        .key("avatars/1/b")
        .send()
        .await
        .unwrap();
    let (store, who) = (avatars(), customer("1"));
    let deletion = ask(&store, &who, Right::Deletion);
    let found = world.search(deletion).await.unwrap();
    assert_eq!(found.matches.len(), 3);
    for place in found.places() {
        assert_eq!(world.stores.erase(deletion, &place).await, Ok(Effect::Made));
    }
    assert!(world.versions("media").await.is_empty());
}

#[tokio::test]
async fn versions_that_begin_between_search_and_delete_hide_nothing() {
    let world = World::start().await;
    world.bucket("media", None).await;
    world.object("media", "avatars/1/a", "mine").await;
    let (store, who) = (avatars(), customer("1"));
    let deletion = ask(&store, &who, Right::Deletion);
    let place = world.search(deletion).await.unwrap().matches[0]
        .locator
        .clone();
    world
        .versioning("media", BucketVersioningStatus::Enabled)
        .await;
    assert_eq!(world.stores.erase(deletion, &place).await, Ok(Effect::Made));
    assert!(world.versions("media").await.is_empty());
}

#[tokio::test]
async fn an_exact_key_is_not_the_longer_keys_that_begin_with_it() {
    let world = World::start().await.paged(1);
    world
        .bucket("media", Some(BucketVersioningStatus::Enabled))
        .await;
    for key in [
        "cards/1.pdf",
        "cards/1.pdf",
        "cards/1.pdf.bak",
        "cards/1.pdfs/2",
        "cards/12.pdf",
    ] {
        world.object("media", key, "x").await;
    }
    let store = store("s3: { bucket: media, objects: \"cards/{customer_id}.pdf\" }");
    let who = customer("1");
    let deletion = ask(&store, &who, Right::Deletion);
    let found = world.search(deletion).await.unwrap();
    assert_eq!(found.matches.len(), 2);
    for place in found.places() {
        assert_eq!(world.stores.erase(deletion, &place).await, Ok(Effect::Made));
    }
    let left: Vec<_> = world
        .versions("media")
        .await
        .into_iter()
        .map(|(key, _, _)| key)
        .collect();
    assert_eq!(left, ["cards/1.pdf.bak", "cards/1.pdfs/2", "cards/12.pdf"]);
    // Whatever a locator says: other keys are not this subject's.
    let other = Locator::Object {
        key: "cards/12.pdf".into(),
        version: None,
        etag: None,
        upload: None,
    };
    assert_eq!(
        world.stores.erase(deletion, &other).await,
        Ok(Effect::NotTheirs)
    );
}

#[tokio::test]
async fn every_version_is_read_as_it_was() {
    let world = World::start().await;
    world
        .bucket("media", Some(BucketVersioningStatus::Enabled))
        .await;
    world.object("media", "avatars/1/a", "first").await;
    world.object("media", "avatars/1/a", "second").await;
    world
        .s3
        .delete_object()
        .bucket("media")
        .key("avatars/1/a")
        .send()
        .await
        .unwrap();
    let (store, who) = (avatars(), customer("1"));
    let access = ask(&store, &who, Right::Access);
    let mut bodies = BTreeSet::new();
    let mut markers = 0;
    for place in world.search(access).await.unwrap().places() {
        match world.stores.read(access, &place).await.unwrap() {
            Some(Record::Object {
                key,
                version,
                media_type,
                bytes,
            }) => {
                assert_eq!(
                    (key.as_str(), media_type.as_str()),
                    ("avatars/1/a", "text/plain")
                );
                assert!(version.is_some());
                bodies.insert(String::from_utf8(bytes).unwrap());
            }
            Some(Record::Item(_)) => panic!("an item in a bucket"),
            None => markers += 1,
        }
    }
    assert_eq!(bodies, ["first".to_owned(), "second".to_owned()].into());
    assert_eq!(markers, 1);
    // Gone, or another's: nothing.
    let at = |key: &str| Locator::Object {
        key: key.to_owned(),
        version: None,
        etag: Some("\"x\"".to_owned()),
        upload: None,
    };
    world.object("media", "avatars/2/a", "another's").await;
    assert!(
        world
            .stores
            .read(access, &at("avatars/1/b"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        world
            .stores
            .read(access, &at("avatars/2/a"))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_locked_version_blocks_as_locked_and_a_forbidden_one_as_denied() {
    let world = World::start().await;
    world
        .s3
        .create_bucket()
        .bucket("media")
        .object_lock_enabled_for_bucket(true)
        .send()
        .await
        .unwrap();
    let held = world.object("media", "avatars/1/held", "x").await;
    let retained = world.object("media", "avatars/1/retained", "x").await;
    world.object("media", "avatars/1/free", "x").await;
    let on = ObjectLockLegalHold::builder()
        .status(ObjectLockLegalHoldStatus::On)
        .build();
    let lock = world
        .s3
        .put_object_legal_hold()
        .bucket("media")
        .key("avatars/1/held");
    lock.set_version_id(held)
        .legal_hold(on)
        .send()
        .await
        .unwrap();
    let retention = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::Compliance)
        .retain_until_date(DateTime::from_secs(4_102_444_800))
        .build();
    let lock = world
        .s3
        .put_object_retention()
        .bucket("media")
        .key("avatars/1/retained");
    lock.set_version_id(retained)
        .retention(retention)
        .send()
        .await
        .unwrap();

    let (store, who) = (avatars(), customer("1"));
    let deletion = ask(&store, &who, Right::Deletion);
    let before = world.versions("media").await;
    for place in world.search(deletion).await.unwrap().places() {
        let Locator::Object { key, .. } = &place else {
            panic!("no object")
        };
        let reason = if key.ends_with("free") {
            let body = "<Error><Code>AccessDenied</Code></Error>";
            world.wire.answer("DELETE", 1, 403, body);
            BlockReason::AccessDenied
        } else {
            BlockReason::Locked
        };
        let effect = world.stores.erase(deletion, &place).await;
        assert_eq!(effect, Err(Fault::Block(reason)));
    }
    assert!(world.wire.is_played());
    assert_eq!(world.versions("media").await, before);
}

#[tokio::test]
async fn what_cannot_be_read_blocks_with_its_reason() {
    let world = World::start().await;
    world.bucket("media", None).await;
    world.object("media", "avatars/1/a", "x").await;
    let (store, who) = (avatars(), customer("1"));
    let access = ask(&store, &who, Right::Access);
    let place = world.search(access).await.unwrap().matches[0]
        .locator
        .clone();
    let archived = "<Error><Code>InvalidObjectState</Code></Error>";
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    for (status, body, reason) in [
        (403, archived, BlockReason::ArchiveTier),
        (403, denied, BlockReason::AccessDenied),
    ] {
        world.wire.answer("GET", 1, status, body);
        let read = world.stores.read(access, &place).await;
        assert_eq!(read.err(), Some(Fault::Block(reason)));
    }
    world.wire.answer("GET versions", 1, 403, denied);
    let found = world.search(access).await;
    assert_eq!(found.err(), Some(Fault::Block(BlockReason::AccessDenied)));
    world.wire.answer_huge("GET", 65 * 1024 * 1024);
    let read = world.stores.read(access, &place).await;
    assert_eq!(read.err(), Some(Fault::Block(BlockReason::TooLarge)));
    assert!(world.wire.is_played());
}

#[tokio::test]
async fn an_object_in_an_archive_tier_can_be_deleted_but_not_read() {
    let world = World::start().await;
    world.bucket("media", None).await;
    let put = world.s3.put_object().bucket("media").key("avatars/1/a");
    put.storage_class(StorageClass::DeepArchive)
        .body(b"x".to_vec().into())
        .send()
        .await
        .unwrap();
    let (store, who) = (avatars(), customer("1"));
    let place = world
        .search(ask(&store, &who, Right::Access))
        .await
        .unwrap()
        .matches[0]
        .locator
        .clone();
    let read = world
        .stores
        .read(ask(&store, &who, Right::Access), &place)
        .await;
    assert_eq!(read.err(), Some(Fault::Block(BlockReason::ArchiveTier)));
    let effect = world
        .stores
        .erase(ask(&store, &who, Right::Deletion), &place)
        .await;
    assert_eq!(effect, Ok(Effect::Made));
}

#[tokio::test]
async fn an_identifier_that_reaches_into_other_keys_blocks() {
    let world = World::start().await;
    world.bucket("media", None).await;
    world.object("media", "avatars/1/a", "x").await;
    let store = avatars();
    for unsafe_id in ["1/a", ".."] {
        let who = customer(unsafe_id);
        let found = world.search(ask(&store, &who, Right::Deletion)).await;
        assert_eq!(
            found.err(),
            Some(Fault::Block(BlockReason::UnsafeIdentifier))
        );
    }
}

fn avatars() -> Store {
    store("s3: { bucket: media, objects: \"avatars/{customer_id}/\" }")
}

fn customer(id: &str) -> Identifiers {
    identifiers(&[("customer_id", id)])
}
