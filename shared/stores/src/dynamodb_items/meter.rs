//! A table's budget: how much of its capacity this process uses, at the most.
//!
//! What a call costs is known when it is answered. So it is paid for afterwards, one call after the other: the
//! time that its units take at the budget's rate. A page of a scan may use a hundred units at once; over
//! some seconds the rate is kept. Time in which nothing is asked is not saved up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_async::rt::sleep::{AsyncSleep as _, default_async_sleep};
use futures::lock::Mutex as Turn;
use quittance_core::data_map::{Budget, DynamodbItems};

/// What a call uses of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Units {
    Read,
    Write,
}

/// Whose turn it is to pay, by table. Stores of one table share what they use of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters(Arc<Mutex<Turns>>);

type Turns = HashMap<(String, Units), Arc<Turn<()>>>;

/// The meter of one store's table.
#[derive(Clone, Debug)]
pub(crate) struct Meter<'a> {
    table: &'a str,
    budget: Option<Budget>,
    meters: &'a Meters,
}

impl Meters {
    pub(crate) const fn of<'a>(&'a self, place: &'a DynamodbItems) -> Meter<'a> {
        Meter {
            table: place.table.as_str(),
            budget: place.budget,
            meters: self,
        }
    }

    fn turn(&self, table: &str, units: Units) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry((table.to_owned(), units)).or_default())
    }
}

impl Meter<'_> {
    fn rate(&self, units: Units) -> Option<u32> {
        let budget = self.budget?;
        match units {
            Units::Read => budget.read,
            Units::Write => budget.write,
        }
    }

    /// What to ask DynamoDB to tell of a call.
    pub(super) fn wanted(&self) -> Option<ReturnConsumedCapacity> {
        self.budget.map(|_| ReturnConsumedCapacity::Total)
    }

    /// Waits until what was used before is paid for.
    pub(super) async fn wait(&self, units: Units) {
        if self.rate(units).is_some() {
            drop(self.meters.turn(self.table, units).lock().await);
        }
    }

    /// Pays for what a call used; where the answer does not say, one unit.
    pub(super) async fn pay(&self, units: Units, used: Option<&ConsumedCapacity>) {
        let Some(rate) = self.rate(units) else {
            return;
        };
        let used = used.and_then(ConsumedCapacity::capacity_units);
        let turn = self.meters.turn(self.table, units);
        let mine = turn.lock().await;
        if let Some(time) = default_async_sleep() {
            time.sleep(price(used.unwrap_or(1.0), rate)).await;
        }
        drop(mine);
    }
}

/// How long so many units take.
fn price(units: f64, rate: u32) -> Duration {
    Duration::try_from_secs_f64(units / f64::from(rate)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_paid_at_the_rate() {
        assert_eq!(price(128.0, 64), Duration::from_secs(2));
        assert_eq!(price(0.5, 1), Duration::from_millis(500));
        assert_eq!(price(-1.0, 1), Duration::ZERO);
    }
}
