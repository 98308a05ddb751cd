//! What an SDK error means: retry, block, conflict. One function per service.
//!
//! Details name service, operation, place and error code, never keys, values or the SDK's own
//! message, which may quote data. Errors of one operation that mean something special (a lock, a
//! precondition) are looked at by its caller first, through [`code`] and [`status`].

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use quittance_core::fault::{BlockReason, Fault};

/// Says what a DynamoDB error means.
pub(crate) fn dynamodb<E: ProvideErrorMetadata>(
    operation: &str,
    table: &str,
    error: &SdkError<E>,
) -> Fault {
    match code(error) {
        "ConditionalCheckFailedException" => Fault::Conflict,
        "AccessDeniedException" | "NotAuthorized" => Fault::Block(BlockReason::AccessDenied),
        "ResourceNotFoundException" | "TableNotFoundException" => {
            Fault::Block(BlockReason::StoreMissing)
        }
        // They speak of keys, indexes and types: the table is not as mapped.
        "ValidationException" => Fault::Block(BlockReason::SchemaMismatch),
        _ => retry("dynamodb", operation, table, error),
    }
}

/// Says what an S3 error means.
pub(crate) fn s3<E: ProvideErrorMetadata>(
    operation: &str,
    bucket: &str,
    error: &SdkError<E>,
) -> Fault {
    // Answers to HEAD have no body and so no code: their status has to do.
    match (code(error), status(error)) {
        ("PreconditionFailed" | "ConditionalRequestConflict", _) | (_, Some(412)) => {
            Fault::Conflict
        }
        // A bucket in another region than the map says is not there either.
        (
            "NoSuchBucket"
            | "InvalidBucketName"
            | "PermanentRedirect"
            | "AuthorizationHeaderMalformed",
            _,
        )
        | (_, Some(301)) => Fault::Block(BlockReason::StoreMissing),
        ("InvalidObjectState", _) => Fault::Block(BlockReason::ArchiveTier),
        // Credentials that ran out are refreshed; everything else forbidden stays forbidden.
        ("ExpiredToken" | "RequestTimeTooSkewed" | "SlowDown", _) => {
            retry("s3", operation, bucket, error)
        }
        ("AccessDenied", _) | (_, Some(403)) => Fault::Block(BlockReason::AccessDenied),
        (code, _) if code.starts_with("KMS.") => Fault::Block(BlockReason::AccessDenied),
        _ => retry("s3", operation, bucket, error),
    }
}

/// Whether S3 says that the object, version or upload does not exist.
pub(crate) fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match code(error) {
        "NoSuchKey" | "NoSuchUpload" | "NoSuchVersion" | "NotFound" => true,
        "" => status(error) == Some(404),
        _ => false,
    }
}

/// Whether the service answered and refused for lack of permission.
pub(crate) fn is_denied<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    code(error) == "AccessDenied" || (code(error).is_empty() && status(error) == Some(403))
}

/// Whether asking again might be answered: nothing came back, or the service was not well.
pub(crate) fn is_transient<E>(error: &SdkError<E>) -> bool {
    status(error).is_none_or(|status| status == 429 || status >= 500)
}

/// Returns the service's error code; empty when there is none.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> &str {
    error.code().unwrap_or_default()
}

/// Returns the HTTP status, when the service answered.
pub(crate) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error
        .raw_response()
        .map(|response| response.status().as_u16())
}

fn retry<E: ProvideErrorMetadata>(
    service: &str,
    operation: &str,
    place: &str,
    error: &SdkError<E>,
) -> Fault {
    let code = error.code().unwrap_or_else(|| kind(error));
    let after_seconds = if is_throttle(code) {
        THROTTLED_SECONDS
    } else {
        DEFAULT_SECONDS
    };
    Fault::Retry {
        after_seconds,
        detail: format!("{service} {operation} on {place}: {code}"),
    }
}

fn is_throttle(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "ThrottlingException"
    )
}

/// Names what went wrong when the service itself said nothing.
fn kind<E>(error: &SdkError<E>) -> &'static str {
    match error {
        SdkError::ConstructionFailure(_) => "request could not be built",
        SdkError::DispatchFailure(_) => "request could not be sent",
        SdkError::ResponseError(_) => "response could not be read",
        SdkError::TimeoutError(_) => "timed out",
        SdkError::ServiceError(_) | _ => "error without a code",
    }
}

const DEFAULT_SECONDS: u32 = 2;
const THROTTLED_SECONDS: u32 = 10;
