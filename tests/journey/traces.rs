//! Looks for what would tell who somebody is, in everything that a deployment keeps.

use data_encoding::{BASE64, BASE64URL_NOPAD, Encoding};

/// Texts in which somebody's data are looked for, as written and as read from the base64 in them.
pub(crate) struct Traces(Vec<String>);

impl Traces {
    pub(crate) fn of(texts: &[String]) -> Self {
        Self(texts.iter().map(|text| readable(text)).collect())
    }

    /// Returns the text that tells `secret`, whatever its letters' case.
    pub(crate) fn find(&self, secret: &str) -> Option<&str> {
        let secret = secret.to_lowercase();
        let found = self.0.iter().find(|text| tells(text, &secret));
        found.map(String::as_str)
    }
}

/// Whether a text has `secret` in it. A short one must be a word of its own: in some megabytes of base64, any name of
/// five letters turns up by chance.
fn tells(text: &str, secret: &str) -> bool {
    let is_short = secret.chars().count() < CHANCE;
    text.match_indices(secret).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + secret.len()..].chars().next();
        let is_word = [before, after]
            .into_iter()
            .flatten()
            .all(|next| !next.is_alphanumeric());
        !is_short || is_word
    })
}

/// Returns a text in lower case, followed by what its base64 says: a receipt's statement is written so.
fn readable(text: &str) -> String {
    let mut all = text.to_owned();
    for run in text.split(|next: char| !is_base64(next)) {
        for alphabet in [&BASE64, &BASE64URL_NOPAD] {
            all.push('\n');
            all.push_str(&decoded(alphabet, run));
        }
    }
    // A word after an escaped line's end is a word.
    all.to_lowercase().replace("\\n", "\n")
}

fn decoded(alphabet: &Encoding, run: &str) -> String {
    if run.len() < CHANCE {
        return String::new();
    }
    let bytes = alphabet.decode(run.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

const fn is_base64(next: char) -> bool {
    next.is_ascii_alphanumeric() || matches!(next, '+' | '/' | '=' | '-' | '_')
}

/// So many letters are not met by chance.
const CHANCE: usize = 8;

#[test]
fn traces_are_found_as_written_and_in_base64_and_not_by_chance() {
    let statement = BASE64.encode(br#"{"note":"asked by\nEmma JONES"}"#);
    let told = [
        r#"S("emma Jones")"#.to_owned(),
        format!(r#"{{"payload":"{statement}"}}"#),
    ];
    for text in &told {
        let traces = Traces::of(std::slice::from_ref(text));
        assert!(traces.find("Jones").is_some(), "{text}");
    }
    let long = Traces::of(&["idx7Emma_Jones@Example.com9".to_owned()]);
    assert!(long.find("emma_jones@example.com").is_some());
    let chance = Traces::of(&["WkJoNEs4bPq/aJonesKx".to_owned()]);
    assert_eq!(chance.find("Jones"), None);
}
