//! How fast the emulation is: run with `--ignored --nocapture speed`.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use futures::StreamExt as _;

use crate::World;
use crate::dynamodb::{TABLE, keyed, table};
use crate::s3_objects::{bucket, put};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, asserts only that anything got done"]
async fn operations_per_second() {
    let world = World::new().await;
    table(&world).await;
    bucket(&world, None).await;
    let put_item = async |n: usize| {
        let put = world
            .dynamodb
            .put_item()
            .table_name(TABLE)
            .set_item(Some(keyed("p", &n.to_string())));
        put.send().await.unwrap();
    };
    let transact = async |n: usize| {
        let put = |part: &str| {
            let put = Put::builder()
                .table_name(TABLE)
                .set_item(Some(keyed(part, &n.to_string())))
                .build()
                .unwrap();
            TransactWriteItem::builder().put(put).build()
        };
        let write = world
            .dynamodb
            .transact_write_items()
            .transact_items(put("a"))
            .transact_items(put("b"));
        write.send().await.unwrap();
    };
    let put_object = async |n: usize| {
        put(&world, &n.to_string(), "some content").await;
    };
    let rates = [
        ("DynamoDB puts", rate(put_item).await),
        ("DynamoDB transactions of two", rate(transact).await),
        ("S3 puts", rate(put_object).await),
    ];
    for (what, per_second) in rates {
        println!("{what}: {per_second}/s");
        assert!(per_second > 0);
    }
}

/// Operations per second with eight at a time.
#[expect(clippy::future_not_send, reason = "runs on the test's own thread")]
async fn rate(work: impl AsyncFn(usize)) -> u128 {
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < Duration::from_secs(3) {
        let next = done..done + 64;
        futures::stream::iter(next)
            .map(async |n| work(n).await)
            .buffer_unordered(8)
            .collect::<Vec<()>>()
            .await;
        done += 64;
    }
    u128::try_from(done).unwrap() * 1000 / started.elapsed().as_millis()
}
