//! Auditing: whether the manifests of a log account for every request, from public files alone.
//!
//! An [`Auditor`] follows the manifests in their order. Each entry of the log must stand in exactly
//! one, every acceptance must end or stay open, and what is open must be what the manifest's root says:
//! an acceptance that is left out, answered late, or told otherwise is a [`Finding`]. Receipts at hand
//! can be compared with the account, too. The controller's side is [`crate::account`].

use std::collections::BTreeMap;

use quittance_tlog::Hash;

mod account;
mod figures;
mod finding;
mod roots;
#[cfg(test)]
mod tests;

pub use self::account::Account;
use self::account::read;
pub use self::figures::{Audit, Figures, Period};
pub use self::finding::{Finding, FindingKind};
use self::roots::Roots;
use crate::account::Fact;
use crate::receipt::{Day, ManifestLine, Policy, Statement, open_root};
use crate::request::Outcome;

/// What an entry of the log is, according to the manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Acceptance,
    Outcome { acceptance: u64 },
    Amendment { acceptance: Option<u64> },
    Manifest,
}

/// One acceptance and what became of it.
#[derive(Clone, Debug)]
struct Case {
    line: ManifestLine,
    /// How it ended after corrections.
    amended: Option<Outcome>,
}

/// Follows the manifests of one log.
#[derive(Debug)]
pub struct Auditor {
    cases: BTreeMap<u64, Case>,
    open: BTreeMap<u64, ManifestLine>,
    roles: BTreeMap<u64, Role>,
    findings: Vec<Finding>,
    /// The manifest before: its leaf, its day, and how many leaves it accounts for.
    last: Option<(u64, Day)>,
    first_day: Option<Day>,
    accounted: u64,
    manifests: u64,
    gaps: Vec<(Day, Day)>,
}

impl Auditor {
    /// Follows the accounts through the log with these leaf hashes. Accounts come in any order;
    /// `origin` is the log's name.
    pub fn follow(mut accounts: Vec<Account>, leaves: &[Hash], origin: &str) -> Self {
        accounts.sort_by_key(|account| (account.manifest.day, account.leaf_index));
        let mut auditor = Self {
            cases: BTreeMap::new(),
            open: BTreeMap::new(),
            roles: BTreeMap::new(),
            findings: Vec::new(),
            last: None,
            first_day: None,
            accounted: 0,
            manifests: 0,
            gaps: Vec::new(),
        };
        let mut roots = Roots::new(leaves);
        for account in &accounts {
            auditor.take_in(account, &mut roots, origin);
        }
        auditor
    }

    /// Notes a finding that was made while files were read.
    pub fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn take_in(&mut self, account: &Account, roots: &mut Roots<'_>, origin: &str) {
        let says = &account.manifest;
        let (from, to) = (self.accounted, says.checkpoint.size);
        self.check_chain(account, origin);
        match roots.at(to) {
            Some(root) if root.as_bytes() == says.checkpoint.root.as_bytes() => {}
            Some(_) => self.broken(account, FindingKind::Root, "it accounts for another tree"),
            None => self.broken(
                account,
                FindingKind::Root,
                "it accounts for more than the log has",
            ),
        }
        // The manifest before stands among the entries that this one accounts for.
        if let Some((leaf, _)) = self.last {
            self.claim(account, leaf, Role::Manifest, from..to);
        }
        for line in &says.lines {
            self.take_line(account, line, from..to);
        }
        for amended in &says.amendments {
            let acceptance = match self.roles.get(&amended.supersedes) {
                Some(Role::Outcome { acceptance }) => Some(*acceptance),
                Some(Role::Amendment { acceptance }) => *acceptance,
                Some(Role::Acceptance | Role::Manifest) | None => None,
            };
            self.claim(
                account,
                amended.leaf_index,
                Role::Amendment { acceptance },
                from..to,
            );
            if let Some(case) = acceptance.and_then(|leaf| self.cases.get_mut(&leaf)) {
                case.amended = Some(amended.outcome);
            } else {
                let told = "it corrects what is no outcome";
                self.about(
                    account,
                    amended.leaf_index,
                    FindingKind::Contradiction,
                    told,
                );
            }
        }
        for index in from..to {
            if !self.roles.contains_key(&index) {
                let told = "the log has this entry, and the manifest does not account for it: \
                            a request may have been dropped";
                self.about(account, index, FindingKind::Unaccounted, told);
            }
        }
        self.check_open(account);
        self.accounted = self.accounted.max(to);
        self.last = Some((account.leaf_index, says.day));
        self.first_day = self.first_day.or(Some(says.day));
        self.manifests += 1;
    }

    /// Whether this is the manifest that follows the one before.
    fn check_chain(&mut self, account: &Account, origin: &str) {
        let says = &account.manifest;
        if says.log != origin {
            self.broken(account, FindingKind::Chain, "it is of another log");
        }
        if says.previous != self.last.map(|(leaf, _)| leaf) {
            let told = match says.previous {
                Some(leaf) => format!("it follows the manifest at entry {leaf}, which is not here"),
                None => "it says that it is the log's first, and is not".to_owned(),
            };
            self.broken(account, FindingKind::Chain, told);
        }
        if says.checkpoint.size < self.accounted || account.leaf_index < says.checkpoint.size {
            self.broken(
                account,
                FindingKind::Chain,
                "it accounts for less than the one before, or for itself",
            );
        }
        match self.last {
            Some((_, day)) if day >= says.day => {
                self.broken(
                    account,
                    FindingKind::Chain,
                    "there is another manifest of this day",
                );
            }
            Some((_, day)) if day.after() != Some(says.day) => self.gaps.push((day, says.day)),
            Some(_) | None => {}
        }
    }

    fn take_line(&mut self, account: &Account, line: &ManifestLine, range: std::ops::Range<u64>) {
        let index = line.leaf_index;
        if range.contains(&index) {
            self.claim(account, index, Role::Acceptance, range.clone());
        } else {
            match self.open.get(&index) {
                Some(known)
                    if known.right == line.right && known.accepted_at == line.accepted_at => {}
                Some(_) => {
                    let told = "what was asked, or when, is told otherwise than before";
                    self.about(account, index, FindingKind::Contradiction, told);
                }
                None => {
                    let told = "it is told again, but was not open";
                    self.about(account, index, FindingKind::Contradiction, told);
                }
            }
        }
        if line.responded_at.is_some_and(|at| at < line.accepted_at)
            || line.due_at < line.accepted_at
        {
            let told = "it is answered or due before it was accepted";
            self.about(account, index, FindingKind::Contradiction, told);
        }
        if let Some(leaf) = line.outcome_leaf {
            self.claim(account, leaf, Role::Outcome { acceptance: index }, range);
            self.open.remove(&index);
        } else {
            self.open.insert(index, line.clone());
        }
        let case = Case {
            line: line.clone(),
            amended: None,
        };
        self.cases.insert(index, case);
    }

    /// Gives an entry its role, once.
    fn claim(&mut self, account: &Account, index: u64, role: Role, range: std::ops::Range<u64>) {
        if !range.contains(&index) {
            let told = "it is not among the entries that this manifest accounts for";
            self.about(account, index, FindingKind::Contradiction, told);
        } else if self.roles.insert(index, role).is_some() {
            self.about(
                account,
                index,
                FindingKind::Contradiction,
                "it is accounted for twice",
            );
        }
    }

    fn check_open(&mut self, account: &Account) {
        let says = &account.manifest;
        let count = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        if says.open_count != count {
            let told = format!(
                "{count} acceptances are open, the manifest says {}: a request may have been dropped",
                says.open_count
            );
            self.broken(account, FindingKind::Open, told);
        } else if open_root(self.open.values()) != Ok(says.open_root) {
            self.broken(
                account,
                FindingKind::Open,
                "what is open is not what the manifest's root covers",
            );
        }
    }

    /// Verifies a receipt file of the log with these leaf hashes, and compares it with the account.
    pub fn compare_file(&mut self, name: &str, bytes: &[u8], policy: &Policy, leaves: &[Hash]) {
        match read(FindingKind::Receipt, name, bytes, policy, leaves) {
            Ok((statement, leaf_index)) => self.compare(name, leaf_index, &statement),
            Err(finding) => self.findings.push(finding),
        }
    }

    /// Compares a receipt that verifies with the account.
    fn compare(&mut self, name: &str, leaf_index: u64, statement: &Statement) {
        if leaf_index >= self.accounted {
            // The next manifest will tell of it.
            return;
        }
        let role = self.roles.get(&leaf_index).copied();
        let line = |leaf: u64| self.cases.get(&leaf).map(|case| &case.line);
        let agrees = match (Fact::of(statement), role) {
            (
                Fact::Acceptance {
                    right, accepted_at, ..
                },
                Some(Role::Acceptance),
            ) => line(leaf_index)
                .is_some_and(|told| (told.right, told.accepted_at) == (right, accepted_at)),
            (
                Fact::Outcome {
                    acceptance,
                    due_at,
                    outcome,
                    reason,
                    responded_at,
                    ..
                },
                Some(Role::Outcome { acceptance: of }),
            ) => line(acceptance).is_some_and(|told| {
                of == acceptance
                    && told.due_at == due_at
                    && told.outcome == Some(outcome)
                    && told.reason == reason
                    && told.responded_at == Some(responded_at)
            }),
            (Fact::Amendment { supersedes, .. }, Some(Role::Amendment { acceptance })) => {
                acceptance.is_some()
                    && match self.roles.get(&supersedes) {
                        Some(Role::Outcome { acceptance: of }) => Some(*of) == acceptance,
                        Some(Role::Amendment { acceptance: of }) => *of == acceptance,
                        Some(Role::Acceptance | Role::Manifest) | None => false,
                    }
            }
            (Fact::Manifest, Some(Role::Manifest)) => true,
            (
                Fact::Acceptance { .. }
                | Fact::Outcome { .. }
                | Fact::Amendment { .. }
                | Fact::Manifest,
                _,
            ) => false,
        };
        if !agrees {
            let told = format!(
                "the manifests tell of entry {leaf_index} otherwise than this receipt does"
            );
            self.findings
                .push(Finding::file(FindingKind::Receipt, name, told));
        }
    }

    fn broken(&mut self, account: &Account, kind: FindingKind, told: impl Into<String>) {
        self.findings.push(Finding::file(kind, &account.name, told));
    }

    fn about(&mut self, account: &Account, leaf_index: u64, kind: FindingKind, told: &str) {
        let mut finding = Finding::file(kind, &account.name, told);
        finding.leaf_index = Some(leaf_index);
        self.findings.push(finding);
    }
}
