//! AWS inside the process, for `dsr local`, the demo and the tests.
//!
//! **For development and tests only.** It stands for S3, DynamoDB, SQS, KMS and SES on one loopback port, takes
//! any access key, enforces no IAM policy and does not survive a power cut. It is a witness of how AWS behaves,
//! not the truth: what matters is tried on AWS too.
//!
//! S3 is ours on the protocol crate `s3s`, SQS and SES are ours; DynamoDB is `dynoxide-rs`, KMS is `awsim-kms`.
//! Invariant: with a directory, what was answered (tables, items, buckets, objects, keys, mails) is there again
//! after the process was killed at any moment. Queues and their messages are not: the caller makes them again.

mod clock;
mod dynamodb;
mod fault;
mod front;
mod kms;
mod local_aws;
mod mail;
mod s3;
mod sqs;

pub use clock::WallClock;
pub use fault::{Call, Failure, Fault, Faults, Service};
pub use local_aws::{LocalAws, Options, StartError};
pub use mail::Mail;

/// The region everything is in.
pub const REGION: &str = "us-east-1";
/// The account everything belongs to.
pub const ACCOUNT_ID: &str = "000000000000";
/// An access key id to use; any other does as well.
pub const ACCESS_KEY_ID: &str = "test";
/// The secret of every access key. Only S3 checks signatures, so that presigned URLs behave as they should.
pub const SECRET_ACCESS_KEY: &str = "test";
