//! What of an identifier is compared: SHA-256 of its normalised text, and what is made of it.

use data_encoding::BASE64;

use crate::digest::{Digest, HmacKey};
use crate::subject::{IdentifierKind, suppression_token_of_hash};

/// Makes one identity of a tuple's: of one, itself; of several, SHA-256 over their Base64 texts,
/// one after the other, as deletion lists hash names with dates of birth.
pub(super) fn joined(parts: &[Digest]) -> Digest {
    if let [alone] = parts {
        return *alone;
    }
    let mut text = String::with_capacity(parts.len().saturating_mul(BASE64_CHARS));
    for part in parts {
        BASE64.encode_append(part.as_bytes(), &mut text);
    }
    Digest::of(text.as_bytes())
}

/// Returns what a pool compares: the identity, or the keyed hash of it.
pub(super) fn compared(identity: &Digest, token: Option<(&HmacKey, &IdentifierKind)>) -> [u8; 32] {
    match token {
        None => *identity.as_bytes(),
        Some((key, kind)) => *suppression_token_of_hash(key, kind, identity).as_bytes(),
    }
}

const BASE64_CHARS: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    /// From the worked examples of California's deletion platform.
    #[test]
    fn a_tuple_is_hashed_as_deletion_lists_hash_it() {
        let parts = ["danielle", "johnson", "19850704", "91790"].map(|p| Digest::of(p.as_bytes()));
        assert_eq!(
            BASE64.encode(joined(&parts).as_bytes()),
            "PQOfn1RffEKmqMmNAzDKKaoZCwxWbQZkQzPWmQo9REA="
        );
        assert_eq!(
            BASE64.encode(joined(&parts[..1]).as_bytes()),
            "5dUD1FgiKcTJq+JQ5JZUdlyIXrSbtJ338YYbt5/HNG4="
        );
    }
}
