//! Whatever arrives: a clear answer, and nothing lost.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::local::{Local, dsr};

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one table of bad forms and their answers"
)]
async fn bad_forms_get_clear_answers() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let form = |right: &str, email: &str, token: &str| json!({ "right": right, "identifiers": { "email": email }, "client_token": token });
    let good = "bad-input-form-0001";
    let email = "luisg@embraer.com.br";

    let (status, answer) = local
        .post("/v1/requests", &form("erasure", email, good))
        .await
        .unwrap();
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["errors"][0]["field"], "right");
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("access, deletion, opt_out")
    );

    let (status, answer) = local
        .post("/v1/requests", &form("access", "no address", "x"))
        .await
        .unwrap();
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        answer["errors"].as_array().unwrap().len(),
        2,
        "all problems at once: {answer}"
    );
    assert!(
        !answer.to_string().contains("no address"),
        "what was typed is never repeated"
    );

    let claimed = json!({
        "right": "deletion", "client_token": good,
        "identifiers": { "email": email, "customer_id": "2" },
    });
    let (status, answer) = local.post("/v1/requests", &claimed).await.unwrap();
    assert_eq!(
        status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "an unproven id decides nothing: {answer}"
    );

    for (body, headers, expected) in [
        (vec![0x7b, 0xff, 0xfe], vec![], StatusCode::BAD_REQUEST),
        (b"{\"right\":".to_vec(), vec![], StatusCode::BAD_REQUEST),
        (
            b"{\"right\":\"access\",\"x\":1}".to_vec(),
            vec![],
            StatusCode::BAD_REQUEST,
        ),
        (
            vec![b' '; 10 * 1024 * 1024],
            vec![],
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            b"a=b".to_vec(),
            vec![("content-type", "text/plain")],
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let sent = local
            .try_send(Method::POST, "/v1/requests", body, &headers)
            .await;
        let (status, answer) = sent.unwrap();
        assert_eq!(status, expected);
        let problem: Value = serde_json::from_slice(&answer).unwrap();
        assert!(
            problem["title"].as_str().unwrap().ends_with('.'),
            "{problem}"
        );
    }

    let (status, first) = local
        .post("/v1/requests", &form("opt_out", email, good))
        .await
        .unwrap();
    assert_eq!(status, StatusCode::ACCEPTED);
    let (_, again) = local
        .post("/v1/requests", &form("opt_out", email, good))
        .await
        .unwrap();
    assert_eq!(
        first["reference"], again["reference"],
        "the same form makes one request"
    );
    let other = form("opt_out", "leonekohler@surfeu.de", good);
    let (status, _) = local.post("/v1/requests", &other).await.unwrap();
    assert_eq!(
        status,
        StatusCode::CONFLICT,
        "the same token with another body"
    );

    let reference = first["reference"].as_str().unwrap();
    let path = format!("/v1/requests/{reference}");
    let wrong = [("authorization", "Bearer 0000")];
    let unknown = "/v1/requests/DSR-0000-0000-0000-0";
    for path in [path.as_str(), unknown] {
        let (status, body) = local
            .try_send(Method::GET, path, Vec::new(), &wrong)
            .await
            .unwrap();
        assert_eq!(status, StatusCode::NOT_FOUND);
        let title = serde_json::from_slice::<Value>(&body).unwrap()["title"].clone();
        assert_eq!(title, "there is no request with this reference and secret");
    }
}

#[tokio::test]
async fn a_guessed_code_dies_after_five_tries() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let form = json!({
        "right": "access", "identifiers": { "email": "luisg@embraer.com.br" },
        "client_token": "guessing-form-0001",
    });
    let (_, answer) = local.post("/v1/requests", &form).await.unwrap();
    let reference = answer["reference"].as_str().unwrap().to_owned();
    let path = format!("/v1/requests/{reference}/confirmation");
    for left in [4, 3, 2, 1, 0] {
        let (status, answer) = local
            .post(&path, &json!({ "code": "0000-0000" }))
            .await
            .unwrap();
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(
            answer["title"]
                .as_str()
                .unwrap()
                .contains(&format!("{left} tries")),
            "{answer}"
        );
    }
    let code = local.code(&reference).unwrap();
    let (status, answer) = local.post(&path, &json!({ "code": code })).await.unwrap();
    assert_eq!(
        status,
        StatusCode::FORBIDDEN,
        "even the right code is dead now"
    );
    assert_eq!(answer["type"], "urn:quittance:problem:dead-code");
}

#[test]
fn a_wrong_data_map_is_told_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("map.yaml");
    for (from, to, said) in [
        (
            "dynamodb: { table: shop-reviews }",
            "redis: { table: x }",
            "line ",
        ),
        (
            "dynamodb: { table: shop-reviews }",
            "dynamodb: { table: [1] }",
            "expected",
        ),
        ("public_name: Reviews", "", "public_name"),
    ] {
        let map = include_str!("../../functions/cli/data/music-shop.yaml");
        std::fs::write(&file, map.replacen(from, to, 1)).unwrap();
        let output = dsr()
            .args(["data-map", "check"])
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("line ") && text.contains(said), "{text}");
    }
}
