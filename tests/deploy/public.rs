//! What anybody may read, through the API: the same bytes that lie in the buckets, and nothing else of them.

use http::{Method, StatusCode};

use crate::ORIGIN;
use crate::people::Asked;
use crate::stack::{Stack, put};

/// Reads receipts, the log, the policy and the page about them as a stranger would.
pub(crate) async fn anybody_may_read(stack: &Stack, closed: &[&Asked]) {
    let policy = stack.dsr(&["policy"]).await;
    let log = &stack.physical["Log"];
    put(&stack.clients, log, "policy", policy.clone().into()).await;
    assert_eq!(read(stack, "/policy").await, policy.as_bytes());
    let page = String::from_utf8(read(stack, "/evidence").await).unwrap();
    assert!(page.contains("For regulators and auditors"), "{page}");
    for asked in closed {
        let stored = stack.receipt(&asked.reference).await;
        let path = format!("/receipts/{}.receipt.json", asked.reference);
        assert_eq!(read(stack, &path).await, stored, "{path}");
    }
    let checkpoint = read(stack, "/log/checkpoint").await;
    assert!(checkpoint.starts_with(ORIGIN.as_bytes()));
    let s3 = &stack.clients.s3();
    let listed = s3.list_objects_v2().bucket(log).prefix("tile/").send();
    let listed = listed.await.unwrap();
    assert!(!listed.contents().is_empty(), "a log without tiles");
    for object in listed.contents() {
        let key = object.key().unwrap();
        let stored = s3.get_object().bucket(log).key(key).send().await.unwrap();
        let stored = stored.body.collect().await.unwrap().to_vec();
        assert_eq!(read(stack, &format!("/log/{key}")).await, stored, "{key}");
    }
    put(&stack.clients, log, "staging/secret", b"no".to_vec()).await;
    for path in [
        "/log/staging/secret",
        "/log/policy",
        "/log/tile/",
        "/log/tile/..%2Fstaging/secret",
        "/receipts/nobody.receipt.json",
        "/receipts/..%2Fstatements%2Fx.receipt.json",
    ] {
        let door = stack.door(path);
        let (status, _) = stack.http.call(Method::GET, &door, None, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND.as_u16(), "{path}");
    }
}

async fn read(stack: &Stack, path: &str) -> Vec<u8> {
    let door = stack.door(path);
    let (status, body) = stack.http.call(Method::GET, &door, None, None).await;
    assert_eq!(status, 200, "{path}: {body:?}");
    body.to_vec()
}
