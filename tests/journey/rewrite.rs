//! `dsr rewrite` as a person uses it, and as a person mistypes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use data_encoding::{BASE64, HEXUPPER};
use quittance_core::digest::Digest;
use serde_json::Value;

use crate::local::dsr;

/// A folder with rows, identifiers, and a place for the result.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new(rows: &[u8], ids: &str) -> Self {
        let desk = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::write(desk.at("rows.jsonl"), rows).unwrap();
        fs::write(desk.at("ids.txt"), ids).unwrap();
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn rewrite(&self, from: &str, to: &str, options: &[&str]) -> Output {
        dsr()
            .current_dir(self.dir.path())
            .args(["rewrite", from, to, "--ids", "ids.txt"])
            .args(options)
            .output()
            .unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn refused(output: &Output, code: i32, words: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
    assert!(output.stdout.is_empty());
}

const ROWS: &str = "{\"user\":{\"email\":\"Ann@Example.org\"},\"n\":1}\n\
                    {\"user\":{\"email\":\"bob@example.org\"},\"n\":2}\n";
const BY_EMAIL: [&str; 4] = ["--match", "user.email", "--normalise", "email"];

#[test]
fn the_figures_and_the_file_say_the_same() {
    let desk = Desk::new(
        ROWS.as_bytes(),
        "\u{feff}ann@example.org\r\n\n carl@example.org \n",
    );
    let output = desk.rewrite(
        "rows.jsonl",
        "rest.jsonl",
        &[&BY_EMAIL[..], &["--json"]].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rest = fs::read_to_string(desk.at("rest.jsonl")).unwrap();
    assert_eq!(rest, "{\"user\":{\"email\":\"bob@example.org\"},\"n\":2}\n");
    for (name, value) in [
        ("identifiers", 2),
        ("rows_before", 2),
        ("rows_after", 1),
        ("rows_matched", 1),
        ("bytes_in", ROWS.len()),
        ("bytes_out", rest.len()),
    ] {
        assert_eq!(figures[name], value, "{name}");
    }
    assert_eq!(
        (&figures["format"], &figures["compression"]),
        (&"jsonl".into(), &"none".into())
    );
    assert!(figures["cpu_seconds"].as_f64() >= figures["set_cpu_seconds"].as_f64());
    assert!(figures["peak_heap_bytes"].as_u64().unwrap() > 0);
    assert_eq!(fs::read_to_string(desk.at("rows.jsonl")).unwrap(), ROWS);
    assert_eq!(desk.names(), ["ids.txt", "rest.jsonl", "rows.jsonl"]);
}

#[test]
fn people_are_told_calmly() {
    let desk = Desk::new(ROWS.as_bytes(), "ann@example.org\n");
    let output = desk.rewrite("rows.jsonl", "rest.jsonl", &BY_EMAIL);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("rows         2 before, 1 after: 1 taken out"),
        "{text}"
    );
    assert!(text.ends_with("written to   rest.jsonl\n"), "{text}");
    let dry = dsr()
        .current_dir(desk.dir.path())
        .args(["rewrite", "rows.jsonl", "--dry-run", "--ids", "ids.txt"])
        .args(BY_EMAIL)
        .output()
        .unwrap();
    let text = String::from_utf8(dry.stdout).unwrap();
    assert!(
        text.contains("rows         2, 1 of them would be taken out"),
        "{text}"
    );
}

#[test]
fn either_side_may_be_hashed() {
    let hex = |text: &str| HEXUPPER.encode(Digest::of(text.as_bytes()).as_bytes());
    let base64 = |text: &str| BASE64.encode(Digest::of(text.as_bytes()).as_bytes());
    let hashed_rows = format!(
        "{{\"who\":\"{}\"}}\n{{\"who\":\"{}\"}}\n",
        base64("ann@example.org"),
        base64("bob@example.org")
    );
    for (rows, ids, field, options) in [
        (
            ROWS,
            hex("ann@example.org"),
            "user.email",
            &["--hash", "sha256-hex"][..],
        ),
        (
            &hashed_rows,
            "ANN@example.org".to_owned(),
            "who",
            &["--hash", "sha256-base64", "--hashed", "field"],
        ),
        (
            &hashed_rows,
            base64("ann@example.org"),
            "who",
            &["--hash", "sha256-base64", "--hashed", "both"],
        ),
    ] {
        let desk = Desk::new(rows.as_bytes(), &ids);
        let by = ["--match", field, "--normalise", "email", "--json"];
        let output = desk.rewrite("rows.jsonl", "rest.jsonl", &[&by[..], options].concat());
        assert!(output.status.success(), "{}", said(&output));
        let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(figures["rows_after"], 1);
        let rest = fs::read_to_string(desk.at("rest.jsonl")).unwrap();
        assert!(rows.ends_with(&rest), "the second row is left");
    }
}

#[test]
fn lines_that_are_no_identifiers_are_refused_or_left_out() {
    let ids = "ann@example.org\nnobody\n\nbob@\n\u{1}\n";
    let desk = Desk::new(ROWS.as_bytes(), ids);
    let output = desk.rewrite("rows.jsonl", "rest.jsonl", &BY_EMAIL);
    refused(&output, 2, "3 of 4 lines in ids.txt are no identifiers");
    assert!(
        said(&output).contains("line 2 is not an email address"),
        "{}",
        said(&output)
    );
    assert!(
        !said(&output).contains("nobody"),
        "what stands there is not repeated"
    );
    assert!(!desk.at("rest.jsonl").exists());
    let output = desk.rewrite(
        "rows.jsonl",
        "rest.jsonl",
        &[&BY_EMAIL[..], &["--skip-invalid"]].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("identifiers  1, 3 lines were none"), "{text}");
    fs::write(desk.at("ids.txt"), "\n \n").unwrap();
    refused(
        &desk.rewrite("rows.jsonl", "other.jsonl", &BY_EMAIL),
        2,
        "has no identifier",
    );
    fs::write(desk.at("ids.txt"), "xyz\n").unwrap();
    let hashed = [&BY_EMAIL[..], &["--hash", "sha256-hex"]].concat();
    refused(
        &desk.rewrite("rows.jsonl", "o", &hashed),
        2,
        "line 1 is not 64 hex digits",
    );
}

#[test]
fn nothing_is_overwritten_by_accident() {
    let desk = Desk::new(ROWS.as_bytes(), "ann@example.org\n");
    let same = desk.rewrite(
        "rows.jsonl",
        "./rows.jsonl",
        &[&BY_EMAIL[..], &["--force"]].concat(),
    );
    refused(&same, 2, "OUT and IN are the same file");
    fs::hard_link(desk.at("rows.jsonl"), desk.at("link")).unwrap();
    let linked = desk.rewrite(
        "rows.jsonl",
        "link",
        &[&BY_EMAIL[..], &["--force"]].concat(),
    );
    refused(&linked, 2, "OUT and IN are the same file");
    let ids = desk.rewrite(
        "rows.jsonl",
        "ids.txt",
        &[&BY_EMAIL[..], &["--force"]].concat(),
    );
    refused(&ids, 2, "OUT and --ids are the same file");
    fs::write(desk.at("rest.jsonl"), "precious").unwrap();
    refused(
        &desk.rewrite("rows.jsonl", "rest.jsonl", &BY_EMAIL),
        5,
        "--force",
    );
    assert_eq!(
        fs::read_to_string(desk.at("rest.jsonl")).unwrap(),
        "precious"
    );
    let forced = desk.rewrite(
        "rows.jsonl",
        "rest.jsonl",
        &[&BY_EMAIL[..], &["--force"]].concat(),
    );
    assert!(forced.status.success());
    assert_eq!(fs::read_to_string(desk.at("rows.jsonl")).unwrap(), ROWS);
    refused(
        &desk.rewrite("rows.jsonl", "nowhere/rest.jsonl", &BY_EMAIL),
        3,
        "nowhere",
    );
    refused(
        &desk.rewrite("rows.jsonl", ".", &BY_EMAIL),
        2,
        "is a folder",
    );
}

#[test]
fn what_cannot_be_rewritten_leaves_nothing_behind() {
    let desk = Desk::new(ROWS.as_bytes(), "ann@example.org\n");
    let put = |name: &str, bytes: &[u8]| fs::write(desk.at(name), bytes).unwrap();
    put("broken.jsonl", b"{\"n\":1}\nno row\n");
    put(
        "twice.jsonl",
        b"{\"user.email\":\"ann@example.org\",\"user.email\":\"b@example.org\"}",
    );
    put("cut.jsonl.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab]);
    put("rows.csv", b"email\nann@example.org\n");
    put(
        "hadoop.csv.snappy",
        b"\0\0\0\x0b\0\0\0\x0d\x0b\x28email\nann@e",
    );
    let before = desk.names();
    for (from, code, words) in [
        ("broken.jsonl", 1, "line 2 is not a JSON object"),
        ("twice.jsonl", 1, "line 1 has the key of user.email twice"),
        ("cut.jsonl.gz", 1, "ends too early"),
        ("rows.csv", 1, "line 1 has no column user.email"),
        ("hadoop.csv.snappy", 2, "not what its name says"),
        ("gone.jsonl", 3, "cannot read gone.jsonl"),
        (".", 1, "cannot read ."),
    ] {
        refused(&desk.rewrite(from, "rest", &BY_EMAIL), code, words);
        assert_eq!(desk.names(), before, "{from}");
    }
    put("named.jsonl.gz", ROWS.as_bytes());
    let named = desk.rewrite("named.jsonl.gz", "rest", &BY_EMAIL);
    refused(&named, 2, "--compression none");
    let plain = [&BY_EMAIL[..], &["--compression", "none"]].concat();
    assert!(
        desk.rewrite("named.jsonl.gz", "rest", &plain)
            .status
            .success()
    );
    let snappy = [&BY_EMAIL[..], &["--compression", "snappy"]].concat();
    let hadoop = desk.rewrite("hadoop.csv.snappy", "other", &snappy);
    refused(&hadoop, 1, "Hadoop's blocks");
    let unnamed = [&BY_EMAIL[..], &["--no-header"]].concat();
    let unnamed = desk.rewrite("rows.csv", "other", &unnamed);
    refused(&unnamed, 1, "can be no column of CSV");
    for (options, words) in [
        (&["--match", "a..b"][..], "write a path"),
        (&["--match", "a", "--no-header"], "say so: --format csv"),
        (&[], "--match"),
        (&["--match", "a", "--normalise", "loud"], "possible values"),
        (&["--match", "a", "--hashed", "field"], "--hash"),
        (
            &["--match", "a", "--region", "Germany"],
            "two capital letters",
        ),
    ] {
        refused(&desk.rewrite("rows.jsonl", "other", options), 2, words);
    }
    assert!(!desk.at("other").exists());
}

#[test]
fn csv_is_read_as_its_name_and_the_options_say() {
    let desk = Desk::new(ROWS.as_bytes(), "ann@example.org\n");
    for (name, rows, options, left) in [
        (
            "rows.csv",
            "n,user.email\r\n1,\"Ann@Example.org\"\r\n2,bob@example.org",
            &["--match", "user.email"][..],
            "n,user.email\r\n2,bob@example.org",
        ),
        (
            "rows.tsv",
            "n\tmail\n1\tann@example.org\n2\t\"bob\n\"\n",
            &["--match", "mail"],
            "n\tmail\n2\t\"bob\n\"\n",
        ),
        (
            "rows.txt",
            "1;ann@example.org\n2;bob@example.org\n",
            &[
                "--format",
                "csv",
                "--delimiter",
                ";",
                "--no-header",
                "--match",
                "2",
            ],
            "2;bob@example.org\n",
        ),
        (
            "rows.tsv",
            "1|ann@example.org\n",
            &[
                "--format",
                "csv",
                "--delimiter",
                "pipe",
                "--no-header",
                "--match",
                "2",
            ],
            "",
        ),
    ] {
        fs::write(desk.at(name), rows).unwrap();
        let options = [options, &["--normalise", "email", "--force", "--json"]].concat();
        let output = desk.rewrite(name, "rest", &options);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(fs::read_to_string(desk.at("rest")).unwrap(), left);
        let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&figures["format"], &figures["rows_matched"]),
            (&"csv".into(), &1.into())
        );
    }
}

#[test]
fn the_result_may_be_read_by_whoever_may_read_the_source() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(ROWS.as_bytes(), "ann@example.org\n");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(desk.at("rows.jsonl"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(
        desk.rewrite("rows.jsonl", "rest.jsonl", &BY_EMAIL)
            .status
            .success()
    );
    assert_eq!(mode(&desk.at("rest.jsonl")), 0o640);
}
