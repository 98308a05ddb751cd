//! Receipts of every kind, with everything that a statement may hold, the longest of it, and names that
//! would be HTML if anybody let them. They are left in cargo's `tmp`, where the browser test finds them.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]
#![expect(
    dead_code,
    unreachable_pub,
    reason = "the fixture serves several test programs"
)]

use std::fs;
use std::path::Path;

use quittance_core::digest::Digest;
use quittance_core::receipt::statement::MembersLine;
use quittance_core::receipt::{
    AcceptanceLeaf, AmendedLine, Checkpoint, Code, Controller, Day, Disclosure, Manifest,
    ManifestLine, PublicName, Receipt, Slug, Statement, open_root,
};
use quittance_core::request::{Outcome, Right};
use quittance_tlog::{RightEdge, integrate};

#[path = "../../core/tests/receipt_fixture/mod.rs"]
mod receipt_fixture;

use quittance_verify_page::{Verdict, judge};

use self::receipt_fixture::{Witnesses, about, acceptance, longest_store, make, minute, outcome};

#[test]
fn a_receipt_of_each_kind_is_verified_and_told() {
    let at = Path::new(env!("CARGO_TARGET_TMPDIR")).join("receipts");
    fs::create_dir_all(&at).unwrap();
    let (none, two) = (Witnesses::None, Witnesses::Two);
    for (name, statement, witnesses) in [
        (
            "acceptance",
            Statement::Acceptance(about(), acceptance()),
            none,
        ),
        (
            "amendment",
            Statement::Amendment(about(), everything()),
            two,
        ),
        ("denied", Statement::Receipt(about(), denied()), none),
        ("manifest", Statement::Manifest(manifest()), two),
    ] {
        let made = make(&statement, &edge(), witnesses);
        let answer = judge(&made.file, Some(made.policy.as_bytes()));
        assert_eq!(answer.verdict, Verdict::Verified, "{name}: {answer:?}");
        let told = answer.statement.unwrap();
        assert_eq!(told["predicateType"], statement.kind().predicate_type());
        fs::write(at.join(format!("{name}.receipt.json")), made.file).unwrap();
        fs::write(at.join(format!("{name}.policy")), made.policy).unwrap();
    }
}

/// Two entries that stand before.
fn edge() -> RightEdge {
    let before = [b"somebody else's".to_vec(), b"the acceptance".to_vec()];
    integrate(&RightEdge::empty(), &before).unwrap().edge
}

/// A correction with every field, the names hostile and long.
fn everything() -> Receipt {
    let plain = outcome(accepted());
    Receipt {
        controller: Controller {
            name: PublicName::parse("<img src=x onerror=alert(1)><script>alert(2)</script>")
                .unwrap(),
            ..plain.controller.clone()
        },
        extended_to: Some(minute("2027-02-20T23:59Z")),
        stores: [vec![longest_store()], plain.stores.clone()].concat(),
        disclosure: Some(Disclosure {
            bytes: 123_456,
            manifest_sha256: Digest::of(b"manifest"),
            delivered_at: minute("2026-11-23T20:47Z"),
            method: Code::parse("download").unwrap(),
        }),
        amendment: Some(1),
        supersedes: Some(2),
        ..plain
    }
}

/// A batch that was refused as a whole.
fn denied() -> Receipt {
    Receipt {
        right: Right::OptOut,
        outcome: Outcome::Denied,
        reason: Some(Code::parse("insuf_verification").unwrap()),
        members: Some(MembersLine {
            count: 1_000_000,
            completed: 0,
            partial: 0,
            denied: 0,
            revoked: 0,
        }),
        stores: Vec::new(),
        ..outcome(accepted())
    }
}

fn manifest() -> Manifest {
    let accepted = acceptance();
    let line = ManifestLine {
        leaf_index: 1,
        right: Right::Access,
        regime: Slug::parse("eu_gdpr").unwrap(),
        accepted_at: minute("2026-11-20T09:15Z"),
        due_at: minute("2026-12-20T23:59Z"),
        outcome_leaf: None,
        outcome: None,
        reason: None,
        responded_at: None,
    };
    Manifest {
        nonce: accepted.nonce,
        controller: accepted.controller,
        log: "log.example.test/dsr".to_owned(),
        checkpoint: Checkpoint {
            size: 3,
            root: Digest::of(b"root"),
        },
        day: Day::parse("2026-11-23").unwrap(),
        previous: None,
        open_root: open_root(std::slice::from_ref(&line)).unwrap(),
        lines: vec![line],
        amendments: vec![AmendedLine {
            leaf_index: 2,
            supersedes: 0,
            outcome: Outcome::Completed,
        }],
        open_count: 1,
        handler: accepted.handler,
    }
}

fn accepted() -> AcceptanceLeaf {
    AcceptanceLeaf {
        leaf_index: 1,
        leaf_hash: Digest::of(b"the acceptance"),
        checkpoint: Checkpoint {
            size: 2,
            root: Digest::of(b"root"),
        },
    }
}
