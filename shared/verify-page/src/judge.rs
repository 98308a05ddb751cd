//! From bytes to an answer: the report of `dsr verify --json`, a verdict in a word, the statement.
//!
//! Nothing of a receipt is told unless every check passed; a policy that is none is never passed over.

use quittance_core::receipt::{Policy, Report, Trust, verify, verify_embedded};
use serde::Serialize;
use serde_json::Value;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// In a word.
    pub verdict: Verdict,
    /// Why the policy is none, if it is none. Then nothing was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_problem: Option<String>,
    /// What `dsr verify --json` prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What was signed, if every check passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Value>,
}

/// The verdict on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check passed under the policy.
    Verified,
    /// Every check passed with the keys inside the file: nobody vouches for it.
    SelfConsistent,
    /// A check did not pass.
    Refused,
    /// The policy is none.
    UnusablePolicy,
}

/// Judges a receipt's bytes under a policy's or, without one, with the keys inside the file.
pub fn judge(receipt: &[u8], policy: Option<&[u8]>) -> Answer {
    let Some(policy) = policy else {
        return Answer::of(verify_embedded(receipt));
    };
    match parse_policy(policy) {
        Ok(policy) => Answer::of(verify(receipt, &policy)),
        Err(problem) => Answer {
            verdict: Verdict::UnusablePolicy,
            policy_problem: Some(problem),
            report: None,
            statement: None,
        },
    }
}

impl Answer {
    fn of(report: Report) -> Self {
        let verdict = match (report.ok, report.trust) {
            (true, Trust::Policy) => Verdict::Verified,
            (true, Trust::Embedded) => Verdict::SelfConsistent,
            (false, Trust::Policy | Trust::Embedded) => Verdict::Refused,
        };
        let statement = report.summary.as_ref().and_then(|summary| {
            let bytes = summary.statement.to_canonical_bytes().ok()?;
            serde_json::from_slice(&bytes).ok()
        });
        Self {
            verdict,
            policy_problem: None,
            report: Some(report),
            statement,
        }
    }

    /// Writes the answer as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Words, numbers and lists of them are always written; an empty answer is no verdict to a reader.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn parse_policy(bytes: &[u8]) -> Result<Policy, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Policy::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
