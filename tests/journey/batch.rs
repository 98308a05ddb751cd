//! A list of people at once: handed in by the command line, done, told, verified.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::local::{Local, customers, dsr, until};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn parsed(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn batch(local: &Local, args: &[&str]) -> Output {
    let mut command = dsr();
    command.arg("batch").args(args).arg("--dir").arg(&local.dir);
    command.output().unwrap()
}

async fn evidence(local: &Local, key: &str) -> Option<Vec<u8>> {
    let clients = quittance_aws::clients::Clients::local(&local.endpoint).await;
    let get = clients.s3().get_object();
    let got = get
        .bucket("quittance-evidence")
        .key(key)
        .send()
        .await
        .ok()?;
    Some(got.body.collect().await.ok()?.into_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_list_becomes_one_request_with_one_receipt_and_an_outcome_for_each() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let people = customers();
    let email = |n: usize| people[n]["email"].as_str().unwrap();

    // Mistakes come back line by line, and nothing is handed in.
    let wrong = dir.path().join("wrong.csv");
    fs::write(
        &wrong,
        "id,email,shoe_size\nA,not an address,\nB,,43\nC,x@y.test\n",
    )
    .unwrap();
    let refused = batch(
        &local,
        &["submit", wrong.to_str().unwrap(), "--right", "deletion"],
    );
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("line 4"), "{}", said(&refused));
    fs::write(&wrong, "id,email,shoe_size\nA,not an address,\nB,,43\n").unwrap();
    let refused = batch(
        &local,
        &["submit", wrong.to_str().unwrap(), "--right", "deletion"],
    );
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    for part in ["line 2, email", "line 3, shoe_size", "the data map knows"] {
        assert!(said(&refused).contains(part), "{part}: {}", said(&refused));
    }
    assert!(!said(&refused).contains("not an address"));

    let list = dir.path().join("list.csv");
    let mut text = String::from("\u{feff}id,email\n");
    for n in 30..55 {
        writeln!(text, "=P-{n},{}", email(n)).unwrap();
    }
    fs::write(&list, &text).unwrap();
    let list = list.to_str().unwrap();
    let dry = parsed(&batch(
        &local,
        &["submit", list, "--right", "deletion", "--dry-run", "--json"],
    ));
    assert_eq!(dry["members"], 25);
    let submitted = parsed(&batch(
        &local,
        &["submit", list, "--right", "deletion", "--json"],
    ));
    assert_eq!(submitted["stage"], "accepted");
    let reference = submitted["reference"].as_str().unwrap().to_owned();
    let again = parsed(&batch(
        &local,
        &["submit", list, "--right", "deletion", "--json"],
    ));
    assert_eq!(again["reference"], submitted["reference"], "the same file");

    let open = batch(&local, &["outcomes", &reference]);
    assert_eq!(open.status.code(), Some(7), "{}", said(&open));
    local.attest(&reference);

    // A second list, as JSON Lines, opts people out.
    let second = dir.path().join("list.ndjson");
    let lines: Vec<String> = (0..5)
        .map(|n| format!("{{\"id\": {n}, \"email\": \"{}\"}}", email(n)))
        .collect();
    fs::write(&second, lines.join("\n")).unwrap();
    let second = second.to_str().unwrap();
    let out = parsed(&batch(
        &local,
        &["submit", second, "--right", "opt-out", "--json"],
    ));
    let out = out["reference"].as_str().unwrap().to_owned();

    for reference in [&reference, &out] {
        until(Duration::from_mins(10), Duration::from_secs(1), || async {
            let standing = parsed(&batch(&local, &["show", reference, "--json"]));
            if standing["stage"] == "closed" {
                Ok(())
            } else {
                Err(standing.to_string())
            }
        })
        .await;
    }
    let standing = parsed(&batch(&local, &["show", &reference, "--json"]));
    assert_eq!(standing["outcome"], "completed", "{standing}");
    assert_eq!(standing["completed"], 25);

    let told = batch(&local, &["outcomes", &reference]);
    assert!(told.status.success(), "{}", said(&told));
    let told = String::from_utf8(told.stdout).unwrap();
    let rows: Vec<&str> = told.lines().collect();
    assert_eq!(rows.len(), 26);
    // What a spreadsheet would run is told as text.
    assert!(rows[1].starts_with("'=P-30,DSR-"), "{}", rows[1]);
    assert!(
        rows.iter().skip(1).all(|row| row.contains(",completed,")),
        "{told}"
    );
    let told = batch(&local, &["outcomes", &out, "--json"]);
    let first: Value =
        serde_json::from_slice(told.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(first["label"], "0");

    // The receipts verify offline, and say how many.
    let policy = dir.path().join("policy");
    fs::write(&policy, local.run(&["policy"]).stdout).unwrap();
    let file = dir.path().join("receipt.json");
    let key = format!("witnessed/{reference}.receipt.json");
    until(Duration::from_mins(2), Duration::from_secs(1), || async {
        let receipt = evidence(&local, &key).await.ok_or("no receipt yet")?;
        fs::write(&file, receipt).map_err(|error| error.to_string())
    })
    .await;
    let mut verify = dsr();
    verify
        .arg("verify")
        .arg(&file)
        .arg("--policy")
        .arg(&policy)
        .arg("--json");
    let report = parsed(&verify.output().unwrap());
    assert_eq!(report["summary"]["members"], 25, "{report}");

    let row: Vec<&str> = rows[1].split(',').collect();
    one_members_thing_is_opened(&local, row[1], &reference, &file, &policy);

    // Nobody of the list is left in the shop's tables.
    let left = format!("{:?}", local.items("shop-customers").await);
    for n in 30..55 {
        assert!(!left.contains(email(n)), "customer {n}");
    }
    assert!(left.contains(email(29)) && left.contains(email(55)));

    // Members are requests of their own, and not listed unless asked for.
    let listed = parsed(&local.run(&["request", "list", "--closed", "--json"]));
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let all = parsed(&local.run(&["request", "list", "--closed", "--members", "--json"]));
    assert_eq!(all.as_array().unwrap().len(), 2 + 25 + 5);
}

/// Of everything that the batch's receipt counts, one member's thing is shown, and nobody else's.
fn one_members_thing_is_opened(
    local: &Local,
    member: &str,
    batch: &str,
    receipt: &Path,
    policy: &Path,
) {
    let places = local.run(&["evidence", "places", member, "customers"]);
    let places = String::from_utf8(places.stdout).unwrap();
    let place = places.lines().next().unwrap();
    let opening = receipt.with_file_name("opening.json");
    let [receipt, policy, opening] = [receipt, policy, &opening].map(|path| path.to_str().unwrap());
    let open = |whose: &[&str]| {
        let mut args = vec!["evidence", "open", receipt, "customers", place];
        args.extend(["--policy", policy, "--out", opening]);
        args.extend(whose);
        local.run(&args)
    };
    let unnamed = open(&[]);
    assert!(!unnamed.status.success());
    assert!(
        said(&unnamed).contains("name the member"),
        "{}",
        said(&unnamed)
    );
    let stranger = open(&["--member", batch]);
    assert!(
        said(&stranger).contains("no member of this batch"),
        "{}",
        said(&stranger)
    );
    let opened = open(&["--member", member]);
    assert!(opened.status.success(), "{}", said(&opened));
    let check = |place: &str| {
        let mut command = dsr();
        command.args(["evidence", "check", opening, "--receipt", receipt]);
        command.args(["--place", place, "--policy", policy]);
        command.output().unwrap().status.code()
    };
    assert_eq!(check(place), Some(0));
    assert_eq!(check(&place.replace("\"}", "9\"}")), Some(6));
}
