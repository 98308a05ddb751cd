//! Keyed pseudonyms: what stands in a field so that rows of one person can still be counted together.
//!
//! A pseudonym is personal data still, for whoever has the key can tell whose it is (Art. 4(5) and
//! recital 26 GDPR): receipts count it as pseudonymised, never as deleted, redacted or anonymised. Each store has
//! a key of its own, so that nothing can be joined across stores.

use std::fmt;

use crate::digest::HmacKey;
use crate::id::StoreId;

/// Makes a store's pseudonyms. `Debug` prints no key.
#[derive(Clone)]
pub struct Pseudonyms(HmacKey);

impl Pseudonyms {
    /// Derives the key of one store's pseudonyms from the deployment's.
    pub fn of_store(deployment: &HmacKey, store: &StoreId) -> Self {
        let key = deployment.tag("quittance-pseudonyms/v1", &[store.as_str().as_bytes()]);
        Self(HmacKey::new(*key.as_bytes()))
    }

    /// Returns the pseudonym of a value as it is written, its spelling included: `psn-` and 32 of
    /// `a-z 2-7`.
    pub fn of(&self, value: &str) -> String {
        let name = self.0.tag("pseudonym", &[value.as_bytes()]);
        let name = name.as_bytes().get(..NAME_BYTES).unwrap_or_default();
        let bytes = [name, &self.mark(name)].concat();
        format!(
            "{PREFIX}{}",
            data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase()
        )
    }

    /// Whether a text is a pseudonym that was made with this key. Nobody without the key can write
    /// a name that is taken for one.
    pub fn made(&self, text: &str) -> bool {
        let Some(bytes) = read(text) else {
            return false;
        };
        let (name, mark) = bytes.split_at(NAME_BYTES.min(bytes.len()));
        self.mark(name) == mark
    }

    fn mark(&self, name: &[u8]) -> [u8; MARK_BYTES] {
        let tag = self.0.tag("pseudonym-mark", &[name]);
        tag.as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(***)")
    }
}

impl PartialEq for Pseudonyms {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl Eq for Pseudonyms {}

/// Whether a text has a pseudonym's form: all that can be said without the key.
pub fn looks_like_one(text: &str) -> bool {
    read(text).is_some()
}

fn read(text: &str) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(PREFIX)?;
    if rest.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let bytes = data_encoding::BASE32_NOPAD
        .decode(rest.to_uppercase().as_bytes())
        .ok()?;
    (bytes.len() == NAME_BYTES + MARK_BYTES).then_some(bytes)
}

const PREFIX: &str = "psn-";
const NAME_BYTES: usize = 16;
const MARK_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(store: &str) -> Pseudonyms {
        Pseudonyms::of_store(&HmacKey::new([7; 32]), &StoreId::parse(store).unwrap())
    }

    #[test]
    fn the_same_value_has_one_pseudonym_in_a_store_and_another_elsewhere() {
        let ours = of("events");
        let ann = ours.of("ann@example.org");
        assert_eq!(ann, ours.of("ann@example.org"));
        assert_ne!(ann, ours.of("Ann@example.org"));
        assert_ne!(ann, of("orders").of("ann@example.org"));
        assert_eq!(ann.len(), 36);
        assert!(ours.made(&ann) && looks_like_one(&ann));
    }

    #[test]
    fn what_another_key_made_is_none_of_ours() {
        let ann = of("orders").of("ann");
        assert!(!of("events").made(&ann));
        for text in [
            "psn-",
            "ann",
            &ann.to_uppercase(),
            &ann[..35],
            &format!("{ann}a"),
        ] {
            assert!(!of("orders").made(text) && !looks_like_one(text), "{text}");
        }
    }
}
