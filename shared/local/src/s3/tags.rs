//! Tags of objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput,
    GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::store::{Store, Txn};

pub(super) async fn put(
    store: &Arc<Store>,
    req: S3Request<PutObjectTaggingInput>,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let input = req.input;
    let mut tags = BTreeMap::new();
    for tag in input.tagging.tag_set {
        let key = tag
            .key
            .ok_or_else(|| s3_error!(InvalidTag, "a tag has a key"))?;
        if tags.insert(key, tag.value.unwrap_or_default()).is_some() {
            return Err(s3_error!(
                InvalidTag,
                "Cannot provide multiple Tags with the same key"
            ));
        }
    }
    check_count(&tags)?;
    let version_id = set(store, input.bucket, input.key, input.version_id, tags).await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(super) async fn delete(
    store: &Arc<Store>,
    req: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
    let input = req.input;
    let version_id = set(
        store,
        input.bucket,
        input.key,
        input.version_id,
        BTreeMap::new(),
    )
    .await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
}

pub(super) async fn get(
    store: &Arc<Store>,
    req: S3Request<GetObjectTaggingInput>,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let input = req.input;
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&input.bucket)?;
        let version = txn.readable(&bucket, &input.key, input.version_id.as_deref())?;
        Ok((version.shown_id(&bucket), version.detail.tags))
    };
    let (version_id, tags) = store.run(work).await?;
    let tag_set = tags
        .into_iter()
        .map(|(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        })
        .collect();
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set,
        version_id,
    }))
}

/// Parses the `x-amz-tagging` header, which has the form of a URL query.
pub(super) fn parse_header(header: Option<&str>) -> S3Result<BTreeMap<String, String>> {
    let mut tags = BTreeMap::new();
    for pair in header
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        tags.insert(decode(key)?, decode(value)?);
    }
    check_count(&tags)?;
    Ok(tags)
}

fn decode(text: &str) -> S3Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(0), rest.next().unwrap_or(0)];
                let decoded = data_encoding::HEXLOWER_PERMISSIVE.decode(&digits);
                bytes.extend(decoded.map_err(|error| s3_error!(error, InvalidArgument))?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|error| s3_error!(error, InvalidArgument))
}

fn check_count(tags: &BTreeMap<String, String>) -> S3Result<()> {
    if tags.len() > MOST_TAGS {
        return Err(s3_error!(
            InvalidTag,
            "Object tags cannot be greater than {MOST_TAGS}"
        ));
    }
    Ok(())
}

async fn set(
    store: &Arc<Store>,
    bucket: String,
    key: String,
    id: Option<String>,
    tags: BTreeMap<String, String>,
) -> S3Result<Option<String>> {
    let work = move |txn: &Txn<'_>| {
        let bucket = txn.bucket(&bucket)?;
        let mut version = txn.readable(&bucket, &key, id.as_deref())?;
        version.detail.tags = tags;
        txn.save_detail(&version)?;
        Ok(version.shown_id(&bucket))
    };
    store.run(work).await
}

const MOST_TAGS: usize = 10;
