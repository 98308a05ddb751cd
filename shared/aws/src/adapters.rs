//! Wiring: each port's adapter from the settings, so that a program's `main` is a list.
//!
//! A program builds only the ports it holds; only their settings are needed ([`Need`]).

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_core::receipt::Anchors;
use quittance_core::request::Right;
use quittance_engine::keys::TagKeys;
use quittance_engine::ports::{Clock, Cosigner, Mailer, Signer};
use quittance_engine::sequencer::EarlierKeys;
use quittance_engine::witness::Witness;

use crate::clients::Clients;
use crate::evidence::S3Evidence;
use crate::head_lock::DynamoHeadLock;
use crate::ledger::DynamoLedger;
use crate::mail::{FolderMailer, SesMailer};
use crate::objects::Bucket;
use crate::queues::{QueueName, Receiver, SqsQueues};
use crate::secrets::{Derived, SecretsError};
use crate::settings::{KeySource, MailRoute, Place, Setting, Settings, SettingsError, log_keys};
use crate::signer::{FileCosigner, FileSigner, KmsCosigner, KmsSigner, SignerError};
use crate::tiles::S3Tiles;
use crate::time::HttpTimeAuthority;
use crate::vault::{KeyWrap, S3Shredder, S3Vault};
use crate::witness::DynamoWitnessMemory;

/// What a program needs, in terms of what it does; gives the settings for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// [`Adapters::ledger`].
    Ledger,
    /// [`Adapters::vault`].
    Vault,
    /// [`Adapters::shredder`].
    Shredder,
    /// [`Adapters::evidence`].
    Evidence,
    /// [`Adapters::tiles`].
    Tiles,
    /// [`Adapters::head_lock`].
    HeadLock,
    /// [`Adapters::signer`].
    Signer,
    /// [`Adapters::mailer`].
    Mailer,
    /// [`Adapters::tag_keys`].
    TagKeys,
    /// [`Adapters::intake_key`].
    IntakeKey,
    /// [`Adapters::data_map`].
    DataMap,
    /// The public address.
    PublicUrl,
    /// Sending to the two queues of a right.
    QueuesOf(Right),
    /// Sending to the queue of a right's requests only.
    RequestsOf(Right),
    /// Sending to the queue of statements.
    Statements,
    /// [`Adapters::time_authority`].
    TimeAuthority,
    /// [`Adapters::witness`].
    Witness,
}

impl Need {
    /// Returns the settings that are needed for this.
    pub fn settings(self) -> Vec<Setting> {
        match self {
            Self::Ledger => vec![Setting::LedgerTable],
            Self::Vault => vec![Setting::KeysTable, Setting::VaultBucket, Setting::VaultKey],
            Self::Shredder => vec![Setting::KeysTable, Setting::VaultBucket],
            Self::Evidence => vec![Setting::EvidenceBucket],
            Self::Tiles => vec![Setting::LogBucket],
            Self::HeadLock => vec![Setting::HeadTable, Setting::LogOrigin],
            Self::Signer => vec![
                Setting::StatementKey,
                Setting::LogKey,
                Setting::LogOrigin,
                Setting::EarlierStatementKeys,
                Setting::EarlierLogKeys,
                Setting::PostQuantumKey,
            ],
            Self::Mailer => vec![Setting::Mail],
            Self::TagKeys => vec![Setting::TagKeys],
            Self::IntakeKey => vec![Setting::IntakeKey],
            Self::DataMap => vec![Setting::DataMap],
            Self::PublicUrl => vec![Setting::PublicUrl],
            Self::QueuesOf(right) => vec![
                Setting::Queue(QueueName::Requests(right)),
                Setting::Queue(QueueName::Tasks(right)),
            ],
            Self::RequestsOf(right) => vec![Setting::Queue(QueueName::Requests(right))],
            Self::Statements => vec![Setting::Queue(QueueName::Statements)],
            Self::TimeAuthority => vec![Setting::TimeAuthority, Setting::TimeAnchors],
            Self::Witness => vec![
                Setting::WitnessTable,
                Setting::WitnessName,
                Setting::WitnessKey,
                Setting::WitnessLogs,
            ],
        }
    }
}

/// Why a program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A secret file cannot be used.
    #[error(transparent)]
    File(#[from] crate::files::SecretFileError),
    /// HMAC keys cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The signer cannot be had.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// Something else cannot be read.
    #[error("{what}: {fault}")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        fault: Fault,
    },
}

/// Settings, clients and clock of one process.
#[derive(Clone, Debug)]
pub struct Adapters {
    settings: Settings,
    clients: Clients,
    clock: Arc<dyn Clock>,
    derived: Derived,
}

impl Adapters {
    /// Puts settings and clients together, as `dsr local` does.
    pub fn new(settings: Settings, clients: Clients, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            clients,
            clock,
            derived: Derived::default(),
        }
    }

    /// Reads settings for `needs` from the environment, builds the clients, and derives the HMAC keys
    /// that are in KMS.
    ///
    /// # Errors
    /// All problems with the settings at once; then what KMS answers.
    pub async fn from_env(needs: &[Need], clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let settings = settings_for(needs)?;
        Self::new(settings, Clients::from_env().await, clock)
            .derive()
            .await
    }

    /// Reads settings for `needs` from a function's environment, and begins to build the clients. Keys that are in
    /// KMS are not yet derived.
    ///
    /// # Errors
    /// All problems with the settings at once.
    pub async fn of_function(needs: &[Need], clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let settings = settings_for(needs)?;
        Ok(Self::new(settings, Clients::of_function().await, clock))
    }

    /// Derives the HMAC keys that the settings say are in KMS.
    ///
    /// # Errors
    /// What KMS answers.
    pub async fn derive(mut self) -> Result<Self, StartError> {
        let tags = self.settings.key(Setting::TagKeys).ok();
        let intake = self.settings.key(Setting::IntakeKey).ok();
        let is_in_kms = |key: &Option<KeySource>| matches!(key, Some(KeySource::Kms(_)));
        if is_in_kms(&tags) || is_in_kms(&intake) {
            let client = self.clients.kms();
            self.derived = Box::pin(Derived::from_kms(&client, tags, intake)).await?;
        }
        Ok(self)
    }

    /// Returns the settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the clients.
    pub const fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Returns the clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Builds the ledger.
    ///
    /// # Errors
    /// When a setting was not asked for.
    pub fn ledger(&self) -> Result<DynamoLedger, StartError> {
        let table = self.settings.text(Setting::LedgerTable)?;
        Ok(DynamoLedger::new(
            self.clients.dynamodb(),
            table,
            self.clock(),
        ))
    }

    /// Builds the sender to all queues that were asked for.
    pub fn queues(&self) -> SqsQueues {
        SqsQueues::new(self.clients.sqs(), self.settings.queues())
    }

    /// Builds the receiver from all queues that were asked for.
    pub fn receiver(&self) -> Receiver {
        Receiver::new(self.clients.sqs(), self.settings.queues())
    }

    /// Builds what destroys the vault's contents and cannot read them.
    ///
    /// # Errors
    /// When a setting was not asked for.
    pub fn shredder(&self) -> Result<S3Shredder, StartError> {
        Ok(S3Shredder::new(
            self.clients.s3(),
            self.settings.text(Setting::VaultBucket)?,
            self.clients.dynamodb(),
            self.settings.text(Setting::KeysTable)?,
        ))
    }

    /// Builds the vault: deposit and vault in one; hold it as the port you may use.
    ///
    /// # Errors
    /// When a setting was not asked for, or the key file cannot be used.
    pub fn vault(&self) -> Result<S3Vault, StartError> {
        let wrap = match self.settings.key(Setting::VaultKey)? {
            KeySource::Kms(key) => KeyWrap::kms(self.clients.kms(), key),
            KeySource::File(path) => KeyWrap::file(&path, self.clock.as_ref())?,
        };
        Ok(S3Vault::new(
            self.clients.s3(),
            self.settings.text(Setting::VaultBucket)?,
            self.clients.dynamodb(),
            self.settings.text(Setting::KeysTable)?,
            wrap,
            self.clock(),
        ))
    }

    /// Builds the evidence.
    ///
    /// # Errors
    /// When a setting was not asked for.
    pub fn evidence(&self) -> Result<S3Evidence, StartError> {
        let bucket = self.settings.text(Setting::EvidenceBucket)?;
        Ok(S3Evidence::new(self.clients.s3(), bucket))
    }

    /// Builds the log's public files.
    ///
    /// # Errors
    /// When a setting was not asked for.
    pub fn tiles(&self) -> Result<S3Tiles, StartError> {
        Ok(S3Tiles::new(
            self.clients.s3(),
            self.settings.text(Setting::LogBucket)?,
        ))
    }

    /// Builds the log's head.
    ///
    /// # Errors
    /// When a setting was not asked for.
    pub fn head_lock(&self) -> Result<DynamoHeadLock, StartError> {
        let table = self.settings.text(Setting::HeadTable)?;
        let origin = self.settings.text(Setting::LogOrigin)?;
        Ok(DynamoHeadLock::new(self.clients.dynamodb(), table, origin))
    }

    /// Builds the signer: both keys in KMS, or both in files.
    ///
    /// # Errors
    /// When a setting was not asked for, or a key cannot be used.
    pub async fn signer(&self) -> Result<Arc<dyn Signer>, StartError> {
        let origin = self.settings.text(Setting::LogOrigin)?;
        let statement = self.settings.key(Setting::StatementKey)?;
        match (statement, self.settings.key(Setting::LogKey)?) {
            (KeySource::Kms(statement), KeySource::Kms(log)) => {
                let kms = self.clients.kms();
                let signer = KmsSigner::open(kms, statement, log, origin).await?;
                let post_quantum = self.optional(Setting::PostQuantumKey);
                Ok(match post_quantum.and_then(KeySource::parse) {
                    Some(KeySource::Kms(key)) => {
                        Arc::new(signer.with_post_quantum(&key, origin).await?)
                    }
                    Some(KeySource::File(_)) | None => Arc::new(signer),
                })
            }
            (KeySource::File(statement), KeySource::File(log)) => Ok(Arc::new(FileSigner::open(
                &statement,
                &log,
                origin,
                self.clock.as_ref(),
            )?)),
            (KeySource::Kms(_), KeySource::File(_)) | (KeySource::File(_), KeySource::Kms(_)) => {
                let variables = (Setting::StatementKey.variable(), Setting::LogKey.variable());
                let problem = format!("{} and {} must be of one kind", variables.0, variables.1);
                Err(SettingsError {
                    problems: vec![problem],
                }
                .into())
            }
        }
    }

    /// A setting that may be nothing.
    fn optional(&self, setting: Setting) -> Option<&str> {
        let text = self.settings.text(setting).ok();
        text.filter(|text| !text.is_empty())
    }

    /// Parses the keys that signed before.
    ///
    /// # Errors
    /// Which of them is no key.
    pub fn earlier_keys(&self) -> Result<EarlierKeys, StartError> {
        let text = |setting| self.optional(setting).unwrap_or_default();
        let (statements, logs) = (
            text(Setting::EarlierStatementKeys),
            text(Setting::EarlierLogKeys),
        );
        EarlierKeys::parse(statements, logs).map_err(|fault| StartError::Unreadable {
            what: "earlier keys".to_owned(),
            fault,
        })
    }

    /// Builds the client of a time-stamping authority; none if nobody is to be asked.
    ///
    /// # Errors
    /// When the certificates cannot be read, or are none.
    pub async fn time_authority(&self) -> Result<Option<HttpTimeAuthority>, StartError> {
        let Some(address) = self.optional(Setting::TimeAuthority) else {
            return Ok(None);
        };
        let place = self.optional(Setting::TimeAnchors).and_then(Place::parse);
        let place = place.ok_or_else(|| {
            let (anchors, authority) = (Setting::TimeAnchors, Setting::TimeAuthority);
            SettingsError {
                problems: vec![format!(
                    "{} needs {}: {}",
                    authority.variable(),
                    anchors.variable(),
                    anchors.advice()
                )],
            }
        })?;
        let (pem, _) = self
            .document(&place, "the certificates of the time-stamping authority")
            .await?;
        let anchors = Anchors::parse(&pem).map_err(|error| StartError::Unreadable {
            what: "the certificates of the time-stamping authority".to_owned(),
            fault: Fault::reject(error.to_string()),
        })?;
        Ok(Some(HttpTimeAuthority::new(address, anchors)))
    }

    /// Builds a witness: its key in KMS or in a file, its memory in a table.
    ///
    /// # Errors
    /// When a setting was not asked for, or the key cannot be used.
    pub async fn witness(&self) -> Result<Witness, StartError> {
        let name = self.settings.text(Setting::WitnessName)?;
        let cosigner: Arc<dyn Cosigner> = match self.settings.key(Setting::WitnessKey)? {
            KeySource::Kms(key) => {
                Arc::new(KmsCosigner::open(self.clients.kms(), key, name).await?)
            }
            KeySource::File(path) => {
                Arc::new(FileCosigner::open(&path, name, self.clock.as_ref())?)
            }
        };
        let table = self.settings.text(Setting::WitnessTable)?;
        let logs = log_keys(self.settings.text(Setting::WitnessLogs)?);
        Ok(Witness {
            cosigner,
            memory: Arc::new(DynamoWitnessMemory::new(self.clients.dynamodb(), table)),
            logs: logs.unwrap_or_default(),
            clock: self.clock(),
        })
    }

    /// Builds the mailer.
    ///
    /// # Errors
    /// When a setting was not asked for.
    pub fn mailer(&self) -> Result<Arc<dyn Mailer>, StartError> {
        Ok(match self.settings.mail()? {
            MailRoute::Ses(sender) => Arc::new(SesMailer::new(self.clients.ses(), sender)),
            MailRoute::Folder(folder) => Arc::new(FolderMailer::new(folder)),
        })
    }

    /// Loads the door's HMAC key.
    ///
    /// # Errors
    /// When a setting was not asked for, or the key cannot be had.
    pub fn intake_key(&self) -> Result<HmacKey, StartError> {
        let source = self.settings.key(Setting::IntakeKey)?;
        Ok(self.derived.intake_key(&source, self.clock.as_ref())?)
    }

    /// Loads the deployment's HMAC keys.
    ///
    /// # Errors
    /// When a setting was not asked for, or the keys cannot be had.
    pub fn tag_keys(&self) -> Result<TagKeys, StartError> {
        let source = self.settings.key(Setting::TagKeys)?;
        Ok(self.derived.tag_keys(&source, self.clock.as_ref())?)
    }

    /// Reads the data map's text.
    ///
    /// # Errors
    /// When a setting was not asked for, or there is nothing to read.
    pub async fn data_map(&self) -> Result<String, StartError> {
        Ok(self.data_map_and_when().await?.0)
    }

    /// Reads the data map's text, and since when it lies there, where that is known.
    ///
    /// # Errors
    /// As for [`Self::data_map`].
    pub async fn data_map_and_when(&self) -> Result<(String, Option<Timestamp>), StartError> {
        let place = self.settings.data_map()?;
        let what = format!("the data map {}", self.settings.text(Setting::DataMap)?);
        self.document(&place, &what).await
    }

    /// Reads a text, and since when it lies there, where that is known.
    async fn document(
        &self,
        place: &Place,
        what: &str,
    ) -> Result<(String, Option<Timestamp>), StartError> {
        let unreadable = |fault| StartError::Unreadable {
            what: what.to_owned(),
            fault,
        };
        let (bytes, written_at) = match place {
            Place::File(path) => (read_file(path).map_err(unreadable)?, None),
            Place::Object { bucket, key } => {
                let bucket = Bucket::new(self.clients.s3(), bucket);
                let there = bucket.read(key).await.map_err(unreadable)?;
                let there =
                    there.ok_or_else(|| unreadable(Fault::reject("there is no such object")))?;
                (there.bytes, there.written_at)
            }
        };
        let text =
            String::from_utf8(bytes).map_err(|_| unreadable(Fault::reject("it is not UTF-8")))?;
        Ok((text, written_at))
    }
}

fn settings_for(needs: &[Need]) -> Result<Settings, SettingsError> {
    let needed: Vec<Setting> = needs.iter().flat_map(|need| need.settings()).collect();
    Settings::from_env(&needed)
}

fn read_file(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|error| Fault::reject(error.kind().to_string()))
}
