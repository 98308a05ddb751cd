//! From a request and its tasks to the statement that is signed about them.

use jiff::Timestamp;
use quittance_core::data_map::{DataMap, Role};
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::outcome::TaskOutcome;
use quittance_core::receipt::statement::{
    About, Acceptance, AcceptanceLeaf, AttestedLine, BlockedLine, Check, Checkpoint, Controller,
    ControllerRole, DataMap as PinnedMap, Disclosure, Exempt, Handler as NamedHandler, MembersLine,
    Receipt, Residual, Statement, StoreLine, VersionedName,
};
use quittance_core::receipt::words::{Code, Minute, Nonce, PublicName, Slug};
use quittance_core::regime::{Regime, TABLE_VERSION};
use quittance_core::request::{Ending, Members, Outcome, Request};
use quittance_core::task::Task;

use crate::ledger::Sequenced;

/// What receipts say about the software that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Its version.
    pub version: String,
    /// SHA-256 of the deployed program, where there is one.
    pub artifact: Option<Digest>,
}

/// Everything an outcome statement is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// The request.
    pub request: &'a Request,
    /// Its tasks; none were acted on when it was denied or revoked.
    pub tasks: &'a [Task],
    /// The data map at sealing.
    pub map: &'a DataMap,
    /// The outcome.
    pub outcome: Outcome,
    /// Where the acceptance stands in the log.
    pub accepted: &'a Sequenced,
    /// Bytes and manifest digest of the export, for access.
    pub disclosed: Option<(u64, Digest)>,
    /// The software.
    pub handler: &'a Handler,
    /// When the work was complete.
    pub completed_at: Timestamp,
    /// 32 fresh random bytes, without which the leaf could be guessed.
    pub nonce: [u8; 32],
}

/// Draws the acceptance statement.
///
/// # Errors
/// `Fault::Reject` when the request is not accepted, or names from the data map cannot stand in a
/// receipt.
pub fn acceptance(
    request: &Request,
    map: &DataMap,
    nonce: [u8; 32],
    handler: &Handler,
) -> Result<Vec<u8>, Fault> {
    let statement = Statement::Acceptance(
        about(request),
        Acceptance {
            nonce: Nonce::new(nonce),
            controller: controller(map)?,
            right: request.right,
            regime: regime(request)?,
            policy: None,
            accepted_at: minute(request.accepted_at, "accepted_at")?,
            verified_at: request.verified_at.map(Minute::floor),
            due_at: minute(request.due_at, "due_at")?,
            data_map_sha256: map.digest(),
            members: request.members().map(|members| members.count.into()),
            handler: named(handler)?,
        },
    );
    to_bytes(&statement)
}

/// Draws the outcome statement.
///
/// # Errors
/// `Fault::Reject` when something that must be known is missing.
pub fn outcome(sealed: &Sealed<'_>) -> Result<Vec<u8>, Fault> {
    to_bytes(&Statement::Receipt(about(sealed.request), receipt(sealed)?))
}

/// Draws the n-th amendment to the outcome at a leaf index.
///
/// # Errors
/// As for [`outcome`].
pub fn amendment(sealed: &Sealed<'_>, n: u32, supersedes: u64) -> Result<Vec<u8>, Fault> {
    let says = Receipt {
        amendment: Some(n),
        supersedes: Some(supersedes),
        ..receipt(sealed)?
    };
    to_bytes(&Statement::Amendment(about(sealed.request), says))
}

fn receipt(sealed: &Sealed<'_>) -> Result<Receipt, Fault> {
    let request = sealed.request;
    let plan = request.plan.as_ref();
    let stores: Result<Vec<StoreLine>, Fault> = sealed
        .tasks
        .iter()
        .map(|task| store_line(sealed.map, task))
        .collect();
    let responded_at = minute(request.responded_at, "responded_at")?;
    Ok(Receipt {
        nonce: Nonce::new(sealed.nonce),
        controller: controller(sealed.map)?,
        right: request.right,
        outcome: sealed.outcome,
        reason: match request.ending {
            Some(Ending::Denied(reason)) => Some(code(reason.code())?),
            Some(Ending::Revoked) | None => None,
        },
        regime: regime(request)?,
        policy: None,
        acceptance: AcceptanceLeaf {
            leaf_index: sealed.accepted.index,
            leaf_hash: sealed.accepted.leaf_hash,
            checkpoint: Checkpoint {
                size: sealed.accepted.tree_size,
                root: sealed.accepted.root,
            },
        },
        accepted_at: minute(request.accepted_at, "accepted_at")?,
        verified_at: request.verified_at.map(Minute::floor),
        due_at: minute(request.due_at, "due_at")?,
        extended_to: request.extended_to.map(Minute::floor),
        responded_at,
        completed_at: Minute::floor(sealed.completed_at),
        data_map: PinnedMap {
            sha256: sealed.map.digest(),
            planned_sha256: plan.map(|plan| plan.data_map),
            stores_declared: count(sealed.map.stores.len()),
            // Nobody looked: a zero would be a claim.
            stores_unmapped: None,
        },
        plan_sha256: plan.and_then(|plan| plan.digest),
        members: request.members().map(members_line),
        stores: stores?,
        disclosure: match sealed.disclosed {
            Some((bytes, manifest_sha256)) => Some(Disclosure {
                bytes,
                manifest_sha256,
                delivered_at: responded_at,
                method: code("download")?,
            }),
            None => None,
        },
        handler: named(sealed.handler)?,
        amendment: None,
        supersedes: None,
    })
}

fn store_line(map: &DataMap, task: &Task) -> Result<StoreLine, Fault> {
    // A store that left the data map has no public name any more; its id must stay inside.
    let name = map
        .store(&task.store)
        .map_or("A store no longer declared", |s| &s.public_name);
    let TaskOutcome {
        matched,
        shared,
        before,
        after,
        deleted,
        redacted,
        pseudonymised,
        exported,
        flagged,
        exempt,
        attested,
        evidence_root,
        evidence_count,
        check,
        residuals,
        member_roots: _,
    } = task.outcome.clone();
    let exempt = exempt.map(|exempt| {
        Ok::<_, Fault>(Exempt {
            reason: code(&exempt.reason.replace('-', "_"))?,
            count: exempt.count,
            until: exempt.until.map(Minute::floor),
        })
    });
    let blocked = task
        .block
        .as_ref()
        .filter(|_| task.stage.is_blocked())
        .map(|block| {
            Ok::<_, Fault>(BlockedLine {
                reason: code(block.reason.code())?,
                until: block.until.map(Minute::floor),
            })
        });
    Ok(StoreLine {
        store: PublicName::parse(name)
            .ok_or_else(|| Fault::reject("a store's public name cannot stand in a receipt"))?,
        before,
        after,
        matched,
        shared,
        deleted,
        redacted,
        pseudonymised,
        exported,
        flagged,
        exempt: exempt.transpose()?.into_iter().collect(),
        blocked: blocked.transpose()?.into_iter().collect(),
        attested: attested.map(|attested| AttestedLine {
            statement: attested.statement,
            at: Minute::floor(attested.at),
        }),
        evidence_root,
        evidence_count,
        check: check.map(|check| Check {
            method: check.method,
            as_of: Minute::floor(check.as_of),
            at: Minute::floor(check.at),
            residual_matches: check.residual_matches,
            arrived_since: check.arrived_since,
        }),
        residuals: residuals
            .iter()
            .map(|(what, until)| Residual {
                what,
                until: until.map(Minute::floor),
            })
            .collect(),
    })
}

fn members_line(members: &Members) -> MembersLine {
    MembersLine {
        count: members.count.into(),
        completed: members.ended.completed.into(),
        partial: members.ended.partial.into(),
        denied: members.ended.denied.into(),
        revoked: members.ended.revoked.into(),
    }
}

fn about(request: &Request) -> About {
    About {
        request: request.id,
        commitment: request.commitment,
    }
}

fn controller(map: &DataMap) -> Result<Controller, Fault> {
    Ok(Controller {
        id: slug(&map.controller.id)?,
        name: PublicName::parse(&map.controller.name)
            .ok_or_else(|| Fault::reject("the controller's name cannot stand in a receipt"))?,
        role: match map.controller.role {
            Role::Controller => ControllerRole::Controller,
            Role::Processor => ControllerRole::Processor,
        },
    })
}

fn regime(request: &Request) -> Result<VersionedName, Fault> {
    Ok(VersionedName {
        id: slug(&request.regime)?,
        version: slug(&TABLE_VERSION.to_string())?,
        sha256: Regime::table_digest(),
    })
}

/// Says which software it is, as statements do.
///
/// # Errors
/// `Fault::Reject` when its version cannot stand in a receipt.
pub(crate) fn named(handler: &Handler) -> Result<NamedHandler, Fault> {
    Ok(NamedHandler {
        version: slug(&handler.version)?,
        artifact_sha256: handler.artifact,
    })
}

fn minute(at: Option<Timestamp>, field: &str) -> Result<Minute, Fault> {
    at.map(Minute::floor)
        .ok_or_else(|| Fault::reject(format!("a statement is drawn without {field}")))
}

fn code(text: &str) -> Result<Code, Fault> {
    Code::parse(text).ok_or_else(|| Fault::reject("a code cannot stand in a receipt"))
}

fn slug(text: &str) -> Result<Slug, Fault> {
    Slug::parse(text).ok_or_else(|| Fault::reject("a name cannot stand in a receipt"))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn to_bytes(statement: &Statement) -> Result<Vec<u8>, Fault> {
    statement
        .to_canonical_bytes()
        .map_err(|error| Fault::reject(error.to_string()))
}
