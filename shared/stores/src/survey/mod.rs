//! Where a data map and an account differ: places that no store names, stores that are not what the
//! map says, and what their keepers should know before anything is deleted there.
//!
//! Asked by staff with their own rights, never by a function. Reads settings and descriptions only:
//! no item and no object.

mod buckets;
mod tables;

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use quittance_core::data_map::{DataMap, Place, Store, residency};
use quittance_core::fault::{BlockReason, Fault};
use serde::Serialize;

use crate::AwsStores;

/// Something to see to, or to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The store's id; none for a place that no store names.
    pub store: Option<String>,
    /// `table` or `bucket`, and its name.
    pub place: String,
    /// What it is about.
    pub kind: FindingKind,
    /// What was found, and what to do.
    pub says: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A place that no store names.
    Unmapped,
    /// A store's place that is not there.
    Missing,
    /// A key or an index that is not as the map says.
    Mismatch,
    /// A place in another part of the world than the map says.
    Residency,
    /// A copy that the map does not speak of.
    Copies,
    /// Something that happens when objects are rewritten or deleted.
    Fires,
    /// Something that will keep objects from being deleted.
    Blocks,
    /// A question that was refused: nothing is known.
    Unasked,
}

impl FindingKind {
    /// Whether map and account contradict each other, or nobody knows.
    pub const fn is_drift(self) -> bool {
        match self {
            Self::Unmapped | Self::Missing | Self::Mismatch | Self::Residency | Self::Unasked => {
                true
            }
            Self::Copies | Self::Fires | Self::Blocks => false,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmapped => "unmapped",
            Self::Missing => "missing",
            Self::Mismatch => "mismatch",
            Self::Residency => "residency",
            Self::Copies => "copies",
            Self::Fires => "fires",
            Self::Blocks => "blocks",
            Self::Unasked => "unasked",
        })
    }
}

/// Compares a data map with the account of the stores' clients, and with the accounts that its stores
/// name. Places of these names are the deployment's own and belong in no map.
///
/// # Errors
/// What services answer when they are not well; what they refuse is a finding.
pub async fn survey(
    stores: &AwsStores,
    map: &DataMap,
    own: &BTreeSet<String>,
) -> Result<Vec<Finding>, Fault> {
    let mut findings = Vec::new();
    tables::unmapped(stores, map, own, &mut findings).await?;
    buckets::unmapped(stores, map, own, &mut findings).await?;
    for store in &map.stores {
        let mut about = About {
            store,
            findings: &mut findings,
        };
        let here = match stores.at(store).await {
            Ok(here) => here,
            Err(Fault::Block(reason)) => {
                let says = format!("cannot be reached: {reason}; {}", reason.advice());
                about.note(FindingKind::Unasked, says);
                continue;
            }
            Err(fault @ (Fault::Conflict | Fault::Reject { .. } | Fault::Retry { .. })) => {
                return Err(fault);
            }
        };
        match &store.place {
            Place::DynamoDb(place) => tables::of_store(&here, &place.table, &mut about).await?,
            Place::S3Objects(place) => {
                buckets::of_store(&here, &place.bucket, "", &mut about).await?;
            }
            Place::S3Records(place) => {
                buckets::of_store(&here, &place.bucket, &place.prefix, &mut about).await?;
            }
            Place::Attested(_) => {}
        }
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// What is found about one store.
struct About<'a> {
    store: &'a Store,
    findings: &'a mut Vec<Finding>,
}

impl About<'_> {
    fn note(&mut self, kind: FindingKind, says: impl Into<String>) {
        self.findings.push(Finding {
            store: Some(self.store.id.to_string()),
            place: place(self.store),
            kind,
            says: says.into(),
        });
    }

    /// Compares where the map says that a store is with the region it is in.
    fn region(&mut self, region: &str) {
        if let Some(residency) = &self.store.residency
            && residency::agrees(residency, region) == Some(false)
        {
            let says = format!(
                "is in {region}, and the map says residency: {residency}; correct the map, or move the data"
            );
            self.note(FindingKind::Residency, says);
        }
    }
}

fn place(store: &Store) -> String {
    match &store.place {
        Place::DynamoDb(place) => format!("table {}", place.table),
        Place::S3Objects(place) => format!("bucket {}", place.bucket),
        Place::S3Records(place) => format!("bucket {}", place.bucket),
        Place::Attested(_) => String::new(),
    }
}

/// Notes a place of the account that no store names.
fn unnamed(findings: &mut Vec<Finding>, place: String, size: &str) {
    findings.push(Finding {
        store: None,
        place,
        kind: FindingKind::Unmapped,
        says: format!(
            "is in no store{size}; add a store, or make sure that it holds no personal data"
        ),
    });
}

/// Notes places that may not be listed.
fn unlisted(findings: &mut Vec<Finding>, places: &str, reason: BlockReason, verb: &str) {
    findings.push(Finding {
        store: None,
        place: places.to_owned(),
        kind: FindingKind::Unasked,
        says: format!("cannot be listed: {reason}; allow {verb}"),
    });
}

/// What a question came to.
enum Asked<T> {
    Told(T),
    Refused(BlockReason),
}

fn asked<T, E: ProvideErrorMetadata>(
    answer: Result<T, SdkError<E>>,
    fault: impl FnOnce(&SdkError<E>) -> Fault,
) -> Result<Asked<T>, Fault> {
    match answer.map_err(|error| fault(&error)) {
        Ok(told) => Ok(Asked::Told(told)),
        Err(Fault::Block(reason)) => Ok(Asked::Refused(reason)),
        Err(fault) => Err(fault),
    }
}
