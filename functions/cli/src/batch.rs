//! `dsr batch`: a list of people at once, handed in by staff who vouch for who they are.

pub(crate) mod list;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use quittance_aws::adapters::Adapters;
use quittance_aws::clock::SystemClock;
use quittance_core::data_map::DataMap;
use quittance_core::digest::Digest;
use quittance_core::request::{Outcome, Request};
use quittance_engine::desk::MemberOutcome;
use quittance_engine::intake::{Intake, IntakeError, List};
use quittance_engine::ports::Ledger;
use quittance_engine::reading;
use serde::Serialize;

pub(crate) use self::list::Format;
use crate::args::{BatchArgs, BatchCommand, SubmitArgs, Where};
use crate::printing::{Failure, data, json, partly, talk};
use crate::support::{desk, done, find};
use crate::{company, shop};

/// What handing in a list came to.
#[derive(Serialize)]
struct Accepted {
    reference: String,
    right: String,
    members: usize,
    stage: &'static str,
    due_at: Option<String>,
}

/// A batch as support sees it.
#[derive(Serialize)]
struct Standing {
    reference: String,
    right: &'static str,
    stage: &'static str,
    outcome: Option<&'static str>,
    due_at: Option<String>,
    members: u32,
    let_go: u32,
    summed_up: u32,
    completed: u32,
    partial: u32,
    denied: u32,
    revoked: u32,
}

/// `dsr batch`.
pub(crate) async fn batch(args: BatchArgs) -> Result<ExitCode, Failure> {
    match args.command {
        BatchCommand::Submit(submit) => self::submit(&args.at, submit).await,
        BatchCommand::Show { reference } => show(&args.at, &reference).await,
        BatchCommand::Outcomes { reference } => outcomes(&args.at, &reference).await,
    }
}

async fn submit(at: &Where, args: SubmitArgs) -> Result<ExitCode, Failure> {
    let intake = intake(at.dir.as_deref()).await?;
    let read = list::read(&args.file, args.format, &intake.map)?;
    let token = args.token.unwrap_or_else(|| {
        // The same file is the same batch, however often it is handed in.
        let name = format!("{}\0{}\0{:?}", read.digest, args.right, args.regime);
        format!("file-{}", Digest::of(name.as_bytes()))
    });
    let list = List {
        right: args.right.clone(),
        regime: args.regime,
        client_token: token,
        members: read.members,
    };
    if args.dry_run {
        let members = intake.check_list(&list).map_err(refused)?;
        if at.json {
            json(&serde_json::json!({ "members": members, "right": args.right }));
        } else {
            data(&format!(
                "{members} people; nothing to correct, nothing handed in"
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let submitted = intake.submit_list(&list).await.map_err(refused)?;
    let accepted = Accepted {
        reference: submitted.reference.to_string(),
        right: args.right,
        members: list.members.len(),
        stage: submitted.stage,
        due_at: submitted.due_at.map(|due| due.to_string()),
    };
    if at.json {
        json(&accepted);
    } else {
        data(&accepted.reference);
        talk(&format!(
            "{} people, one request, due {}; `dsr batch show {}` tells how far it is",
            accepted.members,
            accepted.due_at.as_deref().unwrap_or("-"),
            accepted.reference
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(at: &Where, reference: &str) -> Result<ExitCode, Failure> {
    let adapters = adapters(at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    let id = find(&*ledger, reference).await?;
    let request = reading::request(&*ledger, id).await?;
    let standing = request
        .as_ref()
        .and_then(|(request, _)| standing(request))
        .ok_or_else(|| Failure::conflict(format!("{reference} is no batch")))?;
    if at.json {
        json(&standing);
    } else {
        data(&format!(
            "{}  {}  {}  {}  due {}",
            standing.reference,
            standing.right,
            standing.stage,
            standing.outcome.unwrap_or("-"),
            standing.due_at.as_deref().unwrap_or("-"),
        ));
        data(&format!(
            "  {} people, {} on their way, {} summed up: {} completed, {} partial, {} denied, {} revoked",
            standing.members,
            standing.let_go,
            standing.summed_up,
            standing.completed,
            standing.partial,
            standing.denied,
            standing.revoked,
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn standing(request: &Request) -> Option<Standing> {
    let members = request.members()?;
    Some(Standing {
        reference: request.id.reference().to_string(),
        right: request.right.name(),
        stage: request.stage.name(),
        outcome: request.stage.outcome().map(Outcome::name),
        due_at: request
            .extended_to
            .or(request.due_at)
            .map(|due| due.to_string()),
        members: members.count,
        let_go: members.freed,
        summed_up: members.counted,
        completed: members.ended.completed,
        partial: members.ended.partial,
        denied: members.ended.denied,
        revoked: members.ended.revoked,
    })
}

/// Writes how each member stands: CSV, or JSON Lines with `--json`. Exit 7 while somebody is open.
async fn outcomes(at: &Where, reference: &str) -> Result<ExitCode, Failure> {
    let adapters = adapters(at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    let desk = desk(&adapters, &ledger)?;
    let id = find(&*ledger, reference).await?;
    if !at.json {
        data("id,reference,outcome,matched,deleted,redacted,pseudonymised,flagged,kept,blocked");
    }
    let (mut from, mut open) = (0, 0_u32);
    loop {
        let page = done_quietly(desk.outcomes(id, from, PAGE).await)?;
        let Some(last) = page.last() else { break };
        from = last.n.saturating_add(1);
        for member in &page {
            open += u32::from(member.outcome.is_none());
            if at.json {
                data(&serde_json::to_string(member)?);
            } else {
                data(&line(member)?);
            }
        }
    }
    if open > 0 {
        talk(&format!("{open} of {from} are not done yet"));
        return Ok(partly());
    }
    Ok(ExitCode::SUCCESS)
}

fn line(member: &MemberOutcome) -> Result<String, Failure> {
    let blocked: Vec<String> = member
        .blocked
        .iter()
        .map(|(store, reason)| format!("{store}: {reason}"))
        .collect();
    let cells = [
        member.label.clone().unwrap_or_default(),
        member.reference.to_string(),
        member
            .outcome
            .map_or(member.stage, Outcome::name)
            .to_owned(),
        member.matched.to_string(),
        member.deleted.to_string(),
        member.redacted.to_string(),
        member.pseudonymised.to_string(),
        member.flagged.to_string(),
        member.kept.to_string(),
        blocked.join("; "),
    ];
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells.iter().map(|cell| plain(cell)))?;
    let bytes = writer
        .into_inner()
        .map_err(|error| Failure::failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// A cell that no spreadsheet takes for a formula.
fn plain(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

fn done_quietly<T>(result: Result<T, quittance_engine::desk::DeskError>) -> Result<T, Failure> {
    match result {
        Ok(done) => Ok(done),
        Err(error) => done(Err(error)),
    }
}

/// What has to be corrected, line by line.
fn refused(error: IntakeError) -> Failure {
    match error {
        IntakeError::Invalid(errors) => {
            let lines: BTreeMap<usize, String> = errors
                .iter()
                .take(MOST_ERRORS)
                .map(|error| format!("  {}: {}", error.field, error.message))
                .enumerate()
                .collect();
            let more = errors.len().saturating_sub(MOST_ERRORS);
            let more = if more > 0 {
                format!("\n  and {more} more")
            } else {
                String::new()
            };
            let lines: Vec<String> = lines.into_values().collect();
            Failure::usage(format!(
                "nothing was handed in; correct the list:\n{}{more}",
                lines.join("\n")
            ))
        }
        IntakeError::TokenReused => Failure::conflict(
            "this token was used for another list: leave --token out, or choose another",
        ),
        IntakeError::Fault(fault) => Failure::of(&fault),
        error @ (IntakeError::NotFound
        | IntakeError::WrongCode(_)
        | IntakeError::DeadCode
        | IntakeError::TooManyCodes
        | IntakeError::TooLate(_)
        | IntakeError::Closed) => error.into(),
    }
}

/// Opens the door's use-cases, for staff.
pub(crate) async fn intake(dir: Option<&Path>) -> Result<Intake, Failure> {
    let (adapters, map) = if let Some(dir) = dir {
        (
            company::connect(dir).await?,
            DataMap::parse(shop::DATA_MAP)?,
        )
    } else {
        let needs = &quittance_intake::NEEDS;
        let adapters = Adapters::from_env(needs, Arc::new(SystemClock)).await?;
        let map = DataMap::parse(&adapters.data_map().await?)?;
        (adapters, map)
    };
    Ok(quittance_intake::wire(
        &adapters,
        Arc::new(map),
        company::handler(),
    )?)
}

async fn adapters(at: &Where) -> Result<Adapters, Failure> {
    crate::support::adapters(at).await
}

const PAGE: u32 = 100;
const MOST_ERRORS: usize = 20;
