//! A lake: rows of many people in shared objects, gone over in sweeps. Every call, every face of a
//! fault.

use quittance_chaos::World;
use quittance_chaos::script::{COPY, DELETE};
use quittance_chaos::table::Scenario;
use quittance_chaos::world::map_without;
use quittance_engine::memory::faults::Injection;

/// A copy and a deletion, on the account and the lake.
const LAKE: Scenario = Scenario {
    world: || {
        let map = map_without(&["orders", "reviews", "invoices", "tickets", "crm"]);
        World::with_map(&map, 2, 1)
    },
    asks: &[COPY, DELETE],
    lists: &[],
};

#[test]
fn a_crash_before_any_call_of_a_sweep_changes_nothing_about_the_result() {
    LAKE.every_call_under(Injection::CrashBefore);
}

#[test]
fn a_crash_after_any_call_of_a_sweep_changes_nothing_about_the_result() {
    LAKE.every_call_under(Injection::CrashAfter);
}

#[test]
fn a_failure_of_any_call_of_a_sweep_changes_nothing_about_the_result() {
    LAKE.every_call_under(Injection::FailBefore);
}

#[test]
fn a_success_reported_as_failure_changes_nothing_about_a_sweeps_result() {
    LAKE.every_call_under(Injection::FailAfter);
}
