//! `dsr request` and `dsr task`: what support staff do, on a running `dsr local` or on AWS.

use std::process::ExitCode;
use std::sync::Arc;

use quittance_aws::adapters::{Adapters, Need};
use quittance_aws::clock::SystemClock;
use quittance_core::id::{RequestId, StoreId};
use quittance_core::regime::PauseReason;
use quittance_core::request::{DenialReason, Request, Right};
use quittance_core::task::Task;
use quittance_engine::desk::{Desk, DeskError, Unverified};
use quittance_engine::intake::{IntakeError, find_request};
use quittance_engine::ledger::{Item, Listing};
use quittance_engine::ports::Ledger;
use quittance_engine::reading;
use serde::Serialize;

use crate::args::{RequestArgs, RequestCommand, TaskArgs, TaskCommand, Where};
use crate::printing::{Failure, data, json, talk};
use crate::{company, identity, law};

const NEEDS: [Need; 5] = [
    Need::Ledger,
    Need::Vault,
    Need::QueuesOf(Right::Access),
    Need::QueuesOf(Right::Deletion),
    Need::QueuesOf(Right::OptOut),
];

/// A request as support sees it.
#[derive(Serialize)]
struct Row {
    reference: String,
    right: Right,
    stage: &'static str,
    outcome: Option<&'static str>,
    regime: String,
    due_at: Option<String>,
    paused_at: Option<String>,
    held: bool,
    members: Option<u32>,
    member_of: Option<String>,
    waiting_for: Option<&'static str>,
    blocked: Option<&'static str>,
    advice: Option<&'static str>,
}

/// A task as support sees it.
#[derive(Serialize)]
struct TaskRow {
    store: String,
    stage: &'static str,
    matched: u64,
    blocked: Option<&'static str>,
    until: Option<String>,
    advice: Option<&'static str>,
}

/// `dsr request`.
pub(crate) async fn request(args: RequestArgs) -> Result<ExitCode, Failure> {
    let adapters = adapters(&args.at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    let desk = desk(&adapters, &ledger)?;
    let find = async |reference: &str| find(&*ledger, reference).await;
    let reference = match args.command {
        RequestCommand::List { closed, members } => {
            list(&*ledger, closed, members, args.at.json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        RequestCommand::Show { reference } => {
            show(&*ledger, &reference, args.at.json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        RequestCommand::Deny { reference, reason } => {
            let reason = DenialReason::parse(&reason)
                .ok_or_else(|| no_reason(&DenialReason::ALL.map(DenialReason::code)))?;
            done(desk.deny(find(&reference).await?, reason).await)?;
            reference
        }
        RequestCommand::Revoke { reference } => {
            done(desk.revoke(find(&reference).await?).await)?;
            reference
        }
        RequestCommand::ConfirmIdentity { reference, .. } => {
            let id = find(&reference).await?;
            identity::confirm(args.at.dir.as_deref(), &id.reference()).await?;
            talk("done");
            reference
        }
        RequestCommand::Hold { reference } => {
            done(desk.hold(find(&reference).await?).await)?;
            reference
        }
        RequestCommand::ReleaseHold { reference } => {
            done(desk.release_hold(find(&reference).await?).await)?;
            reference
        }
        RequestCommand::Extend { reference } => {
            let notice_by = done(desk.extend(find(&reference).await?).await)?;
            talk(&format!("tell the person, and why, by {notice_by}"));
            reference
        }
        RequestCommand::Pause { reference, reason } => {
            let reason = PauseReason::parse(&reason)
                .ok_or_else(|| no_reason(&PauseReason::ALL.map(PauseReason::code)))?;
            done(desk.pause(find(&reference).await?, reason).await)?;
            reference
        }
        RequestCommand::Resume { reference } => {
            done(desk.resume(find(&reference).await?).await)?;
            reference
        }
        RequestCommand::Retry { reference } => {
            done(desk.retry(find(&reference).await?).await)?;
            reference
        }
        RequestCommand::ChooseRegime {
            reference,
            law,
            accept_unverified,
        } => {
            let unverified = if accept_unverified {
                Unverified::Accepted
            } else {
                Unverified::Refused
            };
            let id = find(&reference).await?;
            done(desk.choose_regime(id, &law, unverified).await)?;
            reference
        }
        RequestCommand::AllowPartial { reference } => {
            done(desk.allow_partial(find(&reference).await?).await)?;
            reference
        }
    };
    if args.at.json {
        // What it came to: the request as it stands now.
        show(&*ledger, &reference, true).await?;
    }
    Ok(ExitCode::SUCCESS)
}

fn no_reason(known: &[&str]) -> Failure {
    Failure::usage(format!("--reason must be one of: {}", known.join(", ")))
}

/// `dsr task`.
pub(crate) async fn task(args: TaskArgs) -> Result<ExitCode, Failure> {
    let adapters = adapters(&args.at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    let desk = desk(&adapters, &ledger)?;
    let (id, acted) = match args.command {
        TaskCommand::List { reference } => (find(&*ledger, &reference).await?, false),
        TaskCommand::Release { reference, store } => {
            let store = store_id(&store)?;
            let id = find(&*ledger, &reference).await?;
            done(desk.release(id, &store).await)?;
            (id, true)
        }
        TaskCommand::Attest {
            reference,
            store,
            by,
            statement,
        } => {
            let paper = attestation(&reference, &store, &by, &statement)?;
            let store = store_id(&store)?;
            let id = find(&*ledger, &reference).await?;
            done(desk.attest(id, &store, &paper).await)?;
            (id, true)
        }
    };
    if args.at.json || !acted {
        print_tasks(&task_rows(&*ledger, id).await?, args.at.json);
    }
    Ok(ExitCode::SUCCESS)
}

/// What a person attests, as it is kept in the vault.
pub(crate) fn attestation(
    reference: &str,
    store: &str,
    by: &str,
    statement: &str,
) -> Result<Vec<u8>, Failure> {
    for (option, text) in [("--by", by), ("--statement", statement)] {
        if text.trim().is_empty() || text.len() > MAX_ATTESTED_BYTES {
            return Err(Failure::usage(format!(
                "{option} must say something, in at most {MAX_ATTESTED_BYTES} bytes: it is kept as evidence"
            )));
        }
    }
    let paper = serde_json::json!({
        "v": 1, "reference": reference, "store": store, "by": by, "statement": statement,
    });
    Ok(serde_json::to_vec(&paper)?)
}

/// Builds the desk.
pub(crate) fn desk(adapters: &Adapters, ledger: &Arc<dyn Ledger>) -> Result<Desk, Failure> {
    Ok(Desk {
        ledger: Arc::clone(ledger),
        queues: Arc::new(adapters.queues()),
        vault: Arc::new(adapters.vault()?),
        clock: adapters.clock(),
    })
}

pub(crate) async fn adapters(at: &Where) -> Result<Adapters, Failure> {
    match &at.dir {
        Some(dir) => company::connect(dir).await,
        None => Ok(Adapters::from_env(&NEEDS, Arc::new(SystemClock)).await?),
    }
}

pub(crate) async fn find(ledger: &dyn Ledger, reference: &str) -> Result<RequestId, Failure> {
    match find_request(ledger, reference).await {
        Ok((request, _)) => Ok(request.id),
        Err(IntakeError::NotFound) => Err(Failure::not_found(format!(
            "there is no request {reference}"
        ))),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn store_id(text: &str) -> Result<StoreId, Failure> {
    StoreId::parse(text).ok_or_else(|| Failure::usage(format!("{text} is no store id")))
}

pub(crate) fn done<T>(result: Result<T, DeskError>) -> Result<T, Failure> {
    let done = told(result)?;
    talk("done");
    Ok(done)
}

/// What the desk says, and why it says no.
pub(crate) fn told<T>(result: Result<T, DeskError>) -> Result<T, Failure> {
    match result {
        Ok(told) => Ok(told),
        Err(DeskError::Fault(fault)) => Err(Failure::of(&fault)),
        Err(error @ (DeskError::NoRequest(_) | DeskError::NoTask(_) | DeskError::NoRegime(_))) => {
            Err(Failure::not_found(error.to_string()))
        }
        Err(
            error @ (DeskError::TooLate(_)
            | DeskError::WrongStage(_)
            | DeskError::NotBlocked(_)
            | DeskError::NoExtension(_)
            | DeskError::NoticeTooLate(_)
            | DeskError::NoPause { .. }
            | DeskError::NotPaused
            | DeskError::PastDue(_)
            | DeskError::Unverified(_)
            | DeskError::ClockMoved(_)
            | DeskError::Ended(_)
            | DeskError::Settled(_)
            | DeskError::NotAttestable(..)
            | DeskError::EmptyStatement
            | DeskError::OtherStatement(_)
            | DeskError::NotStuck
            | DeskError::StillHeld
            | DeskError::NoOpening(_)
            | DeskError::OnlyMembers
            | DeskError::NoBatch),
        ) => Err(Failure::conflict(error.to_string())),
    }
}

async fn list(
    ledger: &dyn Ledger,
    closed: bool,
    members: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let listing = if closed {
        Listing::Closed
    } else {
        Listing::Open
    };
    let mut rows = Vec::new();
    for stored in reading::everything(ledger, &listing).await? {
        if let Item::Request(request) = stored.item
            && (members || request.place().is_none())
        {
            rows.push(row(&request));
        }
    }
    if as_json {
        json(&rows);
        return Ok(());
    }
    for row in &rows {
        data(&line(row));
    }
    talk(&format!("{} request(s)", rows.len()));
    Ok(())
}

async fn show(ledger: &dyn Ledger, reference: &str, as_json: bool) -> Result<(), Failure> {
    let id = find(ledger, reference).await?;
    let Some((request, _)) = reading::request(ledger, id).await? else {
        return Err(Failure::not_found(format!(
            "there is no request {reference}"
        )));
    };
    let tasks = task_rows(ledger, id).await?;
    let timeline = reading::timeline(ledger, id).await?;
    let dates = law::dates(&request, &timeline);
    if as_json {
        json(&serde_json::json!({
            "request": row(&request), "dates": dates, "tasks": tasks, "timeline": timeline,
        }));
        return Ok(());
    }
    let told = row(&request);
    data(&line(&told));
    if let Some(advice) = told.advice {
        data(&format!("  {advice}: `dsr request retry`"));
    }
    law::print_dates(dates.as_ref());
    print_tasks(&tasks, false);
    for event in timeline {
        data(&format!("  {}  {:?}", event.at, event.what));
    }
    Ok(())
}

async fn task_rows(ledger: &dyn Ledger, id: RequestId) -> Result<Vec<TaskRow>, Failure> {
    let tasks = reading::tasks(ledger, id).await?;
    Ok(tasks.iter().map(|(task, _)| task_row(task)).collect())
}

fn print_tasks(rows: &[TaskRow], as_json: bool) {
    if as_json {
        json(&rows);
        return;
    }
    for row in rows {
        let blocked = row
            .blocked
            .map(|reason| format!("{reason}: "))
            .unwrap_or_default();
        let advice = row.advice.unwrap_or_default();
        data(&format!(
            "  {:<20} {:<8} {:>6} matched  {blocked}{advice}",
            row.store, row.stage, row.matched
        ));
    }
}

fn row(request: &Request) -> Row {
    let block = request.block.as_ref();
    Row {
        reference: request.id.reference().to_string(),
        right: request.right,
        stage: request.stage.name(),
        outcome: request
            .stage
            .outcome()
            .map(quittance_core::request::Outcome::name),
        regime: request.regime.clone(),
        due_at: request
            .extended_to
            .or(request.due_at)
            .map(|due| due.to_string()),
        paused_at: request.paused_at.map(|at| at.to_string()),
        held: request.hold.is_some(),
        members: request.members().map(|members| members.count),
        member_of: request
            .place()
            .map(|place| place.batch.reference().to_string()),
        waiting_for: request.gate.map(quittance_core::request::GateReason::code),
        blocked: block.map(|block| block.reason.code()),
        advice: block.map(|block| block.reason.advice()),
    }
}

fn line(row: &Row) -> String {
    format!(
        "{:<20} {:<8} {:<8} {:<10} {:<12} due {:<20} {}{}{}{}{}",
        row.reference,
        row.right.name(),
        row.stage,
        row.outcome.unwrap_or("-"),
        row.regime,
        row.due_at.as_deref().unwrap_or("-"),
        if row.paused_at.is_some() {
            "PAUSED "
        } else {
            ""
        },
        if row.held { "HELD " } else { "" },
        row.members
            .map(|count| format!("{count} people "))
            .unwrap_or_default(),
        row.waiting_for.unwrap_or_default(),
        row.blocked
            .map(|reason| format!("BLOCKED {reason}"))
            .unwrap_or_default(),
    )
}

/// The longest name or statement of an attestation.
const MAX_ATTESTED_BYTES: usize = 4_096;

fn task_row(task: &Task) -> TaskRow {
    let block = task.block.as_ref().filter(|_| task.stage.is_blocked());
    TaskRow {
        store: task.store.to_string(),
        stage: task.stage.name(),
        matched: task.outcome.matched,
        blocked: block.map(|block| block.reason.code()),
        until: block
            .and_then(|block| block.until)
            .map(|until| until.to_string()),
        advice: block.map(|block| block.reason.advice()),
    }
}
