//! Forms that only our own pages can send.
//!
//! Two defences, each enough alone: the browser says where a request comes from, and each form
//! carries a token that is bound to a cookie of this host and to the form's own address.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use quittance_core::digest::{HmacKey, Tag};
use subtle::ConstantTimeEq as _;

use crate::{Fields, Problem, cookie, set_cookie};

/// Makes and checks the tokens of forms.
#[derive(Clone, Debug)]
pub struct Seal {
    key: HmacKey,
}

/// One browser, as its cookie names it. `Debug` prints a mask.
#[derive(Clone)]
pub struct Visit {
    name: String,
    is_new: bool,
}

impl Seal {
    /// Takes the door's own key.
    pub const fn new(key: HmacKey) -> Self {
        Self { key }
    }

    /// Recognises a browser, or gives it a new name made of `random`.
    pub fn visit(headers: &HeaderMap, random: &[u8; 32]) -> Visit {
        let known = cookie(headers, COOKIE).filter(|name| Tag::parse(name).is_some());
        Visit {
            name: known.map_or_else(|| as_hex(random), str::to_owned),
            is_new: known.is_none(),
        }
    }

    /// The token of the form that is sent to `path`.
    pub fn token(&self, visit: &Visit, path: &str) -> String {
        let parts = [visit.name.as_bytes(), path.as_bytes()];
        self.key.tag("dsr-form/v1", &parts).to_string()
    }

    /// Says whether a form was sent from our own page for `path`.
    ///
    /// # Errors
    /// The problem to answer with; nothing may be done then.
    pub fn check(&self, headers: &HeaderMap, path: &str, fields: &Fields) -> Result<(), Problem> {
        if !is_from_here(headers) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "foreign-form",
                "This form was sent from another site. Nothing was done.",
            )
            .with_detail("Open the form here and fill it in again."));
        }
        let Some(name) = cookie(headers, COOKIE).filter(|name| Tag::parse(name).is_some()) else {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "no-cookie",
                "Your browser did not send back our cookie. Nothing was done.",
            )
            .with_detail(
                "Allow cookies for this site, open the form again and send it. The cookie only \
                 shows that the form is ours; it is gone when you close the browser.",
            ));
        };
        let visit = Visit {
            name: name.to_owned(),
            is_new: false,
        };
        let expected = self.token(&visit, path);
        let given = fields.text(TOKEN);
        if bool::from(given.as_bytes().ct_eq(expected.as_bytes())) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "stale-form",
            "This form is too old. Nothing was done.",
        )
        .with_detail("Open the form again and send it."))
    }
}

impl Visit {
    /// The cookie to set, if the browser has none yet.
    pub fn cookie(&self) -> Option<HeaderValue> {
        self.is_new
            .then(|| set_cookie(COOKIE, &self.name))
            .flatten()
    }
}

impl std::fmt::Debug for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Visit(***)")
    }
}

/// Whether the browser says that the request comes from this site. A browser too old to say so, and
/// one that hides the origin because our pages ask for no referrer, is judged by the token alone.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => ["same-origin", "none"].contains(&site),
        None => match text(header::ORIGIN.as_str()) {
            None | Some("null") => true,
            Some(origin) => origin
                .split_once("://")
                .is_some_and(|(_, host)| text(header::HOST.as_str()) == Some(host)),
        },
    }
}

/// Writes random bytes as text.
pub fn as_hex(random: &[u8; 32]) -> String {
    quittance_core::digest::Digest::new(*random).to_string()
}

const COOKIE: &str = "form";
const TOKEN: &str = "form_token";

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/opt-out";

    fn seal() -> Seal {
        Seal::new(HmacKey::new([5; 32]))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    fn sent(token: &str) -> Fields {
        Fields::parse(format!("form_token={token}").as_bytes())
    }

    #[test]
    fn our_own_form_passes_and_no_other() {
        let visit = Seal::visit(&HeaderMap::new(), &[7; 32]);
        let token = seal().token(&visit, PATH);
        let name = format!("__Host-form={}", visit.name);
        let ours = headers(&[("cookie", &name), ("sec-fetch-site", "same-origin")]);
        assert_eq!(seal().check(&ours, PATH, &sent(&token)), Ok(()));
        assert!(seal().check(&ours, "/access", &sent(&token)).is_err());
        assert!(seal().check(&ours, PATH, &sent("")).is_err());
        let stranger = Seal::new(HmacKey::new([6; 32]));
        assert!(stranger.check(&ours, PATH, &sent(&token)).is_err());
        let other = format!("__Host-form={}", as_hex(&[8; 32]));
        let other = headers(&[("cookie", &other)]);
        assert!(seal().check(&other, PATH, &sent(&token)).is_err());
        assert!(
            seal()
                .check(&HeaderMap::new(), PATH, &sent(&token))
                .is_err()
        );
    }

    #[test]
    fn a_request_from_elsewhere_is_refused_whatever_it_carries() {
        for (pairs, here) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("origin", "https://a.test"), ("host", "a.test")], true),
            (
                vec![("origin", "https://b.test"), ("host", "a.test")],
                false,
            ),
            (vec![("origin", "null"), ("host", "a.test")], true),
            (vec![], true),
        ] {
            assert_eq!(is_from_here(&headers(&pairs)), here, "{pairs:?}");
        }
    }

    #[test]
    fn a_browser_keeps_its_name() {
        let visit = Seal::visit(&HeaderMap::new(), &[7; 32]);
        assert!(visit.cookie().is_some());
        let name = format!("__Host-form={}", visit.name);
        let again = Seal::visit(&headers(&[("cookie", &name)]), &[9; 32]);
        assert_eq!(
            (again.name.as_str(), again.cookie()),
            (visit.name.as_str(), None)
        );
        let rubbish = Seal::visit(&headers(&[("cookie", "__Host-form=x")]), &[9; 32]);
        assert!(rubbish.cookie().is_some());
    }
}
