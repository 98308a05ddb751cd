//! What was answered is there after a restart and after `kill -9`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, CompletedMultipartUpload, CompletedPart};
use quittance_local::{LocalAws, Options, StartError};

use crate::dynamodb::{TABLE, keyed, s, table};
use crate::s3_objects::{BUCKET, bucket, put, text};
use crate::{World, code};

/// Tells the child process its directory. Only [`a_killed_process_loses_nothing_it_answered`] sets it.
const DIR_VARIABLE: &str = "QUITTANCE_LOCAL_TEST_DIR";

#[tokio::test]
async fn a_restart_on_the_same_directory_continues() {
    let folder = tempfile::tempdir().unwrap();
    let dir = || Some(folder.path().to_owned());
    let world = World::open(dir()).await;
    table(&world).await;
    world
        .dynamodb
        .put_item()
        .table_name(TABLE)
        .set_item(Some(keyed("a", "b")))
        .send()
        .await
        .unwrap();
    bucket(&world, Some(BucketVersioningStatus::Enabled)).await;
    let (_, first) = put(&world, "k", "1").await;
    put(&world, "k", "2").await;
    let upload = world
        .s3
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("m")
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap();
    let part = world
        .s3
        .upload_part()
        .bucket(BUCKET)
        .key("m")
        .upload_id(&upload)
        .part_number(1);
    let part = part
        .body(ByteStream::from_static(b"part"))
        .send()
        .await
        .unwrap();
    let key = world
        .kms
        .create_key()
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap()
        .key_id;
    let made = world
        .kms
        .generate_data_key()
        .key_id(&key)
        .number_of_bytes(32)
        .send()
        .await
        .unwrap();
    world.aws.stop().await;

    let world = World::open(dir()).await;
    let get = world
        .dynamodb
        .get_item()
        .table_name(TABLE)
        .set_key(Some(keyed("a", "b")))
        .send()
        .await
        .unwrap();
    assert!(get.item.is_some());
    assert_eq!(text(&world, "k").await, "2");
    let old = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .version_id(first.unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"1");
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = world
        .s3
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("m")
        .upload_id(&upload);
    complete.multipart_upload(parts).send().await.unwrap();
    assert_eq!(text(&world, "m").await, "part");
    let opened = world
        .kms
        .decrypt()
        .ciphertext_blob(made.ciphertext_blob.unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(opened.plaintext, made.plaintext);
}

#[tokio::test]
async fn a_directory_serves_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        dir: Some(folder.path().to_owned()),
        ..Options::default()
    };
    let first = LocalAws::start(options()).await.unwrap();
    let second = LocalAws::start(options()).await;
    assert!(matches!(second, Err(StartError::InUse(_))), "{second:?}");
    first.stop().await;
    LocalAws::start(options()).await.unwrap();
}

#[tokio::test]
async fn contents_no_row_names_are_removed_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(Some(folder.path().to_owned())).await;
    bucket(&world, None).await;
    put(&world, "k", "kept").await;
    world.aws.stop().await;
    let orphan = folder.path().join("s3/contents/abcdef");
    std::fs::write(&orphan, "torn").unwrap();
    let world = World::open(Some(folder.path().to_owned())).await;
    assert!(!orphan.exists());
    assert_eq!(text(&world, "k").await, "kept");
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::child_writes_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(DIR_VARIABLE, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let answered = lines.filter_map(|line| {
        line.split_once("answered ")
            .map(|(_, n)| n.parse::<usize>().unwrap())
    });
    let last = answered
        .take(60)
        .last()
        .expect("the child should answer writes");
    child.kill().unwrap();
    child.wait().unwrap();

    let world = World::open(Some(folder.path().to_owned())).await;
    for n in 0..=last {
        assert_eq!(text(&world, &format!("k{n}")).await, n.to_string());
        let get = world
            .dynamodb
            .get_item()
            .table_name(TABLE)
            .set_key(Some(keyed("n", &n.to_string())));
        assert_eq!(
            get.send().await.unwrap().item.unwrap()["v"],
            s(&n.to_string())
        );
    }
    // One write may have been under way; whatever is there is whole.
    let next = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key(format!("k{}", last + 1))
        .send()
        .await;
    match next {
        Ok(next) => assert_eq!(
            next.body.collect().await.unwrap().to_vec(),
            (last + 1).to_string().as_bytes()
        ),
        Err(_) => assert_eq!(code(next), "NoSuchKey"),
    }
    put(&world, "after", "x").await;
}

#[tokio::test]
#[ignore = "the child process of a_killed_process_loses_nothing_it_answered"]
#[expect(
    clippy::disallowed_methods,
    reason = "tells the child process its directory"
)]
async fn child_writes_until_it_is_killed() {
    let dir = PathBuf::from(std::env::var_os(DIR_VARIABLE).expect("run by its parent"));
    let world = World::open(Some(dir)).await;
    table(&world).await;
    bucket(&world, None).await;
    for n in 0_u32.. {
        put(&world, &format!("k{n}"), &n.to_string()).await;
        let mut item = keyed("n", &n.to_string());
        item.insert("v".to_owned(), s(&n.to_string()));
        world
            .dynamodb
            .put_item()
            .table_name(TABLE)
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
        println!("answered {n}");
    }
}
