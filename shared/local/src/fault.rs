//! Faults on demand: what AWS does on a bad day, one call at a time.
//!
//! Invariant: without a plan nothing is injected.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

/// A service of the emulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon DynamoDB.
    DynamoDb,
    /// AWS KMS.
    Kms,
    /// Amazon S3.
    S3,
    /// Amazon SES, API version 2.
    Ses,
    /// Amazon SQS.
    Sqs,
}

/// A call about to be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service called.
    pub service: Service,
    /// The operation's name, such as `PutItem`.
    pub operation: String,
    /// `bucket/key`, the table (of a transaction or batch: all of them, comma-separated), the queue or the key id.
    pub resource: String,
}

/// What happens to a call instead of the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Executed; the connection is cut after so many bytes of the answer's body.
    CutAnswer {
        /// Bytes of the body that still arrive.
        after_bytes: usize,
    },
    /// Executed; the connection is closed without an answer.
    DropAfter,
    /// Not executed; the connection is closed without an answer.
    DropBefore,
    /// Not executed; the failure is answered.
    Refuse(Failure),
    /// Executed; the failure is answered all the same.
    ReportFailure(Failure),
}

impl Fault {
    /// The failure an unexecuted call ends with.
    pub(crate) fn refusal(&self) -> Option<&Failure> {
        match self {
            Self::Refuse(failure) => Some(failure),
            Self::DropBefore => Some(&DROPPED),
            Self::CutAnswer { .. } | Self::DropAfter | Self::ReportFailure(_) => None,
        }
    }
}

/// An error as AWS words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Failure {
    /// The service's access denied.
    pub fn access_denied(service: Service) -> Self {
        match service {
            Service::S3 => Self::new(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"),
            Service::DynamoDb | Service::Kms | Service::Sqs => Self::new(
                StatusCode::BAD_REQUEST,
                "AccessDeniedException",
                "User is not authorized",
            ),
            Service::Ses => Self::new(
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                "User is not authorized",
            ),
        }
    }

    /// The service's throttling.
    pub fn throttled(service: Service) -> Self {
        match service {
            Service::S3 => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "SlowDown",
                "Please reduce your request rate.",
            ),
            Service::DynamoDb => Self::new(
                StatusCode::BAD_REQUEST,
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            Service::Kms => Self::new(
                StatusCode::BAD_REQUEST,
                "ThrottlingException",
                "Rate exceeded",
            ),
            Service::Ses => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequestsException",
                "Rate exceeded",
            ),
            Service::Sqs => Self::new(StatusCode::BAD_REQUEST, "RequestThrottled", "Rate exceeded"),
        }
    }

    /// The service's internal error.
    pub fn internal(service: Service) -> Self {
        let code = match service {
            Service::S3 | Service::Sqs => "InternalError",
            Service::DynamoDb => "InternalServerError",
            Service::Kms => "KMSInternalException",
            Service::Ses => "InternalServiceErrorException",
        };
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            code,
            "We encountered an internal error. Please try again.",
        )
    }

    /// Any other error.
    pub fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }
}

/// The plan of faults of one emulation.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
}

/// Decides about one call.
type Plan = dyn FnMut(&Call) -> Option<Fault> + Send;

#[derive(Default)]
struct State {
    plan: Option<Box<Plan>>,
    once: VecDeque<(Service, String, Fault)>,
}

impl Faults {
    /// Asks `plan` before every call from now on. It must not block or call the emulation.
    pub fn set(&self, plan: impl FnMut(&Call) -> Option<Fault> + Send + 'static) {
        self.state().plan = Some(Box::new(plan));
    }

    /// Does `fault` to the next call of `operation`, before any plan is asked.
    pub fn once(&self, service: Service, operation: &str, fault: Fault) {
        self.state()
            .once
            .push_back((service, operation.to_owned(), fault));
    }

    /// Nothing is injected any more.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    pub(crate) fn ask(&self, call: &Call) -> Option<Fault> {
        let mut state = self.state();
        let due = state
            .once
            .iter()
            .position(|(service, name, _)| *service == call.service && *name == call.operation);
        if let Some((_, _, fault)) = due.and_then(|place| state.once.remove(place)) {
            return Some(fault);
        }
        state.plan.as_mut().and_then(|plan| plan(call))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("has_plan", &self.state().plan.is_some())
            .finish_non_exhaustive()
    }
}

/// Carries the fault of one S3 request from where the operation is known to where the answer leaves.
#[derive(Clone, Default)]
pub(crate) struct Sealed(Arc<Mutex<Option<Fault>>>);

impl Sealed {
    pub(crate) fn set(&self, fault: Fault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    pub(crate) fn take(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

// Never answered: the connection is closed instead.
static DROPPED: std::sync::LazyLock<Failure> = std::sync::LazyLock::new(|| {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Dropped",
        "connection closed",
    )
});
