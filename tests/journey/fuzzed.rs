//! The JSON API against its own description: Schemathesis sends what the description allows and what
//! it forbids, and every answer must be one that the description names.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::local::{Asked, Local, tool};

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long to look is no setting of the product"
)]
async fn whatever_is_sent_is_answered_as_described() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let least: usize =
        std::env::var("QUITTANCE_SCHEMATHESIS_CASES").map_or(300, |text| text.parse().unwrap());
    let rules = include_str!("schemathesis.toml");
    let known = local
        .ask(
            "leonekohler@surfeu.de",
            "opt_out",
            "schemathesis-knows-this-1",
        )
        .await
        .unwrap();
    // Three at once, one worker each: with threads the interpreter under it fails now and then.
    // No other answer leads to one about codes, so nothing follows from it.
    let code_asked = [
        "--include-operation-id",
        "sendCode",
        "--phases",
        "examples,coverage,fuzzing",
    ];
    let code_asked_not = ["--exclude-operation-id", "sendCode"];
    let config = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let stranger = config("stranger.toml", rules);
    let person = config("person.toml", &format!("{}\n{rules}", secrets(&known)));
    let runs = [
        schemathesis(&local, &stranger, least / 12, &code_asked_not),
        schemathesis(&local, &person, least / 12, &code_asked_not),
        // Each of these takes a second, as it must.
        schemathesis(&local, &stranger, least / 60, &code_asked),
    ];
    let mut cases = 0;
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        println!("{said}");
        cases += count(&said);
    }
    println!("{cases} cases, no answer that is not described");
    assert!(cases >= least, "only {cases} cases");
    let log = std::fs::read_to_string(&local.log).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

/// Lets Schemathesis know a request and its secret, so that it gets beyond "there is no such".
fn secrets(asked: &Asked) -> String {
    format!(
        "[parameters]\n\"path.reference\" = \"{}\"\n[auth.openapi.statusToken]\nbearer = \"{}\"\n",
        asked.reference, asked.secret
    )
}

fn schemathesis(local: &Local, config: &Path, examples: usize, which: &[&str]) -> Child {
    Command::new(tool("QUITTANCE_SCHEMATHESIS"))
        .current_dir(config.parent().unwrap())
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(format!("{}/openapi.json", local.api))
        .args([
            "--seed",
            "1",
            "--workers",
            "1",
            "--no-color",
            "--continue-on-failure",
        ])
        .args(["--max-examples", &examples.max(1).to_string()])
        .args(which)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads how many cases were sent: `Test cases:`, and on the next line `1,234 generated`.
fn count(said: &str) -> usize {
    let (_, rest) = said
        .split_once("Test cases:")
        .unwrap_or_else(|| panic!("no count: {said}"));
    let number = rest.split_whitespace().next().unwrap_or_default();
    let number = number.replace(',', "");
    number
        .parse()
        .unwrap_or_else(|_| panic!("no count: {said}"))
}
