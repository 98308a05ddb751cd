//! Lists a store's objects with their older versions, and refuses tables that have a catalogue.
//!
//! Iceberg, Delta and Hudi keep a list of their files, with sizes and digests: a file that is
//! rewritten underneath it breaks the table. A sweep lists all before it touches anything.

use quittance_core::fault::{BlockReason, Fault};
use quittance_core::manifest::Cursor;
use quittance_core::sweep::ObjectRef;
use quittance_engine::ports::ObjectPage;
use serde::{Deserialize, Serialize};

use super::Records;
use super::kept::NULL;
use crate::errors;
use crate::s3_bucket::Versioning;

/// Where the listing goes on.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    key: Option<String>,
    version: Option<String>,
}

/// Lists one page.
pub(super) async fn objects(
    records: &Records<'_>,
    from: Option<&Cursor>,
) -> Result<ObjectPage, Fault> {
    let from = if let Some(cursor) = from {
        Place::deserialize(&cursor.0)
            .map_err(|_| Fault::reject("an unreadable cursor of a record store"))?
    } else {
        refuse_tables_above(records).await?;
        Place::default()
    };
    let bucket = records.bucket;
    let versioning = bucket.versioning().await?;
    let listed = bucket
        .client
        .list_object_versions()
        .bucket(bucket.name)
        .prefix(records.prefix)
        .max_keys(records.page)
        .set_key_marker(from.key.clone())
        .set_version_id_marker(from.version.clone())
        .send()
        .await
        .map_err(|error| errors::s3("ListObjectVersions", bucket.name, &error))?;
    let mut objects: Vec<ObjectRef> = Vec::with_capacity(listed.versions().len());
    let mut bytes = 0_u64;
    let mut cut = None;
    for version in listed.versions() {
        let Some(key) = version.key() else { continue };
        if is_of_a_table(key) {
            return Err(Fault::Block(BlockReason::TableFormat));
        }
        if bytes > PAGE_BYTES
            && let Some(last) = objects.last()
        {
            // The rest is another shard's.
            cut = Some(Place {
                key: Some(last.key.clone()),
                version: Some(last.version.clone().unwrap_or(NULL.to_owned())),
            });
            break;
        }
        let size = u64::try_from(version.size().unwrap_or_default()).unwrap_or_default();
        bytes = bytes.saturating_add(size);
        objects.push(ObjectRef {
            key: key.to_owned(),
            version: match versioning {
                Versioning::Never => None,
                Versioning::Kept { .. } => Some(version.version_id().unwrap_or(NULL).to_owned()),
            },
            noncurrent: version.is_latest() == Some(false),
            etag: version.e_tag().unwrap_or_default().to_owned(),
            bytes: size,
        });
    }
    let more = (listed.is_truncated() == Some(true)).then(|| Place {
        key: listed.next_key_marker().map(str::to_owned),
        version: listed.next_version_id_marker().map(str::to_owned),
    });
    let next = cut.or(more);
    // "More", but not from where: that would be read for ever, or not to its end.
    if next
        .as_ref()
        .is_some_and(|next| next.key.is_none() || *next == from)
    {
        return Err(Fault::retry("s3 listing: truncated without a way on"));
    }
    let next = next.map(|next| serde_json::to_value(next).map(Cursor));
    let next = next.transpose();
    let next = next.map_err(|_| Fault::reject("a cursor that cannot be written"))?;
    Ok(ObjectPage { objects, next })
}

/// Whether a key is what only tables with a catalogue have.
fn is_of_a_table(key: &str) -> bool {
    let mut names = key.rsplit('/');
    let (name, folder) = (names.next(), names.next());
    let is_iceberg =
        folder == Some("metadata") && name.is_some_and(|name| name.ends_with(".metadata.json"));
    let mut names = key.split('/');
    is_iceberg || names.any(|name| name == "_delta_log" || name.starts_with(".hoodie"))
}

/// Looks for tables of which the store's prefix is a part. What lies above the prefix the role may
/// be forbidden to list: then nobody knows, and the data map's prefix is believed.
async fn refuse_tables_above(records: &Records<'_>) -> Result<(), Fault> {
    let folders = records.prefix.match_indices('/').map(|(at, _)| at);
    let above = folders.filter_map(|at| records.prefix.get(..=at));
    for folder in [""].into_iter().chain(above) {
        for sign in ["_delta_log/", ".hoodie/", "metadata/0", "metadata/v"] {
            let sent = records
                .bucket
                .client
                .list_objects_v2()
                .bucket(records.bucket.name)
                .prefix(format!("{folder}{sign}"))
                .send()
                .await;
            let listed = match sent {
                Ok(listed) => listed,
                Err(error) if errors::is_denied(&error) => continue,
                Err(error) => {
                    return Err(errors::s3("ListObjectsV2", records.bucket.name, &error));
                }
            };
            let mut keys = listed.contents().iter().filter_map(|object| object.key());
            if keys.any(is_of_a_table) {
                return Err(Fault::Block(BlockReason::TableFormat));
            }
        }
    }
    Ok(())
}

/// About how much one page has to be read through.
const PAGE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::is_of_a_table;

    #[test]
    fn tables_are_known_by_their_files() {
        for key in [
            "t/_delta_log/00000000000000000000.json",
            "_delta_log/_last_checkpoint",
            "lake/t/.hoodie/hoodie.properties",
            "lake/t/dt=1/.hoodie_partition_metadata",
            "lake/t/metadata/v12.metadata.json",
            "metadata/00000-9f.metadata.json",
        ] {
            assert!(is_of_a_table(key), "{key}");
        }
        for key in [
            "events/2026/a.jsonl.gz",
            "events/metadata/a.json",
            "events/a.metadata.json",
            "events/_delta_logs/a",
            "metadata.json",
        ] {
            assert!(!is_of_a_table(key), "{key}");
        }
    }
}
