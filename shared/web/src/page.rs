//! The frame of every page, and the page about a problem.
//!
//! Everything in a page is escaped; nothing is loaded but our own style sheet and mark.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use quittance_core::data_map::Controller;

use crate::{Problem, Visit};

/// Whose pages they are: what stands at the top and the bottom of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct House {
    /// The company's name, as people know it.
    pub name: String,
    /// Where questions go: a mailbox or an address.
    pub contact: String,
}

impl House {
    /// The house of a controller.
    pub fn of(controller: &Controller) -> Self {
        Self {
            name: controller.name.clone(),
            contact: controller.contact.clone(),
        }
    }
}

/// Renders a page.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(header::CONTENT_TYPE, html)], text).into_response()
        }
        // Writing into memory does not fail; if it did, the person would still get an answer.
        Err(_) => Problem::try_again(30).into_response(),
    }
}

/// Renders a page with forms on it, for the browser that will send them.
pub fn form_page(status: StatusCode, template: &impl Template, visit: &Visit) -> Response {
    let mut response = page(status, template);
    if let Some(cookie) = visit.cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Sends a browser on to another page of ours after a form was taken.
pub fn see(path: &str) -> Response {
    // A path of ours that cannot stand in a header would be a fault of ours.
    let Ok(location) = HeaderValue::from_str(path) else {
        return Problem::try_again(30).into_response();
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Answers with a file that is the same for everybody.
pub fn asset(media: &'static str, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        ),
    ];
    (headers, body).into_response()
}

pub(crate) fn style() -> Response {
    asset(
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    )
}

pub(crate) fn mark() -> Response {
    asset("image/svg+xml", include_str!("../assets/mark.svg"))
}

#[derive(Template)]
#[template(path = "problem.html")]
struct About<'a> {
    house: &'a House,
    title: &'a str,
    detail: Option<&'a str>,
}

/// The page about a problem.
pub(crate) fn about(problem: &Problem, house: &House) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let about = About {
        house,
        title: &problem.title,
        detail: problem.detail.as_deref(),
    };
    page(status, &about)
}
