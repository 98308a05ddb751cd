//! Connections that break in the middle: only the embedded backend can be told to break them.

use quittance_local::{Fault as Cut, Service};

use crate::lake::{ANN, BOB, MIB, crowd, events, roster, rows};
use crate::world::World;

#[tokio::test]
async fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let world = World::lake(None).await;
    let text = crowd(3 * MIB) + &rows(&[ANN]);
    world.rows("events/a", text.clone()).await;
    let store = events("none");
    let object = world.current(&store, "events/a").await;
    world.wire.log();
    let cut = || {
        let cut = Cut::CutAnswer { after_bytes: MIB };
        world
            .backend
            .local
            .faults()
            .once(Service::S3, "GetObject", cut);
    };
    cut();
    cut();
    let found = world.count(&store, &object, &roster(&[ANN])).await.unwrap();
    assert_eq!(found.matched[0].rows, 1);
    let fetched: Vec<u64> = world.wire.log().iter().map(|r| r.fetched).collect();
    let bytes = u64::try_from(text.len()).unwrap();
    let mib = u64::try_from(MIB).unwrap();
    assert_eq!(fetched, [bytes, bytes - mib, bytes - 2 * mib]);

    // Replaced meanwhile: what was read does not count, and all is read again.
    cut();
    world.wire.skip("GET", 1);
    world.overwrite_before("GET", "events/a", rows(&[BOB, ANN, ANN]));
    let found = world.count(&store, &object, &roster(&[ANN])).await.unwrap();
    assert_eq!((found.rows, found.matched[0].rows), (3, 2));
    assert!(world.wire.is_played());
}
