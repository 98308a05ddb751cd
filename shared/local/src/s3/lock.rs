//! Object Lock: retention and legal hold, and what they forbid.
//!
//! Invariant: no version under COMPLIANCE retention or legal hold can be removed by any operation here;
//! GOVERNANCE yields only to the bypass header. (Who may send that header is not emulated.)

use std::sync::Arc;

use s3s::dto::{
    DefaultRetention, GetObjectLegalHoldInput, GetObjectLegalHoldOutput,
    GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, GetObjectRetentionInput,
    GetObjectRetentionOutput, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold,
    ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode,
    ObjectLockRule, PutObjectLegalHoldInput, PutObjectLegalHoldOutput,
    PutObjectLockConfigurationInput, PutObjectLockConfigurationOutput, PutObjectRetentionInput,
    PutObjectRetentionOutput, Timestamp,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::store::{Bucket, BucketLock, Store, Txn, Versioning};
use super::{millis, timestamp};

/// What holds a version.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Lock {
    pub(super) mode: Option<String>,
    pub(super) until_ms: Option<i64>,
    pub(super) legal_hold: bool,
}

impl Lock {
    pub(super) fn parse(
        mode: Option<&ObjectLockMode>,
        until: Option<&Timestamp>,
        legal_hold: Option<&ObjectLockLegalHoldStatus>,
    ) -> S3Result<Self> {
        if mode.is_some() != until.is_some() {
            return Err(s3_error!(
                InvalidArgument,
                "Object Lock mode and retain-until date must be given together"
            ));
        }
        Ok(Self {
            mode: mode.map(|mode| mode.as_str().to_owned()),
            until_ms: until.map(millis).transpose()?,
            legal_hold: legal_hold
                .is_some_and(|status| status.as_str() == ObjectLockLegalHoldStatus::ON),
        })
    }

    fn is_given(&self) -> bool {
        self.mode.is_some() || self.legal_hold
    }

    /// Completes the lock of a new version with the bucket's default retention.
    pub(super) fn apply_default(&mut self, bucket: &Bucket, now_ms: i64) -> S3Result<()> {
        let Some(default) = &bucket.detail.lock else {
            return if self.is_given() {
                Err(no_lock())
            } else {
                Ok(())
            };
        };
        if self.until_ms.is_some_and(|until| until <= now_ms) {
            return Err(s3_error!(
                InvalidArgument,
                "The retain until date must be in the future!"
            ));
        }
        if self.mode.is_none() && default.mode.is_some() {
            let days =
                i64::from(default.days.unwrap_or(0)) + 365 * i64::from(default.years.unwrap_or(0));
            self.mode.clone_from(&default.mode);
            self.until_ms = Some(now_ms + days * DAY_MS);
        }
        Ok(())
    }

    /// Refuses to remove what is held.
    pub(super) fn allow_delete(&self, now_ms: i64, bypass_governance: bool) -> S3Result<()> {
        let retained = self.until_ms.is_some_and(|until| until > now_ms);
        let governed = self.mode.as_deref() == Some(ObjectLockMode::GOVERNANCE);
        if self.legal_hold || (retained && !(governed && bypass_governance)) {
            return Err(protected());
        }
        Ok(())
    }

    fn allow_change(
        &self,
        to: Option<&ObjectLockRetention>,
        now_ms: i64,
        bypass_governance: bool,
    ) -> S3Result<()> {
        let Some(until) = self.until_ms.filter(|until| *until > now_ms) else {
            return Ok(());
        };
        let mode = to
            .and_then(|to| to.mode.as_ref())
            .map(ObjectLockRetentionMode::as_str);
        let new_until = to
            .and_then(|to| to.retain_until_date.as_ref())
            .map(millis)
            .transpose()?;
        let compliance = self.mode.as_deref() == Some(ObjectLockMode::COMPLIANCE);
        let is_longer = new_until.is_some_and(|new| new >= until);
        let keeps_mode = mode == self.mode.as_deref()
            || (!compliance && mode == Some(ObjectLockMode::COMPLIANCE));
        if (is_longer && keeps_mode) || (!compliance && bypass_governance) {
            return Ok(());
        }
        Err(protected())
    }
}

pub(super) async fn put_configuration(
    store: &Arc<Store>,
    req: S3Request<PutObjectLockConfigurationInput>,
) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
    let PutObjectLockConfigurationInput {
        bucket,
        object_lock_configuration,
        ..
    } = req.input;
    let rule = object_lock_configuration
        .and_then(|c| c.rule)
        .and_then(|rule| rule.default_retention);
    let lock = rule.map_or_else(BucketLock::default, |rule| BucketLock {
        mode: rule.mode.map(|mode| mode.as_str().to_owned()),
        days: rule.days,
        years: rule.years,
    });
    if lock.mode.is_some() && lock.days.is_some() == lock.years.is_some() {
        return Err(s3_error!(
            MalformedXML,
            "a default retention has either days or years"
        ));
    }
    let work = move |txn: &Txn<'_>| {
        let mut bucket = txn.bucket(&bucket)?;
        if bucket.detail.versioning != Versioning::Enabled {
            return Err(s3_error!(
                InvalidBucketState,
                "Versioning must be 'Enabled' to apply Object Lock"
            ));
        }
        bucket.detail.lock = Some(lock);
        txn.save_bucket(&bucket)
    };
    store.run(work).await?;
    Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
}

pub(super) async fn configuration(
    store: &Arc<Store>,
    req: S3Request<GetObjectLockConfigurationInput>,
) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
    let bucket = store.run(move |txn| txn.bucket(&req.input.bucket)).await?;
    let lock = bucket.detail.lock.ok_or_else(|| {
        s3_error!(
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket"
        )
    })?;
    let rule = lock.mode.map(|mode| ObjectLockRule {
        default_retention: Some(DefaultRetention {
            days: lock.days,
            mode: Some(mode.into()),
            years: lock.years,
        }),
    });
    let enabled = Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED));
    Ok(S3Response::new(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: enabled,
            rule,
        }),
    }))
}

pub(super) async fn put_retention(
    store: &Arc<Store>,
    req: S3Request<PutObjectRetentionInput>,
) -> S3Result<S3Response<PutObjectRetentionOutput>> {
    let input = req.input;
    let work = move |txn: &Txn<'_>| {
        let mut version =
            locked_version(txn, &input.bucket, &input.key, input.version_id.as_deref())?;
        let retention = input.retention.as_ref();
        let bypass = input.bypass_governance_retention.unwrap_or(false);
        version
            .detail
            .lock
            .allow_change(retention, txn.now_ms, bypass)?;
        let until = retention
            .and_then(|r| r.retain_until_date.as_ref())
            .map(millis)
            .transpose()?;
        if until.is_some_and(|until| until <= txn.now_ms) {
            return Err(s3_error!(
                InvalidArgument,
                "The retain until date must be in the future!"
            ));
        }
        version.detail.lock.mode = retention
            .and_then(|r| r.mode.as_ref())
            .map(|mode| mode.as_str().to_owned());
        version.detail.lock.until_ms = until;
        txn.save_detail(&version)
    };
    store.run(work).await?;
    Ok(S3Response::new(PutObjectRetentionOutput::default()))
}

pub(super) async fn retention(
    store: &Arc<Store>,
    req: S3Request<GetObjectRetentionInput>,
) -> S3Result<S3Response<GetObjectRetentionOutput>> {
    let input = req.input;
    let work = move |txn: &Txn<'_>| {
        locked_version(txn, &input.bucket, &input.key, input.version_id.as_deref())
    };
    let lock = store.run(work).await?.detail.lock;
    let mode = lock.mode.ok_or_else(no_configuration)?;
    let retention = ObjectLockRetention {
        mode: Some(mode.into()),
        retain_until_date: lock.until_ms.map(timestamp),
    };
    Ok(S3Response::new(GetObjectRetentionOutput {
        retention: Some(retention),
    }))
}

pub(super) async fn put_legal_hold(
    store: &Arc<Store>,
    req: S3Request<PutObjectLegalHoldInput>,
) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
    let input = req.input;
    let work = move |txn: &Txn<'_>| {
        let mut version =
            locked_version(txn, &input.bucket, &input.key, input.version_id.as_deref())?;
        let status = input.legal_hold.and_then(|hold| hold.status);
        let status = status.ok_or_else(|| s3_error!(MalformedXML, "a legal hold has a status"))?;
        version.detail.lock.legal_hold = status.as_str() == ObjectLockLegalHoldStatus::ON;
        txn.save_detail(&version)
    };
    store.run(work).await?;
    Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
}

pub(super) async fn legal_hold(
    store: &Arc<Store>,
    req: S3Request<GetObjectLegalHoldInput>,
) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
    let input = req.input;
    let work = move |txn: &Txn<'_>| {
        locked_version(txn, &input.bucket, &input.key, input.version_id.as_deref())
    };
    let lock = store.run(work).await?.detail.lock;
    let status = if lock.legal_hold {
        ObjectLockLegalHoldStatus::ON
    } else {
        ObjectLockLegalHoldStatus::OFF
    };
    let status = Some(ObjectLockLegalHoldStatus::from_static(status));
    Ok(S3Response::new(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold { status }),
    }))
}

fn locked_version(
    txn: &Txn<'_>,
    bucket: &str,
    key: &str,
    id: Option<&str>,
) -> S3Result<super::version::Version> {
    let found = txn.bucket(bucket)?;
    if found.detail.lock.is_none() {
        return Err(no_lock());
    }
    txn.readable(&found, key, id)
}

fn protected() -> S3Error {
    s3_error!(
        AccessDenied,
        "Access Denied because object protected by object lock."
    )
}

fn no_lock() -> S3Error {
    s3_error!(
        InvalidRequest,
        "Bucket is missing Object Lock Configuration"
    )
}

fn no_configuration() -> S3Error {
    s3_error!(
        NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration"
    )
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
