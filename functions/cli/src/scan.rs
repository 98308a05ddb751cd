//! `dsr scan`: what a request would find, and about what that would cost. Reads, and changes nothing.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;

use quittance_core::data_map::DataMap;
use quittance_core::outcome::CheckMethod;
use quittance_core::request::Right;
use quittance_core::subject::{IdentifierKind, Identifiers};
use quittance_engine::dry_run::{DryRun, StoreCount};
use quittance_stores::AwsStores;
use serde::Serialize;

use crate::args::ScanArgs;
use crate::batch::list;
use crate::printing::{Failure, data, json, partly, talk};
use crate::sweep;

/// What would be found and what it would cost, all stores together.
#[derive(Serialize)]
struct Told {
    subjects: usize,
    right: Right,
    stores: Vec<Row>,
    cost_usd: Cost,
    prices: &'static str,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    count: StoreCount,
    cost_usd: Cost,
}

/// About what it costs, in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Cost {
    /// To look, as a request does first, and again to see that all is gone.
    look: f64,
    /// To delete or rewrite what matches.
    act: f64,
}

/// `dsr scan`.
pub(crate) async fn scan(args: ScanArgs) -> Result<ExitCode, Failure> {
    let right = Right::parse(&args.right)
        .ok_or_else(|| Failure::usage("--right must be access, deletion or opt-out"))?;
    let (adapters, map) = sweep::open(&args.at).await?;
    let subjects = match (&args.list, &args.kind) {
        (Some(file), _) => listed(&list::read(file, args.format, &map)?.members, &map)?,
        (None, Some(kind)) => typed(kind, &map)?,
        (None, None) => {
            return Err(Failure::usage(
                "say who: `--list FILE`, or a kind of identifier whose values are read from standard input",
            ));
        }
    };
    if subjects.is_empty() {
        return Err(Failure::usage("nobody is named"));
    }
    let clients = adapters.clients();
    let rules = map.identifiers.clone();
    let stores = AwsStores::new(clients.dynamodb(), clients.s3(), rules)
        .with_reach(clients.config().clone(), Right::Access);
    let stores = Arc::new(stores);
    let dry_run = DryRun {
        reader: stores.clone(),
        records: stores,
        map: Arc::new(map),
    };
    let people = subjects.len();
    let counts = dry_run.run(right, subjects, |count| {
        if !args.at.json {
            print(count);
        }
    });
    let counts = counts.await.map_err(|fault| Failure::of(&fault))?;
    let unsearched = counts.iter().any(|count| count.method.is_none());
    let rows: Vec<Row> = counts
        .into_iter()
        .map(|count| Row {
            cost_usd: cost(&count, right),
            count,
        })
        .collect();
    let sum = rows.iter().fold(Cost::default(), |sum, row| Cost {
        look: sum.look + row.cost_usd.look,
        act: sum.act + row.cost_usd.act,
    });
    if args.at.json {
        json(&Told {
            subjects: people,
            right,
            stores: rows,
            cost_usd: sum,
            prices: PRICES,
        });
    } else {
        data(&format!(
            "about {} USD to look twice, {} USD to act, for {people} subject(s)",
            dollars(sum.look),
            dollars(sum.act)
        ));
        talk(&format!("Nothing was changed. {PRICES}"));
    }
    Ok(if unsearched {
        partly()
    } else {
        ExitCode::SUCCESS
    })
}

fn print(count: &StoreCount) {
    let how = match (count.blocked, count.swept) {
        (Some(reason), _) => format!("NOT SEARCHED, {reason}: {}", reason.advice()),
        (None, true) => format!(
            "{} objects, {} MiB read through; {} would be rewritten, {} MiB",
            count.objects,
            count.bytes >> 20,
            count.touched,
            count.touched_bytes >> 20
        ),
        (None, false) => format!("{} page(s) read", count.pages),
    };
    let incomplete = if count.incomplete {
        "; what leads here was not searched: there may be more"
    } else {
        ""
    };
    data(&format!(
        "{:<20} {:>8} match(es) of {:>6} subject(s)  {how}{incomplete}",
        count.store, count.matches, count.subjects
    ));
}

/// What a store costs, on demand. Sizes of items are not known: 4 KiB is assumed to read, 1 KiB to write.
fn cost(count: &StoreCount, right: Right) -> Cost {
    let (pages, matches) = (as_f64(count.pages), as_f64(count.matches));
    let acts = right == Right::Deletion;
    if count.swept {
        let look = as_f64(count.objects) * S3_GET
            + pages * S3_LIST
            + as_f64(count.bytes) / BYTES_A_SECOND * LAMBDA_SECOND;
        let touched = as_f64(count.touched);
        let parts = as_f64(count.touched_bytes) / PART_BYTES + touched;
        let act = touched * S3_GET
            + parts * S3_PUT
            + as_f64(count.touched_bytes) / BYTES_A_SECOND_REWRITTEN * LAMBDA_SECOND;
        return Cost {
            look: 2.0 * look,
            act: if acts { act } else { 0.0 },
        };
    }
    match count.method {
        Some(CheckMethod::ListVersions) => Cost {
            // Deletions cost nothing; each is looked at for locks.
            look: 2.0 * pages * S3_LIST,
            act: if acts { matches * S3_GET } else { 0.0 },
        },
        Some(CheckMethod::Scan) => Cost {
            // A page is a megabyte: 256 units of 4 KiB, strongly consistent.
            look: 2.0 * pages * 256.0 * DYNAMODB_READ,
            act: matches * DYNAMODB_WRITE,
        },
        Some(
            CheckMethod::Key
            | CheckMethod::IndexQuery
            | CheckMethod::Rescan
            | CheckMethod::ReadBack,
        ) => Cost {
            look: 2.0 * (pages + matches) * DYNAMODB_READ,
            act: if right == Right::Access {
                0.0
            } else {
                matches * DYNAMODB_WRITE
            },
        },
        None => Cost::default(),
    }
}

fn listed(
    members: &[quittance_engine::intake::Listed],
    map: &DataMap,
) -> Result<Vec<Identifiers>, Failure> {
    members
        .iter()
        .map(|member| {
            let mut found = Identifiers::default();
            for (kind, value) in &member.identifiers {
                add(&mut found, kind, value, map)
                    .map_err(|error| Failure::usage(format!("line {}: {error}", member.line)))?;
            }
            Ok(found)
        })
        .collect()
}

fn typed(kind: &str, map: &DataMap) -> Result<Vec<Identifiers>, Failure> {
    let mut subjects = Vec::new();
    for (n, line) in (1..).zip(std::io::stdin().lock().lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let mut found = Identifiers::default();
        add(&mut found, kind, &line, map)
            .map_err(|error| Failure::usage(format!("line {n}: {error}")))?;
        subjects.push(found);
    }
    Ok(subjects)
}

/// Adds an identifier, normalised as the data map says. What is wrong never repeats it.
fn add(found: &mut Identifiers, kind: &str, value: &str, map: &DataMap) -> Result<(), String> {
    let known = IdentifierKind::parse(kind).and_then(|kind| {
        let rule = map.identifiers.get(&kind)?;
        Some((kind, rule))
    });
    let Some((kind, rule)) = known else {
        let kinds: Vec<String> = map.identifiers.keys().map(ToString::to_string).collect();
        return Err(format!("the data map knows: {}", kinds.join(", ")));
    };
    let value = rule.normalise(value).map_err(|error| error.to_string())?;
    found.insert(kind, value);
    Ok(())
}

fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.01 {
        "less than 0.01".to_owned()
    } else {
        format!("{amount:.2}")
    }
}

/// A count as a number to reckon with; beyond four thousand millions it is an estimate of an estimate.
fn as_f64(count: u64) -> f64 {
    const UNIT: u64 = 1 << 20;
    let small = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    small(count / UNIT) * small(UNIT) + small(count % UNIT)
}

/// Where the prices are from, and what is left out.
const PRICES: &str = "Estimate at us-east-1's list prices of November 2026, on demand, without free tiers, transfer, KMS and our own ledger.";
const DYNAMODB_READ: f64 = 0.125e-6;
const DYNAMODB_WRITE: f64 = 0.625e-6;
const S3_GET: f64 = 0.4e-6;
const S3_PUT: f64 = 5e-6;
const S3_LIST: f64 = 5e-6;
/// A second of a function with 1,769 MiB on arm64, one CPU.
const LAMBDA_SECOND: f64 = 0.000_013_333_4 * 1.769 / 1.024;
/// Packed bytes that one CPU looks through in a second: see docs/REWRITE.md.
const BYTES_A_SECOND: f64 = 100e6;
/// Packed bytes that one CPU writes anew in a second.
const BYTES_A_SECOND_REWRITTEN: f64 = 25e6;
/// What is uploaded in one piece.
const PART_BYTES: f64 = 8e6;
