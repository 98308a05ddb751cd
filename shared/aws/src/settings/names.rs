//! The settings there are: their variables, what to give them, and what they accept.

use std::str::FromStr as _;

use quittance_core::receipt::is_log_name;
use quittance_engine::sequencer::EarlierKeys;

use super::values::{KeySource, MailRoute, Place, log_keys};
use crate::http::is_authority;
use crate::queues::QueueName;

/// One thing to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// The `DynamoDB` table of the ledger.
    LedgerTable,
    /// The `DynamoDB` table of the wrapped per-request keys.
    KeysTable,
    /// The `DynamoDB` table of the log's head.
    HeadTable,
    /// The bucket of the vault.
    VaultBucket,
    /// The bucket of statements, envelopes and receipts.
    EvidenceBucket,
    /// The bucket of the log's public files.
    LogBucket,
    /// A queue's address.
    Queue(QueueName),
    /// The key that wraps the vault's data keys ([`KeySource`]).
    VaultKey,
    /// The key that signs statements ([`KeySource`]).
    StatementKey,
    /// The key that signs checkpoints ([`KeySource`]).
    LogKey,
    /// The log's name: the first line of its checkpoints.
    LogOrigin,
    /// The HMAC keys of subject tags and suppression ([`KeySource`]).
    TagKeys,
    /// The HMAC key of client tokens, codes and status secrets ([`KeySource`]).
    IntakeKey,
    /// The data map ([`Place`]).
    DataMap,
    /// How mails leave ([`MailRoute`]).
    Mail,
    /// The address under which people reach the form and the status page.
    PublicUrl,
    /// The `DynamoDB` table of what a witness cosigned last.
    WitnessTable,
    /// A witness's name, as in its verifier key.
    WitnessName,
    /// The key that cosigns ([`KeySource`]).
    WitnessKey,
    /// The verifier keys of the logs that a witness knows, with white space between them.
    WitnessLogs,
    /// Public halves of statement keys that signed before, Base64, with white space between; may be missing.
    EarlierStatementKeys,
    /// Verifier keys with which the log signed before, with white space between; may be missing.
    EarlierLogKeys,
    /// A key of kind `ML_DSA_44` that signs checkpoints beside the log's ([`KeySource`]); may be missing.
    PostQuantumKey,
    /// Where a time-stamping authority answers; may be missing.
    TimeAuthority,
    /// The certificates that its stamps must lead to ([`Place`] of a PEM file); may be missing.
    TimeAnchors,
    /// How much is logged: error, warn, info, debug or trace. May be missing: info.
    LogLevel,
}

impl Setting {
    /// All settings, in domain order.
    pub const ALL: [Self; 32] = [
        Self::LedgerTable,
        Self::KeysTable,
        Self::HeadTable,
        Self::VaultBucket,
        Self::EvidenceBucket,
        Self::LogBucket,
        Self::Queue(QueueName::ALL[0]),
        Self::Queue(QueueName::ALL[1]),
        Self::Queue(QueueName::ALL[2]),
        Self::Queue(QueueName::ALL[3]),
        Self::Queue(QueueName::ALL[4]),
        Self::Queue(QueueName::ALL[5]),
        Self::Queue(QueueName::ALL[6]),
        Self::VaultKey,
        Self::StatementKey,
        Self::LogKey,
        Self::LogOrigin,
        Self::TagKeys,
        Self::IntakeKey,
        Self::DataMap,
        Self::Mail,
        Self::PublicUrl,
        Self::WitnessTable,
        Self::WitnessName,
        Self::WitnessKey,
        Self::WitnessLogs,
        Self::EarlierStatementKeys,
        Self::EarlierLogKeys,
        Self::PostQuantumKey,
        Self::TimeAuthority,
        Self::TimeAnchors,
        Self::LogLevel,
    ];

    /// Returns the name of its environment variable.
    pub fn variable(self) -> String {
        let name = match self {
            Self::LedgerTable => "LEDGER_TABLE",
            Self::KeysTable => "KEYS_TABLE",
            Self::HeadTable => "HEAD_TABLE",
            Self::VaultBucket => "VAULT_BUCKET",
            Self::EvidenceBucket => "EVIDENCE_BUCKET",
            Self::LogBucket => "LOG_BUCKET",
            Self::Queue(queue) => {
                return format!("{PREFIX}{}_QUEUE", queue.to_string().to_uppercase())
                    .replace('-', "_");
            }
            Self::VaultKey => "VAULT_KEY",
            Self::StatementKey => "STATEMENT_KEY",
            Self::LogKey => "LOG_KEY",
            Self::LogOrigin => "LOG_ORIGIN",
            Self::TagKeys => "TAG_KEYS",
            Self::IntakeKey => "INTAKE_KEY",
            Self::DataMap => "DATA_MAP",
            Self::Mail => "MAIL",
            Self::PublicUrl => "PUBLIC_URL",
            Self::WitnessTable => "WITNESS_TABLE",
            Self::WitnessName => "WITNESS_NAME",
            Self::WitnessKey => "WITNESS_KEY",
            Self::WitnessLogs => "WITNESS_LOGS",
            Self::EarlierStatementKeys => "EARLIER_STATEMENT_KEYS",
            Self::EarlierLogKeys => "EARLIER_LOG_KEYS",
            Self::PostQuantumKey => "POST_QUANTUM_KEY",
            Self::TimeAuthority => "TIME_AUTHORITY",
            Self::TimeAnchors => "TIME_ANCHORS",
            Self::LogLevel => "LOG_LEVEL",
        };
        format!("{PREFIX}{name}")
    }

    /// Says what to put there.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::LedgerTable | Self::KeysTable | Self::HeadTable | Self::WitnessTable => {
                "the name of a DynamoDB table"
            }
            Self::VaultBucket | Self::EvidenceBucket | Self::LogBucket => "the name of a bucket",
            Self::Queue(_) => "the URL of an SQS queue",
            Self::VaultKey
            | Self::StatementKey
            | Self::LogKey
            | Self::TagKeys
            | Self::IntakeKey
            | Self::WitnessKey => "`kms:` and a key id or ARN, or `file:` and a path",
            Self::LogOrigin => {
                "the log's name, such as log.example.com/dsr: 1 to 128 of A-Z a-z 0-9 . _ : / -"
            }
            Self::DataMap => "the path of a file, or s3://bucket/key",
            Self::Mail => "the sender's address, or `dir:` and a folder for mails as files",
            Self::PublicUrl => "an address that starts with https:// (or http:// on localhost)",
            Self::WitnessName => {
                "the witness's name, such as witness.example.org: no blanks, no `+`"
            }
            Self::WitnessLogs => {
                "the verifier keys of the logs that this witness knows, as `log` lines of their policies \
                 have them, with blanks between"
            }
            Self::EarlierStatementKeys => {
                "public keys as `quittance-signer` lines of a policy have them, with blanks between; or nothing"
            }
            Self::EarlierLogKeys => {
                "verifier keys as `log` lines of a policy have them, with blanks between; or nothing"
            }
            Self::PostQuantumKey => "`kms:` and the id or ARN of an ML_DSA_44 key, or nothing",
            Self::TimeAuthority => "the address of an RFC 3161 time-stamping authority, or nothing",
            Self::TimeAnchors => {
                "the path of a file of certificates in PEM, or s3://bucket/key; nothing without an authority"
            }
            Self::LogLevel => "error, warn, info, debug or trace",
        }
    }

    pub(super) const fn default(self) -> Option<&'static str> {
        if matches!(self, Self::LogLevel) {
            Some("info")
        } else if self.is_optional() {
            Some("")
        } else {
            None
        }
    }

    /// Whether nothing is an answer, too.
    const fn is_optional(self) -> bool {
        matches!(
            self,
            Self::EarlierStatementKeys
                | Self::EarlierLogKeys
                | Self::PostQuantumKey
                | Self::TimeAuthority
                | Self::TimeAnchors
        )
    }

    pub(super) fn accepts(self, value: &str) -> bool {
        if value.is_empty() && self.is_optional() {
            return true;
        }
        let plain = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        match self {
            Self::LedgerTable
            | Self::KeysTable
            | Self::HeadTable
            | Self::WitnessTable
            | Self::VaultBucket
            | Self::EvidenceBucket
            | Self::LogBucket => plain(value),
            Self::Queue(_) => {
                plain(value) && (value.starts_with("https://") || value.starts_with("http://"))
            }
            Self::VaultKey
            | Self::StatementKey
            | Self::LogKey
            | Self::TagKeys
            | Self::IntakeKey
            | Self::WitnessKey => KeySource::parse(value).is_some(),
            Self::WitnessName => plain(value) && !value.contains('+'),
            Self::WitnessLogs => log_keys(value).is_some(),
            Self::EarlierStatementKeys => EarlierKeys::parse(value, "").is_ok(),
            Self::EarlierLogKeys => EarlierKeys::parse("", value).is_ok(),
            Self::PostQuantumKey => matches!(KeySource::parse(value), Some(KeySource::Kms(_))),
            Self::TimeAuthority => is_authority(value),
            Self::LogOrigin => is_log_name(value),
            Self::DataMap | Self::TimeAnchors => Place::parse(value).is_some(),
            Self::Mail => MailRoute::parse(value).is_some(),
            Self::PublicUrl => {
                let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
                plain(value)
                    && (value.starts_with("https://") || local.iter().any(|l| value.starts_with(l)))
            }
            Self::LogLevel => tracing::Level::from_str(value).is_ok(),
        }
    }
}

const PREFIX: &str = "QUITTANCE_";
