//! Which requests this browser may see: their secrets, in one cookie, until it is closed.

use http::{HeaderMap, HeaderValue};
use quittance_core::id::Reference;
use quittance_web::{cookie, set_cookie};

/// References and secrets, the latest first. It has no `Debug`: nobody prints secrets.
pub(super) struct Keyring(Vec<(String, String)>);

impl Keyring {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let pairs = cookie(headers, COOKIE)
            .unwrap_or_default()
            .split('|')
            .filter_map(|pair| pair.split_once(':'))
            .filter(|(reference, _)| Reference::parse(reference).is_some())
            .map(|(reference, secret)| (reference.to_owned(), secret.to_owned()));
        Self(pairs.take(MOST).collect())
    }

    /// The secret of a request; empty when this browser has none.
    pub(super) fn secret(&self, reference: &str) -> &str {
        let mut pairs = self.0.iter();
        pairs
            .find_map(|(known, secret)| (known == reference).then_some(secret.as_str()))
            .unwrap_or_default()
    }

    /// The cookie with one more request in it; the oldest falls out.
    pub(super) fn with(mut self, reference: &str, secret: &str) -> Option<HeaderValue> {
        self.0.retain(|(known, _)| known != reference);
        self.0.insert(0, (reference.to_owned(), secret.to_owned()));
        let pairs = self.0.iter().take(MOST);
        let text: Vec<String> = pairs
            .map(|(known, secret)| format!("{known}:{secret}"))
            .collect();
        set_cookie(COOKIE, &text.join("|"))
    }

    /// The cookie that forgets all of them.
    pub(super) fn forget() -> Option<HeaderValue> {
        set_cookie(COOKIE, "")
    }
}

const COOKIE: &str = "requests";
/// As many as fit into the headers that a gateway lets pass.
const MOST: usize = 8;
