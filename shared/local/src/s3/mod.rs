//! S3 on this machine's disk: the protocol is the `s3s` crate's, the meaning of each operation is here.
//!
//! Here is the table of operations; each is told in its own module. An operation that is not in the table
//! answers 501.
//! Invariant: every operation is one transaction of the store, alone.

mod buckets;
mod checksum;
mod contents;
mod copy;
mod delete;
mod list;
mod lock;
mod multipart;
mod objects;
mod operations;
mod page;
mod store;
mod tags;
mod version;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use self::operations::Operations;
use self::store::Store;
use crate::SECRET_ACCESS_KEY;
use crate::clock::WallClock;
use crate::fault::{Call, Failure, Faults, Sealed, Service};

/// The S3 of one `LocalAws`.
pub(crate) fn service(
    dir: &Path,
    clock: WallClock,
    faults: Arc<Faults>,
) -> std::io::Result<S3Service> {
    let store = Arc::new(Store::open(dir, clock)?);
    let mut builder = S3ServiceBuilder::new(Operations::new(store));
    builder.set_auth(OneSecret);
    builder.set_access(FaultGate { faults });
    Ok(builder.build())
}

/// Any access key id, one documented secret: signatures are checked, so presigned URLs expire and break
/// as they should.
struct OneSecret;

#[async_trait::async_trait]
impl S3Auth for OneSecret {
    async fn get_secret_key(&self, _access_key: &str) -> S3Result<SecretKey> {
        Ok(SecretKey::from(SECRET_ACCESS_KEY))
    }
}

/// Asks the fault plan once the operation is known, before the body is read.
struct FaultGate {
    faults: Arc<Faults>,
}

#[async_trait::async_trait]
impl S3Access for FaultGate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Anonymous requests are refused"));
        }
        let resource = match context.s3_path() {
            S3Path::Root => String::new(),
            S3Path::Bucket { bucket } => bucket.to_string(),
            S3Path::Object { bucket, key } => format!("{bucket}/{key}"),
        };
        let call = Call {
            service: Service::S3,
            operation: context.s3_op().name().to_owned(),
            resource,
        };
        let Some(fault) = self.faults.ask(&call) else {
            return Ok(());
        };
        let refusal = fault.refusal().map(error_of);
        if let Some(sealed) = context.extensions_mut().get::<Sealed>() {
            sealed.set(fault);
        }
        refusal.map_or(Ok(()), Err)
    }
}

/// A failure in the words of S3.
pub(crate) fn error_of(failure: &Failure) -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::Custom(failure.code.clone().into()),
        failure.message.clone(),
    );
    error.set_status_code(failure.status);
    error
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

fn millis(timestamp: &Timestamp) -> S3Result<i64> {
    let mut text = Vec::new();
    timestamp
        .format(TimestampFormat::EpochSeconds, &mut text)
        .map_err(S3Error::internal_error)?;
    let text = String::from_utf8(text).map_err(S3Error::internal_error)?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let parse = |digits: &str| digits.parse::<i64>().map_err(S3Error::internal_error);
    Ok(parse(seconds)?
        .saturating_mul(1000)
        .saturating_add(parse(&thousandths)?))
}
