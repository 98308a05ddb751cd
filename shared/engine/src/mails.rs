//! What is written to people: plain words, no secret but the code asked for, nothing personal.

use jiff::Timestamp;
use quittance_core::data_map::Controller;
use quittance_core::digest::Digest;
use quittance_core::receipt::Day;
use quittance_core::request::{Outcome, Request, Right, Urgency};

use crate::papers::Papers;
use crate::ports::Mail;

/// The mail with a code to type back.
pub fn code(request: &Request, code: &str, to: &str) -> Mail {
    let reference = request.id.reference();
    let expires_at = request
        .challenge
        .as_ref()
        .map(|challenge| challenge.expires_at);
    let sent = expires_at.map(Timestamp::as_nanosecond).unwrap_or_default();
    Mail {
        to: to.to_owned(),
        subject: format!("Your code for request {reference}"),
        text: format!(
            "Somebody, we hope you, asked us to {} and gave this address.\n\n\
             Your code: {code}\n\n\
             Type it where you were asked for it. It works for ten minutes. If it was not you, \
             ignore this mail: nothing happens without the code.\n\n\
             Reference: {reference}\n",
            deed(request.right)
        ),
        // The instant keeps every code's mail apart, and sorts them.
        id: format!("{}.code-{sent}", request.id),
    }
}

/// The acknowledgement, with the key that opens the commitment in the receipts.
pub fn acknowledgement(
    request: &Request,
    papers: &Papers,
    controller: &Controller,
) -> Option<Mail> {
    let to = papers.mail_to.as_ref()?.0.clone();
    let reference = request.id.reference();
    let due = request
        .due_at
        .map(|due| due.to_string())
        .unwrap_or_default();
    Some(Mail {
        to,
        subject: format!("We have your request {reference}"),
        text: format!(
            "{} has your request to {}.\n\n\
             Reference: {reference}\n\
             We answer by: {due} (UTC) at the latest.\n\n\
             Keep this key. With it you, and nobody else, can show that the receipt is about you:\n\
             {}\n",
            controller.name,
            deed(request.right),
            String::from(papers.subject_key.clone()),
        ),
        id: format!("{}.acknowledgement", request.id),
    })
}

/// The answer; `state` keeps answers apart that tell of different states of the stores.
pub fn answer(
    request: &Request,
    outcome: Outcome,
    papers: &Papers,
    state: &Digest,
) -> Option<Mail> {
    let to = papers.mail_to.as_ref()?.0.clone();
    let reference = request.id.reference();
    let text = match (outcome, request.right) {
        (Outcome::Completed, Right::Access) => {
            "Your data is ready. Ask for a code on the status page to download it."
        }
        (Outcome::Completed, Right::Deletion) => {
            "We did what you asked, and looked again to be sure. The receipt says, place by \
             place, what was deleted, what was masked, and what a law makes us keep."
        }
        (Outcome::Completed, Right::OptOut) => "Your data is no longer sold or shared.",
        (Outcome::Partial, Right::Access | Right::Deletion | Right::OptOut) => {
            "We did part of what you asked. The receipt says which places are not done, and why. \
             You hear from us again when they are."
        }
        (Outcome::Denied, Right::Access | Right::Deletion | Right::OptOut) => {
            "We could not do what you asked. The status page says why, and how to complain."
        }
        (Outcome::Revoked, Right::Access | Right::Deletion | Right::OptOut) => {
            "You withdrew your request. Nothing was touched."
        }
    };
    Some(Mail {
        to,
        subject: format!("About your request {reference}"),
        text: format!("{text}\n\nReference: {reference}\n"),
        id: format!("{}.answer-{}-{state}", request.id, outcome.name()),
    })
}

/// Reminds whoever answers for requests of a due date.
pub fn reminder(request: &Request, due: Timestamp, urgency: Urgency, contact: &str) -> Mail {
    let reference = request.id.reference();
    let (subject, words) = match urgency {
        Urgency::Soon | Urgency::Near => ("is due", "has no answer yet, which the law wants by"),
        Urgency::Overdue => ("is OVERDUE", "has no answer. The law wanted one by"),
    };
    let waits = match (&request.block, request.gate, &request.hold) {
        (Some(block), _, _) => format!(
            "It is blocked, {}: {}.",
            block.reason,
            block.reason.advice()
        ),
        (None, _, Some(_)) => "It is held.".to_owned(),
        (None, Some(gate), None) => format!("Its gate is shut: {}.", gate.code()),
        (None, None, None) => format!("It is {}; its tasks tell more.", request.stage.name()),
    };
    Mail {
        to: contact.to_owned(),
        subject: format!("Request {reference} {subject} {}", Day::of(due)),
        text: format!(
            "A request for {} {words} {due} (UTC).\n\n{waits}\n\n\
             dsr request show {reference}\n",
            request.right.name().replace('_', " "),
        ),
        // Another due date is reminded of anew.
        id: format!("{}.due-{}-{}", request.id, urgency.code(), due.as_second()),
    }
}

const fn deed(right: Right) -> &'static str {
    match right {
        Right::Access => "send you a copy of your data",
        Right::Deletion => "delete your data",
        Right::OptOut => "stop selling or sharing your data",
    }
}
