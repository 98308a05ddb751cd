//! How a request stands, and what its person can do about it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use quittance_core::id::Reference;
use quittance_core::regime::Regime;
use quittance_engine::intake::{IntakeError, Status};
use quittance_web::{Fields, House, Path, form_page, page, see};

use super::keyring::Keyring;
use super::{Door, refused, words};

#[derive(Template)]
#[template(path = "received.html")]
struct Received<'a> {
    house: &'a House,
    reference: &'a Reference,
    due: Option<String>,
    steps: &'static [&'static str],
}

#[derive(Template)]
#[template(path = "status.html")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what the page shows, each by itself"
)]
struct Standing<'a> {
    house: &'a House,
    title: &'static str,
    means: &'static str,
    notes: Vec<&'static str>,
    reference: &'a Reference,
    facts: Vec<(&'static str, String)>,
    is_draft: bool,
    export_ready: bool,
    has_receipt: bool,
    was_refused: bool,
    authority: Option<&'a str>,
    revocable: bool,
    token: String,
}

#[derive(Template)]
#[template(path = "withdraw.html")]
struct Withdraw<'a> {
    house: &'a House,
    reference: &'a Reference,
    token: String,
}

/// The confirmation.
pub(super) async fn received(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    headers: HeaderMap,
) -> Response {
    let status = match door.seen(&reference, &headers).await {
        Ok(status) => status,
        Err(answer) => return answer,
    };
    if status.accepted_at.is_none() {
        return see(&format!("/requests/{}/code", status.reference));
    }
    let received = Received {
        house: &door.house,
        reference: &status.reference,
        due: status.due_at.map(words::date),
        steps: words::steps(status.right),
    };
    page(StatusCode::OK, &received)
}

/// How it stands.
pub(super) async fn status(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    headers: HeaderMap,
) -> Response {
    match door.seen(&reference, &headers).await {
        Ok(status) => door.show_status(&headers, &status),
        Err(answer) => answer,
    }
}

/// The question before a withdrawal.
pub(super) async fn withdraw(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    headers: HeaderMap,
) -> Response {
    let status = match door.seen(&reference, &headers).await {
        Ok(status) => status,
        Err(answer) => return answer,
    };
    if !status.revocable {
        return see(&format!("/requests/{}", status.reference));
    }
    let visit = door.visit(&headers);
    let path = format!("/requests/{}/withdraw", status.reference);
    let withdraw = Withdraw {
        house: &door.house,
        reference: &status.reference,
        token: door.seal.token(&visit, &path),
    };
    form_page(StatusCode::OK, &withdraw, &visit)
}

/// Withdraws.
pub(super) async fn withdrawn(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    headers: HeaderMap,
    sent: Fields,
) -> Response {
    let path = format!("/requests/{reference}/withdraw");
    if let Err(problem) = door.check(&headers, &path, &sent) {
        return problem.into_response();
    }
    let keyring = Keyring::read(&headers);
    match door
        .intake
        .revoke(&reference, keyring.secret(&reference))
        .await
    {
        Ok(status) => see(&format!("/requests/{}", status.reference)),
        Err(error) => refused(error),
    }
}

/// Takes every request out of this browser.
pub(super) async fn forget(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    sent: Fields,
) -> Response {
    if let Err(problem) = door.check(&headers, "/forget", &sent) {
        return problem.into_response();
    }
    let mut response = see("/");
    if let Some(cookie) = Keyring::forget() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Door {
    /// The status, if this browser may see it; else the answer to give.
    async fn seen(&self, typed: &str, headers: &HeaderMap) -> Result<Status, Response> {
        let Some(reference) = Reference::parse(typed) else {
            return Err(refused(IntakeError::NotFound));
        };
        let keyring = Keyring::read(headers);
        let secret = keyring.secret(reference.as_str());
        match self.intake.status(reference.as_str(), secret).await {
            Ok(status) => Ok(status),
            // Whoever has no secret, or none that still opens, proves the mailbox.
            Err(IntakeError::NotFound) => Err(see(&format!("/status?{reference}"))),
            Err(error) => Err(refused(error)),
        }
    }

    fn show_status(&self, headers: &HeaderMap, status: &Status) -> Response {
        let visit = self.visit(headers);
        let (title, means) = words::standing(status);
        let denial = status.denial.map(words::denial);
        let waiting = status
            .waiting_for
            .filter(|_| status.outcome.is_none() && status.drp_status == "in_progress")
            .map(words::waiting);
        let paused = status.paused_at.map(
            |_| "We have asked you something, and wait for your answer. Look into your mailbox.",
        );
        let page = Standing {
            house: &self.house,
            title,
            means,
            notes: [denial, waiting, paused].into_iter().flatten().collect(),
            reference: &status.reference,
            facts: self.facts(status),
            is_draft: status.stage == "draft",
            export_ready: status.export_ready,
            has_receipt: status.stage == "closed",
            was_refused: status.denial.is_some(),
            authority: self.intake.map.controller.authority.as_deref(),
            revocable: status.revocable,
            token: self.seal.token(&visit, "/forget"),
        };
        form_page(StatusCode::OK, &page, &visit)
    }

    fn facts(&self, status: &Status) -> Vec<(&'static str, String)> {
        let now = self.intake.clock.now();
        let law = Regime::find(
            &status.regime,
            status.right,
            status.accepted_at.unwrap_or(now),
        );
        let law = law.map_or_else(|_| status.regime.clone(), |law| law.name.clone());
        let dates = [
            ("Received", status.accepted_at),
            (
                "We answer by",
                status.due_at.filter(|_| status.responded_at.is_none()),
            ),
            ("Waiting for you since", status.paused_at),
            ("Answered", status.responded_at),
        ];
        let mut facts = vec![
            ("Reference", status.reference.to_string()),
            ("You asked", words::words(status.right).title.to_owned()),
            ("Law", law),
        ];
        let known = dates
            .into_iter()
            .filter_map(|(name, at)| Some((name, words::date(at?))));
        facts.extend(known);
        facts
    }
}
