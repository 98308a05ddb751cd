//! Cookies that only this host can set and only the browser can read.

use http::{HeaderMap, HeaderValue, header};

/// Reads a cookie. Its name gets the prefix `__Host-`, which keeps neighbours from setting it.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| key.strip_prefix(PREFIX) == Some(name))
        .map(|(_, value)| value)
}

/// Builds the header that sets a cookie until the browser is closed; an empty value forgets it.
/// None when the value is not fit for a header.
pub fn set_cookie(name: &str, value: &str) -> Option<HeaderValue> {
    let life = if value.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{PREFIX}{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{life}");
    HeaderValue::from_str(&text).ok()
}

const PREFIX: &str = "__Host-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("form=a; x=b"));
        assert_eq!(cookie(&headers, "form"), None);
        let several = HeaderValue::from_static("y=1; __Host-form=c=d; __Host-form=e");
        headers.append(header::COOKIE, several);
        assert_eq!(cookie(&headers, "form"), Some("c=d"));
        assert_eq!(cookie(&headers, "orm"), None);
    }

    #[test]
    fn a_value_that_is_no_header_sets_nothing() {
        assert_eq!(set_cookie("form", "a\nb"), None);
        assert_eq!(
            set_cookie("form", "").unwrap(),
            "__Host-form=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }
}
