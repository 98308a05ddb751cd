//! The shop's data lake: what its customers listened to, rows of everybody in every object.
//!
//! Derived from the invoice lines of the sample database, the same each time: whoever bought a track
//! listens to it, again and again, day after day.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use aws_sdk_s3::types::Object;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use quittance_aws::clients::Clients;
use quittance_core::digest::Digest;
use serde_json::Value;

use super::{Customer, INVOICES};
use crate::printing::Failure;

/// How many days the lake holds; a day is an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Days(pub(crate) u32);

impl Days {
    /// A million events: what the demo sweeps.
    pub(crate) const DEMO: Self = Self(90);
    /// Enough to try things on.
    pub(crate) const LOCAL: Self = Self(2);
}

/// The shop's lake.
pub(crate) const BUCKET: &str = "shop-lake";
const LINES: &str = include_str!("../../data/invoice_lines.csv");

/// A track that a customer bought.
struct Bought<'a> {
    customer: &'a Customer,
    track: &'a str,
    milliseconds: u64,
}

/// Fills the lake, unless it is there.
pub(super) async fn fill(
    clients: &Clients,
    customers: &[Customer],
    days: Days,
) -> Result<(), Failure> {
    let made = clients.s3().create_bucket().bucket(BUCKET).send().await;
    if made.is_err() {
        clients.s3().head_bucket().bucket(BUCKET).send().await?;
    }
    let bought = bought(customers)?;
    for day in 0..days.0 {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&events(&bought, day)?)?;
        let put = clients.s3().put_object().bucket(BUCKET);
        put.key(format!("events/2026/day-{day:03}.jsonl.gz"))
            .content_type("application/gzip")
            .body(Bytes::from(packed.finish()?).into())
            .send()
            .await?;
    }
    Ok(())
}

/// Digests each customer's rows, in the order of objects and lines, and counts all rows.
pub(super) async fn digests(clients: &Clients) -> Result<(BTreeMap<u64, Digest>, u64), Failure> {
    let mut texts: BTreeMap<u64, Vec<Digest>> = BTreeMap::new();
    let mut count = 0;
    for object in objects(clients).await? {
        let key = object.key().unwrap_or_default();
        let got = clients.s3().get_object().bucket(BUCKET).key(key).send();
        let packed = got.await?.body.collect().await?.into_bytes();
        let mut rows = Vec::new();
        MultiGzDecoder::new(&packed[..]).read_to_end(&mut rows)?;
        let mut day: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for row in rows.split_inclusive(|byte| *byte == b'\n') {
            count += 1;
            if let Some(id) = owner(row) {
                day.entry(id).or_default().extend_from_slice(row);
            }
        }
        for (id, rows) in day {
            texts.entry(id).or_default().push(Digest::of(&rows));
        }
    }
    let digests = texts.into_iter().map(|(id, digests)| {
        let text: Vec<String> = digests.iter().map(Digest::to_string).collect();
        (id, Digest::of(text.join("\n").as_bytes()))
    });
    Ok((digests.collect(), count))
}

async fn objects(clients: &Clients) -> Result<Vec<Object>, Failure> {
    let list = clients.s3().list_objects_v2().bucket(BUCKET);
    let mut pages = list.into_paginator().send();
    let mut objects = Vec::new();
    while let Some(page) = pages.next().await {
        objects.extend(page?.contents.unwrap_or_default());
    }
    Ok(objects)
}

/// Whose row it is: every row names its customer first.
fn owner(row: &[u8]) -> Option<u64> {
    let rest = row.strip_prefix(FIRST.as_bytes())?;
    let digits = rest.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn bought(customers: &[Customer]) -> Result<Vec<Bought<'_>>, Failure> {
    let mut buyers: BTreeMap<u64, &Customer> = BTreeMap::new();
    for line in INVOICES.lines() {
        let invoice: Value = serde_json::from_str(line)?;
        let number = |name: &str| invoice.get(name).and_then(Value::as_u64);
        let buyer = customers
            .iter()
            .find(|customer| Some(customer.id) == number("customer_id"));
        if let (Some(id), Some(buyer)) = (number("invoice_id"), buyer) {
            buyers.insert(id, buyer);
        }
    }
    let mut all = Vec::new();
    for line in LINES.lines().skip(1) {
        let mut fields = line.split(',');
        let (invoice, track, milliseconds) = (fields.next(), fields.next(), fields.next());
        let buyer = invoice.and_then(|id| buyers.get(&id.parse().ok()?));
        if let (Some(customer), Some(track), Some(milliseconds)) = (buyer, track, milliseconds) {
            all.push(Bought {
                customer,
                track,
                milliseconds: milliseconds.parse()?,
            });
        }
    }
    Ok(all)
}

/// The events of one day: everybody listens to everything they bought, five times.
fn events(bought: &[Bought<'_>], day: u32) -> Result<Vec<u8>, Failure> {
    let mut rows = Vec::new();
    for round in 0..TIMES {
        for (n, one) in bought.iter().enumerate() {
            let (month, date) = (day / 28 + 1, day % 28 + 1);
            let (hour, minute) = (round * 4 + u32::try_from(n % 4)?, n % 60);
            writeln!(
                rows,
                "{FIRST}{},\"email\":\"{}\"}},\"at\":\"2026-{month:02}-{date:02}T{hour:02}:{minute:02}:00Z\",\"track_id\":{},\"played_ms\":{}}}",
                one.customer.id, one.customer.email, one.track, one.milliseconds
            )?;
        }
    }
    Ok(rows)
}

const FIRST: &str = "{\"user\":{\"customer_id\":";
const TIMES: u32 = 5;
