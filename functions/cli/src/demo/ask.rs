//! Six people and their requests: submitted, confirmed, followed to the end.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use quittance_core::id::{RequestId, StoreId};
use quittance_core::request::{Right, Stage};
use quittance_engine::desk::DeskError;
use quittance_engine::intake::find_request;
use quittance_engine::ports::Ledger;
use quittance_engine::reading;
use serde_json::{Value, json};

use super::api::Api;
use super::tell;
use crate::company::Company;
use crate::printing::Failure;
use crate::shop::Customer;
use crate::support;

/// What somebody asks for.
pub(super) struct Ask {
    pub(super) customer: Customer,
    pub(super) right: Right,
}

/// A request that is under way, or done.
pub(super) struct Asked {
    pub(super) customer: Customer,
    pub(super) right: Right,
    pub(super) id: RequestId,
    pub(super) reference: String,
    secret: String,
}

/// Chooses who asks for what. One person asks for a copy and then for deletion: the copy goes first.
pub(super) fn people(customers: &[Customer]) -> Vec<Ask> {
    let plan = [
        (1, Right::Access),
        (2, Right::Access),
        (2, Right::Deletion),
        (3, Right::Deletion),
        (4, Right::Deletion),
        (5, Right::OptOut),
        (6, Right::OptOut),
    ];
    let found = plan.into_iter().filter_map(|(id, right)| {
        let customer = customers.iter().find(|customer| customer.id == id)?;
        Some(Ask::of(customer, right))
    });
    found.collect()
}

/// Submits everything at once and follows it until every receipt is stored.
pub(super) async fn all(
    company: &Company,
    api: &Api,
    asks: Vec<Ask>,
) -> Result<Vec<Asked>, Failure> {
    // The copy is asked for before the deletion: the order of acceptance counts.
    let (copies, others): (Vec<Ask>, Vec<Ask>) =
        asks.into_iter().partition(|ask| ask.right == Right::Access);
    let mut asked = try_join_all(copies.iter().map(|ask| submit(company, api, ask))).await?;
    asked.extend(try_join_all(others.iter().map(|ask| submit(company, api, ask))).await?);
    tell::following();
    let bars = MultiProgress::new();
    let followed = asked
        .iter()
        .map(|asked| follow(company, api, asked, bars.add(bar(asked))));
    try_join_all(followed).await?;
    Ok(asked)
}

async fn submit(company: &Company, api: &Api, ask: &Ask) -> Result<Asked, Failure> {
    let email = &ask.customer.email;
    let form = json!({
        "right": ask.right.name(),
        "identifiers": { "email": email },
        "client_token": format!("demo-form-{}-{}-000000", ask.customer.id, ask.right),
        "regime": regime(&ask.customer),
    });
    let answer = api.post("/v1/requests", &form).await?;
    let reference = text(&answer, "reference")?;
    if ask.right.needs_proof() {
        let code = code_from_mailbox(company, &reference, 1)?;
        let path = format!("/v1/requests/{reference}/confirmation");
        api.post(&path, &json!({ "code": code })).await?;
    }
    let ledger = company.adapters.ledger()?;
    let (request, _) = find_request(&ledger, &reference).await?;
    Ok(Asked {
        customer: ask.customer.clone(),
        right: ask.right,
        id: request.id,
        secret: text(&answer, "status_token")?,
        reference,
    })
}

/// Watches one request through the status API; the sales team attests when it is asked to.
async fn follow(
    company: &Company,
    api: &Api,
    asked: &Asked,
    bar: ProgressBar,
) -> Result<(), Failure> {
    let ledger: Arc<dyn Ledger> = Arc::new(company.adapters.ledger()?);
    let desk = support::desk(&company.adapters, &ledger)?;
    let crm = StoreId::parse("crm").ok_or_else(|| Failure::failed("a store without an id"))?;
    let mut seen = String::new();
    for _ in 0..PATIENCE {
        let path = format!("/v1/requests/{}", asked.reference);
        let status = api.get(&path, &asked.secret).await?;
        let stage = text(&status, "stage")?;
        if stage != seen {
            bar.set_position(position(&stage));
            bar.set_message(stage.clone());
            tell::stage(asked, &stage, &bar);
            seen = stage;
        }
        if seen == "closed" {
            bar.finish();
            return Ok(());
        }
        if seen == "acting" && asked.right.needs_proof() {
            let task = reading::task(&*ledger, asked.id, &crm).await?;
            if task.is_some_and(|(task, _)| task.stage.is_blocked()) {
                let done = match asked.right {
                    Right::Access => "exported and handed over",
                    Right::Deletion | Right::OptOut => "deleted from the sales system",
                };
                let paper = support::attestation(&asked.reference, "crm", "Sales lead", done)?;
                match desk.attest(asked.id, &crm, &paper).await {
                    Ok(()) | Err(DeskError::Fault(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    let (request, _) = find_request(&*ledger, &asked.reference).await?;
    let at: &'static str = Stage::name(request.stage);
    Err(Failure::failed(format!(
        "{} is still {at} after two minutes",
        asked.reference
    )))
}

/// Downloads one export, as its person would: with a fresh code.
pub(super) async fn download_one(
    company: &Company,
    api: &Api,
    asked: &[Asked],
) -> Result<(), Failure> {
    let Some(copy) = asked.iter().find(|asked| asked.right == Right::Access) else {
        return Ok(());
    };
    let path = format!("/v1/requests/{}", copy.reference);
    let email = json!({ "email": copy.customer.email });
    api.post(&format!("{path}/codes"), &email).await?;
    let code = code_from_mailbox(company, &copy.reference, 2)?;
    let zip = api
        .download(&format!("{path}/export"), &json!({ "code": code }))
        .await?;
    tell::downloaded(&copy.reference, &zip);
    Ok(())
}

/// Reads the n-th code that was mailed about a request.
fn code_from_mailbox(company: &Company, reference: &str, n: usize) -> Result<String, Failure> {
    let mut codes = Vec::new();
    for entry in std::fs::read_dir(company.mailbox())? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        if text.contains(reference)
            && let Some((_, rest)) = text.split_once("Your code: ")
        {
            let code = rest.lines().next().unwrap_or_default().trim().to_owned();
            codes.push((path, code));
        }
    }
    codes.sort();
    let nth = codes.into_iter().nth(n - 1).map(|(_, code)| code);
    nth.ok_or_else(|| Failure::failed(format!("no mail with a code came for {reference}")))
}

/// The law that a customer's country suggests.
fn regime(customer: &Customer) -> &'static str {
    match customer.country.as_str() {
        "USA" => "us_ca_ccpa",
        "United Kingdom" => "uk_gdpr",
        _ => "eu_gdpr",
    }
}

fn bar(asked: &Asked) -> ProgressBar {
    let bar = ProgressBar::new(STAGES);
    if let Ok(style) = ProgressStyle::with_template("  {prefix:<34} {bar:24} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(format!("{} {}", asked.right, asked.customer.name));
    bar
}

fn position(stage: &str) -> u64 {
    let stages = [
        "accepted", "locating", "gated", "acting", "sealing", "closed",
    ];
    let at = stages.iter().position(|name| *name == stage).unwrap_or(0);
    u64::try_from(at).unwrap_or(0) + 1
}

fn text(value: &Value, field: &str) -> Result<String, Failure> {
    let text = value.get(field).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| Failure::failed(format!("an answer without {field}")))
}

const STAGES: u64 = 6;
const PATIENCE: usize = 1_200;
const LOOK: Duration = Duration::from_millis(100);
