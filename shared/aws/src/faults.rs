//! What an SDK error means to the engine.
//!
//! Only operation names and error codes reach a fault's detail: an SDK's message may quote values.
//! Whatever may have happened although it was reported failed is a [`Fault::Retry`].

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use quittance_core::fault::Fault;

/// Translates an error of `operation` that its adapter has no special meaning for.
pub(crate) fn fault<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Fault
where
    E: ProvideErrorMetadata,
{
    let kind = match error {
        SdkError::ServiceError(context) => {
            return by_code(operation, context.err().code().unwrap_or("unnamed error"));
        }
        SdkError::ConstructionFailure(_) => {
            return Fault::reject(format!("{operation}: the call could not be built"));
        }
        SdkError::DispatchFailure(_) => "not reached",
        SdkError::ResponseError(_) => "unreadable answer",
        SdkError::TimeoutError(_) => "timed out",
        other => {
            // The enum is open: a new kind is as unknown as a time-out.
            return Fault::retry(format!("{operation}: {other}"));
        }
    };
    Fault::retry(format!("{operation}: {kind}"))
}

/// Returns the service's error code, when the service answered.
pub(crate) fn code<E, R>(error: &SdkError<E, R>) -> Option<&str>
where
    E: ProvideErrorMetadata,
{
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
}

/// Whether the service says that it did nothing because of too much traffic.
pub(crate) fn is_throttle(code: &str) -> bool {
    THROTTLES.contains(&code)
}

fn by_code(operation: &'static str, code: &str) -> Fault {
    if is_throttle(code) {
        return Fault::Retry {
            after_seconds: 5,
            detail: format!("{operation}: {code}"),
        };
    }
    if MISCONFIGURED.contains(&code) {
        // Ours to repair, not the message's fault: nothing may be lost over it.
        let detail = format!("{operation}: {code}: check this function's role and settings");
        return Fault::Retry {
            after_seconds: 60,
            detail,
        };
    }
    if ILLEGAL.contains(&code) {
        return Fault::reject(format!("{operation}: {code}"));
    }
    Fault::retry(format!("{operation}: {code}"))
}

const THROTTLES: [&str; 9] = [
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];
const MISCONFIGURED: [&str; 13] = [
    "AccessDenied",
    "AccessDeniedException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "DisabledException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "NoSuchBucket",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
];
const ILLEGAL: [&str; 4] = [
    "EntityTooLarge",
    "InvalidMessageContents",
    "MessageTooLong",
    "ValidationException",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_what_to_do() {
        assert!(matches!(
            by_code("x", "SlowDown"),
            Fault::Retry {
                after_seconds: 5,
                ..
            }
        ));
        assert!(matches!(
            by_code("x", "AccessDenied"),
            Fault::Retry {
                after_seconds: 60,
                ..
            }
        ));
        assert!(matches!(
            by_code("x", "ValidationException"),
            Fault::Reject { .. }
        ));
        assert!(matches!(
            by_code("x", "InternalServerError"),
            Fault::Retry { .. }
        ));
    }
}
