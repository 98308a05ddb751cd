//! Short codes and long secrets: how they are made, typed, and compared.
//!
//! The ledger only ever holds their keyed hashes.

use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::{HmacKey, Tag};
use quittance_core::id::RequestId;
use quittance_core::request::Challenge;
use subtle::ConstantTimeEq as _;

/// Makes a code to be typed back: eight Crockford base-32 digits, 40 bits, in two groups.
pub fn code(random: [u8; 32]) -> String {
    let mut digits = random.iter().take(CODE_DIGITS).map(|byte| {
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

/// Puts a code under challenge: ten minutes, five tries.
pub fn challenge(key: &HmacKey, request: RequestId, code: &str, now: Timestamp) -> Challenge {
    Challenge {
        code: code_tag(key, request, code),
        expires_at: now.saturating_add(CODE_LIFE).unwrap_or(Timestamp::MAX),
        tries_left: CODE_TRIES,
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
    let given = code_tag(key, request, &read_code(typed).unwrap_or_default());
    if bool::from(given.as_bytes().ct_eq(challenge.code.as_bytes())) {
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

/// Compares two tags in constant time.
pub fn same(a: &Tag, b: &Tag) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn code_tag(key: &HmacKey, request: RequestId, code: &str) -> Tag {
    let digits = read_code(code).unwrap_or_default();
    key.tag(
        "dsr-code/v1",
        &[request.to_string().as_bytes(), digits.as_bytes()],
    )
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
        let code = code([0; 32]);
        assert_eq!(code, "0000-0000");
        assert_eq!(read_code(" oOoo 0000 "), Some("00000000".into()));
        assert_eq!(read_code("0000-000"), None);
        assert_eq!(read_code("0000-000U"), None);
    }

    #[test]
    fn a_code_dies_of_age_and_of_tries() {
        let id = RequestId::new([1; 16]);
        let now = Timestamp::UNIX_EPOCH;
        let mut challenge = challenge(&KEY, id, "7K4M-Q2XW", now);
        let try_it =
            |challenge: &Challenge, typed, at| attempt(&KEY, id, Some(challenge), typed, at);
        assert_eq!(try_it(&challenge, "7k4mq2xw", now), Attempt::Right);
        assert_eq!(try_it(&challenge, "7k4mq2xx", now), Attempt::Wrong(4));
        assert_eq!(
            try_it(&challenge, "7k4mq2xw", now + CODE_LIFE),
            Attempt::Dead
        );
        challenge.tries_left = 0;
        assert_eq!(try_it(&challenge, "7k4mq2xw", now), Attempt::Dead);
        assert_eq!(attempt(&KEY, id, None, "7k4mq2xw", now), Attempt::Dead);
    }

    #[test]
    fn a_code_is_bound_to_its_request() {
        let now = Timestamp::UNIX_EPOCH;
        let challenge = challenge(&KEY, RequestId::new([1; 16]), "7K4M-Q2XW", now);
        let other = RequestId::new([2; 16]);
        assert_eq!(
            attempt(&KEY, other, Some(&challenge), "7K4M-Q2XW", now),
            Attempt::Wrong(4)
        );
    }
}
