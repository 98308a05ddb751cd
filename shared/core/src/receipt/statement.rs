//! Statements: what we say was accepted, done or corrected (in-toto Statement v1, RFC 8785 JSON).
//!
//! Every field is a count, a digest, a code, a minute or a public name: nothing personal. How a
//! statement is signed is in [`super::dsse`]. Invariant: a [`Statement`] has exactly one sequence of
//! bytes, and [`Statement::parse`] accepts no other.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod account;
mod predicate;

pub use self::account::{AmendedLine, Manifest, ManifestLine, open_root};
pub use self::predicate::{
    Acceptance, AcceptanceLeaf, AttestedLine, BlockedLine, Check, CheckMethod, Checkpoint,
    Controller, ControllerRole, DataMap, Disclosure, Exempt, Handler, MembersLine, Receipt,
    Residual, ResidualKind, StoreLine, VersionedName,
};
use crate::digest::{Digest, Tag};
use crate::id::{LeafId, RequestId};

/// A statement of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A request was accepted.
    Acceptance(About, Acceptance),
    /// What became of it.
    Receipt(About, Receipt),
    /// A correction; [`Receipt::amendment`] counts it, [`Receipt::supersedes`] names the leaf it corrects.
    Amendment(About, Receipt),
    /// A day's account of all acceptances.
    Manifest(Manifest),
}

impl Statement {
    /// Writes the canonical JSON bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError::Inconsistent`] if fields contradict each other or a number exceeds 2^53 − 1.
    pub fn to_canonical_bytes(&self) -> Result<Vec<u8>, StatementError> {
        let bytes = match self {
            Self::Acceptance(about, predicate) => encode(self, about.subject(), predicate),
            Self::Receipt(about, predicate) | Self::Amendment(about, predicate) => {
                encode(self, about.subject(), predicate)
            }
            Self::Manifest(manifest) => encode(self, manifest.subject(), manifest),
        }?;
        // Whatever cannot be read back must not be signed.
        match Self::decode(&bytes) {
            Some(again) if again == *self => Ok(bytes),
            Some(_) | None => Err(StatementError::Inconsistent),
        }
    }

    /// Parses canonical bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError::Malformed`] if it is not one of our statements, has unknown fields or lacks
    /// some; [`StatementError::NotCanonical`] if it is written in another way.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let statement = Self::decode(bytes).ok_or(StatementError::Malformed)?;
        if statement.to_canonical_bytes()? == bytes {
            Ok(statement)
        } else {
            Err(StatementError::NotCanonical)
        }
    }

    /// Returns the statement's kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Acceptance(..) => Kind::Acceptance,
            Self::Receipt(..) => Kind::Receipt,
            Self::Amendment(..) => Kind::Amendment,
            Self::Manifest(_) => Kind::Manifest,
        }
    }

    /// Returns the request it is about; none for a manifest.
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Acceptance(about, _) | Self::Receipt(about, _) | Self::Amendment(about, _) => {
                Some(about.request)
            }
            Self::Manifest(_) => None,
        }
    }

    /// Returns the leaf that states it; none for an amendment without its number.
    pub fn leaf(&self) -> Option<LeafId> {
        match self {
            Self::Acceptance(about, _) => Some(LeafId::Acceptance(about.request)),
            Self::Receipt(about, _) => Some(LeafId::Outcome(about.request)),
            Self::Amendment(about, says) => {
                says.amendment.map(|n| LeafId::Amendment(about.request, n))
            }
            Self::Manifest(manifest) => Some(LeafId::Manifest(manifest.day)),
        }
    }

    /// Returns the name of the receipt file, which is its leaf's.
    pub fn file_name(&self) -> String {
        // An amendment without a number is neither written nor read.
        self.leaf().map(|leaf| leaf.file_name()).unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let Head { predicate_type } = serde_json::from_slice(bytes).ok()?;
        let value = serde_json::from_slice(bytes).ok()?;
        if !is_exact(&value) {
            return None;
        }
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.predicate_type() == predicate_type)?;
        match kind {
            Kind::Acceptance => {
                let (subject, predicate) = decode_as(bytes)?;
                Some(Self::Acceptance(About::parse(&subject)?, predicate))
            }
            Kind::Receipt => {
                let (subject, predicate): (_, Receipt) = decode_as(bytes)?;
                let about = About::parse(&subject)?;
                let is_first = predicate.supersedes.is_none() && predicate.amendment.is_none();
                (is_first && predicate.counts_everybody())
                    .then_some(Self::Receipt(about, predicate))
            }
            Kind::Amendment => {
                let (subject, predicate): (_, Receipt) = decode_as(bytes)?;
                let about = About::parse(&subject)?;
                let is_later =
                    predicate.supersedes.is_some() && predicate.amendment.is_some_and(|n| n > 0);
                (is_later && predicate.counts_everybody())
                    .then_some(Self::Amendment(about, predicate))
            }
            Kind::Manifest => {
                let (subject, manifest): (_, Manifest) = decode_as(bytes)?;
                let is_right = manifest.subject() == subject && manifest.is_coherent();
                is_right.then_some(Self::Manifest(manifest))
            }
        }
    }
}

/// The kinds of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A request was accepted.
    Acceptance,
    /// What became of it.
    Receipt,
    /// A correction.
    Amendment,
    /// A day's account.
    Manifest,
}

impl Kind {
    /// All kinds, in domain order.
    pub const ALL: [Self; 4] = [
        Self::Acceptance,
        Self::Receipt,
        Self::Amendment,
        Self::Manifest,
    ];

    /// Returns the in-toto predicate type.
    pub const fn predicate_type(self) -> &'static str {
        match self {
            Self::Acceptance => "https://quittance.dev/dsr-acceptance/v1",
            Self::Receipt => "https://quittance.dev/dsr-receipt/v1",
            Self::Amendment => "https://quittance.dev/dsr-amendment/v1",
            Self::Manifest => "https://quittance.dev/dsr-manifest/v1",
        }
    }

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acceptance => "acceptance",
            Self::Receipt => "receipt",
            Self::Amendment => "amendment",
            Self::Manifest => "manifest",
        }
    }
}

/// Whom a statement is about, without saying who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The request.
    pub request: RequestId,
    /// The salted commitment to the person's identifier.
    pub commitment: Tag,
}

impl About {
    fn subject(&self) -> Subject {
        let digest = Digest::new(*self.commitment.as_bytes());
        Subject {
            name: format!("{REQUEST}{}", self.request),
            digest: Sha256Of { sha256: digest },
        }
    }

    fn parse(subject: &Subject) -> Option<Self> {
        Some(Self {
            request: RequestId::parse(subject.name.strip_prefix(REQUEST)?)?,
            commitment: Tag::parse(&subject.digest.sha256.to_string())?,
        })
    }
}

/// Why a statement was not written or not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Fields contradict each other, or a number exceeds 2^53 − 1.
    #[error("the statement's fields contradict each other or a number is too large")]
    Inconsistent,
    /// Not one of our statements.
    #[error("not a statement of a known type with exactly the known fields")]
    Malformed,
    /// Not written in its canonical form.
    #[error("the statement is not canonical JSON")]
    NotCanonical,
}

/// Only the predicate's type.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

/// The in-toto frame around a predicate.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<P> {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: [Subject; 1],
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: P,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: Sha256Of,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256Of {
    sha256: Digest,
}

fn encode(
    statement: &Statement,
    subject: Subject,
    predicate: &impl Serialize,
) -> Result<Vec<u8>, StatementError> {
    canonical(&Frame {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: [subject],
        predicate_type: statement.kind().predicate_type().to_owned(),
        predicate,
    })
}

fn decode_as<P: DeserializeOwned>(bytes: &[u8]) -> Option<(Subject, P)> {
    let frame: Frame<P> = serde_json::from_slice(bytes).ok()?;
    let [subject] = frame.subject;
    (frame.statement_type == STATEMENT_TYPE).then_some((subject, frame.predicate))
}

/// Whether every number is one that all readers of JSON hold exactly.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|n| n <= MAX_NUMBER),
        Value::Array(values) => values.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn canonical(value: &impl Serialize) -> Result<Vec<u8>, StatementError> {
    serde_json_canonicalizer::to_vec(value).map_err(|_| StatementError::Inconsistent)
}

/// The in-toto statement type.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The largest number in a receipt, 2^53 − 1: beyond it, JSON readers differ.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;
const REQUEST: &str = "dsr-request:";
const LOG: &str = "dsr-log:";

#[cfg(test)]
mod tests;
