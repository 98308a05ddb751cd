//! Record stores for tests: what is in the lake, and what the adapter is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumMode};
use quittance_core::data_map::Store;
use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::{
    Draft, RecordEraser as _, RecordReader as _, Roster, Searched, Wanted,
};

use crate::world::{World, identifiers, store};

pub(crate) const MIB: usize = 1024 * 1024;
pub(crate) const ANN: &str = "ann@example.test";
pub(crate) const BOB: &str = "bob@example.test";
pub(crate) const MARKER: &str = "vault/0/0/0";

/// What a forget of one object came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    pub(crate) before: u64,
    pub(crate) after: u64,
    /// Rows by member.
    pub(crate) rows: BTreeMap<u32, u64>,
}

impl World {
    /// A lake of JSON Lines under `events/`.
    pub(crate) async fn lake(versioning: Option<BucketVersioningStatus>) -> Self {
        let world = Self::start().await;
        world.bucket("lake", versioning).await;
        world
    }

    pub(crate) fn putting(&self, key: &str, body: impl Into<Vec<u8>>) -> PutObjectFluentBuilder {
        let put = self.s3.put_object().bucket("lake").key(key);
        put.body(body.into().into())
    }

    pub(crate) async fn rows(&self, key: &str, body: impl Into<Vec<u8>>) {
        self.putting(key, body).send().await.unwrap();
    }

    /// Puts an object, as a concurrent writer would, just before the next request of an operation.
    pub(crate) fn overwrite_before(&self, operation: &'static str, key: &str, body: String) {
        let (writer, key) = (self.s3.clone(), key.to_owned());
        self.wire.before(operation, 1, move || {
            let put = writer.put_object().bucket("lake").key(key.clone());
            let put = put.body(body.clone().into_bytes().into());
            async move { drop(put.send().await.unwrap()) }
        });
    }

    pub(crate) async fn head(&self, key: &str) -> HeadObjectOutput {
        let head = self.s3.head_object().bucket("lake").key(key);
        let head = head.checksum_mode(ChecksumMode::Enabled);
        head.send().await.unwrap()
    }

    pub(crate) async fn tags(&self, key: &str) -> Vec<(String, String)> {
        let tags = self.s3.get_object_tagging().bucket("lake").key(key);
        let tags = tags.send().await.unwrap().tag_set;
        tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
    }

    /// Unfinished uploads of the lake.
    pub(crate) async fn uploads(&self) -> usize {
        let listed = self.s3.list_multipart_uploads().bucket("lake");
        listed.send().await.unwrap().uploads().len()
    }

    /// The bytes of an object as it is now; none if it is not there.
    pub(crate) async fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.bytes_of(key, None).await
    }

    pub(crate) async fn bytes_of(&self, key: &str, version: Option<&str>) -> Option<Vec<u8>> {
        let get = self.s3.get_object().bucket("lake").key(key);
        let get = get.set_version_id(version.map(str::to_owned));
        let body = get.send().await.ok()?.body;
        Some(body.collect().await.unwrap().to_vec())
    }

    /// Lists a whole store; also how many pages it took.
    pub(crate) async fn listed(&self, store: &Store) -> Result<(Vec<ObjectRef>, usize), Fault> {
        let mut page = self.stores.objects(store, None).await?;
        let (mut objects, mut pages) = (page.objects, 1);
        while let Some(next) = page.next {
            page = self.stores.objects(store, Some(&next)).await?;
            objects.append(&mut page.objects);
            pages += 1;
            assert!(pages < 10_000, "the listing does not end");
        }
        Ok((objects, pages))
    }

    /// The only object of a key that is listed as current.
    pub(crate) async fn current(&self, store: &Store, key: &str) -> ObjectRef {
        let (objects, _) = self.listed(store).await.unwrap();
        let mut found = objects
            .into_iter()
            .filter(|object| object.key == key && !object.noncurrent);
        found.next().unwrap()
    }

    pub(crate) async fn count(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
    ) -> Result<Searched, Fault> {
        self.stores
            .search(store, object, roster, Wanted::Counts)
            .await
    }

    pub(crate) async fn prepare(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
    ) -> Result<Draft, Fault> {
        self.stores
            .prepare(store, object, roster, &BTreeSet::new())
            .await
    }

    /// Prepares and completes, as the engine does.
    pub(crate) async fn forget(
        &self,
        store: &Store,
        object: &ObjectRef,
        roster: &Roster,
    ) -> Result<Forgotten, Fault> {
        let draft = self.prepare(store, object, roster).await?;
        let forgotten = forgotten(&draft);
        if !forgotten.rows.is_empty() {
            self.stores.complete(store, object, &draft, MARKER).await?;
        }
        Ok(forgotten)
    }

    /// Every object and version of the store, as a sweep goes over them, round by round; returns
    /// how many rows went.
    pub(crate) async fn sweep(&self, store: &Store, roster: &Roster) -> u64 {
        let mut gone = 0;
        for _ in 0..4 {
            let mut of_round = 0;
            for object in self.listed(store).await.unwrap().0 {
                let done = self.forget(store, &object, roster).await.unwrap();
                of_round += done.rows.values().sum::<u64>();
            }
            if of_round == 0 {
                return gone;
            }
            gone += of_round;
        }
        panic!("the store does not come to rest")
    }
}

pub(crate) fn forgotten(draft: &Draft) -> Forgotten {
    let rows = draft.searched.matched.iter();
    Forgotten {
        before: draft.searched.rows,
        after: draft.after,
        rows: rows.map(|rows| (rows.member, rows.rows)).collect(),
    }
}

/// The store of JSON Lines under `events/`, compressed so.
pub(crate) fn events(compression: &str) -> Store {
    store(&format!(
        "s3: {{ bucket: lake, prefix: events/, format: jsonl, compression: {compression} }}
         find: [ {{ email: {{ field: user.email }} }} ]
         access: {{ exclude: [secret] }}
         deletion: delete_rows"
    ))
}

/// Members with one address each.
pub(crate) fn roster(emails: &[&str]) -> Roster {
    let members = emails.iter().map(|email| identifiers(&[("email", email)]));
    Roster {
        tag: HmacKey::new([7; 32]).tag("test", &[emails.join(" ").as_bytes()]),
        members: members.collect(),
    }
}

/// A row of somebody's.
pub(crate) fn row(n: usize, email: &str) -> String {
    format!("{{\"n\":{n},\"user\":{{\"email\":\"{email}\"}},\"secret\":\"x{n}\"}}\n")
}

/// Rows of these people, one after the other.
pub(crate) fn rows(emails: &[&str]) -> String {
    let mut text = String::new();
    for (n, email) in emails.iter().enumerate() {
        text.push_str(&row(n, email));
    }
    text
}

/// About so many bytes of other people's rows.
pub(crate) fn crowd(bytes: usize) -> String {
    let mut block = String::new();
    let mut noise = 1_u64;
    for n in 0.. {
        if block.len() >= bytes.min(MIB) {
            break;
        }
        write!(
            block,
            "{{\"n\":{n},\"user\":{{\"email\":\"p{n}@example.org\"}},\"x\":\""
        )
        .unwrap();
        for _ in 0..12 {
            // Knuth's generator: what it makes packs badly.
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            write!(block, "{noise:016x}").unwrap();
        }
        block.push_str("\"}\n");
    }
    block.repeat(bytes.div_ceil(block.len().max(1)))
}

/// The same text without anybody's rows whose address stands in it.
pub(crate) fn without(text: &str, email: &str) -> String {
    text.split_inclusive('\n')
        .filter(|row| !row.contains(email))
        .collect()
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let level = flate2::Compression::default();
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn snappy(text: &str) -> Vec<u8> {
    let mut writer = snap::write::FrameEncoder::new(Vec::new());
    writer.write_all(text.as_bytes()).unwrap();
    writer.into_inner().unwrap()
}

pub(crate) fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut reader = flate2::read::MultiGzDecoder::new(bytes);
    reader.read_to_string(&mut text).unwrap();
    text
}

pub(crate) fn unsnappy(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut reader = snap::read::FrameDecoder::new(bytes);
    reader.read_to_string(&mut text).unwrap();
    text
}
