//! Figures of a period: how many, how fast, how late; what 11 CCR 7102 asks a business to publish.
//!
//! A request belongs to the period in which it was accepted. What is open is judged at the end of the
//! last day that a manifest accounts for. Days are counted in tenths, from acceptance to answer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Auditor, Case, Finding, FindingKind};
use crate::receipt::{Day, Minute};
use crate::request::{Outcome, Right};

/// The days asked about, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The first; if none, from the beginning.
    pub from: Option<Day>,
    /// The last; if none, up to the last that is accounted for.
    pub to: Option<Day>,
}

impl Period {
    /// Whether a time falls into it.
    pub fn holds(self, at: Minute) -> bool {
        let day = Day::of(at.start());
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

/// What an audit came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Whether the account can be believed.
    pub ok: bool,
    /// Whether every answer was in time and no day is without its manifest.
    pub on_time: bool,
    /// The first day asked about.
    pub from: Option<Day>,
    /// The last day asked about.
    pub to: Option<Day>,
    /// The last day that is accounted for: what is open is judged at its end.
    pub as_of: Option<Day>,
    /// How many manifests there are.
    pub manifests: u64,
    /// How many entries of the log they account for.
    pub accounted: u64,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Figures of all rights together.
    pub all: Figures,
    /// Figures by right.
    pub by_right: BTreeMap<&'static str, Figures>,
}

/// Figures of the requests of a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Accepted in the period.
    pub received: u64,
    /// Complied with in whole.
    pub completed: u64,
    /// Complied with in part.
    pub partial: u64,
    /// Denied.
    pub denied: u64,
    /// Withdrawn.
    pub revoked: u64,
    /// Not ended.
    pub open: u64,
    /// Open after the due date.
    pub overdue: u64,
    /// Answered by the due date.
    pub in_time: u64,
    /// Answered after it.
    pub late: u64,
    /// Answered in time, of a thousand that were answered or overdue; none if there are none.
    pub on_time_permille: Option<u64>,
    /// The median of the days to the answer, in tenths.
    pub median_tenths: Option<u64>,
    /// Their mean, in tenths.
    pub mean_tenths: Option<u64>,
    /// Denials by reason.
    pub denied_by_reason: BTreeMap<String, u64>,
}

impl Auditor {
    /// Adds up a period.
    pub fn finish(self, period: Period) -> Audit {
        let as_of = self.last.map(|(_, day)| day);
        let end = as_of
            .and_then(Day::after)
            .map_or(Timestamp::MIN, Day::start);
        let mut findings = self.findings;
        // Without an end or a beginning, what was accepted on days beyond them counts, too.
        let counted = period;
        let period = Period {
            from: period.from.or(self.first_day),
            to: period.to.or(as_of),
        };
        if period.to > as_of || as_of.is_none() {
            findings.push(missing(as_of));
        }
        for (before, after) in self.gaps {
            if period.from.is_none_or(|from| from < after) && period.to.is_none_or(|to| before < to)
            {
                let told = format!("no manifest of the days between {before} and {after}");
                findings.push(Finding::file(
                    FindingKind::Gap,
                    &format!("manifest-{after}.receipt.json"),
                    told,
                ));
            }
        }
        let mut groups: BTreeMap<&'static str, Group> = BTreeMap::new();
        let mut all = Group::default();
        for (index, case) in &self.cases {
            if counted.holds(case.line.accepted_at) {
                findings.extend(missed(*index, case, end));
                groups
                    .entry(case.line.right.name())
                    .or_default()
                    .add(case, end);
                all.add(case, end);
            }
        }
        Audit {
            ok: !findings.iter().any(|finding| finding.kind.is_broken()),
            on_time: findings.iter().all(|finding| finding.kind.is_broken()),
            from: period.from,
            to: period.to,
            as_of,
            manifests: self.manifests,
            accounted: self.accounted,
            findings,
            all: all.finish(),
            by_right: Right::ALL
                .into_iter()
                .map(|right| {
                    let group = groups.remove(right.name()).unwrap_or_default();
                    (right.name(), group.finish())
                })
                .collect(),
        }
    }
}

fn missing(as_of: Option<Day>) -> Finding {
    Finding {
        kind: FindingKind::Missing,
        file: None,
        leaf_index: None,
        explanation: match as_of {
            Some(day) => {
                format!("the last manifest is of {day}: what came later is not accounted for")
            }
            None => "there is no manifest at all".to_owned(),
        },
    }
}

/// What is late about a case.
fn missed(index: u64, case: &Case, end: Timestamp) -> Option<Finding> {
    let line = &case.line;
    match line.responded_at {
        Some(at) if at > line.due_at => {
            let told = format!("answered {at}, due {}", line.due_at);
            Some(Finding::case(FindingKind::Late, index, told))
        }
        None if line.due_at.start() < end => {
            let told = format!("open, and was due {}", line.due_at);
            Some(Finding::case(FindingKind::Overdue, index, told))
        }
        Some(_) | None => None,
    }
}

/// Figures while they are being added up.
#[derive(Default)]
struct Group {
    figures: Figures,
    minutes: Vec<u64>,
}

impl Group {
    fn add(&mut self, case: &Case, end: Timestamp) {
        let (line, figures) = (&case.line, &mut self.figures);
        figures.received += 1;
        let outcome = case.amended.or(line.outcome);
        match outcome {
            Some(Outcome::Completed) => figures.completed += 1,
            Some(Outcome::Partial) => figures.partial += 1,
            Some(Outcome::Denied) => figures.denied += 1,
            Some(Outcome::Revoked) => figures.revoked += 1,
            None => figures.open += 1,
        }
        if let Some(reason) = line
            .reason
            .as_ref()
            .filter(|_| outcome == Some(Outcome::Denied))
        {
            *figures
                .denied_by_reason
                .entry(reason.to_string())
                .or_default() += 1;
        }
        if let Some(at) = line.responded_at {
            if at > line.due_at {
                figures.late += 1;
            } else {
                figures.in_time += 1;
            }
            let seconds = at.start().as_second() - line.accepted_at.start().as_second();
            self.minutes.push(u64::try_from(seconds / 60).unwrap_or(0));
        } else if line.due_at.start() < end {
            figures.overdue += 1;
        }
    }

    fn finish(mut self) -> Figures {
        let judged = self.figures.in_time + self.figures.late + self.figures.overdue;
        self.figures.on_time_permille = (self.figures.in_time * 1000).checked_div(judged);
        self.minutes.sort_unstable();
        let count = self.minutes.len();
        let upper = self.minutes.get(count / 2);
        let lower = self.minutes.get(count.saturating_sub(1) / 2);
        self.figures.median_tenths = upper.zip(lower).map(|(a, b)| tenths(a + b, 2));
        let sum: u64 = self.minutes.iter().sum();
        let answered = u64::try_from(count).unwrap_or(u64::MAX);
        self.figures.mean_tenths = (answered > 0).then(|| tenths(sum, answered));
        self.figures
    }
}

/// Tenths of a day in `minutes / of`, rounded.
const fn tenths(minutes: u64, of: u64) -> u64 {
    let day = 144 * of;
    (minutes + day / 2) / day
}
