//! Codes: asking for one, and typing it back.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use quittance_core::id::Reference;
use quittance_engine::intake::IntakeError;
use quittance_web::{Field, FieldKind, FieldProblem, Fields, House, Path, form_page, see};

use super::keyring::Keyring;
use super::{Door, refused, sentence};
use crate::send_code_evenly;

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage<'a> {
    house: &'a House,
    errors: Vec<FieldProblem>,
    reference: &'a Reference,
    sent_again: bool,
    token: String,
    codes_token: String,
    code: Field,
    address: Field,
}

#[derive(Template)]
#[template(path = "find.html")]
struct Find<'a> {
    house: &'a House,
    errors: Vec<FieldProblem>,
    token: String,
    fields: [Field; 2],
}

/// The page that asks for the code.
pub(super) async fn code(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(reference) = Reference::parse(&reference) else {
        return refused(IntakeError::NotFound);
    };
    let sent_again = uri.query() == Some("sent");
    let fields = (Field::code(), Field::address());
    door.show_code(&headers, StatusCode::OK, &reference, sent_again, fields)
}

/// The code as typed: it confirms a draft, and lets whoever comes back see the request.
pub(super) async fn typed(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    headers: HeaderMap,
    sent: Fields,
) -> Response {
    let path = format!("/requests/{reference}/code");
    if let Err(problem) = door.check(&headers, &path, &sent) {
        return problem.into_response();
    }
    let Some(reference) = Reference::parse(&reference) else {
        return refused(IntakeError::NotFound);
    };
    let keyring = Keyring::read(&headers);
    let knew_it = !keyring.secret(reference.as_str()).is_empty();
    let complaint = match door
        .intake
        .enter(reference.as_str(), sent.text("code"))
        .await
    {
        Ok((_, pass)) => {
            let next = if knew_it { "/received" } else { "" };
            let mut response = see(&format!("/requests/{reference}{next}"));
            if let Some(cookie) = keyring.with(reference.as_str(), &pass).filter(|_| !knew_it) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return response;
        }
        Err(IntakeError::WrongCode(left)) => wrong_code(left),
        // An unknown reference reads like one whose code is dead.
        Err(IntakeError::DeadCode | IntakeError::NotFound) => {
            "This code no longer works. Ask for a new one below.".to_owned()
        }
        Err(error) => return refused(error),
    };
    let fields = (Field::code().wrong(complaint), Field::address());
    let status = StatusCode::FORBIDDEN;
    door.show_code(&headers, status, &reference, false, fields)
}

/// Asks for a new code, and goes back to where it is typed.
pub(super) async fn send_again(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    headers: HeaderMap,
    sent: Fields,
) -> Response {
    let path = format!("/requests/{reference}/codes");
    if let Err(problem) = door.check(&headers, &path, &sent) {
        return problem.into_response();
    }
    let Some(reference) = Reference::parse(&reference) else {
        return refused(IntakeError::NotFound);
    };
    let address = sent.text("email").trim();
    let from_export = sent.text("next") == "export";
    if address.is_empty() && from_export {
        return see(&format!("/requests/{reference}/export?address"));
    }
    if address.is_empty() {
        let wrong = Field::address().wrong("Enter the email address of this request.");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return door.show_code(&headers, status, &reference, false, (Field::code(), wrong));
    }
    if let Err(error) = send_code_evenly(&door.intake, reference.as_str(), address).await {
        return refused(error);
    }
    let next = if from_export { "export" } else { "code" };
    see(&format!("/requests/{reference}/{next}?sent"))
}

/// The page for whoever comes back.
pub(super) async fn find(State(door): State<Arc<Door>>, uri: Uri, headers: HeaderMap) -> Response {
    let known = uri.query().and_then(Reference::parse);
    let known = known.as_ref().map(Reference::as_str).unwrap_or_default();
    let fields = [reference_field().with_value(known), Field::address()];
    door.show_find(&headers, StatusCode::OK, fields)
}

/// Sends a code to whoever comes back, if reference and address fit.
pub(super) async fn found(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    sent: Fields,
) -> Response {
    if let Err(problem) = door.check(&headers, "/status", &sent) {
        return problem.into_response();
    }
    let (typed, address) = (sent.text("reference").trim(), sent.text("email").trim());
    let reference = Reference::parse(typed);
    let mut fields = [
        reference_field().with_value(typed),
        Field::address().with_value(address),
    ];
    let [first, second] = &mut fields;
    if reference.is_none() {
        first.complaint = Some(if typed.is_empty() {
            "Enter the reference of your request.".to_owned()
        } else {
            "Check the reference: it looks like DSR-7K4M-Q2XW-8R3D-9.".to_owned()
        });
    }
    if address.is_empty() {
        second.complaint = Some("Enter the email address of the request.".to_owned());
    }
    let is_whole = fields.iter().all(|field| field.complaint.is_none());
    let Some(reference) = reference.filter(|_| is_whole) else {
        return door.show_find(&headers, StatusCode::UNPROCESSABLE_ENTITY, fields);
    };
    match send_code_evenly(&door.intake, reference.as_str(), address).await {
        Ok(()) => see(&format!("/requests/{reference}/code?sent")),
        Err(error) => refused(error),
    }
}

fn reference_field() -> Field {
    let hint = "It is in every mail that we sent about the request, such as DSR-7K4M-Q2XW-8R3D-9.";
    Field::new("reference", FieldKind::Text, "Reference", hint)
}

fn wrong_code(left: u8) -> String {
    match left {
        0 => "This is not the code. It no longer works now: ask for a new one below.".to_owned(),
        1 => sentence("This is not the code. You can try once more"),
        more => format!("This is not the code. Check it; you can try {more} more times."),
    }
}

impl Door {
    fn show_code(
        &self,
        headers: &HeaderMap,
        status: StatusCode,
        reference: &Reference,
        sent_again: bool,
        (code, address): (Field, Field),
    ) -> Response {
        let visit = self.visit(headers);
        let token = |to: &str| {
            self.seal
                .token(&visit, &format!("/requests/{reference}/{to}"))
        };
        let page = CodePage {
            house: &self.house,
            errors: Field::problems([&code, &address]),
            reference,
            sent_again,
            token: token("code"),
            codes_token: token("codes"),
            code,
            address,
        };
        form_page(status, &page, &visit)
    }

    fn show_find(&self, headers: &HeaderMap, status: StatusCode, fields: [Field; 2]) -> Response {
        let visit = self.visit(headers);
        let page = Find {
            house: &self.house,
            errors: Field::problems(&fields),
            token: self.seal.token(&visit, "/status"),
            fields,
        };
        form_page(status, &page, &visit)
    }
}
