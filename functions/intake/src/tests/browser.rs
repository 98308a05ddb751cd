//! A browser without JavaScript: it keeps cookies, follows redirects, and fills in forms.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use quittance_core::data_map::DataMap;
use quittance_core::digest::HmacKey;
use quittance_engine::intake::Intake;
use quittance_engine::keys::TagKeys;
use quittance_engine::memory::clock::MemoryClock;
use quittance_engine::memory::evidence::MemoryEvidence;
use quittance_engine::memory::faults::Faults;
use quittance_engine::memory::ledger::MemoryLedger;
use quittance_engine::memory::mailer::MemoryMailer;
use quittance_engine::memory::queues::MemoryQueues;
use quittance_engine::memory::vault::MemoryVault;
use quittance_engine::statement::Handler;
use tower::ServiceExt as _;

pub(super) const MAP: &str = "
version: 1
controller: { id: shop, name: The <b>Shop</b>, contact: privacy@shop.test, role: controller }
identifiers:
  email: { normalise: email }
  customer_id: { normalise: exact, asked: true }
stores:
  - id: customers
    public_name: Customer account
    dynamodb: { table: customers }
    find:
      - email: { index: by_email, key: email, coverage: complete }
      - customer_id: { key: pk }
    deletion: delete_item
    opt_out: { set: { do_not_sell: true } }
";

pub(super) const ADDRESS: &str = "ada@people.test";

/// The door, and what is behind it.
pub(super) struct World {
    pub(super) router: Router,
    pub(super) mailer: MemoryMailer,
    pub(super) clock: MemoryClock,
    pub(super) faults: Faults,
}

impl World {
    pub(super) fn new() -> Self {
        let faults = Faults::default();
        let now: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        let clock = MemoryClock::new(now, 1);
        let mailer = MemoryMailer::new(faults.clone());
        let intake = Intake {
            ledger: Arc::new(MemoryLedger::new(faults.clone())),
            deposit: Arc::new(MemoryVault::new(clock.clone(), faults.clone())),
            evidence: Arc::new(MemoryEvidence::new(faults.clone())),
            queues: Arc::new(MemoryQueues::new(faults.clone())),
            mailer: Arc::new(mailer.clone()),
            clock: Arc::new(clock.clone()),
            keys: TagKeys {
                subject: HmacKey::new([1; 32]),
                suppression: HmacKey::new([2; 32]),
            },
            key: HmacKey::new([3; 32]),
            map: Arc::new(DataMap::parse(MAP).unwrap()),
            default_regime: "eu_gdpr".to_owned(),
            handler: Handler {
                version: "0".to_owned(),
                artifact: None,
            },
        };
        Self {
            router: crate::router(intake),
            mailer,
            clock,
            faults,
        }
    }

    /// The newest code sent to the address.
    pub(super) fn code(&self) -> String {
        let mails = self.mailer.to(ADDRESS);
        let text = &mails.last().unwrap().text;
        let (_, rest) = text.split_once("Your code: ").unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The hidden fields of the form that goes to `action`.
    fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let start = format!("action=\"{action}\"");
        let (_, form) = self
            .text
            .split_once(&start)
            .unwrap_or_else(|| panic!("no form to {action}: {}", self.text));
        let (form, _) = form.split_once("</form>").unwrap();
        let inputs = form
            .split("<input ")
            .filter(|input| input.starts_with("type=\"hidden\""));
        inputs
            .map(|input| (value(input, "name"), value(input, "value")))
            .collect()
    }
}

fn value(input: &str, name: &str) -> String {
    let (_, rest) = input.split_once(&format!("{name}=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// A browser at the door.
#[derive(Default)]
pub(super) struct Browser {
    cookies: BTreeMap<String, String>,
    pub(super) loads: usize,
}

impl Browser {
    pub(super) async fn get(&mut self, world: &World, path: &str) -> Answer {
        self.ask(world, Method::GET, path, "", &[]).await
    }

    /// Fills in the form on a page, sends it, and follows the redirect.
    pub(super) async fn fill(
        &mut self,
        world: &World,
        page: &Answer,
        action: &str,
        typed: &[(&str, &str)],
    ) -> Answer {
        let answer = self.submit(world, page, action, typed).await;
        if answer.status == StatusCode::SEE_OTHER {
            let to = answer.header("location").to_owned();
            return self.get(world, &to).await;
        }
        answer
    }

    /// Fills in the form on a page and sends it.
    pub(super) async fn submit(
        &mut self,
        world: &World,
        page: &Answer,
        action: &str,
        typed: &[(&str, &str)],
    ) -> Answer {
        let mut fields = page.hidden(action);
        fields.extend(
            typed
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        );
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, text)| format!("{name}={}", text.replace('@', "%40").replace(' ', "+")))
            .collect();
        let site = [("sec-fetch-site", "same-origin"), ("origin", "null")];
        self.ask(world, Method::POST, action, &pairs.join("&"), &site)
            .await
    }

    pub(super) async fn ask(
        &mut self,
        world: &World,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header(header::HOST, "shop.test");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = world.send(request).await;
        if answer.status != StatusCode::SEE_OTHER {
            self.loads += 1;
        }
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            assert!(text.starts_with("__Host-"), "{text}");
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(text.contains(attribute), "{text}");
            }
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}
