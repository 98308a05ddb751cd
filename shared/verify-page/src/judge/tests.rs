use quittance_core::receipt::{
    CheckMethod, CheckName, CheckVerdict, ControllerRole, Kind, ResidualKind,
};
use quittance_core::request::{Outcome, Right};
use serde::Serialize;

use super::*;

const RECEIPT: &[u8] = include_bytes!("../../../../tests/golden/receipt_v1.receipt.json");
const POLICY: &[u8] = include_bytes!("../../../../tests/golden/receipt_v1.policy");
const WITNESSED: &[u8] = include_bytes!("../../../../tests/golden/receipt_v1_witnessed.policy");
const WORDS: &str = include_str!("../../tell.js");

#[test]
fn a_receipt_is_verified_under_its_policy_and_the_statement_is_told() {
    let answer = judge(RECEIPT, Some(POLICY));
    assert_eq!(answer.verdict, Verdict::Verified);
    let told: Value = serde_json::from_slice(&answer.to_json()).unwrap();
    assert_eq!(told["verdict"], "verified");
    assert_eq!(told["report"]["trust"], "policy");
    assert_eq!(told["statement"]["predicate"]["outcome"], "partial");
    assert_eq!(told.get("policy_problem"), None);
}

#[test]
fn without_a_policy_a_receipt_is_never_called_verified() {
    let answer = judge(RECEIPT, None);
    assert_eq!(answer.verdict, Verdict::SelfConsistent);
    assert!(
        !String::from_utf8(answer.to_json())
            .unwrap()
            .contains("\"verified\"")
    );
}

#[test]
fn an_empty_policy_is_a_policy_that_is_none() {
    let answer = judge(RECEIPT, Some(b""));
    assert_eq!(answer.verdict, Verdict::UnusablePolicy);
    assert_eq!(answer.report, None);
    assert_eq!(
        judge(RECEIPT, Some(b"\xff")).verdict,
        Verdict::UnusablePolicy
    );
}

#[test]
fn what_is_refused_tells_nothing_of_the_receipt() {
    let answer = judge(RECEIPT, Some(WITNESSED));
    assert_eq!(answer.verdict, Verdict::Refused);
    assert_eq!(answer.statement, None);
    let report = answer.report.unwrap();
    assert_eq!(report.failed().unwrap().name, CheckName::Policy);
    assert_eq!(report.summary, None);
}

#[test]
fn the_names_that_the_page_calls_answer_as_judge_does() {
    // What was put there is zeros: no receipt, and no policy.
    crate::quittance_receipt(5);
    crate::quittance_judge();
    let refused = judge(&[0; 5], None).to_json();
    assert_eq!(crate::quittance_answer_length(), refused.len());
    crate::quittance_policy(7);
    crate::quittance_judge();
    let unusable = judge(&[0; 5], Some(&[0; 7])).to_json();
    assert_eq!(crate::quittance_answer_length(), unusable.len());
    assert_ne!(refused.len(), unusable.len());
}

#[test]
fn the_page_has_a_word_for_every_code() {
    use Outcome::{Completed, Denied, Partial, Revoked};
    every("KINDS", &Kind::ALL);
    every("CHECKS", &CheckName::ALL);
    every("RIGHTS", &Right::ALL);
    every("OUTCOMES", &[Completed, Partial, Denied, Revoked]);
    every(
        "ROLES",
        &[ControllerRole::Controller, ControllerRole::Processor],
    );
    every("METHODS", &chain(CheckMethod::Key, after_method));
    every("RESIDUALS", &chain(ResidualKind::AccessLog, after_residual));
    every(
        "MARKS",
        &[CheckVerdict::Ok, CheckVerdict::Failed, CheckVerdict::NotRun],
    );
    every(
        "VERDICTS",
        &[Verdict::Verified, Verdict::SelfConsistent, Verdict::Refused],
    );
}

/// Looks for each code's line in one of the page's tables.
fn every(table: &str, codes: &[impl Serialize]) {
    let after = WORDS
        .split_once(&format!("const {table} = {{\n"))
        .unwrap()
        .1;
    let lines = after.split_once("\n};").unwrap().0;
    for code in codes {
        let code = serde_json::to_value(code).unwrap();
        let key = format!("  {}: ", code.as_str().unwrap());
        let there = lines.lines().any(|line| line.starts_with(&key));
        assert!(there, "{table} lacks{key}");
    }
}

fn chain<T: Copy>(first: T, after: fn(T) -> Option<T>) -> Vec<T> {
    std::iter::successors(Some(first), |code| after(*code)).collect()
}

// Exhaustive, so that a new code must be put into the chain.
fn after_method(method: CheckMethod) -> Option<CheckMethod> {
    match method {
        CheckMethod::Key => Some(CheckMethod::IndexQuery),
        CheckMethod::IndexQuery => Some(CheckMethod::Scan),
        CheckMethod::Scan => Some(CheckMethod::Rescan),
        CheckMethod::Rescan => Some(CheckMethod::ListVersions),
        CheckMethod::ListVersions => Some(CheckMethod::ReadBack),
        CheckMethod::ReadBack => None,
    }
}

fn after_residual(residual: ResidualKind) -> Option<ResidualKind> {
    match residual {
        ResidualKind::AccessLog => Some(ResidualKind::Backup),
        ResidualKind::Backup => Some(ResidualKind::Inventory),
        ResidualKind::Inventory => Some(ResidualKind::Locked),
        ResidualKind::Locked => Some(ResidualKind::Noncurrent),
        ResidualKind::Noncurrent => Some(ResidualKind::Pitr),
        ResidualKind::Pitr => Some(ResidualKind::Replica),
        ResidualKind::Replica => Some(ResidualKind::Stream),
        ResidualKind::Stream => Some(ResidualKind::Unknown),
        ResidualKind::Unknown => None,
    }
}
