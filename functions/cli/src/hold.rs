//! `dsr hold`: holds on stores and on identifiers, on a running `dsr local` or on AWS.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;

use quittance_core::data_map::DataMap;
use quittance_core::digest::Tag;
use quittance_core::hold::HoldOn;
use quittance_core::id::StoreId;
use quittance_core::subject::{IdentifierKind, subject_tag};
use quittance_engine::keys::TagKeys;
use quittance_engine::ports::Ledger;
use serde::Serialize;

use crate::args::{Held, HoldArgs, HoldCommand};
use crate::printing::{Failure, data, json, talk};
use crate::support::{desk, done, store_id};
use crate::sweep;

/// A hold as support sees it. Of an identifier the keyed tag is all that is known.
#[derive(Serialize)]
struct Row {
    on: &'static str,
    what: String,
    since: String,
}

/// `dsr hold`.
pub(crate) async fn hold(args: HoldArgs) -> Result<ExitCode, Failure> {
    let (adapters, map) = sweep::open(&args.at).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(adapters.ledger()?);
    let desk = desk(&adapters, &ledger)?;
    match args.command {
        HoldCommand::List => {}
        HoldCommand::Set(Held::Store { store }) => {
            done(desk.hold_store(&known(&map, &store)?).await)?;
        }
        HoldCommand::Lift(Held::Store { store }) => {
            // A store that left the data map can be lifted all the same.
            done(desk.lift_store(&store_id(&store)?).await)?;
        }
        HoldCommand::Set(Held::Identifier { kind }) => {
            let tag = tag(&map, &adapters.tag_keys()?, &kind)?;
            done(desk.hold_identifier(tag).await)?;
        }
        HoldCommand::Lift(Held::Identifier { kind }) => {
            let tag = tag(&map, &adapters.tag_keys()?, &kind)?;
            done(desk.lift_identifier(tag).await)?;
        }
    }
    let holds = match desk.holds().await {
        Ok(holds) => holds,
        Err(error) => return done(Err(error)),
    };
    let rows: Vec<Row> = holds
        .into_iter()
        .map(|hold| {
            let (on, what) = match hold.on {
                HoldOn::Store(store) => ("store", store.to_string()),
                HoldOn::Identifier(tag) => ("identifier", tag.to_string()),
            };
            let since = hold.at.to_string();
            Row { on, what, since }
        })
        .collect();
    if args.at.json {
        json(&rows);
    } else {
        for row in &rows {
            data(&format!(
                "{:<10}  {}  since {}",
                row.on, row.what, row.since
            ));
        }
        talk(&format!("{} hold(s)", rows.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn known(map: &DataMap, text: &str) -> Result<StoreId, Failure> {
    let store = store_id(text)?;
    match map.store(&store) {
        Some(_) => Ok(store),
        None => Err(Failure::not_found(format!(
            "the data map has no store {store}"
        ))),
    }
}

/// Reads an identifier from standard input: it is nobody's business in a list of processes.
fn tag(map: &DataMap, keys: &TagKeys, kind: &str) -> Result<Tag, Failure> {
    let found = IdentifierKind::parse(kind).and_then(|kind| {
        let rule = map.identifiers.get(&kind)?;
        Some((kind, rule))
    });
    let Some((kind, rule)) = found else {
        let kinds: Vec<String> = map.identifiers.keys().map(ToString::to_string).collect();
        return Err(Failure::usage(format!(
            "the data map knows these identifiers: {}",
            kinds.join(", ")
        )));
    };
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let value = rule
        .normalise(line.trim_end_matches(['\n', '\r']))
        .map_err(|error| Failure::usage(format!("what was read is no {kind}: {error}")))?;
    Ok(subject_tag(&keys.subject, &kind, &value))
}
