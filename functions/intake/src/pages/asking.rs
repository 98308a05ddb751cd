//! The start page and the forms: from what a person types to a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use quittance_core::regime::Regime;
use quittance_core::request::Right;
use quittance_engine::intake::{FieldError, IntakeError, Submission, Submitted};
use quittance_web::{Field, FieldProblem, Fields, House, Problem, as_hex, form_page, page, see};

use super::keyring::Keyring;
use super::words::{self, Words};
use super::{Door, refused, sentence};

#[derive(Template)]
#[template(path = "start.html")]
struct Start<'a> {
    house: &'a House,
    choices: [Words; 3],
}

#[derive(Template)]
#[template(path = "form.html")]
struct Form<'a> {
    house: &'a House,
    words: Words,
    errors: Vec<FieldProblem>,
    /// The browser sends the Global Privacy Control signal, and this is the page about it.
    gpc: bool,
    token: String,
    client_token: String,
    fields: Vec<Field>,
    usual_law: &'static str,
    laws: Vec<Law>,
    law_is_open: bool,
}

struct Law {
    id: &'static str,
    name: &'static str,
    chosen: bool,
}

pub(super) async fn start(State(door): State<Arc<Door>>) -> Response {
    let start = Start {
        house: &door.house,
        choices: words::ORDER.map(words::words),
    };
    page(StatusCode::OK, &start)
}

/// The empty form.
#[expect(clippy::unused_async, reason = "a handler")]
pub(super) async fn form(
    right: Right,
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
) -> Response {
    let client_token = as_hex(&door.intake.clock.random());
    let fields = door.fields(right, &Fields::default());
    door.show_form(right, &headers, StatusCode::OK, fields, "", client_token)
}

/// What was sent.
pub(super) async fn sent(
    right: Right,
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    sent: Fields,
) -> Response {
    let path = format!("/{}", words::path(right));
    if let Err(problem) = door.check(&headers, &path, &sent) {
        return problem.into_response();
    }
    let submission = door.submission(right, &sent);
    match door.intake.submit(&submission).await {
        Ok(submitted) => taken(&headers, &submitted),
        Err(IntakeError::Invalid(errors)) => {
            let mut fields = door.fields(right, &sent);
            for error in errors {
                match complain(&mut fields, &error) {
                    Ok(()) => {}
                    Err(problem) => return problem.into_response(),
                }
            }
            let (law, token) = (sent.text("regime"), submission.client_token.clone());
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            door.show_form(right, &headers, status, fields, law, token)
        }
        Err(IntakeError::TokenReused) => Problem::new(
            StatusCode::CONFLICT,
            "token-reused",
            "You have sent this form already, with something else in it.",
        )
        .with_detail("Your first request counts. To send another one, open the form anew.")
        .into_response(),
        Err(error) => refused(error),
    }
}

/// On to the code, or to the confirmation where no code is needed.
fn taken(headers: &HeaderMap, submitted: &Submitted) -> Response {
    let reference = submitted.reference.as_str();
    let next = if submitted.stage == "draft" {
        "code"
    } else {
        "received"
    };
    let mut response = see(&format!("/requests/{reference}/{next}"));
    if let Some(cookie) = Keyring::read(headers).with(reference, &submitted.status_token) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Puts a complaint where it belongs; what no field of the page can mend is no form of ours.
fn complain(fields: &mut [Field], error: &FieldError) -> Result<(), Problem> {
    let kind = error.field.strip_prefix("identifiers.");
    let several = fields.len() > 1;
    for field in fields {
        if kind == Some(field.id.as_str()) {
            let what = field.label.to_lowercase();
            field.complaint = Some(sentence(&format!(
                "check your {what}: it {}",
                error.message
            )));
            return Ok(());
        }
        if error.field == "identifiers" {
            let what = field.label.to_lowercase();
            field.complaint = Some(if several {
                sentence(&error.message)
            } else {
                format!("Enter your {what}.")
            });
            return Ok(());
        }
    }
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-form",
        "This form cannot be sent like this.",
    )
    .with_detail(format!(
        "About {}: {}. Open the form anew.",
        error.field, error.message
    )))
}

impl Door {
    /// The fields that the data map needs for a right, with what was typed.
    fn fields(&self, right: Right, sent: &Fields) -> Vec<Field> {
        let map = &self.intake.map;
        let kinds = if right.needs_proof() {
            map.provable_kinds()
        } else {
            map.asked_kinds()
        };
        let known = kinds
            .iter()
            .filter_map(|kind| Some((kind, map.identifiers.get(kind)?)));
        known
            .map(|(kind, rule)| words::field(kind, rule).with_value(sent.text(kind.as_str())))
            .collect()
    }

    fn submission(&self, right: Right, sent: &Fields) -> Submission {
        let typed = |field: &Field| !field.value.trim().is_empty();
        let identifiers: BTreeMap<String, String> = self
            .fields(right, sent)
            .into_iter()
            .filter(typed)
            .map(|field| (field.id, field.value))
            .collect();
        let law = sent.text("regime");
        Submission {
            right: right.name().to_owned(),
            identifiers,
            client_token: sent.text("client_token").to_owned(),
            regime: (!law.is_empty()).then(|| law.to_owned()),
            locale: None,
        }
    }

    fn show_form(
        &self,
        right: Right,
        headers: &HeaderMap,
        status: StatusCode,
        fields: Vec<Field>,
        law: &str,
        client_token: String,
    ) -> Response {
        let visit = self.visit(headers);
        let words = words::words(right);
        let now = self.intake.clock.now();
        let named = |id: &str| Regime::find(id, right, now).map(|regime| regime.name.as_str());
        let laws = Regime::choices(right, now).into_iter().filter_map(|id| {
            let (name, chosen) = (named(id).ok()?, id == law);
            Some(Law { id, name, chosen })
        });
        let form = Form {
            house: &self.house,
            errors: Field::problems(&fields),
            gpc: right == Right::OptOut && headers.get("sec-gpc").is_some_and(|sent| sent == "1"),
            token: self.seal.token(&visit, &format!("/{}", words.path)),
            client_token,
            fields,
            usual_law: named(&self.intake.default_regime).unwrap_or("Our usual law"),
            laws: laws.collect(),
            law_is_open: !law.is_empty(),
            words,
        };
        form_page(status, &form, &visit)
    }
}
