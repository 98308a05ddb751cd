use super::*;
use crate::digest::HmacKey;
use crate::receipt::words::{Code, Day, Minute, Nonce, PublicName, Slug};
use crate::request::{Outcome, Right};

fn about() -> About {
    let commitment = HmacKey::new([5; 32]).tag("dsr-subject/v1", &[b"email", b"ada@example.test"]);
    About {
        request: RequestId::new([6; 16]),
        commitment,
    }
}

fn controller() -> Controller {
    Controller {
        id: Slug::parse("example-shop").unwrap(),
        name: PublicName::parse("Example Shop").unwrap(),
        role: ControllerRole::Processor,
    }
}

fn handler() -> Handler {
    Handler {
        version: Slug::parse("0.1.0").unwrap(),
        artifact_sha256: Some(Digest::of(b"artifact")),
    }
}

fn minute() -> Minute {
    Minute::parse("2026-11-23T20:47Z").unwrap()
}

fn regime() -> VersionedName {
    VersionedName {
        id: Slug::parse("us_ca_ccpa").unwrap(),
        version: Slug::parse("1").unwrap(),
        sha256: Digest::of(b"regimes"),
    }
}

fn acceptance() -> Statement {
    Statement::Acceptance(
        about(),
        Acceptance {
            nonce: Nonce::new([1; 32]),
            controller: controller(),
            right: Right::OptOut,
            regime: regime(),
            policy: Some(regime()),
            accepted_at: minute(),
            verified_at: None,
            due_at: minute(),
            data_map_sha256: Digest::of(b"map"),
            members: None,
            handler: handler(),
        },
    )
}

fn predicate() -> Receipt {
    Receipt {
        nonce: Nonce::new([2; 32]),
        controller: controller(),
        right: Right::Access,
        outcome: Outcome::Completed,
        reason: None,
        regime: regime(),
        policy: None,
        acceptance: AcceptanceLeaf {
            leaf_index: 7,
            leaf_hash: Digest::of(b"leaf"),
            checkpoint: Checkpoint {
                size: 9,
                root: Digest::of(b"root"),
            },
        },
        accepted_at: minute(),
        verified_at: Some(minute()),
        due_at: minute(),
        extended_to: Some(minute()),
        responded_at: minute(),
        completed_at: minute(),
        data_map: DataMap {
            sha256: Digest::of(b"map"),
            planned_sha256: None,
            stores_declared: 1,
            stores_unmapped: Some(0),
        },
        plan_sha256: None,
        members: None,
        stores: vec![store()],
        disclosure: Some(Disclosure {
            bytes: 12_345,
            manifest_sha256: Digest::of(b"contents"),
            delivered_at: minute(),
            method: Code::parse("download").unwrap(),
        }),
        handler: handler(),
        amendment: None,
        supersedes: None,
    }
}

fn store() -> StoreLine {
    StoreLine {
        store: PublicName::parse("Archive").unwrap(),
        before: Some(10),
        after: Some(9),
        matched: 1,
        shared: 1,
        deleted: 0,
        redacted: 0,
        pseudonymised: 0,
        exported: 1,
        flagged: 0,
        exempt: vec![Exempt {
            reason: Code::parse("tax_law").unwrap(),
            count: 1,
            until: None,
        }],
        blocked: vec![BlockedLine {
            reason: Code::parse("locked").unwrap(),
            until: Some(minute()),
        }],
        attested: Some(AttestedLine {
            statement: about().commitment,
            at: minute(),
        }),
        evidence_root: None,
        evidence_count: 0,
        check: Some(Check {
            method: CheckMethod::ListVersions,
            as_of: minute(),
            at: minute(),
            residual_matches: 0,
            arrived_since: 2,
        }),
        residuals: vec![Residual {
            what: ResidualKind::AccessLog,
            until: None,
        }],
    }
}

fn manifest() -> Manifest {
    Manifest {
        nonce: Nonce::new([3; 32]),
        controller: controller(),
        log: "log.example.test/dsr".to_owned(),
        checkpoint: Checkpoint {
            size: 9,
            root: Digest::of(b"root"),
        },
        day: Day::parse("2026-11-23").unwrap(),
        previous: Some(5),
        lines: vec![line(3, Some(8)), line(7, None)],
        amendments: vec![AmendedLine {
            leaf_index: 9,
            supersedes: 8,
            outcome: Outcome::Completed,
        }],
        open_count: 1,
        open_root: open_root(&[line(6, None)]).unwrap(),
        handler: handler(),
    }
}

fn line(leaf_index: u64, outcome_leaf: Option<u64>) -> ManifestLine {
    ManifestLine {
        leaf_index,
        right: Right::Access,
        regime: Slug::parse("eu_gdpr").unwrap(),
        accepted_at: minute(),
        due_at: minute(),
        outcome_leaf,
        outcome: outcome_leaf.map(|_| Outcome::Denied),
        reason: outcome_leaf.and_then(|_| Code::parse("no_match")),
        responded_at: outcome_leaf.map(|_| minute()),
    }
}

fn all() -> [Statement; 4] {
    let amendment = Receipt {
        amendment: Some(2),
        supersedes: Some(8),
        ..predicate()
    };
    [
        acceptance(),
        Statement::Receipt(about(), predicate()),
        Statement::Amendment(about(), amendment),
        Statement::Manifest(manifest()),
    ]
}

#[test]
fn every_kind_survives_its_bytes() {
    for statement in all() {
        let bytes = statement.to_canonical_bytes().unwrap();
        assert_eq!(Statement::parse(&bytes), Ok(statement));
    }
}

/// One receipt for three people, of whom one was let go, one refused, and one withdrew.
fn batch() -> Statement {
    let commitments = ["0", "1", "2"].map(|id| {
        let key = HmacKey::new([5; 32]);
        let tag = key.tag("dsr-subject/v1", &[b"customer_id", id.as_bytes()]);
        quittance_tlog::leaf_hash(tag.as_bytes())
    });
    let root = Digest::new(*quittance_tlog::tree_root(&commitments).as_bytes());
    let about = About {
        commitment: Tag::parse(&root.to_string()).unwrap(),
        ..about()
    };
    let mut says = predicate();
    says.outcome = Outcome::Partial;
    says.members = Some(MembersLine {
        count: 3,
        completed: 1,
        partial: 0,
        denied: 1,
        revoked: 1,
    });
    (says.stores[0].before, says.stores[0].after) = (None, None);
    Statement::Receipt(about, says)
}

/// Bytes that other code made, from docs/RECEIPT.md and these values.
#[test]
fn each_kind_has_exactly_the_bytes_of_the_specifications_vectors() {
    let [acceptance, _, amendment, manifest] = all();
    for (name, statement) in [
        ("acceptance", acceptance),
        ("amendment", amendment),
        ("batch", batch()),
        ("manifest", manifest),
    ] {
        let path = format!("../../tests/golden/statement_v1_{name}.json");
        let expected = std::fs::read_to_string(&path).unwrap();
        let bytes = statement.to_canonical_bytes().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{name}");
        assert_eq!(Statement::parse(expected.as_bytes()), Ok(statement));
        let digest = Digest::of(expected.as_bytes()).to_string();
        let specification = include_str!("../../../../../docs/RECEIPT.md");
        assert!(specification.contains(&digest), "{name}: {digest}");
    }
}

/// Section 3.6 of docs/RECEIPT.md: a verifier that refused more would refuse what others accept.
#[test]
fn what_fields_say_together_is_for_the_reader_but_for_what_the_specification_names() {
    let mut says = predicate();
    says.reason = Code::parse("no_match");
    says.completed_at = Minute::parse("1999-01-01T00:00Z").unwrap();
    says.stores[0].evidence_root = Some(Digest::of(b"root"));
    says.stores[0].after = None;
    says.stores[0].deleted = 99;
    says.stores[0].exempt[0].count = 0;
    says.stores = vec![says.stores[0].clone(); 300];
    let bytes = Statement::Receipt(about(), says.clone()).to_canonical_bytes();
    assert_eq!(
        Statement::parse(&bytes.unwrap()),
        Ok(Statement::Receipt(about(), says))
    );
    let text = String::from_utf8(acceptance().to_canonical_bytes().unwrap()).unwrap();
    let nobody = text.replacen("\"nonce\"", "\"members\":0,\"nonce\"", 1);
    assert!(Statement::parse(nobody.as_bytes()).is_ok());
    // A number that is never 0 is left out instead.
    let text = String::from_utf8(all()[1].to_canonical_bytes().unwrap()).unwrap();
    let zero = text.replacen("\"redacted\"", "\"pseudonymised\":0,\"redacted\"", 1);
    assert_ne!(zero, text);
    assert_eq!(
        Statement::parse(zero.as_bytes()),
        Err(StatementError::NotCanonical)
    );
}

#[test]
fn other_spellings_and_unknown_fields_are_refused() {
    let text = String::from_utf8(all()[1].to_canonical_bytes().unwrap()).unwrap();
    for (from, to, error) in [
        ("{\"_type\"", "{ \"_type\"", StatementError::NotCanonical),
        ("Archive", "\\u0041rchive", StatementError::NotCanonical),
        (
            "\"after\":9",
            "\"after\":9,\"attested\":null",
            StatementError::Malformed,
        ),
        (
            "\"bytes\":12345",
            "\"bytes\":12345.0",
            StatementError::Malformed,
        ),
        ("\"bytes\":12345", "\"bytes\":-1", StatementError::Malformed),
        (
            "\"bytes\":12345",
            "\"bytes\":12345,\"note\":\"x\"",
            StatementError::Malformed,
        ),
        (
            "\"residuals\":[",
            "\"residuals\":[],\"residuals\":[",
            StatementError::Malformed,
        ),
        (
            "\"outcome\":\"completed\"",
            "\"outcome\":\"done\"",
            StatementError::Malformed,
        ),
        (
            "dsr-receipt/v1",
            "dsr-receipt/v2",
            StatementError::Malformed,
        ),
        (
            "dsr-receipt/v1",
            "dsr-amendment/v1",
            StatementError::Malformed,
        ),
        ("dsr-request:", "request:", StatementError::Malformed),
        ("Statement/v1", "Statement/v2", StatementError::Malformed),
        ("20:47Z", "20:47:00Z", StatementError::Malformed),
    ] {
        let bent = text.replacen(from, to, 1);
        assert_ne!(bent, text, "{from}");
        assert_eq!(Statement::parse(bent.as_bytes()), Err(error), "{from}");
    }
    let null = text.replacen("\"plan_sha256\"", "", 0).replacen(
        "\"outcome\":\"completed\"",
        "\"outcome\":\"completed\",\"plan_sha256\":null",
        1,
    );
    assert_eq!(
        Statement::parse(null.as_bytes()),
        Err(StatementError::NotCanonical)
    );
    assert_eq!(Statement::parse(b""), Err(StatementError::Malformed));
}

#[test]
fn what_json_cannot_hold_exactly_is_neither_written_nor_read() {
    let about = about();
    let with_matched = |matched| {
        let mut says = predicate();
        says.stores[0].matched = matched;
        Statement::Receipt(about, says).to_canonical_bytes()
    };
    let largest = with_matched((1 << 53) - 1).unwrap();
    assert!(Statement::parse(&largest).is_ok());
    let text = String::from_utf8(largest).unwrap();
    // Even numbers above 2^53 survive a reader that rounds; they are refused all the same.
    for large in [
        1 << 53,
        (1 << 53) + 1,
        (1 << 53) + 2,
        1 << 60,
        1 << 63,
        u64::MAX - 2047,
        u64::MAX,
    ] {
        assert_eq!(
            with_matched(large),
            Err(StatementError::Inconsistent),
            "{large}"
        );
        let bent = text.replace(
            "\"matched\":9007199254740991",
            &format!("\"matched\":{large}"),
        );
        assert_ne!(bent, text);
        assert_eq!(
            Statement::parse(bent.as_bytes()),
            Err(StatementError::Malformed),
            "{large}"
        );
    }
}

#[test]
fn only_an_amendment_supersedes_and_says_which_it_is() {
    let says = |amendment, supersedes| Receipt {
        amendment,
        supersedes,
        ..predicate()
    };
    for (amendment, supersedes) in [(None, Some(3)), (Some(1), None), (Some(1), Some(3))] {
        let receipt = Statement::Receipt(about(), says(amendment, supersedes));
        let refused = Err(StatementError::Inconsistent);
        assert_eq!(receipt.to_canonical_bytes(), refused, "{amendment:?}");
    }
    for (amendment, supersedes) in [
        (None, None),
        (None, Some(3)),
        (Some(1), None),
        (Some(0), Some(3)),
    ] {
        let amended = Statement::Amendment(about(), says(amendment, supersedes));
        let refused = Err(StatementError::Inconsistent);
        assert_eq!(amended.to_canonical_bytes(), refused, "{amendment:?}");
    }
}

#[test]
fn a_file_is_named_as_its_leaf_is() {
    let leaf = |statement: &Statement| statement.leaf().map(|leaf| leaf.to_string());
    let id = about().request;
    let [acceptance, receipt, amendment, manifest] = all();
    assert_eq!(leaf(&acceptance), Some(format!("{id}.acceptance")));
    assert_eq!(leaf(&receipt), Some(format!("{id}.outcome")));
    assert_eq!(leaf(&amendment), Some(format!("{id}.amendment-2")));
    assert_eq!(leaf(&manifest), Some("manifest-2026-11-23".to_owned()));
    let expected = format!("{}.amendment-2.receipt.json", id.reference());
    assert_eq!(amendment.file_name(), expected);
    assert_eq!(manifest.file_name(), "manifest-2026-11-23.receipt.json");
}

#[test]
fn a_manifests_subject_is_the_head_it_covers() {
    let text = Statement::Manifest(manifest())
        .to_canonical_bytes()
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("\"name\":\"dsr-log:log.example.test/dsr\""));
    let odd = text.replace("log.example.test/dsr", "log.example.test/d s r");
    assert_eq!(
        Statement::parse(odd.as_bytes()),
        Err(StatementError::Malformed)
    );
    let bent = text.replacen("dsr-log:log", "dsr-log:lag", 1);
    assert_eq!(
        Statement::parse(bent.as_bytes()),
        Err(StatementError::Malformed)
    );
}

#[test]
fn a_manifests_lines_are_open_or_answered_and_in_order() {
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let mut bent = manifest();
        change(&mut bent);
        let written = Statement::Manifest(bent).to_canonical_bytes();
        assert_eq!(written, Err(StatementError::Inconsistent));
    };
    refused(&|bent| bent.lines.swap(0, 1));
    refused(&|bent| bent.lines.push(line(7, None)));
    refused(&|bent| bent.lines[0].outcome = None);
    refused(&|bent| bent.lines[0].responded_at = None);
    refused(&|bent| bent.lines[0].outcome_leaf = Some(3));
    refused(&|bent| bent.lines[1].reason = Code::parse("no_match"));
    refused(&|bent| bent.amendments.push(bent.amendments[0]));
}

#[test]
fn wire_names_never_change() {
    let names = |values: Vec<Value>| -> Vec<String> {
        values
            .iter()
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    };
    let methods = [
        CheckMethod::Key,
        CheckMethod::IndexQuery,
        CheckMethod::Scan,
        CheckMethod::Rescan,
        CheckMethod::ListVersions,
        CheckMethod::ReadBack,
    ];
    assert_eq!(
        names(
            methods
                .iter()
                .map(|m| serde_json::to_value(m).unwrap())
                .collect()
        ),
        [
            "key",
            "index_query",
            "scan",
            "rescan",
            "list_versions",
            "read_back"
        ]
    );
    let kinds = [
        ResidualKind::AccessLog,
        ResidualKind::Backup,
        ResidualKind::Inventory,
        ResidualKind::Locked,
        ResidualKind::Noncurrent,
        ResidualKind::Pitr,
        ResidualKind::Replica,
        ResidualKind::Stream,
    ];
    assert_eq!(
        names(
            kinds
                .iter()
                .map(|k| serde_json::to_value(k).unwrap())
                .collect()
        ),
        [
            "access_log",
            "backup",
            "inventory",
            "locked",
            "noncurrent",
            "pitr",
            "replica",
            "stream"
        ]
    );
    let outcomes = [
        Outcome::Completed,
        Outcome::Partial,
        Outcome::Denied,
        Outcome::Revoked,
    ];
    assert_eq!(
        names(
            outcomes
                .iter()
                .map(|o| serde_json::to_value(o).unwrap())
                .collect()
        ),
        ["completed", "partial", "denied", "revoked"]
    );
}

#[test]
fn a_batch_says_how_many_and_how_they_ended() {
    let line = |completed, partial, denied, revoked| MembersLine {
        count: 5,
        completed,
        partial,
        denied,
        revoked,
    };
    let says = |outcome, members| {
        let receipt = Receipt {
            outcome,
            members: Some(members),
            ..predicate()
        };
        Statement::Receipt(about(), receipt).to_canonical_bytes()
    };
    let whole = says(Outcome::Completed, line(5, 0, 0, 0)).unwrap();
    assert!(Statement::parse(&whole).is_ok());
    let text = String::from_utf8(whole).unwrap();
    let expected = r#""members":{"completed":5,"count":5,"denied":0,"partial":0,"revoked":0}"#;
    assert!(text.contains(expected), "{text}");
    assert!(says(Outcome::Partial, line(2, 1, 1, 1)).is_ok());
    assert!(says(Outcome::Denied, line(0, 0, 0, 0)).is_ok());
    for (outcome, members) in [
        (Outcome::Completed, line(4, 0, 1, 0)),
        (Outcome::Partial, line(2, 1, 1, 0)),
        (Outcome::Partial, line(0, 0, 0, 0)),
        (Outcome::Completed, line(u64::MAX, 6, 0, 0)),
    ] {
        assert_eq!(says(outcome, members), Err(StatementError::Inconsistent));
    }
}
