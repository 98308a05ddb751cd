//! What a person may know about their request.

use jiff::Timestamp;
use quittance_core::id::Reference;
use quittance_core::request::{DenialReason, Ending, GateReason, Outcome, Request, Right, Stage};
use serde::Serialize;

/// What a person may know about their request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The request's public name.
    pub reference: Reference,
    /// What was asked.
    pub right: Right,
    /// Where it stands.
    pub stage: &'static str,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The Data Rights Protocol's word for stage and outcome.
    pub drp_status: &'static str,
    /// The law it is handled under.
    pub regime: String,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When the law wants an answer.
    pub due_at: Option<Timestamp>,
    /// Since when the law's clock stands still, waiting for the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// When it was answered.
    pub responded_at: Option<Timestamp>,
    /// What it waits for, when it waits.
    pub waiting_for: Option<GateReason>,
    /// Why it was refused.
    pub denial: Option<DenialReason>,
    /// Whether it can still be withdrawn.
    pub revocable: bool,
    /// Whether an export can be downloaded.
    pub export_ready: bool,
}

/// Draws the person's view of a request.
pub fn status(request: &Request) -> Status {
    Status {
        reference: request.id.reference(),
        right: request.right,
        stage: request.stage.name(),
        outcome: request.stage.outcome(),
        drp_status: drp_status(request),
        regime: request.regime.clone(),
        accepted_at: request.accepted_at,
        due_at: request.extended_to.or(request.due_at),
        paused_at: request.paused_at,
        responded_at: request.responded_at,
        waiting_for: request.gate,
        denial: match request.ending {
            Some(Ending::Denied(reason)) => Some(reason),
            Some(Ending::Revoked) | None => None,
        },
        revocable: is_revocable(request),
        export_ready: request.right == Right::Access
            && request.responded_at.is_some()
            && request.ending.is_none()
            && request.purged_at.is_none(),
    }
}

/// Whether the request can still be withdrawn.
pub(super) fn is_revocable(request: &Request) -> bool {
    request.first_effect_at.is_none()
        && request.ending.is_none()
        && match request.stage {
            Stage::Accepted | Stage::Locating | Stage::Gated | Stage::Acting => true,
            Stage::Draft | Stage::Sealing(_) | Stage::Closed(_) => false,
        }
}

/// The Data Rights Protocol 1.0 status. What ends a request without effects is told as soon as it is
/// decided, before it is sealed.
fn drp_status(request: &Request) -> &'static str {
    match request.ending {
        Some(Ending::Denied(_)) => return "denied",
        Some(Ending::Revoked) => return "revoked",
        None => {}
    }
    match (request.stage, request.stage.outcome()) {
        (Stage::Draft, _) => "open",
        (_, Some(Outcome::Completed | Outcome::Partial)) => "fulfilled",
        (_, Some(Outcome::Denied)) => "denied",
        (_, Some(Outcome::Revoked)) => "revoked",
        (
            Stage::Accepted
            | Stage::Locating
            | Stage::Gated
            | Stage::Acting
            | Stage::Sealing(_)
            | Stage::Closed(_),
            None,
        ) => "in_progress",
    }
}
