//! The page where a person types the code for a download.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, Uri};
use quittance_core::id::Reference;
use quittance_engine::download::Download;
use quittance_engine::intake::IntakeError;
use quittance_web::{Field, FieldProblem, Fields, House, Path, Seal, form_page};

use crate::{file, problem};

/// What the page needs.
pub(crate) struct Door {
    pub(crate) download: Arc<Download>,
    pub(crate) house: House,
    pub(crate) seal: Seal,
}

#[derive(Template)]
#[template(path = "export.html")]
struct Export<'a> {
    house: &'a House,
    errors: Vec<FieldProblem>,
    reference: &'a Reference,
    sent: bool,
    token: String,
    codes_token: String,
    code: Field,
    address: Field,
}

/// The page before the download.
pub(crate) async fn ask(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(reference) = Reference::parse(&reference) else {
        return problem(&IntakeError::NotFound).into_response();
    };
    let mut address = Field::address();
    if uri.query() == Some("address") {
        address = address.wrong("Enter the email address of this request.");
    }
    let sent = uri.query() == Some("sent");
    let fields = (Field::code(), address);
    door.show(&headers, StatusCode::OK, &reference, sent, fields)
}

/// The code as typed: the answer is the file.
pub(crate) async fn typed(
    State(door): State<Arc<Door>>,
    Path(reference): Path,
    headers: HeaderMap,
    sent: Fields,
) -> Response {
    let path = format!("/requests/{reference}/export");
    if let Err(problem) = door.seal.check(&headers, &path, &sent) {
        return problem.into_response();
    }
    let Some(reference) = Reference::parse(&reference) else {
        return problem(&IntakeError::NotFound).into_response();
    };
    let code = sent.text("code");
    let complaint = match door.download.export(reference.as_str(), code).await {
        Ok(zip) => return file(zip),
        Err(IntakeError::WrongCode(0)) => {
            "This is not the code. It no longer works now: ask for a new one above.".to_owned()
        }
        Err(IntakeError::WrongCode(left)) => {
            format!("This is not the code. Check it; tries left: {left}.")
        }
        Err(IntakeError::DeadCode | IntakeError::NotFound) => {
            "This code no longer works, or there is no data to download yet. Ask for a new code."
                .to_owned()
        }
        Err(error) => return problem(&error).into_response(),
    };
    let fields = (Field::code().wrong(complaint), Field::address());
    door.show(&headers, StatusCode::FORBIDDEN, &reference, true, fields)
}

impl Door {
    fn show(
        &self,
        headers: &HeaderMap,
        status: StatusCode,
        reference: &Reference,
        sent: bool,
        (code, address): (Field, Field),
    ) -> Response {
        let visit = Seal::visit(headers, &self.download.clock.random());
        let token = |to: &str| {
            self.seal
                .token(&visit, &format!("/requests/{reference}/{to}"))
        };
        let export = Export {
            house: &self.house,
            errors: Field::problems([&address, &code]),
            reference,
            sent,
            token: token("export"),
            codes_token: token("codes"),
            code,
            address,
        };
        form_page(status, &export, &visit)
    }
}
