//! `docs/openapi.json` against the code: routes, statuses, fields.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use quittance_core::fault::Fault;
use quittance_core::request::{DenialReason, GateReason, Outcome, Right};
use quittance_engine::intake::{IntakeError, Status, Submission, Submitted};
use serde::Serialize;
use serde_json::{Value, json};

use super::browser::{ADDRESS, World};
use crate::DESCRIPTION;
use crate::api::problem;

fn described() -> Value {
    serde_json::from_str(DESCRIPTION).unwrap()
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn each_route_is_described_and_nothing_else() {
    let here = include_str!("../api.rs");
    let there = include_str!("../../../download/src/lib.rs");
    let mut routes = BTreeSet::new();
    for line in [here, there].iter().flat_map(|text| text.lines()) {
        let Some((_, rest)) = line.split_once(".route(\"/v1/") else {
            continue;
        };
        let (path, handler) = rest.split_once("\", ").unwrap();
        let method = handler.split('(').next().unwrap();
        routes.insert(format!("{method} /v1/{path}"));
    }
    let mut told = BTreeSet::new();
    for (path, methods) in described()["paths"].as_object().unwrap() {
        told.extend(
            names(methods)
                .iter()
                .map(|method| format!("{method} {path}")),
        );
    }
    assert_eq!(routes, told);
    assert_eq!(routes.len(), 6);
}

#[test]
fn each_field_is_described_and_nothing_else() {
    let at = Timestamp::UNIX_EPOCH;
    let reference = quittance_core::id::RequestId::new([1; 16]).reference();
    let submitted = Submitted {
        reference: reference.clone(),
        status_token: String::new(),
        stage: "draft",
        confirm_by: Some(at),
        due_at: Some(at),
    };
    let status = Status {
        reference,
        right: Right::Access,
        stage: "draft",
        outcome: None,
        drp_status: "open",
        regime: String::new(),
        accepted_at: None,
        due_at: None,
        paused_at: Some(at),
        responded_at: None,
        waiting_for: None,
        denial: None,
        revocable: false,
        export_ready: false,
    };
    let api = described();
    let schema = |name: &str| api["components"]["schemas"][name].clone();
    for (name, value) in [
        ("Submitted", serde_json::to_value(&submitted).unwrap()),
        ("Status", serde_json::to_value(&status).unwrap()),
    ] {
        assert_eq!(names(&value), names(&schema(name)["properties"]), "{name}");
    }
    let unknown = serde_json::from_value::<Submission>(json!({ "right": "access", "x": 1 }));
    let said = unknown.unwrap_err().to_string();
    for field in names(&schema("Submission")["properties"]) {
        assert!(said.contains(&format!("`{field}`")), "{said}");
    }
    assert_eq!(said.matches('`').count(), 2 * (1 + 5), "{said}");
}

#[test]
fn each_word_is_described_and_nothing_else() {
    let api = described();
    let status = &api["components"]["schemas"]["Status"]["properties"];
    let outcomes = [
        Outcome::Completed,
        Outcome::Partial,
        Outcome::Denied,
        Outcome::Revoked,
    ];
    let gates = [
        GateReason::Ambiguous,
        GateReason::BlastRadius,
        GateReason::EarlierAccess,
        GateReason::Held,
    ];
    same_words(&status["right"], &Right::ALL);
    same_words(&status["outcome"], &outcomes);
    same_words(&status["waiting_for"], &gates);
    same_words(&status["denial"], &DenialReason::ALL);
}

/// Whoever has no secret learns nothing about references.
#[tokio::test]
async fn a_wrong_secret_is_answered_as_an_unknown_reference_is() {
    let world = World::new();
    let form = json!({
        "right": "opt_out", "identifiers": { "email": ADDRESS },
        "client_token": "0123456789abcdef",
    });
    let request = Request::post("/v1/requests")
        .header("content-type", "application/json")
        .body(Body::from(form.to_string()))
        .unwrap();
    let submitted: Value = serde_json::from_str(&world.send(request).await.text).unwrap();
    let (reference, secret) = (
        submitted["reference"].as_str().unwrap(),
        submitted["status_token"].as_str().unwrap(),
    );
    for (reference, secret, status) in [
        (reference, Some(secret), 200),
        (reference, Some("wrong"), 404),
        ("DSR-0000-0000-0000-0", Some(secret), 404),
        (reference, None, 401),
    ] {
        let mut request = Request::get(format!("/v1/requests/{reference}"));
        if let Some(secret) = secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status);
    }
}

/// A list is no object, though its values could be read as one's fields.
#[tokio::test]
async fn a_list_is_no_object() {
    let world = World::new();
    let request = Request::post("/v1/requests/DSR-0000-0000-0000-0/codes")
        .header("content-type", "application/json")
        .body(Body::from(" [\"eve@people.test\"]"))
        .unwrap();
    assert_eq!(world.send(request).await.status, 400);
}

/// In memory a code is committed and mailed in no time: whatever an answer waits for is what it always waits for.
#[tokio::test]
async fn asking_for_a_code_is_waited_for_and_says_as_much_whoever_asks() {
    let world = World::new();
    let form = json!({
        "right": "access", "identifiers": { "email": ADDRESS },
        "client_token": "0123456789abcdef",
    });
    let request = Request::post("/v1/requests")
        .header("content-type", "application/json")
        .body(Body::from(form.to_string()))
        .unwrap();
    let submitted: Value = serde_json::from_str(&world.send(request).await.text).unwrap();
    let reference = submitted["reference"].as_str().unwrap();
    world.clock.advance(SignedDuration::from_mins(11));
    let mut told = BTreeSet::new();
    for (reference, address) in [
        (reference, ADDRESS),
        (reference, "eve@people.test"),
        ("DSR-0000-0000-0000-0", ADDRESS),
    ] {
        let request = Request::post(format!("/v1/requests/{reference}/codes"))
            .header("content-type", "application/json")
            .body(Body::from(json!({ "email": address }).to_string()))
            .unwrap();
        let began = std::time::Instant::now();
        let answer = world.send(request).await;
        told.insert((answer.status.as_u16(), answer.text));
        assert!(
            began.elapsed() >= Duration::from_secs(1),
            "an answer at once tells"
        );
    }
    assert_eq!(
        world.mailer.to(ADDRESS).len(),
        2,
        "the form's code, and one more"
    );
    assert_eq!(told, BTreeSet::from([(202, String::new())]));
}

fn same_words<T: Serialize>(schema: &Value, words: &[T]) {
    let told = schema["enum"].as_array().unwrap();
    let told: BTreeSet<&str> = told.iter().filter_map(Value::as_str).collect();
    let words = serde_json::to_value(words).unwrap();
    let words: BTreeSet<&str> = words
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(told, words);
}

#[test]
fn each_status_is_described() {
    let api = described();
    let told = |operation: &Value| names(&operation["responses"]);
    let (submit, by_reference) = (
        told(&api["paths"]["/v1/requests"]["post"]),
        [
            told(&api["paths"]["/v1/requests/{reference}/confirmation"]["post"]),
            told(&api["paths"]["/v1/requests/{reference}/revocation"]["post"]),
        ],
    );
    let by_reference: BTreeSet<String> = by_reference.into_iter().flatten().collect();
    let at = Timestamp::UNIX_EPOCH;
    for (error, places) in [
        (IntakeError::Invalid(Vec::new()), &submit),
        (IntakeError::TokenReused, &submit),
        (IntakeError::Fault(Fault::Conflict), &submit),
        (IntakeError::NotFound, &by_reference),
        (IntakeError::WrongCode(1), &by_reference),
        (IntakeError::DeadCode, &by_reference),
        (IntakeError::TooLate(at), &by_reference),
        (IntakeError::Closed, &by_reference),
        (IntakeError::Fault(Fault::Conflict), &by_reference),
    ] {
        let said = error.to_string();
        let status = serde_json::to_value(problem(error)).unwrap()["status"].to_string();
        assert!(places.contains(&status), "{said}: {status}");
    }
}
