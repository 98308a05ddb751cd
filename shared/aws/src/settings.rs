//! What a function must be told about its surroundings: the one reader of the environment.
//!
//! A function names the settings it needs; whatever else is missing is no problem. All problems are
//! reported together, each with what to do. `AWS_ENDPOINT_URL`, region and credentials are the
//! SDK's own matter ([`crate::clients`]).

mod names;
mod values;

use std::collections::BTreeMap;
use std::fmt;

use crate::queues::QueueName;

pub use self::names::Setting;
pub use self::values::{KeySource, MailRoute, Place, log_keys};

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
