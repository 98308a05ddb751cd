//! `docs/LEDGER.md` says what is true: kinds, attributes, keys.

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use quittance_engine::ledger::{Item, Version};

use super::arbitrary::sweeps;
use super::attributes::{FORMAT, KIND, PK, SK, VERSION};
use super::{KINDS, arbitrary, encode};

const DOC: &str = include_str!("../../../../docs/LEDGER.md");

/// The attributes that the document names, by kind.
fn documented() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut kind = None;
    for line in DOC.lines() {
        if line.starts_with('#') {
            kind = line
                .strip_prefix("### `")
                .and_then(|rest| rest.strip_suffix('`'));
            kinds.extend(kind.map(|kind| (kind, BTreeSet::new())));
        } else if let Some(kind) = kind
            && let Some((name, _)) = line
                .strip_prefix("| `")
                .and_then(|rest| rest.split_once('`'))
        {
            kinds.get_mut(kind).unwrap().insert(name);
        }
    }
    kinds
}

/// Every attribute that any of many items of a kind has, without those that all kinds have.
fn written<T>(strategy: impl Strategy<Value = T>, wrap: fn(T) -> Item) -> BTreeSet<String> {
    let mut runner = TestRunner::deterministic();
    let mut names = BTreeSet::new();
    for _ in 0..200 {
        let item = wrap(strategy.new_tree(&mut runner).unwrap().current());
        names.extend(encode(&item, Version(1)).unwrap().into_keys());
    }
    for common in [PK, SK, KIND, FORMAT, VERSION] {
        assert!(names.remove(common), "{common}");
    }
    names
}

#[test]
fn the_document_names_every_kind_and_every_attribute() {
    let written = BTreeMap::from([
        ("request", written(arbitrary::request(), Item::Request)),
        ("task", written(arbitrary::task(), Item::Task)),
        ("event", written(arbitrary::event(), Item::Event)),
        (
            "reference",
            written(arbitrary::reference(), Item::Reference),
        ),
        ("token", written(arbitrary::token(), Item::Token)),
        ("subject", written(arbitrary::subject(), Item::Subject)),
        ("outbox", written(arbitrary::outbox(), Item::Outbox)),
        ("leaf", written(arbitrary::leaf(), Item::Leaf)),
        (
            "suppression",
            written(arbitrary::suppression(), Item::Suppression),
        ),
        ("sweep", written(sweeps::sweep(), Item::Sweep)),
        ("shard", written(sweeps::shard(), Item::Shard)),
        ("waiting", written(sweeps::waiting(), Item::Waiting)),
        ("exclusion", written(sweeps::exclusion(), Item::Exclusion)),
        ("pause", written(sweeps::pause(), Item::Pause)),
        (
            "sweep_vault",
            written(sweeps::sweep_vault(), Item::SweepVault),
        ),
        ("member", written(arbitrary::member(), Item::Member)),
        ("hold", written(arbitrary::hold(), Item::Hold)),
    ]);
    let kinds: BTreeSet<&str> = written.keys().copied().collect();
    assert_eq!(kinds, BTreeSet::from(KINDS), "the list of kinds");
    let documented: BTreeMap<&str, BTreeSet<String>> = documented()
        .into_iter()
        .map(|(kind, names)| (kind, names.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(
        documented, written,
        "left: docs/LEDGER.md, right: what is written"
    );
}
