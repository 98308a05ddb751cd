//! What a function must be told about its surroundings: the one reader of the environment.
//!
//! A function names the settings it needs; whatever else is missing is no problem. All problems are
//! reported together, each with what to do. `AWS_ENDPOINT_URL`, region and credentials are the
//! SDK's own matter ([`crate::clients`]).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use quittance_core::receipt::is_log_name;
use quittance_engine::sequencer::EarlierKeys;
use quittance_tlog::{KeyKind, VerifierKey};

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

    const fn default(self) -> Option<&'static str> {
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

    fn accepts(self, value: &str) -> bool {
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

/// Parses the verifier keys of logs, at least one; none if one of them is none.
pub fn log_keys(text: &str) -> Option<Vec<VerifierKey>> {
    let parse = |vkey| {
        let key = VerifierKey::parse(vkey).ok()?;
        (key.kind() == KeyKind::Ed25519).then_some(key)
    };
    let keys: Option<Vec<VerifierKey>> = text.split_whitespace().map(parse).collect();
    keys.filter(|keys| !keys.is_empty())
}

/// Where a key lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A key in KMS, by id, ARN or alias.
    Kms(String),
    /// A file that only its owner may read; made when it is missing.
    File(PathBuf),
}

impl KeySource {
    /// Parses `kms:<id>` or `file:<path>`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("kms", id) if !id.is_empty() => Some(Self::Kms(id.to_owned())),
            ("file", path) if !path.is_empty() => Some(Self::File(path.into())),
            _ => None,
        }
    }
}

/// Where a document lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, such as one packed beside the program.
    File(PathBuf),
    /// In a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

impl Place {
    /// Parses a path or `s3://bucket/key`.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(object) = text.strip_prefix("s3://") else {
            return (!text.is_empty()).then(|| Self::File(text.into()));
        };
        let (bucket, key) = object.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Self::Object {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// How mails leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailRoute {
    /// Through SES, from this address.
    Ses(String),
    /// Into this folder, a file each.
    Folder(PathBuf),
}

impl MailRoute {
    /// Parses an address or `dir:<path>`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("dir:") {
            return (!path.is_empty()).then(|| Self::Folder(path.into()));
        }
        (text.contains('@') && !text.contains(['\r', '\n'])).then(|| Self::Ses(text.to_owned()))
    }
}

/// The settings of one process, all of them valid.
#[derive(Clone, Debug)]
pub struct Settings(BTreeMap<Setting, String>);

impl Settings {
    /// Reads the needed settings from the environment.
    ///
    /// # Errors
    /// All problems at once.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the environment"
    )]
    pub fn from_env(needed: &[Setting]) -> Result<Self, SettingsError> {
        Self::read(needed, |variable| std::env::var(variable).ok())
    }

    /// Reads those of these settings that are in the environment, right or wrong: for programs that go on
    /// without them.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the environment"
    )]
    pub fn found_in_env(wanted: &[Setting]) -> BTreeMap<Setting, String> {
        let found = wanted
            .iter()
            .filter_map(|setting| Some((*setting, std::env::var(setting.variable()).ok()?)));
        found.collect()
    }

    /// Takes settings from a program that knows them, such as `dsr local`.
    ///
    /// # Errors
    /// All problems at once.
    pub fn new(given: impl IntoIterator<Item = (Setting, String)>) -> Result<Self, SettingsError> {
        let given: BTreeMap<Setting, String> = given.into_iter().collect();
        let names: BTreeMap<String, &String> = given
            .iter()
            .map(|(setting, value)| (setting.variable(), value))
            .collect();
        let needed: Vec<Setting> = given.keys().copied().collect();
        Self::read(&needed, |variable| {
            names.get(variable).map(|value| (*value).clone())
        })
    }

    /// Returns a setting's text.
    ///
    /// # Errors
    /// When the program did not say that it needs this setting.
    pub fn text(&self, setting: Setting) -> Result<&str, SettingsError> {
        self.0
            .get(&setting)
            .map(String::as_str)
            .ok_or_else(|| undeclared(setting))
    }

    /// Returns where a key lies.
    ///
    /// # Errors
    /// When the program did not say that it needs this setting.
    pub fn key(&self, setting: Setting) -> Result<KeySource, SettingsError> {
        KeySource::parse(self.text(setting)?).ok_or_else(|| undeclared(setting))
    }

    /// Returns where the data map lies.
    ///
    /// # Errors
    /// When the program did not say that it needs this setting.
    pub fn data_map(&self) -> Result<Place, SettingsError> {
        Place::parse(self.text(Setting::DataMap)?).ok_or_else(|| undeclared(Setting::DataMap))
    }

    /// Returns how mails leave.
    ///
    /// # Errors
    /// When the program did not say that it needs this setting.
    pub fn mail(&self) -> Result<MailRoute, SettingsError> {
        MailRoute::parse(self.text(Setting::Mail)?).ok_or_else(|| undeclared(Setting::Mail))
    }

    /// Returns how much is logged.
    pub fn log_level(&self) -> tracing::Level {
        let text = self.0.get(&Setting::LogLevel);
        text.and_then(|text| text.parse().ok())
            .unwrap_or(tracing::Level::INFO)
    }

    /// Returns the addresses of the queues this process was told of.
    pub fn queues(&self) -> BTreeMap<QueueName, String> {
        let queue = |setting: &Setting| match setting {
            Setting::Queue(name) => Some(*name),
            Setting::LedgerTable
            | Setting::KeysTable
            | Setting::HeadTable
            | Setting::VaultBucket
            | Setting::EvidenceBucket
            | Setting::LogBucket
            | Setting::VaultKey
            | Setting::StatementKey
            | Setting::LogKey
            | Setting::LogOrigin
            | Setting::TagKeys
            | Setting::IntakeKey
            | Setting::DataMap
            | Setting::Mail
            | Setting::PublicUrl
            | Setting::WitnessTable
            | Setting::WitnessName
            | Setting::WitnessKey
            | Setting::WitnessLogs
            | Setting::EarlierStatementKeys
            | Setting::EarlierLogKeys
            | Setting::PostQuantumKey
            | Setting::TimeAuthority
            | Setting::TimeAnchors
            | Setting::LogLevel => None,
        };
        self.0
            .iter()
            .filter_map(|(s, url)| Some((queue(s)?, url.clone())))
            .collect()
    }

    fn read(
        needed: &[Setting],
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut values = BTreeMap::new();
        let mut problems = Vec::new();
        for setting in needed.iter().copied().chain([Setting::LogLevel]) {
            let variable = setting.variable();
            let given = lookup(&variable).or_else(|| setting.default().map(str::to_owned));
            match given {
                None => problems.push(format!("{variable} is missing: {}", setting.advice())),
                Some(value) if setting.accepts(&value) => {
                    values.insert(setting, value);
                }
                Some(_) => problems.push(format!("{variable} must be {}", setting.advice())),
            }
        }
        if problems.is_empty() {
            Ok(Self(values))
        } else {
            Err(SettingsError { problems })
        }
    }
}

/// What is wrong with the settings; never a value, for values may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// Each problem, with what to do.
    pub problems: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are not complete:")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for SettingsError {}

fn undeclared(setting: Setting) -> SettingsError {
    let variable = setting.variable();
    let problem = format!("{variable} is used, but the program did not list {setting:?} as needed");
    SettingsError {
        problems: vec![problem],
    }
}

const PREFIX: &str = "QUITTANCE_";

#[cfg(test)]
mod tests {
    use quittance_core::request::Right;

    use super::*;

    #[test]
    fn all_problems_are_told_at_once_and_without_values() {
        let needed = [Setting::LedgerTable, Setting::VaultKey, Setting::PublicUrl];
        let error = Settings::read(&needed, |variable| match variable {
            "QUITTANCE_VAULT_KEY" => Some("hunter2".to_owned()),
            "QUITTANCE_PUBLIC_URL" => Some("http://example.com".to_owned()),
            _ => None,
        })
        .unwrap_err();
        assert_eq!(error.problems.len(), 3);
        let text = error.to_string();
        assert!(text.contains("QUITTANCE_LEDGER_TABLE is missing"), "{text}");
        assert!(
            text.contains("QUITTANCE_VAULT_KEY must be `kms:`"),
            "{text}"
        );
        assert!(
            !text.contains("hunter2") && !text.contains("example.com"),
            "{text}"
        );
    }

    #[test]
    fn what_is_not_needed_may_be_missing() {
        let settings = Settings::new([(Setting::LedgerTable, "ledger".to_owned())]).unwrap();
        assert_eq!(settings.text(Setting::LedgerTable), Ok("ledger"));
        assert_eq!(settings.log_level(), tracing::Level::INFO);
        let error = settings.text(Setting::VaultBucket).unwrap_err().to_string();
        assert!(error.contains("did not list VaultBucket"), "{error}");
    }

    #[test]
    fn every_setting_has_its_own_variable() {
        let names: std::collections::BTreeSet<String> =
            Setting::ALL.into_iter().map(Setting::variable).collect();
        assert_eq!(names.len(), Setting::ALL.len());
        let queue = Setting::Queue(QueueName::Tasks(Right::OptOut));
        assert_eq!(queue.variable(), "QUITTANCE_TASKS_OPT_OUT_QUEUE");
    }

    #[test]
    fn a_log_name_that_receipts_refuse_is_refused_at_the_start() {
        let with = |name: &str| Settings::new([(Setting::LogOrigin, name.to_owned())]);
        assert!(with("log.example.com/dsr").is_ok());
        for bad in [
            "log.example.com/~dsr",
            "münchen.example/dsr",
            "log,x",
            "a%20b",
            "a+b",
            "a b",
            "",
        ] {
            let told = with(bad).unwrap_err().to_string();
            assert!(told.contains("1 to 128 of A-Z a-z 0-9"), "{bad}: {told}");
        }
    }

    #[test]
    fn places_and_routes_are_read() {
        assert_eq!(
            KeySource::parse("kms:alias/dsr"),
            Some(KeySource::Kms("alias/dsr".into()))
        );
        assert_eq!(
            KeySource::parse("file:/k/x"),
            Some(KeySource::File("/k/x".into()))
        );
        assert_eq!(KeySource::parse("alias/dsr"), None);
        let object = Place::Object {
            bucket: "b".into(),
            key: "a/map.yaml".into(),
        };
        assert_eq!(Place::parse("s3://b/a/map.yaml"), Some(object));
        assert_eq!(Place::parse("s3://b"), None);
        assert_eq!(
            Place::parse("map.yaml"),
            Some(Place::File("map.yaml".into()))
        );
        assert_eq!(
            MailRoute::parse("dir:/m"),
            Some(MailRoute::Folder("/m".into()))
        );
        assert_eq!(
            MailRoute::parse("dsr@example.com\r\nBcc: x@example.com"),
            None
        );
    }
}
