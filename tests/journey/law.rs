//! The law on the command line: the table, and the clock of a request.

use serde_json::Value;

use crate::local::{Local, dsr};

fn regime(args: &[&str]) -> (Option<i32>, String, String) {
    let output = dsr().arg("regime").args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_table_of_laws_is_printed_with_citation_and_confidence() {
    let (code, list, talk) = regime(&["list", "--right", "opt-out"]);
    assert_eq!(code, Some(0));
    let california = list.lines().find(|line| line.starts_with("us_ca_ccpa"));
    let california = california.unwrap();
    for part in ["opt_out", "15bd", "secondary", "11 CCR 7026(f)"] {
        assert!(california.contains(part), "{california}");
    }
    assert!(!list.contains("hk_pdpo"), "a law without this right");
    assert!(talk.contains("version 3, sha256 "), "{talk}");

    let (_, shown, _) = regime(&["show", "uk_gdpr"]);
    for part in [
        "from 2026-02-05",
        "to 2026-02-04",
        "clarification, identity",
        "next_working_day",
        "Art. 12A",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (_, shown, _) = regime(&["show", "mx_lfpdppp", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["regimes"][0]["confidence"], "unverified");
    assert_eq!(shown["regimes"][0]["respond"], "20bd");
    assert_eq!(shown["sha256"].as_str().unwrap().len(), 64);

    assert_eq!(regime(&["show", "atlantis"]).0, Some(3));
    let (code, _, talk) = regime(&["list", "--right", "erasure"]);
    assert_eq!(code, Some(1));
    assert!(talk.contains("access, deletion, opt_out"), "{talk}");
}

#[tokio::test]
async fn staff_move_the_clock_as_far_as_the_law_lets_them() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    // A copy of what a store outside AWS has to be attested first, so the request stays open.
    let asked = local
        .ask("luisg@embraer.com.br", "access", "law-journey-form-0001")
        .await
        .unwrap();
    let reference = asked.reference.as_str();
    let act = |args: &[&str]| {
        let output = local.run(&[&["request"], args].concat());
        let talk = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), talk)
    };
    let (code, talk) = act(&["pause", reference, "--reason", "identity"]);
    assert_eq!(code, Some(5), "the GDPR stops for nobody: {talk}");
    let (code, talk) = act(&["pause", reference, "--reason", "holiday"]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("clarification, identity"), "{talk}");
    assert_eq!(act(&["choose-regime", reference, "atlantis"]).0, Some(3));
    let (code, talk) = act(&["choose-regime", reference, "mx_lfpdppp"]);
    assert_eq!(code, Some(5));
    assert!(talk.contains("accept that explicitly"), "{talk}");
    for args in [
        &[
            "choose-regime",
            reference,
            "mx_lfpdppp",
            "--accept-unverified",
        ][..],
        &["choose-regime", reference, "uk_gdpr"],
        &["pause", reference, "--reason", "clarification"],
    ] {
        let (code, talk) = act(args);
        assert_eq!(code, Some(0), "{args:?}: {talk}");
    }
    let list = local.run(&["request", "list"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(
        list.contains("uk_gdpr") && list.contains("PAUSED"),
        "{list}"
    );
    assert_eq!(act(&["resume", reference]).0, Some(0));
    assert_eq!(act(&["resume", reference]).0, Some(5), "it runs already");
    let (code, talk) = act(&["extend", reference]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(talk.contains("tell the person, and why, by 20"), "{talk}");

    let shown = local.run(&["request", "show", reference, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["request"]["regime"], "uk_gdpr");
    assert_eq!(shown["dates"]["time_zone"], "Europe/London");
    assert_eq!(shown["dates"]["respond_by"], shown["request"]["due_at"]);
    assert_eq!(
        shown["dates"]["respond_by"], shown["dates"]["extendable_to"],
        "the extension was taken"
    );
}
