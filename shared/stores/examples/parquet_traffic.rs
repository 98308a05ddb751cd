//! Measures what a rewrite of Parquet takes out of S3 and puts into it, counted on the wire to the
//! embedded backend.
//!
//! ```text
//! cargo run -p quittance-stores --example parquet_traffic -- FILE COLUMN ADDRESS
//! ```

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "the suite's world: whatever does not fit is a finding"
)]

#[path = "../tests/suite/backend.rs"]
mod backend;
#[path = "../tests/suite/lake.rs"]
mod lake;
#[path = "../tests/suite/wire.rs"]
mod wire;
#[path = "../tests/suite/world.rs"]
mod world;

use crate::lake::roster;
use crate::world::{World, store};

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(column), Some(address)) = (args.next(), args.next(), args.next()) else {
        println!("parquet_traffic FILE COLUMN ADDRESS");
        return;
    };
    let body = std::fs::read(file).unwrap();
    let whole = u64::try_from(body.len()).unwrap();
    let world = World::lake(None).await;
    world.rows("events/a", body).await;
    let store = store(&format!(
        "s3: {{ bucket: lake, prefix: events/, format: parquet }}
         find: [ {{ email: {{ field: {column} }} }} ]
         deletion: delete_rows"
    ));
    let object = world.current(&store, "events/a").await;
    world.wire.log();
    let done = world.forget(&store, &object, &roster(&[&address])).await;
    let log = world.wire.log();
    let of = |verb: &str| {
        log.iter()
            .filter(|sent| sent.operation.contains(verb))
            .count()
    };
    let got = log.iter().filter(|sent| sent.operation.contains("GET"));
    let fetched: u64 = got.map(|sent| sent.fetched).sum();
    let sent: u64 = log.iter().map(|sent| sent.sent).sum();
    let share = |bytes: u64| {
        let parts = bytes * 10_000 / whole;
        format!("{bytes} bytes, {}.{:02} %", parts / 100, parts % 100)
    };
    println!("{:?}", done.unwrap());
    println!("object    {whole} bytes");
    println!("fetched   {}, in {} requests", share(fetched), of("GET"));
    println!("uploaded  {}", share(sent));
    println!("copied inside S3 in {} requests", of("PUT copy"));
}
