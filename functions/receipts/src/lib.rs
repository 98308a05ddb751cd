//! Signs statements and appends them to the transparency log; stores the receipt files.
//!
//! It is the only function that may sign.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use quittance_aws::adapters::{Adapters, Need, StartError};
use quittance_aws::http::HttpClient;
use quittance_aws::lambda::Other;
use quittance_aws::settings::Setting;
use quittance_aws::witness::HttpWitnesses;
use quittance_core::fault::Fault;
use quittance_core::id::LeafId;
use quittance_core::message::Message;
use quittance_core::request::Right;
use quittance_engine::batch::Consumer;
use quittance_engine::ports::{Clock, TimeAuthority, Witnesses};
use quittance_engine::sequencer::account::Accounted;
use quittance_engine::sequencer::cosign::Cosigned;
use quittance_engine::sequencer::{Config, Sequencer};
use quittance_engine::statement::Handler;
use serde_json::Value;
use tokio::time::timeout;

/// What this function needs to be told.
pub const NEEDS: [Need; 10] = [
    Need::Ledger,
    Need::Evidence,
    Need::Tiles,
    Need::HeadLock,
    Need::Signer,
    Need::TimeAuthority,
    Need::Statements,
    Need::QueuesOf(Right::Access),
    Need::QueuesOf(Right::Deletion),
    Need::QueuesOf(Right::OptOut),
];

/// The sequencer, as a queue's consumer.
#[derive(Clone, Debug)]
pub struct Receipts {
    /// The log's one writer.
    pub sequencer: Sequencer,
    /// How much time is left.
    pub clock: Arc<dyn Clock>,
    /// What manifests say about the software.
    pub software: Handler,
    /// Who cosigns checkpoints.
    pub witnesses: WitnessSource,
    /// Whose clock stamps signatures; nobody's unless it is configured.
    pub authority: Option<Arc<dyn TimeAuthority>>,
}

/// Where the witnesses are told.
#[derive(Clone, Debug)]
pub enum WitnessSource {
    /// In the published policy, the file `policy` beside the log's: its witnesses that have an address are
    /// asked over HTTP. It is read each time, so that a new one counts at once.
    Policy(Arc<HttpClient>),
    /// By whoever wires the function.
    Told(Arc<dyn Witnesses>),
}

/// Wires the use-case.
///
/// # Errors
/// What is missing or wrong in the settings, or keys that cannot be used.
pub async fn wire(adapters: &Adapters, software: Handler) -> Result<Receipts, StartError> {
    let sequencer = Sequencer {
        known: Arc::default(),
        ledger: Arc::new(adapters.ledger()?),
        evidence: Arc::new(adapters.evidence()?),
        tiles: Arc::new(adapters.tiles()?),
        head: Arc::new(adapters.head_lock()?),
        signer: adapters.signer().await?,
        queues: Arc::new(adapters.queues()),
        config: Config {
            earlier: adapters.earlier_keys()?,
            ..Config::new(adapters.settings().text(Setting::LogOrigin)?)
        },
    };
    let authority = adapters.time_authority().await?;
    let authority = authority.map(|one| -> Arc<dyn TimeAuthority> { Arc::new(one) });
    Ok(Receipts {
        sequencer,
        clock: adapters.clock(),
        software,
        witnesses: WitnessSource::Policy(Arc::default()),
        authority,
    })
}

impl Receipts {
    /// Asks those who are outside, and proves receipts anew: in nobody's way.
    async fn afterwards(&self, is_new_day: bool, until: Timestamp) {
        self.ask().await;
        self.stamp(until).await;
        if is_new_day && let Err(fault) = self.renew(until).await {
            tracing::warn!(fault = %fault, "receipts were not renewed");
        }
    }

    /// Asks the witnesses; what comes of it stops nothing, and is asked again at the next message.
    async fn ask(&self) {
        let cosigned = async {
            match self.witnesses().await? {
                Some(witnesses) => self.sequencer.cosign(&*witnesses, &*self.clock).await,
                None => Ok(Cosigned::default()),
            }
        };
        match cosigned.await {
            Ok(cosigned) => {
                for (name, status) in &cosigned.alarms {
                    let fault = format!("{name} answered {status}");
                    tracing::error!(
                        event = "split_view",
                        fault,
                        "a witness holds another history"
                    );
                }
                for name in &cosigned.away {
                    tracing::warn!(event = "witness_pending", fault = name, "a witness is away");
                }
            }
            Err(fault) => tracing::warn!(fault = %fault, "witnesses were not asked"),
        }
    }

    /// Asks for time stamps; what comes of it stops nothing, and is asked again at the next message.
    async fn stamp(&self, until: Timestamp) {
        let Some(authority) = &self.authority else {
            return;
        };
        let stamp = || self.sequencer.stamp(&**authority, &*self.clock, until);
        let mut stamping = stamp().await;
        // One run does so many; a log that gets an authority late has a backlog.
        while stamping.as_ref().is_ok_and(|done| done.is_more) && self.clock.now() < until {
            stamping = stamp().await;
        }
        match stamping {
            Ok(done) => {
                if let Some((leaf, why)) = done.alarm {
                    tracing::error!(
                        event = "false_time_stamp",
                        leaf.id = %leaf,
                        fault = why,
                        "a time stamp does not hold"
                    );
                }
                if let Some(why) = done.away {
                    tracing::warn!(
                        event = "time_stamp_pending",
                        fault = why,
                        "the time-stamping authority is away"
                    );
                }
            }
            Err(fault) => tracing::warn!(fault = %fault, "time stamps were not asked for"),
        }
    }

    /// Proves receipts anew that an earlier key of the log proves; says whether all are.
    async fn renew(&self, until: Timestamp) -> Result<bool, Fault> {
        let witnesses = self.witnesses().await?;
        let renewed = self
            .sequencer
            .renew(witnesses.as_deref(), &*self.clock, until)
            .await?;
        for refused in &renewed.refused {
            tracing::error!(leaf.id = %refused.leaf, fault = refused.why, "a receipt is not renewed");
        }
        Ok(renewed.is_complete)
    }

    async fn witnesses(&self) -> Result<Option<Arc<dyn Witnesses>>, Fault> {
        let client = match &self.witnesses {
            WitnessSource::Told(witnesses) => return Ok(Some(Arc::clone(witnesses))),
            WitnessSource::Policy(client) => client,
        };
        let Some(policy) = self.sequencer.tiles.read(POLICY).await? else {
            return Ok(None);
        };
        let named = HttpWitnesses::of(&policy, Arc::clone(client))?;
        Ok(named.map(|witnesses| -> Arc<dyn Witnesses> { Arc::new(witnesses) }))
    }
}

#[async_trait]
impl Consumer for Receipts {
    /// Sequences until the outbox was gone through, or the time is nearly out; makes the manifest of the
    /// day that ended last, once, and sequences that, too; then asks witnesses. Another function's
    /// message is refused; a log that halts is refused too: somebody must look.
    async fn handle(&self, message: &Message, until: Timestamp) -> Result<(), Fault> {
        match message {
            Message::Statements => {}
            Message::Request { .. }
            | Message::Task { .. }
            | Message::Sweep { .. }
            | Message::Shard { .. } => {
                return Err(Fault::reject("this message belongs to another function"));
            }
        }
        let progress = self.sequencer.run_through(&*self.clock, until).await?;
        for refused in &progress.refused {
            tracing::error!(leaf.id = %refused.leaf, fault = refused.why, "a statement is refused");
        }
        // What was refused, or is left over, does not keep the rest from being accounted for.
        let made = self.sequencer.account(&*self.clock, &self.software).await?;
        if let Accounted::Made(day) = made {
            let leaf = LeafId::Manifest(day);
            tracing::info!(event = "accounted", leaf.id = %leaf, "a day's manifest was made");
            self.sequencer.run_through(&*self.clock, until).await?;
        }
        // Strangers may hang. What is cut off here is like a process that died: the next message goes on.
        let left = until.duration_since(self.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        let is_new_day = matches!(made, Accounted::Made(_));
        if timeout(left, self.afterwards(is_new_day, until))
            .await
            .is_err()
        {
            tracing::warn!("no time was left for witnesses and time stamps");
        }
        Ok(())
    }

    async fn stumbled(&self, _message: &Message) -> Result<(), Fault> {
        Err(Fault::retry("the sequencer panicked"))
    }
}

#[async_trait]
impl Other for Receipts {
    /// Gives birth to the log when somebody asks for it by its name, `{"create_log": "<origin>"}`: once in
    /// its life, by hand, and never because a table is empty or a name was mistyped. Proves receipts anew, too,
    /// `{"renew_receipts": "<origin>"}`, after the log's key was changed: it succeeds once all are.
    async fn handle(&self, event: &Value) -> Result<(), Fault> {
        let is_ours = |asked: &str| {
            event.get(asked).and_then(Value::as_str) == Some(&*self.sequencer.config.origin)
        };
        if is_ours("renew_receipts") {
            let until = self
                .clock
                .now()
                .saturating_add(A_RUN)
                .unwrap_or(Timestamp::MAX);
            return if self.renew(until).await? {
                Ok(())
            } else {
                Err(Fault::retry(
                    "not all receipts are proven anew yet: ask again, or read the log lines",
                ))
            };
        }
        if !is_ours("create_log") {
            return Err(Fault::reject(
                "create_log or renew_receipts must name the log of LOG_ORIGIN",
            ));
        }
        self.sequencer.create().await?;
        tracing::info!(event = "log_created", "the log is born");
        Ok(())
    }
}

/// The published policy's place beside the log's files.
const POLICY: &str = "policy";
/// Well within the time that the template gives a run.
const A_RUN: SignedDuration = SignedDuration::from_mins(3);
