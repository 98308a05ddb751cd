//! `dsr fsck` on the demo's log: damaged in every way, and served by somebody who lies.

use std::path::Path;

use http::StatusCode;
use serde_json::Value;

use crate::evidence::judge;

/// Damages a clean log in every way, one after the other.
pub(crate) fn damage_is_told(log: &Path, policy: &Path, tile: &Path) {
    let whole = std::fs::read(tile).unwrap();
    let name = tile.strip_prefix(log).unwrap().to_str().unwrap();
    let told = |kind: &str, path: &str, explanation: &str| {
        let judged = judge("fsck", log, policy);
        let said = String::from_utf8(judged.stdout).unwrap();
        assert_eq!(judged.status.code(), Some(6), "{said}");
        let said: Value = serde_json::from_str(&said).unwrap();
        let problems = said["problems"].as_array().unwrap();
        let is_told = problems.iter().any(|problem| {
            let text = |key: &str| problem[key].as_str().unwrap().to_owned();
            text("kind") == kind
                && text("path") == path
                && text("explanation").contains(explanation)
        });
        assert!(is_told, "{kind} {path} {explanation}: {problems:?}");
    };
    let mut bent = whole.clone();
    bent[0] ^= 1;
    std::fs::write(tile, bent).unwrap();
    told("differs", name, "hash 0 must be");
    std::fs::write(tile, &whole[1..]).unwrap();
    told("differs", name, "must have 480 bytes and has 479");
    let huge = std::fs::File::create(tile).unwrap();
    huge.set_len(1 << 40).unwrap();
    told("unreadable", name, "it is longer than");
    std::fs::remove_file(tile).unwrap();
    told("missing", name, "it holds 15 hashes");
    std::os::unix::fs::symlink(tile.file_name().unwrap(), tile).unwrap();
    told("unreadable", name, "symbolic links");
    std::fs::remove_file(tile).unwrap();
    std::fs::create_dir(tile).unwrap();
    told("unreadable", name, "not a plain file");
    std::fs::remove_dir(tile).unwrap();
    std::fs::write(tile, &whole).unwrap();

    for (path, bytes, kind) in [
        ("junk", &b"hi"[..], "unknown"),
        ("tile/0/000.p/13", b"garbage", "differs"),
        ("tile/entries/000.p/13", b"evil", "malformed"),
        ("tile/1/000.p/1", b"garbage", "ahead"),
        ("checkpoints/3", b"garbage", "malformed"),
    ] {
        let stray = log.join(path);
        std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
        std::fs::write(&stray, bytes).unwrap();
        told(kind, path, "");
        std::fs::remove_file(&stray).unwrap();
    }
    assert_eq!(
        judge("fsck", log, policy).status.code(),
        Some(0),
        "all is as it was"
    );

    let checkpoint = log.join("checkpoint");
    let note = std::fs::read(&checkpoint).unwrap();
    std::fs::remove_file(&checkpoint).unwrap();
    told("missing", "checkpoint", "missing");
    std::fs::write(&checkpoint, b"").unwrap();
    told("malformed", "checkpoint", "not a signed note");
    std::fs::write(&checkpoint, note).unwrap();

    // Without the last witness's line, the policy's two of two are not there.
    let note = std::fs::read_to_string(&checkpoint).unwrap();
    let (kept, _) = note.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(&checkpoint, format!("{kept}\n")).unwrap();
    told("quorum", "checkpoint", "too few");
    std::fs::write(&checkpoint, note).unwrap();
}

/// The same log at an address: clean, and not when a file there is another.
pub(crate) fn served_over_http_it_is_judged_the_same(log: &Path, policy: &Path) {
    let dir = log.to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = format!("http://{}/log", listener.local_addr().unwrap());
    let bent = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let liar = std::sync::Arc::clone(&bent);
    let router = axum::Router::new().fallback(move |uri: http::Uri| {
        let path = uri
            .path()
            .strip_prefix("/log/")
            .unwrap_or_default()
            .to_owned();
        let file = std::fs::read(dir.join(&path));
        let lies = *liar.lock().unwrap() == path;
        async move {
            match file {
                Ok(mut bytes) => {
                    if lies {
                        bytes[0] ^= 1;
                    }
                    Ok(bytes)
                }
                Err(_) => Err(StatusCode::NOT_FOUND),
            }
        }
    });
    runtime.spawn(async move { axum::serve(listener, router).await });
    let judged = |log: &str| judge("fsck", Path::new(log), policy);
    let there = judged(&address);
    let said: Value = serde_json::from_slice(&there.stdout).unwrap();
    assert_eq!(there.status.code(), Some(0), "{said}");
    let here: Value = serde_json::from_slice(&judge("fsck", log, policy).stdout).unwrap();
    assert_eq!(
        (&said["root"], &said["size"]),
        (&here["root"], &here["size"])
    );
    for path in ["tile/0/000.p/15", "tile/entries/000.p/15", "checkpoint"] {
        path.clone_into(&mut bent.lock().unwrap());
        let there = judged(&format!("{address}/"));
        assert_eq!(there.status.code(), Some(6), "{path}");
        let said: Value = serde_json::from_slice(&there.stdout).unwrap();
        assert_eq!(said["problems"][0]["path"], path, "{said}");
    }
    let nobody = judged("http://127.0.0.1:1/log");
    assert_eq!(nobody.status.code(), Some(6));
    let odd = judged("https://user:secret@example.test/log?x=1");
    assert_eq!(odd.status.code(), Some(2));
}
