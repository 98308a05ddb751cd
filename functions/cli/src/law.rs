//! `dsr regime`: the laws that due dates are counted by; and the dates of one request.

use std::process::ExitCode;

use jiff::Timestamp;
use quittance_core::calendar::{Period, Zone};
use quittance_core::regime::{ClockEvent, Regime, TABLE_VERSION};
use quittance_core::request::{Request, Right, TimelineEvent};
use serde::Serialize;

use crate::args::{RegimeArgs, RegimeCommand};
use crate::printing::{Failure, data, json, talk};

/// The dates a law sets for a request, besides the one that binds.
#[derive(Serialize)]
pub(crate) struct Dates {
    time_zone: String,
    respond_by: Timestamp,
    confirm_by: Option<Timestamp>,
    extension_told_by: Option<Timestamp>,
    extendable_to: Option<Timestamp>,
    holidays_known: bool,
}

/// `dsr regime`.
pub(crate) fn regime(args: &RegimeArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        RegimeCommand::List { right, json } => list(right.as_deref(), *json)?,
        RegimeCommand::Show { law, json } => show(law, *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Counts a request's dates anew from its timeline; none for a draft, or under a law that is no longer
/// in the table.
pub(crate) fn dates(request: &Request, timeline: &[TimelineEvent]) -> Option<Dates> {
    request.accepted_at?;
    let found = Regime::find(&request.regime, request.right, request.submitted_at);
    let regime = found.ok()?;
    let zone = request.time_zone.as_ref();
    let counted = regime.deadlines(&ClockEvent::of(request, timeline), zone)?;
    Some(Dates {
        time_zone: zone.map_or(regime.zone.name(), Zone::name).to_owned(),
        respond_by: counted.due(),
        confirm_by: counted.confirm_by,
        extension_told_by: counted.notice_by,
        extendable_to: counted.extendable_to,
        holidays_known: counted.holidays_known,
    })
}

/// Prints the dates of a request.
pub(crate) fn print_dates(dates: Option<&Dates>) {
    let Some(dates) = dates else { return };
    let line = |name: &str, at: Option<Timestamp>| {
        if let Some(at) = at {
            data(&format!("  {name:<24} {at}"));
        }
    };
    line("confirm the arrival by", dates.confirm_by);
    line("respond by", Some(dates.respond_by));
    line("tell an extension by", dates.extension_told_by);
    line("extendable to", dates.extendable_to);
    data(&format!("  {:<24} {}", "days counted in", dates.time_zone));
    if !dates.holidays_known {
        data("  holidays are not known so far ahead: the law may allow more");
    }
}

fn list(right: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let right = right
        .map(|text| {
            let rights = Right::ALL.map(Right::name).join(", ");
            let unknown = || Failure::failed(format!("--right must be one of: {rights}"));
            Right::parse(text).ok_or_else(unknown)
        })
        .transpose()?;
    let all = Regime::all().iter();
    let chosen: Vec<&Regime> = all
        .filter(|regime| right.is_none_or(|right| regime.right == right))
        .collect();
    if as_json {
        json(&table(&chosen));
        return Ok(());
    }
    for regime in &chosen {
        data(&format!(
            "{:<12} {:<8} {} {:>5} {:>5}  {:<10} {}",
            regime.id,
            regime.right.name(),
            regime.from,
            regime.respond.to_string(),
            or_dash(regime.extension.map(|extension| extension.by)),
            regime.confidence.code(),
            regime.citation,
        ));
    }
    talk(&format!(
        "{} row(s), version {TABLE_VERSION}, sha256 {}",
        chosen.len(),
        Regime::table_digest()
    ));
    Ok(())
}

fn show(law: &str, as_json: bool) -> Result<(), Failure> {
    let all = Regime::all().iter();
    let chosen: Vec<&Regime> = all.filter(|regime| regime.id == law).collect();
    if chosen.is_empty() {
        return Err(Failure::not_found(format!(
            "the law {law} is not known; `dsr regime list` shows those that are"
        )));
    }
    if as_json {
        json(&table(&chosen));
        return Ok(());
    }
    for regime in chosen {
        print(regime);
    }
    Ok(())
}

fn print(regime: &Regime) {
    data(&format!(
        "{} ({}), {}",
        regime.name, regime.id, regime.right
    ));
    let line = |name: &str, value: String| data(&format!("  {name:<18} {value}"));
    let until = regime.until.map(|day| format!(" to {day}"));
    line(
        "received",
        format!("from {}{}", regime.from, until.unwrap_or_default()),
    );
    line("days counted in", regime.zone.name().to_owned());
    line(
        "holidays",
        regime.calendar.clone().unwrap_or("-".to_owned()),
    );
    line("begins when", word(&regime.starts));
    line("respond", regime.respond.to_string());
    line("last day rolls", word(&regime.rolls));
    line(
        "extension",
        or_dash(regime.extension.map(|extension| extension.by)),
    );
    line(
        "told within",
        or_dash(regime.extension.map(|extension| extension.notice)),
    );
    let pauses = regime.pauses.iter().map(|reason| reason.code());
    let pauses: Vec<&str> = pauses.collect();
    line(
        "pauses for",
        if pauses.is_empty() {
            "-".to_owned()
        } else {
            pauses.join(", ")
        },
    );
    line("confirm arrival", or_dash(regime.confirm));
    line("decide appeal", or_dash(regime.appeal));
    line("appeal extension", or_dash(regime.appeal_extension));
    line("confidence", regime.confidence.to_string());
    line("citation", regime.citation.clone());
}

/// The table as a program reads it: what the receipts name, and the rows.
fn table(regimes: &[&Regime]) -> serde_json::Value {
    serde_json::json!({
        "version": TABLE_VERSION, "sha256": Regime::table_digest(), "regimes": regimes,
    })
}

fn or_dash(period: Option<Period>) -> String {
    period.map_or("-".to_owned(), |period| period.to_string())
}

/// The wire name of one of our enums.
fn word(value: &impl Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}
