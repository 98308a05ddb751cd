//! A time-stamping authority in memory: real tokens, by a key from a seed, or lies on demand.
//!
//! It writes its DER by hand, apart from those who read it, so that both cannot be wrong alike. Each
//! answer is another one, as with real authorities: the serial number counts.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use quittance_core::digest::Digest;
use quittance_core::fault::Fault;
use quittance_core::receipt::Anchors;

use super::clock::MemoryClock;
use super::faults::Faults;
use super::{contract, locked};
use crate::ports::{Clock as _, TimeAuthority};

/// How the authority answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Not at all.
    Away,
    /// With something that is no answer, like a proxy's page.
    Babbles,
    /// As it should.
    #[default]
    Honest,
    /// About something else than it was asked.
    OtherData,
    /// To another question about the same.
    OtherNonce,
    /// Under its own name, with a key that nobody pinned.
    OtherKey,
    /// That it does not want to.
    Refuses,
    /// With a clock that is hours late.
    Late,
}

/// An authority whose own certificate is the anchor.
#[derive(Clone)]
pub struct MemoryTimeAuthority {
    key: SigningKey,
    other: SigningKey,
    anchors: Anchors,
    clock: MemoryClock,
    state: Arc<Mutex<State>>,
    faults: Faults,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    serial: u8,
    given: u64,
}

impl fmt::Debug for MemoryTimeAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTimeAuthority")
            .field("anchors", &self.anchors)
            .finish_non_exhaustive()
    }
}

impl MemoryTimeAuthority {
    /// Makes an authority that goes by this clock; none if the seed makes no key.
    pub fn new(seed: u8, clock: MemoryClock, faults: Faults) -> Option<Self> {
        let key = SigningKey::from_slice(&[seed; 32]).ok()?;
        let other = SigningKey::from_slice(&[seed ^ 0x55; 32]).ok()?;
        let certificate = BASE64.encode(&certificate(&key)?);
        let pem =
            format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
        Some(Self {
            key,
            other,
            anchors: Anchors::parse(&pem).ok()?,
            clock,
            state: Arc::default(),
            faults,
        })
    }

    /// Says how it answers from now on.
    pub fn set_mood(&self, mood: Mood) {
        locked(&self.state).mood = mood;
    }

    /// How many answers it gave.
    pub fn given(&self) -> u64 {
        locked(&self.state).given
    }

    fn answer(&self, query: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut state = locked(&self.state);
        state.given += 1;
        state.serial = state.serial.wrapping_add(1) & 0x7f;
        let imprint = query.get(24..56).unwrap_or_default();
        let nonce = query.get(58..66).unwrap_or_default();
        let now = self.clock.now();
        let made = match state.mood {
            Mood::Away => return Err(Fault::retry("the authority is away")),
            Mood::Babbles => return Ok(b"<html>Please log in</html>".to_vec()),
            Mood::Refuses => return Ok(tlv(0x30, &[&tlv(0x30, &[&[0x02, 0x01, 0x02]])])),
            Mood::Honest => response(&self.key, &info(imprint, nonce, now, state.serial)),
            Mood::OtherData => response(&self.key, &info(&[7; 32], nonce, now, state.serial)),
            Mood::OtherNonce => response(&self.key, &info(imprint, &[7; 8], now, state.serial)),
            Mood::OtherKey => response(&self.other, &info(imprint, nonce, now, state.serial)),
            Mood::Late => {
                let at = now - SignedDuration::from_hours(3);
                response(&self.key, &info(imprint, nonce, at, state.serial))
            }
        };
        made.ok_or_else(|| Fault::reject("the authority's key cannot be written"))
    }
}

#[async_trait]
impl TimeAuthority for MemoryTimeAuthority {
    fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    async fn stamp(&self, query: &[u8]) -> Result<Vec<u8>, Fault> {
        contract(
            query.len() == 69 && query.starts_with(&[0x30, 0x43, 0x02, 0x01, 0x01]),
            "a question about a SHA-256, with a nonce of eight bytes",
        );
        self.faults
            .call("authority.stamp", || self.answer(query))
            .await
    }
}

/// A certificate that a key gives itself, for time stamps alone.
fn certificate(key: &SigningKey) -> Option<Vec<u8>> {
    let public = key.verifying_key().to_public_key_der().ok()?;
    let validity = [
        tlv(0x17, &[b"200101000000Z"]),
        tlv(0x18, &[b"21200101000000Z"]),
    ];
    let purpose = tlv(0x30, &[TIME_STAMPING]);
    let extension = tlv(
        0x30,
        &[
            EXTENDED_KEY_USAGE,
            &[0x01, 0x01, 0xff],
            &tlv(0x04, &[&purpose]),
        ],
    );
    let signed = tlv(
        0x30,
        &[
            &[0xa0, 0x03, 0x02, 0x01, 0x02],
            SERIAL,
            &tlv(0x30, &[ECDSA_SHA_256]),
            &name(),
            &tlv(0x30, &[&validity[0], &validity[1]]),
            &name(),
            public.as_bytes(),
            &tlv(0xa3, &[&tlv(0x30, &[&extension])]),
        ],
    );
    let signature: DerSignature = key.sign(&signed);
    Some(tlv(
        0x30,
        &[
            &signed,
            &tlv(0x30, &[ECDSA_SHA_256]),
            &tlv(0x03, &[&[0], signature.as_bytes()]),
        ],
    ))
}

fn name() -> Vec<u8> {
    let common = tlv(0x30, &[COMMON_NAME, &tlv(0x0c, &[b"authority.test"])]);
    tlv(0x30, &[&tlv(0x31, &[&common])])
}

/// `TSTInfo`.
fn info(imprint: &[u8], nonce: &[u8], at: Timestamp, serial: u8) -> Vec<u8> {
    let hashed = tlv(0x30, &[SHA_256, &[0x05, 0x00]]);
    let at = at.strftime("%Y%m%d%H%M%SZ").to_string();
    tlv(
        0x30,
        &[
            &[0x02, 0x01, 0x01],
            POLICY,
            &tlv(0x30, &[&hashed, &tlv(0x04, &[imprint])]),
            &[0x02, 0x01, serial],
            &tlv(0x18, &[at.as_bytes()]),
            &tlv(0x02, &[nonce]),
        ],
    )
}

/// `TimeStampResp`, granted.
fn response(key: &SigningKey, info: &[u8]) -> Option<Vec<u8>> {
    let certificate = certificate(key)?;
    let digest = tlv(0x30, &[SHA_256]);
    let attribute = |kind: &[u8], value: &[u8]| tlv(0x30, &[kind, &tlv(0x31, &[value])]);
    let own = tlv(0x04, &[Digest::of(&certificate).as_bytes()]);
    let named = tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&own])])]);
    let attributes = [
        attribute(CONTENT_TYPE, TST_INFO),
        attribute(MESSAGE_DIGEST, &tlv(0x04, &[Digest::of(info).as_bytes()])),
        attribute(SIGNING_CERTIFICATE_V2, &named),
    ]
    .concat();
    let signature: DerSignature = key.sign(&tlv(0x31, &[&attributes]));
    let signer = tlv(
        0x30,
        &[
            &[0x02, 0x01, 0x01],
            &tlv(0x30, &[&name(), SERIAL]),
            &digest,
            &tlv(0xa0, &[&attributes]),
            &tlv(0x30, &[ECDSA_SHA_256]),
            &tlv(0x04, &[signature.as_bytes()]),
        ],
    );
    let content = tlv(0x30, &[TST_INFO, &tlv(0xa0, &[&tlv(0x04, &[info])])]);
    let data = tlv(
        0x30,
        &[
            &[0x02, 0x01, 0x03],
            &tlv(0x31, &[&digest]),
            &content,
            &tlv(0xa0, &[&certificate]),
            &tlv(0x31, &[&signer]),
        ],
    );
    let token = tlv(0x30, &[SIGNED_DATA, &tlv(0xa0, &[&data])]);
    Some(tlv(0x30, &[&tlv(0x30, &[&[0x02, 0x01, 0x00]]), &token]))
}

/// Tag, length and parts, one after the other.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = u16::try_from(contents.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let head = match (high, low) {
        (0, 0..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        (_, _) => vec![tag, 0x82, high, low],
    };
    [head, contents].concat()
}

const SERIAL: &[u8] = &[0x02, 0x01, 0x2a];
/// 1.3.6.1.4.1.55555.1
const POLICY: &[u8] = &[
    0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xb2, 0x03, 0x01,
];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const EXTENDED_KEY_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x25];
const TIME_STAMPING: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
const SHA_256: &[u8] = &[
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
];
const ECDSA_SHA_256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SIGNED_DATA: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02,
];
const CONTENT_TYPE: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03,
];
const MESSAGE_DIGEST: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04,
];
const TST_INFO: &[u8] = &[
    0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];
const SIGNING_CERTIFICATE_V2: &[u8] = &[
    0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f,
];
