//! Buckets: making, naming and removing them, their versioning, and settings that are kept and given back.
//!
//! Settings (notifications, replication, lifecycle, encryption, policy) are *not* acted upon here.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use s3s::dto::{
    Bucket as ListedBucket, BucketLocationConstraint, BucketVersioningStatus, CreateBucketInput,
    CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput, GetBucketLocationInput,
    GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput, HeadBucketInput,
    HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner, PutBucketVersioningInput,
    PutBucketVersioningOutput,
};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::store::{Bucket, BucketDetail, BucketLock, Store, Txn, Versioning, broken, from_json};
use super::timestamp;
use crate::REGION;

pub(super) async fn create(
    store: &Arc<Store>,
    req: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    let input = req.input;
    let asked = input
        .create_bucket_configuration
        .and_then(|c| c.location_constraint);
    let region = asked.map_or_else(|| REGION.to_owned(), |region| region.as_str().to_owned());
    let is_locked = input.object_lock_enabled_for_bucket.unwrap_or(false);
    let name = input.bucket.clone();
    let work = move |txn: &Txn<'_>| {
        if txn.bucket(&name).is_ok() {
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded"
            ));
        }
        let detail = BucketDetail {
            created_ms: txn.now_ms,
            region,
            versioning: if is_locked {
                Versioning::Enabled
            } else {
                Versioning::Never
            },
            lock: is_locked.then(BucketLock::default),
        };
        txn.save_bucket(&Bucket { name, detail })
    };
    store.run(work).await?;
    Ok(S3Response::new(CreateBucketOutput {
        location: Some(format!("/{}", input.bucket)),
    }))
}

pub(super) async fn delete(
    store: &Arc<Store>,
    req: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let name = req.input.bucket;
    let work = move |txn: &Txn<'_>| {
        txn.bucket(&name)?;
        let used = txn
            .sql
            .query_row(
                "SELECT 1 FROM versions WHERE bucket = ?1 LIMIT 1",
                [&name],
                |_| Ok(()),
            )
            .optional()
            .map_err(broken)?;
        if used.is_some() {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty."
            ));
        }
        let query = "SELECT id FROM uploads WHERE bucket = ?1";
        let mut statement = txn.sql.prepare(query).map_err(broken)?;
        let uploads = statement
            .query_map([&name], |row| row.get::<_, String>(0))
            .map_err(broken)?;
        for upload in uploads {
            txn.remove_upload(&upload.map_err(broken)?)?;
        }
        txn.sql
            .execute("DELETE FROM settings WHERE bucket = ?1", [&name])
            .map_err(broken)?;
        txn.sql
            .execute("DELETE FROM buckets WHERE name = ?1", [&name])
            .map_err(broken)?;
        Ok(())
    };
    store.run(work).await?;
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

pub(super) async fn head(
    store: &Arc<Store>,
    req: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    let bucket = store.run(move |txn| txn.bucket(&req.input.bucket)).await?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(bucket.detail.region),
        ..HeadBucketOutput::default()
    }))
}

pub(super) async fn list(
    store: &Arc<Store>,
    req: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    let prefix = req.input.prefix.unwrap_or_default();
    let work = move |txn: &Txn<'_>| {
        let query =
            "SELECT name, detail FROM buckets WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
        let mut statement = txn.sql.prepare_cached(query).map_err(broken)?;
        let rows = statement
            .query_map([&prefix], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(broken)?;
        rows.map(|row| {
            let (name, detail) = row.map_err(broken)?;
            Ok(Bucket {
                name,
                detail: from_json(&detail)?,
            })
        })
        .collect::<S3Result<Vec<_>>>()
    };
    let buckets = store
        .run(work)
        .await?
        .into_iter()
        .map(|bucket| ListedBucket {
            bucket_region: Some(bucket.detail.region),
            creation_date: Some(timestamp(bucket.detail.created_ms)),
            name: Some(bucket.name),
        });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        owner: Some(Owner {
            id: Some(crate::ACCOUNT_ID.to_owned()),
            display_name: None,
        }),
        ..ListBucketsOutput::default()
    }))
}

pub(super) async fn location(
    store: &Arc<Store>,
    req: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    let bucket = store.run(move |txn| txn.bucket(&req.input.bucket)).await?;
    // The first region of AWS has no name in this answer.
    let named = Some(bucket.detail.region).filter(|region| region != "us-east-1");
    Ok(S3Response::new(GetBucketLocationOutput {
        location_constraint: named.map(BucketLocationConstraint::from),
    }))
}

pub(super) async fn put_versioning(
    store: &Arc<Store>,
    req: S3Request<PutBucketVersioningInput>,
) -> S3Result<S3Response<PutBucketVersioningOutput>> {
    let input = req.input;
    let configuration = input.versioning_configuration;
    if configuration
        .mfa_delete
        .is_some_and(|mfa| mfa.as_str() == "Enabled")
    {
        return Err(s3_error!(NotImplemented, "MFA delete is not emulated"));
    }
    let versioning = match configuration
        .status
        .as_ref()
        .map(BucketVersioningStatus::as_str)
    {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => {
            return Err(s3_error!(
                MalformedXML,
                "a versioning status is Enabled or Suspended"
            ));
        }
    };
    let work = move |txn: &Txn<'_>| {
        let mut bucket = txn.bucket(&input.bucket)?;
        if versioning == Versioning::Suspended && bucket.detail.lock.is_some() {
            return Err(s3_error!(
                InvalidBucketState,
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
            ));
        }
        bucket.detail.versioning = versioning;
        txn.save_bucket(&bucket)
    };
    store.run(work).await?;
    Ok(S3Response::new(PutBucketVersioningOutput::default()))
}

pub(super) async fn versioning(
    store: &Arc<Store>,
    req: S3Request<GetBucketVersioningInput>,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    let bucket = store.run(move |txn| txn.bucket(&req.input.bucket)).await?;
    let status = match bucket.detail.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(S3Response::new(GetBucketVersioningOutput {
        status: status.map(BucketVersioningStatus::from_static),
        ..GetBucketVersioningOutput::default()
    }))
}

/// The kinds of settings that are kept.
#[derive(Clone, Copy)]
pub(super) enum Setting {
    Encryption,
    Inventory,
    Lifecycle,
    Logging,
    Notification,
    Policy,
    PublicAccess,
    Replication,
    Tags,
}

impl Setting {
    fn as_str(self) -> &'static str {
        match self {
            Self::Encryption => "encryption",
            Self::Inventory => "inventory",
            Self::Lifecycle => "lifecycle",
            Self::Logging => "logging",
            Self::Notification => "notification",
            Self::Policy => "policy",
            Self::PublicAccess => "public_access",
            Self::Replication => "replication",
            Self::Tags => "tags",
        }
    }

    /// What S3 answers when the setting was never made.
    pub(super) fn missing(self) -> S3Error {
        match self {
            Self::Encryption => s3_error!(ServerSideEncryptionConfigurationNotFoundError),
            Self::Lifecycle => s3_error!(
                NoSuchLifecycleConfiguration,
                "The lifecycle configuration does not exist"
            ),
            Self::Inventory | Self::Logging | Self::Notification => {
                s3_error!(InternalError, "absent, this configuration is an empty one")
            }
            Self::Policy => s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist"),
            Self::PublicAccess => absent("NoSuchPublicAccessBlockConfiguration"),
            Self::Replication => s3_error!(ReplicationConfigurationNotFoundError),
            Self::Tags => s3_error!(NoSuchTagSet, "The TagSet does not exist"),
        }
    }
}

fn absent(code: &'static str) -> S3Error {
    let mut error = S3Error::with_message(
        s3s::S3ErrorCode::Custom(code.into()),
        "The configuration was not found",
    );
    error.set_status_code(http::StatusCode::NOT_FOUND);
    error
}

/// A setting as the document it was sent as.
pub(super) fn document<T: Serialize>(value: &T) -> S3Result<Vec<u8>> {
    let mut body = Vec::new();
    value
        .serialize(&mut Serializer::new(&mut body))
        .map_err(S3Error::internal_error)?;
    Ok(body)
}

/// Keeps or removes the bytes of a setting.
pub(super) async fn put_raw_setting(
    store: &Arc<Store>,
    bucket: String,
    kind: Setting,
    body: Option<Vec<u8>>,
) -> S3Result<()> {
    let work = move |txn: &Txn<'_>| {
        txn.bucket(&bucket)?;
        let kind = kind.as_str();
        match body {
            Some(body) => txn.sql.execute(
                "INSERT OR REPLACE INTO settings (bucket, kind, body) VALUES (?1, ?2, ?3)",
                params![bucket, kind, body],
            ),
            None => txn.sql.execute(
                "DELETE FROM settings WHERE bucket = ?1 AND kind = ?2",
                [bucket.as_str(), kind],
            ),
        }
        .map_err(broken)?;
        Ok(())
    };
    store.run(work).await
}

/// A kept setting, read back.
pub(super) async fn setting<T>(
    store: &Arc<Store>,
    bucket: String,
    kind: Setting,
) -> S3Result<Option<T>>
where
    T: for<'xml> Deserialize<'xml>,
{
    let Some(body) = raw_setting(store, bucket, kind).await? else {
        return Ok(None);
    };
    let mut reader = Deserializer::new(&body);
    T::deserialize(&mut reader)
        .map(Some)
        .map_err(S3Error::internal_error)
}

pub(super) async fn raw_setting(
    store: &Arc<Store>,
    bucket: String,
    kind: Setting,
) -> S3Result<Option<Vec<u8>>> {
    let work = move |txn: &Txn<'_>| {
        txn.bucket(&bucket)?;
        txn.sql
            .query_row(
                "SELECT body FROM settings WHERE bucket = ?1 AND kind = ?2",
                [bucket.as_str(), kind.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map_err(broken)
    };
    store.run(work).await
}
