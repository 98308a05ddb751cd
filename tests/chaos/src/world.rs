//! A company, its people, and every use-case wired to memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use quittance_core::data_map::DataMap;
use quittance_core::digest::HmacKey;
use quittance_core::fault::Fault;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::message::Message;
use quittance_core::request::{Request, Right, Stage};
use quittance_core::task::Task;
use quittance_engine::desk::Desk;
use quittance_engine::intake::{Intake, IntakeError, List, Listed, Submission, Submitted};
use quittance_engine::keys::TagKeys;
use quittance_engine::ledger::Item;
use quittance_engine::memory::clock::MemoryClock;
use quittance_engine::memory::evidence::MemoryEvidence;
use quittance_engine::memory::faults::Faults;
use quittance_engine::memory::ledger::MemoryLedger;
use quittance_engine::memory::log::{MemoryHead, MemoryTiles};
use quittance_engine::memory::mailer::MemoryMailer;
use quittance_engine::memory::queues::MemoryQueues;
use quittance_engine::memory::records::MemoryRecords;
use quittance_engine::memory::signer::MemorySigner;
use quittance_engine::memory::stores::{MemoryStores, Row};
use quittance_engine::memory::time_authority::MemoryTimeAuthority;
use quittance_engine::memory::vault::MemoryVault;
use quittance_engine::sequencer::account::Accounted;
use quittance_engine::sequencer::{Config, Sequencer};
use quittance_engine::statement::Handler;
use quittance_engine::tick::Ticker;
use quittance_engine::worker::{Hand, LONGEST_RUN, Worker};

/// The log's name in these worlds.
pub const ORIGIN: &str = "chaos.test/log";
/// Who is reminded of due dates.
pub const CONTACT: &str = "privacy@chaos.test";
/// The data map of these worlds.
pub const MAP: &str = include_str!("map.yaml");

/// Returns the data map without some stores.
///
/// # Panics
/// When there is no such store.
pub fn map_without(stores: &[&str]) -> String {
    let (head, rest) = MAP.split_once("stores:\n").expect("stores");
    let mut text = format!("{head}stores:\n");
    let mut gone = 0;
    for store in rest.split("  - id: ").skip(1) {
        let name = store.lines().next().unwrap_or_default();
        if stores.contains(&name) {
            gone += 1;
        } else {
            text.push_str("  - id: ");
            text.push_str(store);
        }
    }
    assert_eq!(gone, stores.len(), "stores of the map");
    text
}

/// What one person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask {
    /// Who, from 0.
    pub person: usize,
    /// What.
    pub right: Right,
}

/// A list that staff hand in: these people at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Who, from 0.
    pub people: &'static [usize],
    /// What.
    pub right: Right,
}

/// Everything there is.
#[derive(Clone, Debug)]
pub struct World {
    /// The switchboard of all faults.
    pub faults: Faults,
    /// Virtual time.
    pub clock: MemoryClock,
    /// Requests, tasks, leaves.
    pub ledger: MemoryLedger,
    /// Messages.
    pub queues: MemoryQueues,
    /// Papers.
    pub vault: MemoryVault,
    /// Statements and receipts.
    pub evidence: MemoryEvidence,
    /// The log.
    pub tiles: MemoryTiles,
    /// Its head.
    pub head: MemoryHead,
    /// The mailbox of everybody.
    pub mailer: MemoryMailer,
    /// Customers' data.
    pub stores: MemoryStores,
    /// Customers' data in objects of many people.
    pub records: MemoryRecords,
    /// The signer.
    pub signer: Arc<MemorySigner>,
    /// Who stamps receipts with the time.
    pub authority: MemoryTimeAuthority,
    /// The data map in force; workers are made from it.
    pub map: Arc<DataMap>,
    keys: TagKeys,
}

impl World {
    /// Builds a company with customers.
    ///
    /// # Panics
    /// When the world's own data map is wrong.
    pub fn new(people: usize, seed: u64) -> Self {
        Self::with_map(MAP, people, seed)
    }

    /// Builds a company with another data map. Its stores hold the same, named there or not.
    ///
    /// # Panics
    /// When the data map is wrong.
    pub fn with_map(map: &str, people: usize, seed: u64) -> Self {
        let map = Arc::new(DataMap::parse(map).expect("the world's data map is right"));
        let faults = Faults::default();
        let now: Timestamp = "2026-11-23T09:00:00Z".parse().expect("a date");
        let clock = MemoryClock::new(now, seed);
        let ways = map
            .identifiers
            .iter()
            .map(|(kind, rule)| (kind.clone(), rule.normalise));
        let ways: BTreeMap<_, _> = ways.collect();
        let stores = MemoryStores::new(ways, PAGE, faults.clone());
        let world = Self {
            ledger: MemoryLedger::new(faults.clone()),
            queues: MemoryQueues::new(faults.clone()),
            vault: MemoryVault::new(clock.clone(), faults.clone()),
            evidence: MemoryEvidence::new(faults.clone()),
            tiles: MemoryTiles::new(faults.clone()),
            head: MemoryHead::new(faults.clone()),
            mailer: MemoryMailer::new(faults.clone()),
            records: MemoryRecords::new(stores.clone(), PAGE, faults.clone()),
            stores,
            signer: Arc::new(MemorySigner::new(ORIGIN, 7, faults.clone()).expect("a test key")),
            authority: MemoryTimeAuthority::new(3, clock.clone(), faults.clone())
                .expect("a test key"),
            map,
            keys: TagKeys {
                subject: HmacKey::new([1; 32]),
                suppression: HmacKey::new([2; 32]),
            },
            faults,
            clock,
        };
        world.furnish(people);
        world
            .sequencer()
            .create()
            .now_or_never()
            .expect("calm")
            .expect("a new log");
        world
    }

    /// The address of a person.
    pub fn email(person: usize) -> String {
        format!("canary-{person}@people.test")
    }

    /// The intake.
    pub fn intake(&self) -> Intake {
        Intake {
            ledger: Arc::new(self.ledger.clone()),
            deposit: Arc::new(self.vault.clone()),
            evidence: Arc::new(self.evidence.clone()),
            queues: Arc::new(self.queues.clone()),
            mailer: Arc::new(self.mailer.clone()),
            clock: Arc::new(self.clock.clone()),
            keys: self.keys.clone(),
            key: HmacKey::new([3; 32]),
            map: self.map.clone(),
            default_regime: "eu_gdpr".to_owned(),
            handler: handler(),
        }
    }

    /// The worker of a right.
    pub fn worker(&self, right: Right) -> Worker {
        let stores = Arc::new(self.stores.clone());
        Worker {
            hand: match right {
                Right::Access => Hand::Copy,
                Right::Deletion => Hand::Erase(stores.clone(), Arc::new(self.records.clone())),
                Right::OptOut => Hand::Flag(stores.clone()),
            },
            reader: stores,
            records: Arc::new(self.records.clone()),
            deposit: Arc::new(self.vault.clone()),
            ledger: Arc::new(self.ledger.clone()),
            queues: Arc::new(self.queues.clone()),
            vault: Arc::new(self.vault.clone()),
            evidence: Arc::new(self.evidence.clone()),
            mailer: Arc::new(self.mailer.clone()),
            clock: Arc::new(self.clock.clone()),
            keys: self.keys.clone(),
            map: self.map.clone(),
            handler: handler(),
            longest_run: LONGEST_RUN,
        }
    }

    /// The desk.
    pub fn desk(&self) -> Desk {
        Desk {
            ledger: Arc::new(self.ledger.clone()),
            queues: Arc::new(self.queues.clone()),
            vault: Arc::new(self.vault.clone()),
            clock: Arc::new(self.clock.clone()),
        }
    }

    /// The clock's rounds.
    pub fn ticker(&self) -> Ticker {
        Ticker {
            ledger: Arc::new(self.ledger.clone()),
            queues: Arc::new(self.queues.clone()),
            shredder: Arc::new(self.vault.clone()),
            mailer: Arc::new(self.mailer.clone()),
            contact: CONTACT.to_owned(),
            clock: Arc::new(self.clock.clone()),
            swept: quittance_core::plan::swept(&self.map),
        }
    }

    /// The sequencer.
    pub fn sequencer(&self) -> Sequencer {
        Sequencer {
            known: Arc::default(),
            ledger: Arc::new(self.ledger.clone()),
            evidence: Arc::new(self.evidence.clone()),
            tiles: Arc::new(self.tiles.clone()),
            head: Arc::new(self.head.clone()),
            signer: self.signer.clone(),
            queues: Arc::new(self.queues.clone()),
            config: Config::new(ORIGIN),
        }
    }

    /// Handles one message, as the function of its queue would.
    ///
    /// # Errors
    /// What the function reports.
    pub async fn handle(&self, right: Right, message: &Message) -> Result<(), Fault> {
        match message {
            Message::Statements => {
                self.sequencer().run().await?;
                let made = self.sequencer().account(&self.clock, &handler()).await?;
                if matches!(made, Accounted::Made(_)) {
                    self.sequencer().run().await?;
                }
                // In nobody's way: what comes of it is asked again at the next message.
                let sequencer = self.sequencer();
                drop(
                    sequencer
                        .stamp(&self.authority, &self.clock, Timestamp::MAX)
                        .await,
                );
                Ok(())
            }
            Message::Request { .. }
            | Message::Task { .. }
            | Message::Sweep { .. }
            | Message::Shard { .. } => self.worker(right).handle(message, Timestamp::MAX).await,
        }
    }

    /// Sends a person's form; the same form each time.
    ///
    /// # Errors
    /// What intake reports.
    pub async fn submit(&self, ask: Ask) -> Result<Submitted, IntakeError> {
        let identifiers = BTreeMap::from([("email".to_owned(), Self::email(ask.person))]);
        let submission = Submission {
            right: ask.right.name().to_owned(),
            identifiers,
            client_token: format!("token-{:04}-{}-0123456789", ask.person, ask.right),
            regime: None,
            locale: None,
        };
        self.intake().submit(&submission).await
    }

    /// Hands a list in; the same list each time.
    ///
    /// # Errors
    /// What intake reports; staff try again.
    pub async fn hand_in(&self, crowd: Crowd) -> Result<RequestId, IntakeError> {
        let members = crowd.people.iter().zip(2..).map(|(person, line)| Listed {
            line,
            label: Some(format!("canary-label-{person}")),
            identifiers: BTreeMap::from([("email".to_owned(), Self::email(*person))]),
        });
        let list = List {
            right: crowd.right.name().to_owned(),
            regime: None,
            client_token: format!("token-crowd-{}-0123456789", crowd.right),
            members: members.collect(),
        };
        let submitted = self.intake().submit_list(&list).await?;
        let mut all = self.requests().into_iter();
        all.find(|request| request.id.reference() == submitted.reference)
            .map(|request| request.id)
            .ok_or(IntakeError::NotFound)
    }

    /// Submits, and types back the code from the mailbox if one is asked for.
    ///
    /// # Errors
    /// What intake reports; a person tries again.
    pub async fn ask(&self, ask: Ask) -> Result<RequestId, IntakeError> {
        let submitted = self.submit(ask).await?;
        let reference = submitted.reference.as_str();
        let id = self.request_of(ask).ok_or(IntakeError::NotFound)?.id;
        if ask.right.needs_proof() {
            let mails = self.mailer.to(&Self::email(ask.person));
            let mine = format!("{id}.code-");
            let mail = mails.iter().rev().find(|mail| mail.id.starts_with(&mine));
            let code = mail.and_then(|mail| {
                let (_, rest) = mail.text.split_once("Your code: ")?;
                rest.lines().next().map(str::to_owned)
            });
            let confirmed = match code {
                Some(code) => self.intake().confirm(reference, &code).await,
                None => Err(IntakeError::DeadCode),
            };
            if let Err(IntakeError::WrongCode(_) | IntakeError::DeadCode) = confirmed {
                // The mail was lost, or a newer code took this one's place: ask for another.
                self.intake()
                    .send_code(reference, &Self::email(ask.person))
                    .await?;
            }
            confirmed?;
        }
        Ok(id)
    }

    /// The support desk's team attests for its store.
    ///
    /// # Errors
    /// What the desk reports; the team tries again.
    ///
    /// # Panics
    /// Never: the store's id is a good one.
    pub async fn attest(&self, id: RequestId) -> Result<(), quittance_engine::desk::DeskError> {
        let store = StoreId::parse("crm").expect("a store id");
        self.desk()
            .attest(id, &store, b"{\"by\":\"crm-team\"}")
            .await
    }

    /// All requests.
    pub fn requests(&self) -> Vec<Request> {
        let items = self.ledger.everything().into_iter();
        items
            .filter_map(|stored| {
                if let Item::Request(request) = stored.item {
                    Some(request)
                } else {
                    None
                }
            })
            .collect()
    }

    /// All tasks of a request.
    pub fn tasks(&self, id: RequestId) -> Vec<Task> {
        let items = self.ledger.everything().into_iter();
        items
            .filter_map(|stored| {
                if let Item::Task(task) = stored.item {
                    Some(task)
                } else {
                    None
                }
            })
            .filter(|task| task.request == id)
            .collect()
    }

    /// The request that an ask became.
    ///
    /// # Panics
    /// Never: the kind and the address are good ones.
    pub fn request_of(&self, ask: Ask) -> Option<Request> {
        let email = Self::email(ask.person);
        let kind = quittance_core::subject::IdentifierKind::parse("email").expect("a kind");
        let value = self.map.identifiers[&kind]
            .normalise(&email)
            .expect("an address");
        let tag = quittance_core::subject::subject_tag(&self.keys.subject, &kind, &value);
        let mut mine = self.requests();
        mine.retain(|request| request.right == ask.right && request.subject_tags.contains(&tag));
        mine.pop()
    }

    /// Whether nothing is left to do but to keep papers.
    pub fn is_done(&self) -> bool {
        let requests = self.requests();
        requests
            .iter()
            .all(|request| matches!(request.stage, Stage::Closed(_)))
    }

    /// Works everything off, calmly: messages, sequencer, clock, until nothing is open.
    ///
    /// # Panics
    /// When the world does not come to rest, with what is left.
    pub fn settle(&self) {
        for _ in 0..ROUNDS {
            while let Some((right, message)) = self.queues.take(0) {
                let handled = self.handle(right, &message).now_or_never();
                handled
                    .expect("calm")
                    .expect("a calm world handles every message");
            }
            if self.is_done() {
                return;
            }
            for request in self.requests() {
                let waits = self
                    .tasks(request.id)
                    .iter()
                    .any(|task| task.stage.is_blocked());
                if waits && request.stage.is_open() {
                    drop(self.attest(request.id).now_or_never());
                }
            }
            self.clock.advance(SignedDuration::from_secs(90));
            self.ticker()
                .tick()
                .now_or_never()
                .expect("calm")
                .expect("a calm round");
        }
        panic!("the world does not come to rest: {:#?}", self.requests());
    }

    /// Works off what can be worked off without anybody attesting, for some rounds of the clock.
    ///
    /// # Panics
    /// When a calm world fails to handle a message.
    pub fn work_off(&self, rounds: usize) {
        for _ in 0..rounds {
            while let Some((right, message)) = self.queues.take(0) {
                let handled = self.handle(right, &message).now_or_never();
                handled
                    .expect("calm")
                    .expect("a calm world handles every message");
            }
            self.clock.advance(SignedDuration::from_secs(90));
            self.ticker()
                .tick()
                .now_or_never()
                .expect("calm")
                .expect("a calm round");
        }
    }

    /// Puts another data map in force.
    ///
    /// # Panics
    /// When it is wrong.
    pub fn change_map(&mut self, text: &str) {
        self.map = Arc::new(DataMap::parse(text).expect("a right data map"));
    }

    /// Puts another data map in force, written at an instant that its readers know.
    ///
    /// # Panics
    /// When it is wrong.
    pub fn change_map_at(&mut self, text: &str, at: Timestamp) {
        let map = DataMap::parse(text).expect("a right data map");
        self.map = Arc::new(map.written_at(Some(at)));
    }

    pub(crate) fn asks() -> Vec<Ask> {
        let people = 0..MAX_PEOPLE;
        people
            .flat_map(|person| Right::ALL.map(|right| Ask { person, right }))
            .collect()
    }

    fn furnish(&self, people: usize) {
        self.furnish_lake(people);
        let row = |pairs: &[(&str, String)]| -> Row {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect()
        };
        let store = |name: &str| StoreId::parse(name).expect("a store id");
        for person in 0..people {
            let id = format!("c{person}");
            let account = row(&[
                ("email", Self::email(person)),
                ("customer_id", id.clone()),
                ("name", format!("Canary Person {person}")),
            ]);
            self.stores.put(&store("customers"), &id, account);
            for n in 0..3 {
                let key = format!("{id}-{n}");
                let owned = row(&[("customer_id", id.clone()), ("n", n.to_string())]);
                self.stores.put(&store("orders"), &key, owned.clone());
                self.stores.put(&store("invoices"), &key, owned);
            }
            let mut review = row(&[("customer_id", id.clone()), ("text", "good".to_owned())]);
            review.insert("author".to_owned(), format!("Canary Person {person}"));
            self.stores.put(&store("reviews"), &id, review);
            for n in 0..3 {
                let ticket = row(&[("email", Self::email(person)), ("n", n.to_string())]);
                self.stores
                    .put(&store("tickets"), &format!("t{person}-{n}"), ticket);
            }
        }
    }
}

impl World {
    /// Puts a lake: rows of nearly everybody in every object.
    fn furnish_lake(&self, people: usize) {
        let events = StoreId::parse("events").expect("a store id");
        for object in 0..OBJECTS {
            let rows = (0..people)
                .filter(|person| (person + object) % OBJECTS != 0)
                .map(|person| {
                    Row::from([
                        ("email".to_owned(), Self::email(person)),
                        ("n".to_owned(), object.to_string()),
                    ])
                });
            self.records
                .put(&events, &format!("events/{object}"), rows.collect());
        }
    }
}

fn handler() -> Handler {
    Handler {
        version: "0.1.0".to_owned(),
        artifact: None,
    }
}

const PAGE: usize = 2;
const OBJECTS: usize = 3;
const ROUNDS: usize = 200;
const MAX_PEOPLE: usize = 8;
