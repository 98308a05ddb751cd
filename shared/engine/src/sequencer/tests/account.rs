//! Daily manifests: one a day, in the log, published, and an audit of the public files finds nothing.

use std::collections::BTreeSet;

use quittance_core::audit::{Account, Audit, Auditor, FindingKind, Period};
use quittance_core::receipt::{
    AcceptanceLeaf, Checkpoint, Day, Policy, PolicySigner, Receipt, ReceiptKey, policy_text,
};
use quittance_core::request::Outcome;
use quittance_tlog::{VerifierKey, fsck, leaf_hash};

use super::super::account::Accounted;
use super::*;
use crate::ports::Signer as _;
use crate::statement::Handler as Software;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl World {
    fn account(&self) -> Option<Result<Accounted, Fault>> {
        let by = Software {
            version: "0.1.0".to_owned(),
            artifact: None,
        };
        self.drive(self.sequencer().account(&self.clock, &by))
    }

    /// Ends the day: its manifest is made and sequenced.
    fn close_day(&self) {
        self.clock.advance(DAY);
        let yesterday = Day::of(self.clock.now()).before().unwrap();
        assert_eq!(self.account(), Some(Ok(Accounted::Made(yesterday))));
        assert_eq!(self.run().unwrap().unwrap().sequenced, 1);
        self.check();
    }

    /// Commits the outcome of request `n`, as a worker does.
    fn answer(&self, n: u16) {
        let bytes = outcome(n, &self.leaf(n));
        let digest = Digest::of(&bytes);
        let path = paths::statement(&digest);
        assert!(
            self.evidence
                .keep(&path, &bytes)
                .now_or_never()
                .unwrap()
                .is_ok()
        );
        let id = LeafId::Outcome(id(n));
        self.commit(&[
            Write::Create(Item::Leaf(Leaf {
                id,
                statement: digest,
                sequenced: None,
            })),
            Write::Create(Item::Outbox(OutboxRow {
                leaf: id,
                at: self.clock.now(),
                statement: digest,
            })),
        ]);
    }

    /// Audits what is public: the log's files and nothing else.
    fn audit(&self) -> Audit {
        let files = self.tiles.everything();
        let policy = self.policy();
        let note = quittance_tlog::Note::parse(&files["checkpoint"]).unwrap();
        let opened = policy.log_policy().open(&note).unwrap();
        let mut leaves = Vec::new();
        let read = |path: &str| Ok::<_, std::convert::Infallible>(files.get(path).cloned());
        let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
        let report = fsck(size, &root, read, |_, entry| leaves.push(leaf_hash(entry)));
        assert!(report.is_ok(), "{:?}", report.problems);
        let published = files.iter().filter_map(|(path, bytes)| {
            let name = path.strip_prefix(paths::MANIFESTS)?;
            Some(Account::read(name, bytes, &policy, &leaves).unwrap())
        });
        Auditor::follow(published.collect(), &leaves, ORIGIN).finish(Period::default())
    }

    fn policy(&self) -> Policy {
        let signer = PolicySigner {
            name: Slug::parse("receipts").unwrap(),
            key: ReceiptKey::from_spki_pem(self.signer.statement_key_pem()).unwrap(),
        };
        let log = VerifierKey::parse(self.signer.log_vkey()).unwrap();
        Policy::parse(&policy_text(&log, &[], &[signer]).unwrap()).unwrap()
    }

    fn manifests(&self) -> Vec<String> {
        let files = self.tiles.everything();
        files
            .into_keys()
            .filter(|path| path.starts_with(paths::MANIFESTS))
            .collect()
    }
}

fn outcome(n: u16, acceptance: &Leaf) -> Vec<u8> {
    let Statement::Acceptance(about, says) = Statement::parse(&statement(n)).unwrap() else {
        panic!("it is an acceptance");
    };
    let there = acceptance.sequenced.as_ref().unwrap();
    let receipt = Receipt {
        nonce: says.nonce,
        controller: says.controller,
        right: says.right,
        outcome: Outcome::Completed,
        reason: None,
        regime: says.regime,
        policy: None,
        acceptance: AcceptanceLeaf {
            leaf_index: there.index,
            leaf_hash: there.leaf_hash,
            checkpoint: Checkpoint {
                size: there.tree_size,
                root: there.root,
            },
        },
        accepted_at: says.accepted_at,
        verified_at: None,
        due_at: Minute::parse("2026-12-23T20:47Z").unwrap(),
        extended_to: None,
        responded_at: Minute::parse("2026-11-24T20:47Z").unwrap(),
        completed_at: Minute::parse("2026-11-24T20:47Z").unwrap(),
        data_map: quittance_core::receipt::DataMap {
            sha256: says.data_map_sha256,
            planned_sha256: None,
            stores_declared: 0,
            stores_unmapped: None,
        },
        plan_sha256: None,
        members: None,
        stores: Vec::new(),
        disclosure: None,
        handler: says.handler,
        amendment: None,
        supersedes: None,
    };
    Statement::Receipt(about, receipt)
        .to_canonical_bytes()
        .unwrap()
}

#[test]
fn every_day_has_its_manifest_and_strangers_find_nothing_wrong() {
    let world = World::with_leaves(0);
    assert_eq!(
        world.account(),
        Some(Ok(Accounted::Nothing)),
        "nothing was accepted"
    );
    (0..3).for_each(|n| world.add(n));
    world.run().unwrap().unwrap();
    assert_eq!(
        world.account(),
        Some(Ok(Accounted::Nothing)),
        "the day is not over"
    );
    world.close_day();
    world.answer(1);
    world.add(3);
    world.run().unwrap().unwrap();
    world.close_day();
    assert_eq!(world.account(), Some(Ok(Accounted::Nothing)), "once a day");
    // A day on which nothing happens has its manifest, too.
    world.close_day();
    let audit = world.audit();
    assert_eq!(audit.findings, []);
    assert_eq!((audit.manifests, audit.accounted), (3, 7));
    assert_eq!(
        (audit.all.received, audit.all.completed, audit.all.open),
        (4, 1, 3)
    );
    assert_eq!(audit.all.mean_tenths, Some(10));
}

#[test]
fn due_dates_are_those_of_the_ledger() {
    let world = World::with_leaves(2);
    world.close_day();
    let key = Key::Request(id(1));
    world.ledger.tamper(&key, |item| {
        if let Item::Request(request) = item {
            request.due_at = Some("2026-11-24T20:00:00Z".parse().unwrap());
        }
    });
    world.close_day();
    let audit = world.audit();
    let kinds: Vec<_> = audit.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Overdue]);
    assert_eq!(audit.findings[0].leaf_index, Some(1));
}

#[test]
fn missed_days_are_told_and_lose_nothing() {
    let world = World::with_leaves(2);
    world.close_day();
    world.add(2);
    world.run().unwrap().unwrap();
    world.clock.advance(DAY * 3);
    world.close_day();
    let audit = world.audit();
    let kinds: Vec<_> = audit.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Gap]);
    assert_eq!(audit.all.received, 3);
}

#[test]
fn a_manifest_waits_for_the_one_before_it() {
    let world = World::with_leaves(1);
    world.clock.advance(DAY);
    assert!(matches!(world.account(), Some(Ok(Accounted::Made(_)))));
    world.clock.advance(DAY);
    assert_eq!(world.account(), Some(Ok(Accounted::Waiting)));
    world.run().unwrap().unwrap();
    assert!(matches!(world.account(), Some(Ok(Accounted::Made(_)))));
    world.run().unwrap().unwrap();
    world.check();
    assert_eq!(world.audit().findings, []);
}

#[test]
fn whatever_call_breaks_there_is_one_manifest_a_day() {
    for injection in [
        Injection::FailBefore,
        Injection::FailAfter,
        Injection::CrashBefore,
        Injection::CrashAfter,
    ] {
        let mut n = 0;
        loop {
            let world = World::with_leaves(2);
            world.close_day();
            world.answer(0);
            world.run().unwrap().unwrap();
            world.clock.advance(DAY);
            let before = world.faults.calls();
            world.fail_at(n, injection);
            let broke = !matches!(world.account(), Some(Ok(Accounted::Made(_))))
                || !matches!(world.run(), Some(Ok(_)));
            world.check();
            let made = world.faults.calls() - before;
            world.faults.calm();
            assert!(matches!(world.account(), Some(Ok(_))));
            world.run().unwrap().unwrap();
            world.check();
            assert_eq!(world.manifests().len(), 2, "{injection:?} {n}");
            assert_eq!(world.audit().findings, [], "{injection:?} {n}");
            if !broke && n > made {
                break;
            }
            n += 1;
        }
        assert!(n > 20, "{n} calls were broken");
    }
}

#[test]
fn two_sequencers_make_one_manifest() {
    let world = World::with_leaves(2);
    world.clock.advance(DAY);
    let by = Software {
        version: "0.1.0".to_owned(),
        artifact: None,
    };
    world.faults.interleave(true);
    let (one, two) = (world.sequencer(), world.sequencer());
    let both = futures::future::join(
        one.account(&world.clock, &by),
        two.account(&world.clock, &by),
    );
    let (one, two) = world.drive(both).unwrap();
    world.faults.interleave(false);
    let made: BTreeSet<_> = [one.unwrap(), two.unwrap()]
        .map(|a| format!("{a:?}"))
        .into();
    assert!(made.contains("Nothing") && made.len() == 2, "{made:?}");
    world.run().unwrap().unwrap();
    world.check();
    assert_eq!(world.manifests().len(), 1);
    assert_eq!(world.audit().findings, []);
}

#[test]
fn the_checker_misses_a_manifest_and_sees_a_false_one() {
    let world = World::with_leaves(1);
    world.close_day();
    let path = world.manifests().remove(0);
    world.tiles.tamper(&path, None);
    assert!(world.complaints()[0].contains("not published"));
    world.tiles.tamper(&path, Some(b"other".to_vec()));
    assert!(world.complaints()[0].contains("is not the receipt that was stored"));
}
