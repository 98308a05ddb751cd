//! What only shows when one looks past the adapters, into buckets and tables.

use quittance_aws::adapters::Adapters;
use quittance_aws::settings::Setting;
use quittance_core::fault::Fault;
use quittance_engine::ledger::{Item, Version, Write};
use quittance_engine::ports::{
    Deposit as _, Ledger as _, Shredder as _, TileStore as _, Vault as _,
};
use quittance_engine::vault::{FOLDERS, PAPERS};

use super::samples::{accepted, id, request};

pub(crate) async fn a_vault_object_is_ciphertext_bound_to_its_request(adapters: &Adapters) {
    let vault = adapters.vault().unwrap();
    for n in [1, 2] {
        vault.deposit(id(n), b"canary@example.test").await.unwrap();
    }
    let bucket = adapters.settings().text(Setting::VaultBucket).unwrap();
    let s3 = &adapters.clients().s3();
    let keys = keys(adapters).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    let (one, two) = (&keys[0], &keys[1]);
    assert!(
        one.starts_with(&format!("papers/{}/", id(1))) && one.ends_with(PAPERS),
        "{one}"
    );
    let object = s3
        .get_object()
        .bucket(bucket)
        .key(one)
        .send()
        .await
        .unwrap();
    let bytes = object.body.collect().await.unwrap().to_vec();
    assert!(!bytes.windows(6).any(|window| window == b"canary"));
    // Somebody who can write to the bucket puts one person's papers in another's place.
    s3.put_object()
        .bucket(bucket)
        .key(two)
        .body(bytes.into())
        .send()
        .await
        .unwrap();
    let read = vault.read(id(2), PAPERS).await;
    assert!(matches!(read, Err(Fault::Reject { .. })), "{read:?}");
    assert_eq!(
        vault.read(id(1), PAPERS).await,
        Ok(Some(b"canary@example.test".to_vec()))
    );
}

pub(crate) async fn a_shredded_vault_leaves_nothing_behind(adapters: &Adapters) {
    let vault = adapters.vault().unwrap();
    vault.deposit(id(1), b"papers").await.unwrap();
    for n in 0..20 {
        let folder = FOLDERS[n % FOLDERS.len()];
        let name = format!("{folder}/{n}");
        vault.keep(id(1), &name, b"bytes").await.unwrap();
    }
    vault.deposit(id(2), b"papers").await.unwrap();
    assert_eq!(keys(adapters).await.len(), 22);
    // Another process that used the key a moment ago.
    let elsewhere = adapters.vault().unwrap();
    assert!(elsewhere.read(id(1), PAPERS).await.unwrap().is_some());
    let shredder = adapters.shredder().unwrap();
    shredder.shred(id(1)).await.unwrap();
    assert_eq!(elsewhere.read(id(1), PAPERS).await, Ok(None));
    assert!(elsewhere.keep(id(1), "asked/late", b"bytes").await.is_err());
    let left = keys(adapters).await;
    assert_eq!(left.len(), 1);
    assert!(left[0].starts_with(&format!("papers/{}/", id(2))));
    let stray = vault.keep(id(2), "stray/1", b"bytes").await;
    assert!(
        matches!(stray, Err(Fault::Reject { .. })),
        "nobody would shred it: {stray:?}"
    );
}

pub(crate) async fn an_interrupted_deposit_is_made_again(adapters: &Adapters) {
    let vault = adapters.vault().unwrap();
    let bucket = adapters.settings().text(Setting::VaultBucket).unwrap();
    // What a try leaves that died before it wrote the key's row.
    let orphan = format!("papers/{}/0011223344556677/{PAPERS}", id(1));
    let put = adapters
        .clients()
        .s3()
        .put_object()
        .bucket(bucket)
        .key(&orphan);
    put.body(b"lost".to_vec().into()).send().await.unwrap();
    assert_eq!(vault.read(id(1), PAPERS).await, Ok(None));
    assert_eq!(vault.deposit(id(1), b"papers").await, Ok(()));
    assert_eq!(
        vault.read(id(1), PAPERS).await,
        Ok(Some(b"papers".to_vec()))
    );
    let shredder = adapters.shredder().unwrap();
    shredder.shred(id(1)).await.unwrap();
    assert_eq!(keys(adapters).await, Vec::<String>::new());
}

pub(crate) async fn public_files_are_labelled_for_caches(adapters: &Adapters) {
    let tiles = adapters.tiles().unwrap();
    tiles.keep("tile/0/000", b"tile").await.unwrap();
    tiles.publish(None, b"checkpoint").await.unwrap();
    let bucket = adapters.settings().text(Setting::LogBucket).unwrap();
    let s3 = &adapters.clients().s3();
    let tile = s3
        .head_object()
        .bucket(bucket)
        .key("tile/0/000")
        .send()
        .await
        .unwrap();
    assert_eq!(tile.content_type(), Some("application/octet-stream"));
    assert_eq!(
        tile.cache_control(),
        Some("public, max-age=31536000, immutable")
    );
    let checkpoint = s3
        .head_object()
        .bucket(bucket)
        .key("checkpoint")
        .send()
        .await
        .unwrap();
    assert_eq!(checkpoint.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!(checkpoint.cache_control(), Some("no-cache"));
}

pub(crate) async fn a_draft_has_a_broom_and_an_accepted_request_has_none(adapters: &Adapters) {
    let ledger = adapters.ledger().unwrap();
    ledger
        .commit(&[Write::Create(Item::Request(request(1)))])
        .await
        .unwrap();
    assert!(has_attribute(adapters, "expires").await);
    assert!(!has_attribute(adapters, "wake_pk").await);
    let accepted = Write::Replace(Item::Request(accepted(1, 1, 1)), Version(1));
    ledger.commit(&[accepted]).await.unwrap();
    assert!(!has_attribute(adapters, "expires").await);
    assert!(has_attribute(adapters, "wake_pk").await);
}

async fn has_attribute(adapters: &Adapters, name: &str) -> bool {
    let table = adapters.settings().text(Setting::LedgerTable).unwrap();
    let scan = adapters
        .clients()
        .dynamodb()
        .scan()
        .table_name(table)
        .consistent_read(true);
    let items = scan.send().await.unwrap().items.unwrap_or_default();
    assert_eq!(items.len(), 1);
    items[0].contains_key(name)
}

/// The keys of all objects in the vault bucket, sorted.
async fn keys(adapters: &Adapters) -> Vec<String> {
    let bucket = adapters.settings().text(Setting::VaultBucket).unwrap();
    let listed = adapters
        .clients()
        .s3()
        .list_objects_v2()
        .bucket(bucket)
        .send()
        .await
        .unwrap();
    let objects = listed.contents.unwrap_or_default();
    objects
        .into_iter()
        .filter_map(|object| object.key)
        .collect()
}
