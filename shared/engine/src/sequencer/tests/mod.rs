//! The commit protocol under every fault: the world the tests share.

mod account;
mod checker;
mod cosign;
mod crashes;
mod faults;
mod halts;
mod interleaving;
mod post_quantum;
mod renewing;
mod rotation;
mod rows;
mod stamp;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use quittance_core::digest::{Digest, HmacKey};
use quittance_core::fault::Fault;
use quittance_core::id::{LeafId, RequestId};
use quittance_core::receipt::{
    About, Acceptance, Controller, ControllerRole, Handler, Minute, Nonce, PublicName, Slug,
    Statement, VersionedName,
};
use quittance_core::request::{Request, Right, Stage};

use super::{Config, Progress, Sequencer, paths};
use crate::ledger::{Item, Key, Leaf, OutboxRow, Write};
use crate::memory::clock::MemoryClock;
use crate::memory::evidence::MemoryEvidence;
use crate::memory::faults::{Faults, Injection};
use crate::memory::ledger::MemoryLedger;
use crate::memory::log::{LogWorld, MemoryHead, MemoryTiles, check_log};
use crate::memory::queues::MemoryQueues;
use crate::memory::signer::MemorySigner;
use crate::memory::time_authority::MemoryTimeAuthority;
use crate::ports::{Clock as _, Evidence as _, Ledger as _, TimeAuthority as _};

/// One leaf short of a full tile.
const ALMOST_FULL: u16 = 255;
const ORIGIN: &str = "log.test/dsr";

/// Every port in memory.
struct World {
    faults: Faults,
    clock: MemoryClock,
    ledger: MemoryLedger,
    evidence: MemoryEvidence,
    tiles: MemoryTiles,
    head: MemoryHead,
    signer: Arc<MemorySigner>,
    queues: MemoryQueues,
    authority: MemoryTimeAuthority,
    config: Config,
}

impl World {
    fn unborn() -> Self {
        let faults = Faults::default();
        let start: Timestamp = "2026-11-23T20:00:00Z".parse().unwrap();
        let clock = MemoryClock::new(start, 1);
        Self {
            authority: MemoryTimeAuthority::new(3, clock.clone(), faults.clone()).unwrap(),
            clock,
            ledger: MemoryLedger::new(faults.clone()),
            evidence: MemoryEvidence::new(faults.clone()),
            tiles: MemoryTiles::new(faults.clone()),
            head: MemoryHead::new(faults.clone()),
            signer: Arc::new(MemorySigner::new(ORIGIN, 1, faults.clone()).unwrap()),
            queues: MemoryQueues::new(faults.clone()),
            config: Config::new(ORIGIN),
            faults,
        }
    }

    /// A log with this many leaves in it already.
    fn with_leaves(count: u16) -> Self {
        let world = Self::unborn();
        assert_eq!(world.drive(world.sequencer().create()), Some(Ok(())));
        (0..count).for_each(|n| world.add(n));
        if count > 0 {
            let progress = world.run().unwrap().unwrap();
            assert_eq!(progress.sequenced, u64::from(count));
        }
        world.check();
        world
    }

    /// A log one leaf short of its first full tile: the next batch completes a tile of level 0, begins one
    /// of level 1, and may reach across. Made once, and copied.
    fn almost_full() -> Self {
        static MADE: OnceLock<World> = OnceLock::new();
        MADE.get_or_init(|| Self::with_leaves(ALMOST_FULL)).copied()
    }

    /// The same world once more, with faults and everything else of its own.
    fn copied(&self) -> Self {
        let copy = Self::unborn();
        copy.clock
            .advance(self.clock.now().duration_since(copy.clock.now()));
        for (path, bytes) in self.tiles.everything() {
            copy.tiles.tamper(&path, Some(bytes));
        }
        for (path, bytes) in self.evidence.everything() {
            let kept = copy.evidence.keep(&path, &bytes).now_or_never();
            assert!(kept.unwrap().is_ok());
        }
        let items = self.ledger.everything();
        for chunk in items.chunks(crate::ledger::MAX_WRITES) {
            let writes: Vec<Write> = chunk
                .iter()
                .map(|stored| Write::Create(stored.item.clone()))
                .collect();
            copy.commit(&writes);
        }
        copy.head.restore(self.head.current());
        copy
    }

    fn sequencer(&self) -> Sequencer {
        Sequencer {
            known: Arc::default(),
            ledger: Arc::new(self.ledger.clone()),
            evidence: Arc::new(self.evidence.clone()),
            tiles: Arc::new(self.tiles.clone()),
            head: Arc::new(self.head.clone()),
            signer: self.signer.clone(),
            queues: Arc::new(self.queues.clone()),
            config: self.config.clone(),
        }
    }

    /// Commits the acceptance of request `n`, as intake does, without faults.
    fn add(&self, n: u16) {
        self.faults.calm();
        self.faults.interleave(false);
        let bytes = statement(n);
        let digest = Digest::of(&bytes);
        let kept = self
            .evidence
            .keep(&paths::statement(&digest), &bytes)
            .now_or_never();
        assert_eq!(kept, Some(Ok(bytes)));
        self.add_row(leaf(n), digest);
    }

    fn add_row(&self, id: LeafId, statement: Digest) {
        self.clock.advance(SignedDuration::from_secs(1));
        self.commit(&[
            Write::Create(Item::Request(request(id.request().unwrap()))),
            Write::Create(Item::Leaf(Leaf {
                id,
                statement,
                sequenced: None,
            })),
            Write::Create(Item::Outbox(OutboxRow {
                leaf: id,
                at: self.clock.now(),
                statement,
            })),
        ]);
    }

    fn commit(&self, writes: &[Write]) {
        assert_eq!(self.ledger.commit(writes).now_or_never(), Some(Ok(())));
    }

    /// Drives a future to its end, or to an injected crash.
    fn drive<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return Some(output),
                Poll::Pending if self.faults.take_crash() => return None,
                Poll::Pending => {}
            }
        }
    }

    /// One run of a new sequencer: none when it crashed.
    fn run(&self) -> Option<Result<Progress, Fault>> {
        self.drive(self.sequencer().run())
    }

    /// Calms everything, runs until nothing is left to do, and checks that all of the first
    /// `count` leaves are in the log.
    fn finish(&self, count: u16) {
        self.faults.calm();
        self.faults.interleave(false);
        loop {
            let progress = self.run().unwrap().unwrap();
            self.check();
            assert_eq!(progress.refused, []);
            if progress.sequenced == 0 && progress.next.is_none() {
                assert_eq!(progress.size, u64::from(count));
                break;
            }
        }
        let evidence = self.evidence.everything();
        let items = self.ledger.everything();
        let placed: BTreeSet<LeafId> = items
            .iter()
            .filter_map(|stored| match &stored.item {
                Item::Leaf(leaf) => leaf.sequenced.as_ref().map(|_| leaf.id),
                Item::Request(_)
                | Item::Task(_)
                | Item::Event(_)
                | Item::Reference(_)
                | Item::Token(_)
                | Item::Subject(_)
                | Item::Outbox(_)
                | Item::Suppression(_)
                | Item::Sweep(_)
                | Item::Shard(_)
                | Item::Waiting(_)
                | Item::Exclusion(_)
                | Item::Pause(_)
                | Item::SweepVault(_)
                | Item::Member(_)
                | Item::Hold(_) => None,
            })
            .collect();
        for n in 0..count {
            assert!(placed.contains(&leaf(n)), "{n} has no place");
            assert!(evidence.contains_key(&paths::receipt(&leaf(n))));
        }
        let staged = self.tiles.everything();
        let head = self
            .head
            .current()
            .and_then(|head| head.staging)
            .unwrap_or_default();
        assert!(
            !staged.contains_key(&head),
            "the head's staging bundle is left"
        );
    }

    fn leaf(&self, n: u16) -> Leaf {
        let key = Key::Leaf(leaf(n));
        let mut items = self
            .ledger
            .everything()
            .into_iter()
            .map(|stored| stored.item);
        let Item::Leaf(leaf) = items.find(|item| item.key() == key).unwrap() else {
            panic!("{key:?} is no leaf");
        };
        leaf
    }

    fn row(&self, n: u16) -> Option<Key> {
        let items = self
            .ledger
            .everything()
            .into_iter()
            .map(|stored| stored.item.key());
        items
            .into_iter()
            .find(|key| matches!(key, Key::Outbox(_, id) if *id == leaf(n)))
    }

    fn complaints(&self) -> Vec<String> {
        check_log(&LogWorld {
            ledger: &self.ledger,
            evidence: &self.evidence,
            tiles: &self.tiles,
            head: &self.head,
            signer: &*self.signer,
            earlier: &self.config.earlier,
            anchors: Some(self.authority.anchors()),
        })
    }

    fn check(&self) {
        assert_eq!(self.complaints(), Vec::<String>::new());
    }

    fn size(&self) -> u64 {
        let head = self.head.current().unwrap();
        let text = String::from_utf8(head.checkpoint).unwrap();
        text.lines().nth(1).unwrap().parse().unwrap()
    }

    /// Injects into every call of this name.
    fn fail(&self, name: &'static str, injection: Injection) {
        self.faults.follow(move |call| {
            if call.name == name {
                injection
            } else {
                Injection::None
            }
        });
    }

    /// Injects into the n-th call from now on.
    fn fail_at(&self, n: u64, injection: Injection) {
        let n = self.faults.calls() + n;
        self.faults.follow(move |call| {
            if call.n == n {
                injection
            } else {
                Injection::None
            }
        });
    }
}

/// Bytes that are different for every number.
fn spread<const N: usize>(n: u16) -> [u8; N] {
    let [high, low] = n.to_be_bytes();
    std::array::from_fn(|at| if at.is_multiple_of(2) { low } else { high })
}

fn id(n: u16) -> RequestId {
    RequestId::new(spread(n))
}

fn leaf(n: u16) -> LeafId {
    LeafId::Acceptance(id(n))
}

fn statement(n: u16) -> Vec<u8> {
    let minute = Minute::floor("2026-11-23T20:47:00Z".parse().unwrap());
    let slug = |text| Slug::parse(text).unwrap();
    let about = About {
        request: id(n),
        commitment: HmacKey::new(spread(n)).tag("dsr-subject/v1", &[b"email"]),
    };
    let acceptance = Acceptance {
        nonce: Nonce::new(spread(n)),
        controller: Controller {
            id: slug("example-shop"),
            name: PublicName::parse("Example Shop").unwrap(),
            role: ControllerRole::Controller,
        },
        right: Right::Deletion,
        regime: VersionedName {
            id: slug("gdpr"),
            version: slug("1"),
            sha256: Digest::of(b"regime"),
        },
        policy: None,
        accepted_at: minute,
        verified_at: None,
        due_at: minute,
        data_map_sha256: Digest::of(b"map"),
        members: None,
        handler: Handler {
            version: slug("0.1.0"),
            artifact_sha256: None,
        },
    };
    Statement::Acceptance(about, acceptance)
        .to_canonical_bytes()
        .unwrap()
}

fn request(id: RequestId) -> Request {
    let now: Timestamp = "2026-11-23T20:00:00Z".parse().unwrap();
    let tag = HmacKey::new([1; 32]).tag("test", &[]);
    Request {
        id,
        right: Right::Deletion,
        stage: Stage::Accepted,
        regime: "gdpr".to_owned(),
        time_zone: None,
        locale: "en".to_owned(),
        submitted_at: now,
        accepted_at: Some(now),
        verified_at: Some(now),
        due_at: Some("2026-12-23T20:47:00Z".parse().unwrap()),
        extended_to: None,
        paused_at: None,
        first_effect_at: None,
        responded_at: None,
        answer: None,
        closed_at: None,
        challenge: None,
        codes_sent: 0,
        status_token: tag,
        mailbox: None,
        commitment: tag,
        subject_tags: Vec::new(),
        plan: None,
        hold: None,
        gate: None,
        ending: None,
        partial_at: None,
        events: 0,
        amendments: 0,
        wake_at: Some(now),
        purged_at: None,
        attempts: 0,
        block: None,
        reminded: None,
        batch: None,
    }
}
