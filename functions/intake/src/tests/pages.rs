use std::time::Instant;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use jiff::SignedDuration;
use quittance_engine::memory::faults::Injection;

use super::browser::{ADDRESS, Answer, Browser, World};

#[tokio::test]
async fn opting_out_comes_first_and_takes_two_page_loads() {
    let world = World::new();
    let mut browser = Browser::default();
    let start = browser.get(&world, "/").await;
    let at = |text: &str| start.text.find(text).unwrap();
    assert!(at("href=\"/opt-out\"") < at("href=\"/access\""));
    assert_eq!(
        start.text.matches("<a class=\"button\"").count(),
        3,
        "equal weight"
    );

    browser.loads = 0;
    let form = browser.get(&world, "/opt-out").await;
    let done = browser
        .fill(&world, &form, "/opt-out", &[("email", ADDRESS)])
        .await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.text.contains("We have your request"), "{}", done.text);
    assert!(
        done.text.contains("23 December 2026, 22:59 UTC"),
        "{}",
        done.text
    );
    assert_eq!(browser.loads, 2);
    assert_eq!(world.mailer.to(ADDRESS).len(), 0, "no proof is asked for");
}

#[tokio::test]
async fn a_copy_is_asked_for_confirmed_seen_and_withdrawn() {
    let world = World::new();
    let mut browser = Browser::default();
    let form = browser.get(&world, "/access").await;
    let code_page = browser
        .fill(&world, &form, "/access", &[("email", ADDRESS)])
        .await;
    assert!(code_page.text.contains("autocomplete=\"one-time-code\""));
    let reference = reference(&code_page);
    let at = format!("/requests/{reference}");

    let action = format!("{at}/code");
    let wrong = browser
        .fill(&world, &code_page, &action, &[("code", "0000-0000")])
        .await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(wrong.text.contains("4 more times"), "{}", wrong.text);
    assert!(wrong.text.contains("<title>Error: "), "{}", wrong.text);
    let typed = world.code().to_lowercase().replace('-', " ");
    let received = browser
        .fill(&world, &wrong, &action, &[("code", &typed)])
        .await;
    assert!(
        received.text.contains("We have your request"),
        "{}",
        received.text
    );

    let status = browser.get(&world, &at).await;
    assert!(
        status.text.contains("We are working on your request"),
        "{}",
        status.text
    );
    let question = browser.get(&world, &format!("{at}/withdraw")).await;
    let action = format!("{at}/withdraw");
    let withdrawn = browser.fill(&world, &question, &action, &[]).await;
    assert!(withdrawn.text.contains("You have withdrawn this request"));

    let forgotten = browser.fill(&world, &withdrawn, "/forget", &[]).await;
    assert!(forgotten.text.contains("What do you want us to do"));
    let gone = browser.ask(&world, Method::GET, &at, "", &[]).await;
    assert_eq!(gone.header("location"), format!("/status?{reference}"));
}

#[tokio::test]
async fn whoever_comes_back_proves_the_mailbox_and_sees_the_request() {
    let world = World::new();
    let mut browser = Browser::default();
    let form = browser.get(&world, "/opt-out").await;
    let done = browser
        .fill(&world, &form, "/opt-out", &[("email", ADDRESS)])
        .await;
    let reference = reference(&done);

    let mut other = Browser::default();
    let find = other.get(&world, "/status").await;
    let typed = [("reference", reference.as_str()), ("email", ADDRESS)];
    let code_page = other.fill(&world, &find, "/status", &typed).await;
    let action = format!("/requests/{reference}/code");
    let code = world.code();
    let status = other
        .fill(&world, &code_page, &action, &[("code", &code)])
        .await;
    assert!(
        status.text.contains("We are working on your request"),
        "{}",
        status.text
    );
    world.clock.advance(SignedDuration::from_mins(31));
    let later = other
        .ask(
            &world,
            Method::GET,
            &format!("/requests/{reference}"),
            "",
            &[],
        )
        .await;
    assert_eq!(later.status, StatusCode::SEE_OTHER, "a pass ends");
}

#[tokio::test]
async fn a_code_goes_to_the_requests_own_mailbox_and_the_answer_never_tells() {
    let world = World::new();
    let mut browser = Browser::default();
    let form = browser.get(&world, "/opt-out").await;
    let done = browser
        .fill(&world, &form, "/opt-out", &[("email", ADDRESS)])
        .await;
    let reference = reference(&done);
    let find = browser.get(&world, "/status").await;
    let mut answers = Vec::new();
    for (reference, email) in [
        (reference.as_str(), ADDRESS),
        (reference.as_str(), "eve@people.test"),
        ("DSR-0000-0000-0000-0", "eve@people.test"),
    ] {
        let began = Instant::now();
        let typed = [("reference", reference), ("email", email)];
        let page = browser.fill(&world, &find, "/status", &typed).await;
        assert!(began.elapsed() >= crate::ANSWER_ABOUT_CODES);
        assert_eq!(page.status, StatusCode::OK);
        answers.push(without_tokens(&page.text).replace(reference, "REFERENCE"));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(world.mailer.to(ADDRESS).len(), 1);
    assert_eq!(world.mailer.to("eve@people.test").len(), 0);
}

#[tokio::test]
async fn a_mail_that_fails_is_not_told_to_whoever_guesses() {
    let world = World::new();
    let mut browser = Browser::default();
    let form = browser.get(&world, "/opt-out").await;
    let done = browser
        .fill(&world, &form, "/opt-out", &[("email", ADDRESS)])
        .await;
    let reference = reference(&done);
    let find = browser.get(&world, "/status").await;
    world.faults.follow(|call| {
        if call.name.starts_with("mailer") {
            Injection::FailBefore
        } else {
            Injection::None
        }
    });
    let typed = [("reference", reference.as_str()), ("email", ADDRESS)];
    let page = browser.fill(&world, &find, "/status", &typed).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(world.mailer.to(ADDRESS).len(), 0);
}

#[tokio::test]
async fn what_is_wrong_is_said_on_top_and_at_its_field() {
    let world = World::new();
    let mut browser = Browser::default();
    for (path, typed, said) in [
        ("/access", "", "Enter your email address."),
        (
            "/access",
            "nobody",
            "Check your email address: it is not an email address such as",
        ),
        (
            "/deletion",
            "<script>@x",
            "Check your email address: it is not an email address such as",
        ),
        ("/opt-out", "", "Give at least one of: customer_id, email."),
    ] {
        let form = browser.get(&world, path).await;
        let page = browser.fill(&world, &form, path, &[("email", typed)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            page.text.matches(said).count(),
            2,
            "{path} {typed}: {}",
            page.text
        );
        assert!(page.text.contains("<a href=\"#") && page.text.contains("aria-invalid=\"true\""));
        assert!(page.text.contains("<title>Error: "));
        assert!(!page.text.contains("<script"), "{}", page.text);
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let world = World::new();
    let mut browser = Browser::default();
    let form = browser.get(&world, "/access").await;
    let body = format!("client_token=0123456789abcdef&email={ADDRESS}");
    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("origin", "https://evil.test")],
        vec![("sec-fetch-site", "same-origin")],
    ] {
        let refused = browser
            .ask(&world, Method::POST, "/access", &body, &headers)
            .await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(
            refused.text.contains("Nothing was done."),
            "{}",
            refused.text
        );
    }
    let mut stranger = Browser::default();
    let stolen = stranger
        .fill(&world, &form, "/access", &[("email", ADDRESS)])
        .await;
    assert_eq!(
        stolen.status,
        StatusCode::FORBIDDEN,
        "a token without its cookie"
    );
    assert_eq!(world.mailer.to(ADDRESS).len(), 0);
}

#[tokio::test]
async fn global_privacy_control_is_heard() {
    let world = World::new();
    let mut browser = Browser::default();
    let quiet = browser.get(&world, "/opt-out").await;
    assert!(!quiet.text.contains("Global Privacy Control"));
    let signal = [("sec-gpc", "1")];
    let heard = browser
        .ask(&world, Method::GET, "/opt-out", "", &signal)
        .await;
    assert!(
        heard
            .text
            .contains("Opt-out request honoured: Global Privacy Control")
    );
    let told = browser.get(&world, "/.well-known/gpc.json").await;
    let told: serde_json::Value = serde_json::from_str(&told.text).unwrap();
    assert_eq!(told["gpc"], true);
}

#[tokio::test]
async fn every_answer_is_guarded_and_every_error_is_a_page() {
    let world = World::new();
    let long = "x=".to_owned() + &"y".repeat(20_000);
    let long = long.as_str();
    for (method, path, body, status) in [
        (Method::GET, "/", "", 200),
        (Method::HEAD, "/", "", 200),
        (Method::GET, "/nowhere", "", 404),
        (Method::GET, "/requests/rubbish", "", 404),
        (Method::DELETE, "/access", "", 405),
        (Method::POST, "/access", long, 413),
        (Method::POST, "/access", "", 415),
        (Method::GET, "/v1/requests/x%FF", "", 400),
        (Method::GET, "/v1/requests/x", "", 401),
    ] {
        let mut browser = Browser::default();
        let answer = browser.ask(&world, method.clone(), path, body, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        if method != Method::HEAD {
            assert!(
                answer.text.contains("<html lang=\"en\">"),
                "{path}: {}",
                answer.text
            );
            assert!(!answer.text.contains("<b>Shop</b>"), "escaped");
            assert!(!answer.text.contains("style=\"") && !answer.text.contains("<script"));
        }
        if status == 405 {
            assert!(
                answer.header("allow").contains("POST"),
                "{:?}",
                answer.headers
            );
        }
    }
    // A program gets the same as JSON.
    let request = Request::get("/nowhere").body(Body::empty()).unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let style = world
        .send(Request::get("/style.css").body(Body::empty()).unwrap())
        .await;
    assert_eq!(style.header("cache-control"), "public, max-age=3600");
}

#[tokio::test]
async fn a_fault_of_ours_is_a_page_that_says_when_to_try_again() {
    let world = World::new();
    let mut browser = Browser::default();
    let form = browser.get(&world, "/opt-out").await;
    world.faults.follow(|_| Injection::FailBefore);
    let page = browser
        .fill(&world, &form, "/opt-out", &[("email", ADDRESS)])
        .await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text.contains("Nothing is lost"));
    assert!(page.headers.contains_key(header::RETRY_AFTER));
    world.faults.calm();
    let done = browser
        .fill(&world, &form, "/opt-out", &[("email", ADDRESS)])
        .await;
    assert!(
        done.text.contains("We have your request"),
        "the same form goes through"
    );
}

/// Nothing is chosen for people, nobody is shamed, nothing is said twice over with a "not".
#[test]
fn no_page_has_a_dark_pattern() {
    let pages = [
        include_str!("../../templates/start.html"),
        include_str!("../../templates/form.html"),
        include_str!("../../templates/code.html"),
        include_str!("../../templates/find.html"),
        include_str!("../../templates/received.html"),
        include_str!("../../templates/status.html"),
        include_str!("../../templates/withdraw.html"),
        include_str!("../pages/words.rs"),
    ];
    for page in pages {
        assert_eq!(dark(page), Vec::<&str>::new());
    }
    assert_eq!(
        dark("<input checked> Are you sure? No thanks, I do not want to not share"),
        [
            " checked",
            "are you sure",
            "no thanks",
            "do not want to not"
        ]
    );
}

fn dark(page: &str) -> Vec<&'static str> {
    let text = page.to_lowercase();
    let words = [
        " checked",
        "are you sure",
        "no thanks",
        "ask me later",
        "maybe later",
        "do not want to not",
        "don't not",
        "you will lose",
        "you'll miss",
        "sorry to see you go",
    ];
    words
        .into_iter()
        .filter(|word| text.contains(word))
        .collect()
}

fn reference(page: &Answer) -> String {
    let at = page
        .text
        .find("DSR-")
        .unwrap_or_else(|| panic!("no reference: {}", page.text));
    page.text[at..at + 20].to_owned()
}

fn without_tokens(page: &str) -> String {
    let lines = page.lines().filter(|line| !line.contains("form_token"));
    lines.collect::<Vec<_>>().join("\n")
}
