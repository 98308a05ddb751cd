//! Histories kept honestly raise no finding; each way of lying raises its own.

use proptest::prelude::*;
use quittance_tlog::{Hash, leaf_hash, tree_root};

use super::*;
use crate::account::{Advanced, Book, Entry};
use crate::digest::Digest;
use crate::id::{LeafId, RequestId};
use crate::receipt::{
    Checkpoint, Code, Controller, ControllerRole, Handler, Manifest, Minute, Nonce, PublicName,
    Slug,
};
use crate::request::Right;

const LOG: &str = "log.test/dsr";

/// A log with its manifests, kept day by day.
#[derive(Clone)]
struct Kept {
    entries: Vec<Entry>,
    leaves: Vec<Hash>,
    book: Book,
    accounts: Vec<Account>,
    day: Day,
}

impl Kept {
    fn new() -> Self {
        Self {
            entries: Vec::new(),
            leaves: Vec::new(),
            book: Book::default(),
            accounts: Vec::new(),
            day: Day::parse("2026-11-01").unwrap(),
        }
    }

    fn push(&mut self, id: LeafId, says: Fact) -> u64 {
        let index = u64::try_from(self.leaves.len()).unwrap();
        self.leaves.push(leaf_hash(&index.to_be_bytes()));
        self.entries.push(Entry { id, says });
        index
    }

    fn accept(&mut self, right: Right, due_in: i64) -> u64 {
        let n = self.leaves.len();
        let request = request(n);
        let says = Fact::Acceptance {
            right,
            regime: slug("eu_gdpr"),
            accepted_at: self.at(9),
            due_at: later(self.at(9), due_in * 24),
        };
        self.push(LeafId::Acceptance(request), says)
    }

    fn answer(&mut self, acceptance: u64, outcome: Outcome) -> u64 {
        let Fact::Acceptance { due_at, .. } =
            self.entries[usize::try_from(acceptance).unwrap()].says
        else {
            panic!("{acceptance} is no acceptance");
        };
        let id = LeafId::Outcome(request(usize::try_from(acceptance).unwrap()));
        let says = Fact::Outcome {
            acceptance,
            regime: slug("eu_gdpr"),
            due_at,
            outcome,
            reason: (outcome == Outcome::Denied).then(|| Code::parse("no_match").unwrap()),
            responded_at: self.at(21),
        };
        self.push(id, says)
    }

    fn amend(&mut self, outcome_leaf: u64) -> u64 {
        let says = Fact::Amendment {
            supersedes: outcome_leaf,
            outcome: Outcome::Completed,
        };
        self.push(LeafId::Amendment(request(0), 1), says)
    }

    fn at(&self, hour: i64) -> Minute {
        later(Minute::floor(self.day.start()), hour)
    }

    /// Ends the day with its manifest, which `lie` may change before it is logged.
    fn close_with(&mut self, lie: impl FnOnce(&mut Manifest)) {
        let size = usize::try_from(self.book.size).unwrap();
        let Advanced {
            book,
            lines,
            amendments,
        } = self.book.advance(&self.entries[size..], &BTreeMap::new());
        let mut manifest = Manifest {
            nonce: Nonce::new([1; 32]),
            controller: Controller {
                id: slug("shop"),
                name: PublicName::parse("Shop").unwrap(),
                role: ControllerRole::Controller,
            },
            log: LOG.to_owned(),
            checkpoint: Checkpoint {
                size: book.size,
                root: Digest::new(*tree_root(&self.leaves).as_bytes()),
            },
            day: self.day,
            previous: self.accounts.last().map(|account| account.leaf_index),
            lines,
            amendments,
            open_count: u64::try_from(book.open.len()).unwrap(),
            open_root: book.open_root().unwrap(),
            handler: Handler {
                version: slug("0.1.0"),
                artifact_sha256: None,
            },
        };
        lie(&mut manifest);
        self.book = book;
        let id = LeafId::Manifest(self.day);
        let leaf_index = self.push(id, Fact::Manifest);
        self.accounts.push(Account {
            name: id.file_name(),
            leaf_index,
            manifest,
        });
        self.day = self.day.after().unwrap();
    }

    fn close(&mut self) {
        self.close_with(|_| {});
    }

    fn audit(&self) -> Audit {
        self.auditor().finish(Period::default())
    }

    fn auditor(&self) -> Auditor {
        Auditor::follow(self.accounts.clone(), &self.leaves, LOG)
    }

    fn kinds(&self) -> Vec<FindingKind> {
        kinds(&self.audit())
    }
}

/// Two days: of four requests, one is denied, one completed, one partial and amended, one open.
fn two_days() -> Kept {
    let mut kept = Kept::new();
    let first = kept.accept(Right::Deletion, 30);
    let second = kept.accept(Right::Access, 30);
    kept.answer(second, Outcome::Denied);
    kept.close();
    let third = kept.accept(Right::Deletion, 30);
    kept.accept(Right::OptOut, 30);
    kept.answer(first, Outcome::Completed);
    let partial = kept.answer(third, Outcome::Partial);
    kept.amend(partial);
    kept.close();
    kept
}

#[test]
fn an_honest_account_stands_and_gives_the_figures() {
    let audit = two_days().audit();
    assert_eq!(audit.findings, []);
    assert!(audit.ok && audit.on_time);
    assert_eq!((audit.manifests, audit.accounted), (2, 9));
    let all = &audit.all;
    assert_eq!((all.received, all.completed, all.partial), (4, 2, 0));
    assert_eq!((all.denied, all.open, all.overdue), (1, 1, 0));
    assert_eq!(
        (all.in_time, all.late, all.on_time_permille),
        (3, 0, Some(1000))
    );
    // Half a day twice, and a day and a half.
    assert_eq!((all.median_tenths, all.mean_tenths), (Some(5), Some(8)));
    assert_eq!(all.denied_by_reason.get("no_match"), Some(&1));
    let deletion = &audit.by_right["deletion"];
    assert_eq!((deletion.received, deletion.completed), (2, 2));
    assert_eq!(
        (deletion.median_tenths, deletion.mean_tenths),
        (Some(10), Some(10))
    );
    assert_eq!(audit.by_right["opt_out"].mean_tenths, None);
}

#[test]
fn a_request_belongs_to_the_period_of_its_acceptance() {
    let day = Day::parse("2026-11-02");
    let period = Period { from: day, to: day };
    let audit = two_days().auditor().finish(period);
    assert_eq!(audit.findings, []);
    assert_eq!(
        (audit.all.received, audit.all.completed, audit.all.open),
        (2, 1, 1)
    );
    let beyond = Period {
        from: day,
        to: Day::parse("2026-11-03"),
    };
    assert_eq!(
        kinds(&two_days().auditor().finish(beyond)),
        [FindingKind::Missing]
    );
    let nothing = Auditor::follow(Vec::new(), &[], LOG).finish(Period::default());
    assert_eq!(kinds(&nothing), [FindingKind::Missing]);
}

#[test]
fn a_dropped_request_is_found_however_it_is_dropped() {
    // Never told of.
    let mut kept = Kept::new();
    kept.accept(Right::Deletion, 30);
    kept.accept(Right::Access, 30);
    kept.close_with(|says| {
        says.lines.remove(0);
        says.open_count = 1;
        says.open_root = open_root(&says.lines).unwrap();
    });
    let audit = kept.audit();
    assert_eq!(kinds(&audit), [FindingKind::Unaccounted]);
    assert_eq!(audit.findings[0].leaf_index, Some(0));
    assert!(!audit.ok);

    // Told of, and later no longer counted as open.
    let mut kept = two_days();
    kept.close_with(|says| says.open_count = 0);
    assert_eq!(kinds(&kept.audit()), [FindingKind::Open]);
    let mut kept = two_days();
    kept.accept(Right::Access, 30);
    kept.close_with(|says| {
        // Another stands in for it, so that the number is right.
        let mut other = says.lines[0].clone();
        other.leaf_index += 1;
        says.open_root = open_root(&[says.lines[0].clone(), other]).unwrap();
    });
    assert_eq!(kinds(&kept.audit()), [FindingKind::Open]);

    // Called a correction of something else. Its holder's receipt tells.
    let mut kept = two_days();
    let dropped = kept.accept(Right::Access, 30);
    kept.close_with(|says| {
        says.lines.clear();
        says.amendments.push(crate::receipt::AmendedLine {
            leaf_index: dropped,
            supersedes: 2,
            outcome: Outcome::Denied,
        });
        says.open_count = 1;
        says.open_root = open_root(kept_open(&two_days()).iter()).unwrap();
    });
    assert_eq!(kept.audit().findings, []);
    let mut auditor = kept.auditor();
    auditor.compare("mine", dropped, &acceptance_of(&kept, dropped));
    assert_eq!(
        kinds(&auditor.finish(Period::default())),
        [FindingKind::Receipt]
    );
}

fn kept_open(kept: &Kept) -> Vec<ManifestLine> {
    kept.book
        .open
        .iter()
        .map(|case| case.line.clone())
        .collect()
}

#[test]
fn a_late_answer_and_an_overdue_request_are_found() {
    let mut kept = Kept::new();
    let late = kept.accept(Right::Deletion, 0);
    let overdue = kept.accept(Right::Access, 0);
    kept.answer(late, Outcome::Completed);
    kept.close();
    let audit = kept.audit();
    assert_eq!(kinds(&audit), [FindingKind::Late, FindingKind::Overdue]);
    assert_eq!(audit.findings[1].leaf_index, Some(overdue));
    assert!(audit.ok && !audit.on_time);
    assert_eq!(audit.all.on_time_permille, Some(0));
    assert_eq!((audit.all.late, audit.all.overdue), (1, 1));
}

#[test]
fn a_forged_account_is_found() {
    let one = |kind: FindingKind, lie: &dyn Fn(&mut Kept)| {
        let mut kept = two_days();
        lie(&mut kept);
        assert!(
            kept.kinds().contains(&kind),
            "{kind:?}: {:?}",
            kept.audit().findings
        );
    };
    one(FindingKind::Root, &|kept| {
        kept.accounts[0].manifest.checkpoint.root = Digest::of(b"x");
    });
    one(FindingKind::Root, &|kept| {
        kept.accounts[1].manifest.checkpoint.size += 9;
    });
    one(FindingKind::Chain, &|kept| drop(kept.accounts.remove(0)));
    one(FindingKind::Chain, &|kept| {
        kept.accounts[1].manifest.previous = None;
    });
    one(FindingKind::Chain, &|kept| {
        kept.accounts[1].manifest.log = "other".to_owned();
    });
    one(FindingKind::Chain, &|kept| {
        kept.accounts[1].manifest.day = kept.accounts[0].manifest.day;
    });
    one(FindingKind::Chain, &|kept| {
        kept.accounts.push(kept.accounts[1].clone());
    });
    one(FindingKind::Chain, &|kept| kept.accounts[1].leaf_index = 4);
    one(FindingKind::Contradiction, &|kept| {
        // A due date in the future hides what is late; the acceptance's date cannot move.
        kept.accounts[1].manifest.lines[0].accepted_at = minute("2026-11-02T09:00Z");
    });
    one(FindingKind::Contradiction, &|kept| {
        kept.accounts[1].manifest.lines[0].right = Right::Access;
    });
    one(FindingKind::Contradiction, &|kept| {
        // An outcome serves two acceptances.
        let leaf = kept.accounts[1].manifest.lines[0].outcome_leaf;
        kept.accounts[1].manifest.lines[1].outcome_leaf = leaf;
    });
    one(FindingKind::Contradiction, &|kept| {
        // What was answered is opened again.
        let mut line = kept.accounts[0].manifest.lines[1].clone();
        (line.outcome_leaf, line.outcome, line.responded_at) = (None, None, None);
        kept.accounts[1].manifest.lines.insert(1, line);
    });
    one(FindingKind::Contradiction, &|kept| {
        kept.accounts[1].manifest.lines[0].responded_at = Some(minute("2026-10-01T00:00Z"));
    });
    one(FindingKind::Contradiction, &|kept| {
        kept.accounts[1].manifest.amendments[0].supersedes = 0;
    });
}

#[test]
fn a_day_without_its_manifest_is_told() {
    let mut kept = two_days();
    kept.day = kept.day.after().unwrap();
    kept.close();
    let audit = kept.audit();
    assert_eq!(kinds(&audit), [FindingKind::Gap]);
    assert!(audit.ok && !audit.on_time);
}

#[test]
fn a_receipt_that_says_otherwise_is_found() {
    let kept = two_days();
    let mut auditor = kept.auditor();
    auditor.compare("acceptance", 0, &acceptance_of(&kept, 0));
    // Not accounted for yet: the next manifest tells of it.
    auditor.compare("later", 99, &acceptance_of(&kept, 0));
    assert_eq!(auditor.findings, []);
    auditor.compare("moved", 1, &acceptance_of(&kept, 0));
    auditor.compare("outcome", 2, &acceptance_of(&kept, 0));
    assert_eq!(
        kinds(&auditor.finish(Period::default())),
        [FindingKind::Receipt; 2]
    );
}

fn acceptance_of(kept: &Kept, index: u64) -> Statement {
    let Fact::Acceptance {
        right,
        regime,
        accepted_at,
        due_at,
    } = kept.entries[usize::try_from(index).unwrap()].says.clone()
    else {
        panic!("{index} is no acceptance");
    };
    let says = &kept.accounts[0].manifest;
    let about = crate::receipt::About {
        request: request(usize::try_from(index).unwrap()),
        commitment: crate::digest::HmacKey::new([1; 32]).tag("x", &[]),
    };
    let acceptance = crate::receipt::Acceptance {
        nonce: says.nonce,
        controller: says.controller.clone(),
        right,
        regime: crate::receipt::VersionedName {
            id: regime.clone(),
            version: regime,
            sha256: Digest::of(b"x"),
        },
        policy: None,
        accepted_at,
        verified_at: None,
        due_at,
        data_map_sha256: Digest::of(b"x"),
        members: None,
        handler: says.handler.clone(),
    };
    Statement::Acceptance(about, acceptance)
}

proptest! {
    #[test]
    fn whatever_happens_an_honest_account_stands(steps in prop::collection::vec(0_u8..8, 0..60)) {
        let mut kept = Kept::new();
        let (mut open, mut ended) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                0..=2 => open.push(kept.accept(Right::ALL[usize::from(step)], 30)),
                3 | 4 if !open.is_empty() => {
                    let outcome = if step == 3 { Outcome::Completed } else { Outcome::Denied };
                    let acceptance = open.remove(open.len() / 2);
                    ended.push(kept.answer(acceptance, outcome));
                }
                5 if !ended.is_empty() => {
                    kept.amend(ended[ended.len() / 2]);
                }
                _ => kept.close(),
            }
        }
        kept.close();
        let audit = kept.audit();
        prop_assert_eq!(&audit.findings, &[]);
        prop_assert_eq!(audit.all.open, u64::try_from(open.len()).unwrap());
        // Whatever entry is left out of the accounts is missed.
        let claimed = audit.accounted;
        for account in 0..kept.accounts.len() {
            for line in 0..kept.accounts[account].manifest.lines.len() {
                let mut bent = kept.clone();
                bent.accounts[account].manifest.lines.remove(line);
                prop_assert!(!bent.audit().ok, "{account} {line} of {claimed}");
            }
        }
    }
}

fn kinds(audit: &Audit) -> Vec<FindingKind> {
    audit.findings.iter().map(|finding| finding.kind).collect()
}

fn request(n: usize) -> RequestId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    RequestId::new(bytes)
}

fn later(minute: Minute, hours: i64) -> Minute {
    Minute::floor(minute.start() + jiff::SignedDuration::from_hours(hours))
}

fn minute(text: &str) -> Minute {
    Minute::parse(text).unwrap()
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}
