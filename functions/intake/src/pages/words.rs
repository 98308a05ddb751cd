//! What the pages say about rights and requests: plain sentences for every case.

use jiff::Timestamp;
use quittance_core::data_map::IdentifierRule;
use quittance_core::request::{DenialReason, GateReason, Outcome, Right};
use quittance_core::subject::{IdentifierKind, Normalise};
use quittance_engine::intake::Status;
use quittance_web::{Field, FieldKind};

/// The words of one right.
pub(super) struct Words {
    /// Its page.
    pub(super) path: &'static str,
    /// What a person wants.
    pub(super) title: &'static str,
    /// What it means.
    pub(super) means: &'static str,
    /// The link on the start page.
    pub(super) start: &'static str,
    /// What happens after the form.
    pub(super) next: &'static str,
    /// The button.
    pub(super) send: &'static str,
}

/// The page of a right.
pub(super) const fn path(right: Right) -> &'static str {
    words(right).path
}

pub(super) const fn words(right: Right) -> Words {
    match right {
        Right::OptOut => Words {
            path: "opt-out",
            title: "Do not sell or share my data",
            means: "We stop selling your personal data, and stop sharing it for advertising. You \
                    need not prove who you are.",
            start: "Opt out",
            next: "There is nothing more to confirm: your opt-out counts as soon as you send it.",
            send: "Send my opt-out",
        },
        Right::Access => Words {
            path: "access",
            title: "Get a copy of my data",
            means: "You get a copy of the personal data that we keep about you, and read where it \
                    came from, what it is for, and who receives it.",
            start: "Ask for a copy",
            next: "We send a code to your mailbox next, so that nobody else gets your data.",
            send: "Send my request for a copy",
        },
        Right::Deletion => Words {
            path: "deletion",
            title: "Delete my data",
            means: "We delete the personal data that we keep about you, and look again to be sure. \
                    If a law makes us keep something, we say what, and until when.",
            start: "Ask for deletion",
            next: "We send a code to your mailbox next, so that nobody else deletes your data. \
                   What is deleted cannot be brought back.",
            send: "Send my request to delete my data",
        },
    }
}

/// The rights in the order of the start page: opting out comes first.
pub(super) const ORDER: [Right; 3] = [Right::OptOut, Right::Access, Right::Deletion];

/// The field for a kind of identifier.
pub(super) fn field(kind: &IdentifierKind, rule: &IdentifierRule) -> Field {
    let (typed, label, hint) = match rule.normalise {
        Normalise::Email => (
            FieldKind::Email,
            "Email address",
            "The one that we know you by, such as name@example.org.",
        ),
        Normalise::Phone => (
            FieldKind::Phone,
            "Phone number",
            "With its country code, such as +49 30 1234567.",
        ),
        Normalise::Exact | Normalise::Lower | Normalise::Digits => {
            let label = kind.as_str().replace(['_', '-'], " ");
            return Field::new(kind.as_str(), FieldKind::Text, &capital(&label), "");
        }
    };
    Field::new(kind.as_str(), typed, label, hint)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// A day and a time as people read them; the year and the zone are always said.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// Where a request stands: a title, and what it means.
pub(super) fn standing(status: &Status) -> (&'static str, &'static str) {
    match status.outcome {
        Some(Outcome::Completed) => match status.right {
            Right::Access => (
                "Your data is ready",
                "We have collected what we keep about you.",
            ),
            Right::Deletion => (
                "We did what you asked",
                "We deleted your data and looked again to be sure. The receipt says, place by \
                 place, what was deleted, what was masked, and what a law makes us keep.",
            ),
            Right::OptOut => (
                "You have opted out",
                "We no longer sell your data, nor share it for advertising.",
            ),
        },
        Some(Outcome::Partial) => (
            "We did part of what you asked",
            "Some places could not be dealt with yet. The receipt says which, and why. You hear \
             from us again when they are done.",
        ),
        Some(Outcome::Denied) => DENIED,
        Some(Outcome::Revoked) => WITHDRAWN,
        None if status.drp_status == "denied" => DENIED,
        None if status.drp_status == "revoked" => WITHDRAWN,
        None if status.stage == "draft" => (
            "Your request waits for the code",
            "We have sent it to your mailbox. Without it we do nothing, and after 24 hours we \
             forget the request.",
        ),
        None if status.responded_at.is_some() => match status.right {
            Right::Access => (
                "Your data is ready",
                "We have collected what we keep about you.",
            ),
            Right::Deletion | Right::OptOut => (
                "We have answered your request",
                "The answer is in your mailbox. We are writing the receipt.",
            ),
        },
        None => (
            "We are working on your request",
            "We look in every place where we keep data, do what you asked, and look again. You \
             need not do anything.",
        ),
    }
}

const DENIED: (&str, &str) = ("We could not do what you asked", "Nothing was touched.");
const WITHDRAWN: (&str, &str) = (
    "You have withdrawn this request",
    "Nothing was touched. You can send a new one at any time.",
);

/// What a request waits for.
pub(super) const fn waiting(reason: GateReason) -> &'static str {
    match reason {
        GateReason::Ambiguous => {
            "What you gave fits more than one person. Somebody of our staff is looking at it."
        }
        GateReason::BlastRadius => "Two people of our staff must agree before we go on.",
        GateReason::EarlierAccess => {
            "You asked for a copy of your data before. You get it first, then we delete."
        }
        GateReason::Held => "We are obliged not to change this data for now.",
    }
}

/// Why a request was refused.
pub(super) const fn denial(reason: DenialReason) -> &'static str {
    match reason {
        DenialReason::ClaimNotCovered => "The law that you chose does not give this right here.",
        DenialReason::InsufVerification => "We could not make sure that the request is yours.",
        DenialReason::NoMatch => "We found nothing about you under what you gave.",
        DenialReason::OutsideJurisdiction => {
            "The law that you chose does not apply where you live."
        }
        DenialReason::SuspectedFraud => {
            "We have reason to believe that somebody else sent this request."
        }
        DenialReason::TooManyRequests => "You have sent the same request very often.",
    }
}

/// What happens after a request was received.
pub(super) const fn steps(right: Right) -> &'static [&'static str] {
    match right {
        Right::OptOut => &[
            "We mark your data at once in every place where we keep it, and remember the opt-out \
             for data that arrives later.",
            "A signed receipt says what was done. You find it on the page that shows how your \
             request stands.",
        ],
        Right::Access => &[
            "We look in every place where we keep data, and collect what is about you.",
            "We write to you when your data is ready. You download it here, with a fresh code.",
            "A signed receipt says where we looked.",
        ],
        Right::Deletion => &[
            "We look in every place where we keep data, before we touch any of it. Until then you \
             can withdraw the request.",
            "We delete, and look again to be sure. Then we write to you.",
            "A signed receipt says, place by place, what was done.",
        ],
    }
}
