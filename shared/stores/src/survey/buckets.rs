//! Buckets: which no store names, where they are, and what happens there when objects are rewritten or deleted.

use std::collections::BTreeSet;

use aws_sdk_s3::types::{
    BucketLocationConstraint, LifecycleRule, MfaDelete, MfaDeleteStatus, ObjectLockRetentionMode,
    TransitionStorageClass,
};
use quittance_core::data_map::{DataMap, Place};
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::outcome::ResidualKind;

use super::{About, Asked, Finding, FindingKind, asked, unlisted, unnamed};
use crate::{AwsStores, errors};

/// Lists the account's buckets that no store names.
pub(super) async fn unmapped(
    stores: &AwsStores,
    map: &DataMap,
    own: &BTreeSet<String>,
    findings: &mut Vec<Finding>,
) -> Result<(), Fault> {
    let named: BTreeSet<&str> = map.stores.iter().filter_map(named).collect();
    let mut pages = stores.s3.list_buckets().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = match asked(page, |error| errors::s3("ListBuckets", "all", error))? {
            Asked::Told(page) => page,
            Asked::Refused(reason) => {
                unlisted(findings, "buckets", reason, "s3:ListAllMyBuckets");
                return Ok(());
            }
        };
        for bucket in page.buckets().iter().filter_map(|bucket| bucket.name()) {
            if named.contains(bucket) || own.contains(bucket) {
                continue;
            }
            unnamed(findings, format!("bucket {bucket}"), "");
        }
    }
    Ok(())
}

fn named(store: &quittance_core::data_map::Store) -> Option<&str> {
    match &store.place {
        Place::S3Objects(place) => Some(&place.bucket),
        Place::S3Records(place) => Some(&place.bucket),
        Place::DynamoDb(_) | Place::Attested(_) => None,
    }
}

/// Tells what a store's bucket does that its keeper should know.
pub(super) async fn of_store(
    stores: &AwsStores,
    bucket: &str,
    prefix: &str,
    about: &mut About<'_>,
) -> Result<(), Fault> {
    let client = &stores.s3;
    let location = client.get_bucket_location().bucket(bucket).send().await;
    match asked(location, |error| {
        errors::s3("GetBucketLocation", bucket, error)
    })? {
        Asked::Told(told) => {
            let region = told.location_constraint();
            let region = region.map_or("us-east-1", BucketLocationConstraint::as_str);
            about.region(match region {
                "" => "us-east-1",
                "EU" => "eu-west-1",
                region => region,
            });
        }
        Asked::Refused(BlockReason::StoreMissing) => {
            let says = "is not there; correct the name or the account, or take the store out";
            about.note(FindingKind::Missing, says);
            return Ok(());
        }
        Asked::Refused(reason) => refused(about, "location", reason, "s3:GetBucketLocation"),
    }
    fires(stores, bucket, about).await?;
    copies(stores, bucket, about).await?;
    keeps(stores, bucket, about).await?;
    lifecycle(stores, bucket, prefix, about).await
}

/// What a rewrite or a deletion sets off.
async fn fires(stores: &AwsStores, bucket: &str, about: &mut About<'_>) -> Result<(), Fault> {
    let told = stores.s3.get_bucket_notification_configuration();
    let told = match asked(told.bucket(bucket).send().await, |error| {
        errors::s3("GetBucketNotification", bucket, error)
    })? {
        Asked::Told(told) => told,
        Asked::Refused(reason) => {
            refused(about, "notifications", reason, "s3:GetBucketNotification");
            return Ok(());
        }
    };
    let listeners = told
        .lambda_function_configurations()
        .len()
        .saturating_add(told.queue_configurations().len())
        .saturating_add(told.topic_configurations().len())
        .saturating_add(usize::from(told.event_bridge_configuration().is_some()));
    if listeners > 0 {
        let says = match &about.store.place {
            Place::S3Records(_) => {
                "tells others of new objects, and so of every rewrite: let ingestion leave out objects \
                 that have the metadata quittance-rewrite, or it takes them in twice"
            }
            Place::DynamoDb(_) | Place::S3Objects(_) | Place::Attested(_) => {
                "tells others of deleted objects: see that nobody restores them"
            }
        };
        about.note(FindingKind::Fires, says);
    }
    Ok(())
}

/// Where copies go that are not followed.
async fn copies(stores: &AwsStores, bucket: &str, about: &mut About<'_>) -> Result<(), Fault> {
    let speaks_of = |about: &About<'_>, what| about.store.copies.contains_key(&what);
    let told = stores.s3.get_bucket_replication().bucket(bucket);
    match told.send().await {
        Ok(_) if !speaks_of(about, ResidualKind::Replica) => {
            let says = "is replicated: rewritten objects follow, deletions of versions do not, so what was \
                        copied stays there; make a store of the copy, and add copies: { replica: … }";
            about.note(FindingKind::Copies, says);
        }
        Ok(_) => {}
        Err(error) if errors::code(&error) == "ReplicationConfigurationNotFoundError" => {}
        Err(error) => match errors::s3("GetBucketReplication", bucket, &error) {
            Fault::Block(reason) => refused(
                about,
                "replication",
                reason,
                "s3:GetReplicationConfiguration",
            ),
            fault @ (Fault::Conflict | Fault::Reject { .. } | Fault::Retry { .. }) => {
                return Err(fault);
            }
        },
    }
    Ok(())
}

/// What will keep versions from being deleted.
async fn keeps(stores: &AwsStores, bucket: &str, about: &mut About<'_>) -> Result<(), Fault> {
    let told = stores.s3.get_bucket_versioning().bucket(bucket);
    match asked(told.send().await, |error| {
        errors::s3("GetBucketVersioning", bucket, error)
    })? {
        Asked::Told(told) if told.mfa_delete() == Some(&MfaDeleteStatus::Enabled) => {
            let says = format!(
                "wants a second factor for every deletion (MFA delete {}): tasks will be blocked; switch it off, or \
                 handle the store by hand",
                MfaDelete::Enabled
            );
            about.note(FindingKind::Blocks, says);
        }
        Asked::Told(_) => {}
        Asked::Refused(reason) => refused(about, "versioning", reason, "s3:GetBucketVersioning"),
    }
    let told = stores.s3.get_object_lock_configuration().bucket(bucket);
    match told.send().await {
        Ok(told) => {
            let rule = told
                .object_lock_configuration()
                .and_then(|lock| lock.rule());
            if let Some(kept) = rule.and_then(|rule| rule.default_retention()) {
                let mode = kept.mode().map_or("", ObjectLockRetentionMode::as_str);
                let time = match (kept.days(), kept.years()) {
                    (Some(days), _) => format!("{days} days"),
                    (None, Some(years)) => format!("{years} years"),
                    (None, None) => "some time".to_owned(),
                };
                let says = format!(
                    "locks new objects for {time} ({mode}): deletions wait until then, and the receipt says so"
                );
                about.note(FindingKind::Blocks, says);
            }
        }
        Err(error) if errors::code(&error) == "ObjectLockConfigurationNotFoundError" => {}
        Err(error) => match errors::s3("GetObjectLockConfiguration", bucket, &error) {
            Fault::Block(reason) => {
                let verb = "s3:GetBucketObjectLockConfiguration";
                refused(about, "object lock", reason, verb);
            }
            fault @ (Fault::Conflict | Fault::Reject { .. } | Fault::Retry { .. }) => {
                return Err(fault);
            }
        },
    }
    Ok(())
}

/// Which rule moves objects to where they cannot be read.
async fn lifecycle(
    stores: &AwsStores,
    bucket: &str,
    prefix: &str,
    about: &mut About<'_>,
) -> Result<(), Fault> {
    let told = stores.s3.get_bucket_lifecycle_configuration();
    let told = match told.bucket(bucket).send().await {
        Ok(told) => told,
        Err(error) if errors::code(&error) == "NoSuchLifecycleConfiguration" => return Ok(()),
        Err(error) => match errors::s3("GetBucketLifecycleConfiguration", bucket, &error) {
            Fault::Block(reason) => {
                let verb = "s3:GetLifecycleConfiguration";
                refused(about, "lifecycle", reason, verb);
                return Ok(());
            }
            fault @ (Fault::Conflict | Fault::Reject { .. } | Fault::Retry { .. }) => {
                return Err(fault);
            }
        },
    };
    for rule in told.rules().iter().filter(|rule| concerns(rule, prefix)) {
        let archives = rule.transitions().iter().find(|transition| {
            matches!(
                transition.storage_class(),
                Some(TransitionStorageClass::Glacier | TransitionStorageClass::DeepArchive)
            )
        });
        if let Some(transition) = archives {
            let days = transition.days().unwrap_or_default();
            let says = format!(
                "archives objects after {days} days: rows in them cannot be read then, and tasks are blocked until \
                 they are restored"
            );
            about.note(FindingKind::Blocks, says);
        }
    }
    Ok(())
}

/// Whether a rule may concern objects below a prefix.
fn concerns(rule: &LifecycleRule, prefix: &str) -> bool {
    let filter = rule.filter();
    let under = filter.and_then(|filter| {
        let and = filter.and().and_then(|and| and.prefix());
        filter.prefix().or(and)
    });
    under.is_none_or(|under| under.starts_with(prefix) || prefix.starts_with(under))
}

fn refused(about: &mut About<'_>, what: &str, reason: BlockReason, verb: &str) {
    let says = format!("its {what} cannot be asked: {reason}; allow {verb}");
    about.note(FindingKind::Unasked, says);
}
