//! A table's budget: how much of its capacity this process uses, at the most.
//!
//! What a call costs is known when it is answered. So it is paid for afterwards: the next call of its
//! kind waits until what was used before has been paid at the budget's rate. A page of a scan may use
//! a hundred units at once; over some seconds the rate is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use quittance_core::data_map::{Budget, DynamodbItems};

/// What a call uses of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Units {
    Read,
    Write,
}

/// Until when everything is paid, by table. Stores of one table share what they use of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters(Arc<Mutex<HashMap<(String, Units), Instant>>>);

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

    /// How long the next call must wait.
    fn pause(&self, key: &(String, Units), now: Instant) -> Duration {
        let paid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = paid.get(key).copied();
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Notes what a call used, at so many units per second.
    fn spend(&self, key: (String, Units), units: f64, rate: u32, now: Instant) {
        let price = Duration::try_from_secs_f64(units / f64::from(rate)).unwrap_or_default();
        let mut paid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = paid.entry(key).or_insert(now);
        *until = (*until).max(now) + price;
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
        if self.rate(units).is_none() {
            return;
        }
        let key = (self.table.to_owned(), units);
        loop {
            let pause = self.meters.pause(&key, Instant::now());
            if pause.is_zero() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes what a call used; where the answer does not say, one unit.
    pub(super) fn spent(&self, units: Units, used: Option<&ConsumedCapacity>) {
        let Some(rate) = self.rate(units) else {
            return;
        };
        let used = used.and_then(ConsumedCapacity::capacity_units);
        let key = (self.table.to_owned(), units);
        self.meters
            .spend(key, used.unwrap_or(1.0), rate, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_paid_at_the_rate_before_the_next_call() {
        let meters = Meters::default();
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let reads = ("orders".to_owned(), Units::Read);
        assert_eq!(meters.pause(&reads, now), Duration::ZERO);
        meters.spend(reads.clone(), 128.0, 64, now);
        assert_eq!(meters.pause(&reads, now), 2 * second);
        // What others used meanwhile is added; writes are paid for by themselves.
        meters.spend(reads.clone(), 64.0, 64, now + second);
        assert_eq!(meters.pause(&reads, now + second), 2 * second);
        let writes = ("orders".to_owned(), Units::Write);
        assert_eq!(meters.pause(&writes, now), Duration::ZERO);
        assert_eq!(meters.pause(&reads, now + 9 * second), Duration::ZERO);
        // Time in which nothing was asked is not saved up.
        meters.spend(reads.clone(), 64.0, 64, now + 9 * second);
        assert_eq!(meters.pause(&reads, now + 9 * second), second);
    }
}
