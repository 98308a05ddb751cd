//! The directory of a `dsr local`: whose it is, who works on it, what becomes of its keys; and what
//! commands say when something is missing or cannot be written.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::local::{Local, dsr};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts `dsr local` where it must refuse to start.
fn refused(dir: &Path, options: &[&str], code: i32, words: &str) {
    let output = dsr()
        .args(["local", "--port", "0"])
        .args(options)
        .arg("--dir")
        .arg(dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    assert!(said(&output).contains(words), "{}", said(&output));
}

fn list(dir: &Path) -> Output {
    let mut command = dsr();
    command
        .args(["request", "list", "--json", "--dir"])
        .arg(dir);
    command.output().unwrap()
}

#[test]
fn only_its_own_directory_is_taken_or_reset() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs");
    fs::create_dir_all(theirs.join("keys")).unwrap();
    fs::write(theirs.join("keys/thesis.txt"), "years of work").unwrap();
    for options in [&[][..], &["--reset"]] {
        refused(&theirs, options, 5, "was not made by `dsr local`");
    }
    assert!(theirs.join("keys/thesis.txt").exists());
    assert_eq!(
        fs::read_dir(&theirs).unwrap().count(),
        1,
        "nothing was added"
    );
}

#[test]
fn one_process_works_on_a_directory_and_only_it_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let output = list(&state);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("start it with"), "{}", said(&output));
    assert!(!state.exists(), "looking makes nothing");

    let local = Local::start(folder.path());
    for options in [&[][..], &["--reset"]] {
        refused(&local.dir, options, 5, "another `dsr local` works on");
    }
    let output = list(&local.dir);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "[]");

    // Killed, it leaves its notice behind; whoever comes to its port later is not mistaken for it.
    local.kill();
    assert!(state.join("running.json").exists());
    let output = list(&state);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        said(&output).contains("is not running"),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn keys_are_never_made_anew_beside_old_state() {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::start(folder.path());
    let token = "home-journey-0000001";
    let asked = local.ask("luisg@embraer.com.br", "opt_out", token).await;
    asked.unwrap();
    let state = local.dir.clone();
    local.kill();
    for key in [
        "vault.key",
        "statement.pem",
        "log.pem",
        "tags.json",
        "intake.key",
    ] {
        let (file, aside) = (state.join("keys").join(key), folder.path().join(key));
        fs::rename(&file, &aside).unwrap();
        refused(&state, &[], 1, &format!("{key} is missing"));
        assert!(!file.exists(), "{key}");
        fs::rename(&aside, &file).unwrap();
    }
    let aside = folder.path().join("all");
    fs::rename(state.join("keys"), &aside).unwrap();
    refused(&state, &[], 1, "keys is missing");
    fs::rename(&aside, state.join("keys")).unwrap();

    let local = Local::start(folder.path());
    let output = list(&local.dir);
    let open: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let closed = local.run(&["request", "list", "--closed", "--json"]);
    let closed: serde_json::Value = serde_json::from_slice(&closed.stdout).unwrap();
    let count = |rows: &serde_json::Value| rows.as_array().unwrap().len();
    assert_eq!(count(&open) + count(&closed), 1, "{open} {closed}");
}

#[cfg(unix)]
#[test]
fn a_polite_end_takes_the_notice_away() {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::start(folder.path());
    let notice = local.dir.join("running.json");
    assert!(notice.exists());
    let status = local.terminate();
    assert!(status.success(), "{status}");
    assert!(!notice.exists());
}

#[test]
fn a_port_that_is_taken_is_told_with_its_number() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let start = |port: &str| {
        let mut command = dsr();
        command.args(["local", "--port", port, "--dir"]).arg(&state);
        command.output().unwrap()
    };
    let output = start(&port.to_string());
    assert_eq!(output.status.code(), Some(1));
    let words = format!("cannot listen on port {port}");
    assert!(said(&output).contains(&words), "{}", said(&output));
    assert_eq!(start("65535").status.code(), Some(2));
}

#[test]
fn what_cannot_be_written_is_a_failure() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = dsr()
        .args(["regime", "list"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cannot write to standard output"));

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let output = dsr()
        .args(["demo", "--out"])
        .arg(folder.path().join("file/below"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "told before the work, not after");
    assert!(said(&output).contains("cannot make"), "{}", said(&output));
}

#[tokio::test]
async fn staff_are_told_what_is_wrong_with_what_they_typed() {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::start(folder.path());
    let asked = local.ask("luisg@embraer.com.br", "deletion", "home-journey-0000002");
    let reference = asked.await.unwrap().reference;
    let attest = |by: &str, statement: &str| {
        let args = [
            "task",
            "attest",
            &reference,
            "crm",
            "--by",
            by,
            "--statement",
            statement,
        ];
        local.run(&args)
    };
    let cases = [
        (
            local.run(&["request", "deny", &reference, "--reason", "because"]),
            2,
            "must be one of",
        ),
        (
            local.run(&["task", "release", &reference, "No Store"]),
            2,
            "is no store id",
        ),
        (
            local.run(&["request", "retry", &reference]),
            5,
            "is not blocked",
        ),
        (
            local.run(&["request", "hold", "AAAA-BBBB"]),
            3,
            "there is no request",
        ),
        (attest(" ", "done"), 2, "--by must say something"),
        (
            attest("Sales lead", ""),
            2,
            "--statement must say something",
        ),
    ];
    for (output, code, words) in cases {
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    let held = local.run(&["request", "hold", &reference, "--json"]);
    let held: serde_json::Value = serde_json::from_slice(&held.stdout).unwrap();
    assert_eq!(held["request"]["held"], true, "{held}");
    let free = local.run(&["request", "release-hold", &reference, "--json"]);
    let free: serde_json::Value = serde_json::from_slice(&free.stdout).unwrap();
    assert_eq!(free["request"]["held"], false, "{free}");
}
