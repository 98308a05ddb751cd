//! One thing of a receipt's evidence, shown to whoever asks about it.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::evidence::judge;
use crate::local::{Local, customers, dsr, until};

#[tokio::test(flavor = "multi_thread")]
async fn one_thing_of_a_receipts_evidence_is_opened_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let people = customers();
    let email = people[7]["email"].as_str().unwrap();
    let asked = local
        .ask(email, "opt_out", "opening-0123456789abcdef")
        .await;
    let reference = asked.unwrap().reference;
    let policy = dir.path().join("policy");
    let receipt = dir.path().join("receipt.json");
    std::fs::write(&policy, local.run(&["policy"]).stdout).unwrap();
    until(
        Duration::from_mins(3),
        Duration::from_millis(500),
        || async {
            let path = format!("/receipts/{reference}.receipt.json");
            let found = local.try_send(Method::GET, &path, Vec::new(), &[]).await;
            let (status, file) = found.expect("it lives");
            std::fs::write(&receipt, file).unwrap();
            // It verifies when both witnesses have cosigned.
            if status == StatusCode::OK && judge("verify", &receipt, &policy).status.success() {
                return Ok(());
            }
            Err(format!("no receipt yet: {status}"))
        },
    )
    .await;
    let places = local.run(&["evidence", "places", &reference, "customers"]);
    let places = String::from_utf8(places.stdout).unwrap();
    let place = places.lines().next().expect("a place");
    let opening = dir.path().join("opening.json");
    let (receipt, policy, opening) = (
        receipt.to_str().unwrap(),
        policy.to_str().unwrap(),
        opening.to_str().unwrap(),
    );
    let opened = local.run(&[
        "evidence",
        "open",
        receipt,
        "customers",
        place,
        "--policy",
        policy,
        "--out",
        opening,
    ]);
    let said = String::from_utf8_lossy(&opened.stderr);
    assert!(opened.status.success(), "{said}");
    let check = |opening: &str, place: &str| {
        dsr()
            .args(["evidence", "check", opening, "--receipt", receipt])
            .args(["--place", place, "--policy", policy])
            .output()
            .unwrap()
    };
    let right = check(opening, place);
    assert!(right.status.success(), "{right:?}");
    let other = place.replace('8', "9");
    let wrong = check(opening, &other);
    assert_eq!(wrong.status.code(), Some(6), "{wrong:?}");
    assert_eq!(check(opening, "no place").status.code(), Some(2));
    assert_eq!(check(receipt, place).status.code(), Some(6));
}
