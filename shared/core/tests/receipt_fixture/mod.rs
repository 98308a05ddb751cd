//! A small log with fixed keys: an acceptance at leaf 1, its receipt at leaf 3, five leaves in all.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use quittance_core::digest::{Digest, HmacKey};
use quittance_core::id::RequestId;
use quittance_core::receipt::{
    About, Acceptance, AcceptanceLeaf, AttestedLine, BlockedLine, Check, CheckMethod, Checkpoint,
    Code, Controller, ControllerRole, DataMap, Envelope, Exempt, Handler, Minute, Nonce,
    PolicySigner, PublicName, Receipt, ReceiptFile, ReceiptKey, Residual, ResidualKind, Slug,
    Statement, StoreLine, VersionedName, leaf_bytes, pae, policy_text,
};
use quittance_core::request::{Outcome, Right};
use quittance_tlog::{
    Ed25519Signer, KeyKind, RightEdge, TlogProof, VerifierKey, inclusion_proof, integrate,
    leaf_hash,
};

/// How many witnesses cosign the checkpoint.
#[derive(Clone, Copy)]
pub enum Witnesses {
    None,
    Two,
}

/// A receipt file and the policy that accepts it.
pub struct Made {
    pub file: Vec<u8>,
    pub policy: String,
}

/// Makes the receipt of the fixture's request.
pub fn receipt(witnesses: Witnesses) -> Made {
    let acceptance = sign(&Statement::Acceptance(about(), acceptance()));
    let accepted = leaf_bytes(&acceptance, &key()).unwrap();
    let first = integrate(
        &RightEdge::empty(),
        &[b"somebody else's".to_vec(), accepted.clone()],
    );
    let first = first.unwrap();
    let link = AcceptanceLeaf {
        leaf_index: 1,
        leaf_hash: Digest::new(*leaf_hash(&accepted).as_bytes()),
        checkpoint: Checkpoint {
            size: 2,
            root: Digest::new(*first.root.as_bytes()),
        },
    };
    make(
        &Statement::Receipt(about(), outcome(link)),
        &first.edge,
        witnesses,
    )
}

/// Makes a receipt file around any statement, at leaf 3 of 5.
pub fn make(statement: &Statement, edge: &RightEdge, witnesses: Witnesses) -> Made {
    let envelope = sign(statement);
    let leaf = leaf_bytes(&envelope, &key()).unwrap();
    let more = [b"a third".to_vec(), leaf, b"a fifth".to_vec()];
    // The fixture's tree is one partial tile, so its own new tiles are all that a proof needs.
    let head = integrate(edge, &more).unwrap();
    let path = inclusion_proof(head.new_size, 3, &head.tiles).unwrap();
    let checkpoint =
        quittance_tlog::Checkpoint::new(log().verifier().name(), head.new_size, head.root).unwrap();
    let mut note = log().sign(checkpoint.to_note().unwrap()).unwrap();
    let cosigners = match witnesses {
        Witnesses::None => Vec::new(),
        Witnesses::Two => vec![witness(3), witness(4)],
    };
    for cosigner in &cosigners {
        note = cosigner.cosign(note, 1_795_466_880).unwrap();
    }
    let keys: Vec<VerifierKey> = cosigners.iter().map(|w| w.verifier().clone()).collect();
    let proof = TlogProof {
        extra: None,
        index: 3,
        path,
        checkpoint: note,
    };
    let file = ReceiptFile::build(&envelope, &key(), log().verifier(), &keys, &proof).unwrap();
    let signer = PolicySigner {
        name: Slug::parse("receipts").unwrap(),
        key: key(),
    };
    let policy = policy_text(log().verifier(), &keys, &[signer]).unwrap();
    Made { file, policy }
}

pub fn log() -> Ed25519Signer {
    Ed25519Signer::from_seed("log.example.test/dsr", KeyKind::Ed25519, &[1; 32]).unwrap()
}

pub fn witness(seed: u8) -> Ed25519Signer {
    let name = format!("witness{seed}.example.test");
    Ed25519Signer::from_seed(&name, KeyKind::CosignatureV1, &[seed; 32]).unwrap()
}

pub fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

pub fn key() -> ReceiptKey {
    let der = signing_key(2).verifying_key().to_public_key_der().unwrap();
    ReceiptKey::from_spki_der(der.as_bytes()).unwrap()
}

pub fn sign(statement: &Statement) -> Envelope {
    let payload = statement.to_canonical_bytes().unwrap();
    let signature: Signature = signing_key(2).sign(&pae(&payload));
    Envelope::assemble(&payload, &key(), signature.to_der().as_bytes()).unwrap()
}

pub fn about() -> About {
    let commitment = HmacKey::new([5; 32]).tag("dsr-subject/v1", &[b"email", b"ada@example.test"]);
    About {
        request: RequestId::new([6; 16]),
        commitment,
    }
}

pub fn acceptance() -> Acceptance {
    Acceptance {
        nonce: Nonce::new([7; 32]),
        controller: controller(),
        right: Right::Deletion,
        regime: regime(),
        policy: None,
        accepted_at: minute("2026-11-20T09:15Z"),
        verified_at: Some(minute("2026-11-20T09:15Z")),
        due_at: minute("2026-12-20T23:59Z"),
        data_map_sha256: Digest::of(b"data map"),
        members: None,
        handler: handler(),
    }
}

pub fn outcome(acceptance: AcceptanceLeaf) -> Receipt {
    Receipt {
        nonce: Nonce::new([8; 32]),
        controller: controller(),
        right: Right::Deletion,
        outcome: Outcome::Partial,
        reason: None,
        regime: regime(),
        policy: None,
        acceptance,
        accepted_at: minute("2026-11-20T09:15Z"),
        verified_at: Some(minute("2026-11-20T09:15Z")),
        due_at: minute("2026-12-20T23:59Z"),
        extended_to: None,
        responded_at: minute("2026-11-23T20:47Z"),
        completed_at: minute("2026-11-23T20:47Z"),
        data_map: DataMap {
            sha256: Digest::of(b"data map"),
            planned_sha256: Some(Digest::of(b"data map")),
            stores_declared: 2,
            stores_unmapped: Some(0),
        },
        plan_sha256: Some(Digest::of(b"plan")),
        members: None,
        stores: vec![customers(), orders()],
        disclosure: None,
        handler: handler(),
        amendment: None,
        supersedes: None,
    }
}

fn customers() -> StoreLine {
    StoreLine {
        check: Some(Check {
            method: CheckMethod::Key,
            as_of: minute("2026-11-23T20:40Z"),
            at: minute("2026-11-23T20:46Z"),
            residual_matches: 0,
            arrived_since: 0,
        }),
        matched: 1,
        deleted: 1,
        evidence_root: Some(Digest::of(b"evidence")),
        evidence_count: 1,
        residuals: vec![Residual {
            what: ResidualKind::Pitr,
            until: Some(minute("2026-12-28T20:46Z")),
        }],
        ..empty_line("Customer account")
    }
}

fn orders() -> StoreLine {
    StoreLine {
        matched: 3,
        exempt: vec![Exempt {
            reason: Code::parse("tax_law").unwrap(),
            count: 2,
            until: Some(minute("2037-01-01T00:00Z")),
        }],
        blocked: vec![BlockedLine {
            reason: Code::parse("object_lock").unwrap(),
            until: None,
        }],
        ..empty_line("Bestellungen für Geräte")
    }
}

/// A line with the longest of everything that the engine can put there, and more.
pub fn longest_store() -> StoreLine {
    let large = quittance_core::receipt::MAX_NUMBER;
    let code = Code::parse(&"c".repeat(64)).unwrap();
    let until = Some(minute("2037-01-01T00:00Z"));
    let exempt = Exempt {
        reason: code.clone(),
        count: large,
        until,
    };
    let blocked = BlockedLine {
        reason: code,
        until,
    };
    let residual = Residual {
        what: ResidualKind::Noncurrent,
        until,
    };
    StoreLine {
        store: PublicName::parse(&"\u{10348}".repeat(80)).unwrap(),
        before: Some(large),
        after: Some(large),
        matched: large,
        shared: large,
        deleted: large,
        redacted: large,
        pseudonymised: 0,
        exported: large,
        flagged: large,
        exempt: vec![exempt; 4],
        blocked: vec![blocked; 4],
        attested: Some(AttestedLine {
            statement: about().commitment,
            at: minute("2026-11-23T20:46Z"),
        }),
        evidence_root: Some(Digest::of(b"evidence")),
        evidence_count: large,
        check: Some(Check {
            method: CheckMethod::ListVersions,
            as_of: minute("2026-11-23T20:40Z"),
            at: minute("2026-11-23T20:46Z"),
            residual_matches: large,
            arrived_since: large,
        }),
        residuals: vec![residual; 8],
    }
}

fn empty_line(store: &str) -> StoreLine {
    StoreLine {
        store: PublicName::parse(store).unwrap(),
        before: None,
        after: None,
        matched: 0,
        shared: 0,
        deleted: 0,
        redacted: 0,
        pseudonymised: 0,
        exported: 0,
        flagged: 0,
        exempt: Vec::new(),
        blocked: Vec::new(),
        attested: None,
        evidence_root: None,
        evidence_count: 0,
        check: None,
        residuals: Vec::new(),
    }
}

fn controller() -> Controller {
    Controller {
        id: Slug::parse("example-shop").unwrap(),
        name: PublicName::parse("Example Shop").unwrap(),
        role: ControllerRole::Controller,
    }
}

fn regime() -> VersionedName {
    VersionedName {
        id: Slug::parse("eu_gdpr").unwrap(),
        version: Slug::parse("2026-11").unwrap(),
        sha256: Digest::of(b"regimes"),
    }
}

fn handler() -> Handler {
    Handler {
        version: Slug::parse("0.1.0").unwrap(),
        artifact_sha256: None,
    }
}

pub fn minute(text: &str) -> Minute {
    Minute::parse(text).unwrap()
}
