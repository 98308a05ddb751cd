//! What statements say: the predicates of every kind and their parts, field by field.
//!
//! Fields that may be absent are left out when there is nothing to say, never `null`; lists are always
//! there. How these become bytes, and back, is in [`super`].

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Tag};
use crate::receipt::words::{Code, Minute, Nonce, PublicName, Slug};
use crate::request::{Outcome, Right};

/// The predicate of an acceptance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Keeps the leaf from being guessed.
    pub nonce: Nonce,
    /// Who answers for the data.
    pub controller: Controller,
    /// What is asked.
    pub right: Right,
    /// The law it is handled under.
    pub regime: VersionedName,
    /// The controller's own handling policy, if it publishes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<VersionedName>,
    /// When it became a request in law.
    pub accepted_at: Minute,
    /// When the person's identity was proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Minute>,
    /// When an answer is due.
    pub due_at: Minute,
    /// Digest of the data map at acceptance.
    pub data_map_sha256: Digest,
    /// How many subjects a batch is for; absent when it is one person's request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// What handled it.
    pub handler: Handler,
}

/// The predicate of a receipt and of an amendment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Keeps the leaf from being guessed.
    pub nonce: Nonce,
    /// Who answers for the data.
    pub controller: Controller,
    /// What was asked.
    pub right: Right,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was denied, when it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// The law it was handled under.
    pub regime: VersionedName,
    /// The controller's own handling policy, if it publishes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<VersionedName>,
    /// The leaf of the acceptance.
    pub acceptance: AcceptanceLeaf,
    /// When it became a request in law.
    pub accepted_at: Minute,
    /// When the person's identity was proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Minute>,
    /// When an answer was due.
    pub due_at: Minute,
    /// The due date after an extension that the person was told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_to: Option<Minute>,
    /// When the person was answered.
    pub responded_at: Minute,
    /// When the work was complete.
    pub completed_at: Minute,
    /// The data map the work followed.
    pub data_map: DataMap,
    /// Digest over what was located, before anything was touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_sha256: Option<Digest>,
    /// How the members of a batch ended; absent when it is one person's request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<MembersLine>,
    /// What was done in each store: for a batch, over all members.
    pub stores: Vec<StoreLine>,
    /// What was handed to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<Disclosure>,
    /// What handled it.
    pub handler: Handler,
    /// Which correction of the outcome an amendment is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amendment: Option<u32>,
    /// The leaf that an amendment corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<u64>,
}

impl Receipt {
    /// Whether a batch's members add up, and none is missing where everything is said to be done.
    pub(super) fn counts_everybody(&self) -> bool {
        self.members.is_none_or(|members| {
            let ended = [
                members.completed,
                members.partial,
                members.denied,
                members.revoked,
            ];
            let all = ended.into_iter().try_fold(0, u64::checked_add);
            let done = self.outcome != Outcome::Completed || members.completed == members.count;
            // A batch that was refused or withdrawn as a whole ended before anybody was counted.
            let none = all == Some(0) && matches!(self.outcome, Outcome::Denied | Outcome::Revoked);
            members.count > 0 && (all == Some(members.count) || none) && done
        })
    }
}

/// Who answers for the data, from the data map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Stable id.
    pub id: Slug,
    /// Public name.
    pub name: PublicName,
    /// In which role.
    pub role: ControllerRole,
}

/// In which role the deployment's owner handles the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControllerRole {
    /// Decides why and how.
    Controller,
    /// Acts for a controller.
    Processor,
}

/// Something published in versions, pinned by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionedName {
    /// Stable id.
    pub id: Slug,
    /// Version.
    pub version: Slug,
    /// Digest of its bytes.
    pub sha256: Digest,
}

/// Where the acceptance stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptanceLeaf {
    /// Its index.
    pub leaf_index: u64,
    /// Its RFC 6962 leaf hash.
    pub leaf_hash: Digest,
    /// A head of the log that contains it.
    pub checkpoint: Checkpoint,
}

/// A head of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// How many leaves.
    pub size: u64,
    /// Their root, in hex.
    pub root: Digest,
}

/// The data map that the work followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataMap {
    /// Digest of the data map when the outcome was sealed.
    pub sha256: Digest,
    /// Digest of the data map when the plan was made, if there was a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_sha256: Option<Digest>,
    /// How many stores it names.
    pub stores_declared: u64,
    /// How many tables and buckets exist that it does not name, as far as we can see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stores_unmapped: Option<u64>,
}

/// How the members of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembersLine {
    /// How many there are.
    pub count: u64,
    /// Everything was done.
    pub completed: u64,
    /// Some stores were blocked.
    pub partial: u64,
    /// Refused.
    pub denied: u64,
    /// Withdrawn.
    pub revoked: u64,
}

/// What was done in one store. Counts are of items, objects or versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreLine {
    /// The store's public name.
    pub store: PublicName,
    /// Rows in the touched objects or items before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Rows in them after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// What matched.
    pub matched: u64,
    /// What matched for another subject, too.
    pub shared: u64,
    /// What was deleted.
    pub deleted: u64,
    /// What lost fields but remains.
    pub redacted: u64,
    /// What has a keyed pseudonym in place of a field, and remains personal data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pseudonymised: u64,
    /// What was copied into the export.
    pub exported: u64,
    /// What was flagged.
    pub flagged: u64,
    /// What was kept, and why.
    pub exempt: Vec<Exempt>,
    /// What could not be done, and why.
    pub blocked: Vec<BlockedLine>,
    /// A person's word, for stores that cannot be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attested: Option<AttestedLine>,
    /// Root of the keyed evidence tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_root: Option<Digest>,
    /// How many leaves the evidence tree has.
    pub evidence_count: u64,
    /// The look back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Copies that the effects did not reach, by kind, each kind once.
    pub residuals: Vec<Residual>,
}

/// Data that a law makes us keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exempt {
    /// The data map's code for the legal basis.
    pub reason: Code,
    /// How many things.
    pub count: u64,
    /// Until when, where the basis ends at a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Minute>,
}

/// Something that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockedLine {
    /// Why.
    pub reason: Code,
    /// Until when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Minute>,
}

/// A person's word for a store that cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestedLine {
    /// Keyed hash of what was attested.
    pub statement: Tag,
    /// When.
    pub at: Minute,
}

/// The same question asked again after the effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// How we looked.
    pub method: CheckMethod,
    /// What existed then must be gone.
    pub as_of: Minute,
    /// When we looked again.
    pub at: Minute,
    /// Matches that existed at `as_of` and remain.
    pub residual_matches: u64,
    /// Matches that came later.
    pub arrived_since: u64,
}

/// How a store was looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckMethod {
    /// By primary key, strongly consistent.
    Key,
    /// By an index, each hit read again on the base table.
    IndexQuery,
    /// By reading every item.
    Scan,
    /// By reading every object again.
    Rescan,
    /// By listing all versions and delete markers.
    ListVersions,
    /// By reading back what was written.
    ReadBack,
}

/// A copy that an effect does not reach, and that we know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// What kind of copy.
    pub what: ResidualKind,
    /// Until when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Minute>,
}

/// The kinds of surviving copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidualKind {
    /// Access logs of a store.
    AccessLog,
    /// A backup.
    Backup,
    /// An inventory report.
    Inventory,
    /// Something under a legal or technical lock.
    Locked,
    /// A noncurrent object version.
    Noncurrent,
    /// Point-in-time recovery.
    Pitr,
    /// A replica.
    Replica,
    /// A change stream.
    Stream,
    /// The store would not say which copies it keeps.
    Unknown,
}

/// What was handed to the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Its size.
    pub bytes: u64,
    /// Digest of its list of contents.
    pub manifest_sha256: Digest,
    /// When it was made available.
    pub delivered_at: Minute,
    /// In what way.
    pub method: Code,
}

/// The program that handled the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// Its version.
    pub version: Slug,
    /// Digest of the deployed artifact, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_sha256: Option<Digest>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
