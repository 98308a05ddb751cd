//! Short codes and long secrets: how they are made, typed, and compared.
//!
//! The ledger holds no code and no secret: keyed hashes, and what a code is derived from.

use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::{HmacKey, Tag};
use quittance_core::id::RequestId;
use quittance_core::request::Challenge;
use subtle::ConstantTimeEq as _;

/// Derives the code of a challenge: eight Crockford base-32 digits, 40 bits, in two groups. Whoever
/// lacks the key cannot tell it from chance; whoever has it can send the same code again.
pub fn code(key: &HmacKey, request: RequestId, challenge: &Challenge) -> String {
    let sent = challenge.expires_at.as_nanosecond().to_string();
    let secret = key.tag(
        "dsr-code/v1",
        &[request.to_string().as_bytes(), sent.as_bytes()],
    );
    let mut digits = secret.as_bytes().iter().take(CODE_DIGITS).map(|byte| {
        let digit = CROCKFORD
            .get(usize::from(byte & 31))
            .copied()
            .unwrap_or(b'0');
        char::from(digit)
    });
    let head: String = digits.by_ref().take(CODE_DIGITS / 2).collect();
    let tail: String = digits.collect();
    format!("{head}-{tail}")
}

/// Reads a code as people type it: case, blanks and hyphens do not matter, `O` is `0`, `I` and `L`
/// are `1`. None when it cannot be a code.
pub fn read_code(typed: &str) -> Option<String> {
    if typed.len() > 64 {
        return None;
    }
    let digits: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    let legal = digits.bytes().all(|byte| CROCKFORD.contains(&byte));
    (legal && digits.len() == CODE_DIGITS).then_some(digits)
}

/// Begins a challenge: ten minutes, five tries.
pub fn challenge(now: Timestamp) -> Challenge {
    Challenge {
        expires_at: now.saturating_add(CODE_LIFE).unwrap_or(Timestamp::MAX),
        tries_left: CODE_TRIES,
        mailed: false,
    }
}

/// What typing a code came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is the code.
    Right,
    /// It is not; this many tries are left.
    Wrong(u8),
    /// The code is too old, was tried too often, or was never sent.
    Dead,
}

/// Compares a typed code with the challenge, in constant time.
pub fn attempt(
    key: &HmacKey,
    request: RequestId,
    challenge: Option<&Challenge>,
    typed: &str,
    now: Timestamp,
) -> Attempt {
    let Some(challenge) = challenge else {
        return Attempt::Dead;
    };
    if challenge.tries_left == 0 || now >= challenge.expires_at {
        return Attempt::Dead;
    }
    let given = read_code(typed).unwrap_or_default();
    let code = read_code(&code(key, request, challenge)).unwrap_or_default();
    if given.len() == CODE_DIGITS && bool::from(given.as_bytes().ct_eq(code.as_bytes())) {
        Attempt::Right
    } else {
        Attempt::Wrong(challenge.tries_left - 1)
    }
}

/// Derives the secret that reads a request's status and revokes it: 256 bits, the same for the same
/// form sent twice, so that a lost answer costs nothing.
pub fn status_token(key: &HmacKey, request: RequestId, client_token: &str) -> String {
    let id = request.to_string();
    key.tag(
        "dsr-status-token/v1",
        &[id.as_bytes(), client_token.as_bytes()],
    )
    .to_string()
}

/// The keyed hash of a status token, as the ledger holds it.
pub fn status_tag(key: &HmacKey, token: &str) -> Tag {
    key.tag("dsr-status-tag/v1", &[token.as_bytes()])
}

/// The keyed hash of the mailbox that a code proved, as the ledger holds it. Addresses that a store
/// yields later prove nothing: they are somebody else's until a code went there.
pub fn mailbox_tag(key: &HmacKey, address: &str) -> Tag {
    key.tag("dsr-mailbox/v1", &[address.as_bytes()])
}

/// Compares two tags in constant time.
pub fn same(a: &Tag, b: &Tag) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// How long a code works.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);
const CODE_TRIES: u8 = 5;
const CODE_DIGITS: usize = 8;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HmacKey = HmacKey::new([5; 32]);

    #[test]
    fn a_code_is_read_as_people_type_it() {
        assert_eq!(read_code(" oOoo 0000 "), Some("00000000".into()));
        assert_eq!(read_code("0000-000"), None);
        assert_eq!(read_code("0000-000U"), None);
        let challenge = challenge(Timestamp::UNIX_EPOCH);
        let code = code(&KEY, RequestId::new([1; 16]), &challenge);
        assert_eq!(code.len(), CODE_DIGITS + 1);
        assert!(read_code(&code).is_some());
    }

    #[test]
    fn a_code_dies_of_age_and_of_tries() {
        let id = RequestId::new([1; 16]);
        let now = Timestamp::UNIX_EPOCH;
        let mut challenge = challenge(now);
        let code = code(&KEY, id, &challenge);
        let typed = code.to_lowercase().replace('-', " ");
        let wrong = code.replace(code.chars().next().unwrap(), "Z");
        let try_it =
            |challenge: &Challenge, typed: &str, at| attempt(&KEY, id, Some(challenge), typed, at);
        assert_eq!(try_it(&challenge, &typed, now), Attempt::Right);
        assert_eq!(try_it(&challenge, &wrong, now), Attempt::Wrong(4));
        assert_eq!(try_it(&challenge, "", now), Attempt::Wrong(4));
        assert_eq!(try_it(&challenge, &typed, now + CODE_LIFE), Attempt::Dead);
        challenge.tries_left = 0;
        assert_eq!(try_it(&challenge, &typed, now), Attempt::Dead);
        assert_eq!(attempt(&KEY, id, None, &typed, now), Attempt::Dead);
    }

    #[test]
    fn a_code_is_bound_to_its_request_its_key_and_its_instant() {
        let (id, now) = (RequestId::new([1; 16]), Timestamp::UNIX_EPOCH);
        let first = challenge(now);
        let typed = code(&KEY, id, &first);
        let wrong = Attempt::Wrong(4);
        let other = RequestId::new([2; 16]);
        assert_eq!(attempt(&KEY, other, Some(&first), &typed, now), wrong);
        let stranger = HmacKey::new([6; 32]);
        assert_eq!(attempt(&stranger, id, Some(&first), &typed, now), wrong);
        let later = challenge(now + SignedDuration::from_secs(1));
        assert_eq!(attempt(&KEY, id, Some(&later), &typed, now), wrong);
    }
}
