//! `dsr witness`, as an auditor runs it: over a log's directory, and asked over HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use quittance_tlog::witness::AddCheckpoint;
use quittance_tlog::{
    Checkpoint, Ed25519Signer, KeyKind, Note, RightEdge, consistency_proof, integrate,
};

use crate::local::dsr;

/// A log of so many entries, of one of two histories that part after three.
struct Log {
    note: Note,
    tiles: BTreeMap<String, Vec<u8>>,
}

fn key() -> Ed25519Signer {
    Ed25519Signer::from_seed("log.test/dsr", KeyKind::Ed25519, &[1; 32]).unwrap()
}

fn log(size: u64, history: u8) -> Log {
    let entry = |n: u64| [&n.to_be_bytes()[..], &[if n < 3 { 0 } else { history }]].concat();
    let entries: Vec<Vec<u8>> = (0..size).map(entry).collect();
    let grown = integrate(&RightEdge::empty(), &entries).unwrap();
    let checkpoint = Checkpoint::new("log.test/dsr", size, grown.root).unwrap();
    Log {
        note: key().sign(checkpoint.to_note().unwrap()).unwrap(),
        tiles: grown.tiles,
    }
}

impl Log {
    fn put(&self, dir: &Path) -> PathBuf {
        let dir = dir.join("log");
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        let note = ("checkpoint".to_owned(), self.note.to_string().into_bytes());
        for (path, bytes) in self.tiles.clone().into_iter().chain([note]) {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn request(&self, old_size: u64) -> String {
        let size: u64 = self.note.text().lines().nth(1).unwrap().parse().unwrap();
        AddCheckpoint {
            old_size,
            proof: consistency_proof(size, old_size, &self.tiles).unwrap(),
            checkpoint: self.note.clone(),
        }
        .to_string()
    }
}

fn witness(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = dsr();
    command.args(["witness", "--name", "witness.test", "--state"]);
    command
        .arg(dir.join("state"))
        .args(arguments)
        .output()
        .unwrap()
}

fn policy(dir: &Path) -> PathBuf {
    let path = dir.join("policy");
    std::fs::write(&path, format!("log {}\nquorum none\n", key().verifier())).unwrap();
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_witness_cosigns_what_grows_and_never_two_histories() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let trusted = policy(dir);
    let cosign = |log: &Log| {
        let place = log.put(dir);
        let arguments = [
            "cosign",
            place.to_str().unwrap(),
            "--policy",
            trusted.to_str().unwrap(),
        ];
        witness(dir, &arguments)
    };
    for size in [3, 4, 4, 300] {
        let output = cosign(&log(size, 0));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{size}: {said}");
        // What it prints, in the checkpoint's place, meets a policy that asks for this witness.
        std::fs::write(dir.join("log/checkpoint"), &output.stdout).unwrap();
        let vkey = text(&witness(dir, &["key"]).stdout);
        let asks = format!("log {}\nwitness w {vkey}quorum w\n", key().verifier());
        let strict = dir.join("strict");
        std::fs::write(&strict, asks).unwrap();
        let mut fsck = dsr();
        fsck.arg("fsck")
            .arg(dir.join("log"))
            .arg("--policy")
            .arg(&strict);
        assert_eq!(fsck.output().unwrap().status.code(), Some(0), "{size}");
    }
    for (size, history, expected) in [
        (300, 1, "two histories"),
        (400, 1, "does not extend"),
        (299, 0, "the last checkpoint cosigned has 300"),
    ] {
        let output = cosign(&log(size, history));
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(6), String::new())
        );
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
    }
    // A log that is not what its checkpoint says is not cosigned, however well it is signed.
    let mut bent = log(301, 0);
    bent.tiles.values_mut().for_each(|tile| tile[9] ^= 1);
    let output = cosign(&bent);
    assert_eq!(output.status.code(), Some(6));
    assert!(text(&output.stderr).contains("not clean"));
    // A memory that is not its own is none.
    let memory = std::fs::read_dir(dir.join("state")).unwrap();
    let memory = memory.map(|entry| entry.unwrap().path());
    let memory = memory.filter(|path| path.extension().is_some_and(|end| end == "checkpoint"));
    for path in memory {
        std::fs::write(path, log(3, 0).note.to_string()).unwrap();
    }
    let output = cosign(&log(400, 0));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("retire this witness"));
}

/// A witness that listens, ended when dropped.
struct Serving {
    child: Child,
    address: String,
    vkey: String,
}

impl Serving {
    fn start(dir: &Path) -> Self {
        let mut command = dsr();
        command.args(["witness", "--name", "witness.test", "--state"]);
        command
            .arg(dir.join("state"))
            .args(["serve", "--listen", "127.0.0.1:0", "--policy"]);
        command
            .arg(policy(dir))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        let address = line().rsplit('/').next().unwrap().to_owned();
        Self {
            address,
            vkey: line(),
            child,
        }
    }

    /// Posts a body; returns the status, the headers and the body of the answer.
    fn post(&self, path: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    fn end(mut self) -> String {
        self.child.kill().unwrap();
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        self.child.wait().unwrap();
        said
    }
}

#[test]
fn a_witness_answers_logs_as_the_protocol_says() {
    let dir = tempfile::tempdir().unwrap();
    let serving = Serving::start(dir.path());
    let ask = |body: &str| serving.post("/add-checkpoint", body);
    let (status, _, lines) = ask(&log(3, 0).request(0));
    assert_eq!(status, 200, "{lines}");
    let cosigned = format!("{}{lines}", log(3, 0).note);
    let text = format!(
        "log {}\nwitness w {}\nquorum w\n",
        key().verifier(),
        serving.vkey
    );
    let policy = quittance_tlog::Policy::parse(&text).unwrap();
    let note = Note::parse(cosigned.as_bytes()).unwrap();
    assert!(policy.evaluate(&note).is_ok(), "{cosigned}");
    assert_eq!(lines.lines().count(), 1);
    assert_eq!(ask(&log(300, 0).request(3)).0, 200);
    // Asked again: the same tree, cosigned anew.
    assert_eq!(ask(&log(300, 0).request(300)).0, 200);
    for old in [0, 3] {
        let (status, head, body) = ask(&log(400, 0).request(old));
        assert_eq!((status, body.as_str()), (409, "300\n"));
        assert!(head.contains("content-type: text/x.tlog.size"), "{head}");
    }
    assert_eq!(ask(&log(300, 1).request(300)).0, 409);
    assert_eq!(ask(&log(400, 1).request(300)).0, 422);
    assert_eq!(
        ask(&log(400, 0).request(300).replace("log.test", "lag.test")).0,
        404
    );
    let forged = log(400, 0).request(300).replace("\n400\n", "\n401\n");
    assert_eq!(ask(&forged).0, 403);
    for nonsense in ["", "old 3\n\n", "hello"] {
        assert_eq!(ask(nonsense).0, 400, "{nonsense}");
    }
    assert_eq!(serving.post("/other", "").0, 404);
    let said = serving.end();
    assert_eq!(said.matches("ALARM").count(), 2, "{said}");
    // Killed and started again, it remembers.
    let again = Serving::start(dir.path());
    let (status, _, body) = again.post("/add-checkpoint", &log(3, 0).request(0));
    assert_eq!((status, body.as_str()), (409, "300\n"));
    again.end();
}
